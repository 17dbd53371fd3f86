/**
 * From the graph to steps with addresses: every node is recorded through the WASM operators, what depends on constants
 * alone runs at once (weights are packed here), and what is left gets its place in memory.
 */
import type { Backend, Storage, TypedArray } from "../backend/backend.ts";
import { referenceBackend } from "../backend/reference/reference.ts";
import { convView } from "../backend/wasm/conv.ts";
import { sizeOf, type View as Window } from "../backend/wasm/engine.ts";
import { linearView } from "../backend/wasm/gemm.ts";
import { viewOf } from "../backend/wasm/storage.ts";
import { strassenPays } from "../backend/wasm/strassen.ts";
import type { WasmBackend } from "../backend/wasm/wasm-backend.ts";
import { winogradPays, winogradView } from "../backend/wasm/winograd.ts";
import { applyNode } from "./apply.ts";
import { type Graph, multiplyAddsOf, type Node, type View } from "./graph.ts";
import { layOut } from "./memory.ts";
import { type Block, Recording } from "./recorder.ts";

/** A kernel of the pool, or a loop of the reference backend, with everything that it needs. */
export type PlanStep = {
  /** The graph's node that it belongs to. */
  readonly node: Node;
  /** Multiply-adds of the node, on the step that does them; 0 on its copies. */
  readonly multiplyAdds: number;
} & (
  | {
      readonly kind: "kernel";
      /** Name of an exported kernel of `build/kernels.wasm`. */
      readonly kernel: string;
      readonly args: number[];
      readonly units: number;
      readonly nsPerUnit: number;
    }
  | {
      readonly kind: "host";
      readonly kernel: string;
      /** Runs the step on the calling thread. */
      readonly run: () => void;
    }
);

/** Memory of a plan that a tensor can look at. Belongs to the plan: `release` does nothing. */
export class PlanStorage implements Storage {
  readonly backend: Backend;
  readonly dtype: Storage["dtype"];
  readonly length: number;
  readonly address: number;
  readonly #memory: WasmBackend["memory"];
  #data: TypedArray | undefined;
  #isReleased: () => boolean;

  constructor(
    backend: Backend,
    dtype: Storage["dtype"],
    length: number,
    address: number,
    memory: WasmBackend["memory"],
    isReleased: () => boolean,
  ) {
    this.backend = backend;
    this.dtype = dtype;
    this.length = length;
    this.address = address;
    this.#memory = memory;
    this.#isReleased = isReleased;
  }

  get data(): TypedArray {
    // Again when an unshared memory has grown, which empties views on it.
    if (this.#data?.length !== this.length) {
      this.#data = viewOf(this.#memory.buffer, this.dtype, this.address, this.length);
    }
    return this.#data;
  }

  get released(): boolean {
    return this.#isReleased();
  }

  release(): void {}
}

/** What lowering gives. */
export interface Lowered {
  readonly steps: readonly PlanStep[];
  /** The memory behind a view of the graph's inputs and outputs. */
  readonly storageOf: (view: View) => PlanStorage;
  /** Bytes of the area that values and scratch share. */
  readonly areaBytes: number;
  /** Bytes of packed weights, constants and tables. */
  readonly constantBytes: number;
  /** Gives all memory back. */
  release(): void;
}

const COPIES: ReadonlySet<string> = new Set(["copyRows", "zeroFrame", "fillWords"]);

/**
 * Lowers a graph onto a backend; `exact` leaves Winograd and Strassen out; `onDone` is told how many operations are done. On an
 * error nothing stays allocated.
 */
export function lower(
  graph: Graph,
  backend: WasmBackend,
  exact: boolean,
  onDone?: (done: number, total: number) => void,
): Lowered {
  const recording = new Recording(backend);
  graph.nodes.forEach((node, i) => {
    recording.node = i;
    lowerNode(recording, node, exact);
    onDone?.(i + 1, graph.nodes.length);
  });
  const end = recording.steps.length;
  for (const { value } of graph.inputs) recording.pin(value, 0, end); // the caller's to fill, and not overwritten
  for (const { value } of graph.outputViews()) recording.pin(value, end, end);
  return place(graph, backend, recording);
}

function lowerNode(recording: Recording, node: Node, exact: boolean): void {
  const { operation, inputs, outputs } = node;
  if ((operation.op !== "conv2d" && operation.op !== "linear") || sizeOf(inputs[1]?.shape ?? []) === 0) {
    applyNode(recording.operators, node, (view) => recording.resolve(view));
    return;
  }
  const windows = [...inputs, outputs[0]].map((view) => view && recording.view(recording.resolve(view)));
  const [x, w] = windows as [Window, Window];
  const [bias, residual] =
    inputs.length > 3 ? windows.slice(2, 4) : [inputs.length > 2 ? windows[2] : undefined];
  const y = windows[windows.length - 1] as Window;
  const epilogue = { activation: operation.activation, residual };
  if (operation.op === "linear") {
    const [outputs, k] = w.shape;
    const pixels = sizeOf(x.shape.slice(1, -1)); // of one item of the batch
    const strassen = !exact && strassenPays(pixels, k, k, outputs);
    linearView(recording, x, w, bias, y, { ...epilogue, strassen });
  } else if (!exact && winogradPays(x.shape, w.shape, operation.options)) {
    winogradView(recording, x, w, bias, y, operation.options, epilogue);
  } else {
    const { options, framed } = operation;
    const [outputs, channels, kh, kw] = w.shape;
    const pixels = y.shape[2] * y.shape[3];
    const strassen =
      !exact && options.groups === 1 && strassenPays(pixels, channels, channels * kh * kw, outputs);
    convView(recording, x, w, bias, y, options, { ...epilogue, framed, strassen });
  }
}

function place(graph: Graph, backend: WasmBackend, recording: Recording): Lowered {
  const { arena, memory, pool } = backend.engine;
  const taken: number[] = [];
  const temporary: number[] = [];
  const addresses = new Map<Block, number>();
  let released = false;
  const take = (bytes: number, list: number[]): number => {
    const address = arena.allocate(bytes);
    list.push(address);
    return address;
  };
  const release = (): void => {
    if (released) return;
    released = true;
    for (const address of taken) arena.free(address);
  };
  try {
    let constantBytes = 0;
    const bringIn = ({ numbers }: Block, address: number): void => {
      numbers?.writeTo(viewOf(memory.buffer, numbers.dtype, address, numbers.length));
    };
    for (const block of recording.blocks) {
      const fixed = block.kind === "packed" || block.kind === "table" || block.kind === "constant";
      if (!fixed) continue;
      const held = block.numbers?.held;
      const inSteps = block.last >= 0 || block.kind !== "constant";
      if (held && !inSteps && held.buffer === (memory.buffer as unknown)) {
        addresses.set(block, held.byteOffset); // a parameter that is read once, where it lies
        continue;
      }
      if (!inSteps) continue; // comes in when it is packed
      const address = take(block.bytes, taken);
      addresses.set(block, address);
      constantBytes += block.bytes;
      bringIn(block, address);
    }
    const moving = recording.blocks.filter((block) => !addresses.has(block) && block.last >= 0);
    const layout = layOut(moving);
    const relocate = (args: readonly number[]): number[] =>
      args.map((arg) => {
        const block = recording.blockOf(arg);
        return block ? (addresses.get(block) ?? 0) + (arg - block.start) : arg;
      });
    // One weight at a time: what is read here and nowhere else is in this memory only while it is packed.
    const lastSetup = new Map<Block, number>();
    recording.setup.forEach(({ args }, i) => {
      for (const arg of args) {
        const block = recording.blockOf(arg);
        if (block && !addresses.has(block)) lastSetup.set(block, i);
      }
    });
    recording.setup.forEach(({ kernel, args, units, nsPerUnit }, i) => {
      const touched = new Set(args.map((arg) => recording.blockOf(arg)));
      const brought = [...touched].filter((block): block is Block => lastSetup.has(block as Block));
      for (const block of brought) {
        if (addresses.has(block)) continue;
        const address = take(block.bytes, temporary);
        addresses.set(block, address);
        bringIn(block, address);
      }
      pool.run(kernel, relocate(args) as never, units, nsPerUnit);
      for (const block of brought) {
        if (lastSetup.get(block) !== i) continue;
        const address = addresses.get(block) ?? 0;
        temporary.splice(temporary.indexOf(address), 1);
        arena.free(address);
      }
    });
    const area = take(layout.bytes, taken);
    moving.forEach((block, i) => void addresses.set(block, area + layout.offsets[i]));

    const storages = new Map<number, PlanStorage>();
    const storageAt = (invented: number, dtype: Storage["dtype"], length: number): PlanStorage => {
      let storage = storages.get(invented);
      if (!storage) {
        const [address] = relocate([invented]);
        storage = new PlanStorage(backend, dtype, length, address, memory, () => released);
        storages.set(invented, storage);
      }
      return storage;
    };
    const heavy = new Map<number, number>(); // steps of a node that do its multiply-adds
    for (const step of recording.steps) {
      if (isHeavy(step)) heavy.set(step.node, (heavy.get(step.node) ?? 0) + 1);
    }
    const steps = recording.steps.map((step): PlanStep => {
      const node = graph.nodes[step.node];
      const share = isHeavy(step) ? multiplyAddsOf(node) / (heavy.get(step.node) ?? 1) : 0;
      if (step.kind === "kernel") {
        const { kernel, args, units, nsPerUnit } = step;
        return { node, multiplyAdds: share, kind: "kernel", kernel, args: relocate(args), units, nsPerUnit };
      }
      const method = step.method as "topk"; // any of them: the arguments are those that the operator passed
      const args = Recording.relocate(step.args, (s) => storageAt(s.address, s.dtype, s.length));
      const run = (): void => referenceBackend[method](...(args as Parameters<Backend["topk"]>));
      return { node, multiplyAdds: share, kind: "host", kernel: step.method, run };
    });
    return {
      steps,
      storageOf: (view) => {
        const { storage } = recording.resolve(view);
        return storageAt(storage.address, storage.dtype, storage.length);
      },
      areaBytes: layout.bytes,
      constantBytes,
      release,
    };
  } catch (error) {
    for (const address of temporary) arena.free(address);
    release();
    throw error;
  }
}

/** True for steps that may do a node's multiply-adds: not for copies, packing and element-wise ends. */
function isHeavy(step: { readonly kind: string; readonly kernel?: string }): boolean {
  const { kernel = "" } = step;
  return step.kind === "host" || !(COPIES.has(kernel) || /^(pack|binary)|Flat$/.test(kernel));
}
