/**
 * An engine that records what the WASM operators would run instead of running it, so that a plan is lowered by the very
 * code that eager uses. Addresses are those of a space that does not exist, until `Recording.place` knows how long
 * every block lives.
 *
 * QUIRK: invented addresses end in one half. Operators only add whole numbers to addresses, and no size, stride or
 * factor of theirs looks like 2^40 and a half, so that an address can be told from any other argument.
 */
import type { Backend, Storage, Strided, TypedArray } from "../backend/backend.ts";
import { BYTES_PER_ELEMENT } from "../backend/backend.ts";
import { Engine, type Take, type View as Window } from "../backend/wasm/engine.ts";
import type { KernelArguments, KernelName } from "../backend/wasm/instantiate.ts";
import { WasmOperators } from "../backend/wasm/operators.ts";
import type { WasmBackend } from "../backend/wasm/wasm-backend.ts";
import { fail } from "../errors.ts";
import { Constant } from "./constant.ts";
import type { Value, View } from "./graph.ts";

const FIRST_ADDRESS = 2 ** 40 + 0.5;
const GAP_BYTES = 4096; // between blocks, so that an address one past an end is nobody else's

/** Kernels that bring weights into another order, and the argument that says where to. */
const PACKERS: Readonly<Partial<Record<KernelName, number>>> = {
  packPanels: 2,
  packDepthwise: 2,
  packStrassen: 2,
  packWinograd: 2,
};

/** A kernel with its arguments. */
export interface KernelStep {
  readonly kind: "kernel";
  readonly kernel: KernelName;
  readonly args: number[];
  readonly units: number;
  readonly nsPerUnit: number;
  /** Index of the graph's node. */
  readonly node: number;
}

/** A method of the reference backend on the plan's memory, for what has no kernel. */
export interface HostStep {
  readonly kind: "host";
  readonly method: string;
  readonly args: readonly unknown[];
  readonly node: number;
}

/** One step of a plan. */
export type RecordedStep = KernelStep | HostStep;

/** A run of bytes in the invented space. */
export interface Block {
  readonly start: number;
  readonly bytes: number;
  readonly kind: "value" | "scratch" | "constant" | "table" | "packed";
  /** The numbers of a constant or a table. */
  readonly numbers?: Constant;
  /** First and last runtime step that touches it; -1 where none does. */
  first: number;
  last: number;
}

/** A tensor of the invented space. */
class RecordedStorage implements Storage {
  readonly backend: Backend;
  readonly dtype: Storage["dtype"];
  readonly length: number;
  readonly address: number;
  readonly released = false;

  constructor(backend: Backend, value: Value, address: number) {
    this.backend = backend;
    this.dtype = value.dtype;
    this.length = value.length;
    this.address = address;
  }

  get data(): TypedArray {
    return fail(
      "state",
      "compile",
      "an operator that reads no numbers while it is recorded",
      "one that does",
    );
  }

  release(): void {}
}

/** True for what `Strided` looks like. */
function isStrided(x: unknown): x is Strided {
  return typeof x === "object" && x !== null && "storage" in x && x.storage instanceof RecordedStorage;
}

/** Everything recorded so far; see the file's head. */
export class Recording extends Engine {
  readonly steps: RecordedStep[] = [];
  /** Steps on constants alone: they run once, when the plan is made. */
  readonly setup: KernelStep[] = [];
  readonly blocks: Block[] = [];
  readonly operators: RecordingOperators;
  /** The node that is being lowered. */
  node = 0;
  readonly #owner: WasmBackend;
  readonly #storages = new Map<Value, RecordedStorage>();
  readonly #host: Backend;
  #next = FIRST_ADDRESS;

  constructor(owner: WasmBackend) {
    super(owner, owner.engine.memory, owner.engine.arena, owner.engine.pool);
    this.#owner = owner;
    this.operators = new RecordingOperators(this);
    this.#host = new Proxy({} as Backend, {
      get:
        (_, method) =>
        (...args: unknown[]): void =>
          this.#hostStep(String(method), args),
    });
  }

  #add(kind: Block["kind"], bytes: number, numbers?: Constant): Block {
    const block: Block = { start: this.#next, bytes, kind, numbers, first: -1, last: -1 };
    this.#next += Math.ceil((bytes + GAP_BYTES) / 64) * 64;
    this.blocks.push(block);
    return block;
  }

  /** The block that holds an argument that is an address, or undefined for any other argument. */
  blockOf(argument: number): Block | undefined {
    if (argument < FIRST_ADDRESS || argument >= this.#next || argument % 1 !== 0.5) return undefined;
    let low = 0;
    let high = this.blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.blocks[middle].start <= argument) low = middle;
      else high = middle - 1;
    }
    return this.blocks[low];
  }

  /** Keeps a value's memory alive from before the first step (`from` -1) or until after the last. */
  pin(value: Value, first: number, last: number): void {
    const block = this.blockOf(this.#storageOf(value).address);
    if (block) this.#touch(block, first, last);
  }

  #touch(block: Block, first: number, last: number): void {
    if (block.last < 0 && block.first < 0) block.first = first;
    block.first = Math.min(block.first, first);
    block.last = Math.max(block.last, last);
  }

  #storageOf(value: Value): RecordedStorage {
    let storage = this.#storages.get(value);
    if (!storage) {
      const bytes = value.length * BYTES_PER_ELEMENT[value.dtype];
      const { constant } = value;
      const { start } = this.#add(constant ? "constant" : "value", bytes, constant);
      storage = new RecordedStorage(this.#owner, value, start);
      this.#storages.set(value, storage);
    }
    return storage;
  }

  /** The tensor of a graph's view. */
  resolve(view: View): Strided {
    const { value, shape, strides, offset } = view;
    return { storage: this.#storageOf(value), dtype: value.dtype, shape, strides, offset };
  }

  #hostStep(method: string, args: unknown[]): void {
    const step = this.steps.length;
    this.steps.push({ kind: "host", method, args, node: this.node });
    for (const arg of args) {
      const block = isStrided(arg) && this.blockOf(arg.storage.address);
      if (block) this.#touch(block, step, step);
    }
  }

  override run<K extends KernelName>(name: K, args: KernelArguments<K>, units: number, ns: number): void {
    if (units <= 0) return;
    const list: number[] = [...args];
    const step: KernelStep = {
      kind: "kernel",
      kernel: name,
      args: list,
      units,
      nsPerUnit: ns,
      node: this.node,
    };
    const touched = list.map((arg) => this.blockOf(arg));
    const target = PACKERS[name];
    const isKnown = (block: Block | undefined, i: number): boolean =>
      i === target || !block || block.kind === "constant" || block.kind === "table";
    if (target !== undefined && touched[target]?.kind === "scratch" && touched.every(isKnown)) {
      (touched[target] as { kind: Block["kind"] }).kind = "packed";
      this.setup.push(step);
      return;
    }
    const index = this.steps.length;
    this.steps.push(step);
    for (const block of touched) if (block) this.#touch(block, index, index);
  }

  override scratch(body: (take: Take) => void): void {
    body((bytes) => this.#add("scratch", bytes).start);
  }

  override table(_take: Take, values: ArrayLike<number>): number {
    return this.#add("table", values.length * 4, Constant.of("i32", Int32Array.from(values))).start;
  }

  override check(_x: Strided): void {}

  override plain(): Backend {
    return this.#host;
  }

  override view(x: Strided): Window {
    return { address: x.storage.address + x.offset * 4, shape: x.shape, strides: x.strides };
  }

  /** A host step's tensors with `to` in the place of invented storages. */
  static relocate(args: readonly unknown[], to: (storage: Storage) => Storage): unknown[] {
    return args.map((arg) => (isStrided(arg) ? { ...arg, storage: to(arg.storage) } : arg));
  }
}

/** The WASM operators over a recording. */
class RecordingOperators extends WasmOperators implements Backend {
  readonly name = "wasm";
  readonly engine: Recording;

  constructor(engine: Recording) {
    super();
    this.engine = engine;
  }

  allocate(): never {
    return fail("state", "compile", "a graph whose values are all known", "an operator that allocates one");
  }
}
