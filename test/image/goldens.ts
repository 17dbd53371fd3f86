/** Reads what test/golden/make/images.py wrote. */
import { readFileSync } from "node:fs";
import { inflateSync } from "node:zlib";

const FOLDER = new URL("../golden/image/", import.meta.url);

/** One encoded picture and what OpenCV reads from it. */
export interface DecodeCase {
  readonly file: string;
  readonly what: string;
  readonly width: number;
  readonly height: number;
  readonly offset: number;
}

/** One resize of noise(in height * in width * channels, its index). */
export interface ResizeCase {
  readonly in: readonly [height: number, width: number];
  readonly out: readonly [height: number, width: number];
  readonly channels: 1 | 3;
  readonly crc32: number;
  readonly offset?: number;
}

/** The cases of decode.json, or resize.json. */
export function readCases<T>(name: "decode" | "resize"): readonly T[] {
  return JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), "utf8")).cases;
}

/** The expected bytes that the cases' offsets point into. */
export function readExpected(name: "decode" | "resize"): Uint8Array {
  return new Uint8Array(inflateSync(readFileSync(new URL(`${name}.bin`, FOLDER))));
}

/** The bytes of an encoded picture. */
export function readPicture(file: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`files/${file}`, FOLDER)));
}

/** The same bytes as `noise` in test/golden/make/images.py. */
export function noise(count: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, i) => {
    let x = (Math.imul(i, 2654435761) + seed * 40503 + 1) >>> 0;
    x = Math.imul(x ^ (x >>> 16), 0x7feb352d) >>> 0;
    x = Math.imul(x ^ (x >>> 15), 0x846ca68b) >>> 0;
    return x >>> 24;
  });
}

/** The first index at which two byte arrays differ, or -1; much faster than toEqual on pixels. */
export function firstDifference(a: Uint8Array, b: Uint8Array): number {
  const length = Math.max(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return i;
  return -1;
}
