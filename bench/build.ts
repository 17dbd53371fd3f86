/** Whether the built package, which is what the benchmarks measure, is there and as new as its source. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { fail } from "../src/errors.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const BUILT = [
  { file: "dist/index.js", source: "src" },
  { file: "build/kernels.wasm", source: "assembly" },
];

/** Error "file" where the package is not built; a warning on standard error where it is older than its source. */
export function checkBuild(): void {
  for (const { file, source } of BUILT) {
    if (!existsSync(join(ROOT, file))) fail("file", file, "the built package", "none", "run `npm run build`");
    if (newestIn(source) > statSync(join(ROOT, file)).mtimeMs) {
      console.error(`warning: ${file} is older than ${source}; run \`npm run build\``);
    }
  }
}

function newestIn(folder: string): number {
  const files = readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" });
  return Math.max(...files.map((file) => statSync(join(ROOT, folder, file)).mtimeMs));
}
