/**
 * Seeded weights for any of the models: every tensor of a state dict from (name, shape, seed), so that full-size weights
 * need not be stored to test or time a network. Not an initialisation for training: the ranges are chosen so that under
 * them nothing is trivially zero, saturated or chaotic, and a wrong layer shows. BatchNorm statistics made here are still
 * uncalibrated; the parity cases bring calibrated ones as files.
 *
 * The twin in Python is `test/golden/make/seeded_state.py`; both give the same bits, because every number is an integer of
 * the generator times one double (plus one double), rounded to f32 once. `docs/generator.md` lists the rules.
 */
import { fail } from "../errors.ts";
import { BELL_STD, bellSums, randomUniform, randomWords } from "./generator.ts";

/** What {@link seededTensor} needs to know beside a tensor's own name and shape. */
export interface SeededOptions {
  /** Whether the state dict has an entry of this name: tells a BatchNorm from a LayerNorm. */
  readonly has: (name: string) => boolean;
  /** 0 .. 2^32 - 1. Default 0. */
  readonly seed?: number;
  /**
   * Factor on the `_output_proj` weights of the backbone's attention, whose branch a constant 1e-5 otherwise hides. 1e5
   * makes it of order one. Default 1.
   */
  readonly attnGain?: number;
}

/** Parts of names whose BatchNorm feeds a ReLU6. */
const BEFORE_RELU6 = ["_expand_conv", "_middle_dw", "convbn", "exp_1x1", "red_1x1"];

/**
 * The seeded tensor of the state-dict entry `name`, row-major, as many numbers as `shape` says. Names are the detector's
 * (`model.0.conv0...`); a stand-alone backbone takes the names it has there, `model.0.` in front. `num_batches_tracked`
 * comes as one whole number. Throws `argument` for a name without a dot or a bad seed.
 */
export function seededTensor(name: string, shape: readonly number[], options: SeededOptions): Float32Array {
  const { has, seed = 0, attnGain = 1 } = options;
  const dot = name.lastIndexOf(".");
  if (dot < 0) fail("argument", "seeded weights", "a state-dict name such as model.1.conv.weight", name);
  const base = name.slice(0, dot);
  const leaf = name.slice(dot + 1);
  const count = shape.reduce((product, side) => product * side, 1);

  if (leaf === "num_batches_tracked") return Float32Array.of(seededBatchesTracked(name, seed));
  if (has(`${base}.running_mean`)) {
    // BatchNorm2d
    if (leaf === "weight") return uniformIn(seed, name, count, 0.6, 1.6);
    if (leaf === "running_var") return uniformIn(seed, name, count, 0.3, 1.5);
    if (leaf === "running_mean") return normal(seed, name, count, 0.3, 0);
    // Before a ReLU6 one higher: it clips about one value in six (all-or-nothing units make a net chaotic).
    return normal(seed, name, count, 0.4, BEFORE_RELU6.some((part) => name.includes(part)) ? 1 : 0);
  }
  if (base.slice(base.lastIndexOf(".") + 1).includes("norm") || base.endsWith("enc_output.1")) {
    // LayerNorm
    return leaf === "weight" ? uniformIn(seed, name, count, 0.6, 1.4) : normal(seed, name, count, 0.3, 0);
  }
  if (shape.length === 4) {
    return shape[1] === 1 ? depthwise(seed, name, shape) : convolution(seed, name, base, shape, attnGain);
  }
  if (shape.length === 2) {
    // Linear, in_proj_weight, embedding
    return normal(seed, name, count, linearGain(base, shape) / Math.sqrt(shape[1]), 0);
  }
  // Biases
  const std = base.endsWith("sampling_offsets") ? 1.5 : 0.3;
  return normal(seed, name, count, std, base.includes("score_head") ? -4 : 0);
}

/** The seeded value of a `num_batches_tracked`, 1 .. 999. Inference never reads it. */
export function seededBatchesTracked(name: string, seed = 0): number {
  return 1 + (randomWords(seed, name, 1)[0] % 999);
}

function uniformIn(seed: number, name: string, count: number, low: number, high: number): Float32Array {
  const out = randomUniform(seed, name, count);
  const span = high - low;
  for (let i = 0; i < count; i++) out[i] = out[i] * span + low;
  return out;
}

function normal(seed: number, name: string, count: number, std: number, shift: number): Float32Array {
  const sums = bellSums(seed, name, count);
  const scale = std / BELL_STD;
  const out = new Float32Array(count);
  for (let i = 0; i < count; i++) out[i] = sums[i] * scale + shift;
  return out;
}

/** Dense filters [O, I, kh, kw], each of sum zero: no common mode for the next BatchNorm to cancel. */
function convolution(
  seed: number,
  name: string,
  base: string,
  shape: readonly number[],
  attnGain: number,
): Float32Array {
  const fanIn = shape[1] * shape[2] * shape[3];
  let std = filterStd(name, fanIn);
  if (base.endsWith("_query_proj.conv")) std *= 0.3; // attention logits of order one
  if (base.endsWith("_output_proj.conv")) std *= attnGain;
  if (base.includes("input_proj")) std *= 0.2; // small variances, so that the eps of their BatchNorm shows
  const scale = std / (BELL_STD * fanIn);
  const sums = bellSums(seed, name, shape[0] * fanIn);
  const out = new Float32Array(sums.length);
  for (let begin = 0; begin < sums.length; begin += fanIn) {
    const end = begin + fanIn;
    let total = 0;
    for (let i = begin; i < end; i++) total += sums[i];
    // (sum - mean) times fanIn stays a whole number: exact, whatever the order of the additions.
    for (let i = begin; i < end; i++) out[i] = (sums[i] * fanIn - total) * scale;
  }
  return out;
}

/** Depthwise filters [C, 1, kh, kw]: mostly the centre, so that maps keep their detail. */
function depthwise(seed: number, name: string, shape: readonly number[]): Float32Array {
  const [channels, , kh, kw] = shape;
  const taps = kh * kw;
  const scale = (filterStd(name, taps) * 0.5) / BELL_STD;
  const centre = (kh >> 1) * kw + (kw >> 1);
  const sums = bellSums(seed, name, channels * taps);
  const out = new Float32Array(sums.length);
  for (let i = 0; i < sums.length; i++) out[i] = sums[i] * scale + (i % taps === centre ? 1 : 0);
  return out;
}

function linearGain(base: string, shape: readonly number[]): number {
  if (base.includes("enc_score_head")) return 3;
  if (base.includes("dec_score_head")) return 1.5;
  // The last of three layers. Small steps: each pixel that a box moves changes what the next layer samples, and rounding
  // errors would grow about fivefold per layer.
  if (base.includes("dec_bbox_head") && shape[0] === 4) return 0.25;
  return 1;
}

/** Keeps the variance: twice as much in the backbone, where a ReLU6 follows. */
function filterStd(name: string, fanIn: number): number {
  return Math.sqrt((name.includes("layer") || name.includes("conv0") ? 2 : 1) / fanIn);
}
