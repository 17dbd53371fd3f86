/**
 * Operators that both mobiledetr and tfjs-backend-wasm have, at shapes of the ConvSmall detector at 640 x 640. Plain data:
 * `contenders/operator-*.mjs` say how each contender runs them.
 */

/** An operand: f32 in [-scale, scale), 1 unless given, or whole numbers in [0, below). Maps are N C H W. */
export interface Operand {
  readonly shape: readonly number[];
  readonly scale?: number;
  readonly below?: number;
}

/** One operator. */
export interface Operator {
  readonly name: string;
  /** What the contenders call it. */
  readonly op: string;
  /** x first; of `conv` and `linear` then weight and bias. */
  readonly operands: readonly Operand[];
  readonly options?: { readonly stride: number; readonly padding: number; readonly groups: number };
  readonly activation?: "relu" | "relu6";
  /** Of `topk`. */
  readonly k?: number;
  /** Multiply-adds, or else elements read. */
  readonly multiplyAdds?: number;
  readonly elements?: number;
}

function conv(
  name: string,
  [inputs, outputs]: readonly [number, number],
  kernel: number,
  side: number,
  stride = 1,
  groups = 1,
): Operator {
  return {
    name,
    op: "conv",
    operands: [
      { shape: [1, inputs, side, side] },
      { shape: [outputs, inputs / groups, kernel, kernel], scale: 0.1 },
      { shape: [outputs] },
    ],
    options: { stride, padding: (kernel - 1) / 2, groups },
    activation: "relu6",
    multiplyAdds: (side / stride) ** 2 * outputs * (inputs / groups) * kernel ** 2,
  };
}

function linear(rows: number, k: number, n: number): Operator {
  return {
    name: `linear ${k} -> ${n}, ${rows} tokens`,
    op: "linear",
    operands: [{ shape: [1, rows, k] }, { shape: [n, k], scale: 0.1 }, { shape: [n] }],
    multiplyAdds: rows * k * n,
  };
}

function plain(name: string, op: string, ...operands: readonly Operand[]): Operator {
  return { name, op, operands, elements: operands[0].shape.reduce((x, y) => x * y, 1) };
}

const [HEADS, TOKENS, WIDTH] = [8, 400, 32];

/** In the order in which they are printed. */
export const OPERATORS: readonly Operator[] = [
  conv("conv 1x1, 128 -> 128 at 80", [128, 128], 1, 80),
  conv("conv 1x1, 512 -> 128 at 80", [512, 128], 1, 80),
  conv("conv 1x1, 960 -> 256 at 20", [960, 256], 1, 20),
  conv("conv 3x3, 128 -> 128 at 80", [128, 128], 3, 80),
  conv("conv 3x3, 128 -> 128 at 20", [128, 128], 3, 20),
  conv("conv 3x3 s2, 3 -> 32 at 640 (stem)", [3, 32], 3, 640, 2),
  conv("conv 3x3 s2, 128 -> 128 at 80", [128, 128], 3, 80, 2),
  conv("depthwise 3x3, 192 at 40", [192, 192], 3, 40, 1, 192),
  conv("depthwise 3x3 s2, 64 at 160", [64, 64], 3, 160, 2, 64),
  conv("depthwise 5x5, 192 at 40", [192, 192], 5, 40, 1, 192),
  conv("depthwise 5x5 s2, 192 at 80", [192, 192], 5, 80, 2, 192),
  linear(400, 256, 1024),
  linear(8400, 256, 80),
  {
    name: "Q K^T, 8 heads, 400 tokens of 32",
    op: "matmulTransposed",
    operands: [{ shape: [HEADS, TOKENS, WIDTH] }, { shape: [HEADS, TOKENS, WIDTH] }],
    multiplyAdds: HEADS * TOKENS * TOKENS * WIDTH,
  },
  {
    name: "A V, 8 heads, 400 tokens of 32",
    op: "matmul",
    operands: [{ shape: [HEADS, TOKENS, TOKENS] }, { shape: [HEADS, TOKENS, WIDTH] }],
    multiplyAdds: HEADS * TOKENS * TOKENS * WIDTH,
  },
  plain("softmax of 8 x 400 rows of 400", "softmax", { shape: [HEADS, TOKENS, TOKENS] }),
  plain("relu6, 256 Ki elements", "relu6", { shape: [262_144], scale: 8 }),
  plain("sigmoid, 256 Ki elements", "sigmoid", { shape: [262_144], scale: 8 }),
  plain("add, 256 Ki elements", "add", { shape: [262_144] }, { shape: [262_144] }),
  plain("nearest upsampling by 2, 128 at 40", "upsample", { shape: [1, 128, 40, 40] }),
  plain("greatest of 80 classes, 8400 tokens", "max", { shape: [8400, 80] }),
  { ...plain("top-k, 300 of 8400", "topk", { shape: [8400] }), k: 300 },
  plain("300 rows of 8400 x 256", "gatherRows", { shape: [8400, 256] }, { shape: [300], below: 8400 }),
  plain("transpose of 6400 x 128", "transpose", { shape: [6400, 128] }),
];
