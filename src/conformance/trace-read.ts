/** Reading files of named tensors, safetensors or npz, from wherever their bytes are: `trace-file.ts` reads them by path. */
import { fail, messageOf } from "../errors.ts";
import { SafetensorsFile } from "../weights/safetensors-file.ts";
import type { ByteSource } from "../weights/safetensors-source.ts";
import { readHostTensor } from "./host-files.ts";
import type { HostTensors } from "./host-tensor.ts";
import { LazyTensors } from "./lazy-tensors.ts";
import { type ReadNpzOptions, readNpz } from "./npz.ts";
import { numelOf } from "./numbers.ts";
import { samplePositions } from "./samples.ts";

/** What the metadata key "format" says. */
export const TRACE_FORMAT = "mobiledetr-trace-1";

/** The array of an npz that holds the metadata: UTF-8 bytes of a JSON object of texts. */
export const NPZ_METADATA = "__metadata__";

/** What a file holds. */
export interface TraceFile {
  readonly path: string;
  /** Whole, or [samples] where `shapes` has another shape. */
  readonly tensors: HostTensors;
  /** The whole tensors' shapes, by name. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** Flat positions of a tensor's samples; undefined where it is whole. */
  positions(name: string): Uint32Array | undefined;
  readonly metadata: ReadonlyMap<string, string>;
}

const ZIP = [0x50, 0x4b]; // "PK"

/**
 * Reads a trace of anybody's: a ZIP archive as npz, all else as safetensors, whose tensors are read when they are asked for: the
 * source must stay open as long. Throws `format`; `memory` for an npz of more than `maxBytes`.
 */
export function readTrace(source: ByteSource, options: ReadNpzOptions = {}): TraceFile {
  const { name: path } = source;
  const head = new Uint8Array(Math.min(source.byteLength, ZIP.length));
  source.read(0, head);
  const isZip = ZIP.every((byte, i) => head[i] === byte);
  const { tensors, metadata, stored } = isZip ? readNpzTrace(source, options) : readSafetensorsTrace(source);
  const shapes = new Map(stored);
  const told = metadata.get("shapes");
  if (told !== undefined) {
    for (const [name, shape] of Object.entries(parseShapes(told, path))) shapes.set(name, shape);
  }
  return {
    path,
    tensors,
    metadata,
    shapes,
    positions: (name) => {
      const [own, shape] = [stored.get(name), shapes.get(name)];
      if (!own || !shape || String(own) === String(shape)) return undefined;
      return samplePositions(name, numelOf(shape), numelOf(own));
    },
  };
}

/** What a container holds; `stored` are the shapes of its tensors as they are in it. */
interface Contents extends Pick<TraceFile, "tensors" | "metadata"> {
  readonly stored: ReadonlyMap<string, readonly number[]>;
}

function readSafetensorsTrace(source: ByteSource): Contents {
  const file = new SafetensorsFile(source);
  return {
    tensors: new LazyTensors(file.names, (name) => readHostTensor(file, name)),
    metadata: file.metadata,
    stored: new Map(file.names.map((name) => [name, file.entry(name).shape])),
  };
}

function readNpzTrace(source: ByteSource, options: ReadNpzOptions): Contents {
  const tensors = new Map(readNpz(source, options));
  const bytes = tensors.get(NPZ_METADATA);
  tensors.delete(NPZ_METADATA);
  const text = bytes?.dtype === "U8" ? new TextDecoder().decode(bytes.data) : "{}";
  return {
    tensors,
    metadata: new Map(Object.entries(parseTexts(text, source.name))),
    stored: new Map([...tensors].map(([name, { shape }]) => [name, shape])),
  };
}

function parseTexts(text: string, path: string): Record<string, string> {
  const value = parseJson(text, path, NPZ_METADATA);
  const isTexts = isObject(value) && Object.values(value).every((item) => typeof item === "string");
  return isTexts
    ? (value as Record<string, string>)
    : fail("format", path, `an object of texts as ${NPZ_METADATA}`, text.slice(0, 80));
}

function parseShapes(text: string, path: string): Record<string, readonly number[]> {
  const value = parseJson(text, path, "shapes");
  const isShape = (item: unknown): boolean =>
    Array.isArray(item) && item.every((side) => Number.isSafeInteger(side) && side >= 0);
  const isShapes = isObject(value) && Object.values(value).every(isShape);
  return isShapes
    ? (value as Record<string, readonly number[]>)
    : fail("format", `${path}, metadata "shapes"`, "an object of shapes", text.slice(0, 80));
}

function parseJson(text: string, path: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return fail("format", `${path}, metadata ${JSON.stringify(what)}`, "JSON", messageOf(error));
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
