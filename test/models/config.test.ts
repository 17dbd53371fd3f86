/** Model YAML: what is read, what is refused and with which line, and which image sizes a wiring takes. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
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

  it("that is gigantic", () => {
    expect(() => parseModelConfig("#".repeat(2_000_000))).toThrow(/at most 1000000 characters/);
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
