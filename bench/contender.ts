/** The parent's end of a contender: starts its process, asks, and takes the answers. `contenders/serve.mjs` is the other end. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Detection } from "../src/detector/detections.ts";
import { fail } from "../src/errors.ts";

/** File names in `contenders/`: ours, then what it is measured against. */
export const CONTENDERS = ["mobiledetr", "ort-web", "ort-node"] as const;
export type ContenderName = (typeof CONTENDERS)[number];

/** What one contender is started with. */
export interface Job {
  /** The case's folder; none where a single operator is run. */
  readonly folder?: string;
  readonly threads: number;
  /** Path of a picture whose boxes are to be found, instead of the case's input: the first run is then from its bytes. */
  readonly picture?: string;
  /** What to run instead of a network: see `operators/list.ts`. */
  readonly operator?: object;
  /** Calls of a timed run, whose times are then of one call; 1 unless given. */
  readonly calls?: number;
  /** For mobiledetr alone: the detector's option. */
  readonly revectorize?: boolean;
}

/** What a contender tells of itself and of its first run. */
export interface Ready {
  readonly name: string;
  readonly version: string;
  /** "Node 20.20.2" */
  readonly runtime: string;
  /** From the process's start to the arrival of its first output, as its parent sees it, in ms. */
  readonly coldMs: number;
  /** Of that: loading the network. */
  readonly loadMs: number;
  /** Of that: the first run. */
  readonly firstMs: number;
  /** output0, row-major; empty where the job has a picture. */
  readonly output: Float32Array;
  /** What was found in the job's picture; none where it has none. */
  readonly detections: readonly Detection[];
}

/** One timed run, in ms. */
export interface Run {
  readonly ms: number;
  /** Processor time of all threads of the process. */
  readonly cpuMs: number;
  /** Processor time that the process took between this run and the one before, while it should rest. */
  readonly idleCpuMs: number;
}

type Reply =
  | (Omit<Ready, "coldMs" | "output"> & { readonly kind: "ready"; readonly output: string })
  | (Run & { readonly kind: "ran" })
  | { readonly kind: "output"; readonly output: string }
  | { readonly kind: "memory"; readonly peakRssBytes: number };
type ReplyOf<K extends Reply["kind"]> = Extract<Reply, { kind: K }>;

const SILENCE_MS = 300_000; // the slowest contender on the largest size, several times over
const STDERR_CHARACTERS = 2000;

/** A running contender, as a measurement sees it: it answers one request at a time. */
export interface Running {
  readonly name: string;
  /** Its first output. */
  ready(): Promise<Ready>;
  /** One timed run. */
  run(): Promise<Run>;
  /** output0 of one more, untimed run. */
  output(): Promise<Float32Array>;
  /** The most memory that the process has held so far, in bytes. */
  peakRssBytes(): Promise<number>;
  /** Ends the process; resolves when it has ended. */
  close(): Promise<void>;
}

/** A contender in a process of its own, running from the moment it is made. Errors: "state", with what the process said. */
export class Contender implements Running {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #started: number;
  #stderr = "";

  /** Starts `node` (a path) with `script`, which speaks the protocol; `ready` waits for it. */
  constructor(name: string, script: string, job: Job, node: string) {
    this.name = name;
    this.#started = performance.now();
    this.#child = spawn(node, [script, JSON.stringify(job)], {
      stdio: ["pipe", "pipe", "pipe"],
      env: plainEnv(),
    });
    const { stdout, stderr, stdin } = this.#child;
    if (!stdout || !stderr || !stdin) fail("state", name, "a process with three pipes", "none");
    this.#lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
    stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_CHARACTERS);
    });
    stdin.on("error", () => {}); // it died: the next reply says so
    this.#child.on("error", (error) => {
      this.#stderr += error.message;
    });
  }

  async ready(): Promise<Ready> {
    const { kind: _, output, ...rest } = await this.#reply("ready");
    return { ...rest, coldMs: performance.now() - this.#started, output: decode(output) };
  }

  async run(): Promise<Run> {
    this.#ask("run");
    const { ms, cpuMs, idleCpuMs } = await this.#reply("ran");
    return { ms, cpuMs, idleCpuMs };
  }

  async output(): Promise<Float32Array> {
    this.#ask("output");
    return decode((await this.#reply("output")).output);
  }

  async peakRssBytes(): Promise<number> {
    this.#ask("memory");
    return (await this.#reply("memory")).peakRssBytes;
  }

  async close(): Promise<void> {
    const { exitCode, signalCode, pid } = this.#child;
    if (exitCode !== null || signalCode !== null || pid === undefined) return;
    const ended = new Promise<void>((resolve) => this.#child.once("close", () => resolve()));
    const patience = setTimeout(() => this.#child.kill("SIGKILL"), 10_000);
    this.#ask("close");
    await ended;
    clearTimeout(patience);
  }

  #ask(what: "run" | "output" | "memory" | "close"): void {
    this.#child.stdin?.write(`${JSON.stringify({ do: what })}\n`);
  }

  async #reply<K extends Reply["kind"]>(kind: K): Promise<ReplyOf<K>> {
    const patience = setTimeout(() => {
      this.#stderr += `\nnothing for ${SILENCE_MS / 1000} s`;
      this.#child.kill("SIGKILL");
    }, SILENCE_MS);
    const { value, done } = await this.#lines.next();
    clearTimeout(patience);
    if (done)
      fail(
        "state",
        this.name,
        `the reply "${kind}"`,
        `the process's end: ${this.#stderr.trim() || "silence"}`,
      );
    const reply = JSON.parse(value) as Reply;
    if (reply.kind !== kind) fail("state", this.name, `the reply "${kind}"`, `"${reply.kind}"`);
    return reply as ReplyOf<K>;
  }
}

/** Starts one of {@link CONTENDERS}. */
export function startContender(name: ContenderName, job: Job, node: string): Running {
  return new Contender(name, fileURLToPath(new URL(`contenders/${name}.mjs`, import.meta.url)), job, node);
}

/** Without what the parent's own loader wants of its children: a contender is to run in a plain Node. */
function plainEnv(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _, ...env } = process.env;
  return env;
}

function decode(base64: string): Float32Array {
  const bytes = Uint8Array.from(Buffer.from(base64, "base64"));
  return new Float32Array(bytes.buffer);
}
