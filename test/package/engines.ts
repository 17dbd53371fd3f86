/** The engines that the checks run in: the running Node, and others where they are there. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./repository.ts";

/** True where a missing engine or tool is an error: `npm run test:package -- --all`. */
export const ALL = process.env.MOBILEDETR_TEST_ALL === "1";

/** An engine beside the running Node: from its variable, else from `test/engines`, where `npm ci` has been run. */
function engine(variable: string, ...places: readonly string[]): string | undefined {
  const given = process.env[variable];
  if (given) return given;
  return places
    .map((place) => join(ROOT, "test/engines/node_modules", place))
    .find((path) => existsSync(path));
}

/** Paths of what was found. */
export const NODE24 = engine("NODE24", `node-${process.platform}-${process.arch}/bin/node`, ".bin/node");
export const DENO = engine("DENO", ".bin/deno");
export const BUN = engine("BUN", ".bin/bun");

/** Runs a program with no environment but what is given: no home folder, no XDG folders, no npm_*. Gives what it printed. */
export function run(
  program: string,
  args: readonly string[],
  options: { cwd: string; env?: Record<string, string>; uid?: number },
): string {
  const { cwd, env = {}, uid } = options;
  return execFileSync(program, args, {
    cwd,
    env: { ...(process.platform === "win32" ? { SystemRoot: process.env.SystemRoot } : {}), ...env },
    ...(uid === undefined ? {} : { uid, gid: uid }),
    encoding: "utf8",
    timeout: 60_000,
    stdio: ["ignore", "pipe", "pipe"],
  });
}
