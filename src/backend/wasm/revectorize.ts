/**
 * V8's revectorizer, for callers who ask for it: pairs of the kernels' 128-bit vectors become 256-bit instructions, with the
 * same bits. It is an experiment of V8's behind a flag, and where it meets code that it cannot take it aborts the process.
 * Therefore: known versions only, a trial in a child process first (`revectorize-probe.ts`), and the flags set for the
 * moment of compiling alone. Not a fallback: what cannot be had is an error.
 *
 * QUIRK: V8's flags belong to the process. What other threads of it compile in that moment (about 50 ms) is compiled with
 * them too, and could meet what V8 aborts on. A flag that the program itself set by `v8.setFlagsFromString` cannot be read:
 * it is set back to what the command line says, else to V8's default. A thread that is terminated while it compiles leaves
 * the flags on. Threads keep out of each other's way from where one of them asked first: it and those that it starts
 * afterwards. Who wants this in several threads asks for it in the one that starts them.
 */
import { fail, messageOf } from "../../errors.ts";
import { builtScript } from "./built-script.ts";

/**
 * V8's major and minor versions where it is known to work and to gain. Measured: 12.4 (Node 22) gains nothing; 14.1 and 14.6
 * (Node 25 and 26) abort on the same steps; 11.3 (Node 20) has no such flag. 13.6 aborts on a call that is handed vectors
 * which it made wider (`storeLanes` of the GEMM): it must be inlined, and is where the whole module is compiled at once.
 */
const REVECTORIZE_V8: readonly string[] = ["13.6"];
const REVECTORIZE_ARCH = "x64"; // V8 has it for AVX2 alone

/** V8's flags while the kernels are compiled, in the order of setting; they are set back in the opposite order. */
const FLAGS: readonly { readonly name: string; readonly during: boolean; readonly usual: boolean }[] = [
  { name: "liftoff", during: false, usual: true }, // code that tiers up later is what it aborts on
  { name: "wasm-lazy-compilation", during: false, usual: true }, // later, the flags are no longer set
  { name: "experimental-wasm-revectorize", during: true, usual: false },
];
const TRACE = "--trace-wasm-revectorize";
const TRACED = /Decided? to vectorize/; // V8 says so for every tree of vectors that it makes wider

/** Flags of V8 that bear on what becomes of a WebAssembly module; the trial gets them, and nothing else, from the process. */
const V8_FLAG =
  /^--?(no-?)?(liftoff|wasm|experimental-wasm|trace-wasm|turbo|jitless|enable-avx|enable-sse|single-threaded)/;

const TRIAL_MS = 30_000; // it takes 0.15 to 0.3 s
const TRIAL_OUTPUT_BYTES = 2 ** 26; // the trace is of the order of 200 KB
const TRIAL_ENV = "MOBILEDETR_REVECTORIZE_TRIAL"; // set in a trial: one never starts another
const TAKE_OVER_MS = 2 * TRIAL_MS; // who holds the lock so long was terminated, and never set the flags back

const KEY = "mobiledetr.revectorize"; // of worker_threads' environment data, which new threads inherit
const LOCK = 0;
const TRIED = 1;

/** What a thread that asked and those that it started afterwards have in common. */
export interface Shared {
  /** The process's own flags of V8: threads that are started without arguments do not see them. */
  readonly flags: readonly string[];
  /** LOCK: 1 while a thread tries or compiles. TRIED: 1 after a trial that went well. */
  readonly words: Int32Array;
}

/** What decides whether an engine is known to work. */
export interface Engine {
  /** `process.versions`. */
  readonly versions: Readonly<Record<string, string | undefined>>;
  /** `process.arch`. */
  readonly arch: string;
  /** True in a single executable application: its binary is no Node that a trial could run. */
  readonly bundled: boolean;
}

/**
 * Compiles WebAssembly with 256-bit vectors. Errors of code "argument": an engine that is not known to work, or one where the
 * trial failed. The first call of a process takes as long as a trial.
 */
export function compileRevectorized(bytes: Uint8Array): WebAssembly.Module {
  const shared = prepareRevectorize();
  return locked(shared.words, () => {
    if (Atomics.load(shared.words, TRIED) === 0) {
      tryInChild(shared.flags);
      Atomics.store(shared.words, TRIED, 1); // failures are not kept: a busy machine may have been the reason
    }
    const { setFlagsFromString } = process.getBuiltinModule("node:v8");
    const { set, restore } = flagChanges(shared.flags);
    try {
      for (const flag of set) setFlagsFromString(flag);
      return new WebAssembly.Module(tagged(bytes));
    } finally {
      for (const flag of restore) setFlagsFromString(flag);
    }
  });
}

/**
 * To be called before a thread is started that will compile: threads inherit the process's flags, the lock, and whether a
 * trial was made. Error of code "argument" for an engine that is not known to work.
 */
export function prepareRevectorize(): Shared {
  checkEngine(engineHere());
  const { getEnvironmentData, setEnvironmentData } = process.getBuiltinModule("node:worker_threads");
  const known = getEnvironmentData(KEY) as Shared | undefined;
  if (known) return known;
  const shared = {
    flags: flagsOf(process.env.NODE_OPTIONS, process.execArgv),
    words: new Int32Array(new SharedArrayBuffer(8)),
  };
  setEnvironmentData(KEY, shared as unknown as Parameters<typeof setEnvironmentData>[1]);
  return shared;
}

/** @internal For the trial itself: the next compilation here is not tried first. */
export function isTrial(): void {
  Atomics.store(prepareRevectorize().words, TRIED, 1);
}

/** Whether an engine is known to work, without trying; an error of code "argument" where it is not. */
export function checkEngine({ versions, arch, bundled }: Engine): void {
  const { node, v8 = "", deno, bun, electron } = versions;
  const known = REVECTORIZE_V8.some((version) => v8.startsWith(`${version}.`)) && arch === REVECTORIZE_ARCH;
  if (known && node && !deno && !bun && !electron && !bundled) return;
  let got = "an engine that is not Node";
  if (deno) got = `Deno ${deno}`;
  else if (bun) got = `Bun ${bun}`;
  else if (electron) got = `Electron ${electron}`;
  else if (node)
    got = `Node ${node} with V8 ${v8} on ${arch}${bundled ? ", bundled into an application" : ""}`;
  refuse(got, "leave revectorize out, or run Node 24 on x64");
}

function engineHere(): Engine {
  if (typeof process === "undefined") return { versions: {}, arch: "", bundled: false };
  const { versions, arch } = process;
  const sea = process.getBuiltinModule?.("node:sea");
  return { versions, arch, bundled: sea?.isSea() ?? false };
}

/** V8's flags among the process's arguments, in the order in which they take effect, with dashes for underscores. */
export function flagsOf(nodeOptions: string | undefined, execArgv: readonly string[]): string[] {
  const all = [...(nodeOptions ?? "").split(/\s+/), ...execArgv];
  return all.map((flag) => flag.replace(/^[^=]*/, (name) => name.replaceAll("_", "-"))).filter(isV8Flag);
}

function isV8Flag(flag: string): boolean {
  return V8_FLAG.test(flag);
}

/** What to set before and after compiling, where the process was given these flags: what they say is what comes back. */
export function flagChanges(given: readonly string[]): { set: string[]; restore: string[] } {
  const spell = (name: string, on: boolean): string => `--${on ? "" : "no-"}${name}`;
  const set = FLAGS.map(({ name, during }) => spell(name, during));
  const restore = FLAGS.map(({ name, usual }) => {
    const last = given.findLast((flag) => new RegExp(`^--?(no-?)?${name}$`).test(flag));
    return spell(name, last === undefined ? usual : !/^--?no/.test(last));
  });
  return { set, restore: restore.reverse() };
}

/**
 * The same module with a custom section, which means nothing, at its end. V8 keeps one compiled module per process for the
 * same bytes: without it, a plain module that is still alive would be handed out instead of a new one, and the other way
 * round.
 */
function tagged(bytes: Uint8Array): Uint8Array {
  const name = new TextEncoder().encode(KEY); // shorter than 127 bytes, so that each length is one byte
  const out = new Uint8Array(bytes.length + 3 + name.length);
  out.set(bytes);
  out.set([0, name.length + 1, name.length, ...name], bytes.length);
  return out;
}

/** Runs the trial: the kernels compiled and run in a child process, where an abort harms nobody. */
function tryInChild(flags: readonly string[]): void {
  const mend = "leave revectorize out";
  if (process.env[TRIAL_ENV]) refuse("a program that its own trial started", mend);
  const { spawnSync } = process.getBuiltinModule("node:child_process");
  const { fileURLToPath } = process.getBuiltinModule("node:url");
  const { NODE_OPTIONS: _, ...env } = process.env; // loaders are not for the trial
  const script = fileURLToPath(builtScript(new URL("./revectorize-probe.js", import.meta.url)));
  let trial: ReturnType<typeof spawnSync>;
  try {
    trial = spawnSync(process.execPath, [...flags, TRACE, script], {
      env: { ...env, [TRIAL_ENV]: "1" },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: TRIAL_MS,
      killSignal: "SIGKILL",
      maxBuffer: TRIAL_OUTPUT_BYTES,
      windowsHide: true,
    });
  } catch (error) {
    refuse(`no leave to try it in a child process: ${messageOf(error)}`, `${mend}, or --allow-child-process`);
  }
  const { error, status, signal, stdout, stderr } = trial;
  if (error) refuse(`a trial in a child process that failed: ${messageOf(error)}`, mend);
  if (status !== 0) {
    const said = String(stderr)
      .split("\n")
      .map((line) => line.replace(/^[#\s]+/, "").trim())
      .filter((line) => line !== "")
      .slice(0, 2)
      .join("; ");
    const end = signal ?? `exit code ${status}`;
    refuse(`a trial in a child process that ended with ${end}${said && `: ${said}`}`, mend);
  }
  if (!TRACED.test(String(stdout))) {
    refuse("one that made nothing wider: no AVX2, or V8 was told otherwise", mend);
  }
}

function refuse(got: string, mend: string): never {
  const expected = `an engine that revectorizes WebAssembly: Node with V8 ${REVECTORIZE_V8.join(" or ")} on ${REVECTORIZE_ARCH}`;
  fail("argument", "revectorize", expected, got, mend);
}

/** One thread at a time: two that set the same flags would set them back under each other's hands. */
function locked<T>(words: Int32Array, run: () => T): T {
  const end = performance.now() + TAKE_OVER_MS;
  while (Atomics.compareExchange(words, LOCK, 0, 1) !== 0 && performance.now() < end) {
    Atomics.wait(words, LOCK, 1, 100);
  }
  try {
    return run();
  } finally {
    Atomics.store(words, LOCK, 0);
    Atomics.notify(words, LOCK);
  }
}
