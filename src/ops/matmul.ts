/** Matrix products, as `torch.matmul` and `torch.nn.functional.linear`. Results are row-major. */
import { fail } from "../errors.ts";
import { broadcastShapes, formatShape } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import { checkRank, checkVector, f32Operands } from "./checks.ts";

/**
 * a [..., M, K] times b [..., K, N] -> [..., M, N], leading dimensions broadcast. A 1-d `a` is a row and a 1-d `b` a
 * column, whose added dimension disappears from the result. f32.
 */
export function matmul(a: Tensor, b: Tensor): Tensor {
  const where = "matmul";
  const backend = f32Operands(where, { a, b });
  if (a.ndim === 0 || b.ndim === 0) {
    fail(
      "argument",
      where,
      "tensors of at least one dimension",
      `${formatShape(a.shape)} and ${formatShape(b.shape)}`,
    );
  }
  const left = a.ndim === 1 ? a.unsqueeze(0) : a;
  const right = b.ndim === 1 ? b.unsqueeze(1) : b;
  const [m, k] = left.shape.slice(-2);
  const [rows, n] = right.shape.slice(-2);
  if (k !== rows) {
    fail(
      "argument",
      where,
      "as many columns in a as rows in b",
      `a ${formatShape(a.shape)} and b ${formatShape(b.shape)}`,
    );
  }
  const lead = broadcastShapes(left.shape.slice(0, -2), right.shape.slice(0, -2), where);
  const out = Tensor.empty(backend, [...lead, m, n]);
  if (out.size > 0) backend.matmul(left.expand(...lead, m, k), right.expand(...lead, k, n), out);
  const shape = [...lead, ...(a.ndim === 1 ? [] : [m]), ...(b.ndim === 1 ? [] : [n])];
  return out.viewAs(...shape);
}

/** x [..., K], weight [N, K], bias [N] -> x weight^T + bias [..., N]. f32. */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  const where = "linear";
  const backend = f32Operands(where, { x, weight, bias });
  checkRank(where, "weight", weight, 2, "[N, K]");
  const [n, k] = weight.shape;
  if (x.ndim === 0 || x.shape[x.ndim - 1] !== k) {
    fail(
      "argument",
      where,
      `x [..., ${k}] for weight ${formatShape(weight.shape)}`,
      `shape ${formatShape(x.shape)}`,
    );
  }
  checkVector(where, "bias", bias, n);
  const out = Tensor.empty(backend, [...x.shape.slice(0, -1), n]);
  if (out.size > 0) backend.linear(x, weight, bias, out);
  return out;
}
