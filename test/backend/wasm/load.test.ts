/**
 * More threads than processors, on a machine that other programs keep busy: threads lose their processor at any moment,
 * in the middle of a chunk and between two instructions of the pool.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Backend, Strided } from "../../../src/backend/backend.ts";
import { createWasmBackend } from "../../../src/backend/wasm/wasm-backend.ts";
import { numbers, place, read, sizeOf } from "./harness.ts";
import { newPool } from "./new-pool.ts";

const MANY = 8;
let load: ChildProcess[] = [];

beforeAll(() => {
  // one for each processor; each ends by itself if this process is killed
  const code = "const end = Date.now() + 60_000; while (Date.now() < end && process.ppid > 1);";
  const count = Math.min(availableParallelism(), 4);
  load = Array.from({ length: count }, () => spawn(process.execPath, ["-e", code], { stdio: "ignore" }));
});
afterAll(() => {
  for (const child of load) child.kill("SIGKILL");
});

/** Jobs of every kind in turn, large and small, by a seed. */
function round(b: Backend, seed: number): Buffer {
  const size = [3, 33, 9, 48][seed % 4];
  const shape = [1, 24, size, size];
  const make = (of: number[], from: number): Strided => place(b, of, "contiguous", numbers(sizeOf(of), from));
  const [x, w, dw] = [make(shape, seed), make([24, 24, 3, 3], seed + 1), make([24, 1, 5, 5], seed + 2)];
  const [y, z] = [place(b, shape, "channels_last"), place(b, shape, "channels_last")];
  const at = (padding: number, groups: number) =>
    ({ stride: [1, 1], padding: [padding, padding], dilation: [1, 1], groups }) as const;
  b.conv2d(x, w, undefined, y, at(1, 1));
  b.unary("silu", y, y); // in place: a chunk done twice would show
  b.conv2d(y, dw, undefined, z, at(2, 24));
  b.binary("add", z, y, z);
  b.softmax(z, 1, z);
  const out = Buffer.from(read(z).buffer);
  for (const t of [x, w, dw, y, z]) t.storage.release();
  return out;
}

it(`${MANY} threads, every job shared: the bits of 1 thread, 60 times over`, async () => {
  const [one, many] = [createWasmBackend(), createWasmBackend({ threads: MANY, inlineBelowNs: 0 })];
  const expected = new Map<number, Buffer>();
  for (let i = 0; i < 60; i++) {
    const seed = i % 12;
    const bits = expected.get(seed) ?? round(one, seed);
    expected.set(seed, bits);
    expect(round(many, seed).equals(bits), `round ${i}`).toBe(true);
  }
  await Promise.all([one.close(), many.close()]);
});

it(`${MANY} threads: 5000 jobs, or as many as 20 s allow, are each done when run returns`, async () => {
  const { pool, fill } = newPool(MANY);
  const end = performance.now() + 20_000;
  let jobs = 0;
  while (jobs < 5000 && performance.now() < end) fill(++jobs, 1 + (jobs % MANY));
  expect(jobs).toBeGreaterThan(1000);
  await pool.close();
});
