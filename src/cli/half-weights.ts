/** `--half`: weights rounded to half precision, as a safetensors file in memory. Everything is computed in single precision. */
import { findModel, type ModelChoice } from "../detector/model-files.ts";
import { fail } from "../errors.ts";
import { withSafetensors } from "../weights/safetensors.ts";
import { writeSafetensors } from "../weights/safetensors-write.ts";

const FLOATS: readonly string[] = ["F64", "F32", "BF16"];
const HALF_MAX = 65520; // what is less rounds to 65504 at most

/** The choice with every floating-point tensor rounded to the nearest half; as it is where it names no weights. */
export function halfChoice(choice: ModelChoice): ModelChoice {
  const { weights } = findModel(choice);
  if (typeof weights !== "string") return choice;
  return withSafetensors(weights, (file) => {
    if (!file.names.some((name) => FLOATS.includes(file.entry(name).dtype))) return choice; // they are halves
    const large = new Set<string>();
    const tensors = file.names.map((name) => {
      const { dtype, shape } = file.entry(name);
      const values = file.read(name);
      if (!FLOATS.includes(dtype)) return [name, { dtype, shape, data: values }] as const;
      const data = Float32Array.from(values as Float32Array);
      if (data.some((value) => Math.abs(value) >= HALF_MAX && Number.isFinite(value))) large.add(name);
      return [name, { dtype: "F16", shape, data }] as const;
    });
    if (large.size > 0) {
      const names = [...large].slice(0, 5).join(", ");
      fail(
        "weights",
        weights,
        "numbers that half precision has, below 65520",
        `larger ones in ${names}`,
        "leave --half out",
      );
    }
    return { ...choice, weights: writeSafetensors(tensors, file.metadata) };
  });
}
