/** Rows for what moves or picks numbers: copies, frames, resizing, sampling, reductions, top-k, gathering. */
import { packConv, runConv } from "../../src/backend/wasm/conv.ts";
import type { Engine } from "../../src/backend/wasm/engine.ts";
import type { Row } from "./harness.ts";

const LEVELS = [
  [80, 80],
  [40, 40],
  [20, 20],
] as const;
const TOKENS = 8400;

/** An engine that runs only what `wanted` names: part of an operator by itself. */
function only(engine: Engine, wanted: (kernel: string) => boolean): Engine {
  const run: Engine["run"] = (kernel, ...rest) => {
    if (wanted(kernel)) engine.run(kernel, ...rest);
  };
  return Object.create(engine, { run: { value: run } }) as Engine;
}

/** What a padded 3x3 convolution does before it multiplies: zeros around the map, and the map copied into them. */
function framing(name: string, part: (kernel: string) => boolean, elements: number): Row {
  const [channels, side] = [128, 80];
  return {
    family: "copies",
    name,
    elements,
    operands: [
      {
        of: [1, channels, side, side],
        channelsLast: true,
        touched: elements === side * side * channels ? elements : 0,
      },
      { of: [16, channels, 3, 3], touched: 0 },
      { of: [1, 16, side, side], channelsLast: true, touched: elements },
    ],
    plain: () => {},
    prepare: (engine, take, tensors) => {
      const [x, w, y] = tensors.map((t) => engine.view(t));
      const packed = packConv(engine, take, w, undefined, 1);
      const options = { stride: [1, 1], padding: [1, 1], dilation: [1, 1], groups: 1 } as const;
      const partial = only(engine, part);
      return () => runConv(partial, x, packed, y, options);
    },
    unchecked: true,
  };
}

/** In the order in which they are printed. */
export const MOVEMENT: readonly Row[] = [
  {
    family: "copies",
    name: "contiguous, 128 channels at 80x80",
    elements: 6400 * 128,
    operands: [
      { of: [1, 128, 80, 80], channelsLast: true },
      { of: [1, 128, 80, 80], channelsLast: true },
    ],
    plain: (b, [x, y]) => b.copy(x, y),
  },
  {
    family: "copies",
    name: "NCHW to channels-last, 128 channels at 80x80",
    elements: 6400 * 128,
    operands: [{ of: [1, 128, 80, 80] }, { of: [1, 128, 80, 80], channelsLast: true }],
    plain: (b, [x, y]) => b.copy(x, y),
  },
  framing("into a frame, 128 channels at 80x80", (kernel) => kernel.startsWith("copy"), 6400 * 128),
  framing(
    "the frame's zeros, 128 channels around 80x80",
    (kernel) => kernel === "zeroFrame",
    (82 * 82 - 6400) * 128,
  ),
  {
    family: "copies",
    name: "nearest upsampling by 2, 128 channels at 40x40",
    elements: 6400 * 128,
    operands: [
      { of: [1, 128, 40, 40], channelsLast: true },
      { of: [1, 128, 80, 80], channelsLast: true },
    ],
    plain: (b, [x, y]) => b.interpolate(x, y, { mode: "nearest", alignCorners: false, scale: [0.5, 0.5] }),
  },
  ...[300, 100].map(
    (queries): Row => ({
      family: "deformable attention, 8 heads, 3 levels, 4 points (an element is a point)",
      name: `${queries} queries on ${TOKENS} tokens`,
      elements: queries * 8 * 3 * 4,
      operands: [
        { of: [1, TOKENS, 8, 32], touched: queries * 8 * 3 * 4 * 4 * 32 },
        { of: [1, queries, 8, 3, 4, 2] },
        { of: [1, queries, 8, 3, 4] },
        { of: [1, queries, 256] },
      ],
      plain: (b, [value, locations, weights, y]) =>
        b.deformableAttention(value, LEVELS, locations, weights, y),
    }),
  ),
  {
    family: "choosing",
    name: `greatest of 80 classes of ${TOKENS} tokens`,
    elements: TOKENS * 80,
    operands: [{ of: [TOKENS, 80] }, { of: [TOKENS] }],
    plain: (b, [x, y]) => b.reduce("max", x, 1, y),
  },
  ...[TOKENS, 24_000].map(
    (n): Row => ({
      family: "choosing",
      name: `top-k, 300 of ${n}`,
      elements: n,
      operands: [{ of: [1, n] }, { of: [1, 300], below: 1 }, { of: [1, 300] }],
      plain: (b, [x, indices, values]) => b.topk(x, 300, 1, true, values, indices),
    }),
  ),
  {
    family: "choosing",
    name: `gather 300 rows of 256 from ${TOKENS}`,
    elements: 300 * 256,
    operands: [
      { of: [1, TOKENS, 256], touched: 300 * 256 },
      { of: [1, 300], below: TOKENS },
      { of: [1, 300, 256] },
    ],
    plain: (b, [x, index, y]) => {
      b.gather(x, 1, { ...index, shape: [1, 300, 256], strides: [300, 1, 0] }, y);
    },
  },
];
