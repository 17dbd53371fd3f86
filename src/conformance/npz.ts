/**
 * NumPy's `.npz`: a ZIP archive of `.npy` files. Written stored, not compressed, with a layout that is known beforehand, so
 * that arrays can be filled in as they are made; read stored or deflated, as `numpy.savez` and `savez_compressed` write them.
 * Source: PKWARE's APPNOTE 4.3, with ZIP64 where a file passes 4 GiB. No encryption, no archives in parts.
 */
import { fail, messageOf } from "../errors.ts";
import { quoted } from "../weights/safetensors-json.ts";
import type { ByteSource } from "../weights/safetensors-source.ts";
import type { HostDtype, HostTensor, HostTensors } from "./host-tensor.ts";
import { inflateRaw } from "./inflate-raw.ts";
import { bytesOf, DTYPE_BYTES, npyHeader, readNpy } from "./npy.ts";

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const END64 = 0x06064b50;
const LOCATOR64 = 0x07064b50;
const LOCAL_BYTES = 30;
const CENTRAL_BYTES = 46;
const END_BYTES = 22;
const END64_BYTES = 56;
const LOCATOR64_BYTES = 20;
const FULL16 = 0xffff;
const FULL32 = 0xffffffff;
const VERSION = 20; // 2.0, what a plain reader needs
const VERSION64 = 45; // 4.5, ZIP64
const UTF8_NAMES = 0x0800;
const ENCRYPTED = 0x0001;
const DATE_1980 = 0x0021; // 1 January 1980: the same content gives the same bytes
const STORED = 0;
const DEFLATED = 8;
const MAX_COMMENT = 0xffff;
/** No deflate stream holds more than so many times its own length. */
const DEFLATE_MAX_RATIO = 1032;

/** The most that an archive's arrays may take in all, in bytes, unless said: 4 GiB. */
export const MAX_NPZ_BYTES = 2 ** 32;

/** How an archive is read. */
export interface ReadNpzOptions {
  /** The most that its arrays may take in all, in bytes, inflated; {@link MAX_NPZ_BYTES} unless said. */
  readonly maxBytes?: number;
}

/** An array that an archive will have. */
export interface NpzEntry {
  readonly name: string;
  readonly dtype: HostDtype;
  readonly shape: readonly number[];
}

/** Where an array is to go. */
export interface NpzPlace {
  /** The first byte of its elements in the file. */
  readonly begin: number;
  readonly byteLength: number;
  /** Bytes that go in front of its elements within its member, for the checksum. */
  readonly header: Uint8Array;
}

/** An archive's layout. */
export interface NpzLayout {
  readonly places: ReadonlyMap<string, NpzPlace>;
  /** What goes at which position beside the arrays' elements; `crcs` are the members' by name ({@link crc32}). */
  frame(crcs: ReadonlyMap<string, number>): readonly (readonly [position: number, bytes: Uint8Array])[];
  readonly byteLength: number;
}

/** Lays out an archive. Throws `argument` for a name that comes twice or is too long. */
export function layOutNpz(entries: readonly NpzEntry[]): NpzLayout {
  const places = new Map<string, NpzPlace>();
  const members: { name: string; file: Uint8Array; local: number; size: number }[] = [];
  let at = 0;
  for (const { name, dtype, shape } of entries) {
    if (places.has(name))
      fail("argument", `npz, array ${JSON.stringify(name)}`, "names that differ", "this one twice");
    const file = new TextEncoder().encode(`${name}.npy`);
    if (file.length > FULL16) fail("argument", "npz", "names of at most 65531 bytes", `${file.length - 4}`);
    const header = npyHeader(dtype, shape);
    const byteLength = shape.reduce((product, side) => product * side, DTYPE_BYTES[dtype]);
    const size = header.length + byteLength;
    const local = at;
    const begin = local + LOCAL_BYTES + file.length + (size >= FULL32 ? 20 : 0) + header.length;
    places.set(name, { begin, byteLength, header });
    members.push({ name, file, local, size });
    at = begin + byteLength;
  }
  const central = members.map(({ file, local, size }) => {
    const wide = (size >= FULL32 ? 16 : 0) + (local >= FULL32 ? 8 : 0);
    return CENTRAL_BYTES + file.length + (wide > 0 ? 4 + wide : 0);
  });
  const centralBytes = central.reduce((sum, bytes) => sum + bytes, 0);
  const isWide = at >= FULL32 || at + centralBytes >= FULL32 || members.length >= FULL16;
  const tail = (isWide ? END64_BYTES + LOCATOR64_BYTES : 0) + END_BYTES;
  const directory = at;
  return {
    places,
    byteLength: directory + centralBytes + tail,
    frame: (crcs) => {
      const pieces: (readonly [number, Uint8Array])[] = [];
      const end = new Uint8Array(centralBytes + tail);
      let put = 0;
      members.forEach(({ name, file, local, size }, i) => {
        const crc =
          crcs.get(name) ?? fail("state", `npz, array ${JSON.stringify(name)}`, "its checksum", "none");
        const header = places.get(name)?.header ?? new Uint8Array(0);
        pieces.push([local, localHeader(file, size, crc, header)]);
        writeCentral(new DataView(end.buffer, put, central[i]), file, local, size, crc);
        put += central[i];
      });
      writeEnd(new DataView(end.buffer, put, tail), members.length, centralBytes, directory, isWide);
      pieces.push([directory, end]);
      return pieces;
    },
  };
}

/** A whole archive in memory: small ones. Throws as {@link layOutNpz}. */
export function writeNpz(
  tensors: Iterable<readonly [name: string, tensor: HostTensor]>,
): Uint8Array<ArrayBuffer> {
  const all = new Map(tensors);
  const layout = layOutNpz([...all].map(([name, { dtype, shape }]) => ({ name, dtype, shape })));
  const out = new Uint8Array(layout.byteLength);
  const crcs = new Map<string, number>();
  for (const [name, { begin, header }] of layout.places) {
    const tensor = all.get(name) as HostTensor;
    const bytes = bytesOf(tensor);
    crcs.set(name, crc32(bytes, crc32(header)));
    out.set(bytes, begin);
  }
  for (const [position, bytes] of layout.frame(crcs)) out.set(bytes, position);
  return out;
}

/**
 * All arrays of an archive by name (without ".npy"), in its order. Big-endian and Fortran-ordered arrays are converted.
 * Throws `format` where it is not sound, holds Python objects, or a dtype that HostDtype lacks; `memory` above `maxBytes`. Sizes
 * are checked in the directory, before anything is inflated.
 */
export function readNpz(source: ByteSource, { maxBytes = MAX_NPZ_BYTES }: ReadNpzOptions = {}): HostTensors {
  const members = directoryOf(source).filter(({ name }) => name.endsWith(".npy"));
  checkSizes(members, source, maxBytes);
  const out = new Map<string, HostTensor>();
  for (const member of members) {
    const name = member.name.slice(0, -".npy".length);
    const where = `${source.name}, array ${quoted(name)}`;
    if (out.has(name)) fail("format", where, "names that differ", "this one twice");
    out.set(name, readNpy(contentOf(source, member, where), where));
  }
  return out;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

/** ZIP's checksum of bytes, or of bytes that follow those whose checksum is `before`. */
export function crc32(bytes: Uint8Array, before = 0): number {
  let c = ~before;
  for (let i = 0; i < bytes.length; i++) c = CRC_TABLE[(c ^ bytes[i]) & 255] ^ (c >>> 8);
  return ~c >>> 0;
}

/** A member's local header with the npy header behind it. */
function localHeader(file: Uint8Array, size: number, crc: number, npy: Uint8Array): Uint8Array {
  const wide = size >= FULL32;
  const bytes = LOCAL_BYTES + file.length + (wide ? 20 : 0);
  const out = new Uint8Array(bytes + npy.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, LOCAL, true);
  view.setUint16(4, wide ? VERSION64 : VERSION, true);
  view.setUint16(6, UTF8_NAMES, true);
  view.setUint16(12, DATE_1980, true);
  view.setUint32(14, crc, true);
  view.setUint32(18, wide ? FULL32 : size, true);
  view.setUint32(22, wide ? FULL32 : size, true);
  view.setUint16(26, file.length, true);
  view.setUint16(28, wide ? 20 : 0, true);
  out.set(file, LOCAL_BYTES);
  if (wide) writeWide(view, LOCAL_BYTES + file.length, [size, size]);
  out.set(npy, bytes);
  return out;
}

function writeCentral(view: DataView, file: Uint8Array, local: number, size: number, crc: number): void {
  const wide = [...(size >= FULL32 ? [size, size] : []), ...(local >= FULL32 ? [local] : [])];
  view.setUint32(0, CENTRAL, true);
  view.setUint16(4, VERSION64, true);
  view.setUint16(6, wide.length > 0 ? VERSION64 : VERSION, true);
  view.setUint16(8, UTF8_NAMES, true);
  view.setUint16(14, DATE_1980, true);
  view.setUint32(16, crc, true);
  view.setUint32(20, Math.min(size, FULL32), true);
  view.setUint32(24, Math.min(size, FULL32), true);
  view.setUint16(28, file.length, true);
  view.setUint16(30, wide.length > 0 ? 4 + 8 * wide.length : 0, true);
  view.setUint32(42, Math.min(local, FULL32), true);
  new Uint8Array(view.buffer, view.byteOffset + CENTRAL_BYTES, file.length).set(file);
  if (wide.length > 0) writeWide(view, CENTRAL_BYTES + file.length, wide);
}

/** The extra field of ZIP64. */
function writeWide(view: DataView, at: number, values: readonly number[]): void {
  view.setUint16(at, 1, true);
  view.setUint16(at + 2, 8 * values.length, true);
  values.forEach((value, i) => void view.setBigUint64(at + 4 + 8 * i, BigInt(value), true));
}

function writeEnd(view: DataView, count: number, bytes: number, position: number, wide: boolean): void {
  let at = 0;
  if (wide) {
    view.setUint32(0, END64, true);
    view.setBigUint64(4, BigInt(END64_BYTES - 12), true);
    view.setUint16(12, VERSION64, true);
    view.setUint16(14, VERSION64, true);
    view.setBigUint64(24, BigInt(count), true);
    view.setBigUint64(32, BigInt(count), true);
    view.setBigUint64(40, BigInt(bytes), true);
    view.setBigUint64(48, BigInt(position), true);
    view.setUint32(END64_BYTES, LOCATOR64, true);
    view.setBigUint64(END64_BYTES + 8, BigInt(position + bytes), true);
    view.setUint32(END64_BYTES + 16, 1, true);
    at = END64_BYTES + LOCATOR64_BYTES;
  }
  view.setUint32(at, END, true);
  view.setUint16(at + 8, Math.min(count, FULL16), true);
  view.setUint16(at + 10, Math.min(count, FULL16), true);
  view.setUint32(at + 12, Math.min(bytes, FULL32), true);
  view.setUint32(at + 16, wide ? FULL32 : position, true);
}

interface Member {
  readonly name: string;
  readonly method: number;
  readonly flags: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  readonly local: number;
}

function directoryOf(source: ByteSource): Member[] {
  const { name, byteLength } = source;
  const length = Math.min(byteLength, END_BYTES + MAX_COMMENT + LOCATOR64_BYTES);
  const tail = viewOf(readAt(source, byteLength - length, length));
  let at = length - END_BYTES;
  while (at >= 0 && tail.getUint32(at, true) !== END) at--;
  if (at < 0)
    return fail("format", name, "a ZIP archive, as numpy.savez writes", "a file without its end record");
  let count = tail.getUint16(at + 10, true);
  let bytes = tail.getUint32(at + 12, true);
  let position = tail.getUint32(at + 16, true);
  const locator = at - LOCATOR64_BYTES;
  if (
    (position === FULL32 || count === FULL16) &&
    locator >= 0 &&
    tail.getUint32(locator, true) === LOCATOR64
  ) {
    const end = viewOf(readAt(source, Number(tail.getBigUint64(locator + 8, true)), END64_BYTES));
    if (end.getUint32(0, true) !== END64) fail("format", name, "ZIP64's end record", "other bytes");
    count = Number(end.getBigUint64(32, true));
    bytes = Number(end.getBigUint64(40, true));
    position = Number(end.getBigUint64(48, true));
  }
  const view = viewOf(readAt(source, position, bytes));
  const members: Member[] = [];
  let p = 0;
  for (let i = 0; i < count; i++) {
    if (p + CENTRAL_BYTES > bytes || view.getUint32(p, true) !== CENTRAL) {
      fail("format", name, `${count} members in its directory`, `${i}`);
    }
    const nameBytes = view.getUint16(p + 28, true);
    const extraBytes = view.getUint16(p + 30, true);
    const next = p + CENTRAL_BYTES + nameBytes + extraBytes + view.getUint16(p + 32, true);
    if (next > bytes) fail("format", name, `${count} members in its directory`, `${i} and a part`);
    const text = new Uint8Array(view.buffer, view.byteOffset + p + CENTRAL_BYTES, nameBytes);
    const wide = wideValues(view, p + CENTRAL_BYTES + nameBytes, extraBytes);
    const full = (offset: number): number => {
      const value = view.getUint32(p + offset, true);
      return value === FULL32 ? (wide.shift() ?? value) : value;
    };
    const size = full(24);
    const packed = full(20);
    members.push({
      name: new TextDecoder().decode(text),
      flags: view.getUint16(p + 8, true),
      method: view.getUint16(p + 10, true),
      crc: view.getUint32(p + 16, true),
      size,
      packed,
      local: full(42),
    });
    p = next;
  }
  return members;
}

/** Members that share their bytes, or say that they hold what cannot be, would be read at length and then refused. */
function checkSizes(members: readonly Member[], source: ByteSource, maxBytes: number): void {
  let packedBytes = 0;
  let bytes = 0;
  for (const { name, method, packed, size } of members) {
    const most = method === STORED ? packed : packed * DEFLATE_MAX_RATIO;
    if (size > most) {
      const where = `${source.name}, array ${quoted(name.slice(0, -".npy".length))}`;
      fail("format", where, `at most ${most} bytes, which ${packed} can hold`, `${size}`);
    }
    packedBytes += packed;
    bytes += size;
  }
  if (packedBytes > source.byteLength) {
    const expected = `members that do not overlap in its ${source.byteLength} bytes`;
    fail("format", source.name, expected, `${packedBytes} bytes of them`);
  }
  if (bytes > maxBytes) {
    fail("memory", source.name, `at most ${maxBytes} bytes of arrays`, `${bytes}`, "raise maxBytes");
  }
}

function wideValues(view: DataView, begin: number, length: number): number[] {
  for (let at = begin; at + 4 <= begin + length; ) {
    const size = view.getUint16(at + 2, true);
    if (view.getUint16(at, true) === 1 && at + 4 + size <= begin + length) {
      return Array.from({ length: size >> 3 }, (_, i) => Number(view.getBigUint64(at + 4 + 8 * i, true)));
    }
    at += 4 + size;
  }
  return [];
}

function contentOf(source: ByteSource, member: Member, where: string): Uint8Array {
  if (member.flags & ENCRYPTED) fail("format", where, "no encryption", "an encrypted member");
  const head = viewOf(readAt(source, member.local, LOCAL_BYTES));
  if (head.getUint32(0, true) !== LOCAL)
    fail("format", where, "a member where the directory says", "other bytes");
  const begin = member.local + LOCAL_BYTES + head.getUint16(26, true) + head.getUint16(28, true);
  const packed = readAt(source, begin, member.packed);
  let content = packed;
  if (member.method === DEFLATED) {
    try {
      content = inflateRaw(packed, member.size);
    } catch (error) {
      fail("format", where, "a deflated member", messageOf(error));
    }
  } else if (member.method !== STORED) {
    fail("format", where, "a member stored or deflated", `method ${member.method}`);
  }
  if (content.length !== member.size) fail("format", where, `${member.size} bytes`, `${content.length}`);
  const crc = crc32(content);
  if (crc !== member.crc) fail("format", where, `CRC-32 ${hex(member.crc)}`, hex(crc), "the file is damaged");
  return content;
}

function readAt(source: ByteSource, position: number, length: number): Uint8Array {
  if (!(position >= 0) || position + length > source.byteLength) {
    const got = `a reference to bytes ${position} .. ${position + length}`;
    fail("format", source.name, `references within its ${source.byteLength} bytes`, got);
  }
  const out = new Uint8Array(length);
  source.read(position, out);
  return out;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function hex(value: number): string {
  return value.toString(16).padStart(8, "0");
}
