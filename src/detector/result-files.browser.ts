/** `result-files.ts` for browsers, which have no files by path: errors that say what to call instead. */
import { fail } from "../errors.ts";

/** An error of code "file". */
export function saveText(path: string, _text: string): never {
  return fail("file", path, "toTxt(), which gives the text", "a path, which a browser cannot write");
}

/** An error of code "file". */
export async function savePicture(path: string, _picture: unknown): Promise<never> {
  return fail("file", path, "plot(), which gives the pixels", "a path, which a browser cannot write");
}

/** An error of code "file". */
export async function saveCrops(dir: string, _name: string, _make: unknown): Promise<never> {
  return fail("file", dir, "crops(), which gives the pixels", "a path, which a browser cannot write");
}
