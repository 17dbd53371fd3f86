/**
 * Before the checks: `npm pack`, and an installation of the archive into an empty folder with no registry at hand and
 * install scripts allowed, so that a dependency or a script would show. The folders go when the checks are done.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { ROOT } from "./repository.ts";

/** Where things are, for the checks: `inject("packed")`. */
export interface Packed {
  /** The archive that would be published. */
  readonly archive: string;
  /** A project that has installed it: `detect.mjs` and `picture.jpg` lie in it. */
  readonly consumer: string;
  /** The installed package. */
  readonly installed: string;
  /** What `npm install` printed. */
  readonly log: string;
}

declare module "vitest" {
  export interface ProvidedContext {
    packed: Packed;
  }
}

const WINDOWS = process.platform === "win32";

/** A consumer's whole program. */
const DETECT = `import { argv } from "node:process";
import { loadDetector } from "mobiledetr";

const detector = await loadDetector({ threads: 2, conf: 0.05 });
const { detections } = await detector.detect(argv[2]);
await detector.close();
console.log(JSON.stringify(detections));
`;

/** npm with nothing of the surrounding `npm run` in its environment, and no registry that could answer. */
function npm(folder: string, cache: string, ...args: readonly string[]): string {
  const outer = Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name));
  return execFileSync("npm", args, {
    cwd: folder,
    encoding: "utf8",
    shell: WINDOWS,
    env: {
      ...Object.fromEntries(outer),
      npm_config_cache: cache,
      npm_config_registry: "http://127.0.0.1:9/",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** Called by vitest before the checks; what it gives is called after them. */
export function setup(project: TestProject): () => void {
  const folder = mkdtempSync(join(tmpdir(), "mobiledetr-package-"));
  chmodSync(folder, 0o755); // one check runs as another user
  const cache = join(folder, "cache");
  npm(ROOT, cache, "pack", "--pack-destination", folder);
  const { version } = JSON.parse(
    execFileSync(process.execPath, ["-p", "JSON.stringify(require('./package.json'))"], {
      cwd: ROOT,
      encoding: "utf8",
    }),
  );
  const archive = join(folder, `mobiledetr-${version}.tgz`);

  const consumer = join(folder, "consumer");
  mkdirSync(consumer);
  writeFileSync(join(consumer, "package.json"), '{ "private": true, "type": "module" }\n');
  const log = npm(
    consumer,
    cache,
    "install",
    "--offline",
    "--ignore-scripts=false",
    "--no-audit",
    "--no-fund",
    archive,
  );
  writeFileSync(join(consumer, "detect.mjs"), DETECT);
  copyFileSync(join(ROOT, "examples/pictures/wall.jpg"), join(consumer, "picture.jpg"));

  project.provide("packed", { archive, consumer, installed: join(consumer, "node_modules/mobiledetr"), log });
  return () => rmSync(folder, { recursive: true, force: true });
}
