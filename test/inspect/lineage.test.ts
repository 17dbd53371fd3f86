/** Lineage and receptive fields: what the graph says is what a changed pixel does. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Pipeline } from "../../src/detector/pipeline.ts";
import { type Lineage, lineageOf, receptiveField, recordTrace } from "../../src/inspect/index.ts";
import { Tensor } from "../../src/tensor/index.ts";

const SIZE = 320;

let pipeline: Pipeline;
let lineage: Lineage;

beforeAll(() => {
  pipeline = new Pipeline({ fuse: false, imgsz: SIZE, threads: 1 });
  lineage = lineageOf(pipeline.model as never, [1, 3, SIZE, SIZE]);
});
afterAll(() => pipeline.close());

const numberOf = (path: string): number => lineage.calls.findIndex((call) => call.path === path);

function imageOf(data: Float32Array): Tensor {
  const image = Tensor.empty(pipeline.backend, [1, 3, SIZE, SIZE]).keep();
  (image.storage.data as Float32Array).set(data);
  return image;
}

/** A layer's output where one pixel of the input is NaN, which no sum loses. */
function withNaN(
  layer: string,
  row: number,
  column: number,
): { shape: readonly number[]; data: Float32Array } {
  const data = new Float32Array(3 * SIZE * SIZE).fill(0.5);
  data[row * SIZE + column] = Number.NaN;
  const input = imageOf(data);
  const { trace, result } = recordTrace(pipeline.model.backbone as never, () =>
    (pipeline.model.backbone as unknown as { call(x: Tensor): Tensor[] }).call(input),
  );
  for (const tensor of result) tensor.dispose();
  input.dispose();
  return trace.get(layer) as { shape: readonly number[]; data: Float32Array };
}

describe("calls and operators", () => {
  it("are those of a run, each call around the operators that ran in it", async () => {
    const { calls, nodes } = lineage;
    expect(calls[0]).toMatchObject({ path: "", parent: -1, first: 0, end: nodes.length });
    for (const { parent, first, end } of calls.slice(1)) {
      expect(calls[parent].first).toBeLessThanOrEqual(first);
      expect(calls[parent].end).toBeGreaterThanOrEqual(end);
    }
    const conv = calls[numberOf("model.0.layer1.convbn_0.conv")];
    const own = nodes.slice(conv.first, conv.end);
    expect(own.map(({ name }) => name)).toEqual(["conv2d"]);
    expect(own[0].window).toMatchObject({ size: [3, 3], stride: [2, 2], padding: [1, 1] });
    expect(own[0].inputs).toEqual(conv.inputs);
    expect(own[0].outputs).toEqual(conv.outputs);
    expect(conv.outputs[0].shape).toEqual([1, 32, SIZE / 4, SIZE / 4]);
  });

  it("say what was summed between modules, and leave the model as it was", () => {
    const { calls, nodes } = lineage;
    const aifi = numberOf("model.2");
    const sums = nodes.filter(({ call, name }) => call === aifi && name === "binary add");
    expect(sums).toHaveLength(3); // position, and two shortcuts
    const [attention] = calls[numberOf("model.2.ma")].outputs;
    expect(sums[1].inputs.map(({ value }) => value)).toContain(attention.value);
    const input = imageOf(new Float32Array(3 * SIZE * SIZE));
    const result = pipeline.model.call(input);
    expect(result.output0.shape).toEqual([1, 100, 10]);
    for (const tensor of Object.values(result)) tensor.dispose();
    input.dispose();
  });
});

describe("receptive fields", () => {
  it.each([
    ["model.0.conv0", [0, 3, 60, 70], 3],
    ["model.0.layer1", [0, 0, 30, 41], 7],
    ["model.0.layer2", [0, 9, 20, 12], 15],
  ] as const)(
    "of %s: a pixel at each corner reaches the cell, one beyond each side does not",
    (layer, index, side) => {
      const field = receptiveField(lineage, numberOf(layer), 0, index);
      expect(field).toBeDefined();
      const { rows, columns } = field as NonNullable<typeof field>;
      expect([rows[1] - rows[0], columns[1] - columns[0]]).toEqual([side, side]);
      const reaches = (row: number, column: number): boolean => {
        const { shape, data } = withNaN(layer.replace("model.0.", ""), row, column);
        const [, channel, h, w] = index;
        return Number.isNaN(data[(channel * shape[2] + h) * shape[3] + w]);
      };
      for (const row of [rows[0], rows[1] - 1])
        for (const column of [columns[0], columns[1] - 1]) expect(reaches(row, column)).toBe(true);
      for (const row of [rows[0] - 1, rows[1]]) expect(reaches(row, columns[0] + 1)).toBe(false);
      for (const column of [columns[0] - 1, columns[1]]) expect(reaches(rows[0] + 1, column)).toBe(false);
    },
  );

  it("end at the picture's border, and are all of it behind attention", () => {
    expect(receptiveField(lineage, numberOf("model.0.layer1"), 0, [0, 0, 0, 79])).toEqual({
      rows: [0, 4],
      columns: [313, 320],
    });
    const whole = { rows: [0, SIZE], columns: [0, SIZE] };
    expect(receptiveField(lineage, numberOf("model.2"), 0, [0, 5, 0, 0])).toEqual(whole);
    expect(receptiveField(lineage, numberOf("model.12"), 0, [0, 5, 3, 3])).toEqual(whole);
    expect(receptiveField(lineage, numberOf("model.19"), 0, [0, 7, 4])).toEqual(whole);
  });

  it("go through a neck's short cuts without its attention", () => {
    // model.10 reads layer2 by a 1x1 convolution: the field of layer2's cell.
    const of = (path: string): unknown => receptiveField(lineage, numberOf(path), 0, [0, 1, 7, 33]);
    expect(of("model.10")).toEqual(of("model.0.layer2"));
  });

  it("refuse what is no element", () => {
    expect(() => receptiveField(lineage, 1, 9, [0])).toThrow(/a call's output/);
    expect(() => receptiveField(lineage, numberOf("model.1"), 0, [0, 0, 10, 0])).toThrow(
      /an index of \[1, 128, 10, 10\]/,
    );
  });
});
