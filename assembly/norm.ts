/** Batch norm at inference, layer norm and softmax: one pass per row or pixel, sums in a fixed order. */
import { expFast } from "./exp";

/** Lanes added as (0 + 2) + (1 + 3). */
function sumLanes(v: v128): f32 {
  const two = f32x4.add(v, v128.shuffle<f32>(v, v, 2, 3, 2, 3));
  return f32x4.extract_lane(two, 0) + f32x4.extract_lane(two, 1);
}

/**
 * y[p, c] = x[p, c] * alpha[c] + beta[c], channels contiguous; alpha and beta contiguous. y may be x.
 * Unit: one pixel; pixels are xPixelBytes and yPixelBytes apart.
 */
export function affinePixels(
  x: usize,
  alpha: usize,
  beta: usize,
  y: usize,
  channels: i32,
  xPixelBytes: usize,
  yPixelBytes: usize,
  begin: i32,
  end: i32,
): void {
  for (let pixel = begin; pixel < end; pixel++) {
    let s = x + (pixel as usize) * xPixelBytes;
    let d = y + (pixel as usize) * yPixelBytes;
    let a = alpha;
    let b = beta;
    let c = channels;
    for (; c >= 4; c -= 4) {
      v128.store(d, f32x4.add(f32x4.mul(v128.load(s), v128.load(a)), v128.load(b)));
      s += 16;
      d += 16;
      a += 16;
      b += 16;
    }
    for (; c > 0; c--) {
      store<f32>(d, load<f32>(s) * load<f32>(a) + load<f32>(b));
      s += 4;
      d += 4;
      a += 4;
      b += 4;
    }
  }
}

/**
 * y[n, c, i] = x[n, c, i] * alpha[c] + beta[c] for planes of `size` contiguous elements, one behind the other; alpha and
 * beta contiguous. y may be x. Unit: one plane.
 */
export function affinePlanes(
  x: usize,
  alpha: usize,
  beta: usize,
  y: usize,
  channels: i32,
  size: i32,
  begin: i32,
  end: i32,
): void {
  for (let plane = begin; plane < end; plane++) {
    const c = ((plane % channels) as usize) << 2;
    const a = v128.load32_splat(alpha + c);
    const b = v128.load32_splat(beta + c);
    const at = ((plane as usize) * (size as usize)) << 2;
    let s = x + at;
    let d = y + at;
    let n = size;
    for (; n >= 4; n -= 4) {
      v128.store(d, f32x4.add(f32x4.mul(v128.load(s), a), b));
      s += 16;
      d += 16;
    }
    for (; n > 0; n--) {
      v128.store_lane<f32>(d, f32x4.add(f32x4.mul(v128.load32_splat(s), a), b), 0);
      s += 4;
      d += 4;
    }
  }
}

/**
 * y[r] = (x[r] - mean) / sqrt(var + eps) * w + b over rows of `size` contiguous elements, biased variance; w and b
 * contiguous or 0 for none. y may be x. Two passes, eight partial sums each. Unit: one row.
 */
export function layerNormRows(
  x: usize,
  w: usize,
  b: usize,
  y: usize,
  size: i32,
  eps: f32,
  xRowBytes: usize,
  yRowBytes: usize,
  begin: i32,
  end: i32,
): void {
  const zero = f32x4.splat(0);
  for (let r = begin; r < end; r++) {
    const from = x + (r as usize) * xRowBytes;
    let s = from;
    let n = size;
    let u = zero;
    let v = zero;
    for (; n >= 8; n -= 8) {
      u = f32x4.add(u, v128.load(s));
      v = f32x4.add(v, v128.load(s, 16));
      s += 32;
    }
    let sum = sumLanes(f32x4.add(u, v));
    for (; n > 0; n--) {
      sum += load<f32>(s);
      s += 4;
    }
    const mean = sum / (size as f32);
    const means = f32x4.splat(mean);
    s = from;
    n = size;
    u = zero;
    v = zero;
    for (; n >= 8; n -= 8) {
      const p = f32x4.sub(v128.load(s), means);
      const q = f32x4.sub(v128.load(s, 16), means);
      u = f32x4.add(u, f32x4.mul(p, p));
      v = f32x4.add(v, f32x4.mul(q, q));
      s += 32;
    }
    let squares = sumLanes(f32x4.add(u, v));
    for (; n > 0; n--) {
      const p = load<f32>(s) - mean;
      squares += p * p;
      s += 4;
    }
    const factor: f32 = (1 as f32) / sqrt<f32>(squares / (size as f32) + eps);
    const factors = f32x4.splat(factor);
    s = from;
    n = size;
    let d = y + (r as usize) * yRowBytes;
    let wp = w;
    let bp = b;
    for (; n >= 4; n -= 4) {
      let t = f32x4.mul(f32x4.sub(v128.load(s), means), factors);
      if (w != 0) t = f32x4.mul(t, v128.load(wp));
      if (b != 0) t = f32x4.add(t, v128.load(bp));
      v128.store(d, t);
      s += 16;
      d += 16;
      wp += 16;
      bp += 16;
    }
    for (; n > 0; n--) {
      let t: f32 = (load<f32>(s) - mean) * factor;
      if (w != 0) t *= load<f32>(wp);
      if (b != 0) t += load<f32>(bp);
      store<f32>(d, t);
      s += 4;
      d += 4;
      wp += 4;
      bp += 4;
    }
  }
}

/**
 * y[r] = exp(x[r] - max) / sum over rows of `size` contiguous elements. y may be x. A row with a NaN or +inf, or of
 * -inf alone, becomes NaN, as in PyTorch. Unit: one row.
 */
export function softmaxRows(
  x: usize,
  y: usize,
  size: i32,
  xRowBytes: usize,
  yRowBytes: usize,
  begin: i32,
  end: i32,
): void {
  for (let r = begin; r < end; r++) {
    const from = x + (r as usize) * xRowBytes;
    const to = y + (r as usize) * yRowBytes;
    let s = from;
    let n = size;
    let greatest: f32 = -Infinity;
    if (n >= 4) {
      let m = v128.load(s);
      for (; n >= 4; n -= 4) {
        m = f32x4.pmax(m, v128.load(s));
        s += 16;
      }
      m = f32x4.pmax(m, v128.shuffle<f32>(m, m, 2, 3, 2, 3));
      m = f32x4.pmax(m, v128.shuffle<f32>(m, m, 1, 1, 1, 1));
      greatest = f32x4.extract_lane(m, 0);
    }
    for (; n > 0; n--) {
      const v = load<f32>(s);
      greatest = v > greatest ? v : greatest;
      s += 4;
    }
    const m = f32x4.splat(greatest);
    s = from;
    n = size;
    let d = to;
    let sums = f32x4.splat(0);
    // Four chains side by side; added one by one, so that it makes no difference but in time.
    for (; n >= 16; n -= 16) {
      const e0 = expFast(f32x4.sub(v128.load(s), m));
      const e1 = expFast(f32x4.sub(v128.load(s, 16), m));
      const e2 = expFast(f32x4.sub(v128.load(s, 32), m));
      const e3 = expFast(f32x4.sub(v128.load(s, 48), m));
      sums = f32x4.add(f32x4.add(f32x4.add(f32x4.add(sums, e0), e1), e2), e3);
      v128.store(d, e0);
      v128.store(d, e1, 16);
      v128.store(d, e2, 32);
      v128.store(d, e3, 48);
      s += 64;
      d += 64;
    }
    for (; n >= 4; n -= 4) {
      const e = expFast(f32x4.sub(v128.load(s), m));
      sums = f32x4.add(sums, e);
      v128.store(d, e);
      s += 16;
      d += 16;
    }
    let sum = sumLanes(sums);
    for (; n > 0; n--) {
      const e = f32x4.extract_lane(expFast(f32x4.sub(v128.load32_splat(s), m)), 0);
      sum += e;
      store<f32>(d, e);
      s += 4;
      d += 4;
    }
    const total = f32x4.splat(sum);
    d = to;
    n = size;
    for (; n >= 4; n -= 4) {
      v128.store(d, f32x4.div(v128.load(d), total));
      d += 16;
    }
    for (; n > 0; n--) {
      store<f32>(d, load<f32>(d) / sum);
      d += 4;
    }
  }
}
