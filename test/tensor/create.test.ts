/** Making tensors: from lists, typed arrays and `ndarray` objects, with the real `ndarray` package. */
import ndarray from "ndarray";
import { describe, expect, it } from "vitest";
import { createWasmBackend } from "../../src/backend/wasm/wasm-backend.ts";
import { arange, fromNdarray, full, ones, tensor, toNdarray, zeros } from "../../src/tensor/create.ts";

describe("tensor", () => {
  it("takes the shape of nested lists", () => {
    const x = tensor([[[1, 2, 3]], [[4, 5, 6]]]);
    expect(x.shape).toEqual([2, 1, 3]);
    expect(x.dtype).toBe("f32");
    expect(x.toNested()).toEqual([[[1, 2, 3]], [[4, 5, 6]]]);
  });

  it("makes a scalar of a number and an empty tensor of an empty list", () => {
    expect(tensor(3).shape).toEqual([]);
    expect(tensor(3).item()).toBe(3);
    expect(tensor([]).shape).toEqual([0]);
    expect(tensor([[], []]).shape).toEqual([2, 0]);
  });

  it("wraps a typed array without a copy, its type being the dtype", () => {
    const data = Int32Array.of(1, 2, 3, 4);
    const x = tensor(data, [2, 2]);
    data[3] = 9;
    expect(x.dtype).toBe("i32");
    expect(x.at(1, 1)).toBe(9);
  });

  it("converts to a dtype: truncates, and holds 64-bit integers", () => {
    expect(Array.from(tensor([1.9, -1.9], undefined, { dtype: "i32" }).toArray(), Number)).toEqual([1, -1]);
    expect(tensor(Float32Array.of(2.5), [1], { dtype: "i64" }).toArray()).toEqual(BigInt64Array.of(2n));
    expect(tensor([255], undefined, { dtype: "u8" }).toArray()).toEqual(Uint8Array.of(255));
  });

  it("refuses ragged lists, text and a shape of another size", () => {
    expect(() => tensor([[1, 2], [3]])).toThrow(
      /tensor: expected numbers in nested lists of shape \[2, 2\], got a list of 1 at depth 1/,
    );
    expect(() => tensor([1, "a" as unknown as number])).toThrow(/got string a at depth 1/);
    expect(() => tensor([1, [2]])).toThrow(/got a list of 1 at depth 1/);
    expect(() => tensor(Float32Array.of(1, 2, 3), [2, 2])).toThrow(/4 numbers for shape \[2, 2\], got 3/);
    expect(() => tensor(Float32Array.of(1), [-1])).toThrow(/sizes that are whole numbers >= 0/);
  });
});

describe("filled tensors", () => {
  it("hold one value, in any dtype", () => {
    expect(full([2, 2], -1.5).toNested()).toEqual([
      [-1.5, -1.5],
      [-1.5, -1.5],
    ]);
    expect(zeros([2], { dtype: "i64" }).toArray()).toEqual(BigInt64Array.of(0n, 0n));
    expect(ones([3], { dtype: "u8" }).toArray()).toEqual(Uint8Array.of(1, 1, 1));
    expect(arange(4, { dtype: "i32" }).toArray()).toEqual(Int32Array.of(0, 1, 2, 3));
    expect(zeros([0, 3]).size).toBe(0);
  });
});

describe("ndarray objects", () => {
  it("come in with any strides, negative ones too", () => {
    const a = ndarray(
      Float32Array.from({ length: 24 }, (_, i) => i),
      [4, 6],
    );
    const view = a.transpose(1, 0).step(-2, 1).hi(2, 3);
    const x = fromNdarray(view);
    expect(x.shape).toEqual([2, 3]);
    for (let i = 0; i < 2; i++) for (let j = 0; j < 3; j++) expect(x.at(i, j)).toBe(view.get(i, j));
    expect(x.isContiguous()).toBe(true);
  });

  it("of doubles and small integers become f32, others keep their dtype, and all are copied", () => {
    const data = Float64Array.of(0.5, 2);
    const x = fromNdarray(ndarray(data));
    data[0] = 7;
    expect(x.dtype).toBe("f32");
    expect(x.toNested()).toEqual([0.5, 2]);
    expect(fromNdarray(ndarray(Int8Array.of(-3))).dtype).toBe("f32");
    expect(fromNdarray(ndarray(Int32Array.of(-3))).dtype).toBe("i32");
    expect(fromNdarray(ndarray([1, 2, 3])).toNested()).toEqual([1, 2, 3]);
  });

  it("of no dimension hold one number", () => {
    const x = fromNdarray(ndarray(Float32Array.of(4), []));
    expect(x.shape).toEqual([]);
    expect(x.item()).toBe(4);
  });

  it("go out as a view on the heap that shares memory both ways", () => {
    const x = arange(24).reshape(2, 3, 4).permute(2, 0, 1).slice(0, 1, 4, 2);
    const { data, shape, stride, offset } = toNdarray(x);
    const a = ndarray(data as Float32Array, shape, stride, offset);
    expect(a.shape).toEqual([2, 2, 3]);
    for (let i = 0; i < 2; i++)
      for (let j = 0; j < 2; j++) for (let k = 0; k < 3; k++) expect(a.get(i, j, k)).toBe(x.at(i, j, k));
    a.set(1, 1, 2, 99);
    expect(x.at(1, 1, 2)).toBe(99);
    expect(fromNdarray(a).toNested()).toEqual(x.toNested());
  });

  it("of a tensor in WASM memory are row-major copies", async () => {
    const backend = createWasmBackend();
    const x = arange(6, { backend }).reshape(2, 3).transpose(0, 1);
    const out = toNdarray(x);
    expect(out.data).toEqual(Float32Array.of(0, 3, 1, 4, 2, 5));
    expect([out.shape, out.stride, out.offset]).toEqual([[3, 2], [2, 1], 0]);
    expect(out.data.buffer).not.toBe(backend.memory.buffer);
    await backend.close();
  });

  it("that are not are refused, and so are strides that leave the data", () => {
    expect(() => fromNdarray({ data: "abc", shape: [3], stride: [1], offset: 0 })).toThrow(
      /fromNdarray: expected/,
    );
    expect(() => fromNdarray({ data: Float32Array.of(1), shape: [2], stride: [1], offset: 0 })).toThrow(
      /strides inside the data, got element 1 of 1/,
    );
    expect(() => fromNdarray({ data: Float32Array.of(1), shape: [1.5], stride: [1], offset: 0 })).toThrow(
      /whole numbers/,
    );
  });
});
