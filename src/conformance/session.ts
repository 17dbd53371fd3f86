/**
 * Runs cases on a runtime and judges what it gives: chained, each tensor made from the runtime's own earlier ones; and, where a
 * tensor is outside, forced, each module by itself fed with goldens (`forced.ts`), so that the culprit is told from its victims.
 * How tensors are compared is in `compare.ts`, guesses at causes in `diagnose/`, how it is shown in `report/`.
 */
import { MobileDetrError, messageOf } from "../errors.ts";
import { isComputed, withAveragePrecision } from "./average-precision.ts";
import { boundOf, type CompareContext, compareTensors, positionsOf, rankedBy } from "./compare.ts";
import { diagnose } from "./diagnose/index.ts";
import { Expectations, type ExpectedFailure } from "./expected-failures.ts";
import { canForce, type ForcedModule, GoldenRun, goesByQuery, innerRule, moduleText } from "./forced.ts";
import type { HostTensor, HostTensors } from "./host-tensor.ts";
import type { CaseFilter, CaseSummary, Kit, LoadedCase } from "./kit.ts";
import { numelOf } from "./numbers.ts";
import type { RunRequest, Runtime } from "./runtime.ts";
import { queryOrder } from "./sets.ts";
import type { CaseVerdict, Diagnosis, RunVerdict, TensorVerdict } from "./verdict.ts";

/** The format of a run's verdict. */
export const VERDICT_FORMAT = 1;

/** When modules are run by themselves: at the first divergence, always all of them, or never. */
export type ForcedMode = "auto" | "always" | "never";

/** Options of {@link runSession}. */
export interface SessionOptions extends CaseFilter {
  /** "auto" unless said. */
  readonly forced?: ForcedMode;
  /** Failures that are no news. */
  readonly expectedFailures?: readonly ExpectedFailure[];
  /** The day for their expiry, YYYY-MM-DD; today, in UTC, unless said. */
  readonly today?: string;
  /** Told before each case. */
  readonly onCase?: (summary: CaseSummary, index: number, total: number) => void;
  /** Told after each case. */
  readonly onVerdict?: (verdict: CaseVerdict) => void;
  /** Ends the run after the case at hand. */
  readonly signal?: { readonly aborted: boolean };
}

/** Runs the kit's cases that fit on a runtime, one after another. Does not close it. Rejects as `Kit.read`. */
export async function runSession(
  kit: Kit,
  runtime: Runtime,
  options: SessionOptions = {},
): Promise<RunVerdict> {
  const started = new Date();
  const start = performance.now();
  const summaries = kit.cases(options);
  const cases: CaseVerdict[] = [];
  for (const [i, summary] of summaries.entries()) {
    if (options.signal?.aborted) break;
    options.onCase?.(summary, i, summaries.length);
    const verdict = await runCase(await kit.read(summary.id), runtime, options);
    cases.push(verdict);
    options.onVerdict?.(verdict);
  }
  return {
    format: VERDICT_FORMAT,
    runtime: runtime.name,
    kit: kit.version,
    started: started.toISOString(),
    seconds: (performance.now() - start) / 1000,
    cases,
  };
}

/** Whether a run has nothing that ought to be looked at: no failures, errors, or passes that were not expected. */
export function isClean({ cases }: RunVerdict): boolean {
  return cases.every(
    ({ status }) => status !== "failed" && status !== "error" && status !== "unexpected-pass",
  );
}

const BAD: readonly TensorVerdict["status"][] = ["outside", "missing", "shape"];

function isBad({ status }: TensorVerdict): boolean {
  return BAD.includes(status);
}

/** Runs one case and judges it. */
export async function runCase(
  loaded: LoadedCase,
  runtime: Runtime,
  options: SessionOptions = {},
): Promise<CaseVerdict> {
  const { manifest, inputs, parameters, expected, doubles } = loaded;
  const { id, level, title, subject } = manifest;
  const today = options.today ?? new Date().toISOString().slice(0, 10);
  const expectations = new Expectations(options.expectedFailures ?? [], id, today);
  const start = performance.now();
  const base = { id, level, title, tensors: [] };
  const request: RunRequest = {
    id,
    subject,
    inputs,
    parameters,
    outputs: manifest.outputs.filter((output) => !isComputed(subject, output)).map(({ name }) => name),
  };
  const response = await runtime.run(request);
  const seconds = (performance.now() - start) / 1000;
  if (response.status === "unsupported") {
    return { ...base, status: "unsupported", message: response.message, seconds };
  }
  if (response.status === "failed") {
    const reason = expectations.reason();
    if (reason !== undefined) {
      return { ...base, status: "expected-failure", message: `${reason}: ${response.message}`, seconds };
    }
    const message = [response.message, expectations.expired].filter(Boolean).join("; ");
    return { ...base, status: "error", message, seconds };
  }
  const got = withAveragePrecision(loaded, response.outputs);
  const order = orderOf(expected, got);
  const contextOf = (name: string): CompareContext => ({
    mode: "chained",
    rule: innerRule(loaded.output(name)),
    double: doubles.get(name),
    ranked: rankedBy(subject, inputs),
    conf: "conf" in subject ? subject.conf : undefined,
    order: goesByQuery(name) ? order : undefined,
    expectedFailure: expectations.reason(name),
  });
  const tensors: TensorVerdict[] = [];
  for (const tensor of manifest.outputs) {
    if (!tensor.required && !got.has(tensor.name)) continue;
    const golden = goldenOf(loaded, tensor.name);
    tensors.push(compareTensors(tensor, golden, got.get(tensor.name), contextOf(tensor.name)));
  }
  const first = tensors.find((verdict) => verdict.status === "outside" || verdict.status === "shape");
  const forced = options.forced ?? "auto";
  const investigation =
    (first && forced !== "never") || forced === "always"
      ? await investigate(loaded, runtime, tensors, forced)
      : undefined;
  const all = [...tensors, ...(investigation?.forced ?? [])];
  const status = statusOf(all, expectations);
  const message = status === "failed" ? expectations.expired : undefined;
  const divergence = first && divergenceOf(loaded, first, tensors, got, contextOf(first.name), investigation);
  const culprit = investigation?.culprit;
  return {
    id,
    level,
    title,
    status,
    ...(message === undefined ? {} : { message }),
    tensors: forced === "always" ? all : tensors,
    ...(divergence ? { firstDivergence: divergence } : {}),
    // Forced mode alone found it: rounding hid it from the chain.
    ...(!divergence && culprit
      ? { firstDivergence: { name: culprit.module.path, ...culpritPart(culprit) } }
      : {}),
    seconds: response.seconds,
  };
}

function goldenOf({ expected }: LoadedCase, name: string): HostTensor {
  const golden = expected.get(name);
  if (!golden) throw new Error(`${name}: a golden that the manifest names and the kit lacks`);
  return golden;
}

/** Where each of the golden's queries is among the run's, where both tell which they chose. */
function orderOf(expected: HostTensors, got: HostTensors): ArrayLike<number> | undefined {
  const [golden, run] = [expected.get("index"), got.get("index")];
  if (!golden || !run || golden.data.length !== run.data.length) return undefined;
  const numbers = ({ data }: HostTensor): number[] => Array.from<number | bigint, number>(data, Number);
  return queryOrder(numbers(golden), numbers(run));
}

function statusOf(tensors: readonly TensorVerdict[], expectations: Expectations): CaseVerdict["status"] {
  if (tensors.some(isBad)) return "failed";
  if (tensors.some(({ status }) => status === "expected-failure")) return "expected-failure";
  return expectations.any ? "unexpected-pass" : "passed";
}

/** A module that departs although it was fed with goldens. */
interface Culprit {
  readonly module: ForcedModule;
  readonly verdict: TensorVerdict;
  readonly got: HostTensor;
}

/** What forced mode found. */
interface Investigation {
  readonly forced: readonly TensorVerdict[];
  readonly culprit?: Culprit;
  /** Why there is nothing. */
  readonly unforced?: string;
}

/** At most so many modules are asked for by themselves at a divergence. */
const MAX_FORCED = 64;
/** After so many that were not answered in time no more are asked for. */
const MAX_LATE = 2;
/** A wrong tensor so many times as large as the golden is not looked into: its shape says enough. */
const MOST_TIMES = 16;

/**
 * Runs modules by themselves: all of them, or, from the first tensor that is outside on, until one departs. Where the runtime
 * gave no inner tensors, whole blocks are asked for first and then what is in the one that departs.
 */
async function investigate(
  loaded: LoadedCase,
  runtime: Runtime,
  tensors: readonly TensorVerdict[],
  mode: ForcedMode,
): Promise<Investigation> {
  const { subject } = loaded.manifest;
  if (!canForce(subject)) return { forced: [] };
  let golden: GoldenRun;
  try {
    golden = new GoldenRun(loaded);
  } catch (error) {
    if (!(error instanceof MobileDetrError)) throw error;
    return { forced: [], unforced: messageOf(error) };
  }
  const asked = new Map<string, Asked>();
  let late = 0;
  const ask = async (path: string): Promise<Asked> => {
    const known = asked.get(path);
    if (known) return known;
    const answer = late >= MAX_LATE ? {} : await askFor(golden, path, runtime);
    if (answer.late) late++;
    asked.set(path, answer);
    return answer;
  };
  let unforced: string | undefined;
  /** The first of these that departs, or something within it that does. */
  const search = async (paths: readonly string[]): Promise<Culprit | undefined> => {
    for (const path of paths) {
      if ((asked.size >= MAX_FORCED && mode === "auto") || late >= MAX_LATE) return undefined;
      const { culprit, unsupported } = await ask(path);
      unforced ??= unsupported;
      if (culprit) return (await search(childrenOf(golden.paths, path))) ?? culprit;
    }
    return undefined;
  };
  let culprit: Culprit | undefined;
  if (mode === "always") {
    for (const path of golden.paths) {
      const answer = await ask(path);
      culprit ??= answer.culprit;
      unforced ??= answer.unsupported;
    }
  } else culprit = await search(suspects(golden.paths, tensors));
  const forced = [...asked.values()].flatMap(({ verdict }) => (verdict ? [verdict] : []));
  return { forced, culprit, ...(forced.length === 0 && unforced ? { unforced } : {}) };
}

/** Modules to ask for, in order: those of the tensors from the first outside on; the outermost blocks where none is known. */
function suspects(paths: readonly string[], tensors: readonly TensorVerdict[]): string[] {
  const bad = new Set(tensors.filter(isBad).map(({ name }) => name));
  const known = paths.filter((path) => bad.has(path) || bad.has(`${path}.0`));
  return known.length > 0
    ? known
    : paths.filter((path) => !paths.some((outer) => path.startsWith(`${outer}.`)));
}

/** The modules right below one, among those that can be run. */
function childrenOf(paths: readonly string[], path: string): string[] {
  const inner = paths.filter((other) => other.startsWith(`${path}.`));
  return inner.filter((other) => !inner.some((between) => other.startsWith(`${between}.`)));
}

interface Asked {
  /** It was not answered in time. */
  readonly late?: boolean;
  readonly verdict?: TensorVerdict;
  readonly culprit?: Culprit;
  readonly unsupported?: string;
}

async function askFor(golden: GoldenRun, path: string, runtime: Runtime): Promise<Asked> {
  const module = golden.module(path);
  if (!module) return {};
  const response = await runtime.run(module.request);
  if (response.status !== "done") {
    const late = response.status === "failed" && response.late === true;
    return { unsupported: `${module.kind}: ${response.message}`, late };
  }
  const got = response.outputs.get("output") ?? response.outputs.get("output.0");
  const verdict = compareTensors(module.expected, module.golden, got, module.context);
  return got && isBad(verdict) ? { verdict, culprit: { module, verdict, got } } : { verdict };
}

function culpritPart({ module, verdict, got }: Culprit): {
  culprit: { name: string; kind: string; forced: TensorVerdict };
  diagnoses: readonly Diagnosis[];
} {
  const { request, expected, golden, whole, context } = module;
  const part = { name: module.path, kind: module.kind, forced: verdict };
  if (got.data.length > MOST_TIMES * Math.max(numelOf(expected.shape), 64))
    return { culprit: part, diagnoses: [] };
  const diagnoses = diagnose({
    subject: request.subject,
    name: "output",
    inputs: request.inputs,
    parameters: request.parameters,
    expected: whole, // samples may miss what is wrong
    shape: expected.shape,
    got,
    bound: boundOf(expected, golden, context),
    mode: "forced",
  });
  return { culprit: part, diagnoses };
}

/** The first tensor that is outside, what forced mode says of it, and guesses at the cause. */
function divergenceOf(
  loaded: LoadedCase,
  first: TensorVerdict,
  tensors: readonly TensorVerdict[],
  got: HostTensors,
  context: CompareContext,
  investigation: Investigation | undefined,
): CaseVerdict["firstDivergence"] {
  const { name } = first;
  const forced = investigation?.forced.find((verdict) => verdict.name === name);
  const culprit = investigation?.culprit;
  const parts = {
    name,
    ...(forced ? { forced } : {}),
    ...(investigation?.unforced ? { unforced: investigation.unforced } : {}),
  };
  if (culprit) {
    const { culprit: found, diagnoses } = culpritPart(culprit);
    return culprit.verdict.name === name ? { ...parts, diagnoses } : { ...parts, culprit: found, diagnoses };
  }
  const { manifest } = loaded;
  // Nothing inside departs by itself: what is wrong is the case's own computation, which had golden inputs.
  const results = tensors.filter((verdict) => isBad(verdict) && loaded.output(verdict.name).required);
  const whole = forced && manifest.subject.kind !== "model" ? results[0] : undefined;
  const suspect = whole ?? first;
  const diagnoses = diagnoseTensor(loaded, suspect.name, tensors, got, context);
  if (!whole || whole.name === name) return { ...parts, diagnoses };
  const { subject } = manifest;
  const kind = subject.kind === "module" ? moduleText(subject) : subject.kind;
  return { ...parts, culprit: { name: whole.name, kind, forced: { ...whole, mode: "forced" } }, diagnoses };
}

/** Guesses at what is wrong with a tensor of the case itself. */
function diagnoseTensor(
  loaded: LoadedCase,
  name: string,
  tensors: readonly TensorVerdict[],
  got: HostTensors,
  context: CompareContext,
): Diagnosis[] {
  const wrong = got.get(name);
  if (!wrong) return [];
  const { manifest, inputs, parameters } = loaded;
  const expected = loaded.output(name);
  if (isComputed(manifest.subject, expected)) return []; // what is wrong is in the detections
  if (wrong.data.length > MOST_TIMES * Math.max(numelOf(expected.shape), 64)) return [];
  const golden = goldenOf(loaded, name);
  // The whole case's own result: it had golden inputs. A tensor on the way had whatever came before.
  const own = expected.required && manifest.subject.kind !== "model";
  const right = new Set(tensors.filter((verdict) => !isBad(verdict)).map((verdict) => verdict.name));
  return diagnose({
    subject: manifest.subject,
    name,
    output: manifest.outputs.filter(({ required }) => required).findIndex((output) => output.name === name),
    inputs,
    parameters,
    expected: golden,
    shape: expected.shape,
    positions: positionsOf(expected, context.order),
    got: wrong,
    bound: boundOf(expected, golden, context),
    mode: own ? "forced" : "chained",
    others: new Map([...got].filter(([other]) => right.has(other))),
  });
}
