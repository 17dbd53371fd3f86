/**
 * The reference backend: every loop in plain TypeScript over any strides, sums in double precision, one rounding when a
 * result is stored. It is the oracle of the WASM kernels, slower and never less exact. It owns no state and reads
 * whatever `storage.data` gives, so it also works on another backend's memory. The same bits in every engine: functions are
 * those of `portable-math.ts`, and NaN is one.
 */
import type { Backend } from "../backend.ts";
import { HeapStorage, newTypedArray } from "../heap.ts";
import { conv2d } from "./conv.ts";
import { copy, fill } from "./copy.ts";
import { deformableAttention } from "./deformable.ts";
import { binary, clamp, unary } from "./elementwise.ts";
import { embedding, gather } from "./gather.ts";
import { gridSample } from "./grid-sample.ts";
import { interpolate } from "./interpolate.ts";
import { linear, matmul } from "./matmul.ts";
import { affineChannels, layerNorm, softmax } from "./norm.ts";
import { withOneNaN } from "./one-nan.ts";
import { adaptiveAvgPool2d, pool2d } from "./pool.ts";
import { reduce } from "./reduce.ts";
import { topk } from "./topk.ts";

/** Plain loops on the JavaScript heap; `allocate` gives zero-filled memory that the garbage collector frees. */
export const referenceBackend: Backend = {
  name: "reference",
  allocate: (dtype, length) => new HeapStorage(referenceBackend, newTypedArray(dtype, length)),
  fill,
  copy: withOneNaN(copy, 1),
  unary: withOneNaN(unary, 2),
  binary: withOneNaN(binary, 3),
  clamp: withOneNaN(clamp, 3),
  matmul: withOneNaN(matmul, 2),
  linear: withOneNaN(linear, 3),
  conv2d: withOneNaN(conv2d, 3),
  affineChannels: withOneNaN(affineChannels, 3),
  layerNorm: withOneNaN(layerNorm, 4),
  softmax: withOneNaN(softmax, 2),
  reduce: withOneNaN(reduce, 3),
  topk: withOneNaN(topk, 4),
  gather: withOneNaN(gather, 3),
  embedding: withOneNaN(embedding, 2),
  pool2d: withOneNaN(pool2d, 1),
  adaptiveAvgPool2d: withOneNaN(adaptiveAvgPool2d, 1),
  interpolate: withOneNaN(interpolate, 1),
  gridSample: withOneNaN(gridSample, 2),
  deformableAttention: withOneNaN(deformableAttention, 4),
};
