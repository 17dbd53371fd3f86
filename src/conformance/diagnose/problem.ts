/**
 * A computation that can be done again with a mistake planted in it. Operators that PyTorch has as layers become those layers,
 * so that a mistake is written once, as a change of modules, and works in a layer, a block and a stage alike.
 */
import type { Backend } from "../../backend/backend.ts";
import { withScope } from "../../backend/scope.ts";
import { traceModules } from "../../inspect/trace.ts";
import { type AnyModule, type Module, replaceTensor } from "../../nn/index.ts";
import { type Tensor, Tensor as TensorClass } from "../../tensor/tensor.ts";
import { Attributes } from "../adapters/attributes.ts";
import { callModule, namedResults } from "../adapters/call.ts";
import { buildModule, canonicalName, shapesAmong } from "../adapters/modules.ts";
import { buildNetwork, networkResults, runStage } from "../adapters/networks.ts";
import { runOperator } from "../adapters/operators.ts";
import { toTensor } from "../adapters/tensors.ts";
import type { HostTensor, HostTensors } from "../host-tensor.ts";
import type { Json, Subject } from "../manifest.ts";
import type { NumberArray } from "../numbers.ts";
import { type DetectionReading, detectionsBy } from "./detections.ts";
import { type PictureReading, pictureBy } from "./picture.ts";

/** A whole tensor of numbers, row-major. */
export interface Whole {
  readonly shape: readonly number[];
  readonly data: NumberArray;
}

/** Keyword arguments. */
export type Keywords = { readonly [key: string]: Json };

/** What is done differently. What a change does not name stays as it is. */
export interface Change {
  /** Operators: other attributes. */
  readonly attributes?: (given: Keywords) => Keywords;
  /** Other tensors going in, by name: an operator's operands, a module's inputs. */
  readonly tensors?: (given: ReadonlyMap<string, Tensor>) => ReadonlyMap<string, Tensor>;
  /** Operators: another function in its place. */
  readonly operator?: (tensors: ReadonlyMap<string, Tensor>, attributes: Keywords) => Tensor;
  /** Modules: plants the mistake in the tree; false where there is nothing to plant it in. */
  readonly module?: (root: AnyModule) => boolean;
  /** Pictures: another way to the network's input. */
  readonly picture?: PictureReading;
  /** Detections: another way from the raw output. */
  readonly detections?: DetectionReading;
}

/** A computation. */
export interface Problem {
  readonly form: "operator" | "module" | "picture" | "detections";
  /** The operator's name or the module's class. */
  readonly kind: string;
  readonly attributes: Keywords;
  /** What goes in, by name. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** Does it with the changes, one after another; undefined where one does not apply or the result cannot be computed. */
  run(changes: readonly Change[]): Whole | undefined;
  /** Whether a module tree holds what `test` looks for; false for operators. */
  has(test: (module: AnyModule) => boolean): boolean;
}

/** Layers that operators become: the class, its arguments from the operator's tensors and attributes, and its parameters. */
const LAYERS: Readonly<
  Record<string, (shapes: Shapes, a: Keywords) => { name: string; args: Keywords } | undefined>
> = {
  conv2d: (shapes, a) => {
    const weight = shapes.get("weight");
    if (weight?.length !== 4) return undefined;
    const { stride = 1, padding = 0, dilation = 1, groups = 1 } = a;
    const [out, per, ...kernel] = weight;
    const args = { in_channels: per * Number(groups), out_channels: out, kernel_size: kernel };
    return { name: "Conv2d", args: { ...args, stride, padding, dilation, groups, bias: shapes.has("bias") } };
  },
  linear: (shapes) => {
    const weight = shapes.get("weight");
    if (weight?.length !== 2) return undefined;
    return {
      name: "Linear",
      args: { in_features: weight[1], out_features: weight[0], bias: shapes.has("bias") },
    };
  },
  batch_norm: (shapes, a) => {
    const mean = shapes.get("running_mean");
    if (mean === undefined || shapes.get("input")?.length !== 4) return undefined;
    const affine = shapes.has("weight");
    return {
      name: "BatchNorm2d",
      args: { num_features: mean[0], eps: a.eps ?? 1e-5, affine, bias: shapes.has("bias") },
    };
  },
  layer_norm: (shapes, a) => ({
    name: "LayerNorm",
    args: {
      normalized_shape: a.normalized_shape,
      eps: a.eps ?? 1e-5,
      elementwise_affine: shapes.has("weight"),
      bias: shapes.has("bias"),
    },
  }),
  relu: () => ({ name: "ReLU", args: {} }),
  relu6: () => ({ name: "ReLU6", args: {} }),
  silu: () => ({ name: "SiLU", args: {} }),
  sigmoid: () => ({ name: "Sigmoid", args: {} }),
  gelu: (_shapes, a) => ({ name: "GELU", args: { approximate: a.approximate ?? "none" } }),
  softmax: (_shapes, a) => ({ name: "Softmax", args: { dim: a.dim } }),
};

type Shapes = ReadonlyMap<string, readonly number[]>;

/** Which result of a computation: by name, else by place. */
export interface Wanted {
  readonly name: string;
  readonly output: number;
  /** Networks: mistakes are planted only in the module that makes the tensor, not throughout. */
  readonly local?: boolean;
}

/** The computation of a subject, or undefined where it is none that can be done again. */
export function problemOf(
  subject: Subject,
  inputs: HostTensors,
  parameters: HostTensors,
  wanted: Wanted,
  backend: Backend,
): Problem | undefined {
  if (inputs.size === 0) return undefined;
  if (subject.kind === "operator") {
    const { name, attributes } = subject;
    const given = new Map<string, HostTensor>([...inputs, ...parameters]);
    const shapes = new Map([...given].map(([key, tensor]) => [key, tensor.shape]));
    const layer = Object.hasOwn(LAYERS, name) ? LAYERS[name](shapes, attributes) : undefined;
    if (layer === undefined) return operatorProblem(name, attributes, given, wanted, backend);
    const [first, ...others] = given;
    return layerProblem(layer.name, layer.args, new Map([first]), new Map(others), wanted, backend);
  }
  if (subject.kind === "preprocess") return pictureProblem(subject.size, inputs);
  if (subject.kind === "postprocess") return detectionProblem(subject.conf, subject.picture, inputs);
  if (subject.kind === "module") {
    const { name, arguments: args } = subject;
    return layerProblem(canonicalName(name), args, inputs, parameters, wanted, backend);
  }
  if (subject.kind !== "stage" && subject.kind !== "model") return undefined;
  return moduleProblem(
    {
      kind: subject.kind,
      attributes: {},
      inputs,
      build: () => {
        const network = buildNetwork(subject.model) as unknown as AnyModule;
        // A stage comes with its own parameters and none else; what lacks some cannot be run.
        const complete = fill(network, parameters, backend);
        return complete || subject.kind === "stage" ? network : undefined;
      },
      scope: wanted.local ? (network) => submodule(network, wanted.name) : undefined,
      call: (network, tensors) =>
        traced(network, wanted, () => {
          if (subject.kind === "stage")
            return runStage(network as never, subject.first, subject.last, tensors);
          const [images] = tensors.values();
          return networkResults(network, (network as unknown as Module<[Tensor], unknown>).call(images));
        }),
    },
    backend,
  );
}

function pictureProblem(size: readonly [number, number], inputs: HostTensors): Problem | undefined {
  const [bytes] = inputs.values();
  if (bytes?.dtype !== "U8") return undefined;
  return {
    form: "picture",
    kind: "preprocess",
    attributes: {},
    shapes: new Map(),
    has: () => false,
    run: (changes) => readings(changes, "picture", (reading) => pictureBy(bytes.data, size, reading)),
  };
}

function detectionProblem(
  conf: number,
  picture: readonly [height: number, width: number],
  inputs: HostTensors,
): Problem | undefined {
  const [raw] = inputs.values();
  if (raw?.dtype !== "F32" || raw.shape.length !== 3 || raw.shape[0] !== 1) return undefined;
  return {
    form: "detections",
    kind: "postprocess",
    attributes: {},
    shapes: new Map(),
    has: () => false,
    run: (changes) =>
      readings(changes, "detections", (reading) =>
        detectionsBy(raw.data, raw.shape[2], picture, { conf, ...reading }),
      ),
  };
}

/** All changes are readings of one kind, and no two speak of the same thing: then they are one. */
function readings<K extends "picture" | "detections">(
  changes: readonly Change[],
  kind: K,
  compute: (reading: NonNullable<Change[K]>) => Whole,
): Whole | undefined {
  let all = {} as NonNullable<Change[K]>;
  for (const change of changes) {
    const reading = change[kind];
    if (reading === undefined || Object.keys(reading).some((key) => key in all)) return undefined;
    all = { ...all, ...reading };
  }
  try {
    return compute(all);
  } catch {
    return undefined;
  }
}

function layerProblem(
  kind: string,
  args: Keywords,
  inputs: HostTensors,
  parameters: HostTensors,
  wanted: Wanted,
  backend: Backend,
): Problem {
  const build = (): AnyModule | undefined => {
    const module = buildModule(kind, args);
    return fill(module, parameters, backend) ? module : undefined;
  };
  const call: ModuleParts["call"] = (module, tensors) =>
    traced(module, wanted, () =>
      namedResults(callModule(module, { tensors, shapes: shapesAmong(args), backend })),
    );
  return moduleProblem({ kind, attributes: args, inputs, build, call }, backend);
}

/** Gives a module its parameters; false where one is missing that inference reads. */
function fill(module: AnyModule, parameters: HostTensors, backend: Backend): boolean {
  let complete = true;
  for (const slot of [...module.slots()]) {
    const host = parameters.get(slot.name);
    if (host !== undefined && host.data.length === slot.tensor.size) {
      replaceTensor(slot, toTensor({ ...host, shape: slot.tensor.shape } as HostTensor, backend));
    } else if (!NEVER_RUN.test(slot.name)) complete = false;
  }
  return complete;
}

/** Entries of state dicts that inference does not read. */
const NEVER_RUN = /num_batches_tracked$|denoising_class_embed|dec_score_head\.\d|layer5/;

function operatorProblem(
  kind: string,
  attributes: Keywords,
  given: HostTensors,
  wanted: Wanted,
  backend: Backend,
): Problem {
  return {
    form: "operator",
    kind,
    attributes,
    shapes: new Map([...given].map(([name, tensor]) => [name, tensor.shape])),
    has: () => false,
    run: (changes) => {
      if (changes.some((change) => change.module !== undefined)) return undefined;
      return attempt(() => {
        let a = attributes;
        let tensors: ReadonlyMap<string, Tensor> = new Map(
          [...given].map(([name, x]) => [name, toTensor(x, backend)]),
        );
        for (const change of changes) {
          a = change.attributes?.(a) ?? a;
          tensors = change.tensors?.(tensors) ?? tensors;
        }
        const other = changes.find((change) => change.operator !== undefined)?.operator;
        if (other !== undefined) return other(tensors, a);
        return pick(namedResults(runOperator(kind, tensors, new Attributes(kind, a))), wanted);
      });
    },
  };
}

/** What a problem of modules consists of. */
interface ModuleParts {
  /** Where mistakes are planted: the whole unless said. */
  readonly scope?: (root: AnyModule) => AnyModule | undefined;
  readonly kind: string;
  readonly attributes: Keywords;
  readonly inputs: HostTensors;
  readonly build: () => AnyModule | undefined;
  readonly call: (module: AnyModule, tensors: ReadonlyMap<string, Tensor>) => Tensor | Whole | undefined;
}

function moduleProblem(parts: ModuleParts, backend: Backend): Problem {
  const { kind, attributes, inputs, build, call, scope = (root): AnyModule | undefined => root } = parts;
  let tree: readonly AnyModule[] | undefined;
  return {
    form: "module",
    kind,
    attributes,
    shapes: new Map([...inputs].map(([name, tensor]) => [name, tensor.shape])),
    has: (test) => {
      try {
        const root = tree === undefined ? build() : undefined;
        tree ??= [...((root && scope(root))?.namedModules() ?? [])].map(([, module]) => module);
      } catch {
        tree = [];
      }
      return tree.some(test);
    },
    run: (changes) => {
      if (changes.some((change) => change.attributes ?? change.operator)) return undefined;
      return attempt(() => {
        const module = build();
        if (module === undefined) return undefined;
        let tensors: ReadonlyMap<string, Tensor> = new Map(
          [...inputs].map(([name, x]) => [name, toTensor(x, backend)]),
        );
        for (const change of changes) {
          if (change.module !== undefined) {
            const place = scope(module);
            if (place === undefined || !change.module(place)) return undefined;
          }
          tensors = change.tensors?.(tensors) ?? tensors;
        }
        return call(module, tensors);
      });
    },
  };
}

function pick(results: readonly [string, Tensor][], { name, output }: Wanted): Tensor | undefined {
  return (results.find(([key]) => key === name) ?? (output < 0 ? undefined : results[output]))?.[1];
}

/** The module at a tensor's path, or undefined; a list's members have their place appended. */
function submodule(root: AnyModule, name: string): AnyModule | undefined {
  try {
    return root.getSubmodule(name);
  } catch {
    return undefined;
  }
}

/** The wanted tensor of a run: a result, or what a module inside gave, which lives as long as the call and is copied there. */
function traced(
  module: AnyModule,
  wanted: Wanted,
  run: () => [string, Tensor][],
): Tensor | Whole | undefined {
  let inner: Whole | undefined;
  const results = traceModules(module, run, (path, x) => {
    if (path === wanted.name) inner = wholeOf(x);
  });
  const named = results.find(([key]) => key === wanted.name);
  return named?.[1] ?? inner ?? pick(results, wanted);
}

/** A mistake may make a computation impossible (shapes that do not fit): then there is no result. */
function attempt(compute: () => Tensor | Whole | undefined): Whole | undefined {
  try {
    return withScope(
      () => {
        const x = compute();
        return x instanceof TensorClass ? wholeOf(x) : x;
      },
      () => [],
    );
  } catch {
    return undefined;
  }
}

/** A copy on the JavaScript heap. */
function wholeOf(x: Tensor): Whole {
  const data = x.toArray();
  return {
    shape: [...x.shape],
    data: data instanceof BigInt64Array ? Float64Array.from(data, Number) : data,
  };
}
