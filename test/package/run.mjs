/**
 * `npm run test:package [-- --all] [vitest's arguments]`: the packed package, installed offline into an empty folder, in
 * every engine that is there. With `--all` an engine or a tool that is missing is an error; tools are installed first.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const given = process.argv.slice(2);
const all = given.includes("--all");

function installTools(folder) {
  if (!existsSync(join(folder, "package.json")) || existsSync(join(folder, "node_modules"))) return;
  const { status } = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--prefix", folder], {
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  if (status !== 0) process.exit(status ?? 1);
}

if (all) {
  installTools(here);
  installTools(join(here, "../engines"));
}

const vitest = join(dirname(createRequire(import.meta.url).resolve("vitest/package.json")), "vitest.mjs");
const options = given.filter((argument) => argument !== "--all");
const { status } = spawnSync(
  process.execPath,
  [vitest, "run", "--config", join(here, "vitest.config.ts"), ...options],
  { stdio: "inherit", env: { ...process.env, MOBILEDETR_TEST_ALL: all ? "1" : "" } },
);
process.exit(status ?? 1);
