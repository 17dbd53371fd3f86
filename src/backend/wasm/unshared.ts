/**
 * The kernels for a memory of one thread's own. They import a shared memory, which a page that is not cross-origin isolated
 * cannot post, and which some browsers then do not make at all. Whether the memory is shared is one bit in the module's
 * import section: the code is the same, and so are the numbers.
 * Source: WebAssembly core specification, binary format (sections, limits); threads proposal (bit 1 of the limits).
 */
import { fail } from "../../errors.ts";

const HEADER_BYTES = 8;
const IMPORT_SECTION = 2;
const FUNCTION = 0;
const MEMORY = 2;
const SHARED = 2; // of the limits' flags; bit 0 says that there is a maximum

/**
 * A copy of a module's bytes whose imported memories are not shared. It understands modules that import functions and
 * memories, as asc writes them; an error of code "format" for any other.
 */
export function withUnsharedMemory(module: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(module);
  let at = HEADER_BYTES;
  const number = (): number => {
    let value = 0;
    for (let shift = 0; at < bytes.length; shift += 7) {
      const byte = bytes[at++];
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
    return fail("format", "kernels", "a whole WebAssembly module", "its end inside a number");
  };
  const skipName = (): void => {
    const length = number();
    at += length;
  };
  while (at < bytes.length) {
    const section = bytes[at++];
    const end = number() + at;
    if (section !== IMPORT_SECTION) {
      at = end;
      continue;
    }
    for (let left = number(); left > 0; left--) {
      skipName();
      skipName();
      const kind = bytes[at++];
      if (kind === MEMORY) {
        const flags = bytes[at];
        bytes[at++] = flags & ~SHARED;
        number();
        if (flags & 1) number();
      } else if (kind === FUNCTION) number();
      else fail("format", "kernels", "imports of functions and memories", `kind ${kind}`);
    }
    return bytes;
  }
  return bytes;
}
