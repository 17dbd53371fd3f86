/** Activations that are others, missing, or where none should be. */
import { AIFI, Conv, MLP, UIB } from "../../models/index.ts";
import {
  type AnyModule,
  GELU,
  Identity,
  ReLU,
  ReLU6,
  Sequential,
  Sigmoid,
  SiLU,
  Softmax,
} from "../../nn/index.ts";
import {
  add,
  clamp,
  div,
  exp,
  gelu,
  log,
  maximum,
  minimum,
  mul,
  relu,
  relu6,
  sigmoid,
  silu,
  softmax,
  sub,
} from "../../ops/index.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { inEvery, type Mistake, withForward } from "./mistake.ts";
import type { Change } from "./problem.ts";

type Function = (x: Tensor) => Tensor;

const identity: Function = (x) => x;
const hardSigmoid: Function = (x) => div(relu6(add(x, 3)), 6);
const hardSwish: Function = (x) => mul(x, hardSigmoid(x));
const quickGelu: Function = (x) => mul(x, sigmoid(mul(x, 1.702)));
const tanhGelu: Function = (x) => gelu(x, { approximate: "tanh" });
const leaky =
  (slope: number): Function =>
  (x) =>
    maximum(x, mul(x, slope));
const elu: Function = (x) => maximum(x, sub(exp(minimum(x, 0)), 1));
const tanh: Function = (x) => sub(mul(sigmoid(mul(x, 2)), 2), 1);
const softplus: Function = (x) => log(add(exp(x), 1));
const mish: Function = (x) => mul(x, tanh(softplus(x)));
const clip: Function = (x) => clamp(x, { min: 0, max: 1 });

/** Every layer of a class computes `f`. */
function becomes(kind: abstract new (...args: never[]) => AnyModule, f: Function): Change {
  return inEvery(kind, (layer) => void withForward(layer, f));
}

/** AIFI's GELU is no layer of its own: fc2 gets it from a function. */
function aifiGelu(f: Function): Change {
  return inEvery(AIFI, (aifi) => {
    const turn = (x: Tensor): Tensor => aifiTail(aifi, x, f);
    withForward(aifi, turn as never);
  });
}

/** AIFI's forward with another activation. */
function aifiTail(aifi: AIFI, x: Tensor, f: Function): Tensor {
  const [n, c, h, w] = x.dims4("AIFI");
  let src = x.flatten(2).permute(0, 2, 1);
  const q = add(src, aifi.positions(h, w, c).to(x.backend));
  src = aifi.norm1.call(add(src, aifi.ma.call(q, q, src, { needWeights: false }).output));
  src = aifi.norm2.call(add(src, aifi.fc2.call(f(aifi.fc1.call(src)))));
  return src.permute(0, 2, 1).viewAs(n, c, h, w);
}

const mistake = (name: string, mend: string, guesses: readonly (readonly [Change, string])[]): Mistake => ({
  name,
  mend,
  *guesses(problem) {
    if (problem.form !== "module") return;
    for (const [change, says] of guesses) yield { change, says };
  },
});

/** MLP's ReLU is no layer of its own either. */
function mlpActivation(f: Function): Change {
  return inEvery(MLP, (mlp) => {
    const layers = [...mlp.layers];
    withForward(mlp, ((x: Tensor) =>
      layers.reduce(
        (y, layer, i) => (i < layers.length - 1 ? f(layer.call(y)) : layer.call(y)),
        x,
      )) as never);
  });
}

/** All of them. */
export const ACTIVATION: readonly Mistake[] = [
  mistake("relu-for-relu6", "Clip at 6: min(max(x, 0), 6).", [
    [becomes(ReLU6, relu), "ReLU stands for ReLU6: nothing is clipped at 6"],
  ]),
  mistake("relu6-for-relu", "Do not clip at 6 here: max(x, 0).", [
    [becomes(ReLU, relu6), "ReLU6 stands for ReLU"],
  ]),
  mistake("activation-missing", "Apply the activation after this layer.", [
    [becomes(ReLU6, identity), "ReLU6 is left out"],
    [becomes(ReLU, identity), "ReLU is left out"],
    [becomes(SiLU, identity), "SiLU is left out"],
    [becomes(GELU, identity), "GELU is left out"],
    [becomes(Sigmoid, identity), "the sigmoid is left out: logits were given"],
    [becomes(Softmax, identity), "the softmax is left out: logits were given"],
    [aifiGelu(identity), "AIFI's GELU is left out"],
    [mlpActivation(identity), "the ReLU between the linear layers is left out"],
  ]),
  mistake("gelu-tanh", "Use the exact form, x/2 (1 + erf(x / sqrt 2)): approximate='none'.", [
    [becomes(GELU, tanhGelu), "GELU is computed by its tanh approximation in place of erf"],
    [aifiGelu(tanhGelu), "AIFI's GELU is computed by its tanh approximation in place of erf"],
  ]),
  mistake("gelu-erf", "Use the tanh form here: approximate='tanh'.", [
    [
      inEvery(GELU, (layer) => {
        if (layer.approximate === "none") return false;
        withForward(layer, ((x: Tensor) => gelu(x)) as never);
        return true;
      }),
      "GELU is computed with erf in place of its tanh approximation",
    ],
  ]),
  mistake("gelu-variant", "Use the exact form, x/2 (1 + erf(x / sqrt 2)).", [
    [becomes(GELU, quickGelu), "GELU is computed as x sigmoid(1.702 x)"],
    [becomes(GELU, silu), "SiLU stands for GELU"],
    [becomes(GELU, relu), "ReLU stands for GELU"],
    [aifiGelu(quickGelu), "AIFI's GELU is computed as x sigmoid(1.702 x)"],
    [aifiGelu(silu), "SiLU stands for AIFI's GELU"],
    [aifiGelu(relu), "ReLU stands for AIFI's GELU"],
  ]),
  mistake("silu-variant", "Use x sigmoid(x).", [
    [becomes(SiLU, hardSwish), "hard swish, x relu6(x + 3) / 6, stands for SiLU"],
    [becomes(SiLU, quickGelu), "x sigmoid(1.702 x) stands for SiLU"],
    [becomes(SiLU, (x) => gelu(x)), "GELU stands for SiLU"],
    [becomes(SiLU, relu), "ReLU stands for SiLU"],
    [becomes(SiLU, relu6), "ReLU6 stands for SiLU"],
    [becomes(SiLU, sigmoid), "SiLU lacks its factor x: a sigmoid was given"],
    [becomes(SiLU, mish), "Mish stands for SiLU"],
  ]),
  mistake("relu-variant", "Use max(x, 0) (ReLU) or min(max(x, 0), 6) (ReLU6).", [
    [becomes(ReLU6, hardSwish), "hard swish stands for ReLU6"],
    [becomes(ReLU6, silu), "SiLU stands for ReLU6"],
    [becomes(ReLU6, leaky(0.01)), "leaky ReLU (0.01) stands for ReLU6"],
    [becomes(ReLU6, clip), "the clip is at 1, not at 6"],
    [becomes(ReLU6, (x) => minimum(x, 6)), "values below 0 are not cut off"],
    [becomes(ReLU, leaky(0.01)), "leaky ReLU (0.01) stands for ReLU"],
    [becomes(ReLU, leaky(0.1)), "leaky ReLU (0.1) stands for ReLU"],
    [becomes(ReLU, (x) => gelu(x)), "GELU stands for ReLU"],
    [becomes(ReLU, silu), "SiLU stands for ReLU"],
    [becomes(ReLU, elu), "ELU stands for ReLU"],
  ]),
  mistake("softmax-for-sigmoid", "RT-DETR's classes are independent: apply a sigmoid to each logit.", [
    [becomes(Sigmoid, (x) => softmax(x, -1)), "a softmax over the last axis stands for the sigmoid"],
  ]),
  mistake("sigmoid-variant", "Use 1 / (1 + exp(-x)).", [
    [becomes(Sigmoid, hardSigmoid), "hard sigmoid, relu6(x + 3) / 6, stands for the sigmoid"],
    [
      becomes(Sigmoid, (x) => clamp(add(mul(x, 0.2), 0.5), { min: 0, max: 1 })),
      "hard sigmoid, 0.2 x + 0.5, stands for the sigmoid",
    ],
    [becomes(Sigmoid, (x) => sigmoid(sigmoid(x))), "the sigmoid is applied twice"],
    [becomes(Sigmoid, tanh), "tanh stands for the sigmoid"],
  ]),
  {
    name: "softmax-axis",
    mend: "Apply the softmax along the axis that the golden names.",
    *guesses(problem) {
      const rank = [...problem.shapes.values()][0]?.length ?? 0;
      for (let axis = 0; axis < rank; axis++) {
        const change = inEvery(Softmax, (layer) => {
          const own = layer.dim < 0 ? layer.dim + rank : layer.dim;
          if (own === axis) return false;
          withForward(layer, ((x: Tensor) => softmax(x, axis)) as never);
          return true;
        });
        yield { change, says: `the softmax runs along axis ${axis}` };
      }
      yield { change: becomes(Softmax, sigmoid), says: "a sigmoid stands for the softmax" };
      yield {
        change: becomes(Softmax, (x) => log(softmax(x, -1))),
        says: "log softmax stands for the softmax",
      };
    },
  },
  {
    name: "activation-added",
    mend: "No activation here: depthwise convolutions at the start of a UIB, projections, and the neck's plain convolutions have none.",
    *guesses() {
      const acts: readonly (readonly [string, Function])[] = [
        ["ReLU6", relu6],
        ["ReLU", relu],
        ["SiLU", silu],
      ];
      for (const [name, f] of acts) {
        yield {
          change: inEvery(Conv, (conv) => {
            if (!(conv.act instanceof Identity)) return false;
            withForward(conv.act, f as never);
            return true;
          }),
          says: `a ${name} follows a convolution that has none`,
        };
        yield { change: blockEnd("_proj_conv", f), says: `a ${name} follows the UIB's projection` };
        yield {
          change: blockEnd("_start_dw_", f),
          says: `a ${name} follows the UIB's first depthwise convolution`,
        };
        yield {
          change: {
            module: (root) => {
              const plain =
                !(root instanceof Sequential) ||
                [...root].some((child) => ACTS.some((act) => child instanceof act));
              if (plain && !LINEAR.includes(root.kind)) return false;
              root.registerForwardHook((_module, _inputs, y) => f(y as Tensor));
              return true;
            },
          },
          says: `a ${name} follows although there is none`,
        };
      }
    },
  },
];

const ACTS = [ReLU, ReLU6, SiLU, GELU, Sigmoid];
const LINEAR = ["Conv2d", "Linear", "BatchNorm2d", "LayerNorm"];

function blockEnd(field: "_proj_conv" | "_start_dw_", f: Function): Change {
  return inEvery(UIB, (block) => {
    const part = block[field];
    if (part === undefined) return false;
    part.registerForwardHook((_module, _inputs, y) => f(y as Tensor));
    return true;
  });
}
