/** Reads what test/golden/make/formats.py wrote. */
import { readFileSync } from "node:fs";

const FOLDER = new URL("../golden/formats/", import.meta.url);

/** One PNG, BMP, GIF or WebP file and the sha256 of the RGB bytes that others read from it. */
export interface FormatCase {
  /** "png/NAME.png", ... */
  readonly file: string;
  readonly what: string;
  /** Upright. */
  readonly width: number;
  readonly height: number;
  /** OpenCV's pixels; null where it refuses the file. */
  readonly opencv: string | null;
  /** Pillow's, where they differ from OpenCV's; null where it refuses the file. */
  readonly pillow?: string | null;
  /** The largest difference between the two. */
  readonly gap?: number;
}

/** The corpus's files of one kind. */
export function readFormatCases(kind: "png" | "bmp" | "gif" | "webp"): readonly FormatCase[] {
  const { cases }: { cases: FormatCase[] } = JSON.parse(readFileSync(new URL("cases.json", FOLDER), "utf8"));
  return cases.filter(({ file }) => file.startsWith(`${kind}/`));
}

/** The bytes of one of its files. */
export function readFormatFile(file: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(file, FOLDER)));
}
