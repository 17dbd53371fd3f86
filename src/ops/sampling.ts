/** Reading images between pixels: resizing, grids, deformable attention. f32. */
import type { Pair } from "../backend/backend.ts";
import { fail } from "../errors.ts";
import { formatShape } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import { checkNotEmpty, checkRank, f32Operands, pairOf } from "./checks.ts";

/** Options of {@link interpolate}: either a size or a scale factor. */
export interface InterpolateSizes {
  /** Output size in pixels: a number, or [h, w]. */
  readonly size?: number | Pair;
  /** Output size over input size, > 0: a number, or [h, w]. The output size is rounded down. */
  readonly scaleFactor?: number | Pair;
  /** "nearest" unless given. */
  readonly mode?: "nearest" | "bilinear";
  /** Bilinear only: the centres of the corner pixels coincide, instead of the image's edges. */
  readonly alignCorners?: boolean;
}

/**
 * x [N, C, H, W] -> [N, C, Ho, Wo] in channels_last layout, as `torch.nn.functional.interpolate`.
 *
 * QUIRK: with a scale factor it is the factor that maps pixels, not the ratio of the sizes, although the output size
 * was rounded (PyTorch's `recompute_scale_factor=None`).
 */
export function interpolate(x: Tensor, options: InterpolateSizes): Tensor {
  const where = "interpolate";
  const backend = f32Operands(where, { x });
  checkRank(where, "x", x, 4, "[N, C, H, W]");
  checkNotEmpty(where, "x", x);
  const { size, scaleFactor, mode = "nearest", alignCorners } = options;
  if ((size === undefined) === (scaleFactor === undefined)) {
    fail("argument", where, "either size or scaleFactor", size === undefined ? "neither" : "both");
  }
  if (mode !== "nearest" && mode !== "bilinear") {
    fail("argument", where, 'mode "nearest" or "bilinear"', String(mode));
  }
  if (mode === "nearest" && alignCorners !== undefined) {
    fail("argument", where, "alignCorners with bilinear only", 'it with mode "nearest"');
  }
  let target: Pair;
  let scale: Pair | undefined;
  if (scaleFactor !== undefined) {
    const factor: Pair = typeof scaleFactor === "number" ? [scaleFactor, scaleFactor] : scaleFactor;
    if (factor.length !== 2 || !factor.every((f) => Number.isFinite(f) && f > 0)) {
      fail("argument", where, "scaleFactor: a number > 0, or two", JSON.stringify(scaleFactor));
    }
    target = [Math.floor(x.shape[2] * factor[0]), Math.floor(x.shape[3] * factor[1])];
    scale = [1 / factor[0], 1 / factor[1]];
    if (target[0] < 1 || target[1] < 1) {
      fail("argument", where, "an output of at least 1 x 1", `${target[0]} x ${target[1]}`);
    }
  } else target = pairOf(where, "size", size as number | Pair, 1);
  const out = Tensor.empty(backend, [x.shape[0], x.shape[1], ...target], "f32", "channels_last");
  backend.interpolate(x, out, { mode, alignCorners: alignCorners ?? false, scale });
  return out;
}

/** Options of {@link gridSample}. */
export interface GridSampleModes {
  /** "bilinear" unless given; "nearest" rounds halves to the even pixel. */
  readonly mode?: "bilinear" | "nearest";
  /** What lies outside: "zeros" unless given, or the nearest border pixel. */
  readonly paddingMode?: "zeros" | "border";
  /** -1 and 1 are the centres of the corner pixels, instead of the image's edges (the default). */
  readonly alignCorners?: boolean;
}

/**
 * x [N, C, H, W] read at grid [N, Ho, Wo, 2], points (x, y) with the image in [-1, 1] -> [N, C, Ho, Wo] in
 * channels_last layout, as `torch.nn.functional.grid_sample`. NaN points are undefined.
 */
export function gridSample(x: Tensor, grid: Tensor, options: GridSampleModes = {}): Tensor {
  const where = "gridSample";
  const backend = f32Operands(where, { x, grid });
  checkRank(where, "x", x, 4, "[N, C, H, W]");
  checkRank(where, "grid", grid, 4, "[N, Ho, Wo, 2]");
  checkNotEmpty(where, "x", x);
  const { mode = "bilinear", paddingMode = "zeros", alignCorners = false } = options;
  if (mode !== "bilinear" && mode !== "nearest") {
    fail("argument", where, 'mode "bilinear" or "nearest"', String(mode));
  }
  if (paddingMode !== "zeros" && paddingMode !== "border") {
    fail("argument", where, 'paddingMode "zeros" or "border"', String(paddingMode));
  }
  if (grid.shape[0] !== x.shape[0] || grid.shape[3] !== 2) {
    fail("argument", where, `grid [${x.shape[0]}, Ho, Wo, 2]`, formatShape(grid.shape));
  }
  const shape = [x.shape[0], x.shape[1], grid.shape[1], grid.shape[2]];
  const out = Tensor.empty(backend, shape, "f32", "channels_last");
  if (out.size > 0) backend.gridSample(x, grid, out, { mode, paddingMode, alignCorners });
  return out;
}

/**
 * Multi-scale deformable attention between its projections (arXiv 2010.04159): each query reads, per head, P points of
 * each of L feature maps and adds them by weight.
 *
 * value [N, S, H, D] with the S tokens of all maps, row-major per map, maps in order; shapes (h, w) per map;
 * locations [N, Q, H, L, P, 2] as (x, y) fractions of the map; weights [N, Q, H, L, P] -> [N, Q, H*D], row-major.
 * Bilinear, zeros outside, align_corners = false.
 */
export function deformableAttention(
  value: Tensor,
  shapes: readonly Pair[],
  locations: Tensor,
  weights: Tensor,
): Tensor {
  const where = "deformableAttention";
  const backend = f32Operands(where, { value, locations, weights });
  checkRank(where, "value", value, 4, "[N, S, H, D]");
  checkRank(where, "locations", locations, 6, "[N, Q, H, L, P, 2]");
  checkRank(where, "weights", weights, 5, "[N, Q, H, L, P]");
  const maps = shapes.map((s, l) => pairOf(where, `shapes[${l}]`, s, 1));
  const tokens = maps.reduce((sum, [h, w]) => sum + h * w, 0);
  const [n, s, h, d] = value.shape;
  if (tokens !== s) {
    fail(
      "argument",
      where,
      `value of ${tokens} tokens, the sum of the maps ${JSON.stringify(shapes)}`,
      String(s),
    );
  }
  const [, q, , , p] = weights.shape;
  const expected = [n, q, h, maps.length, p];
  const agree = (shape: readonly number[]): boolean => expected.every((size, i) => size === shape[i]);
  if (!agree(weights.shape)) {
    fail(
      "argument",
      where,
      `weights [${n}, Q, ${h}, ${maps.length}, P], after value and shapes`,
      formatShape(weights.shape),
    );
  }
  if (!agree(locations.shape) || locations.shape[5] !== 2) {
    fail("argument", where, `locations ${formatShape([...expected, 2])}`, formatShape(locations.shape));
  }
  const out = Tensor.empty(backend, [n, q, h * d]);
  if (out.size > 0) backend.deformableAttention(value, maps, locations, weights, out);
  return out;
}
