/**
 * What of the network is seen where some calls are unfolded, and how data goes between: calls that are shut are boxes, those that
 * are open frames, and what an open call computes between its parts is shown as operators.
 */
import type { Lineage, LineageTensor } from "../src/inspect/index.ts";

/** Something that is drawn: the picture (n is -1), a call, or an operator, by its number in the lineage. */
export interface FlowBox {
  readonly kind: "input" | "call" | "operator";
  readonly n: number;
  /** What an operator is: "+", "softmax". */
  readonly name: string;
  /** Number of the open call around. */
  readonly frame: number;
  /** Of the first output; of the picture its own. */
  readonly shape: readonly number[];
}

/** Data that goes from a box to a later one, by their places in the list. */
export interface FlowEdge {
  readonly from: number;
  readonly to: number;
  readonly shape: readonly number[];
}

/** An open call and its boxes, [first, end); frames within it come later. */
export interface FlowFrame {
  readonly n: number;
  readonly first: number;
  readonly end: number;
}

/** All of it, in the order in which things run. */
export interface Flow {
  readonly boxes: readonly FlowBox[];
  readonly edges: readonly FlowEdge[];
  readonly frames: readonly FlowFrame[];
}

/** Operators that move numbers and make none: data goes through them unseen. */
const UNSEEN = /^(copy|fill|clamp)\b/;
const SIGNS: Readonly<Record<string, string>> = {
  "binary add": "+",
  "binary sub": "−",
  "binary mul": "×",
  "binary div": "÷",
  deformableAttention: "sample",
};

/** The flow with the model itself open, and those calls for which `isOpen` says so and whose surroundings are open. */
export function flowOf(lineage: Lineage, isOpen: (n: number) => boolean): Flow {
  const { calls, nodes, input } = lineage;
  const children: number[][] = calls.map(() => []);
  for (const [n, { parent }] of calls.entries()) if (parent >= 0) children[parent].push(n);
  const boxes: FlowBox[] = [{ kind: "input", n: -1, name: "", frame: -1, shape: input.shape }];
  const edges: FlowEdge[] = [];
  const frames: FlowFrame[] = [];
  /** Boxes that the numbers in a run of memory come from. */
  const holders = new Map<number, Set<number>>([[input.value, new Set([0])]]);

  const add = (box: FlowBox, inputs: readonly LineageTensor[], outputs: readonly LineageTensor[]): void => {
    const to = boxes.push(box) - 1;
    const seen = new Set<number>();
    for (const { value, shape } of inputs) {
      for (const from of holders.get(value) ?? []) {
        if (!seen.has(from)) edges.push({ from, to, shape });
        seen.add(from);
      }
    }
    for (const { value } of outputs) holders.set(value, new Set([to]));
  };
  const pass = (inputs: readonly LineageTensor[], outputs: readonly LineageTensor[]): void => {
    const from = inputs.flatMap(({ value }) => [...(holders.get(value) ?? [])]);
    for (const { value } of outputs) holders.set(value, new Set([...(holders.get(value) ?? []), ...from]));
  };
  const operator = (n: number, frame: number): void => {
    const { name, inputs, outputs } = nodes[n];
    if (UNSEEN.test(name) || inputs.every(({ value }) => !holders.has(value))) {
      pass(inputs, outputs);
      return;
    }
    const text = SIGNS[name] ?? name.replace(/^(unary|reduce) /, "");
    add({ kind: "operator", n, name: text, frame, shape: outputs[0].shape }, inputs, outputs);
  };
  const call = (n: number, frame: number): void => {
    const { inputs, outputs, first, end } = calls[n];
    const open = n === 0 || (children[n].length > 0 && isOpen(n));
    if (!open) {
      add({ kind: "call", n, name: "", frame, shape: outputs[0]?.shape ?? [] }, inputs, outputs);
      return;
    }
    const place = frames.length;
    frames.push({ n, first: boxes.length, end: boxes.length });
    let at = first;
    for (const child of children[n]) {
      for (; at < calls[child].first; at++) operator(at, n);
      call(child, n);
      at = calls[child].end;
    }
    for (; at < end; at++) operator(at, n);
    frames[place] = { ...frames[place], end: boxes.length };
  };
  call(0, -1);
  return { boxes, edges, frames };
}
