/**
 * MobileNetV4 (arXiv 2404.10518) as a pyramid of features: image to the outputs of layer1 .. layer4.
 * QUIRK: layer5, left over from the classifier, is in the state dict and never runs.
 */
import { fail } from "../../errors.ts";
import { type AnyModule, Module, Sequential } from "../../nn/index.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { AttentionBlock } from "./attention.ts";
import { convBlock, FusedIB, UIB } from "./blocks.ts";
import { type BlockSpec, isVariantName, VARIANT_NAMES, VARIANTS, type VariantName } from "./variants.ts";

/** Strides of the four outputs. */
export const FEATURE_STRIDES = [4, 8, 16, 32] as const;

/** One of the five backbones: x [N, 3, H, W], RGB in [0, 1], to four maps [N, C_i, ceil(H/s_i), ceil(W/s_i)]. */
export class MobileNetV4 extends Module<[Tensor], Tensor[]> {
  /** Stride 2; then each of layer1 .. layer4 halves again: 4, 8, 16, 32. */
  readonly conv0: Sequential;
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly layer4: Sequential;
  /** Never run. */
  readonly layer5: Sequential;
  readonly variant: VariantName;

  /** Throws "argument" for a name that is none of {@link VARIANT_NAMES}. */
  constructor(variant: string) {
    super();
    if (!isVariantName(variant)) {
      fail("argument", "MobileNetV4", `one of ${VARIANT_NAMES.join(", ")}`, JSON.stringify(variant));
    }
    const spec = VARIANTS[variant];
    this.variant = variant;
    this.conv0 = stage(spec.conv0);
    this.layer1 = stage(spec.layer1);
    this.layer2 = stage(spec.layer2);
    this.layer3 = stage(spec.layer3);
    this.layer4 = stage(spec.layer4);
    this.layer5 = stage(spec.layer5);
  }

  /** The class is named after the variant, as in the original. */
  override get kind(): string {
    return this.variant;
  }

  /** Channels of the four outputs. */
  get widths(): number[] {
    const { layer1, layer2, layer3, layer4 } = VARIANTS[this.variant];
    return [layer1, layer2, layer3, layer4].map((blocks) => blocks[blocks.length - 1].cout);
  }

  /** True where multi-query attention needs square maps at strides 16 and 32. */
  get needsSquare(): boolean {
    return Object.values(VARIANTS[this.variant]).some((blocks) =>
      blocks.some((b) => "attention" in b && b.attention),
    );
  }

  forward(x: Tensor): Tensor[] {
    const stem = this.conv0.call(x);
    const stride4 = this.layer1.call(stem);
    const stride8 = this.layer2.call(stride4);
    const stride16 = this.layer3.call(stride8);
    const stride32 = this.layer4.call(stride16);
    return [stride4, stride8, stride16, stride32];
  }
}

function stage(blocks: readonly BlockSpec[]): Sequential {
  const parts: Record<string, AnyModule> = {};
  blocks.forEach((b, i) => {
    if (b.kind === "convbn") parts[`convbn_${i}`] = convBlock(b.cin, b.cout, b.k, { stride: b.s });
    else if (b.kind === "fused_ib") parts[`fused_ib_${i}`] = new FusedIB(b.cin, b.cout, b.s, b.expand);
    else {
      parts[`uib_${i}`] = new UIB(b.cin, b.cout, b.k0, b.k1, b.s, b.expand);
      if (b.attention) parts[`msha_${i}`] = new AttentionBlock(b.cout, b.attention);
    }
  });
  return new Sequential(parts);
}
