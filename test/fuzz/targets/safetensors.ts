/** safetensors: headers by grammar and by hand, written files changed. */
import fc from "fast-check";
import { MobileDetrError } from "../../../src/errors.ts";
import {
  openSafetensors,
  type SafetensorsFile,
  type SafetensorsTensor,
  writeSafetensors,
} from "../../../src/weights/safetensors.ts";
import { concat, latin1, le, mutate } from "../bytes.ts";
import { filesOf } from "../corpora.ts";
import type { Random } from "../random.ts";
import { attempt, equalBytes, type Outcome, outcomeOf, promise, type Target } from "../target.ts";

const DTYPES = [
  "F64",
  "F32",
  "F16",
  "BF16",
  "I64",
  "I32",
  "I16",
  "I8",
  "U64",
  "U32",
  "U16",
  "U8",
  "BOOL",
  "F8_E4M3",
  "C64",
  "f32",
  "",
];
const SIZES: Readonly<Record<string, number>> = {
  F64: 8,
  I64: 8,
  U64: 8,
  F32: 4,
  I32: 4,
  U32: 4,
  F16: 2,
  BF16: 2,
  I16: 2,
  U16: 2,
};
const NAMES = [
  "w",
  "a.weight",
  "",
  "__metadata__",
  "__proto__",
  "constructor",
  "\\u0000",
  "\\ud800",
  "\\u202e",
  "é",
  "x".repeat(3000),
  "https://example.com/w",
  "../w",
];

const side = fc.oneof(
  { weight: 6, arbitrary: fc.nat(3) },
  { weight: 1, arbitrary: fc.constantFrom(2 ** 31, 2 ** 52, 2 ** 53 - 1, 65536) },
);
const shape = fc.oneof(
  { weight: 8, arbitrary: fc.array(side, { maxLength: 4 }) },
  { weight: 1, arbitrary: fc.array(fc.nat(1), { maxLength: 70 }) },
);
/** What stands where a number should, as JSON. */
const odd = fc.constantFrom(
  "-1",
  "1.0",
  "1e3",
  "null",
  '"1"',
  "[]",
  "{}",
  "9007199254740993",
  "1".repeat(400),
  "-0",
  "00",
  "NaN",
  "true",
);

const tensor = fc.record({
  name: fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom("a", "b", "c", "d", "e") },
    { weight: 1, arbitrary: fc.constantFrom(...NAMES) },
  ),
  dtype: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...DTYPES.slice(0, 13)) },
    { weight: 1, arbitrary: fc.constantFrom(...DTYPES) },
  ),
  shape,
  shift: fc.oneof(
    { weight: 8, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.integer({ min: -9, max: 9 }) },
  ),
  end: fc.oneof(
    { weight: 12, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.integer({ min: -9, max: 9 }) },
  ),
  odd: fc.option(odd, { freq: 12 }),
  field: fc.constantFrom("shape", "data_offsets", "dtype"),
  extra: fc.option(fc.constantFrom('"extra":1', '"dtype":"F32"', '"shape":[1]', '"data_offsets":[0,4]'), {
    freq: 20,
  }),
});

const file = fc.record({
  tensors: fc.array(tensor, { maxLength: 5 }),
  metadata: fc.option(
    fc.constantFrom(
      "{}",
      '{"a":"b"}',
      '{"a":1}',
      '{"a":"b","a":"c"}',
      "null",
      "[]",
      '{"__proto__":"x"}',
      '{"names":"https://example.com/"}',
    ),
    { freq: 2 },
  ),
  tail: fc.oneof(
    { weight: 8, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.integer({ min: -9, max: 9 }) },
  ),
  padding: fc.constantFrom("", " ", "   ", "\n", "\0", "x"),
  length: fc.option(
    fc.constantFrom(
      0n,
      1n,
      2n,
      7n,
      100_000_000n,
      100_000_001n,
      2n ** 32n,
      2n ** 53n,
      2n ** 63n,
      2n ** 64n - 1n,
    ),
    { freq: 8 },
  ),
  fill: fc.nat(255),
});

/** The same tensor as a file may have it. */
function soundTensor<T extends { name: string; dtype: string; shape: number[] }>(given: T, i: number): T {
  const shape = given.shape.slice(0, 4).map((side) => side % 4);
  const dtype = DTYPES.slice(0, 13).includes(given.dtype) ? given.dtype : "F32";
  return { ...given, name: "abcde"[i], dtype, shape, shift: 0, odd: null, extra: null };
}

function grammar(random: Random): Uint8Array {
  const [spec] = fc.sample(file, { seed: random.word() | 0, numRuns: 1 });
  let begin = 0;
  const sound = random.once(2);
  const members = spec.tensors.map((given, i) => {
    const t = sound ? soundTensor(given, i) : given;
    const bytes = Math.min(
      t.shape.reduce((product, n) => product * n, SIZES[t.dtype] ?? 1),
      10_000,
    );
    const offsets = [begin + t.shift, begin + t.shift + bytes + t.end];
    begin += bytes;
    const fields: Record<string, string> = {
      dtype: JSON.stringify(t.dtype),
      shape: JSON.stringify(t.shape),
      data_offsets: JSON.stringify(offsets),
    };
    if (t.odd) fields[t.field] = t.field === "dtype" ? t.odd : `[${t.odd}]`;
    const list = Object.entries(fields).map(([key, value]) => `"${key}":${value}`);
    if (t.extra) list.push(t.extra);
    return `"${t.name}":{${list.join(",")}}`;
  });
  if (spec.metadata && (!sound || spec.metadata.startsWith('{"a":"b"}')))
    members.splice(random.below(members.length + 1), 0, `"__metadata__":${spec.metadata}`);
  const header = latin1(`{${members.join(",")}}${sound ? "  " : spec.padding}`);
  const data = new Uint8Array(Math.max(0, begin + (sound ? 0 : spec.tail))).fill(spec.fill);
  return concat(le((sound ? null : spec.length) ?? header.length, 8), header, data);
}

/** Brackets and strings without end, and a length that is right. */
function nested(random: Random): Uint8Array {
  const piece = random.pick(['{"a":', "[", '{"a":[', '"\\u00', '{"a":{"dtype":"F32","shape":[', "{", " "]);
  const header = latin1(`${random.pick(["{", '{"a":', ""])}${piece.repeat(1 + random.below(2000))}`);
  return concat(le(header.length, 8), header);
}

function corpus(random: Random): Uint8Array {
  if (random.once(2)) return random.pick(filesOf("test/golden/weights/", ".safetensors"));
  const tensors = Array.from({ length: 1 + random.below(4) }, (_, i): [string, SafetensorsTensor] => {
    const count = random.below(9);
    return [`t${i}.weight`, { dtype: "F32", shape: [count], data: new Float32Array(count).fill(i) }];
  });
  return writeSafetensors(tensors, { format: "pt" });
}

function make(random: Random): Uint8Array {
  switch (random.below(5)) {
    case 0:
    case 1:
      return grammar(random);
    case 2:
      return mutate(random, grammar(random), corpus(random), 1 + random.below(2));
    case 3:
      return mutate(random, corpus(random), grammar(random));
    default:
      return random.once(4) ? nested(random) : mutate(random, corpus(random), corpus(random), 1);
  }
}

/** Reads every tensor; an error where a value does not fit its type. */
function readAll(open: SafetensorsFile): void {
  for (const name of open.names) {
    const { dtype, shape, byteLength } = open.entry(name);
    promise(open.bytes(name).length === byteLength, () => `bytes of ${name}`);
    const { value } = attempt(() => open.read(name));
    const count = shape.reduce((product, n) => product * n, 1);
    promise(value === undefined || value.length === count, () => `${value?.length} elements of ${name}`);
    promise(value !== undefined || dtype === "BOOL", () => `${dtype} is not read`);
    attempt(() => open.readInto(name, new Float32Array(count)));
    attempt(() => open.readInto(name, new BigInt64Array(count)));
  }
}

/** An entry as the header has it. */
interface Said {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

function run(bytes: Uint8Array): Outcome {
  const opened = attempt(() => openSafetensors(bytes, { name: "case.safetensors" }));
  const { value } = opened;
  if (!value) return outcomeOf(opened);
  readAll(value);
  const sum = value.names.reduce((total, name) => total + value.entry(name).byteLength, 0);
  const header = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  // What the header says, read in another way.
  const said = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + header))) as Record<string, Said>;
  for (const name of value.names) {
    const { dtype, shape, data_offsets: offsets } = said[name];
    const entry = value.entry(name);
    promise(entry.dtype === dtype && String(entry.shape) === String(shape), () => `the entry of ${name}`);
    const own = bytes.subarray(8 + header + offsets[0], 8 + header + offsets[1]);
    promise(equalBytes(value.bytes(name), own), () => `the offsets of ${name}`);
  }
  promise(8 + header + sum === bytes.length, () => `${sum} bytes of tensors in ${bytes.length}`);
  // What was read, written and read again is the same.
  try {
    const tensors = value.names.map((name): [string, SafetensorsTensor] => {
      const { dtype, shape } = value.entry(name);
      return [name, { dtype, shape, data: value.bytes(name) }];
    });
    const again = openSafetensors(writeSafetensors(tensors, value.metadata));
    for (const name of value.names)
      promise(equalBytes(again.bytes(name), value.bytes(name)), () => `${name} written`);
  } catch (error) {
    // BOOL bytes that are neither 0 nor 1 are refused by the writer, as by the reader.
    if (!(error instanceof MobileDetrError && /BOOL/.test(error.message))) throw error;
  }
  return "read";
}

/** safetensors files. */
export const safetensors: Target = {
  name: "safetensors",
  weight: 18,
  make,
  run,
  memoryBound: (length) => (16 << 20) + 64 * length,
};
