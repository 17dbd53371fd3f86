/**
 * Where the bytes of a `.safetensors` file come from: memory here, a file in `file-source.ts`. A source reads
 * at any position; it knows nothing of the format.
 */

/**
 * Bytes that can be read at any position. Errors are MobileDetrErrors of code "file" that name the source.
 */
export interface ByteSource {
  /** What messages call it: a path, or the name that the caller gave. */
  readonly name: string;
  readonly byteLength: number;
  /** Fills all of `out` with the bytes from `position` on; the caller stays within `byteLength`. */
  read(position: number, out: Uint8Array): void;
  /** The bytes [begin, end) in place, where they are in memory anyway. */
  view?(begin: number, end: number): Uint8Array;
  /** Lets go of the file. The caller reads no more afterwards. */
  close(): void;
}

/** Bytes that are in memory already, read in place. */
export function memorySource(memory: Uint8Array, name: string): ByteSource {
  // A Buffer's views would be Buffers, whose slice() does not copy.
  const bytes = new Uint8Array(memory.buffer, memory.byteOffset, memory.byteLength);
  return {
    name,
    byteLength: bytes.byteLength,
    read: (position, out) => out.set(bytes.subarray(position, position + out.length)),
    view: (begin, end) => bytes.subarray(begin, end),
    close: () => undefined,
  };
}
