/**
 * The modules that a model's YAML may name, and what each makes of its arguments: Ultralytics' `parse_model` for Conv,
 * RepC3, AIFI, Concat, nn.Upsample and RTDETRDecoder. Arity, types and ranges are checked here, with the line.
 */
import { fail } from "../../errors.ts";
import { type AnyModule, Upsample } from "../../nn/index.ts";
import { AIFI } from "./aifi.ts";
import { Concat, Conv, RepC3 } from "./blocks.ts";
import {
  type LayerConfig,
  MAX_CLASSES,
  MAX_REPEATS,
  type ModelConfig,
  type ScaleConfig,
  type YamlArgument,
} from "./config.ts";
import { RTDETRDecoder } from "./rtdetr-decoder.ts";

/** Greatest whole number among the arguments, and of channels after scaling; `nc` may stand for one. */
const MAX_ARGUMENT = MAX_CLASSES;

/** A map as a layer sees it: channels, and input pixels per pixel of it. */
export interface MapInfo {
  readonly channels: number;
  /** Input pixels per pixel. */
  readonly stride: number;
}

/** What became of a line of the YAML. */
export interface BuiltLayer {
  readonly module: AnyModule;
  /** What the layer gives to those after it; nothing behind a detection head. */
  readonly output?: MapInfo;
  /** Length of one side of the output for that of the input; absent where it stays. */
  readonly side?: (n: number) => number;
  /** Ultralytics' name of the class, for the printed table. */
  readonly type: string;
  /** The arguments as Ultralytics prints them: after scaling, with the input channels. */
  readonly args: readonly PrintedArgument[];
}

/** An argument in the printed table. */
export type PrintedArgument = YamlArgument | readonly number[];

type Builder = (layer: LayerConfig, inputs: readonly MapInfo[], config: ModelConfig) => BuiltLayer;

/** Rounds half to even, as Python does. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** Channels after compound scaling: up to a multiple of 8. */
export function scaledChannels(channels: number, scale: ScaleConfig): number {
  return Math.ceil((Math.min(channels, scale.maxChannels) * scale.width) / 8) * 8;
}

/** Repeats after compound scaling; at least 1. */
export function scaledRepeats(repeats: number, scale: ScaleConfig): number {
  return repeats > 1 ? Math.max(roundHalfEven(repeats * scale.depth), 1) : repeats;
}

/** Reads the arguments of one layer, in order, with their kinds. */
class Arguments {
  readonly #layer: LayerConfig;
  readonly #nc: number;

  constructor(layer: LayerConfig, least: number, names: readonly string[], nc: number) {
    this.#layer = layer;
    this.#nc = nc;
    const got = layer.args.length;
    if (got < least || got > names.length) {
      const count = least === names.length ? String(least) : `${least} to ${names.length}`;
      fail(
        "format",
        layer.where,
        `${count} arguments for ${layer.module} (${names.join(", ")})`,
        String(got),
      );
    }
  }

  #fail(i: number, expected: string): never {
    const value = JSON.stringify(this.#layer.args[i]);
    return fail(
      "format",
      this.#layer.where,
      `argument ${i + 1} of ${this.#layer.module} as ${expected}`,
      value,
    );
  }

  count(i: number): number;
  count(i: number, fallback: number, most?: number): number;
  count(i: number, fallback: undefined): number | undefined;
  count(i: number, fallback?: number, most = MAX_ARGUMENT): number | undefined {
    return this.#whole(i, 1, most, fallback);
  }

  /** Channels, scaled. */
  channels(i: number, scale: ScaleConfig): number {
    const written = this.count(i);
    const channels = scaledChannels(written, scale);
    if (channels > MAX_ARGUMENT) {
      const got = `${channels}, ${written} at width ${scale.width}`;
      fail("format", this.#layer.where, `at most ${MAX_ARGUMENT} channels after scaling`, got);
    }
    return channels;
  }

  /** A whole number >= 0, or None for what `fallback` says. */
  size(i: number): number | undefined {
    return this.#whole(i, 0, MAX_ARGUMENT, undefined);
  }

  #whole(i: number, least: number, most: number, fallback: number | undefined): number | undefined {
    let value = this.#layer.args[i];
    if (value === "nc") value = this.#nc;
    if (value === undefined || value === null) return fallback;
    if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most) {
      this.#fail(i, `a whole number in [${least}, ${most}]`);
    }
    return value;
  }

  positive(i: number, fallback: number): number {
    const value = this.#layer.args[i] ?? fallback;
    if (typeof value !== "number" || !(value > 0) || !Number.isFinite(value)) this.#fail(i, "a number > 0");
    return value;
  }

  flag(i: number, fallback: boolean): boolean {
    const value = this.#layer.args[i] ?? fallback;
    if (typeof value !== "boolean") this.#fail(i, "true or false");
    return value;
  }

  word<W extends string>(i: number, words: readonly W[], fallback: W): W {
    const value = this.#layer.args[i] ?? fallback;
    const found = words.find((word) => word === value);
    return found ?? this.#fail(i, words.join(" or "));
  }
}

function only(layer: LayerConfig, inputs: readonly MapInfo[]): MapInfo {
  if (inputs.length !== 1)
    fail("format", layer.where, `one input for ${layer.module}`, String(inputs.length));
  return inputs[0];
}

function once(layer: LayerConfig): void {
  if (layer.repeats !== 1) {
    fail("format", layer.where, `repeats 1 for ${layer.module}`, String(layer.repeats), "only RepC3 repeats");
  }
}

const buildConv: Builder = (layer, inputs, { scale, nc }) => {
  const { channels: c1, stride } = only(layer, inputs);
  once(layer);
  const args = new Arguments(
    layer,
    1,
    ["channels", "kernel", "stride", "padding", "groups", "dilation", "act"],
    nc,
  );
  const c2 = args.channels(0, scale);
  const [k, s, p] = [args.count(1, 1), args.count(2, 1), args.size(3)];
  const [g, d, act] = [args.count(4, 1), args.count(5, 1), args.flag(6, true)];
  if (c1 % g !== 0 || c2 % g !== 0) {
    fail("format", layer.where, `groups that divide ${c1} and ${c2} channels`, String(g));
  }
  const module = new Conv(c1, c2, { k, s, p, g, d, act });
  return {
    module,
    output: { channels: c2, stride: stride * s },
    side: (n) => Math.floor((n + 2 * module.padding - d * (k - 1) - 1) / s) + 1,
    type: "ultralytics.nn.modules.conv.Conv",
    args: [c1, c2, ...layer.args.slice(1)],
  };
};

const buildRepC3: Builder = (layer, inputs, { scale, nc }) => {
  const { channels: c1, stride } = only(layer, inputs);
  const args = new Arguments(layer, 1, ["channels", "expansion"], nc);
  const c2 = args.channels(0, scale);
  const n = scaledRepeats(layer.repeats, scale);
  if (n > MAX_REPEATS) {
    const got = `${n}, ${layer.repeats} at depth ${scale.depth}`;
    fail("format", layer.where, `at most ${MAX_REPEATS} repeats after scaling`, got);
  }
  const e = args.positive(1, 1);
  if (Math.trunc(c2 * e) < 1) fail("format", layer.where, "an expansion that leaves a channel", String(e));
  return {
    module: new RepC3(c1, c2, n, e),
    output: { channels: c2, stride },
    type: "ultralytics.nn.modules.block.RepC3",
    args: [c1, c2, n, ...layer.args.slice(1)],
  };
};

const buildAIFI: Builder = (layer, inputs, { nc }) => {
  const input = only(layer, inputs);
  once(layer);
  const args = new Arguments(layer, 0, ["hidden", "heads"], nc);
  const heads = args.count(1, 8);
  if (input.channels % heads !== 0 || input.channels % 4 !== 0) {
    fail("format", layer.where, `channels that ${heads} heads and 4 divide`, String(input.channels));
  }
  return {
    module: new AIFI(input.channels, args.count(0, 2048), heads),
    output: input,
    type: "ultralytics.nn.modules.transformer.AIFI",
    args: [input.channels, ...layer.args],
  };
};

const buildConcat: Builder = (layer, inputs, { nc }) => {
  once(layer);
  const axis = new Arguments(layer, 0, ["dimension"], nc).count(0, 1);
  if (axis !== 1) fail("format", layer.where, "Concat along dimension 1, the channels", String(axis));
  const strides = new Set(inputs.map((input) => input.stride));
  if (strides.size !== 1) {
    fail(
      "format",
      layer.where,
      "inputs of one stride for Concat",
      `strides ${inputs.map((i) => i.stride).join(", ")}`,
    );
  }
  return {
    module: new Concat(axis) as unknown as AnyModule,
    output: { channels: inputs.reduce((sum, { channels }) => sum + channels, 0), stride: inputs[0].stride },
    type: "ultralytics.nn.modules.conv.Concat",
    args: layer.args,
  };
};

const buildUpsample: Builder = (layer, inputs, { nc }) => {
  const input = only(layer, inputs);
  once(layer);
  const args = new Arguments(layer, 2, ["size", "scale_factor", "mode"], nc);
  if (layer.args[0] !== null)
    fail("format", layer.where, "None as size", JSON.stringify(layer.args[0]), "use scale_factor");
  const scaleFactor = args.positive(1, 2);
  const mode = args.word(2, ["nearest", "bilinear"], "nearest");
  return {
    module: new Upsample({ scaleFactor, mode }),
    output: { channels: input.channels, stride: input.stride / scaleFactor },
    side: (n) => Math.floor(n * scaleFactor),
    type: "torch.nn.modules.upsampling.Upsample",
    args: layer.args,
  };
};

const buildDecoder: Builder = (layer, inputs, { nc: classes }) => {
  once(layer);
  const names = ["nc", "hd", "nq", "ndp", "nh", "ndl", "d_ffn"];
  const args = new Arguments(layer, 1, names, classes);
  const ch = inputs.map((input) => input.channels);
  const nc = args.count(0);
  const [hd, nq, ndp, nh] = [args.count(1, 256), args.count(2, 300), args.count(3, 4), args.count(4, 8)];
  const [ndl, dFfn] = [args.count(5, 6, MAX_REPEATS), args.count(6, 1024)];
  if (hd % nh !== 0) fail("format", layer.where, `a width that ${nh} heads divide`, String(hd));
  return {
    module: new RTDETRDecoder({ nc, ch, hd, nq, ndp, nh, ndl, dFfn }) as unknown as AnyModule,
    type: "ultralytics.nn.modules.head.RTDETRDecoder",
    args: [nc, ch, ...layer.args.slice(1)],
  };
};

const BUILDERS: Readonly<Record<string, Builder>> = {
  Conv: buildConv,
  RepC3: buildRepC3,
  AIFI: buildAIFI,
  Concat: buildConcat,
  "nn.Upsample": buildUpsample,
  RTDETRDecoder: buildDecoder,
};

/** Builds the module of one line of `head`. Errors (code "format") name the line. */
export function buildLayer(layer: LayerConfig, inputs: readonly MapInfo[], config: ModelConfig): BuiltLayer {
  const builder = Object.hasOwn(BUILDERS, layer.module) ? BUILDERS[layer.module] : undefined;
  if (!builder) fail("format", layer.where, `one of ${Object.keys(BUILDERS).join(", ")}`, layer.module);
  return builder(layer, inputs, config);
}
