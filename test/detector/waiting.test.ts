/** Signals, progress, and bytes that are given away. */
import { getEventListeners } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodeImage } from "../../src/image/decode.ts";
import { type Detector, loadDetector, Pipeline, type Progress } from "../../src/index.ts";
import { rejection } from "./rejection.ts";

const PICTURE = fileURLToPath(new URL("../../examples/pictures/cat.jpg", import.meta.url));
const WEIGHTS = fileURLToPath(new URL("../../models/codes.f16.safetensors", import.meta.url));
const reason = new Error("enough");

let detector: Detector;
beforeAll(async () => {
  detector = await loadDetector({ imgsz: 320, threads: 2, conf: 0.01 });
});
afterAll(() => detector.close());

describe("a signal", () => {
  it("that was aborted refuses everything at once", async () => {
    const signal = AbortSignal.abort(reason);
    await expect(detector.detect(PICTURE, { signal })).rejects.toBe(reason);
    await expect(detector.detectTiled(PICTURE, { signal })).rejects.toBe(reason);
    await expect(loadDetector({ signal })).rejects.toBe(reason);
    await expect(detector.detectAll([PICTURE], { signal }).next()).rejects.toBe(reason);
    expect(() => new Pipeline({ signal })).toThrow(reason);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  it("in the middle of the network: rejects at once, drops the rest, and the next call gives the same bits", async () => {
    const { detections } = await detector.detect(PICTURE);
    for (let at = 0; at < 5; at++) {
      const controller = new AbortController();
      const { signal } = controller;
      let [before, after] = [0, 0];
      const onProgress = ({ loaded, total = 1 }: Progress): void => {
        if (signal.aborted) after++;
        else before++;
        if (loaded >= (total * at) / 5) controller.abort(reason);
      };
      await expect(detector.detect(PICTURE, { signal, onProgress })).rejects.toBe(reason);
      expect(getEventListeners(signal, "abort")).toEqual([]);
      expect((await detector.detect(PICTURE)).detections).toEqual(detections);
      expect(before).toBeGreaterThan(0);
      expect(after).toBe(0);
    }
  });

  it("stops the thread's work: hundreds of tiles end with the wait", async () => {
    const controller = new AbortController();
    const pixels = { data: new Uint8Array(2000 * 2000 * 3), width: 2000, height: 2000, channels: 3 };
    const call = detector.detectTiled(pixels, { tile: 100, signal: controller.signal }); // 650 tiles: half a minute
    setTimeout(() => controller.abort(reason), 300);
    const start = performance.now();
    await expect(call).rejects.toBe(reason);
    await detector.detect(PICTURE);
    expect(performance.now() - start).toBeLessThan(15_000);
  }, 60_000);

  it("of a call that waits for others: they are answered, and it costs nothing", async () => {
    const controller = new AbortController();
    const calls = [1, 2, 3].map((i) =>
      detector.detect(PICTURE, i === 2 ? { signal: controller.signal } : {}).catch((error: unknown) => error),
    );
    controller.abort(reason);
    const [first, second, third] = await Promise.all(calls);
    expect(second).toBe(reason);
    expect(third).toMatchObject({ detections: (first as { detections: unknown[] }).detections });
  });

  it("while bytes are waited for: nothing is posted, and later calls go on", async () => {
    const controller = new AbortController();
    let give = (_: ArrayBuffer): void => {};
    const blob = { size: 1, arrayBuffer: () => new Promise<ArrayBuffer>((resolve) => (give = resolve)) };
    const call = detector.detect(blob, { signal: controller.signal });
    const next = detector.detect(PICTURE);
    controller.abort(reason);
    await expect(call).rejects.toBe(reason);
    give(new Uint8Array(readFileSync(PICTURE)).buffer);
    expect((await next).length).toBeGreaterThan(0);
  });

  it("that is never aborted leaves no listener", async () => {
    const { signal } = new AbortController();
    for (let i = 0; i < 3; i++) await detector.detect(PICTURE, { signal });
    const other = await loadDetector({ imgsz: 160, threads: 1, signal });
    await other.close();
    await rejection(loadDetector({ model: "none", signal }));
    for await (const _ of detector.detectAll([PICTURE, PICTURE], { signal }));
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  it("while loading: rejects at once, and the thread ends", async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(reason), 50);
    const start = performance.now();
    await expect(loadDetector({ signal: controller.signal })).rejects.toBe(reason);
    expect(performance.now() - start).toBeLessThan(1000);
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
  });
});

describe("progress", () => {
  it("of loading: rewrites, then operations with their weights, to the last", async () => {
    const told: Progress[] = [];
    const other = await loadDetector({
      imgsz: 160,
      threads: 1,
      onProgress: (progress) => told.push(progress),
    });
    await other.close();
    expect([...new Set(told.map(({ phase }) => phase))]).toEqual(["compile", "pack"]);
    for (const phase of ["compile", "pack"]) {
      const each = told.filter((progress) => progress.phase === phase);
      expect(each.length).toBeGreaterThan(5);
      expect(each.map(({ loaded }) => loaded)).toEqual(
        each.map(({ loaded }) => loaded).sort((a, b) => a - b),
      );
      expect(each.at(-1)?.loaded).toBe(each.at(-1)?.total);
    }
  });

  it("of weights that are fetched: their bytes", async () => {
    const weights = readFileSync(WEIGHTS);
    const server = createServer((_, response) => {
      response.setHeader("content-length", weights.length);
      response.end(weights);
    }).listen(0);
    const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const told: Progress[] = [];
    const onProgress = (progress: Progress): void => void told.push(progress);
    const other = await loadDetector({ imgsz: 160, threads: 1, weights: url, onProgress });
    await other.close();
    const read = told.filter(({ phase }) => phase === "read");
    expect(read[0]).toEqual({ phase: "read", loaded: 0, total: weights.length });
    expect(read.at(-1)).toEqual({ phase: "read", loaded: weights.length, total: weights.length });
    expect(read.length).toBeGreaterThan(3);
    const controller = new AbortController();
    const stop = { weights: url, signal: controller.signal, onProgress: () => controller.abort(reason) };
    await expect(loadDetector(stop)).rejects.toBe(reason);
    server.close();
  });

  it("of loading layer by layer: bytes of the weights", () => {
    const told: Progress[] = [];
    const onProgress = (progress: Progress): void => void told.push(progress);
    void new Pipeline({ imgsz: 160, threads: 1, compile: false, onProgress }).close();
    expect(new Set(told.map(({ phase }) => phase))).toEqual(new Set(["read"]));
    expect(told.at(-1)?.loaded).toBeGreaterThan(6e6);
    expect(told.at(-1)?.loaded).toBeLessThanOrEqual(told.at(-1)?.total ?? 0);
  });

  it("of detecting: the plan's kernels, from none to all", async () => {
    const told: Progress[] = [];
    await detector.detect(PICTURE, { onProgress: (progress) => told.push(progress) });
    const [first, last] = [told[0], told.at(-1)];
    expect([first.phase, first.loaded, last?.loaded]).toEqual(["infer", 0, last?.total]);
    expect(told.length).toBeGreaterThan(20);
    expect(told.length).toBeLessThan(60);
    const pipeline = new Pipeline({ imgsz: 160, threads: 1 });
    let calls = 0;
    pipeline.detect(PICTURE, { onProgress: () => calls++ });
    expect(calls).toBe((pipeline.plan?.steps.length ?? 0) + 1);
    await pipeline.close();
  });

  it("a callback that throws rejects its own call, and no other", async () => {
    const onProgress = (): void => {
      throw reason;
    };
    const [refused, fine] = await Promise.allSettled([
      detector.detect(PICTURE, { onProgress }),
      detector.detect(PICTURE),
    ]);
    expect([refused.status, fine.status]).toEqual(["rejected", "fulfilled"]);
    expect((refused as PromiseRejectedResult).reason).toBe(reason);
    await expect(loadDetector({ onProgress })).rejects.toBe(reason);
  });

  it.each([
    [{ signal: {} }, /signal: expected an AbortSignal, got a object/],
    [{ onProgress: "yes" }, /onProgress: expected a function, got "yes"/],
    [{ transfer: 1 }, /transfer: expected true or false, got 1/],
  ])("refuses %j", async (options, message) => {
    expect((await rejection(detector.detect(PICTURE, options as never))).message).toMatch(message);
  });
});

describe("transfer", () => {
  it("takes bytes and pixels away, finds the same, and keeps nothing to draw on", async () => {
    const expected = (await detector.detect(PICTURE)).detections;
    const bytes = new Uint8Array(readFileSync(PICTURE));
    const pixels = decodeImage(bytes);
    const buffer = bytes.slice().buffer;
    const calls = [
      detector.detect(buffer, { transfer: true }),
      detector.detect(pixels, { transfer: true }),
      detector.detect(bytes, { transfer: true }),
    ];
    expect([buffer.byteLength, pixels.data.length, bytes.length]).toEqual([0, 0, 0]);
    for (const result of await Promise.all(calls)) {
      expect(result.detections).toEqual(expected);
      expect((await rejection(result.plot())).message).toMatch(/it was transferred/);
      expect((await result.plot({ image: PICTURE })).width).toBe(result.width);
    }
  });

  it("takes RGBA frames as they are", async () => {
    const { data, width, height } = decodeImage(readFileSync(PICTURE));
    const frame = new Uint8ClampedArray(width * height * 4).map((_, i) =>
      i % 4 === 3 ? 255 : data[(i >> 2) * 3 + (i % 4)],
    );
    const expected = await detector.detect({ data: frame, width, height, channels: 4 });
    const moved = await detector.detect({ data: frame, width, height }, { transfer: true });
    expect(moved.detections).toEqual(expected.detections);
    expect(frame.length).toBe(0);
  });

  it("refuses a part of a buffer, which would take away more, and shared memory", async () => {
    const part = new Uint8Array(100).subarray(10);
    const error = await rejection(detector.detect(part, { transfer: true }));
    expect(error.message).toBe(
      "transfer: expected bytes that are a whole buffer, got a view of 90 of 100 bytes (leave transfer out: they are copied)",
    );
    const shared = new Uint8Array(new SharedArrayBuffer(12));
    const pixels = { data: shared, width: 2, height: 2, channels: 3 };
    expect((await rejection(detector.detect(pixels, { transfer: true }))).message).toMatch(
      /got shared memory/,
    );
  });
});
