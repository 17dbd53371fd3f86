/**
 * Files made by hand for the tests of the safetensors reader: any header, sound or not, and any bytes behind
 * it.
 */

/** `length` (default: that of the header) in 8 bytes, the header, the data. */
export function rawFile(
  header: string | Uint8Array,
  data: number | Uint8Array = 0,
  length?: bigint | number,
): Uint8Array {
  const head = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const body = typeof data === "number" ? new Uint8Array(data) : data;
  const file = new Uint8Array(8 + head.length + body.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(length ?? head.length), true);
  file.set(head, 8);
  file.set(body, 8 + head.length);
  return file;
}

/** Bytes of a text, one a character: for magics. */
export function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
