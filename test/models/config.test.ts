/** Model YAML: what is read, what is refused and with which line, and which image sizes a wiring takes. */
import { readFileSync } from "node:fs";
import { describe, expect, it, vi } from "vitest";
import { metaBackend } from "../../src/backend/meta.ts";
import { MobileDetrError } from "../../src/errors.ts";
import { parseModelConfig } from "../../src/models/rtdetr/config.ts";
import { roundHalfEven, scaledChannels, scaledRepeats } from "../../src/models/rtdetr/layers.ts";
import { RTDETRDetectionModel } from "../../src/models/rtdetr/model.ts";
import { Tensor } from "../../src/tensor/tensor.ts";
import { detectorFor } from "./support.ts";

const STANDARD = readFileSync(new URL("../../models/rtdetr-mobilenetv4.yaml", import.meta.url), "utf8");

/** The message with which a changed standard YAML is refused. */
function refusal(from: string | RegExp, to: string): string {
  const text = STANDARD.replace(from, to);
  expect(text).not.toBe(STANDARD);
  try {
    new RTDETRDetectionModel(parseModelConfig(text, { source: "m.yaml" }));
  } catch (error) {
    expect(error).toBeInstanceOf(MobileDetrError);
    return (error as Error).message;
  }
  return "";
}

describe("a YAML is refused with its line", () => {
  it.each([
    [
      "an unknown module",
      "AIFI, [1024, 8]",
      "Aifi, [1024, 8]",
      /^m\.yaml:11: expected one of Conv, .*got Aifi/,
    ],
    [
      "an unknown backbone",
      "MobileNetV4ConvSmall, []",
      "ResNet50, []",
      /^m\.yaml:8: expected a backbone: one of/,
    ],
    ["too few arguments", "[None, 2, nearest]", "[None]", /^m\.yaml:13: expected 2 to 3 arguments .*got 1/],
    [
      "too many arguments",
      "AIFI, [1024, 8]",
      "AIFI, [1024, 8, 1]",
      /^m\.yaml:11: expected 0 to 2 arguments .*got 3/,
    ],
    [
      "a layer number ahead",
      "[[16, 19, 22]",
      "[[16, 19, 23]",
      /^m\.yaml:28: expected from to name a layer in 1 \.\. 22/,
    ],
    ["layer 0", "- [3, 1, Conv", "- [0, 1, Conv", /^m\.yaml:14: .*got layer 0/],
    [
      "a relative number too far back",
      "[[-2, -1], 1, Concat",
      "[[-20, -1], 1, Concat",
      /^m\.yaml:15: .*got -20/,
    ],
    [
      "a text for a number",
      "Conv, [256, 3, 2]",
      "Conv, [256, three, 2]",
      /^m\.yaml:22: expected argument 2 of Conv/,
    ],
    [
      "a negative number",
      "Conv, [256, 3, 2]",
      "Conv, [-256, 3, 2]",
      /^m\.yaml:22: expected argument 1 of Conv/,
    ],
    [
      "heads that do not divide",
      "AIFI, [1024, 8]",
      "AIFI, [1024, 7]",
      /^m\.yaml:11: expected channels that 7 heads/,
    ],
    [
      "maps of two strides joined",
      "[[-2, -1], 1, Concat",
      "[[-3, -1], 1, Concat",
      /^m\.yaml:15: .*one stride/,
    ],
    [
      "no decoder at the end",
      /^.*RTDETRDecoder.*$/m,
      "  - [-1, 1, Conv, [256, 1, 1]]",
      /RTDETRDecoder, as the last layer/,
    ],
    ["no nc", "nc: 80", "classes: 80", /^m\.yaml: expected a key nc/],
    ["nc 0", "nc: 80", "nc: 0", /^m\.yaml:4: expected nc, the number of classes/],
    [
      "more classes than fit",
      "nc: 80",
      "nc: 900000000\nnames: {899999999: x}",
      /^m\.yaml:4: expected nc, .*in \[1, 65536\], got 900000000/,
    ],
    ["a name too few", "nc: 80", "nc: 2\nnames: [a]", /^m\.yaml:5: expected 2 class names, .*got 1/],
    ["a name too many", "nc: 80", "nc: 2\nnames: [a, b, c]", /^m\.yaml:5: expected 2 class names, .*got 3/],
    ["an empty name", "nc: 80", 'nc: 2\nnames: [a, ""]', /^m\.yaml:5: expected 2 class names/],
    [
      "a name of a class that there is not",
      "nc: 80",
      "nc: 2\nnames:\n  0: a\n  2: b",
      /^m\.yaml:7: expected a class number in \[0, 2\), got 2/,
    ],
    ["a name of no class", "nc: 80", "nc: 1\nnames: {a: 0}", /^m\.yaml:5: expected a class number .*got "a"/],
    [
      "half a class",
      "nc: 80",
      "nc: 2\nnames: {0: a, 0.5: b}",
      /^m\.yaml:5: expected a class number .*got 0\.5/,
    ],
    ["a class named twice", "nc: 80", 'nc: 2\nnames: {0: a, "0": b}', /^m\.yaml:5: .*once, got 0 twice/],
    [
      "a key that makes another network",
      "nc: 80",
      "nc: 80\nactivation: nn.ReLU()",
      /^m\.yaml:5: expected a key of nc, names, .*, got activation/,
    ],
    [
      "a resize of nobody's",
      "nc: 80",
      "nc: 80\npreprocess: {resize: area}",
      /^m\.yaml:5: expected resize \(.*got resize: "area"/,
    ],
    [
      "a letterbox in words",
      "nc: 80",
      "nc: 80\npreprocess: {letterbox: yes}",
      /^m\.yaml:5: .*got letterbox: "yes"/,
    ],
    ["other preprocessing", "nc: 80", "nc: 80\npreprocess:\n  mean: 0.5", /^m\.yaml:6: .*got mean: 0\.5/],
    [
      "a preprocess that is no map",
      "nc: 80",
      "nc: 80\npreprocess: letterbox",
      /^m\.yaml:5: expected preprocess as a map/,
    ],
    ["a picture of other channels", "nc: 80", "nc: 80\nch: 4", /^m\.yaml:5: expected ch 3, .*got 4/],
    ["a scale that there is not", "nc: 80", "nc: 80\nscale: n", /^m\.yaml:\d+: expected scale n, got l/],
    [
      "a second document",
      /$/,
      "---\nnc: 80\n",
      /^m\.yaml:29: expected one YAML document, got the start of another$/,
    ],
    [
      "more repeats than 1000",
      "- [-1, 3, RepC3",
      "- [-1, 1001, RepC3",
      /^m\.yaml:16: expected repeats, .*in \[1, 1000\], got 1001/,
    ],
    [
      "more repeats than 1000 after scaling",
      "l: [1.00, ",
      "l: [1e9, ",
      /^m\.yaml:16: expected at most 1000 repeats after scaling, got 3000000000, 3 at depth 1000000000/,
    ],
    [
      "a depth without end",
      "l: [1.00, ",
      "l: [.inf, ",
      /^m\.yaml:6: expected \[depth, width, max_channels\]/,
    ],
    [
      "more channels than 65536 after scaling",
      "l: [1.00, 1.00",
      "l: [1.00, 1e9",
      /^m\.yaml:10: expected at most 65536 channels after scaling/,
    ],
    [
      "more decoder layers than 1000",
      "300, 4, 8, 3]",
      "300, 4, 8, 1001]",
      /^m\.yaml:28: expected argument 6 of RTDETRDecoder as a whole number in \[1, 1000\]/,
    ],
    ["broken YAML", "head:", "head: [", /^m\.yaml:\d+: expected valid YAML/],
    ["a head that is no list", /head:[\s\S]*/, "head: none\n", /^m\.yaml:9: expected head as a list/],
    [
      "a line that is no layer",
      "- [-1, 1, AIFI, [1024, 8]]",
      "- AIFI",
      /^m\.yaml:11: expected \[from, repeats/,
    ],
    ["repeats of what cannot", "- [-1, 1, AIFI", "- [-1, 2, AIFI", /^m\.yaml:11: expected repeats 1/],
    ["an alias", "head:", "a: &a [1]\nb: *a\nhead:", /aliases/],
  ])("%s", (_title, from, to, message) => {
    expect(refusal(from, to)).toMatch(message);
  });

  it("with a key twice, however many keys there are", () => {
    const refused = (text: string): string => {
      try {
        parseModelConfig(text, { source: "m.yaml" });
      } catch (error) {
        return (error as Error).message;
      }
      return "";
    };
    expect(refused("nc: 1\nhead: []\nnc: 2\n")).toBe(
      "m.yaml:3: expected each key of a map once, got nc twice",
    );
    expect(refused(`${STANDARD}\nscales: {}\n`)).toMatch(/each key of a map once/);
    // Each compared with each, these keys took minutes.
    const many = Array.from({ length: 50_000 }, (_, i) => `k${i}: 1`).join("\n");
    const begin = process.cpuUsage();
    expect(refused(many)).toMatch(/^m\.yaml: expected a key nc, got keys k0, k1, .{0,200}$/);
    expect(process.cpuUsage(begin).user).toBeLessThan(10e6);
  });

  it("in words that do not repeat all of it", () => {
    for (const text of [
      `|\n  ${"x\n  ".repeat(4000)}`,
      `nc: ${"!".repeat(4000)}`,
      `nc: ${"9".repeat(4000)}`,
    ]) {
      expect(() => parseModelConfig(text)).toThrow(/^.{0,400}$/s);
    }
    expect(refusal(/scales:.*?\n(?=\S)/s, "scales: {}\n")).toMatch(/expected scale .*, got none$/);
  });

  it("that is gigantic", () => {
    expect(() => parseModelConfig("#".repeat(2_000_000))).toThrow(/at most 1000000 characters/);
  });
});

describe("a YAML is read", () => {
  const read = (change: string, options = {}) =>
    parseModelConfig(STANDARD.replace("nc: 80", change), { source: "m.yaml", ...options });

  it("with names as a list, or as a map in any order", () => {
    expect(read("nc: 3\nnames: [a, b, 7]").names).toEqual(["a", "b", "7"]);
    expect(read('nc: 3\nnames: {2: c, 0: a, "1": b}').names).toEqual(["a", "b", "c"]);
    expect(read("nc: 3").names).toBeUndefined();
  });

  it("with how pictures become its input", () => {
    const keys = "preprocess: {resize: torchvision-bicubic, letterbox: true}";
    expect(read(`nc: 3\n${keys}`).preprocess).toEqual({ resize: "torchvision-bicubic", letterbox: true });
    expect(read("nc: 3").preprocess).toBeUndefined();
  });

  it("without its names where the caller wants another number of classes", () => {
    const config = read("nc: 2\nnames: [a, b]", { nc: 5 });
    expect([config.nc, config.names]).toEqual([5, undefined]);
    expect(read("names: [a, b]", { nc: 5 }).names).toBeUndefined();
    expect(read("nc: 2\nnames: [a, b]", { nc: 2 }).names).toEqual(["a", "b"]);
    expect(read("names: [a, b]", { nc: 2 }).names).toEqual(["a", "b"]);
  });

  it.each([0, -1, 1.5, 65537, 900_000_000, Number.NaN])("but not for nc %d of the caller's", (nc) => {
    expect(() => read("nc: 80", { nc })).toThrow(
      expect.objectContaining({
        code: "argument",
        message: expect.stringMatching(/^nc: .*\[1, 65536\], got/),
      }),
    );
  });

  it("with what Ultralytics writes into files that it saves: scale chooses, unless the caller does", () => {
    const saved = (scale: string): string =>
      `nc: 80\nch: 3\nyaml_file: rtdetr.yaml\nscale: ${scale}\nscales: {l: [1, 1, 1024], s: [0.5, 0.5, .inf]}`;
    const text = (scale: string): string => STANDARD.replace(/nc: 80\nscales:.*\n.*\n/, `${saved(scale)}\n`);
    expect(parseModelConfig(text("s")).scale).toMatchObject({
      name: "s",
      maxChannels: Number.POSITIVE_INFINITY,
    });
    expect(parseModelConfig(text("s"), { scale: "l" }).scale.name).toBe("l");
    expect(parseModelConfig(text('""')).scale.name).toBe("l");
  });

  it("at the bounds: 1000 repeats, 65536 classes", () => {
    const text = STANDARD.replace("nc: 80", "nc: 65536").replace("- [-1, 3, RepC3", "- [-1, 1000, RepC3");
    expect(new RTDETRDetectionModel(parseModelConfig(text)).decoder.nc).toBe(65536);
  });

  it("in silence: the parser writes nothing to stderr", () => {
    const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
    expect(() => read("nc: 80\n? {a: 1}\n: b")).toThrow(/^m\.yaml:5: expected a key of/);
    expect(warned).not.toHaveBeenCalled();
    warned.mockRestore();
  });
});

describe("compound scaling is Ultralytics'", () => {
  const scale = { name: "s", depth: 0.5, width: 0.4, maxChannels: 512 };

  it("channels: capped, scaled, up to a multiple of 8", () => {
    expect([16, 100, 512, 1024].map((c) => scaledChannels(c, scale))).toEqual([8, 40, 208, 208]);
  });

  it("repeats: halves to even as in Python, at least 1, and 1 stays 1", () => {
    expect([0.5, 1.5, 2.5, 2.4].map(roundHalfEven)).toEqual([0, 2, 2, 2]);
    expect([1, 2, 3, 5].map((n) => scaledRepeats(n, scale))).toEqual([1, 1, 2, 2]);
  });
});

describe("image sizes", () => {
  const shape = (model: RTDETRDetectionModel, h: number, w: number): number[] => {
    return [...model.call(Tensor.empty(metaBackend, [2, 3, h, w])).output0.shape];
  };

  it("Conv variants take rectangles whose sides are in 32k-7 .. 32k", () => {
    const model = detectorFor("MobileNetV4ConvSmall");
    for (const [h, w] of [
      [640, 640],
      [633, 640],
      [121, 128],
      [256, 416],
      [96, 160],
    ]) {
      expect(shape(model, h, w)).toEqual([2, 300, 84]);
    }
    expect(() => shape(model, 632, 640)).toThrow(
      /expected sides in 32k-7 \.\. 32k, got 632x640 pixels \(nearest legal: 633x640, 608x640/,
    );
    expect(() => shape(model, 96, 128)).toThrow(
      /at least 300 tokens for 300 queries, got 96x128.*nearest legal: 128x128/,
    );
    expect(() => shape(model, 1, 1)).toThrow(/nearest legal: 121x121/);
  });

  it("Hybrid variants need square maps", () => {
    const model = detectorFor("MobileNetV4HybridMedium");
    expect(shape(model, 320, 320)).toEqual([2, 300, 84]);
    expect(shape(model, 313, 320)).toEqual([2, 300, 84]);
    expect(() => shape(model, 320, 352)).toThrow(
      /square maps.*got 320x352.*nearest legal: (320x320|352x352)/,
    );
  });

  it("a side has at most 8192 pixels, and a map within the network too", () => {
    const model = detectorFor("MobileNetV4ConvSmall");
    expect(() => model.checkInputSize([8192, 8192])).not.toThrow();
    const wanted = [
      [[1_000_000, 640], /at most 8192 pixels, got 1000000x640 pixels \(nearest legal: 8192x640\)/],
      [[8193, 8224], /got 8193x8224 pixels \(nearest legal: 8192x8192\)/],
      [[640, Number.POSITIVE_INFINITY], /at most 8192 pixels/],
    ] as const;
    for (const [size, message] of wanted) {
      expect(() => model.checkInputSize(size)).toThrow(expect.objectContaining({ code: "size" }));
      expect(() => model.checkInputSize(size)).toThrow(message);
    }
    expect(() => shape(model, 1_000_000, 1_000_000)).toThrow(/at most 8192 pixels/);
    const large = STANDARD.replace(
      "  - [[16, 19, 22], 1, ",
      "  - [-1, 1, nn.Upsample, [None, 1000000, nearest]]\n  - [[16, 19, 23], 1, ",
    );
    expect(() => new RTDETRDetectionModel(parseModelConfig(large)).checkInputSize([640, 640])).toThrow(
      /maps that agree where they are joined and have at most 8192 pixels a side.*no legal size/,
    );
  });

  it("a picture of another kind is refused", () => {
    const model = detectorFor("MobileNetV4ConvSmall");
    expect(() => model.call(Tensor.empty(metaBackend, [1, 1, 640, 640]))).toThrow(
      /\[N, 3, H, W\], got f32 of shape \[1, 1/,
    );
    expect(() => model.call(Tensor.empty(metaBackend, [3, 640, 640]))).toThrow(
      /got f32 of shape \[3, 640, 640\]/,
    );
  });
});
