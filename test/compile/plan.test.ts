/** Whole networks as plans, against PyTorch and against eager: accuracy, threads, memory. */
import { afterAll, describe, expect, it } from "vitest";
import { referenceBackend } from "../../src/backend/reference/reference.ts";
import { createWasmBackend } from "../../src/backend/wasm/wasm-backend.ts";
import { type CompileOptions, compile } from "../../src/compile/index.ts";
import { matchRows } from "../../src/conformance/match-rows.ts";
import { readPicture } from "../../src/detector/pictures.ts";
import { Pipeline } from "../../src/detector/pipeline.ts";
import type { MobileNetV4 } from "../../src/models/mobilenetv4/network.ts";
import type { RTDETRDetectionModel } from "../../src/models/rtdetr/model.ts";
import type { Module } from "../../src/nn/index.ts";
import { cat } from "../../src/ops/index.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { openSafetensors } from "../../src/weights/safetensors.ts";
import { compareOutput } from "../golden/compare-trace.ts";
import { goldenPath, loadModelGolden, MODEL_CASES, type ModelCase } from "../golden/golden.ts";
import { loadCase, pictureFor } from "../models/support.ts";
import { DETECTION_ROWS, STAGE_OUTPUTS } from "../tolerances.ts";

const wasm = createWasmBackend({ threads: 2 });
afterAll(() => wasm.close());

// Plans round differently than PyTorch does, and so does PyTorch itself: where its own distance from double precision is
// near the bound, the bound is a few times that distance.
const NOISE_FACTOR = 2;

const shapeOf = ({ height, width }: ModelCase): number[] => [1, 3, height, width];
const titled = (cases: readonly ModelCase[]): { of: ModelCase; title: string }[] =>
  cases.map((of) => ({ of, title: `${of.model} ${of.kind} ${of.height}x${of.width}` }));
const LARGE = ["MobileNetV4ConvSmall", "MobileNetV4HybridMedium"];
const CASES = titled(MODEL_CASES.filter((of) => of.height < 640 || LARGE.includes(of.model)));

describe.each([false, true])("exact %s, against PyTorch", (exact) => {
  const cases = exact ? CASES.filter(({ of }) => of.height < 640) : CASES;

  it.each(cases.filter(({ of }) => of.kind === "detector"))(
    "$title: rows within 1e-3",
    ({ of }) => {
      const golden = loadModelGolden(of);
      const model = loadCase(of, wasm) as RTDETRDetectionModel;
      const picture = pictureFor(of, golden, wasm);
      const plan = compile(model, { shape: shapeOf(of), backend: wasm, exact });
      model.dispose();
      const { output0 } = plan.run(picture);
      const expected = golden.outputs.get("output0")!;
      const match = matchRows(expected.data, output0.toFloat32Array(), expected.shape.at(-1)!);
      expect(match.max).toBeLessThan(DETECTION_ROWS.abs);
      expect(match.displaced).toBe(0);
      plan.dispose();
      picture.dispose();
    },
    60_000,
  );

  it.each(cases.filter(({ of }) => of.kind === "backbone"))(
    "$title: maps within 1e-4 standard deviations, or PyTorch's own rounding",
    ({ of }) => {
      const golden = loadModelGolden(of);
      const model = loadCase(of, wasm) as MobileNetV4;
      const picture = pictureFor(of, golden, wasm);
      const plan = compile(model, { shape: shapeOf(of), backend: wasm, exact });
      plan.run(picture).forEach((map, i) => {
        const { difference, std } = compareOutput(golden, `stride${4 << i}`, {
          shape: map.shape,
          data: map.toFloat32Array(),
        });
        const row = golden.modules.find(({ path }) => path === `layer${i + 1}`)?.row ?? -1;
        const bound = Math.max(STAGE_OUTPUTS.abs, NOISE_FACTOR * (golden.noise[row] ?? 0));
        expect(difference / std, `stride ${4 << i}`).toBeLessThan(bound);
      });
      plan.dispose();
      model.dispose();
      picture.dispose();
    },
    60_000,
  );
});

describe("options", () => {
  const of = MODEL_CASES.find(({ model }) => model === "narrow")!;
  const compiled = (options: Partial<CompileOptions>) => {
    const model = loadCase(of, wasm) as RTDETRDetectionModel;
    try {
      return compile(model, { shape: shapeOf(of), backend: wasm, ...options });
    } finally {
      model.dispose();
    }
  };

  it("a channels-last input gives the same bits, from tensors of either layout and backend", () => {
    const picture = pictureFor(of, loadModelGolden(of), wasm);
    const rows = compiled({});
    const expected = rows.run(picture).output0.toFloat32Array();
    rows.dispose();
    const plan = compiled({ memoryFormat: "channels_last" });
    expect(plan.input.isContiguous("channels_last")).toBe(true);
    const nhwc = picture.contiguous("channels_last");
    for (const x of [picture, nhwc, picture.to(referenceBackend), nhwc.to(referenceBackend)]) {
      (plan.input.storage.data as Float32Array).fill(0);
      expect(plan.run(x).output0.toFloat32Array()).toEqual(expected);
    }
    plan.dispose();
    for (const x of [picture, nhwc]) x.dispose();
  });

  it("runs on fewer threads than the backend has, with the same bits, and refuses more", () => {
    const picture = pictureFor(of, loadModelGolden(of), wasm);
    const results = [undefined, 1].map((threads) => {
      const plan = compiled({ threads });
      expect(plan.threads).toBe(threads ?? 2);
      const result = plan.run(picture).output0.toFloat32Array();
      plan.dispose();
      return result;
    });
    expect(results[1]).toEqual(results[0]);
    for (const threads of [0, 3, 1.5])
      expect(() => compiled({ threads })).toThrow(/whole number in \[1, 2\]/);
    picture.dispose();
  });
});

it("nothing of them is left in memory", () => {
  expect(wasm.bytesInUse).toBe(0);
});

describe("the default model on photographs, against PyTorch", () => {
  const pipeline = new Pipeline({ threads: 2, fuse: false });
  const model = pipeline.model;
  const backend = model.decoder.query_pos_head.layers.at(0).weight.backend as typeof wasm;
  const plan = compile(model, { shape: [1, 3, 640, 640], backend });
  afterAll(() => pipeline.close());

  it.each(["cat", "coffee", "wall"])("%s: rows within 1e-3", (name) => {
    const { pixels } = readPicture(goldenPath(`codes/${name}.640.png`));
    using file = openSafetensors(goldenPath(`codes/${name}.output.safetensors`));
    const output = (plan.run(pipeline.preprocess(pixels)) as { output0: Tensor }).output0.toFloat32Array();
    const match = matchRows(file.read("output0") as Float32Array, output, 10);
    expect(match.max).toBeLessThan(DETECTION_ROWS.abs);
    expect(match.displaced).toBe(0);
  });
});

describe("same bits", () => {
  async function run(of: ModelCase, threads: number): Promise<Buffer> {
    const backend = createWasmBackend({ threads, inlineBelowNs: 0 });
    const model = loadCase(of, backend) as unknown as Module<[Tensor], unknown>;
    const picture = pictureFor(of, loadModelGolden(of), backend);
    const plan = compile(model, { shape: shapeOf(of), backend });
    const once = bytesOf(plan.run(picture));
    expect(bytesOf(plan.run(picture)).equals(once)).toBe(true);
    await backend.close();
    return once;
  }

  function bytesOf(result: unknown): Buffer {
    const list = Array.isArray(result) ? result : Object.values(result as object);
    return Buffer.concat(list.map((x: Tensor) => Buffer.from(x.toArray().buffer)));
  }

  const cases = titled([
    { model: "narrow", kind: "detector", height: 320, width: 320 },
    { model: "MobileNetV4ConvSmall", kind: "detector", height: 256, width: 416 },
    { model: "MobileNetV4HybridMedium", kind: "backbone", height: 320, width: 320 },
  ]);
  it.each(cases)(
    "$title: with 1, 2, 3 and 4 threads, and run after run",
    async ({ of }) => {
      const one = await run(of, 1);
      for (const threads of [2, 3, 4]) expect((await run(of, threads)).equals(one)).toBe(true);
    },
    60_000,
  );
});

it("a batch is computed as each of its pictures, to rounding", () => {
  const of: ModelCase = { model: "narrow", kind: "detector", height: 320, width: 320 };
  const model = loadCase(of, wasm) as RTDETRDetectionModel;
  const golden = loadModelGolden(of);
  const picture = pictureFor(of, golden, wasm);
  const pair = cat([picture.slice(1, 0, 3), picture], 0);
  const plan = compile(model, { shape: [2, 3, 320, 320], backend: wasm });
  const { output0 } = plan.run(pair);
  const expected = golden.outputs.get("output0")!;
  for (const i of [0, 1]) {
    const match = matchRows(expected.data, output0.select(0, i).toFloat32Array(), expected.shape.at(-1)!);
    expect(match.max).toBeLessThan(DETECTION_ROWS.abs);
  }
  plan.dispose();
  for (const x of [pair, picture]) x.dispose();
  model.dispose();
});

it("200 runs take no memory and give the same bits", () => {
  const of: ModelCase = { model: "MobileNetV4ConvSmall", kind: "backbone", height: 320, width: 320 };
  const model = loadCase(of, wasm) as MobileNetV4;
  const picture = pictureFor(of, loadModelGolden(of), wasm);
  const small = compile(model, { shape: [1, 3, 64, 64], backend: wasm });
  const view = picture.slice(2, 0, 64).slice(3, 0, 64);
  const first = small.run(view)[3].toFloat32Array();
  const { bytesInUse, bytesReserved } = wasm;
  for (let i = 0; i < 200; i++) small.run(view);
  expect(wasm.bytesInUse).toBe(bytesInUse);
  expect(wasm.bytesReserved).toBe(bytesReserved);
  expect(small.output[3].toFloat32Array()).toEqual(first);
  small.dispose();
  model.dispose();
  picture.dispose();
});

it("values share one area: it is less than a third of what they add up to", () => {
  const of: ModelCase = { model: "MobileNetV4ConvSmall", kind: "detector", height: 320, width: 320 };
  const model = loadCase(of, wasm) as RTDETRDetectionModel;
  const plan = compile(model, { shape: shapeOf(of), backend: wasm });
  const all = plan.graph.nodes.reduce((sum, node) => sum + node.outputs[0].value.length * 4, 0);
  expect(plan.bytes.area).toBeLessThan(all / 3);
  plan.dispose();
  model.dispose();
});
