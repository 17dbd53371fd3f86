/**
 * Module cases on this package: a class by its name in PyTorch, Ultralytics or MobileNetV4's code, built from keyword arguments
 * as those constructors take them. The way back, from a module to its arguments, is in `describe-module.ts`.
 *
 * `bn_eps` among the arguments of a block is the eps of every BatchNorm2d below it: 1e-3 within a YAML model, 1e-5 else.
 */
import type { Backend, Pair } from "../../backend/backend.ts";
import * as models from "../../models/index.ts";
import { convBlock } from "../../models/mobilenetv4/blocks.ts";
import { anchorLogits } from "../../models/rtdetr/anchors.ts";
import * as nn from "../../nn/index.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Json } from "../manifest.ts";
import { Attributes, unsupported } from "./attributes.ts";

type Builder = (a: Attributes) => nn.AnyModule;

/** A number where both sides are alike, as the layers print it. */
function sides(pair: Pair | undefined): nn.NumberOrPair | undefined {
  return pair && (pair[0] === pair[1] ? pair[0] : pair);
}

function needSides(a: Attributes, name: string): nn.NumberOrPair {
  return sides(a.pair(name)) ?? a.needNumber(name);
}

const conv2d: Builder = (a) => {
  const word = a.word("padding");
  if (word !== undefined && word !== "same" && word !== "valid") unsupported(`Conv2d with padding ${word}`);
  const mode = a.text("padding_mode") ?? "zeros";
  if (mode !== "zeros") unsupported(`Conv2d with padding_mode ${mode}`);
  return new nn.Conv2d(
    a.needNumber("in_channels"),
    a.needNumber("out_channels"),
    needSides(a, "kernel_size"),
    {
      stride: sides(a.pair("stride")),
      padding: word ?? sides(a.pair("padding")),
      dilation: sides(a.pair("dilation")),
      groups: a.number("groups"),
      bias: a.flag("bias"),
    },
  );
};

/** The table of positions that AIFI adds, as a module without inputs. */
class SinCosPositions extends nn.Module<[Backend], Tensor> {
  readonly first: number;
  readonly second: number;
  readonly width: number;

  constructor(first: number, second: number, width: number) {
    super();
    this.first = first;
    this.second = second;
    this.width = width;
  }

  forward(backend: Backend): Tensor {
    return models.sincosPositions(this.first, this.second, this.width).to(backend);
  }
}

/** The anchors of every token and which of them are legal, as a module without inputs. */
class Anchors extends nn.Module<[Backend], { anchors: Tensor; valid: Tensor }> {
  readonly shapes: readonly Pair[];

  constructor(shapes: readonly Pair[]) {
    super();
    this.shapes = shapes;
  }

  forward(backend: Backend): { anchors: Tensor; valid: Tensor } {
    return anchorLogits(this.shapes, backend);
  }
}

const batchNorm2d: Builder = (a) =>
  new nn.BatchNorm2d(a.needNumber("num_features"), {
    eps: a.number("eps"),
    momentum: a.number("momentum"),
    affine: a.flag("affine"),
    trackRunningStats: a.flag("track_running_stats"),
    bias: a.flag("bias"),
  });

const layerNorm: Builder = (a) =>
  new nn.LayerNorm(a.needNumbers("normalized_shape"), {
    eps: a.number("eps"),
    elementwiseAffine: a.flag("elementwise_affine"),
    bias: a.flag("bias"),
  });

const multiheadAttention: Builder = (a) =>
  new nn.MultiheadAttention(a.needNumber("embed_dim", "width"), a.needNumber("num_heads", "heads"), {
    dropout: a.number("dropout"),
    bias: a.flag("bias"),
    batchFirst: a.flag("batch_first") ?? true, // the kit's convention, not PyTorch's default
    kdim: a.number("kdim"),
    vdim: a.number("vdim"),
  }) as unknown as nn.AnyModule;

const gelu: Builder = (a) => {
  const approximate = a.text("approximate") ?? "none";
  if (approximate !== "none" && approximate !== "tanh") unsupported(`GELU with approximate ${approximate}`);
  return new nn.GELU({ approximate });
};

const upsample: Builder = (a) => {
  const mode = a.text("mode") ?? "nearest";
  if (mode !== "nearest" && mode !== "bilinear") unsupported(`Upsample with mode ${mode}`);
  const alignCorners = a.flag("align_corners");
  return new nn.Upsample({
    size: sides(a.pair("size")),
    scaleFactor: sides(a.pair("scale_factor")),
    mode,
    alignCorners: mode === "nearest" ? undefined : alignCorners,
  });
};

const pooling = (
  a: Attributes,
): { stride?: nn.NumberOrPair; padding?: nn.NumberOrPair; ceilMode?: boolean } => {
  const [stride, padding] = [sides(a.pair("stride")), sides(a.pair("padding"))];
  return { stride, padding, ceilMode: a.flag("ceil_mode") };
};

const maxPool2d: Builder = (a) =>
  new nn.MaxPool2d(needSides(a, "kernel_size"), { ...pooling(a), dilation: sides(a.pair("dilation")) });

const avgPool2d: Builder = (a) =>
  new nn.AvgPool2d(needSides(a, "kernel_size"), {
    ...pooling(a),
    countIncludePad: a.flag("count_include_pad"),
    divisorOverride: a.number("divisor_override"),
  });

const uib: Builder = (a) =>
  new models.UIB(
    a.needNumber("cin"),
    a.needNumber("cout"),
    a.needNumber("k0"),
    a.needNumber("k1"),
    a.needNumber("s", "stride"),
    a.needNumber("expand"),
  );

const attentionSpec = (a: Attributes): models.AttentionSpec => ({
  heads: a.needNumber("heads"),
  dim: a.needNumber("dim"),
  kvStride: a.needNumber("kv_stride") as 1 | 2,
});

const conv: Builder = (a) =>
  new models.Conv(a.needNumber("c1", "cin"), a.needNumber("c2", "cout"), {
    k: a.number("k"),
    s: a.number("s"),
    p: a.number("p"),
    g: a.number("g"),
    d: a.number("d"),
    act: a.flag("act"),
  });

const mlp: Builder = (a) => {
  const widths = a.numbers("widths");
  if (widths) return new models.MLP(...widths);
  const [input, hidden] = [a.needNumber("input_dim"), a.needNumber("hidden_dim")];
  const [output, layers] = [a.needNumber("output_dim"), a.needNumber("num_layers")];
  return new models.MLP(input, ...Array.from({ length: layers - 1 }, () => hidden), output);
};

const msDeformAttn: Builder = (a) =>
  new models.MSDeformAttn(
    a.number("d_model", "width") ?? 256,
    a.number("n_levels", "levels") ?? 4,
    a.number("n_heads", "heads") ?? 8,
    a.number("n_points", "points") ?? 4,
  ) as unknown as nn.AnyModule;

const decoderLayer: Builder = (a) => {
  a.number("dropout");
  return new models.DeformableTransformerDecoderLayer({
    hd: a.number("d_model", "width") ?? 256,
    nh: a.number("n_heads", "heads") ?? 8,
    dFfn: a.number("d_ffn", "hidden") ?? 1024,
    nLevels: a.number("n_levels", "levels") ?? 4,
    ndp: a.number("n_points", "points") ?? 4,
  }) as unknown as nn.AnyModule;
};

const decoder: Builder = (a) =>
  new models.RTDETRDecoder({
    nc: a.needNumber("nc", "classes"),
    ch: a.needNumbers("ch", "cins"),
    hd: a.number("hd", "width"),
    nq: a.number("nq", "queries"),
    ndp: a.number("ndp", "points"),
    nh: a.number("nh", "heads"),
    ndl: a.number("ndl", "layers"),
    dFfn: a.number("d_ffn", "hidden"),
  }) as unknown as nn.AnyModule;

const concat: Builder = (a) =>
  new models.Concat(a.number("dimension", "dim", "d") ?? 1) as unknown as nn.AnyModule;

/** Flags of layers that change nothing at inference. */
const inplace =
  (build: Builder): Builder =>
  (a) => {
    a.flag("inplace");
    a.number("p");
    return build(a);
  };

const BUILDERS: Readonly<Record<string, Builder>> = {
  Conv2d: conv2d,
  Linear: (a) =>
    new nn.Linear(a.needNumber("in_features"), a.needNumber("out_features"), { bias: a.flag("bias") }),
  BatchNorm2d: batchNorm2d,
  LayerNorm: layerNorm,
  Embedding: (a) => {
    const [rows, width] = [a.needNumber("num_embeddings"), a.needNumber("embedding_dim")];
    return new nn.Embedding(rows, width, { paddingIdx: a.number("padding_idx") });
  },
  MultiheadAttention: multiheadAttention,
  ReLU: inplace(() => new nn.ReLU()),
  ReLU6: inplace(() => new nn.ReLU6()),
  SiLU: inplace(() => new nn.SiLU()),
  GELU: gelu,
  Sigmoid: () => new nn.Sigmoid(),
  Softmax: (a) => new nn.Softmax(a.needNumber("dim")),
  Identity: () => new nn.Identity(),
  Dropout: inplace(() => new nn.Dropout()),
  Flatten: (a) => new nn.Flatten(a.number("start_dim"), a.number("end_dim")),
  Upsample: upsample,
  MaxPool2d: maxPool2d,
  AvgPool2d: avgPool2d,
  AdaptiveAvgPool2d: (a) =>
    new nn.AdaptiveAvgPool2d(sides(a.pair("output_size")) ?? a.needNumber("output_size")),
  ConvBlock: (a) =>
    convBlock(a.needNumber("cin"), a.needNumber("cout"), a.needNumber("k"), {
      stride: a.number("s", "stride"),
      groups: a.number("groups"),
      norm: a.flag("norm"),
      act: a.flag("act"),
    }),
  FusedIB: (a) =>
    new models.FusedIB(
      a.needNumber("cin"),
      a.needNumber("cout"),
      a.needNumber("s", "stride"),
      a.needNumber("expand"),
    ),
  UIB: uib,
  MultiQueryAttention: (a) => new models.MultiQueryAttention(a.needNumber("channels"), attentionSpec(a)),
  AttentionBlock: (a) => new models.AttentionBlock(a.needNumber("channels"), attentionSpec(a)),
  Conv: conv,
  RepConv: (a) => {
    a.number("c2");
    return new models.RepConv(a.needNumber("c1", "channels"));
  },
  RepC3: (a) =>
    new models.RepC3(a.needNumber("c1", "cin"), a.needNumber("c2", "cout"), a.number("n"), a.number("e")),
  AIFI: (a) =>
    new models.AIFI(a.needNumber("c1", "width"), a.number("cm", "hidden"), a.number("num_heads", "heads")),
  MLP: mlp,
  MSDeformAttn: msDeformAttn,
  DeformableTransformerDecoderLayer: decoderLayer,
  RTDETRDecoder: decoder,
  Concat: concat,
  SinCosPositions: (a) =>
    new SinCosPositions(
      a.needNumber("first"),
      a.needNumber("second"),
      a.needNumber("width"),
    ) as unknown as nn.AnyModule,
  Anchors: (a) => new Anchors(a.pairs("shapes") ?? []) as unknown as nn.AnyModule,
};

/** Other names of the same classes. */
const ALIASES: Readonly<Record<string, string>> = {
  NonDynamicallyQuantizableLinear: "Linear",
  conv_block: "ConvBlock",
  DeformableAttention: "MSDeformAttn",
  DecoderLayer: "DeformableTransformerDecoderLayer",
  Decoder: "RTDETRDecoder",
};

/** The name under which the classes of a case are known here. */
export function canonicalName(name: string): string {
  return Object.hasOwn(ALIASES, name) ? ALIASES[name] : name;
}

/** Names of the classes that there are. */
export const MODULE_NAMES: readonly string[] = Object.keys(BUILDERS);

/** Builds a module with shapes alone. Throws {@link Unsupported} for another class or argument. */
export function buildModule(name: string, args: { readonly [key: string]: Json }): nn.AnyModule {
  const known = canonicalName(name);
  if (!Object.hasOwn(BUILDERS, known)) unsupported(`module ${name}`);
  const a = new Attributes(name, args);
  a.pairs("shapes"); // of the call
  const eps = a.number("bn_eps");
  const module = BUILDERS[known](a);
  a.done();
  if (eps !== undefined) setBatchNormEps(module, eps);
  return module;
}

/** Sets eps of every BatchNorm2d of a module. */
export function setBatchNormEps(module: nn.AnyModule, eps: number): void {
  for (const [, part] of module.namedModules()) {
    if (part instanceof nn.BatchNorm2d) part.eps = eps;
  }
}

/** The feature maps' (height, width) of a call, which stand among the arguments. */
export function shapesAmong(args: { readonly [key: string]: Json }): Pair[] | undefined {
  return new Attributes("shapes", args).pairs("shapes");
}
