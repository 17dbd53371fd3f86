/**
 * Places for a flow: down the page as the run goes, and across it by how coarse the map is, so that a backbone walks to the right and
 * a feature pyramid comes back. What an open call holds is a block of rows of its own.
 */
import type { Flow, FlowBox } from "./flow.ts";

/** A rectangle in the drawing's units. */
export interface Place {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A line of an edge with the place of its label. */
export interface Line {
  readonly path: string;
  readonly label: readonly [x: number, y: number];
}

/** The drawing. */
export interface FlowLayout {
  readonly width: number;
  readonly height: number;
  /** By the flow's boxes, edges and frames. */
  readonly boxes: readonly Place[];
  readonly lines: readonly Line[];
  readonly frames: readonly (Place & { readonly level: number })[];
  readonly columns: readonly { readonly x: number; readonly title: string }[];
}

const BOX_WIDTH = 132;
const OPERATOR_WIDTH = 64;
const BOX_HEIGHT = 38;
const LABEL_WIDTH = 66; // of the shape at an edge's end
const ROW = 76;
const LANE = 7; // between lines that run side by side
const GUTTER = 26; // beside a column, without lanes
const HEAD = 30; // column titles
const MARGIN = 14;
const FRAME_PAD = 8;
const FRAME_HEAD = 38; // its name, and below it shapes of what comes in

/**
 * Lays a flow out. `parents` are the numbers of the calls around each call, `shapes` the outputs of each call; `side` is the picture's
 * height as the network sees it.
 */
export function layOut(
  { boxes, edges, frames }: Flow,
  shapes: readonly (readonly (readonly number[])[])[],
  parents: readonly number[],
  side: number,
): FlowLayout {
  const strideOf = (shape: readonly number[]): number | undefined =>
    shape.length === 4 && shape[2] > 0 ? Math.round(Math.log2(side / shape[2])) : undefined;
  /** The stride of the coarsest map that a call gives; within a call that gives maps, tokens are that map's pixels. */
  const ofCall = (n: number): number | undefined => {
    for (let at = n; at > 0; at = parents[at]) {
      const strides = shapes[at].map(strideOf).filter((stride) => stride !== undefined);
      if (strides.length > 0) return Math.max(...strides);
    }
    return undefined;
  };
  const raw = boxes.map((box: FlowBox) =>
    box.kind === "call" ? ofCall(box.n) : (strideOf(box.shape) ?? ofCall(box.frame)),
  );
  const used = [...new Set(raw.map((stride) => stride ?? Number.POSITIVE_INFINITY))].sort((a, b) => a - b);
  const columns = raw.map((stride) => used.indexOf(stride ?? Number.POSITIVE_INFINITY));

  const rows = rowsOf(columns, { boxes, edges, frames });
  const tops = topsOf(rows, { boxes, edges, frames });
  const arrivals = boxes.map(() => 0);
  for (const { to } of edges) arrivals[to]++;
  const widths = boxes.map(({ kind }, i) =>
    Math.max(kind === "operator" ? OPERATOR_WIDTH : BOX_WIDTH, arrivals[i] * LABEL_WIDTH),
  );

  const lanes = lanesOf(columns, rows, edges, used.length);
  const columnWidth = used.map((_, c) => Math.max(...widths.filter((_, i) => columns[i] === c)));
  const starts: number[] = [];
  let x = MARGIN + FRAME_PAD * Math.max(...boxes.map((_, i) => holding(frames, i)));
  for (const [c, width] of columnWidth.entries()) {
    starts.push(x);
    x += width + GUTTER + LANE * lanes.counts[c];
  }
  const places = boxes.map((_, i) => ({
    x: starts[columns[i]] + (columnWidth[columns[i]] - widths[i]) / 2,
    y: tops[rows[i]],
    width: widths[i],
    height: BOX_HEIGHT,
  }));

  const came = boxes.map(() => 0);
  const lines = edges.map(({ from, to }, e) => {
    const [a, b] = [places[from], places[to]];
    const [x1, y1] = [a.x + a.width / 2, a.y + a.height];
    const x2 = b.x + (b.width * (came[to]++ + 0.5)) / Math.max(1, arrivals[to]);
    const y2 = b.y;
    const label: [number, number] = [x2, y2 - 10];
    const lane = lanes.of[e];
    if (lane === undefined) {
      const bend = Math.max(14, (y2 - y1) / 2);
      return { path: `M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}`, label };
    }
    const gutter = Math.min(columns[from], columns[to]);
    const way = starts[gutter] + columnWidth[gutter] + GUTTER / 2 + lane * LANE;
    const gap = ROW - BOX_HEIGHT;
    const [top, bottom] = [y1 + gap, y2 - gap];
    return {
      path:
        `M${x1} ${y1}C${x1} ${y1 + gap * 0.6} ${way} ${y1 + gap * 0.4} ${way} ${top}` +
        `L${way} ${bottom}C${way} ${y2 - gap * 0.4} ${x2} ${y2 - gap * 0.6} ${x2} ${y2}`,
      label,
    };
  });

  const bottom = Math.max(...places.map((place) => place.y + place.height));
  return {
    width: x + MARGIN,
    height: bottom + MARGIN + FRAME_PAD * 2,
    boxes: places,
    lines,
    frames: framesOf({ boxes, edges, frames }, places),
    columns: used.map((stride, c) => ({
      x: starts[c] + columnWidth[c] / 2,
      title: stride === 0 ? "pixels" : Number.isFinite(stride) ? `stride ${2 ** stride}` : "tokens, queries",
    })),
  };
}

/** A row for each box: below what it reads, below what stands in its column, and below all that came before an open call. */
function rowsOf(columns: readonly number[], { boxes, edges, frames }: Flow): number[] {
  const sources: number[][] = boxes.map(() => []);
  for (const { from, to } of edges) sources[to].push(from);
  const begins = new Map<number, number>();
  const ends = new Map<number, number>();
  for (const { n, first, end } of frames) {
    if (n === 0) continue;
    begins.set(first, (begins.get(first) ?? 0) + 1);
    ends.set(end, (ends.get(end) ?? 0) + 1);
  }
  const rows: number[] = [];
  const next: number[] = []; // of each column
  let [floor, most] = [0, -1];
  for (const [i, column] of columns.entries()) {
    if (begins.has(i) || ends.has(i)) floor = most + 1;
    const above = Math.max(-1, ...sources[i].map((from) => rows[from]));
    const row = Math.max(above + 1, next[column] ?? 0, floor);
    rows.push(row);
    next[column] = row + 1;
    most = Math.max(most, row);
  }
  return rows;
}

/** Where rows begin: names of open calls take room above their first row, their borders below the last. */
function topsOf(rows: readonly number[], { frames }: Flow): number[] {
  const last = Math.max(...rows);
  const [above, below] = [new Array(last + 1).fill(0), new Array(last + 1).fill(0)] as number[][];
  for (const { n, first, end } of frames) {
    if (n === 0 || end === first) continue;
    above[rows[first]] += FRAME_HEAD;
    below[Math.max(...rows.slice(first, end))] += FRAME_PAD;
  }
  let y = HEAD + MARGIN;
  return above.map((room, row) => {
    const top = y + room;
    y = top + ROW + below[row];
    return top;
  });
}

/** Lines that pass rows by run beside the columns, each in a lane of its own as long as it runs. */
function lanesOf(
  columns: readonly number[],
  rows: readonly number[],
  edges: Flow["edges"],
  count: number,
): { of: (number | undefined)[]; counts: number[] } {
  const busy: number[][] = Array.from({ length: count }, () => []); // the row until which each lane is taken
  const order = [...edges.keys()].sort((a, b) => rows[edges[a].from] - rows[edges[b].from]);
  const of: (number | undefined)[] = edges.map(() => undefined);
  for (const e of order) {
    const { from, to } = edges[e];
    if (rows[to] - rows[from] <= 1) continue;
    const lanes = busy[Math.min(columns[from], columns[to])];
    const free = lanes.findIndex((until) => until <= rows[from]);
    const lane = free < 0 ? lanes.length : free;
    lanes[lane] = rows[to];
    of[e] = lane;
  }
  return { of, counts: busy.map(({ length }) => length) };
}

/** A rectangle around the boxes of each open call; of the model, which is all of it, none. */
function framesOf({ frames }: Flow, places: readonly Place[]): (Place & { level: number })[] {
  return frames.map(({ n, first, end }) => {
    const own = places.slice(first, end);
    if (n === 0 || own.length === 0) return { x: 0, y: 0, width: 0, height: 0, level: 0 };
    const within = frames.filter((other) => other.n !== 0 && other.first >= first && other.end <= end);
    const around = frames.filter((other) => other.n !== 0 && other.first <= first && other.end >= end);
    const pad = FRAME_PAD * Math.max(...own.map((_, i) => holding(within, first + i)));
    const [left, top] = [Math.min(...own.map((p) => p.x)), Math.min(...own.map((p) => p.y))];
    const right = Math.max(...own.map((p) => p.x + p.width));
    const bottom = Math.max(...own.map((p) => p.y + p.height));
    const heads = within.filter((other) => other.first === first && other.n >= n).length;
    const feet = within.filter((other) => other.end === end && other.n >= n).length;
    return {
      x: left - pad,
      y: top - FRAME_HEAD * heads,
      width: right - left + 2 * pad,
      height: bottom - top + FRAME_HEAD * heads + FRAME_PAD * feet,
      level: around.length,
    };
  });
}

/** How many of some open calls hold a box. */
function holding(frames: Flow["frames"], box: number): number {
  return frames.filter(({ first, end }) => first <= box && box < end).length;
}
