/** What the planes of a tensor are like: by these channels are sorted. */
import { type Range, rangeOf } from "../src/depict/ramp.ts";
import { planeOf, planesOf } from "./paint.ts";
import type { Numbers } from "./protocol.ts";

/** Moments of a plane. */
export interface Moments {
  readonly plane: number;
  readonly mean: number;
  readonly variance: number;
  readonly range: Range;
}

/** Of a tensor's planes, each computed when it is first asked for: a first map has millions of numbers. */
export class PlaneMoments {
  readonly #numbers: Numbers;
  readonly #known: Moments[] = [];
  readonly count: number;

  constructor(numbers: Numbers) {
    this.#numbers = numbers;
    this.count = planesOf(numbers.shape).count;
  }

  of(plane: number): Moments {
    this.#known[plane] ??= momentsOf(this.#numbers, plane);
    return this.#known[plane];
  }

  /** Of all planes, in their order. */
  all(): Moments[] {
    return Array.from({ length: this.count }, (_, plane) => this.of(plane));
  }
}

/** In one pass. */
function momentsOf(numbers: Numbers, plane: number): Moments {
  const { data } = planeOf(numbers, plane);
  const [shift, size] = [data[0] ?? 0, Math.max(1, data.length)]; // near the mean, so that squares stay small
  let [sum, squares, min, max] = [0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < data.length; i++) {
    const x = data[i];
    const d = x - shift;
    sum += d;
    squares += d * d;
    if (x < min) min = x;
    if (x > max) max = x;
  }
  const mean = sum / size;
  const range = Number.isFinite(max - min) ? { min, max } : rangeOf(data);
  return { plane, mean: mean + shift, variance: Math.max(0, squares / size - mean * mean), range };
}
