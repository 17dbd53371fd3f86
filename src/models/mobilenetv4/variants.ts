/**
 * The five MobileNetV4 networks as tables of blocks (arXiv 2404.10518), as they are used for feature pyramids. Six
 * stages each: conv0, layer1 .. layer5. The outputs of layer1 .. layer4 have strides 4, 8, 16, 32.
 */

/** Multi-query attention: `heads` query heads of width `dim` share one key/value head; stride of keys and values. */
export interface AttentionSpec {
  /** Query heads. */
  readonly heads: number;
  /** Width of a head. */
  readonly dim: number;
  /** 2: keys and values come from a map of half the size. */
  readonly kvStride: 1 | 2;
}

/** One block of a stage. Kernel sizes k0 (before the expansion) and k1 (after it) are 0 where there is no such layer. */
export type BlockSpec =
  | {
      readonly kind: "convbn";
      readonly cin: number;
      readonly cout: number;
      readonly k: number;
      readonly s: number;
    }
  | {
      readonly kind: "fused_ib";
      readonly cin: number;
      readonly cout: number;
      readonly s: number;
      readonly expand: number;
    }
  | {
      readonly kind: "uib";
      readonly cin: number;
      readonly cout: number;
      readonly k0: number;
      readonly k1: number;
      readonly s: number;
      readonly expand: number;
      readonly attention?: AttentionSpec;
    };

/** The stages of a network, in the order in which they run; layer5 never runs. */
export const STAGE_NAMES = ["conv0", "layer1", "layer2", "layer3", "layer4", "layer5"] as const;

/** One of {@link STAGE_NAMES}. */
export type StageName = (typeof STAGE_NAMES)[number];

/** All blocks of a network. */
export type VariantSpec = Readonly<Record<StageName, readonly BlockSpec[]>>;

/** The five networks. */
export const VARIANT_NAMES = [
  "MobileNetV4ConvSmall",
  "MobileNetV4ConvMedium",
  "MobileNetV4ConvLarge",
  "MobileNetV4HybridMedium",
  "MobileNetV4HybridLarge",
] as const;

/** One of {@link VARIANT_NAMES}. */
export type VariantName = (typeof VARIANT_NAMES)[number];

const convbn = (cin: number, cout: number, k: number, s: number): BlockSpec => ({
  kind: "convbn",
  cin,
  cout,
  k,
  s,
});

const fusedIb = (cin: number, cout: number, s: number, expand: number): BlockSpec => {
  return { kind: "fused_ib", cin, cout, s, expand };
};

/** k0, k1, expansion, and attention after the block. */
type UibRow = readonly [k0: number, k1: number, expand: number, attention?: AttentionSpec];

/** A run of inverted bottlenecks: the first takes `cin` channels and strides by 2, the others keep `cout` channels. */
function uibs(cin: number, cout: number, rows: readonly UibRow[]): BlockSpec[] {
  return rows.map(([k0, k1, expand, attention], i) => {
    return { kind: "uib", cin: i ? cout : cin, cout, k0, k1, s: i ? 1 : 2, expand, attention };
  });
}

const repeat = (count: number, row: UibRow): UibRow[] => Array.from({ length: count }, () => row);

/** QUIRK: left over from the classifier; in the state dict, and never run. */
const head = (width: number): BlockSpec[] => [convbn(width, 960, 1, 1), convbn(960, 1280, 1, 1)];

const MEDIUM_STEM = {
  conv0: [convbn(3, 32, 3, 2)],
  layer1: [fusedIb(32, 48, 2, 4)],
  layer2: uibs(48, 80, [
    [3, 5, 4],
    [3, 3, 2],
  ]),
};

const LARGE_STEM = {
  conv0: [convbn(3, 24, 3, 2)],
  layer1: [fusedIb(24, 48, 2, 4)],
  layer2: uibs(48, 96, [
    [3, 5, 4],
    [3, 3, 4],
  ]),
};

/** The first nine rows of both large networks' layer4. */
const LARGE_LAYER4: readonly UibRow[] = [
  ...repeat(4, [5, 5, 4]),
  [5, 0, 4],
  [5, 3, 4],
  [5, 0, 4],
  [5, 0, 4],
  [5, 3, 4],
];

const M3: AttentionSpec = { heads: 4, dim: 64, kvStride: 2 };
const M4: AttentionSpec = { heads: 4, dim: 64, kvStride: 1 };
const L3: AttentionSpec = { heads: 8, dim: 48, kvStride: 2 };
const L4: AttentionSpec = { heads: 8, dim: 64, kvStride: 1 };

/** The table of all networks. */
export const VARIANTS: Readonly<Record<VariantName, VariantSpec>> = {
  MobileNetV4ConvSmall: {
    conv0: [convbn(3, 32, 3, 2)],
    layer1: [convbn(32, 32, 3, 2), convbn(32, 32, 1, 1)],
    layer2: [convbn(32, 96, 3, 2), convbn(96, 64, 1, 1)],
    layer3: uibs(64, 96, [[5, 5, 3], ...repeat(4, [0, 3, 2]), [3, 0, 4]]),
    layer4: uibs(96, 128, [
      [3, 3, 6],
      [5, 5, 4],
      [0, 5, 4],
      [0, 5, 3],
      [0, 3, 4],
      [0, 3, 4],
    ]),
    layer5: head(128),
  },
  MobileNetV4ConvMedium: {
    ...MEDIUM_STEM,
    layer3: uibs(80, 160, [
      [3, 5, 6],
      [3, 3, 4],
      [3, 3, 4],
      [3, 5, 4],
      [3, 3, 4],
      [3, 0, 4],
      [0, 0, 2],
      [3, 0, 4],
    ]),
    layer4: uibs(160, 256, [
      [5, 5, 6],
      [5, 5, 4],
      [3, 5, 4],
      [3, 5, 4],
      [0, 0, 4],
      [3, 0, 4],
      [3, 5, 2],
      [5, 5, 4],
      [0, 0, 4],
      [0, 0, 4],
      [5, 0, 2],
    ]),
    layer5: head(256),
  },
  MobileNetV4ConvLarge: {
    ...LARGE_STEM,
    layer3: uibs(96, 192, [
      [3, 5, 4],
      ...repeat(3, [3, 3, 4]),
      [3, 5, 4],
      ...repeat(5, [5, 3, 4]),
      [3, 0, 4],
    ]),
    layer4: uibs(192, 512, [...LARGE_LAYER4, [5, 5, 4], ...repeat(3, [5, 0, 4])]),
    layer5: head(512),
  },
  MobileNetV4HybridMedium: {
    ...MEDIUM_STEM,
    layer3: uibs(80, 160, [
      [3, 5, 6],
      [0, 0, 2],
      [3, 3, 4],
      [3, 5, 4, M3],
      [3, 3, 4, M3],
      [3, 0, 4, M3],
      [3, 3, 4, M3],
      [3, 0, 4],
    ]),
    layer4: uibs(160, 256, [
      [5, 5, 6],
      [5, 5, 4],
      [3, 5, 4],
      [3, 5, 4],
      [0, 0, 2],
      [3, 5, 2],
      [0, 0, 2],
      [0, 0, 4, M4],
      [3, 0, 4, M4],
      [5, 5, 4, M4],
      [5, 0, 4, M4],
      [5, 0, 4],
    ]),
    layer5: head(256),
  },
  MobileNetV4HybridLarge: {
    ...LARGE_STEM,
    layer3: uibs(96, 192, [
      [3, 5, 4],
      ...repeat(3, [3, 3, 4]),
      [3, 5, 4],
      [5, 3, 4],
      ...repeat(4, [5, 3, 4, L3]),
      [3, 0, 4],
    ]),
    layer4: uibs(192, 512, [...LARGE_LAYER4, [5, 5, 4, L4], ...repeat(3, [5, 0, 4, L4]), [5, 0, 4]]),
    layer5: head(512),
  },
};

/** True for the name of one of the five networks. */
export function isVariantName(name: unknown): name is VariantName {
  return (VARIANT_NAMES as readonly unknown[]).includes(name);
}
