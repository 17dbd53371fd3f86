/**
 * What resizing along one axis sums up: for each output the inputs it is made of, and their weights. One computation for
 * Pillow's filters and PyTorch's, which are the same mathematics in other arithmetics: double, made into integers, or
 * single precision, where PyTorch's compiler has fused multiplications with additions. OpenCV's are in resize.ts.
 * Sources: Pillow, src/libImaging/Resample.c; PyTorch, aten/src/ATen/native/cpu/UpSampleKernel.cpp.
 */

/** The weighted sums along one axis. */
export interface Taps {
  /** Terms of each output, at most `most`. */
  readonly counts: Int32Array;
  readonly most: number;
  /** Input index of term j of output i at i * most + j. */
  readonly at: Int32Array;
  /** Its weight, as `at`. */
  readonly weights: Float64Array;
  /** The largest weight; QUIRK: without antialiasing, sums for a border count while they are made. */
  largest: number;
}

/** Which sums. */
export interface Filter {
  /** Bicubic instead of bilinear. */
  readonly cubic: boolean;
  /** Wider where the picture shrinks, so that every input counts. */
  readonly antialias: boolean;
  /** Single precision instead of double. Bicubic only with `antialias`. */
  readonly single: boolean;
}

const KEYS_A = -0.5; // of the bicubic kernel: Keys' choice, Pillow's;
const OPENCV_A = -0.75; // and OpenCV's, PyTorch's without antialiasing

/** `inputs` numbers to `outputs` numbers, centres at half indices. */
export function makeTaps(inputs: number, outputs: number, filter: Filter): Taps {
  const { antialias, single } = filter;
  const round = single ? Math.fround : identity;
  const scale = round(inputs / outputs);
  const stretch = antialias ? Math.max(1, scale) : 1;
  const support = round((filter.cubic ? 2 : 1) * stretch);
  const most = antialias ? Math.ceil(support) * 2 + 1 : support * 2;
  const taps = {
    counts: new Int32Array(outputs),
    most,
    at: new Int32Array(outputs * most),
    weights: new Float64Array(outputs * most),
    largest: 0,
  };
  const fill = antialias ? fillWide : single ? fillPair : fillNarrow;
  for (let i = 0; i < outputs; i++) fill(taps, i, { inputs, scale, support, stretch, round, filter });
  return taps;
}

interface Axis {
  readonly inputs: number;
  readonly scale: number;
  readonly support: number;
  readonly stretch: number;
  readonly round: (x: number) => number;
  readonly filter: Filter;
}

/** Antialiased: every input within the support, weights made to sum to 1. */
function fillWide(taps: Taps, i: number, { inputs, scale, support, stretch, round, filter }: Axis): void {
  const { counts, most, at, weights } = taps;
  const centre = round(scale * (i + 0.5));
  const first = Math.max(0, Math.trunc(round(centre - support) + 0.5));
  const end = Math.min(inputs, Math.trunc(round(centre + support) + 0.5));
  const count = Math.min(end - first, most);
  const shrink = round(1 / stretch);
  const to = i * most;
  let sum = 0;
  for (let j = 0; j < count; j++) {
    const weight = kernel(round((round(first + j - centre) + 0.5) * shrink), KEYS_A, filter);
    at[to + j] = first + j;
    weights[to + j] = weight;
    sum = round(sum + weight);
  }
  for (let j = to; j < to + count; j++) {
    weights[j] = round(weights[j] / sum);
    taps.largest = Math.max(taps.largest, weights[j]);
  }
  counts[i] = count;
}

/** 2 or 4 neighbours; those beyond a border count for the border. */
function fillNarrow(taps: Taps, i: number, { inputs, scale, support, filter }: Axis): void {
  const { counts, most, at, weights } = taps;
  const centre = scale * (i + 0.5) - 0.5;
  const position = filter.cubic ? centre : Math.max(0, centre);
  const index = Math.min(Math.floor(position), inputs - 1);
  const fraction = Math.min(1, position - index);
  const first = Math.max(0, index - support + 1);
  const to = i * most;
  counts[i] = Math.min(index + support + 1, inputs) - first;
  for (let j = 0; j < counts[i]; j++) at[to + j] = first + j;
  for (let j = 0; j < most; j++) {
    const from = Math.min(inputs - 1, Math.max(0, index - support + 1 + j));
    weights[to + from - first] += kernel(j + 1 - support - fraction, OPENCV_A, filter);
    taps.largest = Math.max(taps.largest, weights[to + from - first]);
  }
}

/** The two neighbours in single precision, the farther first: its product is the one that is rounded by itself. */
function fillPair({ counts, at, weights }: Taps, i: number, { inputs, scale }: Axis): void {
  const position = Math.max(0, fusedMultiplyAdd(scale, i + 0.5, -0.5));
  const index = Math.min(Math.floor(position), inputs - 1);
  const fraction = Math.min(1, Math.fround(position - index));
  counts[i] = 2;
  at.set([Math.min(index + 1, inputs - 1), index], 2 * i);
  weights.set([fraction, Math.fround(1 - fraction)], 2 * i);
}

/** The triangle, or the cubic convolution kernel. */
function kernel(distance: number, a: number, { cubic, single }: Filter): number {
  const x = Math.abs(distance);
  const round = single ? Math.fround : identity;
  if (!cubic) return x < 1 ? round(1 - x) : 0;
  const add = single ? fusedMultiplyAdd : multiplyAdd;
  if (x < 1) return add(round(add(a + 2, x, -(a + 3)) * x), x, 1);
  return x < 2 ? add(add(add(a, x, -5 * a), x, 8 * a), x, -4 * a) : 0;
}

function identity(x: number): number {
  return x;
}

function multiplyAdd(a: number, b: number, c: number): number {
  return a * b + c;
}

/** a * b + c of single-precision numbers, rounded once to single precision. */
export function fusedMultiplyAdd(a: number, b: number, c: number): number {
  const product = a * b; // exact in double
  const sum = product + c;
  const near = Math.fround(sum);
  const other = near + 2 * (sum - near);
  // Only where the double sum lies halfway between two floats does what it has lost itself decide.
  if (other === near || Math.fround(other) !== other) return near;
  const back = sum - product;
  const lost = product - (sum - back) + (c - back);
  if (lost === 0) return near;
  return lost > 0 === other > near ? other : near;
}
