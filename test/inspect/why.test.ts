/** "Why this number": the arithmetic equals what the run has, for every module of the networks, and leads to where it was made. */
import { afterAll, describe, expect, it } from "vitest";
import { createWasmBackend } from "../../src/backend/wasm/wasm-backend.ts";
import { steps, type Why, why } from "../../src/inspect/index.ts";
import type { RTDETRDetectionModel } from "../../src/models/index.ts";
import { Concat } from "../../src/models/rtdetr/blocks.ts";
import {
  type AnyModule,
  Conv2d,
  Dropout,
  Embedding,
  GELU,
  Identity,
  Module,
  MultiheadAttention,
  Sigmoid,
  Upsample,
} from "../../src/nn/index.ts";
import { replaceTensor } from "../../src/nn/module.ts";
import { mul } from "../../src/ops/index.ts";
import { tensor } from "../../src/tensor/create.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { stream } from "../backend/wasm/harness.ts";
import { loadModelGolden, MODEL_CASES } from "../golden/golden.ts";
import { loadCase, pictureFor } from "../models/support.ts";

const wasm = createWasmBackend({ threads: 2 });
afterAll(() => wasm.close());

// A sum of K products in single precision, in an order of its own: 2^-24 * sqrt(K) of the sum of magnitudes is usual, three times as
// much is seen among thousands of elements; here K is at most some thousands. Norms and activations are good to a few units.
const SHARE = 1e-5;

/** Magnitude that an element's rounding is a share of. */
const magnitude = ({ terms, bias, value }: Why): number =>
  terms.reduce((sum, { contribution }) => sum + Math.abs(contribution), Math.abs(bias)) +
  Math.abs(value ?? 0);

/** An output, copied. */
interface Made {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number | bigint>;
}

/** NaN where there is no such element. */
function elementOf({ shape, data }: Made, index: readonly number[]): number {
  if (index.length !== shape.length || index.some((i, axis) => i >= shape[axis])) return Number.NaN;
  return Number(data[index.reduce((at, i, axis) => at * shape[axis] + i, 0)]);
}

/** Every module of one kind at least twice; where a part made an element, the element there is remembered and compared. */
async function check(model: AnyModule, x: Tensor, cells: number): Promise<Map<string, number>> {
  const kinds = new Map<string, number>();
  const promised: { why: Why; from: string }[] = [];
  const made = new Map<string, Made[]>();
  const next = stream(7);
  for await (const step of steps(model as unknown as Module, x)) {
    if (step.phase === "before") continue;
    const copies = step.outputs.map(({ tensor }) => ({ shape: tensor.shape, data: tensor.toArray() }));
    made.set(step.path, [...(made.get(step.path) ?? []), ...copies]); // some are called several times
    if (step.kind === "RTDETRDecoder") {
      const [box, score] = [3, 4].map((column) => why(step, [0, 5, column]).origin);
      expect(box).toEqual({ path: expect.stringMatching(/\.dec_bbox_head\.2$/), index: [0, 5, 3] });
      expect(score).toEqual({ path: expect.stringMatching(/\.dec_score_head\.2$/), index: [0, 5, 0] });
    }
    for (const { name, tensor: output } of step.outputs) {
      if (output.dtype !== "f32") continue;
      for (let cell = 0; cell < cells; cell++) {
        const index = output.shape.map((n) => Math.floor(((next() + 1) / 2) * n) % n);
        const found = why(step, index, name);
        kinds.set(step.kind, (kinds.get(step.kind) ?? 0) + 1);
        expect(found.stored).toBe(output.at(...index));
        for (const { factors, contribution, label } of found.terms) {
          const [, head, , token] = factors[0].index;
          if (label !== undefined && label !== `head ${head}, token ${token}`) throw new Error(label);
          const product = factors.reduce((all, { value }) => all * value, 1);
          if (Math.abs(product - contribution) > 1e-12 * Math.abs(contribution))
            throw new Error(`${name}: ${product}, ${contribution}`);
        }
        if (found.value !== undefined) {
          const off = Math.abs(found.value - found.stored);
          expect(off, `${name} [${index}]: ${found.value} for ${found.stored}`).toBeLessThanOrEqual(
            SHARE * magnitude(found) + 1e-30,
          );
        } else promised.push({ why: found, from: step.path });
      }
    }
    expect(step.outputs.length).toBeGreaterThan(0);
  }
  // What a container says of its element's origin: the part is below it, and has such an element, with the same number.
  for (const { why: found, from } of promised) {
    const { origin } = found;
    expect(origin, found.name).toBeDefined();
    expect(origin!.path.startsWith(from), `${origin!.path} in ${from}`).toBe(true);
    const there = made.get(origin!.path) ?? [];
    expect(there.length, origin!.path).toBeGreaterThan(0);
    if (found.formula.startsWith("that of")) {
      const values = there.map((one) => elementOf(one, origin!.index));
      expect(values, `${found.name} [${found.index}] by ${origin!.path}`).toContain(found.stored);
    }
  }
  return kinds;
}

/** The element that an explanation leads to, module by module, until arithmetic made it. */
async function follow(model: AnyModule, x: Tensor, path: string, index: readonly number[]): Promise<Why[]> {
  const chain: Why[] = [];
  // Parts finish before what holds them: look from the outside in, one run each.
  let at: { path: string; index: readonly number[] } | undefined = { path, index };
  while (at) {
    let found: Why | undefined;
    const goal: { path: string; index: readonly number[] } = at;
    for await (const step of steps(model as unknown as Module, x, { breakpoints: [goal.path] })) {
      if (step.phase === "after" && !found) found = why(step, goal.index);
    }
    if (!found) throw new Error(`${goal.path} did not run`);
    chain.push(found);
    at = found.origin;
  }
  return chain;
}

describe.each(["MobileNetV4ConvSmall", "MobileNetV4HybridMedium"])("%s", (name) => {
  const of = MODEL_CASES.find(({ model, kind }) => model === name && kind === "detector");
  if (!of) throw new Error("no such case");

  it("every module: the arithmetic in double precision is what the run has; origins exist", async () => {
    const model = loadCase(of, wasm) as RTDETRDetectionModel;
    const x = pictureFor(of, loadModelGolden(of), wasm);
    const kinds = await check(model as unknown as AnyModule, x, 2);
    const usual = [
      "Conv2d",
      "BatchNorm2d",
      "ReLU6",
      "SiLU",
      "Linear",
      "LayerNorm",
      "MultiheadAttention",
      "MSDeformAttn",
      "Concat",
      "Upsample",
    ];
    const rest = [
      "UIB",
      "FusedIB",
      "Sequential",
      "AIFI",
      "RepC3",
      "RepConv",
      "Conv",
      "MLP",
      "RTDETRDecoder",
      "RTDETRDetectionModel",
      name,
    ];
    for (const kind of [...usual, ...rest]) {
      if (kind === "FusedIB" && name.includes("Small")) continue;
      expect(kinds.get(kind) ?? 0, kind).toBeGreaterThan(0);
    }
    if (name.includes("Hybrid")) {
      expect(kinds.get("MultiQueryAttention")).toBeGreaterThan(0);
      expect(kinds.get("AttentionBlock")).toBeGreaterThan(0);
    }
    x.dispose();
    model.dispose();
  }, 300_000);

  it("an element of the neck leads to the norm or the convolution that made it, with the same number", async () => {
    const model = loadCase(of, wasm) as RTDETRDetectionModel;
    const x = pictureFor(of, loadModelGolden(of), wasm);
    const aifi = await follow(model as unknown as AnyModule, x, "model.2", [0, 3, 2, 1]);
    expect(aifi.map(({ kind }) => kind)).toEqual(["AIFI", "LayerNorm"]);
    expect(aifi[1].stored).toBe(aifi[0].stored);
    const rep = await follow(model as unknown as AnyModule, x, "model.7", [0, 3, 5, 4]);
    expect(rep.map(({ kind }) => kind)).toEqual(["RepC3", "Conv", "SiLU"]);
    expect(new Set(rep.map(({ stored }) => stored)).size).toBe(1);
    x.dispose();
    model.dispose();
  }, 120_000);
});

/** A module by itself, with parameters of a stream. */
async function single(module: AnyModule, x: Tensor, index: readonly number[]): Promise<Why> {
  const next = stream(3);
  for (const slot of module.slots()) {
    if (slot.tensor.dtype === "f32")
      replaceTensor(slot, tensor(Float32Array.from({ length: slot.tensor.size }, next), slot.tensor.shape));
  }
  for await (const step of steps(module as unknown as Module, x))
    if (step.phase === "after" && step.path === "") return why(step, index);
  throw new Error("it did not run");
}

const numbers = (...shape: number[]): Tensor => {
  const next = stream(5);
  return tensor(Float32Array.from({ length: shape.reduce((a, b) => a * b) }, next), shape);
};

describe("kinds by themselves", () => {
  it("a convolution at the edge: what lies in the padding is no term, the region ends at the map", async () => {
    const found = await single(
      new Conv2d(4, 6, 3, { padding: 1, groups: 2, stride: 2 }) as never,
      numbers(1, 4, 5, 6),
      [0, 5, 0, 0],
    );
    expect(found.terms).toHaveLength(2 * 2 * 2);
    expect(found.region).toEqual({ rows: [0, 2], columns: [0, 2] });
    expect(found.terms[0].factors.map(({ name }) => name)).toEqual(["input", "weight"]);
    expect(found.terms.every(({ factors: [input] }) => input.index[1] >= 2)).toBe(true); // the second group's channels
    const sizes = found.terms.map(({ contribution }) => Math.abs(contribution));
    expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
    expect(found.value).toBeCloseTo(found.stored, 5);
    for (const o of [2, 3, 4]) {
      const other = await single(new Conv2d(4, 6, 3, { groups: 2 }) as never, numbers(1, 4, 5, 6), [
        0,
        o,
        1,
        1,
      ]);
      expect(other.value).toBeCloseTo(other.stored, 5);
    }
    // An odd number of zeros to share out: the first row has the fewer.
    const same = await single(
      new Conv2d(2, 3, [2, 3], { padding: "same", dilation: [3, 2] }) as never,
      numbers(1, 2, 5, 7),
      [0, 1, 2, 3],
    );
    expect(same.value).toBeCloseTo(same.stored, 5);
    expect(same.region).toEqual({ rows: [1, 5], columns: [1, 6] });
    expect(same.terms).toHaveLength(2 * 2 * 3);
  });

  it("functions of one number, copies, tables", async () => {
    for (const module of [
      new GELU(),
      new GELU({ approximate: "tanh" }),
      new Sigmoid(),
      new Identity(),
      new Dropout(),
    ]) {
      const found = await single(module as never, numbers(2, 3), [1, 2]);
      expect(found.value, found.kind).toBeCloseTo(found.stored, 6);
      expect(found.terms).toHaveLength(1);
    }
    const up = await single(new Upsample({ scaleFactor: 2 }) as never, numbers(1, 2, 3, 3), [0, 1, 5, 2]);
    expect(up.region).toEqual({ rows: [2, 3], columns: [1, 2] });
    expect(up.value).toBe(up.stored);
    for (const options of [
      { scaleFactor: [2, 3] as [number, number] },
      { size: [6, 12] as [number, number] },
    ]) {
      const oblong = await single(new Upsample(options) as never, numbers(1, 2, 3, 4), [0, 1, 3, 10]);
      expect(oblong.region).toEqual({ rows: [1, 2], columns: [3, 4] });
      expect(oblong.value).toBe(oblong.stored);
    }
    const row = await single(new Embedding(4, 3) as never, tensor([2, 1], [2], { dtype: "i32" }), [0, 1]);
    expect(row.terms[0].factors[0].index).toEqual([2, 1]);
    expect(row.value).toBe(row.stored);
  });

  it("of three inputs the one that a channel is of; of two pictures the one that a token is of", async () => {
    const inputs = [numbers(1, 2, 2, 2), mul(numbers(1, 3, 2, 2), 2), mul(numbers(1, 2, 2, 2), 3)];
    for await (const step of steps(new Concat(1), [inputs])) {
      if (step.phase === "before") continue;
      for (const [channel, input, at] of [
        [1, 0, 1],
        [4, 1, 2],
        [6, 2, 1],
      ]) {
        const { factors } = why(step, [0, channel, 1, 0]).terms[0];
        expect(factors[0]).toMatchObject({ name: `input.${input}`, index: [0, at, 1, 0] });
      }
    }
    class Attending extends Module {
      readonly ma = new MultiheadAttention(4, 2, { batchFirst: true });

      forward(x: Tensor): Tensor {
        return this.ma.call(x, x, x, { needWeights: false }).output;
      }
    }
    const model = new Attending();
    const next = stream(3);
    for (const slot of model.slots())
      replaceTensor(slot, tensor(Float32Array.from({ length: slot.tensor.size }, next), slot.tensor.shape));
    for await (const step of steps(model, numbers(2, 3, 4), { breakpoints: ["ma"] })) {
      if (step.phase === "before") continue;
      const found = why(step, [1, 2, 3]);
      expect(found.value).toBeCloseTo(found.stored, 6);
      expect(found.terms).toHaveLength(2 * 3);
    }
  });

  it("refuses an index that is not there, a name that is none, a step before its module, a module of another kind", async () => {
    class Other extends Module {
      forward(x: Tensor): Tensor {
        return x;
      }
    }
    const conv = new Conv2d(1, 1, 1, { bias: false });
    for (const slot of conv.slots()) replaceTensor(slot, tensor([2], [1, 1, 1, 1]));
    for await (const step of steps(conv, numbers(1, 1, 2, 2))) {
      if (step.phase === "before") expect(() => why(step, [0, 0, 0, 0])).toThrow(/a step after its module/);
      else {
        expect(() => why(step, [0, 0, 2, 0])).toThrow(/an index of \[1, 1, 2, 2\], got \[0, 0, 2, 0\]/);
        expect(() => why(step, [0, 0])).toThrow(/an index of/);
        expect(() => why(step, [0, 0, 0, 0], "x")).toThrow(/got x/);
      }
    }
    await expect(single(new Other() as never, numbers(1, 1), [0, 0])).rejects.toThrow(
      /a module of the networks, got Other/,
    );
  });
});
