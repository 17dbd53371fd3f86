/** A headless Chromium, found and started; pages of it. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** The path of a Chromium: $CHROMIUM, else what is on the PATH. An error that says how to get one. */
export function findChromium(): string {
  const named = process.env.CHROMIUM;
  if (named) {
    if (existsSync(named)) return named;
    throw new Error(`CHROMIUM names ${named}, where there is no file`);
  }
  for (const name of NAMES) {
    try {
      return execFileSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim();
    } catch {
      // the next name
    }
  }
  throw new Error(
    "no Chromium: `apt-get install --no-install-recommends chromium` as root, or name one by CHROMIUM=/path",
  );
}

/** Starts it, with more arguments if need be. Root has no sandbox of its own, in a container least of all. */
export function launch(...more: readonly string[]): Promise<Browser> {
  return chromium.launch({
    executablePath: findChromium(),
    args: ["--no-sandbox", "--disable-gpu", ...more],
  });
}
