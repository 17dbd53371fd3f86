/** Our models with the goldens' weights and pictures, and their runs compared with PyTorch's. */
import { readFileSync } from "node:fs";
import type { Backend } from "../../src/backend/backend.ts";
import { traceModules } from "../../src/inspect/trace.ts";
import { MobileNetV4 } from "../../src/models/mobilenetv4/network.ts";
import { parseModelConfig } from "../../src/models/rtdetr/config.ts";
import { RTDETRDetectionModel } from "../../src/models/rtdetr/model.ts";
import type { AnyModule } from "../../src/nn/index.ts";
import { loadStateDict } from "../../src/nn/state-dict.ts";
import { tensor } from "../../src/tensor/create.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { seededImage } from "../../src/weights/seeded-image.ts";
import { queryOrder, type TraceReport, traceComparer } from "../golden/compare-trace.ts";
import {
  factOf,
  goldenPath,
  goldenWeights,
  type ModelCase,
  type ModelGolden,
  VARIANTS,
} from "../golden/golden.ts";

/** The standard head with a variant as backbone, or a YAML of test/golden/models. */
export function detectorFor(model: string): RTDETRDetectionModel {
  const standard = VARIANTS.includes(model);
  const file = standard
    ? new URL("../../models/rtdetr-mobilenetv4.yaml", import.meta.url)
    : goldenPath(`models/${model}.yaml`);
  const config = parseModelConfig(readFileSync(file, "utf8"), { source: `${model}.yaml` });
  return new RTDETRDetectionModel(
    standard ? { ...config, backbone: { ...config.backbone, module: model } } : config,
  );
}

/** A case's network with its weights on a backend. */
export function loadCase(of: ModelCase, backend: Backend): RTDETRDetectionModel | MobileNetV4 {
  const model = of.kind === "detector" ? detectorFor(of.model) : new MobileNetV4(of.model);
  fillCase(model, of, backend);
  return model;
}

/** Gives a network a case's weights. */
export function fillCase(model: RTDETRDetectionModel | MobileNetV4, of: ModelCase, backend: Backend): void {
  const slots = new Map(model.namedTensors());
  const weights = goldenWeights(of, (name) => slots.has(name));
  loadStateDict(
    model,
    {
      name: `${of.model} (generated)`,
      names: slots.keys(),
      entry: (name) => {
        const { dtype, shape } = slots.get(name)!;
        return { dtype: dtype === "i64" ? "I64" : "F32", shape };
      },
      readInto: (name, out) => {
        const values = weights(name, slots.get(name)!.shape);
        if (out instanceof BigInt64Array) out[0] = BigInt(values[0]);
        else (out as Float32Array).set(values);
      },
    },
    { backend },
  );
}

/** The picture that a golden was made from. */
export function pictureFor({ height, width }: ModelCase, golden: ModelGolden, backend: Backend): Tensor {
  const pixels = seededImage(factOf(golden, "imageSeed"), height, width);
  return tensor(pixels, [1, 3, height, width], { backend }).keep();
}

/** What a run gave beside PyTorch's. */
export interface CaseRun {
  readonly report: TraceReport;
  /** The network's outputs by name, row-major. */
  readonly outputs: ReadonlyMap<string, { shape: readonly number[]; data: Float32Array }>;
  /** Detector: where each of the golden's queries is. */
  readonly order?: Int32Array;
}

/**
 * Runs a network on a picture, comparing every module's output with a golden as it goes. With `injectQueries` a detector
 * refines the golden's queries instead of its own choice.
 */
export function runCase(
  model: RTDETRDetectionModel | MobileNetV4,
  picture: Tensor,
  golden: ModelGolden,
  { injectQueries = false }: { injectQueries?: boolean } = {},
): CaseRun {
  const outputs = new Map<string, { shape: readonly number[]; data: Float32Array }>();
  const backbone = model instanceof MobileNetV4;
  // Which query stands in which row is known only after a run.
  let order: Int32Array | undefined;
  if (!backbone && !injectQueries) {
    const first = model.call(picture);
    order = queryOrder(golden, first.index.toArray());
    for (const x of Object.values(first)) x.dispose();
  }
  const comparer = traceComparer(golden, { order });
  const index = tensor(golden.index, [1, golden.index.length], { backend: picture.backend });
  const options = injectQueries ? { index } : {};
  const run = (): unknown => (backbone ? model.call(picture) : model.call(picture, options));
  const result = traceModules(model as unknown as AnyModule, run, (path, x) => {
    const { data } = x.storage;
    comparer.see(path, { shape: x.shape, data: data as Float32Array, strides: x.strides, offset: x.offset });
  });
  const named = backbone
    ? (result as Tensor[]).map((x, i): [string, Tensor] => [`stride${4 << i}`, x])
    : Object.entries(result as Record<string, Tensor>);
  for (const [name, x] of named) {
    if (x.dtype === "f32") outputs.set(name, { shape: x.shape, data: x.toFloat32Array() });
    x.dispose();
  }
  index.dispose();
  return { report: comparer.report(), outputs, order };
}
