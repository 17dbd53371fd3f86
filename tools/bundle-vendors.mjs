/**
 * After tsc: its modules go from `dist` to `lib`, and what is published is bundled from there. First the few modules that
 * import a package, in place, so that nothing else would have to be installed; NOTICE names what is bundled. Then into `dist`
 * the pool's worker, into one file, and the rest with what it shares: a process or a thread starts from a few files
 * in half the time that it takes from a hundred. Tests and benchmarks that want a single module built take it from `lib`.
 *
 * All of it is minified, for the sake of the package's size; functions and classes of the library keep their names, so that a
 * stack can be read, classes print as in PyTorch and passes are told apart. Files that hold nothing but packages (minified
 * before), the command line, the conformance kit or what these two draw and count do without. No source maps.
 */
import { chmodSync } from "node:fs";
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build, transform } from "esbuild";
import { shakeYaml } from "./shake-yaml.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

const common = {
  absWorkingDir: root,
  outdir: "lib",
  outbase: "lib",
  allowOverwrite: true,
  bundle: true,
  format: "esm",
  target: "node20",
  legalComments: "inline",
  charset: "utf8",
};

// Types stay where they are: they are published as tsc wrote them.
for (const path of await readdir(`${root}dist`, { recursive: true })) {
  if (!path.endsWith(".js")) continue;
  await mkdir(dirname(`${root}lib/${path}`), { recursive: true });
  await rename(`${root}dist/${path}`, `${root}lib/${path}`);
}

// The modules that import packages; nothing else in `src` may (the linter sees to it).
await build({
  ...common,
  minify: true,
  entryPoints: ["lib/image/vendor.js", "lib/image/jpeg-vendor.js"],
  platform: "node",
  // Bundled CommonJS still asks for Node's own modules by require().
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module";\nconst require = __createRequire(import.meta.url);',
  },
});
await build({
  ...common,
  minify: true,
  entryPoints: ["lib/models/yaml-vendor.js", "lib/backend/wasm/instantiate.js"],
  platform: "neutral",
  mainFields: ["module", "main"],
  plugins: [shakeYaml],
});

/**
 * Keeps `import.meta.url` what it was in the file that says it, for files beside it are found by it: a mark while bundling,
 * since only then is known which file it ends up in.
 */
const keepUrls = {
  name: "keep-urls",
  setup(bundling) {
    bundling.onLoad({ filter: /\.js$/ }, async ({ path }) => {
      const text = await readFile(path, "utf8");
      return { contents: text.replaceAll("import.meta.url", `"<url of ${relative(root, path)}>"`) };
    });
  },
};

/** What needs no names. */
const NAMELESS = /^lib\/(cli|conformance|metrics|depict)\/|vendor\.js$/;

/** Bundles modules into `dist`. What several of them use is in `dist/chunks`, once, so that a class is one class. */
async function bundle(modules, splitting) {
  const { outputFiles, metafile } = await build({
    ...common,
    entryPoints: modules.map((path) => `lib/${path}`),
    outdir: "dist",
    splitting,
    chunkNames: "chunks/[name]-[hash]",
    platform: "node",
    plugins: [keepUrls],
    write: false,
    metafile: true,
  });
  for (const { path, text } of outputFiles) {
    const { inputs } = metafile.outputs[relative(root, path)];
    const folder = dirname(relative(root, path));
    const contents = text.replaceAll(/"<url of ([^">]+)>"/g, (_, from) => {
      // As if from the file of that name in `dist`, which lies as deep.
      const there = relative(folder, from.replace(/^lib/, "dist"));
      return `new URL(${JSON.stringify(there)}, import.meta.url).href`;
    });
    // Only now, for a limit breaks lines inside strings, too; with one a stack's line numbers mean something.
    const { code } = await transform(contents, {
      charset: "utf8",
      format: "esm",
      minify: true,
      keepNames: !Object.keys(inputs).every((from) => NAMELESS.test(from)),
      lineLimit: 400,
    });
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, code);
  }
}

const { exports, bin } = JSON.parse(await readFile(`${root}package.json`, "utf8"));
const published = [...Object.values(exports).map((entry) => entry.default), ...Object.values(bin)];
const entries = published.flatMap((path) => path?.match(/dist\/(.*)/)?.[1] ?? []);

// The pool's threads start from one file. The detector's takes what the entry points hold, for the sake of the package's size.
await bundle(["backend/wasm/worker.js"], false);
await bundle([...entries, "detector/worker.js", "backend/wasm/revectorize-probe.js"], true);

chmodSync(`${root}${bin.mobiledetr}`, 0o755);
