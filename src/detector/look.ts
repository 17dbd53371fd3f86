/** What Ultralytics' `visualize`, `embed` and `profile` give, of a pipeline. Layers are numbered as in the YAML. */
import { featureMaps, MAP_ORDERS } from "../depict/feature-maps.ts";
import { fail, isCount, need } from "../errors.ts";
import type { ImageData8 } from "../image/image.ts";
import { countCosts } from "../inspect/cost.ts";
import { traceModules } from "../inspect/trace.ts";
import { type AnyModule, withObserver } from "../nn/index.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { ImageInput } from "./pictures.ts";
import type { Pipeline } from "./pipeline.ts";
import { savePicture } from "./result-files.ts";

/** Which layers. */
export interface LayerOptions {
  /** Numbers of the YAML: 1 to 4 are the backbone's maps, from 5 on the head's. */
  readonly layers?: readonly number[];
}

/** Options of `Pipeline.embed`; the layer before the decoder, the neck's last map, unless said, as Ultralytics takes it. */
export type EmbedOptions = LayerOptions;

/** Options of `Pipeline.visualize`; all layers that give a map unless said. */
export interface VisualizeOptions extends LayerOptions {
  /** Which channels come first: as they are numbered, or those of the greatest variance or mean. "index". */
  readonly order?: "index" | "variance" | "mean";
  /** One range of colours for all channels, instead of each its own. false. */
  readonly together?: boolean;
  /** Channels of a layer that are drawn, the first of the order. 32. */
  readonly channels?: number;
  /** Folder that the sheets are written to, as PNG; made when needed. Not in browsers. */
  readonly dir?: string;
}

/** Feature maps of a layer. */
export interface FeatureSheet {
  /** Its number in the YAML. */
  readonly layer: number;
  /** The module's class. */
  readonly type: string;
  /** "stage5_Conv_features.png": the file's name. */
  readonly name: string;
  /** A panel a channel. */
  readonly image: ImageData8;
}

/** Options of `Pipeline.profile`. */
export interface ProfileOptions {
  /** How often the network runs; times are medians. 5. */
  readonly runs?: number;
  /** What it runs on; a grey picture unless said: times hardly depend on it. */
  readonly image?: ImageInput;
}

/** A line of `Pipeline.profile`. */
export interface LayerProfile {
  /** Number in the YAML; 0 is the backbone. -1: what belongs to no layer. */
  readonly layer: number;
  readonly type: string;
  /** Median over the runs; of a plan the sum of its kernels' medians. */
  readonly milliseconds: number;
  /** Share of the time, in [0, 1]. */
  readonly share: number;
  /** Of one run. A plan has fewer than the network that it was made of. */
  readonly multiplyAdds: number;
  /** Numbers in its parameters. */
  readonly parameters: number;
}

/** See `Pipeline.visualize`. */
export async function visualize(
  pipeline: Pipeline,
  pixels: ImageData8,
  { channels = 32, order = "index", together = false, dir, layers }: VisualizeOptions,
): Promise<FeatureSheet[]> {
  need("channels", channels, isCount, "a whole number >= 1");
  need("order", order, (v) => MAP_ORDERS.includes(v), MAP_ORDERS.join(", "));
  need("together", together, (v) => typeof v === "boolean", "true or false");
  const sheets: FeatureSheet[] = [];
  run(pipeline, pixels, layers ?? mapsOf(pipeline), (layer, type, map) => {
    const title = `layer ${layer}, ${type}`;
    const name = `stage${layer}_${type}_features.png`;
    sheets.push({ layer, type, name, image: featureMaps(map, { most: channels, order, together, title }) });
  });
  if (dir !== undefined) {
    for (const sheet of sheets) await savePicture(`${dir}/${sheet.name}`, async () => sheet.image);
  }
  return sheets;
}

/** See `Pipeline.embed`. */
export async function embed(
  pipeline: Pipeline,
  pixels: ImageData8,
  { layers }: EmbedOptions,
): Promise<Float32Array> {
  const means: number[] = [];
  run(pipeline, pixels, layers ?? mapsOf(pipeline).slice(-1), (_layer, _type, map) => {
    const size = map.shape[2] * map.shape[3];
    const values = map.toFloat32Array();
    for (let at = 0; at < values.length; at += size) {
      means.push(values.subarray(at, at + size).reduce((sum, x) => sum + x, 0) / size);
    }
  });
  return Float32Array.from(means);
}

/** Numbers of the layers that give maps. */
function mapsOf({ model }: Pipeline): number[] {
  return [1, 2, 3, 4, ...model.layers.slice(1, -1).map(({ number }) => number)];
}

/** Runs the network on a picture and hands the maps [1, C, H, W] of layers over, in their order. */
function run(
  pipeline: Pipeline,
  pixels: ImageData8,
  layers: readonly number[],
  take: (layer: number, type: string, map: Tensor) => void,
): void {
  const { model, plan } = pipeline;
  if (plan)
    fail(
      "argument",
      "pipeline",
      "a network layer by layer",
      "a compiled plan",
      "Pipeline({ compile: false })",
    );
  const maps = mapsOf(pipeline);
  need(
    "layers",
    layers,
    (v) => Array.isArray(v) && v.length > 0 && v.every((n) => maps.includes(n)),
    `numbers of ${maps.join(", ")}`,
  );
  const wanted = new Map<string, readonly [number, string]>();
  for (const [i, { number, type }] of model.layers.entries()) {
    if (i > 0) wanted.set(`model.${i}`, [number, className(type)]);
    else for (const n of [1, 2, 3, 4]) wanted.set(`model.0.${n - 1}`, [n, type]);
  }
  const input = pipeline.preprocess(pixels);
  try {
    traceModules(
      model as unknown as AnyModule,
      () => pipeline.infer(input),
      (path, output) => {
        const [number, type] = wanted.get(path) ?? [-1, ""];
        if (layers.includes(number) && output.ndim === 4) take(number, type, output);
      },
    );
  } finally {
    input.dispose();
  }
}

/** "Conv" of "ultralytics.nn.modules.conv.Conv". */
function className(type: string): string {
  return type.slice(type.lastIndexOf(".") + 1);
}

/** See `Pipeline.profile`. */
export async function profile(
  pipeline: Pipeline,
  { runs = 5 }: ProfileOptions,
  pixels?: ImageData8,
): Promise<LayerProfile[]> {
  need("runs", runs, isCount, "a whole number >= 1");
  const { model, plan, info } = pipeline;
  const [height, width] = info.imgsz;
  const grey = { data: new Uint8Array(height * width * 3).fill(128), width, height, channels: 3 } as const;
  const input = pipeline.preprocess(pixels ?? grey, plan?.input);
  const rows = model.layers.map(({ number, type, module }) => ({
    layer: number,
    type: className(type),
    milliseconds: 0,
    multiplyAdds: 0,
    parameters: [...module.namedParameters()].reduce((sum, [, { size }]) => sum + size, 0),
  }));
  if (plan) {
    pipeline.infer(input); // warm
    rows.push({ layer: -1, type: "other", milliseconds: 0, multiplyAdds: 0, parameters: 0 });
    for (const { path, milliseconds, multiplyAdds } of plan.profile(runs)) {
      const row = rows[Number(/^model\.(\d+)/.exec(path)?.[1] ?? rows.length - 1)];
      row.milliseconds += milliseconds;
      row.multiplyAdds += multiplyAdds;
    }
    if (rows[rows.length - 1].milliseconds === 0) rows.pop();
  } else {
    const times = timesOf(pipeline, input, runs);
    const costs = countCosts(model as unknown as AnyModule, [input]);
    for (const [i, row] of rows.entries()) {
      row.milliseconds = times[i].sort((a, b) => a - b)[runs >> 1];
      row.multiplyAdds = costs.get(`0.${i}`) ?? 0;
    }
    input.dispose();
  }
  const total = rows.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  return rows.map(({ layer, type, milliseconds, ...rest }) => {
    return { layer, type, milliseconds, share: milliseconds / total, ...rest };
  });
}

/** Milliseconds of every layer in every run, after one to warm up. */
function timesOf(pipeline: Pipeline, input: Tensor, runs: number): number[][] {
  const numbers = new Map(pipeline.model.layers.map(({ module }, i) => [module, i]));
  const times: number[][] = pipeline.model.layers.map(() => []);
  pipeline.infer(input);
  for (let run = 0; run < runs; run++) {
    withObserver(
      {
        call: (module, _inputs, proceed) => {
          const start = performance.now();
          const output = proceed();
          times[numbers.get(module) ?? -1]?.push(performance.now() - start);
          return output;
        },
        value: () => {},
      },
      () => pipeline.infer(input),
    );
  }
  return times;
}
