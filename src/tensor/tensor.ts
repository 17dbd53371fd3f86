/**
 * The strided tensor: a shape, strides and an offset over a storage. Views (reshape, permute, slice, expand ...) share
 * the storage; nothing here computes: the operators are functions in `src/ops`. Semantics are PyTorch's.
 *
 * A tensor lives on one backend. On WASM its memory is freed when the `Module.call` that made it returns, unless it is
 * part of the result: `keep()` it, or copy it out with `toArray()`.
 */
import type { Backend, DType, Storage, Strided, TypedArray } from "../backend/backend.ts";
import { untrack } from "../backend/scope.ts";
import { fail } from "../errors.ts";
import { formatTensor } from "./print.ts";
import { type Nested, readFlat, readNested } from "./read.ts";
import {
  checkShape,
  denseStridesLike,
  formatShape,
  isDense,
  type MemoryFormat,
  normalizeAxis,
  sameShape,
  sizeOf,
  stridesFor,
  stridesMatch,
} from "./shape.ts";
import { reshapedStrides, resolveShape, sliceRange } from "./views.ts";

/** A strided window on a storage. See the file's head for who owns the memory. */
export class Tensor implements Strided {
  /** The memory, which views share. */
  readonly storage: Storage;
  /** Sizes, outermost first; [] is a scalar; sizes may be 0. */
  readonly shape: readonly number[];
  /** In elements; 0 where a size was expanded. */
  readonly strides: readonly number[];
  /** Of the first element, in elements. */
  readonly offset: number;

  /** Wraps existing memory; see `create.ts` for the usual ways to make one. Strides and offset in elements. */
  constructor(storage: Storage, shape: readonly number[], strides: readonly number[], offset = 0) {
    this.storage = storage;
    this.shape = shape;
    this.strides = strides;
    this.offset = offset;
  }

  /** A new tensor, its contents undefined. */
  static empty(
    backend: Backend,
    shape: readonly number[],
    dtype: DType = "f32",
    format: MemoryFormat = "contiguous",
  ): Tensor {
    return Tensor.emptyStrided(backend, shape, stridesFor(shape, format), dtype);
  }

  /** A new tensor of dense strides, its contents undefined. */
  static emptyStrided(
    backend: Backend,
    shape: readonly number[],
    strides: readonly number[],
    dtype: DType = "f32",
  ): Tensor {
    checkShape(shape, "Tensor.empty");
    return new Tensor(backend.allocate(dtype, sizeOf(shape)), shape, strides);
  }

  /** A new tensor of another shape or dtype on the same backend, its contents undefined. */
  newEmpty(shape: readonly number[], dtype: DType = "f32", format: MemoryFormat = "contiguous"): Tensor {
    return Tensor.empty(this.backend, shape, dtype, format);
  }

  /** A new tensor of the same shape, dense, its axes in memory in the same order, its contents undefined. */
  newEmptyLike(dtype: DType = this.dtype): Tensor {
    return Tensor.emptyStrided(this.backend, this.shape, denseStridesLike(this.shape, this.strides), dtype);
  }

  /** Type of the elements, the storage's. */
  get dtype(): DType {
    return this.storage.dtype;
  }

  /** Where the numbers are and what computes on them: PyTorch's device. */
  get backend(): Backend {
    return this.storage.backend;
  }

  /** Number of dimensions. */
  get ndim(): number {
    return this.shape.length;
  }

  /** Number of elements (PyTorch's numel). */
  get size(): number {
    return sizeOf(this.shape);
  }

  /** True where there are shapes only, and no numbers: on the meta backend. */
  get isMeta(): boolean {
    return this.backend.name === "meta";
  }

  /** The four sizes of an [N, C, H, W] tensor; an error that names `where` otherwise. */
  dims4(where: string): [number, number, number, number] {
    this.checkRank(4, where);
    return [this.shape[0], this.shape[1], this.shape[2], this.shape[3]];
  }

  /** The three sizes of an [N, L, D] tensor; an error that names `where` otherwise. */
  dims3(where: string): [number, number, number] {
    this.checkRank(3, where);
    return [this.shape[0], this.shape[1], this.shape[2]];
  }

  private checkRank(ndim: number, where: string): void {
    if (this.ndim !== ndim) {
      fail("argument", where, `${ndim} dimensions`, `${this.ndim}: shape ${formatShape(this.shape)}`);
    }
  }

  // ---- views: no copy ----

  private view(shape: readonly number[], strides: readonly number[], offset = this.offset): Tensor {
    return new Tensor(this.storage, shape, strides, offset);
  }

  /** Axes in a new order, as `torch.permute`. */
  permute(...axes: number[]): Tensor {
    const order = axes.map((a) => normalizeAxis(a, this.ndim, "permute"));
    if (order.length !== this.ndim || new Set(order).size !== this.ndim) {
      fail("argument", "permute", `each of ${this.ndim} axes once`, formatShape(axes));
    }
    return this.view(
      order.map((a) => this.shape[a]),
      order.map((a) => this.strides[a]),
    );
  }

  /** Two axes swapped. */
  transpose(a: number, b: number): Tensor {
    const i = normalizeAxis(a, this.ndim, "transpose");
    const j = normalizeAxis(b, this.ndim, "transpose");
    const order = this.shape.map((_, k) => (k === i ? j : k === j ? i : k));
    return this.permute(...order);
  }

  /** The same elements in another shape, one size may be -1. A view where the strides allow it, else an error. */
  viewAs(...shape: number[]): Tensor {
    const target = resolveShape(this.shape, shape, "view");
    const strides = reshapedStrides(this.shape, this.strides, target);
    if (!strides) {
      fail(
        "argument",
        "view",
        "strides that fit the new shape",
        `${formatShape(this.shape)} with strides ${formatShape(this.strides)} as ${formatShape(target)}`,
        "use reshape or contiguous() first",
      );
    }
    return this.view(target, strides);
  }

  /** The same elements in another shape, one size may be -1: a view where the strides allow it, else a copy. */
  reshape(...shape: number[]): Tensor {
    const target = resolveShape(this.shape, shape, "reshape");
    const strides = reshapedStrides(this.shape, this.strides, target);
    return strides ? this.view(target, strides) : this.contiguous().reshape(...target);
  }

  /** Axes [start, end] (inclusive) as one, as `torch.flatten`. */
  flatten(start = 0, end = -1): Tensor {
    if (this.ndim === 0) return this.reshape(1);
    const i = normalizeAxis(start, this.ndim, "flatten");
    const j = normalizeAxis(end, this.ndim, "flatten");
    if (i > j) fail("argument", "flatten", "start <= end", `${start} and ${end}`);
    const merged = sizeOf(this.shape.slice(i, j + 1));
    return this.reshape(...this.shape.slice(0, i), merged, ...this.shape.slice(j + 1));
  }

  /** Elements [start, end) of an axis in steps; negative start and end count from the end. As `x[:, a:b:s]`. */
  slice(axis: number, start = 0, end = Number.POSITIVE_INFINITY, step = 1): Tensor {
    const k = normalizeAxis(axis, this.ndim, "slice");
    const range = sliceRange(this.shape[k], start, end, step);
    const shape = this.shape.map((n, i) => (i === k ? range.length : n));
    const strides = this.strides.map((s, i) => (i === k ? s * step : s));
    return this.view(shape, strides, this.offset + range.start * this.strides[k]);
  }

  /** One element of an axis, which disappears. As `x[:, i]`. */
  select(axis: number, index: number): Tensor {
    const k = normalizeAxis(axis, this.ndim, "select");
    const n = this.shape[k];
    if (!Number.isInteger(index) || index < -n || index >= n) {
      fail("argument", "select", `an index in [${-n}, ${n})`, String(index));
    }
    const at = index < 0 ? index + n : index;
    const without = (list: readonly number[]): number[] => list.filter((_, i) => i !== k);
    return this.view(without(this.shape), without(this.strides), this.offset + at * this.strides[k]);
  }

  /** Sizes of 1 stretched, new axes in front; -1 keeps a size. As `torch.expand`. */
  expand(...shape: number[]): Tensor {
    const fresh = shape.length - this.ndim;
    const bad = (): never =>
      fail("argument", "expand", `a shape that ${formatShape(this.shape)} stretches to`, formatShape(shape));
    if (fresh < 0) bad();
    const strides = shape.map((n, i) => {
      const size = i < fresh ? 1 : this.shape[i - fresh];
      if (n === -1 && i < fresh) bad();
      if (n === -1 || n === size) return i < fresh ? 0 : this.strides[i - fresh];
      return size === 1 && Number.isInteger(n) && n >= 0 ? 0 : bad();
    });
    return this.view(
      shape.map((n, i) => (n === -1 ? this.shape[i - fresh] : n)),
      strides,
    );
  }

  /** Without the axis (of size 1), or without every axis of size 1. An axis of another size stays, as in PyTorch. */
  squeeze(axis?: number): Tensor {
    const k = axis === undefined ? -1 : normalizeAxis(axis, this.ndim, "squeeze");
    const stays = (i: number): boolean => this.shape[i] !== 1 || (axis !== undefined && i !== k);
    return this.view(
      this.shape.filter((_, i) => stays(i)),
      this.strides.filter((_, i) => stays(i)),
    );
  }

  /** With a new axis of size 1 before `axis`. */
  unsqueeze(axis: number): Tensor {
    const k = normalizeAxis(axis, this.ndim + 1, "unsqueeze");
    const stride = k < this.ndim ? this.strides[k] * this.shape[k] : 1;
    return this.view(
      [...this.shape.slice(0, k), 1, ...this.shape.slice(k)],
      [...this.strides.slice(0, k), stride, ...this.strides.slice(k)],
    );
  }

  /** At most `count` pieces of equal length along an axis, the last may be shorter. As `torch.chunk`. */
  chunk(count: number, axis = 0): Tensor[] {
    if (!Number.isInteger(count) || count < 1) fail("argument", "chunk", "a count >= 1", String(count));
    const k = normalizeAxis(axis, this.ndim, "chunk");
    return this.split(Math.max(Math.ceil(this.shape[k] / count), 1), k);
  }

  /** Pieces of a given length (the last may be shorter), or of the given lengths, along an axis. As `torch.split`. */
  split(lengths: number | readonly number[], axis = 0): Tensor[] {
    const k = normalizeAxis(axis, this.ndim, "split");
    const n = this.shape[k];
    let list: readonly number[];
    if (typeof lengths === "number") {
      if (!Number.isInteger(lengths) || lengths < 1)
        fail("argument", "split", "a length >= 1", String(lengths));
      const pieces = Math.max(Math.ceil(n / lengths), 1);
      list = Array.from({ length: pieces }, (_, i) => Math.min(lengths, n - i * lengths));
    } else {
      list = lengths;
      if (list.some((m) => !Number.isInteger(m) || m < 0) || list.reduce((a, b) => a + b, 0) !== n) {
        fail("argument", "split", `lengths that sum to ${n}`, formatShape(list));
      }
    }
    let start = 0;
    return list.map((m) => {
      const piece = this.slice(k, start, start + m);
      start += m;
      return piece;
    });
  }

  /** Every element along an axis, as `torch.unbind`. */
  unbind(axis = 0): Tensor[] {
    const k = normalizeAxis(axis, this.ndim, "unbind");
    return Array.from({ length: this.shape[k] }, (_, i) => this.select(k, i));
  }

  // ---- layout and copies ----

  /** True where the elements lie densely in the given order. */
  isContiguous(format: MemoryFormat = "contiguous"): boolean {
    if (format === "channels_last" && this.ndim !== 4) return false;
    return stridesMatch(this.shape, this.strides, stridesFor(this.shape, format));
  }

  /** True where every element has its own place and there are no holes, in whatever order. */
  isDense(): boolean {
    return isDense(this.shape, this.strides);
  }

  /** Itself where it already lies so, else a copy that does. */
  contiguous(format: MemoryFormat = "contiguous"): Tensor {
    return this.isContiguous(format) ? this : this.newEmpty(this.shape, this.dtype, format).copyFrom(this);
  }

  /** A dense copy with the axes in the same order in memory. */
  clone(): Tensor {
    return this.newEmptyLike().copyFrom(this);
  }

  /** Overwrites the elements with those of a tensor of the same shape on the same backend; converts the dtype. */
  copyFrom(x: Tensor): this {
    if (!sameShape(this.shape, x.shape)) {
      fail("argument", "copyFrom", `shape ${formatShape(this.shape)}`, formatShape(x.shape));
    }
    if (x.backend !== this.backend) {
      fail(
        "argument",
        "copyFrom",
        `a tensor on ${this.backend.name}`,
        `one on ${x.backend.name}`,
        "use to(backend)",
      );
    }
    this.backend.copy(x, this);
    return this;
  }

  /** Itself where it lives there already, else a copy there with the axes in the same order in memory. */
  to(backend: Backend): Tensor {
    if (backend === this.backend) return this;
    const out = Tensor.emptyStrided(
      backend,
      this.shape,
      denseStridesLike(this.shape, this.strides),
      this.dtype,
    );
    if (backend.name === "meta" && !backend.keepsConstants) return out;
    const source = this.isDense() ? this : this.clone();
    const from = source.storage.data.subarray(source.offset, source.offset + source.size);
    (out.storage.data as Float32Array).set(from as Float32Array);
    if (source !== this) source.dispose();
    return out;
  }

  /** Keeps the memory alive beyond the `Module.call` that made it; `dispose()` then frees it (so does the collector). */
  keep(): this {
    untrack(this.storage);
    return this;
  }

  /** Frees the memory at once, for every view on it. */
  dispose(): void {
    this.storage.release();
  }

  // ---- reading ----

  /** The elements in row-major order, as a copy on the JavaScript heap. */
  toArray(): TypedArray {
    return readFlat(this);
  }

  /** {@link toArray} of an f32 tensor; an error for another dtype. */
  toFloat32Array(): Float32Array {
    const out = this.toArray();
    if (!(out instanceof Float32Array)) fail("argument", "toFloat32Array", "dtype f32", this.dtype);
    return out;
  }

  /** One element by its index in every dimension; i64 as a number. */
  at(...index: number[]): number {
    if (index.length !== this.ndim) {
      fail("argument", "at", `${this.ndim} indices for shape ${formatShape(this.shape)}`, formatShape(index));
    }
    let offset = this.offset;
    index.forEach((i, k) => {
      const n = this.shape[k];
      if (!Number.isInteger(i) || i < -n || i >= n) {
        fail("argument", "at", `an index in [${-n}, ${n}) for dimension ${k}`, String(i));
      }
      offset += (i < 0 ? i + n : i) * this.strides[k];
    });
    return Number(this.storage.data[offset]);
  }

  /** The only element. */
  item(): number {
    if (this.size !== 1) fail("argument", "item", "one element", `shape ${formatShape(this.shape)}`);
    return Number(this.storage.data[this.offset]);
  }

  /** Nested lists of numbers, a plain number for a scalar. */
  toNested(): Nested {
    return readNested(this);
  }

  /** As PyTorch prints a tensor, long ones shortened, with statistics. */
  toString(): string {
    return formatTensor(this);
  }

  /** What `console.log` shows in Node, Deno and Bun. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
}
