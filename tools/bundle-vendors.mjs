/**
 * After tsc: bundles the few modules that import a package, in place, so that the published files import nothing that
 * would have to be installed; NOTICE names what is bundled. Then the workers, each into one file: a thread starts from
 * one file in half the time that it takes from a hundred.
 */
import { chmodSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));

const common = {
  absWorkingDir: root,
  outdir: "dist",
  outbase: "dist",
  allowOverwrite: true,
  bundle: true,
  format: "esm",
  target: "node20",
  legalComments: "inline",
};

// The modules that import packages; nothing else in `src` may (the linter sees to it).
await build({
  ...common,
  entryPoints: ["dist/image/vendor.js"],
  platform: "node",
  // Bundled CommonJS still asks for Node's own modules by require().
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module";\nconst require = __createRequire(import.meta.url);',
  },
});
// The browser's form of yaml reads no environment, which some engines would ask permission for.
await build({
  ...common,
  entryPoints: ["dist/models/yaml-vendor.js", "dist/backend/wasm/instantiate.js"],
  platform: "neutral",
  conditions: ["browser"],
  mainFields: ["browser", "module", "main"],
});

/** Keeps `import.meta.url` what it was in the file that says it: files beside it are found by it. */
function keepUrls(entry) {
  return {
    name: "keep-urls",
    setup(bundling) {
      bundling.onLoad({ filter: /\.js$/ }, async ({ path }) => {
        const text = await readFile(path, "utf8");
        const from = JSON.stringify(`./${relative(dirname(`${root}${entry}`), path)}`);
        return { contents: text.replaceAll("import.meta.url", `new URL(${from}, import.meta.url).href`) };
      });
    },
  };
}

for (const entry of ["dist/detector/worker.js", "dist/backend/wasm/worker.js"]) {
  await build({ ...common, entryPoints: [entry], platform: "node", plugins: [keepUrls(entry)] });
}

chmodSync(`${root}dist/cli/main.js`, 0o755);
