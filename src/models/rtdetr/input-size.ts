/**
 * Which image sizes a wired network can take: maps that are joined must agree in size, the decoder needs as many tokens
 * as queries, and multi-query attention needs square maps. Found by walking sizes through the layers, so that it
 * holds for any wiring; for the standard head a side is legal in 32k-7 .. 32k, up to MAX_SIDE.
 */
import type { Pair } from "../../backend/backend.ts";
import { FEATURE_STRIDES } from "../mobilenetv4/network.ts";
import type { RTDETRDetectionModel } from "./model.ts";

/**
 * Longest side of an image and of every map, in pixels. Of a square of this side the image (12 bytes a pixel) and the
 * first map (32 channels at half the side, 32 bytes a pixel of the image) take 2.75 GiB, so that of twice the side they
 * exceed the 4 GiB that WASM reaches. Without a bound, tables of positions and anchors would outgrow JavaScript's arrays.
 */
export const MAX_SIDE = 8192;

/** Farthest that a legal size is looked for, in pixels. */
const SEARCH_RANGE = 4096;

/** What an error about a size says. */
export interface SizeProblem {
  readonly expected: string;
  readonly mend: string;
}

/** Why a network cannot take (height, width), or undefined where it can. */
export function explainInputSize(
  model: RTDETRDetectionModel,
  [height, width]: Pair,
): SizeProblem | undefined {
  const square = model.backbone.needsSquare;
  const bad: string[] = [];
  const sides = [height, width];
  if (sides.some((side) => side > MAX_SIDE)) bad.push(`sides of at most ${MAX_SIDE} pixels`);
  if (sides.some((side) => !(side > MAX_SIDE) && !sideFits(model, side))) bad.push(sideRule(model));
  if (square && !squareMaps(height, width)) bad.push("square maps at strides 16 and 32 (Hybrid backbone)");
  const queries = model.decoder.num_queries;
  if (bad.length === 0 && tokens(model, height, width) < queries) {
    bad.push(`at least ${queries} tokens for ${queries} queries`);
  }
  if (bad.length === 0) return undefined;
  const legalSizes = nearest(model, height, width).join(", ");
  return {
    expected: bad.join("; "),
    mend: legalSizes ? `nearest legal: ${legalSizes}` : "no legal size is near",
  };
}

/** Sides of every layer's map by layer number, for one side of the image; undefined where joined maps differ or are too large. */
function walk(model: RTDETRDetectionModel, side: number): number[] | undefined {
  const sides: number[] = [];
  FEATURE_STRIDES.forEach((stride, i) => {
    sides[i + 1] = Math.ceil(side / stride);
  });
  for (const { number, sources, side: change, output } of model.layers.slice(1)) {
    const given = sources.map((source) => sides[source]);
    if (given.some((n) => !(n >= 1 && n <= MAX_SIDE))) return undefined;
    if (!output) continue;
    if (given.some((n) => n !== given[0])) return undefined;
    sides[number] = change ? change(given[0]) : given[0];
  }
  return sides;
}

function sideFits(model: RTDETRDetectionModel, side: number): boolean {
  return Number.isInteger(side) && side >= 1 && side <= MAX_SIDE && walk(model, side) !== undefined;
}

function squareMaps(height: number, width: number): boolean {
  return [16, 32].every((stride) => Math.ceil(height / stride) === Math.ceil(width / stride));
}

function tokens(model: RTDETRDetectionModel, height: number, width: number): number {
  const [rows, columns] = [walk(model, height), walk(model, width)];
  if (!rows || !columns) return 0;
  const levels = model.layers[model.layers.length - 1].sources;
  return levels.reduce((sum, level) => sum + rows[level] * columns[level], 0);
}

function legal(model: RTDETRDetectionModel, height: number, width: number): boolean {
  const fits = sideFits(model, height) && sideFits(model, width);
  const square = !model.backbone.needsSquare || squareMaps(height, width);
  return fits && square && tokens(model, height, width) >= model.decoder.num_queries;
}

/** The legal side at or next to `side` in one direction, or undefined where there is none in reach. */
function legalSide(model: RTDETRDetectionModel, side: number, step: 1 | -1): number | undefined {
  for (let n = side, i = 0; n >= 1 && i < SEARCH_RANGE; n += step, i++) if (sideFits(model, n)) return n;
  return undefined;
}

function nearest(model: RTDETRDetectionModel, height: number, width: number): string[] {
  const start = (n: number): number => Math.max(1, Math.min(Math.round(Number.isNaN(n) ? 1 : n), MAX_SIDE));
  const [h, w] = [start(height), start(width)];
  const around = (n: number): number[] => {
    return ([-1, 1] as const).map((step) => legalSide(model, n, step)).filter((s) => s !== undefined);
  };
  const candidates: Pair[] = model.backbone.needsSquare
    ? [...around(h), ...around(w)].map((n): Pair => [n, n])
    : around(h).flatMap((a) => around(w).map((b): Pair => [a, b]));
  const found = candidates.filter(([a, b]) => legal(model, a, b));
  for (let n = Math.max(h, w), i = 0; found.length === 0 && i < SEARCH_RANGE; n++, i++) {
    if (legal(model, n, n)) found.push([n, n]); // too few tokens: the smallest square above
  }
  const texts = found.sort((a, b) => distance(a, h, w) - distance(b, h, w)).map(([a, b]) => `${a}x${b}`);
  return [...new Set(texts)].slice(0, 3);
}

function distance([a, b]: Pair, h: number, w: number): number {
  return Math.abs(a - h) + Math.abs(b - w);
}

/** The rule for one side in words, read off the sizes around a large multiple of 32. */
function sideRule(model: RTDETRDetectionModel): string {
  const top = 1024;
  let low = top;
  while (sideFits(model, low - 1) && top - low < 31) low--;
  if (!sideFits(model, top))
    return `sides with maps that agree where they are joined and have at most ${MAX_SIDE} pixels a side`;
  return top - low === 31 ? "sides >= 1" : `sides in 32k-${top - low} .. 32k`;
}
