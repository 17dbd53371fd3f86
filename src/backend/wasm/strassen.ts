/**
 * Strassen's algorithm for products with packed weights (`assembly/strassen.ts` has it and its error): an eighth fewer
 * multiplications, 1.75 times the memory for weights. Eager mode does not use it.
 */
import type { Engine, Take } from "./engine.ts";
import { activationCode } from "./epilogue.ts";
import type { PackSource, Product } from "./gemm.ts";

const PANELS = 7; // in place of four
const HALF_BYTES = 64 * 1024; // of a quarter of a block's inputs, so that it stays in the first cache from panel to panel
const MIN_HALF = 16;
const MAX_HALF = 64;
const PAIRS = 8; // pairs of panels of a unit, which shares the sums of its inputs
const MIN_PIXELS = 384;
const NS_PER_MAC = 0.04;

/** True for the weights that {@link packStrassen} packs: runs of `length` inputs, whole panels in both halves. */
export function strassenSupports(length: number, outputs: number): boolean {
  return length % 8 === 0 && outputs % 32 === 0;
}

/**
 * True where it is expected to be faster than the plain product: `pixels` of an image, K inputs in runs of `length`.
 * Measured, in turn with plain products: 1.07 to 1.13 times as fast from 256 inputs and outputs on, 1.10 at 576 inputs and 96
 * outputs, 1.04 at 128 and 128, 1.03 at 96 and 576, 0.96 at 64 and 256. What it costs is memory for weights, what it saves grows with pixels:
 * below 384 the saving is not worth it (the decoder's 300 queries).
 */
export function strassenPays(pixels: number, length: number, k: number, outputs: number): boolean {
  return strassenSupports(length, outputs) && k >= 128 && outputs >= 96 && pixels >= MIN_PIXELS;
}

/** Bytes of packed weights. */
export function strassenBytes(outputs: number, k: number): number {
  return (outputs / 32) * PANELS * (k / 2 + 1) * 64;
}

/** Packs one matrix whose shape {@link strassenSupports}; the panels' address. */
export function packStrassen(engine: Engine, take: Take, source: PackSource): number {
  const { length, taps, tapStride, rows, rowStride } = source.segments;
  const k = length * taps * rows;
  const panels = take(strassenBytes(source.outputs, k));
  engine.run(
    "packStrassen",
    [
      source.address,
      source.bias?.address ?? 0,
      panels,
      source.outputs,
      source.outputStride * 4,
      length / 2,
      source.inputStride * 4,
      taps,
      tapStride * 4,
      rows,
      rowStride * 4,
      (source.bias?.stride ?? 0) * 4,
    ],
    source.outputs / 32,
    k * 32,
  );
  return panels;
}

/** As `runGemm`, with panels from {@link packStrassen}; one matrix for all outer indices. */
export function runStrassen(engine: Engine, take: Take, p: Product): void {
  const { length, taps, tapStride, rows, rowStride } = p.segments;
  const k = length * taps * rows;
  // By the shape alone, for the results depend on it.
  const wanted = Math.floor(HALF_BYTES / 4 / (k / 2) / 2) * 2;
  const block = Math.min(Math.max(wanted, MIN_HALF), MAX_HALF, Math.ceil(p.pixels / 2));
  const slotBytes = Math.ceil((block * ((k / 2) * 4 + 64) * 5) / 64) * 64;
  const slotCount = engine.pool.threads;
  const flags = take(slotCount * 4);
  const slots = take(slotCount * slotBytes);
  engine.run("fillWords", [flags, 0], slotCount, 1);
  const pairs = p.outputs / 32;
  engine.run(
    "strassen",
    [
      p.x,
      p.panels,
      p.y,
      p.pixels,
      p.outputs,
      length / 2,
      taps,
      tapStride * 4,
      rows,
      rowStride * 4,
      p.xPixelStride * 4,
      p.yPixelStride * 4,
      p.outer,
      p.xOuterStride * 4,
      p.yOuterStride * 4,
      block,
      PAIRS,
      activationCode(p.activation),
      p.residual?.address ?? 0,
      (p.residual?.pixelStride ?? 0) * 4,
      (p.residual?.outerStride ?? 0) * 4,
      flags,
      slots,
      slotCount,
      slotBytes,
    ],
    p.outer * Math.ceil(p.pixels / (2 * block)) * Math.ceil(pairs / PAIRS),
    Math.min(2 * block, p.pixels) * Math.min(PAIRS * 32, p.outputs) * k * NS_PER_MAC,
  );
}
