/** The PyTorch line that a module's forward stands for, with this module's own arguments. */
import { MobileNetV4 } from "../models/mobilenetv4/network.ts";
import {
  AdaptiveAvgPool2d,
  type AnyModule,
  AvgPool2d,
  BatchNorm2d,
  Conv2d,
  Embedding,
  LayerNorm,
  Linear,
  MaxPool2d,
  MultiheadAttention,
  Upsample,
} from "../nn/index.ts";
import { pyFloat, pyInts } from "../nn/python-repr.ts";

/** What the classes without arguments of their own compute; containers and blocks as their own forward reads. */
const LINES: Readonly<Record<string, string>> = {
  AIFI: "src = norm1(src + ma(q, q, src)[0]); src = norm2(src + fc2(gelu(fc1(src))))  # q = src + position table",
  AttentionBlock: "multi_query_attention(_input_norm(x)) * 1e-5 + x",
  Concat: "torch.cat(x, dim=1)",
  Conv: "act(bn(conv(x)))",
  DeformableTransformerDecoderLayer:
    "embed = norm1(embed + self_attn(q, q, embed)[0]); embed = norm2(embed + cross_attn(embed + query_pos, refer_bbox, feats)); " +
    "embed = norm3(embed + linear2(relu(linear1(embed))))",
  Dropout: "input  # evaluation",
  Flatten: "torch.flatten(input, start_dim, end_dim)",
  FusedIB: "block(x)",
  GELU: "F.gelu(input)",
  Identity: "input",
  MLP: "layers[-1](... F.relu(layers[1](F.relu(layers[0](x)))))",
  MSDeformAttn:
    "output_proj(multi_scale_deformable_attn(value_proj(value), centre + offsets / n_points * size * 0.5, " +
    "softmax(attention_weights(query))))",
  MultiQueryAttention:
    "_output_proj(softmax(q @ k / sqrt(dim // heads)) @ v)  # one key and one value for all heads",
  RTDETRDetectionModel: "for m in model: x = m(x if m.f == -1 else [y[j] for j in m.f])  # the YAML's wiring",
  RTDETRDecoder:
    "topk of enc_score_head(enc_output(memory)); then layer by layer refer_bbox = sigmoid(dec_bbox_head(embed) + logit(refer_bbox))",
  ReLU: "F.relu(input)",
  ReLU6: "F.relu6(input)",
  RepC3: "cv3(m(cv1(x)) + cv2(x))",
  RepConv: "act(conv1(x) + conv2(x))",
  Sequential: "for module in self: input = module(input)",
  SiLU: "F.silu(input)",
  Sigmoid: "torch.sigmoid(input)",
  Softmax: "F.softmax(input, dim)",
  UIB: "_proj_conv(_middle_dw(_expand_conv(_start_dw_(x))))  # without the parts that it does not have; no residual",
};

/** One line of PyTorch, for modules of this package; of others what they print. */
export function forwardLine(module: AnyModule): string {
  if (module instanceof Conv2d) {
    const { stride, padding, dilation, groups } = module;
    const shown = typeof padding === "string" ? `"${padding}"` : pyInts(padding);
    const bias = module.bias ? "bias" : "None";
    return `F.conv2d(input, weight, ${bias}, stride=${pyInts(stride)}, padding=${shown}, dilation=${pyInts(dilation)}, groups=${groups})`;
  }
  if (module instanceof Linear) return `F.linear(input, weight${module.bias ? ", bias" : ""})`;
  if (module instanceof BatchNorm2d) {
    return `F.batch_norm(input, running_mean, running_var, weight, bias, eps=${pyFloat(module.eps)})`;
  }
  if (module instanceof LayerNorm) {
    return `F.layer_norm(input, ${pyInts(module.normalizedShape)}, weight, bias, eps=${pyFloat(module.eps)})`;
  }
  if (module instanceof Embedding) return "F.embedding(input, weight)";
  if (module instanceof MultiheadAttention) {
    return `F.multi_head_attention_forward(query, key, value, ...)  # ${module.numHeads} heads of ${module.headDim}`;
  }
  if (module instanceof Upsample) {
    return `F.interpolate(input, ${module.extraRepr().replaceAll("'", '"')})`;
  }
  if (module instanceof AvgPool2d) return `F.avg_pool2d(input, ${module.extraRepr()})`;
  if (module instanceof MaxPool2d) return `F.max_pool2d(input, ${module.extraRepr()})`;
  if (module instanceof AdaptiveAvgPool2d) return `F.adaptive_avg_pool2d(input, ${module.extraRepr()})`;
  if (module instanceof MobileNetV4)
    return "x = conv0(x); maps of strides 4, 8, 16, 32: layer1, layer2, layer3, layer4 in turn";
  return LINES[module.kind] ?? `${module.kind}(${module.extraRepr()})`;
}
