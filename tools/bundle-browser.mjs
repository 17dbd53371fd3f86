/**
 * The browser's form of the package, `dist/browser`, from the sources: `name.browser.ts` takes the place of `name.ts` beside
 * it, the kernels, the JPEG decoder and the configurations are embedded as text, and so is, compressed, the workers' script, in
 * the entry points that start workers. package.json's "browser" condition leads bundlers here; a page without one imports the same files.
 *
 *   worker.js          the one script of all workers, as a module; embedded in the others as a classic script, whole in itself
 *   index.js, nn.js    the entry points; what several of them use is in chunks, once, so that a class is one class
 *   models/codes.js    the default model, weights included
 */
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { deflateSync } from "node:zlib";
import { build } from "esbuild";
import { shakeYaml } from "./shake-yaml.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const out = `${root}dist/browser/`;

/** Replaces modules by the browser's form of them. */
const seams = {
  name: "browser-seams",
  setup(bundling) {
    bundling.onResolve({ filter: /^\.\.?\/.*\.ts$/ }, ({ path, resolveDir }) => {
      const own = fileURLToPath(new URL(path.replace(/\.ts$/, ".browser.ts"), `file://${resolveDir}/`));
      return existsSync(own) ? { path: own } : undefined;
    });
  },
};

/** Gives the workers' script to those who ask for it: a zlib stream in base64, or nothing. */
function embeddedWorker(packed) {
  return {
    name: "embedded-worker",
    setup(bundling) {
      bundling.onResolve({ filter: /^embedded:worker$/ }, ({ path }) => ({ path, namespace: "embedded" }));
      bundling.onLoad({ filter: /.*/, namespace: "embedded" }, () => ({ contents: packed, loader: "text" }));
    },
  };
}

/** In the script that is embedded: WebAssembly modules are what the page gives it (`worker-script.browser.ts`). */
const givenModules = {
  name: "given-modules",
  setup(bundling) {
    bundling.onLoad({ filter: /\.wasm$/ }, ({ path }) => ({
      contents: `export default self.mobiledetrModules.${basename(path, ".wasm")};`,
    }));
  },
};

const common = {
  absWorkingDir: root,
  bundle: true,
  minify: true,
  keepNames: true, // classes print by their names, as in PyTorch
  charset: "utf8",
  platform: "browser",
  target: ["es2022", "chrome91", "firefox89", "safari16.4"],
  loader: { ".wasm": "base64", ".safetensors": "base64", ".yaml": "text" },
  define: { "Buffer.from": "Uint8Array.from" }, // in jpeg-js's encoder, the one place
  legalComments: "inline",
  logLevel: "warning",
};

await rm(out, { recursive: true, force: true });

const worker = await build({
  ...common,
  entryPoints: ["src/detector/worker.browser.ts"],
  format: "iife",
  write: false,
  plugins: [embeddedWorker(""), givenModules, seams, shakeYaml],
});
const [{ text: script }] = worker.outputFiles;

/** Entry points by the name that they get; `detector` and `pipeline` keep the thin detector apart from the whole network. */
const ENTRIES = {
  index: "src/index.ts",
  detector: "src/detector/detector.ts",
  pipeline: "src/detector/pipeline.ts",
  worker: "src/detector/worker.browser.ts",
  ...Object.fromEntries(
    ["tensor", "ops", "nn", "models", "weights", "image", "inspect", "backend", "compile"].map((name) => [
      name,
      `src/${name}/index.ts`,
    ]),
  ),
};

await build({
  ...common,
  entryPoints: ENTRIES,
  outdir: "dist/browser",
  chunkNames: "chunks/chunk-[hash]", // not by name: of modules that are loaded later it may have a dot
  format: "esm",
  splitting: true,
  plugins: [embeddedWorker(deflateSync(script, { level: 9 }).toString("base64")), seams, shakeYaml],
});
await build({
  ...common,
  entryPoints: { "models/codes": "src/detector/codes.browser.ts" },
  outdir: "dist/browser",
  format: "esm",
  plugins: [seams],
});
