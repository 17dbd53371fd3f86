/** The page's map, comparison, lesson and other networks, built, in headless Chromium. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodeImage } from "../../../dist/image/index.js";
import { Pipeline } from "../../../dist/index.js";
import { lineageOf, receptiveField, recordTrace, type TracedTensor } from "../../../dist/inspect/index.js";
import { parseModelConfig, RTDETRDetectionModel } from "../../../dist/models/index.js";
import { type SafetensorsTensor, seededTensor, writeSafetensors } from "../../../dist/weights/index.js";
import { launch } from "./chromium.ts";
import { type StaticServer, serveFolder } from "./serve.ts";
import { openViewer, ranAgain, runOf } from "./viewer-page.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const IMGSZ = 320;
const SIZE = `size=${IMGSZ}`;

let browser: Browser;
let host: StaticServer;
let page: Page;
let trace: ReadonlyMap<string, TracedTensor>;
let images: Float32Array;
const said: string[] = [];
const folder = mkdtempSync(join(tmpdir(), "viewer-"));

beforeAll(async () => {
  host = await serveFolder(ROOT);
  browser = await launch();
  const pipeline = new Pipeline({ fuse: false, imgsz: IMGSZ, threads: 1 });
  const input = pipeline.preprocess(decodeImage(readFileSync(`${ROOT}dist/viewer/sample.jpg`)));
  images = input.toFloat32Array();
  trace = recordTrace(pipeline.model as never, () => pipeline.model.call(input)).trace;
  await pipeline.close();
  page = await openViewer(browser, host, `#view=graph&${SIZE}`, { said });
});
afterAll(async () => {
  await browser?.close();
  await host?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function follow(hash: string): Promise<void> {
  await page.evaluate((to) => {
    location.hash = to;
  }, `${hash}&${SIZE}`);
}

/** A file that the reader may open: playwright takes no large ones from memory. */
function file(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

function traceBytes(
  change: (name: string, data: Float32Array) => Float32Array = (_name, data) => data,
): Uint8Array {
  const tensors = [...trace].map(
    ([name, { shape, data }]) => [name, { dtype: "F32", shape, data: change(name, data.slice()) }] as const,
  );
  return writeSafetensors([
    ["images", { dtype: "F32", shape: [1, 3, IMGSZ, IMGSZ], data: images }],
    ...(tensors as (readonly [string, SafetensorsTensor])[]),
  ]);
}

const boxAt = (path: string): string => `.box[data-path='${path}']`;

describe("the map", () => {
  it("unfolds and folds by the mouse; the address says what is open, and a new page shows it", async () => {
    await follow("#view=graph&open=&layer=model.1");
    await page.waitForSelector(boxAt("model.0"));
    expect(await page.locator(".box.call").count()).toBe(20);
    await page.click(boxAt("model.2"));
    expect(await page.textContent(".graph-card .path")).toContain("model.2 AIFI");
    await page.click(boxAt("model.2"));
    await page.waitForSelector(boxAt("model.2.ma"));
    expect(await page.locator(".frame").count()).toBe(1);
    expect(await page.locator(".box.operator").allTextContents()).toEqual(["+", "+", "gelu", "+"]);
    expect(page.url()).toContain("open=model.2&");
    const other = await openViewer(browser, host, new URL(page.url()).hash);
    await other.waitForSelector(boxAt("model.2.ma"));
    await other.close();
    await page.click(".frame-head [data-fold]");
    await page.waitForSelector(boxAt("model.2"));
    expect(await page.locator(".frame").count()).toBe(0);
  });

  it("has the shape of the data on every line, and marks those of what is chosen", async () => {
    await follow("#view=graph&open=&layer=model.6");
    await page.waitForSelector(`${boxAt("model.6")}.chosen`);
    const shapes = await page.locator(".edge").allTextContents();
    expect(shapes).toHaveLength(26);
    expect(shapes.slice(0, 2)).toEqual(["3×320×320", "128×10×10"]);
    expect(await page.locator(".flow.near").count()).toBe(3); // two come in, one goes out
  });

  it("is coloured by what the reader chooses: deepest where most is spent", async () => {
    await follow("#view=graph&open=&layer=model.6");
    for (const [bar, most] of [
      ["multiplyAdds", "model.0"],
      ["bytes", "model.11"],
    ]) {
      await page.selectOption("#graph-bar", bar);
      const shares = await page
        .locator(".box.call")
        .evaluateAll((boxes) =>
          boxes.map(
            (box) => [(box as HTMLElement).dataset.path, Number((box as HTMLElement).dataset.share)] as const,
          ),
        );
      const [path, share] = [...shares].sort((a, b) => b[1] - a[1])[0];
      expect([path, share]).toEqual([most, 1]);
      expect(new Map(shares).get("model.6")).toBe(bar === "multiplyAdds" ? 0 : 0.5);
    }
    await page.selectOption("#graph-bar", "multiplyAdds");
  });

  it("goes by the keyboard: down, unfold, choose, fold", async () => {
    await follow("#view=graph&open=&layer=model.1");
    await page.waitForSelector(`${boxAt("model.1")}.chosen`);
    await page.focus(boxAt("model.1"));
    const focused = (): Promise<string | undefined> =>
      page.evaluate(() => (document.activeElement as HTMLElement | null)?.dataset.path);
    await page.keyboard.press("ArrowDown");
    expect(await focused()).toBe("model.2");
    await page.keyboard.press("ArrowRight");
    await page.waitForSelector(boxAt("model.2.ma"));
    expect(await focused()).toBe("model.2");
    await page.keyboard.press("ArrowDown");
    expect(await focused()).toBe("model.2.ma");
    await page.keyboard.press("Enter");
    expect(page.url()).toContain("layer=model.2.ma");
    await page.keyboard.press("ArrowLeft");
    await page.waitForSelector(boxAt("model.2"));
    expect(await focused()).toBe("model.2");
    await page.click("#graph-maps");
    await page.waitForSelector(".maps");
    expect(page.url()).toContain("view=maps&layer=model.2");
  });
});

describe("why, for every kind of layer", () => {
  it("sums to the number that the page shows, or leads to the part that made it", async () => {
    const pipeline = new Pipeline({ fuse: false, imgsz: IMGSZ, threads: 1 });
    const lineage = lineageOf(pipeline.model as never, [1, 3, IMGSZ, IMGSZ]);
    await pipeline.close();
    const kinds = new Map(
      lineage.calls.map(({ kind, path, outputs }) => [kind, { path, shape: outputs[0]?.shape ?? [] }]),
    );
    expect(kinds.size).toBe(23); // of the default network
    const led: string[] = [];
    for (const [kind, { path, shape }] of kinds) {
      if (path === "") continue; // the model itself gives the head's
      const index = shape.map((size) => Math.floor(size / 2));
      const flat = index.slice(0, -2).reduce((n, i, axis) => n * shape[axis] + i, 0);
      await follow(`#view=maps&layer=${path}&channel=${flat}&cell=${index.slice(-2)}`);
      await page.waitForFunction(
        ([layer, key]) =>
          document.querySelector(".layer-head .path")?.textContent?.startsWith(`${layer} `) &&
          document.querySelector<HTMLElement>("#why")?.dataset.index === key,
        [path, index.join()],
      );
      const { stored, value, total, origin } = await page.evaluate(() => {
        const why = document.querySelector<HTMLElement>("#why");
        const data = why?.dataset ?? {};
        return {
          stored: Number(data.stored),
          value: data.value === "" ? undefined : Number(data.value),
          total: Number(data.total),
          origin: document.querySelector("#origin")?.textContent ?? undefined,
        };
      });
      expect(await page.getAttribute("#probe", "data-value"), kind).toBe(String(stored));
      if (value === undefined) {
        expect(origin, kind).toBeDefined();
        led.push(kind);
      } else {
        // Double precision against single: of sums of up to 1,152 products of a size about 1.
        expect(Math.abs(value - stored), kind).toBeLessThan(2e-4 * Math.max(1, Math.abs(stored)));
        expect(Number.isFinite(total), kind).toBe(true);
      }
    }
    expect(led).toContain("RepC3");
    expect(led).not.toContain("Conv2d");
  });
});

describe("the receptive field", () => {
  it("under the arithmetic is what the graph says, and the whole picture behind attention", async () => {
    const pipeline = new Pipeline({ fuse: false, imgsz: IMGSZ, threads: 1 });
    const lineage = lineageOf(pipeline.model as never, [1, 3, IMGSZ, IMGSZ]);
    await pipeline.close();
    for (const [layer, cell] of [
      ["model.0.layer2", [7, 30]],
      ["model.12", [3, 3]],
    ] as const) {
      await follow(`#view=maps&layer=${layer}&channel=1&cell=${cell}`);
      const n = lineage.calls.findIndex(({ path }) => path === layer);
      const field = receptiveField(lineage, n, 0, [0, 1, ...cell]);
      const expected = [...(field?.rows ?? []), ...(field?.columns ?? [])].join();
      await expect.poll(() => page.getAttribute("#field", "data-field")).toBe(expected);
    }
    expect(await page.textContent(".regions")).toContain("the whole picture");
  });
});

describe("the comparison", () => {
  it("with a trace runs on its images; the first that is apart is found, with its place and both numbers", async () => {
    // One channel of one layer is off, and nothing behind it: as if that layer's test had failed.
    const at = 5 * 40 * 40 + 17 * 40 + 3;
    const changed = traceBytes((name, data) => {
      if (name === "model.0.layer2.convbn_1.conv") data[at] += 0.25;
      return data;
    });
    await follow("#view=compare");
    const before = await runOf(page);
    await page.setInputFiles("#file", file("theirs.safetensors", changed));
    await ranAgain(page, before);
    await expect
      .poll(() => page.getAttribute("#compare-summary", "data-first"))
      .toBe("model.0.layer2.convbn_1.conv");
    expect(await page.getAttribute("#compare-summary", "data-apart")).toBe("1");
    expect(await page.textContent("#status")).toContain("the images of theirs.safetensors");
    await page.click("#first-apart");
    await page.waitForSelector("#compare-probe");
    const ours = trace.get("model.0.layer2.convbn_1.conv")?.data[at] ?? 0;
    await expect.poll(() => page.textContent("#compare-probe")).toContain("[0, 5, 17, 3]: ours");
    const [, mine, theirs] =
      /ours (\S+), theirs (\S+),/.exec((await page.textContent("#compare-probe")) ?? "") ?? [];
    expect(Number(mine)).toBeCloseTo(ours, 6);
    expect(Number(theirs)).toBeCloseTo(ours + 0.25, 6);
    await page.click("#compare-why");
    await page.waitForFunction(
      () => document.querySelector<HTMLElement>("#why")?.dataset.index === "0,5,17,3",
    );
    expect(page.url()).toContain("layer=model.0.layer2.convbn_1.conv");
  });

  it("moves what counts as apart, and shows only that", async () => {
    await page.click("#tab-compare");
    const apart = async (exponent: number): Promise<number> => {
      await page.evaluate((to) => {
        const input = document.querySelector<HTMLInputElement>("#apart");
        if (!input) return;
        input.value = String(to);
        input.dispatchEvent(new Event("input", { bubbles: true }));
      }, exponent);
      return Number(await page.getAttribute("#compare-summary", "data-apart"));
    };
    await page.waitForSelector("#apart");
    expect(await apart(1)).toBe(0); // the change is 0.25, of a tensor with a deviation of about 1
    expect(await apart(-3)).toBe(1);
    await page.check("#only-apart");
    expect(await page.locator(".compare-list [data-name]").count()).toBe(1);
    await page.uncheck("#only-apart");
    expect(await page.locator(".compare-list [data-name]").count()).toBeGreaterThan(250);
  });

  it("with another picture says how far each layer's numbers are apart; with the same one they are equal", async () => {
    const sample = readFileSync(`${ROOT}dist/viewer/sample.jpg`);
    const before = await runOf(page);
    await page.setInputFiles("#file", { name: "mine.jpg", mimeType: "image/jpeg", buffer: sample });
    await ranAgain(page, before);
    await page.click("#tab-compare");
    for (const [name, buffer, apart] of [
      ["same.jpg", sample, 0],
      ["cat.jpg", readFileSync(`${ROOT}examples/pictures/cat.jpg`), 200],
    ] as const) {
      await page.click("summary:has-text('Compare with something else')");
      await page.setInputFiles("#other-file", { name, mimeType: "image/jpeg", buffer });
      await expect.poll(() => page.textContent(".compare-list + * , .lead")).toContain(name);
      await expect.poll(() => page.locator("#compare-summary").count()).toBe(1);
      const count = Number(await page.getAttribute("#compare-summary", "data-apart"));
      if (apart === 0) expect(count).toBe(0);
      else expect(count).toBeGreaterThan(apart);
    }
  });

  it("finds what one block gives otherwise although all within it is the same: a residual that is none", async () => {
    const own = await openViewer(browser, host, `#${SIZE}`, { said });
    const changed = traceBytes((name, data) =>
      name === "model.0.layer3.uib_1" ? data.map((x) => x + 1) : data,
    );
    const before = await runOf(own);
    await own.setInputFiles("#file", file("residual.safetensors", changed));
    await ranAgain(own, before);
    await expect.poll(() => own.getAttribute("#compare-summary", "data-first")).toBe("model.0.layer3.uib_1");
    expect(await own.getAttribute("#compare-summary", "data-apart")).toBe("1");

    // A trace without images stands beside the run that is there, whose images are still the first one's.
    const few = writeSafetensors([
      [
        "model.2",
        { dtype: "F32", shape: [1, 128, 10, 10], data: trace.get("model.2")?.data ?? new Float32Array() },
      ],
    ]);
    await own.setInputFiles("#file", file("few.safetensors", few));
    await expect.poll(() => own.textContent("#compare-summary")).toContain("1 tensors compared: 1 equal");
    expect(await own.textContent("#status")).toContain("few.safetensors has no whole images");

    // One that is refused changes nothing of it.
    const wide = writeSafetensors([
      ["images", { dtype: "F32", shape: [2, 3, 32, 32], data: new Float32Array(6144) }],
      ["model.2", { dtype: "F32", shape: [1, 128, 10, 10], data: new Float32Array(12800) }],
    ]);
    await own.setInputFiles("#file", file("two.safetensors", wide));
    await expect.poll(() => own.textContent("#status")).toContain("expected images of shape [1, 3, H, W]");
    await own.click(".compare-list [data-name]");
    await expect.poll(() => own.textContent("#compare-probe")).toMatch(/ours (\S+), theirs \1, 0 apart/);
    await own.close();
  });

  it("is asked for once, however often it is drawn, and a link with a picture of the page's brings it back", async () => {
    const own = await openViewer(browser, host, `#view=compare&with=sample&${SIZE}`, { said });
    await expect.poll(() => own.textContent("#compare-summary")).toMatch(/(\d+) tensors compared: \1 equal/);
    await own.evaluate(() => {
      const real = Worker.prototype.postMessage as (this: Worker, ...words: unknown[]) => void;
      const asked: string[] = [];
      Object.assign(globalThis, { asked });
      Worker.prototype.postMessage = function (...words: unknown[]) {
        asked.push((words[0] as { kind: string }).kind);
        real.apply(this, words);
      };
    });
    await own.setInputFiles("#file", [file("again.jpg", readFileSync(`${ROOT}examples/pictures/cat.jpg`))]);
    for (let i = 0; i < 5; i++) await own.evaluate(() => dispatchEvent(new Event("resize")));
    await expect.poll(() => own.textContent("#compare-summary")).toMatch(/tensors compared: \d equal/);
    const asked = await own.evaluate(() => (globalThis as unknown as { asked: string[] }).asked);
    expect(asked.filter((kind) => kind === "compare")).toHaveLength(1);
    await own.close();
  });

  it("refuses files that are nothing, and says of names that fit nothing that they do", async () => {
    await page.setInputFiles("#file", file("bad.safetensors", new Uint8Array([1, 2, 3])));
    await expect
      .poll(() => page.textContent("#status"))
      .toContain("bad.safetensors: expected a safetensors file");
    const strange = writeSafetensors([
      ["layer1.out", { dtype: "F32", shape: [2], data: new Float32Array(2) }],
    ]);
    await page.setInputFiles("#file", file("strange.safetensors", strange));
    await expect.poll(() => page.textContent("#compare-summary")).toContain("No tensor has a name");
    expect(await page.textContent(".view details summary")).toContain("1 tensors of the trace have names");
    const wide = writeSafetensors([
      ["images", { dtype: "F32", shape: [2, 3, 32, 32], data: new Float32Array(6144) }],
    ]);
    await page.setInputFiles("#file", file("two.safetensors", wide));
    await expect.poll(() => page.textContent("#status")).toContain("expected images of shape [1, 3, H, W]");
  });
});

describe("what comes in a row", () => {
  it("the size and the picture that were asked for last hold, however late the others come", async () => {
    const own = await openViewer(browser, host, `#${SIZE}`, { said });
    for (const size of ["640", "320", "640", "320"]) {
      await own.selectOption("#size", size);
      await own.waitForTimeout(60);
    }
    await own.waitForFunction(() => !document.body.hasAttribute("aria-busy"));
    expect(own.url()).toContain("size=320");
    expect(await own.textContent("#status")).toContain("90.8 MB kept");
    await own.close();
  });

  it("files that are refused leave the views of the run that is there", async () => {
    const own = await openViewer(browser, host, `#view=maps&layer=model.2&${SIZE}`, { said });
    const odd = writeSafetensors([
      ["images", { dtype: "F32", shape: [1, 3, 100, 100], data: new Float32Array(30_000) }],
    ]);
    const few = writeSafetensors([
      ["model.0.x.weight", { dtype: "F32", shape: [1], data: new Float32Array(1) }],
    ]);
    for (const [name, bytes, words] of [
      ["odd.safetensors", odd, /100/],
      ["few.safetensors", few, /few|model\.0/],
      ["x.txt", Buffer.from("words"), /x\.txt: expected a JPEG or PNG picture/],
    ] as const) {
      await own.setInputFiles("#file", file(name, bytes));
      await expect.poll(() => own.textContent("#status")).toMatch(words);
      expect(await own.getAttribute("#status", "class")).toBe("bad");
      await own.click("[aria-label='Next layer']");
      await own.waitForFunction(() => document.querySelector("#probe") !== null);
      expect(own.url()).not.toContain("picture=");
      expect(await own.isDisabled("#size")).toBe(false);
    }
    await own.fill("#index", "0, 4, 5");
    await own.press("#index", "Enter");
    await expect.poll(() => own.getAttribute("#probe", "data-value")).not.toBeNull();
    await own.close();
  });

  it("an address that names no layer of the network, or no chapter, is told so or left alone", async () => {
    const own = await openViewer(browser, host, `#view=maps&layer=model.99&lesson=-1&${SIZE}`, { said });
    await own.evaluate(() => {
      location.hash = "#view=layer&layer=model.98&size=320";
    });
    await expect.poll(() => own.textContent("#status")).toContain("This network has no layer model.98");
    expect(await own.isVisible("#lesson")).toBe(false);
    await own.evaluate(() => {
      location.hash = "#view=boxes&lesson=99&size=320";
    });
    await expect.poll(() => own.textContent("#lesson h2")).toBe("Is it the same elsewhere?");
    await own.close();
  });
});

describe("the lesson", () => {
  it("follows the class that was found, and its numbers are those of the views", async () => {
    const own = await openViewer(browser, host, `#${SIZE}`, { said });
    const before = await runOf(own);
    await own.setInputFiles("#file", file("cat.jpg", readFileSync(`${ROOT}examples/pictures/cat.jpg`)));
    await ranAgain(own, before);
    await own.click("#take-lesson");
    const [, score] = /a \w+ with a score of (0\.\d\d)/.exec((await own.textContent("#lesson")) ?? "") ?? [];
    await own.selectOption("#chapter", { label: "13. Back to the pixels" });
    await expect
      .poll(async () => Number(await own.getAttribute("#probe", "data-value")).toFixed(2))
      .toBe(score);
    const [, products] = /a sum of (\d+) products/.exec((await own.textContent("#lesson")) ?? "") ?? [];
    await own.click(".look[data-look='1']");
    await expect.poll(() => own.textContent("#why")).toContain(`${products} summands`);
    await own.selectOption("#chapter", { label: "7. Why it is cheap" });
    const [, weights] = /A depthwise sum: (\d+) weights/.exec((await own.textContent("#lesson")) ?? "") ?? [];
    await own.click(".look[data-look='1']");
    await expect.poll(() => own.textContent("#why")).toContain(`${weights} summands`);
    await own.selectOption("#chapter", { label: "3. One number, from 27" });
    await expect.poll(() => own.textContent("#why")).toContain("27 summands");
    await own.close();
  });

  it("opens by its button, drives the views, and follows what was found", async () => {
    const own = await openViewer(browser, host, `#${SIZE}`, { said });
    await own.click("#take-lesson");
    await own.waitForSelector("#lesson h2");
    const titles = await own.locator("#chapter option").allTextContents();
    expect(titles.length).toBeGreaterThan(9);
    expect(await own.textContent("#lesson")).toMatch(/query \d+, a [\w]+ with a score of 0\.\d\d/);
    const views = new Set<string>();
    for (const [i, title] of titles.entries()) {
      await own.waitForFunction(
        (text) => document.querySelector("#lesson h2")?.textContent === text,
        title.replace(/^\d+\. /, ""),
      );
      const looks = own.locator(".look");
      for (let look = 0; look < (await looks.count()); look++) {
        await looks.nth(look).click();
        await own.waitForSelector(`.look[data-look='${look}'][aria-pressed='true']`);
        views.add((await own.getAttribute("body", "data-view")) ?? "");
        await own.waitForFunction(() => {
          const main = document.querySelector("#main");
          return (main?.textContent?.length ?? 0) > 40 && !main?.textContent?.includes("Reading what");
        });
      }
      expect(own.url()).toContain(`lesson=${i + 1}`);
      if (i + 1 < titles.length) await own.click("#chapter-next");
    }
    expect([...views].sort()).toEqual(["attention", "boxes", "compare", "graph", "layer", "maps", "queries"]);
    expect(await own.isDisabled("#chapter-next")).toBe(true);
    await own.click("#leave-lesson");
    expect(await own.isVisible("#lesson")).toBe(false);
    await own.close();
  });

  it("moves the controls of a view with it", async () => {
    await follow("#view=boxes&lesson=12");
    await page.waitForFunction(
      () => document.querySelector("#lesson h2")?.textContent === "Step by step to the box",
    );
    for (const [look, stage, text] of [
      [0, "0", "as selected"],
      [1, "3", "after layer 3 of 3"],
    ] as const) {
      await page.click(`.look[data-look='${look}']`);
      expect(await page.inputValue("#stage")).toBe(stage);
      expect(await page.textContent("output[for=stage]")).toBe(text);
    }
    await page.click("#leave-lesson");
  });

  it("a link to a chapter opens it, on a phone above the view", async () => {
    const own = await openViewer(browser, host, `#view=boxes&lesson=11&query=0&stage=1&${SIZE}`, { said });
    await own.waitForFunction(
      () => document.querySelector("#lesson h2")?.textContent === "A query looks around",
    );
    await own.setViewportSize({ width: 390, height: 800 });
    expect(await own.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
    const [lesson, main] = await own.evaluate(() =>
      ["#lesson", "#main"].map((id) => document.querySelector(id)?.getBoundingClientRect().top ?? 0),
    );
    expect(lesson).toBeLessThan(main);
    await own.close();
  });
});

describe("another network", () => {
  it("of a reader's own YAML and weights: a Hybrid's multi-query attention sums to 1, and its parts are explained", async () => {
    const yaml = readFileSync(`${ROOT}models/rtdetr-mobilenetv4.yaml`, "utf8").replace(
      "MobileNetV4ConvSmall, []",
      "MobileNetV4HybridMedium, []",
    );
    const weights = generated(yaml);
    const before = await runOf(page);
    await page.setInputFiles("#file", [
      file("hybrid.yaml", Buffer.from(yaml)),
      file("hybrid.safetensors", weights),
    ]);
    await ranAgain(page, before);
    expect(await page.textContent("#status")).toContain("hybrid.yaml, hybrid.safetensors, on ");
    await page.evaluate(() => {
      location.hash = "#view=attention&size=320";
    });
    await page.waitForSelector("#attention-layer");
    expect(await page.inputValue("#attention-layer")).toBe("model.0.layer3.msha_3.multi_query_attention");
    expect(await page.locator(".head-tile").count()).toBe(5); // four heads, and their mean
    const shares = await page.locator(".tokens .score").allTextContents();
    const sum = shares.reduce((total, share) => total + Number(share), 0);
    expect(sum).toBeGreaterThan(0.1);
    expect(sum).toBeLessThanOrEqual(1.001);
    await page.fill("#token", "7");
    await page.press("#token", "Enter");
    await expect.poll(() => page.textContent(".stage h2")).toBe("Mean of 4 heads, from token 7");
    await page.evaluate(() => {
      location.hash =
        "#view=maps&layer=model.0.layer3.msha_3.multi_query_attention&channel=2&cell=3,4&size=320";
    });
    await page.waitForFunction(
      () => document.querySelector<HTMLElement>("#why")?.dataset.index === "0,2,3,4",
    );
    expect(await page.textContent("#origin")).toContain("_output_proj");
    await page.click("#take-lesson");
    await page.selectOption("#chapter", { label: "13. Back to the pixels" });
    expect(await page.textContent("#lesson")).toContain("a sum of 256 products"); // this network's, not the default one's
    await page.click("#leave-lesson");
    const own = await runOf(page);
    await page.click("#first-network");
    await ranAgain(page, own);
    expect(await page.textContent("#status")).not.toContain("hybrid");
    expect(await page.isVisible("#first-network")).toBe(false);
  }, 60_000);

  it("whose weights do not fit is refused by name, and the page goes on with the next picture", async () => {
    const few = writeSafetensors([
      ["model.0.x.weight", { dtype: "F32", shape: [1], data: new Float32Array(1) }],
    ]);
    const own = await openViewer(browser, host, `#${SIZE}`);
    await own.setInputFiles("#file", file("few.safetensors", few));
    await expect.poll(() => own.textContent("#status"), { timeout: 10_000 }).toMatch(/few|model\.0/);
    expect(await own.getAttribute("#status", "class")).toBe("bad");
    await own.setInputFiles("#file", file("lonely.yaml", Buffer.from("nc: 3")));
    await expect.poll(() => own.textContent("#status")).toContain("expected its weights with it");
    await own.close();
  });
});

/** Weights from the generator for a configuration, as a safetensors file. */
function generated(yaml: string): Uint8Array {
  const model = new RTDETRDetectionModel(parseModelConfig(yaml, { source: "hybrid.yaml" }));
  const state = new Map(
    (model as unknown as { stateDict(): Iterable<[string, { dtype: string; shape: number[] }]> }).stateDict(),
  );
  const has = (name: string): boolean => state.has(name);
  return writeSafetensors(
    [...state].flatMap(([name, { dtype, shape }]): (readonly [string, SafetensorsTensor])[] =>
      dtype === "f32"
        ? [[name, { dtype: "F32", shape, data: seededTensor(name, shape, { has, seed: 0, attnGain: 1e5 }) }]]
        : [],
    ),
  );
}

it("nothing was complained of", () => {
  expect(said).toEqual([]);
});
