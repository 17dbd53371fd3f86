/** Pictures side by side, each with a caption. */
import type { ImageData8 } from "../image/image.ts";
import { fillRect } from "../image/paint.ts";
import { TextPen } from "../image/text.ts";
import type { Rgb } from "./ramp.ts";

/** A picture and the words below it. */
export interface Panel {
  readonly image: ImageData8;
  readonly caption: string;
}

const PAPER: Rgb = [24, 24, 27];
const INK: Rgb = [228, 228, 231];
const GAP = 8;
const FONT_PX = 13;
const LINE_PX = 20;

/** The panels in rows of `columns`, with a title above; cells are as large as the largest panel. */
export function layPanels(panels: readonly Panel[], columns: number, title: string): ImageData8 {
  const pen = new TextPen(FONT_PX);
  const across = Math.min(columns, panels.length);
  const cellWidth = Math.max(
    ...panels.map(({ image, caption }) => Math.max(image.width, Math.ceil(pen.measure(caption)))),
  );
  const cellHeight = Math.max(...panels.map(({ image }) => image.height)) + LINE_PX;
  const width = Math.max(GAP + across * (cellWidth + GAP), 2 * GAP + Math.ceil(pen.measure(title)));
  const height = LINE_PX + 2 * GAP + Math.ceil(panels.length / across) * (cellHeight + GAP);
  const sheet: ImageData8 = { data: new Uint8Array(width * height * 3), width, height, channels: 3 };
  fillRect(sheet, 0, 0, width, height, PAPER);
  pen.write(sheet, title, GAP, LINE_PX, INK);
  panels.forEach(({ image, caption }, i) => {
    const left = GAP + (i % across) * (cellWidth + GAP);
    const top = LINE_PX + 2 * GAP + Math.floor(i / across) * (cellHeight + GAP);
    for (let row = 0; row < image.height; row++) {
      const from = row * image.width * 3;
      sheet.data.set(image.data.subarray(from, from + image.width * 3), ((top + row) * width + left) * 3);
    }
    pen.write(sheet, caption, left, top + image.height + LINE_PX - 6, INK);
  });
  return sheet;
}

/** Each pixel as a square of `factor` pixels. */
export function enlarge(image: ImageData8, factor: number): ImageData8 {
  if (factor === 1) return image;
  const [width, height] = [image.width * factor, image.height * factor];
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (Math.floor(y / factor) * image.width + Math.floor(x / factor)) * 3;
      for (let c = 0; c < 3; c++) data[(y * width + x) * 3 + c] = image.data[from + c];
    }
  }
  return { data, width, height, channels: 3 };
}
