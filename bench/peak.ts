/**
 * The peaks that kernels are held against, measured in the same engine and the same run as they: multiplications and
 * additions of 128 bits in registers, and copying by 128 bits.
 *
 *   npx tsx bench/peak.ts        prints both
 *
 * QUIRK: the loop of multiplications and additions is short on purpose. In one of several rounds V8 moves multiplications
 * ahead of additions, runs out of registers and spends half of its time on loads and stores; in this one it keeps 7
 * `vmulps` and 7 `vaddps` (`node --print-wasm-code` shows them) beside the loop's own four instructions, for which there
 * is room.
 */
import { pathToFileURL } from "node:url";
import {
  ADD,
  constant,
  F32,
  get,
  I32,
  I32_ADD,
  I32_SUB,
  instantiate,
  LANE_0,
  LOOP,
  load,
  MUL,
  REPEAT_IF,
  SPLAT,
  set,
  store,
  tee,
} from "./wasm-module.ts";

/**
 * Chains of multiplications and as many of additions. Each waits for itself alone, not one for the other as in
 * `v = v * f + a`: 7 cover a latency of 3 cycles at 2 a cycle, and 7 + 7 and the factor are the 15 registers that V8 uses.
 */
const CHAINS = 7;
const LANES = 4;
const TURNS = 700_000; // about 3 ms
const RUNS = 40;

let registers: ((turns: number, factor: number) => number) | undefined;

/**
 * The loop by itself: in every turn and chain f = f * factor, sum = sum + f; gives the sum of everything. With a factor of
 * 1, which the compiler cannot know, nothing overflows and nothing gets denormal; it gives 7 * (turns + 1) + 1.
 */
export function peakLoop(turns: number, factor: number): number {
  registers ??= compileRegisters();
  return registers(turns, factor);
}

function compileRegisters(): (turns: number, factor: number) => number {
  const [turns, factor, factors, firstProduct] = [0, 1, 2, 3];
  const firstSum = firstProduct + CHAINS;
  const chains = Array.from({ length: CHAINS }, (_, i) => i);
  const code = [
    ...[...get(factor), ...SPLAT, ...set(factors)],
    ...chains.flatMap((i) => [...get(factors), ...set(firstProduct + i)]),
    ...LOOP,
    ...chains.flatMap((i) => [
      ...[...get(firstSum + i), ...get(firstProduct + i), ...get(factors), ...MUL, ...tee(firstProduct + i)],
      ...[...ADD, ...set(firstSum + i)],
    ]),
    ...[...get(turns), ...constant(1), I32_SUB, ...tee(turns), ...REPEAT_IF, 0x0b],
    ...get(factors),
    ...chains.flatMap((i) => [...get(firstSum + i), ...ADD, ...get(firstProduct + i), ...ADD]),
    ...LANE_0,
  ];
  return instantiate({ parameters: [I32, F32], results: [F32], vectors: 1 + 2 * CHAINS, code });
}

/** GFLOP/s of one thread: the best of forty runs of some milliseconds, since the machine may be shared. */
export function peakGflops(): number {
  let best = 0;
  for (let i = 0; i < RUNS; i++) {
    const start = performance.now();
    peakLoop(TURNS, 1);
    best = Math.max(best, (TURNS * CHAINS * LANES * 2) / (performance.now() - start) / 1e6);
  }
  return best;
}

const COPY_MS = 25; // for each size: engines compile the loop again after the first thousands of turns
const BLOCK = 128; // bytes a turn
const PAGE = 65_536;
const LARGEST = 2 ** 27;
const SKEW = 1088; // bytes: loads and stores 4 KB apart would be taken for the same address
const copied = new Map<number, number>();
let copying: { memory: WebAssembly.Memory; copy: (...args: number[]) => number } | undefined;

function compileCopy(): NonNullable<typeof copying> {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const [from, to, blocks] = [0, 1, 2];
  const at = Array.from({ length: BLOCK / 16 }, (_, i) => i * 16);
  const code = [
    ...LOOP,
    ...at.flatMap((offset) => [...get(to), ...get(from), ...load(offset), ...store(offset)]),
    ...[from, to].flatMap((pointer) => [...get(pointer), ...constant(BLOCK), I32_ADD, ...set(pointer)]),
    ...[...get(blocks), ...constant(1), I32_SUB, ...tee(blocks), ...REPEAT_IF, 0x0b],
  ];
  return {
    memory,
    copy: instantiate({ parameters: [I32, I32, I32], results: [], vectors: 0, code, memory }),
  };
}

/**
 * GB/s of one thread that copies, `bytes` being what is read and written together. It depends on the cache that they fit
 * into, so that a kernel is held against a copy of as many bytes as its own, to a power of two of 4 KB to 128 MB; the best
 * of some milliseconds, once a process for each size.
 */
export function copyGBs(bytes: number): number {
  const rounded = Math.min(2 ** Math.max(12, Math.round(Math.log2(bytes))), LARGEST);
  const known = copied.get(rounded);
  if (known !== undefined) return known;
  copying ??= compileCopy();
  const { memory, copy } = copying;
  const pages = Math.ceil((rounded + SKEW) / PAGE);
  if (memory.buffer.byteLength < pages * PAGE) memory.grow(pages - memory.buffer.byteLength / PAGE);
  new Uint8Array(memory.buffer).fill(1); // pages that were never written are all one and the same
  const atOnce = Math.max(1, 2 ** 20 / rounded); // the clock is too coarse for less
  let best = 0;
  const until = performance.now() + COPY_MS;
  do {
    const start = performance.now();
    for (let i = 0; i < atOnce; i++) copy(0, rounded / 2 + SKEW, rounded / 2 / BLOCK);
    best = Math.max(best, (rounded * atOnce) / (performance.now() - start) / 1e6);
  } while (performance.now() < until);
  copied.set(rounded, best);
  return best;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const copies = [32, 512, 4096, 65_536].map((kib) => `${kib} KiB: ${copyGBs(kib * 1024).toFixed(0)}`);
  console.log(
    [
      `128-bit multiplications and additions in registers: ${peakGflops().toFixed(1)} GFLOP/s`,
      `128-bit copying, GB/s by what is read and written: ${copies.join(", ")}`,
    ].join("\n"),
  );
}
