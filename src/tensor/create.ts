/** Ways to make a tensor: from numbers, filled, and from and to `ndarray` objects (by their shape, not by import). */
import type { Backend, DType, TypedArray } from "../backend/backend.ts";
import { dtypeOf, HeapStorage, newTypedArray } from "../backend/heap.ts";
import { referenceBackend } from "../backend/reference/reference.ts";
import { fail } from "../errors.ts";
import type { Nested } from "./read.ts";
import { checkShape, contiguousStrides, formatShape, sizeOf } from "./shape.ts";
import { Tensor } from "./tensor.ts";

/** What an `ndarray` object has, and all that we ask of one. */
export interface NdarrayLike {
  /** A typed array, or a list of numbers. */
  readonly data: unknown;
  readonly shape: readonly number[];
  /** In elements; may be negative. */
  readonly stride: readonly number[];
  /** Index of the first element in `data`. */
  readonly offset: number;
}

/** Options of the makers; the reference backend (JavaScript heap) and f32 unless said. */
export interface CreateOptions {
  /** "f32" unless said; of a typed array its own. */
  readonly dtype?: DType;
  /** Where the memory lies: JavaScript's heap unless said. */
  readonly backend?: Backend;
}

/**
 * A tensor of the given numbers: a number, nested lists, or a flat list or typed array with a `shape`. A typed array on
 * the reference backend is wrapped, not copied; its type is the dtype unless `dtype` asks for another.
 */
export function tensor(
  data: Nested | readonly number[] | TypedArray,
  shape?: readonly number[],
  options: CreateOptions = {},
): Tensor {
  const backend = options.backend ?? referenceBackend;
  const given = dtypeOf(data);
  if (given) {
    const array = data as TypedArray;
    const wanted = options.dtype ?? given;
    const flat = wanted === given ? array : convert(array, wanted);
    return wrap(flat, shape ?? [flat.length]).to(backend);
  }
  const found = nestedShape(data as Nested);
  const numbers: number[] = [];
  flatten(data as Nested, found, 0, numbers);
  return wrap(convert(numbers, options.dtype ?? "f32"), shape ?? found).to(backend);
}

function wrap(data: TypedArray, shape: readonly number[]): Tensor {
  checkShape(shape, "tensor");
  if (sizeOf(shape) !== data.length) {
    fail(
      "argument",
      "tensor",
      `${sizeOf(shape)} numbers for shape ${formatShape(shape)}`,
      String(data.length),
    );
  }
  return new Tensor(new HeapStorage(referenceBackend, data), shape, contiguousStrides(shape));
}

function convert(numbers: ArrayLike<number | bigint>, dtype: DType): TypedArray {
  const out = newTypedArray(dtype, numbers.length);
  for (let i = 0; i < numbers.length; i++) {
    const v = numbers[i];
    out[i] = dtype === "i64" ? BigInt(Math.trunc(Number(v))) : Number(v);
  }
  return out;
}

function nestedShape(data: Nested): number[] {
  return typeof data === "number" ? [] : [data.length, ...(data.length > 0 ? nestedShape(data[0]) : [])];
}

function flatten(data: Nested, shape: readonly number[], axis: number, out: number[]): void {
  if (typeof data === "number" && axis === shape.length) out.push(data);
  else if (Array.isArray(data) && data.length === shape[axis]) {
    for (const item of data) flatten(item, shape, axis + 1, out);
  } else {
    const got = Array.isArray(data) ? `a list of ${data.length}` : `${typeof data} ${String(data)}`;
    fail(
      "argument",
      "tensor",
      `numbers in nested lists of shape ${formatShape(shape)}`,
      `${got} at depth ${axis}`,
    );
  }
}

/** A tensor of one value. */
export function full(shape: readonly number[], value: number, options: CreateOptions = {}): Tensor {
  const out = Tensor.empty(options.backend ?? referenceBackend, shape, options.dtype);
  out.backend.fill(out, value);
  return out;
}

/** A tensor of zeros. */
export function zeros(shape: readonly number[], options: CreateOptions = {}): Tensor {
  return full(shape, 0, options);
}

/** A tensor of ones. */
export function ones(shape: readonly number[], options: CreateOptions = {}): Tensor {
  return full(shape, 1, options);
}

/** The numbers 0 .. n-1. */
export function arange(n: number, options: CreateOptions = {}): Tensor {
  return tensor(
    Array.from({ length: n }, (_, i) => i),
    [n],
    options,
  );
}

/** A tensor of an `ndarray` object's numbers (copied; any strides, negative ones too). f64 and small integers become f32. */
export function fromNdarray(array: NdarrayLike, options: CreateOptions = {}): Tensor {
  const { data, shape, stride, offset } = array;
  if (!ArrayBuffer.isView(data) && !Array.isArray(data)) {
    fail("argument", "fromNdarray", "an ndarray over a typed array or a list", typeof data);
  }
  checkShape(shape, "fromNdarray");
  const source = data as unknown as ArrayLike<number | bigint>;
  const dtype = options.dtype ?? dtypeOf(data) ?? "f32";
  const flat: (number | bigint)[] = [];
  const walk = (axis: number, at: number): void => {
    if (axis === shape.length) {
      const v = source[at];
      if (v === undefined)
        fail("argument", "fromNdarray", "strides inside the data", `element ${at} of ${source.length}`);
      flat.push(v);
    } else for (let i = 0; i < shape[axis]; i++) walk(axis + 1, at + i * stride[axis]);
  };
  walk(0, offset);
  return wrap(convert(flat, dtype), [...shape]).to(options.backend ?? referenceBackend);
}

/**
 * What the constructor of the `ndarray` package takes: `ndarray(data, shape, stride, offset)`. On the JavaScript heap
 * it is a view that shares the memory; tensors in WASM memory are copied out.
 */
export function toNdarray(x: Tensor): {
  data: TypedArray;
  shape: number[];
  stride: number[];
  offset: number;
} {
  if (x.backend.name === "reference") {
    return { data: x.storage.data, shape: [...x.shape], stride: [...x.strides], offset: x.offset };
  }
  return { data: x.toArray(), shape: [...x.shape], stride: contiguousStrides(x.shape), offset: 0 };
}
