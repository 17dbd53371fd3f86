/** Convolution in two dimensions, as `torch.nn.functional.conv2d` (a cross-correlation: the kernel is not flipped). */
import type { Pair } from "../backend/backend.ts";
import { fail } from "../errors.ts";
import { formatShape } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import { checkNotEmpty, checkRank, checkVector, f32Operands, pairOf } from "./checks.ts";

/** Convolution geometry: a number, or one each for height and width. */
export interface Conv2dOptions {
  /** Step of the window, in pixels; 1 unless given. */
  readonly stride?: number | Pair;
  /** Zeros added on each side, in pixels; 0 unless given. */
  readonly padding?: number | Pair;
  /** Distance between taps, in pixels; 1 unless given. */
  readonly dilation?: number | Pair;
  /** Channels are cut into this many groups that do not see each other; 1 unless given. */
  readonly groups?: number;
}

/**
 * x [N, C, H, W], weight [O, C/groups, kh, kw], bias [O] -> [N, O, Ho, Wo] in channels_last layout, with
 * Ho = floor((H + 2*padding - dilation*(kh-1) - 1) / stride) + 1. f32.
 *
 * Refuses channels that do not match, groups that do not divide both C and O, and a kernel larger than the padded input.
 */
export function conv2d(x: Tensor, weight: Tensor, bias?: Tensor, options: Conv2dOptions = {}): Tensor {
  const where = "conv2d";
  checkRank(where, "x", x, 4, "[N, C, H, W]");
  checkRank(where, "weight", weight, 4, "[O, C/groups, kh, kw]");
  const backend = f32Operands(where, { x, weight, bias });
  const stride = pairOf(where, "stride", options.stride ?? 1, 1);
  const padding = pairOf(where, "padding", options.padding ?? 0, 0);
  const dilation = pairOf(where, "dilation", options.dilation ?? 1, 1);
  const groups = options.groups ?? 1;
  const [batch, channels, height, width] = x.shape;
  const [outputs, perGroup, kh, kw] = weight.shape;
  if (!Number.isInteger(groups) || groups < 1 || channels % groups !== 0 || outputs % groups !== 0) {
    fail(
      "argument",
      where,
      `groups that divide ${channels} input and ${outputs} output channels`,
      String(groups),
    );
  }
  if (perGroup !== channels / groups) {
    fail(
      "argument",
      where,
      `weight [${outputs}, ${channels / groups}, kh, kw] for ${channels} channels in ${groups} group(s)`,
      formatShape(weight.shape),
    );
  }
  checkVector(where, "bias", bias, outputs);
  checkNotEmpty(where, "x", x);
  if (weight.size === 0)
    fail("argument", where, "weight without empty dimensions", formatShape(weight.shape));
  const reach = (k: number, axis: 0 | 1): number => dilation[axis] * (k - 1) + 1;
  const padded: Pair = [height + 2 * padding[0], width + 2 * padding[1]];
  if (reach(kh, 0) > padded[0] || reach(kw, 1) > padded[1]) {
    fail(
      "argument",
      where,
      `an input of at least ${reach(kh, 0)} x ${reach(kw, 1)} (the kernel's reach) after padding`,
      `${padded[0]} x ${padded[1]}`,
    );
  }
  const outH = Math.floor((padded[0] - reach(kh, 0)) / stride[0]) + 1;
  const outW = Math.floor((padded[1] - reach(kw, 1)) / stride[1]) + 1;
  const out = Tensor.empty(backend, [batch, outputs, outH, outW], "f32", "channels_last");
  backend.conv2d(x, weight, bias, out, { stride, padding, dilation, groups });
  return out;
}
