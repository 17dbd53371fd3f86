/**
 * The detector, wired by a YAML: a MobileNetV4 backbone and a head of the modules in `layers.ts`.
 *
 * Layer numbers: the backbone is layer 0 and gives the maps 1 .. 4 (strides 4, 8, 16, 32); the head's layers follow
 * from 5. In the state dict the backbone is `model.0` and head layer n is `model.<n-4>`.
 */
import type { Pair } from "../../backend/backend.ts";
import { fail } from "../../errors.ts";
import { type AnyModule, BatchNorm2d, Module, Sequential } from "../../nn/index.ts";
import { formatShape } from "../../tensor/shape.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { fuse } from "../fuse.ts";
import { FEATURE_STRIDES, MobileNetV4 } from "../mobilenetv4/network.ts";
import { isVariantName, VARIANT_NAMES } from "../mobilenetv4/variants.ts";
import type { LayerConfig, ModelConfig } from "./config.ts";
import { explainInputSize } from "./input-size.ts";
import { type BuiltLayer, buildLayer, type MapInfo } from "./layers.ts";
import { type DecoderOptions, type DetectorOutput, RTDETRDecoder } from "./rtdetr-decoder.ts";

/** QUIRK: every BatchNorm2d of a YAML model, the backbone's and input_proj's included; PyTorch's default is 1e-5. */
export const YAML_BN_EPS = 1e-3;

/** QUIRK: as YAML_BN_EPS; of no use at inference. */
const YAML_BN_MOMENTUM = 0.03;

/** The first number of a head layer: 0 is the backbone, 1 .. 4 are its maps. */
const FIRST_HEAD_LAYER = FEATURE_STRIDES.length + 1;

/** A layer as the printed table shows it. */
export interface WiredLayer extends BuiltLayer {
  /** Its number in the YAML. */
  readonly number: number;
  /** `from` as written. */
  readonly from: number | readonly number[];
  /** The numbers that `from` stands for; empty for the backbone. */
  readonly sources: readonly number[];
  /** As written, before scaling. */
  readonly repeats: number;
}

/** Maps an image [N, 3, H, W], RGB in [0, 1], to {@link DetectorOutput}. */
export class RTDETRDetectionModel extends Module<[Tensor, DecoderOptions?], DetectorOutput> {
  /** Layer 0, the backbone, then the head's layers; `model.n` in the state dict. */
  readonly model: Sequential;
  /** What it was built from. */
  readonly config: ModelConfig;
  /** What stands in the printed table, in order. */
  readonly layers: readonly WiredLayer[];
  #fused = false;

  /** Shapes alone until weights are loaded. Errors (code "format") name the YAML's line. */
  constructor(config: ModelConfig) {
    super();
    this.config = config;
    this.layers = wire(config);
    this.model = new Sequential(this.layers.map((layer) => layer.module));
    for (const [, module] of this.namedModules()) {
      if (module instanceof BatchNorm2d) {
        module.eps = YAML_BN_EPS;
        module.momentum = YAML_BN_MOMENTUM;
      }
    }
  }

  /** True after {@link fuse}. */
  get isFused(): boolean {
    return this.#fused;
  }

  /** Folds BatchNorm and RepConv into plain convolutions, in place; see `models/fuse.ts`. */
  fuse(): this {
    this.#fused = true;
    return fuse(this);
  }

  /** Layer 0: the backbone, whose maps are layers 1 to 4. */
  get backbone(): MobileNetV4 {
    return this.layers[0].module as unknown as MobileNetV4;
  }

  /** The last layer: the head that gives boxes and scores. */
  get decoder(): RTDETRDecoder {
    return this.layers[this.layers.length - 1].module as unknown as RTDETRDecoder;
  }

  forward(images: Tensor, options: DecoderOptions = {}): DetectorOutput {
    this.checkInput(images);
    const values: Tensor[] = [];
    this.backbone.call(images).forEach((map, i) => {
      values[i + 1] = map;
    });
    for (const { module, sources, number } of this.layers.slice(1)) {
      const inputs = sources.map((source) => values[source]);
      if (module instanceof RTDETRDecoder) return module.call(inputs, options);
      const takesList = module.kind === "Concat";
      values[number] = (module as unknown as Module<[unknown], Tensor>).call(takesList ? inputs : inputs[0]);
    }
    throw new Error("RTDETRDetectionModel: no decoder at the end, though wire() checks it");
  }

  /** Throws (code "argument" or "size") unless this network can take the images; names the nearest legal sizes. */
  checkInput(images: Tensor): void {
    if (images.ndim !== 4 || images.shape[1] !== 3 || images.shape[0] < 1 || images.dtype !== "f32") {
      fail(
        "argument",
        "RTDETRDetectionModel",
        "f32 images of shape [N, 3, H, W]",
        `${images.dtype} of shape ${formatShape(images.shape)}`,
      );
    }
    this.checkInputSize([images.shape[2], images.shape[3]]);
  }

  /** Throws (code "size") unless this network can take images of (height, width) pixels. */
  checkInputSize(size: Pair): void {
    const problem = explainInputSize(this, size);
    if (problem)
      fail("size", this.config.source, problem.expected, `${size[0]}x${size[1]} pixels`, problem.mend);
  }
}

function wire(config: ModelConfig): WiredLayer[] {
  const { backbone, head } = config;
  if (!isVariantName(backbone.module)) {
    fail("format", backbone.where, `a backbone: one of ${VARIANT_NAMES.join(", ")}`, backbone.module);
  }
  if (backbone.args.length > 0 || backbone.repeats !== 1) {
    fail(
      "format",
      backbone.where,
      "repeats 1 and no arguments for the backbone",
      JSON.stringify(backbone.args),
    );
  }
  const network = new MobileNetV4(backbone.module);
  const maps = new Map<number, MapInfo>();
  network.widths.forEach((channels, i) => void maps.set(i + 1, { channels, stride: FEATURE_STRIDES[i] }));
  const layers: WiredLayer[] = [
    {
      module: network as unknown as AnyModule,
      number: 0,
      from: -1,
      sources: [],
      repeats: 1,
      type: backbone.module,
      args: [],
    },
  ];
  head.forEach((layer, i) => {
    const number = FIRST_HEAD_LAYER + i;
    const sources = resolveSources(layer, number);
    const inputs = sources.map((source) => {
      return (
        maps.get(source) ??
        fail("format", layer.where, "from to name a layer that gives a map", `layer ${source}`)
      );
    });
    const built = buildLayer(layer, inputs, config);
    if (built.output) maps.set(number, built.output);
    layers.push({ ...built, number, from: layer.from, sources, repeats: layer.repeats });
  });
  const last = head[head.length - 1];
  const decoders = head.filter((layer) => layer.module === "RTDETRDecoder").length;
  if (last.module !== "RTDETRDecoder" || decoders !== 1) {
    fail(
      "format",
      last.where,
      "one RTDETRDecoder, as the last layer",
      `${decoders}, and ${last.module} last`,
    );
  }
  return layers;
}

function resolveSources(layer: LayerConfig, number: number): number[] {
  const list = typeof layer.from === "number" ? [layer.from] : layer.from;
  return list.map((from) => {
    const source = from < 0 ? number + from : from;
    if (source < 1 || source >= number) {
      const got = from < 0 ? `${from}, which is layer ${source}` : `layer ${source}`;
      fail(
        "format",
        layer.where,
        `from to name a layer in 1 .. ${number - 1} (1 .. 4 are the backbone's maps)`,
        got,
      );
    }
    return source;
  });
}
