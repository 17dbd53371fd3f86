import { expect, test, vi } from "vitest";
import { decodeImage } from "../../src/image/decode.ts";
import * as vendor from "../../src/image/vendor.ts";
import { readPicture } from "./goldens.ts";

vi.mock(import("../../src/image/vendor.ts"), async (original) => ({
  ...(await original()),
  freeHeapBytes: vi.fn(() => Number.POSITIVE_INFINITY),
}));

test("a JPEG that would run the engine out of heap is refused before it does", () => {
  const bytes = readPicture("baseline-444.jpg"); // 53 x 37: 7 x 5 blocks for each of three components
  const needed = 7 * 5 * 3 * vendor.JPEG_HEAP_BYTES_PER_BLOCK;
  vi.mocked(vendor.freeHeapBytes).mockReturnValue(needed - 1);
  expect(() => decodeImage(bytes, { source: "p.jpg" })).toThrow(
    /^p\.jpg: expected 1 MB of JavaScript heap for a JPEG of 53 x 37 pixels, got .* free \(shrink/,
  );
  vi.mocked(vendor.freeHeapBytes).mockReturnValue(needed);
  expect(decodeImage(bytes).width).toBe(53);
});
