/**
 * Detections as COCO's results (cocodataset.org, "Results format"), written as they come: one list of { image_id, category_id,
 * bbox [x, y, width, height], score }. The file is beside its place until it is complete; then it is renamed.
 */
import { closeSync, openSync, realpathSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { type Detection, xywh } from "../detector/detections.ts";
import { fail, messageOf } from "../errors.ts";
import { absolutePath, statusOf } from "./file-status.ts";
import { jsonLine } from "./printable.ts";

/** A file of results that grows. */
export class CocoFile {
  readonly #path: string;
  readonly #temporary: string;
  readonly #file: number;
  #separator = "[\n";
  readonly #abandon = (): void => rmSync(this.#temporary, { force: true });

  /** Throws code "file" where it cannot be written. */
  constructor(path: string) {
    this.#path = path;
    const status = statusOf(path);
    if (status && !status.isFile()) fail("file", path, "a file that can be written", "no regular file");
    const target = absolutePath(status ? realpathSync(path) : path);
    if (!statusOf(dirname(target))?.isDirectory())
      fail("file", path, "a path in a folder that exists", "none");
    this.#temporary = `${target}.${process.pid}.tmp`;
    this.#file = this.#try(() => openSync(this.#temporary, "w"));
    process.once("exit", this.#abandon); // Ctrl-C as well
  }

  /** Detections of a picture. */
  add(image_id: number | string, found: readonly Detection[], categoryOf: (classId: number) => number): void {
    for (const { box, score, class: classId } of found) {
      const line = jsonLine({ image_id, category_id: categoryOf(classId), bbox: xywh(box), score });
      this.#write(this.#separator + line);
      this.#separator = ",\n";
    }
  }

  /** Puts the file in its place. */
  finish(): void {
    this.#write(this.#separator === ",\n" ? "\n]\n" : "[]\n");
    this.#try(() => {
      closeSync(this.#file);
      renameSync(this.#temporary, this.#temporary.replace(/\.\d+\.tmp$/, ""));
    });
    process.off("exit", this.#abandon);
  }

  #write(text: string): void {
    const bytes = Buffer.from(text);
    for (let done = 0; done < bytes.length; ) done += this.#try(() => writeSync(this.#file, bytes, done));
  }

  #try<R>(action: () => R): R {
    try {
      return action();
    } catch (error) {
      return fail("file", this.#path, "a file that can be written", messageOf(error));
    }
  }
}
