/** What must not change a result: threads, batches, memory layout; and what may only round: fusing, the backend. */
import { afterAll, describe, expect, it } from "vitest";
import { createWasmBackend } from "../../src/backend/wasm/wasm-backend.ts";
import { matchRows } from "../../src/conformance/match-rows.ts";
import type { RTDETRDetectionModel } from "../../src/models/rtdetr/model.ts";
import { cat } from "../../src/ops/index.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { loadModelGolden, type ModelCase } from "../golden/golden.ts";
import { DETECTION_ROWS } from "../tolerances.ts";
import { loadCase, pictureFor } from "./support.ts";

const backends = [1, 2, 3, 4].map((threads) => createWasmBackend({ threads }));
afterAll(() => Promise.all(backends.map((backend) => backend.close())));

const CONV: ModelCase = { model: "MobileNetV4ConvSmall", kind: "detector", height: 256, width: 416 };
const HYBRID: ModelCase = { model: "MobileNetV4HybridMedium", kind: "detector", height: 320, width: 320 };

function run(
  of: ModelCase,
  threads: number,
  use: (model: RTDETRDetectionModel, x: Tensor) => Tensor,
): Float32Array {
  const backend = backends[threads - 1];
  const model = loadCase(of, backend) as RTDETRDetectionModel;
  const output = use(model, pictureFor(of, loadModelGolden(of), backend)).toFloat32Array();
  model.dispose();
  return output;
}

const plain = (model: RTDETRDetectionModel, x: Tensor): Tensor => model.call(x).output0;

describe.each([CONV, HYBRID])("$model", (of) => {
  const expected = run(of, 1, plain);

  it.each([2, 3, 4])("gives the same bits with %i threads as with 1", (threads) => {
    expect(Buffer.from(run(of, threads, plain).buffer).equals(Buffer.from(expected.buffer))).toBe(true);
  });

  it("gives the same bits for a picture in row-major and in channels-last memory", () => {
    const output = run(of, 1, (model, x) => plain(model, x.contiguous("channels_last")));
    expect(output).toEqual(expected);
  });

  it("gives each picture of a batch what it gets alone", () => {
    const output = run(of, 2, (model, x) => {
      const [, , h, w] = x.shape;
      const mirrored = cat(
        Array.from({ length: w }, (_, i) => x.slice(3, w - 1 - i, w - i)),
        3,
      );
      expect(mirrored.shape).toEqual([1, 3, h, w]);
      return plain(model, cat([mirrored, x], 0)).select(0, 1);
    });
    expect(output).toEqual(expected);
  });

  it("differs by rounding alone once fused", () => {
    const output = run(of, 2, (model, x) => plain(model.fuse(), x));
    const match = matchRows(expected, output, 84);
    expect(match.max).toBeGreaterThan(0); // it is another computation
    expect(match.max).toBeLessThan(DETECTION_ROWS.abs);
  });
});
