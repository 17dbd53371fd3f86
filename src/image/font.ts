/**
 * The letters of labels: printable ASCII as pen strokes of one width with round ends, drawn for this project. Shapes
 * only: text.ts turns them into pixels.
 *
 * Units: 1000 an em, y upwards from the base line; coordinates are those of the pen's centre. Strokes are separated by
 * semicolons: `L x y x y ...` a polyline; `E cx cy rx ry from to` an arc of an ellipse, in degrees, counter-clockwise
 * where `to` is greater; `C x y x y x y x y` a cubic Bezier curve; `D x y` a dot.
 */
import { cos, sin } from "../portable-math.ts";

/** A glyph: how far the pen moves on, and its straight segments (x0 y0 x1 y1 ...); dots have equal ends. */
export interface Glyph {
  readonly advance: number;
  readonly segments: Float64Array;
}

/** The pen heights that small sizes snap to pixels: base line, lower-case and capital letters' tops. */
export const SNAP_HEIGHTS = [0, 490, 700] as const;
/** How far the lowest and highest strokes reach from the base line. */
export const DESCENT = -205;
export const ASCENT = 790;

const STEPS_PER_TURN = 48;
const STEPS_PER_CURVE = 16;

const MISSING = "580 L 110 0 110 700 470 700 470 0 110 0";
const P = "L 110 0 110 700 330 700; E 330 515 180 185 90 -90; L 330 330 110 330";
const S = "E 292 527 178 173 28 180; C 114 527 114 375 487 345 487 177; E 292 177 195 177 0 -156";
const COMMA = "L 130 15 95 -120";

/** Advance and strokes by character. */
const GLYPHS: Readonly<Record<string, string>> = {
  " ": "270",
  "!": "250 L 125 700 125 225; D 125 5",
  '"': "370 L 115 700 115 510; L 255 700 255 510",
  "#": "600 L 245 690 165 10; L 435 690 355 10; L 75 470 535 470; L 65 230 525 230",
  $: `580 ${S}; L 290 800 290 -100`,
  "%": "790 E 195 530 115 170 0 360; E 595 170 115 170 0 360; L 570 700 220 0",
  "&": "660 L 570 0 190 470; C 190 470 110 580 170 700 285 700; C 285 700 400 700 430 570 345 495; C 345 495 275 435 90 365 90 180; C 90 180 90 70 165 0 275 0; C 275 0 430 0 530 130 550 345",
  "'": "230 L 115 700 115 510",
  "(": "330 C 260 780 75 560 75 140 260 -80",
  ")": "330 C 70 780 255 560 255 140 70 -80",
  "*": "440 L 220 705 220 425; L 99 635 341 495; L 99 495 341 635",
  "+": "580 L 290 565 290 115; L 65 340 515 340",
  ",": `250 ${COMMA}`,
  "-": "400 L 85 285 315 285",
  ".": "250 D 125 5",
  "/": "420 L 65 -80 355 770",
  "0": "580 E 290 350 200 350 0 360",
  "1": "580 L 145 565 320 700 320 0",
  "2": "580 E 283 505 187 195 162 -22; C 456 432 395 315 190 150 95 0; L 95 0 490 0",
  "3": "580 E 280 527 175 173 152 -90; E 280 177 202 177 90 -152; L 215 354 280 354",
  "4": "580 L 395 0 395 700 75 180 515 180",
  "5": "580 L 455 700 160 700 132 378; E 285 225 203 225 139 -150",
  "6": "580 E 292 222 200 222 0 360; C 92 222 92 455 215 645 405 700",
  "7": "580 L 85 700 495 700 215 0",
  "8": "580 E 290 530 168 170 0 360; E 290 180 200 180 0 360",
  "9": "580 E 288 478 200 222 0 360; C 488 478 488 245 365 55 175 0",
  ":": "250 D 125 5; D 125 425",
  ";": `250 D 130 425; ${COMMA}`,
  "<": "580 L 480 560 95 340 480 120",
  "=": "580 L 75 440 505 440; L 75 235 505 235",
  ">": "580 L 100 560 485 340 100 120",
  "?": "500 E 248 535 165 165 165 -48; C 358 412 310 365 245 335 245 215; D 245 5",
  "@": "900 E 445 275 350 385 0 308; E 430 275 140 165 0 360; L 570 440 570 220; E 682 220 112 125 180 360; L 794 220 795 275",
  A: "640 L 60 0 320 700 580 0; L 152 235 488 235",
  B: "620 L 110 0 110 700 325 700; E 325 533 165 167 90 -90; L 325 366 110 366; L 325 366 345 366; E 345 183 185 183 90 -90; L 345 0 110 0",
  C: "640 E 370 350 285 350 47 313",
  D: "670 L 110 0 110 700 300 700; E 300 350 285 350 90 -90; L 300 0 110 0",
  E: "560 L 475 700 110 700 110 0 475 0; L 110 360 440 360",
  F: "540 L 470 700 110 700 110 0; L 110 345 430 345",
  G: "700 E 370 350 285 350 47 270; E 370 230 235 230 -90 0; L 605 230 605 330 400 330",
  H: "670 L 110 0 110 700; L 560 0 560 700; L 110 360 560 360",
  I: "220 L 110 0 110 700",
  J: "480 L 370 700 370 185; E 215 185 155 185 0 -152",
  K: "610 L 110 0 110 700; L 515 700 110 262; L 240 403 550 0",
  L: "510 L 110 700 110 0 455 0",
  M: "800 L 110 0 110 700 400 190 690 700 690 0",
  N: "690 L 110 0 110 700 580 0 580 700",
  O: "740 E 370 350 285 350 0 360",
  P: `590 ${P}`,
  Q: "740 E 370 350 285 350 0 360; L 430 175 620 -45",
  R: `610 ${P}; L 320 330 525 0`,
  S: `580 ${S}`,
  T: "570 L 55 700 515 700; L 285 700 285 0",
  U: "660 L 110 700 110 220; E 330 220 220 220 180 360; L 550 220 550 700",
  V: "620 L 60 700 310 0 560 700",
  W: "900 L 60 700 250 0 450 650 650 0 840 700",
  X: "600 L 70 700 530 0; L 530 700 70 0",
  Y: "600 L 60 700 300 335 540 700; L 300 335 300 0",
  Z: "580 L 80 700 500 700 80 0 500 0",
  "[": "320 L 260 780 110 780 110 -80 260 -80",
  "\\": "420 L 65 770 355 -80",
  "]": "320 L 60 780 210 780 210 -80 60 -80",
  "^": "560 L 100 430 280 700 460 430",
  _: "540 L 45 -110 495 -110",
  "`": "300 L 95 730 205 610",
  a: "545 L 440 0 440 315; E 277 315 163 175 0 147; L 440 285 260 285; E 260 142 165 142 90 270; C 260 0 350 0 415 50 440 135",
  b: "580 L 110 0 110 740; E 302 245 192 245 0 360",
  c: "500 E 288 245 203 245 48 312",
  d: "580 L 470 0 470 740; E 278 245 192 245 0 360",
  e: "560 L 85 255 475 255; E 280 245 195 245 0 315",
  f: "340 L 165 0 165 590; E 305 590 140 150 180 95; L 60 490 290 490",
  g: "580 L 470 490 470 -20; E 278 245 192 245 0 360; E 287 -20 183 185 0 -146",
  h: "570 L 110 0 110 740; E 285 305 175 185 180 0; L 460 305 460 0",
  i: "220 L 110 0 110 490; D 110 690",
  j: "230 L 120 490 120 -65; E -15 -65 135 140 0 -82; D 120 690",
  k: "510 L 110 0 110 740; L 420 490 110 185; L 228 301 450 0",
  l: "270 L 110 740 110 105; E 210 105 100 105 180 268",
  m: "820 L 110 0 110 490; E 260 330 150 160 180 0; L 410 330 410 0; E 560 330 150 160 180 0; L 710 330 710 0",
  n: "570 L 110 0 110 490; E 285 305 175 185 180 0; L 460 305 460 0",
  o: "566 E 283 245 198 245 0 360",
  p: "580 L 110 -200 110 490; E 302 245 192 245 0 360",
  q: "580 L 470 -200 470 490; E 278 245 192 245 0 360",
  r: "380 L 110 0 110 490; E 280 300 170 190 180 72",
  s: "480 E 238 367 138 123 28 180; C 100 367 100 260 388 245 388 124; E 238 124 150 124 0 -156",
  t: "370 L 165 650 165 135; E 290 135 125 135 180 272; L 60 490 300 490",
  u: "570 L 110 490 110 185; E 285 185 175 185 180 360; L 460 490 460 0",
  v: "500 L 55 490 250 0 445 490",
  w: "740 L 55 490 210 0 370 450 530 0 685 490",
  x: "500 L 70 490 430 0; L 430 490 70 0",
  y: "500 L 55 490 255 5; L 450 490 240 -50; C 240 -50 190 -175 140 -205 60 -190",
  z: "480 L 75 490 405 490 75 0 405 0",
  "{": "340 C 275 780 110 780 240 360 80 350; C 80 350 240 340 110 -80 275 -80",
  "|": "240 L 120 790 120 -120",
  "}": "340 C 65 780 230 780 100 360 260 350; C 260 350 100 340 230 -80 65 -80",
  "~": "580 C 75 285 140 430 240 380 290 340; C 290 340 340 300 440 250 505 395",
};

const parsed = new Map<string, Glyph>();

/** The glyph of one character; a box for what is not printable ASCII. */
export function glyphOf(character: string): Glyph {
  const source = Object.hasOwn(GLYPHS, character) ? GLYPHS[character] : MISSING;
  let glyph = parsed.get(source);
  if (!glyph) {
    glyph = parseGlyph(source);
    parsed.set(source, glyph);
  }
  return glyph;
}

function parseGlyph(source: string): Glyph {
  const [advance, ...strokes] = source.replace(/^(\d+) ?/, "$1;").split(";");
  const segments: number[] = [];
  for (const stroke of strokes) {
    const [command, ...rest] = stroke.trim().split(" ");
    const points = flatten(command, rest.map(Number));
    for (let i = 0; i + 3 < points.length; i += 2) segments.push(...points.slice(i, i + 4));
  }
  return { advance: Number(advance), segments: Float64Array.from(segments) };
}

/** The points of a stroke: x y x y ... */
function flatten(command: string, n: number[]): number[] {
  if (command === "L") return n;
  if (command === "D") return [...n, ...n];
  const points: number[] = [];
  if (command === "E") {
    const [cx, cy, rx, ry, from, to] = n;
    const steps = Math.ceil((Math.abs(to - from) / 360) * STEPS_PER_TURN);
    for (let i = 0; i <= steps; i++) {
      const angle = ((from + ((to - from) * i) / steps) * Math.PI) / 180;
      points.push(cx + rx * cos(angle), cy + ry * sin(angle));
    }
  } else if (command === "C") {
    for (let i = 0; i <= STEPS_PER_CURVE; i++) {
      const t = i / STEPS_PER_CURVE;
      const u = 1 - t;
      const weights = [u * u * u, 3 * t * u * u, 3 * t * t * u, t * t * t];
      points.push(
        weights.reduce((sum, w, k) => sum + w * n[2 * k], 0),
        weights.reduce((sum, w, k) => sum + w * n[2 * k + 1], 0),
      );
    }
  }
  return points;
}
