/**
 * The header of a `.safetensors` file: read, checked in full, and given as entries with absolute positions.
 * No tensor is read here. Source: the format's description and reference reader, huggingface/safetensors
 * (README.md and safetensors/src/tensor.rs).
 *
 *     8 bytes   N, unsigned, little-endian
 *     N bytes   {"__metadata__": {string: string}, NAME: {"dtype", "shape", "data_offsets": [begin, end]}}
 *     the rest  the tensors' bytes, little-endian, row-major; offsets count from here
 *
 * Stricter than the reference, on purpose: keys that are there twice, fields of an entry that the format does
 * not have, more than 64 dimensions, and a null as metadata are refused.
 */
import { fail } from "../errors.ts";
import type { SafetensorsDtype } from "./safetensors-dtype.ts";
import {
  elementCount,
  isSafetensorsDtype,
  layoutOf,
  SAFETENSORS_DTYPES,
  shapeText,
} from "./safetensors-dtype.ts";
import { JsonCursor, quoted, unsignedInteger } from "./safetensors-json.ts";
import { MISTAKE_HEAD_BYTES, recogniseMistake } from "./safetensors-mistakes.ts";
import type { ByteSource } from "./safetensors-source.ts";

/** The largest header that the reference reader takes. */
export const MAX_HEADER_BYTES = 100_000_000;

/** The key that holds metadata and can be no tensor's name. */
export const METADATA_KEY = "__metadata__";

/** Bytes before the header: its length. */
export const LENGTH_BYTES = 8;

/** Longest string that V8 makes, 2^29 - 24 characters: a higher limit could not be kept. */
const MAX_HEADER_LIMIT = 2 ** 29 - 24;

/** As many dimensions as PyTorch iterates over. A bound keeps a hostile shape from filling memory. */
const MAX_DIMENSIONS = 64;

/** One tensor of a file. */
export interface SafetensorsEntry {
  readonly name: string;
  /** As the header spells it. */
  readonly dtype: SafetensorsDtype;
  /** Sizes, outermost first; [] is a scalar; sizes may be 0. */
  readonly shape: readonly number[];
  /** Number of elements times bytes of one. */
  readonly byteLength: number;
}

/** An entry and where its bytes begin, counted from the beginning of the file. */
export interface PlacedEntry extends SafetensorsEntry {
  readonly position: number;
}

/** What a header says. Both maps are in the header's order. */
export interface SafetensorsHeader {
  readonly metadata: ReadonlyMap<string, string>;
  readonly entries: ReadonlyMap<string, PlacedEntry>;
}

/**
 * Reads and checks the header of `source`, `maxHeaderBytes` bytes of it at most.
 * @throws MobileDetrError "format" that names the file, the tensor and the values, "file" if it cannot be
 * read.
 */
export function readHeader(source: ByteSource, maxHeaderBytes: number = MAX_HEADER_BYTES): SafetensorsHeader {
  if (!(Number.isInteger(maxHeaderBytes) && maxHeaderBytes > 0 && maxHeaderBytes <= MAX_HEADER_LIMIT)) {
    fail("argument", "maxHeaderBytes", `an integer in [1, ${MAX_HEADER_LIMIT}]`, String(maxHeaderBytes));
  }
  const length = readHeaderLength(source, maxHeaderBytes);
  const bytes = new Uint8Array(length);
  source.read(LENGTH_BYTES, bytes);
  const dataPosition = LENGTH_BYTES + length;
  const header = parseHeader(decodeUtf8(bytes, source.name), source.name, dataPosition);
  checkTiling([...header.entries.values()], source, dataPosition);
  return header;
}

/** The header's length, once it is known to be within the file and to begin as a header does. */
function readHeaderLength(source: ByteSource, maxHeaderBytes: number): number {
  const head = new Uint8Array(Math.min(source.byteLength, MISTAKE_HEAD_BYTES));
  source.read(0, head);
  const refuse = (expected: string, got: string, mend: string): never => {
    const mistake = recogniseMistake(head);
    if (mistake !== undefined) fail("format", source.name, "a safetensors file", mistake.what, mistake.mend);
    return fail("format", source.name, expected, got, mend);
  };
  if (source.byteLength < LENGTH_BYTES) {
    const got = source.byteLength === 0 ? "an empty file" : `${source.byteLength}`;
    refuse(`at least ${LENGTH_BYTES} bytes, the header's length`, got, "an interrupted download or copy?");
  }
  const length = new DataView(head.buffer).getBigUint64(0, true);
  const rest = source.byteLength - LENGTH_BYTES;
  if (length > BigInt(maxHeaderBytes)) {
    refuse(
      `a header of at most ${maxHeaderBytes} bytes`,
      `a length of ${length}`,
      "not a safetensors file, or its first 8 bytes are damaged",
    );
  }
  if (length > BigInt(rest)) {
    refuse(
      `the ${length} bytes of header that its first 8 bytes announce`,
      `${rest}, ${length - BigInt(rest)} bytes too few`,
      "an interrupted download or copy?",
    );
  }
  if (length < 2n)
    refuse('a header of at least 2 bytes, "{}"', `a length of ${length}`, "not a safetensors file?");
  if (head[LENGTH_BYTES] !== 0x7b) {
    const first = head[LENGTH_BYTES].toString(16).padStart(2, "0");
    refuse('"{" (byte 0x7b) as first byte of the header', `0x${first}`, "not a safetensors file, or damaged");
  }
  return Number(length);
}

function decodeUtf8(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return fail("format", `${file}, header`, "UTF-8 text", "bytes that are none", "the file is damaged");
  }
}

function parseHeader(text: string, file: string, dataPosition: number): SafetensorsHeader {
  const json = new JsonCursor(text, `${file}, header`);
  const entries = new Map<string, PlacedEntry>();
  let metadata: Map<string, string> | undefined;
  json.object((name) => {
    if (name === METADATA_KEY) {
      if (metadata !== undefined) refuseTwice(`${file}, header`, name);
      metadata = parseMetadata(json, `${file}, ${METADATA_KEY}`);
    } else {
      const where = `${file}, tensor ${quoted(name)}`;
      if (entries.has(name)) refuseTwice(where, name);
      entries.set(name, parseEntry(json, name, where, dataPosition));
    }
  });
  json.end();
  return { metadata: metadata ?? new Map(), entries };
}

function parseMetadata(json: JsonCursor, where: string): Map<string, string> {
  const metadata = new Map<string, string>();
  requireKind(json, "an object", where, "an object of strings");
  json.object((key) => {
    if (metadata.has(key)) refuseTwice(where, key);
    requireKind(json, "a string", `${where}, ${quoted(key)}`, "a string");
    metadata.set(key, json.string());
  });
  return metadata;
}

/** Reads `{"dtype": ..., "shape": [...], "data_offsets": [begin, end]}`, its fields in any order. */
function parseEntry(json: JsonCursor, name: string, where: string, dataPosition: number): PlacedEntry {
  let dtype: SafetensorsDtype | undefined;
  let shape: number[] | undefined;
  let offsets: number[] | undefined;
  requireKind(json, "an object", where, "an object with dtype, shape and data_offsets");
  json.object((field) => {
    if (field === "dtype") {
      if (dtype !== undefined) refuseTwice(where, field);
      dtype = parseDtype(json, where);
    } else if (field === "shape") {
      if (shape !== undefined) refuseTwice(where, field);
      shape = parseIntegers(json, where, "shape", MAX_DIMENSIONS, "dimensions");
    } else if (field === "data_offsets") {
      if (offsets !== undefined) refuseTwice(where, field);
      offsets = parseIntegers(json, where, "data_offsets", 2, "numbers");
    } else {
      fail("format", where, "the fields dtype, shape and data_offsets only", `a field ${quoted(field)}`);
    }
  });
  if (dtype === undefined || shape === undefined || offsets === undefined) {
    const have = { dtype, shape, data_offsets: offsets };
    const missing = Object.entries(have).flatMap(([field, value]) => (value === undefined ? [field] : []));
    return fail(
      "format",
      where,
      "the fields dtype, shape and data_offsets",
      `none called ${missing.join(" or ")}`,
    );
  }
  const byteLength = checkEntry(where, dtype, shape, offsets);
  return { name, dtype, shape: Object.freeze(shape), byteLength, position: dataPosition + offsets[0] };
}

function parseDtype(json: JsonCursor, where: string): SafetensorsDtype {
  requireKind(json, "a string", where, "a string as dtype");
  const dtype = json.string();
  if (isSafetensorsDtype(dtype)) return dtype;
  const mend = "convert the tensor to one of them, F32 for instance";
  return fail("format", where, `a dtype out of ${SAFETENSORS_DTYPES.join(", ")}`, quoted(dtype), mend);
}

function parseIntegers(json: JsonCursor, where: string, field: string, most: number, unit: string): number[] {
  const values: number[] = [];
  requireKind(json, "an array", where, `an array as ${field}`);
  json.array((index) => {
    if (index >= most) fail("format", where, `at most ${most} ${unit} in ${field}`, "more");
    const expected = `${field}[${index}] to be an integer in [0, 2^53)`;
    requireKind(json, "a number", where, expected);
    const digits = json.number();
    const value = unsignedInteger(digits) ?? fail("format", where, expected, shortened(digits));
    values.push(value);
  });
  return values;
}

/**
 * Checks an entry by itself: its offsets, and that shape times dtype is what lies between them. Returns its
 * bytes.
 */
function checkEntry(where: string, dtype: SafetensorsDtype, shape: number[], offsets: number[]): number {
  if (offsets.length !== 2) fail("format", where, "two data_offsets, begin and end", `${offsets.length}`);
  const [begin, end] = offsets;
  if (begin > end) fail("format", where, "data_offsets with begin <= end", `[${begin}, ${end}]`);
  const count = elementCount(shape);
  const byteLength = count === undefined ? Number.NaN : count * layoutOf(dtype).bytes;
  if (!Number.isSafeInteger(byteLength)) {
    return fail("format", where, "a shape of less than 2^53 bytes", `${shapeText(shape)} of ${dtype}`);
  }
  if (byteLength !== end - begin) {
    const expected = `${byteLength} bytes, which shape ${shapeText(shape)} of ${dtype} takes`;
    return fail("format", where, expected, `${end - begin}, data_offsets [${begin}, ${end}]`);
  }
  return byteLength;
}

/**
 * Checks that the tensors, in whatever order, cover the bytes behind the header: no gap, no overlap, nothing
 * left.
 */
function checkTiling(entries: PlacedEntry[], source: ByteSource, dataPosition: number): void {
  // Of those that begin at one place, empty tensors come first: they must not look like overlaps.
  entries.sort((a, b) => a.position - b.position || a.byteLength - b.byteLength);
  const dataBytes = source.byteLength - dataPosition;
  let end = 0;
  let before = "the header";
  for (const { name, position, byteLength } of entries) {
    const begin = position - dataPosition;
    const where = `${source.name}, tensor ${quoted(name)}`;
    if (begin !== end) {
      const kind = begin < end ? `${end - begin} bytes of overlap` : `a gap of ${begin - end} bytes`;
      fail("format", where, `its bytes to begin at offset ${end}, where ${before} ends`, `${begin}, ${kind}`);
    }
    end = begin + byteLength;
    before = `tensor ${quoted(name)}`;
  }
  if (end > dataBytes) {
    const cut = entries.find((entry) => entry.position + entry.byteLength > source.byteLength);
    const where = `${source.name}, tensor ${quoted(cut?.name ?? "")}`;
    const expected = `${end} bytes of tensors behind the header`;
    fail(
      "format",
      where,
      expected,
      `${dataBytes}, ${end - dataBytes} too few`,
      "an interrupted download or copy?",
    );
  }
  if (end < dataBytes) {
    const got = `${dataBytes}, ${dataBytes - end} bytes that belong to no tensor`;
    fail("format", source.name, `${end} bytes behind the header, where ${before} ends`, got);
  }
}

function requireKind(json: JsonCursor, kind: string, where: string, expected: string): void {
  const found = json.kind();
  if (found !== kind) fail("format", where, expected, found);
}

function refuseTwice(where: string, key: string): never {
  return fail(
    "format",
    where,
    `${quoted(key)} once`,
    "it twice",
    "which of the two counts is anybody's guess",
  );
}

function shortened(digits: string): string {
  return digits.length > 40 ? `${digits.slice(0, 40)}... (${digits.length} digits)` : digits;
}
