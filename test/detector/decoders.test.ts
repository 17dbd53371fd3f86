/** Formats besides JPEG and PNG on their way to the detector's thread, which has none of the caller's decoders. */
import { fileURLToPath, pathToFileURL } from "node:url";
import { decode as decodeWebp } from "@cwasm/webp";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { readPicture } from "../../src/detector/pictures.ts";
import { decodeImage } from "../../src/image/decode.ts";
import { type Decoder, registerDecoder } from "../../src/image/decoders.ts";
import { type Detection, type Detector, loadDetector } from "../../src/index.ts";
import { readFormatFile } from "../image/formats-corpus.ts";
import { rejection } from "./rejection.ts";

const PATH = fileURLToPath(new URL("../golden/formats/webp/exif-6.webp", import.meta.url));
const ALL = { conf: 0 };

let detector: Detector;
let expected: readonly Detection[];
beforeAll(async () => {
  detector = await loadDetector({ imgsz: 96, threads: 1 });
  registerDecoder("webp", decodeWebp);
  expected = (await detector.detect(decodeImage(readFormatFile("webp/exif-6.webp")), ALL)).detections;
  registerDecoder("webp", null);
});
afterEach(() => registerDecoder("webp", null));
afterAll(() => detector.close());

const copy = (): Uint8Array<ArrayBuffer> => new Uint8Array(readFormatFile("webp/exif-6.webp"));

describe.each<[string, Decoder]>([
  ["that answers at once", decodeWebp],
  ["that promises", async (bytes) => decodeWebp(bytes)],
])("detect with a decoder %s", (_, decoder) => {
  it("takes WebP by path, by URL and by bytes of any kind, turned upright", async () => {
    registerDecoder("webp", decoder);
    for (const image of [PATH, pathToFileURL(PATH), copy(), copy().buffer, new Blob([copy()])]) {
      const { detections, width, height, source, speed } = await detector.detect(image, ALL);
      expect([width, height]).toEqual([19, 27]);
      expect(detections).toEqual(expected);
      expect(source).toBe(typeof image === "string" || image instanceof URL ? PATH : undefined);
      expect(speed.decode).toBeGreaterThan(0);
    }
    expect(expected.length).toBeGreaterThan(0);
  });

  it("leaves other formats, and files that are missing, to the detector", async () => {
    registerDecoder("webp", decoder);
    const bmp = await detector.detect(readFormatFile("bmp/rgb24.bmp"), ALL);
    expect([bmp.width, bmp.height]).toEqual([13, 9]);
    expect((await rejection(detector.detect(`${PATH}.gone`))).code).toBe("file");
  });
});

it("answers in the order of the calls, whatever a decoder takes", async () => {
  registerDecoder("webp", async (bytes) => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    return decodeWebp(bytes);
  });
  const order: string[] = [];
  await Promise.all([
    detector.detect(PATH).then(() => order.push("webp")),
    detector.detect(readFormatFile("gif/bits-4.gif")).then(() => order.push("gif")),
  ]);
  expect(order).toEqual(["webp", "gif"]);
});

it("rejects with what a decoder throws or promises in vain, and goes on", async () => {
  const decoders: Decoder[] = [
    () => {
      throw new Error("no luck");
    },
    () => Promise.reject(new Error("no luck")),
  ];
  for (const decoder of decoders) {
    registerDecoder("webp", decoder);
    const { code, message } = await rejection(detector.detect(PATH));
    expect(code).toBe("format");
    expect(message).toBe(`${PATH}: expected a WebP picture that its decoder can read, got no luck`);
  }
  registerDecoder("webp", null);
  expect((await rejection(detector.detect(PATH))).message).toMatch(/npm install @cwasm\/webp/);
  registerDecoder("webp", decodeWebp);
  expect((await detector.detect(PATH, ALL)).detections).toEqual(expected);
});

it("keeps to the detector's maxPixels", async () => {
  registerDecoder("webp", decodeWebp);
  const own = await loadDetector({ imgsz: 96, threads: 1, maxPixels: 500 });
  expect((await rejection(own.detect(PATH))).code).toBe("memory");
  await own.close();
});

it("readPicture takes what a decoder gives at once, and names only formats that pictures can be written in", () => {
  registerDecoder("webp", decodeWebp);
  const { pixels, source, format } = readPicture(PATH);
  expect([pixels.width, pixels.height, source, format]).toEqual([19, 27, PATH, undefined]);
});
