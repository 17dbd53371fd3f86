/** Rows for convolutions: dense, strided, the stem, Winograd's, depthwise; packed as a plan packs them. */
import type { Backend, ConvOptions, Pair, Strided } from "../../src/backend/backend.ts";
import { packConv, runConv } from "../../src/backend/wasm/conv.ts";
import type { Activation } from "../../src/backend/wasm/epilogue.ts";
import { packWinograd, runWinograd } from "../../src/backend/wasm/winograd.ts";
import type { Row } from "./harness.ts";

interface Conv {
  readonly family: string;
  readonly inputs: number;
  readonly outputs: number;
  readonly kernel: number;
  /** Side of the input, in pixels. */
  readonly side: number;
  readonly stride?: number;
  readonly dilation?: number;
  readonly groups?: number;
  readonly activation?: Activation;
  readonly residual?: boolean;
  /** "packed" unless given; "eager" packs on every call, as the eager mode does. */
  readonly way?: "packed" | "eager" | "Winograd";
}

/** A convolution; multiply-adds are those of the direct sum in every way. Its input is framed where it is padded. */
function conv(c: Conv): Row {
  const { inputs, outputs, kernel: k, side, stride = 1, dilation = 1, groups = 1, way = "packed" } = c;
  const pad = ((k - 1) / 2) * dilation;
  const out = Math.ceil(side / stride);
  const pair = (n: number): Pair => [n, n];
  const options: ConvOptions = {
    stride: pair(stride),
    padding: pair(pad),
    dilation: pair(dilation),
    groups,
  };
  const finishes = `${c.activation ? ` ${c.activation}` : ""}${c.residual ? " + residual" : ""}`;
  const holes = dilation > 1 ? ` dilated by ${dilation}` : "";
  return {
    family: c.family,
    name: `${k}x${k} s${stride}${holes} ${inputs}->${outputs} at ${side}x${side}${finishes}${way === "packed" ? "" : `, ${way}`}`,
    multiplyAdds: out * out * outputs * (inputs / groups) * k * k,
    operands: [
      { of: [1, inputs, side, side], channelsLast: true },
      { of: [outputs, inputs / groups, k, k], scale: 0.1 },
      { of: [outputs] },
      { of: [1, outputs, out, out], channelsLast: true },
      { of: [1, outputs, out, out], channelsLast: true },
    ],
    plain: (b, [x, w, bias, added, y]) => {
      b.conv2d(x, w, bias, y, options);
      finish(b, y, c.activation, c.residual ? added : undefined);
    },
    prepare:
      way === "eager"
        ? undefined
        : (engine, take, tensors) => {
            const [x, w, bias, added, y] = tensors.map((t) => engine.view(t));
            const epilogue = { activation: c.activation, residual: c.residual ? added : undefined };
            if (way === "Winograd") {
              const packed = packWinograd(engine, take, w, bias);
              return () => runWinograd(engine, x, packed, y, options, epilogue);
            }
            const packed = packConv(engine, take, w, bias, groups);
            return () => runConv(engine, x, packed, y, options, epilogue);
          },
  };
}

/** The operators that an epilogue stands for. */
export function finish(b: Backend, y: Strided, activation: Activation | undefined, added?: Strided): void {
  if (activation) b.unary(activation, y, y);
  if (added) b.binary("add", y, added, y);
}

function pointwise(inputs: number, outputs: number, side: number, more: Partial<Conv> = {}): Row {
  return conv({ family: "1x1: GEMM", inputs, outputs, kernel: 1, side, ...more });
}

/** The same convolution directly and by Winograd's algorithm. */
function both(channels: number, side: number): Row[] {
  const shape = { inputs: channels, outputs: channels, kernel: 3, side, activation: "silu" } as const;
  return [
    conv({ family: "3x3: direct", ...shape }),
    conv({ family: "3x3: Winograd, counted as direct", ...shape, way: "Winograd" }),
  ];
}

function depthwise(channels: number, kernel: number, side: number, more: Partial<Conv> = {}): Row {
  const stride = more.stride ?? 1;
  const general = kernel > 5 || (more.dilation ?? 1) > 1;
  const family = general ? "depthwise: general" : `depthwise ${kernel}x${kernel} s${stride}`;
  return conv({ family, inputs: channels, outputs: channels, groups: channels, kernel, side, ...more });
}

/** In the order in which they are printed. */
export const CONVOLUTIONS: readonly Row[] = [
  pointwise(128, 128, 80, { way: "eager" }),
  pointwise(128, 128, 80),
  pointwise(128, 128, 80, { activation: "relu6" }),
  pointwise(128, 128, 80, { activation: "silu" }),
  pointwise(128, 128, 80, { activation: "silu", residual: true }),
  pointwise(32, 64, 80),
  pointwise(96, 192, 40),
  pointwise(512, 128, 80),
  pointwise(256, 256, 20),
  pointwise(960, 256, 20),
  conv({
    family: "3x3 s2: direct, and the stem",
    inputs: 3,
    outputs: 32,
    kernel: 3,
    side: 640,
    stride: 2,
    activation: "relu",
  }),
  ...(
    [
      [32, 32, 320],
      [128, 128, 80],
      [128, 128, 40],
    ] as const
  ).map(([inputs, outputs, side]) =>
    conv({
      family: "3x3 s2: direct, and the stem",
      inputs,
      outputs,
      kernel: 3,
      side,
      stride: 2,
      activation: "relu",
    }),
  ),
  ...(
    [
      [32, 80],
      [64, 80],
      [128, 80],
      [128, 40],
      [128, 20],
      [256, 20],
    ] as const
  )
    .flatMap(([channels, side]) => both(channels, side))
    .sort((a, b) => (a.family < b.family ? 1 : a.family > b.family ? -1 : 0)),
  depthwise(96, 3, 40),
  depthwise(96, 3, 40, { activation: "relu" }),
  depthwise(512, 3, 20),
  depthwise(64, 3, 160, { stride: 2, activation: "relu" }),
  depthwise(192, 5, 20, { activation: "relu" }),
  depthwise(192, 5, 40, { activation: "relu" }),
  depthwise(192, 5, 40, { stride: 2 }),
  depthwise(192, 5, 80, { stride: 2, activation: "relu" }),
  depthwise(96, 7, 40),
  depthwise(96, 3, 40, { dilation: 2 }),
];
