/** The numbers of an operator's operands: the same for every contender, from the generator of docs/generator.md. */
import { randomUniform } from "../../lib/weights/generator.js";

/** One Float32Array (or Int32Array, for an operand of indices) an operand, row-major, f32 in [-scale, scale). */
export function valuesOf({ name, operands }) {
  return operands.map(({ shape, scale = 1, below }, i) => {
    const numbers = randomUniform(
      i,
      name,
      shape.reduce((product, size) => product * size, 1),
    );
    if (below !== undefined) return Int32Array.from(numbers, (v) => Math.floor(v * below));
    return numbers.map((v) => (v * 2 - 1) * scale);
  });
}
