/** The five backbones and detectors, module by module, against PyTorch. */
import { afterAll, describe, expect, it } from "vitest";
import { referenceBackend } from "../../src/backend/reference/reference.ts";
import { createWasmBackend } from "../../src/backend/wasm/wasm-backend.ts";
import { matchRows } from "../../src/conformance/match-rows.ts";
import { compareOutput } from "../golden/compare-trace.ts";
import { loadModelGolden, MODEL_CASES, type ModelCase, type ModelGolden } from "../golden/golden.ts";
import { DETECTION_ROWS, STAGE_OUTPUTS } from "../tolerances.ts";
import { loadCase, pictureFor, runCase } from "./support.ts";

const wasm = createWasmBackend({ threads: 2 });
afterAll(() => wasm.close());

/** PyTorch's own rounding at an output: only the largest networks' is near 1e-4 itself. */
function noiseOf(golden: ModelGolden, output: string): number {
  const stride = Number(output.replace("stride", ""));
  const path = stride
    ? `layer${Math.log2(stride) - 1}`
    : golden.modules.find(({ path }) => path.endsWith("enc_bbox_head"))?.path;
  const found = golden.modules.find((module) => module.path === path);
  return found ? golden.noise[found.row] : 0;
}

function check(of: ModelCase, backend: typeof wasm | typeof referenceBackend): void {
  const golden = loadModelGolden(of);
  const model = loadCase(of, backend);
  const picture = pictureFor(of, golden, backend);
  const { report, outputs, order } = runCase(model, picture, golden);
  expect(report.first?.message).toBeUndefined();
  expect(report.compared).toBeGreaterThan(100);
  for (const name of golden.outputs.keys()) {
    if (name === "output0") continue;
    const { difference, std } = compareOutput(golden, name, outputs.get(name)!, order);
    expect(difference / std, name).toBeLessThan(Math.max(STAGE_OUTPUTS.abs, 2 * noiseOf(golden, name)));
  }
  const detections = golden.outputs.get("output0");
  if (detections) {
    const match = matchRows(detections.data, outputs.get("output0")!.data, detections.shape.at(-1)!);
    expect(match.max).toBeLessThan(DETECTION_ROWS.abs);
    expect(match.displaced).toBe(0);
  }
  model.dispose();
  picture.dispose();
}

describe("on WASM, every module within 5 times PyTorch's own rounding", () => {
  const cases = MODEL_CASES.map((of) => ({ of, title: `${of.model} ${of.kind} ${of.height}x${of.width}` }));
  it.each(cases)("$title", ({ of }) => check(of, wasm), 120_000);

  it("no memory is left behind", () => {
    expect(wasm.bytesInUse).toBe(0);
  });
});

describe("on the reference backend, every module within 5 times PyTorch's own rounding", () => {
  const models = ["MobileNetV4ConvSmall", "MobileNetV4HybridMedium"];
  it.each(models)(
    "%s backbone 320x320",
    (model) => {
      check({ model, kind: "backbone", height: 320, width: 320 }, referenceBackend);
    },
    120_000,
  );

  it("narrow detector 320x320", () => {
    check({ model: "narrow", kind: "detector", height: 320, width: 320 }, referenceBackend);
  }, 120_000);
});
