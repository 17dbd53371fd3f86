/** How far tensors are apart, what is compared with what, and what opened files are. */
import { describe, expect, it } from "vitest";
import { writeSafetensors } from "../../src/weights/safetensors-write.ts";
import { differenceOf } from "../../viewer/difference.ts";
import { sortFiles } from "../../viewer/files.ts";
import {
  compareWith,
  namedOutputs,
  openTrace,
  otherRun,
  otherTrace,
  traceRecord,
} from "../../viewer/other.ts";
import type { CallRecord, Numbers, TensorRef } from "../../viewer/protocol.ts";
import { DEFAULTS, readHash, writeHash } from "../../viewer/state.ts";

describe("difference", () => {
  it("is the greatest distance, where it is, and the other's deviation", () => {
    const { max, at, std } = differenceOf([1, 2, 3, 4], [1, 2.5, 3, 3]);
    expect([max, at]).toEqual([1, 3]);
    expect(std).toBeCloseTo(Math.sqrt(((1 - 2.375) ** 2 + 0.125 ** 2 + 0.625 ** 2 * 2) / 4), 12);
  });

  it("goes by positions where the other has samples", () => {
    expect(differenceOf([9, 5, 7, 1], [7, 4], [2, 1])).toMatchObject({ max: 1, at: 1 });
  });

  it("is NaN where one has a NaN and the other not, and stays there; none where both have", () => {
    const nan = Number.NaN;
    expect(differenceOf([1, nan, 50], [1, 2, 3])).toMatchObject({ max: nan, at: 1 });
    expect(differenceOf([1, 2, 50], [nan, 2, 3])).toMatchObject({ max: nan, at: 0 });
    expect(differenceOf([nan, 2], [nan, 2])).toMatchObject({ max: 0 });
    const infinite = Number.POSITIVE_INFINITY;
    expect(differenceOf([infinite, 1], [infinite, 1]).max).toBe(0);
    expect(differenceOf([infinite, 1], [1, 1]).max).toBe(infinite);
    expect(differenceOf([infinite], [-infinite]).max).toBe(infinite);
    expect(differenceOf([1, 2, nan], [1, 4, nan]).std).toBe(1.5); // of what is finite
  });
});

const ref = (id: number, name: string): TensorRef => ({ id, name, dtype: "f32", shape: [2] });
function call(n: number, path: string, finished: number, outputs: TensorRef[], turn = 1): CallRecord {
  return { n, path, finished, outputs, turn, values: [], parent: n - 1 } as unknown as CallRecord;
}

describe("what is compared", () => {
  it("each tensor once, under all names that a trace may have for it, the last call's of several", () => {
    const shared = ref(7, "a.b");
    const calls = [
      call(0, "", 3, [ref(9, ".0"), ref(8, ".index")]),
      call(1, "a", 1, [ref(7, "a")]),
      call(2, "a.b", 0, [shared]),
      call(3, "c", 2, [ref(5, "c")]),
      call(4, "c", 2.5, [ref(6, "c")], 2),
    ];
    const named = (...list: [string, number][]) => list.map(([name, n]) => ({ name, n }));
    expect(namedOutputs(calls).map((one) => [one.ref.id, one.names])).toEqual([
      [7, named(["a.b", 2], ["a", 1])],
      [6, named(["c", 4])],
      [9, named(["output0", 0])],
      [8, named(["index", 0])],
    ]);
  });

  const tensor = (...data: number[]) =>
    ({ dtype: "F32", shape: [data.length], data: new Float32Array(data) }) as const;

  /** A run of two tensors, the second the output of two modules; counts how often it is asked for numbers. */
  function recording(): { calls: CallRecord[]; numbers(...ids: number[]): Numbers[]; asked: number[][] } {
    const asked: number[][] = [];
    const calls = [
      call(0, "", 3, []),
      call(1, "a", 2, [ref(7, "a")]),
      call(2, "a.b", 1, [ref(7, "a.b")]),
      call(3, "c", 0, [ref(5, "c")]),
    ];
    const numbers = (...ids: number[]): Numbers[] => {
      asked.push(ids);
      return ids.map((id) => ({ shape: [2], data: new Float32Array([id, 1]) }));
    };
    return { calls, numbers, asked };
  }

  function traceOf(tensors: Record<string, ReturnType<typeof tensor>>): ReturnType<typeof otherTrace> {
    return otherTrace(
      openTrace("t.safetensors", writeSafetensors(Object.entries(tensors)).buffer as ArrayBuffer),
    );
  }

  it("a trace's tensors; a tensor that is not the same under all of its names has a row for each", () => {
    const same = traceOf({ a: tensor(7, 1), "a.b": tensor(7, 1), c: tensor(5, 1), odd: tensor(0) });
    const equal = compareWith(recording(), same);
    expect(equal.rows.map(({ name, status }) => [name, status])).toEqual([
      ["c", "equal"],
      ["a.b", "equal"],
    ]);
    expect(equal.onlyTheirs).toEqual(["odd"]);
    // A block that adds its input: what is within is right, what it gives is not.
    const residual = traceOf({ a: tensor(9, 1), "a.b": tensor(7, 1) });
    expect(
      compareWith(recording(), residual).rows.map(({ name, n, status, max }) => [name, n, status, max]),
    ).toEqual([
      ["c", 3, "absent", undefined],
      ["a.b", 2, "equal", 0],
      ["a", 1, "apart", 2],
    ]);
    const other = compareWith(recording(), traceOf({ c: tensor(5, 1, 1) }));
    expect(other.rows[0]).toMatchObject({ name: "c", status: "shape", theirShape: [3] });
  });

  it("another run's tensors, which are made ready many at a time", () => {
    const other = recording();
    const { rows } = compareWith(recording(), otherRun(other));
    expect(rows.map(({ name, status }) => [name, status])).toEqual([
      ["c", "equal"],
      ["a.b", "equal"],
    ]);
    expect(other.asked[0]).toEqual([5, 7]); // before any is asked for alone: each alone may cost a run of the network
  });

  it("images are the network's input where a trace has them whole", () => {
    const whole = openTrace(
      "w",
      writeSafetensors([["images", { dtype: "F32", shape: [1, 3, 1, 2], data: new Float32Array(6) }]])
        .buffer as ArrayBuffer,
    );
    expect(traceRecord(4, whole)).toMatchObject({ id: 4, tensors: 1, images: [1, 3, 1, 2] });
    const metadata = { samples: "2", shapes: JSON.stringify({ images: [1, 3, 1, 2] }) };
    const sampled = openTrace(
      "s",
      writeSafetensors([["images", tensor(1, 2)]], metadata).buffer as ArrayBuffer,
    );
    expect(traceRecord(5, sampled).images).toBeUndefined();
  });
});

describe("files", () => {
  const tensors = (names: string[]): Uint8Array<ArrayBuffer> =>
    writeSafetensors(
      names.map((name) => [name, { dtype: "F32", shape: [1], data: new Float32Array(1) }] as const),
    );
  const names = (files: readonly File[]): string[] => files.map(({ name }) => name);

  it("are sorted: a safetensors file by what its tensors are called", async () => {
    const { pictures, traces, weights, configurations } = await sortFiles([
      new File(
        [tensors(["model.0.conv.weight", "model.0.bn.bias", "model.0.bn.running_mean"])],
        "w.safetensors",
      ),
      new File([tensors(["model.0", "model.0.conv", "output0", "x.weight"])], "t.safetensors"),
      new File(["PK"], "t.npz"),
      new File(["nc: 3"], "m.yaml"),
      new File(["?"], "photo.jpg"),
    ]);
    expect(names(weights)).toEqual(["w.safetensors"]);
    expect(names(traces)).toEqual(["t.safetensors", "t.npz"]);
    expect(names(configurations)).toEqual(["m.yaml"]);
    expect(names(pictures)).toEqual(["photo.jpg"]);
  });

  it("that are no safetensors are refused by what is wrong", async () => {
    const one = (content: string | Uint8Array<ArrayBuffer>): Promise<unknown> =>
      sortFiles([new File([content], "x.safetensors")]);
    await expect(one("abc")).rejects.toThrow(/expected a safetensors file, got 3 bytes/);
    await expect(one(new Uint8Array(9).fill(255))).rejects.toThrow(/a header of \d+ bytes in a file of 9/);
    await expect(one(new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0, 123]))).rejects.toThrow(
      /a header that is no JSON/,
    );
  });
});

describe("the address", () => {
  it("says what differs from the defaults, and is read back", () => {
    const state = {
      ...DEFAULTS,
      view: "graph",
      open: "model.0~model.2.ma",
      lesson: 3,
      apart: -2.5,
      cell: [3, 4],
    } as const;
    const hash = writeHash(state, DEFAULTS);
    expect(hash).toBe("#view=graph&open=model.0%7Emodel.2.ma&apart=-2.5&lesson=3&cell=3,4");
    expect(readHash(hash, DEFAULTS)).toEqual(state);
  });

  it("where it is wrong is as if it were not there", () => {
    expect(readHash("#view=nothing&lesson=x&cell=1&conf=", DEFAULTS)).toEqual({
      ...DEFAULTS,
      cell: undefined,
    });
    expect(readHash("#open=", DEFAULTS).open).toBe("");
  });
});
