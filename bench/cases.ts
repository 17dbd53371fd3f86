/** The cases that `make-cases.py` has written to `bench/data`: which there are, and whether two results of one agree. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { matchRows } from "../src/conformance/match-rows.ts";
import type { Detection } from "../src/detector/detections.ts";
import { fail } from "../src/errors.ts";
import { openSafetensors } from "../src/weights/safetensors.ts";

/** One network at one size, with an input and PyTorch's output for it. */
export interface BenchCase {
  readonly folder: string;
  readonly model: string;
  /** Height and width of the input, in pixels. */
  readonly size: readonly [number, number];
  readonly classes: number;
  readonly queries: number;
  /** PyTorch's output0 [Q, 4 + K], row-major. */
  readonly expected: Float32Array;
}

const DATA = fileURLToPath(new URL("data/", import.meta.url));

/** The case of a model ("codes" or a variant's name) at a square size. Error "file" where it has not been written. */
export function openCase(model: string, size: number): BenchCase {
  const folder = join(DATA, `${model}.${size}`);
  if (!existsSync(join(folder, "case.json"))) {
    const command = `python bench/make-cases.py --models ${model} --sizes ${size}`;
    fail(
      "file",
      `${model} at ${size}`,
      `a case in bench/data/${model}.${size}`,
      "none",
      `run \`${command}\``,
    );
  }
  const facts = JSON.parse(readFileSync(join(folder, "case.json"), "utf8")) as Omit<
    BenchCase,
    "folder" | "expected"
  >;
  using file = openSafetensors(join(folder, "output.safetensors"));
  const expected = new Float32Array(facts.queries * (4 + facts.classes));
  file.readInto("output0", expected);
  return { ...facts, folder, expected };
}

/** The largest difference of two output0 over matched rows; NaN where one has NaN; Infinity where sizes differ. */
export function apart(a: Float32Array, b: Float32Array, { classes }: BenchCase): number {
  return a.length === b.length ? matchRows(a, b, 4 + classes).max : Number.POSITIVE_INFINITY;
}

/**
 * The largest difference of the corners of two lists of boxes, in pixels, in whatever order they are; Infinity where one has
 * a box, or a class of one, that the other has not.
 */
export function apartBoxes(a: readonly Detection[], b: readonly Detection[]): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  const left = [...b];
  let most = 0;
  for (const one of a) {
    const distances = left.map((other) =>
      one.class === other.class
        ? Math.max(...one.box.map((v, i) => Math.abs(v - other.box[i])))
        : Number.POSITIVE_INFINITY,
    );
    const nearest = distances.indexOf(Math.min(...distances));
    most = Math.max(most, distances[nearest]); // NaN stays
    left.splice(nearest, 1);
  }
  return most;
}
