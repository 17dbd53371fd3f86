/**
 * After tsc: bundles the few modules that import a package, in place, so that the published files import nothing that
 * would have to be installed. NOTICE names what is bundled.
 */
import { chmodSync } from "node:fs";
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

chmodSync(`${root}dist/cli/main.js`, 0o755);
