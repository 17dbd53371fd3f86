/**
 * Draws detections: a coloured box for each and a filled tag with its label. Line and text grow with the picture, in
 * about Ultralytics' proportions. Everything is painted on a copy.
 */
import { fail } from "../errors.ts";
import { type Colour, classColour, textColourOn } from "./colours.ts";
import { checkImage, type ImageData8, toRgb } from "./image.ts";
import { placeLabel, type Rect } from "./labels.ts";
import { fillRect } from "./paint.ts";
import { TextPen } from "./text.ts";

/** What is drawn of one detection. */
export interface DrawnDetection {
  /** x1, y1, x2, y2 in pixels of the picture; may reach past its borders. */
  readonly box: readonly [x1: number, y1: number, x2: number, y2: number];
  /** The text of the tag, for example "qr 0.87"; empty for no tag. */
  readonly label: string;
  /** Chooses the colour. */
  readonly classId: number;
  /** In its place. */
  readonly colour?: Colour;
}

/** How {@link drawDetections} draws. */
export interface DrawOptions {
  /** Width of the boxes' lines in pixels, 1..1000. Default: 0.3 % of the mean of width and height, at least 2. */
  readonly lineWidth?: number;
  /** Size of the text (its em) in pixels, 4..2000. Default: 2.6 % of the mean of width and height, at least 12. */
  readonly fontSize?: number;
  /** Whether tags are drawn. Default true. */
  readonly showLabels?: boolean;
}

const LINE_SHARE = 0.003;
const MIN_LINE_PX = 2;
const MAX_LINE_PX = 1000;
const FONT_SHARE = 0.026;
const MIN_FONT_PX = 12;
const MAX_FONT_PX = 2000;
/** A thin dark rim on both sides keeps a line visible where the picture has its colour. */
const RIM: Colour = [0, 0, 0];
const RIM_OPACITY = 0.35;
const ELLIPSIS = "...";

/**
 * A new RGB picture with the detections drawn on it: all boxes first, then all tags, in the order given.
 * Throws code "argument" for coordinates that are not finite or options out of range.
 */
export function drawDetections(
  image: ImageData8,
  detections: readonly DrawnDetection[],
  options: DrawOptions = {},
): ImageData8 {
  const source = toRgb(checkImage(image, "drawDetections: image"));
  const { width, height } = source;
  // The mean side; of strips less, so that a tag does not fill their height.
  const scale = Math.min((width + height) / 2, 3 * Math.min(width, height));
  const lineWidth = Math.round(options.lineWidth ?? clamp(scale * LINE_SHARE, MIN_LINE_PX, MAX_LINE_PX));
  const fontSize = options.fontSize ?? clamp(Math.round(scale * FONT_SHARE), MIN_FONT_PX, MAX_FONT_PX);
  checkRange("lineWidth", lineWidth, 1, MAX_LINE_PX);
  checkRange("fontSize", fontSize, 4, MAX_FONT_PX);
  const canvas: ImageData8 = { data: source.data.slice(), width, height, channels: 3 };

  const outlines = detections.map((detection, i) =>
    outlineOf(detection.box, lineWidth, `detections[${i}].box`),
  );
  detections.forEach(({ classId, colour }, i) => {
    paintBox(canvas, outlines[i], lineWidth, colour ?? classColour(classId));
  });
  if (options.showLabels ?? true) {
    const pen = new TextPen(fontSize);
    const taken: Rect[] = [];
    detections.forEach(({ label, classId, colour }, i) => {
      const { outer } = outlines[i];
      const visible = outer.x1 > 0 && outer.y1 > 0 && outer.x0 < width && outer.y0 < height;
      if (label === "" || !visible) return;
      paintTag(canvas, pen, label, colour ?? classColour(classId), outlines[i], taken);
    });
  }
  return canvas;
}

/** The outside and inside edges of a box's line. */
interface Outline {
  readonly outer: Rect;
  readonly inner: Rect;
}

/** Edges on whole pixels, so that lines are crisp; the line's middle lies on the box. */
function outlineOf(box: DrawnDetection["box"], lineWidth: number, where: string): Outline {
  if (box.length !== 4 || !box.every(Number.isFinite)) {
    fail("argument", `drawDetections: ${where}`, "four finite numbers", `[${box.join(", ")}]`);
  }
  const [x0, x1] = [Math.min(box[0], box[2]), Math.max(box[0], box[2])];
  const [y0, y1] = [Math.min(box[1], box[3]), Math.max(box[1], box[3])];
  const half = lineWidth / 2;
  const outer = {
    x0: Math.round(x0 - half),
    y0: Math.round(y0 - half),
    x1: Math.round(x1 + half),
    y1: Math.round(y1 + half),
  };
  return { outer, inner: grow(outer, -lineWidth) };
}

function paintBox(canvas: ImageData8, { outer, inner }: Outline, lineWidth: number, colour: Colour): void {
  const rim = Math.max(1, Math.round(lineWidth / 5));
  paintFrame(canvas, grow(outer, rim), outer, RIM, RIM_OPACITY);
  paintFrame(canvas, inner, grow(inner, -rim), RIM, RIM_OPACITY);
  paintFrame(canvas, outer, inner, colour, 1);
}

/** Fills between two rectangles; the whole of the outer one where the inner one is empty. */
function paintFrame(canvas: ImageData8, outer: Rect, inner: Rect, colour: Colour, opacity: number): void {
  const fill = (x0: number, y0: number, x1: number, y1: number): void =>
    fillRect(canvas, x0, y0, x1, y1, colour, opacity);
  if (inner.x1 <= inner.x0 || inner.y1 <= inner.y0) {
    fill(outer.x0, outer.y0, outer.x1, outer.y1);
    return;
  }
  fill(outer.x0, outer.y0, outer.x1, inner.y0);
  fill(outer.x0, inner.y1, outer.x1, outer.y1);
  fill(outer.x0, inner.y0, inner.x0, inner.y1);
  fill(inner.x1, inner.y0, outer.x1, inner.y1);
}

function paintTag(
  canvas: ImageData8,
  pen: TextPen,
  label: string,
  colour: Colour,
  outline: Outline,
  taken: Rect[],
): void {
  const padX = Math.max(2, Math.round(pen.size * 0.26));
  const padY = Math.max(2, Math.round(pen.size * 0.3)); // room for descenders
  const text = fitText(pen, label, canvas.width - 2 * padX);
  const width = Math.ceil(pen.measure(text)) + 2 * padX;
  const height = pen.capHeight + 2 * padY;
  const { outer, inner } = outline;
  const tag = placeLabel(width, height, outer, inner, canvas.width, canvas.height, taken);
  taken.push(tag);
  fillRect(canvas, tag.x0, tag.y0, tag.x1, tag.y1, colour);
  pen.write(canvas, text, tag.x0 + padX, tag.y1 - padY, textColourOn(colour));
}

/** Shortens a text that is wider than the room for it. */
function fitText(pen: TextPen, text: string, room: number): string {
  if (pen.measure(text) <= room) return text;
  const characters = Array.from(text);
  while (characters.length > 1 && pen.measure(characters.join("") + ELLIPSIS) > room) characters.pop();
  return characters.join("").trimEnd() + ELLIPSIS;
}

function grow({ x0, y0, x1, y1 }: Rect, by: number): Rect {
  return { x0: x0 - by, y0: y0 - by, x1: x1 + by, y1: y1 + by };
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}

function checkRange(name: string, value: number, least: number, most: number): void {
  if (!(value >= least && value <= most)) {
    fail("argument", `drawDetections: ${name}`, `a number in ${least}..${most}`, `${value}`);
  }
}
