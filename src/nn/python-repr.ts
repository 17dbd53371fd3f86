/**
 * Values as Python's `repr` writes them, so that a printed model equals PyTorch's byte for byte.
 *
 * QUIRK: JavaScript has one kind of number. Whether it prints as Python's int or float is the layer's choice: what
 * PyTorch types as float (`eps`, `momentum`, `p`, `scale_factor`) prints with a point.
 */

/** A float: `1e-05`, `0.1`, `2.0`, `inf`. */
export function pyFloat(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  const [mantissa, exponent] = value.toExponential().split("e");
  const power = Number(exponent);
  if (power < -4 || power >= 16) {
    return `${mantissa}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
  }
  if (Number.isInteger(value)) return `${Object.is(value, -0) ? "-0" : value}.0`;
  return String(value);
}

/** `True` or `False`. */
export function pyBool(value: boolean): string {
  return value ? "True" : "False";
}

/** An int, a tuple of ints, or `None` for null: as it was given. */
export function pyInts(value: number | null | readonly (number | null)[]): string {
  if (value === null) return "None";
  return typeof value === "number" ? String(value) : pyTuple(value.map((v) => pyInts(v)));
}

/** A tuple of texts: `(3, 3)`, and `(8,)` for a single one. */
export function pyTuple(items: readonly string[]): string {
  return items.length === 1 ? `(${items[0]},)` : `(${items.join(", ")})`;
}
