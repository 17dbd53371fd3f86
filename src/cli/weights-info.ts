/** What a weights file holds and how it fits a model, without reading the numbers. */
import type { AnyModule } from "../nn/index.ts";
import { compareState, isExact, type MisfitTensor } from "../nn/state-mismatch.ts";
import { describeMismatch } from "../nn/state-report.ts";
import { sizeOf } from "../tensor/shape.ts";
import { withSafetensors } from "../weights/safetensors.ts";
import { printable, printableLines } from "./printable.ts";
import type { Terminal } from "./terminal.ts";

/** What {@link readWeightsInfo} finds. */
export interface WeightsInfo {
  readonly file: string;
  readonly tensors: number;
  /** How many tensors there are of each type, by falling count. */
  readonly dtypes: Readonly<Record<string, number>>;
  /** How many numbers all tensors have. */
  readonly elements: number;
  /** What all tensors take in the file. */
  readonly bytes: number;
  readonly metadata: Readonly<Record<string, string>>;
  /** Whether `run` and `detect` would take it; NaN and the like show only there. */
  readonly fits: boolean;
  /** In the model, not in the file, and needed. */
  readonly missing: readonly string[];
  /** In the model, not in the file; inference never reads them. */
  readonly not_needed: readonly string[];
  /** In the file and not in the model. */
  readonly unexpected: readonly string[];
  /** In both, with other sizes. */
  readonly misshaped: readonly MisfitTensor[];
  /** In both, integers in the file where the model has weights. */
  readonly mistyped: readonly MisfitTensor[];
  /** The differences in words; empty where there are none. */
  readonly differences: string;
}

/** Opens a file (a path, or its bytes) and compares it with a model that is not fused. Errors as `openSafetensors`. */
export function readWeightsInfo(
  model: AnyModule,
  source: string | Uint8Array,
  mayMiss: (name: string) => boolean,
): WeightsInfo {
  return withSafetensors(source, (file) => {
    const dtypes = new Map<string, number>();
    let [elements, bytes] = [0, 0];
    for (const name of file.names) {
      const { dtype, shape, byteLength } = file.entry(name);
      dtypes.set(dtype, (dtypes.get(dtype) ?? 0) + 1);
      elements += sizeOf(shape);
      bytes += byteLength;
    }
    const { mismatch, absent } = compareState(model, file, "", mayMiss);
    return {
      file: file.name,
      tensors: file.names.length,
      dtypes: Object.fromEntries([...dtypes].sort(([, a], [, b]) => b - a)),
      elements,
      bytes,
      metadata: Object.fromEntries(file.metadata),
      fits: isExact(mismatch),
      missing: mismatch.missing,
      not_needed: absent.filter(mayMiss),
      unexpected: mismatch.unexpected,
      misshaped: mismatch.misshaped,
      mistyped: mismatch.mistyped,
      differences: describeMismatch(mismatch, model, ""),
    };
  });
}

/** The same as text. */
export function describeWeights(weights: WeightsInfo, terminal: Terminal): string {
  const { file, tensors, dtypes, elements, bytes, metadata, fits, not_needed, differences } = weights;
  const types = Object.entries(dtypes).map(([dtype, count]) => `${count} ${dtype}`);
  const lines = [
    `${terminal.paint("bold", "weights")}: ${printable(file)}`,
    `  ${tensors} tensors (${types.join(", ")}), ${elements} numbers, ${bytes} bytes`,
    ...Object.entries(metadata).map(([key, value]) => `  ${printable(key)}: ${printable(value)}`),
  ];
  const spared =
    not_needed.length > 0 ? `, though it lacks ${not_needed.length} tensors that inference never reads` : "";
  if (fits) lines.push(`  ${terminal.paint("green", "fits the model")}${spared}`);
  else lines.push(`  ${terminal.paint("red", "does not fit the model")}:`, printableLines(differences));
  return lines.join("\n");
}
