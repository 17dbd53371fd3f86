/** What pycocotools made of small datasets: test/golden/coco, written by test/golden/make/coco.py. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";

/** What came out of one dataset; or why pycocotools refuses it. */
export interface CocoOutcome {
  readonly refused?: string;
  readonly stats: readonly number[];
  /** Id, AP, AP50, AR100, ground truths that are no crowds, crowds, detections. */
  readonly classes: readonly (readonly number[])[];
  readonly recall: readonly number[];
  readonly precision: {
    readonly shape: readonly number[];
    readonly sha256: string;
    readonly samples: readonly number[];
  };
}

/** One dataset. */
export interface CocoCase {
  readonly name: string;
  readonly about: string;
  readonly dataset: unknown;
  readonly results: unknown;
  /** With and without classes. */
  readonly useCats: { readonly 1: CocoOutcome; readonly 0: CocoOutcome };
}

const path = fileURLToPath(new URL("../golden/coco/cases.json.gz", import.meta.url));

/** All cases; of precision every `stride`-th element is kept. */
export const GOLDEN: { readonly stride: number; readonly cases: readonly CocoCase[] } = JSON.parse(
  gunzipSync(readFileSync(path)).toString("utf8"),
);
