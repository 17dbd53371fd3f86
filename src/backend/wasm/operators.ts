/**
 * The operators of the WASM backend over an engine: each brings its tensors into what a kernel takes and runs it. What
 * has no kernel (embedding, pooling, reductions of strided axes, bilinear resizing, border and nearest grid sampling,
 * other dtypes than f32) goes to `engine.plain`. The eager backend runs them at once; the compiler has an engine that
 * records what they would run.
 */
import type {
  Backend,
  BinaryOp,
  ConvOptions,
  GridSampleOptions,
  InterpolateOptions,
  Pair,
  PoolOptions,
  ReduceOp,
  Strided,
  UnaryOp,
} from "../backend.ts";
import { convView } from "./conv.ts";
import { copyView, fillView } from "./copy.ts";
import { binaryView, clampView, unaryView } from "./elementwise.ts";
import { type Engine, sizeOf } from "./engine.ts";
import { linearView, matmulView } from "./gemm.ts";
import { affineView, layerNormView, softmaxView } from "./norm.ts";
import { deformableView, gridSampleView, nearestView } from "./sampling.ts";
import { gatherView, reduceView, topkView } from "./select.ts";

function isF32(...tensors: (Strided | undefined)[]): boolean {
  return tensors.every((t) => t === undefined || t.dtype === "f32");
}

/** Everything of {@link Backend} but its name and its memory. */
export abstract class WasmOperators implements Omit<Backend, "name" | "allocate"> {
  /** @internal What runs the kernels. */
  abstract readonly engine: Engine;

  fill(out: Strided, value: number): void {
    const engine = this.engine;
    if (out.dtype === "f32" || out.dtype === "i32") {
      const bits =
        out.dtype === "i32" ? Math.trunc(value) | 0 : new Int32Array(new Float32Array([value]).buffer)[0];
      engine.pool.check();
      if (fillView(engine, engine.view(out), bits)) return;
    }
    this.engine.plain(out).fill(out, value);
  }

  copy(x: Strided, out: Strided): void {
    const engine = this.engine;
    if (x.dtype !== out.dtype || (x.dtype !== "f32" && x.dtype !== "i32")) {
      this.engine.plain(x, out).copy(x, out);
    } else copyView(engine, engine.view(x), engine.view(out));
  }

  unary(op: UnaryOp, x: Strided, out: Strided): void {
    const engine = this.engine;
    if (isF32(x, out) && unaryView(engine, op, engine.view(x), engine.view(out))) return;
    this.engine.plain(x, out).unary(op, x, out);
  }

  binary(op: BinaryOp, a: Strided, b: Strided, out: Strided): void {
    const engine = this.engine;
    if (!isF32(a, b, out)) this.engine.plain(a, b, out).binary(op, a, b, out);
    else binaryView(engine, op, engine.view(a), engine.view(b), engine.view(out));
  }

  clamp(x: Strided, min: number, max: number, out: Strided): void {
    const engine = this.engine;
    if (!isF32(x, out)) this.engine.plain(x, out).clamp(x, min, max, out);
    else clampView(engine, engine.view(x), min, max, engine.view(out));
  }

  matmul(a: Strided, b: Strided, out: Strided): void {
    const engine = this.engine;
    if (!isF32(a, b, out) || a.shape[a.shape.length - 1] === 0)
      this.engine.plain(a, b, out).matmul(a, b, out);
    else matmulView(engine, engine.view(a), engine.view(b), engine.view(out));
  }

  linear(x: Strided, w: Strided, bias: Strided | undefined, out: Strided): void {
    const engine = this.engine;
    if (!isF32(x, w, bias, out) || w.shape[1] === 0)
      this.engine.plain(x, w, bias, out).linear(x, w, bias, out);
    else linearView(engine, engine.view(x), engine.view(w), bias && engine.view(bias), engine.view(out));
  }

  conv2d(x: Strided, w: Strided, bias: Strided | undefined, out: Strided, options: ConvOptions): void {
    const engine = this.engine;
    if (!isF32(x, w, bias, out) || sizeOf(w.shape) === 0) {
      this.engine.plain(x, w, bias, out).conv2d(x, w, bias, out, options);
      return;
    }
    const b = bias && engine.view(bias);
    convView(engine, engine.view(x), engine.view(w), b, engine.view(out), options);
  }

  affineChannels(x: Strided, alpha: Strided, beta: Strided, out: Strided): void {
    const engine = this.engine;
    if (!isF32(x, alpha, beta, out))
      this.engine.plain(x, alpha, beta, out).affineChannels(x, alpha, beta, out);
    else affineView(engine, engine.view(x), engine.view(alpha), engine.view(beta), engine.view(out));
  }

  layerNorm(x: Strided, w: Strided | undefined, b: Strided | undefined, eps: number, out: Strided): void {
    const engine = this.engine;
    if (!isF32(x, w, b, out)) this.engine.plain(x, w, b, out).layerNorm(x, w, b, eps, out);
    else {
      const [weight, bias] = [w && engine.view(w), b && engine.view(b)];
      layerNormView(engine, engine.view(x), weight, bias, eps, engine.view(out));
    }
  }

  softmax(x: Strided, axis: number, out: Strided): void {
    const engine = this.engine;
    if (!isF32(x, out) || x.shape.length === 0) this.engine.plain(x, out).softmax(x, axis, out);
    else softmaxView(engine, engine.view(x), axis, engine.view(out));
  }

  reduce(op: ReduceOp, x: Strided, axis: number, out: Strided): void {
    const engine = this.engine;
    if (isF32(x, out) && reduceView(engine, op, engine.view(x), axis, engine.view(out))) return;
    engine.plain(x, out).reduce(op, x, axis, out);
  }

  topk(x: Strided, k: number, axis: number, largest: boolean, values: Strided, indices: Strided): void {
    const engine = this.engine;
    if (isF32(x, values) && indices.dtype === "i32") {
      const [from, best, at] = [x, values, indices].map((t) => engine.view(t));
      if (topkView(engine, from, k, axis, largest, best, at)) return;
    }
    engine.plain(x, values, indices).topk(x, k, axis, largest, values, indices);
  }

  gather(x: Strided, axis: number, index: Strided, out: Strided): void {
    const engine = this.engine;
    if (index.dtype === "i32" && (x.dtype === "f32" || x.dtype === "i32")) {
      if (gatherView(engine, engine.view(x), axis, engine.view(index), engine.view(out))) return;
    }
    engine.plain(x, index, out).gather(x, axis, index, out);
  }

  embedding(w: Strided, index: Strided, out: Strided): void {
    this.engine.plain(w, index, out).embedding(w, index, out);
  }

  pool2d(x: Strided, out: Strided, options: PoolOptions): void {
    this.engine.plain(x, out).pool2d(x, out, options);
  }

  adaptiveAvgPool2d(x: Strided, out: Strided): void {
    this.engine.plain(x, out).adaptiveAvgPool2d(x, out);
  }

  interpolate(x: Strided, out: Strided, options: InterpolateOptions): void {
    const engine = this.engine;
    if (!isF32(x, out) || options.mode !== "nearest") this.engine.plain(x, out).interpolate(x, out, options);
    else nearestView(engine, engine.view(x), engine.view(out), options);
  }

  gridSample(x: Strided, grid: Strided, out: Strided, options: GridSampleOptions): void {
    const engine = this.engine;
    if (!isF32(x, grid, out) || options.mode !== "bilinear" || options.paddingMode !== "zeros") {
      this.engine.plain(x, grid, out).gridSample(x, grid, out, options);
      return;
    }
    const view = engine.view(out);
    gridSampleView(engine, engine.view(x), engine.view(grid), view, options.alignCorners);
  }

  deformableAttention(
    value: Strided,
    shapes: readonly Pair[],
    locations: Strided,
    weights: Strided,
    out: Strided,
  ): void {
    const engine = this.engine;
    if (!isF32(value, locations, weights, out)) {
      this.engine
        .plain(value, locations, weights, out)
        .deformableAttention(value, shapes, locations, weights, out);
      return;
    }
    const [v, l, w, y] = [value, locations, weights, out].map((t) => engine.view(t));
    deformableView(engine, v, shapes, l, w, y);
  }
}
