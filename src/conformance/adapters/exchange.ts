/**
 * Requests and responses as folders, for programs in any language: docs/conformance-protocol.md is the specification. A request
 * is request.json, inputs.safetensors and parameters.safetensors; a response outputs.safetensors and, where there is more to
 * say, response.json. What a program writes is foreign: its size is bounded and nothing of it can do more than fail its case.
 */
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fail, messageOf } from "../../errors.ts";
import { openFileSource, writeFileWhole } from "../../weights/file-source.ts";
import { readHostTensors, writeHostTensors } from "../host-files.ts";
import type { HostTensors } from "../host-tensor.ts";
import type { RunRequest, RunResponse } from "../runtime.ts";

/** The version of the protocol; programs refuse what they do not know. */
export const PROTOCOL = 1;

/** The most that is read of outputs.safetensors, in bytes, unless said. */
export const MAX_OUTPUT_BYTES = 2 ** 32;

const MAX_RESPONSE_BYTES = 2 ** 20;
const MAX_MESSAGE = 4000; // characters
const KEPT_PARAMETERS = 2; // files of parameters that are kept for the next request

/** A request that was written. */
export interface WrittenRequest {
  /** The folder with request.json. */
  readonly request: string;
  /** The folder for the response; there, and empty. */
  readonly output: string;
}

/** Options of {@link Exchange}. */
export interface ExchangeOptions {
  /** Where folders are made and stay, to look into; else a temporary folder that is removed. */
  readonly keep?: string;
  /** The most that is read of outputs.safetensors, in bytes. */
  readonly maxOutputBytes?: number;
}

/** The folder in which requests and responses are. */
export class Exchange {
  readonly #folder: string;
  readonly #keeps: boolean;
  readonly #maxOutputBytes: number;
  /** Files of parameters by SHA-256, the last used last. */
  readonly #stored = new Map<string, string>();
  readonly #known = new WeakMap<HostTensors, string>();
  readonly #onExit: () => void;
  #count = 0;

  constructor({ keep, maxOutputBytes = MAX_OUTPUT_BYTES }: ExchangeOptions = {}) {
    this.#keeps = keep !== undefined;
    this.#maxOutputBytes = maxOutputBytes;
    try {
      if (keep !== undefined) mkdirSync(keep, { recursive: true });
      this.#folder = keep === undefined ? mkdtempSync(join(tmpdir(), "mobiledetr-conform-")) : resolve(keep);
    } catch (error) {
      fail("file", keep ?? tmpdir(), "a folder that can be made", messageOf(error));
    }
    this.#onExit = () => this.close();
    process.once("exit", this.#onExit);
  }

  /** Writes a request, and makes the folder for its response. */
  write(request: RunRequest): WrittenRequest {
    const number = String(++this.#count).padStart(4, "0");
    const base = join(this.#folder, `${number}-${request.id.replace(/[^\w.-]+/g, "_").slice(-80)}`);
    const folders = { request: join(base, "request"), output: join(base, "output") };
    rmSync(base, { recursive: true, force: true }); // of an earlier run that was kept
    mkdirSync(folders.request, { recursive: true });
    mkdirSync(folders.output);
    writeHostTensors(join(folders.request, "inputs.safetensors"), request.inputs);
    const sha256 = this.#putParameters(request.parameters, join(folders.request, "parameters.safetensors"));
    const json = {
      protocol: PROTOCOL,
      id: request.id,
      subject: request.subject,
      inputs: [...request.inputs.keys()],
      outputs: request.outputs,
      parameters_sha256: sha256,
    };
    const text = `${JSON.stringify(json, null, 2)}\n`;
    writeFileWhole(join(folders.request, "request.json"), [new TextEncoder().encode(text)]);
    return folders;
  }

  /** Puts the parameters into a file: a link to the one that an earlier request had, where they are the same. */
  #putParameters(parameters: HostTensors, path: string): string {
    let sha256 = this.#known.get(parameters);
    if (sha256 === undefined || !this.#stored.has(sha256)) {
      const fresh = join(this.#folder, `parameters-${this.#count}.safetensors`);
      writeHostTensors(fresh, parameters);
      sha256 = sha256Of(fresh);
      this.#known.set(parameters, sha256);
      if (this.#stored.has(sha256)) rmSync(fresh);
      else this.#stored.set(sha256, fresh);
    }
    const stored = this.#stored.get(sha256) as string;
    this.#stored.delete(sha256);
    this.#stored.set(sha256, stored);
    link(stored, path);
    for (const [old, file] of this.#stored) {
      if (this.#stored.size <= KEPT_PARAMETERS) break;
      this.#stored.delete(old);
      rmSync(file, { force: true }); // links in requests that are kept stay
    }
    return sha256;
  }

  /**
   * What a program answered: never throws for anything that is in the folder. `seconds` is for outputs; of these only the names
   * that the request wanted are read, and a module's own under the names of one result or several.
   */
  read(output: string, seconds: number, { outputs }: RunRequest): RunResponse {
    try {
      const said = readResponse(join(output, "response.json"));
      if (said && said.status !== "done") return { status: said.status, message: said.message };
      const path = join(output, "outputs.safetensors");
      if (!existsSync(path)) return { status: "failed", message: "it wrote no outputs.safetensors" };
      const { size } = statSync(path);
      if (size > this.#maxOutputBytes) {
        const message = `outputs.safetensors has ${size} bytes, of which at most ${this.#maxOutputBytes} are read`;
        return { status: "failed", message };
      }
      const names = new Set(outputs);
      const wanted = (name: string): boolean => names.has(name) || /^output(\.\d+)?$/.test(name);
      return { status: "done", outputs: readHostTensors(path, wanted), seconds: said?.seconds ?? seconds };
    } catch (error) {
      return { status: "failed", message: messageOf(error).replaceAll(`${output}/`, "") };
    }
  }

  /** Removes the folders of a request, unless they are kept. */
  remove({ request }: WrittenRequest): void {
    if (!this.#keeps) rmSync(join(request, ".."), { recursive: true, force: true });
  }

  /** Removes everything that is not to be kept. */
  close(): void {
    process.removeListener("exit", this.#onExit);
    if (!this.#keeps) rmSync(this.#folder, { recursive: true, force: true });
    else for (const file of this.#stored.values()) rmSync(file, { force: true });
    this.#stored.clear();
  }
}

function link(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to); // a file system without links
  }
}

function sha256Of(path: string): string {
  const file = openFileSource(path);
  try {
    const hash = createHash("sha256");
    const piece = new Uint8Array(2 ** 20);
    for (let at = 0; at < file.byteLength; at += piece.length) {
      const part = piece.subarray(0, Math.min(piece.length, file.byteLength - at));
      file.read(at, part);
      hash.update(part);
    }
    return hash.digest("hex");
  } finally {
    file.close();
  }
}

/** What a program may say beside its outputs. */
export interface Said {
  readonly status: RunResponse["status"];
  readonly message: string;
  /** Time that the computation alone took, where the program tells. */
  readonly seconds?: number;
}

/** Reads what stands in response.json or on a line; a message (a string) where it is not that. */
export function parseSaid(value: unknown): Said | string {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "expected a JSON object";
  const { status, message, seconds } = value as Record<string, unknown>;
  if (status !== "done" && status !== "unsupported" && status !== "failed") {
    return `expected status "done", "unsupported" or "failed", got ${JSON.stringify(status) ?? "none"}`;
  }
  if (message !== undefined && typeof message !== "string") return "expected message to be a text";
  const legal = typeof seconds === "number" && seconds >= 0 && Number.isFinite(seconds);
  if (seconds !== undefined && !legal) return "expected seconds to be a number >= 0";
  const text = (message ?? "").slice(0, MAX_MESSAGE);
  return { status, message: text || "it does not say why", seconds };
}

function readResponse(path: string): Said | undefined {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats) return undefined;
  if (!stats.isFile() || stats.size > MAX_RESPONSE_BYTES) {
    fail("format", "response.json", `a file of at most ${MAX_RESPONSE_BYTES} bytes`, `${stats.size}`);
  }
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    fail("format", "response.json", "JSON", messageOf(error));
  }
  const said = parseSaid(value);
  return typeof said === "string" ? { status: "failed", message: `response.json: ${said}` } : said;
}
