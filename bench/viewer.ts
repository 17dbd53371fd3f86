/**
 * How long the page that looks inside a run (dist/viewer) takes to show a layer's maps: from the change of the address to the frame
 * that shows all tiles in sight, in headless Chromium, with one thread.
 *
 *   npx tsx bench/viewer.ts [FOLDER ...] [--size 640] [--rounds 5] [--layers 4] [--pause 300] [--window 1440x900]
 *
 * FOLDER is a built package, by default this one; several are visited in turn. Each round is a new page: what it is asked for first is
 * told apart, for then its code is cold. Of each size of maps --layers are visited, one of each size in turn, none twice. Needs a
 * Chromium, and `node test/engines/install.mjs`. Exit codes: 0 done, 2 wrong usage.
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { fail } from "../src/errors.ts";
import { attempt, whole } from "./arguments.ts";
import { checkBuild } from "./build.ts";
import { describeMachine } from "./report.ts";
import { quantile } from "./statistics.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const BROWSER = new URL("../test/engines/browser/", import.meta.url).href;
const GOAL_MS = 100; // what is shown within a tenth of a second seems to be there at once
const PAGE = "/dist/viewer/index.html";

interface Options {
  readonly folders: readonly string[];
  readonly size: number;
  readonly rounds: number;
  readonly layers: number;
  readonly pause: number;
  readonly window: { readonly width: number; readonly height: number };
}

/** What this needs of playwright-core, which only the engines' tests install. */
interface Browser {
  newPage(options: { viewport: Options["window"] }): Promise<Page>;
  close(): Promise<void>;
}
interface Page {
  addInitScript(script: { path: string }): Promise<void>;
  goto(url: string): Promise<unknown>;
  waitForSelector(selector: string): Promise<unknown>;
  evaluate<T>(script: string): Promise<T>;
  close(): Promise<void>;
}
interface Server {
  readonly url: string;
  close(): Promise<void>;
}

function readOptions(): Options {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      size: { type: "string", default: "640" },
      rounds: { type: "string", default: "5" },
      layers: { type: "string", default: "4" },
      pause: { type: "string", default: "300" },
      window: { type: "string", default: "1440x900" },
    },
  });
  const [, width, height] = /^(\d+)x(\d+)$/.exec(values.window) ?? [];
  if (!width) fail("argument", "--window", "WIDTHxHEIGHT", values.window);
  return {
    folders: positionals.length > 0 ? positionals : [ROOT],
    size: whole("--size", values.size, 1),
    rounds: whole("--rounds", values.rounds, 1),
    layers: whole("--layers", values.layers, 1),
    pause: whole("--pause", values.pause, 0),
    window: { width: Number(width), height: Number(height) },
  };
}

/** Paths of layers that give maps and have none within, whose output would be the same, `most` of a shape; the largest shapes first. */
async function layersByShape(size: number, most: number): Promise<ReadonlyMap<string, readonly string[]>> {
  const of = <T>(file: string): Promise<T> => import(new URL(`../dist/${file}`, import.meta.url).href);
  const { Pipeline } = await of<typeof import("../src/index.ts")>("index.js");
  const { decodeImage } = await of<typeof import("../src/image/index.ts")>("image/index.js");
  const { recordTrace } = await of<typeof import("../src/inspect/index.ts")>("inspect/index.js");
  const pipeline = new Pipeline({ fuse: false, imgsz: size, threads: 1 });
  const input = pipeline.preprocess(decodeImage(readFileSync(`${ROOT}dist/viewer/sample.jpg`)));
  const { trace } = recordTrace(pipeline.model as never, () => pipeline.model.call(input));
  await pipeline.close();
  const shapes = new Map<string, { numbers: number; paths: string[] }>();
  for (const [path, { shape, data }] of trace) {
    const within = [...trace.keys()].some((other) => other.startsWith(`${path}.`));
    if (shape.length !== 4 || within) continue;
    const name = shape.slice(1).join(" x ");
    const group = shapes.get(name) ?? { numbers: data.length, paths: [] };
    shapes.set(name, group);
    if (group.paths.length < most) group.paths.push(path);
  }
  const sorted = [...shapes].sort(([, a], [, b]) => b.numbers - a.numbers);
  return new Map(sorted.map(([name, { paths }]) => [name, paths]));
}

/** A fresh page's times, by path. */
async function visit(
  browser: Browser,
  { url }: Server,
  paths: readonly string[],
  { size, window, pause }: Options,
): Promise<Map<string, number>> {
  const page = await browser.newPage({ viewport: window });
  await page.addInitScript({ path: fileURLToPath(new URL("viewer-page.mjs", import.meta.url)) });
  await page.goto(`${url}${PAGE}#view=boxes&size=${size}`);
  await page.waitForSelector("body[data-ready]");
  const times = new Map<string, number>();
  for (const path of paths) {
    const hash = `#view=maps&layer=${path}&size=${size}`;
    const asked = `window.timeMaps(${JSON.stringify(hash)}, ${JSON.stringify(path)})`;
    times.set(path, await page.evaluate<number>(asked));
    await setTimeout(pause);
  }
  await page.close();
  return times;
}

function line(name: string, samples: readonly (readonly number[])[]): void {
  const cells = samples.map((ms) => `${quantile(ms, 0.5).toFixed(0)}, ${Math.max(...ms).toFixed(0)}`);
  console.log(`| ${[name, ...cells].join(" | ")} |`);
}

async function main(): Promise<number> {
  const options = attempt(() => {
    const read = readOptions();
    checkBuild();
    return read;
  });
  if (!options) return 2;
  const { folders, size, rounds, layers } = options;
  const { launch } = (await import(`${BROWSER}chromium.ts`)) as { launch(): Promise<Browser> };
  const { serveFolder } = (await import(`${BROWSER}serve.ts`)) as {
    serveFolder(folder: string): Promise<Server>;
  };
  const shapes = await layersByShape(size, layers);
  const order = Array.from({ length: layers }, (_, i) =>
    [...shapes.values()].flatMap((paths) => paths[i] ?? []),
  ).flat();
  const { cpu, processors, system, load } = describeMachine();
  console.log(
    `${cpu}, ${processors} processors, ${system}; load ${load.toFixed(2)} before. Maps at ${size}, one thread, ${rounds} rounds, each a\n` +
      "new page. Milliseconds from the change of the address to the frame with all tiles in sight: median, worst.\n",
  );
  const servers = await Promise.all(folders.map((folder) => serveFolder(resolve(folder))));
  const browser = await launch();
  const times: Map<string, number>[][] = folders.map(() => []);
  for (let round = 0; round < rounds; round++)
    for (const [i, server] of servers.entries()) times[i].push(await visit(browser, server, order, options));
  await browser.close();
  for (const server of servers) await server.close();
  console.log(`| maps | ${folders.map((folder) => pathToFileURL(resolve(folder)).pathname).join(" | ")} |`);
  console.log(`|---|${"---|".repeat(folders.length)}`);
  const timesOf = (paths: readonly string[]): number[][] =>
    times.map((all) => all.flatMap((one) => paths.map((path) => one.get(path) ?? Number.NaN)));
  line(`${order[0]}, the first`, timesOf(order.slice(0, 1)));
  for (const [name, paths] of shapes) {
    const others = paths.filter((path) => path !== order[0]);
    if (others.length > 0) line(name, timesOf(others));
  }
  line("all but the first", timesOf(order.slice(1)));
  const late = timesOf(order).map((all) => `${all.filter((ms) => ms > GOAL_MS).length} of ${all.length}`);
  console.log(`| later than ${GOAL_MS} ms | ${late.join(" | ")} |`);
  return 0;
}

process.exitCode = await main();
