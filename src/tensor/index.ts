/** `mobiledetr/tensor`: strided tensors. */
export type { DType, TypedArray } from "../backend/backend.ts";
export {
  arange,
  type CreateOptions,
  fromNdarray,
  full,
  type NdarrayLike,
  ones,
  tensor,
  toNdarray,
  zeros,
} from "./create.ts";
export type { Nested } from "./read.ts";
export type { MemoryFormat } from "./shape.ts";
export { type TensorStats, tensorStats } from "./statistics.ts";
export { Tensor } from "./tensor.ts";
