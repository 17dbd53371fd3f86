/**
 * The package in a real page of headless Chromium, bundled by Vite and by esbuild with no configuration, and from a plain
 * static host: what it finds are Node's boxes, bit for bit, with and without cross-origin isolation.
 */
import { execFileSync, spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type * as library from "../../../dist/index.js";
import { launch } from "./chromium.ts";
import { detectOnPage, type Refusal } from "./page-api.ts";
import { pageOf, staticPage, writeProject } from "./project.ts";
import { ISOLATING, type StaticServer, serveFolder } from "./serve.ts";

const BIN = fileURLToPath(new URL("../node_modules/.bin/", import.meta.url));
const SMALL = { imgsz: 160, threads: 1 };
const PICTURE = "/pictures/cat.jpg";

let folder: string;
let browser: Browser;
let expected: readonly library.Detection[];
const servers: StaticServer[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "mobiledetr-page-"));
  writeProject(folder);
  browser = await launch();
  const index = pathToFileURL(join(folder, "node_modules/mobiledetr/dist/index.js")).href;
  const { loadDetector } = (await import(index)) as typeof library;
  const detector = await loadDetector({ imgsz: 320 });
  expected = (await detector.detect(join(folder, PICTURE))).detections;
  await detector.close();
});
afterAll(async () => {
  await browser?.close();
  await Promise.all(servers.map((server) => server.close()));
  rmSync(folder, { recursive: true, force: true });
});

async function serve(path: string, headers: Readonly<Record<string, string>> = {}): Promise<string> {
  const server = await serveFolder(path, headers);
  servers.push(server);
  return server.url;
}

/** A page that has loaded its program. What it says on the console or throws is kept. */
async function open(url: string): Promise<{ page: Page; said: string[] }> {
  const page = await browser.newPage();
  const said: string[] = [];
  page.on("console", (message) => said.push(message.text()));
  page.on("pageerror", (error) => said.push(String(error)));
  await page.goto(url);
  await page.waitForFunction(() => window.api !== undefined);
  return { page, said };
}

/** Runs the program of a page from a host, and compares with Node. */
async function findsWhatNodeFinds(url: string, isolated: boolean): Promise<void> {
  const { page, said } = await open(url);
  const found = await page.evaluate(detectOnPage, { picture: PICTURE, imgsz: 320 });
  expect(found.detections.length).toBe(5);
  for (const detections of found.detections) expect(detections).toEqual(expected);
  expect(found.info).toMatchObject({ engine: "browser", isolated, backend: "wasm", compiled: true });
  if (!isolated) expect(found.info.threads).toBe(1);
  expect(found.ticks).toBeGreaterThan(4); // a blocked page has none
  await expect.poll(() => page.workers().length).toBe(0);
  expect(said).toEqual([]);
  await page.close();
}

/** Runs a bundler's command line; gives what it said. */
function run(command: string, ...args: string[]): string {
  return execFileSync(join(BIN, command), args, {
    cwd: folder,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
}

const HOSTS = [
  ["isolated", ISOLATING],
  ["not isolated", {}],
] as const;

it("Node finds something to compare with", () => {
  expect(expected.length).toBeGreaterThan(0);
});

describe("esbuild --bundle --format=esm", () => {
  beforeAll(() => {
    const out = join(folder, "esbuild");
    mkdirSync(out);
    run("esbuild", "main.js", "--bundle", "--format=esm", "--outfile=esbuild/main.js", "--log-level=warning");
    writeFileSync(join(out, "index.html"), pageOf("/main.js"));
    mkdirSync(join(out, "pictures"));
    writeFileSync(join(out, PICTURE), readFileSync(join(folder, PICTURE)));
  });

  it("warns of nothing", () => {
    const args = [
      "main.js",
      "--bundle",
      "--format=esm",
      "--outfile=esbuild/again.js",
      "--log-level=warning",
      "--color=false",
    ];
    expect(
      execFileSync("sh", ["-c", `"$0" "$@" 2>&1`, join(BIN, "esbuild"), ...args], {
        cwd: folder,
        encoding: "utf8",
      }),
    ).toBe("");
  });

  it.each(HOSTS)("finds what Node finds, %s", async (title, headers) => {
    await findsWhatNodeFinds(await serve(join(folder, "esbuild"), headers), title === "isolated");
  });

  it("without the default model: under 300 KB minified, kernels, codecs and workers included", () => {
    run(
      "esbuild",
      "small.js",
      "--bundle",
      "--format=esm",
      "--minify",
      "--outfile=esbuild/small.js",
      "--log-level=warning",
    );
    const file = join(folder, "esbuild/small.js");
    const bytes = statSync(file).size;
    console.log(
      `browser bundle without model: ${bytes} bytes, ${gzipSync(readFileSync(file)).length} gzipped`,
    );
    expect(bytes).toBeLessThan(300_000);
  });
});

describe("vite build", () => {
  beforeAll(() => {
    const said = execFileSync("sh", ["-c", `"$0" build 2>&1`, join(BIN, "vite")], {
      cwd: folder,
      encoding: "utf8",
      env: { ...process.env, NO_COLOR: "1" },
    });
    // Of the model's size it has to speak; of nothing else.
    const warnings = said
      .split("\n")
      .filter(
        (line) =>
          /warn|\(!\)|externalized/i.test(line) && !/larger than 500 kB|chunkSizeWarningLimit/.test(line),
      );
    expect(warnings).toEqual([]);
    expect(existsSync(join(folder, "dist/index.html"))).toBe(true);
    mkdirSync(join(folder, "dist/pictures"));
    writeFileSync(join(folder, "dist", PICTURE), readFileSync(join(folder, PICTURE)));
  });

  it.each(HOSTS)("finds what Node finds, %s", async (title, headers) => {
    await findsWhatNodeFinds(await serve(join(folder, "dist"), headers), title === "isolated");
  });
});

describe("vite, the development server", () => {
  it("finds what Node finds", async () => {
    const child = spawn(join(BIN, "vite"), ["--port", "0", "--host", "127.0.0.1"], {
      cwd: folder,
      env: { ...process.env, NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      const url = await new Promise<string>((resolve, reject) => {
        let said = "";
        child.stdout.on("data", (data) => {
          said += data;
          const [address] = /http:\/\/127\.0\.0\.1:\d+/.exec(said) ?? [];
          if (address) resolve(address);
        });
        child.on("exit", () => reject(new Error(said)));
      });
      const { page } = await open(url);
      await page.waitForTimeout(1000); // it reloads the page when it has found new dependencies
      await page.waitForFunction(() => window.api !== undefined);
      const found = await page.evaluate(detectOnPage, { picture: PICTURE, imgsz: 320 });
      for (const detections of found.detections) expect(detections).toEqual(expected);
      await page.close();
    } finally {
      child.kill();
    }
  });
});

describe("a plain static host", () => {
  let isolated: string;
  let plain: string;

  beforeAll(async () => {
    writeFileSync(join(folder, "static.html"), staticPage());
    [isolated, plain] = await Promise.all([serve(folder, ISOLATING), serve(folder)]);
  });

  it.each(HOSTS)("finds what Node finds, %s", async (title) => {
    await findsWhatNodeFinds(`${title === "isolated" ? isolated : plain}/static.html`, title === "isolated");
  });

  it.each([1, 2, 3, 8])("%i threads give the same", async (threads) => {
    const { page } = await open(`${isolated}/static.html`);
    const found = await page.evaluate(detectOnPage, { picture: PICTURE, imgsz: 320, threads });
    expect(found.info.threads).toBe(threads);
    for (const detections of found.detections) expect(detections).toEqual(expected);
    await page.close();
  });

  it("fifteen detectors with threads, one after another, leave no worker behind", async () => {
    // Chromium kept workers of workers for ever, one detector in five, where their parent was ended right after them.
    const { page } = await open(`${isolated}/static.html`);
    await page.evaluate(async (picture) => {
      const bytes = await (await fetch(picture)).arrayBuffer();
      for (let i = 0; i < 15; i++) {
        const detector = await window.api.loadDetector({ model: window.api.codes, imgsz: 160, threads: 3 });
        await detector.detect(bytes);
        await detector.close();
      }
    }, PICTURE);
    await expect.poll(() => page.workers().length, { timeout: 5000 }).toBe(0);
    await page.close();
  });

  it("fetches weights from a URL object, and answers calls in order", async () => {
    const { page } = await open(`${plain}/static.html`);
    const found = await page.evaluate(async () => {
      const weights = new URL("/node_modules/mobiledetr/models/codes.f16.safetensors", location.href);
      const detector = await window.api.loadDetector({ imgsz: 320, weights });
      const blob = await (await fetch("/pictures/cat.jpg")).blob();
      const bytes = await blob.arrayBuffer();
      const order: string[] = [];
      const results = await Promise.all([
        detector.detect(blob).finally(() => order.push("blob")),
        detector.detect(bytes).finally(() => order.push("bytes")),
      ]);
      await detector.close();
      return { order, detections: results.map((result) => result.detections) };
    });
    expect(found).toEqual({ order: ["blob", "bytes"], detections: [expected, expected] });
    await page.close();
  });

  it("results have their views, draw and cut; files are refused; many, tiles, signals and transfer work", async () => {
    const { page, said } = await open(`${isolated}/static.html`);
    const found = await page.evaluate(async (picture) => {
      const phases = new Set<string>();
      const onProgress = ({ phase }: { phase: string }): void => void phases.add(phase);
      const detector = await window.api.loadDetector({ imgsz: 320, model: window.api.codes, onProgress });
      const blob = await (await fetch(picture)).blob();
      const results = await detector.detect(blob);
      const plotted = await results.plot();
      const crops = await results.crops({ gain: 1, pad: 0 });
      const refused = await results.save("a.png").catch((error: Error) => error.message);
      const bitmap = await createImageBitmap(blob);
      const moved = await detector.detect(bitmap, { transfer: true });
      const all: (number | string)[] = [];
      const pictures = [blob, new Blob(["none"]), await blob.arrayBuffer()];
      for await (const one of detector.detectAll(pictures, { onError: "yield" })) {
        all.push("error" in one ? "failed" : one.length);
      }
      const tiled = await detector.detectTiled(blob, { tile: 5000, merge: "none" });
      const controller = new AbortController();
      const call = detector.detect(blob, { signal: controller.signal }).catch((error: Error) => error.name);
      controller.abort();
      const aborted = await call;
      await detector.close();
      return {
        lines: results.toTxt().split("\n").length - 1,
        plotted: [plotted.width, plotted.height, plotted.data.length],
        crops: crops.length,
        refused,
        closed: bitmap.width,
        moved: moved.length,
        all,
        tiled: tiled.detections,
        aborted,
        phases: [...phases],
      };
    }, PICTURE);
    const n = expected.length;
    expect(found).toEqual({
      lines: n,
      plotted: [1082, 720, 1082 * 720 * 3],
      crops: n,
      refused: "a.png: expected plot(), which gives the pixels, got a path, which a browser cannot write",
      closed: 0,
      moved: n,
      all: [n, "failed", n],
      tiled: expected,
      aborted: "AbortError",
      phases: ["compile", "pack"],
    });
    expect(said).toEqual([]);
    await page.close();
  });

  it("takes what a canvas can draw", async () => {
    const { page } = await open(`${plain}/static.html`);
    const found = await page.evaluate(async () => {
      const detector = await window.api.loadDetector({ imgsz: 320, model: window.api.codes });
      const image = new Image();
      image.src = "/pictures/cat.jpg"; // still loading
      const early = await detector.detect(image);
      const canvas = document.createElement("canvas");
      canvas.width = image.naturalWidth;
      canvas.height = image.naturalHeight;
      const context = canvas.getContext("2d");
      context?.drawImage(image, 0, 0);
      const pixels = context?.getImageData(0, 0, canvas.width, canvas.height) as ImageData;
      const bitmap = await createImageBitmap(image);
      const frame = new VideoFrame(bitmap, { timestamp: 0 });
      const others = [image, canvas, pixels, bitmap, frame];
      const all = [early, ...(await Promise.all(others.map((other) => detector.detect(other))))];
      frame.close();
      await detector.close();
      return all.map(({ width, height, detections }) => [width, height, detections.map(({ name }) => name)]);
    });
    const names = expected.map(({ name }) => name);
    expect(found).toEqual(Array(6).fill([1082, 720, names]));
    await page.close();
  });

  it.each([
    ["no model", "argument", /import \{ codes \} from "mobiledetr\/models\/codes"/],
    ["a path as a picture", "file", /cat\.jpg: expected bytes, a Blob, or a URL object, got a path/],
    ["a URL that is not there", "file", /nowhere\.jpg: expected an answer of status 200, got 404/],
    ["weights by path", "file", /a\.safetensors: expected bytes, a Blob, or a URL object/],
    ["threads where memory is not shared", "argument", /COOP and COEP headers/],
    ["revectorize", "argument", /got a browser/],
    ["bytes of another kind", "format", /got HTML text/],
    ["a closed detector", "state", /one that was closed/],
    [
      "a worker that is not there",
      "state",
      /worker: expected a browser that starts it.*is it the worker\.js/,
    ],
  ])("%s is refused with code %s", async (title, code, message) => {
    const { page } = await open(`${plain}/static.html`);
    const got = await page.evaluate(
      async ([which, options]): Promise<Refusal> => {
        const { codes, loadDetector, MobileDetrError } = window.api;
        const small = { ...options, model: codes };
        const detect = async (image: Parameters<InstanceType<typeof window.api.Detector>["detect"]>[0]) => {
          const detector = await loadDetector(small);
          return detector.detect(image).finally(() => detector.close());
        };
        const attempts: Record<string, () => Promise<unknown>> = {
          "no model": () => loadDetector(),
          "a path as a picture": () => detect("/pictures/cat.jpg"),
          "a URL that is not there": () => detect(new URL("/nowhere.jpg", location.href)),
          "weights by path": () => loadDetector({ weights: "/a.safetensors" }),
          "threads where memory is not shared": () => loadDetector({ ...small, threads: 2 }),
          revectorize: () => loadDetector({ ...small, revectorize: true }),
          "bytes of another kind": () => detect(new TextEncoder().encode("<html></html>")),
          "a closed detector": async () => {
            const detector = await loadDetector(small);
            await detector.close();
            await detector.detect(new Uint8Array(4));
          },
          "a worker that is not there": () =>
            loadDetector({ ...small, workerUrl: new URL("/nowhere.js", location.href).href }),
        };
        try {
          await attempts[which]();
          return { code: "none", message: "" };
        } catch (error) {
          const { message } = error as Error;
          return { code: error instanceof MobileDetrError ? error.code : undefined, message };
        }
      },
      [title, SMALL] as const,
    );
    expect(got).toEqual({ code, message: expect.stringMatching(message) });
    await expect.poll(() => page.workers().length).toBe(0);
    await page.close();
  });

  it("the thread's death refuses the calls under way, and the next call starts another", async () => {
    const { page } = await open(`${plain}/static.html`);
    const got = await page.evaluate(async (options) => {
      const terminated: Worker[] = [];
      const Original = window.Worker;
      window.Worker = class extends Original {
        constructor(...args: ConstructorParameters<typeof Original>) {
          super(...args);
          terminated.push(this);
        }
      };
      const detector = await window.api.loadDetector({ ...options, model: window.api.codes });
      const bytes = await (await fetch("/pictures/cat.jpg")).arrayBuffer();
      const call = detector.detect(bytes).then(
        () => "none",
        (error: Error) => error.message,
      );
      terminated[0].dispatchEvent(new ErrorEvent("error", { message: "planted", cancelable: true }));
      const message = await call;
      const again = await detector.detect(bytes);
      await detector.close();
      return { message, width: again.width, workers: terminated.length };
    }, SMALL);
    expect(got).toEqual({
      message: expect.stringMatching(/its end: planted \(call again/),
      width: 1082,
      workers: 2,
    });
    await expect.poll(() => page.workers().length).toBe(0);
    await page.close();
  });
});

describe("a Content-Security-Policy", () => {
  const strict =
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; img-src data:";

  async function attempt(policy: string, workerUrl?: string): Promise<Refusal & { found: number }> {
    // An import map would be an inline script: the program is esbuild's.
    const url = await serve(join(folder, "esbuild"), { "Content-Security-Policy": policy, ...ISOLATING });
    const { page } = await open(url);
    const got = await page.evaluate(
      async ([options, script]) => {
        const { codes, loadDetector, MobileDetrError } = window.api;
        try {
          const workerUrl = script && new URL(script, location.href).href;
          const detector = await loadDetector({
            ...options,
            imgsz: 320,
            threads: 2,
            model: codes,
            workerUrl,
          });
          const bytes = await (await fetch("/pictures/cat.jpg")).arrayBuffer();
          const { detections } = await detector.detect(bytes);
          await detector.close();
          return { code: undefined, message: "", found: detections.length };
        } catch (error) {
          const { message } = error as Error;
          return { code: error instanceof MobileDetrError ? error.code : undefined, message, found: -1 };
        }
      },
      [SMALL, workerUrl] as const,
    );
    await page.close();
    return got;
  }

  it("that forbids blob: workers is told so", async () => {
    const got = await attempt(`${strict}; worker-src 'self'`);
    expect(got).toMatchObject({
      code: "state",
      message: expect.stringMatching(/worker-src blob:.*workerUrl/),
    });
  });

  it("that forbids blob: workers is obeyed with workerUrl: nothing else is needed", async () => {
    cpSync(join(folder, "node_modules/mobiledetr/dist/browser"), join(folder, "esbuild/lib"), {
      recursive: true,
    });
    expect(await attempt(`${strict}; worker-src 'self'`, "/lib/worker.js")).toMatchObject({
      found: expected.length,
    });
  });

  it("that allows blob: workers, and evaluates no strings, is enough otherwise", async () => {
    expect(await attempt(`${strict}; worker-src blob:`)).toMatchObject({ found: expected.length });
  });
});
