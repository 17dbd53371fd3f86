/**
 * The kernels: loops over memory and nothing else. A kernel is an exported function of addresses (bytes), sizes and a
 * range [begin, end) of its units of work; threads share one memory and split the units. No heap, no mutable globals
 * (every thread has its own instance), no imports but the memory. Sums are never split: the same bits for every number
 * of threads and every cut of the range. Names and order of the exports are the pool's kernel table.
 */
export { binaryAdd, binaryDiv, binaryMaximum, binaryMinimum, binaryMul, binarySub } from "./binary";
export { copyRows, fillWords, gatherPixels, zeroFrame } from "./copy";
export { deformableAttention, gridSampleBilinearZeros } from "./sampling";
export { depthwise, packDepthwise } from "./depthwise";
export { gemm } from "./gemm";
export { affinePixels, affinePlanes, layerNormRows, softmaxRows } from "./norm";
export { packPanels } from "./pack";
export { gatherRows, reduceRows, topkRows } from "./select";
export { strassen } from "./strassen";
export { packStrassen } from "./strassen-pack";
export { winograd } from "./winograd";
export { packWinograd } from "./winograd-pack";
export {
  clampFlat,
  expFlat,
  geluFlat,
  geluTanhFlat,
  negFlat,
  relu6Flat,
  reluFlat,
  sigmoidFlat,
  siluFlat,
  sqrtFlat,
} from "./unary";

/** First byte above the kernels' constants: memory from here on belongs to the caller. */
export function heapBase(): usize {
  return __heap_base;
}
