/**
 * Where labels go: above their box, else below or inside, always whole inside the picture, and where another place is as
 * good, not over a label that stands already.
 */

/** A rectangle of whole pixels, [x0, x1) x [y0, y1). */
export interface Rect {
  readonly x0: number;
  readonly y0: number;
  readonly x1: number;
  readonly y1: number;
}

/** What overlapping another label's whole area costs, in places down the list of candidates. */
const OVERLAP_COST = 20;

/**
 * Chooses the place of a tag of width x height pixels for a box whose painted outline is `outer` (outside edge) and
 * `inner` (inside edge), in a picture of imageWidth x imageHeight. `taken` are the tags placed before. A tag larger than
 * the picture starts at its left or upper border.
 */
export function placeLabel(
  width: number,
  height: number,
  outer: Rect,
  inner: Rect,
  imageWidth: number,
  imageHeight: number,
  taken: readonly Rect[],
): Rect {
  const right = outer.x1 - width;
  // In order of preference: a place costs its index, and more where it covers other labels.
  const candidates: (readonly [x: number, y: number])[] = [];
  if (outer.y0 >= height) candidates.push([outer.x0, outer.y0 - height], [right, outer.y0 - height]);
  const roomy = inner.x1 - inner.x0 >= width && inner.y1 - inner.y0 >= 2 * height;
  if (roomy) candidates.push([outer.x0, outer.y0], [right, outer.y0]);
  if (outer.y1 + height <= imageHeight) candidates.push([outer.x0, outer.y1], [right, outer.y1]);
  if (roomy) candidates.push([outer.x0, outer.y1 - height], [right, outer.y1 - height]);
  candidates.push([outer.x0, outer.y0]);
  let best: Rect | null = null;
  let bestCost = Number.POSITIVE_INFINITY;
  for (const [index, [x, y]] of candidates.entries()) {
    const x0 = Math.max(0, Math.min(x, imageWidth - width));
    const y0 = Math.max(0, Math.min(y, imageHeight - height));
    const rect = { x0, y0, x1: x0 + width, y1: y0 + height };
    const covered = taken.reduce((sum, other) => sum + overlap(rect, other), 0) / (width * height);
    const cost = index + OVERLAP_COST * covered;
    if (cost < bestCost) {
      best = rect;
      bestCost = cost;
    }
  }
  return best ?? { x0: 0, y0: 0, x1: width, y1: height };
}

/** The common area of two rectangles, in pixels. */
export function overlap(a: Rect, b: Rect): number {
  const width = Math.min(a.x1, b.x1) - Math.max(a.x0, b.x0);
  const height = Math.min(a.y1, b.y1) - Math.max(a.y0, b.y0);
  return width > 0 && height > 0 ? width * height : 0;
}
