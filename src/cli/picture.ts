/** `mobiledetr picture`: feature maps, attention and sampling of a layer as a PNG or JPEG file. */

import { featureMaps, MAP_ORDERS } from "../depict/feature-maps.ts";
import { attentionSheet, samplingImage } from "../depict/overlays.ts";
import { fail } from "../errors.ts";
import { encodeImage } from "../image/encode.ts";
import { formatFromPath } from "../image/format-from-path.ts";
import type { ImageData8 } from "../image/image.ts";
import { toRgb } from "../image/image.ts";
import { resizeBilinear } from "../image/resize.ts";
import { type Step, steps } from "../inspect/index.ts";
import { RTDETRDetectionModel } from "../models/rtdetr/model.ts";
import type { DetectorOutput } from "../models/rtdetr/rtdetr-decoder.ts";
import type { Module } from "../nn/index.ts";
import { formatShape } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { writeFileWhole } from "../weights/file-source.ts";
import type { Arguments } from "./arguments.ts";
import type { Command } from "./command.ts";
import { INPUT_HELP, loadNetwork, type NamedNetwork, nameNetwork, RUN_OPTIONS } from "./eager-network.ts";
import { EXIT_DONE } from "./exit-codes.ts";
import { checkModulePath } from "./module-path.ts";
import { printable } from "./printable.ts";
import type { Terminal } from "./terminal.ts";

const KINDS = ["maps", "attention", "sampling"] as const;
const SHEET_PX = 400; // longest side of a picture in a sheet of overlays
const PICTURE_PX = 1280; // longest side of the picture that sampling points are drawn on

/** `mobiledetr picture` */
export const pictureCommand: Command = {
  name: "picture",
  summary: "Draw a layer on a picture: feature maps, attention, sampling points.",
  description:
    "Runs a network and writes what a layer does to a file. maps: a panel for each channel of the layer's output. attention: where a " +
    "token looks, head by head, over the picture. sampling: the points that a decoder layer reads for a query, as large as their weight, " +
    "with the query's box before (grey) and after the layer.",
  positional: { name: "INPUT", help: INPUT_HELP, least: 1, most: 1 },
  options: [
    { name: "layer", value: "PATH", help: "A module, as layers lists them." },
    { name: "output", value: "FILE", help: "A .png or .jpg file; replaced if it is there." },
    { name: "show", value: KINDS.join("|"), help: "What is drawn.", default: "what the layer has" },
    { name: "most", value: "N", help: "maps: so many channels.", default: "64" },
    { name: "order", value: MAP_ORDERS.join("|"), help: "maps: what comes first.", default: "variance" },
    { name: "together", help: "maps: one range of colours for all channels, not each its own." },
    { name: "at", value: "X,Y", help: "attention: from this pixel of the picture.", default: "the middle" },
    { name: "query", value: "N", help: "sampling: this query.", default: "the one with the best score" },
    ...RUN_OPTIONS,
  ],
  examples: [
    ["mobiledetr picture photo.jpg --layer model.0.layer2 --output maps.png", "What a stage sees."],
    [
      "mobiledetr picture photo.jpg --layer model.2.ma --at 300,200 --output attention.png",
      "What a place attends to.",
    ],
    [
      "mobiledetr picture photo.jpg --layer model.19.decoder.layers.2.cross_attn --output points.png",
      "What the best detection reads.",
    ],
  ],
  run: picture,
};

async function picture(args: Arguments, terminal: Terminal): Promise<number> {
  const layer = args.need("layer");
  const output = args.need("output");
  const format = formatFromPath(output);
  const show = args.choice("show", KINDS);
  const named = nameNetwork(args, args.words[0]);
  const paths = [...(named.network as unknown as Module).namedModules()].map(([path]) => path);
  checkModulePath(layer, { where: "--layer", paths, patterns: false });
  const { images, close } = await loadNetwork(args, named);
  try {
    const image = await draw(args, named, images, layer, show);
    writeFileWhole(output, [encodeImage(image, format)]);
    terminal.print(`${printable(output)}: ${image.width} x ${image.height} pixels`);
    return EXIT_DONE;
  } finally {
    await close();
  }
}

/** Runs to the layer and draws it; for sampling on to the end, for the best query is known there. */
async function draw(
  args: Arguments,
  named: NamedNetwork,
  images: Tensor,
  layer: string,
  show: (typeof KINDS)[number] | undefined,
): Promise<ImageData8> {
  const model = named.network as unknown as Module<[Tensor], unknown>;
  const head = [...model.namedModules()].find(([, module]) => module.kind === "RTDETRDecoder")?.[0];
  const breakpoints = [layer, ...(head === undefined ? [] : [head])];
  const run = steps(model, images, { breakpoints });
  let sampled: Sampled | undefined;
  for await (const step of run) {
    if (step.phase === "before") continue;
    if (step.path === layer) {
      const has = (name: string): Tensor | undefined =>
        step.values.find((value) => value.name === `${layer}.${name}`)?.tensor;
      const [locations, weights] = [has("sampling_locations"), has("sampling_weights")];
      const kind = show ?? (locations ? "sampling" : has("attention") ? "attention" : "maps");
      if (kind === "maps") return mapsOf(args, step);
      if (kind === "attention") return attentionOf(args, named, step, has("attention"));
      if (!locations || !weights)
        return fail(
          "argument",
          "--show sampling",
          "a decoder layer's cross_attn",
          `${layer}, a ${step.kind}`,
        );
      sampled = {
        locations: locations.clone().keep(),
        weights: weights.clone().keep(),
      };
    } else if (sampled) {
      const boxes = step.values.filter(({ name }) => name.includes(".boxes.")).map(({ tensor }) => tensor);
      return samplingOf(args, named, layer, sampled, boxes, step);
    }
  }
  return fail("argument", "--layer", "a module that runs", layer, "see mobiledetr layers");
}

function mapsOf(args: Arguments, step: Step): ImageData8 {
  const [output] = step.outputs;
  if (step.outputs.length !== 1 || output.tensor.ndim !== 4) {
    const got = step.outputs.map(({ tensor }) => formatShape(tensor.shape)).join(", ");
    fail("argument", "--show maps", "a layer of one output [1, C, H, W]", `${step.path}: ${got}`);
  }
  return featureMaps(output.tensor, {
    most: args.count("most"),
    order: args.choice("order", MAP_ORDERS),
    together: args.has("together"),
    title: `${step.path}, ${step.kind}`,
  });
}

function attentionOf(
  args: Arguments,
  named: NamedNetwork,
  step: Step,
  attention: Tensor | undefined,
): ImageData8 {
  if (!attention)
    fail(
      "argument",
      "--show attention",
      "AIFI's ma or a multi_query_attention",
      `${step.path}, a ${step.kind}`,
    );
  const shown = pictureOf(named, SHEET_PX);
  const whole = named.input.picture ?? shown;
  const queries = attention.shape[2];
  const side = Math.round(Math.sqrt(queries));
  const [x, y] = placeOf(args.text("at"), whole);
  const isMap = side * side === queries && /(^|\.)ma$|multi_query_attention$/.test(step.path);
  if (!isMap)
    fail(
      "argument",
      "--show attention",
      "tokens that are pixels of a square map",
      `${step.path}: ${queries} queries`,
      "use a square --imgsz",
    );
  const [column, row] = [Math.floor((x * side) / whole.width), Math.floor((y * side) / whole.height)];
  const cell = {
    x: (column * shown.width) / side,
    y: (row * shown.height) / side,
    width: shown.width / side,
    height: shown.height / side,
  };
  const isAifi = step.kind === "MultiheadAttention";
  const quirk = isAifi ? "" : ", whose queries are re-viewed pixels (quirk 2)";
  const title = `${step.path}, from row ${row}, column ${column} of ${side} x ${side}${quirk}`;
  return attentionSheet(shown, attention, {
    token: row * side + column,
    title,
    ...(isAifi ? { mark: cell } : {}),
  });
}

/** What a layer's step had, kept beyond it. */
interface Sampled {
  readonly locations: Tensor;
  readonly weights: Tensor;
}

function samplingOf(
  args: Arguments,
  named: NamedNetwork,
  layer: string,
  { locations, weights }: Sampled,
  boxes: readonly Tensor[],
  head: Step,
): ImageData8 {
  const number = Number(/layers\.(\d+)\.cross_attn$/.exec(layer)?.[1] ?? Number.NaN);
  const output0 = head.outputs[0].tensor;
  const queries = output0.shape[1];
  const query = args.number("query", 0, queries) ?? bestQuery(output0);
  if (!Number.isInteger(query))
    fail("argument", "--query", `a whole number in 0 .. ${queries - 1}`, String(query));
  const row = output0.select(0, 0).select(0, query).toFloat32Array();
  const scores = row.subarray(4);
  const best = scores.indexOf(Math.max(...scores));
  const name = namesOf(named)?.[best] ?? `class ${best}`;
  const box = (tensor: Tensor): number[] => [...tensor.select(0, 0).select(0, query).toFloat32Array()];
  const image = samplingImage(pictureOf(named, PICTURE_PX), {
    locations: locations.select(0, 0).select(0, query),
    weights: weights.select(0, 0).select(0, query),
    before: box(boxes[number]),
    after: box(boxes[number + 1]),
    label: `query ${query}: ${name} ${scores[best].toFixed(2)}`,
  });
  locations.dispose();
  weights.dispose();
  return image;
}

function namesOf({ network }: NamedNetwork): readonly string[] | undefined {
  return network instanceof RTDETRDetectionModel ? network.config.names : undefined;
}

function bestQuery(output0: DetectorOutput["output0"]): number {
  const [, queries, columns] = output0.shape;
  const values = output0.toFloat32Array();
  let [best, at] = [-1, 0];
  for (let q = 0; q < queries; q++) {
    for (let c = 4; c < columns; c++)
      if (values[q * columns + c] > best) [best, at] = [values[q * columns + c], q];
  }
  return at;
}

/** The picture, or the input tensor as one, at most so many pixels long. */
function pictureOf({ input }: NamedNetwork, longest: number): ImageData8 {
  const image = input.picture ? toRgb(input.picture) : imageOf(input.shape, input.data);
  const scale = longest / Math.max(image.width, image.height);
  const size = (n: number): number => Math.max(1, Math.round(n * scale));
  return scale < 1 || longest === SHEET_PX
    ? resizeBilinear(image, size(image.height), size(image.width))
    : image;
}

function imageOf([, , height, width]: readonly number[], data: Float32Array): ImageData8 {
  const plane = height * width;
  const out = new Uint8Array(plane * 3);
  for (let i = 0; i < plane; i++)
    for (let c = 0; c < 3; c++) out[i * 3 + c] = Math.round(data[c * plane + i] * 255);
  return { data: out, width, height, channels: 3 };
}

function placeOf(text: string | undefined, { width, height }: ImageData8): [x: number, y: number] {
  if (text === undefined) return [width / 2, height / 2];
  const parts = text.split(",").map(Number);
  const [x, y] = parts;
  if (parts.length !== 2 || !(x >= 0 && x < width && y >= 0 && y < height)) {
    fail("argument", "--at", `x,y within ${width} x ${height} pixels`, text);
  }
  return [x, y];
}
