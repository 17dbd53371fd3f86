/**
 * Elementary functions in double precision that give the same bits in every engine. `Math.exp`, `Math.sin` and their like
 * may differ in the last bit from engine to engine (ECMA-262 leaves them "implementation-approximated"; V8 has fdlibm's,
 * JavaScriptCore the system's); these are made of +, -, *, / and square roots alone, which IEEE 754 fixes, in one order.
 * Errors are about one unit in the last place, so that rounding to f32 gives the nearest one but for a case in 10^8.
 * Series are Taylor's, as long as they need to be; arguments are brought near zero as in every such library (W. J. Cody and
 * W. Waite, "Software Manual for the Elementary Functions", 1980).
 */

const words = new Int32Array(2);
const double = new Float64Array(words.buffer);
double[0] = 1;
const HIGH = words[1] === 0 ? 0 : 1; // of the two words of a double, the one with the exponent

/** ln 2 in two parts; the first has 21 zero bits at its end, so that it times an exponent is exact. */
const LN2_HIGH = 0.6931471803691238;
const LN2_LOW = 1.9082149292705877e-10;
/** pi / 2 in three parts, of which the first two have 33 bits: they times a count below 2^20 are exact. */
const HALF_PI_1 = 1.5707963267341256;
const HALF_PI_2 = 6.077100506303966e-11;
const HALF_PI_3 = 2.0222662487959506e-21;
const TWO_OVER_PI = 0.6366197723675814;
const CODY_WAITE_BELOW = 1_000_000; // above it arguments are reduced by whole numbers of any length

/** 1/2!, 1/3!, ... of the exponential; of sine and cosine every other one, with signs. */
const EXP_TERMS = terms(2, 15, 1, 1);
const SIN_TERMS = terms(3, 19, 2, -1);
const COS_TERMS = terms(4, 20, 2, -1);
/** 2/3, 2/5, ... of the logarithm. */
const LOG_TERMS = Array.from({ length: 11 }, (_, n) => 2 / (2 * n + 3));

/** 1/n! for n from `first` to `last`, highest first; the sign changes from term to term if `sign` is -1. */
function terms(first: number, last: number, step: number, sign: 1 | -1): number[] {
  const list: number[] = [];
  for (let n = first, s = first === 4 ? 1 : sign; n <= last; n += step, s *= sign) {
    let factorial = 1; // exact up to 18!, rounded once or twice beyond: far below what counts
    for (let k = 2; k <= n; k++) factorial *= k;
    list.unshift(s / factorial);
  }
  return list;
}

/** The sum of list[i] * x^(length - 1 - i). */
function horner(list: readonly number[], x: number): number {
  let sum = 0;
  for (let i = 0; i < list.length; i++) sum = sum * x + list[i];
  return sum;
}

/** x * 2^k, for a k between -2044 and 2046, of which the result may be subnormal or infinite. */
function scale(x: number, k: number): number {
  const power = (n: number): number => {
    words[HIGH] = (n + 1023) << 20;
    words[1 - HIGH] = 0;
    return double[0];
  };
  if (k > 1023) return x * power(1023) * power(k - 1023);
  if (k < -1022) return x * power(k + 1022) * power(-1022);
  return x * power(k);
}

/** e^x. */
export function exp(x: number): number {
  if (!(x > -746)) return Number.isNaN(x) ? x : 0; // NaN, or below half of the least number
  if (x > 710) return Number.POSITIVE_INFINITY;
  const k = Math.floor(x * Math.LOG2E + 0.5);
  const high = x - k * LN2_HIGH;
  const low = k * LN2_LOW;
  const r = high - low;
  const lost = high - r - low;
  return scale(1 + (r + (lost + r * r * horner(EXP_TERMS, r))), k);
}

/** The natural logarithm of x. */
export function log(x: number): number {
  if (!(x > 0)) return x === 0 ? Number.NEGATIVE_INFINITY : Number.NaN;
  if (x === Number.POSITIVE_INFINITY) return x;
  let k = 0;
  let value = x;
  if (value < 2.2250738585072014e-308) {
    value *= 18014398509481984; // 2^54: no longer subnormal
    k = -54;
  }
  double[0] = value;
  k += (words[HIGH] >>> 20) - 1023;
  words[HIGH] = (words[HIGH] & 0xfffff) | 0x3ff00000;
  let m = double[0]; // in [1, 2)
  if (m > Math.SQRT2) {
    m /= 2;
    k++;
  }
  const f = m - 1;
  if (f === 0) return k * LN2_HIGH + k * LN2_LOW;
  // log(1 + f) = f - f^2/2 + s (f^2/2 + R), with s = f / (2 + f) and R the series of log((1 + s) / (1 - s)) from s^2 on
  const s = f / (2 + f);
  const z = s * s;
  let series = 0;
  for (let i = LOG_TERMS.length - 1; i >= 0; i--) series = series * z + LOG_TERMS[i];
  const half = (f * f) / 2;
  return k * LN2_HIGH - (half - (s * (half + series * z) + k * LN2_LOW) - f);
}

/** base^exponent for base > 0: to about 2^-44 where the result is large or small, fine for what is rounded to f32. */
export function pow(base: number, exponent: number): number {
  return exp(exponent * log(base));
}

/** The hyperbolic tangent of x. */
export function tanh(x: number): number {
  const a = x < 0 ? -x : x;
  if (!(a > 0)) return x; // 0, -0 and NaN
  let t: number;
  if (a > 22) t = 1;
  else {
    const twice = 2 * a;
    // e^2a - 1, without losing its digits where it is small
    const grown = twice < 0.34 ? twice + twice * twice * horner(EXP_TERMS, twice) : exp(twice) - 1;
    t = grown / (grown + 2);
  }
  return x < 0 ? -t : t;
}

/** The sine of x, in radians. */
export function sin(x: number): number {
  if (x === 0) return x; // -0, too
  return quarter(x, 0);
}

/** The cosine of x, in radians. */
export function cos(x: number): number {
  return quarter(x, 1);
}

/** sin(x + turn * pi / 2). */
function quarter(x: number, turn: number): number {
  if (!Number.isFinite(x)) return Number.NaN;
  const [count, r, rest] = Math.abs(x) < CODY_WAITE_BELOW ? reduce(x) : reduceLarge(x);
  const square = r * r;
  const odd = ((count + turn) & 1) === 0;
  const value = odd
    ? r + (r * square * horner(SIN_TERMS, square) + rest * (1 - square / 2))
    : 1 - square / 2 + (square * square * horner(COS_TERMS, square) - r * rest);
  return ((count + turn) & 2) === 0 ? value : -value;
}

/** x = count * pi/2 + r + rest; |r| at most about pi/4. */
function reduce(x: number): [count: number, r: number, rest: number] {
  const count = Math.floor(x * TWO_OVER_PI + 0.5);
  const first = x - count * HALF_PI_1;
  const second = count * HALF_PI_2;
  const near = first - second;
  const lostThere = first - near - second;
  const third = count * HALF_PI_3 - lostThere;
  const r = near - third;
  return [count, r, near - r - third];
}

const FRACTION_BITS = 1200; // of pi / 2: more than any double's exponent and digits

let halfPi: bigint | undefined; // times 2^FRACTION_BITS

/** pi = 16 atan(1/5) - 4 atan(1/239), by Machin. */
function halfPiBits(): bigint {
  const bits = BigInt(FRACTION_BITS + 64);
  const atan = (n: bigint): bigint => {
    let power = (1n << bits) / n;
    let sum = power;
    for (let k = 3n, sign = -1n; power !== 0n; k += 2n, sign = -sign) {
      power /= n * n;
      sum += (sign * power) / k;
    }
    return sum;
  };
  return (8n * atan(5n) - 2n * atan(239n)) >> 64n;
}

/** {@link reduce} for large |x|, exactly. */
function reduceLarge(x: number): [count: number, r: number, rest: number] {
  halfPi ??= halfPiBits();
  const whole = BigInt(Math.floor(Math.abs(x))); // |x| is above 2^19; its fraction, if any, comes apart
  const fraction = Math.abs(x) - Number(whole);
  const scaled =
    (whole << BigInt(FRACTION_BITS)) + (BigInt(fraction * 2 ** 52) << BigInt(FRACTION_BITS - 52));
  let count = scaled / halfPi;
  let left = scaled - count * halfPi;
  if (2n * left > halfPi) {
    count += 1n;
    left -= halfPi;
  }
  // The first 53 bits, then those behind them.
  const bits = BigInt(FRACTION_BITS);
  const unit = 2 ** -60;
  const top = left >> (bits - 60n);
  const r = Number(top) * unit;
  const rest = left - (BigInt(r * 2 ** 60) << (bits - 60n));
  const low = Number(rest >> (bits - 120n)) * unit * unit;
  const sign = x < 0 ? -1 : 1;
  return [sign * Number(count & 3n), sign * r, sign * low];
}
