/** One case: made, read, measured, and judged. */
import { MobileDetrError } from "../../src/errors.ts";
import { Random } from "./random.ts";
import { type Outcome, type Target, Violation } from "./target.ts";

/** The most processor time that a case may take, in seconds: the machine's load is none of the reader's. */
export const CASE_SECONDS = 2;

/** What was measured of a case. */
export interface Measured {
  /** Processor time. */
  readonly seconds: number;
  /** By how much JavaScript's heap, buffers and WebAssembly memories grew together. */
  readonly bytes: number;
}

/** What is wrong. */
export interface Finding {
  /** Equal for findings that are probably the same. */
  readonly kind: string;
  readonly detail: string;
}

/** What became of a case. */
export interface Judged {
  readonly outcome?: Outcome;
  readonly finding?: Finding;
  readonly measured: Measured;
}

let wasmBytes = 0;
const PAGE_BYTES = 65536;

/** Counts what WebAssembly memories grow by; memoryUsage() does not. */
export function countWasmMemory(): void {
  const { prototype } = WebAssembly.Memory;
  const grow = prototype.grow;
  prototype.grow = function counted(pages: number): number {
    const before = grow.call(this, pages);
    wasmBytes += pages * PAGE_BYTES;
    return before;
  };
}

/** The bytes of a case, by its number and the run's seed. */
export function makeCase(target: Target, seed: number, number: number): Uint8Array {
  return target.make(new Random(`${target.name}/${seed}/${number}`));
}

/** Reads a case's bytes. */
export function judge(target: Target, bytes: Uint8Array): Judged {
  const memory = process.memoryUsage();
  const wasm = wasmBytes;
  const begin = process.cpuUsage();
  let outcome: Outcome | undefined;
  let finding: Finding | undefined;
  try {
    outcome = target.run(bytes);
  } catch (error) {
    finding = describeThrown(error);
  }
  const { user, system } = process.cpuUsage(begin);
  const seconds = (user + system) / 1e6;
  const after = process.memoryUsage();
  const grown = after.arrayBuffers - memory.arrayBuffers + Math.max(0, after.heapUsed - memory.heapUsed);
  const measured = { seconds, bytes: Math.max(0, grown) + wasmBytes - wasm };
  const bound = target.memoryBound(bytes.length);
  if (!finding && seconds > CASE_SECONDS) {
    finding = { kind: "slow", detail: `${seconds.toFixed(2)} s of ${CASE_SECONDS}` };
  }
  if (!finding && measured.bytes > bound) {
    finding = { kind: "memory", detail: `${measured.bytes} bytes of at most ${bound} for ${bytes.length}` };
  }
  return { outcome, finding, measured };
}

/** What a thrown thing is as a finding. */
export function describeThrown(error: unknown): Finding {
  if (!(error instanceof Error)) return { kind: "thrown", detail: String(error) };
  const { name, message, stack = "" } = error;
  // The first place in the package: where a thing that was thrown comes from tells it from others.
  const place =
    /(?:src|wasm)[^\s)]*/.exec(stack.slice(stack.indexOf("\n") + 1))?.[0].replace(/:\d+$/, "") ?? "";
  const code = error instanceof MobileDetrError ? ` ${error.code}` : "";
  const kind =
    error instanceof Violation ? `violation: ${message.split(/[:\d]/)[0]}` : `${name}${code} at ${place}`;
  return { kind, detail: `${name}: ${message}\n${stack.split("\n").slice(1, 6).join("\n")}` };
}
