/**
 * The reference backend: every loop in plain TypeScript over any strides, sums in double precision, one rounding when a
 * result is stored. It is the oracle of the WASM kernels, slower and never less exact. It owns no state and reads
 * whatever `storage.data` gives, so it also works on another backend's memory.
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
import { adaptiveAvgPool2d, pool2d } from "./pool.ts";
import { reduce } from "./reduce.ts";
import { topk } from "./topk.ts";

/** Plain loops on the JavaScript heap; `allocate` gives zero-filled memory that the garbage collector frees. */
export const referenceBackend: Backend = {
  name: "reference",
  allocate: (dtype, length) => new HeapStorage(referenceBackend, newTypedArray(dtype, length)),
  fill,
  copy,
  unary,
  binary,
  clamp,
  matmul,
  linear,
  conv2d,
  affineChannels,
  layerNorm,
  softmax,
  reduce,
  topk,
  gather,
  embedding,
  pool2d,
  adaptiveAvgPool2d,
  interpolate,
  gridSample,
  deformableAttention,
};
