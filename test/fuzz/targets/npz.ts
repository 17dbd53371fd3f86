/** npz and npy: archives by grammar, headers by grammar, and whole traces read with their metadata. */
import fc from "fast-check";
import { readNpy } from "../../../src/conformance/npy.ts";
import { readTrace } from "../../../src/conformance/trace-read.ts";
import { memorySource } from "../../../src/weights/safetensors-source.ts";
import { concat, latin1, le, mutate } from "../bytes.ts";
import type { Random } from "../random.ts";
import { attempt, type Outcome, outcomeOf, promise, type Target } from "../target.ts";
import { type ZipEnd, type ZipMember, zipOf } from "../zip.ts";

const BYTES: Readonly<Record<string, number>> = { F32: 4, F64: 8, F16: 2, I32: 4, I64: 8, U8: 1, BOOL: 1 };

const header = fc.record({
  major: fc.oneof({ weight: 9, arbitrary: fc.constantFrom(1, 2, 3) }, { weight: 1, arbitrary: fc.nat(255) }),
  descr: fc.oneof(
    {
      weight: 8,
      arbitrary: fc.constantFrom("<f4", "<f8", "<f2", "<i4", "<i8", "|u1", "|b1", ">f4", ">i8", "=f4", "<u1"),
    },
    { weight: 1, arbitrary: fc.constantFrom("|O", "<c8", "", "<f4', 'x': '", "[('a', '<f4')]", "<f999") },
  ),
  order: fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom("True", "False") },
    { weight: 1, arbitrary: fc.constantFrom("None", "1", "true") },
  ),
  shape: fc.oneof(
    { weight: 8, arbitrary: fc.array(fc.nat(5), { maxLength: 5 }) },
    { weight: 1, arbitrary: fc.array(fc.nat(1), { maxLength: 300 }) },
  ),
  odd: fc.option(
    fc.constantFrom(
      "-1",
      "1e3",
      "2**31",
      "0x10",
      "9007199254740993",
      "1L",
      " ",
      "None",
      "'a'",
      "(2",
      "-0",
      "3.5",
    ),
    { freq: 10 },
  ),
  tail: fc.oneof(
    { weight: 8, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.integer({ min: -9, max: 9 }) },
  ),
  length: fc.option(fc.constantFrom(0, 1, 10, 65535, 0xffffffff), { freq: 12 }),
  repeat: fc.constantFrom("", "", "", "'shape': (", "'descr': '", "#", "'shape':".padEnd(60)),
});

/** An npy file. */
function npy(random: Random): Uint8Array {
  const [spec] = fc.sample(header, { seed: random.word() | 0, numRuns: 1 });
  const sides = [...spec.shape.map(String), ...(spec.odd ? [spec.odd] : [])];
  const text = `${spec.repeat.repeat(random.size(40))}{'descr': '${spec.descr}', 'fortran_order': ${spec.order}, 'shape': (${sides.join(", ")}${sides.length === 1 ? "," : ""}), }\n`;
  const item = Number(/\d+$/.exec(spec.descr)?.[0] ?? 1);
  const count = spec.shape.reduce((product, n) => product * n, item > 8 ? 1 : item);
  const data = random.bytes(Math.max(0, Math.min(count, 20_000) + spec.tail));
  const bytes = latin1(text);
  const length = spec.length ?? bytes.length;
  return concat(latin1("\x93NUMPY"), [spec.major, 0], le(length, spec.major === 1 ? 2 : 4), bytes, data);
}

/** What archives say of shapes beside their arrays. */
const METADATA = [
  '{"shapes":"{}"}',
  '{"shapes":"{\\"a\\":[2,3]}"}',
  '{"shapes":"{\\"a\\":[0]}"}',
  '{"shapes":"{\\"a\\":[9007199254740991,9007199254740991]}"}',
  '{"shapes":"{\\"__proto__\\":[1]}"}',
  '{"shapes":"[]"}',
  '{"shapes":1}',
  "[]",
  "{",
  "null",
  '{"format":"mobiledetr-trace-1","a":"b"}',
];

function metadata(random: Random): Uint8Array {
  const text = latin1(random.pick(METADATA));
  return concat(
    latin1("\x93NUMPY\x01\0"),
    le(66, 2),
    latin1(`{'descr': '|u1', 'fortran_order': False, 'shape': (${text.length},), }`.padEnd(66)),
    text,
  );
}

function archive(random: Random): Uint8Array {
  const names = [
    "a",
    "b",
    "c",
    "a",
    "",
    "__proto__",
    "../a",
    "/etc/passwd",
    "é",
    "x".repeat(2000),
    "\0",
    "C:a",
  ];
  const members = Array.from({ length: random.below(5) }, (_, i): ZipMember => {
    const told = random.once(7);
    const name = random.once(4) ? "__metadata__" : random.pick(random.once(3) ? names : names.slice(0, 3));
    const content = name === "__metadata__" ? metadata(random) : npy(random);
    const field = [0, 1, 0xffff, 0x7fffffff, 0xfffffffe, 0xffffffff];
    return {
      name: latin1(name + random.pick([".npy", ".npy", ".npy", ".txt", ""])),
      content: random.once(10) ? mutate(random, content, content, 1) : content,
      deflate: random.once(2),
      ...(told && random.once(4) && { method: random.pick([0, 8, 9, 12, 14, 99]) }),
      ...(told && random.once(4) && { flags: random.below(65536) }),
      ...(told && random.once(4) && { packed: random.pick(field) }),
      ...(told && random.once(3) && { size: random.pick(field) }),
      ...(told && random.once(4) && { local: random.pick(field) }),
      ...(told &&
        random.once(4) && { wide: [BigInt(random.word()), 2n ** 63n, 2n ** 53n].slice(random.below(3)) }),
      ...(i > 0 && random.once(10) && { like: random.below(i) }),
    };
  });
  const end: ZipEnd = random.once(6)
    ? {
        ...(random.once(3) && { count: random.pick([0, 1, 9, 0xffff]) }),
        ...(random.once(3) && { bytes: random.pick([0, 46, 0xffff, 0xffffffff]) }),
        ...(random.once(2) && { position: random.pick([0, 0xffffffff, 0xfffffffe]) }),
        ...(random.once(2) && { comment: random.bytes(random.below(60)) }),
        ...(random.once(2) && {
          wide: [
            BigInt(random.below(4)),
            BigInt(random.below(300)),
            BigInt(random.below(300)),
            random.pick([0n, 2n ** 63n, BigInt(random.below(600))]),
          ] as const,
        }),
      }
    : {};
  return zipOf(members, end);
}

function make(random: Random): Uint8Array {
  if (random.once(3))
    return random.once(3) ? mutate(random, npy(random), npy(random), 1 + random.below(2)) : npy(random);
  const bytes = archive(random);
  return random.once(3) ? mutate(random, bytes, archive(random), 1 + random.below(3)) : bytes;
}

function run(bytes: Uint8Array): Outcome {
  if (bytes[0] === 0x93) {
    const read = attempt(() => readNpy(bytes, "case.npy"));
    if (read.value) {
      const { data, shape, dtype } = read.value;
      promise(
        data.byteLength === shape.reduce((product, n) => product * n, BYTES[dtype]),
        () => `${dtype} ${shape}`,
      );
      promise(
        shape.every((n) => Number.isSafeInteger(n) && n >= 0 && !Object.is(n, -0)),
        () => `shape ${shape}`,
      );
    }
    return outcomeOf(read);
  }
  const read = attempt(() => readTrace(memorySource(bytes, "case.npz")));
  if (!read.value) return outcomeOf(read);
  const { tensors, positions, shapes } = read.value;
  for (const [name, { data, shape }] of attempt(() => [...tensors]).value ?? []) {
    promise(
      data.length === shape.reduce((product, n) => product * n, 1),
      () => `${name}: ${data.length} of ${shape}`,
    );
    promise(shapes.has(name), () => `no shape of ${name}`);
    const { value } = attempt(() => positions(name));
    promise(value === undefined || value.length === data.length, () => `positions of ${name}`);
  }
  return "read";
}

/** NumPy's files. */
export const npz: Target = {
  name: "npz",
  weight: 16,
  make,
  run,
  memoryBound: (length) => (32 << 20) + 1200 * length,
};
