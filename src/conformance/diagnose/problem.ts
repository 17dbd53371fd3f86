/**
 * A computation that can be done again with a mistake planted in it. Operators that PyTorch has as layers become those layers,
 * so that a mistake is written once, as a change of modules, and works in a layer, a block and a stage alike.
 */
import type { Backend } from "../../backend/backend.ts";
import { withScope } from "../../backend/scope.ts";
import { traceModules } from "../../inspect/trace.ts";
import type { AnyModule, Module } from "../../nn/index.ts";
import { type Tensor, Tensor as TensorClass } from "../../tensor/tensor.ts";
import { Attributes } from "../adapters/attributes.ts";
import { callModule, namedResults } from "../adapters/call.ts";
import { buildModule, canonicalName, shapesAmong } from "../adapters/modules.ts";
import { buildNetwork, networkResults, runStage } from "../adapters/networks.ts";
import { runOperator } from "../adapters/operators.ts";
import type { HostTensor, HostTensors } from "../host-tensor.ts";
import type { Subject } from "../manifest.ts";
import type { NumberArray } from "../numbers.ts";
import { elementsOf, multiplyAddsOf, prefixOf, withoutNumbers } from "./cost.ts";
import { type DetectionReading, detectionsBy } from "./detections.ts";
import { type Keywords, layerOf } from "./operator-layers.ts";
import { type PictureReading, pictureBy } from "./picture.ts";
import { SharedTensors } from "./shared-tensors.ts";

/** A whole tensor of numbers, row-major. */
export interface Whole {
  readonly shape: readonly number[];
  readonly data: NumberArray;
}

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
  /** What a run costs, by shapes alone: multiply-adds, and elements that go in. */
  readonly work: number;
  /** What a run costs whose changes do not apply. */
  readonly idle: number;
  /** Frees what runs share. */
  dispose(): void;
  /** Whether a module tree holds what `test` looks for; false for operators. */
  has(test: (module: AnyModule) => boolean): boolean;
}

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
    const layer = layerOf(name, new Map([...given].map(([key, { shape }]) => [key, shape])), attributes);
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
      parameters,
      wanted,
      build: () => buildNetwork(subject.model) as unknown as AnyModule,
      // A stage comes with its own parameters and none else.
      partial: subject.kind === "stage",
      scope: wanted.local ? (network) => submodule(network, wanted.name) : undefined,
      call: (network, tensors) => {
        if (subject.kind === "stage") return runStage(network as never, subject.first, subject.last, tensors);
        const [images] = tensors.values();
        return networkResults(network, (network as unknown as Module<[Tensor], unknown>).call(images));
      },
    },
    backend,
  );
}

/** Operations that unpacking a byte of a picture file takes, about: some pixels, some tens of operations each. */
const DECODING = 100;

function pictureProblem(size: readonly [number, number], inputs: HostTensors): Problem | undefined {
  const [bytes] = inputs.values();
  if (bytes?.dtype !== "U8") return undefined;
  return {
    form: "picture",
    kind: "preprocess",
    attributes: {},
    shapes: new Map(),
    has: () => false,
    work: DECODING * bytes.data.length + 3 * size[0] * size[1],
    idle: 0,
    run: (changes) => readings(changes, "picture", (reading) => pictureBy(bytes.data, size, reading)),
    dispose: () => undefined,
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
    work: raw.data.length + raw.shape[1] ** 2, // overlaps of all pairs
    idle: 0,
    run: (changes) =>
      readings(changes, "detections", (reading) =>
        detectionsBy(raw.data, raw.shape[2], picture, { conf, ...reading }),
      ),
    dispose: () => undefined,
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
  const build = (): AnyModule => buildModule(kind, args);
  const call: ModuleParts["call"] = (module, tensors, where) =>
    namedResults(callModule(module, { tensors, shapes: shapesAmong(args), backend: where }));
  return moduleProblem({ kind, attributes: args, inputs, parameters, wanted, build, call }, backend);
}

function operatorProblem(
  kind: string,
  attributes: Keywords,
  given: HostTensors,
  wanted: Wanted,
  backend: Backend,
): Problem {
  const idle = elementsOf(given);
  const shared = new SharedTensors(given, backend);
  return {
    form: "operator",
    kind,
    attributes,
    shapes: new Map([...given].map(([name, tensor]) => [name, tensor.shape])),
    has: () => false,
    work:
      idle + multiplyAddsOf(() => runOperator(kind, withoutNumbers(given), new Attributes(kind, attributes))),
    idle,
    run: (changes) => {
      if (changes.some((change) => change.module !== undefined)) return undefined;
      return attempt(() => {
        let a = attributes;
        let tensors = shared.all();
        for (const change of changes) {
          a = change.attributes?.(a) ?? a;
          tensors = change.tensors?.(tensors) ?? tensors;
        }
        const other = changes.find((change) => change.operator !== undefined)?.operator;
        if (other !== undefined) return other(tensors, a);
        return pick(namedResults(runOperator(kind, tensors, new Attributes(kind, a))), wanted);
      });
    },
    dispose: () => shared.dispose(),
  };
}

/** What a problem of modules consists of. */
interface ModuleParts {
  /** Where mistakes are planted: the whole unless said. */
  readonly scope?: (root: AnyModule) => AnyModule | undefined;
  readonly kind: string;
  readonly attributes: Keywords;
  readonly inputs: HostTensors;
  readonly parameters: HostTensors;
  /** Whether it can be run although parameters are missing. */
  readonly partial?: boolean;
  readonly wanted: Wanted;
  /** The module with shapes alone. */
  readonly build: () => AnyModule;
  /** Its results by name; `backend` is where modules without inputs make theirs. */
  readonly call: (
    module: AnyModule,
    tensors: ReadonlyMap<string, Tensor>,
    backend: Backend,
  ) => [string, Tensor][];
}

function moduleProblem(parts: ModuleParts, backend: Backend): Problem {
  const { kind, attributes, inputs, parameters, partial = false, wanted, call } = parts;
  const { scope = (root): AnyModule | undefined => root } = parts;
  const [given, weights] = [new SharedTensors(inputs, backend), new SharedTensors(parameters, backend)];
  let tree: readonly AnyModule[] | undefined;
  const prefix = prefixOf(parts, wanted.name);
  const idle = elementsOf(inputs) + [...prefix.read.values()].reduce((sum, n) => sum + n, 0);
  return {
    form: "module",
    kind,
    attributes,
    shapes: new Map([...inputs].map(([name, tensor]) => [name, tensor.shape])),
    work: idle + prefix.multiplyAdds,
    idle,
    has: (test) => {
      try {
        const root = tree === undefined ? parts.build() : undefined;
        tree ??= [...((root && scope(root))?.namedModules() ?? [])].map(([, module]) => module);
      } catch {
        tree = [];
      }
      return tree.some(test);
    },
    run: (changes) => {
      if (changes.some((change) => change.attributes ?? change.operator)) return undefined;
      let module: AnyModule | undefined;
      const whole = attempt(() => {
        module = parts.build();
        if (!weights.fill(module, prefix.read) && !partial) return undefined;
        let tensors = given.all();
        for (const change of changes) {
          if (change.module !== undefined) {
            const place = scope(module);
            if (place === undefined || !change.module(place)) return undefined;
          }
          tensors = change.tensors?.(tensors) ?? tensors;
        }
        const root = module;
        return traced(root, { ...wanted, times: prefix.times }, () => call(root, tensors, backend));
      });
      if (module !== undefined) weights.disposeOthers(module);
      return whole;
    },
    dispose: () => {
      given.dispose();
      weights.dispose();
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

/** Ends a run that has given what was wanted of it. */
class Arrived extends Error {}

/** The wanted tensor of a run: a result, or what a module inside gave, which lives as long as the call and is copied there. */
function traced(
  module: AnyModule,
  wanted: Wanted & { readonly times: number },
  run: () => [string, Tensor][],
): Tensor | Whole | undefined {
  let inner: Whole | undefined;
  let times = 0;
  try {
    const results = traceModules(module, run, (path, x) => {
      if (path !== wanted.name) return;
      inner = wholeOf(x);
      if (++times === wanted.times) throw new Arrived(); // what comes after it is not looked at
    });
    const named = results.find(([key]) => key === wanted.name);
    return named?.[1] ?? inner ?? pick(results, wanted);
  } catch (error) {
    if (error instanceof Arrived) return inner;
    throw error;
  }
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
