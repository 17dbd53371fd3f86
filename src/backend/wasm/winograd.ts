/**
 * Winograd's F(4x4, 3x3) for dense 3x3 convolutions (`assembly/winograd.ts` has the algorithm, its points and its error):
 * a quarter of the multiplications, results that differ from the direct sum's by about twice its own rounding. Eager mode
 * does not use it.
 */
import type { ConvOptions } from "../backend.ts";
import { copyView } from "./copy.ts";
import { type Engine, sizeOf, type Take, type View } from "./engine.ts";
import { activationCode, contiguousResidual, type Epilogue } from "./epilogue.ts";

const POSITIONS = 36;
const TEMPORARY_BYTES = 576; // a window of vectors
// Blocks of 4 to 48 tiles are equally fast (within 3 % at 64 to 256 channels): small ones share well and need little.
const V_BYTES = 192 * 1024; // of transformed windows in a block, so that they stay in the second cache
const MIN_BLOCK = 4;
const MAX_BLOCK = 16;
const MIN_BLOCKS = 12; // per image where possible, for threads to share
const NS_PER_MAC = 0.045;

/** Weights in Winograd's form. */
export interface PackedWinograd {
  readonly address: number;
  readonly bytes: number;
  readonly outputs: number;
  readonly inputs: number;
}

/** True for the convolutions that {@link runWinograd} computes: w [O, C, 3, 3], stride 1, dilation 1, one group. */
export function winogradSupports(w: readonly number[], o: ConvOptions): boolean {
  const ones = [...o.stride, ...o.dilation, o.groups].every((n) => n === 1);
  return ones && w[2] === 3 && w[3] === 3 && o.padding[0] <= 2 && o.padding[1] <= 2;
}

/**
 * True where it is expected to be faster than the direct sum: x [N, C, H, W], w [O, C, 3, 3]. Measured, against packed
 * direct sums: 3.2 to 3.4 times from 64 channels and 20x20 pixels on, 2.4 at 32 channels, 1.7 to 2.1 at 16, 2.0 at
 * 10x10 and 1.5 at 5x5 pixels, where tiles reach past the edge.
 */
export function winogradPays(x: readonly number[], w: readonly number[], o: ConvOptions): boolean {
  if (!winogradSupports(w, o)) return false;
  const [height, width] = [x[2] + 2 * o.padding[0] - 2, x[3] + 2 * o.padding[1] - 2];
  const tiles = Math.ceil(height / 4) * Math.ceil(width / 4);
  const used = (height * width) / (tiles * 16);
  return w[0] >= 16 && w[1] >= 16 && tiles >= 4 && used >= 0.35;
}

/** Packs w [O, C, 3, 3] of any strides, and bias [O]; O, C >= 1. */
export function packWinograd(engine: Engine, take: Take, w: View, bias: View | undefined): PackedWinograd {
  const [outputs, inputs] = w.shape;
  const [so, si, sky, skx] = w.strides.map((s) => s * 4);
  const panels = Math.ceil(outputs / 16);
  const k = paddedInputs(inputs);
  const bytes = panels * (POSITIONS * (k + 1) + 1) * 64;
  const address = take(bytes);
  engine.run(
    "packWinograd",
    [w.address, bias?.address ?? 0, address, outputs, so, inputs, si, sky, skx, (bias?.strides[0] ?? 0) * 4],
    panels,
    inputs * 16 * 200,
  );
  return { address, bytes, outputs, inputs };
}

/**
 * y [N, O, Ho, Wo] = activation(conv(x [N, C, H, W])) + residual; any strides, fastest where x, y and the residual are
 * channels-last. x needs no frame. Options as {@link winogradSupports} accepts them.
 */
export function runWinograd(
  engine: Engine,
  x: View,
  w: PackedWinograd,
  y: View,
  o: ConvOptions,
  epilogue: Epilogue = {},
): void {
  if (sizeOf(y.shape) === 0) return;
  engine.scratch((take) => {
    const from = channelsLast(engine, take, x, true);
    const out = channelsLast(engine, take, y, false);
    const residual = contiguousResidual(engine, take, epilogue.residual, 1, out);
    const [batch, outputs, yHeight, yWidth] = y.shape;
    const [, inputs, height, width] = x.shape;
    const tiles = Math.ceil(yHeight / 4) * Math.ceil(yWidth / 4);
    const k = paddedInputs(inputs);
    const block = blockOf(tiles, k);
    const vBytes = oddLines(block * k * 4);
    const mBytes = oddLines(block * 64);
    const slotBytes = k * 4 * POSITIONS + TEMPORARY_BYTES + (vBytes + mBytes) * POSITIONS;
    const slotCount = engine.pool.threads;
    const flags = take(slotCount * 4);
    const slots = take(slotCount * slotBytes);
    engine.run("fillWords", [flags, 0], slotCount, 1);
    engine.run(
      "winograd",
      [
        from.address,
        w.address,
        out.address,
        inputs,
        outputs,
        height,
        width,
        o.padding[0],
        o.padding[1],
        from.strides[0] * 4,
        from.strides[2] * 4,
        from.strides[3] * 4,
        yHeight,
        yWidth,
        out.strides[0] * 4,
        out.strides[2] * 4,
        out.strides[3] * 4,
        activationCode(epilogue.activation),
        residual?.address ?? 0,
        (residual?.strides[0] ?? 0) * 4,
        (residual?.strides[2] ?? 0) * 4,
        (residual?.strides[3] ?? 0) * 4,
        block,
        flags,
        slots,
        slotCount,
        slotBytes,
        vBytes,
        mBytes,
      ],
      batch * Math.ceil(tiles / block),
      Math.min(block, tiles) * POSITIONS * k * (outputs + 16) * NS_PER_MAC,
    );
    if (out !== y) copyView(engine, out, y);
  });
}

/** As {@link runWinograd} with weights packed on the spot. */
export function winogradView(
  engine: Engine,
  x: View,
  w: View,
  bias: View | undefined,
  y: View,
  o: ConvOptions,
  epilogue: Epilogue = {},
): void {
  if (sizeOf(y.shape) === 0) return;
  engine.scratch((take) => runWinograd(engine, x, packWinograd(engine, take, w, bias), y, o, epilogue));
}

function paddedInputs(inputs: number): number {
  return Math.ceil(inputs / 4) * 4;
}

/** Tiles of a block: even, because products take two at once. */
function blockOf(tiles: number, k: number): number {
  const cached = Math.floor(V_BYTES / (POSITIONS * k * 4));
  const shared = Math.ceil(tiles / MIN_BLOCKS);
  const wanted = Math.min(Math.max(Math.min(cached, shared), MIN_BLOCK), MAX_BLOCK);
  return Math.ceil(wanted / 2) * 2;
}

/** Bytes rounded up to an odd number of 64-byte lines: positions must not meet in the same sets of the first cache. */
function oddLines(bytes: number): number {
  return (Math.ceil(bytes / 64) | 1) * 64;
}

/** x where its channels are contiguous, else scratch memory of its shape that is; filled from x if `filled`. */
function channelsLast(engine: Engine, take: Take, x: View, filled: boolean): View {
  const [batch, channels, height, width] = x.shape;
  if (channels === 1 || x.strides[1] === 1) return x;
  const made = engine.temporary(take, [batch, height, width, channels]);
  const [sn, sh, sw] = made.strides;
  const view: View = { address: made.address, shape: x.shape, strides: [sn, 1, sh, sw] };
  if (filled) copyView(engine, x, view);
  return view;
}
