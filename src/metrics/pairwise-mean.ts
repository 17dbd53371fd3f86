/**
 * NumPy's mean of doubles that lie side by side: sums by halves, eight running sums within a block, so that means have
 * pycocotools' last bit. (NumPy, pairwise summation in its add loops.)
 */

/** Numbers that are summed by eight running sums; more are halved. */
const BLOCK = 128;
const LANES = 8;

/** The mean; NaN of nothing. */
export function pairwiseMean(values: Float64Array): number {
  return values.length === 0 ? Number.NaN : pairwiseSum(values, 0, values.length) / values.length;
}

/** Sum of [begin, end). */
function pairwiseSum(x: Float64Array, begin: number, end: number): number {
  const count = end - begin;
  if (count > BLOCK) {
    const half = count >> 1;
    const middle = begin + half - (half % LANES);
    return pairwiseSum(x, begin, middle) + pairwiseSum(x, middle, end);
  }
  let sum = 0;
  let i = begin;
  if (count >= LANES) {
    const lanes = x.slice(begin, begin + LANES);
    for (i += LANES; i + LANES <= end; i += LANES) {
      for (let lane = 0; lane < LANES; lane++) lanes[lane] += x[i + lane];
    }
    const [a, b, c, d, e, f, g, h] = lanes;
    sum = a + b + (c + d) + (e + f + (g + h));
  }
  for (; i < end; i++) sum += x[i];
  return sum;
}
