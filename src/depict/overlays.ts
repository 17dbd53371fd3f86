/** What a network looks at, on the picture: attention from one place to all, and the sampling points of a query. */
import { fail } from "../errors.ts";
import { type DrawnDetection, drawDetections } from "../image/draw.ts";
import type { ImageData8 } from "../image/image.ts";
import { fillRect } from "../image/paint.ts";
import { formatShape } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { short } from "./feature-maps.ts";
import { layPanels, type Panel } from "./panels.ts";
import { LEVEL_COLOURS, type Rgb, rampColour } from "./ramp.ts";

const COLUMNS = 4;
const DIM = 0.35; // of the picture's light below a heat map

/** A map of weights over a picture: bright where they are great, each pixel of the map a square. */
export function heatOverlay(
  picture: ImageData8,
  weights: ArrayLike<number>,
  height: number,
  width: number,
): ImageData8 {
  const greatest = Math.max(...Array.from(weights));
  const data = new Uint8Array(picture.width * picture.height * 3);
  for (let y = 0; y < picture.height; y++) {
    const row = Math.min(height - 1, Math.floor((y * height) / picture.height));
    for (let x = 0; x < picture.width; x++) {
      const column = Math.min(width - 1, Math.floor((x * width) / picture.width));
      const share = greatest > 0 ? weights[row * width + column] / greatest : 0;
      const colour = rampColour(share);
      const at = (y * picture.width + x) * 3;
      for (let c = 0; c < 3; c++) {
        const under = picture.data[at + c] * DIM;
        data[at + c] = Math.round(under + (colour[c] - under) * Math.min(1, Math.max(0, share)));
      }
    }
  }
  return { data, width: picture.width, height: picture.height, channels: 3 };
}

/** Which query, and how the sheet is called. */
export interface AttentionOptions {
  /** The query's token. */
  readonly token: number;
  readonly title?: string;
  /** Marked on the picture: where the token is, in pixels of it; nothing where it is no place. */
  readonly mark?: { readonly x: number; readonly y: number; readonly width: number; readonly height: number };
}

/**
 * attention [1, heads, queries, keys] of a query to all keys, a panel a head and their mean first. Keys are the pixels of a square
 * or oblong map of the picture's proportions, row by row; else they are no pixels: code "argument".
 */
export function attentionSheet(
  picture: ImageData8,
  attention: Tensor,
  { token, title = "", mark }: AttentionOptions,
): ImageData8 {
  if (attention.ndim !== 4 || attention.shape[0] !== 1) {
    fail("argument", "attentionSheet", "attention [1, heads, queries, keys]", formatShape(attention.shape));
  }
  const [, heads, queries, keys] = attention.shape;
  if (!Number.isInteger(token) || token < 0 || token >= queries) {
    fail("argument", "attentionSheet", `a token in 0 .. ${queries - 1}`, String(token));
  }
  const side = Math.round(Math.sqrt(keys));
  if (side * side !== keys)
    fail("argument", "attentionSheet", "keys that are a square map", `${keys} of them`);
  const rows = Array.from({ length: heads }, (_, head) =>
    attention.select(0, 0).select(0, head).select(0, token).toFloat32Array(),
  );
  const mean = Float32Array.from(
    { length: keys },
    (_, i) => rows.reduce((sum, row) => sum + row[i], 0) / heads,
  );
  const panel = (weights: Float32Array, name: string): Panel => {
    const image = heatOverlay(picture, weights, side, side);
    if (mark) frame(image, mark, [255, 255, 255]);
    return { image, caption: `${name}: at most ${short(Math.max(...weights))}` };
  };
  const panels = [panel(mean, "mean of heads"), ...rows.map((row, head) => panel(row, `head ${head}`))];
  return layPanels(panels, COLUMNS, title);
}

/** What a decoder layer looks at for one query. */
export interface SamplingOptions {
  /** Sampling locations [heads, levels, points, 2], in [0, 1]. */
  readonly locations: Tensor;
  /** Their weights [heads, levels, points]. */
  readonly weights: Tensor;
  /** Centre x, y, width, height in [0, 1], before and after the layer. */
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly label?: string;
}

/** The picture with a query's box before (grey) and after a decoder layer, and its sampling points, as large as their weight. */
export function samplingImage(picture: ImageData8, options: SamplingOptions): ImageData8 {
  const { locations, weights, before, after, label = "" } = options;
  const { width, height } = picture;
  const corners = ([cx, cy, w, h]: readonly number[]): DrawnDetection["box"] => [
    (cx - w / 2) * width,
    (cy - h / 2) * height,
    (cx + w / 2) * width,
    (cy + h / 2) * height,
  ];
  const image = drawDetections(picture, [{ box: corners(after), label, classId: 0 }], { lineWidth: 2 });
  const old = corners(before);
  frame(image, { x: old[0], y: old[1], width: old[2] - old[0], height: old[3] - old[1] }, [200, 200, 200]);
  const [heads, levels, points] = weights.shape;
  const [at, weight] = [locations.toFloat32Array(), weights.toFloat32Array()];
  const unit = Math.max(width, height) / 40;
  for (let i = 0; i < heads * levels * points; i++) {
    const level = Math.floor(i / points) % levels;
    const radius = Math.max(1, Math.sqrt(weight[i]) * unit);
    disc(
      image,
      at[2 * i] * width,
      at[2 * i + 1] * height,
      radius,
      LEVEL_COLOURS[level % LEVEL_COLOURS.length],
    );
  }
  return image;
}

function frame(
  image: ImageData8,
  { x, y, width, height }: NonNullable<AttentionOptions["mark"]>,
  colour: Rgb,
): void {
  const [x0, y0, x1, y1] = [x, y, x + width, y + height].map(Math.round);
  const line = 2;
  fillRect(image, x0, y0, x1, y0 + line, colour);
  fillRect(image, x0, y1 - line, x1, y1, colour);
  fillRect(image, x0, y0, x0 + line, y1, colour);
  fillRect(image, x1 - line, y0, x1, y1, colour);
}

/** A filled disc, half opaque, so that those below are seen. */
function disc(image: ImageData8, cx: number, cy: number, radius: number, colour: Rgb): void {
  for (let y = Math.floor(cy - radius); y <= cy + radius; y++) {
    const half = Math.sqrt(Math.max(0, radius * radius - (y + 0.5 - cy) ** 2));
    fillRect(image, Math.round(cx - half), y, Math.round(cx + half), y + 1, colour, 0.55);
  }
}
