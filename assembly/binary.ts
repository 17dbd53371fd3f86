/**
 * Element-wise functions of two arguments: y[i0, i1, i2, i] = f(a[same], b[same]), strides in bytes; along i y is
 * contiguous and a and b are contiguous (4) or constant (0). y may be a or b. Unit: `block` values of i of one
 * (i0, i1, i2), ceil(n/block) each. Minimum and maximum propagate NaN.
 */
class Add {}
class Sub {}
class Mul {}
class Div {}
class Minimum {}
class Maximum {}

function apply<T>(a: v128, b: v128): v128 {
  if (idof<T>() == idof<Add>()) return f32x4.add(a, b);
  if (idof<T>() == idof<Sub>()) return f32x4.sub(a, b);
  if (idof<T>() == idof<Mul>()) return f32x4.mul(a, b);
  if (idof<T>() == idof<Div>()) return f32x4.div(a, b);
  if (idof<T>() == idof<Minimum>()) return f32x4.min(a, b);
  return f32x4.max(a, b);
}

function row<T>(a: usize, b: usize, y: usize, n: i32, aStep: usize, bStep: usize): void {
  if (aStep == 4 && bStep == 4) {
    for (; n >= 4; n -= 4) {
      v128.store(y, apply<T>(v128.load(a), v128.load(b)));
      a += 16;
      b += 16;
      y += 16;
    }
  } else if (aStep == 4) {
    const v = v128.load32_splat(b);
    for (; n >= 4; n -= 4) {
      v128.store(y, apply<T>(v128.load(a), v));
      a += 16;
      y += 16;
    }
  } else if (bStep == 4) {
    const v = v128.load32_splat(a);
    for (; n >= 4; n -= 4) {
      v128.store(y, apply<T>(v, v128.load(b)));
      b += 16;
      y += 16;
    }
  }
  for (; n > 0; n--) {
    v128.store_lane<f32>(y, apply<T>(v128.load32_splat(a), v128.load32_splat(b)), 0);
    a += aStep;
    b += bStep;
    y += 4;
  }
}

function rows<T>(
  a: usize,
  b: usize,
  y: usize,
  n1: i32,
  n2: i32,
  n: i32,
  a0: usize,
  a1: usize,
  a2: usize,
  aStep: usize,
  b0: usize,
  b1: usize,
  b2: usize,
  bStep: usize,
  y0: usize,
  y1: usize,
  y2: usize,
  block: i32,
  begin: i32,
  end: i32,
): void {
  const blocks = (n + block - 1) / block;
  for (let unit = begin; unit < end; unit++) {
    let outer = unit / blocks;
    const first = (unit - outer * blocks) * block;
    const i2 = (outer % n2) as usize;
    outer /= n2;
    const i1 = (outer % n1) as usize;
    const i0 = (outer / n1) as usize;
    row<T>(
      a + i0 * a0 + i1 * a1 + i2 * a2 + (first as usize) * aStep,
      b + i0 * b0 + i1 * b1 + i2 * b2 + (first as usize) * bStep,
      y + i0 * y0 + i1 * y1 + i2 * y2 + ((first as usize) << 2),
      min(block, n - first),
      aStep,
      bStep,
    );
  }
}

/** a + b. */
export function binaryAdd(
  a: usize,
  b: usize,
  y: usize,
  n1: i32,
  n2: i32,
  n: i32,
  a0: usize,
  a1: usize,
  a2: usize,
  aStep: usize,
  b0: usize,
  b1: usize,
  b2: usize,
  bStep: usize,
  y0: usize,
  y1: usize,
  y2: usize,
  block: i32,
  begin: i32,
  end: i32,
): void {
  rows<Add>(a, b, y, n1, n2, n, a0, a1, a2, aStep, b0, b1, b2, bStep, y0, y1, y2, block, begin, end);
}

/** a - b. */
export function binarySub(
  a: usize,
  b: usize,
  y: usize,
  n1: i32,
  n2: i32,
  n: i32,
  a0: usize,
  a1: usize,
  a2: usize,
  aStep: usize,
  b0: usize,
  b1: usize,
  b2: usize,
  bStep: usize,
  y0: usize,
  y1: usize,
  y2: usize,
  block: i32,
  begin: i32,
  end: i32,
): void {
  rows<Sub>(a, b, y, n1, n2, n, a0, a1, a2, aStep, b0, b1, b2, bStep, y0, y1, y2, block, begin, end);
}

/** a * b. */
export function binaryMul(
  a: usize,
  b: usize,
  y: usize,
  n1: i32,
  n2: i32,
  n: i32,
  a0: usize,
  a1: usize,
  a2: usize,
  aStep: usize,
  b0: usize,
  b1: usize,
  b2: usize,
  bStep: usize,
  y0: usize,
  y1: usize,
  y2: usize,
  block: i32,
  begin: i32,
  end: i32,
): void {
  rows<Mul>(a, b, y, n1, n2, n, a0, a1, a2, aStep, b0, b1, b2, bStep, y0, y1, y2, block, begin, end);
}

/** a / b. */
export function binaryDiv(
  a: usize,
  b: usize,
  y: usize,
  n1: i32,
  n2: i32,
  n: i32,
  a0: usize,
  a1: usize,
  a2: usize,
  aStep: usize,
  b0: usize,
  b1: usize,
  b2: usize,
  bStep: usize,
  y0: usize,
  y1: usize,
  y2: usize,
  block: i32,
  begin: i32,
  end: i32,
): void {
  rows<Div>(a, b, y, n1, n2, n, a0, a1, a2, aStep, b0, b1, b2, bStep, y0, y1, y2, block, begin, end);
}

/** The lesser; NaN if either is. */
export function binaryMinimum(
  a: usize,
  b: usize,
  y: usize,
  n1: i32,
  n2: i32,
  n: i32,
  a0: usize,
  a1: usize,
  a2: usize,
  aStep: usize,
  b0: usize,
  b1: usize,
  b2: usize,
  bStep: usize,
  y0: usize,
  y1: usize,
  y2: usize,
  block: i32,
  begin: i32,
  end: i32,
): void {
  rows<Minimum>(a, b, y, n1, n2, n, a0, a1, a2, aStep, b0, b1, b2, bStep, y0, y1, y2, block, begin, end);
}

/** The greater; NaN if either is. */
export function binaryMaximum(
  a: usize,
  b: usize,
  y: usize,
  n1: i32,
  n2: i32,
  n: i32,
  a0: usize,
  a1: usize,
  a2: usize,
  aStep: usize,
  b0: usize,
  b1: usize,
  b2: usize,
  bStep: usize,
  y0: usize,
  y1: usize,
  y2: usize,
  block: i32,
  begin: i32,
  end: i32,
): void {
  rows<Maximum>(a, b, y, n1, n2, n, a0, a1, a2, aStep, b0, b1, b2, bStep, y0, y1, y2, block, begin, end);
}
