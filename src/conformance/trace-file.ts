/**
 * Files of named tensors, as `mobiledetr golden` writes them and comparisons read them: safetensors or npz, whole tensors or
 * samples. docs/golden.md describes the format. Written one tensor at a time, in any order, so that no more than one is in
 * memory; read at once.
 */
import { fail } from "../errors.ts";
import { openFileSource } from "../weights/file-source.ts";
import { layOutSafetensors } from "../weights/safetensors-write.ts";
import type { HostDtype, HostTensor } from "./host-tensor.ts";
import { elementsOf } from "./kit-tensors.ts";
import { bytesOf } from "./npy.ts";
import { crc32, layOutNpz } from "./npz.ts";
import { PlacedFile } from "./placed-file.ts";
import { samplePositions } from "./samples.ts";
import { NPZ_METADATA, readTrace, TRACE_FORMAT, type TraceFile } from "./trace-read.ts";

export { NPZ_METADATA, TRACE_FORMAT, type TraceFile } from "./trace-read.ts";

/** The two containers. */
export type TraceContainer = "safetensors" | "npz";

/** A tensor that a file will have. */
export interface TraceEntry {
  readonly name: string;
  readonly dtype: HostDtype;
  /** Of the whole tensor, also where samples are kept. */
  readonly shape: readonly number[];
}

/** The container that a path's ending names. Throws `argument` for another ending. */
export function containerOf(path: string): TraceContainer {
  if (/\.safetensors$/i.test(path)) return "safetensors";
  if (/\.npz$/i.test(path)) return "npz";
  return fail("argument", path, "a name that ends in .safetensors or .npz", "another ending");
}

/** Writes a file tensor by tensor. End it with `finish` or `abandon`. */
export class TraceWriter {
  readonly byteLength: number;
  readonly #file: PlacedFile;
  readonly #entries: ReadonlyMap<string, TraceEntry>;
  readonly #samples: number | undefined;
  readonly #begins: ReadonlyMap<string, number>;
  readonly #crcs = new Map<string, number>();
  readonly #written = new Set<string>();
  readonly #close: () => void;
  readonly #headers = new Map<string, Uint8Array>();

  /**
   * Lays out the file and begins it beside `path`. With `samples`, of every larger tensor so many elements are kept, at the
   * generator's positions of its name. Throws `argument` for a bad ending or name, `file` where it cannot be written.
   */
  constructor(
    path: string,
    entries: Iterable<TraceEntry>,
    options: { readonly metadata?: Readonly<Record<string, string>>; readonly samples?: number } = {},
  ) {
    const { samples } = options;
    this.#entries = new Map([...entries].map((entry) => [entry.name, entry]));
    this.#samples = samples;
    const all = [...this.#entries.values()];
    const sampled = all.filter(({ shape }) => samples !== undefined && elementsOf(shape) > samples);
    const metadata: Record<string, string> = {
      format: TRACE_FORMAT,
      ...options.metadata,
      // Only then, so that a whole trace is a plain file of tensors.
      ...(sampled.length > 0 && {
        samples: String(samples),
        shapes: JSON.stringify(Object.fromEntries(sampled.map(({ name, shape }) => [name, shape]))),
      }),
    };
    const isSampled = new Set(sampled);
    const stored = all.map((entry) =>
      isSampled.has(entry) ? { ...entry, shape: [samples as number] } : entry,
    );
    if (containerOf(path) === "safetensors") {
      const layout = layOutSafetensors(
        stored.map(({ name, dtype, shape }) => [name, dtype, shape] as const),
        metadata,
      );
      this.#file = new PlacedFile(path);
      this.#begins = layout.begins;
      this.byteLength = layout.byteLength;
      this.#close = () => this.#file.write(0, layout.head);
      return;
    }
    if (this.#entries.has(NPZ_METADATA))
      fail("argument", path, "another name", `${NPZ_METADATA}, which npz files use`);
    const text = new TextEncoder().encode(JSON.stringify(metadata));
    const layout = layOutNpz([{ name: NPZ_METADATA, dtype: "U8", shape: [text.length] }, ...stored]);
    this.#file = new PlacedFile(path);
    this.#begins = new Map([...layout.places].map(([name, place]) => [name, place.begin]));
    for (const [name, { header }] of layout.places) this.#headers.set(name, header);
    this.byteLength = layout.byteLength;
    this.#close = () => {
      this.#put(NPZ_METADATA, text);
      for (const [position, bytes] of layout.frame(this.#crcs)) this.#file.write(position, bytes);
    };
  }

  /**
   * Writes a tensor, whole as it is given; of one that comes again the last counts. Throws `argument` for a tensor that was not
   * announced, or announced with another dtype or shape; `file`.
   */
  write(name: string, tensor: HostTensor): void {
    const entry = this.#entries.get(name);
    const where = `${this.#file.path}, tensor ${JSON.stringify(name)}`;
    if (entry === undefined) fail("argument", where, "a tensor that was announced", "none of that name");
    if (entry.dtype !== tensor.dtype || String(entry.shape) !== String(tensor.shape)) {
      const text = ({ dtype, shape }: Omit<TraceEntry, "name">): string =>
        `${dtype} of shape [${shape.join(", ")}]`;
      fail("argument", where, text(entry), text(tensor));
    }
    this.#put(name, bytesOf(this.#sampled(name, tensor)));
  }

  /** Puts the file under its name. Throws `state` where a tensor is missing, and leaves nothing behind. */
  finish(): void {
    try {
      const missing = [...this.#entries.keys()].filter((name) => !this.#written.has(name));
      if (missing.length > 0) {
        const some = missing.slice(0, 3).join(", ");
        fail(
          "state",
          this.#file.path,
          `all of ${this.#entries.size} tensors`,
          `none of ${missing.length}: ${some}`,
        );
      }
      this.#close();
    } catch (error) {
      this.abandon();
      throw error;
    }
    this.#file.finish();
  }

  /** Leaves nothing behind. Does nothing after the end. */
  abandon(): void {
    this.#file.abandon();
  }

  #sampled(name: string, tensor: HostTensor): HostTensor {
    const count = elementsOf(tensor.shape);
    if (this.#samples === undefined || count <= this.#samples) return tensor;
    const positions = samplePositions(name, count, this.#samples);
    const data = tensor.data.slice(0, positions.length);
    for (let i = 0; i < positions.length; i++) data[i] = tensor.data[positions[i]];
    return { dtype: tensor.dtype, shape: [positions.length], data } as HostTensor;
  }

  #put(name: string, bytes: Uint8Array): void {
    const header = this.#headers.get(name);
    if (header) this.#crcs.set(name, crc32(bytes, crc32(header)));
    this.#file.write(this.#begins.get(name) as number, bytes);
    this.#written.add(name);
  }
}

/**
 * Reads a trace of anybody's: any safetensors or npz file of named tensors; samples and shapes where the metadata tells of
 * them. Throws `file`, `format`; `argument` for another ending.
 */
export function readTraceFile(path: string): TraceFile {
  containerOf(path);
  const source = openFileSource(path);
  try {
    const trace = readTrace(source);
    return { ...trace, tensors: new Map(trace.tensors) };
  } finally {
    source.close();
  }
}
