/// <reference lib="esnext.disposable" preserve="true" />
/**
 * An open `.safetensors` file: what it holds, and its tensors one by one, converted while they are read.
 * Neither the file nor a tensor is ever in memory twice: what needs converting passes through a staging
 * buffer of 64 KiB. Knows no file system (`safetensors.ts` opens paths) and makes no Tensor.
 */
import { fail, messageOf } from "../errors.ts";
import { bf16ToF32, f16ToF32 } from "./half.ts";
import { convertInto } from "./safetensors-convert.ts";
import type { SafetensorsArray, SafetensorsDtype } from "./safetensors-dtype.ts";
import {
  arrayNameOf,
  arrayOver,
  bytesOf,
  elementCount,
  layoutOf,
  requireLittleEndian,
  shapeText,
} from "./safetensors-dtype.ts";
import type { PlacedEntry, SafetensorsEntry, SafetensorsHeader } from "./safetensors-header.ts";
import { readHeader } from "./safetensors-header.ts";
import { quoted } from "./safetensors-json.ts";
import type { ByteSource } from "./safetensors-source.ts";

/** Fits the second-level cache with room to spare; a multiple of every element size. */
const STAGING_BYTES = 64 * 1024;

/** How a file is opened. */
export interface OpenSafetensorsOptions {
  /** What messages call the file. Default: its path, or "safetensors bytes". */
  readonly name?: string;
  /** Longest header that is read, in bytes. Default: 100 MB, as the reference reader. */
  readonly maxHeaderBytes?: number;
}

/**
 * An open file, its header already checked in full. Names are in the header's order, whatever order the
 * tensors' bytes are in. Close it when done: `using file = openSafetensors(path)`, or `file.close()`.
 */
export class SafetensorsFile {
  /** What messages call the file. */
  readonly name: string;
  /** The header's free text, `__metadata__`. */
  readonly metadata: ReadonlyMap<string, string>;
  /** Every tensor's name, in the header's order. */
  readonly names: readonly string[];
  readonly #entries: SafetensorsHeader["entries"];
  #source: ByteSource | undefined;
  #staging: ArrayBuffer | undefined;

  /** Reads and checks the header. Takes over `source`: closes it when closed, and on errors. */
  constructor(source: ByteSource, options: { readonly maxHeaderBytes?: number } = {}) {
    this.name = source.name;
    this.#source = source;
    try {
      requireLittleEndian();
      const header = readHeader(source, options.maxHeaderBytes);
      this.metadata = header.metadata;
      this.#entries = header.entries;
      this.names = Object.freeze([...header.entries.keys()]);
    } catch (error) {
      source.close();
      throw error;
    }
  }

  /** Whether there is a tensor of that name. */
  has(name: string): boolean {
    return this.#entries.has(name);
  }

  /**
   * A tensor's element type, shape and size.
   * @throws MobileDetrError "argument" if there is none of that name.
   */
  entry(name: string): SafetensorsEntry {
    const { dtype, shape, byteLength } = this.#find(name);
    return { name, dtype, shape, byteLength };
  }

  /**
   * A tensor's bytes as they are in the file: little-endian, row-major. A view, not aligned, if the file was
   * opened from bytes; a copy of just this tensor if it was opened by path.
   * @throws MobileDetrError "argument" for an unknown name, "state" after close, "file", "memory".
   */
  bytes(name: string): Uint8Array {
    const { position, byteLength } = this.#find(name);
    const source = this.#open();
    if (source.view !== undefined) return source.view(position, position + byteLength);
    const out = new Uint8Array(this.#allocate(name, byteLength));
    source.read(position, out);
    return out;
  }

  /**
   * A tensor's values in a new typed array: F64 Float64Array; F32, F16, BF16 Float32Array; I64 BigInt64Array,
   * U64 BigUint64Array, and so on; BOOL Uint8Array of 0 and 1.
   * @throws MobileDetrError as {@link readInto}, and "memory" if there is none.
   */
  read(name: string): SafetensorsArray {
    const { dtype, shape } = this.#find(name);
    const { natural } = layoutOf(dtype);
    const count = elementCount(shape) ?? 0;
    const bytes = count * (dtype === "F16" || dtype === "BF16" ? 4 : layoutOf(dtype).bytes);
    const out = arrayOver(natural, this.#allocate(name, bytes), 0, count);
    this.readInto(name, out);
    return out;
  }

  /**
   * Reads a tensor's values into `out`, which has as many elements as the tensor and may be over shared
   * memory. What has the bits of `out`'s elements already goes straight there; everything else is converted
   * on the way, 64 KiB at a time: into floating point rounded once, to nearest even; into integers only if
   * every value fits exactly. On an error `out` may be partly written.
   * @throws MobileDetrError "argument" for an unknown name or an `out` of the wrong length or class; "format"
   * for a value that does not fit (its index and value are named) and for a BOOL that is neither 0 nor 1;
   * "state" after close; "file" if the file cannot be read, or was cut short since it was opened.
   */
  readInto(name: string, out: SafetensorsArray): void {
    const entry = this.#find(name);
    const source = this.#open();
    const where = this.#where(name);
    const outName = arrayNameOf(out);
    if (outName === undefined) fail("argument", where, "a typed array to read into", kindOf(out));
    const { bytes, stored } = layoutOf(entry.dtype);
    const count = entry.byteLength / bytes;
    if (out.length !== count) {
      fail(
        "argument",
        where,
        `an output of ${count} elements, shape ${shapeText(entry.shape)}`,
        `${out.length}`,
      );
    }
    // F16 and BF16 are stored as patterns, which are not values: they never go straight.
    if (outName === stored && layoutOf(entry.dtype).natural === stored) {
      source.read(entry.position, bytesOf(out));
      if (entry.dtype === "BOOL") requireBooleans(where, out as Uint8Array, 0);
      return;
    }
    this.#staging ??= new ArrayBuffer(STAGING_BYTES);
    const most = STAGING_BYTES / bytes;
    for (let at = 0; at < count; at += most) {
      const chunk = arrayOver(stored, this.#staging, 0, Math.min(most, count - at));
      source.read(entry.position + at * bytes, bytesOf(chunk));
      if (entry.dtype === "BOOL") requireBooleans(where, chunk as Uint8Array, at);
      convertChunk(where, entry.dtype, chunk, out, at);
    }
  }

  /** Lets go of the file. Entries can still be asked for, tensors no longer. A second call does nothing. */
  close(): void {
    this.#source?.close();
    this.#source = undefined;
    this.#staging = undefined;
  }

  /** As {@link close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  #where(name: string): string {
    return `${this.name}, tensor ${quoted(name)}`;
  }

  #find(name: string): PlacedEntry {
    const entry = this.#entries.get(name);
    if (entry !== undefined) return entry;
    const some = this.names.slice(0, 3).map(quoted).join(", ");
    const all = this.names.length > 3 ? `${some}, ...` : some;
    return fail(
      "argument",
      this.name,
      `the name of one of its ${this.names.length} tensors`,
      quoted(String(name)),
      all,
    );
  }

  #open(): ByteSource {
    return this.#source ?? fail("state", this.name, "an open file", "one that was closed");
  }

  #allocate(name: string, bytes: number): ArrayBuffer {
    try {
      return new ArrayBuffer(bytes);
    } catch (error) {
      return fail("memory", this.#where(name), `${bytes} bytes of memory`, messageOf(error));
    }
  }
}

function convertChunk(
  where: string,
  dtype: SafetensorsDtype,
  chunk: SafetensorsArray,
  out: SafetensorsArray,
  at: number,
): void {
  let values = chunk;
  if (dtype === "F16" || dtype === "BF16") {
    const widen = dtype === "F16" ? f16ToF32 : bf16ToF32;
    if (out[Symbol.toStringTag] === "Float32Array") {
      widen(chunk as Uint16Array, (out as Float32Array).subarray(at, at + chunk.length));
      return;
    }
    values = widen(chunk as Uint16Array);
  }
  const bad = convertInto(values, out, at);
  if (bad === -1) return;
  const outName = out[Symbol.toStringTag];
  const got = `${values[bad]} at index ${at + bad}`;
  fail(
    "format",
    where,
    `${dtype} values that fit a ${outName} exactly`,
    got,
    "read it into a wider typed array",
  );
}

function requireBooleans(where: string, bytes: Uint8Array, at: number): void {
  const bad = bytes.findIndex((byte) => byte > 1);
  if (bad !== -1) fail("format", where, "BOOL bytes of 0 or 1", `${bytes[bad]} at index ${at + bad}`);
}

function kindOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice("[object ".length, -1);
}
