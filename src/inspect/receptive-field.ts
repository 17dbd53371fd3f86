/** What an element can depend on: the part of the network's input, and of every map on the way, that reaches it. */
import { fail } from "../errors.ts";
import type { Lineage, LineageNode, LineageTensor } from "./lineage.ts";
import type { Region } from "./why.ts";

/** A part of a map, or all of it. */
export type Field = Region | "all";

/**
 * Rows and columns of the network's input that element `index` of output number `output` of call `n` can depend on: its theoretical
 * receptive field. Exact through convolutions, poolings, upsampling and what works element by element; anything else (attention,
 * a choice of queries) is taken to see all of what it reads. Undefined where the input does not reach the element. Errors of code
 * "argument".
 */
export function receptiveField(
  lineage: Lineage,
  n: number,
  output: number,
  index: readonly number[],
): Region | undefined {
  const call = lineage.calls[n];
  const tensor = call?.outputs[output];
  if (!tensor) return fail("argument", "receptiveField", "a call's output", `output ${output} of call ${n}`);
  const { shape } = tensor;
  if (index.length !== shape.length || index.some((i, axis) => !(i >= 0 && i < shape[axis]))) {
    return fail("argument", "receptiveField", `an index of [${shape.join(", ")}]`, `[${index.join(", ")}]`);
  }
  const fields = new Map<number, Needed>();
  need(fields, tensor, isMap(shape) ? { rows: cell(index[2]), columns: cell(index[3]) } : "all");
  for (let i = call.end - 1; i >= 0; i--) {
    const node = lineage.nodes[i];
    for (const out of node.outputs) {
      const field = fieldOf(fields, out);
      if (field) for (const input of node.inputs) need(fields, input, through(node, field, out, input));
    }
  }
  const found = fieldOf(fields, lineage.input);
  const [height, width] = lineage.input.shape.slice(2);
  return found === "all" ? { rows: [0, height], columns: [0, width] } : found;
}

/** What is needed of a run of memory, as a map of so many rows and columns. */
interface Needed {
  readonly height: number;
  readonly width: number;
  readonly field: Field;
}

function cell(i: number): readonly [number, number] {
  return [i, i + 1];
}

function isMap(shape: readonly number[]): boolean {
  return shape.length === 4;
}

/** Joins what is needed of a tensor's memory; seen in two shapes, all of it is. */
function need(fields: Map<number, Needed>, { value, shape }: LineageTensor, field: Field): void {
  const [height, width] = isMap(shape) ? shape.slice(2) : [0, 0];
  const before = fields.get(value);
  const same = !before || (before.height === height && before.width === width);
  fields.set(value, { height, width, field: same ? union(before?.field, field) : "all" });
}

function fieldOf(fields: ReadonlyMap<number, Needed>, { value, shape }: LineageTensor): Field | undefined {
  const needed = fields.get(value);
  if (!needed) return undefined;
  const same = isMap(shape) && needed.height === shape[2] && needed.width === shape[3];
  return same ? needed.field : "all";
}

/** What of an input a field of the output reads. */
function through(node: LineageNode, field: Field, out: LineageTensor, input: LineageTensor): Field {
  if (field === "all" || !isMap(input.shape) || !isMap(out.shape)) return "all";
  if (node.window) {
    const { size, stride, padding, dilation, scale } = node.window;
    const side = (axis: 0 | 1, [from, to]: readonly [number, number]): readonly [number, number] => {
      const first = Math.floor(from / scale[axis]) * stride[axis] - padding[axis];
      const last =
        Math.floor((to - 1) / scale[axis]) * stride[axis] - padding[axis] + dilation[axis] * (size[axis] - 1);
      return [Math.max(0, first), Math.min(input.shape[2 + axis], last + 1)];
    };
    return { rows: side(0, field.rows), columns: side(1, field.columns) };
  }
  const alike = input.shape[2] === out.shape[2] && input.shape[3] === out.shape[3];
  return alike && ELEMENTWISE.test(node.name) ? field : "all";
}

/** Operators whose output cells read the input's cells of the same row and column alone. */
const ELEMENTWISE = /^(unary|binary|clamp|affineChannels|copy)\b/;

function union(a: Field | undefined, b: Field): Field {
  if (a === "all" || b === "all") return "all";
  if (!a) return b;
  const side = (
    [from, to]: readonly [number, number],
    [first, last]: readonly [number, number],
  ): readonly [number, number] => [Math.min(from, first), Math.max(to, last)];
  return { rows: side(a.rows, b.rows), columns: side(a.columns, b.columns) };
}
