/**
 * The control block: the words in shared memory through which a pool hands out one job at a time, and what every thread
 * does with it. Safe against late workers: a worker says that it is INSIDE before it looks whether the job is OPEN; the
 * owner closes the job and waits until nobody is inside before it writes the next one. INSIDE is a set, one bit a
 * worker, so that the bit which a dead worker leaves behind can be told from others and cleared.
 */
import type { Kernels } from "./instantiate.ts";

// Word indices. What several threads write lies on 64-byte lines of its own.
export const GENERATION = 0; // counts jobs; sleeping workers wait for it to change
export const OPEN = 1; // 1 while workers may take part
export const QUIT = 2; // 1 when workers should end
export const PARTICIPANTS = 3; // workers of this index and above stay out, and wait for it to change
export const NEXT = 16; // the next chunk to take
export const INSIDE = 32; // 8 words, for 256 threads: workers that may be touching the job, by wordOf and bitOf
export const TRAPPED = 48; // 1 + index of the kernel that trapped in a worker
export const UNITS = 64; // the job: units of work,
export const CHUNK = 65; // units per chunk,
export const KERNEL = 66; // index of the kernel,
export const ARGUMENT_COUNT = 67; // and how many arguments it has
export const STARTED = 80; // 8 words, as INSIDE: workers that have begun to serve
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

/** Views on the control block at a byte address of the memory. */
export function controlAt(memory: { readonly buffer: ArrayBufferLike }, address: number): Control {
  return {
    words: new Int32Array(memory.buffer, address, ARGUMENTS_BYTE / 4),
    args: new Float64Array(memory.buffer, address + ARGUMENTS_BYTE, MAX_ARGUMENTS),
  };
}

/** Which of the words of INSIDE (or of STARTED) has a worker's bit. */
export function wordOf(index: number): number {
  return index >> 5;
}

/** A worker's bit in that word. */
export function bitOf(index: number): number {
  return 1 << (index & 31);
}

const list: number[] = []; // of this thread's job: one for all jobs, for they do not nest

/** Takes chunks of the current job until none is left. Throws what a kernel throws. */
export function takeChunks({ words, args }: Control, kernels: Kernels): void {
  const units = words[UNITS];
  const chunk = words[CHUNK];
  const kernel = kernels.functions[words[KERNEL]];
  // By hand: Array.from and TypedArray.set cost a microsecond a job.
  list.length = words[ARGUMENT_COUNT];
  for (let i = 0; i < list.length; i++) list[i] = args[i];
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

/**
 * The life of worker `index` (1 and above): takes part in every job that it finds open and that wants so many threads,
 * sleeps between them, returns when told to quit. A kernel that traps ends the worker's part of the job, not its life.
 */
export function serve(control: Control, kernels: Kernels, index: number): void {
  const { words } = control;
  const word = INSIDE + wordOf(index);
  const bit = bitOf(index);
  Atomics.or(words, STARTED + wordOf(index), bit);
  for (;;) {
    // QUIT is read after what is waited for: its writer writes it first, so that no worker sleeps through it.
    const seen = Atomics.load(words, GENERATION);
    const participants = Atomics.load(words, PARTICIPANTS);
    if (Atomics.load(words, QUIT) !== 0) return;
    if (index >= participants) {
      Atomics.wait(words, PARTICIPANTS, participants);
      continue;
    }
    Atomics.or(words, word, bit);
    // Read again: only now, inside an open job, is the number this job's.
    if (Atomics.load(words, OPEN) === 1 && index < Atomics.load(words, PARTICIPANTS)) {
      try {
        takeChunks(control, kernels);
      } catch {
        Atomics.store(words, TRAPPED, 1 + words[KERNEL]); // the job's owner reports it
      }
    }
    if (Atomics.and(words, word, ~bit) === bit) Atomics.notify(words, word);
    spinWhile(words, GENERATION, seen);
    // In JavaScript: Node 20's baseline compiler miscompiles memory.atomic.wait32 inside wasm.
    Atomics.wait(words, GENERATION, seen);
  }
}
