/** A run's verdict as JSON, and back. JSON has no infinities and no NaN: they stand as the strings "Infinity", "-Infinity", "NaN". */
import { fail } from "../../errors.ts";
import type { RunVerdict } from "../verdict.ts";

/** The numbers of metrics: the only ones that may be no JSON numbers. */
const METRICS = new Set(["maxAbs", "maxRel", "maxUlp", "cosine", "snr", "explains"]);

/** The verdict as JSON text, indented by two spaces, with a newline at the end. */
export function reportJson(run: RunVerdict): string {
  const text = JSON.stringify(
    run,
    (_key, value: unknown) => (typeof value === "number" && !Number.isFinite(value) ? String(value) : value),
    2,
  );
  return `${text}\n`;
}

/** A verdict from {@link reportJson}'s text. Throws `format` for what is none. */
export function parseJsonReport(text: string, where = "report"): RunVerdict {
  let run: unknown;
  try {
    run = JSON.parse(text, (key, value: unknown) =>
      METRICS.has(key) && typeof value === "string" ? Number(value) : value,
    );
  } catch (error) {
    return fail("format", where, "JSON", error instanceof Error ? error.message : String(error));
  }
  const { format, cases } = (run ?? {}) as Partial<RunVerdict>;
  if (format !== 1 || !Array.isArray(cases)) {
    fail("format", where, "a verdict of format 1", `format ${JSON.stringify(format)}`);
  }
  return run as RunVerdict;
}
