/** A run's verdict for a terminal: failures with their causes, then the counts. Plain text; colours are the command's affair. */
import type { CaseVerdict, RunVerdict } from "../verdict.ts";
import {
  countsOf,
  countsText,
  divergenceLines,
  isBad,
  LEVEL_NAMES,
  ranNone,
  STATUSES,
  secondsText,
  summarise,
} from "./summary.ts";

/** How much is written. */
export interface TextOptions {
  /** The longest line, in characters. 100 unless said; Infinity: nothing is wrapped. */
  readonly width?: number;
  /** At most so many failures are told in full. 20 unless said. */
  readonly most?: number;
}

/** The verdict as lines of text, with a newline at the end. */
export function reportText(run: RunVerdict, options: TextOptions = {}): string {
  const { width = 100, most = 20 } = options;
  const bad = run.cases.filter(({ status }) => isBad(status)).sort((a, b) => a.level - b.level);
  const lines: string[] = [];
  for (const one of bad.slice(0, most)) lines.push(...caseLines(one, width), "");
  if (bad.length > most) {
    lines.push(
      `... and ${bad.length - most} more: ${bad
        .slice(most, most + 5)
        .map(({ id }) => id)
        .join(", ")}, ...`,
      "",
    );
  }
  lines.push(`${run.runtime} on kit ${run.kit}, ${secondsText(run.seconds)}`, "");
  lines.push(...table(run));
  const verdict = bad.length > 0 ? "does not conform" : ranNone(run.cases) ? "no cases were run" : "conforms";
  lines.push("", ...wrap(`${verdict}: ${countsText(countsOf(run.cases))}`, width, "", "  "));
  return `${lines.join("\n")}\n`;
}

function caseLines(one: CaseVerdict, width: number): string[] {
  const lines = [...wrap(`${one.status.toUpperCase()} ${one.id}: ${one.title}`, width, "", "  ")];
  for (const line of divergenceLines(one)) lines.push(...wrap(line, width, "  ", "    "));
  const found = one.firstDivergence?.diagnoses ?? [];
  found.forEach(({ mistake, because, mend }, i) => {
    const cause = mistake === "unknown" ? "cause unknown" : `${i === 0 ? "probably" : "or"} ${mistake}`;
    lines.push(...wrap(`${cause}: ${because}`, width, "  ", "    "));
    lines.push(...wrap(`mend: ${mend}`, width, "    ", "    "));
  });
  return lines;
}

function table({ cases }: RunVerdict): string[] {
  const summaries = summarise(cases);
  const shown = STATUSES.filter((status) => cases.some((one) => one.status === status));
  const head = ["level", "", "cases", ...shown, "time"];
  const rows = summaries.map(({ level, total, counts, seconds }) => [
    `L${level}`,
    LEVEL_NAMES[level],
    String(total),
    ...shown.map((status) => (counts[status] === 0 ? "-" : String(counts[status]))),
    secondsText(seconds),
  ]);
  const widths = head.map((cell, i) => Math.max(cell.length, ...rows.map((row) => row[i].length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => (i < 2 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])))
      .join("  ")
      .trimEnd();
  return [line(head), ...rows.map(line)];
}

/** Breaks lines at spaces; a word longer than a line stays whole. A text's own lines stay lines, behind the first as they are. */
function wrap(text: string, width: number, first: string, next: string): string[] {
  const [head, ...rest] = text.split("\n");
  return [...wrapLine(head, width, first, next), ...rest.map((line) => `${next}${line}`)];
}

function wrapLine(text: string, width: number, first: string, next: string): string[] {
  const lines: string[] = [];
  let line = first;
  let empty = true;
  for (const word of text.split(/\s+/)) {
    if (!empty && line.length + 1 + word.length > width) {
      lines.push(line);
      line = next;
      empty = true;
    }
    line += empty ? word : ` ${word}`;
    empty = false;
  }
  return [...lines, line];
}
