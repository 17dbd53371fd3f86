/** Results that are the right ones in too few bits, scaled or moved, cut off or broken: told by the numbers alone. */
import { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16 } from "../../weights/half.ts";
import type { Finding, Symptom } from "./mistake.ts";
import { explainsElementwise, isOff, meanOf, placeOf, positionOf, sameShape, type View } from "./view.ts";

/** Rounds through a 16-bit format. */
function through(x: number, format: "f16" | "bf16"): number {
  const one = Float32Array.of(x);
  return format === "f16" ? f16ToF32(f32ToF16(one))[0] : bf16ToF32(f32ToBf16(one))[0];
}

const HALF_EPSILON = { f16: 2 ** -11, bf16: 2 ** -8 } as const;
const NAMES = { f16: "half precision (fp16)", bf16: "bfloat16" } as const;

/** The grid of a 16-bit format: every value got is on it, few of the right ones are. */
function grid(format: "f16" | "bf16"): Symptom {
  return {
    name: format === "f16" ? "fp16" : "bf16",
    mend: `Compute and store in float32: somewhere values pass through ${NAMES[format]}.`,
    *find(view) {
      if (!sameShape(view)) return;
      let [on, rightOn, count, squares, noise] = [0, 0, 0, 0, 0];
      for (let i = 0; i < view.right.length; i++) {
        const x = view.right[i];
        const y = view.got[positionOf(view, i)];
        if (!Number.isFinite(x) || !Number.isFinite(y) || x === 0 || Number.isInteger(x)) continue;
        count++;
        if (through(y, format) === y) on++;
        if (through(x, format) === Math.fround(x)) rightOn++;
        squares += (y - x) ** 2;
        noise += (HALF_EPSILON[format] * x) ** 2;
      }
      if (count < 8) return;
      const exact = explainsElementwise(view, (x) => through(x, format));
      if (on / count > 0.99 && rightOn / count < 0.5) {
        // A chain of 16-bit layers is some tens of roundings off; farther off, something else is wrong besides.
        const far = Math.sqrt(squares / noise);
        const explains = Math.max(exact, far <= 64 ? 0.97 : 0.97 * (64 / far) ** 2);
        const share = ((100 * on) / count).toFixed(1);
        const right = ((100 * rightOn) / count).toFixed(1);
        yield {
          explains,
          says: `${share} % of the values lie on the grid of ${NAMES[format]}, of the golden ${right} %; they are ${far.toPrecision(2)} of its roundings off`,
        };
      }
    },
  };
}

const overflow: Symptom = {
  name: "fp16-overflow",
  mend: "Half precision ends at 65504: keep this layer in float32, or scale it down.",
  *find(view) {
    if (!sameShape(view)) return;
    const isOver = (y: number): boolean => y === Infinity || y === -Infinity || Math.abs(y) === 65504;
    let [limit, over, infinite] = [Number.POSITIVE_INFINITY, 0, 0];
    for (let i = 0; i < view.right.length; i++) {
      const y = view.got[positionOf(view, i)];
      if (!isOver(y) || !isOff(view, i)) continue;
      over++;
      if (!Number.isFinite(y)) infinite++;
      limit = Math.min(limit, Math.abs(view.right[i]));
    }
    if (over === 0) return;
    let large = 0;
    for (const x of view.right) if (Math.abs(x) >= limit) large++;
    // All that is above the bound went over it, and nothing below.
    if (over < 0.9 * large) return;
    if (infinite > 0 && limit < 6e4 && 2 * over > view.right.length) return; // all is lost: that is no range's end
    const explains =
      infinite > 0 ? over / large : explainsElementwise(view, (x) => Math.max(-65504, Math.min(65504, x)));
    yield {
      explains,
      says: `${over} values are ${infinite > 0 ? "infinite" : "65504"}, just where the golden is beyond ${limit.toPrecision(6)}`,
    };
  },
};

const underflow: Symptom = {
  name: "flush-to-zero",
  mend: "Small values are set to zero: half precision ends at 6e-8, and flush-to-zero modes drop denormals.",
  *find(view) {
    if (!sameShape(view)) return;
    let limit = 0;
    let zeroed = 0;
    for (let i = 0; i < view.right.length; i++) {
      const x = view.right[i];
      if (x === 0 || !isOff(view, i) || view.got[positionOf(view, i)] !== 0) continue;
      zeroed++;
      limit = Math.max(limit, Math.abs(x));
    }
    if (zeroed === 0 || limit > 7e-5) return;
    let kept = 0;
    for (let i = 0; i < view.right.length; i++) {
      const x = view.right[i];
      if (x !== 0 && Math.abs(x) <= limit && view.got[positionOf(view, i)] !== 0) kept++;
    }
    if (kept > zeroed / 10) return;
    const explains = explainsElementwise(view, (x) => (Math.abs(x) <= limit ? 0 : x));
    yield { explains, says: `all ${zeroed} values up to ${limit.toPrecision(2)} are zero` };
  },
};

/** Few different values, evenly spaced: an integer type lies between. */
const quantised: Symptom = {
  name: "int8",
  mend: "The values were quantised: run this layer in float32, or judge it by a tolerance for quantised models.",
  *find(view) {
    if (!sameShape(view)) return;
    const values = new Set<number>();
    const known = new Set<number>();
    for (let i = 0; i < view.right.length; i++) {
      values.add(view.got[positionOf(view, i)]);
      known.add(view.right[i]);
    }
    if (values.size > 256 || values.size < 4) return;
    const sorted = [...values].filter(Number.isFinite).sort((a, b) => a - b);
    let step = Number.POSITIVE_INFINITY;
    for (let i = 1; i < sorted.length; i++) step = Math.min(step, sorted[i] - sorted[i - 1]);
    const onGrid = (v: number): boolean => {
      const at = (v - sorted[0]) / step;
      return Math.abs(at - Math.round(at)) < 0.01;
    };
    // The golden must not be so itself.
    const alike = Array.from(known).filter(onGrid).length;
    if (!sorted.every(onGrid) || alike > known.size / 2) return;
    const [low, high] = [sorted[0], sorted[sorted.length - 1]];
    const explains = explainsElementwise(view, (x) => {
      const clipped = Math.max(low, Math.min(high, x));
      return low + step * Math.round((clipped - low) / step);
    });
    yield {
      explains: Math.max(explains, 0.9),
      says: `there are only ${values.size} different values, ${step.toPrecision(3)} apart from ${low.toPrecision(3)} to ${high.toPrecision(3)}`,
    };
  },
};

/** got = a * right, got = right + b, fitted to the finite elements. */
const factor: Symptom = {
  name: "constant-factor",
  mend: "Look for a scale that is missing or applied twice: 1/255, 1/sqrt(dim), a stride, a mean over another count.",
  *find(view) {
    if (!sameShape(view)) return;
    let [xy, xx] = [0, 0];
    for (let i = 0; i < view.right.length; i++) {
      const x = view.right[i];
      const y = view.got[positionOf(view, i)];
      if (!Number.isFinite(x) || !Number.isFinite(y)) continue;
      xy += x * y;
      xx += x * x;
    }
    if (xx === 0 || xy === 0) return;
    const a = xy / xx;
    const explains = explainsElementwise(view, (x) => a * x);
    yield { explains, fitted: 1, says: `all is ${nice(a)} times the golden` };
  },
};

/** 255, 1/255, 2, 0.125: a number that a program may hold, else its first digits. */
function nice(a: number): string {
  for (const [value, name] of NAMED_FACTORS) if (Math.abs(a / value - 1) < 1e-4) return name;
  if (Math.abs(a - Math.round(a)) < 1e-4 * Math.abs(a)) return String(Math.round(a));
  const inverse = Math.round(1 / a);
  if (Math.abs(a * inverse - 1) < 1e-4) return `1/${inverse}`;
  return a.toPrecision(6);
}

const NAMED_FACTORS: readonly (readonly [number, string])[] = [
  [-1, "-1"],
  [Math.SQRT2, "sqrt(2)"],
  [Math.SQRT1_2, "1/sqrt(2)"],
  [Math.sqrt(8), "sqrt(8)"],
  [1 / Math.sqrt(8), "1/sqrt(8)"],
];

const offset: Symptom = {
  name: "constant-offset",
  mend: "Look for a constant that is added or left out: a bias, a zero point, a mean.",
  *find(view) {
    if (!sameShape(view)) return;
    const differences = Float64Array.from(view.right, (x, i) => view.got[positionOf(view, i)] - x);
    const b = meanOf(differences);
    if (b === 0) return;
    yield {
      explains: explainsElementwise(view, (x) => x + b),
      fitted: 1,
      says: `all is ${b.toPrecision(6)} more than the golden`,
    };
  },
};

/**
 * A fit of two numbers a channel explains most of any difference between smooth maps, a missing tap of a kernel as well: what is
 * really scaled channel by channel leaves hardly anything.
 */
const LEAST_FIT = 0.98;

/** A factor and an offset for each channel. */
const perChannel: Symptom = {
  name: "per-channel-affine",
  mend: "Each channel is scaled and moved by itself: look at BatchNorm's vectors, a folded bias, or per-channel quantisation scales.",
  *find(view) {
    const { shape } = view;
    if (!sameShape(view) || shape.length < 2) return;
    const axis = shape.length === 4 ? 1 : shape.length - 1;
    const channels = shape[axis];
    let step = 1;
    for (let k = axis + 1; k < shape.length; k++) step *= shape[k];
    const sums = new Float64Array(channels * 5);
    const channelOf = (i: number): number => Math.floor(positionOf(view, i) / step) % channels;
    for (let i = 0; i < view.right.length; i++) {
      const x = view.right[i];
      const y = view.got[positionOf(view, i)];
      if (!Number.isFinite(x) || !Number.isFinite(y)) continue;
      const c = 5 * channelOf(i);
      sums[c]++;
      sums[c + 1] += x;
      sums[c + 2] += y;
      sums[c + 3] += x * x;
      sums[c + 4] += x * y;
    }
    // With few elements a channel, two numbers fit anything.
    if (view.right.length < 12 * channels) return;
    const fits = Array.from({ length: channels }, (_, c) => {
      const [n, x, y, xx, xy] = sums.subarray(5 * c, 5 * c + 5);
      const spread = n * xx - x * x;
      const a = spread > 0 ? (n * xy - x * y) / spread : 1;
      return { a, b: n > 0 ? (y - a * x) / n : 0 };
    });
    const explains = explainsElementwise(view, (x, i) => {
      const { a, b } = fits[channelOf(i)];
      return a * x + b;
    });
    if (explains < LEAST_FIT) return;
    const slopes = fits.map(({ a }) => a).sort((p, q) => p - q);
    const range = `${slopes[0].toPrecision(4)} to ${slopes[slopes.length - 1].toPrecision(4)}`;
    yield {
      explains,
      fitted: 2,
      says: `each of ${channels} channels has a factor (${range}) and an offset of its own`,
    };
  },
};

/** Cut off at a bound. */
const clipped: Symptom = {
  name: "clipped",
  mend: "Nothing is to be cut off here: look for a ReLU6, a clamp, or an integer type between.",
  *find(view) {
    if (!sameShape(view)) return;
    let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const y of view.got) {
      if (y < low) low = y;
      if (y > high) high = y;
    }
    if (!(low < high)) return;
    const explains = explainsElementwise(view, (x) => Math.max(low, Math.min(high, x)));
    yield {
      explains,
      fitted: 1,
      says: `values are cut off at ${low.toPrecision(6)} and ${high.toPrecision(6)}`,
    };
  },
};

/** Where ReLU6 should have clipped. */
const aboveSix: Symptom = {
  name: "relu-for-relu6",
  mend: "Clip at 6: min(max(x, 0), 6).",
  *find(view) {
    if (!sameShape(view)) return;
    let [differ, above, atSix] = [0, 0, 0];
    for (let i = 0; i < view.right.length; i++) {
      if (!isOff(view, i)) continue;
      differ++;
      if (view.right[i] !== 6) continue;
      atSix++;
      if (view.got[positionOf(view, i)] > 6) above++;
    }
    if (differ === 0 || above === 0) return;
    const explains = (above / differ) * (above / atSix);
    const says = `${above} of ${differ} differing values are above 6, just where the golden is 6`;
    yield { explains: explains === 1 ? 0.999 : explains, says };
  },
};

/** A function of each value that turns the right one into what was got, from the result alone. */
const FUNCTIONS: readonly (readonly [string, string, string, (x: number) => number])[] = [
  [
    "sigmoid-missing",
    "the golden's logits were given: its inverse sigmoid",
    "Apply the sigmoid.",
    (x) => Math.log(x / (1 - x)),
  ],
  [
    "sigmoid-added",
    "the golden's sigmoid was given",
    "Give the logits: no sigmoid here.",
    (x) => 1 / (1 + Math.exp(-x)),
  ],
  ["activation-added", "the golden's ReLU was given", "No activation here.", (x) => Math.max(0, x)],
  [
    "activation-added",
    "the golden's ReLU6 was given",
    "No activation here.",
    (x) => Math.min(6, Math.max(0, x)),
  ],
  ["activation-added", "the golden's SiLU was given", "No activation here.", (x) => x / (1 + Math.exp(-x))],
  ["sign", "all signs are the other way round", "Look for a subtraction in the wrong order.", (x) => -x],
  [
    "absolute-value",
    "the golden's absolute values were given",
    "Look for an unsigned type between.",
    Math.abs,
  ],
  ["logarithm", "the golden's logarithm was given", "Look for log_softmax in place of softmax.", Math.log],
  [
    "truncated-to-integers",
    "the golden was cut to integers",
    "Look for an integer type between.",
    Math.trunc,
  ],
];

const functions: readonly Symptom[] = FUNCTIONS.map(([name, says, mend, f]) => ({
  name,
  mend,
  *find(view: View): Iterable<Finding> {
    yield { explains: explainsElementwise(view, (x) => f(x)), says };
  },
}));

/** Nothing written at all, or all the same. */
const constant: Symptom = {
  name: "never-written",
  mend: "The output is constant: look for a buffer that is read before it is written, or a result that is not copied back.",
  *find(view) {
    const [first] = view.got;
    if (
      view.got.length < 2 ||
      Number.isNaN(first) ||
      !view.got.every((y) => Object.is(y, first) || y === first)
    )
      return;
    yield {
      explains: Number.isFinite(first) ? explainsElementwise(view, () => first) : 1,
      says: `every value is ${first}`,
    };
  },
};

const notANumber: Symptom = {
  name: "not-a-number",
  mend: "Look for 0/0, inf - inf or the square root of a negative number: a variance, a softmax over -inf, an overflow before.",
  *find(view) {
    let [bad, differ, first] = [0, 0, -1];
    if (!sameShape(view)) return;
    for (let i = 0; i < view.right.length; i++) {
      if (!isOff(view, i)) continue;
      differ++;
      if (!Number.isNaN(view.got[positionOf(view, i)]) || Number.isNaN(view.right[i])) continue;
      bad++;
      if (first < 0) first = i;
    }
    if (bad === 0) return;
    yield {
      explains: 0.99 * (bad / differ),
      says: `${bad} of ${differ} differing values are NaN, the first at ${placeOf(view, first)}`,
    };
  },
};

/** All of them. */
export const NUMERIC: readonly Symptom[] = [
  grid("f16"),
  grid("bf16"),
  overflow,
  underflow,
  quantised,
  aboveSix,
  constant,
  notANumber,
  factor,
  offset,
  perChannel,
  clipped,
  ...functions,
];
