/** The right numbers in the wrong places: axes exchanged, maps moved, channels reordered, rows repeated, ends missing. */
import { numelOf, shapeText } from "../numbers.ts";
import type { Symptom } from "./mistake.ts";
import { explainsElementwise, explainsMove, isOff, positionOf, sameShape, type View } from "./view.ts";

/** Where the elements of a tensor of `shape` land when its axes are stored in another order. */
function stored(shape: readonly number[], axes: readonly number[]): (position: number) => number {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (const axis of [...axes].reverse()) {
    strides[axis] = step;
    step *= shape[axis];
  }
  return (position) => {
    let rest = position;
    let at = 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += (rest % shape[axis]) * strides[axis];
      rest = Math.floor(rest / shape[axis]);
    }
    return at;
  };
}

/** A move along one axis: index -> another (-1: lost). */
function along(
  shape: readonly number[],
  axis: number,
  to: (index: number, n: number) => number,
): (p: number) => number {
  let step = 1;
  for (let k = axis + 1; k < shape.length; k++) step *= shape[k];
  const n = shape[axis];
  return (position) => {
    const index = Math.floor(position / step) % n;
    const other = to(index, n);
    return other < 0 || other >= n ? -1 : position + (other - index) * step;
  };
}

const both =
  (first: (p: number) => number, second: (p: number) => number): ((p: number) => number) =>
  (p) => {
    const at = first(p);
    return at < 0 ? -1 : second(at);
  };

const layout: Symptom = {
  name: "layout",
  mend: "Results are row-major in PyTorch's axis order, N C H W: transpose, do not reshape.",
  *find(view) {
    const { shape, gotShape, got } = view;
    if (got.length !== numelOf(shape)) return;
    const orders: readonly (readonly [string, readonly number[]])[] =
      shape.length === 4
        ? [
            ["channels-last memory (NHWC) was given as NCHW", [0, 2, 3, 1]],
            ["NCHW was read as NHWC and turned once too often", [0, 3, 1, 2]],
            ["height and width are exchanged", [0, 1, 3, 2]],
            ["batch and channels are exchanged", [1, 0, 2, 3]],
          ]
        : shape.length === 3
          ? [
              ["the last two axes (tokens and channels) are exchanged", [0, 2, 1]],
              ["batch and tokens are exchanged", [1, 0, 2]],
            ]
          : shape.length === 2
            ? [["the two axes are exchanged", [1, 0]]]
            : [];
    for (const [says, axes] of orders) {
      if (axes.filter((axis) => shape[axis] > 1).every((axis, i, kept) => i === 0 || kept[i - 1] < axis)) {
        // Only axes of size 1 moved: the same memory.
        if (sameShape(view)) continue;
      }
      const explains = explainsMove(view, stored(shape, axes));
      const seen = sameShape(view) ? "" : `, and so the shape is ${shapeText(gotShape)}`;
      yield { explains, says: says + seen };
    }
    if (!sameShape(view))
      yield {
        explains: 0.99 * explainsMove(view, (p) => p),
        says: `the numbers are right, only the shape is ${shapeText(gotShape)}`,
      };
  },
};

const moved: Symptom = {
  name: "shifted",
  mend: "Look at padding and strides: the map lies some pixels off. TensorFlow's SAME and a stride that begins at pixel 1 do this.",
  *find(view) {
    const { shape } = view;
    if (shape.length !== 4 || !sameShape(view)) return;
    for (let dy = -2; dy <= 2; dy++) {
      for (let dx = -2; dx <= 2; dx++) {
        if (dy === 0 && dx === 0) continue;
        const target = both(
          along(shape, 2, (y) => y + dy),
          along(shape, 3, (x) => x + dx),
        );
        yield {
          explains: explainsMove(view, target),
          says: `the map lies ${dy} pixels lower and ${dx} further right`,
        };
      }
    }
  },
};

const flipped: Symptom = {
  name: "flipped",
  mend: "Look for an image that is read bottom up or mirrored.",
  *find(view) {
    const { shape } = view;
    if (shape.length !== 4 || !sameShape(view)) return;
    const mirror = (i: number, n: number): number => n - 1 - i;
    const [rows, columns] = [along(shape, 2, mirror), along(shape, 3, mirror)];
    if (shape[2] > 1) yield { explains: explainsMove(view, rows), says: "the map is upside down" };
    if (shape[3] > 1)
      yield { explains: explainsMove(view, columns), says: "the map is mirrored left to right" };
    if (shape[2] > 1 && shape[3] > 1)
      yield { explains: explainsMove(view, both(rows, columns)), says: "the map is turned by 180 degrees" };
  },
};

/** The most channels for which every pair is compared. */
const MOST_CHANNELS = 256;

const channels: Symptom = {
  name: "channel-order",
  mend: "The channels are the right ones in another order: look at BGR for RGB, at shuffles, splits and concatenations before this.",
  *find(view) {
    const { shape, got } = view;
    if (shape.length < 2 || !sameShape(view)) return;
    const axis = shape.length === 4 ? 1 : shape.length - 1;
    const n = shape[axis];
    if (n < 2) return;
    const backwards = along(shape, axis, (c) => n - 1 - c);
    const says =
      n === 3 ? "channels 0 and 2 are exchanged: BGR for RGB" : "the channels are in reverse order";
    yield { explains: explainsMove(view, backwards), says };
    if (n > MOST_CHANNELS || view.right.length < 8 * n) return;
    let step = 1;
    for (let k = axis + 1; k < shape.length; k++) step *= shape[k];
    // distance[c][d]: how far the right channel c is from what stands in channel d.
    const distance = new Float64Array(n * n);
    for (let i = 0; i < view.right.length; i++) {
      const p = positionOf(view, i);
      const c = Math.floor(p / step) % n;
      const base = p - c * step;
      const x = view.right[i];
      for (let d = 0; d < n; d++) distance[c * n + d] += (got[base + d * step] - x) ** 2;
    }
    const to = new Int32Array(n);
    for (let c = 0; c < n; c++) {
      let best = 0;
      for (let d = 1; d < n; d++) if (distance[c * n + d] < distance[c * n + best]) best = d;
      to[c] = best;
    }
    const others = Array.from(to).filter((d, c) => d !== c).length;
    if (new Set(to).size !== n || others === 0) return;
    const explains = explainsMove(
      view,
      along(shape, axis, (c) => to[c]),
    );
    const first = Array.from(to).findIndex((d, c) => d !== c);
    yield {
      explains,
      fitted: 0.5,
      says: `${others} of ${n} channels are in another place, channel ${first} at ${to[first]}`,
    };
  },
};

const rows: Symptom = {
  name: "row-order",
  mend: "The rows (queries, tokens, batch) are the right ones in another order: compare them as sets, or look at the sort of the top-k.",
  *find(view) {
    const { shape, got } = view;
    if (shape.length < 2 || shape.length > 3 || !sameShape(view) || view.positions !== undefined) return;
    const width = shape[shape.length - 1];
    const count = view.right.length / width;
    if (count < 2 || count > 2048 || width < 2) return;
    const to = new Int32Array(count).fill(-1);
    const keyOf = (x: ArrayLike<number>, row: number): string => {
      let key = "";
      for (let c = 0; c < Math.min(width, 4); c++) key += `${x[row * width + c].toPrecision(4)},`;
      return key;
    };
    const byKey = new Map<string, number[]>();
    for (let row = 0; row < count; row++) {
      const key = keyOf(got, row);
      byKey.set(key, [...(byKey.get(key) ?? []), row]);
    }
    for (let row = 0; row < count; row++) to[row] = byKey.get(keyOf(view.right, row))?.shift() ?? -1;
    const found = to.filter((t) => t >= 0).length;
    const elsewhere = to.filter((t, row) => t >= 0 && t !== row).length;
    if (found < 0.9 * count || elsewhere === 0) return;
    const target = (p: number): number => {
      const t = to[Math.floor(p / width)];
      return t < 0 ? -1 : t * width + (p % width);
    };
    yield {
      explains: explainsMove(view, target) * (found / count),
      says: `${elsewhere} of ${count} rows are in another place`,
    };
  },
};

/** What a part of the tensor was not written, or written twice. */
const truncated: Symptom = {
  name: "truncated",
  mend: "The end is missing: look at loops over whole vectors or blocks that leave the rest, and at buffers that are too short.",
  *find(view) {
    const { got } = view;
    if (!sameShape(view)) return;
    let first = -1;
    let right = 0;
    for (let i = 0; i < view.right.length; i++) {
      const p = positionOf(view, i);
      if (isOff(view, i)) first = first < 0 ? p : Math.min(first, p);
    }
    if (first <= 0) return;
    let differs = 0;
    for (let i = 0; i < view.right.length; i++) {
      if (positionOf(view, i) < first) right++;
      else if (isOff(view, i)) differs++;
    }
    const tail = got.length - first;
    let zeros = 0;
    for (let p = first; p < got.length; p++) if (got[p] === 0) zeros++;
    if (right === 0 || zeros < 0.99 * tail || differs === 0) return;
    yield {
      explains: explainsElementwise(view, (x, i) => (positionOf(view, i) < first ? x : 0)),
      says: `all is right up to element ${first}, the last ${tail} are zero`,
    };
  },
};

const repeated: Symptom = {
  name: "repeated-rows",
  mend: "Rows repeat others: look for an index that stands still, a broadcast, or a buffer that is used again too early.",
  *find(view) {
    const { shape, got } = view;
    if (shape.length < 2 || !sameShape(view)) return;
    if (got.every((y) => Object.is(y, got[0]))) return; // NaN, or never written
    for (let axis = 0; axis < shape.length; axis++) {
      const n = shape[axis];
      if (n < 2) continue;
      let step = 1;
      for (let k = axis + 1; k < shape.length; k++) step *= shape[k];
      const first = (p: number): number => p - (Math.floor(p / step) % n) * step;
      let same = true;
      for (let p = 0; p < got.length && same; p++) same = Object.is(got[p], got[first(p)]);
      if (!same) continue;
      // The right tensor must not be so itself.
      let differs = false;
      if (view.positions === undefined) {
        for (let p = 0; p < view.right.length && !differs; p++)
          differs = view.right[p] !== view.right[first(p)];
      } else differs = true;
      if (differs)
        yield { explains: 0.99, fitted: 0.5, says: `all ${n} slices along axis ${axis} are the same` };
    }
  },
};

const stale: Symptom = {
  name: "stale-result",
  mend: "The result is another tensor's: look at names, at aliased buffers, and at memory that is used again too early.",
  *find(view) {
    for (const [name, { shape, data }] of view.others ?? []) {
      if (data.length !== view.got.length || shape.join() !== view.gotShape.join()) continue;
      let same = true;
      for (let p = 0; p < data.length && same; p++) same = Object.is(data[p], view.got[p]);
      if (same) yield { explains: 0.999, says: `the numbers are those of ${JSON.stringify(name)}` };
    }
  },
};

/** All of them. */
export const LAYOUT: readonly Symptom[] = [
  layout,
  moved,
  flipped,
  channels,
  rows,
  truncated,
  repeated,
  stale,
];

/** Where the differences lie, in words, for differences that nothing explains. */
export function whereOff(view: View): string {
  const { shape } = view;
  if (!sameShape(view)) return `the shape is ${shapeText(view.gotShape)}, expected ${shapeText(shape)}`;
  let off = 0;
  const hits = shape.map((n) => new Float64Array(n));
  const seen = shape.map((n) => new Float64Array(n));
  let edge = 0;
  let edgeSeen = 0;
  let [above, below] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let i = 0; i < view.right.length; i++) {
    let rest = positionOf(view, i);
    const bad = isOff(view, i);
    let atEdge = false;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const index = rest % shape[axis];
      rest = Math.floor(rest / shape[axis]);
      seen[axis][index]++;
      if (bad) hits[axis][index]++;
      if (axis >= 2 && shape.length === 4 && (index === 0 || index === shape[axis] - 1)) atEdge = true;
    }
    if (atEdge) edgeSeen++;
    if (!bad) continue;
    off++;
    if (atEdge) edge++;
    above = Math.max(above, view.right[i]);
    below = Math.min(below, view.right[i]);
  }
  const total = view.right.length;
  const parts = [`${off} of ${total} elements are off`];
  if (off === total || off === 0) return parts[0];
  if (edge === off && edgeSeen < total) parts.push("all of them at the edges of the map: look at padding");
  const names =
    shape.length === 4
      ? ["images", "channels", "rows", "columns"]
      : shape.map((_, k) => `indices of axis ${k}`);
  shape.forEach((n, axis) => {
    const bad = Array.from(hits[axis], (count, index) => ({ count, index })).filter(({ count }) => count > 0);
    if (n < 2 || bad.length === n || bad.length === 0) return;
    parts.push(`only ${names[axis]} ${ranges(bad.map(({ index }) => index))} of ${n}`);
  });
  if (below > 0) parts.push(`only where the golden is above ${below.toPrecision(4)}`);
  else if (above < 0) parts.push(`only where the golden is below ${above.toPrecision(4)}`);
  return parts.join("; ");
}

/** "0, 4-7, every 2nd from 1". */
function ranges(indices: readonly number[]): string {
  const step = indices.length > 2 ? indices[1] - indices[0] : 0;
  if (step > 1 && indices.every((index, i) => index === indices[0] + i * step)) {
    const nth = step === 2 ? "2nd" : step === 3 ? "3rd" : `${step}th`;
    return `${indices[0]}, ${indices[1]}, ... (every ${nth})`;
  }
  const out: string[] = [];
  for (let i = 0; i < indices.length; ) {
    let j = i;
    while (j + 1 < indices.length && indices[j + 1] === indices[j] + 1) j++;
    out.push(j > i ? `${indices[i]}-${indices[j]}` : `${indices[i]}`);
    i = j + 1;
    if (out.length === 6 && i < indices.length) return `${out.join(", ")}, ...`;
  }
  return out.join(", ");
}
