/** Loop nests over strided views with as few dimensions as possible: what a kernel's outer loops are made of. */

/** Sizes, outermost first, and for each operand its strides in elements. */
export interface Loops {
  readonly sizes: number[];
  readonly strides: number[][];
}

/**
 * The loops over `shape` for several operands: sizes of 1 dropped, dimensions merged where every operand allows it.
 * With `sorted`, outermost is where the last operand's stride is greatest: only where the order of the elements is free.
 */
export function loopsOver(
  shape: readonly number[],
  operands: readonly (readonly number[])[],
  sorted: boolean,
): Loops {
  let order = shape.map((_, i) => i).filter((i) => shape[i] !== 1);
  if (sorted) {
    const last = operands[operands.length - 1];
    order = order.sort((a, b) => last[b] - last[a] || a - b);
  }
  const sizes: number[] = [];
  const strides: number[][] = operands.map(() => []);
  for (const axis of order) {
    const n = sizes.length;
    const n1 = shape[axis];
    if (n > 0 && operands.every((s, k) => strides[k][n - 1] === s[axis] * n1)) {
      sizes[n - 1] *= n1;
      operands.forEach((s, k) => {
        strides[k][n - 1] = s[axis];
      });
    } else {
      sizes.push(n1);
      operands.forEach((s, k) => {
        strides[k].push(s[axis]);
      });
    }
  }
  return { sizes, strides };
}

/** The loops as rows of one stride per operand (no or one dimension), or undefined where they need more. */
export function asRows(loops: Loops): { rows: number; strides: number[] } | undefined {
  if (loops.sizes.length > 1) return undefined;
  if (loops.sizes.length === 0) return { rows: 1, strides: loops.strides.map(() => 0) };
  return { rows: loops.sizes[0], strides: loops.strides.map((s) => s[0]) };
}

/** A list extended in front to `length`. */
export function padFront(list: readonly number[], length: number, value: number): number[] {
  return [...new Array<number>(Math.max(length - list.length, 0)).fill(value), ...list];
}
