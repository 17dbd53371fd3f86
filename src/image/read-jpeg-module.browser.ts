/** `read-jpeg-module.ts` for browsers: the bytes are in the script. */
import decoder from "../../build/jpeg.wasm";
import { decodeBase64 } from "../base64.ts";

/** The bytes of `build/jpeg.wasm`. */
export function readJpegModule(): Uint8Array<ArrayBuffer> {
  return decodeBase64(decoder);
}
