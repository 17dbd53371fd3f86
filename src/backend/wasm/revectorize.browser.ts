/** `revectorize.ts` for browsers: refused, as by every engine that is not known to do it. */
import { fail } from "../../errors.ts";

/** As in Node, where it is refused: an error of code "argument". */
export function prepareRevectorize(): never {
  fail(
    "argument",
    "revectorize",
    "an engine that revectorizes WebAssembly: Node with V8 13.6 on x64",
    "a browser",
    "leave revectorize out",
  );
}

/** As {@link prepareRevectorize}. */
export function compileRevectorized(_bytes: Uint8Array): WebAssembly.Module {
  return prepareRevectorize();
}
