/** Where the JPEG decoder's compiled bytes come from: the file that asc built. A browser build replaces this file alone. */
import { readFileSync } from "node:fs";
import { fail, messageOf } from "../errors.ts";

// The same relative path from src/image and from dist/image.
const MODULE_URL = new URL("../../build/jpeg.wasm", import.meta.url);

/** The bytes of `build/jpeg.wasm`; an error of code "file" where it is missing. */
export function readJpegModule(): Uint8Array {
  try {
    return readFileSync(MODULE_URL);
  } catch (error) {
    fail("file", "JPEG decoder", MODULE_URL.pathname, messageOf(error), "run `npm run build:wasm`");
  }
}
