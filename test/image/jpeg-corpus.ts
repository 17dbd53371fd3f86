/** Reads what test/golden/make/jpeg.py wrote. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

const FOLDER = new URL("../golden/jpeg/", import.meta.url);

/** One JPEG file and the sha256 of the RGB bytes that others read from it. */
export interface JpegCase {
  readonly file: string;
  readonly what: string;
  /** Upright. */
  readonly width: number;
  readonly height: number;
  /** OpenCV's pixels; null where it refuses the file. */
  readonly opencv: string | null;
  /** Pillow's, where they differ from OpenCV's; null where it refuses the file. */
  readonly pillow?: string | null;
  /** Of a damaged file: what libjpeg makes of it. */
  readonly filled?: string;
}

/** The corpus. */
export function readJpegCases(): readonly JpegCase[] {
  return JSON.parse(readFileSync(new URL("cases.json", FOLDER), "utf8")).cases;
}

/** The bytes of one of its files. */
export function readJpegFile(file: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`files/${file}`, FOLDER)));
}

/** The bytes of the PNG that holds a file's pixels. */
export function readJpegPixels(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`pixels/${name}.png`, FOLDER)));
}

/** The sha256 of bytes, as the corpus states it. */
export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
