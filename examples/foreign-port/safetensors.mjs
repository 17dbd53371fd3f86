/** Reads and writes .safetensors files of float32: 8 bytes of length, a JSON header, the elements, all little-endian. */
import { readFileSync, writeFileSync } from "node:fs";

/** Tensors by name: { shape, data }. */
export function read(path) {
  const bytes = readFileSync(path);
  const begin = 8 + Number(bytes.readBigUInt64LE(0));
  const tensors = {};
  for (const [name, entry] of Object.entries(JSON.parse(bytes.subarray(8, begin).toString("utf8")))) {
    if (name === "__metadata__") continue;
    if (entry.dtype !== "F32") throw new Error(`${name}: tensors of ${entry.dtype} are not known here`);
    const [from, to] = entry.data_offsets;
    const copy = new Uint8Array(bytes.subarray(begin + from, begin + to)); // begins at a multiple of 4
    tensors[name] = { shape: entry.shape, data: new Float32Array(copy.buffer) };
  }
  return tensors;
}

/** Writes tensors by name. */
export function write(path, tensors) {
  const header = {};
  const parts = [];
  let end = 0;
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    header[name] = { dtype: "F32", shape, data_offsets: [end, end + data.byteLength] };
    end += data.byteLength;
    parts.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  writeFileSync(path, Buffer.concat([length, text, ...parts]));
}
