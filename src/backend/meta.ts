/**
 * The meta backend: shapes without memory. Every operator does nothing but count multiply-adds, so that a network can
 * be walked for its shapes, its names and its cost before (or without) its weights. Parameters live here until loaded.
 */
import { fail } from "../errors.ts";
import type {
  Backend,
  BinaryOp,
  ConvOptions,
  DType,
  GridSampleOptions,
  InterpolateOptions,
  Pair,
  PoolOptions,
  ReduceOp,
  Storage,
  Strided,
  TypedArray,
  UnaryOp,
} from "./backend.ts";

/** A meta backend with its count; set it to 0 to start again. */
export interface MetaBackend extends Backend {
  readonly name: "meta";
  /** Multiply-adds of convolutions, linear layers, matrix products and sampling so far. */
  multiplyAdds: number;
  /** The same by operator name. */
  readonly byOp: Map<string, number>;
}

class MetaStorage implements Storage {
  readonly backend: Backend;
  readonly dtype: DType;
  readonly length: number;
  readonly address = 0;
  released = false;

  constructor(backend: Backend, dtype: DType, length: number) {
    this.backend = backend;
    this.dtype = dtype;
    this.length = length;
  }

  get data(): TypedArray {
    return fail(
      "state",
      "meta tensor",
      "numbers",
      `${this.length} elements of ${this.dtype} that have a shape and no numbers`,
      "load weights first",
    );
  }

  release(): void {
    this.released = true;
  }
}

const BILINEAR_TAPS = 4;

function sizeOf(x: Strided): number {
  return x.shape.reduce((a, b) => a * b, 1);
}

class Meta implements MetaBackend {
  readonly name = "meta";
  multiplyAdds = 0;
  readonly byOp = new Map<string, number>();

  private count(op: string, multiplyAdds: number): void {
    this.multiplyAdds += multiplyAdds;
    this.byOp.set(op, (this.byOp.get(op) ?? 0) + multiplyAdds);
  }

  allocate(dtype: DType, length: number): Storage {
    return new MetaStorage(this, dtype, length);
  }

  matmul(a: Strided, _b: Strided, out: Strided): void {
    this.count("matmul", sizeOf(out) * (a.shape.at(-1) ?? 1));
  }

  linear(_x: Strided, w: Strided, _bias: Strided | undefined, out: Strided): void {
    this.count("linear", sizeOf(out) * w.shape[1]);
  }

  conv2d(_x: Strided, w: Strided, _bias: Strided | undefined, out: Strided, _options: ConvOptions): void {
    this.count("conv2d", sizeOf(out) * w.shape[1] * w.shape[2] * w.shape[3]);
  }

  gridSample(_x: Strided, _grid: Strided, out: Strided, options: GridSampleOptions): void {
    if (options.mode === "bilinear") this.count("gridSample", sizeOf(out) * BILINEAR_TAPS);
  }

  /** Four taps and one weighting per query, head, level, point and channel. */
  deformableAttention(value: Strided, _shapes: readonly Pair[], _at: Strided, weights: Strided): void {
    this.count("deformableAttention", sizeOf(weights) * value.shape[3] * (BILINEAR_TAPS + 1));
  }

  fill(_out: Strided, _value: number): void {}
  copy(_x: Strided, _out: Strided): void {}
  unary(_op: UnaryOp, _x: Strided, _out: Strided): void {}
  binary(_op: BinaryOp, _a: Strided, _b: Strided, _out: Strided): void {}
  clamp(_x: Strided, _min: number, _max: number, _out: Strided): void {}
  affineChannels(_x: Strided, _alpha: Strided, _beta: Strided, _out: Strided): void {}
  layerNorm(
    _x: Strided,
    _w: Strided | undefined,
    _b: Strided | undefined,
    _eps: number,
    _out: Strided,
  ): void {}
  softmax(_x: Strided, _axis: number, _out: Strided): void {}
  reduce(_op: ReduceOp, _x: Strided, _axis: number, _out: Strided): void {}
  topk(_x: Strided, _k: number, _axis: number, _largest: boolean, _v: Strided, _i: Strided): void {}
  gather(_x: Strided, _axis: number, _index: Strided, _out: Strided): void {}
  embedding(_w: Strided, _index: Strided, _out: Strided): void {}
  pool2d(_x: Strided, _out: Strided, _options: PoolOptions): void {}
  adaptiveAvgPool2d(_x: Strided, _out: Strided): void {}
  interpolate(_x: Strided, _out: Strided, _options: InterpolateOptions): void {}
}

/** A meta backend of its own, its count at 0. */
export function createMetaBackend(): MetaBackend {
  return new Meta();
}

/** The shared one, on which parameters wait for their weights. Its count means nothing: it is nobody's. */
export const metaBackend: MetaBackend = createMetaBackend();
