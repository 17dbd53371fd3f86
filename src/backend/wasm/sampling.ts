/** Nearest resizing, grid_sample (bilinear, zeros) and deformable attention over channels-last maps. */
import type { InterpolateOptions, Pair } from "../backend.ts";
import { interpolateTaps } from "../reference/interpolate.ts";
import { copyView, rowMajorUnless } from "./copy.ts";
import { type Engine, permute, rowMajor, sizeOf, type Take, type View } from "./engine.ts";
import { loopsOver } from "./loops.ts";

const TO_NHWC = [0, 2, 3, 1];

/** x [N, C, H, W] as [N, H, W, C] with contiguous channels, copied where it is not. */
function channelsLast(engine: Engine, take: Take, x: View): View {
  const nhwc = permute(x, TO_NHWC);
  return rowMajorUnless(engine, take, nhwc, x.strides[1] === 1 || x.shape[1] === 1);
}

/** Writes an [N, C, H, W] result through a view [N, H, W, C] with contiguous channels. */
function throughChannelsLast(engine: Engine, take: Take, y: View, body: (y: View) => void): void {
  const nhwc = permute(y, TO_NHWC);
  if (y.strides[1] === 1 || y.shape[1] === 1) body(nhwc);
  else {
    const made = engine.temporary(take, nhwc.shape);
    body(made);
    copyView(engine, made, nhwc);
  }
}

/** True where the elements lie row-major without holes. */
function isRowMajor(x: View): boolean {
  const { sizes, strides } = loopsOver(x.shape, [x.strides], false);
  return sizes.length === 0 || (sizes.length === 1 && strides[0][0] === 1);
}

/** Nearest resizing of x [N, C, H, W] to y [N, C, Ho, Wo]. */
export function nearestView(engine: Engine, x: View, y: View, options: InterpolateOptions): void {
  if (sizeOf(y.shape) === 0) return;
  engine.scratch((take) => {
    const [batch, channels, rows, columns] = y.shape;
    const from = channelsLast(engine, take, x);
    const taps = (axis: 0 | 1): number =>
      engine.table(
        take,
        interpolateTaps(x.shape[2 + axis], y.shape[2 + axis], options, options.scale?.[axis]).first,
      );
    const [rowIndex, columnIndex] = [taps(0), taps(1)];
    throughChannelsLast(engine, take, y, (to) => {
      const [xn, xh, xw] = from.strides.map((s) => s * 4);
      const [yn, yh, yw] = to.strides.map((s) => s * 4);
      engine.run(
        "gatherPixels",
        [from.address, to.address, rowIndex, columnIndex, rows, columns, channels, xn, xh, xw, yn, yh, yw],
        batch * rows,
        columns * (channels * 0.3 + 5),
      );
    });
  });
}

/** Bilinear sampling with zeros outside: x [N, C, H, W], grid [N, Ho, Wo, 2], y [N, C, Ho, Wo]. */
export function gridSampleView(engine: Engine, x: View, grid: View, y: View, alignCorners: boolean): void {
  if (sizeOf(y.shape) === 0) return;
  engine.scratch((take) => {
    const [batch, channels, rows, columns] = y.shape;
    const from = channelsLast(engine, take, x);
    const points = rowMajorUnless(engine, take, grid, isRowMajor(grid));
    throughChannelsLast(engine, take, y, (to) => {
      const [xn, xh, xw] = from.strides.map((s) => s * 4);
      const [yn, yh, yw] = to.strides.map((s) => s * 4);
      engine.run(
        "gridSampleBilinearZeros",
        [
          from.address,
          points.address,
          to.address,
          x.shape[2],
          x.shape[3],
          channels,
          rows,
          columns,
          alignCorners ? 1 : 0,
          xn,
          xh,
          xw,
          yn,
          yh,
          yw,
        ],
        batch * rows,
        columns * (channels * 1.5 + 20),
      );
    });
  });
}

/** As `Backend.deformableAttention`. */
export function deformableView(
  engine: Engine,
  value: View,
  shapes: readonly Pair[],
  locations: View,
  weights: View,
  y: View,
): void {
  if (sizeOf(y.shape) === 0) return;
  engine.scratch((take) => {
    const [batch, queries, heads, levels, points] = weights.shape;
    const channels = value.shape[3];
    const from = rowMajorUnless(engine, take, value, value.strides[3] === 1 || channels === 1);
    const where = rowMajorUnless(engine, take, locations, isRowMajor(locations));
    const how = rowMajorUnless(engine, take, weights, isRowMajor(weights));
    let first = 0;
    const triples: number[] = [];
    for (const [h, w] of shapes) {
      triples.push(h, w, first);
      first += h * w;
    }
    const table = engine.table(take, triples);
    const direct = y.strides[2] === 1 || y.shape[2] === 1;
    const out: View = direct ? y : { ...engine.temporary(take, y.shape), strides: rowMajor(y.shape) };
    const [sn, ss, sh] = from.strides.map((s) => s * 4);
    const [yn, yq] = out.strides.map((s) => s * 4);
    engine.run(
      "deformableAttention",
      [
        from.address,
        table,
        where.address,
        how.address,
        out.address,
        queries,
        heads,
        channels,
        levels,
        points,
        sn,
        ss,
        sh,
        yn,
        yq,
      ],
      batch * queries,
      heads * levels * points * (channels * 1.5 + 20),
    );
    if (!direct) copyView(engine, out, y);
  });
}
