/**
 * Tables that put several measurements side by side: how cost grows with the size of the input, and what more threads
 * bring. Their ratios are of medians of different processes, not of the same rounds as those of the main table.
 */
import type { Measured } from "./measure.ts";
import type { Finding } from "./report.ts";
import { spreadOf } from "./statistics.ts";

/** One contender in one measurement. */
interface Entry {
  readonly finding: Finding;
  readonly one: Measured;
}

const medianMs = ({ one }: Entry): number => spreadOf(one.runs.map((run) => run.ms)).median;

/** Without the comma that parts it from its version. */
const nameOf = ({ name }: Measured): string => name.replace(/,$/, "");

/** Entries of one contender that differ in nothing but what `key` leaves out, in the order in which they were found. */
function groups(findings: readonly Finding[], key: (finding: Finding) => string): Entry[][] {
  const found = new Map<string, Entry[]>();
  for (const finding of findings) {
    for (const one of finding.measured) {
      const name = `${key(finding)} ${one.contender}`;
      const group = found.get(name) ?? [];
      group.push({ finding, one });
      found.set(name, group);
    }
  }
  return [...found.values()];
}

function markdown(columns: readonly string[], left: number, rows: readonly (readonly string[])[]): string {
  return [columns, columns.map((_, i) => (i < left ? "---" : "---:")), ...rows]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n");
}

/** Time, time by megapixel and memory by size; empty where no network was measured at several. */
export function growth(findings: readonly Finding[]): string {
  const several = groups(findings, ({ model, threads, engine }) => `${model} ${threads} ${engine}`).filter(
    (group) => group.length > 1,
  );
  if (several.length === 0) return "";
  const rows = several.flatMap((group) => {
    const bySize = [...group].sort((a, b) => a.finding.size[0] - b.finding.size[0]);
    const first = medianMs(bySize[0]);
    return bySize.map((entry) => {
      const { finding, one } = entry;
      const ms = medianMs(entry);
      const megapixels = (finding.size[0] * finding.size[1]) / 1e6;
      return [
        finding.model,
        String(finding.threads),
        nameOf(one),
        one.runtime,
        String(finding.size[0]),
        ms.toFixed(0),
        (ms / first).toFixed(2),
        (ms / megapixels).toFixed(0),
        `${(one.peakRssBytes / 2 ** 20).toFixed(0)} MiB`,
      ];
    });
  });
  const columns = [
    "model",
    "threads",
    "contender",
    "runtime",
    "size",
    "ms",
    "over the least",
    "ms/megapixel",
    "peak RSS",
  ];
  return `How cost grows with size.\n\n${markdown(columns, 4, rows)}`;
}

/** The time of the fewest threads over that of each other number; empty where no network was measured with several. */
export function threading(findings: readonly Finding[]): string {
  const several = groups(findings, ({ model, size, engine }) => `${model} ${size[0]} ${engine}`).filter(
    (group) => group.length > 1,
  );
  if (several.length === 0) return "";
  const rows = several.flatMap((group) => {
    const [fewest, ...more] = [...group].sort((a, b) => a.finding.threads - b.finding.threads);
    return more.map((entry) => [
      entry.finding.model,
      String(entry.finding.size[0]),
      nameOf(entry.one),
      entry.one.runtime,
      `${entry.finding.threads} over ${fewest.finding.threads}`,
      (medianMs(fewest) / medianMs(entry)).toFixed(2),
    ]);
  });
  return `What threads bring.\n\n${markdown(["model", "size", "contender", "runtime", "threads", "faster"], 5, rows)}`;
}
