/** BatchNorm and LayerNorm done wrongly. */
import { BatchNorm2d, LayerNorm } from "../../nn/index.ts";
import { add, batchNorm, div, layerNorm, mean, mul, sqrt, sub } from "../../ops/index.ts";
import { full, ones, zeros } from "../../tensor/create.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { type Guess, inEvery, type Mistake, setField, withForward } from "./mistake.ts";
import type { Problem } from "./problem.ts";

const has = (problem: Problem, kind: typeof BatchNorm2d | typeof LayerNorm): boolean =>
  problem.has((module) => module instanceof kind);

/** The values of eps that frameworks have by default; 1e-3 is Keras's and that of YAML models, 1e-5 PyTorch's. */
const BATCH_EPS = [1e-3, 1e-5, 1e-4, 1e-6, 1e-12, 0];
const LAYER_EPS = [1e-5, 1e-6, 1e-12, 1e-3, 1e-8, 0];

/** "1e-5". */
const epsText = (eps: number): string => (eps === 0 ? "0" : eps.toExponential());

/** Every norm of a class with each of these values of eps; its own is named beside it. */
function* otherEps<M extends { eps: number }>(
  problem: Problem,
  kind: abstract new (...args: never[]) => M,
  name: string,
  values: readonly number[],
): Generator<Guess> {
  const own = new Set<number>();
  problem.has((module) => {
    if ((module as unknown) instanceof kind) own.add((module as unknown as M).eps);
    return false;
  });
  for (const eps of values) {
    const others = [...own].filter((value) => value !== eps);
    if (others.length === 0) continue;
    const change = inEvery(kind, (norm) => {
      if (norm.eps === eps) return false;
      norm.eps = eps;
      return true;
    });
    yield { change, says: `${name} has eps ${epsText(eps)} in place of ${others.map(epsText).join(" or ")}` };
  }
}

const batchNormEps: Mistake = {
  name: "batch-norm-eps",
  mend: "Set eps of every BatchNorm2d: 1e-3 within a YAML model, backbone and input_proj included; 1e-5 in a stand-alone backbone. Fold it into the weights with that value.",
  *guesses(problem) {
    if (!has(problem, BatchNorm2d)) return;
    yield* otherEps(problem, BatchNorm2d, "BatchNorm2d", BATCH_EPS);
  },
};

const batchNormMissing: Mistake = {
  name: "batch-norm-missing",
  mend: "Run BatchNorm2d after the convolution, or fold all four of its vectors into the weights and a bias.",
  *guesses(problem) {
    if (!has(problem, BatchNorm2d)) return;
    yield {
      change: inEvery(BatchNorm2d, (norm) => void withForward(norm, (x: Tensor) => x)),
      says: "BatchNorm2d is left out",
    };
  },
};

const batchNormTraining: Mistake = {
  name: "batch-norm-training",
  mend: "Use running_mean and running_var: model.eval() before export or inference.",
  *guesses(problem) {
    if (!has(problem, BatchNorm2d)) return;
    const change = inEvery(BatchNorm2d, (norm) => {
      setField(norm, "running_mean", undefined);
      return true;
    });
    yield { change, says: "BatchNorm2d normalises with the statistics of the batch at hand, as in training" };
  },
};

/** BatchNorm with some of its vectors left out, or used wrongly. */
const batchNormParts: Mistake = {
  name: "batch-norm-parts",
  mend: "Apply (x - running_mean) / sqrt(running_var + eps) * weight + bias, all four vectors per channel.",
  *guesses(problem) {
    if (!has(problem, BatchNorm2d)) return;
    const variant = (says: string, edit: (norm: BatchNorm2d) => void): Guess => ({
      says,
      change: inEvery(BatchNorm2d, (norm) => {
        if (!norm.running_mean || !norm.running_var) return false;
        edit(norm);
        return true;
      }),
    });
    const like = (x: Tensor | undefined, make: typeof ones): Tensor | undefined =>
      x && make(x.shape, { backend: x.backend });
    yield variant("BatchNorm2d lacks its bias", (norm) => setField(norm, "bias", like(norm.bias, zeros)));
    yield variant("BatchNorm2d lacks its weight", (norm) =>
      setField(norm, "weight", like(norm.weight, ones)),
    );
    yield variant("BatchNorm2d lacks weight and bias", (norm) => {
      setField(norm, "weight", undefined);
      setField(norm, "bias", undefined);
    });
    yield variant("BatchNorm2d does not subtract running_mean", (norm) =>
      setField(norm, "running_mean", like(norm.running_mean, zeros)),
    );
    yield variant("BatchNorm2d does not divide by the deviation", (norm) => {
      const plain = norm.running_var;
      if (plain) setField(norm, "running_var", full(plain.shape, 1 - norm.eps, { backend: plain.backend }));
    });
    yield variant("BatchNorm2d divides by running_var, not by its square root", (norm) => {
      const { running_var: v, eps } = norm;
      // Then sqrt(v' + eps) is v + eps.
      if (v) setField(norm, "running_var", sub(mul(add(v, eps), add(v, eps)), eps));
    });
    yield variant("BatchNorm2d adds eps to the deviation, outside of the square root", (norm) => {
      const { running_var: v, eps } = norm;
      if (v) setField(norm, "running_var", sub(mul(add(sqrt(v), eps), add(sqrt(v), eps)), eps));
    });
    yield variant("BatchNorm2d has weight and bias exchanged", (norm) => {
      const { weight, bias } = norm;
      setField(norm, "weight", bias);
      setField(norm, "bias", weight);
    });
    yield variant("BatchNorm2d has running_mean and running_var exchanged", (norm) => {
      const { running_mean, running_var } = norm;
      setField(norm, "running_mean", running_var);
      setField(norm, "running_var", running_mean);
    });
  },
};

const layerNormEps: Mistake = {
  name: "layer-norm-eps",
  mend: "Set eps of every LayerNorm to 1e-5.",
  *guesses(problem) {
    if (!has(problem, LayerNorm)) return;
    yield* otherEps(problem, LayerNorm, "LayerNorm", LAYER_EPS);
  },
};

const layerNormParts: Mistake = {
  name: "layer-norm-parts",
  mend: "Apply (x - mean) / sqrt(var + eps) * weight + bias over the last dimension, var being the biased variance.",
  *guesses(problem) {
    if (!has(problem, LayerNorm)) return;
    const variant = (says: string, forward: (norm: LayerNorm, x: Tensor) => Tensor): Guess => ({
      says,
      change: inEvery(LayerNorm, (norm) => void withForward(norm, (x: Tensor) => forward(norm, x))),
    });
    yield variant("LayerNorm is left out", (_norm, x) => x);
    yield variant("LayerNorm lacks weight and bias", (norm, x) =>
      layerNorm(x, norm.normalizedShape, undefined, undefined, norm.eps),
    );
    yield variant("LayerNorm lacks its bias", (norm, x) =>
      layerNorm(x, norm.normalizedShape, norm.weight, undefined, norm.eps),
    );
    yield variant("LayerNorm takes the unbiased variance, over n - 1", (norm, x) => {
      const [n] = norm.normalizedShape;
      const centred = sub(x, mean(x, -1, { keepdim: true }));
      const variance = mul(mean(mul(centred, centred), -1, { keepdim: true }), n / (n - 1));
      return affine(div(centred, sqrt(add(variance, norm.eps))), norm);
    });
    yield variant("LayerNorm does not subtract the mean (RMS norm)", (norm, x) => {
      const square = mean(mul(x, x), -1, { keepdim: true });
      return affine(div(x, sqrt(add(square, norm.eps))), norm);
    });
    yield variant("LayerNorm normalises along the tokens", (norm, x) => {
      if (x.ndim !== 3) return x;
      const [, tokens] = x.shape;
      const turned = layerNorm(x.transpose(1, 2), tokens, undefined, undefined, norm.eps).transpose(1, 2);
      return affine(turned, norm);
    });
  },
};

function affine(x: Tensor, { weight, bias }: LayerNorm): Tensor {
  const scaled = weight ? mul(x, weight) : x;
  return bias ? add(scaled, bias) : scaled;
}

/** Applied twice: once folded into the weights and once more as a layer. */
const batchNormTwice: Mistake = {
  name: "batch-norm-twice",
  mend: "Fold BatchNorm into the convolution or run it, not both.",
  *guesses(problem) {
    if (!has(problem, BatchNorm2d)) return;
    const change = inEvery(BatchNorm2d, (norm) => {
      const { running_mean: m, running_var: v, weight, bias, eps } = norm;
      if (!m || !v) return false;
      const once = (x: Tensor): Tensor => batchNorm(x, m, v, weight, bias, eps);
      withForward(norm, (x: Tensor) => once(once(x)));
      return true;
    });
    yield { change, says: "BatchNorm2d is applied twice" };
  },
};

/** All of them. */
export const NORMALISATION: readonly Mistake[] = [
  batchNormEps,
  batchNormMissing,
  batchNormTraining,
  batchNormParts,
  batchNormTwice,
  layerNormEps,
  layerNormParts,
];
