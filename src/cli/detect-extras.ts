/** `--save-txt` and `--save-crop`: labels and crops beside the pictures of a run. */
import { basename, dirname, extname, join } from "node:path";
import type { Detections } from "../detector/pipeline.ts";
import { Results } from "../detector/results.ts";
import type { ImageData8 } from "../image/image.ts";
import type { Extras } from "./detect-options.ts";

/** Writes labels/NAME.txt and crops/CLASS/NAME.jpg beside `path`, a picture NAME.jpg that is or could be drawn. */
export async function writeExtras(
  path: string,
  found: Detections,
  names: readonly string[],
  pixels: ImageData8,
  { txt, conf, crops }: Extras,
): Promise<void> {
  const results = new Results(found, { names, image: pixels });
  const [folder, stem] = [dirname(path), basename(path, extname(path))];
  if (txt) await results.saveTxt(join(folder, "labels", `${stem}.txt`), { save_conf: conf });
  if (crops && found.detections.length > 0)
    await results.saveCrop(join(folder, "crops"), { file_name: `${stem}.jpg` });
}
