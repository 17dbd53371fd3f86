/** What goes in is not what was given: weights in fewer bits, inputs in another layout. */
import { type AnyModule, replaceTensor } from "../../nn/index.ts";
import { tensor } from "../../tensor/create.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16 } from "../../weights/half.ts";
import type { Mistake } from "./mistake.ts";
import type { Change } from "./problem.ts";

type Rounding = (data: Float32Array, shape: readonly number[]) => Float32Array;

const half: Rounding = (data) => f16ToF32(f32ToF16(data));
const brain: Rounding = (data) => bf16ToF32(f32ToBf16(data));

/** Eight bits, symmetric, the greatest magnitude at 127; one scale for all, or one for each output. */
const eightBits =
  (perOutput: boolean): Rounding =>
  (data, shape) => {
    const length = perOutput && shape.length > 1 ? data.length / shape[0] : data.length;
    const out = new Float32Array(data.length);
    for (let from = 0; from < data.length; from += length) {
      const part = data.subarray(from, from + length);
      const step = part.reduce((most, x) => Math.max(most, Math.abs(x)), 0) / 127 || 1;
      part.forEach((x, i) => {
        out[from + i] = Math.round(x / step) * step;
      });
    }
    return out;
  };

/** Every parameter, or only the filters and matrices, rounded. */
function parameters(round: Rounding, filtersOnly: boolean): Change {
  return {
    module: (root: AnyModule) => {
      let planted = false;
      for (const slot of [...root.slots()]) {
        const { shape, dtype, isMeta, backend } = slot.tensor;
        if (dtype !== "f32" || isMeta || (filtersOnly && shape.length < 2)) continue;
        replaceTensor(slot, tensor(round(slot.tensor.toFloat32Array(), shape), shape, { backend }));
        planted = true;
      }
      return planted;
    },
  };
}

function weights(
  name: string,
  mend: string,
  bits: string,
  roundings: readonly (readonly [string, Rounding])[],
): Mistake {
  return {
    name,
    mend,
    *guesses() {
      for (const [how, round] of roundings) {
        for (const filtersOnly of [false, true]) {
          const which = filtersOnly ? "filters and matrices are" : "all parameters are";
          yield { change: parameters(round, filtersOnly), says: `${which} in ${bits}${how}` };
        }
      }
    },
  };
}

/** The first 4-d input in another layout. */
function input(turn: (x: Tensor) => Tensor): Change {
  return {
    tensors: (given) => {
      const found = [...given].find(([, x]) => x.ndim === 4 && x.dtype === "f32");
      return found ? new Map([...given, [found[0], turn(found[1])]]) : given;
    },
  };
}

const LAYOUTS: readonly (readonly [string, (x: Tensor) => Tensor])[] = [
  [
    "the input's buffer is read as NHWC",
    (x) => {
      const [n, c, h, w] = x.shape;
      return x.contiguous().viewAs(n, h, w, c).permute(0, 3, 1, 2).contiguous();
    },
  ],
  [
    "the input is turned to NHWC and read as NCHW",
    (x) => {
      const [n, c, h, w] = x.shape;
      return x.permute(0, 2, 3, 1).contiguous().viewAs(n, c, h, w);
    },
  ],
  [
    "height and width of the input are exchanged in its buffer",
    (x) => {
      const [n, c, h, w] = x.shape;
      return x.permute(0, 1, 3, 2).contiguous().viewAs(n, c, h, w);
    },
  ],
];

/** All of them. */
export const TRAFFIC: readonly Mistake[] = [
  weights(
    "fp16-weights",
    "Keep the weights in float32, or judge by a tolerance for half precision.",
    "half precision",
    [["", half]],
  ),
  weights("bf16-weights", "Keep the weights in float32, or judge by a tolerance for bfloat16.", "bfloat16", [
    ["", brain],
  ]),
  weights(
    "int8-weights",
    "Keep the weights in float32, or judge by a tolerance for quantised models.",
    "eight bits",
    [
      [", one scale for each tensor", eightBits(false)],
      [", one scale for each output", eightBits(true)],
    ],
  ),
  {
    name: "layout",
    mend: "Results are row-major in PyTorch's axis order, N C H W: transpose, do not reshape.",
    *guesses(problem) {
      const [first] = problem.shapes.values();
      if (problem.form === "picture" || problem.form === "detections" || first?.length !== 4) return;
      for (const [says, turn] of LAYOUTS) yield { change: input(turn), says };
    },
  },
];
