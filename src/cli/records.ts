/**
 * A file of records, a JSON line for each source that was worked on: what a run that was killed has done, and what many runs' results
 * are put together from. A line is written whole, by one call, and only when its source is done with.
 */
import { createHash, type Hash } from "node:crypto";
import { closeSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { findModel } from "../detector/model-files.ts";
import type { DetectorOptions } from "../detector/options.ts";
import type { Detections } from "../detector/pipeline.ts";
import { fail, messageOf } from "../errors.ts";
import { openFileSource } from "../weights/file-source.ts";
import type { Source } from "./sources.ts";

/** What is known of a source that was worked on. */
export interface SourceRecord {
  /** As it was given. */
  readonly source: string;
  /** Of its bytes, in hexadecimal; absent where it could not be read. */
  readonly sha256?: string;
  /** Digest of the model and of all options that change what is found. */
  readonly model: string;
  readonly status: "done" | "failed";
}

const CHUNK_BYTES = 1 << 20;
const MAX_LINE_BYTES = 1 << 26; // far more than any record has

/** See the file's head. */
export class RecordFile {
  readonly #path: string;
  readonly #file: number;
  /** Bytes of what was done, by source: what of it still holds is told by the digests. */
  readonly #known = new Map<string, string>();
  /** Lines of what failed: the same failure again is no news, and two runs' files stay equal to one's. */
  readonly #failed = new Map<string, string>();
  /** Records that were found. */
  readonly found: number;

  /**
   * Opens a file and reads what it holds, where `resume` says so; without it a file that holds something is refused. A last line
   * that was cut off is taken away. Errors of code "file", or "format" for a file of something else.
   */
  constructor(path: string, resume: boolean) {
    this.#path = path;
    try {
      this.#file = openSync(path, "a+");
    } catch (error) {
      fail("file", path, "a file that can be written", messageOf(error));
    }
    try {
      this.found = this.#read(resume);
    } catch (error) {
      closeSync(this.#file);
      throw error;
    }
  }

  /** Whether a source's bytes were done by a model. A failure is tried again. */
  has(source: string, sha256: string, model: string): boolean {
    return this.#known.get(source) === `${sha256} ${model}`;
  }

  /** Adds a record, with what else belongs into its line. */
  add<R extends SourceRecord>(record: R): void {
    const text = JSON.stringify(record);
    if (this.#failed.get(record.source) === text) return;
    const line = Buffer.from(`${text}\n`);
    let written = 0;
    try {
      while (written < line.length) written += writeSync(this.#file, line, written);
    } catch (error) {
      fail("file", this.#path, "room for a record", messageOf(error));
    }
  }

  /** Closes it. */
  close(): void {
    closeSync(this.#file);
  }

  #read(resume: boolean): number {
    let [rest, position, whole, count] = [Buffer.alloc(0), 0, 0, 0];
    for (;;) {
      const chunk = Buffer.alloc(CHUNK_BYTES);
      const got = readSync(this.#file, chunk, 0, CHUNK_BYTES, position);
      if (got === 0) break;
      if (!resume) {
        fail(
          "file",
          this.#path,
          "a new or an empty file",
          "one that holds something",
          "--resume goes on with it",
        );
      }
      position += got;
      rest = Buffer.concat([rest, chunk.subarray(0, got)]);
      for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
        this.#take(rest.toString("utf8", 0, end), ++count);
        whole += end + 1;
        rest = rest.subarray(end + 1);
      }
      if (rest.length > MAX_LINE_BYTES)
        fail("format", this.#path, "a JSON record a line", `${rest.length} bytes in one`);
    }
    if (rest.length > 0) ftruncateSync(this.#file, whole);
    return count;
  }

  #take(line: string, number: number): void {
    let record: Partial<SourceRecord> | null;
    try {
      record = JSON.parse(line) as Partial<SourceRecord> | null;
    } catch {
      record = null;
    }
    if (typeof record?.source !== "string" || typeof record.model !== "string") {
      fail("format", `${this.#path}:${number}`, "a record with source and model", line.slice(0, 80));
    }
    if (record.status === "done") this.#known.set(record.source, `${record.sha256} ${record.model}`);
    else {
      this.#known.delete(record.source);
      this.#failed.set(record.source, line);
    }
  }
}

/** The digest of a model and of all options that change what is found: the same for the same answers. */
export function runDigest(options: DetectorOptions): string {
  const { config, weights } = findModel(options);
  const { conf, classes, max_det, sort, imgsz, preprocess, fuse, backend } = options;
  const hash = createHash("sha256");
  hash.update(
    JSON.stringify(
      [config, { conf, classes, max_det, sort, imgsz, preprocess, fuse, backend }],
      (_, value) => (value === Number.POSITIVE_INFINITY ? "inf" : value),
    ),
  );
  if (typeof weights === "string") hashFile(hash, weights);
  else if (weights instanceof Uint8Array) hash.update(weights);
  return hash.digest("hex");
}

/** The records of a run: which sources are still to be done, and what came of those that were. */
export class Records {
  readonly #file: RecordFile;
  readonly #model: string;
  /** Of sources under way; one that is named twice is two. */
  readonly #digests = new WeakMap<Source, string>();
  /** Sources that were done by an earlier run. */
  skipped = 0;

  /** `model` is the run's digest. */
  constructor(file: RecordFile, model: string) {
    this.#file = file;
    this.#model = model;
  }

  /** The sources that are not done yet. */
  async *missing<S extends Source>(sources: AsyncIterable<S>): AsyncGenerator<S> {
    for await (const source of sources) {
      const sha256 = digestOf(source);
      if (sha256 !== undefined && this.#file.has(source.name, sha256, this.#model)) {
        this.skipped++;
        continue;
      }
      if (sha256 !== undefined) this.#digests.set(source, sha256);
      yield source;
    }
  }

  /** What was found. No times: two runs write the same line. */
  done(source: Source, { width, height, detections }: Detections): void {
    this.#add(source, { status: "done", width, height, detections });
  }

  /** What went wrong. */
  failed(source: Source, error: unknown): void {
    this.#add(source, { status: "failed", error: messageOf(error) });
  }

  /** Closes the file. */
  close(): void {
    this.#file.close();
  }

  #add<R extends Pick<SourceRecord, "status">>(source: Source, rest: R): void {
    const sha256 = this.#digests.get(source);
    this.#file.add({ source: source.name, sha256, model: this.#model, ...rest });
  }
}

/** Of a source's bytes, where they are at hand; a file that cannot be read is told of when it is decoded. */
function digestOf(source: Source): string | undefined {
  const hash = createHash("sha256");
  try {
    if (source.kind === "file") hashFile(hash, source.name);
    else if (source.kind === "bytes") hash.update(source.bytes);
    else return undefined;
    return hash.digest("hex");
  } catch {
    return undefined;
  }
}

/** Adds a file's bytes piece by piece: whoever named it, it may be larger than memory. */
function hashFile(hash: Hash, path: string): void {
  const file = openFileSource(path);
  try {
    for (let at = 0; at < file.byteLength; at += CHUNK_BYTES) {
      const chunk = new Uint8Array(Math.min(CHUNK_BYTES, file.byteLength - at));
      file.read(at, chunk);
      hash.update(chunk);
    }
  } finally {
    file.close();
  }
}
