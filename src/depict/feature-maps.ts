/** Feature maps as a sheet of pictures: a panel a channel. */
import { fail } from "../errors.ts";
import type { ImageData8 } from "../image/image.ts";
import { formatShape } from "../tensor/shape.ts";
import { statsOf } from "../tensor/statistics.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { enlarge, layPanels, type Panel } from "./panels.ts";
import { rampColour, rangeOf, shareOf } from "./ramp.ts";

/** What comes first. */
export const MAP_ORDERS = ["variance", "mean", "index"] as const;

/** How {@link featureMaps} draws. */
export interface FeatureMapOptions {
  /** So many channels at most, the first of the order. Default 64. */
  readonly most?: number;
  /** Greatest variance or mean first, or as they are numbered. Default "variance". */
  readonly order?: (typeof MAP_ORDERS)[number];
  /** One range of colours for all channels, instead of each its own. */
  readonly together?: boolean;
  /** Above the sheet. */
  readonly title?: string;
}

const MOST = 64;
const COLUMNS = 8;
const PANEL_PX = 96; // a small map is enlarged to about this

/** A matrix in colours of its own range, or of one that is given. */
export function matrixImage(
  values: ArrayLike<number>,
  height: number,
  width: number,
  range = rangeOf(values),
): ImageData8 {
  const data = new Uint8Array(height * width * 3);
  for (let i = 0; i < height * width; i++) data.set(rampColour(shareOf(values[i], range)), i * 3);
  return { data, width, height, channels: 3 };
}

/** Channels of x [1, C, H, W] or [C, H, W] as a sheet. Errors of code "argument" for another shape. */
export function featureMaps(x: Tensor, options: FeatureMapOptions = {}): ImageData8 {
  const { most = MOST, order = "variance", together = false, title = "" } = options;
  const maps = x.ndim === 4 && x.shape[0] === 1 ? x.select(0, 0) : x;
  if (maps.ndim !== 3 || maps.size === 0)
    fail("argument", "featureMaps", "[1, C, H, W] or [C, H, W]", formatShape(x.shape));
  const [channels, height, width] = maps.shape;
  const all = Array.from({ length: channels }, (_, c) => {
    const values = maps.select(0, c).toFloat32Array();
    return { c, values, ...statsOf(values) };
  });
  if (order === "variance") all.sort((a, b) => (b.std || 0) - (a.std || 0) || a.c - b.c);
  if (order === "mean") all.sort((a, b) => b.mean - a.mean || a.c - b.c);
  const chosen = all.slice(0, most);
  const range = together ? rangeOf(chosen.flatMap(({ min, max }) => [min, max])) : undefined;
  const factor = Math.max(1, Math.floor(PANEL_PX / Math.max(height, width)));
  const panels = chosen.map(
    ({ c, values, min, max }): Panel => ({
      image: enlarge(matrixImage(values, height, width, range), factor),
      caption: `${c}: ${short(min)} to ${short(max)}`,
    }),
  );
  const shown =
    chosen.length < channels
      ? `${chosen.length} of ${channels} channels, ${order} first`
      : `${channels} channels`;
  return layPanels(panels, COLUMNS, [title, `${height} x ${width}`, shown].filter(Boolean).join(", "));
}

/** Three digits, for captions. */
export function short(x: number): string {
  return Number.isFinite(x) ? String(Number(x.toPrecision(3))) : "none";
}
