/**
 * The control block: the words in shared memory through which a pool hands out one job at a time, and what every thread
 * does with it. Safe against late workers: a worker counts itself in (INSIDE) before it looks whether the job is OPEN;
 * the owner closes the job and waits until nobody is inside before it writes the next one.
 */
import type { Kernels } from "./instantiate.ts";

// Word indices. What several threads write lies on 64-byte lines of its own.
export const GENERATION = 0; // counts jobs; sleeping workers wait for it to change
export const OPEN = 1; // 1 while workers may take part
export const QUIT = 2; // 1 when workers should end
export const NEXT = 16; // the next chunk to take
export const INSIDE = 32; // workers that may be touching the job
export const TRAPPED = 48; // 1 + index of the kernel that trapped in a worker
export const UNITS = 64; // the job: units of work,
export const CHUNK = 65; // units per chunk,
export const KERNEL = 66; // index of the kernel,
export const ARGUMENT_COUNT = 67; // and how many arguments it has
const ARGUMENTS_BYTE = 512;

/** Arguments that fit the block. */
export const MAX_ARGUMENTS = 32;

/** Size of the control block. */
export const CONTROL_BYTES = ARGUMENTS_BYTE + MAX_ARGUMENTS * 8;

/** How long a thread spins before it sleeps: about what a wake-up costs. */
const SPIN_MS = 0.05;

/** Views on a control block. */
export interface Control {
  readonly words: Int32Array;
  readonly args: Float64Array;
}

/** Views on the control block at a byte address of the shared memory. */
export function controlAt(memory: WebAssembly.Memory, address: number): Control {
  return {
    words: new Int32Array(memory.buffer, address, ARGUMENTS_BYTE / 4),
    args: new Float64Array(memory.buffer, address + ARGUMENTS_BYTE, MAX_ARGUMENTS),
  };
}

/** Takes chunks of the current job until none is left. Throws what a kernel throws. */
export function takeChunks({ words, args }: Control, kernels: Kernels): void {
  const units = words[UNITS];
  const chunk = words[CHUNK];
  const kernel = kernels.functions[words[KERNEL]];
  const list = Array.from(args.subarray(0, words[ARGUMENT_COUNT]));
  for (;;) {
    const begin = Atomics.add(words, NEXT, 1) * chunk;
    if (begin >= units) return;
    kernel(...list, begin, Math.min(begin + chunk, units));
  }
}

/** Spins while a word has a value, for at most about {@link SPIN_MS}. */
export function spinWhile(words: Int32Array, index: number, value: number): void {
  const end = performance.now() + SPIN_MS;
  do {
    for (let i = 0; i < 128; i++) if (Atomics.load(words, index) !== value) return;
  } while (performance.now() < end);
}

/** A worker's life: takes part in every job that it finds open, sleeps between them, returns when told to quit. */
export function serve(control: Control, kernels: Kernels): void {
  const { words } = control;
  while (Atomics.load(words, QUIT) === 0) {
    const seen = Atomics.load(words, GENERATION);
    Atomics.add(words, INSIDE, 1);
    if (Atomics.load(words, OPEN) === 1) {
      try {
        takeChunks(control, kernels);
      } catch {
        Atomics.store(words, TRAPPED, 1 + words[KERNEL]); // the job's owner reports it
      }
    }
    if (Atomics.sub(words, INSIDE, 1) === 1) Atomics.notify(words, INSIDE);
    spinWhile(words, GENERATION, seen);
    // In JavaScript: Node 20's baseline compiler miscompiles memory.atomic.wait32 inside wasm.
    Atomics.wait(words, GENERATION, seen);
  }
}
