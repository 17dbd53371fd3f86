/**
 * The peak that kernels are held against: independent chains of multiply and add in registers, no memory, in the same
 * engine and the same run. The module is written byte by byte here, because it is no kernel of the package.
 */
const CHAINS = 12; // as many as cover the latency of a multiply and an add; with two constants they fit 15 registers
const STEPS = 8; // of every chain in one turn of the loop
const LANES = 4;
const TURNS = 200_000; // about 4 ms

const [I32, F32, V128, BLOCK_VOID] = [0x7f, 0x7d, 0x7b, 0x40];
const [MUL, ADD] = [
  [0xfd, 0xe6, 0x01],
  [0xfd, 0xe4, 0x01],
];

/** Unsigned LEB128 of a number below 2^14. */
function unsigned(n: number): number[] {
  return n < 128 ? [n] : [(n & 127) | 128, n >> 7];
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...unsigned(content.length), ...content];
}

/** (turns: i32, factor: f32, addend: f32) -> f32: every chain c = c * factor + addend, then the sum of their first lanes. */
function peakModule(): Uint8Array<ArrayBuffer> {
  const [turns, factor, addend, factors, addends, first] = [0, 1, 2, 3, 4, 5];
  const get = (i: number): number[] => [0x20, ...unsigned(i)];
  const set = (i: number): number[] => [0x21, ...unsigned(i)];
  const splat = [0xfd, 0x13];
  const code: number[] = [
    ...get(factor),
    ...splat,
    ...set(factors),
    ...get(addend),
    ...splat,
    ...set(addends),
  ];
  for (let i = 0; i < CHAINS; i++) code.push(...get(addends), ...set(first + i));
  code.push(0x03, BLOCK_VOID);
  for (let step = 0; step < STEPS; step++) {
    for (let i = 0; i < CHAINS; i++) {
      code.push(...get(first + i), ...get(factors), ...MUL, ...get(addends), ...ADD, ...set(first + i));
    }
  }
  code.push(...get(turns), 0x41, 1, 0x6b, 0x22, turns, 0x0d, 0, 0x0b); // until --turns == 0
  code.push(...get(first));
  for (let i = 1; i < CHAINS; i++) code.push(...get(first + i), ...ADD);
  code.push(0xfd, 0x1f, 0, 0x0b); // lane 0
  const body = [1, ...unsigned(2 + CHAINS), V128, ...code];
  return new Uint8Array([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 3, I32, F32, F32, 1, F32]),
    ...section(3, [1, 0]),
    ...section(7, [1, 4, 0x70, 0x65, 0x61, 0x6b, 0, 0]),
    ...section(10, [1, ...unsigned(body.length), ...body]),
  ]);
}

let instance: ((turns: number, factor: number, addend: number) => number) | undefined;

/** GFLOP/s of one thread: the best of thirty runs of some milliseconds, since the machine may be shared. */
export function peakGflops(): number {
  instance ??= new WebAssembly.Instance(new WebAssembly.Module(peakModule())).exports.peak as typeof instance;
  const run = instance as NonNullable<typeof instance>;
  let best = 0;
  for (let i = 0; i < 30; i++) {
    const start = performance.now();
    run(TURNS, 0.999, 0.001);
    best = Math.max(best, (TURNS * STEPS * CHAINS * LANES * 2) / (performance.now() - start) / 1e6);
  }
  return best;
}
