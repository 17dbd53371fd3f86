/** `mobiledetr picture` as a user runs it. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readTraceFile } from "../../src/conformance/trace-file.ts";
import { attentionSheet, samplingImage } from "../../src/depict/overlays.ts";
import { findModel } from "../../src/detector/model-files.ts";
import { type ImageData8, toRgb } from "../../src/image/image.ts";
import { decodeImage } from "../../src/image/index.ts";
import { resizeBilinear } from "../../src/image/resize.ts";
import { tensor } from "../../src/tensor/create.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { PICTURES, runCli, scratchFolder } from "./run-cli.ts";

const PICTURE = join(PICTURES, "wall.jpg");
const folder = scratchFolder();

const draw = (layer: string, name: string, ...words: string[]): ReturnType<typeof runCli> =>
  runCli(["picture", PICTURE, "--imgsz", "320", "--layer", layer, "--output", join(folder, name), ...words]);

describe("picture", () => {
  it("draws maps, attention and sampling, by what the layer has; PNG and JPEG", async () => {
    for (const [layer, name] of [
      ["model.0.layer2", "maps.png"],
      ["model.2.ma", "attention.jpg"],
      ["model.19.decoder.layers.1.cross_attn", "points.png"],
    ]) {
      const { code, stdout, stderr } = await draw(layer, name);
      expect([code, stderr]).toEqual([0, ""]);
      const image = decodeImage(readFileSync(join(folder, name)));
      expect(stdout).toContain(`${name}: ${image.width} x ${image.height} pixels`);
      const levels = new Set(image.data);
      expect(levels.size, "a picture of something").toBeGreaterThan(10);
    }
  });

  it("options: fewer channels make a smaller sheet; another place, another query another picture", async () => {
    await draw("model.0.layer2", "few.png", "--most", "8", "--order", "index", "--together");
    const [few, all] = ["few.png", "maps.png"].map((name) => decodeImage(readFileSync(join(folder, name))));
    expect(few.height).toBeLessThan(all.height / 4);
    await draw("model.2.ma", "there.jpg", "--at", "100,100");
    expect(readFileSync(join(folder, "there.jpg")).equals(readFileSync(join(folder, "attention.jpg")))).toBe(
      false,
    );
    for (const [query, same] of [
      ["7", false],
      ["2", true], // the best of this picture
    ] as const) {
      await draw("model.19.decoder.layers.1.cross_attn", "other.png", "--query", query);
      const other = readFileSync(join(folder, "other.png"));
      expect(other.equals(readFileSync(join(folder, "points.png"))), query).toBe(same);
    }
  });

  it("draws what a trace of the run has: the token at a place, the points and boxes of a layer", async () => {
    const trace = join(folder, "t.safetensors");
    const layer = "model.19.decoder.layers.1.cross_attn";
    const wanted = "model.2.ma.attention,model.19.decoder.layers.1.cross_attn.*,model.19.boxes.*,output0";
    await runCli(["trace", PICTURE, "--imgsz", "320", "--tensors", wanted, "--output", trace]);
    const { tensors } = readTraceFile(trace);
    const of = (name: string): Tensor => {
      const found = tensors.get(name);
      return tensor(found?.data as Float32Array, found?.shape as number[]);
    };
    const same = (name: string, image: ImageData8): boolean =>
      Buffer.from(decodeImage(readFileSync(join(folder, name))).data).equals(Buffer.from(image.data));
    const photo = toRgb(decodeImage(readFileSync(PICTURE)));
    await draw("model.2.ma", "at.png", "--at", "400,200"); // of 10 x 10 cells of 128 x 96 pixels
    const sheet = attentionSheet(resizeBilinear(photo, 300, 400), of("model.2.ma.attention"), {
      token: 23,
      title: "model.2.ma, from row 2, column 3 of 10 x 10",
      mark: { x: 120, y: 60, width: 40, height: 30 },
    });
    expect(same("at.png", sheet)).toBe(true);
    const query = 7;
    const box = (n: number): number[] => [
      ...of(`model.19.boxes.${n}`).select(0, 0).select(0, query).toFloat32Array(),
    ];
    const scores = [...of("output0").select(0, 0).select(0, query).toFloat32Array()].slice(4);
    const best = Math.max(...scores);
    const name = findModel({}).config.names?.[scores.indexOf(best)];
    const points = samplingImage(photo, {
      locations: of(`${layer}.sampling_locations`).select(0, 0).select(0, query),
      weights: of(`${layer}.sampling_weights`).select(0, 0).select(0, query),
      before: box(1),
      after: box(2),
      label: `query ${query}: ${name} ${best.toFixed(2)}`,
    });
    await draw(layer, "seven.png", "--query", String(query));
    expect(same("seven.png", points)).toBe(true);
  });

  it("names what is wrong, and writes nothing", async () => {
    const told = async (promise: ReturnType<typeof runCli>): Promise<string> => {
      const { code, stderr } = await promise;
      expect(code).toBe(2);
      return stderr;
    };
    expect(await told(draw("model.2.max", "x.png"))).toMatch(
      /--layer: expected a module's path.* \(did you mean model\.2\.ma\?\)/,
    );
    expect(await told(draw("model.2.*", "x.png"))).toMatch(
      /--layer: expected a module's path.*, got model\.2\.\*/,
    );
    expect(await told(draw("model.19", "x.png"))).toMatch(
      /--show maps: expected a layer of one output \[1, C, H, W\]/,
    );
    expect(await told(draw("model.0.layer2", "x.png", "--show", "attention"))).toMatch(/AIFI's ma/);
    expect(await told(draw("model.2.ma", "x.png", "--at", "5000,1"))).toMatch(
      /--at: expected x,y within 1280 x 960 pixels, got 5000,1/,
    );
    expect(await told(draw("model.19.decoder.layers.0.cross_attn", "x.png", "--query", "100"))).toMatch(
      /--query/,
    );
    expect(await told(draw("model.2.ma", "x.bmp"))).toMatch(/ends in \.png, \.jpg or \.jpeg, got \.bmp/);
    expect(await told(draw("model.19.denoising_class_embed", "x.png"))).toMatch(/a module that runs/);
    expect(existsSync(join(folder, "x.png"))).toBe(false);
  });
});
