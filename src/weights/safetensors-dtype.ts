/**
 * The element types of `.safetensors` files that this package reads and writes, their sizes, and the typed
 * array that each one is in JavaScript. The 4-, 6- and 8-bit floats and the complex type of newer files are
 * refused by name.
 *
 * Files are little-endian, and so is every typed array here: WebAssembly memory always is, and no JavaScript
 * engine in use runs on anything else (`safetensors-file.ts` and `safetensors-write.ts` check it).
 */
import { fail } from "../errors.ts";

/** An element type, spelled as in the header of a file. */
export type SafetensorsDtype =
  | "F64"
  | "F32"
  | "F16"
  | "BF16"
  | "I64"
  | "I32"
  | "I16"
  | "I8"
  | "U64"
  | "U32"
  | "U16"
  | "U8"
  | "BOOL";

/** A typed array that tensors are read into or written from. */
export type SafetensorsArray =
  | Float64Array
  | Float32Array
  | BigInt64Array
  | BigUint64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array;

/** The name of a typed array's class, which tells it apart across realms, where `instanceof` does not. */
export type SafetensorsArrayName = SafetensorsArray[typeof Symbol.toStringTag];

/** Every element type, floats first. */
export const SAFETENSORS_DTYPES: readonly SafetensorsDtype[] = [
  ...(["F64", "F32", "F16", "BF16"] as const),
  ...(["I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL"] as const),
];

/** How an element type is held in memory. */
export interface DtypeLayout {
  /** Bytes of one element. */
  readonly bytes: 1 | 2 | 4 | 8;
  /**
   * The typed array whose elements have the same bits: for F16 and BF16 the patterns, for BOOL the bytes 0
   * and 1.
   */
  readonly stored: SafetensorsArrayName;
  /** The typed array that holds the values exactly: `stored`, but Float32Array for F16 and BF16. */
  readonly natural: SafetensorsArrayName;
}

const LAYOUTS: ReadonlyMap<string, DtypeLayout> = new Map<SafetensorsDtype, DtypeLayout>([
  ["F64", { bytes: 8, stored: "Float64Array", natural: "Float64Array" }],
  ["F32", { bytes: 4, stored: "Float32Array", natural: "Float32Array" }],
  ["F16", { bytes: 2, stored: "Uint16Array", natural: "Float32Array" }],
  ["BF16", { bytes: 2, stored: "Uint16Array", natural: "Float32Array" }],
  ["I64", { bytes: 8, stored: "BigInt64Array", natural: "BigInt64Array" }],
  ["I32", { bytes: 4, stored: "Int32Array", natural: "Int32Array" }],
  ["I16", { bytes: 2, stored: "Int16Array", natural: "Int16Array" }],
  ["I8", { bytes: 1, stored: "Int8Array", natural: "Int8Array" }],
  ["U64", { bytes: 8, stored: "BigUint64Array", natural: "BigUint64Array" }],
  ["U32", { bytes: 4, stored: "Uint32Array", natural: "Uint32Array" }],
  ["U16", { bytes: 2, stored: "Uint16Array", natural: "Uint16Array" }],
  ["U8", { bytes: 1, stored: "Uint8Array", natural: "Uint8Array" }],
  ["BOOL", { bytes: 1, stored: "Uint8Array", natural: "Uint8Array" }],
]);

type ArrayOver = (buffer: ArrayBufferLike, byteOffset: number, length: number) => SafetensorsArray;

const ARRAYS: ReadonlyMap<string, ArrayOver> = new Map<SafetensorsArrayName, ArrayOver>([
  ["Float64Array", (buffer, byteOffset, length) => new Float64Array(buffer, byteOffset, length)],
  ["Float32Array", (buffer, byteOffset, length) => new Float32Array(buffer, byteOffset, length)],
  ["BigInt64Array", (buffer, byteOffset, length) => new BigInt64Array(buffer, byteOffset, length)],
  ["BigUint64Array", (buffer, byteOffset, length) => new BigUint64Array(buffer, byteOffset, length)],
  ["Int32Array", (buffer, byteOffset, length) => new Int32Array(buffer, byteOffset, length)],
  ["Uint32Array", (buffer, byteOffset, length) => new Uint32Array(buffer, byteOffset, length)],
  ["Int16Array", (buffer, byteOffset, length) => new Int16Array(buffer, byteOffset, length)],
  ["Uint16Array", (buffer, byteOffset, length) => new Uint16Array(buffer, byteOffset, length)],
  ["Int8Array", (buffer, byteOffset, length) => new Int8Array(buffer, byteOffset, length)],
  ["Uint8Array", (buffer, byteOffset, length) => new Uint8Array(buffer, byteOffset, length)],
]);

/** Whether `name` is one of {@link SAFETENSORS_DTYPES}. */
export function isSafetensorsDtype(name: string): name is SafetensorsDtype {
  return LAYOUTS.has(name);
}

/**
 * The layout of an element type.
 * @throws MobileDetrError "argument" for a name that is none, which types rule out but plain JavaScript does
 * not.
 */
export function layoutOf(dtype: SafetensorsDtype): DtypeLayout {
  const layout = LAYOUTS.get(dtype);
  return layout ?? fail("argument", "dtype", `one of ${SAFETENSORS_DTYPES.join(", ")}`, String(dtype));
}

/** The class name of `value` if it is a typed array that tensors can be read into, else undefined. */
export function arrayNameOf(value: unknown): SafetensorsArrayName | undefined {
  if (!ArrayBuffer.isView(value)) return undefined;
  const name = Object.prototype.toString.call(value).slice("[object ".length, -1);
  return ARRAYS.has(name) ? (name as SafetensorsArrayName) : undefined;
}

/** A typed array over memory that is aligned for it. */
export function arrayOver(
  name: SafetensorsArrayName,
  buffer: ArrayBufferLike,
  byteOffset: number,
  length: number,
): SafetensorsArray {
  const make = ARRAYS.get(name);
  return make === undefined
    ? fail("argument", "typed array", [...ARRAYS.keys()].join(", "), String(name))
    : make(buffer, byteOffset, length);
}

/** The bytes of a typed array, in place. */
export function bytesOf(array: SafetensorsArray): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** Number of elements of `shape`, or undefined where it passes 2^53 (on the way: a zero does not undo it). */
export function elementCount(shape: readonly number[]): number | undefined {
  let count = 1;
  for (const size of shape) {
    count *= size;
    if (count > Number.MAX_SAFE_INTEGER) return undefined;
  }
  return count;
}

/** A shape as messages show it: "[2, 3]", cut where it is long. */
export function shapeText(shape: readonly number[]): string {
  const most = 8;
  const sizes = shape.slice(0, most).join(", ");
  return shape.length > most ? `[${sizes}, ... (${shape.length} dimensions)]` : `[${sizes}]`;
}

/** Throws where typed arrays are big-endian, as files never are. */
export function requireLittleEndian(): void {
  if (new Uint8Array(Uint16Array.of(1).buffer)[0] === 1) return;
  fail("state", "safetensors", "a little-endian processor", "a big-endian one");
}
