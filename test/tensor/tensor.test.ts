/** Reading, layouts, copies, memory and refusals of Tensor; its views have PyTorch goldens in `views.test.ts`. */
import { describe, expect, it } from "vitest";
import { HeapStorage } from "../../src/backend/heap.ts";
import { createMetaBackend } from "../../src/backend/meta.ts";
import { referenceBackend } from "../../src/backend/reference/reference.ts";
import { MobileDetrError } from "../../src/errors.ts";
import { arange, full, tensor } from "../../src/tensor/create.ts";
import { Tensor } from "../../src/tensor/tensor.ts";

describe("reading", () => {
  const x = arange(24).reshape(2, 3, 4).permute(1, 2, 0);

  it("toArray copies in row-major order of the view", () => {
    const out = x.toArray();
    expect(Array.from(out.slice(0, 4), Number)).toEqual([0, 12, 1, 13]);
    out[0] = 99;
    expect(x.at(0, 0, 0)).toBe(0);
  });

  it("at takes negative indices and refuses wrong ones by dimension", () => {
    expect(x.at(2, 3, 1)).toBe(23);
    expect(x.at(-1, -1, -1)).toBe(23);
    expect(() => x.at(0, 0)).toThrow("at: expected 3 indices for shape [3, 4, 2], got [0, 0]");
    expect(() => x.at(0, 4, 0)).toThrow("at: expected an index in [-4, 4) for dimension 1, got 4");
    expect(() => x.at(0, 0.5, 0)).toThrow(/dimension 1, got 0.5/);
  });

  it("item gives the only element, of a view too", () => {
    expect(x.select(0, 1).select(0, 2).select(0, 1).item()).toBe(18);
    expect(() => x.item()).toThrow("item: expected one element, got shape [3, 4, 2]");
  });

  it("i64 comes as bigint in toArray and as number elsewhere", () => {
    const i = tensor([3, -4], undefined, { dtype: "i64" });
    expect(i.toArray()).toEqual(BigInt64Array.of(3n, -4n));
    expect(i.at(1)).toBe(-4);
    expect(i.toNested()).toEqual([3, -4]);
    expect(() => i.toFloat32Array()).toThrow("toFloat32Array: expected dtype f32, got i64");
  });

  it("an empty tensor reads as nothing", () => {
    expect(full([2, 0], 1).toArray().length).toBe(0);
    expect(full([2, 0], 1).toNested()).toEqual([[], []]);
  });
});

describe("layouts and copies", () => {
  it("channels_last keeps shape and elements and reorders memory", () => {
    const x = arange(24).reshape(1, 2, 3, 4);
    const y = x.contiguous("channels_last");
    expect(y.strides).toEqual([24, 1, 8, 2]);
    expect(Array.from(y.storage.data.slice(0, 4), Number)).toEqual([0, 12, 1, 13]);
    expect(y.toArray()).toEqual(x.toArray());
    expect(y.contiguous("channels_last")).toBe(y);
    expect(y.contiguous().storage.data).toEqual(x.storage.data);
    expect(() => arange(4).contiguous("channels_last")).toThrow(/channels_last/);
  });

  it("clone is dense and keeps the axis order in memory", () => {
    const view = arange(48).reshape(4, 3, 4).slice(2, 0, 4, 2).permute(2, 0, 1);
    const copy = view.clone();
    expect(copy.isDense()).toBe(true);
    expect(view.isDense()).toBe(false);
    expect(copy.strides).toEqual([1, 6, 2]);
    expect(copy.toArray()).toEqual(view.toArray());
    expect(copy.storage).not.toBe(view.storage);
  });

  it("copyFrom converts dtypes through views and refuses other shapes", () => {
    const target = full([2, 4], 0, { dtype: "i32" });
    target.slice(1, 0, 4, 2).copyFrom(
      tensor([
        [1.7, 2.2],
        [-3.9, 4],
      ]),
    );
    expect(target.toNested()).toEqual([
      [1, 0, 2, 0],
      [-3, 0, 4, 0],
    ]);
    expect(() => target.copyFrom(arange(8))).toThrow("copyFrom: expected shape [2, 4], got [8]");
  });

  it("to() moves between backends with the layout kept; meta keeps the shape alone", () => {
    const meta = createMetaBackend();
    const x = arange(24).reshape(1, 2, 3, 4).contiguous("channels_last");
    const m = x.to(meta);
    expect(m.isMeta).toBe(true);
    expect(m.strides).toEqual(x.strides);
    expect(x.to(referenceBackend)).toBe(x);
    expect(() => x.copyFrom(m)).toThrow(/use to\(backend\)/);
    expect(() => m.toArray()).toThrow(/has? a shape and no numbers|load weights first/);
  });

  it("to() from meta is refused: there is nothing to copy", () => {
    expect(() => Tensor.empty(createMetaBackend(), [2]).to(referenceBackend)).toThrow(/load weights first/);
  });

  it("to() takes only the window of a larger storage, offset and broadcasts included", () => {
    const other = { ...referenceBackend };
    other.allocate = (dtype, length) => {
      const s = referenceBackend.allocate(dtype, length);
      return new HeapStorage(other, s.data);
    };
    const view = arange(24).reshape(4, 6).slice(0, 1, 3).slice(1, 2, 5);
    expect(view.to(other).toNested()).toEqual(view.toNested());
    const dense = arange(24).reshape(4, 6).slice(0, 1, 3);
    expect(dense.to(other).toNested()).toEqual(dense.toNested());
    const wide = arange(3).reshape(3, 1).expand(3, 4);
    expect(wide.to(other).toNested()).toEqual(wide.toNested());
    expect(wide.to(other).backend).toBe(other);
  });

  it("memory that was given back cannot be read", () => {
    const x = arange(3);
    const view = x.slice(0, 1);
    x.dispose();
    x.dispose();
    expect(() => view.at(0)).toThrow(
      "storage: expected memory that is still held, got memory that was released",
    );
  });
});

describe("pieces", () => {
  const x = arange(10).reshape(2, 5);

  it("split, chunk and unbind are views that cover the axis", () => {
    expect(x.split(2, 1).map((p) => p.shape[1])).toEqual([2, 2, 1]);
    expect(x.split([1, 4], -1)[1].toNested()).toEqual([
      [1, 2, 3, 4],
      [6, 7, 8, 9],
    ]);
    expect(x.chunk(3, 1).map((p) => p.shape[1])).toEqual([2, 2, 1]);
    expect(x.chunk(4, 1).length).toBe(3);
    expect(x.unbind(1)[3].toNested()).toEqual([3, 8]);
    for (const p of [...x.split(2, 1), ...x.chunk(2), ...x.unbind()]) expect(p.storage).toBe(x.storage);
  });

  it("wrong pieces are refused", () => {
    expect(() => x.split([1, 3], 1)).toThrow("split: expected lengths that sum to 5, got [1, 3]");
    expect(() => x.split([6, -1], 1)).toThrow(/sum to 5/);
    expect(() => x.split(0)).toThrow("split: expected a length >= 1, got 0");
    expect(() => x.chunk(0)).toThrow("chunk: expected a count >= 1, got 0");
  });
});

describe("refusals name the method, what it takes and what it got", () => {
  const x = arange(24).reshape(2, 3, 4);
  it.each<[string, () => unknown, string]>([
    ["permute", () => x.permute(0, 1), "permute: expected each of 3 axes once, got [0, 1]"],
    ["permute", () => x.permute(0, 1, 1), "permute: expected each of 3 axes once, got [0, 1, 1]"],
    ["permute", () => x.permute(0, 1, 3), "permute: expected an axis in [-3, 3), got 3"],
    ["permute", () => x.permute(0, 1, 2, 0), "permute: expected each of 3 axes once, got [0, 1, 2, 0]"],
    ["transpose", () => x.transpose(0, -4), "transpose: expected an axis in [-3, 3), got -4"],
    [
      "reshape",
      () => x.reshape(5, -1),
      "reshape: expected a shape of 24 elements, from [2, 3, 4], got [5, -1]",
    ],
    [
      "reshape",
      () => x.reshape(-1, -1),
      "reshape: expected a shape of 24 elements, from [2, 3, 4], got [-1, -1]",
    ],
    ["view", () => x.transpose(0, 1).viewAs(24), "view: expected strides that fit the new shape"],
    [
      "expand",
      () => x.expand(2, 6, 4),
      "expand: expected a shape that [2, 3, 4] stretches to, got [2, 6, 4]",
    ],
    ["expand", () => x.expand(3, 4), "expand: expected a shape that [2, 3, 4] stretches to, got [3, 4]"],
    ["expand", () => x.expand(-1, 2, 3, 4), "expand: expected a shape that [2, 3, 4] stretches to"],
    ["select", () => x.select(1, 3), "select: expected an index in [-3, 3), got 3"],
    ["slice", () => x.slice(0, 0, 2, 0), "slice: expected a step >= 1, got 0"],
    ["slice", () => x.slice(0, 0.5), "slice: expected whole numbers for start and end, got 0.5 and Infinity"],
    ["flatten", () => x.flatten(2, 1), "flatten: expected start <= end, got 2 and 1"],
    ["unsqueeze", () => x.unsqueeze(5), "unsqueeze: expected an axis in [-4, 4), got 5"],
    ["squeeze", () => x.squeeze(3), "squeeze: expected an axis in [-3, 3), got 3"],
    ["dims4", () => x.dims4("conv"), "conv: expected 4 dimensions, got 3: shape [2, 3, 4]"],
    ["dims3", () => x.flatten().dims3("tokens"), "tokens: expected 3 dimensions, got 1: shape [24]"],
    [
      "empty",
      () => Tensor.empty(referenceBackend, [2, -1]),
      "Tensor.empty: expected sizes that are whole numbers >= 0",
    ],
  ])("%s %#", (_name, act, message) => {
    expect(act).toThrow(MobileDetrError);
    expect(act).toThrow(message);
  });
});
