/** Whole files to begin with: the goldens, the examples, the models' configurations. */
import { readdirSync, readFileSync } from "node:fs";

const ROOT = new URL("../../", import.meta.url);

/** The bytes of the files of a folder of the repository whose names end so, in the order of their names; kept. */
export function filesOf(folder: string, ending: string): readonly Uint8Array[] {
  const key = `${folder}*${ending}`;
  let files = kept.get(key);
  if (!files) {
    const names = readdirSync(new URL(folder, ROOT)).filter((name) => name.endsWith(ending));
    files = names.sort().map((name) => new Uint8Array(readFileSync(new URL(`${folder}${name}`, ROOT))));
    kept.set(key, files);
  }
  return files;
}

const kept = new Map<string, readonly Uint8Array[]>();
