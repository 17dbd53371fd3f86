/** Parameters, GFLOPs, names and the printed table, against PyTorch's and Ultralytics'. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { MobileNetV4 } from "../../src/models/mobilenetv4/network.ts";
import { formatModelInfo, modelInfo, parameterCount } from "../../src/models/rtdetr/info.ts";
import type { AnyModule } from "../../src/nn/index.ts";
import { goldenPath, VARIANTS } from "../golden/golden.ts";
import { detectorFor } from "./support.ts";

/** What `stats.json` holds of one way to run a network: counted in PyTorch at 640 with 80 classes. */
interface Counted {
  readonly total: number;
  readonly gtotal: number;
  readonly params: Readonly<Record<string, number>>;
  readonly gflops: Readonly<Record<string, number>>;
}

const stats = JSON.parse(readFileSync(goldenPath("models/stats.json"), "utf8")) as Record<
  string,
  { "as is": Counted; "fully fused": Counted }
>;

/** Layers of the standard head by number: the encoder is 6 with the projections around it. */
const BACKBONE = 0;
const DECODER = 23;

describe.each(VARIANTS)("%s", (variant) => {
  const model = detectorFor(variant);

  it("has PyTorch's state dict: names, order and shapes", () => {
    const golden = readFileSync(goldenPath(`models/keys/${variant}.txt`), "utf8")
      .trim()
      .split("\n");
    const ours = [...model.namedTensors()].map(([name, { shape, dtype }]) => {
      return `${name}\t${shape.join("x") || "scalar"}\t${dtype === "i64" ? "int64" : "float32"}`;
    });
    expect(ours).toEqual(golden);
  });

  it("has PyTorch's parameters and GFLOPs, whole and by part", () => {
    const info = modelInfo(model);
    const { total, gtotal, params, gflops } = stats[variant]["as is"];
    expect(info.parameters).toBe(total);
    expect(info.gflops).toBeCloseTo(gtotal, 6);
    const row = (index: number) => info.rows.find((r) => r.index === index)!;
    expect(row(BACKBONE).params).toBe(params.backbone);
    expect(row(BACKBONE).gflops).toBeCloseTo(gflops.backbone, 6);
    expect(row(DECODER).params).toBe(params.decoder);
    expect(row(DECODER).gflops).toBeCloseTo(gflops.decoder, 6);
  });

  it("has the fused model's GFLOPs and parameters after fuse()", () => {
    const fused = detectorFor(variant).fuse();
    const { total, gtotal } = stats[variant]["fully fused"];
    expect(modelInfo(fused).gflops).toBeCloseTo(gtotal, 6);
    expect(parameterCount(fused as unknown as AnyModule)).toBe(total);
    expect(modelInfo(fused.fuse()).gflops).toBeCloseTo(gtotal, 6); // nothing left to fold
  });

  it("has the backbone's names without a prefix when it stands alone", () => {
    const alone = [...new MobileNetV4(variant).namedTensors()].map(([name]) => `model.0.${name}`);
    const inside = [...model.namedTensors()]
      .map(([name]) => name)
      .filter((name) => name.startsWith("model.0."));
    expect(alone).toEqual(inside);
  });
});

it.each([
  ["a side of more than 8192 pixels", [1_000_000, 1_000_000]],
  ["maps that do not agree", [632, 640]],
  ["no pixels at all", [0, 0]],
  ["a part of a pixel", [640, 640.5]],
] as const)("GFLOPs for %s are refused", (_title, size) => {
  const model = detectorFor("MobileNetV4ConvSmall");
  expect(() => modelInfo(model, size)).toThrow(expect.objectContaining({ code: "size" }));
});

describe("the printed table", () => {
  it("is laid out as Ultralytics'", () => {
    const lines = formatModelInfo(modelInfo(detectorFor("MobileNetV4ConvSmall")), "rtdetr").split("\n");
    expect(lines[0]).toBe(
      "                   from  n    params  module                                       arguments",
    );
    expect(lines[1]).toBe(
      "  0                  -1  1   2493024  MobileNetV4ConvSmall                         []",
    );
    expect(lines[2]).toBe(
      "  5                  -1  1     33280  ultralytics.nn.modules.conv.Conv             [128, 256, 1, 1, None, 1, 1, False]",
    );
    expect(lines[8]).toBe(
      " 11                  -1  3    657920  ultralytics.nn.modules.block.RepC3           [512, 256, 3, 0.5]",
    );
    expect(lines[20]).toBe(
      " 23        [16, 19, 22]  1   4019120  ultralytics.nn.modules.head.RTDETRDecoder    [80, [256, 256, 256], 256, 300, 4, 8, 3]",
    );
    expect(lines.at(-1)).toMatch(
      /^rtdetr summary: \d+ layers, 11321616 parameters, 0 gradients, 28\.122 GFLOPs at 640x640$/,
    );
  });
});
