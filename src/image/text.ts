/**
 * Text in pixels: the strokes of font.ts, anti-aliased, at any size. Heights are snapped to whole pixels so that small
 * text stays crisp; along a line letters stand at quarters of a pixel, so that their spacing stays even.
 */
import type { Colour } from "./colours.ts";
import { ASCENT, DESCENT, glyphOf, SNAP_HEIGHTS } from "./font.ts";
import type { ImageData8 } from "./image.ts";
import { type Mask, paintMask } from "./paint.ts";

const EM = 1000;
const STROKE_EM = 0.1;
const DOT_SCALE = 1.25; // a dot as wide as the stroke looks too small
const PHASES = 4;

/** A glyph's mask and where it stands against the pen. */
interface Stamp {
  readonly mask: Mask;
  readonly left: number;
  readonly top: number;
}

/** Writes text of one size. `size` is the em in pixels; capitals are about 0.7 of it high. */
export class TextPen {
  readonly size: number;
  /** Pixels from the base line up to the tops of capitals. */
  readonly capHeight: number;
  readonly #stroke: number;
  /** Heights above the base line, in pixels, of SNAP_HEIGHTS. */
  readonly #snapped: readonly number[];
  readonly #stamps = new Map<string, Stamp>();

  constructor(size: number) {
    this.size = size;
    this.#stroke = Math.max(1, size * STROKE_EM);
    const unit = size / EM;
    // The lower edge of the bottom stroke and the upper edges of the others fall on pixel borders.
    const half = this.#stroke / 2;
    const tops = SNAP_HEIGHTS.slice(1).map((h) => Math.max(2, Math.round(h * unit * 0.98 + half)));
    this.#snapped = [half, ...tops.map((top) => top - half)];
    this.capHeight = tops[tops.length - 1];
  }

  /** The width of a line of text, in pixels. */
  measure(text: string): number {
    let sum = 0;
    for (const character of text) sum += glyphOf(character).advance;
    return (sum * this.size) / EM;
  }

  /** Writes a line from x on, its base line on the upper border of pixel row `baseline` (a whole number). */
  write(image: ImageData8, text: string, x: number, baseline: number, colour: Colour): void {
    let pen = x;
    for (const character of text) {
      const snapped = Math.round(pen * PHASES) / PHASES;
      const whole = Math.floor(snapped);
      const stamp = this.#stamp(character, snapped - whole);
      paintMask(image, stamp.mask, whole + stamp.left, baseline + stamp.top, colour);
      pen += (glyphOf(character).advance * this.size) / EM;
    }
  }

  #stamp(character: string, phase: number): Stamp {
    const key = `${phase}${character}`;
    let stamp = this.#stamps.get(key);
    if (!stamp) {
      stamp = this.#rasterise(character, phase);
      this.#stamps.set(key, stamp);
    }
    return stamp;
  }

  #rasterise(character: string, phase: number): Stamp {
    const { advance, segments } = glyphOf(character);
    const unit = this.size / EM;
    const margin = Math.ceil(this.#stroke) + 1;
    const left = -margin - Math.ceil(60 * unit); // "j" reaches back behind its origin
    const top = -Math.ceil(this.#height(ASCENT)) - margin;
    const width = Math.ceil(advance * unit) + margin - left + 1;
    const height = Math.ceil(-this.#height(DESCENT)) + margin - top;
    const coverage = new Float32Array(width * height);
    for (let i = 0; i < segments.length; i += 4) {
      const [x0, y0, x1, y1] = segments.subarray(i, i + 4);
      const dot = x0 === x1 && y0 === y1;
      stroke(
        { width, height, coverage },
        x0 * unit + phase - left,
        -this.#height(y0) - top,
        x1 * unit + phase - left,
        -this.#height(y1) - top,
        (this.#stroke / 2) * (dot ? DOT_SCALE : 1),
      );
    }
    return { mask: { width, height, coverage }, left, top };
  }

  /** Font units to pixels above the base line: linear between the snapped heights. */
  #height(y: number): number {
    const [low, middle, high] = this.#snapped;
    const [yLow, yMiddle, yHigh] = SNAP_HEIGHTS;
    if (y <= yMiddle) return low + ((middle - low) * (y - yLow)) / (yMiddle - yLow);
    return middle + ((high - middle) * (y - yMiddle)) / (yHigh - yMiddle);
  }
}

/** Adds a segment with round ends; pixel (x, y) has its centre at (x + 0.5, y + 0.5). */
function stroke(mask: Mask, x0: number, y0: number, x1: number, y1: number, radius: number): void {
  const reach = radius + 0.5;
  const fromX = Math.max(0, Math.floor(Math.min(x0, x1) - reach));
  const toX = Math.min(mask.width, Math.ceil(Math.max(x0, x1) + reach));
  const fromY = Math.max(0, Math.floor(Math.min(y0, y1) - reach));
  const toY = Math.min(mask.height, Math.ceil(Math.max(y0, y1) + reach));
  const dx = x1 - x0;
  const dy = y1 - y0;
  const lengthSquared = dx * dx + dy * dy;
  for (let y = fromY; y < toY; y++) {
    for (let x = fromX; x < toX; x++) {
      const px = x + 0.5 - x0;
      const py = y + 0.5 - y0;
      const t = lengthSquared > 0 ? Math.min(1, Math.max(0, (px * dx + py * dy) / lengthSquared)) : 0;
      const [offX, offY] = [px - t * dx, py - t * dy];
      const distance = Math.sqrt(offX * offX + offY * offY); // not Math.hypot, which engines round differently
      const covered = Math.min(1, reach - distance);
      const at = y * mask.width + x;
      if (covered > mask.coverage[at]) mask.coverage[at] = covered;
    }
  }
}
