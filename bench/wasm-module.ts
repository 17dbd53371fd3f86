/**
 * Writes a WebAssembly module of one exported function byte by byte: for the loops that measure what the machine and the
 * engine can do, which are no kernels of the package. Only the opcodes that those need.
 */

export const [I32, F32, V128] = [0x7f, 0x7d, 0x7b];
export const SPLAT = [0xfd, 0x13]; // f32x4
export const LANE_0 = [0xfd, 0x1f, 0]; // f32x4.extract_lane
export const MUL = [0xfd, 0xe6, 0x01]; // f32x4
export const ADD = [0xfd, 0xe4, 0x01]; // f32x4
export const I32_ADD = 0x6a;
export const I32_SUB = 0x6b;
export const LOOP = [0x03, 0x40];
export const REPEAT_IF = [0x0d, 0]; // br_if to the innermost loop
export const END = 0x0b;

export const get = (local: number): number[] => [0x20, ...unsigned(local)];
export const set = (local: number): number[] => [0x21, ...unsigned(local)];
export const tee = (local: number): number[] => [0x22, ...unsigned(local)];
/** An i32 constant of -64 to 63, or of a multiple of 128 below 8192. */
export const constant = (n: number): number[] => (n < 64 ? [0x41, n & 127] : [0x41, (n & 127) | 128, n >> 7]);
/** v128.load and v128.store at an offset, 16-byte aligned. */
export const load = (offset: number): number[] => [0xfd, 0, 4, ...unsigned(offset)];
export const store = (offset: number): number[] => [0xfd, 11, 4, ...unsigned(offset)];

/** What a module is made of. */
export interface Loop {
  readonly parameters: readonly number[];
  /** Types of what it gives: one, or none. */
  readonly results: readonly number[];
  /** Further v128 locals, behind the parameters. */
  readonly vectors: number;
  readonly code: readonly number[];
  /** Whether it has a memory, imported as "env" "memory". */
  readonly memory?: WebAssembly.Memory;
}

/** Compiles and instantiates the module; its function. */
export function instantiate({
  parameters,
  results,
  vectors,
  code,
  memory,
}: Loop): (...args: number[]) => number {
  const body = [...(vectors > 0 ? [1, ...unsigned(vectors), V128] : [0]), ...code, END];
  const name = (text: string): number[] => [text.length, ...Buffer.from(text, "latin1")];
  const bytes = new Uint8Array([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, parameters.length, ...parameters, results.length, ...results]),
    ...(memory ? section(2, [1, ...name("env"), ...name("memory"), 2, 0, 1]) : []),
    ...section(3, [1, 0]),
    ...section(7, [1, ...name("run"), 0, 0]),
    ...section(10, [1, ...unsigned(body.length), ...body]),
  ]);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } } as never);
  return exports.run as (...args: number[]) => number;
}

/** Unsigned LEB128 of a number below 2^14. */
function unsigned(n: number): number[] {
  return n < 128 ? [n] : [(n & 127) | 128, n >> 7];
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...unsigned(content.length), ...content];
}
