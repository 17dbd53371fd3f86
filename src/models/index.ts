/** `mobiledetr/models`: the MobileNetV4 backbones and the RT-DETR detector, layer by layer as in PyTorch. */
export { fuse } from "./fuse.ts";
export { AttentionBlock, LAYER_SCALE, MultiQueryAttention } from "./mobilenetv4/attention.ts";
export { FusedIB, UIB } from "./mobilenetv4/blocks.ts";
export { FEATURE_STRIDES, MobileNetV4 } from "./mobilenetv4/network.ts";
export {
  type AttentionSpec,
  isVariantName,
  VARIANT_NAMES,
  type VariantName,
} from "./mobilenetv4/variants.ts";
export { AIFI, sincosPositions } from "./rtdetr/aifi.ts";
export { Concat, Conv, type ConvArguments, RepC3, RepConv } from "./rtdetr/blocks.ts";
export {
  type ConfigOptions,
  type LayerConfig,
  type ModelConfig,
  parseModelConfig,
  type ScaleConfig,
  type YamlArgument,
} from "./rtdetr/config.ts";
export {
  type DecoderSizes,
  DeformableTransformerDecoder,
  DeformableTransformerDecoderLayer,
} from "./rtdetr/decoder.ts";
export { MSDeformAttn } from "./rtdetr/deformable.ts";
export { formatModelInfo, type LayerInfo, type ModelInfo, modelInfo, parameterCount } from "./rtdetr/info.ts";
export type { BuiltLayer, MapInfo, PrintedArgument } from "./rtdetr/layers.ts";
export { MLP } from "./rtdetr/mlp.ts";
export { RTDETRDetectionModel, type WiredLayer, YAML_BN_EPS } from "./rtdetr/model.ts";
export {
  type DecoderOptions,
  type DetectorOutput,
  RTDETRDecoder,
  type RTDETRDecoderArguments,
} from "./rtdetr/rtdetr-decoder.ts";
