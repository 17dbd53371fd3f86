/**
 * Builds, unless the last build is newer than everything that it is made from: `npm ci`, `npm test` and `npx` each ask
 * for a build, one after the other.
 */
import { execSync } from "node:child_process";
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const SOURCES = [
  "src",
  "assembly",
  "tools",
  "viewer",
  "package.json",
  "package-lock.json",
  "asconfig.json",
  "tsconfig.json",
  "tsconfig.build.json",
  "tsconfig.browser.json",
  "models",
];
const PRODUCTS = ["build/kernels.wasm", "build/jpeg.wasm", "dist/.built"];

/** When the newest file at or below a path was changed; folders too, so that a deleted file counts. */
function newest(path) {
  const status = statSync(path);
  if (!status.isDirectory()) return status.mtimeMs;
  return Math.max(status.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))));
}

function builtAt() {
  try {
    return Math.min(...PRODUCTS.map((file) => statSync(join(root, file)).mtimeMs));
  } catch {
    return 0; // never, or not to the end
  }
}

if (builtAt() <= Math.max(...SOURCES.map((source) => newest(join(root, source))))) {
  execSync("npm run build", { cwd: root, stdio: "inherit" });
  writeFileSync(join(root, "dist/.built"), "");
}
