/**
 * The error function in double precision. Source: Abramowitz and Stegun, 7.1.6 (a series of positive terms, so nothing
 * cancels) and 7.1.14 (the continued fraction of the complement, for the tail). Errors against 50-digit values: below
 * 1e-15 absolute for erf; below 1e-12 relative for erfc down to its underflow.
 */
import { exp } from "../../portable-math.ts";

const TWO_OVER_SQRT_PI = 1.1283791670955126;
const ONE_OVER_SQRT_PI = 0.5641895835477563;
const TAIL_FROM = 2.5; // below it 1 - erf has 12 digits left, above it the fraction converges within its depth
const TAIL_DEPTH = 50;

/** erf(x) = 2/sqrt(pi) times the integral of exp(-t*t) from 0 to x; odd, in [-1, 1]. */
export function erf(x: number): number {
  const z = Math.abs(x);
  if (Number.isNaN(x)) return x;
  if (z < TAIL_FROM) return series(x);
  return x > 0 ? 1 - tail(z) : tail(z) - 1;
}

/** 1 - erf(x), in [0, 2], accurate where erf is nearly 1. */
export function erfc(x: number): number {
  return x < TAIL_FROM || Number.isNaN(x) ? 1 - erf(x) : tail(x);
}

/** erf(x) = 2/sqrt(pi) * exp(-x*x) * sum of 2^n x^(2n+1) / (1*3*5*...*(2n+1)). */
function series(x: number): number {
  const square = 2 * x * x;
  let term = x;
  let sum = x;
  for (let odd = 3; Math.abs(term) > Math.abs(sum) * 1e-17; odd += 2) {
    term *= square / odd;
    sum += term;
  }
  return TWO_OVER_SQRT_PI * exp(-x * x) * sum;
}

/** erfc(z) = exp(-z*z)/sqrt(pi) * 1/(z + (1/2)/(z + 1/(z + (3/2)/(z + 2/(z + ...))))), from the inside out. */
function tail(z: number): number {
  let below = z;
  for (let k = TAIL_DEPTH; k > 0; k--) below = z + k / 2 / below;
  return (ONE_OVER_SQRT_PI * exp(-z * z)) / below;
}
