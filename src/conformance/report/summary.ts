/** What every report says, in one place: counts, the order of failures, numbers and sentences. */
import type { Level } from "../manifest.ts";
import type { CaseVerdict, Metrics, RunVerdict, TensorVerdict } from "../verdict.ts";

/** A case's status. */
export type CaseStatus = CaseVerdict["status"];

/** What levels are called. */
export const LEVEL_NAMES: Readonly<Record<Level, string>> = {
  0: "operators",
  1: "layers and blocks",
  2: "stages",
  3: "backbones and detectors",
  4: "pictures and boxes",
  5: "detections and AP",
};

/** The statuses, the worst first. */
export const STATUSES: readonly CaseStatus[] = [
  "error",
  "failed",
  "unexpected-pass",
  "expected-failure",
  "unsupported",
  "passed",
];

/** How many cases of one level have each status. */
export interface LevelSummary {
  readonly level: Level;
  readonly total: number;
  readonly counts: Readonly<Record<CaseStatus, number>>;
  readonly seconds: number;
}

/** One summary for each level that has cases. */
export function summarise(cases: readonly CaseVerdict[]): LevelSummary[] {
  const levels = [...new Set(cases.map(({ level }) => level))].sort((a, b) => a - b);
  return levels.map((level) => {
    const own = cases.filter((one) => one.level === level);
    return {
      level,
      total: own.length,
      counts: countsOf(own),
      seconds: own.reduce((sum, c) => sum + c.seconds, 0),
    };
  });
}

/** How many cases have each status. */
export function countsOf(cases: readonly CaseVerdict[]): Record<CaseStatus, number> {
  const counts = Object.fromEntries(STATUSES.map((status) => [status, 0])) as Record<CaseStatus, number>;
  for (const { status } of cases) counts[status]++;
  return counts;
}

/** Whether a status ought to be looked at. */
export function isBad(status: CaseStatus): boolean {
  return status === "failed" || status === "error" || status === "unexpected-pass";
}

/** Whether the runtime could do nothing of what was asked for: then it neither conforms nor fails. */
export function ranNone(cases: readonly CaseVerdict[]): boolean {
  return cases.every(({ status }) => status === "unsupported");
}

/** "3 failed, 1 error, 2 unsupported, 272 passed". */
export function countsText(counts: Readonly<Record<CaseStatus, number>>): string {
  const parts = STATUSES.filter((status) => counts[status] > 0).map(
    (status) => `${counts[status]} ${status}`,
  );
  return parts.join(", ") || "no cases";
}

/** The case to look at first: the lowest level that fails, in the kit's order; what is wrong there spoils the rest. */
export function firstFailure({ cases }: RunVerdict): CaseVerdict | undefined {
  const failed = cases.filter(({ status }) => isBad(status));
  return [...failed].sort((a, b) => a.level - b.level || cases.indexOf(a) - cases.indexOf(b))[0];
}

/** Three digits: "0", "1.23e-7", "0.0123", "inf", "NaN". */
export function numberText(x: number | undefined): string {
  if (x === undefined) return "";
  if (Number.isNaN(x)) return "NaN";
  if (!Number.isFinite(x)) return x > 0 ? "inf" : "-inf";
  if (x === 0) return "0";
  const size = Math.abs(x);
  return size >= 1e-3 && size < 1e5
    ? String(Number(x.toPrecision(3)))
    : x.toExponential(2).replace("e+", "e");
}

/** "0.02 %": a share that is not 0 never reads as 0. */
export function shareText(share: number): string {
  if (share === 0) return "0";
  return `${numberText(100 * share)} %`;
}

/** "dB". */
export function decibelText(snr: number): string {
  return Number.isFinite(snr) ? `${snr.toFixed(1)} dB` : numberText(snr);
}

/** "0.42 s", "3 min 12 s". */
export function secondsText(seconds: number): string {
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(2) : seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

/** The error relative to the golden's size, from the signal-to-noise ratio: 0 where nothing differs, Infinity where all is broken. */
export function relativeError({ snr, nonFinite }: Metrics): number {
  if (nonFinite > 0) return Number.POSITIVE_INFINITY;
  return 10 ** (-snr / 20);
}

/** Whether a tensor is not as it should be. */
export function isOutside({ status }: TensorVerdict): boolean {
  return status === "outside" || status === "missing" || status === "shape";
}

/** What is said of the tensor at which a case departs, line by line: where, culprit or victim, what the numbers are. */
export function divergenceLines(one: CaseVerdict): string[] {
  const found = one.firstDivergence;
  const lines = one.message === undefined ? [] : [one.message];
  if (found === undefined) {
    const bad = one.tensors.filter(isOutside);
    return [...lines, ...bad.slice(0, 5).map((tensor) => `${tensor.name}: ${tensorText(tensor)}`)];
  }
  const verdict =
    one.tensors.find(({ name, mode }) => name === found.name && mode === "chained") ?? found.forced;
  lines.push(`first divergence: ${found.name}${verdict === undefined ? "" : `: ${tensorText(verdict)}`}`);
  if (found.culprit !== undefined) {
    const { name, kind, forced } = found.culprit;
    lines.push(
      `culprit: ${name} (${kind}) departs although it was fed with the golden's input: ${tensorText(forced)}`,
    );
    lines.push(
      found.name.startsWith(`${name}.`)
        ? `${found.name} is a part of it`
        : `victim: ${found.name}, which has the culprit's error in its input`,
    );
  } else if (found.forced !== undefined) {
    lines.push(
      isOutside(found.forced)
        ? `culprit: it departs although it was fed with the golden's input: ${tensorText(found.forced)}`
        : `${earlierAreRight(one) ? "by itself" : "victim"}: fed with the golden's input it is right; ${
            earlierAreRight(one)
              ? "and what comes before it is within tolerance: within the network it has other settings or weights than by itself, or small errors add up"
              : "what comes before it is not"
          }`,
    );
  }
  if (found.unforced !== undefined) lines.push(`modules were not run by themselves: ${found.unforced}`);
  if (verdict?.conditioning !== undefined) lines.push(`ill-conditioned: ${verdict.conditioning}`);
  return lines;
}

/** "outside, max abs 0.12, snr 12.3 dB, 4 % out of tolerance; worst at ...". */
export function tensorText({ status, metrics, note }: TensorVerdict): string {
  const numbers =
    metrics === undefined || status === "missing" || status === "shape"
      ? ""
      : `, max abs ${numberText(metrics.maxAbs)}, ${decibelText(metrics.snr)}, ${shareText(metrics.outside)} out of tolerance`;
  return `${status}${numbers}${note === undefined ? "" : `; ${note}`}`;
}

/** Whether every tensor made before the first divergence is within tolerance. */
function earlierAreRight({ tensors, firstDivergence }: CaseVerdict): boolean {
  const at = tensors.findIndex(({ name }) => name === firstDivergence?.name);
  return at >= 0 && !tensors.slice(0, at).some(isOutside);
}
