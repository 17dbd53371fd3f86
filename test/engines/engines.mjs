/**
 * The engines that the cases run in: where they are, how one is started, what it gives. Each gives a list of results
 * `{ name, path, threads, hash }`. Those of npm are in this folder's node_modules; Chromium is the system's.
 */
import { execFileSync, spawn } from "node:child_process";
import { createReadStream, existsSync, readdirSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const MODULES = join(HERE, "node_modules");
const TIMEOUT_MS = 300_000;

/** The first file of these patterns below node_modules, in which * stands for any folder. */
function find(...patterns) {
  for (const pattern of patterns) {
    let found = [MODULES];
    for (const part of pattern.split("/")) {
      const matches = (name) => new RegExp(`^${part.replaceAll("*", ".*")}$`).test(name);
      found = found.flatMap((folder) =>
        statSync(folder).isDirectory()
          ? readdirSync(folder)
              .filter(matches)
              .map((name) => join(folder, name))
          : [],
      );
    }
    if (found.length > 0) return found[0];
  }
  return undefined;
}

/** A Chromium: $CHROMIUM, else one on the PATH. */
function findChromium() {
  if (process.env.CHROMIUM) return existsSync(process.env.CHROMIUM) ? process.env.CHROMIUM : undefined;
  for (const name of ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]) {
    try {
      return execFileSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim();
    } catch {
      // the next name
    }
  }
  return undefined;
}

/** Runs a program to its end; gives the results that it printed, one JSON line each. */
function run(program, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
    const timer = setTimeout(() => child.kill("SIGKILL"), TIMEOUT_MS);
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (data) => {
      text += data;
    });
    child.on("error", reject);
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      if (code !== 0) reject(new Error(`${program} ended with ${signal ?? `exit code ${code}`}`));
      else
        resolve(
          text
            .split("\n")
            .filter((line) => line.startsWith("{"))
            .map((line) => JSON.parse(line)),
        );
    });
  });
}

function native(name, program, options, missing) {
  return {
    name,
    missing: program === undefined ? missing : undefined,
    version: () => execFileSync(program, ["--version"], { encoding: "utf8" }).split("\n")[0].trim(),
    run: (threads) => run(program, [...options, join(HERE, "native.mjs"), JSON.stringify(threads)]),
    threaded: true,
  };
}

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript" };

/** Serves the project's folder to this machine, with headers. */
async function serve(headers) {
  const server = createServer((request, response) => {
    const file = join(ROOT, new URL(request.url, "http://localhost").pathname);
    const there = statSync(file, { throwIfNoEntry: false })?.isFile();
    const type = TYPES[extname(file)] ?? "application/octet-stream";
    response.writeHead(there ? 200 : 404, { ...headers, "Content-Type": type });
    if (there) createReadStream(file).pipe(response);
    else response.end();
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

const ISOLATING = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

/** A page of headless Chromium. */
function page(name, program, isolated) {
  return {
    name,
    missing:
      program === undefined
        ? "`apt-get install --no-install-recommends chromium` as root, or name one by CHROMIUM=/path"
        : undefined,
    version: () =>
      execFileSync(program, ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim(),
    threaded: isolated,
    run: async (threads) => {
      const { chromium } = createRequire(import.meta.url)("playwright-core");
      const server = await serve(isolated ? ISOLATING : {});
      const browser = await chromium.launch({
        executablePath: program,
        args: ["--no-sandbox", "--disable-gpu"],
      });
      try {
        const tab = await browser.newPage();
        await tab.goto(`http://127.0.0.1:${server.address().port}/test/engines/page.html`);
        const here = await tab.evaluate(() => self.crossOriginIsolated);
        if (here !== isolated) throw new Error(`${name}: the page's crossOriginIsolated is ${here}`);
        return await tab.evaluate(
          (counts) =>
            new Promise((resolve, reject) => {
              const results = [];
              const worker = new Worker("page-worker.mjs", { type: "module" });
              worker.onerror = (event) => reject(new Error(event.message || "the worker was not started"));
              worker.onmessage = ({ data }) => {
                if (data.failed) reject(new Error(data.failed));
                else if (data.done) resolve(results);
                else results.push(data);
              };
              worker.postMessage(counts);
            }),
          threads,
        );
      } finally {
        await browser.close();
        server.closeAllConnections();
        server.close();
      }
    },
  };
}

/** All engines, by the names that `--engines` takes. */
export function allEngines() {
  const install = "`npm ci --prefix test/engines`, on a platform that its package.json names";
  const chromium = findChromium();
  return [
    native("node", process.execPath, []),
    native("node24", process.env.NODE24 ?? find("node-*-*/bin/node"), [], install),
    native(
      "deno",
      process.env.DENO ?? find("@deno/*/deno", "@deno/*/deno.exe"),
      ["run", "--no-prompt", "--allow-read"],
      install,
    ),
    native(
      "bun",
      process.env.BUN ?? find("@oven/bun-*64/bin/bun", "@oven/*/bin/bun", "bun/bin/bun.exe"),
      [],
      install,
    ),
    page("chromium", chromium, true),
    page("chromium-plain", chromium, false),
  ];
}
