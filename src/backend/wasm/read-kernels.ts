/** Where the kernels' bytes come from: the file that asc built. A browser build replaces this file alone. */
import { readFileSync } from "node:fs";
import { fail, messageOf } from "../../errors.ts";

// The same relative path from src/backend/wasm and from dist/backend/wasm.
const KERNELS_URL = new URL("../../../build/kernels.wasm", import.meta.url);

/** The bytes of `build/kernels.wasm`; an error of code "file" where it is missing. */
export function readKernels(): Uint8Array {
  try {
    return readFileSync(KERNELS_URL);
  } catch (error) {
    fail("file", "kernels", `${KERNELS_URL.pathname}`, messageOf(error), "run `npm run build:wasm`");
  }
}
