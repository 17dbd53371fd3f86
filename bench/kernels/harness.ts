/**
 * How a row of `bench/kernels.ts` is made: operands, the check against the reference, the timing, the figures. What the
 * rows are is in the other files of this folder.
 */
import type { Backend, Strided } from "../../src/backend/backend.ts";
import { referenceBackend } from "../../src/backend/reference/reference.ts";
import type { Engine, Take } from "../../src/backend/wasm/engine.ts";
import type { WasmBackend } from "../../src/backend/wasm/wasm-backend.ts";
import { fail } from "../../src/errors.ts";
import { quantile } from "../statistics.ts";

const MIN_SAMPLES = 7;
const SAMPLE_MS = 0.25; // of calls in a sample: a single call may be shorter than what the clock can tell
const TOLERANCE = 1e-4; // of the greater of 1 and the expected number: another order of summation, Winograd's and Strassen's rounding

/** An operand: numbers in [-scale, scale) from its place among the operands, so that every backend has the same. */
export interface Shape {
  readonly of: readonly number[];
  /** A map of four dimensions with its channels innermost. */
  readonly channelsLast?: boolean;
  /** Elements that are read or written; all unless given. */
  readonly touched?: number;
  /** 1 unless given. */
  readonly scale?: number;
  /** Whole numbers in [0, below) instead, as i32. */
  readonly below?: number;
}

/** One row: a call and its work. */
export interface Row {
  /** The heading that it stands under. */
  readonly family: string;
  readonly name: string;
  /** Multiply-adds, for GFLOP/s (two operations each), or elements, for GB/s and ns an element. */
  readonly multiplyAdds?: number;
  readonly elements?: number;
  /** The last one is the output. */
  readonly operands: readonly Shape[];
  /** The call by the backend's operators: what is expected, and what is timed unless `prepare` says otherwise. */
  readonly plain: (backend: Backend, operands: readonly Strided[]) => void;
  /** Makes the call that is timed, as a plan makes it. What it does before is not timed: packing weights. */
  readonly prepare?: (engine: Engine, take: Take, operands: readonly Strided[]) => () => void;
  /** Timed but not compared: part of an operator, which alone gives no result. */
  readonly unchecked?: boolean;
}

/** What was measured. */
export interface Timing {
  readonly family: string;
  readonly name: string;
  /** Median and least of a call. */
  readonly ms: number;
  readonly bestMs: number;
  /** Bytes read and written once. */
  readonly bytes: number;
  readonly multiplyAdds?: number;
  readonly elements?: number;
}

/** Peaks of all threads together. */
export interface Peaks {
  readonly gflops: number;
  readonly copyGBs: (bytes: number) => number;
}

/** Checks a row once and times it for `minMs`. Error "state" where the result differs. */
export function time(row: Row, backend: WasmBackend, minMs: number): Timing {
  const { engine } = backend;
  const operands = row.operands.map((shape, i) => operand(backend, shape, i + 1));
  const taken: number[] = [];
  try {
    const run =
      row.prepare?.(
        engine,
        (bytes) => {
          taken.push(engine.arena.allocate(bytes));
          return taken[taken.length - 1];
        },
        operands,
      ) ?? (() => row.plain(backend, operands));
    run();
    if (!row.unchecked) compare(row, operands[operands.length - 1]);
    const samples = sample(run, minMs);
    const bytes = row.operands.reduce(
      (sum, { touched }, i) => sum + (touched ?? operands[i].storage.length) * 4,
      0,
    );
    const { family, name, multiplyAdds, elements } = row;
    const [ms, bestMs] = [quantile(samples, 0.5), quantile(samples, 0)];
    return { family, name, ms, bestMs, bytes, multiplyAdds, elements };
  } finally {
    for (const { storage } of operands) storage.release();
    for (const address of taken) engine.arena.free(address);
  }
}

/** The figures of a timing, for its median: rates, and per cent of the peak of registers or of a copy of as many bytes. */
export function figures(timing: Timing, peaks: Peaks): string {
  const { ms, bytes, multiplyAdds, elements } = timing;
  if (multiplyAdds !== undefined) {
    const gflops = (2 * multiplyAdds) / ms / 1e6;
    return `${gflops.toFixed(1).padStart(6)} GFLOP/s ${percent(gflops, peaks.gflops)} of the peak`;
  }
  const rate = bytes / ms / 1e6;
  const each = elements === undefined ? "" : `, ${((ms * 1e6) / elements).toFixed(2)} ns an element`;
  return `${rate.toFixed(1).padStart(6)} GB/s    ${percent(rate, peaks.copyGBs(bytes))} of a copy${each}`;
}

/** "4 %" of numbers of one unit. */
function percent(of: number, whole: number): string {
  return `${((100 * of) / whole).toFixed(0).padStart(3)} %`;
}

function sample(run: () => void, minMs: number): number[] {
  const times: number[] = [];
  let calls = 1;
  const start = performance.now();
  while (times.length < MIN_SAMPLES || performance.now() - start < minMs) {
    const from = performance.now();
    for (let i = 0; i < calls; i++) run();
    const took = performance.now() - from;
    if (took < SAMPLE_MS && calls < 1e6) {
      calls *= 2;
      times.length = 0;
    } else times.push(took / calls);
  }
  return times;
}

function compare({ name, operands, plain }: Row, output: Strided): void {
  const expected = operands.map((shape, i) => operand(referenceBackend, shape, i + 1));
  plain(referenceBackend, expected);
  const [want, got] = [expected[expected.length - 1], output].map(
    ({ storage }) => storage.data as Float32Array,
  );
  let worst = 0;
  for (let i = 0; i < got.length; i++) {
    const off = Math.abs(got[i] - want[i]) / Math.max(1, Math.abs(want[i]));
    if (!(off <= worst)) worst = off; // NaN stays
    if (Number.isNaN(worst)) break;
  }
  if (!(worst < TOLERANCE))
    fail("state", name, `the reference's result within ${TOLERANCE}`, `${worst} apart`);
}

/** A tensor of a row on a backend; `seed` decides its numbers. */
function operand(backend: Backend, { of, channelsLast, scale = 1, below }: Shape, seed: number): Strided {
  const dtype = below === undefined ? "f32" : "i32";
  const storage = backend.allocate(
    dtype,
    of.reduce((x, y) => x * y, 1),
  );
  const data = storage.data as Float32Array | Int32Array;
  let s = seed;
  for (let i = 0; i < data.length; i++) {
    s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
    data[i] = below === undefined ? scale * (s / 2 ** 31 - 1) : Math.floor((s / 2 ** 32) * below);
  }
  const strides = of.map((_, i) => of.slice(i + 1).reduce((x, y) => x * y, 1));
  if (channelsLast) {
    const [, c, h, w] = of;
    strides.splice(0, 4, h * w * c, 1, w * c, c);
  }
  return { storage, dtype, shape: of, strides, offset: 0 };
}
