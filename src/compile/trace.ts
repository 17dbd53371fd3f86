/**
 * Records a module's forward as a graph: it runs once on tensors that have shapes and no numbers, and every operator that
 * it calls becomes a node. It knows no module by name. Parameters keep their numbers, and so do tensors that forward makes
 * of numbers (position tables, anchors); a forward that asks for computed numbers has no graph, and is refused.
 */
import type {
  Backend,
  BinaryOp,
  ConvOptions,
  DType,
  GridSampleOptions,
  InterpolateOptions,
  Pair,
  PoolOptions,
  ReduceOp,
  Storage,
  Strided,
  TypedArray,
  UnaryOp,
} from "../backend/backend.ts";
import { newTypedArray } from "../backend/heap.ts";
import { lastingData } from "../backend/wasm/storage.ts";
import { fail } from "../errors.ts";
import { DeferredStorage } from "../nn/deferred-storage.ts";
import type { AnyModule, Module, TensorSlot } from "../nn/module.ts";
import { replaceTensor } from "../nn/module.ts";
import { type Observer, withObserver } from "../nn/observer.ts";
import { formatShape, type MemoryFormat, sizeOf, stridesFor } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import { Constant } from "./constant.ts";
import { Graph, type Operation, type Structure, type Value, type View } from "./graph.ts";

/** Memory of a traced tensor: a value of the graph. */
class TraceStorage implements Storage {
  readonly backend: TraceBackend;
  readonly value: Value;
  readonly address = 0;
  readonly released = false;
  /** A node writes it. */
  written = false;

  constructor(backend: TraceBackend, value: Value) {
    this.backend = backend;
    this.value = value;
  }

  get dtype(): DType {
    return this.value.dtype;
  }

  get length(): number {
    return this.value.length;
  }

  /** A parameter's numbers, or those that the caller is about to write: from then on a constant. */
  get data(): TypedArray {
    const { value } = this;
    if (this.written) {
      fail(
        "argument",
        "compile",
        "a forward that depends on shapes alone",
        `one that reads numbers which it computed${this.backend.path ? ` (in ${this.backend.path})` : ""}`,
        "run this model without compiling it",
      );
    }
    value.constant ??= Constant.of(value.dtype, newTypedArray(value.dtype, value.length));
    return value.constant.data;
  }

  /** Nothing to give back: the graph keeps the value. */
  release(): void {}
}

class TraceBackend implements Backend {
  readonly name = "meta";
  readonly keepsConstants = true;
  readonly graph = new Graph();
  /** Paths of the modules that are running, innermost last. */
  readonly running: string[] = [];

  get path(): string {
    return this.running.at(-1) ?? "";
  }

  allocate(dtype: DType, length: number): TraceStorage {
    return new TraceStorage(this, this.graph.value(dtype, length));
  }

  #record(operation: Operation, inputs: readonly (Strided | undefined)[], outputs: readonly Strided[]): void {
    const read = inputs.map((x) => x && this.#viewOf(x, operation.op));
    const written = outputs.map((y) => {
      const view = this.#viewOf(y, operation.op);
      (y.storage as TraceStorage).written = true;
      return view;
    });
    this.graph.nodes.push({ operation, inputs: read, outputs: written, path: this.path });
  }

  #viewOf(x: Strided, op: string): View {
    if (!(x.storage instanceof TraceStorage) || x.storage.backend !== this) {
      fail(
        "weights",
        op,
        "tensors that have numbers",
        `one of shape ${formatShape(x.shape)} that has none`,
        "load weights first",
      );
    }
    return {
      value: x.storage.value,
      shape: [...x.shape],
      strides: [...x.strides],
      offset: x.offset,
    };
  }

  fill(out: Strided, value: number): void {
    this.#record({ op: "fill", value }, [], [out]);
  }
  copy(x: Strided, out: Strided): void {
    this.#record({ op: "copy" }, [x], [out]);
  }
  unary(f: UnaryOp, x: Strided, out: Strided): void {
    this.#record({ op: "unary", f }, [x], [out]);
  }
  binary(f: BinaryOp, a: Strided, b: Strided, out: Strided): void {
    this.#record({ op: "binary", f }, [a, b], [out]);
  }
  clamp(x: Strided, min: number, max: number, out: Strided): void {
    this.#record({ op: "clamp", min, max }, [x], [out]);
  }
  matmul(a: Strided, b: Strided, out: Strided): void {
    this.#record({ op: "matmul" }, [a, b], [out]);
  }
  linear(x: Strided, w: Strided, bias: Strided | undefined, out: Strided): void {
    this.#record({ op: "linear" }, [x, w, bias], [out]);
  }
  conv2d(x: Strided, w: Strided, bias: Strided | undefined, out: Strided, options: ConvOptions): void {
    this.#record({ op: "conv2d", options }, [x, w, bias], [out]);
  }
  affineChannels(x: Strided, alpha: Strided, beta: Strided, out: Strided): void {
    this.#record({ op: "affineChannels" }, [x, alpha, beta], [out]);
  }
  layerNorm(x: Strided, w: Strided | undefined, b: Strided | undefined, eps: number, out: Strided): void {
    this.#record({ op: "layerNorm", eps }, [x, w, b], [out]);
  }
  softmax(x: Strided, axis: number, out: Strided): void {
    this.#record({ op: "softmax", axis }, [x], [out]);
  }
  reduce(f: ReduceOp, x: Strided, axis: number, out: Strided): void {
    this.#record({ op: "reduce", f, axis }, [x], [out]);
  }
  topk(x: Strided, k: number, axis: number, largest: boolean, values: Strided, indices: Strided): void {
    this.#record({ op: "topk", k, axis, largest }, [x], [values, indices]);
  }
  gather(x: Strided, axis: number, index: Strided, out: Strided): void {
    this.#record({ op: "gather", axis }, [x, index], [out]);
  }
  embedding(w: Strided, index: Strided, out: Strided): void {
    this.#record({ op: "embedding" }, [w, index], [out]);
  }
  pool2d(x: Strided, out: Strided, options: PoolOptions): void {
    this.#record({ op: "pool2d", options }, [x], [out]);
  }
  adaptiveAvgPool2d(x: Strided, out: Strided): void {
    this.#record({ op: "adaptiveAvgPool2d" }, [x], [out]);
  }
  interpolate(x: Strided, out: Strided, options: InterpolateOptions): void {
    this.#record({ op: "interpolate", options }, [x], [out]);
  }
  gridSample(x: Strided, grid: Strided, out: Strided, options: GridSampleOptions): void {
    this.#record({ op: "gridSample", options }, [x, grid], [out]);
  }
  deformableAttention(
    value: Strided,
    shapes: readonly Pair[],
    locations: Strided,
    weights: Strided,
    out: Strided,
  ): void {
    this.#record({ op: "deformableAttention", shapes }, [value, locations, weights], [out]);
  }

  /** The structure of a forward's result. */
  structureOf(result: unknown): Structure {
    if (result instanceof Tensor) return { kind: "view", view: this.#viewOf(result, "the result") };
    if (Array.isArray(result)) return { kind: "list", items: result.map((item) => this.structureOf(item)) };
    if (typeof result === "object" && result !== null) {
      const entries = Object.entries(result).map(([name, item]) => [name, this.structureOf(item)] as const);
      return { kind: "record", entries };
    }
    return { kind: "other", value: result };
  }
}

/** The graph's view that a tensor of a run under {@link traceGraph} stands for; undefined for a constant's and any other tensor. */
export function tracedView({ storage, shape, strides, offset }: Tensor): View | undefined {
  if (!(storage instanceof TraceStorage) || storage.value.constant) return undefined;
  return { value: storage.value, shape: [...shape], strides: [...strides], offset };
}

/** A module whose inputs are tensors and whose result is a tensor, or lists and records of tensors. */
export type Compilable<Out = unknown> = Module<[Tensor, ...never[]], Out> | Module<[Tensor], Out>;

/** Options of {@link traceGraph}. */
export interface TraceOptions {
  /** How the input lies in memory; "contiguous" (row-major) unless given. */
  readonly memoryFormat?: MemoryFormat;
  /** Makes an observer of the calls; it is given the graph, to which the run adds its nodes. */
  readonly watch?: (graph: Graph) => Observer;
}

/**
 * The graph of `model.call(input)` for an f32 input of a shape. The model is as before when it returns; its parameters'
 * numbers are read where they lie, when they are needed: they must outlive the graph.
 */
export function traceGraph(model: Compilable, shape: readonly number[], options: TraceOptions = {}): Graph {
  const { memoryFormat = "contiguous", watch } = options;
  const backend = new TraceBackend();
  const { graph } = backend;
  const slots: TensorSlot[] = [...model.slots()];
  const stored = new Map<Storage, TraceStorage>();
  const removeHooks: (() => void)[] = [];
  try {
    for (const slot of slots) {
      const { tensor } = slot;
      if (tensor.isMeta) continue; // has no numbers: refused where it is used
      let storage = stored.get(tensor.storage);
      if (!storage) {
        const constant = constantOf(tensor.storage);
        storage = new TraceStorage(backend, graph.value(tensor.dtype, constant.length, constant));
        storage.value.name = slot.name;
        stored.set(tensor.storage, storage);
      }
      replaceTensor(slot, new Tensor(storage, tensor.shape, tensor.strides, tensor.offset));
    }
    for (const [path, module] of (model as unknown as AnyModule).namedModules()) {
      removeHooks.push(
        module.registerForwardPreHook(() => void backend.running.push(path)),
        module.registerForwardHook(() => void backend.running.pop()),
      );
    }
    const storage = backend.allocate("f32", sizeOf(shape));
    storage.value.name = "input 0";
    storage.written = true; // by the caller, on every run
    const input = new Tensor(storage, shape, stridesFor(shape, memoryFormat));
    graph.inputs = [{ value: storage.value, shape, strides: input.strides, offset: 0 }];
    const run = (): unknown => (model as unknown as Module<[Tensor], unknown>).call(input);
    const result = watch ? withObserver(watch(graph), run) : run();
    graph.output = backend.structureOf(result);
    return graph;
  } finally {
    for (const remove of removeHooks) remove();
    for (const { owner, field, tensor } of slots) (owner as Record<string, unknown>)[field] = tensor;
  }
}

/** A parameter's numbers: what is still in a file stays there until it is packed. */
function constantOf(storage: Storage): Constant {
  const { dtype } = storage;
  if (!(storage instanceof DeferredStorage)) return Constant.of(dtype, lastingData(storage));
  return Constant.made(dtype, storage.length, (out) => storage.readInto(out));
}
