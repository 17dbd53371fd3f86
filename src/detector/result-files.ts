/**
 * Results as files: whole or not at all, beside their place and renamed. Names that come from data never lead out of the
 * folder. A browser build takes `result-files.browser.ts` in its place.
 */
import { existsSync, realpathSync } from "node:fs";
import { basename, dirname, extname, join, resolve } from "node:path";
import { fail, messageOf, need } from "../errors.ts";
import { encodeImage } from "../image/encode.ts";
import { formatFromPath } from "../image/format-from-path.ts";
import type { ImageData8 } from "../image/image.ts";
import { makeFolder, writeFileWhole } from "../weights/file-source.ts";
import type { Crop } from "./results.ts";

const CROP_QUALITY = 95; // Ultralytics'
const MOST_CHARACTERS = 100; // of a name: file systems take 255 bytes

/** Writes a text; makes the folder. Gives the path. Errors of code "file". */
export function saveText(path: string, text: string): string {
  return write(path, new TextEncoder().encode(text));
}

/** Writes a picture in the format that the path's ending says. */
export async function savePicture(path: string, picture: () => Promise<ImageData8>): Promise<string> {
  const format = formatFromPath(text("path", path)); // refused before anything is drawn
  return write(path, encodeImage(await picture(), format));
}

/** Writes crops to DIR/CLASS/NAME.jpg, NAME2.jpg, ... where nothing is yet; `name` may be a path, whose last part is taken. */
export async function saveCrops(
  dir: string,
  name: string,
  make: () => Promise<readonly Crop[]>,
): Promise<string[]> {
  need("file_name", name ?? null, (v) => typeof v === "string", "a name");
  const stem = plainName(basename(name, extname(name)));
  text("dir", dir);
  return (await make()).map(({ image, detection }) => {
    const folder = join(dir, plainName(detection.name));
    makeAll(folder);
    const real = realpathSync(folder);
    if (dirname(real) !== realpathSync(dir)) fail("file", folder, "a folder", "a link that leads elsewhere");
    let path = join(folder, `${stem}.jpg`);
    for (let n = 2; existsSync(path); n++) path = join(folder, `${stem}${n}.jpg`);
    return write(path, encodeImage(image, "jpeg", { quality: CROP_QUALITY }));
  });
}

/** A name as a file's: letters, digits, spaces and `_.-`, none that means anything to a system. */
export function plainName(name: string): string {
  const plain = name
    .replace(/[^\p{L}\p{N} _.-]/gu, "_")
    .slice(0, MOST_CHARACTERS)
    .replace(/^[. ]+|[. ]+$/g, "_");
  return plain === "" || /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i.test(plain) ? `_${plain}` : plain;
}

function write(path: string, bytes: Uint8Array): string {
  makeAll(dirname(text("path", path)));
  writeFileWhole(path, [bytes]);
  return path;
}

function text(option: string, value: string): string {
  need(option, value ?? null, (v) => typeof v === "string" && v !== "" && !v.includes("\0"), "a path");
  return value;
}

/** Makes a folder and those above it. */
function makeAll(path: string): void {
  try {
    makeFolder(resolve(path));
  } catch (error) {
    fail("file", path, "a folder that can be made", messageOf(error));
  }
}
