/**
 * NumPy's `.npy`: one array, a text header and its elements. Source: numpy.lib.format, versions 1 to 3. Whole arrays in memory;
 * `npz.ts` packs several into a file. No Python objects, no structured arrays.
 */
import { fail } from "../errors.ts";
import { quoted } from "../weights/safetensors-json.ts";
import type { HostDtype, HostTensor } from "./host-tensor.ts";

/** NumPy's names of the dtypes; all little-endian. */
const DESCRIPTIONS: Readonly<Record<HostDtype, string>> = {
  F32: "<f4",
  F64: "<f8",
  F16: "<f2",
  I32: "<i4",
  I64: "<i8",
  U8: "|u1",
  BOOL: "|b1",
};

/** Bytes of an element. */
export const DTYPE_BYTES: Readonly<Record<HostDtype, number>> = {
  F32: 4,
  F64: 8,
  F16: 2,
  I32: 4,
  I64: 8,
  U8: 1,
  BOOL: 1,
};

const ALIGN_BYTES = 64;
/** As NumPy reads: longer headers are structured arrays', or made to be searched for long. */
const MAX_HEADER_BYTES = 10_000;
/** As NumPy has. */
const MAX_DIMENSIONS = 64;
const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]; // \x93NUMPY

/** The bytes of a tensor's elements, in place. */
export function bytesOf({ data }: HostTensor): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** A file's bytes before its elements: magic, version 1.0, length, and a Python dictionary padded to a multiple of 64. */
export function npyHeader(dtype: HostDtype, shape: readonly number[]): Uint8Array {
  const sides = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const text = `{'descr': '${DESCRIPTIONS[dtype]}', 'fortran_order': False, 'shape': ${sides}, }`;
  const bare = MAGIC.length + 4 + text.length + 1;
  const total = Math.ceil(bare / ALIGN_BYTES) * ALIGN_BYTES;
  const out = new Uint8Array(total).fill(0x20);
  out.set(MAGIC);
  out.set([1, 0], MAGIC.length);
  new DataView(out.buffer).setUint16(MAGIC.length + 2, total - MAGIC.length - 4, true);
  out.set(new TextEncoder().encode(text), MAGIC.length + 4);
  out[total - 1] = 0x0a;
  return out;
}

/**
 * An array out of a file's bytes, row-major and little-endian whatever it was. `where` is for messages. Throws `format` where
 * it is not sound, or of a dtype that HostDtype lacks.
 */
export function readNpy(bytes: Uint8Array, where: string): HostTensor {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = MAGIC.every((byte, i) => bytes[i] === byte);
  const major = bytes[MAGIC.length];
  if (!magic || bytes.length < 12 || major < 1 || major > 3) {
    return fail("format", where, "an .npy file, version 1 to 3", magic ? `version ${major}` : "other bytes");
  }
  const lengthBytes = major === 1 ? 2 : 4;
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  const begin = 8 + lengthBytes + length;
  if (begin > bytes.length)
    fail("format", where, `a header of ${length} bytes`, `${bytes.length - 8 - lengthBytes}`);
  if (length > MAX_HEADER_BYTES) {
    fail("format", where, `a header of at most ${MAX_HEADER_BYTES} bytes`, `${length}`);
  }
  const text = new TextDecoder().decode(bytes.subarray(8 + lengthBytes, begin));
  const descr = /'descr':\s*'([^']*)'/.exec(text)?.[1];
  const order = /'fortran_order':\s*(True|False)/.exec(text)?.[1];
  const sides = /'shape':\s*\(([^)]*)\)/.exec(text)?.[1];
  const digits = sides
    ?.split(",")
    .map((side) => side.trim())
    .filter((side) => side !== "");
  const shape = digits?.map(Number);
  const legal = digits?.every((side) => /^\d+$/.test(side)) && shape?.every(Number.isSafeInteger);
  if (descr === undefined || order === undefined || shape === undefined || !legal) {
    return fail("format", where, "descr, fortran_order and shape of a plain array", quoted(text.trim()));
  }
  if (shape.length > MAX_DIMENSIONS) {
    fail("format", where, `at most ${MAX_DIMENSIONS} dimensions`, `${shape.length}`);
  }
  const little = descr.replace(/^[>=]/, "<").replace(/^<([ub]1)$/, "|$1");
  const dtype = (Object.keys(DESCRIPTIONS) as HostDtype[]).find((known) => DESCRIPTIONS[known] === little);
  if (dtype === undefined) {
    return fail("format", where, "float16 to 64, int32, int64, uint8 or bool", `dtype ${descr.slice(0, 40)}`);
  }
  const itemBytes = DTYPE_BYTES[dtype];
  const byteLength = shape.reduce((product, side) => product * side, itemBytes);
  if (bytes.length - begin !== byteLength) {
    fail(
      "format",
      where,
      `${byteLength} bytes of elements, shape [${shape.join(", ")}]`,
      `${bytes.length - begin}`,
    );
  }
  const elements = new Uint8Array(bytes.subarray(begin)); // aligned, and a copy of a Buffer's too
  if (descr.startsWith(">")) swapBytes(elements, itemBytes);
  const ordered = order === "True" ? toRowMajor(elements, shape, itemBytes) : elements;
  return tensorOver(dtype, shape, ordered);
}

/** A tensor over bytes that begin at a multiple of 8. */
function tensorOver(dtype: HostDtype, shape: readonly number[], { buffer }: Uint8Array): HostTensor {
  switch (dtype) {
    case "F32":
      return { dtype, shape, data: new Float32Array(buffer) };
    case "F64":
      return { dtype, shape, data: new Float64Array(buffer) };
    case "F16":
      return { dtype, shape, data: new Uint16Array(buffer) };
    case "I32":
      return { dtype, shape, data: new Int32Array(buffer) };
    case "I64":
      return { dtype, shape, data: new BigInt64Array(buffer) };
    default:
      return { dtype, shape, data: new Uint8Array(buffer) };
  }
}

function swapBytes(bytes: Uint8Array, size: number): void {
  for (let at = 0; at < bytes.length; at += size) bytes.subarray(at, at + size).reverse();
}

/** First axis fastest to last axis fastest. */
function toRowMajor(bytes: Uint8Array, shape: readonly number[], size: number): Uint8Array {
  const out = new Uint8Array(bytes.length);
  const index = shape.map(() => 0);
  const strides: number[] = [];
  let stride = size;
  for (const side of shape) {
    strides.push(stride);
    stride *= side;
  }
  for (let to = 0; to < bytes.length; to += size) {
    const from = index.reduce((sum, i, axis) => sum + i * strides[axis], 0);
    out.set(bytes.subarray(from, from + size), to);
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis] === shape[axis]; axis--) index[axis] = 0;
  }
  return out;
}
