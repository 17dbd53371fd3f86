/**
 * Every loop of the reference backend gives the same bits over any strides as over row-major memory, and writes nothing
 * outside its output.
 */
import { describe, expect, it } from "vitest";
import type { BinaryOp, DType, ReduceOp, Strided, UnaryOp } from "../../../src/backend/backend.ts";
import { HeapStorage, newTypedArray } from "../../../src/backend/heap.ts";
import { referenceBackend as B } from "../../../src/backend/reference/reference.ts";
import { full, tensor } from "../../../src/tensor/create.ts";
import { Tensor } from "../../../src/tensor/tensor.ts";
import { randomUniform } from "../../../src/weights/generator.ts";

const GUARD = 77;

/** A window of `shape` with gaps, the axes in reversed order in memory, and guards between and around. */
function gapped(shape: readonly number[], dtype: DType): { view: Tensor; guardsIntact: () => boolean } {
  const wide = full(
    [...shape].reverse().map((n) => 2 * n + 3),
    GUARD,
    { dtype },
  );
  let view = wide.permute(...shape.map((_, i) => shape.length - 1 - i));
  shape.forEach((n, i) => {
    view = view.slice(i, 1, 2 * n + 1, 2);
  });
  const outside = wide.size - view.size;
  const guardsIntact = (): boolean => {
    const inside = Array.from(view.toArray(), Number).filter((v) => v === GUARD).length;
    const all = Array.from(wide.toArray(), Number).filter((v) => v === GUARD).length;
    return all - inside === outside;
  };
  return { view, guardsIntact };
}

function random(name: string, ...shape: number[]): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  return tensor(
    Float32Array.from(randomUniform(7, name, size), (v) => v * 4 - 2),
    shape,
  );
}

interface Loop {
  readonly name: string;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly (readonly [shape: number[], dtype: DType])[];
  readonly run: (inputs: Strided[], outputs: Strided[]) => void;
}

const image = random("image", 2, 6, 5, 4);
const positive = tensor(
  Float32Array.from(random("p", 3, 4, 5).toFloat32Array(), (v) => Math.abs(v) + 0.1),
  [3, 4, 5],
);
const three = random("three", 3, 4, 5);
const unary: UnaryOp[] = [
  "relu",
  "relu6",
  "silu",
  "gelu",
  "gelu_tanh",
  "sigmoid",
  "exp",
  "log",
  "sqrt",
  "neg",
  "sin",
  "cos",
];
const binary: BinaryOp[] = ["add", "sub", "mul", "div", "minimum", "maximum"];
const reductions: ReduceOp[] = ["sum", "mean", "max", "min", "argmax"];
const geometry = { stride: [2, 1], padding: [1, 1], dilation: [1, 1] } as const;
const window = {
  kernel: [3, 2],
  stride: [2, 2],
  padding: [1, 1],
  dilation: [1, 1],
  countIncludePad: true,
} as const;
const index = tensor([[[0, 2, 1, 0, 2]], [[1, 1, 0, 2, 0]]], undefined, { dtype: "i64" });

const loops: Loop[] = [
  ...unary.map(
    (op): Loop => ({
      name: op,
      inputs: [positive],
      outputs: [[[3, 4, 5], "f32"]],
      run: ([x], [y]) => B.unary(op, x, y),
    }),
  ),
  ...binary.map(
    (op): Loop => ({
      name: op,
      inputs: [three, random("other", 3, 4, 5)],
      outputs: [[[3, 4, 5], "f32"]],
      run: ([a, b], [y]) => B.binary(op, a, b, y),
    }),
  ),
  ...reductions.map(
    (op): Loop => ({
      name: `reduce ${op}`,
      inputs: [three],
      outputs: [[[3, 5], op === "argmax" ? "i32" : "f32"]],
      run: ([x], [y]) => B.reduce(op, x, 1, y),
    }),
  ),
  {
    name: "clamp",
    inputs: [three],
    outputs: [[[3, 4, 5], "f32"]],
    run: ([x], [y]) => B.clamp(x, -0.5, 1, y),
  },
  { name: "copy", inputs: [three], outputs: [[[3, 4, 5], "i32"]], run: ([x], [y]) => B.copy(x, y) },
  {
    name: "matmul",
    inputs: [random("ma", 2, 7, 9), random("mb", 2, 9, 5)],
    outputs: [[[2, 7, 5], "f32"]],
    run: ([a, b], [y]) => B.matmul(a, b, y),
  },
  {
    name: "linear",
    inputs: [random("lx", 2, 35, 9), random("lw", 5, 9), random("lb", 5)],
    outputs: [[[2, 35, 5], "f32"]],
    run: ([x, w, b], [y]) => B.linear(x, w, b, y),
  },
  {
    name: "conv2d",
    inputs: [image, random("cw", 4, 3, 3, 3), random("cb", 4)],
    outputs: [[[2, 4, 3, 4], "f32"]],
    run: ([x, w, b], [y]) => B.conv2d(x, w, b, y, { ...geometry, groups: 2 }),
  },
  {
    name: "depthwise conv2d",
    inputs: [image, random("dw", 12, 1, 3, 3), random("db", 12)],
    outputs: [[[2, 12, 3, 4], "f32"]],
    run: ([x, w, b], [y]) => B.conv2d(x, w, b, y, { ...geometry, groups: 6 }),
  },
  {
    name: "affineChannels",
    inputs: [image, random("alpha", 6), random("beta", 6)],
    outputs: [[[2, 6, 5, 4], "f32"]],
    run: ([x, a, b], [y]) => B.affineChannels(x, a, b, y),
  },
  {
    name: "layerNorm",
    inputs: [three, random("w", 5), random("b", 5)],
    outputs: [[[3, 4, 5], "f32"]],
    run: ([x, w, b], [y]) => B.layerNorm(x, w, b, 1e-5, y),
  },
  { name: "softmax", inputs: [three], outputs: [[[3, 4, 5], "f32"]], run: ([x], [y]) => B.softmax(x, 1, y) },
  {
    name: "topk",
    inputs: [three],
    outputs: [
      [[3, 2, 5], "f32"],
      [[3, 2, 5], "i32"],
    ],
    run: ([x], [v, i]) => B.topk(x, 2, 1, true, v, i),
  },
  {
    name: "gather",
    inputs: [three, index],
    outputs: [[[2, 1, 5], "f32"]],
    run: ([x, i], [y]) => B.gather(x, 1, i, y),
  },
  {
    name: "embedding",
    inputs: [random("table", 3, 6), index],
    outputs: [[[2, 1, 5, 6], "f32"]],
    run: ([w, i], [y]) => B.embedding(w, i, y),
  },
  ...(["avg", "max"] as const).map(
    (kind): Loop => ({
      name: `${kind} pool2d`,
      inputs: [image],
      outputs: [[[2, 6, 3, 3], "f32"]],
      run: ([x], [y]) => B.pool2d(x, y, { kind, ...window }),
    }),
  ),
  {
    name: "adaptiveAvgPool2d",
    inputs: [image],
    outputs: [[[2, 6, 2, 3], "f32"]],
    run: ([x], [y]) => B.adaptiveAvgPool2d(x, y),
  },
  ...(["nearest", "bilinear"] as const).flatMap((mode): Loop[] => [
    {
      name: `interpolate ${mode}`,
      inputs: [image],
      outputs: [[[2, 6, 8, 3], "f32"]],
      run: ([x], [y]) => B.interpolate(x, y, { mode, alignCorners: false }),
    },
    {
      name: `gridSample ${mode}`,
      inputs: [image, random("grid", 2, 3, 3, 2)],
      outputs: [[[2, 6, 3, 3], "f32"]],
      run: ([x, g], [y]) => B.gridSample(x, g, y, { mode, paddingMode: "zeros", alignCorners: false }),
    },
  ]),
  {
    name: "deformableAttention",
    inputs: [random("value", 2, 14, 3, 4), random("at", 2, 5, 3, 2, 2, 2), random("share", 2, 5, 3, 2, 2)],
    outputs: [[[2, 5, 12], "f32"]],
    run: ([v, l, w], [y]) =>
      B.deformableAttention(
        v,
        [
          [3, 4],
          [1, 2],
        ],
        l,
        w,
        y,
      ),
  },
];

describe("any strides, the same bits", () => {
  it.each(loops)(
    "$name: gapped and reversed inputs and outputs, guards intact",
    ({ inputs, outputs, run }) => {
      const plain = outputs.map(([shape, dtype]) => Tensor.empty(B, shape, dtype));
      run([...inputs], plain);
      const windows = outputs.map(([shape, dtype]) => gapped(shape, dtype));
      const views = inputs.map((x) => {
        const { view } = gapped(x.shape, x.dtype);
        return view.copyFrom(x);
      });
      run(
        views,
        windows.map((w) => w.view),
      );
      windows.forEach(({ view, guardsIntact }, k) => {
        expect(view.toArray()).toEqual(plain[k].toArray());
        expect(guardsIntact()).toBe(true);
      });
    },
  );

  it.each(["unary", "binary", "clamp", "affineChannels"] as const)("%s may write over its input", (kind) => {
    const run = (x: Tensor, out: Tensor): void => {
      if (kind === "unary") B.unary("silu", x, out);
      else if (kind === "binary") B.binary("sub", x, random("sub", 1, 6, 1, 1).expand(...x.shape), out);
      else if (kind === "clamp") B.clamp(x, -1, 1, out);
      else B.affineChannels(x, random("a", 6), random("b", 6), out);
    };
    const expected = Tensor.empty(B, image.shape);
    run(image, expected);
    const inPlace = image.clone();
    run(inPlace, inPlace);
    expect(inPlace.toArray()).toEqual(expected.toArray());
  });

  it("reads and writes storages of another backend through their arrays", () => {
    const other = { ...B, name: "wasm" as const };
    const memory = new ArrayBuffer(4096);
    const at = (byte: number, data: Tensor): Tensor => {
      const array = new Float32Array(memory, byte, data.size);
      array.set(data.toFloat32Array());
      return new Tensor(new HeapStorage(other, array), data.shape, data.strides);
    };
    const a = at(64, random("ma", 7, 9));
    const b = at(512, random("mb", 9, 5));
    const out = at(1024, full([7, 5], 0));
    B.matmul(a, b, out);
    const expected = Tensor.empty(B, [7, 5]);
    B.matmul(random("ma", 7, 9), random("mb", 9, 5), expected);
    expect(out.toArray()).toEqual(expected.toArray());
  });

  it("allocates zero-filled storages of every dtype", () => {
    for (const dtype of ["f32", "i32", "i64", "u8"] as const) {
      const s = B.allocate(dtype, 3);
      expect(s.data).toEqual(newTypedArray(dtype, 3));
      expect([s.backend, s.dtype, s.length, s.address]).toEqual([B, dtype, 3, 0]);
    }
  });

  it("refuses elements of the wrong type instead of reading them", () => {
    const i = full([2], 1, { dtype: "i32" });
    expect(() => B.unary("exp", i, i)).toThrow("reference backend: expected f32 elements, got i32");
    expect(() => B.embedding(full([2, 2], 1), full([1], 0), full([1, 2], 0))).toThrow(
      /i32 or i64 indices, got f32/,
    );
  });
});
