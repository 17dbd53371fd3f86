/** Guesses why a state dict does not fit, from the pattern of names and shapes alone; says nothing where none tells. */
import type { AnyModule } from "./module.ts";
import type { StateMismatch } from "./state-mismatch.ts";

const TRIED = 50; // names from which a prefix is guessed
const MOST = 0.5; // share of names that must agree before a pattern is spoken of

/** One sentence, or "". `prefix` is what was already taken off the source's names. */
export function mismatchHint(mismatch: StateMismatch, module: AnyModule, prefix: string): string {
  return prefixHint(mismatch, prefix) || fusedHint(mismatch, module) || classesHint(mismatch);
}

/** All names carry something in front that the other side has not. */
function prefixHint({ missing, unexpected }: StateMismatch, prefix: string): string {
  const tooMuch = commonPrefix(missing, unexpected);
  if (tooMuch) return `the file's names begin with "${prefix}${tooMuch}"; load with that prefix`;
  const tooLittle = commonPrefix(unexpected, missing);
  if (tooLittle) {
    const path = tooLittle.slice(0, -1);
    return `the file's names lack "${tooLittle}" in front: it holds the weights of the model's ${path} alone`;
  }
  return "";
}

/** The text that stands before most of `short` in `long`, ending in a dot; "" if there is none. */
function commonPrefix(short: readonly string[], long: readonly string[]): string {
  const known = new Set(long);
  const seen = new Set<string>();
  for (const name of short.slice(0, TRIED)) {
    for (const candidate of long) {
      if (!candidate.endsWith(`.${name}`)) continue;
      const prefix = candidate.slice(0, -name.length);
      if (seen.has(prefix)) continue;
      seen.add(prefix);
      if (short.filter((n) => known.has(prefix + n)).length > short.length * MOST) return prefix;
    }
  }
  return "";
}

/** One side has its batch norms folded into the convolutions, which then have biases. */
function fusedHint({ missing, unexpected }: StateMismatch, module: AnyModule): string {
  const isStatistic = (name: string): boolean => name.endsWith(".running_var");
  const convolutions = new Set<string>();
  for (const [name, tensor] of module.namedTensors()) {
    if (name.endsWith(".weight") && tensor.ndim === 4) convolutions.add(name.replace(/weight$/, "bias"));
  }
  if (missing.some(isStatistic) && unexpected.some((name) => convolutions.has(name))) {
    return "the file's batch norms are folded into its convolutions; it fits a fused model (fuse() before loading)";
  }
  if (unexpected.some(isStatistic) && missing.some((name) => convolutions.has(name))) {
    return "the model is fused and the file is not; load before fuse()";
  }
  return "";
}

/** Only first dimensions differ, and all by the same two numbers: the size of a classifier. */
function classesHint({ misshaped }: StateMismatch): string {
  const [first] = misshaped;
  if (!first) return "";
  const [model, file] = [first.expected[0], first.got[0]];
  const alike = misshaped.every(
    ({ expected, got }) =>
      expected.length === got.length &&
      expected[0] === model &&
      got[0] === file &&
      expected.slice(1).every((n, i) => n === got[i + 1]),
  );
  if (!alike) return "";
  return `only a first dimension differs, ${file} in the file and ${model} in the model: another number of classes (nc)?`;
}
