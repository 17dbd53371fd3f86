/** Every operator on every backend against PyTorch: values, shapes, layouts. */
import { afterAll, describe, expect, it } from "vitest";
import { createWasmBackend } from "../../src/backend/wasm/wasm-backend.ts";
import { openBackends } from "../backends.ts";
import { deviation } from "../close.ts";
import { OPS, REFERENCE_EXACT } from "../tolerances.ts";
import { loadSubjects, runCase, stored } from "./golden-cases.ts";

// Cases this small are not shared between threads by themselves: the last backend shares every job.
const sharing = createWasmBackend({ threads: 2, inlineBelowNs: 0 });
const backends = [
  ...openBackends(),
  { name: "wasm, 2 threads, every job shared", backend: sharing, close: () => sharing.close() },
];
afterAll(async () => {
  for (const { close } of backends) await close();
});

const subjects = loadSubjects();
const CHANNELS_LAST = new Set([
  "conv2d",
  "avgPool2d",
  "maxPool2d",
  "adaptiveAvgPool2d",
  "interpolate",
  "gridSample",
]);

describe.each(backends)("operators on $name", ({ name, backend }) => {
  for (const { subject, cases, arrays } of subjects) {
    describe(subject, () => {
      for (const golden of cases) {
        it(`${golden.op}, ${golden.name}: PyTorch's values within the operator's tolerance`, () => {
          const outputs = runCase(golden, arrays, backend);
          expect(outputs.length).toBe(golden.outputs.length);
          outputs.forEach((out, k) => {
            const expected = stored(arrays, golden.outputs[k]);
            expect(out.shape).toEqual(expected.shape);
            expect(out.backend).toBe(backend);
            expect(out.dtype).toBe(expected.dtype);
            const found = deviation(out.toArray(), expected.toArray(), OPS[golden.op]);
            expect(found.failure, `maxAbs ${found.maxAbs}, maxRel ${found.maxRel}`).toBe("");
            if (name === "reference" && golden.exact) {
              const exact = stored(arrays, golden.exact[k]).toArray();
              const d = deviation(out.toArray(), exact, REFERENCE_EXACT);
              expect(d.failure, `against float64: maxAbs ${d.maxAbs}, maxRel ${d.maxRel}`).toBe("");
            }
            if (golden.strides) {
              const places = (strides: readonly number[]) => strides.filter((_, i) => out.shape[i] > 1);
              expect(places(out.strides), "strides").toEqual(places(golden.strides[k]));
            }
            if (CHANNELS_LAST.has(golden.op)) expect(out.isContiguous("channels_last")).toBe(true);
          });
        });
      }
    });
  }
});
