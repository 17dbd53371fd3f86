/**
 * Forced mode: each module of a network is run by itself, fed with golden inputs, so that the module that computes something else
 * is told from those that got wrong inputs. The kit keeps samples of goldens; whole tensors are computed here, layer by layer on
 * the reference backend, and count as golden only once every module's output was found to agree with PyTorch's samples.
 */
import type { Backend } from "../backend/backend.ts";
import { referenceBackend } from "../backend/reference/reference.ts";
import { describe, fail, MobileDetrError } from "../errors.ts";
import type { AnyModule } from "../nn/index.ts";
import { Tensor } from "../tensor/tensor.ts";
import { callModule } from "./adapters/call.ts";
import { describeModule, nameCall } from "./adapters/describe-module.ts";
import { buildModule, shapesAmong } from "./adapters/modules.ts";
import { buildNetwork, fillModule, fillPart, networkResults, runStage } from "./adapters/networks.ts";
import { need, toHost, toTensor } from "./adapters/tensors.ts";
import { type CompareContext, compareTensors } from "./compare.ts";
import type { HostTensor, HostTensors } from "./host-tensor.ts";
import type { LoadedCase } from "./kit.ts";
import { LazyTensors } from "./lazy-tensors.ts";
import type { ExpectedTensor, Json, Subject } from "./manifest.ts";
import type { RunRequest } from "./runtime.ts";
import { queryOrder } from "./sets.ts";
import { type Rule, ruleNamed } from "./tolerances.ts";

/** One module of a case, ready to be asked of a runtime. */
export interface ForcedModule {
  /** The module's path: also the golden's name, but for members of lists. */
  readonly path: string;
  /** Class and arguments as one would write them: "UIB(cin=64, cout=96, ...)". */
  readonly kind: string;
  readonly request: RunRequest;
  /** The golden of the module's output. */
  readonly expected: ExpectedTensor;
  readonly golden: HostTensor;
  /** The whole output as it was computed here, of which the golden's samples were met. */
  readonly whole: HostTensor;
  readonly context: CompareContext;
}

/** A computation that was recorded: what entered each module. */
interface Recorded {
  readonly subject: Subject & { readonly kind: "module" };
  readonly inputs: HostTensors;
}

/** The golden run of a case, with every module's inputs whole. */
export class GoldenRun {
  /** Paths of the modules that can be run by themselves, in the order in which they finish. */
  readonly paths: readonly string[];
  readonly #case: LoadedCase;
  readonly #recorded: ReadonlyMap<string, Recorded>;
  readonly #outputs: HostTensors;
  readonly #order: ArrayLike<number> | undefined;
  readonly #parameters: (path: string) => HostTensors;

  /**
   * Computes a case of kind "module", "stage" or "model". Throws "state" where what is computed here is not PyTorch's, so that
   * nothing may be called golden; "argument" for other kinds.
   */
  constructor(loaded: LoadedCase, backend: Backend = referenceBackend) {
    this.#case = loaded;
    const { inputs, parameters, manifest } = loaded;
    const { module, run } = computationOf(manifest.subject, parameters, inputs, backend);
    const recorded = new Map<string, Recorded>();
    const outputs = new Map<string, HostTensor>();
    const wanted = new Set(manifest.outputs.map(({ name }) => name));
    const remove: (() => void)[] = [];
    for (const [path, part] of module.namedModules()) {
      if (path === "") continue;
      remove.push(
        part.registerForwardPreHook((_module, given) => {
          const subject = describeModule(part);
          if (subject) recorded.set(path, recordedOf(subject, given));
          return undefined;
        }),
        part.registerForwardHook((_module, _given, output) => {
          for (const [name, x] of outputNames(path, output))
            if (wanted.has(name)) outputs.set(name, toHost(x));
          const own = recorded.get(path);
          recorded.delete(path); // by when they finish, as traces are
          if (own) recorded.set(path, own);
        }),
      );
    }
    try {
      for (const [name, x] of run()) outputs.set(name, toHost(x));
    } finally {
      for (const off of remove) off();
      module.dispose();
    }
    const [golden, index] = [loaded.expected.get("index"), outputs.get("index")];
    this.#order =
      golden &&
      index &&
      queryOrder(
        Array.from<number | bigint, number>(golden.data, Number),
        Array.from<number | bigint, number>(index.data, Number),
      );
    this.#verify(outputs);
    this.#recorded = recorded;
    this.#outputs = outputs;
    const known = new Set(wanted);
    this.paths = [...recorded.keys()].filter((path) => known.has(path) || known.has(`${path}.0`));
    this.#parameters = (path) => below(parameters, path);
  }

  #contextOf(name: string): CompareContext {
    const { doubles } = this.#case;
    const rule = innerRule(this.#case.output(name));
    const order = goesByQuery(name) ? this.#order : undefined;
    return { mode: "forced", double: doubles.get(name), order, rule };
  }

  /** Every golden of the case must be met, or nothing that was computed is golden. */
  #verify(outputs: HostTensors): void {
    const { expected, manifest } = this.#case;
    for (const tensor of manifest.outputs) {
      if (!outputs.has(tensor.name)) continue;
      const golden = need(expected, tensor.name, manifest.id);
      const verdict = compareTensors(tensor, golden, outputs.get(tensor.name), this.#contextOf(tensor.name));
      if (verdict.status === "equal" || verdict.status === "within") continue;
      const got = `${verdict.status}: ${verdict.note ?? ""}`;
      fail("state", `${manifest.id}, ${tensor.name}`, "our own run to agree with PyTorch's samples", got);
    }
  }

  /** A module by its path, to be asked of a runtime; undefined where there is no golden of its output or no word for it. */
  module(path: string): ForcedModule | undefined {
    const recorded = this.#recorded.get(path);
    const { manifest, expected } = this.#case;
    const name = manifest.outputs.find((tensor) => tensor.name === path || tensor.name === `${path}.0`)?.name;
    if (!recorded || name === undefined) return undefined;
    const { subject, inputs } = recorded;
    const id = `${manifest.id}#${path}`;
    return {
      path,
      kind: moduleText(subject),
      request: { id, subject, inputs, parameters: this.#parameters(path), outputs: ["output"] },
      expected: this.#case.output(name),
      golden: need(expected, name, id),
      whole: need(this.#outputs, name, id),
      context: this.#contextOf(name),
    };
  }
}

/**
 * What judges a tensor inside a case, in place of its operator's own rule, which holds for the very inputs that PyTorch had:
 * these had others, the runtime's own or those computed here, that differ by rounding. undefined: the manifest's rule.
 */
export function innerRule({ maker }: ExpectedTensor): Rule | undefined {
  return maker && ruleNamed("module");
}

/** Tensors with a row for each chosen query, in the order of the choice; others may have as many rows by chance. */
const BY_QUERY =
  /(^|\.)(enc_bbox_head|query_pos_head|decoder|dec_bbox_head|dec_score_head)(\.|$)|^(enc_bboxes|enc_scores|output0|output)$|^model\.\d+\.0$/;

/** Whether a tensor's rows are queries, so that they go by the run's own order of them. */
export function goesByQuery(name: string): boolean {
  return BY_QUERY.test(name);
}

/** Whether a case's modules can be run by themselves. */
export function canForce({ kind }: Subject): boolean {
  return kind === "module" || kind === "stage" || kind === "model";
}

function computationOf(
  subject: Subject,
  parameters: HostTensors,
  inputs: HostTensors,
  backend: Backend,
): { module: AnyModule; run: () => [string, Tensor][] } {
  const tensors = new Map([...inputs].map(([name, host]) => [name, toTensor(host, backend)]));
  switch (subject.kind) {
    case "module": {
      const module = buildModule(subject.name, subject.arguments);
      fillModule(module, parameters, backend);
      const shapes = shapesAmong(subject.arguments);
      const run = (): [string, Tensor][] => {
        callModule(module, { tensors, shapes, backend });
        return [];
      };
      return { module, run };
    }
    case "stage": {
      const network = buildNetwork(subject.model);
      fillPart(network as unknown as AnyModule, parameters, backend);
      const run = (): [string, Tensor][] => runStage(network, subject.first, subject.last, tensors);
      return { module: network as unknown as AnyModule, run };
    }
    case "model": {
      const network = buildNetwork(subject.model) as unknown as AnyModule;
      fillModule(network, parameters, backend);
      const [images] = tensors.values();
      const call = (network as unknown as { call(x: Tensor): unknown }).call.bind(network);
      return { module: network, run: () => networkResults(network, call(images)) };
    }
    default:
      throw new MobileDetrError(
        "argument",
        describe("forced mode", "a case of modules, a stage or a network", subject.kind),
      );
  }
}

function recordedOf(subject: Recorded["subject"], given: readonly unknown[]): Recorded {
  const { tensors, shapes } = nameCall(subject.name, given);
  const inputs = new Map(tensors.map(([name, x]) => [name, toHost(x)]));
  if (!shapes) return { subject, inputs };
  const levels = shapes.map(([h, w]): Json => [h, w]);
  return { subject: { ...subject, arguments: { ...subject.arguments, shapes: levels } }, inputs };
}

/** As in traces: a list's members are "path.0" and so on, attention's output has the path itself. */
function outputNames(path: string, output: unknown): [string, Tensor][] {
  if (output instanceof Tensor) return [[path, output]];
  if (Array.isArray(output)) return output.flatMap((item, i) => outputNames(`${path}.${i}`, item));
  if (typeof output !== "object" || output === null) return [];
  const { output: main, output0 } = output as Record<string, unknown>;
  if (main instanceof Tensor) return [[path, main]];
  return output0 instanceof Tensor ? [[`${path}.0`, output0]] : [];
}

/** The state-dict entries of a module, by their names within it. */
function below(parameters: HostTensors, path: string): HostTensors {
  const prefix = `${path}.`;
  const names = [...parameters.keys()].filter((name) => name.startsWith(prefix));
  return new LazyTensors(
    names.map((name) => name.slice(prefix.length)),
    (name) => need(parameters, prefix + name, path),
  );
}

/** A module as one would write it: "UIB(cin=64, cout=96, ...)". */
export function moduleText({ name, arguments: args }: Subject & { readonly kind: "module" }): string {
  const text = (value: Json): string => JSON.stringify(value).replaceAll(",", ", ");
  const list = Object.entries(args).map(([key, value]) => `${key}=${text(value)}`);
  return `${name}(${list.join(", ")})`;
}
