/** Numbers as pictures: maps in the colours of the command line's, histograms, and marks on the photograph. */
import { LEVEL_COLOURS as LEVELS, type Range, rampColour, rangeOf } from "../src/depict/ramp.ts";
import { el, short } from "./dom.ts";
import type { Numbers } from "./protocol.ts";

const STEPS = 256;
const RAMP = Uint32Array.from({ length: STEPS }, (_, i) => {
  const [red, green, blue] = rampColour(i / (STEPS - 1));
  return (255 << 24) | (blue << 16) | (green << 8) | red;
});
const NOT_FINITE = 0xff0000ff; // red

/** Colours of the levels from fine to coarse, told apart by the colour-blind too. */
export const LEVEL_COLOURS = LEVELS.map(
  (rgb) => `#${rgb.map((c) => c.toString(16).padStart(2, "0")).join("")}`,
);
/** Colours of classes. */
export const CLASS_COLOURS = ["#ff8c42", "#3ddc97", "#4cc9f0", "#f72585", "#ffd166", "#b388ff"] as const;

/** One plane of a tensor, its last two axes. */
export interface Plane {
  readonly data: Float32Array | Int32Array;
  readonly height: number;
  readonly width: number;
}

/** How many planes a tensor has, and their size; a vector is a plane of one row. */
export function planesOf(shape: readonly number[]): { count: number; height: number; width: number } {
  const [height = 1, width = 1] = shape.length >= 2 ? shape.slice(-2) : [1, shape[0] ?? 1];
  return { count: shape.slice(0, -2).reduce((n, size) => n * size, 1), height, width };
}

/** A plane by its number. */
export function planeOf({ shape, data }: Numbers, number: number): Plane {
  const { height, width } = planesOf(shape);
  const size = height * width;
  return { data: data.subarray(number * size, (number + 1) * size), height, width };
}

/** The full index of a place in a plane. */
export function indexOf(shape: readonly number[], plane: number, row: number, column: number): number[] {
  const lead: number[] = [];
  let rest = plane;
  for (const size of [...shape.slice(0, -2)].reverse()) {
    lead.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return shape.length < 2 ? [column].slice(0, shape.length) : [...lead, row, column];
}

/** The place in a plane of a full index; undefined where the tensor has none such. */
export function placeOf(
  shape: readonly number[],
  index: readonly number[],
): { plane: number; row: number; column: number } | undefined {
  if (index.length !== shape.length) return undefined;
  if (index.some((i, axis) => !Number.isInteger(i) || i < 0 || i >= shape[axis])) return undefined;
  if (shape.length < 2) return { plane: 0, row: 0, column: index[0] ?? 0 };
  const [row, column] = index.slice(-2);
  return { plane: index.slice(0, -2).reduce((n, i, axis) => n * shape[axis] + i, 0), row, column };
}

/** Puts a plane on a canvas, a pixel an element, or of every so many rows and columns one. */
export function paintPlane(
  canvas: HTMLCanvasElement,
  { data, height, width }: Plane,
  range: Range = rangeOf(data),
  every = 1,
): void {
  const { min, max } = range;
  [canvas.width, canvas.height] = [Math.ceil(width / every), Math.ceil(height / every)];
  const context = contextOf(canvas);
  const image = imageOf(canvas.width, canvas.height);
  const pixels = new Uint32Array(image.data.buffer);
  const scale = max > min ? (STEPS - 1) / (max - min) : 0;
  let to = 0;
  for (let row = 0; row < height * width; row += every * width) {
    for (let at = row; at < row + width; at += every) {
      const step = (data[at] - min) * scale + 0.5; // without calls: the first maps are painted by code that is not compiled yet
      if (step >= 0 && step < STEPS) pixels[to++] = RAMP[step | 0];
      else if (!Number.isFinite(data[at])) pixels[to++] = NOT_FINITE;
      else pixels[to++] = RAMP[step > 0 ? STEPS - 1 : 0];
    }
  }
  context.putImageData(image, 0, 0);
}

let lastImage: ImageData | undefined;

/** Pixels to write all of: those of the call before, where they are as many, for the tiles of a grid are of one size. */
function imageOf(width: number, height: number): ImageData {
  if (lastImage?.width !== width || lastImage.height !== height) lastImage = new ImageData(width, height);
  return lastImage;
}

/** A canvas's context. */
export function contextOf(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext("2d");
  if (!context) throw new Error("this browser gives no 2D canvas");
  return context;
}

/**
 * A plane enlarged to about `side` pixels, in whole steps, a vector as a strip, with a frame around the cell that is chosen, if the plane
 * has it.
 */
export function paintLarge(
  canvas: HTMLCanvasElement,
  plane: Plane,
  { range, side, cell }: { range: Range; side: number; cell?: readonly [row: number, column: number] },
): void {
  const small = document.createElement("canvas");
  paintPlane(small, plane, range);
  const w = Math.max(1, Math.floor(side / Math.max(plane.width, plane.height)));
  const h = w * Math.max(1, Math.min(24, Math.floor(plane.width / Math.max(1, plane.height) / 6)));
  canvas.width = plane.width * w;
  canvas.height = plane.height * h;
  const context = contextOf(canvas);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
  if (!cell || cell[0] >= plane.height || cell[1] >= plane.width) return;
  const unit = canvas.width / (canvas.clientWidth || canvas.width);
  const pad = 2 * unit;
  strokeFrame(context, [cell[1] * w - pad, cell[0] * h - pad, w + 2 * pad, h + 2 * pad], 2 * unit);
}

/** A white frame on a black one, which is seen on any ground. */
export function strokeFrame(
  context: CanvasRenderingContext2D,
  [x, y, width, height]: readonly [number, number, number, number],
  line: number,
): void {
  for (const [colour, thick] of [
    ["#000", 2 * line],
    ["#fff", line],
  ] as const) {
    context.strokeStyle = colour;
    context.lineWidth = thick;
    context.strokeRect(x, y, width, height);
  }
}

/** The cell of a plane on a canvas that an event is at. */
export function cellAt(
  event: MouseEvent,
  canvas: HTMLCanvasElement,
  { height, width }: { height: number; width: number },
): readonly [row: number, column: number] {
  const box = canvas.getBoundingClientRect();
  const within = (share: number, size: number): number =>
    Math.min(size - 1, Math.max(0, Math.floor(share * size)));
  return [
    within((event.clientY - box.top) / box.height, height),
    within((event.clientX - box.left) / box.width, width),
  ];
}

const PHOTO_PX = 1280; // enough for a wide column on a dense screen

/** Draws the photograph on a canvas; gives its context and the size of a sixteenth of the text in it. */
export function paintPhoto(
  canvas: HTMLCanvasElement,
  photo: ImageBitmap,
  dim = 0,
): { context: CanvasRenderingContext2D; width: number; height: number; unit: number } {
  const scale = Math.min(1.5, PHOTO_PX / Math.max(photo.width, photo.height));
  const [width, height] = [Math.round(photo.width * scale), Math.round(photo.height * scale)];
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  canvas.style.setProperty("--ratio", String(width / height));
  const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize); // larger on large screens
  const context = contextOf(canvas);
  context.globalAlpha = 1;
  context.drawImage(photo, 0, 0, width, height);
  if (dim > 0) {
    context.fillStyle = `rgba(0, 0, 0, ${dim})`;
    context.fillRect(0, 0, width, height);
  }
  return { context, width, height, unit: ((width / (canvas.clientWidth || width)) * rem) / 16 };
}

/** A map over the photograph: bright where it is great. `opacity` in [0, 1]; absent, as great as the share of the greatest. */
export function paintOver(
  context: CanvasRenderingContext2D,
  plane: Plane,
  { opacity, range = rangeOf(plane.data) }: { opacity?: number; range?: Range } = {},
): void {
  const layer = document.createElement("canvas");
  paintPlane(layer, plane, range);
  if (opacity === undefined) {
    const own = contextOf(layer);
    const image = own.getImageData(0, 0, plane.width, plane.height);
    const scale = range.max > 0 ? 255 / range.max : 0;
    for (let i = 0; i < plane.data.length; i++)
      image.data[4 * i + 3] = Math.min(255, Math.max(0, plane.data[i] * scale));
    own.putImageData(image, 0, 0);
  }
  context.save();
  context.globalAlpha = opacity ?? 1;
  context.imageSmoothingEnabled = false;
  context.drawImage(layer, 0, 0, context.canvas.width, context.canvas.height);
  context.restore();
}

/** A line of text on a ground of its own, within the canvas. */
export function paintLabel(
  context: CanvasRenderingContext2D,
  text: string,
  [x, y]: readonly [number, number],
  { unit, ground, ink = "#101312" }: { unit: number; ground: string; ink?: string },
): void {
  const size = 13 * unit;
  context.font = `600 ${size}px system-ui, sans-serif`;
  context.textBaseline = "top";
  const width = context.measureText(text).width + 8 * unit;
  const height = size + 6 * unit;
  const left = Math.max(0, Math.min(x, context.canvas.width - width));
  const top = Math.max(0, Math.min(y - height, context.canvas.height - height));
  context.fillStyle = ground;
  context.fillRect(left, top, width, height);
  context.fillStyle = ink;
  context.fillText(text, left + 4 * unit, top + 3 * unit);
}

/** A histogram, with its range below; heights go by the square root, so that small bins are seen beside a great one. */
export function histogram(bins: readonly number[], { min, max }: Range, label: string): HTMLElement {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", `0 0 ${bins.length * 4} 40`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `Histogram of ${label}, from ${short(min)} to ${short(max)}`);
  const most = Math.sqrt(Math.max(1, ...bins));
  for (const [i, n] of bins.entries()) {
    const bar = document.createElementNS(space, "rect");
    const height = n > 0 ? Math.max(1, (Math.sqrt(n) / most) * 40) : 0;
    bar.setAttribute("x", String(i * 4));
    bar.setAttribute("y", String(40 - height));
    bar.setAttribute("width", "3.4");
    bar.setAttribute("height", String(height));
    const title = document.createElementNS(space, "title");
    const step = (max - min) / bins.length;
    title.textContent = `${short(min + i * step)} to ${short(min + (i + 1) * step)}: ${n}`;
    bar.append(title);
    svg.append(bar);
  }
  return el(
    "div",
    { class: "histogram" },
    svg as unknown as HTMLElement,
    el("div", { class: "ends" }, el("span", {}, short(min)), el("span", {}, short(max))),
  );
}
