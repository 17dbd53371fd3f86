/**
 * What `npm pack` and `npm publish` put into the package: the manifest without scripts and development tools, so that
 * installing it runs nothing. `write` before packing, `restore` after.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";

const manifest = new URL("../package.json", import.meta.url);
const kept = new URL("../package.json.kept", import.meta.url);

if (process.argv[2] === "write") {
  if (existsSync(kept))
    throw new Error("package.json.kept is there: an earlier packing failed; restore it first");
  const text = readFileSync(manifest, "utf8");
  const { scripts, devDependencies, ...published } = JSON.parse(text);
  writeFileSync(kept, text);
  writeFileSync(manifest, `${JSON.stringify(published, null, 2)}\n`);
} else if (process.argv[2] === "restore") {
  renameSync(kept, manifest);
} else {
  throw new Error("usage: node tools/published-manifest.mjs write|restore");
}
