/**
 * Detections as COCO's results (cocodataset.org, "Results format"), written as they come: one list of { image_id, category_id,
 * bbox [x, y, width, height], score }. The file is beside its place until it is complete; then it is renamed.
 */
import { closeSync, openSync, realpathSync, renameSync, rmSync, writeSync } from "node:fs";
import { basename, dirname, extname } from "node:path";
import type { Detection } from "../detector/detections.ts";
import { fail, messageOf } from "../errors.ts";
import type { BoxXywh } from "../metrics/coco-dataset.ts";
import { absolutePath, statusOf } from "./file-status.ts";
import { jsonLine } from "./printable.ts";

/** What pycocotools' users expect of a file's name: 139 for 000000000139.jpg, else the name without its ending. */
export function imageIdOf(fileName: string): number | string {
  const stem = basename(fileName, extname(fileName));
  const number = /^\d+$/.test(stem) ? Number(stem) : Number.NaN;
  return Number.isSafeInteger(number) ? number : stem;
}

/** A box as COCO has it. */
export function xywh([x1, y1, x2, y2]: Detection["box"]): BoxXywh {
  return [x1, y1, x2 - x1, y2 - y1];
}

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
