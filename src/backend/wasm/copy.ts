/** Copies and fills between layouts. */
import { type Engine, sizeOf, type Take, type View } from "./engine.ts";
import { loopsOver, padFront } from "./loops.ts";

const FLAT_ROW = 4096; // elements per row of a dense copy, so that it can be split
const NS_PER_ELEMENT = 0.5;

/** y = x, same shape, any strides, 4-byte elements. y does not overlap x. */
export function copyView(engine: Engine, x: View, y: View): void {
  if (sizeOf(x.shape) === 0) return;
  const { sizes, strides } = loopsOver(x.shape, [x.strides, y.strides], true);
  copyLoops(engine, x.address, y.address, sizes, strides[0], strides[1]);
}

function copyLoops(
  engine: Engine,
  x: number,
  y: number,
  sizes: readonly number[],
  xs: readonly number[],
  ys: readonly number[],
): void {
  if (sizes.length > 6) {
    for (let i = 0; i < sizes[0]; i++) {
      copyLoops(engine, x + i * xs[0] * 4, y + i * ys[0] * 4, sizes.slice(1), xs.slice(1), ys.slice(1));
    }
    return;
  }
  if (sizes.length === 1 && xs[0] === 1 && ys[0] === 1 && sizes[0] > FLAT_ROW) {
    const rows = Math.floor(sizes[0] / FLAT_ROW);
    const rest = sizes[0] - rows * FLAT_ROW;
    copyLoops(engine, x, y, [rows, FLAT_ROW], [FLAT_ROW, 1], [FLAT_ROW, 1]);
    const done = rows * FLAT_ROW * 4;
    if (rest > 0) copyLoops(engine, x + done, y + done, [rest], [1], [1]);
    return;
  }
  // The kernel's last two dimensions: y's innermost, and before it the one along which x is contiguous, if another is.
  const last = sizes.length - 1;
  const contiguous = xs.indexOf(1);
  const order = sizes.map((_, i) => i);
  if (contiguous >= 0 && contiguous < last && xs[last] !== 1 && ys[last] === 1) {
    order.splice(contiguous, 1);
    order.splice(last - 1, 0, contiguous);
  }
  const pick = (list: readonly number[], fill: number): number[] =>
    padFront(
      order.map((i) => list[i]),
      6,
      fill,
    );
  const [n0, n1, n2, n3, n, m] = pick(sizes, 1);
  const [x0, x1, x2, x3, xn, xm] = pick(xs, sizes.length === 0 ? 1 : 0).map((s) => s * 4);
  const [y0, y1, y2, y3, yn, ym] = pick(ys, sizes.length === 0 ? 1 : 0).map((s) => s * 4);
  const block = Math.max(4, Math.ceil(2048 / m / 4) * 4);
  const units = n0 * n1 * n2 * n3 * Math.ceil(n / block);
  engine.run(
    "copyRows",
    [x, y, n1, n2, n3, n, m, x0, x1, x2, x3, xn, xm, y0, y1, y2, y3, yn, ym, block],
    units,
    Math.min(block, n) * m * NS_PER_ELEMENT,
  );
}

/** x itself where `accepted`, else a row-major copy in scratch memory. */
export function rowMajorUnless(engine: Engine, take: Take, x: View, accepted: boolean): View {
  if (accepted) return x;
  const copy = engine.temporary(take, x.shape);
  copyView(engine, x, copy);
  return copy;
}

/** y = the given bits in every element; true where y is dense (else nothing is done). */
export function fillView(engine: Engine, y: View, bits: number): boolean {
  const size = sizeOf(y.shape);
  const { sizes, strides } = loopsOver(y.shape, [y.strides], true);
  if (size > 0 && (sizes.length > 1 || (sizes.length === 1 && strides[0][0] !== 1))) return false;
  engine.run("fillWords", [y.address, bits], size, 0.2);
  return true;
}
