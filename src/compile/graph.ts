/**
 * The graph that a traced forward becomes: nodes in the order in which they run, each reading and writing strided views
 * of values. A value is one run of memory, as a storage is for tensors. `cat` writes one value through several nodes, so
 * that a value may have several writers; passes that want one check for it.
 */
import type {
  BinaryOp,
  ConvOptions,
  DType,
  GridSampleOptions,
  InterpolateOptions,
  Pair,
  PoolOptions,
  ReduceOp,
  TypedArray,
  UnaryOp,
} from "../backend/backend.ts";
import type { Activation } from "../backend/wasm/fused-activation.ts";
import { contiguousStrides, formatShape, sizeOf } from "../tensor/shape.ts";
import { Constant } from "./constant.ts";

/** One run of memory of the graph. */
export interface Value {
  readonly id: number;
  readonly dtype: DType;
  /** Number of elements. */
  readonly length: number;
  /** The numbers, where they are known; such a value has no writers. */
  constant?: Constant;
  /** State-dict name of a parameter, "input 0" ..., or nothing. */
  name?: string;
}

/** A strided window on a value; all in elements. */
export interface View {
  readonly value: Value;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
}

/** What a producing kernel does to its sums where it stores them: y = activation(sum) + residual. */
export interface Epilogue {
  readonly activation?: Activation;
}

/**
 * What a node computes; inputs and outputs in the order of the method of the same name of `Backend`. conv2d and linear
 * have inputs [x, weight, bias or none, residual or none].
 */
export type Operation =
  | { readonly op: "fill"; readonly value: number }
  | { readonly op: "copy" | "matmul" | "affineChannels" | "embedding" | "adaptiveAvgPool2d" }
  | { readonly op: "unary"; readonly f: UnaryOp }
  | { readonly op: "binary"; readonly f: BinaryOp }
  | { readonly op: "clamp"; readonly min: number; readonly max: number }
  | ({ readonly op: "linear" } & Epilogue)
  | ({
      readonly op: "conv2d";
      readonly options: ConvOptions;
      /** The `padding` pixels around the input, in its own value, are zeros: it is read where it lies. */
      readonly framed?: true;
    } & Epilogue)
  | { readonly op: "layerNorm"; readonly eps: number }
  | { readonly op: "softmax" | "gather"; readonly axis: number }
  | { readonly op: "reduce"; readonly f: ReduceOp; readonly axis: number }
  | { readonly op: "topk"; readonly k: number; readonly axis: number; readonly largest: boolean }
  | { readonly op: "pool2d"; readonly options: PoolOptions }
  | { readonly op: "interpolate"; readonly options: InterpolateOptions }
  | { readonly op: "gridSample"; readonly options: GridSampleOptions }
  | { readonly op: "deformableAttention"; readonly shapes: readonly Pair[] };

/** One operation of the graph. */
export interface Node {
  readonly operation: Operation;
  readonly inputs: readonly (View | undefined)[];
  readonly outputs: readonly View[];
  /** Path of the module that made it; "" is the model itself. */
  readonly path: string;
}

/** The structure of a forward's result: a view, something else as it is, or a list or record of them. */
export type Structure =
  | { readonly kind: "view"; readonly view: View }
  | { readonly kind: "other"; readonly value: unknown }
  | { readonly kind: "list"; readonly items: readonly Structure[] }
  | { readonly kind: "record"; readonly entries: readonly (readonly [string, Structure])[] };

/** See the file's head. Passes replace `nodes` and `output`. */
export class Graph {
  nodes: Node[] = [];
  inputs: View[] = [];
  output: Structure = { kind: "other", value: undefined };
  #values = 0;

  /** A new value. */
  value(dtype: DType, length: number, constant?: Constant): Value {
    return { id: this.#values++, dtype, length, constant };
  }

  /** A new value of f32 that is written densely, row-major. */
  tensor(shape: readonly number[]): View {
    return whole(this.value("f32", sizeOf(shape)), shape);
  }

  /** A new constant, row-major; the graph owns `data` from then on. */
  constant(data: TypedArray, shape: readonly number[], dtype: DType = "f32"): View {
    return whole(this.value(dtype, data.length, Constant.of(dtype, data)), shape);
  }

  /** A new f32 constant, row-major, that `write` makes when it is needed: for what is as large as weights. */
  madeConstant(shape: readonly number[], write: (out: Float32Array) => void): View {
    const length = sizeOf(shape);
    return whole(
      this.value(
        "f32",
        length,
        Constant.made("f32", length, (out) => write(out as Float32Array)),
      ),
      shape,
    );
  }

  /** Lets go of the constants' numbers: a plan has its own copies, and prints without them. */
  forgetNumbers(): void {
    const none = Constant.of("f32", new Float32Array(0));
    for (const view of [...this.nodes.flatMap((node) => node.inputs), ...this.outputViews()]) {
      if (view?.value.constant) view.value.constant = none;
    }
  }

  /** The views of the result, in order. */
  outputViews(): View[] {
    return [...viewsOf(this.output)];
  }

  /** One line a node: `path  op(attributes) %1 [shape], ... -> %2 [shape]`. */
  toString(): string {
    const width = Math.min(Math.max(...this.nodes.map((n) => n.path.length), 0), 60);
    const lines = this.nodes.map((node) => `${node.path.padEnd(width)}  ${describeNode(node)}`);
    const outputs = this.outputViews().map(describeView).join(", ");
    return `${[`inputs ${this.inputs.map(describeView).join(", ")}`, ...lines, `outputs ${outputs}`].join("\n")}\n`;
  }

  /** Graphviz: `dot -Tsvg`. */
  toDot(): string {
    const lines = ["digraph plan {", '  node [shape=box, fontname="sans-serif", fontsize=10];'];
    const writers = new Map<Value, number[]>();
    const quote = (text: string): string => JSON.stringify(text).replaceAll("\\\\n", "\\n");
    this.inputs.forEach((view, i) => {
      lines.push(`  in${i} [shape=ellipse, label=${quote(`input ${i}\\n${formatShape(view.shape)}`)}];`);
    });
    const edges = (views: readonly (View | undefined)[], to: string): void => {
      for (const view of views) {
        if (!view || view.value.constant) continue;
        const input = this.inputs.findIndex((x) => x.value === view.value);
        const label = `[label=${quote(formatShape(view.shape))}]`;
        if (input >= 0) lines.push(`  in${input} -> ${to} ${label};`);
        for (const from of writers.get(view.value) ?? []) lines.push(`  n${from} -> ${to} ${label};`);
      }
    };
    this.nodes.forEach((node, i) => {
      const what = [node.operation.op, attributesOf(node.operation), node.path].filter(Boolean).join("\\n");
      lines.push(`  n${i} [label=${quote(what)}];`);
      edges(node.inputs, `n${i}`);
      for (const { value } of node.outputs) writers.set(value, [...(writers.get(value) ?? []), i]);
    });
    lines.push("  out [shape=ellipse, label=output];");
    edges(this.outputViews(), "out");
    return `${[...lines, "}"].join("\n")}\n`;
  }
}

/** All of a value, row-major in a shape. */
export function whole(value: Value, shape: readonly number[]): View {
  return { value, shape, strides: contiguousStrides(shape), offset: 0 };
}

/** The views in a structure, in order. */
export function* viewsOf(structure: Structure): Generator<View> {
  if (structure.kind === "view") yield structure.view;
  else if (structure.kind === "list") for (const item of structure.items) yield* viewsOf(item);
  else if (structure.kind === "record") for (const [, item] of structure.entries) yield* viewsOf(item);
}

/** The structure with every view replaced. */
export function mapViews(structure: Structure, to: (view: View) => View): Structure {
  switch (structure.kind) {
    case "view":
      return { kind: "view", view: to(structure.view) };
    case "list":
      return { kind: "list", items: structure.items.map((item) => mapViews(item, to)) };
    case "record":
      return {
        kind: "record",
        entries: structure.entries.map(([name, item]) => [name, mapViews(item, to)] as const),
      };
    default:
      return structure;
  }
}

/** `conv2d(stride 2,2, relu6) %1 [1, 3, 64, 64], ... -> %4 [1, 32, 32, 32]`. */
export function describeNode(node: Node): string {
  const inputs = node.inputs.map((view) => (view ? describeView(view) : "-")).join(", ");
  const attributes = attributesOf(node.operation);
  const outputs = node.outputs.map(describeView).join(", ");
  return `${node.operation.op}${attributes && `(${attributes})`} ${inputs} -> ${outputs}`;
}

function describeView(view: View): string {
  const { id, constant, name } = view.value;
  return `${constant ? `$${name ?? id}` : `%${id}`} ${formatShape(view.shape)}`;
}

function attributesOf(operation: Operation): string {
  const { op, ...rest } = operation;
  return Object.entries(rest)
    .flatMap(([name, value]) => (name === "options" ? Object.entries(value as object) : [[name, value]]))
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => (typeof value === "string" ? value : `${name} ${String(value)}`))
    .join(", ");
}

const BILINEAR_TAPS = 4;

/** Multiply-adds of a node, counted as the meta backend counts them. */
export function multiplyAddsOf({ operation, inputs, outputs }: Node): number {
  const size = sizeOf(outputs[0].shape);
  const of = (i: number): readonly number[] => inputs[i]?.shape ?? [];
  switch (operation.op) {
    case "matmul":
      return size * (of(0).at(-1) ?? 1);
    case "linear":
      return size * of(1)[1];
    case "conv2d":
      return size * of(1)[1] * of(1)[2] * of(1)[3];
    case "gridSample":
      return operation.options.mode === "bilinear" ? size * BILINEAR_TAPS : 0;
    case "deformableAttention":
      return sizeOf(of(2)) * of(0)[3] * (BILINEAR_TAPS + 1);
    default:
      return 0;
  }
}

/** Multiply-adds of a whole graph. */
export function totalMultiplyAdds(graph: Graph): number {
  return graph.nodes.reduce((sum, node) => sum + multiplyAddsOf(node), 0);
}
