import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { MobileDetrError } from "../../src/errors.ts";
import type { SafetensorsArray, SafetensorsTensor } from "../../src/weights/safetensors.ts";
import { openSafetensors, writeSafetensors } from "../../src/weights/safetensors.ts";
import { latin1, rawFile } from "./raw-file.ts";

const golden = new URL("../golden/weights/", import.meta.url);
const expected = JSON.parse(readFileSync(new URL("expected.json", golden), "utf8"));

/** The error that opening gives; it must be of code "format" and name the file. */
function refusal(bytes: Uint8Array): string {
  try {
    openSafetensors(bytes, { name: "dir/w.safetensors" });
  } catch (error) {
    expect(error).toBeInstanceOf(MobileDetrError);
    expect((error as MobileDetrError).code).toBe("format");
    expect((error as Error).message).toMatch(/^dir\/w\.safetensors[:,] /);
    return (error as Error).message;
  }
  return "not refused";
}

/** A header with one F32 tensor "w" of shape [2], some of its fields replaced (undefined: left out). */
function one(fields: Record<string, string | undefined>): string {
  const all = { dtype: '"F32"', shape: "[2]", data_offsets: "[0,8]", ...fields };
  const members = Object.entries(all).flatMap(([k, v]) => (v === undefined ? [] : [`"${k}":${v}`]));
  return `{"w":{${members.join(",")}}}`;
}

/** U8 tensors a, b, ... of the given offsets. */
function tiles(...offsets: [number, number][]): string {
  const entry = ([begin, end]: [number, number], i: number): string =>
    `"${"abcdef"[i]}":{"dtype":"U8","shape":[${end - begin}],"data_offsets":[${begin},${end}]}`;
  return `{${offsets.map(entry).join(",")}}`;
}

/** The tables below with their last columns as one. */
function rows(
  table: readonly (readonly [string, Uint8Array, ...string[]])[],
): [string, Uint8Array, string[]][] {
  return table.map(([what, bytes, ...says]) => [what, bytes, says]);
}

const utf8 = new TextEncoder();
const sound = one({});
const entry = '{"dtype":"U8","shape":[0],"data_offsets":[0,0]}';

/** What is wrong, the file, what the message must say. */
const HOSTILE: readonly (readonly [string, Uint8Array, ...string[]])[] = [
  // The length
  ["an empty file", new Uint8Array(0), "at least 8 bytes", "an empty file"],
  ["7 bytes", Uint8Array.of(9, 0, 0, 0, 1, 0, 0), "at least 8 bytes", "got 7"],
  [
    "a header longer than the file",
    rawFile(sound, 8, 500),
    "the 500 bytes of header",
    "got 62, 438 bytes too few",
  ],
  [
    "a header of 100,000,001 bytes",
    rawFile(sound, 8, 100_000_001),
    "at most 100000000",
    "a length of 100000001",
  ],
  ["a header of 2^63 bytes", rawFile(sound, 8, 2n ** 63n), "a length of 9223372036854775808"],
  ["a header of 2^64 - 1 bytes", rawFile(sound, 8, 2n ** 64n - 1n), "a length of 18446744073709551615"],
  ["a header of 0 bytes", rawFile("", Uint8Array.of(1)), 'at least 2 bytes, "{}"', "a length of 0"],
  ["a header of 1 byte", rawFile("{"), "a length of 1"],
  [
    "a length that ends within the header",
    rawFile(sound, 8, 30),
    '"," or "]" at character 30',
    "the end of the header",
  ],
  // The text
  ["a byte order mark", rawFile(`\ufeff${sound}`, 8), '"{" (byte 0x7b) as first byte', "0xef"],
  ["white space first", rawFile(` ${sound}`, 8), "first byte", "0x20"],
  ["an array", rawFile("[1,2]"), "first byte of the header", "0x5b"],
  ["bytes that are not UTF-8", rawFile(latin1('{"\xff\xfe":{}}')), "header: expected UTF-8 text"],
  ["a surrogate in UTF-8", rawFile(latin1('{"\xed\xa0\x80":{}}')), "expected UTF-8 text"],
  ["an overlong encoding", rawFile(latin1('{"\xc0\xaf":{}}')), "expected UTF-8 text"],
  ["NUL padding", rawFile(`${sound}\0\0`, 8), "the end of the header at character 54", '"\\u0000\\u0000"'],
  ["a second value", rawFile(`${sound}{}`, 8), "the end of the header at character 54", '"{}"'],
  ["a comma before the end", rawFile(`{"w":${entry},}`), "a string", '"}"', "not valid JSON"],
  ["no colon", rawFile('{"w" {}}'), '":" at character 5'],
  ["quotes of another kind", rawFile("{'w':{}}"), "a string at character 1"],
  ["a comment", rawFile(`{/* x */"w":${entry}}`), "a string at character 1", '"/* x */'],
  ["text without end", rawFile('{"w'), "the closing quote of a string at character 3"],
  ["an escape without end", rawFile('{"w\\'), "the closing quote of a string"],
  ["an unknown escape", rawFile(`{"\\x":${entry}}`), "a string with valid escapes at character 1"],
  ["a newline in a name", rawFile(`{"a\nb":${entry}}`), "the closing quote", "at character 3"],
  ["half a surrogate pair", rawFile(`{"\\ud800":${entry}}`), "one half of a surrogate pair"],
  ["NaN as a value", rawFile('{"w":NaN}'), "a JSON value", '"NaN}"'],
  ["a million brackets", rawFile(`{"w":${"[".repeat(1e6)}`), 'tensor "w"', "got an array"],
  ["a million nested objects", rawFile('{"w":'.repeat(1e6)), 'tensor "w"', 'a field "w"'],
  ["a million brackets as a size", rawFile(one({ shape: "[".repeat(1e6) }), 8), "shape[0]", "got an array"],
  [
    "a million brackets as metadata",
    rawFile(`{"__metadata__":{"k":${"[".repeat(1e6)}`),
    '"k"',
    "got an array",
  ],
  // Names
  ["a name twice", rawFile(`{"w":${entry},"v":${entry},"w":${entry}}`), 'tensor "w"', "once", "twice"],
  ["a name twice, once escaped", rawFile(`{"w":${entry},"\\u0077":${entry}}`), 'tensor "w"', "twice"],
  ["__proto__ twice", rawFile(`{"__proto__":${entry},"__proto__":${entry}}`), '"__proto__" once', "twice"],
  ["dtype twice", rawFile('{"w":{"dtype":"U8","dtype":"I8"}}'), 'tensor "w": expected "dtype" once', "twice"],
  ["shape twice", rawFile('{"w":{"shape":[],"shape":[]}}'), '"shape" once'],
  ["data_offsets twice", rawFile('{"w":{"data_offsets":[0,0],"data_offsets":[0,0]}}'), '"data_offsets" once'],
  [
    "a name that would write to a terminal",
    rawFile('{"\\u001b[2J\\u009b1m\\u202e":0}'),
    '\\u001b[2J\\u009b1m\\u202e"',
  ],
  ["a name of 10,000 characters", rawFile(`{"${"n".repeat(1e4)}":0}`), `tensor "${"n".repeat(120)}..."`],
  // Metadata
  ["metadata twice", rawFile('{"__metadata__":{},"__metadata__":{}}'), '"__metadata__" once'],
  ["a metadata key twice", rawFile('{"__metadata__":{"k":"1","k":"2"}}'), '__metadata__: expected "k" once'],
  [
    "a number as metadata",
    rawFile('{"__metadata__":{"epoch":3}}'),
    '"epoch": expected a string, got a number',
  ],
  ["an object as metadata", rawFile('{"__metadata__":{"a":{}}}'), '"a": expected a string, got an object'],
  ["null as metadata", rawFile('{"__metadata__":null}'), "an object of strings, got null"],
  ["an array as metadata", rawFile('{"__metadata__":["a"]}'), "an object of strings, got an array"],
  // Fields
  ["a string as entry", rawFile('{"w":"F32"}'), 'tensor "w": expected an object with dtype', "got a string"],
  ["null as entry", rawFile('{"w":null}'), 'tensor "w"', "got null"],
  ["an empty entry", rawFile('{"w":{}}'), "none called dtype or shape or data_offsets"],
  ["no dtype", rawFile(one({ dtype: undefined }), 8), 'tensor "w"', "none called dtype"],
  ["no shape", rawFile(one({ shape: undefined }), 8), "none called shape"],
  ["no data_offsets", rawFile(one({ data_offsets: undefined }), 8), "none called data_offsets"],
  ["a field too many", rawFile(one({ strides: "[1]" }), 8), 'a field "strides"'],
  ["a field of another case", rawFile(one({ Dtype: '"F32"' }), 8), 'a field "Dtype"'],
  ["dtype a number", rawFile(one({ dtype: "32" }), 8), "a string as dtype, got a number"],
  ["shape a number", rawFile(one({ shape: "2" }), 8), "an array as shape, got a number"],
  [
    "data_offsets an object",
    rawFile(one({ data_offsets: "{}" }), 8),
    "an array as data_offsets, got an object",
  ],
  // Element types
  [
    "an 8-bit float",
    rawFile(one({ dtype: '"F8_E4M3"' }), 8),
    '"F8_E4M3"',
    "F64, F32, F16, BF16, I64, I32",
    "BOOL",
  ],
  ["a complex type", rawFile(one({ dtype: '"C64"' }), 8), 'got "C64"'],
  ["a lower-case type", rawFile(one({ dtype: '"f32"' }), 8), 'got "f32"'],
  ["torch's name of a type", rawFile(one({ dtype: '"float32"' }), 8), 'got "float32"'],
  ["a type that objects have", rawFile(one({ dtype: '"constructor"' }), 8), 'got "constructor"'],
  // Shapes
  [
    "a negative size",
    rawFile(one({ shape: "[-2]" }), 8),
    'tensor "w"',
    "shape[0] to be an integer",
    "got -2",
  ],
  ["a fraction", rawFile(one({ shape: "[1,2.5]" }), 8), "shape[1]", "got 2.5"],
  ["an integer written as a fraction", rawFile(one({ shape: "[2.0]" }), 8), "shape[0]", "got 2.0"],
  ["an exponent", rawFile(one({ shape: "[2e0]" }), 8), "shape[0]", "got 2e0"],
  ["minus zero", rawFile(one({ shape: "[-0]" }), 8), "got -0"],
  ["a leading zero", rawFile(one({ shape: "[02]" }), 8), '"," or "]"'],
  ["a string as size", rawFile(one({ shape: '["2"]' }), 8), "shape[0]", "got a string"],
  ["true as size", rawFile(one({ shape: "[true]" }), 8), "got true or false"],
  ["a size of 2^53", rawFile(one({ shape: "[9007199254740992]" }), 8), "got 9007199254740992"],
  ["a size of a million digits", rawFile(one({ shape: `[1${"0".repeat(999_999)}]` }), 8), "(1000000 digits)"],
  [
    "a product past 2^53",
    rawFile(one({ shape: "[4294967296,4294967296]" }), 8),
    "2^53",
    "[4294967296, 4294967296]",
  ],
  ["a product of 2^64 + 8 / 4", rawFile(one({ shape: "[4294967296,4294967296,2]" }), 8), "of F32"],
  [
    "64 sizes that are the largest",
    rawFile(one({ shape: `[${"9007199254740991,".repeat(63)}1]` }), 8),
    "[9007199254740991, 9007199254740991",
    "... (64 dimensions)]",
  ],
  ["bytes past 2^53", rawFile(one({ shape: "[2251799813685248]" }), 8), "less than 2^53 bytes"],
  ["65 dimensions", rawFile(one({ shape: `[2${",1".repeat(64)}]` }), 8), "at most 64 dimensions in shape"],
  ["more data than the shape", rawFile(one({ shape: "[1]" }), 8), "4 bytes, which shape [1] of F32", "got 8"],
  [
    "less data than the shape",
    rawFile(one({ shape: "[3,1]" }), 8),
    "12 bytes, which shape [3, 1]",
    "got 8",
    "[0, 8]",
  ],
  ["a scalar of two elements", rawFile(one({ shape: "[]" }), 8), "4 bytes, which shape [] of F32"],
  ["data for an empty shape", rawFile(one({ shape: "[0]" }), 8), "0 bytes, which shape [0]"],
  // Offsets
  ["one offset", rawFile(one({ data_offsets: "[8]" }), 8), "two data_offsets", "got 1"],
  ["three offsets", rawFile(one({ data_offsets: "[0,8,16]" }), 8), "at most 2 numbers in data_offsets"],
  ["offsets that go backwards", rawFile(one({ data_offsets: "[8,0]" }), 8), "begin <= end", "[8, 0]"],
  ["a negative offset", rawFile(one({ data_offsets: "[-8,0]" }), 8), "data_offsets[0]", "got -8"],
  ["a fraction as offset", rawFile(one({ data_offsets: "[0,8.0]" }), 8), "data_offsets[1]", "got 8.0"],
  ["an offset of 2^64", rawFile(one({ data_offsets: "[0,18446744073709551616]" }), 8), "data_offsets[1]"],
  [
    "an overlap",
    rawFile(tiles([0, 4], [2, 6]), 6),
    'tensor "b"',
    "offset 4",
    'tensor "a" ends',
    "got 2, 2 bytes of overlap",
  ],
  ["the same bytes twice", rawFile(tiles([0, 4], [0, 4]), 4), "got 0, 4 bytes of overlap"],
  ["an empty tensor inside another", rawFile(tiles([0, 4], [2, 2]), 4), 'tensor "b"', "2 bytes of overlap"],
  ["a gap", rawFile(tiles([0, 4], [6, 8]), 8), 'tensor "b"', "got 6, a gap of 2 bytes"],
  [
    "a gap at the beginning",
    rawFile(tiles([4, 8]), 8),
    'tensor "a"',
    "where the header ends",
    "a gap of 4 bytes",
  ],
  ["an empty tensor past the end", rawFile(tiles([0, 4], [9, 9]), 4), 'tensor "b"', "a gap of 5 bytes"],
  [
    "trailing bytes",
    rawFile(tiles([0, 4], [4, 6]), 9),
    "6 bytes behind the header",
    'tensor "b" ends',
    "9, 3 bytes that",
  ],
  [
    "bytes behind an empty header",
    rawFile("{}", 5),
    "0 bytes behind the header",
    "5 bytes that belong to no tensor",
  ],
  ["data cut short", rawFile(tiles([0, 4], [4, 16]), 9), 'tensor "b"', "16 bytes of tensors", "9, 7 too few"],
  [
    "no data at all",
    rawFile(one({})),
    'tensor "w": expected 8 bytes of tensors',
    "got 0, 8 too few",
    "interrupted",
  ],
  [
    "4 PB that are not there",
    rawFile(one({ shape: "[1125899906842624]", data_offsets: "[0,4503599627370496]" }), 8),
    "got 8, 4503599627370488 too few",
  ],
];

/** What was given by mistake, its first bytes, what the message must say. */
const MISTAKES: readonly (readonly [string, Uint8Array, ...string[]])[] = [
  [
    "torch.save",
    Buffer.from(expected.torch_save_heads.zip, "hex"),
    "a PyTorch checkpoint (zip archive)",
    "save_file",
  ],
  [
    "old torch.save",
    Buffer.from(expected.torch_save_heads.pickle, "hex"),
    "a PyTorch checkpoint of the old kind",
  ],
  ["pickle", latin1("\x80\x04\x95\x10\0\0\0\0\0\0\0}\x94."), "a Python pickle"],
  [
    "npz",
    latin1("PK\x03\x04\x14\0\0\0\0\0\0\0!\0\x01\x02\x03\x04\xff\xff\xff\xff\x09\0\0\0x.npy"),
    "NumPy arrays (.npz)",
  ],
  ["zip", latin1("PK\x03\x04\x14\0\0\0\x08\0aaaaaaaaaaaaaaaaaaareadme.txt"), "a zip archive"],
  ["npy", latin1("\x93NUMPY\x01\0v\0{'descr': '<f4'"), "a NumPy array"],
  [
    "LFS pointer",
    latin1("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2\n"),
    "a Git LFS pointer",
    "git lfs pull",
  ],
  ["HTML", latin1("\n <!DOCTYPE html><html><body>404"), "an HTML or XML page"],
  ["XML", latin1('\xef\xbb\xbf<?xml version="1.0"?><Error>AccessDenied'), "an HTML or XML page"],
  ["index of shards", latin1('{\n "metadata": {"total_size": 12}'), "a JSON text", "index of a split model"],
  ["text", latin1("Not Found\nplease log in"), 'a text that begins with "Not Found"'],
  ["short text", latin1("oops"), 'a text that begins with "oops"'],
  ["ONNX", latin1("\x08\x08\x12\x07pytorch\x1a\x052.6.0:\xa8\x01"), "looks like an ONNX model"],
  ["GGUF", latin1("GGUF\x03\0\0\0\x23\x01\0\0\0\0\0\0"), "a GGUF file"],
  ["HDF5", latin1("\x89HDF\r\n\x1a\n\0\0\0\0"), "an HDF5 file"],
  ["TensorFlow Lite", latin1("\x1c\0\0\0TFL3\x14\0\x20\0"), "a TensorFlow Lite model"],
  ["gzip", latin1("\x1f\x8b\x08\0\0\0\0\0\0\x03"), "a gzip archive"],
  ["tar", latin1(`${"\x01".repeat(257)}ustar\x0000`), "a tar archive"],
  ["PNG", latin1("\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), "a PNG image"],
  ["JPEG", latin1("\xff\xd8\xff\xe0\0\x10JFIF\0"), "a JPEG image"],
  ["zeros", new Uint8Array(4096), "zero bytes only"],
];

describe("a header that is not sound is refused, with file, tensor and values named", () => {
  it("the sound ones that these are made of are not", () => {
    expect(refusal(rawFile(sound, 8))).toBe("not refused");
    expect(refusal(rawFile(tiles([4, 6], [0, 4], [4, 4], [6, 6], [0, 0]), 6))).toBe("not refused");
    expect(refusal(rawFile(`{"w":${entry}}`))).toBe("not refused");
  });

  it.each(rows(HOSTILE))("%s", (_, bytes, says) => {
    const message = refusal(bytes);
    for (const words of says) expect(message).toContain(words);
    expect(message).toMatch(/: expected .+, got .+/s);
    // Whatever a file holds, its message fits a terminal.
    expect(message.length).toBeLessThan(700);
  });

  it("a limit of one's own is kept", () => {
    const open = (maxHeaderBytes: number) => () => openSafetensors(rawFile(sound, 8), { maxHeaderBytes });
    expect(open(54)).not.toThrow();
    expect(open(53)).toThrow("a header of at most 53 bytes, got a length of 54");
    for (const limit of [0, -1, 1.5, Number.NaN, 2 ** 30])
      expect(open(limit)).toThrow(/maxHeaderBytes: .*, got /);
  });
});

describe("a file of another kind is named for what it is", () => {
  it.each(rows(MISTAKES))("%s", (_, bytes, says) => {
    const message = refusal(bytes);
    for (const words of says) expect(message).toContain(words);
    expect(message).toContain("expected a safetensors file");
  });
});

describe("damage at random", () => {
  /** A small generator (mulberry32) so that every run sees the same files. */
  function random(seed: number): () => number {
    let state = seed;
    return () => {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), state | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
    };
  }

  /** Opens and reads everything. Anything thrown must be ours. */
  function survives(bytes: Uint8Array): "read" | "refused" {
    try {
      const file = openSafetensors(bytes);
      for (const name of file.names) {
        file.read(name);
        file.readInto(name, new Float32Array(file.read(name).length));
      }
      return "read";
    } catch (error) {
      if (!(error instanceof MobileDetrError)) throw error;
      return "refused";
    }
  }

  const data = (length: number): SafetensorsArray => Float32Array.from({ length }, (_, i) => i);
  const tensors: [string, SafetensorsTensor][] = [
    ["model.0.conv.weight", { dtype: "F32", shape: [2, 3, 1, 1], data: data(6) }],
    ["bias", { dtype: "F16", shape: [3], data: data(3) }],
    ["mask", { dtype: "BOOL", shape: [2], data: Uint8Array.of(0, 1) }],
    ["n", { dtype: "I64", shape: [], data: BigInt64Array.of(7n) }],
  ];
  const good = writeSafetensors(tensors, { format: "pt" });
  const headerEnd = 8 + Number(new DataView(good.buffer).getBigUint64(0, true));

  it("every truncation of a file is refused", () => {
    for (let length = 0; length < good.length; length++)
      expect(survives(good.subarray(0, length))).toBe("refused");
    expect(survives(good)).toBe("read");
  });

  it("6,000 files with flipped bits, changed, lost or repeated bytes end in tensors or in our error", () => {
    const next = random(20240607);
    const pick = (n: number): number => Math.floor(next() * n);
    const grammar = utf8.encode('{}[]":,0123456789eE.-\\utfn ');
    const seen = { read: 0, refused: 0 };
    for (let round = 0; round < 6000; round++) {
      const bytes = [...good];
      for (let edits = 1 + pick(4); edits > 0; edits--) {
        // Three in four within the header, where the decisions are.
        const at = pick(4) === 0 ? pick(bytes.length) : pick(Math.min(headerEnd, bytes.length));
        const kind = pick(5);
        if (kind === 0) bytes[at] ^= 1 << pick(8);
        else if (kind === 1) bytes[at] = pick(256);
        else if (kind === 2) bytes[at] = grammar[pick(grammar.length)];
        else if (kind === 3) bytes.splice(at, 1 + pick(8));
        else bytes.splice(at, 0, ...bytes.slice(at, at + 1 + pick(8)));
        if (bytes.length === 0) bytes.push(0);
      }
      seen[survives(Uint8Array.from(bytes))]++;
    }
    // Both kinds must occur, or the test has stopped testing something.
    expect(seen.read).toBeGreaterThan(100);
    expect(seen.refused).toBeGreaterThan(3000);
  });
});
