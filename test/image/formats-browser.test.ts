/** The corpus's PNG, BMP and GIF files by the built browser bundle, which has its own inflate and its own PNG scan lines. */
import { expect, test } from "vitest";
// @ts-expect-error built JavaScript without declarations
import { decodeImage } from "../../dist/browser/image.js";
import { readFormatCases, readFormatFile } from "./formats-corpus.ts";
import { sha256 } from "./jpeg-corpus.ts";

test.each(["png", "bmp", "gif"] as const)("%s: the browser's build reads what is read elsewhere", (kind) => {
  let equal = 0;
  for (const { file, opencv, pillow } of readFormatCases(kind)) {
    const { data } = decodeImage(readFormatFile(file), { source: file });
    const digest = sha256(data);
    if (digest === opencv) equal++;
    else expect(digest, file).toBe(pillow);
  }
  expect(equal).toBeGreaterThan(50);
});
