/** Where sampled goldens look: positions drawn by the counter-based generator (docs/generator.md), the same in every language. */
import { randomWords } from "../weights/generator.ts";

/**
 * The flat positions, row-major, at which `count` elements of the tensor `name` with `numel` elements are kept: word i of the
 * stream (0, "sample:" + name) modulo `numel`, with replacement.
 */
export function samplePositions(name: string, numel: number, count: number): Uint32Array {
  return randomWords(0, `sample:${name}`, count).map((word) => word % numel);
}
