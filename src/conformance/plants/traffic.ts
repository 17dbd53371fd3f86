/** Mistakes around the network: layouts, precision, pictures, boxes. */
import { selectDetections } from "../../detector/detections.ts";
import type { ImageData8 } from "../../image/image.ts";
import { toFloatChw } from "../../image/preprocess.ts";
import { f16ToF32, f32ToF16 } from "../../weights/half.ts";
import { decodeBytes } from "../adapters/pictures.ts";
import { need } from "../adapters/tensors.ts";
import type { HostTensor, HostTensors } from "../host-tensor.ts";
import type { RunRequest } from "../runtime.ts";
import { gathered, mapped, type Plant, replaced, withTraffic } from "./tools.ts";

/** The numbers of an NHWC buffer under an NCHW shape. */
function asNhwc(tensor: HostTensor): HostTensor {
  if (tensor.shape.length !== 4) return tensor;
  const [, c, h, w] = tensor.shape;
  const image = c * h * w;
  return gathered(tensor, (i) => {
    const [n, rest] = [Math.floor(i / image), i % image];
    return n * image + (rest % c) * h * w + Math.floor(rest / c);
  });
}

/** The numbers of an NCHW buffer, read as if they lay in NHWC. */
function readAsNhwc(tensor: HostTensor): HostTensor {
  if (tensor.shape.length !== 4) return tensor;
  const [, c, h, w] = tensor.shape;
  const image = c * h * w;
  return gathered(tensor, (i) => {
    const [n, rest] = [Math.floor(i / image), i % image];
    const [channel, pixel] = [Math.floor(rest / (h * w)), rest % (h * w)];
    return n * image + pixel * c + channel;
  });
}

/** Channels 0 and 2 exchanged. */
function bgr(tensor: HostTensor): HostTensor {
  const [, c, h, w] = tensor.shape;
  if (tensor.shape.length !== 4 || c !== 3) return tensor;
  const plane = h * w;
  return gathered(tensor, (i) => i + (2 - 2 * (Math.floor(i / plane) % 3)) * plane);
}

function rounded(tensor: HostTensor): HostTensor {
  return tensor.dtype === "F32" ? { ...tensor, data: f16ToF32(f32ToF16(tensor.data)) } : tensor;
}

/** Eight bits, symmetric, one scale a tensor. */
function quantised(tensor: HostTensor): HostTensor {
  if (tensor.dtype !== "F32") return tensor;
  const most = tensor.data.reduce((max, x) => Math.max(max, Math.abs(x)), 0);
  const step = most / 127 || 1;
  return mapped(tensor, (x) => Math.round(x / step) * step);
}

const all =
  (change: (tensor: HostTensor) => HostTensor) =>
  (tensors: HostTensors): HostTensors =>
    replaced(tensors, change);

/** Another way from pixels to the network's input. */
function preprocessBy(resize: (pixels: ImageData8, height: number, width: number) => ImageData8) {
  return withTraffic({
    outputs: (outputs, request) => {
      const { subject, inputs } = request;
      if (subject.kind !== "preprocess") return outputs;
      const [height, width] = subject.size;
      const sized = resize(decodeBytes(need(inputs, "picture", request.id), "picture"), height, width);
      const data = new Float32Array(3 * height * width);
      toFloatChw(sized, data);
      return new Map([["images", { dtype: "F32", shape: [1, 3, height, width], data }]]);
    },
  });
}

function nearest(
  { data, width, height, channels }: ImageData8,
  toHeight: number,
  toWidth: number,
): ImageData8 {
  const out = new Uint8Array(toHeight * toWidth * channels);
  for (let y = 0; y < toHeight; y++) {
    const row = Math.min(height - 1, Math.floor((y * height) / toHeight));
    for (let x = 0; x < toWidth; x++) {
      const column = Math.min(width - 1, Math.floor((x * width) / toWidth));
      for (let c = 0; c < channels; c++) {
        out[(y * toWidth + x) * channels + c] = data[(row * width + column) * channels + c];
      }
    }
  }
  return { data: out, width: toWidth, height: toHeight, channels };
}

/** Raw output read otherwise before boxes are made of it. */
function postprocessBy(change: (row: Float32Array) => void, scale = true) {
  return withTraffic({
    outputs: (outputs, request: RunRequest) => {
      const { subject, inputs } = request;
      if (subject.kind !== "postprocess") return outputs;
      const raw = need(inputs, "output0", request.id);
      const columns = raw.shape[2];
      const data = Float32Array.from(raw.data as Float32Array);
      for (let at = 0; at < data.length; at += columns) change(data.subarray(at, at + columns));
      const [height, width] = scale ? subject.picture : [1, 1];
      const names = Array.from({ length: columns - 4 }, (_, i) => String(i));
      const found = selectDetections(data, names, width, height, { conf: subject.conf });
      const rows = found.flatMap(({ box, score, class: number }) => [...box, score, number]);
      return new Map([
        ["detections", { dtype: "F32", shape: [found.length, 6], data: Float32Array.from(rows) }],
      ]);
    },
  });
}

/** See `plants/index.ts`. */
export const TRAFFIC_PLANTS: readonly Plant[] = [
  {
    name: "nhwc-output",
    title: "NHWC buffers given as NCHW",
    mistakes: ["layout"],
    cases: ["L0/conv2d/1x1", "L1/UIB/k3-k3-s1"],
    open: withTraffic({ outputs: all(asNhwc) }),
  },
  {
    name: "nhwc-input",
    title: "NCHW inputs read as NHWC",
    mistakes: ["layout"],
    cases: ["L0/relu/values", "L1/Conv/1x1"],
    open: withTraffic({ request: (r) => ({ ...r, inputs: replaced(r.inputs, readAsNhwc) }) }),
  },
  {
    name: "fp16-weights",
    title: "weights rounded to half precision",
    mistakes: ["fp16-weights", "f16-weights", "fp16", "f16"],
    cases: ["L1/Conv/1x1", "L1/Linear/tokens"],
    open: withTraffic({ request: (r) => ({ ...r, parameters: replaced(r.parameters, rounded) }) }),
  },
  {
    name: "fp16-outputs",
    title: "results rounded to half precision",
    mistakes: ["fp16"],
    cases: ["L0/conv2d/3x3", "L0/sigmoid/values"],
    open: withTraffic({ outputs: all(rounded) }),
  },
  {
    name: "fp16-overflow",
    title: "results in half precision behind a factor of 2^15: the greatest overflow",
    mistakes: ["fp16-overflow"],
    cases: ["L0/conv2d/3x3", "L1/Linear/tokens"],
    open: withTraffic({
      outputs: all((tensor) =>
        mapped(tensor, (x) => (Math.abs(x) * 2 ** 15 >= 65520 ? Math.sign(x) * Number.POSITIVE_INFINITY : x)),
      ),
    }),
  },
  {
    name: "int8-weights",
    title: "weights in eight bits",
    mistakes: ["int8-weights", "int8"],
    cases: ["L1/Linear/tokens", "L1/Conv/1x1"],
    open: withTraffic({ request: (r) => ({ ...r, parameters: replaced(r.parameters, quantised) }) }),
  },
  {
    name: "bgr",
    title: "blue for red after the picture was decoded",
    mistakes: ["bgr"],
    cases: ["L4/preprocess/shrink", "L4/preprocess/same"],
    open: withTraffic({ outputs: all(bgr) }),
  },
  {
    name: "missing-255",
    title: "pixels not divided by 255",
    mistakes: ["pixel-scale"],
    cases: ["L4/preprocess/shrink", "L4/preprocess/same"],
    open: withTraffic({ outputs: all((tensor) => mapped(tensor, (x) => x * 255)) }),
  },
  {
    name: "mean-and-deviation",
    title: "ImageNet's mean and deviation taken off",
    mistakes: ["mean-std"],
    cases: ["L4/preprocess/shrink"],
    open: withTraffic({
      outputs: all((tensor) => {
        const plane = tensor.shape[2] * tensor.shape[3];
        const [mean, deviation] = [
          [0.485, 0.456, 0.406],
          [0.229, 0.224, 0.225],
        ];
        return mapped(tensor, (x, i) => {
          const c = Math.floor(i / plane) % 3;
          return (x - mean[c]) / deviation[c];
        });
      }),
    }),
  },
  {
    name: "resize-nearest",
    title: "the nearest pixel where the resize is bilinear",
    mistakes: ["resize-kernel"],
    cases: ["L4/preprocess/shrink", "L4/preprocess/enlarge"],
    open: preprocessBy(nearest),
  },
  {
    name: "corner-boxes",
    title: "raw boxes taken as corners, not as centre and size",
    mistakes: ["boxes-cxcywh"],
    cases: ["L4/postprocess/square"],
    open: postprocessBy((row) => {
      const [x1, y1, x2, y2] = row;
      row.set([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1]);
    }),
  },
  {
    name: "boxes-not-scaled",
    title: "boxes in [0, 1], not in pixels",
    mistakes: ["box-scale"],
    cases: ["L4/postprocess/square", "L4/postprocess/oblong"],
    open: postprocessBy(() => undefined, false),
  },
  {
    name: "softmax-scores",
    title: "a softmax over class scores, which are sigmoids already",
    mistakes: ["softmax-for-sigmoid", "scores"],
    cases: ["L4/postprocess/square"],
    open: postprocessBy((row) => {
      const scores = row.subarray(4);
      const powers = scores.map(Math.exp);
      const total = powers.reduce((sum, x) => sum + x, 0);
      scores.set(powers.map((x) => x / total));
    }),
  },
];
