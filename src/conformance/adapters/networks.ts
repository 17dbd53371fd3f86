/**
 * Networks of cases on this package: built from the YAML or the variant that a case names, filled with its parameters, and cut
 * to stages. The names of results are those of traces (`src/inspect/trace.ts`): a module's path; the network's own are
 * "output0", "index", "enc_bboxes", "enc_scores" for a detector and "stride4" .. "stride32" for a backbone.
 */
import type { Backend } from "../../backend/backend.ts";
import { isNeverRun } from "../../detector/model-files.ts";
import { fail } from "../../errors.ts";
import {
  Concat,
  FEATURE_STRIDES,
  MobileNetV4,
  parseModelConfig,
  RTDETRDecoder,
  RTDETRDetectionModel,
} from "../../models/index.ts";
import {
  type AnyModule,
  loadStateDict,
  type Module,
  replaceTensor,
  type StateSource,
} from "../../nn/index.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { HostTensor, HostTensors } from "../host-tensor.ts";
import type { ModelSubject } from "../manifest.ts";
import { unsupported } from "./attributes.ts";
import { need, toTensor } from "./tensors.ts";

/** A network with shapes alone. Errors of its YAML are "format". */
export function buildNetwork({ yaml, variant, nc }: ModelSubject): RTDETRDetectionModel | MobileNetV4 {
  if (yaml === undefined)
    return new MobileNetV4(variant ?? unsupported("a network without a variant or YAML"));
  const config = parseModelConfig(yaml, { source: "the case's YAML", nc });
  const backbone = variant === undefined ? config.backbone : { ...config.backbone, module: variant };
  return new RTDETRDetectionModel({ ...config, backbone });
}

/** Fills a module with a case's parameters; what inference never reads may be missing. Throws "weights" as `loadStateDict`. */
export function fillModule(module: AnyModule, parameters: HostTensors, backend: Backend): void {
  // Tensors are made when they are asked for: once, and not kept longer than needed.
  const made = new Map<string, HostTensor>();
  const make = (name: string): HostTensor => {
    const tensor = made.get(name) ?? need(parameters, name, "parameters");
    made.set(name, tensor);
    return tensor;
  };
  const source: StateSource = {
    name: "the case's parameters",
    names: parameters.keys(),
    entry: make,
    readInto: (name, out) => {
      const { data } = make(name);
      made.delete(name);
      if (out instanceof BigInt64Array) for (let i = 0; i < out.length; i++) out[i] = BigInt(data[i]);
      else if (data instanceof BigInt64Array) for (let i = 0; i < out.length; i++) out[i] = Number(data[i]);
      else out.set(data);
    },
  };
  // Non-finite weights are the case's affair: some ask what becomes of them.
  loadStateDict(module, source, { backend, mayMiss: isNeverRun, checkFinite: false });
}

/** As {@link fillModule} for a stage: the parameters are some of the network's. */
export function fillPart(network: AnyModule, parameters: HostTensors, backend: Backend): void {
  for (const slot of network.slots()) {
    if (!parameters.has(slot.name)) continue;
    replaceTensor(slot, toTensor(need(parameters, slot.name, "parameters"), backend));
  }
}

/** The results of a whole network by name. */
export function networkResults(network: AnyModule, result: unknown): [string, Tensor][] {
  if (network instanceof MobileNetV4) {
    return (result as Tensor[]).map((x, i) => [`stride${FEATURE_STRIDES[i]}`, x]);
  }
  return Object.entries(result as Record<string, Tensor>);
}

/**
 * Runs a stage: layers `first` .. `last`, fed with tensors by the names of what makes them ("images", "model.0.layer2"). Layers
 * of a detector's head are wired as its YAML says; children of any other module follow each other. Results go by the same names.
 */
export function runStage(
  network: RTDETRDetectionModel | MobileNetV4,
  first: string,
  last: string,
  inputs: ReadonlyMap<string, Tensor>,
): [string, Tensor][] {
  const [parent, from] = splitPath(first);
  const [otherParent, to] = splitPath(last);
  if (parent !== otherParent) unsupported(`a stage from ${first} to ${last}, which are not in one module`);
  if (network instanceof RTDETRDetectionModel && parent === "model") {
    return runHead(network, Number(from), Number(to), inputs);
  }
  const children = [...network.getSubmodule(parent).namedChildren()];
  const [begin, end] = [from, to].map((name) => children.findIndex(([child]) => child === name));
  if (begin < 0 || end < begin) {
    fail("argument", "stage", "first and last as paths of layers in their order", `${first} and ${last}`);
  }
  if (inputs.size !== 1) fail("argument", "stage", "one tensor that enters", [...inputs.keys()].join(", "));
  let [x] = inputs.values();
  const results: [string, Tensor][] = [];
  for (const [name, module] of children.slice(begin, end + 1)) {
    x = (module as unknown as Module).call(x);
    results.push([parent === "" ? name : `${parent}.${name}`, x]);
  }
  return results;
}

/** Layers of a YAML: `model.0` is the backbone, whose maps are layers 1 .. 4; `model.k` is the YAML's layer k + 4. */
function runHead(
  network: RTDETRDetectionModel,
  from: number,
  to: number,
  inputs: ReadonlyMap<string, Tensor>,
): [string, Tensor][] {
  const results = new Map<string, Tensor>();
  const mapOf = (layer: number): Tensor => {
    const name =
      layer <= FEATURE_STRIDES.length ? `model.0.layer${layer}` : `model.${layer - FEATURE_STRIDES.length}`;
    const given = results.get(name) ?? inputs.get(name);
    return given ?? fail("argument", "stage", `an input ${name}`, [...inputs.keys()].join(", ") || "none");
  };
  network.layers.slice(from, to + 1).forEach(({ module, sources }, i) => {
    const path = `model.${from + i}`;
    if (module instanceof MobileNetV4) {
      const images = inputs.get("images") ?? fail("argument", "stage", "an input images", "none");
      module.call(images).forEach((map, k) => void results.set(`model.0.layer${k + 1}`, map));
    } else if (module instanceof RTDETRDecoder) {
      const found = module.call(sources.map(mapOf));
      for (const [name, x] of Object.entries(found)) results.set(name, x);
      results.set(`${path}.0`, found.output0);
    } else {
      const maps = sources.map(mapOf);
      const input = module instanceof Concat ? maps : maps[0];
      results.set(path, (module as unknown as Module<[unknown]>).call(input));
    }
  });
  return [...results];
}

function splitPath(path: string): [parent: string, name: string] {
  const dot = path.lastIndexOf(".");
  return dot < 0 ? ["", path] : [path.slice(0, dot), path.slice(dot + 1)];
}
