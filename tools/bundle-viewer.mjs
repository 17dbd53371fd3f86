/**
 * The page that looks inside a run, `dist/viewer`, from `viewer/`: no code of the network is in it, for its worker imports the
 * files of `dist/browser` beside it, which must have been built before. What it has of `src` by itself are the colours and the quirks.
 *
 *   index.html, style.css, app.js    the page
 *   worker.js                        runs the network and records it
 *   sample.jpg                       a picture to begin with
 */
import { copyFileSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build, transform } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const out = `${root}dist/viewer/`;

/** Entry points of `dist/browser` by the modules that they stand for: a class must be one class. */
const SHARED = [
  [/^src\/models\//, "models"],
  [/^src\/nn\//, "nn"],
  [/^src\/tensor\//, "tensor"],
  [/^src\/image\//, "image"],
  [/^src\/weights\/(safetensors|safetensors-file|generator)\.ts$/, "weights"],
  [/^src\/inspect\/index\.ts$/, "inspect"],
  [/^src\/detector\/pipeline\.ts$/, "pipeline"],
];

/** Leads imports of the package's sources to `../browser/NAME.js`, others to the browser's form of them where they have one. */
const shared = {
  name: "shared-with-browser-build",
  setup(bundling) {
    bundling.onResolve({ filter: /^\.\.?\/.*\.ts$/ }, ({ path, resolveDir }) => {
      const file = relative(root, fileURLToPath(new URL(path, `file://${resolveDir}/`))).replaceAll(
        "\\",
        "/",
      );
      const entry = SHARED.find(([pattern]) => pattern.test(file));
      if (entry) return { path: `../browser/${entry[1]}.js`, external: true };
      const own = root + file.replace(/\.ts$/, ".browser.ts");
      return existsSync(own) ? { path: own } : undefined;
    });
  },
};

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
await build({
  absWorkingDir: root,
  entryPoints: { app: "viewer/app.ts", worker: "viewer/worker.ts" },
  outdir: "dist/viewer",
  bundle: true,
  minify: true,
  charset: "utf8",
  platform: "browser",
  format: "esm",
  target: ["es2022", "chrome110", "firefox115", "safari16.4"],
  loader: { ".yaml": "text" },
  plugins: [shared],
  legalComments: "inline",
  logLevel: "warning",
});
const style = await readFile(`${root}viewer/style.css`, "utf8");
await writeFile(`${out}style.css`, (await transform(style, { loader: "css", minify: true })).code);
for (const file of ["index.html", "sample.jpg"]) copyFileSync(`${root}viewer/${file}`, out + file);
