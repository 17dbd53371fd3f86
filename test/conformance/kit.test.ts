/** The conformance kit as it is shipped, and what its reader refuses. What runtimes make of it is tested elsewhere. */
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openOurRuntime } from "../../src/conformance/adapters/ours.ts";
import { readHostTensors, writeHostTensors } from "../../src/conformance/host-files.ts";
import type { HostTensor } from "../../src/conformance/host-tensor.ts";
import { KIT_FOLDER, type Kit, openKit, pick, takeSamples } from "../../src/conformance/kit.ts";
import { checkCase, checkKitIndex, checkParameterSet } from "../../src/conformance/kit-check.ts";
import { elementsOf, makeTensor } from "../../src/conformance/kit-tensors.ts";
import type { Runtime } from "../../src/conformance/runtime.ts";
import { samplePositions } from "../../src/conformance/samples.ts";
import { departures, type Schema } from "./json-schema.ts";

const kit: Kit = await openKit();
const scratch = mkdtempSync(join(tmpdir(), "mobiledetr-kit-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const json = (path: string): unknown => JSON.parse(readFileSync(join(KIT_FOLDER, path), "utf8"));
const schema = (name: string): Schema => json(`schema/${name}.schema.json`) as Schema;
const SCHEMAS = { case: schema("case"), kit: schema("kit"), parameters: schema("parameters") } as const;

describe("the kit", () => {
  it("has cases of every level, in order, each id once", () => {
    const lines = kit.cases();
    expect(new Set(lines.map(({ id }) => id)).size).toBe(lines.length);
    expect(lines.map(({ level }) => level)).toEqual(lines.map(({ level }) => level).toSorted());
    const counts = [0, 1, 2, 3, 4, 5].map((level) => lines.filter((line) => line.level === level).length);
    // A case that was lost would pass unseen otherwise.
    expect(counts).toEqual([146, 56, 31, 13, 28, 5]);
    for (const { id, level } of lines) expect(id.startsWith(`L${level}/`)).toBe(true);
  });

  it("lists every folder that is there", () => {
    const folders = readdirSync(join(KIT_FOLDER, "cases"), { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith("case.json"))
      .map((path) => path.slice(0, -"/case.json".length));
    expect(folders.toSorted()).toEqual(
      kit
        .cases()
        .map(({ id }) => id)
        .toSorted(),
    );
  });

  it("is small: below 10 MB as files, no file of 1 MB", () => {
    const sizes = readdirSync(KIT_FOLDER, { recursive: true, encoding: "utf8" })
      .map((path) => statSync(join(KIT_FOLDER, path)))
      .filter((status) => status.isFile())
      .map(({ size }) => size);
    expect(Math.max(...sizes)).toBeLessThan(1e6);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(10e6);
  });

  it("has an index and parameter sets as its schemas and its reader say", () => {
    expect(departures(SCHEMAS.kit, json("kit.json"))).toEqual([]);
    for (const file of readdirSync(join(KIT_FOLDER, "parameters")).filter((name) => name.endsWith(".json"))) {
      const set = json(`parameters/${file}`);
      expect(departures(SCHEMAS.parameters, set), file).toEqual([]);
      expect(checkParameterSet(set, file).entries.length).toBeGreaterThan(100);
    }
  });

  it("filters by level and by pattern", () => {
    const ids = (patterns: string[]): string[] => kit.cases({ patterns }).map(({ id }) => id);
    expect(kit.cases({ levels: [5] }).every(({ level }) => level === 5)).toBe(true);
    expect(ids(["L0/topk/*"])).toEqual(["L0/topk/300-of-525", "L0/topk/least", "L0/topk/all"]);
    expect(ids(["L0/topk"])).toEqual(ids(["L0/topk/**"]));
    expect(ids(["**/AIFI/*", "L1/AIFI/square"])).toEqual(["L1/AIFI/square", "L1/AIFI/oblong"]);
    expect(kit.cases({ levels: [1], patterns: ["L0/**"] })).toEqual([]);
  });
});

describe.each(kit.cases().map(({ id }) => id))("%s", (id) => {
  it("is sound: schema, hashes, and tensors as the manifest says", async () => {
    const manifest = json(`cases/${id}/case.json`);
    expect(departures(SCHEMAS.case, manifest)).toEqual([]);
    const loaded = await kit.read(id);
    const { inputs, parameters, outputs } = loaded.manifest;
    for (const { name, dtype, shape } of inputs) {
      expect(loaded.inputs.get(name), name).toMatchObject({ dtype, shape });
      expect(loaded.inputs.get(name)?.data.length, name).toBe(elementsOf(shape));
    }
    // Of whole models a few: the rest comes about in the same way, and takes seconds.
    const some = parameters.filter((_, i) => i % Math.ceil(parameters.length / 8) === 0);
    for (const { name, shape } of some) {
      const tensor = loaded.parameters.get(name) as HostTensor;
      expect(tensor, name).toMatchObject({ dtype: "F32", shape });
      expect((tensor.data as Float32Array).every(Number.isFinite), name).toBe(true);
    }
    for (const { name, dtype, shape, samples, double, noise = 0, statistics } of outputs) {
      const single = loaded.expected.get(name) as HostTensor;
      expect(single, name).toMatchObject({ dtype, shape: samples === undefined ? shape : [samples] });
      expect(loaded.positions(name)?.length, name).toBe(samples);
      const values = Array.from(single.data, Number);
      if (statistics?.length) {
        // Six digits are kept of them.
        const slack = 1e-5 * Math.max(Math.abs(statistics[0]), Math.abs(statistics[1]));
        const finite = values.filter(Number.isFinite);
        expect(Math.min(...finite), name).toBeGreaterThanOrEqual(statistics[0] - slack);
        expect(Math.max(...finite), name).toBeLessThanOrEqual(statistics[1] + slack);
      }
      expect(loaded.doubles.has(name), name).toBe(double !== undefined);
      if (double === undefined) continue;
      const wide = loaded.doubles.get(name)?.data as Float64Array;
      // What is finite in both is as near as the manifest says; what is not is so in both, but for numbers beyond f32.
      const apart = values.map((value, i) => Math.abs(value - wide[i]));
      expect(Math.max(0, ...apart.filter(Number.isFinite)), name).toBeLessThanOrEqual(noise * (1 + 1e-5));
      const odd = values.findIndex((value, i) => {
        return !Number.isFinite(apart[i]) && !Object.is(value, wide[i]) && Math.abs(wide[i]) < 3e38;
      });
      expect(odd, name).toBe(-1);
    }
  });
});

describe("a case's tensors", () => {
  it("are made anew, lazily, by name", async () => {
    const { parameters, manifest } = await kit.read("L3/detector/MobileNetV4HybridLarge");
    expect(parameters.size).toBe(manifest.parameters.length);
    expect([...parameters.keys()].slice(0, 2)).toEqual([
      "model.0.conv0.convbn_0.conv.weight",
      "model.0.conv0.convbn_0.BatchNorm2d.weight",
    ]);
    const first = parameters.get("model.0.conv0.convbn_0.conv.weight");
    expect(parameters.get("model.0.conv0.convbn_0.conv.weight")).toEqual(first);
    expect(parameters.get("model.0.conv0.convbn_0.conv.weight")).not.toBe(first);
    expect(parameters.get("model.0.nothing")).toBeUndefined();
    expect(parameters.has("model.0.layer5.convbn_0.conv.weight")).toBe(true);
  });

  it("of a stand-alone backbone are the detector's, under names without model.0.", async () => {
    const [backbone, detector] = await Promise.all([
      kit.read("L3/backbone/MobileNetV4ConvSmall"),
      kit.read("L3/detector/MobileNetV4ConvSmall"),
    ]);
    for (const name of [
      "layer3.uib_0._start_dw_.conv.weight",
      "layer3.uib_0._start_dw_.BatchNorm2d.running_var",
    ]) {
      expect(backbone.parameters.get(name)).toEqual(detector.parameters.get(`model.0.${name}`));
    }
  });

  it("are taken from a whole tensor at the generator's positions", async () => {
    const { manifest, positions } = await kit.read("L2/MobileNetV4ConvSmall/layer3");
    const output = manifest.outputs[manifest.outputs.length - 1];
    const count = elementsOf(output.shape);
    const whole = {
      dtype: "F32",
      shape: output.shape,
      data: Float32Array.from({ length: count }, (_, i) => i),
    } as const;
    expect(positions(output.name)).toEqual(samplePositions(output.name, count, 384));
    expect([...takeSamples(output, whole).data]).toEqual([...(positions(output.name) ?? [])]);
    expect(() => takeSamples(output, { ...whole, shape: [count] })).toThrow(
      /expected shape \[1, 96, 10, 10\], got shape/,
    );
    expect(pick(whole, [3, 1]).data).toEqual(Float32Array.of(3, 1));
  });

  it.each([
    [{ generator: "uniform", seed: 3, stream: "x", low: -2, high: 6 }, "F32"],
    [{ generator: "normal", seed: 3, stream: "x", std: 2, shift: 1 }, "F32"],
    [{ generator: "integers", seed: 3, stream: "x", below: 7 }, "I64"],
  ] as const)("come out of the generator as docs/generator.md says: %o", (source, dtype) => {
    const files = { bytes: () => new Uint8Array(), tensors: () => expect.fail("no file") as never };
    const { data } = makeTensor(source, { dtype, shape: [200, 20] }, files, new Set(), "test");
    const values = Array.from(data as ArrayLike<number | bigint>, Number);
    const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
    const std = Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length);
    // 4000 numbers: means within 4 standard errors.
    if (source.generator === "uniform") {
      expect(Math.abs(mean - 2)).toBeLessThan(0.15);
      expect(Math.min(...values)).toBeGreaterThanOrEqual(-2);
      expect(Math.max(...values)).toBeLessThan(6);
    } else if (source.generator === "normal") {
      expect(Math.abs(mean - 1)).toBeLessThan(0.13);
      expect(Math.abs(std - 2)).toBeLessThan(0.1);
    } else {
      expect(new Set(values)).toEqual(new Set([0, 1, 2, 3, 4, 5, 6]));
    }
  });
});

describe("our eager WASM way", () => {
  let runtime: Runtime;
  beforeAll(() => {
    runtime = openOurRuntime("eager-wasm");
  });
  afterAll(() => runtime.close());

  it.each([
    "L0/conv2d/3x3-stride-2-odd",
    "L0/conv2d/ones",
    "L0/gelu/erf-special",
    "L0/embedding/rows",
    "L1/UIB/k5-k5-s2",
    "L1/AttentionBlock/layer3",
    "L1/AIFI/oblong",
    "L1/MSDeformAttn/three-levels",
    "L2/MobileNetV4ConvSmall/layer3",
    "L3/backbone/MobileNetV4HybridMedium",
    "L4/preprocess/exif-6-png",
    "L4/preprocess/shrink",
    "L4/postprocess/ties",
  ])("gives %s, so that both sides generate the same inputs and weights", async (id) => {
    const { manifest, inputs, parameters, expected, output } = await kit.read(id);
    const names = manifest.outputs.map(({ name }) => name);
    const response = await runtime.run({ id, subject: manifest.subject, inputs, parameters, outputs: names });
    if (response.status !== "done") return expect.fail(response.message);
    for (const { name, noise = 0 } of manifest.outputs.filter(({ required }) => required)) {
      const got = takeSamples(output(name), response.outputs.get(name) as HostTensor);
      const want = expected.get(name) as HostTensor;
      const scale = Math.max(...Array.from(want.data, Number).filter(Number.isFinite).map(Math.abs), 0.1);
      for (const [i, value] of Array.from(want.data, Number).entries()) {
        const ours = Number(got.data[i]);
        // Another order of summation: some times PyTorch's own distance from float64, and a few ulp.
        const near = Math.abs(ours - value) <= 4 * noise + 2e-6 * scale;
        if (!near) expect(ours, `${name} at ${i}`).toBe(value); // what is not finite must be the same
      }
    }
  });
});

describe("a kit that is not whole", () => {
  const ID = "L0/relu/special";

  /** A copy with one case. */
  function copy(name: string): string {
    const folder = join(scratch, name);
    cpSync(join(KIT_FOLDER, "cases", ID), join(folder, "cases", ID), { recursive: true });
    const index = json("kit.json") as { cases: { id: string }[] };
    const cases = index.cases.filter(({ id }) => id === ID);
    writeFileSync(join(folder, "kit.json"), JSON.stringify({ ...index, cases }));
    return folder;
  }

  function rewrite(folder: string, change: (manifest: Record<string, unknown>) => void): void {
    const path = join(folder, "cases", ID, "case.json");
    const manifest = JSON.parse(readFileSync(path, "utf8"));
    change(manifest);
    const text = JSON.stringify(manifest);
    writeFileSync(path, text);
    const index = JSON.parse(readFileSync(join(folder, "kit.json"), "utf8"));
    index.cases[0].sha256 = createHash("sha256").update(text).digest("hex");
    writeFileSync(join(folder, "kit.json"), JSON.stringify(index));
  }

  it("is read where it is whole", async () => {
    const { expected } = await (await openKit(copy("whole"))).read(ID);
    expect(expected.get("output")?.data.length).toBe(26);
  });

  it("is refused without kit.json, saying where kits are", async () => {
    await expect(openKit(join(scratch, "nowhere"))).rejects.toThrow(
      /nowhere.kit\.json: expected .*clone the repository/s,
    );
  });

  it("is refused with another format, saying which this version reads", async () => {
    const folder = copy("format");
    const index = JSON.parse(readFileSync(join(folder, "kit.json"), "utf8"));
    writeFileSync(join(folder, "kit.json"), JSON.stringify({ ...index, format: 2 }));
    await expect(openKit(folder)).rejects.toThrow(/kit\.json: format: expected 1, .* got 2/);
  });

  it("is refused where one bit of a tensor was changed, with file and both hashes", async () => {
    const folder = copy("bit");
    const path = join(folder, "cases", ID, "expected.safetensors");
    const bytes = readFileSync(path);
    bytes[bytes.length - 1] ^= 1;
    writeFileSync(path, bytes);
    await expect((await openKit(folder)).read(ID)).rejects.toThrow(
      /expected\.safetensors: expected SHA-256 [0-9a-f]{64}, got [0-9a-f]{64} \(the file was changed/,
    );
  });

  it("is refused where a manifest was changed", async () => {
    const folder = copy("manifest");
    const path = join(folder, "cases", ID, "case.json");
    writeFileSync(path, readFileSync(path, "utf8").replace('"required":true', '"required":false'));
    await expect((await openKit(folder)).read(ID)).rejects.toThrow(/case\.json: expected SHA-256/);
  });

  it("is refused where a file is missing", async () => {
    const folder = copy("missing");
    rmSync(join(folder, "cases", ID, "inputs.safetensors"));
    await expect((await openKit(folder)).read(ID)).rejects.toThrow(
      /inputs\.safetensors: expected a file of the/,
    );
  });

  it("knows no case that it does not list, and names some that it does", async () => {
    await expect(kit.read("L0/relu/nothing")).rejects.toThrow(
      /the id of a case, got "L0\/relu\/nothing" \(as L0\/relu\/values/,
    );
    expect(existsSync(join(scratch, "L0"))).toBe(false);
  });

  const set = (object: object, members: object): void => void Object.assign(object, members);

  /** A manifest as JSON, loosely. */
  type Tensors = { source: Record<string, unknown>; [key: string]: unknown }[];
  interface Mutable {
    inputs: Tensors;
    outputs: Tensors;
    [key: string]: unknown;
  }
  it.each<[string, (m: Mutable) => void, RegExp]>([
    [
      "a path out of the case",
      (m) => set(m.outputs[0].source, { file: "../../x" }),
      /outputs\[0\]\.source\.file: expected a path within/,
    ],
    [
      "an unknown dtype",
      (m) => set(m.outputs[0], { dtype: "F8" }),
      /outputs\[0\]\.dtype: expected one of F32/,
    ],
    [
      "a fractional shape",
      (m) => set(m.outputs[0], { shape: [1.5] }),
      /outputs\[0\]\.shape: expected a list of whole/,
    ],
    ["an unknown key", (m) => set(m, { extra: [] }), /case\.json: expected no other keys than .*, got extra/],
    ["a missing key", (m) => void delete m.title, /expected title, got an object without title/],
    [
      "an unknown subject",
      (m) => set(m, { subject: { kind: "song" } }),
      /subject\.kind: expected operator, .* got "song"/,
    ],
    [
      "an unknown generator",
      (m) => set(m.inputs[0], { source: { generator: "dice", seed: 1 } }),
      /generator: expected image, .* got "dice"/,
    ],
    [
      "two outputs of one name",
      (m) => void m.outputs.push(m.outputs[0]),
      /outputs: expected names that differ, got "output" twice/,
    ],
    [
      "nothing that is required",
      (m) => set(m.outputs[0], { required: false }),
      /outputs: expected one that is required/,
    ],
    ["a level of its own", (m) => set(m, { level: 9 }), /level: expected a level, 0 \.\. 5, got 9/],
  ])("refuses %s, by schema and by reader alike", async (name, change, message) => {
    const folder = copy(name.replaceAll(" ", "-"));
    rewrite(folder, change as unknown as (manifest: Record<string, unknown>) => void);
    await expect((await openKit(folder)).read(ID)).rejects.toThrow(message);
    const manifest = JSON.parse(readFileSync(join(folder, "cases", ID, "case.json"), "utf8"));
    // What spans several members is beyond a schema.
    const beyond = name.startsWith("two outputs") || name.startsWith("nothing");
    expect(departures(SCHEMAS.case, manifest).length > 0).toBe(!beyond);
  });

  it.each([
    ["another shape than the manifest's", { shape: [25] }, /F32 of shape \[25\], got F32 of shape \[26\]/],
    ["another dtype than the manifest's", { dtype: "F64" }, /F64 of shape \[26\], got F32/],
  ])("refuses a tensor of %s", async (name, change, message) => {
    const folder = copy(name.replaceAll(/\W/g, "-"));
    rewrite(folder, (manifest) => void Object.assign((manifest.inputs as object[])[0], change));
    const { inputs } = await (await openKit(folder)).read(ID);
    expect(() => inputs.get("input")).toThrow(message);
  });

  it("refuses a shared file that kit.json does not list", async () => {
    const folder = copy("unlisted");
    rewrite(folder, (manifest) => {
      (manifest.inputs as { source: object }[])[0].source = { shared: "../secret.safetensors", key: "x" };
    });
    const { inputs } = await (await openKit(folder)).read(ID);
    expect(() => inputs.get("input")).toThrow(
      /kit\.json: shared: expected the file \.\.\/secret\.safetensors/,
    );
  });

  it("is checked where it is only parsed", () => {
    expect(() => checkKitIndex([], "k")).toThrow(/k: expected an object, got \[\]/);
    expect(() => checkCase(null, "c")).toThrow(/c: expected an object, got null/);
    expect(() => checkParameterSet({}, "p")).toThrow(/p: expected format/);
  });
});

describe("host tensors", () => {
  it("are written and read bit for bit, F16 as its bits", () => {
    const path = join(scratch, "all.safetensors");
    const tensors = new Map<string, HostTensor>([
      ["f32", { dtype: "F32", shape: [2], data: Float32Array.of(Number.NaN, -0) }],
      ["f64", { dtype: "F64", shape: [], data: Float64Array.of(0.1) }],
      ["f16", { dtype: "F16", shape: [3], data: Uint16Array.of(0x3c00, 0x7e01, 0x8000) }],
      ["i32", { dtype: "I32", shape: [1], data: Int32Array.of(-1) }],
      ["i64", { dtype: "I64", shape: [1], data: BigInt64Array.of(-(2n ** 40n)) }],
      ["u8", { dtype: "U8", shape: [0], data: new Uint8Array() }],
      ["bool", { dtype: "BOOL", shape: [2], data: Uint8Array.of(0, 1) }],
    ]);
    writeHostTensors(path, tensors, { note: "x" });
    const read = readHostTensors(path);
    expect([...read.keys()]).toEqual([...tensors.keys()]);
    for (const [name, tensor] of tensors) expect(read.get(name)).toEqual(tensor);
  });
});
