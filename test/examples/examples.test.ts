/** Every example runs, on the built package, and prints what it should. Snippets of pages: `test/docs`. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { decodeImage } from "../../src/image/decode.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
// Inside the project, so that `import "mobiledetr"` means this package.
const folder = mkdtempSync(join(root, "runs-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

function run(file: string, ...args: string[]): string {
  return execFileSync(process.execPath, [file, ...args], { cwd: folder, encoding: "utf8", timeout: 60_000 });
}

/** What each example's output must hold. */
const EXPECTED: Readonly<Record<string, RegExp>> = {
  "01-detect.mjs": /^barcode +0\.85\d /m,
  "02-raw-pixels.mjs": /^coffee barcode 0\.85, qr 0\.72$/m,
  "03-draw.mjs": /^2 detections drawn into/m,
  "04-look-inside.mjs": /^model\.2\.ma +\[1, 100, 128\]/m,
  "05-layers.mjs": /^# f32 \[1, 4, 5, 5\] on wasm, channels_last/m,
  "06-own-model.mjs": /aztec 0\.79, qr 0\.80/,
};

describe("examples", () => {
  const files = readdirSync(join(root, "examples")).filter((file) => file.endsWith(".mjs"));

  it("are all expected here", () => {
    expect(files).toEqual(Object.keys(EXPECTED));
  });

  it.each(files)("%s", (file) => {
    expect(run(join(root, "examples", file))).toMatch(EXPECTED[file]);
  });

  it("03-draw.mjs writes a picture of the original's size", () => {
    const drawn = decodeImage(readFileSync(join(folder, "coffee.detected.png")));
    const original = decodeImage(readFileSync(join(root, "examples/pictures/coffee.jpg")));
    expect([drawn.width, drawn.height]).toEqual([original.width, original.height]);
    expect(Buffer.from(drawn.data).equals(Buffer.from(original.data))).toBe(false);
  });
});
