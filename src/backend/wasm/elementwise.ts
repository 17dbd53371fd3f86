/** Element-wise operators: unary functions and clamp over flat runs, binary functions over broadcast rows. */
import type { BinaryOp, UnaryOp } from "../backend.ts";
import { copyView } from "./copy.ts";
import { type Engine, sizeOf, type View } from "./engine.ts";
import type { KernelName } from "./instantiate.ts";
import { loopsOver, padFront } from "./loops.ts";

type FlatKernel = Extract<KernelName, `${string}Flat`>;

/** Kernels of unary functions and about how long an element takes; log, sin and cos have none. */
const UNARY: Readonly<Partial<Record<UnaryOp, [Exclude<FlatKernel, "clampFlat">, number]>>> = {
  relu: ["reluFlat", 0.2],
  relu6: ["relu6Flat", 0.2],
  neg: ["negFlat", 0.2],
  sqrt: ["sqrtFlat", 0.5],
  exp: ["expFlat", 1],
  sigmoid: ["sigmoidFlat", 1],
  silu: ["siluFlat", 1],
  gelu: ["geluFlat", 1.2],
  gelu_tanh: ["geluTanhFlat", 1.2],
};

const BINARY = {
  add: "binaryAdd",
  sub: "binarySub",
  mul: "binaryMul",
  div: "binaryDiv",
  minimum: "binaryMinimum",
  maximum: "binaryMaximum",
} as const;

const BINARY_BLOCK = 4096; // elements of one unit of work
const BINARY_NS = 0.3;

/** y = f(x); y may be x. False where there is no kernel. */
export function unaryView(engine: Engine, op: UnaryOp, x: View, y: View): boolean {
  const kernel = UNARY[op];
  if (!kernel) return false;
  flat(engine, x, y, (from, to, n) => engine.run(kernel[0], [from, to], n, kernel[1]));
  return true;
}

/** y = min(max(x, low), high); y may be x. */
export function clampView(engine: Engine, x: View, low: number, high: number, y: View): void {
  flat(engine, x, y, (from, to, n) => engine.run("clampFlat", [from, to, low, high], n, 0.2));
}

/** Brings x and y into one dense run each, by copies where they are not. */
function flat(engine: Engine, x: View, y: View, body: (from: number, to: number, n: number) => void): void {
  const size = sizeOf(x.shape);
  if (size === 0) return;
  const isRun = (...views: View[]): boolean => {
    const { sizes, strides } = loopsOver(
      x.shape,
      views.map((v) => v.strides),
      true,
    );
    return sizes.length === 0 || (sizes.length === 1 && strides.every((s) => s[0] === 1));
  };
  if (isRun(x, y)) body(x.address, y.address, size);
  else if (isRun(y)) {
    copyView(engine, x, y);
    body(y.address, y.address, size);
  } else {
    engine.scratch((take) => {
      const run = engine.temporary(take, x.shape);
      copyView(engine, x, run);
      body(run.address, run.address, size);
      copyView(engine, run, y);
    });
  }
}

/** y = f(a, b), all of one shape (stride 0 where broadcast); y may be a or b. */
export function binaryView(engine: Engine, op: BinaryOp, a: View, b: View, y: View): void {
  if (sizeOf(y.shape) === 0) return;
  const { sizes, strides } = loopsOver(y.shape, [a.strides, b.strides, y.strides], true);
  const [as, bs, ys] = strides;
  const last = sizes.length - 1;
  const fits = (step: number): boolean => step === 1 || step === 0;
  if (last >= 0 && (ys[last] !== 1 || !fits(as[last]) || !fits(bs[last]))) {
    engine.scratch((take) => {
      // Operands in y's order of axes, densely; then everything has a unit stride along the innermost axis.
      const dense = (): View => {
        const order = y.shape.map((_, i) => i).sort((i, j) => y.strides[j] - y.strides[i] || i - j);
        const shape = order.map((i) => y.shape[i]);
        const made = engine.temporary(take, shape);
        const steps = new Array<number>(order.length);
        order.forEach((axis, i) => {
          steps[axis] = made.strides[i];
        });
        return { address: made.address, shape: y.shape, strides: steps };
      };
      const readable = (v: View, step: number): View => {
        if (fits(step)) return v;
        const copy = dense();
        copyView(engine, v, copy);
        return copy;
      };
      const result = ys[last] === 1 ? y : dense();
      binaryView(engine, op, readable(a, as[last]), readable(b, bs[last]), result);
      if (result !== y) copyView(engine, result, y);
    });
    return;
  }
  binaryLoops(engine, op, a.address, b.address, y.address, sizes, as, bs, ys);
}

function binaryLoops(
  engine: Engine,
  op: BinaryOp,
  a: number,
  b: number,
  y: number,
  sizes: readonly number[],
  as: readonly number[],
  bs: readonly number[],
  ys: readonly number[],
): void {
  if (sizes.length > 4) {
    for (let i = 0; i < sizes[0]; i++) {
      const [ai, bi, yi] = [a + i * as[0] * 4, b + i * bs[0] * 4, y + i * ys[0] * 4];
      binaryLoops(engine, op, ai, bi, yi, sizes.slice(1), as.slice(1), bs.slice(1), ys.slice(1));
    }
    return;
  }
  const [n0, n1, n2, n] = padFront(sizes, 4, 1);
  const [a0, a1, a2, aStep] = padFront(as, 4, 0).map((s) => s * 4);
  const [b0, b1, b2, bStep] = padFront(bs, 4, 0).map((s) => s * 4);
  const [y0, y1, y2] = padFront(ys, 4, 0).map((s) => s * 4);
  const block = Math.min(BINARY_BLOCK, n);
  engine.run(
    BINARY[op],
    [a, b, y, n1, n2, n, a0, a1, a2, aStep, b0, b1, b2, bStep, y0, y1, y2, block],
    n0 * n1 * n2 * Math.ceil(n / block),
    block * BINARY_NS + 5,
  );
}
