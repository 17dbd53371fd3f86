/**
 * This package as a runtime, in its four ways: layer by layer on the reference backend and on WASM, and compiled, with and
 * without Winograd's and Strassen's algorithms. Operator and module cases are compiled too: a small module stands around them.
 *
 * Layer by layer every module's output is given that is asked for; a compiled plan has only the results of the whole.
 */
import type { Backend } from "../../backend/backend.ts";
import { referenceBackend } from "../../backend/reference/reference.ts";
import { createWasmBackend, type WasmBackend } from "../../backend/wasm/wasm-backend.ts";
import { compile } from "../../compile/index.ts";
import { MobileDetrError, messageOf } from "../../errors.ts";
import { traceModules } from "../../inspect/trace.ts";
import { RTDETRDetectionModel } from "../../models/index.ts";
import { type AnyModule, BufferTensor, Module } from "../../nn/index.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { HostTensor } from "../host-tensor.ts";
import type { Subject } from "../manifest.ts";
import type { RunRequest, RunResponse, Runtime } from "../runtime.ts";
import { Attributes, Unsupported, unsupported } from "./attributes.ts";
import { callModule, namedResults } from "./call.ts";
import { buildModule, shapesAmong } from "./modules.ts";
import { buildNetwork, fillModule, fillPart, networkResults, runStage } from "./networks.ts";
import { runOperator } from "./operators.ts";
import { decodeBytes, toDetections, toImages } from "./pictures.ts";
import { need, toHost, toTensor } from "./tensors.ts";

/** The four ways. */
export const OUR_PATHS = ["eager-reference", "eager-wasm", "compiled", "compiled-exact"] as const;

/** One of {@link OUR_PATHS}. */
export type OurPath = (typeof OUR_PATHS)[number];

/** Options of {@link openOurRuntime}. */
export interface OurOptions {
  /** Threads of the WASM ways; 1 unless said. The bits do not depend on it. */
  readonly threads?: number;
  /** What is done to every module after it was built and filled: mistakes are planted here. */
  readonly change?: (module: AnyModule) => void;
  /** Replaces the backend of the eager ways; it must work on JavaScript's heap. */
  readonly backend?: Backend;
  /** What reports call it. */
  readonly name?: string;
}

/** Height and width that `detect` stretches to where the subject has no size, in pixels. */
const DETECT_SIZE = [640, 640] as const;

/** What a case computes, as a module: inputs by name, results by name. */
class Computation extends Module<[ReadonlyMap<string, Tensor>], [string, Tensor][]> {
  readonly subject?: AnyModule;
  readonly #run: (inputs: ReadonlyMap<string, Tensor>) => [string, Tensor][];

  constructor(
    run: (inputs: ReadonlyMap<string, Tensor>) => [string, Tensor][],
    /** What has parameters and is traced. */
    subject?: AnyModule,
  ) {
    super();
    if (subject) this.subject = subject;
    this.#run = run;
  }

  forward(inputs: ReadonlyMap<string, Tensor>): [string, Tensor][] {
    return this.#run(inputs);
  }
}

/** The computation of a subject, its module filled. `backend` is where results of modules without inputs are made. */
function computationOf(
  { subject, parameters }: Pick<RunRequest, "subject" | "parameters">,
  backend: Backend,
  placed: Backend,
  change: (module: AnyModule) => void,
): Computation {
  const filled = <M extends AnyModule>(module: M): M => {
    fillModule(module, parameters, placed);
    change(module);
    return module;
  };
  switch (subject.kind) {
    case "operator": {
      const { name, attributes } = subject;
      return new Computation((x) => namedResults(runOperator(name, x, new Attributes(name, attributes))));
    }
    case "module": {
      const module = filled(buildModule(subject.name, subject.arguments));
      const shapes = shapesAmong(subject.arguments);
      return new Computation(
        (tensors) => namedResults(callModule(module, { tensors, shapes, backend })),
        module,
      );
    }
    case "stage": {
      const network = buildNetwork(subject.model);
      fillPart(network as unknown as AnyModule, parameters, placed);
      change(network as unknown as AnyModule);
      const run = (x: ReadonlyMap<string, Tensor>): [string, Tensor][] =>
        runStage(network, subject.first, subject.last, x);
      return new Computation(run, network as unknown as AnyModule);
    }
    case "model": {
      const network = filled(buildNetwork(subject.model) as unknown as AnyModule);
      return new Computation((x) => {
        const [images] = x.values();
        const index = x.get("index");
        const takesIndex = index !== undefined && network instanceof RTDETRDetectionModel;
        const result = takesIndex
          ? network.call(images, { index })
          : (network as unknown as Module<[Tensor], unknown>).call(images);
        return networkResults(network, result);
      }, network);
    }
    default:
      return unsupported(`${subject.kind} as a computation`);
  }
}

/** Results and, where there is a module, what the modules inside it gave; only what is wanted. */
function runEager(computation: Computation, request: RunRequest, backend: Backend): Map<string, HostTensor> {
  const wanted = new Set(request.outputs);
  const outputs = new Map<string, HostTensor>();
  const inputs = new Map([...request.inputs].map(([name, host]) => [name, toTensor(host, backend)]));
  try {
    const run = (): [string, Tensor][] => computation.call(inputs);
    const inner = computation.subject;
    const results = inner
      ? traceModules(inner, run, (path, x) => void (wanted.has(path) && outputs.set(path, toHost(x))))
      : run();
    for (const [name, x] of results) {
      outputs.delete(name); // last, whoever else has the name
      outputs.set(name, toHost(x));
    }
    for (const [, x] of results) x.dispose();
    return outputs;
  } finally {
    for (const x of inputs.values()) x.dispose();
    computation.dispose();
  }
}

/** A computation of one tensor, as compiling wants it; the other inputs are constants of it. */
class OfOneInput extends Module<[Tensor], Tensor[]> {
  readonly computation: Computation;
  readonly names: string[] = [];
  readonly #main: string | undefined;
  readonly #inputs: readonly string[];

  constructor(computation: Computation, inputs: ReadonlyMap<string, Tensor>, main: string | undefined) {
    super();
    this.computation = computation;
    this.#main = main;
    this.#inputs = [...inputs.keys()];
    this.#inputs.forEach((name, i) => {
      const x = inputs.get(name) as Tensor;
      const field = new BufferTensor(x.storage, x.shape, x.strides, x.offset);
      if (name !== main) (this as unknown as Record<string, unknown>)[`input_${i}`] = field;
    });
  }

  forward(x: Tensor): Tensor[] {
    const fields = this as unknown as Record<string, Tensor>;
    const given = this.#inputs.map((name, i): [string, Tensor] => [
      name,
      name === this.#main ? x : fields[`input_${i}`],
    ]);
    const results = this.computation.call(new Map(given));
    this.names.splice(0, this.names.length, ...results.map(([name]) => name));
    return results.map(([, result]) => result);
  }
}

function runCompiled(
  computation: Computation,
  request: RunRequest,
  backend: WasmBackend,
  exact: boolean,
): Map<string, HostTensor> {
  const host = [...request.inputs];
  const main = host.find(([, { dtype, data }]) => dtype === "F32" && data.length > 0)?.[0];
  if (main === undefined) return unsupported("compiling a case without an f32 input");
  const inputs = new Map(host.map(([name, x]) => [name, toTensor(x, referenceBackend)]));
  const module = new OfOneInput(computation, inputs, main);
  const { shape } = need(request.inputs, main, "inputs");
  const plan = compile(module as never, { shape, backend, exact }) as ReturnType<typeof compile<Tensor[]>>;
  try {
    const results = plan.run(inputs.get(main) as Tensor);
    return new Map(results.map((x, i) => [module.names[i], toHost(x)]));
  } finally {
    plan.dispose();
    computation.dispose();
  }
}

/** Opens one of the four ways. Close it to end its threads. */
export function openOurRuntime(path: OurPath, options: OurOptions = {}): Runtime {
  const { threads = 1, change = () => undefined } = options;
  const wasm = path === "eager-reference" || options.backend ? undefined : createWasmBackend({ threads });
  const eager = options.backend ?? wasm ?? referenceBackend;
  const compiled = path.startsWith("compiled") ? wasm : undefined;

  const compute = (request: RunRequest): Map<string, HostTensor> => {
    if (!compiled) return runEager(computationOf(request, eager, eager, change), request, eager);
    const computation = computationOf(request, referenceBackend, referenceBackend, change);
    return runCompiled(computation, request, compiled, path === "compiled-exact");
  };

  const detect = (
    request: RunRequest,
    { model, conf, size = DETECT_SIZE }: Extract<Subject, { kind: "detect" }>,
  ): Map<string, HostTensor> => {
    const found = new Map<string, HostTensor>();
    for (const [name, bytes] of request.inputs) {
      if (!name.startsWith("picture.")) continue;
      const pixels = decodeBytes(bytes, name);
      const inputs = new Map([["images", toImages(pixels, size)]]);
      const raw = compute({ ...request, subject: { kind: "model", model }, inputs, outputs: ["output0"] });
      const boxes = toDetections(need(raw, "output0", name), conf, [pixels.height, pixels.width]);
      found.set(name.replace("picture.", "detections."), boxes);
    }
    return found;
  };

  const outputsOf = (request: RunRequest, subject: Subject): Map<string, HostTensor> => {
    switch (subject.kind) {
      case "preprocess":
        return new Map([
          [
            "images",
            toImages(decodeBytes(need(request.inputs, "picture", request.id), "picture"), subject.size),
          ],
        ]);
      case "postprocess": {
        const raw = need(request.inputs, "output0", request.id);
        return new Map([["detections", toDetections(raw, subject.conf, subject.picture)]]);
      }
      case "detect":
        return detect(request, subject);
      default:
        return compute(request);
    }
  };

  return {
    name: options.name ?? `mobiledetr ${path}`,
    async run(request: RunRequest): Promise<RunResponse> {
      const start = performance.now();
      try {
        const outputs = outputsOf(request, request.subject);
        return { status: "done", outputs, seconds: (performance.now() - start) / 1000 };
      } catch (error) {
        if (error instanceof Unsupported) return { status: "unsupported", message: error.message };
        if (!(error instanceof MobileDetrError)) throw error;
        return { status: "failed", message: messageOf(error) };
      }
    },
    async close(): Promise<void> {
      await wasm?.close();
    },
  };
}
