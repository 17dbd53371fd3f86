/** loadDetector: the asynchronous detector, its inputs, its errors, its end. */
import { execFileSync } from "node:child_process";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodeImage } from "../../src/image/decode.ts";
import { type Detector, loadDetector, Pipeline } from "../../src/index.ts";
import { openSafetensors, type SafetensorsTensor, saveSafetensors } from "../../src/weights/safetensors.ts";
import { rejection } from "./rejection.ts";

const PICTURE = fileURLToPath(new URL("../../examples/pictures/cat.jpg", import.meta.url));
const WEIGHTS = fileURLToPath(new URL("../../models/codes.f16.safetensors", import.meta.url));

let folder: string;
let detector: Detector;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mobiledetr-"));
  detector = await loadDetector({ imgsz: 320, threads: 2 });
});
afterAll(async () => {
  await detector.close();
  await rm(folder, { recursive: true });
});

/** The default model's tensors, changed. */
function changedWeights(
  file: string,
  change: (name: string, data: Float32Array) => Float32Array | undefined,
): string {
  using source = openSafetensors(WEIGHTS);
  const tensors = source.names.flatMap((name): [string, SafetensorsTensor][] => {
    const data = change(name, source.read(name) as Float32Array);
    return data ? [[name, { dtype: "F32", shape: [...source.entry(name).shape], data }]] : [];
  });
  const path = join(folder, file);
  saveSafetensors(path, tensors);
  return path;
}

describe("detect", () => {
  it("takes a path, the file's bytes and its pixels, and finds the same", async () => {
    const bytes = readFileSync(PICTURE);
    const pixels = decodeImage(bytes);
    const [byPath, byBytes, byPixels] = await Promise.all([
      detector.detect(PICTURE),
      detector.detect(bytes),
      detector.detect(pixels),
    ]);
    expect(byPath.detections.length).toBeGreaterThan(0);
    expect(byBytes.detections).toEqual(byPath.detections);
    expect(byPixels.detections).toEqual(byPath.detections);
    expect([byPath.source, byBytes.source]).toEqual([PICTURE, undefined]);
    expect([byPath.width, byPath.height]).toEqual([pixels.width, pixels.height]);
    expect(byPath.speed.decode).toBeGreaterThan(0);
    expect(byPixels.speed.decode).toBe(0);
    expect(bytes.length).toBeGreaterThan(0); // the caller's bytes are still the caller's
  });

  it("drops alpha and replicates grey", async () => {
    const { data, width, height } = decodeImage(readFileSync(PICTURE));
    const rgba = new Uint8ClampedArray(width * height * 4).map((_, i) =>
      i % 4 === 3 ? 7 : data[Math.floor(i / 4) * 3 + (i % 4)],
    );
    const withAlpha = await detector.detect({ data: rgba, width, height, channels: 4 });
    const without = await detector.detect({ data, width, height, channels: 3 });
    expect(withAlpha.detections).toEqual(without.detections);
    const grey = await detector.detect({ data: new Uint8Array(64 * 64), width: 64, height: 64, channels: 1 });
    expect(grey.detections).toEqual([]);
  });

  it("leaves the event loop free", async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    await detector.detect(PICTURE);
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(4); // a blocked loop has none; a free one some hundred
  });

  it("takes options per call", async () => {
    const all = await detector.detect(PICTURE, { conf: 0.01 });
    const one = await detector.detect(PICTURE, { conf: 0.01, max_det: 1, sort: true });
    const qr = await detector.detect(PICTURE, { conf: 0.01, classes: ["qr"] });
    expect(all.detections.length).toBeGreaterThan(1);
    expect(one.detections).toEqual([all.detections.reduce((a, b) => (b.score > a.score ? b : a))]);
    expect(qr.detections).toEqual(all.detections.filter((d) => d.name === "qr"));
  });

  it.each([
    [
      "a missing file",
      "no-such.jpg",
      "file",
      /no-such\.jpg: expected a file that can be read, got no such file/,
    ],
    ["an empty picture", new Uint8Array(0), "format", /got no bytes at all/],
    ["bytes of another kind", new TextEncoder().encode("<html></html>"), "format", /JPEG|PNG/],
    ["too little data", { data: new Uint8Array(10), width: 4, height: 4, channels: 3 }, "argument", /48/],
    ["something else", 7, "argument", /./],
  ])("refuses %s and goes on", async (_title, image, code, message) => {
    const error = await rejection(detector.detect(image as never));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect((await detector.detect(PICTURE)).detections.length).toBeGreaterThan(0);
  });

  it("takes undefined options as not given", async () => {
    const nothing = { conf: undefined, classes: undefined, max_det: undefined, sort: undefined };
    const plain = await detector.detect(PICTURE);
    expect((await detector.detect(PICTURE, nothing)).detections).toEqual(plain.detections);
  });

  it("sends a view's own bytes to the thread, not the buffer behind them", async () => {
    const bytes = readFileSync(PICTURE);
    const large = new Uint8Array(bytes.length + 300_000_000);
    large.set(bytes, 1000);
    const before = process.memoryUsage.rss();
    const found = await detector.detect(large.subarray(1000, 1000 + bytes.length));
    expect(found.detections.length).toBeGreaterThan(0);
    expect(process.memoryUsage.rss() - before).toBeLessThan(200_000_000);
  });

  it.runIf(process.platform !== "win32")(
    "refuses pipes and devices, which would be read for ever",
    async () => {
      const pipe = join(folder, "pipe.jpg");
      execFileSync("mkfifo", [pipe]);
      for (const path of [pipe, "/dev/zero"]) {
        const error = await rejection(detector.detect(path));
        expect([error.code, error.message]).toEqual(["file", expect.stringContaining("a device or pipe")]);
      }
    },
  );

  it("refuses a picture file too large for its pixels before reading it", async () => {
    const path = join(folder, "huge.jpg");
    writeFileSync(path, readFileSync(PICTURE));
    truncateSync(path, 2 ** 31);
    const error = await rejection(detector.detect(path));
    expect([error.code, error.message]).toEqual([
      "memory",
      expect.stringMatching(/at most \d+ bytes, got 2147483648/),
    ]);
  });

  it.each([
    [{ conf: 1 }, /conf: expected a number in \[0, 1\), got 1/],
    [{ conf: NaN }, /conf/],
    [{ max_det: 0 }, /max_det: expected a whole number >= 1/],
    [{ classes: ["bird"] }, /classes: .*got "bird"/],
    [{ classes: "qr" }, /classes: expected a list of class numbers or names, got "qr"/],
    [{ conf: "0.5" }, /conf: expected a number in \[0, 1\), got "0\.5"/],
    [{ conf: null }, /conf: .*got null/],
    [{ sort: "yes" }, /sort: expected true or false/],
    [null, /options: expected an object, got null/],
  ])("refuses options %j", async (options, message) => {
    expect((await rejection(detector.detect(PICTURE, options as never))).message).toMatch(message);
  });
});

it("runs in a process that was started with --input-type=module", () => {
  const index = new URL("../../dist/index.js", import.meta.url).href;
  const script = `import { loadDetector } from ${JSON.stringify(index)};
    const detector = await loadDetector({ imgsz: 160, threads: 2 });
    console.log(detector.info.model);
    await detector.close();`;
  const out = execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  expect(out).toBe("codes\n");
});

it("comes in entry points that share their classes", () => {
  const [index, tensors] = ["index.js", "tensor/index.js"].map(
    (path) => new URL(`../../dist/${path}`, import.meta.url).href,
  );
  const script = `import { Pipeline } from ${JSON.stringify(index)};
    import { Tensor } from ${JSON.stringify(tensors)};
    const pipeline = new Pipeline({ imgsz: 160, threads: 1 });
    console.log(pipeline.plan.input instanceof Tensor);
    await pipeline.close();`;
  const out = execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  expect(out).toBe("true\n");
});

describe("info", () => {
  it("tells what was loaded and how it runs", () => {
    expect(detector.info).toMatchObject({
      model: "codes",
      backend: "wasm",
      threads: 2,
      imgsz: [320, 320],
      conf: 0.4,
      compiled: true,
      revectorized: false,
      fused: true,
      names: ["barcode", "qr", "datamatrix", "aztec", "pdf417", "maxicode"],
    });
    expect(detector.info.gflops).toBeGreaterThan(1);
  });

  it("counts the fused network's operations, whether it is compiled or not", async () => {
    const options = { imgsz: 320, threads: 1 };
    const pipelines = [new Pipeline(options), new Pipeline({ ...options, compile: false })];
    const [compiled, eager] = pipelines.map(({ info }) => info);
    await Promise.all(pipelines.map((pipeline) => pipeline.close()));
    expect(compiled.gflops).toBeCloseTo(eager.gflops, 9); // sums in another order
    expect(compiled.parameters).toBe(eager.parameters);
  });
});

describe("close", () => {
  it("ends after the calls that are under way; later calls are refused", async () => {
    const short = await loadDetector({ imgsz: 160, threads: 2 });
    const running = short.detect(PICTURE);
    const closed = short.close();
    expect((await running).width).toBe(1082);
    await closed;
    await short.close();
    const error = await rejection(short.detect(PICTURE));
    expect(error.code).toBe("state");
    expect(error.message).toMatch(/closed \(load another\)/);
  });
});

describe("loadDetector refuses", () => {
  it.each([
    ["an unknown model", { model: "yolo" }, "argument", /one of codes, MobileNetV4ConvSmall.*got "yolo"/],
    ["a model without weights", { model: "MobileNetV4ConvSmall" }, "argument", /weights .*got none/],
    ["missing weights", { weights: "nowhere.safetensors" }, "file", /nowhere\.safetensors/],
    ["a missing YAML", { model: "nowhere.yaml" }, "file", /nowhere\.yaml/],
    ["no threads", { threads: 0 }, "argument", /threads: expected "auto" or a whole number/],
    ["a size of nothing", { imgsz: 0 }, "argument", /imgsz/],
    ["a size in words", { imgsz: "640" }, "argument", /imgsz: .*got "640"/],
    ["three sizes", { imgsz: [640, 640, 640] }, "argument", /imgsz: .*\[640,640,640\]/],
    ["a gigantic size", { imgsz: 1_000_000 }, "size", /1000000x1000000/],
    ["another backend", { backend: "gpu" }, "argument", /backend: expected "wasm" or "reference", got "gpu"/],
    [
      "a plan that is not fused",
      { compile: true, fuse: false },
      "argument",
      /compile: expected no true beside/,
    ],
    ["a revectorize in words", { revectorize: "yes" }, "argument", /revectorize: expected true or false/],
    [
      "256-bit vectors on the reference backend",
      { revectorize: true, backend: "reference" },
      "argument",
      /revectorize: expected no true beside backend: "reference"/,
    ],
    ["a flag in words", { fuse: "no" }, "argument", /fuse: expected true or false/],
    ["a function for a name", { model: () => 1 }, "argument", /model: .*got a function/],
    ["pixels below 1", { maxPixels: -1 }, "argument", /maxPixels/],
    ["nothing at all", null, "argument", /options: expected an object/],
    ["a size with too few tokens", { imgsz: 32 }, "size", /100 tokens.*nearest legal/],
    ["unknown classes", { classes: [6] }, "argument", /classes: .*got 6/],
    ["another number of classes", { nc: 80, model: "codes" }, "weights", /codes\.f16.*\[80/s],
    [
      "weights of another model",
      { model: "MobileNetV4ConvMedium", weights: WEIGHTS },
      "weights",
      /codes\.f16/,
    ],
  ])("%s", async (_title, options, code, message) => {
    const error = await rejection(loadDetector(options as never));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  it.skipIf(process.versions.v8.startsWith("13.6."))(
    "256-bit vectors in an engine without them",
    async () => {
      const error = await rejection(loadDetector({ revectorize: true }));
      expect(error.code).toBe("argument");
      expect(error.message).toBe(
        "revectorize: expected an engine that revectorizes WebAssembly: Node with V8 13.6 on x64, got Node " +
          `${process.versions.node} with V8 ${process.versions.v8} on ${process.arch} ` +
          "(leave revectorize out, or run Node 24 on x64)",
      );
    },
  );

  it("weights with a NaN, naming tensor and place", async () => {
    const name = "model.19.enc_score_head.bias";
    const path = changedWeights("nan.safetensors", (n, data) => (n === name ? data.fill(NaN, 2, 3) : data));
    const error = await rejection(loadDetector({ weights: path }));
    expect(error.code).toBe("weights");
    expect(error.message).toContain(name);
    expect(error.message).toMatch(/NaN/);
  });

  it("weights that lack what inference needs, and nothing else", async () => {
    const lost = "model.0.conv0.convbn_0.conv.weight";
    const path = changedWeights("lost.safetensors", (n, data) => (n === lost ? undefined : data));
    expect((await rejection(loadDetector({ weights: path }))).message).toContain(lost);
  });

  it("a truncated file of weights", async () => {
    const path = join(folder, "cut.safetensors");
    writeFileSync(path, readFileSync(WEIGHTS).subarray(0, 1_000_000));
    const error = await rejection(loadDetector({ weights: path }));
    expect(error.code).toBe("format");
    expect(error.message).toContain("cut.safetensors");
  });
});
