/**
 * Large pictures by tiles, as SAHI slices them (github.com/obss/sahi, `slicing.py`, `postprocess/combine.py`): where the tiles
 * lie, and how what they found becomes one list. Arithmetic on boxes is in double precision.
 */
import type { Pair } from "../backend/backend.ts";
import { fail, isCount, need, show } from "../errors.ts";
import type { Detection } from "./detections.ts";
import type { DetectOptions } from "./options.ts";

/** How {@link TiledOptions.merge} makes one of several. */
export type Merge = "greedy_nmm" | "nmm" | "nms" | "none";

/** Options of `detectTiled`. */
export interface TiledOptions extends DetectOptions {
  /** Side of the square tiles in pixels, or [height, width]; the network's input size unless said. */
  readonly tile?: number | Pair;
  /** Share of a tile that the next one covers again, in [0, 0.9], or [vertical, horizontal]. 0.2. */
  readonly overlap?: number | Pair;
  /** Whether the whole picture is looked at, too, where there is more than one tile. true. */
  readonly full?: boolean;
  /**
   * Of boxes that match, in one class: "nms" keeps the best; "greedy_nmm" grows the best over those that match it; "nmm" also over
   * those that match these; "none" keeps all. "greedy_nmm".
   */
  readonly merge?: Merge;
  /** Two boxes' common area by the smaller one's ("ios") or by that of both together ("iou"). "ios". */
  readonly metric?: "ios" | "iou";
  /** Boxes match from this on, in [0, 1]. 0.5. */
  readonly threshold?: number;
  /** Whether boxes of different classes match. false. */
  readonly agnostic_nms?: boolean;
}

/** What of them crosses to the detector's thread. */
export type Tiling = Omit<TiledOptions, keyof DetectOptions>;

/** What options tell of tiles. Errors of code "argument" name the option. */
export function checkedTiling(options: Tiling): Tiling {
  const flag = (value: unknown): boolean => typeof value === "boolean";
  const within = (value: unknown, most: number): boolean =>
    typeof value === "number" && value >= 0 && value <= most;
  const names = (...known: string[]): [(value: string) => boolean, string] => [
    (value) => known.includes(value),
    known.map((name) => JSON.stringify(name)).join(", "),
  ];
  const { tile, overlap, full, merge, metric, threshold, agnostic_nms } = options;
  need("tile", tile, (v) => twice(v).every(isCount), "a whole number of pixels >= 1, or [height, width]");
  need("overlap", overlap, (v) => twice(v).every((x) => within(x, 0.9)), "a number in [0, 0.9], or two");
  need("full", full, flag, "true or false");
  need("merge", merge, ...names("greedy_nmm", "nmm", "nms", "none"));
  need("metric", metric, ...names("ios", "iou"));
  need("threshold", threshold, (v) => within(v, 1), "a number in [0, 1]");
  need("agnostic_nms", agnostic_nms, flag, "true or false");
  return { tile, overlap, full, merge, metric, threshold, agnostic_nms };
}

/** x0, y0, x1, y1 in pixels: [x0, x1) x [y0, y1). */
export type Tile = readonly [x0: number, y0: number, x1: number, y1: number];

const MOST_TILES = 1_000_000; // more is a slip

/**
 * The tiles of a picture, row by row. They are of one size; the last of a row or column are moved back into the picture, so that
 * they cover more of the ones before; a picture smaller than a tile is one tile.
 */
export function tilesOf(height: number, width: number, tile: number | Pair, overlap: number | Pair): Tile[] {
  const [tileHeight, tileWidth] = twice(tile);
  const [shareY, shareX] = twice(overlap);
  const rows = startsOf(height, tileHeight, shareY);
  const columns = startsOf(width, tileWidth, shareX);
  if (rows.length * columns.length > MOST_TILES) {
    fail(
      "argument",
      "tile",
      `at most ${MOST_TILES} tiles`,
      `${rows.length * columns.length}`,
      "larger tiles",
    );
  }
  return rows.flatMap((y) =>
    columns.map((x): Tile => [x, y, Math.min(width, x + tileWidth), Math.min(height, y + tileHeight)]),
  );
}

function startsOf(length: number, tile: number, overlap: number): number[] {
  const step = tile - Math.trunc(overlap * tile);
  const starts = [0];
  for (let end = tile; end < length; end = (starts.at(-1) as number) + tile) {
    starts.push(Math.min((starts.at(-1) as number) + step, length - tile));
  }
  return starts;
}

function twice<T extends number>(value: T | readonly T[]): readonly T[] {
  if (!Array.isArray(value)) return [value as T, value as T];
  return value.length === 2 ? value : fail("argument", "tiles", "one number or two", show(value));
}

/**
 * One list of what tiles found. The best first, boxes of equal score in their order; each as `merge` says. What is left is in the
 * order in which it was found.
 */
export function mergeDetections(found: readonly Detection[], options: Tiling): Detection[] {
  const { merge = "greedy_nmm", metric = "ios", threshold = 0.5, agnostic_nms = false } = options;
  if (merge === "none") return [...found];
  const share = metric === "ios" ? overSmaller : overUnion;
  const order = found.map((_, i) => i).sort((a, b) => found[b].score - found[a].score || a - b);
  const match = (a: number, b: number): boolean =>
    (agnostic_nms || found[a].class === found[b].class) && share(found[a].box, found[b].box) >= threshold;
  const free = new Set(order);
  const kept: [at: number, detection: Detection][] = [];
  for (const best of order) {
    if (!free.delete(best)) continue;
    let { box } = found[best];
    const chain = [best]; // with "nmm" those that were taken in take in others
    for (const member of chain) {
      for (const other of free) {
        if (!match(member, other)) continue;
        free.delete(other);
        if (merge === "nms") continue;
        // SAHI's: the box that has grown must still match, or it grows no further.
        if (share(box, found[other].box) >= threshold) box = hull(box, found[other].box);
        if (merge === "nmm") chain.push(other);
      }
    }
    kept.push([best, { ...found[best], box }]);
  }
  return kept.sort(([a], [b]) => a - b).map(([, detection]) => detection);
}

type Box = Detection["box"];

function hull([ax1, ay1, ax2, ay2]: Box, [bx1, by1, bx2, by2]: Box): Box {
  return [Math.min(ax1, bx1), Math.min(ay1, by1), Math.max(ax2, bx2), Math.max(ay2, by2)];
}

function areaOf([x1, y1, x2, y2]: Box): number {
  return (x2 - x1) * (y2 - y1);
}

function common([ax1, ay1, ax2, ay2]: Box, [bx1, by1, bx2, by2]: Box): number {
  const width = Math.min(ax2, bx2) - Math.max(ax1, bx1);
  const height = Math.min(ay2, by2) - Math.max(ay1, by1);
  return width > 0 && height > 0 ? width * height : 0;
}

function overSmaller(a: Box, b: Box): number {
  return common(a, b) / Math.min(areaOf(a), areaOf(b)) || 0;
}

function overUnion(a: Box, b: Box): number {
  const shared = common(a, b);
  return shared / (areaOf(a) + areaOf(b) - shared) || 0;
}
