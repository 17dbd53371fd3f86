/** Convolutions and linear layers done wrongly: the weights read in another order, the padding on other sides, a bias lost. */
import type { Pair } from "../../backend/backend.ts";
import { Conv2d, Linear } from "../../nn/index.ts";
import { cat, conv2d } from "../../ops/index.ts";
import { zeros } from "../../tensor/create.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { type Guess, inEvery, type Mistake, setField, withForward } from "./mistake.ts";
import type { Change, Problem } from "./problem.ts";

const hasConv = (problem: Problem): boolean => problem.has((module) => module instanceof Conv2d);

/** Another weight in every convolution; undefined: this one stays. */
function weights(turn: (weight: Tensor, conv: Conv2d) => Tensor | undefined): Change {
  return inEvery(Conv2d, (conv) => {
    const other = turn(conv.weight, conv);
    if (other === undefined) return false;
    setField(conv, "weight", other);
    return true;
  });
}

function geometry(conv: Conv2d): { stride: Pair; padding: Pair; dilation: Pair; groups: number } {
  const { stride, padding, dilation, groups } = conv;
  return { stride, padding: typeof padding === "string" ? [0, 0] : padding, dilation, groups };
}

/** An axis read backwards. */
function reversed(x: Tensor, axis: number): Tensor {
  const n = x.shape[axis];
  const parts = Array.from({ length: n }, (_, i) => x.slice(axis, n - 1 - i, n - i));
  return cat(parts, axis);
}

/** The same buffer, which some other program wrote with axes in the order `axes` of [O, I, kh, kw]. */
function reread(weight: Tensor, axes: readonly [number, number, number, number]): Tensor | undefined {
  const lies = axes.map((axis) => weight.shape[axis]);
  if (lies.join() === weight.shape.join() && axes.join() === "0,1,2,3") return undefined;
  const back = [0, 1, 2, 3].map((axis) => axes.indexOf(axis));
  return weight
    .contiguous()
    .viewAs(...lies)
    .permute(...back);
}

const isOne = (conv: Conv2d): boolean => conv.kernelSize[0] === 1 && conv.kernelSize[1] === 1;

const ORDERS: readonly (readonly [string, readonly [number, number, number, number]])[] = [
  ["HWIO (TensorFlow)", [2, 3, 1, 0]],
  ["OHWI (TFLite)", [0, 2, 3, 1]],
  ["IOHW (a transposed convolution's)", [1, 0, 2, 3]],
  ["HWOI", [2, 3, 0, 1]],
];

const weightOrder: Mistake = {
  name: "weight-order",
  mend: "PyTorch's convolution weights lie as [out, in / groups, kh, kw]: permute them to your layout, do not just reshape.",
  *guesses(problem) {
    if (!hasConv(problem)) return;
    for (const [name, axes] of ORDERS) {
      yield {
        change: weights((w) => reread(w, axes)),
        says: `the convolution's weights are read as ${name}`,
      };
    }
  },
};

const kernelFlipped: Mistake = {
  name: "kernel-flipped",
  mend: "PyTorch's convolution is a cross-correlation: do not turn the kernel around.",
  *guesses(problem) {
    if (!hasConv(problem)) return;
    const turn = (axes: readonly number[]): Change =>
      weights((w, conv) => (isOne(conv) ? undefined : axes.reduce(reversed, w)));
    yield { change: turn([2, 3]), says: "the kernel is turned around, as in a true convolution" };
    yield { change: turn([3]), says: "the kernel is mirrored left to right" };
    yield { change: turn([2]), says: "the kernel is mirrored top to bottom" };
  },
};

const kernelTransposed: Mistake = {
  name: "kernel-transposed",
  mend: "The kernel's rows are the image's rows: [kh, kw], row-major.",
  *guesses(problem) {
    if (!hasConv(problem)) return;
    const change = weights((w, { kernelSize: [kh, kw] }) =>
      kh === kw && kh > 1 ? w.transpose(2, 3).contiguous() : undefined,
    );
    yield { change, says: "height and width of the kernel are exchanged" };
  },
};

const biasMissing: Mistake = {
  name: "bias-missing",
  mend: "Add the bias.",
  *guesses(problem) {
    const lose = <M extends Conv2d | Linear>(kind: abstract new (...a: never[]) => M): Change =>
      inEvery(kind, (layer) => {
        if (!layer.bias) return false;
        layer.bias = undefined;
        return true;
      });
    if (hasConv(problem)) yield { change: lose(Conv2d), says: "the convolution's bias is not added" };
    if (problem.has((module) => module instanceof Linear)) {
      yield { change: lose(Linear), says: "the linear layer's bias is not added" };
    }
  },
};

const weightTransposed: Mistake = {
  name: "weight-transposed",
  mend: "A linear layer is x W^T + b with W [out, in].",
  *guesses(problem) {
    if (!problem.has((module) => module instanceof Linear)) return;
    const change = (turn: (w: Tensor) => Tensor): Change =>
      inEvery(Linear, (layer) => {
        setField(layer, "weight", turn(layer.weight));
      });
    yield {
      change: change((w) => w.contiguous().viewAs(w.shape[1], w.shape[0]).transpose(0, 1).contiguous()),
      says: "the linear layer's weight is read as [in, out]",
    };
  },
};

/** Where the frame around the input lies: pixels at the top, bottom, left and right. */
type Frame = readonly [top: number, bottom: number, left: number, right: number];

type Filling = "zeros" | "replicate" | "reflect" | "circular";

/** x with a frame; negative: cut off. */
export function framed(x: Tensor, [top, bottom, left, right]: Frame, filling: Filling = "zeros"): Tensor {
  return framedAlong(framedAlong(x, 2, top, bottom, filling), 3, left, right, filling);
}

function framedAlong(x: Tensor, axis: number, before: number, after: number, filling: Filling): Tensor {
  const n = x.shape[axis];
  const inner = x.slice(axis, Math.max(0, -before), n - Math.max(0, -after));
  const line = (i: number): Tensor => {
    const at =
      filling === "replicate" ? clampTo(i, n) : filling === "reflect" ? mirror(i, n) : (i + 2 * n) % n;
    return x.slice(axis, at, at + 1);
  };
  const nothing = (count: number): Tensor =>
    zeros(
      x.shape.map((size, k) => (k === axis ? count : size)),
      { backend: x.backend },
    );
  const side = (first: number, count: number): Tensor[] => {
    if (count <= 0) return [];
    return filling === "zeros" ? [nothing(count)] : Array.from({ length: count }, (_, i) => line(first + i));
  };
  return cat([...side(-before, before), inner, ...side(n, after)], axis);
}

const clampTo = (i: number, n: number): number => Math.min(n - 1, Math.max(0, i));
const mirror = (i: number, n: number): number => {
  const at = Math.abs(i);
  return clampTo(at >= n ? 2 * (n - 1) - at : at, n);
};

/** Convolutions with another frame: `frame` gives it from the layer and the input, or undefined where it has none of its own. */
function reframed(frame: (conv: Conv2d, x: Tensor) => Frame | undefined, filling: Filling = "zeros"): Change {
  return inEvery(Conv2d, (conv) => {
    const { padding, stride, dilation, groups } = conv;
    if (typeof padding === "string" || (isOne(conv) && conv.stride[0] === 1)) return false;
    withForward(conv, ((x: Tensor) => {
      const around = frame(conv, x) ?? [padding[0], padding[0], padding[1], padding[1]];
      return conv2d(framed(x, around, filling), conv.weight, conv.bias, { stride, dilation, groups });
    }) as never);
    return true;
  });
}

/** TensorFlow's SAME: as much as the output's size needs, the odd pixel below and to the right. */
function same(conv: Conv2d, x: Tensor): Frame {
  const sides = ([0, 1] as const).flatMap((axis) => {
    const size = x.shape[2 + axis];
    const step = conv.stride[axis];
    const reach = conv.dilation[axis] * (conv.kernelSize[axis] - 1) + 1;
    const total = Math.max((Math.ceil(size / step) - 1) * step + reach - size, 0);
    return [Math.floor(total / 2), Math.ceil(total / 2)];
  });
  return sides as unknown as Frame;
}

const paddingSides: Mistake = {
  name: "padding-sides",
  mend: "Pad (k - 1) // 2 on every side, also where the stride is 2; TensorFlow's SAME puts the odd pixel below and to the right.",
  *guesses(problem) {
    if (!hasConv(problem)) return;
    const onStride =
      (frame: (conv: Conv2d, x: Tensor) => Frame) =>
      (conv: Conv2d, x: Tensor): Frame | undefined =>
        conv.stride[0] > 1 || conv.stride[1] > 1 ? frame(conv, x) : undefined;
    const pads = (conv: Conv2d): Pair => geometry(conv).padding;
    const say = (says: string, change: Change): Guess => ({ says, change });
    yield say(
      "the padding is TensorFlow's SAME: with stride 2 the windows lie a pixel lower and to the right",
      reframed(onStride(same)),
    );
    yield say(
      "all of the padding is above and to the left",
      reframed((conv) => [2 * pads(conv)[0], 0, 2 * pads(conv)[1], 0]),
    );
    yield say(
      "all of the padding is below and to the right",
      reframed((conv) => [0, 2 * pads(conv)[0], 0, 2 * pads(conv)[1]]),
    );
    yield say(
      "there is no padding",
      reframed(() => [0, 0, 0, 0]),
    );
  },
};

const paddingMode: Mistake = {
  name: "padding-mode",
  mend: "Pad with zeros.",
  *guesses(problem) {
    if (!hasConv(problem)) return;
    const own = (): undefined => undefined;
    yield {
      change: reframed(own, "replicate"),
      says: "the frame repeats the edge (replicate) in place of zeros",
    };
    yield { change: reframed(own, "reflect"), says: "the frame mirrors the map (reflect) in place of zeros" };
    yield { change: reframed(own, "circular"), says: "the frame wraps around (circular) in place of zeros" };
  },
};

const strideOffset: Mistake = {
  name: "stride-offset",
  mend: "With stride 2 the first window is centred on pixel 0: outputs 0, 2, 4, ... of the stride 1 result.",
  *guesses(problem) {
    if (!hasConv(problem)) return;
    for (const [dy, dx] of [
      [1, 1],
      [1, 0],
      [0, 1],
    ] as const) {
      const change = reframed((conv) => {
        const [ph, pw] = geometry(conv).padding;
        if (conv.stride[0] === 1) return undefined;
        return [ph - dy, ph + dy, pw - dx, pw + dx];
      });
      yield { change, says: `windows of stride 2 begin ${dy} row(s) lower and ${dx} column(s) to the right` };
    }
  },
};

const dilationIgnored: Mistake = {
  name: "dilation-ignored",
  mend: "Space the kernel's taps by the dilation.",
  *guesses(problem) {
    if (!hasConv(problem)) return;
    const change = inEvery(Conv2d, (conv) => {
      const { dilation, stride, groups } = conv;
      if (dilation[0] === 1 && dilation[1] === 1) return false;
      const padding = ([0, 1] as const).map((axis) => {
        const pad = geometry(conv).padding[axis] - ((dilation[axis] - 1) * (conv.kernelSize[axis] - 1)) / 2;
        return Math.max(0, Math.round(pad));
      }) as unknown as Pair;
      withForward(conv, ((x: Tensor) =>
        conv2d(x, conv.weight, conv.bias, { stride, padding, groups })) as never);
      return true;
    });
    yield { change, says: "the dilation is taken for 1" };
  },
};

const groupOrder: Mistake = {
  name: "group-order",
  mend: "Groups are runs of consecutive channels, in the input and in the output.",
  *guesses(problem) {
    if (
      !problem.has(
        (module) => module instanceof Conv2d && module.groups > 1 && module.groups < module.inChannels,
      )
    )
      return;
    const shuffle = (x: Tensor, groups: number): Tensor => {
      const [n, c, h, w] = x.shape;
      return x
        .contiguous()
        .viewAs(n, c / groups, groups, h, w)
        .transpose(1, 2)
        .reshape(n, c, h, w);
    };
    const change = inEvery(Conv2d, (conv) => {
      const { groups, inChannels } = conv;
      if (groups === 1 || groups === inChannels) return false;
      withForward(conv, ((x: Tensor) =>
        conv2d(shuffle(x, groups), conv.weight, conv.bias, geometry(conv))) as never);
      return true;
    });
    yield { change, says: "the groups take every n-th channel of the input" };
  },
};

/** All of them. */
export const CONVOLUTION: readonly Mistake[] = [
  biasMissing,
  paddingSides,
  paddingMode,
  strideOffset,
  kernelFlipped,
  kernelTransposed,
  weightOrder,
  weightTransposed,
  dilationIgnored,
  groupOrder,
];
