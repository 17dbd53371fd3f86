/** Rows for products of matrices: linear layers with weights packed before, and the batched products of attention. */
import type { Activation } from "../../src/backend/wasm/epilogue.ts";
import { packLinear, runLinear } from "../../src/backend/wasm/gemm.ts";
import { finish } from "./convolutions.ts";
import type { Row } from "./harness.ts";

function linear(rows: number, k: number, n: number, activation?: Activation, strassen = false): Row {
  return {
    family: strassen ? "linear: Strassen, counted as the plain product" : "linear: GEMM",
    name: `${rows}x${k} -> ${n}${activation ? ` ${activation}` : ""}`,
    multiplyAdds: rows * k * n,
    operands: [{ of: [1, rows, k] }, { of: [n, k], scale: 0.1 }, { of: [n] }, { of: [1, rows, n] }],
    plain: (b, [x, w, bias, y]) => {
      b.linear(x, w, bias, y);
      finish(b, y, activation);
    },
    prepare: (engine, take, tensors) => {
      const [x, w, bias, y] = tensors.map((t) => engine.view(t));
      const packed = packLinear(engine, take, w, bias, strassen);
      return () => runLinear(engine, x, packed, y, { activation });
    },
  };
}

/** Queries and keys of `tokens` tokens in 8 heads of 32, as they lie: heads side by side in a token. */
function attention(tokens: number): Row[] {
  const heads = 8;
  const width = 32;
  const scores = [heads, tokens, tokens];
  const multiplyAdds = heads * tokens * tokens * width;
  const split = [width, heads * width, 1]; // strides of [head, token, channel]
  const shape = [heads, tokens, width];
  const family = "attention, 8 heads of 32";
  return [
    {
      family,
      name: `Q K^T, ${tokens} tokens`,
      multiplyAdds,
      operands: [{ of: [tokens, heads * width] }, { of: [tokens, heads * width] }, { of: scores }],
      plain: (b, [q, k, y]) => {
        const keys = { ...k, shape: [heads, width, tokens], strides: [width, 1, heads * width] };
        b.matmul({ ...q, shape, strides: split }, keys, y);
      },
    },
    {
      family,
      name: `softmax of rows, ${tokens} tokens`,
      elements: heads * tokens * tokens,
      operands: [{ of: scores }, { of: scores }],
      plain: (b, [x, y]) => b.softmax(x, 2, y),
    },
    {
      family,
      name: `A V, ${tokens} tokens`,
      multiplyAdds,
      operands: [{ of: scores }, { of: [tokens, heads * width] }, { of: [tokens, heads * width] }],
      plain: (b, [a, v, y]) => b.matmul(a, { ...v, shape, strides: split }, { ...y, shape, strides: split }),
    },
  ];
}

/** Shapes of which Strassen's algorithm is beside the plain product; the plain row of the first is there already. */
const HALVED = [
  [300, 256, 1024],
  [400, 512, 2048],
  [400, 2048, 512],
  [6400, 256, 256],
  [400, 960, 256],
  [6400, 128, 128],
  [6400, 64, 256],
] as const;

/** In the order in which they are printed. */
export const PRODUCTS: readonly Row[] = [
  linear(300, 256, 1024),
  linear(300, 256, 1024, "gelu"),
  linear(300, 1024, 256),
  linear(8400, 256, 256),
  linear(8400, 256, 80),
  linear(400, 256, 256),
  linear(300, 4, 512, "relu"),
  linear(8400, 16, 64),
  linear(8400, 32, 32),
  linear(300, 256, 4),
  ...HALVED.slice(1).map(([rows, k, n]) => linear(rows, k, n)),
  ...HALVED.map(([rows, k, n]) => linear(rows, k, n, undefined, true)),
  ...attention(400),
  ...attention(300),
];
