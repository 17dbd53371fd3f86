/** What results make of a picture's pixels: boxes drawn on it, and parts cut from it. */

import { need } from "../errors.ts";
import { drawDetections } from "../image/draw.ts";
import { type ImageData8, partOf } from "../image/image.ts";
import type { Crop, CropOptions, Detections, PlotOptions } from "./results.ts";

const flag = (value: unknown): boolean => typeof value === "boolean";
const isByte = (value: unknown): boolean => typeof value === "number" && value >= 0 && value <= 255;

/** See `Results.plot`. */
export function plot(found: Detections, pixels: ImageData8, options: PlotOptions): ImageData8 {
  const { line_width, font_size, labels = true, conf = true, color_mode = "class", colors } = options;
  need("labels", labels, flag, "true or false");
  need("conf", conf, flag, "true or false");
  need("color_mode", color_mode, (v) => v === "class" || v === "instance", '"class" or "instance"');
  need(
    "colors",
    colors,
    (list) =>
      Array.isArray(list) &&
      list.length > 0 &&
      list.every((c) => Array.isArray(c) && c.length === 3 && c.every(isByte)),
    "a list of [red, green, blue], 0..255",
  );
  const drawn = found.detections.map(({ box, name, score, class: number }, i) => {
    const classId = color_mode === "class" ? number : i;
    const label = labels ? (conf ? `${name} ${score.toFixed(2)}` : name) : "";
    return { box, label, classId, colour: colors?.[classId % colors.length] };
  });
  return drawDetections(pixels, drawn, {
    lineWidth: line_width,
    fontSize: font_size,
  });
}

/** See `Results.crops`; the arithmetic of Ultralytics' `save_one_box`, in single precision. */
export function crops(found: Detections, pixels: ImageData8, options: CropOptions): Crop[] {
  const { gain = 1.02, pad = 10, square = false } = options;
  need("gain", gain, (v) => Number.isFinite(v) && v > 0, "a number > 0");
  need("pad", pad, (v) => Number.isFinite(v) && v >= 0, "a number >= 0");
  need("square", square, flag, "true or false");
  const { width, height } = pixels;
  const f = Math.fround;
  const cut = (low: number, high: number, side: number, most: number): [number, number] => {
    const [middle, half] = [f(f(low + high) / 2), f(f(f(side * f(gain)) + f(pad)) / 2)];
    const within = (x: number): number => Math.min(most, Math.max(0, Math.trunc(x)));
    return [within(f(middle - half)), within(f(middle + half))];
  };
  return found.detections.flatMap((detection) => {
    const [x1, y1, x2, y2] = detection.box;
    const [w, h] = [f(x2 - x1), f(y2 - y1)];
    const [left, right] = cut(x1, x2, square ? Math.max(w, h) : w, width);
    const [top, bottom] = cut(y1, y2, square ? Math.max(w, h) : h, height);
    if (right <= left || bottom <= top) return [];
    return [{ image: partOf(pixels, left, top, right, bottom), detection }];
  });
}
