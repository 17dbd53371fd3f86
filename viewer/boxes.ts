/** What the detection head found, taken apart: boxes after each layer, scores, what each query looked at. */
import type { Client, Run } from "./client.ts";
import type { CallRecord, Numbers, TensorRef } from "./protocol.ts";

/** Of one run. Q queries, K classes, L decoder layers. */
export interface Found {
  readonly queries: number;
  readonly classes: number;
  readonly layers: number;
  /** Boxes [Q, 4] as selected, then after each layer: centre, width, height in [0, 1]. */
  readonly boxes: readonly Float32Array[];
  /** Sigmoid scores of the last layer [Q, K]. */
  readonly scores: Float32Array;
  /** Sigmoid scores at the selection [Q, K]. */
  readonly firstScores: Float32Array;
  /** Chosen tokens [Q], the best first. */
  readonly index: Int32Array;
  /** The greatest class logit of each token. */
  readonly tokenScores: Float32Array;
  /** Rows and columns of the levels, fine to coarse. */
  readonly levels: readonly (readonly [number, number])[];
  /** The decoder layers' cross-attention. */
  readonly cross: readonly CallRecord[];
}

/** Reads it. */
export async function findBoxes(client: Client, run: Run): Promise<Found> {
  const { head } = run;
  const ref = (refs: readonly TensorRef[], name: string): TensorRef => {
    const found = refs.find((one) => one.name === `${head.path}.${name}`);
    if (!found) throw new Error(`the head gives no ${name}`);
    return found;
  };
  const get = (refs: readonly TensorRef[], name: string): Promise<Numbers> => client.tensor(ref(refs, name));
  const layers = head.values.filter(({ name }) => /\.boxes\.\d+$/.test(name)).length - 1;
  const output = await get(head.outputs, "0");
  const [, queries, width] = output.shape;
  const classes = width - 4;
  const scores = new Float32Array(queries * classes);
  for (let q = 0; q < queries; q++)
    scores.set((output.data as Float32Array).subarray(q * width + 4, (q + 1) * width), q * classes);
  const boxes: Float32Array[] = [];
  for (let i = 0; i <= layers; i++) boxes.push((await get(head.values, `boxes.${i}`)).data as Float32Array);
  return {
    queries,
    classes,
    layers,
    boxes,
    scores,
    firstScores: (await get(head.outputs, "enc_scores")).data.map(
      (x) => 1 / (1 + Math.exp(-x)),
    ) as Float32Array,
    index: (await get(head.outputs, "index")).data as Int32Array,
    tokenScores: (await get(head.values, "token_scores")).data as Float32Array,
    levels: head.inputs.map(({ shape }) => [shape[2], shape[3]] as const),
    cross: run.record.calls.filter(({ kind }) => kind === "MSDeformAttn"),
  };
}

/** A query's best class and its score. */
export function bestOf(scores: Float32Array, classes: number, q: number): { classId: number; score: number } {
  let classId = 0;
  for (let k = 1; k < classes; k++) if (scores[q * classes + k] > scores[q * classes + classId]) classId = k;
  return { classId, score: scores[q * classes + classId] };
}

/** Where a token lies: its level, row and column, and its centre in [0, 1]. */
export function tokenPlace(
  levels: Found["levels"],
  token: number,
): { level: number; row: number; column: number; x: number; y: number } {
  let rest = token;
  for (const [level, [h, w]] of levels.entries()) {
    if (rest < h * w) {
      const [row, column] = [Math.floor(rest / w), rest % w];
      return { level, row, column, x: (column + 0.5) / w, y: (row + 0.5) / h };
    }
    rest -= h * w;
  }
  throw new Error(`no token ${token}`);
}
