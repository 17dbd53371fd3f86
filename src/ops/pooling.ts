/** Pooling windows, as `torch.nn.functional`. Results are in channels_last layout. f32. */
import type { Pair } from "../backend/backend.ts";
import { fail } from "../errors.ts";
import { Tensor } from "../tensor/tensor.ts";
import { checkNotEmpty, checkRank, f32Operands, pairOf } from "./checks.ts";

/** Geometry common to both kinds: a number, or one each for height and width. */
export interface PoolingOptions {
  /** Step of the window; the kernel's size unless given. */
  readonly stride?: number | Pair;
  /** Pixels added on each side, at most half the kernel's size; 0 unless given. */
  readonly padding?: number | Pair;
  /** Rounds the output size up: a last window may reach past the input, but must begin inside it. */
  readonly ceilMode?: boolean;
}

/** Options of {@link maxPool2d}. */
export interface MaxPool2dOptions extends PoolingOptions {
  /** Distance between taps; 1 unless given. */
  readonly dilation?: number | Pair;
}

/** Options of {@link avgPool2d}. */
export interface AvgPool2dOptions extends PoolingOptions {
  /** Padding counts as zeros in the average (the default), or not at all. */
  readonly countIncludePad?: boolean;
  /** Divides the sum by this instead of by the number of pixels; not 0. */
  readonly divisorOverride?: number;
}

/** The greatest value of each window: x [N, C, H, W] -> [N, C, Ho, Wo]. Padding never wins; NaN does. */
export function maxPool2d(x: Tensor, kernel: number | Pair, options: MaxPool2dOptions = {}): Tensor {
  return pool("maxPool2d", "max", x, kernel, options, options.dilation ?? 1, {});
}

/** The mean of each window: x [N, C, H, W] -> [N, C, Ho, Wo]. */
export function avgPool2d(x: Tensor, kernel: number | Pair, options: AvgPool2dOptions = {}): Tensor {
  const { divisorOverride } = options;
  if (divisorOverride !== undefined && (!Number.isFinite(divisorOverride) || divisorOverride === 0)) {
    fail("argument", "avgPool2d", "a divisorOverride that is not 0", String(divisorOverride));
  }
  return pool("avgPool2d", "avg", x, kernel, options, 1, options);
}

/** Averages to a given size, or sizes [h, w]: x [N, C, H, W] -> [N, C, h, w]. */
export function adaptiveAvgPool2d(x: Tensor, size: number | Pair): Tensor {
  const where = "adaptiveAvgPool2d";
  const backend = f32Operands(where, { x });
  checkRank(where, "x", x, 4, "[N, C, H, W]");
  checkNotEmpty(where, "x", x);
  const [outH, outW] = pairOf(where, "size", size, 1);
  const out = Tensor.empty(backend, [x.shape[0], x.shape[1], outH, outW], "f32", "channels_last");
  backend.adaptiveAvgPool2d(x, out);
  return out;
}

function pool(
  where: string,
  kind: "avg" | "max",
  x: Tensor,
  kernelSize: number | Pair,
  options: PoolingOptions,
  dilationSize: number | Pair,
  average: AvgPool2dOptions,
): Tensor {
  const backend = f32Operands(where, { x });
  checkRank(where, "x", x, 4, "[N, C, H, W]");
  checkNotEmpty(where, "x", x);
  const kernel = pairOf(where, "kernel", kernelSize, 1);
  const stride = pairOf(where, "stride", options.stride ?? kernel, 1);
  const padding = pairOf(where, "padding", options.padding ?? 0, 0);
  const dilation = pairOf(where, "dilation", dilationSize, 1);
  const outSize = ([0, 1] as const).map((axis) => {
    const size = x.shape[2 + axis];
    const reach = dilation[axis] * (kernel[axis] - 1) + 1;
    const pad = padding[axis];
    const most = Math.floor(kernel[axis] / 2);
    if (pad > most) {
      fail("argument", where, `padding of at most half the kernel's size, ${most}`, String(pad));
    }
    const room = size + 2 * pad - reach;
    const step = stride[axis];
    let n = Math.floor((room + (options.ceilMode ? step - 1 : 0)) / step) + 1;
    if (options.ceilMode && (n - 1) * step >= size + pad) n--; // the last window must begin inside
    if (n < 1) {
      fail(
        "argument",
        where,
        `an input of at least ${reach} pixels (the window's reach) after padding`,
        `${size + 2 * pad} in dimension ${2 + axis}`,
      );
    }
    return n;
  });
  const out = Tensor.empty(backend, [x.shape[0], x.shape[1], ...outSize], "f32", "channels_last");
  backend.pool2d(x, out, {
    kind,
    kernel,
    stride,
    padding,
    dilation,
    countIncludePad: average.countIncludePad ?? true,
    divisorOverride: average.divisorOverride,
  });
  return out;
}
