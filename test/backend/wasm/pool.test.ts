/** The thread pool: late workers, thousands of small jobs, traps, close. Workers that die: crew.test.ts. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { Strided } from "../../../src/backend/backend.ts";
import {
  ARGUMENT_COUNT,
  CHUNK,
  controlAt,
  GENERATION,
  INSIDE,
  KERNEL,
  OPEN,
  UNITS,
} from "../../../src/backend/wasm/control.ts";
import { instantiateKernels } from "../../../src/backend/wasm/instantiate.ts";
import { createWasmBackend, type WasmBackend } from "../../../src/backend/wasm/wasm-backend.ts";
import { numbers, place, read, sizeOf } from "./harness.ts";
import { newPool } from "./new-pool.ts";

const KERNELS = new URL("../../../build/kernels.wasm", import.meta.url);

function tensor(b: WasmBackend, n: number): Strided {
  return { storage: b.allocate("f32", n), dtype: "f32", shape: [n], strides: [1], offset: 0 };
}

describe("Pool", () => {
  for (const threads of [1, 2, 4]) {
    it(`${threads} threads: 5000 tiny jobs, from the first moment on, each done when run returns`, async () => {
      const { pool, fill } = newPool(threads);
      // every word is one unit: workers that come late find less to do, or a job that is closed
      for (let job = 1; job <= 5000; job++) fill(job);
      await pool.close();
    });
  }

  it("workers join while the owner's event loop is blocked: a job that nobody else works at gets done", async () => {
    const { pool, memory, control, free } = newPool(3);
    const module = new WebAssembly.Module(readFileSync(KERNELS));
    const names = instantiateKernels(module, memory).names;
    const { words, args } = controlAt(memory, control);
    const filled = new Int32Array(memory.buffer, free, 64);
    args.set([free, 7]);
    words[UNITS] = 64;
    words[CHUNK] = 4;
    words[KERNEL] = names.indexOf("fillWords");
    words[ARGUMENT_COUNT] = 2;
    Atomics.store(words, OPEN, 1);
    Atomics.add(words, GENERATION, 1);
    Atomics.notify(words, GENERATION);
    const end = performance.now() + 20_000;
    while (performance.now() < end && !filled.every((w) => w === 7));
    expect(filled.every((w) => w === 7)).toBe(true);
    Atomics.store(words, OPEN, 0);
    while (performance.now() < end && Atomics.load(words, INSIDE) !== 0);
    expect(Atomics.load(words, INSIDE)).toBe(0);
    // and from now on it works as ever
    pool.run("fillWords", [free, 8], 64, 100_000);
    expect(filled.every((w) => w === 8)).toBe(true);
    await pool.close();
  });

  it("a trap is an error of code state that names the kernel, and the pool works on", async () => {
    const { pool, memory, free } = newPool(4);
    await sleep(200);
    for (let i = 0; i < 20; i++) {
      expect(() => pool.run("fillWords", [32 * 65536 - 64, 1], 4096, 1000)).toThrow(
        /fillWords: expected a kernel that ends/,
      );
      pool.run("fillWords", [free, i], 4096, 1000);
      expect(new Int32Array(memory.buffer, free, 4096).every((w) => w === i)).toBe(true);
    }
    await pool.close();
  });

  it("a trap on one thread is the same error", async () => {
    const { pool } = newPool(1);
    expect(() => pool.run("fillWords", [32 * 65536, 1], 1, 1)).toThrow(/the calling thread/);
    await pool.close();
  });

  it("close ends idle and starting workers, twice is once, and use after it is refused", async () => {
    for (const wait of [0, 200]) {
      const { pool, free } = newPool(3);
      await sleep(wait);
      const first = pool.close();
      expect(pool.close()).toBe(first);
      await first;
      expect(() => pool.run("fillWords", [free, 1], 1, 1)).toThrow(/one that was closed/);
    }
  });
});

describe("WasmBackend", () => {
  it("refuses everything after close, but tensors stay readable", async () => {
    const b = createWasmBackend({ threads: 2 });
    const x = tensor(b, 8);
    b.fill(x, 2);
    await b.close();
    await b.close();
    expect((x.storage.data as Float32Array)[7]).toBe(2);
    expect(() => b.fill(x, 1)).toThrow(/one that was closed/);
    expect(() => b.allocate("f32", 1)).toThrow(/one that was closed/);
    expect(() => b.reduce("sum", x, 0, x)).toThrow(/one that was closed/);
    x.storage.release();
  });

  it("as users open it (small jobs not shared): the same bits for 1, 2 and 3 threads on jobs of every size", async () => {
    const open = [1, 2, 3].map((threads) => createWasmBackend({ threads }));
    for (const [channels, size] of [
      [3, 5],
      [24, 17],
      [64, 40],
    ]) {
      const results = open.map((b) => {
        const shape = [1, channels, size, size];
        const make = (of: number[], seed: number): Strided =>
          place(b, of, "contiguous", numbers(sizeOf(of), seed));
        const [x, w] = [make(shape, 1), make([channels, channels, 3, 3], 2)];
        const y = place(b, shape, "channels_last");
        const one = [1, 1] as const;
        b.conv2d(x, w, undefined, y, { stride: one, padding: one, dilation: one, groups: 1 });
        b.unary("silu", y, y);
        b.softmax(y, 1, y);
        return Buffer.from(read(y).buffer);
      });
      for (const result of results) expect(result.equals(results[0])).toBe(true);
    }
    await Promise.all(open.map((b) => b.close()));
  });

  it("two backends at once do not meet", async () => {
    const [a, b] = [createWasmBackend({ threads: 2 }), createWasmBackend({ threads: 2 })];
    const [x, y] = [tensor(a, 100_000), tensor(b, 100_000)];
    for (let i = 0; i < 20; i++) {
      a.fill(x, 1);
      b.fill(y, 2);
    }
    expect((x.storage.data as Float32Array).every((v) => v === 1)).toBe(true);
    expect((y.storage.data as Float32Array).every((v) => v === 2)).toBe(true);
    await Promise.all([a.close(), b.close()]);
  });

  it("a process that forgets to close ends by itself", () => {
    const built = new URL("../../../lib/backend/wasm/wasm-backend.js", import.meta.url);
    const code = `
      import { createWasmBackend } from ${JSON.stringify(built.href)};
      const b = createWasmBackend({ threads: 3 });
      const x = { storage: b.allocate("f32", 1e6), dtype: "f32", shape: [1e6], strides: [1], offset: 0 };
      b.fill(x, 1);
      await new Promise((resolve) => setTimeout(resolve, 500)); // by now a worker that cannot start has said so
      b.fill(x, 2);
      console.log("done");`;
    const out = execFileSync(process.execPath, ["--input-type=module", "-e", code], { timeout: 20_000 });
    expect(out.toString().trim()).toBe("done");
  });
});
