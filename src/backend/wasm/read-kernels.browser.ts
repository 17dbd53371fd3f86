/** `read-kernels.ts` for browsers: the bytes are in the script. */
import kernels from "../../../build/kernels.wasm";
import { decodeBase64 } from "../../base64.ts";

/** The bytes of `build/kernels.wasm`. */
export function readKernels(): Uint8Array<ArrayBuffer> {
  return decodeBase64(kernels);
}
