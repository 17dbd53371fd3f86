/**
 * MobileNetV4ConvSmall, ported: plain loops over { shape: [N, C, H, W], data: Float32Array }, nothing of mobiledetr. This is the
 * part that stands for your program; `runtime.mjs` lets the conformance kit speak to it.
 */

/**
 * The mistakes that the page plants, as a kernel for vectors may have them. `tail`: a dot product takes eight products at a time
 * and leaves what is over. `pair`: a depthwise kernel does two channels at a time, both with the first one's weights.
 */
export const mistakes = { tail: false, pair: false };

function dot(a, b, from, length) {
  const end = mistakes.tail ? length - (length % 8) : length;
  let sum = 0;
  for (let i = 0; i < end; i++) sum += a[i] * b[from + i];
  return sum;
}

/** `options` as torch.nn.functional.conv2d has them, in pairs. */
export function conv2d(x, weight, bias, { stride, padding, dilation, groups }) {
  const [images, channels, height, width] = x.shape;
  const [outs, depth, kh, kw] = weight.shape; // depth: channels a group
  const oh = Math.floor((height + 2 * padding[0] - dilation[0] * (kh - 1) - 1) / stride[0]) + 1;
  const ow = Math.floor((width + 2 * padding[1] - dilation[1] * (kw - 1) - 1) / stride[1]) + 1;
  const data = new Float32Array(images * outs * oh * ow);
  const taps = depth * kh * kw;
  const column = new Float32Array(taps); // what one output pixel sees
  const each = outs / groups;
  for (let n = 0; n < images; n++) {
    for (let g = 0; g < groups; g++) {
      for (let y = 0; y < oh; y++) {
        for (let i = 0; i < ow; i++) {
          let tap = 0;
          for (let c = 0; c < depth; c++) {
            const plane = (n * channels + g * depth + c) * height;
            for (let ky = 0; ky < kh; ky++) {
              const row = y * stride[0] - padding[0] + ky * dilation[0];
              for (let kx = 0; kx < kw; kx++) {
                const col = i * stride[1] - padding[1] + kx * dilation[1];
                const inside = row >= 0 && row < height && col >= 0 && col < width;
                column[tap++] = inside ? x.data[(plane + row) * width + col] : 0;
              }
            }
          }
          for (let o = g * each; o < (g + 1) * each; o++) {
            const kernel = mistakes.pair && groups > 1 && depth === 1 ? o - (o % 2) : o;
            const sum = dot(column, weight.data, kernel * taps, taps);
            data[((n * outs + o) * oh + y) * ow + i] = sum + (bias ? bias.data[o] : 0);
          }
        }
      }
    }
  }
  return { shape: [images, outs, oh, ow], data };
}

/** Channels are axis 1, whatever comes behind it. `weight` and `bias` may be missing. */
export function batchNorm(x, { running_mean: mean, running_var: variance, weight, bias }, eps) {
  const channels = x.shape[1];
  const pixels = x.shape.slice(2).reduce((a, b) => a * b, 1);
  const data = x.data.map((value, i) => {
    const c = Math.floor(i / pixels) % channels;
    const normal = (value - mean.data[c]) / Math.sqrt(variance.data[c] + eps);
    return normal * (weight ? weight.data[c] : 1) + (bias ? bias.data[c] : 0);
  });
  return { shape: x.shape, data };
}

export const relu = (x) => ({ shape: x.shape, data: x.data.map((value) => (value < 0 ? 0 : value)) });
export const relu6 = (x) => ({ shape: x.shape, data: relu(x).data.map((value) => (value > 6 ? 6 : value)) });

/** A place in the network: its path, the parameters below it, and a book of what every module gave. */
export class Place {
  constructor(parameters, eps, path = "", book = {}) {
    Object.assign(this, { parameters, eps, path, book });
  }

  /** Runs a module that lies below, and writes its output into the book. */
  step(name, module, x) {
    const path = this.path === "" ? name : `${this.path}.${name}`;
    const y = module(x, new Place(this.parameters, this.eps, path, this.book));
    this.book[path] = y;
    return y;
  }

  /** A parameter of this module. */
  get(name) {
    return this.parameters[this.path === "" ? name : `${this.path}.${name}`];
  }
}

// Modules: functions of a map and a place. Numbers of channels are those of the weights.

const pair = (a) => (Array.isArray(a) ? a : [a, a]);

export const conv =
  ({ stride = 1, padding = 0, dilation = 1, groups = 1 }) =>
  (x, at) => {
    const sides = { stride: pair(stride), padding: pair(padding), dilation: pair(dilation) };
    return conv2d(x, at.get("weight"), at.get("bias"), { ...sides, groups });
  };

export const norm = () => (x, at) => {
  const names = ["running_mean", "running_var", "weight", "bias"];
  return batchNorm(x, Object.fromEntries(names.map((name) => [name, at.get(name)])), at.eps);
};

/** Convolution, BatchNorm2d, ReLU6. `groups: "all"` is depthwise. */
export const convBlock =
  ({ k, stride = 1, groups = 1, bn = true, act = true }) =>
  (x, at) => {
    const own = groups === "all" ? x.shape[1] : groups;
    let y = at.step("conv", conv({ stride, padding: (k - 1) / 2, groups: own }), x);
    if (bn) y = at.step("BatchNorm2d", norm(), y);
    return act ? at.step("Activation", relu6, y) : y;
  };

/** Fused inverted bottleneck: "exp_1x1" is a dense 3x3. */
export const fusedIB =
  ({ stride }) =>
  (x, at) =>
    at.step("block", chain({ exp_1x1: convBlock({ k: 3, stride }), red_1x1: convBlock({ k: 1 }) }), x);

/** Universal inverted bottleneck: [depthwise k0], expansion, [depthwise k1 with the stride], projection; no residual. */
export const uib = ({ k0, k1, stride }) =>
  chain({
    ...(k0 ? { _start_dw_: convBlock({ k: k0, groups: "all", act: false }) } : {}),
    _expand_conv: convBlock({ k: 1 }),
    ...(k1 ? { _middle_dw: convBlock({ k: k1, stride, groups: "all" }) } : {}),
    _proj_conv: convBlock({ k: 1, act: false }),
  });

/** Modules one after another, by their names. */
export function chain(parts) {
  return (x, at) => Object.entries(parts).reduce((y, [name, part]) => at.step(name, part, y), x);
}

const stage = (...blocks) =>
  chain(Object.fromEntries(blocks.map(({ name, module }, i) => [`${name}_${i}`, module])));
const C = (k, stride) => ({ name: "convbn", module: convBlock({ k, stride }) });
const U = (k0, k1, stride = 1) => ({ name: "uib", module: uib({ k0, k1, stride }) });

/** The stages in their order. layer5 is a leftover of the classifier: no backbone runs it. */
export const MOBILENETV4_CONV_SMALL = {
  conv0: stage(C(3, 2)),
  layer1: stage(C(3, 2), C(1, 1)),
  layer2: stage(C(3, 2), C(1, 1)),
  layer3: stage(U(5, 5, 2), U(0, 3), U(0, 3), U(0, 3), U(0, 3), U(3, 0)),
  layer4: stage(U(3, 3, 2), U(5, 5), U(0, 5), U(0, 5), U(0, 3), U(0, 3)),
  layer5: stage(C(1, 1), C(1, 1)),
};
