/**
 * Speed of the kernels: `npx tsx bench/kernels.ts [threads]` (1 unless given). Each line is checked once against the
 * reference, warmed up, and reported as the median of its runs and, for busy machines, the best: GFLOP/s and per cent of
 * the peak of registers (times the threads), or GB/s (what is read and written once) and nanoseconds per element.
 *
 * Lines marked "eager" hold what eager mode does on every call: packing the weights, framing the input. The others are
 * what a plan does, with weights packed before.
 */
import { cpus } from "node:os";
import type { Backend, ConvOptions, Strided } from "../src/backend/backend.ts";
import { referenceBackend } from "../src/backend/reference/reference.ts";
import { packConv, runConv } from "../src/backend/wasm/conv.ts";
import type { Activation } from "../src/backend/wasm/epilogue.ts";
import { packLinear, runLinear } from "../src/backend/wasm/gemm.ts";
import { createWasmBackend } from "../src/backend/wasm/wasm-backend.ts";
import { packWinograd, runWinograd } from "../src/backend/wasm/winograd.ts";
import { peakGflops } from "./peak.ts";

const MIN_RUNS = 7;
const MIN_MS = 250;

const threads = Number(process.argv[2] ?? 1);
const backend = createWasmBackend({ threads });
const versions = process.versions;
const runtime = versions.deno
  ? `Deno ${versions.deno}`
  : versions.bun
    ? `Bun ${versions.bun}`
    : `Node ${process.version}`;
const engine = backend.engine;
const peak = peakGflops() * threads;
console.log(`${cpus()[0]?.model ?? "unknown CPU"}, ${cpus().length} CPUs, ${runtime}, ${threads} thread(s)`);
console.log(`peak of multiply and add in registers: ${peak.toFixed(1)} GFLOP/s\n`);

function strided(
  b: Backend,
  shape: readonly number[],
  channelsLast: boolean,
  seed: number,
  scale: number,
): Strided {
  const storage = b.allocate(
    "f32",
    shape.reduce((x, y) => x * y, 1),
  );
  const data = storage.data as Float32Array;
  let s = seed;
  for (let i = 0; i < data.length; i++) {
    s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
    data[i] = scale * (s / 2 ** 31 - 1);
  }
  const strides = shape.map((_, i) => shape.slice(i + 1).reduce((x, y) => x * y, 1));
  if (channelsLast) {
    const [, c, h, w] = shape;
    strides.splice(0, 4, h * w * c, 1, w * c, c);
  }
  return { storage, dtype: "f32", shape, strides, offset: 0 };
}

interface Shape {
  readonly of: readonly number[];
  readonly channelsLast?: boolean;
  /** Elements that are read or written; all unless given. */
  readonly touched?: number;
  /** Numbers lie in [-scale, scale); 1 unless given. */
  readonly scale?: number;
}

type Run = (tensors: readonly Strided[]) => void;

/**
 * Checks, measures and prints one call; `work` is floating-point operations (with `per` elements) or elements. `prepare`
 * makes the call that is timed, from tensors on the WASM backend: what it does is not timed.
 */
function measure(
  name: string,
  work: number,
  unit: "GFLOP/s" | "ns/element",
  shapes: readonly Shape[],
  plain: (b: Backend, tensors: readonly Strided[]) => void,
  prepare: (tensors: readonly Strided[], take: (bytes: number) => number) => Run = () => (tensors) =>
    plain(backend, tensors),
): void {
  const make = (b: Backend): Strided[] =>
    shapes.map((s, i) => strided(b, s.of, s.channelsLast ?? false, i + 1, s.scale ?? 1));
  const slow = make(referenceBackend);
  const fast = make(backend);
  const taken: number[] = [];
  const run = prepare(fast, (bytes) => {
    taken.push(engine.arena.allocate(bytes));
    return taken[taken.length - 1];
  });
  plain(referenceBackend, slow);
  run(fast);
  const [expected, got] = [slow, fast].map((list) => list[list.length - 1].storage.data as Float32Array);
  let worst = 0;
  for (let i = 0; i < got.length; i++) {
    worst = Math.max(worst, Math.abs(got[i] - expected[i]) / Math.max(1, Math.abs(expected[i])));
  }
  if (!(worst < 1e-4)) throw new Error(`${name}: differs from the reference by ${worst}`);
  const times: number[] = [];
  const start = performance.now();
  while (times.length < MIN_RUNS || performance.now() - start < MIN_MS) {
    const t = performance.now();
    run(fast);
    times.push(performance.now() - t);
  }
  for (const t of fast) t.storage.release();
  for (const address of taken) engine.arena.free(address);
  times.sort((x, y) => x - y);
  const median = times[times.length >> 1];
  const bytes = shapes.reduce((sum, s, i) => sum + (s.touched ?? fast[i].storage.length) * 4, 0);
  const figure = (ms: number): string => {
    if (unit === "ns/element") {
      return `${(bytes / ms / 1e6).toFixed(1).padStart(6)} GB/s ${((ms * 1e6) / work).toFixed(2).padStart(7)} ns`;
    }
    const gflops = work / ms / 1e6;
    return `${gflops.toFixed(1).padStart(6)} GFLOP/s ${((100 * gflops) / peak).toFixed(0).padStart(4)} %`;
  };
  console.log(
    `${name.padEnd(48)} ${median.toFixed(3).padStart(9)} ms ${figure(median)}   best ${figure(times[0])}`,
  );
}

/** The operators that an epilogue stands for. */
function finishPlain(b: Backend, y: Strided, activation: Activation | undefined, added?: Strided): void {
  if (activation) b.unary(activation, y, y);
  if (added) b.binary("add", y, added, y);
}

type Way = "eager" | "packed" | "Winograd";

/** A convolution; operations are those of the direct sum in every way. */
function conv(
  way: Way,
  c: number,
  o: number,
  k: number,
  stride: number,
  size: number,
  groups = 1,
  activation?: Activation,
  residual = false,
): void {
  const out = Math.ceil(size / stride);
  const pad = (k - 1) / 2;
  const options: ConvOptions = { stride: [stride, stride], padding: [pad, pad], dilation: [1, 1], groups };
  const finishes = `${activation ? ` ${activation}` : ""}${residual ? " + residual" : ""}`;
  const name = `${groups > 1 ? "depthwise" : "conv"} ${k}x${k} s${stride} ${c}->${o} at ${size}x${size}`;
  measure(
    `${name}${finishes}, ${way}`,
    2 * out * out * o * (c / groups) * k * k,
    "GFLOP/s",
    [
      { of: [1, c, size, size], channelsLast: true },
      { of: [o, c / groups, k, k], scale: 0.1 },
      { of: [o] },
      { of: [1, o, out, out], channelsLast: true },
      { of: [1, o, out, out], channelsLast: true },
    ],
    (b, [x, w, bias, added, y]) => {
      b.conv2d(x, w, bias, y, options);
      finishPlain(b, y, activation, residual ? added : undefined);
    },
    way === "eager"
      ? undefined
      : (tensors, take) => {
          const [x, w, bias, added, y] = tensors.map((t) => engine.view(t));
          const epilogue = { activation, residual: residual ? added : undefined };
          if (way === "Winograd") {
            const packed = packWinograd(engine, take, w, bias);
            return () => runWinograd(engine, x, packed, y, options, epilogue);
          }
          const packed = packConv(engine, take, w, bias, groups);
          return () => runConv(engine, x, packed, y, options, epilogue);
        },
  );
}

function linear(rows: number, k: number, n: number, activation?: Activation): void {
  measure(
    `linear ${rows}x${k} -> ${n}${activation ? ` ${activation}` : ""}, packed`,
    2 * rows * k * n,
    "GFLOP/s",
    [{ of: [1, rows, k] }, { of: [n, k], scale: 0.1 }, { of: [n] }, { of: [1, rows, n] }],
    (b, [x, w, bias, y]) => {
      b.linear(x, w, bias, y);
      finishPlain(b, y, activation);
    },
    (tensors, take) => {
      const [x, w, bias, y] = tensors.map((t) => engine.view(t));
      const packed = packLinear(engine, take, w, bias);
      return () => runLinear(engine, x, packed, y, { activation });
    },
  );
}

conv("eager", 128, 128, 1, 1, 80);
conv("packed", 128, 128, 1, 1, 80);
conv("packed", 128, 128, 1, 1, 80, 1, "relu6");
conv("packed", 128, 128, 1, 1, 80, 1, "silu");
conv("packed", 128, 128, 1, 1, 80, 1, "silu", true);
conv("packed", 32, 64, 1, 1, 80);
conv("packed", 96, 192, 1, 1, 40);
conv("packed", 256, 256, 1, 1, 20);
conv("packed", 3, 32, 3, 2, 640, 1, "relu");
conv("packed", 32, 32, 3, 2, 320, 1, "relu");
for (const [channels, size] of [
  [32, 80],
  [64, 80],
  [128, 80],
  [128, 40],
  [128, 20],
  [256, 20],
]) {
  conv("packed", channels, channels, 3, 1, size, 1, "silu");
  conv("Winograd", channels, channels, 3, 1, size, 1, "silu");
}
conv("packed", 96, 96, 3, 1, 40, 96);
conv("packed", 96, 96, 3, 1, 40, 96, "relu");
conv("packed", 192, 192, 5, 2, 40, 192);
conv("packed", 192, 192, 5, 1, 20, 192, "relu");
conv("packed", 512, 512, 3, 1, 20, 512);
linear(300, 256, 1024);
linear(300, 256, 1024, "gelu");
linear(300, 1024, 256);
linear(8400, 256, 80);
measure(
  "matmul q k^T, 8 heads of 300x32",
  2 * 8 * 300 * 300 * 32,
  "GFLOP/s",
  [{ of: [8, 300, 32] }, { of: [8, 300, 32] }, { of: [8, 300, 300] }],
  (b, [q, k, y]) => b.matmul(q, { ...k, shape: [8, 32, 300], strides: [9600, 1, 32] }, y),
);
measure(
  "matmul weights v, 8 heads of 300x32",
  2 * 8 * 300 * 300 * 32,
  "GFLOP/s",
  [{ of: [8, 300, 300] }, { of: [8, 300, 32] }, { of: [8, 300, 32] }],
  (b, [weights, v, y]) => b.matmul(weights, v, y),
);
const ELEMENTS = 256 * 1024;
for (const op of ["relu", "sigmoid", "silu", "gelu", "gelu_tanh", "exp"] as const) {
  measure(op, ELEMENTS, "ns/element", [{ of: [ELEMENTS] }, { of: [ELEMENTS] }], (b, [x, y]) =>
    b.unary(op, x, y),
  );
}
measure(
  "softmax over 300",
  2400 * 300,
  "ns/element",
  [{ of: [2400, 300] }, { of: [2400, 300] }],
  (b, [x, y]) => b.softmax(x, 1, y),
);
measure(
  "layerNorm over 256",
  8400 * 256,
  "ns/element",
  [{ of: [8400, 256] }, { of: [8400, 256] }],
  (b, [x, y]) => b.layerNorm(x, undefined, undefined, 1e-5, y),
);
measure(
  "affineChannels, 128 channels",
  6400 * 128,
  "ns/element",
  [
    { of: [1, 128, 80, 80], channelsLast: true },
    { of: [128] },
    { of: [128] },
    { of: [1, 128, 80, 80], channelsLast: true },
  ],
  (b, [x, alpha, beta, y]) => b.affineChannels(x, alpha, beta, y),
);
measure(
  "add",
  ELEMENTS,
  "ns/element",
  [{ of: [ELEMENTS] }, { of: [ELEMENTS] }, { of: [ELEMENTS] }],
  (b, [x, z, y]) => b.binary("add", x, z, y),
);
measure(
  "copy NCHW to channels-last, 128 channels",
  6400 * 128,
  "ns/element",
  [{ of: [1, 128, 80, 80] }, { of: [1, 128, 80, 80], channelsLast: true }],
  (b, [x, y]) => b.copy(x, y),
);
const POINTS = 300 * 8 * 3 * 4;
measure(
  "deformableAttention, 300 queries (per point)",
  POINTS,
  "ns/element",
  [{ of: [1, 8400, 8, 32] }, { of: [1, 300, 8, 3, 4, 2] }, { of: [1, 300, 8, 3, 4] }, { of: [1, 300, 256] }],
  (b, [value, locations, weights, y]) => {
    const shapes = [
      [80, 80],
      [40, 40],
      [20, 20],
    ] as const;
    b.deformableAttention(value, shapes, locations, weights, y);
  },
);
measure(
  "max over 80 classes of 8400 tokens",
  8400 * 80,
  "ns/element",
  [{ of: [8400, 80] }, { of: [8400] }],
  (b, [x, y]) => b.reduce("max", x, 1, y),
);
for (const n of [8400, 24000]) {
  const index = new Map(
    [backend, referenceBackend].map((b) => [
      b,
      {
        storage: b.allocate("i32", 300),
        dtype: "i32",
        shape: [1, 300],
        strides: [300, 1],
        offset: 0,
      } as Strided,
    ]),
  );
  measure(`topk, 300 of ${n}`, n, "ns/element", [{ of: [1, n] }, { of: [1, 300] }], (b, [x, values]) => {
    b.topk(x, 300, 1, true, values, index.get(b) as Strided);
  });
}
{
  const index = new Map(
    [backend, referenceBackend].map((b) => {
      const storage = b.allocate("i32", 300);
      for (let i = 0; i < 300; i++) (storage.data as Int32Array)[i] = (i * 7919) % 8400;
      return [b, { storage, dtype: "i32", shape: [1, 300, 256], strides: [300, 1, 0], offset: 0 } as Strided];
    }),
  );
  measure(
    "gather, 300 rows of 256 from 8400",
    300 * 256,
    "ns/element",
    [{ of: [1, 8400, 256], touched: 300 * 256 }, { of: [1, 300, 256] }],
    (b, [x, y]) => b.gather(x, 1, index.get(b) as Strided, y),
  );
}
await backend.close();
