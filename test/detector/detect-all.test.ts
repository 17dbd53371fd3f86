/** detectAll: order, few at a time, errors, ends. */
import { getEventListeners } from "node:events";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { detectAll } from "../../src/detector/detect-all.ts";
import { loadDetector } from "../../src/index.ts";

const PICTURE = fileURLToPath(new URL("../../examples/pictures/cat.jpg", import.meta.url));
const never = (): boolean => false;
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function all<T>(results: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const result of results) list.push(result);
  return list;
}

describe("detectAll", () => {
  it("gives results in order, whichever ends first, and holds few", async () => {
    let [held, most] = [0, 0];
    const detect = async (image: unknown): Promise<string> => {
      most = Math.max(most, ++held);
      await sleep(Number(image) % 3);
      held--;
      return `r${image}`;
    };
    const images = Array.from({ length: 20 }, (_, i) => String(i));
    expect(await all(detectAll(images, detect, never, { inFlight: 3 }))).toEqual(images.map((i) => `r${i}`));
    expect(most).toBe(3);
  });

  it("a million pictures: no more are asked for than are held, and nothing grows", async () => {
    let [asked, given] = [0, 0];
    function* images(): Generator<string> {
      for (; asked < 1_000_000; asked++) yield String(asked);
    }
    const before = process.memoryUsage().heapUsed;
    let most = 0;
    for await (const result of detectAll(images(), async (image) => image, never, {})) {
      if (result !== String(given)) throw new Error(`${result} for ${given}`);
      given++;
      if (asked - given > 3) throw new Error(`${asked} asked, ${given} given`);
      if (given % 100_000 === 0) most = Math.max(most, process.memoryUsage().heapUsed - before);
    }
    expect(given).toBe(1_000_000);
    expect(most).toBeLessThan(200e6);
  }, 60_000);

  it("does not wait for the next picture where one is done", async () => {
    async function* camera(): AsyncGenerator<string> {
      yield "a";
      await sleep(200);
      yield "b";
    }
    const start = performance.now();
    const times: number[] = [];
    for await (const _ of detectAll(camera(), async (image) => image, never, {}))
      times.push(performance.now() - start);
    expect(times[0]).toBeLessThan(150);
    expect(times[1]).toBeGreaterThan(150);
  });

  it("an error ends it, after the results before it, or is told", async () => {
    const detect = async (image: unknown): Promise<unknown> => {
      if (image === "b") throw new Error("bad b");
      return image;
    };
    const seen: unknown[] = [];
    const run = async (): Promise<void> => {
      for await (const result of detectAll(["a", "b", "c"], detect, never, {})) seen.push(result);
    };
    await expect(run()).rejects.toThrow("bad b");
    expect(seen).toEqual(["a"]);
    const told = await all(detectAll(["a", "b", "c"], detect, never, { onError: "yield" }));
    expect(told).toEqual(["a", { error: new Error("bad b"), image: "b", index: 1 }, "c"]);
  });

  it("a source's own error comes after the pictures before it, whatever onError says", async () => {
    function* images(): Generator<string> {
      yield "a";
      throw new Error("no more");
    }
    const seen: unknown[] = [];
    const run = async (): Promise<void> => {
      for await (const one of detectAll(images(), async (x) => x, never, { onError: "yield" }))
        seen.push(one);
    };
    await expect(run()).rejects.toThrow("no more");
    expect(seen).toEqual(["a"]);
  });

  it("a loop that is left ends the source and what is under way", async () => {
    let ended = false;
    function* images(): Generator<string> {
      try {
        for (;;) yield "x";
      } finally {
        ended = true;
      }
    }
    const signals: AbortSignal[] = [];
    const detect = async (image: unknown, signal: unknown): Promise<unknown> => {
      signals.push(signal as AbortSignal);
      return image;
    };
    for await (const _ of detectAll(images(), detect, never, {})) break;
    expect([ended, signals.length > 0, signals.every(({ aborted }) => aborted)]).toEqual([true, true, true]);
  });

  it("a signal ends it at once with its reason, while pictures and while the source are waited for", async () => {
    async function* silent(): AsyncGenerator<string> {
      await new Promise(() => undefined);
    }
    const slow = async (): Promise<never> => new Promise(() => undefined);
    for (const [images, detect] of [
      [silent(), slow],
      [["a"], slow],
    ] as const) {
      const controller = new AbortController();
      const { signal } = controller;
      setTimeout(() => controller.abort(new Error("enough")), 10);
      await expect(all(detectAll(images, detect, never, { signal, onError: "yield" }))).rejects.toThrow(
        "enough",
      );
      expect(getEventListeners(signal, "abort")).toEqual([]);
    }
  });

  it.each([
    ["a.jpg", {}, /images: expected an array, or something else to iterate over, got "a\.jpg"/],
    [new Uint8Array(3), {}, /images/],
    [undefined, {}, /images/],
    [[], { onError: "ignore" }, /onError: expected "throw" or "yield", got "ignore"/],
    [[], { inFlight: 0 }, /inFlight: expected a whole number >= 1, got 0/],
  ])("refuses %j with %j", async (images, options, message) => {
    await expect(all(detectAll(images as never, async () => 0, never, options as never))).rejects.toThrow(
      message,
    );
  });
});

describe("a detector's", () => {
  it("results are detect's, in order, failures told; closing ends it", async () => {
    const detector = await loadDetector({ imgsz: 160, threads: 1, conf: 0.01 });
    const expected = await detector.detect(PICTURE);
    const told: unknown[] = [];
    for await (const result of detector.detectAll([PICTURE, "none.jpg", PICTURE], { onError: "yield" })) {
      told.push("error" in result ? [result.index, (result.error as Error).message] : result.detections);
    }
    const missing = [1, expect.stringMatching(/none\.jpg: expected a file/)];
    expect(told).toEqual([expected.detections, missing, expected.detections]);
    const best = await all(detector.detectAll(new Set([PICTURE]), { max_det: 1 }));
    expect(best[0].length).toBe(1);
    await detector.close();
    function* endless(): Generator<string> {
      for (;;) yield PICTURE;
    }
    await expect(all(detector.detectAll(endless(), { onError: "yield" }))).rejects.toThrow(
      /one that was closed/,
    );
    expect(() => detector.detectAll([], { conf: 2 })).toThrow(/conf: expected a number/);
  });

  it("detect refuses a list and says what takes it", async () => {
    await using detector = await loadDetector({ imgsz: 160, threads: 1 });
    await expect(detector.detect([PICTURE] as never)).rejects.toThrow(
      "detect: expected one picture, got a list (detectAll takes many)",
    );
  });
});
