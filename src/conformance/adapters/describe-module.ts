/**
 * From a module to what would build it: its class and keyword arguments in the kit's words (docs/conformance-kit.md), so that one
 * module of a network can be asked of a runtime by itself. The way there is `modules.ts`.
 */
import type { Pair } from "../../backend/backend.ts";
import * as models from "../../models/index.ts";
import * as nn from "../../nn/index.ts";
import { Tensor } from "../../tensor/tensor.ts";
import type { Json, Subject } from "../manifest.ts";

type Arguments = { readonly [key: string]: Json };

/** A module's subject; undefined for containers and whatever the kit has no word for. */
export function describeModule(module: nn.AnyModule): (Subject & { kind: "module" }) | undefined {
  const found = describe(module);
  if (!found) return undefined;
  const eps = batchNormEps(module);
  const withEps = eps === undefined ? found[1] : { ...found[1], bn_eps: eps };
  return { kind: "module", name: found[0], arguments: withEps };
}

/** eps of the BatchNorm2d below, which is the same for all. */
function batchNormEps(module: nn.AnyModule): number | undefined {
  for (const [, part] of module.namedModules()) if (part instanceof nn.BatchNorm2d) return part.eps;
  return undefined;
}

function describe(m: nn.AnyModule): [name: string, args: Arguments] | undefined {
  if (m instanceof nn.Conv2d) return ["Conv2d", conv2d(m)];
  if (m instanceof nn.BatchNorm2d) {
    const plain = m.affine && m.trackRunningStats && m.weight && m.bias;
    return plain ? ["BatchNorm2d", { num_features: m.numFeatures }] : undefined;
  }
  if (m instanceof nn.LayerNorm) {
    return m.weight && m.bias
      ? ["LayerNorm", { normalized_shape: [...m.normalizedShape], eps: m.eps }]
      : undefined;
  }
  if (m instanceof nn.Linear) {
    const sizes = { in_features: m.inFeatures, out_features: m.outFeatures };
    return ["Linear", { ...sizes, bias: m.bias !== undefined }];
  }
  if (m instanceof nn.Embedding) {
    return ["Embedding", { num_embeddings: m.numEmbeddings, embedding_dim: m.embeddingDim }];
  }
  if (m instanceof nn.MultiheadAttention) {
    const legal = m.batchFirst && m.in_proj_weight && m.in_proj_bias;
    return legal ? ["MultiheadAttention", { embed_dim: m.embedDim, num_heads: m.numHeads }] : undefined;
  }
  if (m instanceof nn.ReLU) return ["ReLU", {}];
  if (m instanceof nn.ReLU6) return ["ReLU6", {}];
  if (m instanceof nn.SiLU) return ["SiLU", {}];
  if (m instanceof nn.Sigmoid) return ["Sigmoid", {}];
  if (m instanceof nn.GELU) return ["GELU", { approximate: m.approximate }];
  if (m instanceof nn.Identity) return ["Identity", {}];
  if (m instanceof nn.Upsample) return upsample(m);
  if (m instanceof nn.Sequential) return convBlock(m);
  return describeBlock(m);
}

function conv2d(m: nn.Conv2d): Arguments {
  return {
    in_channels: m.inChannels,
    out_channels: m.outChannels,
    kernel_size: [...m.kernelSize],
    stride: [...m.stride],
    padding: typeof m.padding === "string" ? m.padding : [...m.padding],
    ...(m.dilation.every((d) => d === 1) ? {} : { dilation: [...m.dilation] }),
    groups: m.groups,
    bias: m.bias !== undefined,
  };
}

function upsample(m: nn.Upsample): [string, Arguments] | undefined {
  if (m.scaleFactor === undefined) return undefined;
  const scale = typeof m.scaleFactor === "number" ? m.scaleFactor : [...m.scaleFactor];
  const args: Arguments = { scale_factor: scale, mode: m.mode };
  return ["Upsample", m.alignCorners === undefined ? args : { ...args, align_corners: m.alignCorners }];
}

/** A sequence conv, BatchNorm2d, Activation, of which the last two may be absent; other sequences have no word. */
function convBlock(m: nn.Sequential): [string, Arguments] | undefined {
  const parts = new Map(m.namedChildren());
  const conv = parts.get("conv");
  const names = [...parts.keys()].join();
  if (!(conv instanceof nn.Conv2d) || !/^conv(,BatchNorm2d)?(,Activation)?$/.test(names)) return undefined;
  const args = {
    cin: conv.inChannels,
    cout: conv.outChannels,
    k: conv.kernelSize[0],
    stride: conv.stride[0],
    groups: conv.groups,
    norm: parts.has("BatchNorm2d"),
    act: parts.has("Activation"),
  };
  return conv.bias === undefined ? ["ConvBlock", args] : undefined;
}

function convOf(block: nn.Sequential | undefined): nn.Conv2d | undefined {
  const conv = block?.at("conv");
  return conv instanceof nn.Conv2d ? conv : undefined;
}

function describeBlock(m: nn.AnyModule): [string, Arguments] | undefined {
  if (m instanceof models.FusedIB) {
    const [first, second] = ["exp_1x1", "red_1x1"].map((name) => convOf(m.block.at(name) as nn.Sequential));
    if (!first || !second) return undefined;
    const expand = first.outChannels / first.inChannels;
    return ["FusedIB", { cin: first.inChannels, cout: second.outChannels, stride: first.stride[0], expand }];
  }
  if (m instanceof models.UIB) {
    const [start, expand] = [convOf(m._start_dw_), convOf(m._expand_conv)];
    const [middle, project] = [convOf(m._middle_dw), convOf(m._proj_conv)];
    if (!expand || !project) return undefined;
    const kernels = { k0: start?.kernelSize[0] ?? 0, k1: middle?.kernelSize[0] ?? 0 };
    const ratio = expand.outChannels / expand.inChannels; // already a multiple of 8: rounding it again changes nothing
    const widths = { cin: expand.inChannels, cout: project.outChannels };
    return ["UIB", { ...widths, ...kernels, stride: middle?.stride[0] ?? 1, expand: ratio }];
  }
  if (m instanceof models.MultiQueryAttention) return ["MultiQueryAttention", attention(m)];
  if (m instanceof models.AttentionBlock) return ["AttentionBlock", attention(m.multi_query_attention)];
  if (m instanceof models.Conv) return m.bn ? ["Conv", convArguments(m)] : undefined;
  if (m instanceof models.RepConv) {
    return m.conv1 ? ["RepConv", { channels: m.conv1.conv.inChannels }] : undefined;
  }
  if (m instanceof models.RepC3) {
    const hidden = m.cv1.conv.outChannels;
    const c2 = m.cv3 instanceof models.Conv ? m.cv3.conv.outChannels : hidden;
    return ["RepC3", { c1: m.cv1.conv.inChannels, c2, n: m.m.length, e: hidden / c2 }];
  }
  if (m instanceof models.Concat) return ["Concat", { dimension: m.d }];
  if (m instanceof models.AIFI) {
    return ["AIFI", { c1: m.ma.embedDim, cm: m.fc1.outFeatures, num_heads: m.ma.numHeads }];
  }
  if (m instanceof models.MLP) {
    const layers = [...m.layers];
    return ["MLP", { widths: [layers[0].inFeatures, ...layers.map((layer) => layer.outFeatures)] }];
  }
  if (m instanceof models.MSDeformAttn) {
    const { n_levels, n_heads, n_points } = m;
    return ["MSDeformAttn", { d_model: m.value_proj.inFeatures, n_levels, n_heads, n_points }];
  }
  if (m instanceof models.DeformableTransformerDecoderLayer) {
    const { n_levels, n_heads, n_points, value_proj } = m.cross_attn;
    const args = {
      d_model: value_proj.inFeatures,
      n_heads,
      d_ffn: m.linear1.outFeatures,
      n_levels,
      n_points,
    };
    return ["DeformableTransformerDecoderLayer", args];
  }
  return undefined;
}

function attention(m: models.MultiQueryAttention): Arguments {
  const { heads, dim } = m;
  const query = convOf(m._query_proj);
  const down = convOf(m._key_dw_conv);
  return { channels: query?.inChannels ?? 0, heads, dim, kv_stride: down?.stride[0] ?? 1 };
}

function convArguments({ conv, padding, act }: models.Conv): Arguments {
  const [k, s, d] = [conv.kernelSize[0], conv.stride[0], conv.dilation[0]];
  const same = Math.floor((d * (k - 1) + 1) / 2);
  return {
    c1: conv.inChannels,
    c2: conv.outChannels,
    k,
    s,
    ...(padding === same ? {} : { p: padding }),
    ...(conv.groups === 1 ? {} : { g: conv.groups }),
    ...(d === 1 ? {} : { d }),
    act: act instanceof nn.SiLU,
  };
}

/** What a call of a module was given, in the kit's words. */
export interface NamedCall {
  readonly tensors: readonly [string, Tensor][];
  readonly shapes?: readonly Pair[];
}

const CALLS: Readonly<Record<string, readonly string[]>> = {
  MultiheadAttention: ["query", "key", "value"],
  MSDeformAttn: ["query", "refer_bbox", "value"],
  DeformableTransformerDecoderLayer: ["embed", "query_pos", "refer_bbox", "feats"],
};

/** The inputs of a module's call by the kit's names. */
export function nameCall(kind: string, inputs: readonly unknown[]): NamedCall {
  const [first] = inputs;
  if (Array.isArray(first)) {
    return { tensors: (first as Tensor[]).map((x, i): [string, Tensor] => [`x.${i}`, x]) };
  }
  const names = Object.hasOwn(CALLS, kind) ? CALLS[kind] : ["input"];
  const tensors = inputs.filter((x) => x instanceof Tensor);
  const shapes = inputs.find((x): x is readonly Pair[] => Array.isArray(x));
  return { tensors: names.slice(0, tensors.length).map((name, i) => [name, tensors[i]]), shapes };
}
