/** Removes what an earlier build left, so that a deleted source cannot live on in the package. */
import { rmSync } from "node:fs";

for (const folder of ["../dist", "../lib"]) {
  rmSync(new URL(folder, import.meta.url), { recursive: true, force: true });
}
