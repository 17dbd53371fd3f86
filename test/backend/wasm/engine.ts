/** An engine without a backend around it: for what the backend interface does not reach (epilogues, packed weights). */
import { readFileSync } from "node:fs";
import { referenceBackend } from "../../../src/backend/reference/reference.ts";
import { Arena } from "../../../src/backend/wasm/arena.ts";
import { CONTROL_BYTES } from "../../../src/backend/wasm/control.ts";
import { Engine, type View } from "../../../src/backend/wasm/engine.ts";
import { instantiateKernels } from "../../../src/backend/wasm/instantiate.ts";
import { Pool } from "../../../src/backend/wasm/pool.ts";
import { stream } from "./harness.ts";

/** An engine of `threads` threads that shares every job, however small, and what ends it. */
export function openEngine(
  threads: number,
  inlineBelowNs?: number,
): { engine: Engine; close: () => Promise<void> } {
  const module = new WebAssembly.Module(
    readFileSync(new URL("../../../build/kernels.wasm", import.meta.url)),
  );
  const memory = new WebAssembly.Memory({ initial: 16, maximum: 65536, shared: true });
  const kernels = instantiateKernels(module, memory);
  const control = Math.ceil(kernels.heapBase / 64) * 64;
  const pool = new Pool({ threads, module, memory, kernels, control, inlineBelowNs });
  const arena = new Arena(memory, control + CONTROL_BYTES, 65536 * 65536);
  return { engine: new Engine(referenceBackend, memory, arena, pool), close: () => pool.close() };
}

const GUARD = 0x7fc54321; // a NaN that no kernel makes
const spans = new Map<number, number>(); // words of a view's block, by its address

/** A view in scratch memory: row-major but for `innermost`, which comes last; `gap` words behind its elements. */
export function viewIn(
  take: (bytes: number) => number,
  shape: readonly number[],
  innermost: number,
  gap: number,
): View {
  const axes = shape.map((_, i) => i).filter((i) => i !== innermost);
  axes.push(innermost);
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let i = axes.length - 1; i >= 0; i--) {
    strides[axes[i]] = step;
    step *= shape[axes[i]];
    if (axes[i] === innermost) step += gap;
  }
  const address = take((step + 16) * 4);
  spans.set(address, step + 16);
  return { address, shape, strides };
}

function at(x: View): number[] {
  let list = [0];
  x.shape.forEach((n, axis) => {
    list = list.flatMap((base) => Array.from({ length: n }, (_, i) => base + i * x.strides[axis]));
  });
  return list;
}

function words(engine: Engine, x: View): Int32Array {
  return new Int32Array(engine.memory.buffer, x.address, spans.get(x.address));
}

/** Fills a view's block with guards, and its elements with repeatable numbers in [-scale, scale) if there is a seed. */
export function fillTensor(engine: Engine, x: View, seed: number | undefined, scale: number): void {
  const block = words(engine, x).fill(GUARD);
  if (seed === undefined) return;
  const floats = new Float32Array(block.buffer, block.byteOffset, block.length);
  const next = stream(seed);
  for (const i of at(x)) floats[i] = next() * scale;
}

/** {@link fillTensor} with seeds 1, 2, ... */
export function fillAll(engine: Engine, views: readonly View[], scale: number): void {
  for (const [i, x] of views.entries()) fillTensor(engine, x, i + 1, scale);
}

/** Elements in row-major order. */
export function readView(engine: Engine, x: View): Float32Array {
  const block = words(engine, x);
  const floats = new Float32Array(block.buffer, block.byteOffset, block.length);
  return Float32Array.from(at(x), (i) => floats[i]);
}

/** A copy of all words of a view's block, guards among them; throws if one between or behind the elements has changed. */
export function readWords(engine: Engine, x: View): Buffer {
  const copy = words(engine, x).slice();
  const beside = copy.slice();
  for (const i of at(x)) beside[i] = GUARD;
  const changed = beside.findIndex((v) => v !== GUARD);
  if (changed >= 0) throw new Error(`word ${changed} beside the elements has changed`);
  return Buffer.from(copy.buffer);
}
