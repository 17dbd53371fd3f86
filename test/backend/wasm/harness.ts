/**
 * Runs one backend call on the reference and on WASM backends of 1, 2 and 4 threads: the results must be within a bound
 * of the reference, the same bits for every number of threads, and nothing around the outputs may change.
 */
import { expect } from "vitest";
import type { Backend, Strided } from "../../../src/backend/backend.ts";
import { referenceBackend } from "../../../src/backend/reference/reference.ts";
import { createWasmBackend, type WasmBackend } from "../../../src/backend/wasm/wasm-backend.ts";

/** Rounding unit of f32: half the distance from 1 to the next number. */
export const EPS = 2 ** -24;

/** contiguous; the last axis' neighbours apart by 2; axis 1 innermost (channels-last); last two axes swapped; offset rows with gaps. */
export type Layout = "contiguous" | "spread" | "channels_last" | "swapped" | "gapped";

/** All layouts of rank 4. */
export const LAYOUTS: readonly Layout[] = ["contiguous", "channels_last", "gapped", "swapped", "spread"];

const GUARD = -12345.678; // what lies around and between the elements
const GUARDS = 24; // elements before and behind

/** A backend for each number of threads; every job is shared, however small. */
export function openBackends(): WasmBackend[] {
  return [1, 2, 4].map((threads) => createWasmBackend({ threads, inlineBelowNs: 0 }));
}

/** A repeatable stream of numbers in [-1, 1). */
export function stream(seed: number): () => number {
  let s = (seed * 2654435761) >>> 0;
  return () => {
    s = (s + 0x6d2b79f5) >>> 0;
    let t = Math.imul(s ^ (s >>> 15), s | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}

/** Random numbers in [-scale, scale) with the given count. */
export function numbers(count: number, seed: number, scale = 1): Float32Array {
  const next = stream(seed);
  return Float32Array.from({ length: count }, () => next() * scale);
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** Strides and the number of elements they span. */
function lay(shape: readonly number[], layout: Layout): { strides: number[]; span: number } {
  const axes = shape.map((_, i) => i);
  if (layout === "channels_last" && axes.length > 2) axes.push(axes.splice(1, 1)[0]);
  if (layout === "swapped" && axes.length > 1) axes.push(axes.splice(-2, 1)[0]);
  const strides = new Array<number>(shape.length);
  let step = layout === "spread" ? 2 : 1;
  for (let i = axes.length - 1; i >= 0; i--) {
    strides[axes[i]] = step;
    step *= shape[axes[i]];
    if (layout === "gapped") step += 3;
  }
  return { strides, span: step };
}

/** A tensor with guards around it, holding `values` (row-major) or guards where there are none. */
export function place(
  backend: Backend,
  shape: readonly number[],
  layout: Layout,
  values?: Float32Array,
): Strided {
  const { strides, span } = lay(shape, layout);
  const storage = backend.allocate("f32", span + 2 * GUARDS);
  const data = storage.data as Float32Array;
  data.fill(GUARD);
  const placed: Strided = { storage, dtype: "f32", shape, strides, offset: GUARDS };
  if (values) each(placed, (at, i) => (data[at] = values[i]));
  return placed;
}

function each(x: Strided, visit: (at: number, i: number) => void): void {
  let i = 0;
  const walk = (axis: number, at: number): void => {
    if (axis === x.shape.length) visit(at, i++);
    else for (let k = 0; k < x.shape[axis]; k++) walk(axis + 1, at + k * x.strides[axis]);
  };
  walk(0, x.offset);
}

/** The elements in row-major order. */
export function read(x: Strided): Float32Array {
  const out = new Float32Array(sizeOf(x.shape));
  const data = x.storage.data;
  each(x, (at, i) => (out[i] = Number(data[at])));
  return out;
}

/** Everything in the storage that is not an element of x is still a guard. */
function expectGuards(x: Strided, about: string): void {
  const data = new Float32Array(x.storage.data as Float32Array);
  each(x, (at) => (data[at] = GUARD));
  const guard = Math.fround(GUARD);
  expect(
    data.findIndex((v) => v !== guard),
    `${about}: first changed word around the output`,
  ).toBe(-1);
}

/** A tensor that a case reads: its numbers in row-major order, or random ones from a seed. */
export interface Input {
  readonly shape: readonly number[];
  readonly layout?: Layout;
  readonly values?: Float32Array;
  readonly scale?: number;
}

export interface Case {
  readonly about: string;
  readonly inputs: readonly Input[];
  readonly out: { readonly shape: readonly number[]; readonly layout?: Layout };
  /** Calls the backend. */
  readonly run: (backend: Backend, inputs: readonly Strided[], out: Strided) => void;
  /** Greatest allowed |difference| of an element: from the reference's value and the same call on |inputs|. */
  readonly bound: (value: number, magnitude: number) => number;
  /** Index of the input that the output is. */
  readonly inPlace?: number;
}

/** Runs a case everywhere and compares; returns the reference's result. */
export function expectCase(backends: readonly WasmBackend[], c: Case): Float32Array {
  const given = c.inputs.map((x, i) => x.values ?? numbers(sizeOf(x.shape), i + 1, x.scale));
  const execute = (backend: Backend, change: (v: number) => number): Strided => {
    const inputs = c.inputs.map((x, i) =>
      place(backend, x.shape, x.layout ?? "contiguous", given[i].map(change)),
    );
    const out =
      c.inPlace === undefined ? place(backend, c.out.shape, c.out.layout ?? "contiguous") : inputs[c.inPlace];
    c.run(backend, inputs, out);
    for (const x of inputs) if (x !== out) x.storage.release();
    return out;
  };
  const expected = read(execute(referenceBackend, (v) => v));
  const magnitude = read(execute(referenceBackend, Math.abs));
  let bits: Int32Array | undefined;
  for (const backend of backends) {
    const about = `${c.about}, ${backend.threads} threads`;
    const held = backend.bytesInUse;
    const out = execute(backend, (v) => v);
    expectGuards(out, about);
    const got = read(out);
    out.storage.release();
    expect(backend.bytesInUse, `${about}: bytes left behind`).toBe(held);
    for (let i = 0; i < expected.length; i++) {
      if (Object.is(got[i], expected[i]) || (Number.isNaN(got[i]) && Number.isNaN(expected[i]))) continue;
      const difference = Math.abs(got[i] - expected[i]);
      const bound = c.bound(expected[i], magnitude[i]);
      if (!(difference <= bound) && got[i] !== expected[i]) {
        expect.fail(`${about}, element ${i}: got ${got[i]}, expected ${expected[i]} within ${bound}`);
      }
    }
    const raw = new Int32Array(got.buffer);
    bits ??= raw;
    expect(
      raw.findIndex((v, i) => v !== (bits as Int32Array)[i]),
      `${about}: first element whose bits differ from 1 thread's`,
    ).toBe(-1);
  }
  return expected;
}
