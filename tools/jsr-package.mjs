/**
 * `node tools/jsr-package.mjs PACKAGE OUT`: turns an unpacked npm package into what JSR takes. JSR publishes what stands in
 * `jsr.json` and finds a module's declarations by a comment in it, `@ts-self-types`; it reads no package.json.
 *
 * The built files and not the sources: those import packages, which the build bundles, and workers from `dist`.
 * OUT can be published with `npx jsr publish` or `deno publish`. docs/deno.md says what this is good for, and what not.
 */
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { argv, exit } from "node:process";

const [from, out] = argv.slice(2);
if (!from || !out) {
  console.error("usage: node tools/jsr-package.mjs PACKAGE OUT");
  exit(2);
}
if (existsSync(out)) throw new Error(`${out}: expected a folder that is not there yet`);

const { name, version, license, exports } = JSON.parse(readFileSync(join(from, "package.json"), "utf8"));
cpSync(from, out, { recursive: true });
rmSync(join(out, "dist/browser"), { recursive: true, force: true }); // JSR knows no conditions
rmSync(join(out, "package.json")); // would make of its dependencies and conditions what JSR does not know

/** The engine's own form of an entry point; undefined for files that are no module. */
function moduleOf(entry) {
  return entry.types && entry.default;
}

for (const file of readdirSync(out, { recursive: true })) {
  const path = join(out, file);
  if (!path.endsWith(".d.ts")) continue;
  const script = path.replace(/\.d\.ts$/, ".js");
  const text = readFileSync(path, "utf8");
  if (existsSync(script)) {
    const code = readFileSync(script, "utf8");
    writeFileSync(script, `/* @ts-self-types="./${basename(path)}" */\n${code}`);
  }
  // Declarations without a module of their own (it lies in a chunk) are imported by their own name.
  const named = text.replaceAll(
    /(\bfrom\s*|\bimport\s*\(?\s*)"(\.{1,2}\/[^"]+)\.js"/g,
    (whole, before, stem) => (existsSync(join(path, "..", `${stem}.js`)) ? whole : `${before}"${stem}.d.ts"`),
  );
  if (named !== text) writeFileSync(path, named);
}

const modules = Object.entries(exports).flatMap(([key, entry]) => {
  const path = moduleOf(entry);
  return path ? [[key, path]] : [];
});
const manifest = { name: `@${name}/${name}`, version, license, exports: Object.fromEntries(modules) };
writeFileSync(join(out, "jsr.json"), `${JSON.stringify(manifest, null, 2)}\n`);
