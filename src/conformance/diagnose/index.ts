/**
 * Guesses at the cause of a difference, each tested against the numbers: known mistakes are planted into the golden computation
 * and compared with what was got, symptoms are looked for in the results. Where one mistake leaves a part unexplained, two are
 * tried together.
 */
import type { Backend } from "../../backend/backend.ts";
import { referenceBackend } from "../../backend/reference/reference.ts";
import { createWasmBackend } from "../../backend/wasm/wasm-backend.ts";
import { numbersOf, numelOf } from "../numbers.ts";
import type { Diagnosis } from "../verdict.ts";
import { ACTIVATION } from "./activation.ts";
import { ATTENTION } from "./attention.ts";
import { BLOCKS } from "./blocks.ts";
import { BOXES } from "./boxes.ts";
import { Budget, type Stop } from "./budget.ts";
import { CONVOLUTION } from "./convolution.ts";
import { DECODER } from "./decoder.ts";
import { DETECTIONS, explainsRows } from "./detections.ts";
import type { Evidence } from "./evidence.ts";
import { LAYOUT, whereOff } from "./layout.ts";
import type { Guess, Mistake, Symptom } from "./mistake.ts";
import { NORMALISATION } from "./normalisation.ts";
import { NUMERIC } from "./numeric.ts";
import { PICTURE } from "./picture.ts";
import { type Problem, problemOf, type Whole } from "./problem.ts";
import { SAMPLING } from "./sampling.ts";
import { TRAFFIC } from "./traffic.ts";
import { explainedBy, isOff, meanOf, positionOf, sameShape, shareOf, type View } from "./view.ts";

export type { Evidence } from "./evidence.ts";

/** Every mistake that is planted, and every symptom that is looked for. */
export const MISTAKES: readonly Mistake[] = [
  ...NORMALISATION,
  ...ACTIVATION,
  ...CONVOLUTION,
  ...ATTENTION,
  ...BLOCKS,
  ...SAMPLING,
  ...DECODER,
  ...PICTURE,
  ...DETECTIONS,
  ...TRAFFIC,
];

/** Every symptom that is looked for. */
export const SYMPTOMS: readonly Symptom[] = [...BOXES, ...NUMERIC, ...LAYOUT];

/** How a diagnosis is made. */
export interface DiagnoseOptions {
  /** Where the golden computation is done again: the reference backend unless said, for stages and networks WASM. */
  readonly backend?: Backend;
  /** The most that is computed, in multiply-adds and elements that go in: it does not depend on the machine. 4e11 unless said. */
  readonly work?: number;
  /** An emergency stop, which no run of the kit should come to: seconds after which no further guess is tried. 3600 unless said. */
  readonly seconds?: number;
  /** The most diagnoses that are given. 5 unless said. */
  readonly most?: number;
}

/** A guess with its result. */
interface Tried {
  readonly names: readonly string[];
  readonly says: readonly string[];
  readonly mends: readonly string[];
  readonly explains: number;
  readonly fitted: number;
}

/** A guess that was planted. */
interface Planted extends Tried {
  readonly guess: Guess;
  /** The mistake's place in the list. */
  readonly place: number;
  readonly predicted: Whole;
  /** The share of the difference that it leaves; above 1 where it makes things worse. */
  readonly leaves: number;
}

/**
 * What a diagnosis may do unless said: 120 runs of the largest detector at 160 x 160, some minutes on one core. One layer or block
 * of the kit takes 2e9 at most, a tensor early in a network 4e10.
 */
const WORK = 4e11;
/** Far beyond what that takes on any machine. */
const SECONDS = 3600;

/** From here on a guess is worth telling. */
const WORTH = 0.5;
/** From here on nothing else need be looked for. */
const ENOUGH = 0.995;
/** Shares unexplained below this are alike: rounding. */
const ROUNDING = 1e-8;

/** The mistakes that would give what was got, the likeliest first. What nothing explains comes as "unknown", with its pattern. */
export function diagnose(evidence: Evidence, options: DiagnoseOptions = {}): Diagnosis[] {
  const { backend = backendFor(evidence), work = WORK, seconds = SECONDS, most = 5 } = options;
  const budget = new Budget(work, seconds);
  const seen = viewOf(evidence);
  if (!differs(seen)) return [];
  const { subject, inputs, parameters, name, output = 0 } = evidence;
  // In a network the first tensor that departs tells of its own module; what spreads from elsewhere is looked for next.
  const scopes = subject.kind === "stage" || subject.kind === "model" ? [true, false] : [false];
  let found: Tried[] = [];
  let shown = seen;
  for (const local of scopes) {
    const problem = problemOf(subject, inputs, parameters, { name, output, local }, backend);
    if (problem === undefined) break;
    try {
      const base = rightOf(problem, seen);
      budget.spend(problem.work);
      if (base === undefined) break;
      shown = { ...seen, right: base.data, positions: undefined };
      // A computation so long that hardly a guess could be tried is left alone.
      if (!budget.allows(8 * problem.work)) break;
      found = [...found, ...planted(shown, problem, budget)];
    } finally {
      problem.dispose();
    }
    if (best(found) >= ENOUGH) break;
  }
  // Pictures' detections are sets: rows that stand at the same place have nothing to do with each other.
  const symptoms = subject.kind === "detect" ? [] : symptomsOf(shown);
  const diagnoses = ranked([...found, ...symptoms], shown, most);
  return budget.stop === undefined || diagnoses.length === 0
    ? diagnoses
    : stopped(diagnoses, budget.stop, { work, seconds });
}

/** Says of a search that it did not come to its end. */
function stopped(
  [first, ...others]: readonly Diagnosis[],
  stop: Stop,
  { work, seconds }: Required<Pick<DiagnoseOptions, "work" | "seconds">>,
): Diagnosis[] {
  const why =
    stop === "time"
      ? `the search was stopped after ${seconds} s: on a faster or idle machine it may say something else`
      : `the search ended at its budget of ${work.toExponential(0)} multiply-adds: not everything was tried`;
  return [{ ...first, because: `${first.because}; ${why}`, stopped: stop }, ...others];
}

/** Every mistake that a computation offers, one at a time; two at once where one leaves something. */
function planted(view: View, problem: Problem, budget: Budget): Tried[] {
  const tried: Planted[] = [];
  for (const { mistake, guess, place } of inTurns(problem)) {
    if (!budget.allows(problem.work)) break;
    const predicted = problem.run([guess.change]);
    budget.spend(predicted === undefined ? problem.idle : problem.work);
    if (predicted === undefined || isAlike(view, predicted)) continue;
    const explains = explainsWhole(view, problem, predicted);
    const one = { names: [mistake.name], says: [guess.says], mends: [mistake.mend], explains, fitted: 0 };
    tried.push({ ...one, guess, place, predicted, leaves: leavesOf(view, predicted) ?? 1 - explains });
  }
  tried.sort((a, b) => a.place - b.place); // stable: a mistake's guesses stay in their order
  const byEffect = [...tried].sort((a, b) => b.explains - a.explains);
  const symptom = best([...symptomsOf(view)].filter(({ fitted }) => fitted === 0));
  const alone = Math.max(best(tried), symptom);
  if (alone < ENOUGH) return [...tried, ...pairs(view, problem, tried, budget)];
  // Nearly all is explained; what is left may still be out of tolerance, then something small comes on top.
  const [first] = byEffect;
  if (symptom > ENOUGH || first === undefined || !leavesSome(view, first.predicted)) return tried;
  return [...tried, ...pairs(view, problem, tried, budget, (2 / 3) * budget.left)];
}

/**
 * The first guess of every mistake, then the second of every one, and so on: the likeliest comes first, and where the budget does
 * not last no mistake is left out. `place` is the mistake's among {@link MISTAKES}.
 */
function* inTurns(problem: Problem): Iterable<{ mistake: Mistake; guess: Guess; place: number }> {
  let waiting = MISTAKES.map((mistake, place) => ({
    mistake,
    place,
    guesses: mistake.guesses(problem)[Symbol.iterator](),
  }));
  while (waiting.length > 0) {
    const more: typeof waiting = [];
    for (const one of waiting) {
      const { done, value } = one.guesses.next();
      if (done) continue;
      more.push(one);
      yield { mistake: one.mistake, guess: value, place: one.place };
    }
    waiting = more;
  }
}

let wasm: Backend | undefined;

/** Networks are too long for the reference backend. One thread: nothing is left running. */
function backendFor({ subject }: Evidence): Backend {
  if (subject.kind !== "stage" && subject.kind !== "model") return referenceBackend;
  wasm ??= createWasmBackend({ threads: 1 });
  return wasm;
}

/** Whether a guess changes nothing here. */
function isAlike(view: View, { data, shape }: Whole): boolean {
  if (shape.join() !== view.shape.join() || data.length !== view.right.length) return false;
  for (let i = 0; i < data.length; i++) if (data[i] !== view.right[i] && !Number.isNaN(data[i])) return false;
  return true;
}

/** Whether what a guess predicts is still out of tolerance somewhere. */
function leavesSome(view: View, { data, shape }: Whole): boolean {
  return differs({ ...view, right: data, shape, positions: undefined });
}

function viewOf({ expected, got, shape, positions, bound, others }: Evidence): View {
  return {
    right: numbersOf(expected),
    got: numbersOf(got),
    gotShape: got.shape,
    shape,
    ...(positions === undefined ? {} : { positions }),
    abs: bound.abs,
    rel: bound.rel,
    ...(others === undefined
      ? {}
      : { others: new Map([...others].map(([key, x]) => [key, { shape: x.shape, data: numbersOf(x) }])) }),
  };
}

function differs(view: View): boolean {
  if (!sameShape(view)) return true;
  for (let i = 0; i < view.right.length; i++) if (isOff(view, i)) return true;
  return false;
}

/** The golden computation done again, if it gives the golden: within a tenth of the difference that is to be explained. */
function rightOf(problem: Problem, view: View): Whole | undefined {
  const base = problem.run([]);
  if (base === undefined || base.data.length !== numelOf(view.shape)) return undefined;
  let own = 0;
  let squares = 0;
  for (let i = 0; i < view.right.length; i++) {
    const x = view.right[i];
    const y = base.data[view.positions === undefined ? i : view.positions[i]];
    if (!Number.isFinite(x) || !Number.isFinite(y)) continue;
    own += (x - y) ** 2;
    squares += x * x;
  }
  if (!sameShape(view)) return own <= 1e-6 * squares ? base : undefined;
  const { difference } = shareOf(view, (_i, x) => x);
  return own <= 0.1 * difference || own <= 1e-12 * squares ? base : undefined;
}

/** How much of the difference a predicted wrong tensor explains. */
function explainsWhole(view: View, problem: Problem | undefined, predicted: Whole): number {
  const got = { shape: view.gotShape, data: view.got };
  if (problem?.form === "detections")
    return explainsRows({ shape: view.shape, data: view.right }, got, predicted);
  if (predicted.shape.join() !== view.gotShape.join()) return 0;
  if (sameShape(view)) {
    return explainedBy(
      shareOf(view, (i) => predicted.data[view.positions === undefined ? i : view.positions[i]]),
    );
  }
  const mean = meanOf(view.got);
  let [difference, residual] = [0, 0];
  for (let i = 0; i < view.got.length; i++) {
    difference += (view.got[i] - mean) ** 2;
    residual += (view.got[i] - predicted.data[i]) ** 2;
  }
  const explains = difference > 0 ? Math.max(0, 1 - residual / difference) : 0;
  return explains > 0.9 ? explains : 0; // two maps of one scene are alike anyway
}

/** What of the difference a predicted tensor leaves, where elements can be compared one by one. */
function leavesOf(view: View, predicted: Whole): number | undefined {
  if (!sameShape(view) || predicted.shape.join() !== view.shape.join()) return undefined;
  const { difference, residual } = shareOf(view, (i) => predicted.data[positionOf(view, i)]);
  return difference > 0 ? residual / difference : undefined;
}

function* symptomsOf(view: View): Iterable<Tried> {
  for (const symptom of SYMPTOMS) {
    for (const { explains, says, fitted = 0 } of symptom.find(view)) {
      if (explains > 0)
        yield { names: [symptom.name], says: [says], mends: [symptom.mend], explains, fitted };
    }
  }
}

const best = (tried: readonly Tried[]): number =>
  tried.reduce((most, { explains }) => Math.max(most, explains), 0);

/** Guesses that others are joined to. */
const SEEDS = 8;
/** What looking for all symptoms costs, an element. */
const LOOKING = 100;

/** A second mistake must leave less than a third of what one leaves. */
const isBetter = (both: number, alone: number): boolean => 1 - both < (1 - alone) / 3;

/** Two at once: the best guesses with every other, and with every symptom of what they leave. */
function pairs(
  view: View,
  problem: Problem,
  guesses: readonly Planted[],
  budget: Budget,
  reserve = 0,
): Tried[] {
  const found: Tried[] = [];
  const seeds = [...guesses].sort((a, b) => b.explains - a.explains).slice(0, SEEDS);
  for (const seed of seeds) {
    if (!budget.allows(LOOKING * view.right.length, reserve)) break;
    budget.spend(LOOKING * view.right.length);
    if (seed.predicted.data.length === view.right.length) {
      const left: View = {
        ...view,
        right: seed.predicted.data,
        positions: undefined,
        shape: seed.predicted.shape,
      };
      for (const { names, says, mends, explains, fitted } of symptomsOf(left)) {
        // A shift on top of a shift is none, but for the edges that it loses: it would explain anything at the edges.
        if (names[0] === "shifted") continue;
        // What is fitted would undo whatever the seed did: only a seed that helps by itself may be joined to it.
        if (fitted > 0 && seed.explains < 0.1) continue;
        const both = 1 - seed.leaves * (1 - explains);
        if (!isBetter(both, seed.explains)) continue;
        found.push({
          names: [...seed.names, ...names],
          says: [...seed.says, ...says],
          mends: [...seed.mends, ...mends],
          explains: both,
          fitted: fitted + 1,
        });
      }
    }
  }
  for (const seed of seeds) {
    for (const other of guesses) {
      if (other.names[0] === seed.names[0]) continue;
      if (!budget.allows(problem.work, reserve)) return found;
      const predicted = problem.run([seed.guess.change, other.guess.change]);
      budget.spend(predicted === undefined ? problem.idle : problem.work);
      if (predicted === undefined) continue;
      const explains = explainsWhole(view, problem, predicted);
      if (!isBetter(explains, Math.max(seed.explains, other.explains))) continue;
      found.push({
        names: [...seed.names, ...other.names],
        says: [...seed.says, ...other.says],
        mends: [...seed.mends, ...other.mends],
        explains,
        fitted: 1,
      });
    }
    if (best(found) > ENOUGH) break;
  }
  return found;
}

/** Lower is better: the order of magnitude of what is left, and one for each thing that was fitted. */
const rank = ({ explains, fitted }: Tried): number => Math.log10(Math.max(ROUNDING, 1 - explains)) + fitted;

function ranked(tried: readonly Tried[], view: View, most: number): Diagnosis[] {
  const order = tried.filter(({ explains }) => explains >= WORTH).sort((a, b) => rank(a) - rank(b));
  const out: Diagnosis[] = [];
  const [first] = order;
  for (const one of order) {
    // Ten times worse than the best is no explanation beside it.
    if (rank(one) > rank(first) + 0.99) break;
    one.names.forEach((mistake, i) => {
      if (out.length >= most || out.some((other) => other.mistake === mistake)) return;
      const others = one.says.filter((_, j) => j !== i);
      const together = others.length === 0 ? "" : `, together with this: ${others.join("; ")}`;
      const because = `${one.says[i]}${together}: this explains ${percent(one.explains)} of the difference`;
      out.push({ mistake, because, mend: one.mends[i], explains: one.explains });
    });
  }
  if (first === undefined || first.explains < 0.9) {
    const because = `no known mistake gives these numbers: ${whereOff(view)}`;
    const mend = "Compare this layer's inputs and parameters with the golden's, then its formula.";
    out.push({ mistake: "unknown", because, mend, explains: 0 });
  }
  return out;
}

/** "99.98 %". */
function percent(share: number): string {
  if (share >= 1 - 1e-6) return "all";
  return `${(100 * share).toFixed(share > 0.999 ? 4 : share > 0.9 ? 2 : 0)} %`;
}
