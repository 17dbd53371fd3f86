/**
 * Small inputs that ask for a lot: each runs in a process of its own, with the limits' defaults, and its memory and time have
 * bounds of their own. What is refused from a header costs nothing; what is refused later costs what was read until then.
 */
import { deflateRawSync, deflateSync } from "node:zlib";
import { readNpy } from "../../src/conformance/npy.ts";
import { readNpz } from "../../src/conformance/npz.ts";
import { readTrace } from "../../src/conformance/trace-read.ts";
import { fail } from "../../src/errors.ts";
import { decodeImage } from "../../src/image/decode.ts";
import { inflateRaw, inflateZlib } from "../../src/inflate.ts";
import { parseModelConfig } from "../../src/models/rtdetr/config.ts";
import { openSafetensors } from "../../src/weights/safetensors.ts";
import { memorySource } from "../../src/weights/safetensors-source.ts";
import { emptyBlocks, jpeg, manyScans, npyHeader, png, RGB8, zeroes } from "./bomb-files.ts";
import { concat, latin1, le, u32be } from "./bytes.ts";
import { describeThrown, type Finding, type Measured } from "./case.ts";
import { filesOf } from "./corpora.ts";
import { type Attempt, attempt, type Outcome, outcomeOf } from "./target.ts";
import { segmentsOf } from "./targets/jpeg.ts";
import { pngOf } from "./targets/png.ts";
import { type ZipMember, zipOf } from "./zip.ts";

/** One of them. */
export interface Bomb {
  readonly name: string;
  /** Makes the input; not measured. */
  readonly make: () => Uint8Array;
  /** Reads it. */
  readonly read: (bytes: Uint8Array) => unknown;
  /** What must become of it. */
  readonly outcome: Outcome;
  /** By how much the process may grow, in MB. Starting it counts with up to 65: none is below 100. */
  readonly megabytes: number;
  /** Processor time that it may take. */
  readonly seconds: number;
  /** Whether making or reading it is too much for an ordinary test. */
  readonly large?: boolean;
}

const decode = (bytes: Uint8Array): unknown => decodeImage(bytes, { source: "bomb" });
const fill = (bytes: Uint8Array): unknown => decodeImage(bytes, { source: "bomb", damaged: "fill" });
const npz = (bytes: Uint8Array): unknown => readNpz(memorySource(bytes, "bomb.npz"));
const yaml = (bytes: Uint8Array): unknown => parseModelConfig(latin1Text(bytes), { source: "bomb.yaml" });
const weights = (bytes: Uint8Array): unknown => openSafetensors(bytes, { name: "bomb.safetensors" });

function latin1Text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}

const MB = 1 << 20;

/** All of them. */
export const BOMBS: readonly Bomb[] = [
  {
    name: "a JPEG header of 65535 x 65535",
    make: () => concat(...jpeg("grey.jpg", 65535, 65535)),
    ...{ read: decode, outcome: "memory", megabytes: 100, seconds: 1 },
  },
  {
    name: "the same, to be filled",
    make: () => concat(...jpeg("grey.jpg", 65535, 65535)),
    ...{ read: fill, outcome: "memory", megabytes: 100, seconds: 1 },
  },
  {
    name: "a JPEG header of 11585 x 11585, the limit, over a few bytes",
    make: () => concat(...jpeg("grey.jpg", 11585, 11585)),
    ...{ read: decode, outcome: "format", megabytes: 100, seconds: 1 },
  },
  {
    name: "a progressive one",
    make: () => concat(...jpeg("progressive-420.jpg", 11585, 11585)),
    ...{ read: decode, outcome: "format", megabytes: 100, seconds: 1 },
  },
  {
    name: "a grey JPEG of 134 megapixels, to be filled: 0.4 GB of pixels",
    make: () => concat(...jpeg("grey.jpg", 11585, 11585)),
    ...{ read: fill, outcome: "read", megabytes: 500, seconds: 10, large: true },
  },
  {
    name: "a progressive JPEG of 16 megapixels and 256 scans, of 50 KB",
    make: () => manyScans(4096, 256),
    ...{ read: decode, outcome: "read", megabytes: 200, seconds: 10, large: true },
  },
  {
    name: "a progressive JPEG of 134 megapixels and 256 scans, of 0.4 MB",
    make: () => manyScans(11585, 256),
    ...{ read: decode, outcome: "read", megabytes: 900, seconds: 20, large: true },
  },
  {
    name: "a PNG header of 65535 x 65535",
    make: () => png(65535, 65535, RGB8, new Uint8Array(1000)),
    ...{ read: decode, outcome: "memory", megabytes: 100, seconds: 1 },
  },
  {
    name: "a PNG header of 2^31 - 1 x 1",
    make: () => png(0x7fffffff, 1, RGB8, new Uint8Array(1000)),
    ...{ read: decode, outcome: "memory", megabytes: 100, seconds: 1 },
  },
  {
    name: "a PNG of 8 x 8 whose data inflates to 1 GB",
    make: () => png(8, 8, RGB8, new Uint8Array(deflateSync(new Uint8Array(1 << 30), { level: 1 }))),
    ...{ read: decode, outcome: "format", megabytes: 100, seconds: 2, large: true },
  },
  {
    name: "a PNG of 11585 x 11585 over as few bytes as could hold it, of noise",
    make: () => png(11585, 11585, RGB8, new Uint8Array(400_000).fill(0xa5)),
    ...{ read: decode, outcome: "format", megabytes: 100, seconds: 1, large: true },
  },
  {
    name: "a PNG of 32 megapixels, all black, of 0.1 MB: 6 bytes a pixel inflated, 30 while it is turned",
    make: () => png(8192, 4096, RGB8, new Uint8Array(deflateSync(new Uint8Array(4096 * (8192 * 3 + 1))))),
    ...{ read: decode, outcome: "read", megabytes: 900, seconds: 10, large: true },
  },
  {
    name: "a PNG of a million empty chunks",
    make: () => {
      const chunk = { name: "teXt", body: new Uint8Array(0) };
      const base = png(8, 8, RGB8, new Uint8Array(deflateSync(new Uint8Array(8 * 25))));
      const one = pngOf([chunk]).subarray(8);
      const out = new Uint8Array(base.length + 1e6 * one.length);
      out.set(base.subarray(0, 33));
      for (let i = 0; i < 1e6; i++) out.set(one, 33 + i * one.length);
      out.set(base.subarray(33), 33 + 1e6 * one.length);
      return out;
    },
    ...{ read: decode, outcome: "read", megabytes: 200, seconds: 5, large: true },
  },
  {
    name: "a JPEG of a million empty segments",
    make: () => {
      const parts = segmentsOf(filesOf("test/golden/image/files/", "grey.jpg")[0]);
      const empty = new Uint8Array(4e6);
      for (let i = 0; i < 4e6; i += 4) empty.set([0xff, 0xfe, 0, 2], i);
      return concat(parts[0], empty, ...parts.slice(1));
    },
    ...{ read: decode, outcome: "read", megabytes: 200, seconds: 5, large: true },
  },
  {
    name: "an npz of 0.2 MB that inflates to 256 MB, and says so",
    make: () => zipOf([{ name: latin1("a.npy"), content: new Uint8Array(1 << 28), deflate: true }]),
    ...{ read: npz, outcome: "format", megabytes: 700, seconds: 10, large: true },
  },
  {
    name: "an npz whose member inflates to 1 GB and says that it is 100 bytes",
    make: () =>
      zipOf([{ name: latin1("a.npy"), content: new Uint8Array(1 << 30), deflate: true, size: 100 }]),
    ...{ read: npz, outcome: "format", megabytes: 100, seconds: 2, large: true },
  },
  {
    name: "an npz of 100 bytes whose member says that it is 4 GB",
    make: () => zipOf([{ name: latin1("a.npy"), content: zeroes(10), deflate: true, size: 0xfffffff0 }]),
    ...{ read: npz, outcome: "format", megabytes: 100, seconds: 1 },
  },
  {
    name: "an npz of 8 MB whose thousand members share one of 8 MB",
    make: () => {
      const content = zeroes(8 * MB);
      const members = Array.from(
        { length: 1000 },
        (_, i): ZipMember => ({ name: latin1(`${i}.npy`), content, crc: 0, ...(i > 0 && { like: 0 }) }),
      );
      return zipOf(members);
    },
    ...{ read: npz, outcome: "format", megabytes: 100, seconds: 2, large: true },
  },
  {
    name: "an npz of 1 MB whose forty members share one that inflates to 256 MB",
    make: () => {
      const bytes = 1 << 28;
      const head = npyHeader(`{'descr': '|u1', 'fortran_order': False, 'shape': (${bytes},), }\n`);
      const content = concat(head, new Uint8Array(bytes));
      const data = new Uint8Array(deflateRawSync(content));
      const crc = 0;
      const members = Array.from(
        { length: 40 },
        (_, i): ZipMember => ({
          name: latin1(`${i}.npy`),
          content: data,
          method: 8,
          size: content.length,
          crc,
          ...(i > 0 && { like: 0 }),
        }),
      );
      return zipOf(members);
    },
    ...{ read: npz, outcome: "format", megabytes: 100, seconds: 2, large: true },
  },
  {
    name: "an npy header of 1 MB that begins its shape a hundred thousand times",
    make: () => npyHeader("'shape': (".repeat(1e5)),
    ...{ read: (bytes) => readNpy(bytes, "bomb.npy"), outcome: "format", megabytes: 100, seconds: 1 },
  },
  {
    name: "an npy header of 100 KB of dimensions, in Fortran's order",
    make: () =>
      concat(
        npyHeader(`{'descr': '|u1', 'fortran_order': True, 'shape': (${"1,".repeat(50_000)} 100000), }\n`),
        new Uint8Array(1e5),
      ),
    ...{ read: (bytes) => readNpy(bytes, "bomb.npy"), outcome: "format", megabytes: 100, seconds: 1 },
  },
  {
    name: "a trace whose metadata states a shape of a million dimensions",
    make: () => {
      const shapes = JSON.stringify({ a: new Array(1e6).fill(1) });
      const text = latin1(JSON.stringify({ shapes }));
      const meta = concat(
        npyHeader(`{'descr': '|u1', 'fortran_order': False, 'shape': (${text.length},), }\n`),
        text,
      );
      return zipOf([
        { name: latin1("__metadata__.npy"), content: meta },
        { name: latin1("a.npy"), content: zeroes(4) },
      ]);
    },
    read: (bytes) => {
      const trace = readTrace(memorySource(bytes, "bomb.npz"));
      return trace.positions("a");
    },
    ...{ outcome: "read", megabytes: 150, seconds: 3, large: true },
  },
  {
    name: "safetensors of 8 bytes whose header says 100 MB",
    make: () => concat(le(100_000_000, 8), latin1("{}")),
    ...{ read: weights, outcome: "format", megabytes: 100, seconds: 1 },
  },
  {
    name: "safetensors whose header is 50 MB of spaces",
    make: () => concat(le(50e6, 8), latin1("{}"), new Uint8Array(50e6 - 2).fill(0x20)),
    ...{ read: weights, outcome: "read", megabytes: 200, seconds: 10, large: true },
  },
  {
    name: "safetensors whose header is 20 MB of brackets",
    make: () => concat(le(20e6, 8), latin1("{"), new Uint8Array(20e6 - 1).fill(0x5b)),
    ...{ read: weights, outcome: "format", megabytes: 120, seconds: 3, large: true },
  },
  {
    name: "safetensors of 250,000 empty tensors, a header of 16 MB",
    make: () => {
      const members = Array.from(
        { length: 250_000 },
        (_, i) => `"${i}":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}`,
      );
      const header = latin1(`{${members.join(",")}}`);
      return concat(le(header.length, 8), header);
    },
    ...{ read: weights, outcome: "read", megabytes: 300, seconds: 5, large: true },
  },
  {
    name: "safetensors whose shape is a number of a million digits",
    make: () => {
      const header = latin1(`{"a":{"dtype":"F32","shape":[${"9".repeat(1e6)}],"data_offsets":[0,4]}}`);
      return concat(le(header.length, 8), header, [0, 0, 0, 0]);
    },
    ...{ read: weights, outcome: "format", megabytes: 100, seconds: 2 },
  },
  {
    name: "YAML aliases, a billion",
    make: () =>
      latin1(
        Array.from(
          { length: 10 },
          (_, i) =>
            `${"abcdefghij"[i]}: &${"abcdefghij"[i]} [${(i === 0 ? "lol," : `*${"abcdefghij"[i - 1]},`).repeat(9)}]`,
        ).join("\n"),
      ),
    ...{ read: yaml, outcome: "format", megabytes: 100, seconds: 1 },
  },
  ...[
    ["YAML of 500,000 open brackets", "[".repeat(500_000)],
    ["YAML of 500,000 open braces", "{".repeat(500_000)],
    ["YAML of 200,000 dashes", "- ".repeat(200_000)],
    ["YAML of 300,000 keys on one line", "a: ".repeat(300_000)],
    ["YAML of 300,000 question marks", "? ".repeat(300_000)],
    ["YAML of 200,000 anchors", "&a ".repeat(200_000)],
    [
      "YAML of a thousand levels of indentation",
      Array.from({ length: 1000 }, (_, i) => `${" ".repeat(i)}a:`).join("\n"),
    ],
    ["YAML of 100,000 keys", Array.from({ length: 100_000 }, (_, i) => `k${i}: 1`).join("\n")],
    ["YAML of 900,000 quotes", '"'.repeat(900_000)],
    ["YAML of 200,000 comments", "#\n".repeat(200_000)],
    ["YAML of 300,000 tabs and colons", "\t:\n".repeat(300_000)],
    [
      "YAML of 65536 names",
      `nc: 65536\nnames: [${Array.from({ length: 65536 }, (_, i) => `c${i}`).join(", ")}]\nbackbone:\n  - [-1, 1, A, []]\nhead:\n  - []`,
    ],
    ["YAML of 10 MB", "a".repeat(10 * MB)],
  ].map(
    ([name, text]): Bomb => ({
      name,
      make: () => latin1(text),
      read: yaml,
      outcome: "format",
      megabytes: 900,
      seconds: 5,
      large: true,
    }),
  ),
  {
    name: "our own inflate: a raw stream of 1 MB that holds 1 GB, of which 100 bytes are wanted",
    make: () => new Uint8Array(deflateRawSync(new Uint8Array(1 << 30), { level: 1 })),
    read: (bytes) => refused(() => inflateRaw(bytes, 100)),
    ...{ outcome: "format", megabytes: 100, seconds: 1, large: true },
  },
  {
    name: "our own inflate: 50,000 blocks that hold nothing, each with tables of its own",
    make: () => concat([0x78, 0x9c], emptyBlocks(50_000), u32be(1)),
    read: (bytes) => inflateZlib(bytes, 1000),
    ...{ outcome: "read", megabytes: 100, seconds: 2, large: true },
  },
];

/** What plain Errors of our own inflate are for its callers. */
function refused(action: () => unknown): void {
  try {
    action();
  } catch (error) {
    if (error instanceof Error && error.constructor === Error) fail("format", "bomb", "less", error.message);
    throw error;
  }
}

/** Reads a bomb and measures; the process must have done nothing large before. */
export function throwBomb(
  bomb: Bomb,
  bytes: Uint8Array,
): { outcome: Outcome; finding?: Finding; measured: Measured; resident: number } {
  const before = process.memoryUsage.rss();
  const begin = process.cpuUsage();
  let read: Attempt<unknown> | undefined;
  let finding: Finding | undefined;
  try {
    read = attempt(() => bomb.read(bytes));
  } catch (error) {
    finding = describeThrown(error);
  }
  const { user, system } = process.cpuUsage(begin);
  const resident = process.resourceUsage().maxRSS * 1024;
  const measured = { seconds: (user + system) / 1e6, bytes: Math.max(0, resident - before) };
  const outcome = read ? outcomeOf(read) : "format";
  if (!finding && outcome !== bomb.outcome) {
    const detail = `${outcome} (${read?.error?.message ?? ""}), not ${bomb.outcome}`;
    finding = { kind: "outcome", detail };
  }
  if (!finding && measured.seconds > bomb.seconds) {
    finding = { kind: "slow", detail: `${measured.seconds.toFixed(1)} s of ${bomb.seconds}` };
  }
  if (!finding && measured.bytes > bomb.megabytes * MB) {
    finding = { kind: "memory", detail: `${(measured.bytes / MB).toFixed(0)} MB of ${bomb.megabytes}` };
  }
  return { outcome, finding, measured, resident };
}
