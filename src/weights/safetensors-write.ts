/**
 * Tensors to the bytes of a `.safetensors` file, which come in chunks: a file can be written without being in
 * memory.
 *
 * Names stand in the header as they are given. The tensors' bytes are laid out by falling element size (equal
 * ones as given), so that each begins at a multiple of its element size and can be mapped in place. The
 * official writer also reorders the names: by falling dtype (U64 I64 F64 F32 U32 I32 BF16 F16 U16 I16 I8 U8
 * BOOL), then by name. Given tensors in that order, and at most one metadata key (its order varies there),
 * both write the same bytes.
 */
import { fail } from "../errors.ts";
import { f32ToBf16, f32ToF16 } from "./half.ts";
import type { SafetensorsArray, SafetensorsDtype } from "./safetensors-dtype.ts";
import {
  arrayNameOf,
  bytesOf,
  elementCount,
  isSafetensorsDtype,
  layoutOf,
  requireLittleEndian,
  SAFETENSORS_DTYPES,
  shapeText,
} from "./safetensors-dtype.ts";
import { LENGTH_BYTES, MAX_HEADER_BYTES, METADATA_KEY } from "./safetensors-header.ts";
import { isWellFormed, quoted } from "./safetensors-json.ts";

/** Elements that are narrowed at a time, 64 KiB of float32. */
const CHUNK_ELEMENTS = 16 * 1024;

/** A tensor to be written. */
export interface SafetensorsTensor {
  /** What is stored; `data` is converted where it is not that. */
  readonly dtype: SafetensorsDtype;
  /** Sizes, outermost first; [] is a scalar; sizes may be 0. */
  readonly shape: readonly number[];
  /**
   * Row-major: the values, in the typed array that `SafetensorsFile.read` gives for `dtype` (F16 and BF16 are
   * rounded from a Float32Array to nearest even, or taken as bit patterns from a Uint16Array); or, in a
   * Uint8Array, the little-endian bytes. May be over shared memory.
   */
  readonly data: SafetensorsArray;
}

/** Free text for the header: keys and values. */
export type SafetensorsMetadata = Readonly<Record<string, string>> | ReadonlyMap<string, string>;

/** A checked file that is ready to be written. */
export interface SafetensorsPlan {
  readonly byteLength: number;
  /** The file's bytes from first to last. A chunk is valid until the next one is asked for. */
  chunks(): Generator<Uint8Array>;
}

/** A tensor's place, without its content. */
interface PlacedTensor {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly byteLength: number;
}

interface NamedTensor extends SafetensorsTensor, PlacedTensor {}

/** Where everything of a file goes whose tensors are not there yet. */
export interface SafetensorsLayout {
  /** The file's first bytes. */
  readonly head: Uint8Array;
  /** Each tensor's first byte in the file. */
  readonly begins: ReadonlyMap<string, number>;
  readonly byteLength: number;
}

/**
 * A whole `.safetensors` file in memory.
 * @throws MobileDetrError "argument" that names the tensor, if one is not what its dtype and shape say, a
 * name comes twice or is `__metadata__`, or the header passes 100 MB; "memory" if the file does not fit.
 */
export function writeSafetensors(
  tensors: Iterable<readonly [name: string, tensor: SafetensorsTensor]>,
  metadata: SafetensorsMetadata = {},
): Uint8Array<ArrayBuffer> {
  const plan = planSafetensors(tensors, metadata);
  let out: Uint8Array<ArrayBuffer>;
  try {
    out = new Uint8Array(plan.byteLength);
  } catch {
    return fail(
      "memory",
      "writeSafetensors",
      `${plan.byteLength} bytes of memory`,
      "none",
      "save it to a file",
    );
  }
  let at = 0;
  for (const chunk of plan.chunks()) {
    out.set(chunk, at);
    at += chunk.length;
  }
  return out;
}

/** Checks everything, and lays the file out; nothing is copied yet. Errors as {@link writeSafetensors}. */
export function planSafetensors(
  tensors: Iterable<readonly [name: string, tensor: SafetensorsTensor]>,
  metadata: SafetensorsMetadata = {},
): SafetensorsPlan {
  requireLittleEndian();
  const given = new Map<string, NamedTensor>();
  for (const [name, tensor] of tensors) {
    checkText("tensor name", name);
    const where = `tensor ${quoted(name)}`;
    if (name === METADATA_KEY) fail("argument", where, "another name", "the key of the metadata");
    if (given.has(name)) fail("argument", where, "names that differ", "this one twice");
    given.set(name, { name, ...tensor, byteLength: checkTensor(where, tensor) });
  }
  const placed = [...given.values()].sort((a, b) => layoutOf(b.dtype).bytes - layoutOf(a.dtype).bytes);
  const header = headerBytes(given, placed, metadata);
  const byteLength = placed.reduce((sum, tensor) => sum + tensor.byteLength, LENGTH_BYTES + header.length);
  return {
    byteLength,
    *chunks() {
      const length = new Uint8Array(LENGTH_BYTES);
      new DataView(length.buffer).setBigUint64(0, BigInt(header.length), true);
      yield length;
      yield header;
      for (const tensor of placed) yield* tensorChunks(tensor);
    },
  };
}

/**
 * Lays out a file from dtypes and shapes alone, for writers that fill in tensors one by one as they are made. The layout is
 * {@link writeSafetensors}'s. Names must differ. Throws "argument" as {@link writeSafetensors}.
 */
export function layOutSafetensors(
  tensors: Iterable<readonly [name: string, dtype: SafetensorsDtype, shape: readonly number[]]>,
  metadata: SafetensorsMetadata = {},
): SafetensorsLayout {
  const given = new Map<string, PlacedTensor>();
  for (const [name, dtype, shape] of tensors) {
    checkText("tensor name", name);
    const count =
      elementCount(shape) ?? fail("argument", name, "a shape whose product is below 2^53", shapeText(shape));
    given.set(name, { name, dtype, shape, byteLength: count * layoutOf(dtype).bytes });
  }
  const placed = [...given.values()].sort((a, b) => layoutOf(b.dtype).bytes - layoutOf(a.dtype).bytes);
  const header = headerBytes(given, placed, metadata);
  const head = new Uint8Array(LENGTH_BYTES + header.length);
  new DataView(head.buffer).setBigUint64(0, BigInt(header.length), true);
  head.set(header, LENGTH_BYTES);
  const begins = new Map<string, number>();
  let at = head.length;
  for (const { name, byteLength } of placed) {
    begins.set(name, at);
    at += byteLength;
  }
  return { head, begins, byteLength: at };
}

/** The header's JSON, padded with spaces so that the tensors begin at a multiple of 8 bytes. */
function headerBytes(
  given: ReadonlyMap<string, PlacedTensor>,
  placed: readonly PlacedTensor[],
  metadata: SafetensorsMetadata,
): Uint8Array {
  const offsets = new Map<string, string>();
  let begin = 0;
  for (const { name, byteLength } of placed) {
    offsets.set(name, `[${begin},${begin + byteLength}]`);
    begin += byteLength;
  }
  const pairs = metadata instanceof Map ? [...metadata] : Object.entries(metadata);
  for (const [key, value] of pairs) {
    checkText("metadata key", key);
    checkText(`metadata ${quoted(key)}`, value);
  }
  const fields = pairs.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
  const members = fields.length === 0 ? [] : [`"${METADATA_KEY}":{${fields.join(",")}}`];
  for (const [name, { dtype, shape }] of given) {
    const entry = `{"dtype":"${dtype}","shape":[${shape.join(",")}],"data_offsets":${offsets.get(name)}}`;
    members.push(`${JSON.stringify(name)}:${entry}`);
  }
  const text = new TextEncoder().encode(`{${members.join(",")}}`);
  const padded = new Uint8Array(Math.ceil(text.length / LENGTH_BYTES) * LENGTH_BYTES).fill(0x20);
  padded.set(text);
  if (padded.length > MAX_HEADER_BYTES) {
    fail("argument", "safetensors", `a header of at most ${MAX_HEADER_BYTES} bytes`, `${padded.length}`);
  }
  return padded;
}

/** Checks that the data is what dtype and shape say. Returns the tensor's bytes in the file. */
function checkTensor(where: string, { dtype, shape, data }: SafetensorsTensor): number {
  if (!isSafetensorsDtype(dtype)) {
    return fail("argument", where, `a dtype out of ${SAFETENSORS_DTYPES.join(", ")}`, String(dtype));
  }
  const { bytes, stored, natural } = layoutOf(dtype);
  const legal = shape.every((size) => Number.isSafeInteger(size) && size >= 0);
  const count = legal ? elementCount(shape) : undefined;
  if (count === undefined) {
    return fail("argument", where, "a shape of integers in [0, 2^53), as is their product", shapeText(shape));
  }
  const byteLength = count * bytes;
  const given = arrayNameOf(data);
  if (given === natural || given === stored) {
    if (data.length !== count) {
      fail("argument", where, `${count} elements, shape ${shapeText(shape)}`, `${data.length}`);
    }
  } else if (given !== "Uint8Array") {
    const classes = [...new Set([natural, stored, "Uint8Array (the bytes)"])].join(" or ");
    fail("argument", where, `${classes} as data of ${dtype}`, given ?? typeof data);
  } else if (data.length !== byteLength) {
    fail("argument", where, `${byteLength} bytes, shape ${shapeText(shape)} of ${dtype}`, `${data.length}`);
  }
  if (dtype === "BOOL") {
    const bad = (data as Uint8Array).findIndex((value) => value > 1);
    if (bad !== -1) fail("argument", where, "BOOL values of 0 or 1", `${data[bad]} at index ${bad}`);
  }
  return byteLength;
}

function* tensorChunks({ dtype, data }: SafetensorsTensor): Generator<Uint8Array> {
  if ((dtype !== "F16" && dtype !== "BF16") || data[Symbol.toStringTag] !== "Float32Array") {
    yield bytesOf(data);
    return;
  }
  const narrow = dtype === "F16" ? f32ToF16 : f32ToBf16;
  const staging = new Uint16Array(Math.min(CHUNK_ELEMENTS, data.length));
  for (let at = 0; at < data.length; at += CHUNK_ELEMENTS) {
    const values = (data as Float32Array).subarray(at, at + CHUNK_ELEMENTS);
    yield bytesOf(narrow(values, staging.subarray(0, values.length)));
  }
}

function checkText(what: string, text: unknown): void {
  if (typeof text !== "string") fail("argument", what, "a string", typeof text);
  if (!isWellFormed(text)) {
    fail("argument", what, "whole Unicode characters", `${quoted(text)}, which has half a surrogate pair`);
  }
}
