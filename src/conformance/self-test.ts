/**
 * The kit tried on itself: every correct runtime must be accepted in every case, and every planted mistake rejected in the cases
 * that can show it, with the diagnosis that names it first.
 */
import { OUR_PATHS, type OurPath, openOurRuntime } from "./adapters/ours.ts";
import type { Kit } from "./kit.ts";
import { PLANTS, type Plant } from "./plants/index.ts";
import { isClean, runSession, type SessionOptions } from "./session.ts";
import type { RunVerdict } from "./verdict.ts";

/** A correct runtime on the kit. */
export interface AcceptanceResult {
  readonly kind: "accepted";
  readonly name: OurPath;
  readonly passed: boolean;
  /** Ids of cases that were rejected, and of those that it cannot do. */
  readonly rejected: readonly string[];
  readonly unsupported: readonly string[];
  readonly seconds: number;
  readonly run: RunVerdict;
}

/** A planted mistake in one case. */
export interface PlantResult {
  readonly kind: "planted";
  readonly plant: Plant;
  readonly id: string;
  /** The case rejects it, and the first diagnosis names it. */
  readonly passed: boolean;
  readonly rejected: boolean;
  /** The first diagnosis; undefined where there is none. */
  readonly diagnosis?: string;
  readonly seconds: number;
}

/** Options of {@link selfTest}. */
export interface SelfTestOptions extends Pick<SessionOptions, "levels" | "patterns" | "signal"> {
  /** Correct runtimes; all four unless said. */
  readonly paths?: readonly OurPath[];
  /** Planted mistakes; all unless said. */
  readonly plants?: readonly Plant[];
  /** Told of each result. */
  readonly onResult?: (result: AcceptanceResult | PlantResult) => void;
}

/** Runs the self-test; the results in order. Filters choose the cases of the correct runtimes, and which plants' cases are run. */
export async function selfTest(
  kit: Kit,
  options: SelfTestOptions = {},
): Promise<(AcceptanceResult | PlantResult)[]> {
  const results: (AcceptanceResult | PlantResult)[] = [];
  const put = (result: AcceptanceResult | PlantResult): void => {
    results.push(result);
    options.onResult?.(result);
  };
  for (const path of options.paths ?? OUR_PATHS) {
    if (options.signal?.aborted) return results;
    put(await accept(kit, path, options));
  }
  const chosen = new Set(kit.cases(options).map(({ id }) => id));
  for (const plant of options.plants ?? PLANTS) {
    if (options.signal?.aborted) return results;
    const ids = kit.cases({ patterns: plant.cases }).map(({ id }) => id);
    const patterns = ids.filter((id) => chosen.has(id));
    if (patterns.length === 0) continue;
    for (const result of await reject(kit, plant, patterns)) put(result);
  }
  return results;
}

async function accept(kit: Kit, path: OurPath, options: SelfTestOptions): Promise<AcceptanceResult> {
  const runtime = openOurRuntime(path);
  try {
    const { levels, patterns, signal } = options;
    const run = await runSession(kit, runtime, { levels, patterns, signal });
    const ids = (status: string): string[] =>
      run.cases.filter((verdict) => verdict.status === status).map(({ id }) => id);
    const rejected = [...ids("failed"), ...ids("error")];
    const unsupported = ids("unsupported");
    return {
      kind: "accepted",
      name: path,
      passed: isClean(run),
      rejected,
      unsupported,
      seconds: run.seconds,
      run,
    };
  } finally {
    await runtime.close();
  }
}

async function reject(kit: Kit, plant: Plant, patterns: readonly string[]): Promise<PlantResult[]> {
  const runtime = plant.open();
  try {
    const run = await runSession(kit, runtime, { patterns });
    return run.cases.map(({ id, status, firstDivergence, seconds }): PlantResult => {
      const diagnosis = firstDivergence?.diagnoses[0]?.mistake;
      const rejected = status === "failed";
      const passed = rejected && diagnosis !== undefined && plant.mistakes.includes(diagnosis);
      return { kind: "planted", plant, id, passed, rejected, diagnosis, seconds };
    });
  } finally {
    await runtime.close();
  }
}
