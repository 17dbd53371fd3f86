/** Why, for attention: how much each token added to an output, by each head. */
import { fail } from "../errors.ts";
import type { MultiheadAttention } from "../nn/index.ts";
import { linear } from "../ops/index.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Step } from "./steps.ts";
import type { Arithmetic, Term } from "./why.ts";
import { sumOf } from "./why-product.ts";

/**
 * y[n, l, e] = out_proj.bias[e] + the sum over heads and tokens s of attention[n, head, l, s] * (out_proj.weight[e] of the head, times
 * the head's value of s). Values are projected again; weights are the run's own, from the step.
 */
export function explainAttention(
  step: Step,
  inputs: readonly Tensor[],
  [n, l, e]: readonly number[],
): Arithmetic {
  const module = step.module as unknown as MultiheadAttention;
  if (!module.batchFirst || !module.in_proj_weight) {
    return fail("argument", "why", "attention with the batch in front and one width", "another form");
  }
  const attention = step.values.find(({ name }) => name.endsWith(".attention"))?.tensor;
  if (!attention) return fail("state", "why", "attention weights in the step", "none");
  const { headDim, numHeads, out_proj, embedDim } = module;
  const values = linear(inputs[2], module.in_proj_weight.chunk(3)[2], module.in_proj_bias?.chunk(3)[2]);
  const [projected, weights] = [
    values.select(0, n).toFloat32Array(),
    attention.select(0, n).select(1, l).toFloat32Array(),
  ];
  values.dispose();
  const row = out_proj.weight.select(0, e).toFloat32Array();
  const tokens = attention.shape[3];
  const terms: Term[] = [];
  for (let head = 0; head < numHeads; head++) {
    for (let s = 0; s < tokens; s++) {
      let value = 0;
      for (let d = 0; d < headDim; d++)
        value += row[head * headDim + d] * projected[s * embedDim + head * headDim + d];
      const weight = weights[head * tokens + s];
      const factors = [
        { name: "attention", index: [n, head, l, s], value: weight },
        { name: "out_proj.weight * value", index: [n, s, e], value },
      ];
      terms.push({ factors, contribution: weight * value, label: `head ${head}, token ${s}` });
    }
  }
  const bias = out_proj.bias ? Number(out_proj.bias.at(e)) : 0;
  return {
    formula: `sum over ${numHeads} heads and ${tokens} tokens of attention * projected value, plus bias`,
    ...sumOf(terms, bias),
  };
}
