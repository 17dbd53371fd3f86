/**
 * What a backend is: memory, and loops over it. It knows no Tensor and checks nothing: `src/ops` checks shapes,
 * allocates the output and calls it. There are three: `reference` (plain TypeScript loops on the JavaScript heap, the
 * oracle), `wasm` (SIMD kernels over threads on one shared memory) and `meta` (shapes only: nothing is stored or
 * computed; it counts multiply-adds).
 *
 * Every method writes into an `out` that the caller made. `out` never overlaps an input unless a method says that it may.
 */

/** Element types of tensors. Weights of other types are converted when they are read; i32 holds indices. */
export type DType = "f32" | "i32" | "i64" | "u8";

/** The array type that holds each {@link DType}. */
export type TypedArray = Float32Array | Int32Array | BigInt64Array | Uint8Array;

/** Bytes of one element. */
export const BYTES_PER_ELEMENT: Readonly<Record<DType, number>> = { f32: 4, i32: 4, i64: 8, u8: 1 };

/** A run of elements of one type that a backend owns. */
export interface Storage {
  readonly backend: Backend;
  readonly dtype: DType;
  /** Number of elements. */
  readonly length: number;
  /** The elements. Throws after `release`, and always on the meta backend. Do not keep it across allocations. */
  readonly data: TypedArray;
  /** Byte address in WASM memory, 64-byte aligned; 0 on other backends. */
  readonly address: number;
  /** True once the memory has been given back. */
  readonly released: boolean;
  /** Gives the memory back; later calls do nothing. */
  release(): void;
}

/** A strided window on a storage: element [i0, i1, ...] is `storage.data[offset + i0*strides[0] + i1*strides[1] + ...]`. */
export interface Strided {
  readonly storage: Storage;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** In elements; 0 where a dimension is broadcast, negative is not allowed. */
  readonly strides: readonly number[];
  /** In elements. */
  readonly offset: number;
}

/** Element-wise functions of one f32 argument. `gelu` is the exact (erf) one, `gelu_tanh` the approximation. */
export type UnaryOp =
  | "relu"
  | "relu6"
  | "silu"
  | "gelu"
  | "gelu_tanh"
  | "sigmoid"
  | "exp"
  | "log"
  | "sqrt"
  | "neg"
  | "sin"
  | "cos";

/** Element-wise functions of two f32 arguments. `minimum` and `maximum` propagate NaN, as in PyTorch. */
export type BinaryOp = "add" | "sub" | "mul" | "div" | "minimum" | "maximum";

/** Reductions over one axis. `argmax` writes i32, the lowest index of the greatest value; NaN is greatest. */
export type ReduceOp = "sum" | "mean" | "max" | "min" | "argmax";

/** Two numbers for height and width. */
export type Pair = readonly [number, number];

/** Convolution geometry, (height, width) each. */
export interface ConvOptions {
  readonly stride: Pair;
  readonly padding: Pair;
  readonly dilation: Pair;
  readonly groups: number;
}

/** Pooling geometry. The window never reaches past the padded input; `countIncludePad` matters to `avg` alone. */
export interface PoolOptions {
  readonly kind: "avg" | "max";
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly padding: Pair;
  readonly dilation: Pair;
  readonly countIncludePad: boolean;
  /** Divides an average by this instead of by the number of elements. */
  readonly divisorOverride?: number;
}

/** How {@link Backend.interpolate} maps output pixels to input pixels. */
export interface InterpolateOptions {
  readonly mode: "nearest" | "bilinear";
  /** Bilinear only: corner pixels' centres coincide. */
  readonly alignCorners: boolean;
  /** Input pixels per output pixel (height, width), where a scale factor was given; otherwise from the sizes. */
  readonly scale?: Pair;
}

/** How {@link Backend.gridSample} reads the input. */
export interface GridSampleOptions {
  readonly mode: "bilinear" | "nearest";
  readonly paddingMode: "zeros" | "border";
  readonly alignCorners: boolean;
}

/** The loops. All tensors are f32 unless said. Shapes are as the `src/ops` function of the same name says. */
export interface Backend {
  readonly name: "reference" | "wasm" | "meta";
  /** True on a meta backend that keeps the numbers of tensors that are made from numbers: the compiler's. */
  readonly keepsConstants?: boolean;
  /** A new storage, its contents undefined, 64-byte aligned where it has an address. */
  allocate(dtype: DType, length: number): Storage;

  /** out = value everywhere; any dtype and strides. */
  fill(out: Strided, value: number): void;
  /** out[i] = x[i], same shape, any strides, any pair of dtypes (f32 to integer truncates). */
  copy(x: Strided, out: Strided): void;
  /** out[i] = f(x[i]), same shape, any strides. `out` may be `x` itself. */
  unary(op: UnaryOp, x: Strided, out: Strided): void;
  /** out[i] = f(a[i], b[i]); a and b already expanded to out's shape (stride 0). `out` may be `a` or `b` itself. */
  binary(op: BinaryOp, a: Strided, b: Strided, out: Strided): void;
  /** out[i] = min(max(x[i], min), max); NaN stays. `out` may be `x` itself. */
  clamp(x: Strided, min: number, max: number, out: Strided): void;

  /** x [..., M, K] times w [..., K, N] into out [..., M, N]; leading dimensions already expanded to out's. */
  matmul(a: Strided, b: Strided, out: Strided): void;
  /** x [..., K] times w [N, K] transposed, plus bias [N], into out [..., N]. */
  linear(x: Strided, w: Strided, bias: Strided | undefined, out: Strided): void;
  /** x [N, C, H, W], w [O, C/groups, kh, kw], bias [O], out [N, O, Ho, Wo]. */
  conv2d(x: Strided, w: Strided, bias: Strided | undefined, out: Strided, options: ConvOptions): void;

  /** out[n, c, ...] = x[n, c, ...] * alpha[c] + beta[c]: batch norm at inference. `out` may be `x` itself. */
  affineChannels(x: Strided, alpha: Strided, beta: Strided, out: Strided): void;
  /** Over the last dimension D: (x - mean) / sqrt(var + eps) * w + b, biased variance; w and b [D] or absent. `out` may be `x` itself. */
  layerNorm(x: Strided, w: Strided | undefined, b: Strided | undefined, eps: number, out: Strided): void;
  /** exp(x - max) / sum along `axis`, same shape. `out` may be `x` itself. */
  softmax(x: Strided, axis: number, out: Strided): void;

  /** Reduces `axis`; out has x's shape without it. `argmax` writes i32. */
  reduce(op: ReduceOp, x: Strided, axis: number, out: Strided): void;
  /** The k greatest (or least) along `axis`, best first; ties by lowest index; NaN is greatest. indices is i32. */
  topk(x: Strided, k: number, axis: number, largest: boolean, values: Strided, indices: Strided): void;
  /** out[i][j][k] = x[i][index[i][j][k]][k] (for axis 1); index is i32 or i64 and has out's shape; any dtype. */
  gather(x: Strided, axis: number, index: Strided, out: Strided): void;
  /** out[..., :] = w[index[...], :]; index is i32 or i64. */
  embedding(w: Strided, index: Strided, out: Strided): void;

  /** Windows over [N, C, H, W]. */
  pool2d(x: Strided, out: Strided, options: PoolOptions): void;
  /** Averages over [floor(i*H/Ho), ceil((i+1)*H/Ho)) and likewise for columns. */
  adaptiveAvgPool2d(x: Strided, out: Strided): void;
  /** [N, C, H, W] to [N, C, Ho, Wo]. */
  interpolate(x: Strided, out: Strided, options: InterpolateOptions): void;
  /** x [N, C, H, W], grid [N, Ho, Wo, 2] holding (x, y) in [-1, 1], out [N, C, Ho, Wo]. */
  gridSample(x: Strided, grid: Strided, out: Strided, options: GridSampleOptions): void;
  /**
   * Multi-scale deformable attention (arXiv 2010.04159): value [N, S, H, D] (S tokens of all levels, row-major per
   * level), shapes (h, w) per level, locations [N, Q, H, L, P, 2] as (x, y) fractions of the map,
   * weights [N, Q, H, L, P] already softmaxed over L*P, out [N, Q, H*D].
   * Bilinear, zero padding, align_corners = false.
   */
  deformableAttention(
    value: Strided,
    shapes: readonly Pair[],
    locations: Strided,
    weights: Strided,
    out: Strided,
  ): void;
}
