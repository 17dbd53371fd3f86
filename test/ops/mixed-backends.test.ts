/** Operands on different backends are refused; both are named. */
import { describe, expect, it } from "vitest";
import { HeapStorage } from "../../src/backend/heap.ts";
import { createMetaBackend, metaBackend } from "../../src/backend/meta.ts";
import { referenceBackend } from "../../src/backend/reference/reference.ts";
import * as F from "../../src/ops/index.ts";
import { full } from "../../src/tensor/create.ts";
import { Tensor } from "../../src/tensor/tensor.ts";

describe("tensors on different backends", () => {
  const x = full([2, 6], 1);

  it("a parameter on meta with a real input: its weights were not loaded", () => {
    const weight = Tensor.empty(metaBackend, [3, 6]);
    const message =
      "linear: expected all tensors on one backend, x is on reference, got weight on meta: it has a shape and no numbers (its weights were not loaded: load weights first)";
    expect(() => F.linear(x, weight)).toThrow(message);
    expect(() => F.add(Tensor.empty(createMetaBackend(), [2, 6]), x)).toThrow(
      /b is on reference, got a on meta/,
    );
  });

  it("two real backends are named, also where they are of one kind", () => {
    const twin = { ...referenceBackend };
    const other = new Tensor(new HeapStorage(twin, new Float32Array(18)), [3, 6], [6, 1]);
    expect(() => F.linear(x, other)).toThrow(
      "linear: expected all tensors on one backend, got x on reference and weight on reference (another instance) (use to(backend))",
    );
    const wasm = { ...referenceBackend, name: "wasm" as const };
    const third = new Tensor(new HeapStorage(wasm, new Float32Array(12)), [2, 6], [6, 1]);
    expect(() => F.cat([x, third], 0)).toThrow(
      "got tensor 0 on reference and tensor 1 on wasm (use to(backend))",
    );
  });
});
