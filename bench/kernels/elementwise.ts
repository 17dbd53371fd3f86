/** Rows for what touches every number once or twice: activations, softmax, norms, sums. */
import type { UnaryOp } from "../../src/backend/backend.ts";
import type { Row } from "./harness.ts";

const ELEMENTS = 256 * 1024;
const ACTIVATIONS: readonly UnaryOp[] = ["relu", "relu6", "sigmoid", "silu", "gelu", "gelu_tanh", "exp"];

/** In the order in which they are printed. */
export const ELEMENTWISE: readonly Row[] = [
  ...ACTIVATIONS.map(
    (op): Row => ({
      family: "activations, 256 Ki elements",
      name: op,
      elements: ELEMENTS,
      operands: [{ of: [ELEMENTS], scale: 8 }, { of: [ELEMENTS] }],
      plain: (b, [x, y]) => b.unary(op, x, y),
    }),
  ),
  {
    family: "norms and sums",
    name: "softmax of 2400 rows of 300",
    elements: 2400 * 300,
    operands: [{ of: [2400, 300] }, { of: [2400, 300] }],
    plain: (b, [x, y]) => b.softmax(x, 1, y),
  },
  ...[300, 8400].map(
    (rows): Row => ({
      family: "norms and sums",
      name: `layer norm of ${rows} rows of 256, with weight and bias`,
      elements: rows * 256,
      operands: [{ of: [rows, 256] }, { of: [256] }, { of: [256] }, { of: [rows, 256] }],
      plain: (b, [x, w, bias, y]) => b.layerNorm(x, w, bias, 1e-5, y),
    }),
  ),
  {
    family: "norms and sums",
    name: "affine by channel, 128 channels at 80x80",
    elements: 6400 * 128,
    operands: [
      { of: [1, 128, 80, 80], channelsLast: true },
      { of: [128] },
      { of: [128] },
      { of: [1, 128, 80, 80], channelsLast: true },
    ],
    plain: (b, [x, alpha, beta, y]) => b.affineChannels(x, alpha, beta, y),
  },
  {
    family: "norms and sums",
    name: "add, 256 Ki elements",
    elements: ELEMENTS,
    operands: [{ of: [ELEMENTS] }, { of: [ELEMENTS] }, { of: [ELEMENTS] }],
    plain: (b, [x, z, y]) => b.binary("add", x, z, y),
  },
];
