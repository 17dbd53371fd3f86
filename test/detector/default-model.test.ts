/** The default model on real pixels, against PyTorch's outputs from the same weights. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { matchRows } from "../../src/conformance/match-rows.ts";
import { selectDetections } from "../../src/detector/detections.ts";
import { readPicture } from "../../src/detector/pictures.ts";
import { Pipeline } from "../../src/detector/pipeline.ts";
import { traceModules } from "../../src/inspect/trace.ts";
import type { AnyModule } from "../../src/nn/index.ts";
import { openSafetensors } from "../../src/weights/safetensors.ts";
import { queryOrder, traceComparer } from "../golden/compare-trace.ts";
import { goldenPath, readGolden } from "../golden/golden.ts";
import { DETECTION_ROWS, JPEG_DETECTIONS } from "../tolerances.ts";

const PICTURES = ["cat", "coffee", "wall"];
const compiled = new Pipeline({ threads: 2 });
const fused = new Pipeline({ threads: 2, compile: false });
const whole = new Pipeline({ threads: 1, fuse: false });
afterAll(() => Promise.all([compiled, fused, whole].map((pipeline) => pipeline.close())));

/** PyTorch's output0 [100, 10] and the size of the picture that it was made from. */
function golden(name: string): { output: Float32Array; width: number; height: number } {
  using file = openSafetensors(goldenPath(`codes/${name}.output.safetensors`));
  const [height, width] = file.metadata.get("source")!.split("x").map(Number);
  return { output: file.read("output0") as Float32Array, width, height };
}

describe.each(PICTURES)("%s", (name) => {
  const { output, width, height } = golden(name);
  const { pixels } = readPicture(goldenPath(`codes/${name}.640.png`));

  it.each([
    ["compiled", compiled],
    ["layer by layer, fused", fused],
    ["layer by layer, not fused", whole],
  ])("decoded and resized by OpenCV, %s: rows within 1e-3 of PyTorch's", (_title, pipeline) => {
    const match = matchRows(output, pipeline.infer(pipeline.preprocess(pixels)), 10);
    expect(match.max).toBeLessThan(DETECTION_ROWS.abs);
    expect(match.displaced).toBe(0);
  });

  it("from the JPEG file on: the detections that PyTorch makes of it, within what a decoder's rounding moves", () => {
    const path = fileURLToPath(new URL(`../../examples/pictures/${name}.jpg`, import.meta.url));
    const { detections, ...found } = compiled.detect(path);
    expect([found.width, found.height]).toEqual([width, height]);
    const expected = selectDetections(output, compiled.info.names, width, height, { conf: 0.4 });
    expect(expected.length).toBeGreaterThan(1);
    expect(detections.length).toBe(expected.length);
    for (const { box, score, name } of expected) {
      const twin = detections.find(
        (d) => d.name === name && Math.abs(d.score - score) < JPEG_DETECTIONS.rel,
      )!;
      expect(twin, `${name} ${score}`).toBeDefined();
      for (const [i, side] of box.entries()) {
        expect(Math.abs(twin.box[i] - side)).toBeLessThan(JPEG_DETECTIONS.abs);
      }
    }
  });
});

it("every module on real pixels is within 5 times PyTorch's own rounding", () => {
  const wall = readGolden(goldenPath("codes/wall.trace.safetensors"), "codes on wall");
  const { pixels } = readPicture(goldenPath("codes/wall.640.png"));
  const input = whole.preprocess(pixels);
  const order = queryOrder(wall, whole.model.call(input).index.toArray());
  const comparer = traceComparer(wall, { order });
  traceModules(
    whole.model as unknown as AnyModule,
    () => whole.model.call(input),
    (path, x) => {
      const data = x.storage.data as Float32Array;
      comparer.see(path, { shape: x.shape, data, strides: x.strides, offset: x.offset });
    },
  );
  const report = comparer.report();
  expect(report.first?.message).toBeUndefined();
  expect(report.compared).toBeGreaterThan(400);
});

it("the weights are those that the goldens were made from", async () => {
  using file = openSafetensors(goldenPath("codes/wall.trace.safetensors"));
  const bytes = readFileSync(new URL("../../models/codes.f16.safetensors", import.meta.url));
  const digest = Buffer.from(await crypto.subtle.digest("SHA-256", bytes)).toString("hex");
  expect(digest).toBe(file.metadata.get("weightsSha256"));
});
