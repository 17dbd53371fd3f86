/** Normalisation: batch norm at inference, layer norm. */
import type { Backend } from "../backend/backend.ts";
import { fail } from "../errors.ts";
import { formatShape, sameShape, sizeOf } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import { checkVector, f32Operands } from "./checks.ts";

const { fround, sqrt } = Math;

/**
 * x [N, C, ...] normalised with stored statistics, all vectors [C]: x * alpha + beta with
 * alpha = 1 / sqrt(runningVar + eps) * weight and beta = bias - runningMean * alpha, in f32 step by step as PyTorch's
 * CPU kernel has them (`batch_norm_cpu_collect_linear_and_constant_terms`). The result is laid out as x.
 */
export function batchNorm(
  x: Tensor,
  runningMean: Tensor,
  runningVar: Tensor,
  weight?: Tensor,
  bias?: Tensor,
  eps = 1e-5,
): Tensor {
  const where = "batchNorm";
  const backend = f32Operands(where, { x, runningMean, runningVar, weight, bias });
  if (x.ndim < 2) fail("argument", where, "x [N, C, ...]", `shape ${formatShape(x.shape)}`);
  const channels = x.shape[1];
  checkVector(where, "runningMean", runningMean, channels);
  checkVector(where, "runningVar", runningVar, channels);
  checkVector(where, "weight", weight, channels);
  checkVector(where, "bias", bias, channels);
  checkEps(where, eps);
  const out = x.backend === backend ? x.newEmptyLike() : Tensor.empty(backend, x.shape);
  const [alpha, beta] = affine(backend, channels, runningMean, runningVar, weight, bias, eps);
  backend.affineChannels(x, alpha, beta, out);
  alpha.dispose();
  beta.dispose();
  return out;
}

function affine(
  backend: Backend,
  channels: number,
  mean: Tensor,
  variance: Tensor,
  weight: Tensor | undefined,
  bias: Tensor | undefined,
  eps: number,
): [Tensor, Tensor] {
  const alpha = Tensor.empty(backend, [channels]);
  const beta = Tensor.empty(backend, [channels]);
  if (backend.name === "meta" && !backend.keepsConstants) return [alpha, beta];
  const m = mean.toFloat32Array();
  const v = variance.toFloat32Array();
  const w = weight?.toFloat32Array();
  const b = bias?.toFloat32Array();
  const a = alpha.storage.data;
  const s = beta.storage.data;
  for (let c = 0; c < channels; c++) {
    const inverse = fround(1 / fround(sqrt(fround(v[c] + fround(eps)))));
    const scale = fround(inverse * (w ? w[c] : 1));
    a[c] = scale;
    s[c] = (b ? b[c] : 0) - fround(m[c] * scale);
  }
  return [alpha, beta];
}

/**
 * x [..., D] over its last dimensions, which must be `normalizedShape`: (x - mean) / sqrt(var + eps) * weight + bias
 * with the biased variance; weight and bias of that shape or absent. The result is row-major.
 */
export function layerNorm(
  x: Tensor,
  normalizedShape: number | readonly number[],
  weight?: Tensor,
  bias?: Tensor,
  eps = 1e-5,
): Tensor {
  const where = "layerNorm";
  const backend = f32Operands(where, { x, weight, bias });
  const shape = typeof normalizedShape === "number" ? [normalizedShape] : normalizedShape;
  const lead = x.ndim - shape.length;
  if (shape.length === 0 || lead < 0 || !sameShape(x.shape.slice(lead), shape)) {
    fail("argument", where, `x whose last dimensions are ${formatShape(shape)}`, formatShape(x.shape));
  }
  for (const [name, v] of Object.entries({ weight, bias })) {
    if (v && !sameShape(v.shape, shape)) {
      fail("argument", where, `${name} of shape ${formatShape(shape)}`, formatShape(v.shape));
    }
  }
  checkEps(where, eps);
  const d = sizeOf(shape);
  const out = Tensor.empty(backend, x.shape);
  if (out.size === 0) return out;
  const rows = x.shape.slice(0, lead);
  const flat = (v: Tensor | undefined): Tensor | undefined => v?.reshape(d);
  backend.layerNorm(x.reshape(...rows, d), flat(weight), flat(bias), eps, out.viewAs(...rows, d));
  return out;
}

function checkEps(where: string, eps: number): void {
  if (!(eps >= 0)) fail("argument", where, "eps >= 0", String(eps));
}
