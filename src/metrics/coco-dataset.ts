/**
 * COCO's JSON of ground truths and results (cocodataset.org, "Data format", "Results format"), as far as boxes need it: read,
 * checked, and kept without the rest (segmentations, licences), so that a large file takes little memory once it is parsed.
 * How boxes are evaluated is in `coco-evaluation.ts`. Reads no file.
 */
import { fail, messageOf } from "../errors.ts";
import { Complaints } from "./complaints.ts";

/** A box: left, top, width, height, in pixels. */
export type BoxXywh = readonly [x: number, y: number, width: number, height: number];

/** A picture of a dataset. */
export interface CocoImage {
  readonly id: number;
  readonly file_name?: string;
}

/** A class. Ids need not be consecutive. */
export interface CocoCategory {
  readonly id: number;
  readonly name: string;
}

/** A ground truth. */
export interface CocoAnnotation {
  /** Differs from those of all others. */
  readonly id: number;
  readonly image_id: number;
  readonly category_id: number;
  readonly bbox: BoxXywh;
  /** Of the object, in pixels: of its segmentation where it has one, else of its box. Decides whether it is small or large. */
  readonly area: number;
  /** 1: a box round many objects, which any number of detections may lie in, and which counts for nothing. */
  readonly iscrowd: 0 | 1;
}

/** Ground truths, with the pictures and classes that they speak of. */
export interface CocoDataset {
  readonly images: readonly CocoImage[];
  readonly categories: readonly CocoCategory[];
  readonly annotations: readonly CocoAnnotation[];
}

/** A detection. */
export interface CocoResult {
  readonly image_id: number;
  readonly category_id: number;
  readonly bbox: BoxXywh;
  /** Any number: only the order counts. */
  readonly score: number;
}

/** Options of {@link readCocoDataset} and {@link readCocoResults}. */
export interface CocoReadOptions {
  /** What messages call the data: the file's name. "dataset" or "results" unless said. */
  readonly source?: string;
  /** So many mistakes are told of, then their number. 20 unless said. */
  readonly limit?: number;
}

/**
 * Reads a dataset: JSON text, or what was parsed of it. `iscrowd` may be missing, which is 0, and so may a category's `name`,
 * which is its id. Throws `format` with every mistake up to the limit: place, what was expected, what stands there.
 */
export function readCocoDataset(json: unknown, options: CocoReadOptions = {}): CocoDataset {
  const { source = "dataset", limit } = options;
  const top = parsed(json, source);
  const complaints = new Complaints(limit);
  if (!isRecord(top)) {
    return fail("format", source, "an object with images, annotations and categories", typeName(top));
  }
  const part = (key: string): readonly unknown[] => listIn(top, key, source, complaints);
  const images: CocoImage[] = [];
  for (const [i, item] of part("images").entries()) {
    const entry = new Entry(item, `${source}: images[${i}]`, complaints);
    const id = entry.whole("id");
    const name = entry.value("file_name");
    images.push(typeof name === "string" ? { id, file_name: name } : { id });
  }
  const categories: CocoCategory[] = [];
  for (const [i, item] of part("categories").entries()) {
    const entry = new Entry(item, `${source}: categories[${i}]`, complaints);
    const id = entry.whole("id");
    const name = entry.value("name") ?? String(id);
    if (typeof name !== "string") entry.complain("name", "a text", name);
    categories.push({ id, name: String(name) });
  }
  const annotations: CocoAnnotation[] = [];
  for (const [i, item] of part("annotations").entries()) {
    const entry = new Entry(item, `${source}: annotations[${i}]`, complaints);
    annotations.push({
      id: entry.whole("id"),
      image_id: entry.whole("image_id"),
      category_id: entry.whole("category_id"),
      bbox: entry.box("bbox"),
      area: entry.real("area", "width times height of the box, where there is no segmentation"),
      iscrowd: entry.flag("iscrowd"),
    });
  }
  const dataset = { images, categories, annotations };
  complaints.throwAny("format"); // ids that are none would be told of twice
  checkIds(dataset, source, complaints);
  complaints.throwAny("format");
  return dataset;
}

/**
 * Reads results: JSON text, or what was parsed of it: a list of {image_id, category_id, bbox, score}. Whether the dataset has
 * such pictures is looked at when they are evaluated. Throws as {@link readCocoDataset}.
 */
export function readCocoResults(json: unknown, options: CocoReadOptions = {}): CocoResult[] {
  const { source = "results", limit } = options;
  const top = parsed(json, source);
  if (!Array.isArray(top)) return fail("format", source, "a list of detections", typeName(top));
  const complaints = new Complaints(limit);
  const results = top.map((item: unknown, i): CocoResult => {
    const entry = new Entry(item, `${source}[${i}]`, complaints);
    return {
      image_id: entry.whole("image_id"),
      category_id: entry.whole("category_id"),
      bbox: entry.box("bbox"),
      score: entry.real("score"),
    };
  });
  complaints.throwAny("format");
  return results;
}

/** Notes ids that stand twice: of two annotations of one id pycocotools would take the later one twice. */
export function checkIds(dataset: CocoDataset, source: string, complaints: Complaints): void {
  for (const part of ["images", "categories", "annotations"] as const) {
    const first = new Map<number, number>();
    for (const [i, { id }] of dataset[part].entries()) {
      const before = first.get(id);
      if (before === undefined) first.set(id, i);
      else complaints.add(`${source}: ${part}[${i}].id`, `an id that ${part}[${before}] has not`, id);
    }
  }
}

/** One entry of a list while it is read: what is wrong with it is noted under its place. */
class Entry {
  readonly #item: Readonly<Record<string, unknown>>;
  readonly #at: string;
  readonly #complaints: Complaints;
  /** Not even an object: that is all there is to say of it. */
  readonly #broken: boolean;

  constructor(item: unknown, at: string, complaints: Complaints) {
    this.#broken = !isRecord(item);
    this.#item = isRecord(item) ? item : {};
    this.#at = at;
    this.#complaints = complaints;
    if (this.#broken) complaints.add(at, "an object", item);
  }

  value(field: string): unknown {
    return Object.hasOwn(this.#item, field) ? this.#item[field] : undefined;
  }

  complain(field: string, expected: string, got: unknown, mend?: string): void {
    if (!this.#broken) this.#complaints.add(`${this.#at}.${field}`, expected, got, mend);
  }

  whole(field: string): number {
    const value = this.value(field);
    if (Number.isSafeInteger(value)) return value as number;
    this.complain(field, "a whole number", value);
    return 0;
  }

  real(field: string, mend?: string): number {
    const value = this.value(field);
    if (Number.isFinite(value)) return value as number;
    this.complain(field, "a finite number", value, value === undefined ? mend : undefined);
    return 0;
  }

  box(field: string): BoxXywh {
    const value = this.value(field);
    if (!Array.isArray(value) || value.length !== 4 || !value.every(Number.isFinite)) {
      this.complain(field, "[x, y, width, height], four finite numbers", value);
      return [0, 0, 0, 0];
    }
    return [value[0], value[1], value[2], value[3]];
  }

  flag(field: string): 0 | 1 {
    const value = this.value(field) ?? 0;
    if (value === 0 || value === false) return 0;
    if (value !== 1 && value !== true) this.complain(field, "0 or 1", value);
    return 1;
  }
}

function parsed(json: unknown, source: string): unknown {
  if (typeof json !== "string") return json;
  try {
    return JSON.parse(json);
  } catch (error) {
    return fail("format", source, "JSON", messageOf(error));
  }
}

function listIn(
  top: Readonly<Record<string, unknown>>,
  key: string,
  source: string,
  complaints: Complaints,
): readonly unknown[] {
  const value = top[key];
  if (Array.isArray(value)) return value;
  complaints.add(`${source}: ${key}`, "a list", value);
  return [];
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function typeName(value: unknown): string {
  return Array.isArray(value) ? "a list" : value === null ? "null" : `a value of type ${typeof value}`;
}
