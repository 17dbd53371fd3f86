/** Goldens on demand: what is written of a run, and what the files are like. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { createWasmBackend } from "../../src/backend/wasm/wasm-backend.ts";
import { parseArguments } from "../../src/cli/arguments.ts";
import { goldenCommand } from "../../src/cli/golden.ts";
import { Terminal } from "../../src/cli/terminal.ts";
import {
  chooseEntries,
  type GoldenNetwork,
  imagesOn,
  listGolden,
  twinOf,
  writeGolden,
} from "../../src/conformance/golden.ts";
import type { HostTensor } from "../../src/conformance/host-tensor.ts";
import { elementsOf } from "../../src/conformance/kit-tensors.ts";
import { samplePositions } from "../../src/conformance/samples.ts";
import { seededSource } from "../../src/conformance/seeded-source.ts";
import { readTraceFile, TraceWriter } from "../../src/conformance/trace-file.ts";
import { globExpression, matchesGlob } from "../../src/glob.ts";
import { recordTrace } from "../../src/inspect/trace.ts";
import { fuse } from "../../src/models/fuse.ts";
import { MobileNetV4 } from "../../src/models/mobilenetv4/network.ts";
import type { AnyModule } from "../../src/nn/index.ts";
import { loadStateDict } from "../../src/nn/state-dict.ts";
import { seededImage } from "../../src/weights/seeded-image.ts";
import { detectorFor } from "../models/support.ts";

const folder = mkdtempSync(join(tmpdir(), "mobiledetr-golden-"));
const backend = createWasmBackend({ threads: 1 });
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await backend.close();
});
afterEach(() => {
  // Nothing half-written may stay, whatever happened.
  expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
});

const [HEIGHT, WIDTH] = [96, 128];
const SHAPE = [1, 3, HEIGHT, WIDTH];
const detector = detectorFor("narrow");
const module = detector as unknown as AnyModule;
loadStateDict(module, seededSource(module, { seed: 0, attentionGain: 1e5 }), { backend });
const images = imagesOn(backend, SHAPE, seededImage(2, HEIGHT, WIDTH));
const twin = twinOf(detector);
const path = (name: string): string => join(folder, name);

/** Equal to the bit. Buffers, because matchers walk through arrays element by element. */
function expectSame(got: HostTensor | undefined, want: HostTensor | undefined, name?: string): void {
  expect([got?.dtype, got?.shape], name).toEqual([want?.dtype, want?.shape]);
  const bytes = (tensor: HostTensor | undefined): Buffer =>
    tensor
      ? Buffer.from(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength)
      : expect.fail(`no ${name}`);
  expect(bytes(got).equals(bytes(want)), name).toBe(true);
}

const f32 = (shape: readonly number[], data: Float32Array): HostTensor => ({ dtype: "F32", shape, data });

describe("a golden", () => {
  it("has every module's output, the input and the results, with the bits of the run", () => {
    const { trace, result } = recordTrace(module, () => detector.call(images));
    const report = writeGolden(path("all.safetensors"), detector, twin, images);
    const file = readTraceFile(path("all.safetensors"));
    expect([...file.tensors.keys()]).toEqual([
      "images",
      ...trace.keys(),
      "output0",
      "index",
      "enc_bboxes",
      "enc_scores",
    ]);
    for (const [name, { shape, data }] of trace) {
      expectSame(file.tensors.get(name), f32(shape, data), name);
    }
    expectSame(file.tensors.get("images"), f32(SHAPE, seededImage(2, HEIGHT, WIDTH)));
    expectSame(file.tensors.get("output0"), f32(result.output0.shape, result.output0.toFloat32Array()));
    const index = Array.from(file.tensors.get("index")?.data ?? [], Number);
    expect(index).toEqual([...result.index.toArray()]);
    expect(report.byteLength).toBe(readFileSync(path("all.safetensors")).length);
    expect(file.metadata.get("format")).toBe("mobiledetr-trace-1");
    expect(file.positions("output0")).toBeUndefined();
  });

  it("is the same in npz", () => {
    writeGolden(path("some.npz"), detector, twin, images, {
      patterns: ["model.0.layer3.**", "index"],
      metadata: { note: "ü" },
    });
    const [npz, all] = [readTraceFile(path("some.npz")), readTraceFile(path("all.safetensors"))];
    const names = [...all.tensors.keys()].filter(
      (name) => name.startsWith("model.0.layer3") || name === "index",
    );
    expect([...npz.tensors.keys()]).toEqual(names);
    for (const name of names) expectSame(npz.tensors.get(name), all.tensors.get(name), name);
    expect(npz.metadata.get("note")).toBe("ü");
  });

  it.each(["sampled.npz", "sampled.safetensors"])(
    "keeps samples at the generator's positions, and tells shapes: %s",
    (name) => {
      writeGolden(path(name), detector, twin, images, {
        samples: 100,
        patterns: ["model.*", "model.0.conv0.*", "output0"],
      });
      const [few, all] = [readTraceFile(path(name)), readTraceFile(path("all.safetensors"))];
      expect(few.tensors.size).toBeGreaterThan(10);
      for (const [tensor, { data, shape }] of few.tensors) {
        const whole = all.tensors.get(tensor);
        const count = elementsOf(whole?.shape ?? []);
        expect(few.shapes.get(tensor), tensor).toEqual(whole?.shape);
        if (count <= 100) expect(data).toEqual(whole?.data);
        else {
          const positions = samplePositions(tensor, count, 100);
          expect(shape).toEqual([100]);
          expect(few.positions(tensor)).toEqual(positions);
          expect([...data]).toEqual([...positions].map((i) => whole?.data[i]));
        }
      }
    },
  );

  it("is of the folded network where that is folded", () => {
    const [fused, fusedTwin] = [detectorFor("narrow"), fuse(detectorFor("narrow"))];
    const fusedModule = fused as unknown as AnyModule;
    loadStateDict(fusedModule, seededSource(fusedModule, { seed: 0 }), { backend });
    fuse(fused);
    writeGolden(path("fused.safetensors"), fused, fusedTwin, images, { patterns: ["model.7.**"] });
    const names = [...readTraceFile(path("fused.safetensors")).tensors.keys()];
    expect(names).toContain("model.7.m.0.conv");
    expect(names.filter((name) => /\.bn$|conv1/.test(name))).toEqual([]);
  });

  it("of a backbone has its four maps", () => {
    const backbone = new MobileNetV4("MobileNetV4ConvSmall");
    const alone = backbone as unknown as AnyModule;
    loadStateDict(alone, seededSource(alone, { seed: 0, prefix: "model.0." }), { backend });
    writeGolden(path("backbone.safetensors"), backbone, twinOf(backbone), images, {
      patterns: ["stride*", "layer4"],
    });
    const file = readTraceFile(path("backbone.safetensors"));
    expect([...file.tensors.keys()]).toEqual(["layer4", "stride4", "stride8", "stride16", "stride32"]);
    expectSame(file.tensors.get("stride32"), file.tensors.get("layer4"));
  });

  it("leaves no file, and an older one as it was, where the run fails", () => {
    writeFileSync(path("kept.npz"), "older");
    const broken: GoldenNetwork = detectorFor("narrow"); // no weights: numbers are asked of shapes
    expect(() => writeGolden(path("kept.npz"), broken, twin, images)).toThrow();
    expect(() => writeGolden(path("none.npz"), broken, twin, images)).toThrow();
    expect(readFileSync(path("kept.npz"), "utf8")).toBe("older");
    expect(readdirSync(folder)).not.toContain("none.npz");
  });

  it("lists what there is without computing it", () => {
    const entries = listGolden(twin, SHAPE);
    expect(entries[0]).toEqual({ name: "images", dtype: "F32", shape: SHAPE });
    expect(entries.find(({ name }) => name === "index")).toEqual({
      name: "index",
      dtype: "I64",
      shape: [1, 100],
    });
    expect(entries.map(({ name }) => name)).toEqual([
      ...readTraceFile(path("all.safetensors")).tensors.keys(),
    ]);
  });

  it("refuses a pattern that fits nothing, and names what there is", () => {
    expect(() => chooseEntries(listGolden(twin, SHAPE), ["output0", "model.0.layer9.**"])).toThrow(
      /got model\.0\.layer9\.\*\* \(there are model\.0\./,
    );
  });
});

describe("a trace's writer", () => {
  const entry = { name: "x", dtype: "F32", shape: [2] } as const;
  const tensor = { dtype: "F32", shape: [2], data: Float32Array.of(1, 2) } as const;

  it("keeps the last of a tensor that comes twice", () => {
    for (const name of ["twice.npz", "twice.safetensors"]) {
      const writer = new TraceWriter(path(name), [entry]);
      writer.write("x", { ...tensor, data: Float32Array.of(8, 9) });
      writer.write("x", tensor);
      writer.finish();
      expect(readTraceFile(path(name)).tensors.get("x")).toEqual(tensor);
    }
  });

  it("refuses what was not announced, or announced otherwise, and to finish without all", () => {
    const writer = new TraceWriter(path("wrong.npz"), [entry]);
    expect(() => writer.write("y", tensor)).toThrow(/"y": expected a tensor that was announced/);
    expect(() => writer.write("x", { ...tensor, shape: [1, 2] })).toThrow(
      /F32 of shape \[2\], got F32 of shape \[1, 2\]/,
    );
    expect(() => writer.finish()).toThrow(/expected all of 1 tensors, got none of 1: x/);
    expect(readdirSync(folder)).not.toContain("wrong.npz");
  });

  it("refuses other endings, and folders that are not there", () => {
    expect(() => new TraceWriter(path("x.txt"), [entry])).toThrow(/ends in \.safetensors or \.npz/);
    expect(() => new TraceWriter(path("no/x.npz"), [entry])).toThrow(
      /x\.npz: expected a file that can be written/,
    );
  });

  it("reads foreign files without metadata as whole traces", () => {
    const writer = new TraceWriter(path("plain.safetensors"), [entry]);
    writer.write("x", tensor);
    writer.finish();
    const file = readTraceFile(path("plain.safetensors"));
    expect([file.positions("x"), file.shapes.get("x")]).toEqual([undefined, [2]]);
  });
});

describe("patterns", () => {
  it.each([
    ["model.0.*", "model.0.conv0", true],
    ["model.0.*", "model.0.conv0.convbn_0", false],
    ["model.0.**", "model.0.conv0.convbn_0", true],
    ["model.0.layer3.**", "model.0.layer3", true],
    ["model.0.layer3.**", "model.0.layer33", false],
    ["**.conv", "conv", true],
    ["**.conv", "a.b.conv", true],
    ["**.conv", "a.b.xconv", false],
    ["a.**.b", "a.b", true],
    ["a.**.b", "a.x.y.b", true],
    ["**", "anything.at.all", true],
    ["uib_?", "uib_1", true],
    ["uib_?", "uib_10", false],
    ["a+(b)", "a+(b)", true],
    ["a.b", "axb", false],
  ])("%s and %s: %s", (pattern, name, fits) => {
    expect(matchesGlob(pattern, name, ".")).toBe(fits);
  });

  it("have parts between slashes for cases", () => {
    expect(globExpression("L0/*/x", "/").test("L0/conv2d/x")).toBe(true);
    expect(globExpression("L0/*", "/").test("L0/conv2d/x")).toBe(false);
    expect(globExpression("**/x.y", "/").test("a/x.y")).toBe(true);
  });
});

describe("mobiledetr golden", () => {
  async function run(...words: string[]): Promise<{ code: number; text: string }> {
    const pieces: string[] = [];
    const stream = { write: (piece: string): void => void pieces.push(piece) };
    const terminal = new Terminal({ stdout: stream, stderr: stream });
    const code = await goldenCommand.run(parseArguments(words, goldenCommand), terminal);
    return { code, text: pieces.join("") };
  }

  it("lists and writes, with what it was made from in the header", async () => {
    const model = ["--model", "MobileNetV4ConvSmall", "--backbone", "--weights", "seed:0", "--imgsz", "64"];
    const listed = await run("seed:2", ...model, "--tensors", "stride*", "--list");
    expect(listed).toMatchObject({ code: 0 });
    expect(listed.text).toMatch(/^stride4 {3}F32 {2}\[1, 32, 16, 16\]\n(.*\n)*4 tensors, 14336 elements\n$/);
    const output = path("cli.npz");
    const written = await run(
      "seed:2",
      ...model,
      "--output",
      output,
      "--threads",
      "1",
      "--tensors",
      "stride*",
    );
    expect(written.text).toMatch(/cli\.npz: 4 tensors, \d+ bytes/);
    const { metadata } = readTraceFile(output);
    expect(Object.fromEntries(metadata)).toMatchObject({
      model: "MobileNetV4ConvSmall",
      network: "backbone",
      weights: "seed:0",
      input: "seed:2",
      backend: "wasm",
      fused: "false",
    });
  });

  it("gives the bits of another run when fed that run's images", async () => {
    const model = [
      "--model",
      "MobileNetV4ConvSmall",
      "--backbone",
      "--weights",
      "seed:0",
      "--backend",
      "reference",
    ];
    await run("seed:2", ...model, "--imgsz", "64", "--output", path("a.safetensors"));
    await run(path("a.safetensors"), ...model, "--output", path("b.safetensors"));
    const [a, b] = [readTraceFile(path("a.safetensors")), readTraceFile(path("b.safetensors"))];
    for (const [name, tensor] of a.tensors) expectSame(b.tensors.get(name), tensor, name);
  });

  it.each([
    ["no output", ["seed:0"], /expected --output, got none/],
    ["another ending", ["seed:0", "--output", "x.json"], /x\.json: expected a name that ends in/],
    [
      "an attention gain for stored weights",
      ["--output", "x.npz", "--attention-gain", "2"],
      /--attention-gain: expected generated/,
    ],
    ["an illegal size", ["--list", "--imgsz", "70"], /expected .*70x70/],
    ["a seed that is too great", ["seed:4294967296", "--list"], /seed: expected a whole number/],
  ])("refuses %s", async (_, words, message) => {
    await expect(run(...words)).rejects.toThrow(message);
  });
});
