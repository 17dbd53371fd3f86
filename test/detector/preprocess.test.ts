/** How pictures become the network's input: the model's way, the caller's, and where boxes then lie. */
import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { selectDetections } from "../../src/detector/detections.ts";
import { decodeImage } from "../../src/image/decode.ts";
import { writeInput } from "../../src/image/network-input.ts";
import { loadDetector, Pipeline, type Preprocess } from "../../src/index.ts";
import { rejection } from "./rejection.ts";

const read = (path: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`../../${path}`, import.meta.url)));
const BYTES = read("examples/pictures/wall.jpg");
const PIXELS = decodeImage(BYTES);
const YAML = new TextDecoder().decode(read("models/codes.yaml"));
const WEIGHTS = read("models/codes.f16.safetensors");
const SIZE = [320, 416] as const;
const own = "preprocess: {resize: pillow-bilinear, letterbox: true}";

const pipelines: Pipeline[] = [];
function open(keys: string, preprocess?: Preprocess, more = {}): Pipeline {
  const model = { name: "mine", yaml: `${keys}\n${YAML}`, weights: WEIGHTS };
  const made = new Pipeline({ model, preprocess, imgsz: SIZE, threads: 1, ...more });
  pipelines.push(made);
  return made;
}
afterAll(() => Promise.all(pipelines.map((pipeline) => pipeline.close())));

describe("preprocess", () => {
  it.each<[string, Preprocess | undefined, Required<Preprocess>]>([
    ["", undefined, { resize: "opencv-linear", letterbox: false }],
    ["", { letterbox: true }, { resize: "opencv-linear", letterbox: true }],
    [own, undefined, { resize: "pillow-bilinear", letterbox: true }],
    [own, { letterbox: false }, { resize: "pillow-bilinear", letterbox: false }],
    [own, { resize: "torchvision-float-bicubic" }, { resize: "torchvision-float-bicubic", letterbox: true }],
  ])(
    "of a YAML with '%s' and the option %j is %j, and what the network sees is that",
    (keys, option, how) => {
      for (const more of [{}, { compile: false }]) {
        const pipeline = open(keys, option, more);
        expect(pipeline.info.preprocess).toEqual(how);
        const expected = new Float32Array(SIZE[0] * SIZE[1] * 3);
        writeInput(PIXELS, SIZE, expected, how);
        const input = pipeline.preprocess(PIXELS, pipeline.plan?.input);
        expect(
          Buffer.compare(Buffer.from(expected.buffer), bytesOf(input.storage.data as Float32Array)),
        ).toBe(0);
      }
    },
  );

  it("of a letterboxed picture gives boxes in pixels of the picture, those that a stretched one has", () => {
    const [stretched, letterboxed] = [{}, { letterbox: true }].map((option) =>
      open("", option).detect(BYTES),
    );
    expect(stretched.detections.length).toBeGreaterThan(2);
    const near = stretched.detections.filter((a) =>
      letterboxed.detections.some(
        (b) => a.class === b.class && a.box.every((side, i) => Math.abs(side - b.box[i]) < 25),
      ),
    );
    expect(near.length).toBeGreaterThan(stretched.detections.length / 2);
  });

  it("reaches the detector's own thread", async () => {
    const preprocess = { resize: "pillow-bicubic", letterbox: true } as const;
    const detector = await loadDetector({ preprocess, imgsz: [...SIZE], threads: 1, conf: 0.1 });
    const found = await detector.detect(BYTES);
    await detector.close();
    expect(detector.info.preprocess).toEqual(preprocess);
    expect(found.detections).toEqual(open("", preprocess, { conf: 0.1 }).detect(BYTES).detections);
  });

  it.each([
    [{ resize: "bilinear" }, /^preprocess\.resize: expected one of opencv-linear, .*got "bilinear"/],
    [{ letterbox: 1 }, /^preprocess\.letterbox: expected true or false, got 1/],
    [{ size: 640 }, /^preprocess: expected resize and letterbox alone, got size/],
    ["letterbox", /^preprocess: expected an object \{ resize, letterbox \}, got "letterbox"/],
    [null, /^preprocess: .*got null/],
  ])("%j is refused", async (preprocess, message) => {
    const error = await rejection(loadDetector({ preprocess } as never));
    expect(error).toMatchObject({ code: "argument", message: expect.stringMatching(message) });
    expect(() => new Pipeline({ preprocess } as never)).toThrow(message);
  });
});

it("boxes on a letterboxed input are clipped to the picture; on a stretched one they are not", () => {
  const output = Float32Array.of(0.5, 0.5, 2, 0.1, 0.9); // far wider than the input
  const options = { conf: 0.5 };
  const [free] = selectDetections(output, ["x"], 200, 100, options);
  expect(free.box.map(Math.round)).toEqual([-100, 45, 300, 55]);
  const [clipped] = selectDetections(output, ["x"], 200, 100, { ...options, letterboxed: [640, 640] });
  expect(clipped.box.map(Math.round)).toEqual([0, 40, 200, 60]); // 64 of 640 pixels, 3.2 each
});

function bytesOf(data: Float32Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}
