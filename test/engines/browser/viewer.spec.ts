/**
 * The page that looks inside a run, built, in headless Chromium, from a plain static host: its numbers are Node's, its arithmetic
 * sums to them, its links bring back what was shown, and nothing leaves the host.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodeImage } from "../../../dist/image/index.js";
import { Pipeline } from "../../../dist/index.js";
import { recordTrace, type TracedTensor } from "../../../dist/inspect/index.js";
import { launch } from "./chromium.ts";
import { ISOLATING, type StaticServer, serveFolder } from "./serve.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const IMGSZ = 320;
const PAGE = "/dist/viewer/index.html";
const CONV = "model.0.layer1.convbn_0.conv";
const NORM = "model.0.layer1.convbn_0.BatchNorm2d";
const ACTIVATION = "model.0.layer1.convbn_0.Activation";

let browser: Browser;
let host: StaticServer;
let isolated: StaticServer;
let trace: ReadonlyMap<string, TracedTensor>;
/** The best class score of each query. */
let scores: number[];
let page: Page;
const said: string[] = [];
const asked: string[] = [];

beforeAll(async () => {
  host = await serveFolder(ROOT);
  isolated = await serveFolder(ROOT, ISOLATING);
  browser = await launch();
  const pipeline = new Pipeline({ fuse: false, imgsz: IMGSZ, threads: 1 });
  const input = pipeline.preprocess(decodeImage(readFileSync(`${ROOT}dist/viewer/sample.jpg`)));
  const recorded = recordTrace(pipeline.model as never, () => pipeline.model.call(input));
  trace = recorded.trace;
  const { shape, data } = numbersOf("model.19.0");
  scores = Array.from({ length: shape[1] }, (_, q) =>
    Math.max(...data.subarray(q * shape[2] + 4, (q + 1) * shape[2])),
  );
  await pipeline.close();
  page = await open(host, `#view=boxes&size=${IMGSZ}`);
});
afterAll(async () => {
  await browser?.close();
  await host?.close();
  await isolated?.close();
});

function numbersOf(name: string): TracedTensor {
  const found = trace.get(name);
  if (!found) throw new Error(`no ${name} in the trace: ${[...trace.keys()].slice(0, 20).join(", ")}`);
  return found;
}

/** A number of Node's run. */
function at(name: string, ...index: readonly number[]): number {
  const { shape, data } = numbersOf(name);
  return data[index.reduce((flat, i, axis) => flat * shape[axis] + i, 0)];
}

/** The page with its first run behind it. What it says and asks for is kept. */
async function open(server: StaticServer, hash: string, search = ""): Promise<Page> {
  const opened = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  opened.on("console", (message) => said.push(message.text()));
  opened.on("pageerror", (error) => said.push(String(error)));
  opened.on("request", (request) => asked.push(request.url()));
  await opened.goto(`${server.url}${PAGE}${search}${hash}`);
  await opened.waitForFunction(() => document.body.dataset.ready !== undefined);
  return opened;
}

/** Follows a link of the page's own. */
async function follow(hash: string): Promise<void> {
  await page.evaluate((to) => {
    location.hash = to;
  }, `${hash}&size=${IMGSZ}`);
}

/** The probe's number at a cell of a layer's map, once the page shows that cell. */
async function probe(on: Page, index: readonly number[]): Promise<number> {
  const text = `[${index.join(", ")}] = `;
  await on.waitForFunction(
    (start) => document.querySelector("#probe")?.textContent?.startsWith(start) === true,
    text,
  );
  return Number(await on.getAttribute("#probe", "data-value"));
}

/** What the arithmetic of an element comes to. */
async function arithmetic(
  index: readonly number[],
): Promise<{ stored: number; value: number; total: number; terms: number }> {
  await page.waitForFunction(
    (key) => document.querySelector<HTMLElement>("#why")?.dataset.index === key,
    index.join(),
  );
  return page.evaluate(() => {
    const why = document.querySelector<HTMLElement>("#why");
    const { stored, value, total } = why?.dataset ?? {};
    return {
      stored: Number(stored),
      value: Number(value),
      total: Number(total),
      terms: why?.querySelectorAll(".terms li").length ?? 0,
    };
  });
}

describe("numbers", () => {
  it.each([
    [CONV, 5, 10, 11],
    [NORM, 0, 79, 79],
    ["model.2", 100, 3, 9],
    ["model.12", 17, 20, 39],
  ])("the probe on %s says what Node computes, bit for bit", async (layer, channel, row, column) => {
    await follow(`#view=maps&layer=${layer}&channel=${channel}&cell=${row},${column}`);
    expect(await probe(page, [0, channel, row, column])).toBe(at(layer, 0, channel, row, column));
  });

  it("are the same with threads, and where tensors are not kept but computed again", async () => {
    for (const [server, search] of [
      [isolated, ""],
      [host, "?budget=3"],
    ] as const) {
      const other = await open(
        server,
        `#view=maps&layer=model.12&channel=17&cell=20,39&size=${IMGSZ}`,
        search,
      );
      expect(await probe(other, [0, 17, 20, 39])).toBe(at("model.12", 0, 17, 20, 39));
      const status = await other.textContent("#status");
      if (search) expect(status).toContain("computed again when asked for");
      await other.close();
    }
  });

  it("move with the keyboard, cell by cell", async () => {
    await follow(`#view=maps&layer=${CONV}&channel=2&cell=4,4`);
    await probe(page, [0, 2, 4, 4]);
    await page.focus("#map");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("PageDown");
    expect(await probe(page, [0, 3, 5, 5])).toBe(at(CONV, 0, 3, 5, 5));
    expect(page.url()).toContain("channel=3&");
    expect(page.url()).toContain("cell=5,5");
  });
});

describe("why", () => {
  // Double precision against sums of single precision: of up to 3 * 3 * 32 products, and of 8 heads x 100 tokens.
  const NEAR = 5; // decimals, of numbers of a size about 1

  it.each([
    ["a convolution", CONV, 5, 10, 11],
    ["a batch norm", NORM, 7, 30, 31],
  ])("the summands of %s come to the stored number", async (_what, layer, channel, row, column) => {
    await follow(`#view=maps&layer=${layer}&channel=${channel}&cell=${row},${column}`);
    const { stored, total, value, terms } = await arithmetic([0, channel, row, column]);
    expect(stored).toBe(at(layer, 0, channel, row, column));
    expect(total).toBeCloseTo(stored, NEAR);
    expect(value).toBeCloseTo(stored, NEAR);
    expect(terms).toBeGreaterThan(1);
  });

  it("an activation's number is the function of the one number before it, a click away", async () => {
    await follow(`#view=maps&layer=${ACTIVATION}&channel=7&cell=30,31`);
    const { stored, value, total } = await arithmetic([0, 7, 30, 31]);
    expect(stored).toBe(at(ACTIVATION, 0, 7, 30, 31));
    expect(value).toBe(stored);
    expect(Math.min(Math.max(total, 0), 6)).toBe(stored);
    await page.click("#why .terms button");
    const before = await arithmetic([0, 7, 30, 31]);
    expect(page.url()).toContain(`layer=${NORM}`);
    expect(before.stored).toBe(at(NORM, 0, 7, 30, 31));
  });

  it("what heads and tokens of an attention add comes to its output", async () => {
    await follow("#view=maps&layer=model.2.ma&cell=42,17");
    const { stored, total } = await arithmetic([0, 42, 17]);
    expect(stored).toBe(at("model.2.ma", 0, 42, 17));
    expect(total).toBeCloseTo(stored, NEAR);
  });

  it("takes an index that is typed, and refuses one that is none", async () => {
    await follow(`#view=maps&layer=${CONV}&channel=0&cell=0,0`);
    await probe(page, [0, 0, 0, 0]);
    await page.fill("#index", "0, 4, 9, 8");
    await page.press("#index", "Enter");
    expect((await arithmetic([0, 4, 9, 8])).stored).toBe(at(CONV, 0, 4, 9, 8));
    await page.fill("#index", "0, 4, 9, 999");
    await page.press("#index", "Enter");
    expect(
      await page.evaluate(() => document.querySelector<HTMLInputElement>("#index")?.validity.valid),
    ).toBe(false);
  });

  it("leads from a block to the part that made its number", async () => {
    await follow("#view=maps&layer=model.0.layer1&channel=3&cell=8,8");
    await arithmetic([0, 3, 8, 8]);
    await page.click("#origin");
    await page.waitForFunction(() => location.hash.includes("layer=model.0.layer1."));
    expect(await probe(page, [0, 3, 8, 8])).toBe(at("model.0.layer1", 0, 3, 8, 8));
  });
});

describe("the grid of maps", () => {
  /** What a plane is sorted by. */
  function momentsOf(name: string): { mean: number; variance: number }[] {
    const { shape, data } = numbersOf(name);
    const size = shape[2] * shape[3];
    return Array.from({ length: shape[1] }, (_, plane) => {
      const own = [...data.subarray(plane * size, (plane + 1) * size)];
      const mean = own.reduce((sum, x) => sum + x, 0) / size;
      return { mean, variance: own.reduce((sum, x) => sum + (x - mean) ** 2, 0) / size };
    });
  }
  const planes = (): Promise<(string | null)[]> =>
    page.locator(".tile").evaluateAll((tiles) => tiles.map((tile) => tile.getAttribute("data-plane")));

  it.each(["mean", "variance"] as const)("is sorted by %s, and every tile says what it is", async (order) => {
    await follow(`#view=maps&layer=model.0.layer2&order=${order}`);
    const moments = momentsOf("model.0.layer2");
    const sorted = [...moments.keys()].sort((a, b) => moments[b][order] - moments[a][order]);
    await expect.poll(planes).toEqual(sorted.slice(0, 64).map(String));
    await page.waitForFunction(() =>
      [...document.querySelectorAll(".tile")].every((tile) => tile.ariaLabel?.includes("deviation")),
    );
  });

  it("is painted to its end: what is in sight at once, the rest after it, and what more is asked for", async () => {
    const blank = (): Promise<number> =>
      page.locator(".tile canvas").evaluateAll(
        (tiles) =>
          (tiles as HTMLCanvasElement[]).filter((tile) => {
            const [, , , alpha] = tile.getContext("2d")?.getImageData(0, 0, 1, 1).data ?? [];
            return alpha !== 255;
          }).length,
      );
    await follow("#view=maps&layer=model.0.layer3.uib_0._expand_conv.conv");
    await expect.poll(async () => (await planes()).length).toBe(64);
    await expect.poll(blank).toBe(0);
    await page.click("text=Show all 192");
    await expect.poll(async () => (await planes()).length).toBe(192);
    await expect.poll(blank).toBe(0);
  });

  it("moves with the keyboard", async () => {
    await follow("#view=maps&layer=model.0.layer2&channel=5");
    await page.focus(".tile[data-plane='5']");
    await page.keyboard.press("ArrowRight");
    expect(page.url()).toContain("channel=6");
    expect(await page.evaluate(() => (document.activeElement as HTMLElement).dataset.plane)).toBe("6");
  });
});

describe("boxes", () => {
  it("are as many as queries score above the threshold, which moves them live", async () => {
    await follow("#view=boxes");
    await page.waitForSelector("#threshold");
    for (const threshold of [0.4, 0.1, 0.9]) {
      await page.evaluate((to) => {
        const input = document.querySelector<HTMLInputElement>("#threshold");
        if (!input) return;
        input.value = String(to);
        input.dispatchEvent(new Event("input", { bubbles: true }));
      }, threshold);
      const expected = scores.filter((score) => score > threshold).length;
      await expect.poll(() => page.getAttribute("#box-count", "data-count")).toBe(String(expected));
    }
    expect(scores.filter((score) => score > 0.1).length).toBeGreaterThan(
      scores.filter((score) => score > 0.4).length,
    );
  });

  it("tell of a query its scores, and the points that a layer read", async () => {
    await follow("#view=boxes&query=3&stage=2&conf=0.3");
    await page.waitForFunction(() => document.querySelector(".query h2")?.textContent === "Query 3");
    expect(await page.textContent(".query")).toContain("96 points were read");
    const shown = await page.locator(".scores .score").allTextContents();
    expect(Math.max(...shown.map(Number))).toBeCloseTo(scores[3], 4); // four decimals are shown
  });
});

describe("links and keys", () => {
  it("an address brings back view, layer, channel and cell in a new page", async () => {
    const other = await open(
      host,
      `#view=maps&layer=model.0.layer2&order=variance&channel=9&cell=2,3&size=${IMGSZ}`,
    );
    expect(await probe(other, [0, 9, 2, 3])).toBe(at("model.0.layer2", 0, 9, 2, 3));
    expect(await other.getAttribute("[role=tab][aria-selected=true]", "data-view")).toBe("maps");
    expect(await other.getAttribute("[role=treeitem][aria-selected=true]", "data-path")).toBe(
      "model.0.layer2",
    );
    expect(await other.getAttribute(".tile[aria-selected=true]", "data-plane")).toBe("9");
    expect(await other.inputValue("#order")).toBe("variance");
    await other.close();
  });

  it("attention and the rank of a query, too", async () => {
    await follow("#view=attention&attn=model.19.decoder.layers.1.self_attn&head=2&token=7");
    await page.waitForFunction(
      () => document.querySelector(".stage h2")?.textContent === "Head 2, from token 7",
    );
    await follow("#view=queries&query=12");
    await page.waitForFunction(() =>
      document.querySelector("#token-text")?.textContent?.startsWith("Rank 12:"),
    );
    const index = await page.textContent("#margin");
    expect(index).toMatch(/a margin of [\d.e-]+\./);
  });

  it("arrows walk and open the tree, Enter chooses, and the search finds", async () => {
    await follow("#view=layer&layer=model.0");
    const focused = (): Promise<string | undefined> =>
      page.evaluate(() => (document.activeElement as HTMLElement).dataset.path);
    await page.focus("[role=treeitem][data-path='model.0']");
    expect(await page.getAttribute("[role=treeitem][data-path='model.1']", "aria-level")).toBe("2");
    await page.keyboard.press("End");
    await page.keyboard.press("ArrowRight"); // the head, shut until now
    await page.keyboard.press("ArrowRight");
    expect(await focused()).toBe("model.19.input_proj.0");
    await page.keyboard.press("ArrowLeft");
    expect(await focused()).toBe("model.19");
    await page.keyboard.press("Enter");
    expect(page.url()).toContain("layer=model.19&");
    await page.waitForFunction(() =>
      document.querySelector(".path")?.textContent?.startsWith("model.19 RTDETRDecoder"),
    );
    await page.fill("#search", "cross_attn");
    await page.press("#search", "Enter");
    expect(await focused()).toBe("model.19.decoder.layers.0.cross_attn");
    await page.fill("#search", "");
  });

  it("the way back leads to the layer before", async () => {
    await follow("#view=layer&layer=model.1");
    await page.waitForFunction(() => document.querySelector(".path")?.textContent?.startsWith("model.1 "));
    await page.click("[aria-label='Next layer']");
    await page.waitForFunction(() =>
      document.querySelector(".path")?.textContent?.startsWith("model.1.conv"),
    );
    await page.goBack();
    await page.waitForFunction(() => document.querySelector(".path")?.textContent?.startsWith("model.1 "));
  });
});

it("fits a phone, where the network is a view of its own", async () => {
  await page.setViewportSize({ width: 390, height: 800 });
  for (const view of ["boxes", "queries", "layer", "maps", "attention", "network"]) {
    await follow(`#view=${view}&layer=${CONV}`);
    await page.waitForFunction((own) => document.body.dataset.view === own, view);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
    expect(await page.isVisible("#tree")).toBe(view === "network");
  }
});

it("nothing was asked of another host, and nothing was complained of", () => {
  const own = [host.url, isolated.url];
  const others = asked.filter(
    (url) => !url.startsWith("data:") && !own.some((start) => url.startsWith(`${start}/`)),
  );
  expect(others).toEqual([]);
  expect(asked.length).toBeGreaterThan(10);
  expect(said).toEqual([]);
});
