/** The page for everyone: axe-core's rules on every view, light and dark, wide and narrow; motion where it is wanted alone. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launch } from "./chromium.ts";
import { type StaticServer, serveFolder } from "./serve.ts";
import { PAGE } from "./viewer-page.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SIZE = "size=320";

/** Addresses by what must be there before it is looked at. */
const VIEWS: readonly (readonly [hash: string, ready: string])[] = [
  ["#view=boxes&query=1&stage=2", ".query .scores"],
  ["#view=graph&open=model.0~model.2&layer=model.2.ma", ".frame"],
  ["#view=layer&layer=model.0.conv0.convbn_0.conv", ".parameters .kernels"],
  ["#view=maps&layer=model.0.layer2&channel=3&cell=4,4", "#field"],
  ["#view=attention", ".tokens .score"],
  ["#view=queries&query=3", "#margin"],
  ["#view=compare", "#open-trace"],
  ["#view=maps&layer=model.0.layer1&lesson=6&cell=4,4", "#lesson h2"],
];

let browser: Browser;
let host: StaticServer;

beforeAll(async () => {
  host = await serveFolder(ROOT);
  browser = await launch();
});
afterAll(async () => {
  await browser?.close();
  await host?.close();
});

/** What axe-core finds: rule, and the element. */
async function complaints(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: {
        run(): Promise<{
          violations: { id: string; nodes: { target: string[]; failureSummary: string }[] }[];
        }>;
      };
    };
    const { violations } = await axe.run();
    return violations.flatMap(({ id, nodes }) =>
      nodes.slice(0, 3).map(({ target, failureSummary }) => `${id}: ${target.join(" ")}: ${failureSummary}`),
    );
  });
}

describe.each([
  ["light", 1280],
  ["dark", 390],
] as const)("%s, %i pixels wide", (colorScheme, width) => {
  let page: Page;
  beforeAll(async () => {
    page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
    await page.goto(`${host.url}${PAGE}#view=boxes&${SIZE}`);
    await page.waitForFunction(() => document.body.dataset.ready !== undefined);
  });
  afterAll(() => page.close());

  it.each(VIEWS)("%s", async (hash, ready) => {
    await page.evaluate((to) => {
      location.hash = to;
    }, `${hash}&${SIZE}`);
    await page.waitForSelector(ready);
    expect(await complaints(page)).toEqual([]);
  });

  it("tells its errors to those who hear it", async () => {
    expect(await page.getAttribute("#status", "aria-live")).toBe("polite");
  });
});

it("moves nothing where less motion is wanted", async () => {
  const page = await browser.newPage({ reducedMotion: "reduce" });
  await page.goto(`${host.url}${PAGE}#view=boxes&${SIZE}`);
  await page.waitForFunction(() => document.body.dataset.ready !== undefined);
  const moving = await page.evaluate(() =>
    [...document.querySelectorAll("*")]
      .filter((element) => {
        const { transitionDuration, animationName } = getComputedStyle(element);
        return (
          transitionDuration.split(",").some((time) => Number.parseFloat(time) > 0) ||
          animationName !== "none"
        );
      })
      .map(({ tagName, id }) => `${tagName}#${id}`),
  );
  expect(moving).toEqual([]);
  await page.close();
});
