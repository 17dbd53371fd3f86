/**
 * Folding for inference, exact in real arithmetic: every BatchNorm2d that follows a convolution goes into it, and every
 * RepConv (RepVGG, arXiv 2101.03697) becomes one biased 3x3 convolution. Ultralytics' `fuse()` does the same for its own
 * Conv and RepConv; here the backbone's and input_proj's BatchNorm go too.
 *
 * Works in place and on a model without weights as well (shapes alone), so that the cost of a fused model can be told.
 */
import { type AnyModule, BatchNorm2d, Conv2d, Identity, Parameter, Sequential } from "../nn/index.ts";
import { tensor } from "../tensor/create.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Conv, RepConv } from "./rtdetr/blocks.ts";

/** Folds in place what can be folded below `model`; a second call finds nothing left to do. */
export function fuse<M>(model: M): M {
  visit(model as unknown as AnyModule);
  return model;
}

function visit(module: AnyModule): void {
  if (module instanceof RepConv) fuseRepConv(module);
  else if (module instanceof Conv) fuseConv(module);
  else {
    if (module instanceof Sequential) fuseSequential(module);
    for (const child of module.children()) visit(child);
  }
}

/** conv + BN as one biased convolution; the BatchNorm becomes an Identity, so that paths stay what they were. */
function fuseSequential(module: Sequential): void {
  const entries = [...module.namedChildren()];
  entries.slice(1).forEach(([name, bn], i) => {
    const [, conv] = entries[i];
    if (!(conv instanceof Conv2d && bn instanceof BatchNorm2d)) return;
    fold(conv, bn);
    module.replace(name, new Identity());
  });
}

function fuseConv(module: Conv): void {
  if (!module.bn) return;
  fold(module.conv, module.bn);
  module.bn = undefined;
}

function fuseRepConv(module: RepConv): void {
  const { conv1, conv2 } = module;
  if (!conv1 || !conv2) return;
  fuseConv(conv1);
  fuseConv(conv2);
  const [three, one] = [conv1.conv, conv2.conv];
  if (!three.weight.isMeta) {
    const weight = three.weight.toFloat32Array(); // [O, I, 3, 3]
    const point = one.weight.toFloat32Array(); // [O, I, 1, 1]
    for (let i = 0; i < point.length; i++) weight[i * 9 + 4] += point[i];
    setConv(three, weight, sum(needBias(three).toFloat32Array(), needBias(one).toFloat32Array()));
  }
  one.dispose();
  module.conv = three;
  module.conv1 = undefined;
  module.conv2 = undefined;
}

/** Puts bn(conv(x)) into the convolution: w * gamma / std, and beta + (bias - mean) * gamma / std. */
function fold(conv: Conv2d, bn: BatchNorm2d): void {
  const channels = conv.outChannels;
  if (conv.weight.isMeta) {
    conv.bias = Parameter.ofShape(channels);
    return;
  }
  const weight = conv.weight.toFloat32Array();
  const before = conv.bias?.toFloat32Array();
  const [mean, variance] = [read(bn.running_mean), read(bn.running_var)];
  const [gamma, beta] = [bn.weight && read(bn.weight), bn.bias && read(bn.bias)];
  const bias = new Float32Array(channels);
  const perChannel = weight.length / channels;
  for (let c = 0; c < channels; c++) {
    const scale = (gamma?.[c] ?? 1) / Math.sqrt(variance[c] + bn.eps);
    bias[c] = (beta?.[c] ?? 0) + ((before?.[c] ?? 0) - mean[c]) * scale;
    for (let i = c * perChannel; i < (c + 1) * perChannel; i++) weight[i] *= scale;
  }
  setConv(conv, weight, bias);
  bn.dispose();
}

function read(x: Tensor | undefined): Float32Array {
  if (!x) throw new Error("fuse: a BatchNorm2d without running statistics");
  return x.toFloat32Array();
}

function needBias(conv: Conv2d): Tensor {
  if (!conv.bias) throw new Error("fuse: a convolution without bias after folding");
  return conv.bias;
}

function sum(a: Float32Array, b: Float32Array): Float32Array {
  return a.map((v, i) => v + b[i]);
}

function setConv(conv: Conv2d, weight: Float32Array, bias: Float32Array): void {
  const backend = conv.weight.backend;
  const place = (data: Float32Array, shape: readonly number[]): Parameter => {
    const x = tensor(data, shape, { backend }).keep();
    return new Parameter(x.storage, x.shape, x.strides, x.offset);
  };
  const shape = conv.weight.shape;
  conv.weight.dispose();
  conv.bias?.dispose();
  conv.weight = place(weight, shape);
  conv.bias = place(bias, [conv.outChannels]);
}
