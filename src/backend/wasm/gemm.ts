/**
 * Matrix products over `gemm`. Packing and running are apart, so that a plan packs its weights once; eager mode packs on
 * every call, through the same functions:
 *
 * - linear (and matmul by a constant [K, N], as its transposed view): `packLinear(engine, take, w, bias)` once, then
 *   `runLinear(engine, x, packed, y, { activation, residual })`
 * - convolution (`conv.ts`): `packConv(engine, take, w, bias, groups)`, then
 *   `runConv(engine, x, packed, y, options, { activation, residual, framed })`
 * - Winograd (`winograd.ts`): `winogradPays(x.shape, w.shape, options)`, `packWinograd(engine, take, w, bias)`, then
 *   `runWinograd(engine, x, packed, y, options, { activation, residual })`; `winogradView` does both
 * - Strassen's algorithm (`strassen.ts`) for both, where packing is told so: `strassenPays(pixels, length, k, outputs)`
 * - matmul of two activations: `matmulView` packs its right side every time
 *
 * `take` decides where packed weights live; y = activation(sum) + residual (`epilogue.ts`). Outputs may lie apart by more
 * than their number (a concatenation written in place): y's strides say so.
 */
import { copyView, rowMajorUnless } from "./copy.ts";
import { type Engine, select, sizeOf, type Take, type View } from "./engine.ts";
import { type Activation, activationCode, contiguousResidual, type Epilogue } from "./epilogue.ts";
import { asRows, loopsOver } from "./loops.ts";
import { packStrassen, runStrassen, strassenBytes } from "./strassen.ts";

const NS_PER_MAC = 0.045; // about 45 GFLOP/s
const BLOCK_BYTES = 32 * 1024; // of X that one block reads, so that it stays in the first cache from panel to panel
const MAX_BLOCK = 128;

/** Where the K inputs of an output lie, in elements: rows x taps x length, `length` innermost. */
export interface Segments {
  readonly length: number;
  readonly taps: number;
  readonly tapStride: number;
  readonly rows: number;
  readonly rowStride: number;
}

/** Inputs that are one contiguous run. */
export function oneSegment(length: number): Segments {
  return { length, taps: 1, tapStride: 0, rows: 1, rowStride: 0 };
}

/** Weights that {@link packPanels} reads: strides in elements. */
export interface PackSource {
  readonly address: number;
  readonly outputs: number;
  readonly outputStride: number;
  readonly segments: Segments;
  readonly inputStride: number;
  /** Matrices one behind the other, and how far apart. */
  readonly matrices: number;
  readonly matrixStride: number;
  /** A vector of `outputs`, or undefined for zeros. */
  readonly bias: { readonly address: number; readonly stride: number } | undefined;
}

/** Bytes of the panels of one matrix. */
export function panelBytes(outputs: number, k: number): number {
  return Math.ceil(outputs / 16) * (k + 1) * 64;
}

/** Packs into scratch memory; returns the panels' address. */
export function packPanels(engine: Engine, take: Take, source: PackSource): number {
  const { length, taps, tapStride, rows, rowStride } = source.segments;
  const k = length * taps * rows;
  const panels = take(source.matrices * panelBytes(source.outputs, k));
  engine.run(
    "packPanels",
    [
      source.address,
      source.bias?.address ?? 0,
      panels,
      source.outputs,
      source.outputStride * 4,
      length,
      source.inputStride * 4,
      taps,
      tapStride * 4,
      rows,
      rowStride * 4,
      (source.bias?.stride ?? 0) * 4,
      source.matrixStride * 4,
    ],
    source.matrices * Math.ceil(source.outputs / 16),
    k * 16 * 0.5,
  );
  return panels;
}

/** A product for {@link runGemm}: strides in elements, outputs contiguous. */
export interface Product {
  readonly x: number;
  readonly panels: number;
  readonly y: number;
  readonly pixels: number;
  readonly outputs: number;
  readonly segments: Segments;
  readonly xPixelStride: number;
  readonly yPixelStride: number;
  readonly outer: number;
  readonly xOuterStride: number;
  /** In bytes; 0 where all share one matrix. */
  readonly panelsOuterBytes: number;
  readonly yOuterStride: number;
  readonly activation?: Activation;
  /** Added after the activation: outputs contiguous, strides in elements. */
  readonly residual?: {
    readonly address: number;
    readonly pixelStride: number;
    readonly outerStride: number;
  };
}

/** Y = activation(bias + X W) + residual for every outer index. */
export function runGemm(engine: Engine, p: Product): void {
  const { length, taps, tapStride, rows, rowStride } = p.segments;
  const k = length * taps * rows;
  const wanted = Math.floor(BLOCK_BYTES / 4 / k / 2) * 2;
  const block = Math.min(Math.max(wanted, 16), MAX_BLOCK, p.pixels + (p.pixels % 2));
  engine.run(
    "gemm",
    [
      p.x,
      p.panels,
      p.y,
      p.pixels,
      p.outputs,
      length,
      taps,
      tapStride * 4,
      rows,
      rowStride * 4,
      p.xPixelStride * 4,
      p.yPixelStride * 4,
      p.xOuterStride * 4,
      p.panelsOuterBytes,
      p.yOuterStride * 4,
      block,
      activationCode(p.activation),
      p.residual?.address ?? 0,
      (p.residual?.pixelStride ?? 0) * 4,
      (p.residual?.outerStride ?? 0) * 4,
    ],
    p.outer * Math.ceil(p.pixels / block),
    Math.min(block, p.pixels) * p.outputs * k * NS_PER_MAC,
  );
}

/** a [..., M, K] times b [..., K, N] into y [..., M, N], leading dimensions expanded alike; K >= 1. */
export function matmulView(engine: Engine, a: View, b: View, y: View): void {
  if (sizeOf(y.shape) === 0) return;
  const d = y.shape.length - 2; // leading dimensions
  const [m, n] = y.shape.slice(d);
  const k = a.shape[d + 1];
  engine.scratch((take) => {
    const left = rowMajorUnless(engine, take, a, a.strides[d + 1] === 1 || k === 1);
    const direct = y.strides[d + 1] === 1 || n === 1;
    const out = direct ? y : engine.temporary(take, y.shape);
    const batch = loopsOver(
      y.shape.slice(0, d),
      [left, b, out].map((v) => v.strides.slice(0, d)),
      false,
    );
    const last = batch.sizes.length - 1;
    const matrices = last >= 0 ? batch.sizes[last] : 1;
    const step = batch.strides.map((s) => (last >= 0 ? s[last] : 0));
    const shared = step[1] === 0;
    const walk = (axis: number, x: number, w: number, to: number): void => {
      if (axis < last) {
        const [sx, sw, sy] = batch.strides.map((s) => s[axis] * 4);
        for (let i = 0; i < batch.sizes[axis]; i++) walk(axis + 1, x + i * sx, w + i * sw, to + i * sy);
        return;
      }
      engine.scratch((own) => {
        const panels = packPanels(engine, own, {
          address: w,
          outputs: n,
          outputStride: b.strides[d + 1],
          segments: oneSegment(k),
          inputStride: b.strides[d],
          matrices: shared ? 1 : matrices,
          matrixStride: step[1],
          bias: undefined,
        });
        runGemm(engine, {
          x,
          panels,
          y: to,
          pixels: m,
          outputs: n,
          segments: oneSegment(k),
          xPixelStride: left.strides[d],
          yPixelStride: out.strides[d],
          outer: matrices,
          xOuterStride: step[0],
          panelsOuterBytes: shared ? 0 : panelBytes(n, k),
          yOuterStride: step[2],
        });
      });
    };
    walk(0, left.address, b.address, out.address);
    if (!direct) copyView(engine, out, y);
  });
}

/** Weights of a linear layer in panels. */
export interface PackedLinear {
  readonly kind: "dense" | "strassen";
  readonly address: number;
  readonly bytes: number;
  readonly outputs: number;
  readonly k: number;
}

/**
 * Packs w [N, K] of any strides, and bias [N], for {@link runLinear}; K >= 1. With `strassen` for Strassen's algorithm:
 * K and N as `strassenSupports` says.
 */
export function packLinear(
  engine: Engine,
  take: Take,
  w: View,
  bias: View | undefined,
  strassen = false,
): PackedLinear {
  const [outputs, k] = w.shape;
  const pack = strassen ? packStrassen : packPanels;
  const address = pack(engine, take, {
    address: w.address,
    outputs,
    outputStride: w.strides[0],
    segments: oneSegment(k),
    inputStride: w.strides[1],
    matrices: 1,
    matrixStride: 0,
    bias: bias && { address: bias.address, stride: bias.strides[0] },
  });
  const bytes = strassen ? strassenBytes(outputs, k) : panelBytes(outputs, k);
  return { kind: strassen ? "strassen" : "dense", address, bytes, outputs, k };
}

/**
 * x [..., K] times packed w [N, K] transposed, plus bias, into y [..., N], with an epilogue. Strassen's algorithm takes the
 * first of several leading dimensions for the batch, so that an item's results are those that it has alone.
 */
export function runLinear(engine: Engine, x: View, w: PackedLinear, y: View, epilogue: Epilogue = {}): void {
  if (sizeOf(y.shape) === 0) return;
  const d = y.shape.length - 1;
  const { outputs, k } = w;
  engine.scratch((take) => {
    const input = rowMajorUnless(engine, take, x, k === 1 || x.strides[d] === 1);
    const direct = outputs === 1 || y.strides[d] === 1;
    const out = direct ? y : engine.temporary(take, y.shape);
    const residual = contiguousResidual(engine, take, epilogue.residual, d, out);
    const product = (from: View, to: View, added: View | undefined): void => {
      const lead = from.shape.length - 1;
      const operands = (added ? [from, to, added] : [from, to]).map((v) => v.strides.slice(0, lead));
      const rows = asRows(loopsOver(from.shape.slice(0, lead), operands, false));
      if (!rows) {
        each(from, to, added);
        return;
      }
      const whole: Product = {
        x: from.address,
        panels: w.address,
        y: to.address,
        pixels: rows.rows,
        outputs,
        segments: oneSegment(k),
        xPixelStride: rows.strides[0],
        yPixelStride: rows.strides[1],
        outer: 1,
        xOuterStride: 0,
        panelsOuterBytes: 0,
        yOuterStride: 0,
        activation: epilogue.activation,
        residual: added && { address: added.address, pixelStride: rows.strides[2], outerStride: 0 },
      };
      if (w.kind === "strassen") engine.scratch((own) => runStrassen(engine, own, whole));
      else runGemm(engine, whole);
    };
    const each = (from: View, to: View, added: View | undefined): void => {
      for (let i = 0; i < from.shape[0]; i++) {
        product(select(from, i), select(to, i), added && select(added, i));
      }
    };
    (w.kind === "strassen" && d > 1 ? each : product)(input, out, residual);
    if (!direct) copyView(engine, out, y);
  });
}

/** What a product may be told beside its operands. */
export interface ProductOptions extends Epilogue {
  /** Strassen's algorithm; the shape as `strassenSupports` says. */
  readonly strassen?: boolean;
}

/** x [..., K] times w [N, K] transposed, plus bias [N], into y [..., N]; K >= 1. */
export function linearView(
  engine: Engine,
  x: View,
  w: View,
  bias: View | undefined,
  y: View,
  options: ProductOptions = {},
): void {
  if (sizeOf(y.shape) === 0) return;
  engine.scratch((take) =>
    runLinear(engine, x, packLinear(engine, take, w, bias, options.strassen), y, options),
  );
}
