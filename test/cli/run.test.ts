/** `mobiledetr run`: raw tensors, against PyTorch's outputs for the default model and against the library itself. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { referenceBackend } from "../../src/backend/reference/reference.ts";
import { matchRows } from "../../src/conformance/match-rows.ts";
import { findModel, isNeverRun } from "../../src/detector/model-files.ts";
import { decodeImage } from "../../src/image/decode.ts";
import { recordTrace } from "../../src/inspect/trace.ts";
import { MobileNetV4 } from "../../src/models/mobilenetv4/network.ts";
import { RTDETRDetectionModel } from "../../src/models/rtdetr/model.ts";
import type { AnyModule } from "../../src/nn/index.ts";
import { loadStateDict } from "../../src/nn/state-dict.ts";
import { tensor } from "../../src/tensor/create.ts";
import {
  openSafetensors,
  type SafetensorsFile,
  type SafetensorsTensor,
  saveSafetensors,
} from "../../src/weights/safetensors.ts";
import { seededImage } from "../../src/weights/seeded-image.ts";
import { deviation } from "../close.ts";
import { DETECTION_ROWS, type Tolerance } from "../tolerances.ts";
import { type Ended, filesBelow, runCli, scratchFolder } from "./run-cli.ts";

const GOLDEN = fileURLToPath(new URL("../golden/codes/", import.meta.url));
const WEIGHTS = fileURLToPath(new URL("../../models/codes.f16.safetensors", import.meta.url));
const SIDE = 96; // the smallest with 100 tokens for the model's 100 queries
const SMALL = seededImage(7, SIDE, SIDE);
const SMALL_SHAPE = [1, 3, SIDE, SIDE];

/** The WASM and the reference backend on one small picture, feature maps of order 1 to 10. */
const BACKENDS: Tolerance = {
  abs: 2e-3,
  rel: 2e-3,
  reason: "the reference sums in double precision; after 60 layers in single precision 1e-4 is usual",
};

const scratch = scratchFolder();
const small = join(scratch, "small.safetensors");

beforeAll(() => {
  saveSafetensors(small, [["images", { dtype: "F32", shape: SMALL_SHAPE, data: SMALL }]]);
});

/** Saves tensors under a name in the scratch folder. */
function save(name: string, tensors: Record<string, SafetensorsTensor>): string {
  const path = join(scratch, name);
  saveSafetensors(path, Object.entries(tensors));
  return path;
}

function run(input: string, output: string, ...words: string[]): Promise<Ended> {
  return runCli(["run", "--model", "codes", "--input", input, "--output", output, ...words]);
}

function floats(file: SafetensorsFile, name: string): Float32Array {
  return file.read(name) as Float32Array;
}

describe("mobiledetr run", () => {
  it("computes output0 as PyTorch does, rows matched within 1e-3, fused and not", async () => {
    const { data } = decodeImage(readFileSync(join(GOLDEN, "wall.640.png")));
    const images = new Float32Array(data.length);
    const plane = 640 * 640;
    for (let i = 0; i < plane; i++) for (let c = 0; c < 3; c++) images[c * plane + i] = data[3 * i + c] / 255;
    const input = save("wall.safetensors", {
      images: { dtype: "F32", shape: [1, 3, 640, 640], data: images },
    });
    using golden = openSafetensors(join(GOLDEN, "wall.output.safetensors"));
    const expected = floats(golden, "output0");
    const results: Float32Array[] = [];
    for (const words of [[], ["--fuse"]]) {
      const output = join(scratch, "wall.out.safetensors");
      expect(await run(input, output, ...words)).toMatchObject({ code: 0, stderr: "" });
      using out = openSafetensors(output);
      const match = matchRows(floats(out, "output0"), expected, 10);
      expect(match.max).toBeLessThan(DETECTION_ROWS.abs);
      results.push(floats(out, "output0"));
      expect(out.metadata.get("fused")).toBe(words.length > 0 ? "true" : "false");
    }
    expect(results[0]).not.toEqual(results[1]); // folded weights round otherwise
  });

  it("writes the documented tensors and metadata, and with --trace every module's output by its path", async () => {
    const output = join(scratch, "trace.safetensors");
    const ended = await run(small, output, "--trace", "--threads", "2");
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    expect(ended.stdout).toMatch(
      /trace\.safetensors: \d+ tensors, \d+ ms\n {2}output0 +F32 +\[1, 100, 10\]\n/,
    );
    using out = openSafetensors(output);
    expect(out.names.slice(0, 4)).toEqual(["output0", "index", "enc_bboxes", "enc_scores"]);
    expect(out.entry("output0")).toMatchObject({ dtype: "F32", shape: [1, 100, 10] });
    expect(out.entry("index")).toMatchObject({ dtype: "I64", shape: [1, 100] });
    expect(out.entry("enc_bboxes")).toMatchObject({ dtype: "F32", shape: [1, 100, 4] });
    expect(out.entry("enc_scores")).toMatchObject({ dtype: "F32", shape: [1, 100, 6] });
    expect(Object.fromEntries(out.metadata)).toEqual({
      model: "codes",
      network: "detector",
      weights: "codes.f16.safetensors",
      backend: "wasm",
      threads: "2",
      fused: "false",
      mobiledetr: JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")).version,
    });

    // The same in this process, on the reference backend.
    const model = new RTDETRDetectionModel(findModel().config);
    using weights = openSafetensors(WEIGHTS);
    loadStateDict(model as unknown as AnyModule, weights, { backend: referenceBackend, mayMiss: isNeverRun });
    const index = tensor(Int32Array.from(out.read("index") as BigInt64Array, Number), [1, 100]);
    const { trace } = recordTrace(model as unknown as AnyModule, () =>
      model.call(tensor(SMALL, SMALL_SHAPE), { index }),
    );
    expect([...out.names].slice(4).sort()).toEqual([...trace.keys()].sort());
    for (const [path, { data, shape }] of trace) {
      expect(out.entry(path), path).toMatchObject({ dtype: "F32", shape: [...shape] });
      expect(deviation(floats(out, path), data, BACKENDS).failure, path).toBe("");
    }
  });

  it("gives the same bits with 1, 2 and 3 threads", async () => {
    const outputs = await Promise.all(
      [1, 2, 3].map(async (threads) => {
        const output = join(scratch, `threads${threads}.safetensors`);
        expect((await run(small, output, "--threads", `${threads}`)).code).toBe(0);
        using out = openSafetensors(output);
        return out.names.map((name) => Buffer.from(out.bytes(name)).toString("base64"));
      }),
    );
    expect(outputs[1]).toEqual(outputs[0]);
    expect(outputs[2]).toEqual(outputs[0]);
  });

  it("takes the queries that --use-index gives, in their order", async () => {
    const first = join(scratch, "first.safetensors");
    await run(small, first);
    using before = openSafetensors(first);
    const reversed = (before.read("index") as BigInt64Array).slice().reverse();
    const images: SafetensorsTensor = { dtype: "F32", shape: SMALL_SHAPE, data: SMALL };
    const input = save("index.safetensors", {
      images,
      index: { dtype: "I64", shape: [1, 100], data: reversed },
    });
    const output = join(scratch, "reversed.safetensors");
    expect((await run(input, output, "--use-index")).code).toBe(0);
    using after = openSafetensors(output);
    expect(after.read("index")).toEqual(reversed);
    const [a, b] = [floats(before, "output0"), floats(after, "output0")];
    for (let row = 0; row < 100; row++) {
      const mirrored = b.subarray((99 - row) * 10, (100 - row) * 10);
      expect(deviation(mirrored, a.subarray(row * 10, row * 10 + 10), DETECTION_ROWS).failure).toBe("");
    }
  });

  it("runs a backbone alone, with eps 1e-5 and names without model.0., as the library does", async () => {
    using weights = openSafetensors(WEIGHTS);
    const prefix = "model.0.";
    const state: Record<string, SafetensorsTensor> = {};
    for (const name of weights.names.filter((n) => n.startsWith(prefix))) {
      const { shape } = weights.entry(name);
      state[name.slice(prefix.length)] = { dtype: "F32", shape, data: weights.read(name) };
    }
    const alone = save("backbone.safetensors", state);
    const output = join(scratch, "backbone.out.safetensors");
    const words = ["--backbone", "--weights", alone, "--backend", "reference"];
    const ended = await runCli([
      ...["run", "--model", "MobileNetV4ConvSmall", "--input", small, "--output", output],
      ...words,
    ]);
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    using out = openSafetensors(output);
    expect(out.names).toEqual(["stride4", "stride8", "stride16", "stride32"]);
    expect(out.metadata.get("network")).toBe("backbone");
    const network = new MobileNetV4("MobileNetV4ConvSmall");
    using source = openSafetensors(alone);
    loadStateDict(network as unknown as AnyModule, source, {
      backend: referenceBackend,
      mayMiss: isNeverRun,
    });
    const maps = network.call(tensor(SMALL, SMALL_SHAPE));
    maps.forEach((map, i) => {
      expect(floats(out, out.names[i])).toEqual(map.toFloat32Array()); // one backend: the same bits
    });
  });

  it.each<[string, Record<string, SafetensorsTensor>, RegExp]>([
    ["no images", { x: { dtype: "F32", shape: [1], data: Float32Array.of(1) } }, /tensor "images", got "x"/],
    [
      "images of bytes",
      { images: { dtype: "U8", shape: [1, 3, 4, 4], data: new Uint8Array(48) } },
      /"images": expected floating-point numbers .* got U8 of shape \[1, 3, 4, 4\]/,
    ],
    [
      "images without a batch dimension",
      { images: { dtype: "F32", shape: [3, 96, 96], data: SMALL } },
      /got F32 of shape \[3, 96, 96\]/,
    ],
    [
      "images of a size that the network cannot take",
      { images: { dtype: "F32", shape: [1, 3, 40, 96], data: new Float32Array(3 * 40 * 96) } },
      /expected sides .* got 40x96 pixels \(nearest legal: /,
    ],
  ])("ends with 1 for %s, and writes nothing", async (_, tensors, message) => {
    const input = save("bad.safetensors", tensors);
    const output = join(scratch, "never/out.safetensors");
    mkdirSync(join(scratch, "never"), { recursive: true });
    const { code, stdout, stderr } = await run(input, output);
    expect(stderr).toMatch(message);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(filesBelow(join(scratch, "never"))).toEqual([]);
  });

  it("refuses an index out of range or of another length with 1", async () => {
    const images: SafetensorsTensor = { dtype: "F32", shape: SMALL_SHAPE, data: SMALL };
    const far = new BigInt64Array(100).fill(100000n);
    const input = save("far.safetensors", { images, index: { dtype: "I64", shape: [1, 100], data: far } });
    const short = save("short.safetensors", {
      images,
      index: { dtype: "I64", shape: [1, 3], data: new BigInt64Array(3) },
    });
    const [a, b] = await Promise.all(
      [input, short].map((path) => run(path, join(scratch, "no"), "--use-index")),
    );
    expect(a.stderr).toMatch(/indices in \[0, 189\), got 100000/); // 12 * 12 + 6 * 6 + 3 * 3 tokens
    expect(b.stderr).toMatch(/indices of shape \[1, 100\], got \[1, 3\]/);
    expect([a.code, b.code]).toEqual([1, 1]);
    expect(filesBelow(scratch)).not.toContain("no");
  });

  it("refuses an output that is one of its inputs with 2, and one that cannot be written with 1", async () => {
    const before = readFileSync(small);
    const plain = join(scratch, "plain");
    writeFileSync(plain, "");
    const [same, folder, through, none] = await Promise.all([
      run(small, small),
      run(small, scratch),
      run(small, join(plain, "out")),
      run(small, join(scratch, "none/out")),
    ]);
    expect(same.stderr).toMatch(/^mobiledetr: --output: expected a file of its own/);
    expect(same.code).toBe(2);
    expect(readFileSync(small)).toEqual(before);
    expect(folder.stderr).toMatch(/expected a file that can be written, got a directory/);
    expect(through.stderr).toMatch(/expected a file in a folder that exists/);
    expect(none.stderr).toMatch(/expected a file in a folder that exists/);
    expect([folder.code, through.code, none.code]).toEqual([1, 1, 1]);
  });

  it("names every weight that is missing or not finite, with 1", async () => {
    using weights = openSafetensors(WEIGHTS);
    const state: [string, SafetensorsTensor][] = weights.names.map((name) => {
      const { shape } = weights.entry(name);
      return [name, { dtype: "F32", shape, data: weights.read(name) }];
    });
    const [broken, lacking] = [join(scratch, "nan.safetensors"), join(scratch, "lacking.safetensors")];
    saveSafetensors(lacking, state.slice(1));
    (state[0][1].data as Float32Array)[0] = Number.NaN;
    saveSafetensors(broken, state);
    const output = join(scratch, "unmade.safetensors");
    const [a, b] = await Promise.all([broken, lacking].map((path) => run(small, output, "--weights", path)));
    expect(a.stderr).toContain(`${state[0][0]}: NaN at [0, 0, 0, 0]`);
    expect(b.stderr).toContain(`1 missing from the file:\n    ${state[0][0]}`);
    expect([a.code, b.code]).toEqual([1, 1]);
    expect(filesBelow(scratch)).not.toContain("unmade.safetensors");
  });
});
