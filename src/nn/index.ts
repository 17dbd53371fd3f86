/** Layers, as torch.nn: the public names. Each is in a file of its own. */
export { AdaptiveAvgPool2d, type AdaptiveSize } from "./adaptive-avg-pool2d.ts";
export type { NumberOrPair } from "./arguments.ts";
export { AvgPool2d, type AvgPool2dOptions } from "./avg-pool2d.ts";
export { BatchNorm2d, type BatchNorm2dOptions } from "./batch-norm2d.ts";
export { Conv2d, type Conv2dOptions } from "./conv2d.ts";
export { Dropout } from "./dropout.ts";
export { Embedding } from "./embedding.ts";
export { Flatten } from "./flatten.ts";
export { GELU } from "./gelu.ts";
export { Identity } from "./identity.ts";
export { LayerNorm, type LayerNormOptions } from "./layer-norm.ts";
export { Linear } from "./linear.ts";
export { MaxPool2d, type MaxPool2dOptions } from "./max-pool2d.ts";
export {
  type AnyModule,
  BufferTensor,
  type ForwardHook,
  type ForwardPreHook,
  Module,
  Parameter,
  replaceTensor,
  type TensorSlot,
} from "./module.ts";
export { ModuleList } from "./module-list.ts";
export { modulePaths } from "./module-paths.ts";
export {
  type AttentionOptions,
  type AttentionResult,
  MultiheadAttention,
  type MultiheadAttentionOptions,
} from "./multihead-attention.ts";
export { currentObserver, type Observer, observe, withObserver } from "./observer.ts";
export { ReLU } from "./relu.ts";
export { ReLU6 } from "./relu6.ts";
export { Sequential } from "./sequential.ts";
export { Sigmoid } from "./sigmoid.ts";
export { SiLU } from "./silu.ts";
export { Softmax } from "./softmax.ts";
export { type LoadOptions, type LoadReport, loadStateDict } from "./state-dict.ts";
export { type StateEntry, type StateSource, stateSourceOf } from "./state-source.ts";
export { Upsample, type UpsampleOptions } from "./upsample.ts";
