/**
 * Tensors as text, as `torch.Tensor.__repr__` writes them (four digits, three edge items of a long axis, scientific
 * notation where the range asks for it), followed by a line of shape, dtype, layout and statistics.
 */
import { formatShape } from "./shape.ts";
import { tensorStats } from "./statistics.ts";
import type { Tensor } from "./tensor.ts";

const EDGE_ITEMS = 3; // elements shown at each end of a long axis
const SUMMARISE_ABOVE = 1000; // elements; longer tensors are shortened
const DIGITS = 4;
const LINE_WIDTH = 80; // characters
const EXACT_DIGITS = 60; // enough to tell a tie of f32 from its neighbours

type Element = number | bigint;

/** The text of {@link Tensor.toString}. */
export function formatTensor(x: Tensor): string {
  const about = `${x.dtype} ${formatShape(x.shape)} on ${x.backend.name}`;
  if (x.isMeta || x.storage.released) return `tensor(..., ${x.isMeta ? "" : "released, "}${about})`;
  if (x.size === 0) return `tensor([])\n# ${about}`;
  const shorten = x.size > SUMMARISE_ABOVE;
  const format = elementFormat(shownElements(x, shorten), x.dtype === "f32");
  const body = formatAxis(x, [], shorten, format, "tensor(".length);
  const layout = !x.isContiguous() && x.isContiguous("channels_last") ? ", channels_last" : "";
  const head = `tensor(${body})`;
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

function shownElements(x: Tensor, shorten: boolean): Element[] {
  if (x.ndim === 0) return [x.storage.data[x.offset]];
  return shownIndices(x.shape[0], shorten)
    .filter((i) => i >= 0)
    .flatMap((i) => shownElements(x.select(0, i), shorten));
}

/** One way to write all elements of a tensor, to a common width. */
interface ElementFormat {
  readonly width: number;
  readonly write: (v: Element) => string;
}

function elementFormat(values: readonly Element[], isFloat: boolean): ElementFormat {
  const numbers = values.map(Number);
  const write: (v: Element) => string = isFloat ? floatWriter(numbers) : String;
  // QUIRK: of floats only the finite ones other than 0 make the width; "nan", "inf" and "-0." may stand out
  const counted = isFloat ? numbers.filter((v) => Number.isFinite(v) && v !== 0) : values;
  const width = Math.max(1, ...counted.map((v) => write(v).length));
  return { width, write: (v) => write(v).padStart(width) };
}

function floatWriter(values: readonly number[]): (v: Element) => string {
  const sizes = values.filter((v) => Number.isFinite(v) && v !== 0).map(Math.abs);
  const max = Math.max(0, ...sizes);
  const min = Math.min(Infinity, ...sizes);
  const whole = values.filter(Number.isFinite).every(Number.isInteger);
  const scientific = max / min > 1000 || max > 1e8 || (!whole && min < 1e-4);
  return (element) => {
    const v = Number(element);
    if (Number.isNaN(v)) return "nan";
    if (!Number.isFinite(v)) return v > 0 ? "inf" : "-inf";
    const sign = v < 0 || Object.is(v, -0) ? "-" : "";
    return sign + (scientific ? exponential(Math.abs(v)) : fixed(Math.abs(v), whole ? 0 : DIGITS));
  };
}

function fixed(v: number, digits: number): string {
  return digits === 0 ? `${v.toFixed(0)}.` : halfEven(v.toFixed(digits), v.toFixed(EXACT_DIGITS));
}

function exponential(v: number): string {
  const [mantissa, exponent] = v.toExponential(DIGITS).split("e");
  const [exact, exactExponent] = v.toExponential(EXACT_DIGITS).split("e");
  const digits = exponent === exactExponent ? halfEven(mantissa, exact) : mantissa;
  const sign = exponent.startsWith("-") ? "-" : "+";
  return `${digits}e${sign}${exponent.replace(/^[+-]/, "").padStart(2, "0")}`;
}

/** JavaScript rounds a tie up, Python to the even digit: 0.03125 is 0.0313 and 0.0312. */
function halfEven(rounded: string, exact: string): string {
  const cut = exact.slice(0, rounded.length);
  const isTie = /^50*$/.test(exact.slice(rounded.length));
  return isTie && Number(cut.at(-1)) % 2 === 0 ? cut : rounded;
}

function formatAxis(
  x: Tensor,
  index: readonly number[],
  shorten: boolean,
  format: ElementFormat,
  indent: number,
): string {
  const axis = index.length;
  if (axis === x.ndim) {
    return format.write(x.storage.data[index.reduce((at, i, k) => at + i * x.strides[k], x.offset)]);
  }
  const shown = shownIndices(x.shape[axis], shorten);
  const inner = indent + 1;
  const items = shown.map((i) =>
    i < 0 ? (axis === x.ndim - 1 ? " ..." : "...") : formatAxis(x, [...index, i], shorten, format, inner),
  );
  const pad = " ".repeat(inner);
  if (axis < x.ndim - 1) return `[${items.join(`,${"\n".repeat(x.ndim - axis - 1)}${pad}`)}]`;
  const perLine = Math.max(1, Math.floor((LINE_WIDTH - indent) / (format.width + 2)));
  const lines: string[] = [];
  for (let i = 0; i < items.length; i += perLine) lines.push(items.slice(i, i + perLine).join(", "));
  return `[${lines.join(`,\n${pad}`)}]`;
}
