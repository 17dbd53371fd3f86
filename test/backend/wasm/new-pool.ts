/** A pool on a memory of its own that shares every job, for tests of the pool itself. */
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { CONTROL_BYTES } from "../../../src/backend/wasm/control.ts";
import { instantiateKernels } from "../../../src/backend/wasm/instantiate.ts";
import { Pool } from "../../../src/backend/wasm/pool.ts";

const KERNELS = new URL("../../../build/kernels.wasm", import.meta.url);

/** The parts of {@link newPool}; `free` is the first byte that tests may use. */
export interface PoolParts {
  readonly pool: Pool;
  readonly memory: WebAssembly.Memory;
  readonly control: number;
  readonly free: number;
  /** Fills 64 words as one job and checks that all of it was done when `run` returned. */
  fill(value: number, threads?: number): void;
}

/** A pool; `script` is what its workers run in the place of the package's. */
export function newPool(threads: number, options: { stallMs?: number; script?: URL } = {}): PoolParts {
  const module = new WebAssembly.Module(readFileSync(KERNELS));
  const memory = new WebAssembly.Memory({ initial: 32, maximum: 64, shared: true });
  const kernels = instantiateKernels(module, memory);
  const control = Math.ceil(kernels.heapBase / 64) * 64;
  const pool = new Pool({ threads, module, memory, kernels, control, inlineBelowNs: 0, ...options });
  const free = Math.ceil((control + CONTROL_BYTES) / 64) * 64;
  const words = new Int32Array(memory.buffer, free, 64);
  const fill = (value: number, limit?: number): void => {
    pool.run("fillWords", [free, value], 64, 100_000, limit);
    if (!words.every((w) => w === value)) expect.fail(`job ${value} was not complete: ${words}`);
  };
  return { pool, memory, control, free, fill };
}
