/**
 * Tensors as text, as `torch.Tensor.__repr__` writes them (four digits, three edge items of a long axis, scientific
 * notation where the range asks for it), followed by a line of shape, dtype, layout and statistics.
 */
import { formatShape } from "./shape.ts";
import type { Tensor } from "./tensor.ts";

const EDGE_ITEMS = 3; // elements shown at each end of a long axis
const SUMMARISE_ABOVE = 1000; // elements; longer tensors are shortened
const DIGITS = 4;
const LINE_WIDTH = 80; // characters

/** Minimum, maximum, mean, standard deviation (unbiased, as PyTorch's) and counts over all elements. */
export interface TensorStats {
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  readonly std: number;
  /** Share of elements that are exactly 0. */
  readonly zeros: number;
  readonly nan: number;
  readonly inf: number;
}

/** Statistics of the finite elements, in double precision; all NaN where there are none. */
export function tensorStats(x: Tensor): TensorStats {
  const data = x.toArray();
  let [min, max, sum, zeros, nan, inf] = [Infinity, -Infinity, 0, 0, 0, 0];
  let count = 0;
  for (const element of data) {
    const v = Number(element);
    if (Number.isNaN(v)) nan++;
    else if (!Number.isFinite(v)) inf++;
    else {
      if (v < min) min = v;
      if (v > max) max = v;
      if (v === 0) zeros++;
      sum += v;
      count++;
    }
  }
  if (count === 0) return { min: NaN, max: NaN, mean: NaN, std: NaN, zeros: 0, nan, inf };
  const mean = sum / count;
  let squares = 0;
  for (const element of data) {
    const v = Number(element);
    if (Number.isFinite(v)) squares += (v - mean) ** 2;
  }
  return { min, max, mean, std: Math.sqrt(squares / (count - 1)), zeros: zeros / data.length, nan, inf };
}

/** The text of {@link Tensor.toString}. */
export function formatTensor(x: Tensor): string {
  const about = `${x.dtype} ${formatShape(x.shape)} on ${x.backend.name}`;
  if (x.isMeta || x.storage.released) return `tensor(..., ${x.isMeta ? "" : "released, "}${about})`;
  const shorten = x.size > SUMMARISE_ABOVE;
  const format = elementFormat(shownElements(x, shorten), x.dtype === "f32");
  const body = formatAxis(x, [], shorten, format, "tensor(".length);
  const layout = !x.isContiguous() && x.isContiguous("channels_last") ? ", channels_last" : "";
  const head = `tensor(${body})`;
  if (x.size === 0) return `${head}\n# ${about}`;
  const s = tensorStats(x);
  const short = (v: number): string => Number(v.toPrecision(5)).toString();
  const odd = s.nan + s.inf > 0 ? `, nan ${s.nan}, inf ${s.inf}` : "";
  const stats = `min ${short(s.min)}, max ${short(s.max)}, mean ${short(s.mean)}, std ${short(s.std)}`;
  return `${head}\n# ${about}${layout}; ${stats}${odd}`;
}

/** Indices of an axis that are shown; -1 stands for the dots. */
function shownIndices(n: number, shorten: boolean): number[] {
  const all = Array.from({ length: n }, (_, i) => i);
  if (!shorten || n <= 2 * EDGE_ITEMS) return all;
  return [...all.slice(0, EDGE_ITEMS), -1, ...all.slice(n - EDGE_ITEMS)];
}

function shownElements(x: Tensor, shorten: boolean): number[] {
  if (x.ndim === 0) return [x.item()];
  return shownIndices(x.shape[0], shorten)
    .filter((i) => i >= 0)
    .flatMap((i) => shownElements(x.select(0, i), shorten));
}

/** One way to write all elements of a tensor, to a common width. */
function elementFormat(values: readonly number[], isFloat: boolean): (v: number) => string {
  const write = isFloat ? floatWriter(values) : String;
  const width = Math.max(0, ...values.map((v) => write(v).length));
  return (v) => write(v).padStart(width);
}

function floatWriter(values: readonly number[]): (v: number) => string {
  const sizes = values.filter((v) => Number.isFinite(v) && v !== 0).map(Math.abs);
  const max = Math.max(0, ...sizes);
  const min = Math.min(Infinity, ...sizes);
  const special = (v: number): string | undefined =>
    Number.isNaN(v) ? "nan" : v === Infinity ? "inf" : v === -Infinity ? "-inf" : undefined;
  const whole = sizes.every(Number.isInteger);
  const scientific = max / min > 1000 || max > 1e8 || (!whole && min < 1e-4);
  return (v) => {
    if (scientific && (!whole || max / min > 1000 || max > 1e8)) return special(v) ?? exponential(v);
    return special(v) ?? (whole ? `${v === 0 ? "0" : v.toFixed(0)}.` : v.toFixed(DIGITS));
  };
}

function exponential(v: number): string {
  const [mantissa, exponent] = v.toExponential(DIGITS).split("e");
  const sign = exponent.startsWith("-") ? "-" : "+";
  return `${mantissa}e${sign}${exponent.replace(/^[+-]/, "").padStart(2, "0")}`;
}

function formatAxis(
  x: Tensor,
  index: readonly number[],
  shorten: boolean,
  format: (v: number) => string,
  indent: number,
): string {
  const axis = index.length;
  if (axis === x.ndim) return format(x.at(...index));
  const shown = shownIndices(x.shape[axis], shorten);
  const inner = indent + 1;
  const items = shown.map((i) =>
    i < 0 ? (axis === x.ndim - 1 ? " ..." : "...") : formatAxis(x, [...index, i], shorten, format, inner),
  );
  const pad = " ".repeat(inner);
  if (axis < x.ndim - 1) return `[${items.join(`,${"\n".repeat(x.ndim - axis - 1)}${pad}`)}]`;
  const perLine = Math.max(1, Math.floor((LINE_WIDTH - inner) / ((items[0]?.length ?? 0) + 2)));
  const lines: string[] = [];
  for (let i = 0; i < items.length; i += perLine) lines.push(items.slice(i, i + perLine).join(", "));
  return `[${lines.join(`,\n${pad}`)}]`;
}
