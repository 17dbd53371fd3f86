/** Storage in WASM memory: scopes, release, views across growth, memory above 2 GiB, collection. */
import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, describe, expect, it } from "vitest";
import type { Strided } from "../../../src/backend/backend.ts";
import { referenceBackend } from "../../../src/backend/reference/reference.ts";
import { withScope } from "../../../src/backend/scope.ts";
import { createWasmBackend } from "../../../src/backend/wasm/wasm-backend.ts";

const backend = createWasmBackend();
afterAll(() => backend.close());

describe("WasmStorage", () => {
  it("is 64-byte aligned and has the right array type", () => {
    for (const [dtype, type] of [
      ["f32", Float32Array],
      ["i32", Int32Array],
      ["i64", BigInt64Array],
      ["u8", Uint8Array],
    ] as const) {
      const s = backend.allocate(dtype, 7);
      expect(s.address % 64).toBe(0);
      expect(s.data).toBeInstanceOf(type);
      expect(s.data.length).toBe(7);
      s.release();
    }
  });

  it("keeps its numbers and its view while the memory grows", () => {
    const a = backend.allocate("f32", 100);
    const view = a.data as Float32Array;
    view.fill(3);
    const b = backend.allocate("f32", backend.bytesReserved); // at least 4 times what there was
    (b.data as Float32Array).fill(4);
    expect(a.data).toBe(view);
    expect(view.every((v) => v === 3)).toBe(true);
    a.release();
    b.release();
  });

  it("is released at the end of its scope unless kept, and by release() once", () => {
    const before = backend.bytesInUse;
    const kept = withScope(
      () => {
        backend.allocate("f32", 1000);
        return backend.allocate("f32", 10);
      },
      (s) => [s],
    );
    expect(kept.released).toBe(false);
    expect(backend.bytesInUse - before).toBe(64);
    kept.release();
    kept.release();
    expect(backend.bytesInUse).toBe(before);
    expect(kept.released).toBe(true);
    expect(() => kept.data).toThrow(/storage: expected memory that is still held/);
  });

  it("gives its memory back when it is collected without release", async () => {
    setFlagsFromString("--expose-gc");
    const gc = runInNewContext("gc") as () => void;
    const before = backend.bytesInUse;
    for (let i = 0; i < 100; i++) backend.allocate("f32", 1000);
    expect(backend.bytesInUse - before).toBeGreaterThan(400_000);
    for (let i = 0; i < 50 && backend.bytesInUse > before; i++) {
      gc();
      await sleep(10);
    }
    expect(backend.bytesInUse - before).toBeLessThan(400_000); // the collector may leave the last ones
  });

  it("refuses lengths that are not whole numbers", () => {
    for (const length of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => backend.allocate("f32", length)).toThrow(/allocate: expected a whole number/);
    }
  });
});

describe("kernels", () => {
  it("read and write above 2 GiB", async () => {
    const big = createWasmBackend();
    big.allocate("u8", 2 ** 31 + 2 ** 20); // never touched
    const x = big.allocate("f32", 1000);
    const y = big.allocate("f32", 1000);
    expect(y.address).toBeGreaterThan(2 ** 31);
    (x.data as Float32Array).fill(-2);
    const of = (storage: typeof x, strides: number[]): Strided => ({
      storage,
      dtype: "f32",
      shape: [25, 40],
      strides,
      offset: 0,
    });
    big.unary("neg", of(x, [40, 1]), of(y, [40, 1]));
    expect((y.data as Float32Array).every((v) => v === 2)).toBe(true);
    big.copy(of(y, [40, 1]), of(x, [1, 25]));
    expect((x.data as Float32Array).every((v) => v === 2)).toBe(true);
    const z = big.allocate("f32", 625);
    const product: Strided = { storage: z, dtype: "f32", shape: [25, 25], strides: [25, 1], offset: 0 };
    big.matmul(of(x, [40, 1]), { ...of(y, [25, 1]), shape: [40, 25] }, product);
    expect((z.data as Float32Array).every((v) => v === 160)).toBe(true); // 40 times 2 * 2
    await big.close();
  });

  it("refuse tensors of another backend and released ones", () => {
    const s = backend.allocate("f32", 4);
    const own: Strided = { storage: s, dtype: "f32", shape: [4], strides: [1], offset: 0 };
    const other: Strided = { ...own, storage: referenceBackend.allocate("f32", 4) };
    expect(() => backend.unary("relu", other, own)).toThrow(/expected tensors on this backend/);
    expect(() => backend.reduce("sum", other, 0, own)).toThrow(/expected tensors on this backend/);
    s.release();
    expect(() => backend.unary("relu", own, own)).toThrow(/whose memory was released/);
    expect(() => backend.fill(own, 1)).toThrow(/whose memory was released/);
  });
});

describe("createWasmBackend refuses", () => {
  it("threads and memory limits out of range, naming both", () => {
    for (const threads of [0, -1, 1.5, 1000, Number.NaN]) {
      expect(() => createWasmBackend({ threads })).toThrow(/createWasmBackend: expected threads/);
    }
    expect(() => createWasmBackend({ maxMemoryBytes: 1000 })).toThrow(/expected maxMemoryBytes/);
    expect(() => createWasmBackend({ maxMemoryBytes: Number.NaN })).toThrow(/expected maxMemoryBytes/);
  });

  it("an allocation over maxMemoryBytes, and works on afterwards", async () => {
    const small = createWasmBackend({ maxMemoryBytes: 2 ** 21 });
    expect(() => small.allocate("f32", 2 ** 20)).toThrow(/WASM memory: expected room for 4194304 more bytes/);
    small.allocate("f32", 2 ** 17).release();
    expect(small.bytesReserved).toBeLessThanOrEqual(2 ** 21);
    await small.close();
  });
});
