/** What each kind of layer does, in words, with its formula and where it comes from. */

/** A kind of layer, explained. */
export interface Lesson {
  readonly what: string;
  readonly formula: string;
  readonly paper?: string;
}

const MOBILENET = "MobileNetV4: Universal Models for the Mobile Ecosystem, arXiv 2404.10518";
const RTDETR = "DETRs Beat YOLOs on Real-time Object Detection (RT-DETR), arXiv 2304.08069";
const DEFORMABLE = "Deformable DETR, arXiv 2010.04159";
const TRANSFORMER = "Attention Is All You Need, arXiv 1706.03762";
const REPVGG = "RepVGG: Making VGG-style ConvNets Great Again, arXiv 2101.03697";

const LINEAR: Lesson = {
  what: "Every output number is a weighted sum of all numbers of its own row: the same weights for every token.",
  formula: "y[o] = bias[o] + Σᵢ x[i] · weight[o, i]",
};

const LESSONS: Readonly<Record<string, Lesson>> = {
  RTDETRDetectionModel: {
    what: "The whole detector: a backbone turns pixels into maps, a neck mixes maps of three sizes, a decoder turns them into boxes.",
    formula: "picture → maps at strides 8, 16, 32 → mixed maps → queries → boxes and class scores",
    paper: RTDETR,
  },
  MobileNetV4ConvSmall: {
    what: "The backbone: halves the map five times while the channels grow, so that later layers see more of the picture, more coarsely.",
    formula: "x → stride 2 → 4 → 8 → 16 → 32",
    paper: MOBILENET,
  },
  UIB: {
    what: "An inverted bottleneck: looks around in each channel by itself, widens to many channels, looks around again, and narrows down. Cheap, because the wide part never mixes channels and places at once.",
    formula: "y = project(depthwise(expand(depthwise(x)))), where each depthwise part may be missing",
    paper: MOBILENET,
  },
  FusedIB: {
    what: "A bottleneck whose widening and looking around are one dense convolution: faster than two small ones while maps are large and channels few.",
    formula: "y = project(act(bn(conv(x))))",
    paper: MOBILENET,
  },
  AttentionBlock: {
    what: "Attention beside a shortcut: what the attention adds is scaled by the constant 10⁻⁵, to almost nothing.",
    formula: "y = attention(norm(x)) · 10⁻⁵ + x",
    paper: MOBILENET,
  },
  MultiQueryAttention: {
    what: "Queries ask in several heads, but all heads share one set of keys and values, which saves memory traffic. Keys are places of the map; queries and values are pieces of it that are read in another order, and so no places (quirk 2).",
    formula: "y = project(softmax(q · k / √d) · v), one k and v for all heads",
    paper: "Fast Transformer Decoding: One Write-Head is All You Need, arXiv 1911.02150",
  },
  Conv2d: {
    what: "Slides a small window over the map. At each place, what is under the window is multiplied by the window's weights and summed: a match between the picture there and the pattern in the weights.",
    formula:
      "y[o, h, w] = bias[o] + Σ x[c, h·s + i − p, w·s + j − p] · weight[o, c, i, j] over i, j and the channels c of o's group",
    paper: "Gradient-Based Learning Applied to Document Recognition, LeCun et al. 1998",
  },
  BatchNorm2d: {
    what: "Moves and scales each channel by fixed numbers that were learned, so that channels are of like size. After training it is only one multiplication and one addition a number.",
    formula: "y = (x − running_mean) / √(running_var + eps) · weight + bias",
    paper: "Batch Normalization, arXiv 1502.03167",
  },
  LayerNorm: {
    what: "Moves and scales each token so that its own numbers have mean 0 and deviation 1, then by learned weights. Unlike a batch norm it looks at the token itself.",
    formula: "y = (x − mean(x)) / √(var(x) + eps) · weight + bias, over the token's own numbers",
    paper: "Layer Normalization, arXiv 1607.06450",
  },
  ReLU: {
    what: "Lets positive numbers pass and sets all others to zero: without such a bend a stack of sums would be one sum.",
    formula: "y = max(x, 0)",
  },
  ReLU6: {
    what: "As ReLU, and stops at 6, so that numbers stay small enough for coarse arithmetic.",
    formula: "y = min(max(x, 0), 6)",
  },
  SiLU: {
    what: "A smooth bend: great numbers pass, very negative ones become nearly zero, those a little below zero stay a little below.",
    formula: "y = x / (1 + exp(−x))",
    paper: "Sigmoid-Weighted Linear Units, arXiv 1702.03118",
  },
  GELU: {
    what: "A smooth bend, by the chance that a normal random number is below x.",
    formula: "y = x · (1 + erf(x / √2)) / 2",
    paper: "Gaussian Error Linear Units, arXiv 1606.08415",
  },
  Sigmoid: { what: "Squeezes any number into 0 to 1.", formula: "y = 1 / (1 + exp(−x))" },
  Softmax: {
    what: "Turns a row of numbers into shares that sum to 1; the greatest takes most.",
    formula: "y[i] = exp(x[i]) / Σⱼ exp(x[j])",
  },
  Identity: {
    what: "Passes on what it gets: a place where another model of the family has a layer.",
    formula: "y = x",
  },
  Dropout: {
    what: "Passes on what it gets; only in training it sets random numbers to zero.",
    formula: "y = x",
  },
  Sequential: { what: "Its parts, one after the other.", formula: "y = last(… second(first(x)))" },
  Linear: LINEAR,
  NonDynamicallyQuantizableLinear: {
    ...LINEAR,
    what: `${LINEAR.what} This one joins the heads of an attention; its odd name is PyTorch's.`,
  },
  Embedding: { what: "A table: each number picks its row.", formula: "y = weight[x]" },
  MultiheadAttention: {
    what: "Every token asks all tokens, and takes the mean of what they answer, weighted by how well question (query) and label (key) fit. Each head asks its own question.",
    formula: "y = out_proj(softmax(q · kᵀ / √d) · v), head by head",
    paper: TRANSFORMER,
  },
  AIFI: {
    what: "The encoder: every pixel of the coarsest map looks at every other one, so that a place knows of the whole picture. A small network for each pixel follows.",
    formula: "s = norm1(x + attention(q = k = x + pos, v = x)); y = norm2(s + fc2(gelu(fc1(s))))",
    paper: RTDETR,
  },
  Conv: {
    what: "A convolution, its batch norm and its activation: the building block of the neck.",
    formula: "y = act(bn(conv(x)))",
  },
  RepConv: {
    what: "A 3×3 and a 1×1 convolution side by side, summed. Trained as two, it may be folded into one; here you see both.",
    formula: "y = act(bn(conv3×3(x)) + bn(conv1×1(x)))",
    paper: REPVGG,
  },
  RepC3: {
    what: "Mixes two maps that were joined: one way through three blocks, one short way, and their sum.",
    formula: "y = m(cv1(x)) + cv2(x)",
    paper: RTDETR,
  },
  Upsample: {
    what: "Makes a map twice as high and wide by repeating each number, so that it can be joined with a finer one.",
    formula: "y[c, h, w] = x[c, ⌊h / 2⌋, ⌊w / 2⌋]",
  },
  Concat: {
    what: "Puts the channels of one map behind those of another; no arithmetic.",
    formula: "y = [x₀; x₁] along the channels",
  },
  MaxPool2d: {
    what: "The greatest number under a window.",
    formula: "y[h, w] = max over the window of x",
  },
  AvgPool2d: { what: "The mean under a window.", formula: "y[h, w] = mean over the window of x" },
  AdaptiveAvgPool2d: {
    what: "The mean over parts of the map, so many as are asked for.",
    formula: "y = mean over each part of x",
  },
  Flatten: { what: "The same numbers with fewer axes.", formula: "y = x" },
  MLP: {
    what: "A small network for each token by itself: sums, a bend, sums again.",
    formula: "y = linear(relu(linear(x)))",
  },
  MSDeformAttn: {
    what: "A query does not look at all places but at a few points that it chooses itself: 8 heads × 3 maps × 4 points, read between the pixels and averaged by weights.",
    formula: "y = output_proj(Σ weight · value(at centre + offset)), over levels and points, head by head",
    paper: DEFORMABLE,
  },
  DeformableTransformerDecoderLayer: {
    what: "Queries talk with each other, then look at the picture where they expect something, then think by themselves; their boxes are moved after it.",
    formula:
      "e = norm1(e + self_attn(q = k = e + pos, v = e)); e = norm2(e + cross_attn(e + pos, maps)); e = norm3(e + ffn(e)), pos made of the query's box",
    paper: DEFORMABLE,
  },
  RTDETRDecoder: {
    what: "The head: scores every pixel of three maps, takes the best as queries, and moves their boxes layer by layer.",
    formula: "queries = top-k of token scores; box ← sigmoid(head(e) + logit(box)), layer after layer",
    paper: RTDETR,
  },
};

/** The lesson on a kind; of a kind that is not known, that it has none. */
export function lessonOf(kind: string): Lesson {
  const known = LESSONS[kind] ?? (kind.startsWith("MobileNetV4") ? LESSONS.MobileNetV4ConvSmall : undefined);
  return (
    known ?? { what: "A part of the network without a lesson of its own.", formula: "see the PyTorch line" }
  );
}
