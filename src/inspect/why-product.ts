/** Why, for sums of products: convolutions and linear layers. */
import type { Pair } from "../backend/backend.ts";
import type { Conv2d, Linear } from "../nn/index.ts";
import { formatShape } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Arithmetic, Term } from "./why.ts";

/** y[n, o, h, w] = bias[o] + the sum over (c, ky, kx) of input * weight; what lies in the padding adds nothing and is no term. */
export function explainConv(module: Conv2d, x: Tensor, [n, o, h, w]: readonly number[]): Arithmetic {
  const { weight, bias, stride, dilation, groups, kernelSize, outChannels } = module;
  const perGroup = weight.shape[1];
  const first = Math.floor(o / (outChannels / groups)) * perGroup;
  const padding = paddingOf(module);
  const [top, left] = [h * stride[0] - padding[0], w * stride[1] - padding[1]];
  const [height, width] = x.shape.slice(2);
  const terms: Term[] = [];
  for (let c = 0; c < perGroup; c++) {
    for (let ky = 0; ky < kernelSize[0]; ky++) {
      const row = top + ky * dilation[0];
      if (row < 0 || row >= height) continue;
      for (let kx = 0; kx < kernelSize[1]; kx++) {
        const column = left + kx * dilation[1];
        if (column < 0 || column >= width) continue;
        terms.push(product("input", x, [n, first + c, row, column], weight, [o, c, ky, kx]));
      }
    }
  }
  const reach = (axis: 0 | 1, from: number, size: number): [number, number] => [
    Math.max(0, from),
    Math.min(size, from + dilation[axis] * (kernelSize[axis] - 1) + 1),
  ];
  const rest = sumOf(terms, bias ? Number(bias.at(o)) : 0);
  return {
    formula: `sum of input * weight over ${perGroup} channels and a ${kernelSize.join("x")} window${bias ? ", plus bias" : ""}`,
    ...rest,
    region: { rows: reach(0, top, height), columns: reach(1, left, width) },
  };
}

/** y[..., o] = bias[o] + the sum over i of input[..., i] * weight[o, i]. */
export function explainLinear(module: Linear, x: Tensor, index: readonly number[]): Arithmetic {
  const o = index[index.length - 1];
  const lead = index.slice(0, -1);
  const terms = Array.from({ length: module.inFeatures }, (_, i) =>
    product("input", x, [...lead, i], module.weight, [o, i]),
  );
  const formula = `sum of input${formatShape(lead).replace("]", ", i]")} * weight[${o}, i] over i${module.bias ? ", plus bias" : ""}`;
  return { formula, ...sumOf(terms, module.bias ? Number(module.bias.at(o)) : 0) };
}

function product(
  name: string,
  x: Tensor,
  at: readonly number[],
  weight: Tensor,
  with_: readonly number[],
): Term {
  const [a, b] = [Number(x.at(...at)), Number(weight.at(...with_))];
  const factors = [
    { name, index: at, value: a },
    { name: "weight", index: with_, value: b },
  ];
  return { factors, contribution: a * b };
}

/** The terms' sum with a bias. */
export function sumOf(terms: readonly Term[], bias: number): Pick<Arithmetic, "value" | "bias" | "terms"> {
  return { value: terms.reduce((sum, { contribution }) => sum + contribution, bias), bias, terms };
}

/** Zeros before the first row and column. */
function paddingOf({ padding, dilation, kernelSize }: Conv2d): Pair {
  if (padding === "valid") return [0, 0];
  if (padding !== "same") return padding;
  return [0, 1].map((axis) => Math.floor((dilation[axis] * (kernelSize[axis] - 1)) / 2)) as [number, number];
}
