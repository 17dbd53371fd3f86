/**
 * After tsc: bundles the few modules that import a package, in place, so that the published files import nothing that
 * would have to be installed. NOTICE names what is bundled.
 */
import { chmodSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The modules that import packages; nothing else in `src` may (the linter sees to it). */
const VENDORS = ["dist/image/vendor.js", "dist/models/yaml-vendor.js", "dist/backend/wasm/instantiate.js"];

await build({
  absWorkingDir: root,
  entryPoints: VENDORS,
  outdir: "dist",
  outbase: "dist",
  allowOverwrite: true,
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
  legalComments: "inline",
  // Bundled CommonJS still asks for Node's own modules by require().
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module";\nconst require = __createRequire(import.meta.url);',
  },
});

chmodSync(`${root}dist/cli/main.js`, 0o755);
