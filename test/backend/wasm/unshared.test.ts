/** Memory of one thread's own, as browsers need it where none can be shared: same numbers, and views that outlive its growth. */
import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { withUnsharedMemory } from "../../../src/backend/wasm/unshared.ts";
import { createWasmBackend } from "../../../src/backend/wasm/wasm-backend.ts";
import { compile } from "../../../src/compile/index.ts";
import { isNeverRun } from "../../../src/detector/model-files.ts";
import { parseModelConfig } from "../../../src/models/rtdetr/config.ts";
import { RTDETRDetectionModel } from "../../../src/models/rtdetr/model.ts";
import { loadStateDict } from "../../../src/nn/state-dict.ts";
import { Tensor } from "../../../src/tensor/tensor.ts";
import { openSafetensors } from "../../../src/weights/safetensors.ts";
import { seededImage } from "../../../src/weights/seeded-image.ts";

const MODELS = new URL("../../../models/", import.meta.url);
const unshared = createWasmBackend({ shared: false });
const shared = createWasmBackend();
afterAll(() => Promise.all([unshared.close(), shared.close()]));

function words(values: Float32Array): number[] {
  return Array.from(new Int32Array(values.buffer, values.byteOffset, values.length));
}

describe("withUnsharedMemory", () => {
  const kernels = new Uint8Array(readFileSync(new URL("../../../build/kernels.wasm", import.meta.url)));

  it("changes one bit, and the module takes a memory that is not shared", () => {
    const own = withUnsharedMemory(kernels);
    const changed = Array.from(own.keys()).filter((i) => own[i] !== kernels[i]);
    expect(changed.map((i) => own[i] ^ kernels[i])).toEqual([2]);
    const memory = new WebAssembly.Memory({ initial: 16, maximum: 65536 });
    expect(() => new WebAssembly.Instance(new WebAssembly.Module(own), { env: { memory } })).not.toThrow();
  });

  it.each([
    ["cut off in a number", [0, 97, 115, 109, 1, 0, 0, 0, 2, 128], /whole WebAssembly module/],
    [
      "with an import of a table",
      [0, 97, 115, 109, 1, 0, 0, 0, 2, 9, 1, 1, 97, 1, 97, 1, 112, 0, 0],
      /kind 1/,
    ],
  ])("refuses a module %s", (_title, bytes, message) => {
    expect(() => withUnsharedMemory(Uint8Array.from(bytes))).toThrow(message);
  });
});

describe("a backend on memory that is not shared", () => {
  it("has it, and refuses a second thread", () => {
    expect(unshared.memory.buffer).toBeInstanceOf(ArrayBuffer);
    expect(() => createWasmBackend({ shared: false, threads: 2 })).toThrow(
      expect.objectContaining({ code: "argument", message: expect.stringMatching(/threads: 1 .*got 2/) }),
    );
  });

  it("keeps tensors while the memory grows", () => {
    const backend = createWasmBackend({ shared: false });
    const a = backend.allocate("f32", 100);
    (a.data as Float32Array).fill(3);
    const before = a.data;
    const b = backend.allocate("f32", backend.bytesReserved);
    (b.data as Float32Array).fill(4);
    expect(before.length).toBe(0); // what the memory's growth did to the old view
    expect((a.data as Float32Array).every((v) => v === 3)).toBe(true);
  });

  it("runs the default model layer by layer and as a plan: the bits of shared memory", () => {
    const config = parseModelConfig(readFileSync(new URL("codes.yaml", MODELS), "utf8"), {
      source: "codes.yaml",
    });
    const outputs = [unshared, shared].flatMap((backend) => {
      using weights = openSafetensors(new Uint8Array(readFileSync(new URL("codes.f16.safetensors", MODELS))));
      const model = new RTDETRDetectionModel(config);
      loadStateDict(model, weights, { backend, mayMiss: isNeverRun });
      const input = Tensor.empty(backend, [1, 3, 160, 160], "f32", "contiguous").keep();
      (input.storage.data as Float32Array).set(seededImage(7, 160, 160));
      // Weights lie in the memory that grows while the plan is made; the plan's own memory moves when another is.
      const plan = compile(model, { shape: [1, 3, 160, 160], backend });
      const another = compile(model, { shape: [1, 3, 320, 320], backend });
      const planned = words(plan.run(input).output0.toFloat32Array());
      const eager = words(model.call(input).output0.toFloat32Array());
      another.dispose();
      plan.dispose();
      return [planned, eager];
    });
    expect(outputs[0]).toEqual(outputs[2]);
    expect(outputs[1]).toEqual(outputs[3]);
  });
});
