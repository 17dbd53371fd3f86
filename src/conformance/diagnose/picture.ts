/** The way from a picture's bytes to the network's input, done wrongly; and inputs of networks that were made wrongly. */
import { decodeImage } from "../../image/decode.ts";
import type { ImageData8 } from "../../image/image.ts";
import { resizeBilinear } from "../../image/resize.ts";
import { add, cat, div, mul, sub } from "../../ops/index.ts";
import { tensor } from "../../tensor/create.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Guess, Mistake } from "./mistake.ts";
import type { Change, Whole } from "./problem.ts";

/** How a picture is resized. "opencv" is the right one. */
export type Kernel =
  | "opencv"
  | "float"
  | "nearest"
  | "nearest-centre"
  | "no-half-pixel"
  | "align-corners"
  | "antialias"
  | "cubic"
  | "area";

/** Another way from bytes to numbers; what is not named is done rightly. */
export interface PictureReading {
  readonly kernel?: Kernel;
  /** The picture keeps its proportions; the rest is filled with this level. "corner": the picture is at the top left. */
  readonly letterbox?: { readonly fill: number; readonly corner?: boolean };
  readonly order?: "bgr" | "gray";
  /** From a level, 0..255, and a channel to a number. */
  readonly scale?: (level: number, channel: number) => number;
  /** EXIF's orientation is not applied. */
  readonly noExif?: boolean;
}

/** The network's input [1, 3, H, W] by a reading. */
export function pictureBy(
  bytes: Uint8Array,
  size: readonly [number, number],
  reading: PictureReading,
): Whole {
  const pixels = decodeImage(reading.noExif ? withoutExif(bytes) : bytes);
  const kernel = reading.kernel ?? "opencv";
  const [height, width] = size;
  const levels = reading.letterbox
    ? letterboxed(pixels, height, width, kernel, reading.letterbox)
    : resizedBy(pixels, height, width, kernel);
  const plane = height * width;
  const data = new Float32Array(3 * plane);
  const scale = reading.scale ?? ((level: number) => level / 255);
  for (let i = 0; i < plane; i++) {
    const gray = 0.299 * levels[3 * i] + 0.587 * levels[3 * i + 1] + 0.114 * levels[3 * i + 2];
    for (let c = 0; c < 3; c++) {
      const level = reading.order === "gray" ? gray : levels[3 * i + (reading.order === "bgr" ? 2 - c : c)];
      data[c * plane + i] = scale(level, c);
    }
  }
  return { shape: [1, 3, height, width], data };
}

/** The bytes with EXIF's mark made unreadable, so that a decoder passes it over. */
function withoutExif(bytes: Uint8Array): Uint8Array {
  const out = bytes.slice();
  for (let i = 0; i + 6 < Math.min(out.length, 65536); i++) {
    // "Exif\0\0" of a JPEG, "eXIf" of a PNG (whose checksum then fails: such a picture is refused and the guess dropped).
    if (out[i] === 0x45 && out[i + 1] === 0x78 && out[i + 2] === 0x69 && out[i + 3] === 0x66) out[i] = 0x58;
  }
  return out;
}

function letterboxed(
  pixels: ImageData8,
  height: number,
  width: number,
  kernel: Kernel,
  { fill, corner = false }: { fill: number; corner?: boolean },
): Float32Array {
  const scale = Math.min(height / pixels.height, width / pixels.width);
  const [h, w] = [Math.round(pixels.height * scale), Math.round(pixels.width * scale)];
  const inner = resizedBy(pixels, h, w, kernel);
  const top = corner ? 0 : Math.round((height - h) / 2 - 0.1);
  const left = corner ? 0 : Math.round((width - w) / 2 - 0.1);
  const out = new Float32Array(3 * height * width).fill(fill);
  for (let y = 0; y < h; y++) {
    out.set(inner.subarray(3 * y * w, 3 * (y + 1) * w), 3 * ((top + y) * width + left));
  }
  return out;
}

/** Levels [h, w, 3]. */
function resizedBy(pixels: ImageData8, height: number, width: number, kernel: Kernel): Float32Array {
  if (kernel === "opencv") return Float32Array.from(resizeBilinear(pixels, height, width).data);
  const columns = tapsOf(pixels.width, width, kernel);
  const rows = tapsOf(pixels.height, height, kernel);
  const between = new Float32Array(pixels.height * width * 3);
  for (let y = 0; y < pixels.height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++) {
        let sum = 0;
        for (const [at, weight] of columns[x]) sum += weight * pixels.data[3 * (y * pixels.width + at) + c];
        between[3 * (y * width + x) + c] = sum;
      }
    }
  }
  const out = new Float32Array(3 * height * width);
  const line = 3 * width;
  for (let y = 0; y < height; y++) {
    for (const [at, weight] of rows[y]) {
      for (let i = 0; i < line; i++) out[y * line + i] += weight * between[at * line + i];
    }
  }
  for (let i = 0; i < out.length; i++) out[i] = Math.max(0, Math.min(255, Math.round(out[i])));
  return out;
}

type Taps = readonly (readonly [at: number, weight: number])[];

const triangle = (x: number): number => Math.max(0, 1 - Math.abs(x));
/** Keys's kernel with a = -0.75, OpenCV's and PyTorch's. */
const cubic = (x: number): number => {
  const t = Math.abs(x);
  if (t < 1) return (1.25 * t - 2.25) * t * t + 1;
  return t < 2 ? ((-0.75 * t + 3.75) * t - 6) * t + 3 : 0;
};

/** For each output pixel, the input pixels that it blends. */
function tapsOf(inputs: number, outputs: number, kernel: Kernel): Taps[] {
  const step = inputs / outputs;
  const inside = (i: number): number => Math.max(0, Math.min(inputs - 1, i));
  return Array.from({ length: outputs }, (_, i): Taps => {
    const centre = (i + 0.5) * step - 0.5;
    switch (kernel) {
      case "nearest":
        return [[inside(Math.floor(i * step)), 1]];
      case "nearest-centre":
        return [[inside(Math.floor((i + 0.5) * step)), 1]];
      case "area": {
        const [from, to] = [i * step - 0.5, (i + 1) * step - 0.5];
        const share = (at: number): number => Math.max(0, Math.min(at + 0.5, to) - Math.max(at - 0.5, from));
        return normalised(from, to, inside, share);
      }
      case "antialias": {
        const reach = Math.max(1, step);
        return normalised(
          centre - reach,
          centre + reach,
          inside,
          (at) => triangle((at - centre) / reach),
          inputs,
        );
      }
      case "cubic":
        return normalised(centre - 2, centre + 2, inside, (at) => cubic(at - centre));
      default: {
        const at =
          kernel === "no-half-pixel"
            ? i * step
            : kernel === "align-corners"
              ? (i * (inputs - 1)) / Math.max(1, outputs - 1)
              : centre;
        const near = Math.floor(at);
        return [
          [inside(near), 1 - (at - near)],
          [inside(near + 1), at - near],
        ];
      }
    }
  });
}

/** Weights of the pixels between two bounds, made to sum to 1; with `limit` pixels outside of the picture do not count. */
function normalised(
  from: number,
  to: number,
  inside: (i: number) => number,
  weightOf: (at: number) => number,
  limit?: number,
): Taps {
  const taps: [number, number][] = [];
  let total = 0;
  for (let at = Math.floor(from); at <= Math.ceil(to); at++) {
    if (limit !== undefined && (at < 0 || at >= limit)) continue;
    const weight = weightOf(at);
    if (weight === 0) continue;
    taps.push([inside(at), weight]);
    total += weight;
  }
  return taps.map(([at, weight]) => [at, weight / total]);
}

const MEAN = [0.485, 0.456, 0.406];
const STD = [0.229, 0.224, 0.225];

const picture = (
  name: string,
  mend: string,
  readings: readonly (readonly [string, PictureReading])[],
): Mistake => ({
  name,
  mend,
  *guesses(problem): Iterable<Guess> {
    if (problem.form !== "picture") return;
    for (const [says, reading] of readings) yield { change: { picture: reading }, says };
  },
});

/** The same mistakes, made before a network: its three-channel input is changed. */
const entering = (
  name: string,
  mend: string,
  changes: readonly (readonly [string, (x: Tensor) => Tensor])[],
): Mistake => ({
  name,
  mend,
  *guesses(problem): Iterable<Guess> {
    const [first] = problem.shapes;
    if (first === undefined || problem.form === "picture" || first[1].length !== 4 || first[1][1] !== 3)
      return;
    for (const [says, turn] of changes) {
      const change: Change = {
        tensors: (given) => {
          const x = given.get(first[0]);
          return x ? new Map([...given, [first[0], turn(x)]]) : given;
        },
      };
      yield { change, says };
    }
  },
});

const perChannel = (x: Tensor, values: readonly number[]): Tensor =>
  tensor([...values], [1, 3, 1, 1], { backend: x.backend });

const MENDS = {
  order: "The network takes red, green, blue: OpenCV reads blue first, so turn the channels around.",
  scale: "Divide the levels by 255, once, and do nothing else: no mean, no standard deviation.",
  kernel:
    "Resize the 8-bit picture as OpenCV's INTER_LINEAR does: half-pixel centres, no antialiasing, 11-bit weights; then convert to float.",
  letterbox: "Stretch the picture to the network's size; do not keep its proportions.",
  exif: "Apply EXIF's orientation before resizing.",
};

/** All of them. */
export const PICTURE: readonly Mistake[] = [
  picture("bgr", MENDS.order, [
    ["blue and red are exchanged: BGR for RGB", { order: "bgr" }],
    ["the picture is grey", { order: "gray" }],
  ]),
  picture("pixel-scale", MENDS.scale, [
    ["levels are not divided by 255", { scale: (v) => v }],
    ["levels are divided by 256", { scale: (v) => v / 256 }],
    ["levels are divided by 255 twice", { scale: (v) => v / 255 / 255 }],
    ["levels go from -1 to 1", { scale: (v) => v / 127.5 - 1 }],
    ["levels are centred at 0: 0.5 is subtracted", { scale: (v) => v / 255 - 0.5 }],
  ]),
  picture("mean-std", MENDS.scale, [
    [
      "ImageNet's mean is subtracted and its deviation divided by",
      { scale: (v, c) => (v / 255 - MEAN[c]) / STD[c] },
    ],
    ["ImageNet's mean is subtracted", { scale: (v, c) => v / 255 - MEAN[c] }],
    [
      "ImageNet's mean and deviation are applied in the order BGR",
      { scale: (v, c) => (v / 255 - MEAN[2 - c]) / STD[2 - c] },
    ],
    [
      "ImageNet's mean and deviation are applied to levels that were not divided by 255",
      { scale: (v, c) => (v - MEAN[c]) / STD[c] },
    ],
  ]),
  picture("letterbox", MENDS.letterbox, [
    ["the picture keeps its proportions, on grey 114 (letterbox)", { letterbox: { fill: 114 } }],
    ["the picture keeps its proportions, on black", { letterbox: { fill: 0 } }],
    ["the picture keeps its proportions at the top left, on black", { letterbox: { fill: 0, corner: true } }],
    [
      "the picture keeps its proportions at the top left, on grey 114",
      { letterbox: { fill: 114, corner: true } },
    ],
  ]),
  picture("resize-kernel", MENDS.kernel, [
    ["the picture is resized in floating point, not in OpenCV's fixed point", { kernel: "float" }],
    ["the nearest pixel is taken", { kernel: "nearest" }],
    ["the nearest pixel to the centre is taken", { kernel: "nearest-centre" }],
    ["the picture is resized with antialiasing, as Pillow's BILINEAR", { kernel: "antialias" }],
    ["the picture is resized by a cubic kernel", { kernel: "cubic" }],
    ["the picture is resized by area", { kernel: "area" }],
  ]),
  picture("resize-half-pixel", MENDS.kernel, [
    ["pixel centres are taken at integers: no half pixel", { kernel: "no-half-pixel" }],
    ["the corner pixels' centres coincide (align_corners)", { kernel: "align-corners" }],
  ]),
  picture("exif-orientation", MENDS.exif, [["EXIF's orientation is not applied", { noExif: true }]]),
  entering("bgr", MENDS.order, [
    ["blue and red of the input are exchanged: BGR for RGB", (x) => cat(x.split(1, 1).reverse(), 1)],
  ]),
  entering("pixel-scale", MENDS.scale, [
    ["the input is not divided by 255", (x) => mul(x, 255)],
    ["the input is divided by 255 twice", (x) => div(x, 255)],
    ["the input goes from -1 to 1", (x) => sub(mul(x, 2), 1)],
  ]),
  entering("mean-std", MENDS.scale, [
    [
      "the input has ImageNet's mean and deviation applied",
      (x) => div(sub(x, perChannel(x, MEAN)), perChannel(x, STD)),
    ],
    [
      "the input has ImageNet's mean subtracted",
      (x) =>
        add(
          x,
          perChannel(
            x,
            MEAN.map((m) => -m),
          ),
        ),
    ],
  ]),
];
