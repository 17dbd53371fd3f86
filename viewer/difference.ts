/** How far two tensors are apart. */

/** The greatest distance and what it is measured by. */
export interface Difference {
  /** NaN where one has a NaN (or an infinity) and the other not. */
  readonly max: number;
  /** Flat position in the whole tensor of the greatest distance. */
  readonly at: number;
  /** Standard deviation of the second's finite numbers. */
  readonly std: number;
}

/** From `ours` to `theirs`, whose element i is element `positions[i]` of the whole, or element i. */
export function differenceOf(
  ours: ArrayLike<number>,
  theirs: ArrayLike<number>,
  positions?: ArrayLike<number>,
): Difference {
  let [max, at, sum, squares, count] = [0, 0, 0, 0, 0];
  const shift = Number.isFinite(theirs[0]) ? theirs[0] : 0; // near the mean, so that squares stay small
  for (let i = 0; i < theirs.length; i++) {
    const place = positions ? positions[i] : i;
    const [a, b] = [ours[place], theirs[i]];
    const centred = b - shift;
    if (Number.isFinite(centred)) {
      sum += centred;
      squares += centred * centred;
      count++;
    }
    if (a === b) continue;
    const apart = Math.abs(a - b);
    if (apart <= max) continue;
    if (Number.isNaN(apart)) {
      if (Number.isNaN(a) && Number.isNaN(b)) continue;
      if (Number.isNaN(max)) continue;
    }
    if (Number.isNaN(max)) continue;
    [max, at] = [apart, place];
  }
  const mean = sum / Math.max(1, count);
  return { max, at, std: Math.sqrt(Math.max(0, squares / Math.max(1, count) - mean * mean)) };
}
