/** What is odd about a module, by the numbers of docs/quirks.md: kept because checkpoints were trained with it. */
import { AttentionBlock, MultiQueryAttention } from "../models/mobilenetv4/attention.ts";
import { FusedIB, UIB } from "../models/mobilenetv4/blocks.ts";
import { AIFI } from "../models/rtdetr/aifi.ts";
import { YAML_BN_EPS } from "../models/rtdetr/model.ts";
import { RTDETRDecoder } from "../models/rtdetr/rtdetr-decoder.ts";
import { type AnyModule, BatchNorm2d } from "../nn/index.ts";

/** A sentence with the quirk's number; undefined where nothing is odd. */
export function quirkOf(module: AnyModule, path: string): string | undefined {
  if (module instanceof UIB) return "quirk 1: no residual connection, whatever the shapes";
  if (module instanceof MultiQueryAttention) {
    return `quirks 2, 3: maps re-viewed as tokens, not transposed; scores divided by sqrt(${module.scaleDim})`;
  }
  if (module instanceof AttentionBlock) return "quirk 4: scaled by the constant 1e-5";
  if (module instanceof AIFI) return "quirk 7: the position table is (w, h)-major, the tokens are not";
  if (module instanceof RTDETRDecoder)
    return "quirks 8, 9: tokens near the edge are zeroed for the selection; one score head runs";
  if (module instanceof FusedIB) return "exp_1x1 is a dense 3x3";
  if (
    module instanceof BatchNorm2d &&
    module.eps === YAML_BN_EPS &&
    path.endsWith("conv0.convbn_0.BatchNorm2d")
  ) {
    return "quirk 6: eps 1e-3 here and in every BatchNorm2d";
  }
  return undefined;
}
