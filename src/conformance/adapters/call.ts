/**
 * Calling a module with the tensors of a case: by the names of forward's parameters where those are known, else in their order;
 * and results by name: a tensor is "output", a list "output.0" and so on, a record has its own names.
 */
import type { Backend, Pair } from "../../backend/backend.ts";
import { fail } from "../../errors.ts";
import * as models from "../../models/index.ts";
import { type AnyModule, type Module, MultiheadAttention } from "../../nn/index.ts";
import { Tensor } from "../../tensor/tensor.ts";

/** What a module is called with. */
export interface CallArguments {
  /** In the order of the case. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** (height, width) of the feature maps, for modules that take them. */
  readonly shapes?: readonly Pair[];
  /** Where modules without inputs make their result. */
  readonly backend: Backend;
}

/** Parameters of forward, each with the names that it has in one code or another. */
const MS_DEFORM = [["query"], ["refer_bbox", "reference", "box"], ["value", "memory", "feats"]];
const DECODER_LAYER = [
  ["embed", "t", "tgt"],
  ["query_pos", "pos"],
  ["refer_bbox", "box"],
  ["feats", "memory", "value"],
];
const ATTENTION = [["query", "qk"], ["key"], ["value", "v"]];

/** The tensors in the order of forward's parameters. */
function inOrder(
  where: string,
  { tensors }: CallArguments,
  parameters: readonly (readonly string[])[],
): Tensor[] {
  const values = [...tensors.values()];
  const named = parameters.map((names) =>
    names.map((name) => tensors.get(name)).find((x) => x !== undefined),
  );
  const chosen = named.every((x) => x !== undefined) ? named : values;
  if (chosen.length < parameters.length) {
    fail("argument", where, `${parameters.length} inputs`, [...tensors.keys()].join(", ") || "none");
  }
  return chosen as Tensor[];
}

/** Calls a module as the case means it. */
export function callModule(module: AnyModule, call: CallArguments): unknown {
  const where = module.kind;
  const shapes = (): readonly Pair[] =>
    call.shapes ?? fail("argument", where, "shapes: a list of [height, width]", "none");
  if (module instanceof MultiheadAttention) {
    // Two inputs: queries and keys are one.
    const two = call.tensors.size === 2 ? [...call.tensors.values()] : undefined;
    const [q, k, v] = two ? [two[0], two[0], two[1]] : inOrder(where, call, ATTENTION);
    return module.call(q, k, v);
  }
  if (module instanceof models.MSDeformAttn) {
    const [query, box, memory] = inOrder(where, call, MS_DEFORM);
    return module.call(query, box, memory, shapes());
  }
  if (module instanceof models.DeformableTransformerDecoderLayer) {
    const [embed, pos, box, memory] = inOrder(where, call, DECODER_LAYER);
    return module.call(embed, pos, box, memory, shapes());
  }
  const values = [...call.tensors.values()];
  if (values.length === 0) return (module as unknown as Module<[Backend], unknown>).call(call.backend);
  if (module instanceof models.Concat) return module.call(values);
  if (module instanceof models.RTDETRDecoder) {
    const { output0, ...others } = module.call(values);
    return { output: output0, ...others };
  }
  if (values.length !== 1) fail("argument", where, "one input", String(values.length));
  return (module as unknown as Module).call(values[0]);
}

/** The tensors of a result by name, in order. */
export function namedResults(result: unknown, name = "output"): [string, Tensor][] {
  if (result instanceof Tensor) return [[name, result]];
  if (Array.isArray(result)) return result.flatMap((item, i) => namedResults(item, `${name}.${i}`));
  if (typeof result === "object" && result !== null) {
    return Object.entries(result).flatMap(([field, item]) => namedResults(item, field));
  }
  return [];
}
