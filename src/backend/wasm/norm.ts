/** Batch norm at inference, layer norm and softmax: layouts brought to rows, by copies where they are not. */
import { copyView, rowMajorUnless } from "./copy.ts";
import { type Engine, permute, sizeOf, type View } from "./engine.ts";
import { asRows, loopsOver } from "./loops.ts";

/** y = x * alpha[c] + beta[c], c along axis 1; y may be x. */
export function affineView(engine: Engine, x: View, alpha: View, beta: View, y: View): void {
  const size = sizeOf(x.shape);
  if (size === 0) return;
  engine.scratch((take) => {
    const a = rowMajorUnless(engine, take, alpha, alpha.strides[0] === 1);
    const b = rowMajorUnless(engine, take, beta, beta.strides[0] === 1);
    const run = (from: View, to: View): boolean => {
      const channels = from.shape[1];
      const others = (list: readonly number[]): number[] => [list[0], ...list.slice(2)];
      const pixels = asRows(loopsOver(others(from.shape), [others(from.strides), others(to.strides)], true));
      if (pixels && (channels === 1 || (from.strides[1] === 1 && to.strides[1] === 1))) {
        const [xs, ys] = pixels.strides.map((s) => s * 4);
        engine.run(
          "affinePixels",
          [from.address, a.address, b.address, to.address, channels, xs, ys],
          pixels.rows,
          channels * 0.3 + 3,
        );
        return true;
      }
      const whole = loopsOver(from.shape, [from.strides, to.strides], false);
      if (whole.sizes.length === 1 && whole.strides.every((s) => s[0] === 1)) {
        const plane = size / (from.shape[0] * channels);
        engine.run(
          "affinePlanes",
          [from.address, a.address, b.address, to.address, channels, plane],
          from.shape[0] * channels,
          plane * 0.3 + 5,
        );
        return true;
      }
      return false;
    };
    if (run(x, y)) return;
    const copy = engine.temporary(take, x.shape);
    copyView(engine, x, copy);
    run(copy, copy);
    copyView(engine, copy, y);
  });
}

/** Runs `body` on rows of contiguous last axes of x and y (row strides in bytes), through copies where they are not. */
function overRows(
  engine: Engine,
  x: View,
  y: View,
  body: (x: number, y: number, rows: number, xRowBytes: number, yRowBytes: number) => void,
): void {
  if (sizeOf(x.shape) === 0) return;
  const d = x.shape.length - 1;
  const unit = (v: View): boolean => v.strides[d] === 1 || v.shape[d] === 1;
  const lead = (v: View): number[] => v.strides.slice(0, d);
  const rows =
    unit(x) && unit(y) ? asRows(loopsOver(x.shape.slice(0, d), [lead(x), lead(y)], false)) : undefined;
  if (rows) {
    const [xs, ys] = rows.strides.map((s) => s * 4);
    body(x.address, y.address, rows.rows, xs, ys);
    return;
  }
  engine.scratch((take) => {
    const copy = engine.temporary(take, x.shape);
    copyView(engine, x, copy);
    const size = x.shape[d];
    body(copy.address, copy.address, sizeOf(x.shape) / size, size * 4, size * 4);
    copyView(engine, copy, y);
  });
}

/** Layer norm over the last axis. */
export function layerNormView(
  engine: Engine,
  x: View,
  w: View | undefined,
  b: View | undefined,
  eps: number,
  y: View,
): void {
  engine.scratch((take) => {
    const vector = (v: View | undefined): number =>
      v ? rowMajorUnless(engine, take, v, v.strides[0] === 1 || v.shape[0] === 1).address : 0;
    const [wp, bp] = [vector(w), vector(b)];
    const size = x.shape[x.shape.length - 1];
    overRows(engine, x, y, (from, to, rows, xs, ys) => {
      engine.run("layerNormRows", [from, wp, bp, to, size, eps, xs, ys], rows, size * 0.8 + 20);
    });
  });
}

/** Softmax along `axis` (not negative). */
export function softmaxView(engine: Engine, x: View, axis: number, y: View): void {
  const order = x.shape.map((_, i) => i).filter((i) => i !== axis);
  order.push(axis);
  const size = x.shape[axis];
  overRows(engine, permute(x, order), permute(y, order), (from, to, rows, xs, ys) => {
    engine.run("softmaxRows", [from, to, size, xs, ys], rows, size * 1.2 + 20);
  });
}
