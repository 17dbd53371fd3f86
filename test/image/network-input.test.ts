/** A file's bytes in, the network's input out: the same numbers as in Python. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { RESIZES } from "../../src/choices.ts";
import { decodeImage } from "../../src/image/decode.ts";
import { writeInput } from "../../src/image/network-input.ts";
import { sha256 } from "./jpeg-corpus.ts";

interface Row {
  readonly file: string;
  readonly size: readonly [height: number, width: number];
  readonly stretched: readonly (string | null)[];
  readonly letterboxed: readonly (string | null)[];
}

const read = (path: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`../../${path}`, import.meta.url)));
const rows: readonly Row[] = JSON.parse(
  new TextDecoder().decode(read("test/golden/image/inputs.json")),
).cases;
const pictures = rows.map(({ file }) => decodeImage(read(file)));

/** As the network's contiguous [3, H, W]. */
function planes(pixels: Float32Array): Float32Array {
  const size = pixels.length / 3;
  const out = new Float32Array(pixels.length);
  for (let i = 0; i < size; i++) for (let c = 0; c < 3; c++) out[c * size + i] = pixels[3 * i + c];
  return out;
}

describe.each(["stretched", "letterboxed"] as const)("from a file's bytes, %s", (key) => {
  test.each(RESIZES.map((resize, r) => ({ resize, r })))("by $resize", ({ resize, r }) => {
    let compared = 0;
    for (const [i, row] of rows.entries()) {
      const sum = row[key][r];
      if (sum === null) continue; // PyTorch gives none to go by
      const [height, width] = row.size;
      const out = new Float32Array(height * width * 3);
      writeInput(pictures[i], row.size, out, { resize, letterbox: key === "letterboxed" });
      expect(sha256(new Uint8Array(planes(out).buffer)).slice(0, 16), row.file).toBe(sum);
      compared++;
    }
    expect(compared).toBeGreaterThan(50);
  });
});

test("is stretched by OpenCV's rules unless said", () => {
  const [said, unsaid] = [new Float32Array(96 * 64 * 3), new Float32Array(96 * 64 * 3)];
  writeInput(pictures[0], [96, 64], unsaid);
  writeInput(pictures[0], [96, 64], said, { resize: "opencv-linear", letterbox: false });
  expect(unsaid).toEqual(said);
});
