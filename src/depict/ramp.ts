/** Numbers as colours. */

/** Red, green, blue in 0..255, by default over black paper of a terminal or a PNG. */
export type Rgb = readonly [red: number, green: number, blue: number];

// From dark blue over green to yellow, in even steps of lightness, so that it reads in grey and for the colour-blind too.
const RAMP: readonly Rgb[] = [
  [68, 1, 84],
  [65, 68, 135],
  [42, 120, 142],
  [34, 168, 132],
  [122, 209, 81],
  [253, 231, 37],
];

/** Of feature levels from fine to coarse, told apart by the colour-blind too. */
export const LEVEL_COLOURS: readonly Rgb[] = [
  [86, 180, 233],
  [240, 228, 66],
  [213, 94, 0],
  [204, 121, 167],
];

/** Least and greatest. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/** What is not finite. */
export const NOT_FINITE: Rgb = [255, 0, 0];

/** The colour of a share in [0, 1]; NaN and infinities are red. */
export function rampColour(share: number): Rgb {
  if (!Number.isFinite(share)) return NOT_FINITE;
  const place = Math.min(1, Math.max(0, share)) * (RAMP.length - 1);
  const i = Math.min(Math.floor(place), RAMP.length - 2);
  const mix = (c: 0 | 1 | 2): number => Math.round(RAMP[i][c] + (RAMP[i + 1][c] - RAMP[i][c]) * (place - i));
  return [mix(0), mix(1), mix(2)];
}

/** Least and greatest of the finite; both 0 where there are none. */
export function rangeOf(values: ArrayLike<number>): Range {
  let [min, max] = [Infinity, -Infinity];
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) continue;
    if (values[i] < min) min = values[i];
    if (values[i] > max) max = values[i];
  }
  return min <= max ? { min, max } : { min: 0, max: 0 };
}

/** Where a value lies from `min` to `max`, 0 where these are one. */
export function shareOf(value: number, { min, max }: Range): number {
  if (!Number.isFinite(value)) return Number.NaN;
  return max > min ? (value - min) / (max - min) : 0;
}
