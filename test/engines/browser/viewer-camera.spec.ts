/** The camera of the page that looks inside a run: Chromium's own two, which show a test picture that moves. */
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { launch } from "./chromium.ts";
import { ISOLATING, type StaticServer, serveFolder } from "./serve.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const PAGE = "/dist/viewer/index.html";
const CAMERAS = ["--use-fake-device-for-media-stream=device-count=2", "--use-fake-ui-for-media-stream"];

/** What the page was given, for the tests to look at. */
declare global {
  var streams: MediaStream[];
  var refusal: string | undefined;
  var blank: number;
}

let browser: Browser;
let host: StaticServer;
let page: Page;
const said: string[] = [];

beforeAll(async () => {
  host = await serveFolder(ROOT, ISOLATING); // the headers of `mobiledetr view`
  browser = await launch(...CAMERAS);
});
afterEach(async () => {
  await page?.close();
  expect(said.splice(0)).toEqual([]);
});
afterAll(async () => {
  await browser?.close();
  await host?.close();
});

/** The page after its first run. */
async function open(hash = "#view=boxes", width = 1280): Promise<void> {
  page = await browser.newPage({ viewport: { width, height: 800 } });
  page.on("console", (message) => said.push(message.text()));
  page.on("pageerror", (error) => said.push(String(error)));
  await page.addInitScript(() => {
    globalThis.streams = [];
    const { mediaDevices } = navigator;
    const own = mediaDevices.getUserMedia.bind(mediaDevices);
    mediaDevices.getUserMedia = async (wanted) => {
      if (globalThis.refusal) throw new DOMException("as the test says", globalThis.refusal);
      const stream = await own(wanted);
      globalThis.streams.push(stream);
      return stream;
    };
  });
  await page.goto(`${host.url}${PAGE}${hash}&size=320`);
  await page.waitForFunction(() => document.body.dataset.ready !== undefined);
}

const press = (name: string): Promise<void> => page.getByRole("button", { name, exact: true }).click();
const tracks = (): Promise<string[]> =>
  page.evaluate(() => globalThis.streams.flatMap((s) => s.getTracks().map(({ readyState }) => readyState)));
const status = (): Promise<string | null> => page.textContent("#status");
const looked = async (): Promise<number> =>
  Number.parseInt((await page.textContent(".camera output")) ?? "", 10) || 0;
/** A few numbers that change with what the canvas shows. */
const pixels = (): Promise<string> =>
  page.evaluate(() => {
    const canvas = document.querySelector<HTMLCanvasElement>("#boxes");
    return canvas?.getContext("2d")?.getImageData(0, 0, canvas.width, 40).data.slice(0, 4000).join() ?? "";
  });

/** From now on counts the frames in which the view has no canvas, or one that is not painted. */
async function countBlank(): Promise<() => Promise<number>> {
  await page.evaluate(() => {
    globalThis.blank = 0;
    const spot = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    const see = (): void => {
      const canvas = document.querySelector<HTMLCanvasElement>("#main canvas");
      spot?.clearRect(0, 0, 1, 1);
      if (canvas) spot?.drawImage(canvas, 0, 0, 1, 1);
      if (spot?.getImageData(0, 0, 1, 1).data[3] !== 255) globalThis.blank++;
      requestAnimationFrame(see);
    };
    see();
  });
  return () => page.evaluate(() => globalThis.blank);
}

describe("one look", () => {
  it("makes a frame the picture, and leaves the camera alone", async () => {
    await open("#view=boxes&query=3");
    await page.waitForSelector("#boxes");
    const before = await pixels();
    await press("Camera");
    expect(await page.evaluate(() => document.querySelector("dialog")?.matches(":modal"))).toBe(true);
    await press("Look at this");
    await expect.poll(status).toMatch(/^camera, 1280 × 720: /);
    await expect.poll(pixels).not.toBe(before);
    expect(await tracks()).toEqual(["ended"]);
    expect(await page.isVisible("dialog")).toBe(false);
    expect(page.url()).toContain("picture=&");
    expect(page.url()).not.toContain("query=");
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("camera");
  });

  it("takes the other camera where there are two", async () => {
    await open();
    await press("Camera");
    await page.waitForFunction(() => document.querySelectorAll("#cameras option").length === 2);
    const own = await page.inputValue("#cameras");
    const other = (
      await page
        .locator("#cameras option")
        .evaluateAll((all) => all.map((one) => (one as HTMLOptionElement).value))
    ).find((id) => id !== own);
    await page.selectOption("#cameras", other ?? "");
    await expect.poll(tracks).toEqual(["ended", "live"]);
    expect(await page.evaluate(() => globalThis.streams[1].getVideoTracks()[0].getSettings().deviceId)).toBe(
      other,
    );
    await expect.poll(() => page.isEnabled("text=Look at this")).toBe(true);
    expect(await page.inputValue("#cameras")).toBe(other);
  });

  it("is given up with Escape", async () => {
    await open();
    const before = await status();
    await press("Camera");
    await expect.poll(tracks).toEqual(["live"]);
    await page.keyboard.press("Escape");
    await expect.poll(tracks).toEqual(["ended"]);
    expect(await page.isVisible("dialog")).toBe(false);
    expect(await status()).toBe(before);
  });
});

describe("keep looking", () => {
  it("goes from frame to frame beside the view, which stays in use, until it is stopped", async () => {
    await open(`#view=maps&layer=model.0.layer2`);
    await press("Camera");
    await press("Keep looking");
    expect(await page.evaluate(() => document.querySelector("dialog")?.matches(":modal"))).toBe(false);
    await expect.poll(looked, { timeout: 30_000 }).toBeGreaterThanOrEqual(1);
    const blank = await countBlank();
    await expect.poll(looked, { timeout: 30_000 }).toBeGreaterThanOrEqual(3);
    await page.getByRole("tab", { name: "Boxes" }).click();
    await page.waitForSelector("#boxes");
    const before = await pixels();
    const soFar = await looked();
    await expect.poll(looked, { timeout: 30_000 }).toBeGreaterThanOrEqual(soFar + 2);
    expect(await pixels()).not.toBe(before);
    expect(await status()).toMatch(/^camera, 1280 × 720: /);
    expect(await tracks()).toEqual(["live"]);
    expect(await blank()).toBe(0);
    expect(await page.evaluate(() => scrollY)).toBe(0);
    await press("Stop");
    await expect.poll(tracks).toEqual(["ended"]);
    expect(await page.isVisible("dialog")).toBe(false);
    await page.waitForFunction(() => !document.body.hasAttribute("aria-busy"));
    const ready = await page.evaluate(() => document.body.dataset.ready);
    await page.waitForTimeout(1000);
    expect(await page.evaluate(() => document.body.dataset.ready)).toBe(ready);
  });

  it("waits while the page is hidden, and ends with it", async () => {
    await open();
    const hide = (hidden: boolean): Promise<void> =>
      page.evaluate((to) => {
        Object.defineProperty(document, "hidden", { value: to, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
      }, hidden);
    await press("Camera");
    await press("Keep looking");
    await expect.poll(looked, { timeout: 30_000 }).toBeGreaterThanOrEqual(1);
    await hide(true);
    await page.waitForFunction(() => !document.body.hasAttribute("aria-busy"));
    await page.waitForTimeout(500); // the run that was under way, and its view
    const still = await looked();
    await page.waitForTimeout(1500);
    expect(await looked()).toBe(still);
    await hide(false);
    await expect.poll(looked, { timeout: 30_000 }).toBeGreaterThan(still);
    await page.evaluate(() => dispatchEvent(new PageTransitionEvent("pagehide")));
    expect(await tracks()).toEqual(["ended"]);
  });

  it("gives way to another picture", async () => {
    await open();
    await press("Camera");
    await press("Keep looking");
    await expect.poll(looked, { timeout: 30_000 }).toBeGreaterThanOrEqual(1);
    await press("Picture sample");
    await expect.poll(status, { timeout: 30_000 }).toMatch(/^sample, /);
    await expect.poll(tracks).toEqual(["ended"]);
    expect(await page.isVisible("dialog")).toBe(false);
  });
});

describe("without a picture", () => {
  it("says what was expected, what came and what to do, and tries again", async () => {
    await open();
    const refuse = (name?: string): Promise<void> =>
      page.evaluate((refusal) => {
        globalThis.refusal = refusal;
      }, name);
    for (const [name, text] of [
      ["NotAllowedError", "Camera: expected permission to use it, got a refusal (allow the camera"],
      ["NotFoundError", "Camera: expected one on this device, got none (connect one"],
      [
        "NotReadableError",
        "Camera: expected what it sees, got nothing: it is in use or does not start (close",
      ],
      ["SecurityError", "Camera: expected a page by https: or on localhost, got http://127.0.0.1"],
      ["SomethingElse", "Camera: expected what it sees, got as the test says (try again"],
    ]) {
      await refuse(name);
      await press("Camera");
      await expect.poll(() => page.textContent(".camera [role=alert]")).toContain(text);
      expect(await page.isVisible("text=Look at this")).toBe(false);
      await refuse();
      await press("Try again");
      await expect.poll(() => page.isVisible("text=Look at this")).toBe(true);
      expect(await page.isVisible(".camera [role=alert]")).toBe(false);
      await press("Close");
    }
    await expect.poll(tracks).toEqual(Array(5).fill("ended"));
  });

  it("a camera that is taken away while it is looked at is told of", async () => {
    await open();
    await press("Camera");
    await press("Keep looking");
    await expect.poll(looked, { timeout: 30_000 }).toBeGreaterThanOrEqual(1);
    await page.evaluate(() => globalThis.streams[0].getTracks()[0].dispatchEvent(new Event("ended")));
    await expect.poll(() => page.textContent(".camera [role=alert]")).toContain("got an end of it");
    expect(await tracks()).toEqual(["ended"]);
    expect(await page.evaluate(() => document.querySelector("dialog")?.matches(":modal"))).toBe(true);
    await page.waitForFunction(() => !document.body.hasAttribute("aria-busy"));
    await page.waitForTimeout(300); // the row of frames has noticed
    expect(await page.textContent(".camera [role=alert]")).toContain("got an end of it");
  });

  it("where a page may not ask for one, there is no button", async () => {
    page = await browser.newPage();
    await page.addInitScript(() => Object.defineProperty(navigator, "mediaDevices", { value: undefined }));
    await page.goto(`${host.url}${PAGE}#view=boxes&size=320`);
    await page.waitForFunction(() => document.body.dataset.ready !== undefined);
    expect(await page.isVisible("#camera")).toBe(false);
  });
});

it("fits a phone", async () => {
  await open("#view=boxes", 390);
  await press("Camera");
  await expect.poll(tracks).toEqual(["live"]);
  const fits = (): Promise<boolean> =>
    page.evaluate(() => {
      const { left, right, top, bottom } =
        document.querySelector("dialog")?.getBoundingClientRect() ?? new DOMRect();
      return (
        left >= 0 && right <= 390 && top >= 0 && bottom <= 800 && document.documentElement.scrollWidth === 390
      );
    });
  expect(await fits()).toBe(true);
  await press("Keep looking");
  expect(await fits()).toBe(true);
});
