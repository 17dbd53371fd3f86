/**
 * Colours for classes: distinct, even in brightness, and the text colour that reads best on each. Made from OKLCH, whose
 * lightness and hue agree with what is seen. Source: B. Ottosson, "A perceptual color space for image processing" (2020).
 */
import { cos, pow, sin } from "../portable-math.ts";

/** Red, green, blue, 0..255. */
export type Colour = readonly [red: number, green: number, blue: number];

const WHITE: Colour = [255, 255, 255];
const INK: Colour = [8, 9, 12];
const GOLDEN_ANGLE_DEG = 137.508; // neighbouring classes land far apart, and no later one on an earlier
const FIRST_HUE_DEG = 258;
const LIGHTNESSES = [0.66, 0.74, 0.58]; // neighbours differ in lightness, too
const CHROMA = 0.19;

/** The colour of a class; the same in every run. Ids are rounded down, negative ones mirrored. */
export function classColour(classId: number): Colour {
  const id = Number.isFinite(classId) ? Math.abs(Math.floor(classId)) : 0;
  const hue = ((FIRST_HUE_DEG + id * GOLDEN_ANGLE_DEG) % 360) * (Math.PI / 180);
  const lightness = LIGHTNESSES[id % LIGHTNESSES.length];
  // The greatest chroma up to CHROMA that sRGB can show at this lightness and hue.
  let low = 0;
  let high = CHROMA;
  if (inGamut(lightness, CHROMA, hue)) low = CHROMA;
  else {
    for (let i = 0; i < 12; i++) {
      const middle = (low + high) / 2;
      if (inGamut(lightness, middle, hue)) low = middle;
      else high = middle;
    }
  }
  const [r, g, b] = oklchToLinear(lightness, low, hue);
  return [encode(r), encode(g), encode(b)];
}

/** White or near black, whichever contrasts more with a background (WCAG 2 contrast ratio). */
export function textColourOn(background: Colour): Colour {
  return contrast(WHITE, background) >= contrast(INK, background) ? WHITE : INK;
}

/** The WCAG 2 contrast ratio of two colours, 1..21. */
export function contrast(a: Colour, b: Colour): number {
  const [x, y] = [luminance(a), luminance(b)];
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
}

function luminance([r, g, b]: Colour): number {
  return 0.2126 * decode(r) + 0.7152 * decode(g) + 0.0722 * decode(b);
}

function inGamut(lightness: number, chroma: number, hue: number): boolean {
  return oklchToLinear(lightness, chroma, hue).every((v) => v >= 0 && v <= 1);
}

function oklchToLinear(lightness: number, chroma: number, hue: number): [number, number, number] {
  const a = chroma * cos(hue);
  const b = chroma * sin(hue);
  const l = cube(lightness + 0.3963377774 * a + 0.2158037573 * b);
  const m = cube(lightness - 0.1055613458 * a - 0.0638541728 * b);
  const s = cube(lightness - 0.0894841775 * a - 1.291485548 * b);
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
}

function cube(x: number): number {
  return x * x * x;
}

/** Linear light 0..1 to an sRGB value 0..255. */
function encode(linear: number): number {
  const v = linear <= 0.0031308 ? 12.92 * linear : 1.055 * pow(linear, 1 / 2.4) - 0.055;
  return Math.round(Math.min(1, Math.max(0, v)) * 255);
}

function decode(value: number): number {
  const v = value / 255;
  return v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
}
