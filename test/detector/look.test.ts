/** What a pipeline shows of its layers: maps as pictures, means, times. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { decodeImage } from "../../src/image/decode.ts";
import { Pipeline } from "../../src/index.ts";
import { recordTrace } from "../../src/inspect/trace.ts";
import type { AnyModule } from "../../src/nn/index.ts";
import { rejection } from "./rejection.ts";

const PICTURE = fileURLToPath(new URL("../../examples/pictures/cat.jpg", import.meta.url));
const eager = new Pipeline({ imgsz: 160, threads: 1, compile: false });
const compiled = new Pipeline({ imgsz: 160, threads: 1 });
afterAll(() => Promise.all([eager.close(), compiled.close()]));

describe("embed", () => {
  it("is the mean over each channel's map, layers one behind the other", async () => {
    const input = eager.preprocess(decodeImage(readFileSync(PICTURE)));
    const { trace } = recordTrace(eager.model as unknown as AnyModule, () => eager.infer(input));
    const meansOf = (path: string): number[] => {
      const { shape, data } = trace.get(path) ?? { shape: [], data: new Float32Array() };
      const size = shape[2] * shape[3];
      return Array.from({ length: shape[1] }, (_, c) =>
        data.subarray(c * size, (c + 1) * size).reduce((sum, x) => sum + x / size, 0),
      );
    };
    const last = eager.model.layers.length - 2;
    const found = await eager.embed(PICTURE);
    const expected = meansOf(`model.${last}`);
    expect(found.length).toBe(expected.length);
    for (const [i, value] of expected.entries()) expect(found[i]).toBeCloseTo(value, 4);
    const two = await eager.embed(PICTURE, { layers: [4, eager.model.layers[last].number] });
    expect(two.length).toBe(meansOf("model.0.3").length + expected.length);
    expect([...two.subarray(-expected.length)]).toEqual([...found]);
  });

  it("refuses a plan, and layers without a map", async () => {
    expect((await rejection(compiled.embed(PICTURE))).message).toMatch(
      /got a compiled plan \(Pipeline\(\{ compile: false/,
    );
    expect((await rejection(eager.embed(PICTURE, { layers: [0] }))).message).toMatch(
      /layers: expected numbers of 1, 2/,
    );
    expect((await rejection(eager.embed(PICTURE, { layers: [] }))).message).toMatch(/layers/);
  });
});

describe("visualize", () => {
  it("gives a sheet a layer, all of them unless said, and writes them as PNG", async () => {
    const dir = mkdtempSync(join(tmpdir(), "mobiledetr-look-"));
    const sheets = await eager.visualize(PICTURE, { channels: 3, dir });
    expect(sheets.length).toBe(eager.model.layers.length - 2 + 4);
    expect(sheets[0].name).toBe("stage1_MobileNetV4ConvSmall_features.png");
    expect(sheets[4].name).toBe("stage5_Conv_features.png");
    expect(readdirSync(dir).sort()).toEqual(sheets.map(({ name }) => name).sort());
    const written = decodeImage(readFileSync(join(dir, sheets[4].name)));
    expect(Buffer.compare(written.data, sheets[4].image.data)).toBe(0);
    rmSync(dir, { recursive: true });
    const [small, large] = await Promise.all(
      [3, 9].map((channels) => eager.visualize(PICTURE, { channels, layers: [5] })),
    );
    expect(large[0].image.height).toBeGreaterThan(small[0].image.height);
  });

  it("refuses what it does not know", async () => {
    expect((await rejection(eager.visualize(PICTURE, { channels: 0 }))).message).toMatch(
      /channels: expected/,
    );
    expect((await rejection(eager.visualize(PICTURE, { order: "x" as never }))).message).toMatch(
      /order: expected variance/,
    );
  });
});

describe("profile", () => {
  it.each([
    ["layer by layer", eager],
    ["of a plan", compiled],
  ])("%s: a line a layer, with all multiply-adds", async (_title, pipeline) => {
    const rows = await pipeline.profile({ runs: 2 });
    const layers = rows.filter(({ layer }) => layer >= 0);
    expect(layers.map(({ layer }) => layer)).toEqual(pipeline.model.layers.map(({ number }) => number));
    expect(rows.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 9);
    const multiplyAdds = rows.reduce((sum, row) => sum + row.multiplyAdds, 0);
    expect(multiplyAdds).toBe(pipeline.plan?.multiplyAdds ?? Math.round((pipeline.info.gflops * 1e9) / 2));
    expect(layers[0].type).toBe("MobileNetV4ConvSmall");
    expect(layers[0].milliseconds).toBeGreaterThan(0);
    expect(layers.reduce((sum, { parameters }) => sum + parameters, 0)).toBe(pipeline.info.parameters);
    expect((await rejection(pipeline.profile({ runs: 0 }))).message).toMatch(
      /runs: expected a whole number >= 1/,
    );
  });
});
