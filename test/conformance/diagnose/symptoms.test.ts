/** Mistakes that show in results alone, planted by hand: no computation is known, whole tensors and samples. */
import { describe, expect, it } from "vitest";
import { diagnose, type Evidence, SYMPTOMS } from "../../../src/conformance/diagnose/index.ts";
import type { HostTensor } from "../../../src/conformance/host-tensor.ts";
import { samplePositions } from "../../../src/conformance/samples.ts";
import type { Diagnosis } from "../../../src/conformance/verdict.ts";
import { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16 } from "../../../src/weights/half.ts";
import { f32, names, normal, rounded, uniform } from "./support.ts";

const map = normal("right", [1, 6, 9, 7], 2, 0.5);
const data = map.data as Float32Array;

function evidence(expected: HostTensor, got: HostTensor, more: Partial<Evidence> = {}): Evidence {
  return {
    subject: { kind: "module", name: "NoSuchModule", arguments: {} },
    name: "output",
    inputs: new Map(),
    parameters: new Map(),
    expected,
    shape: expected.shape,
    got,
    bound: { abs: 1e-5, rel: 2e-6 },
    mode: "chained",
    ...more,
  };
}

const said = (expected: HostTensor, got: HostTensor, more: Partial<Evidence> = {}): Diagnosis[] =>
  diagnose(evidence(expected, got, more));

/** got[n, c, y, x] = right[at(c, y, x)], or `fill` where that is outside. */
function moved(
  at: (c: number, y: number, x: number) => readonly [number, number, number],
  fill = 0,
): HostTensor {
  const [, C, H, W] = map.shape;
  const out = new Float32Array(data.length).fill(fill);
  for (let c = 0; c < C; c++)
    for (let y = 0; y < H; y++)
      for (let x = 0; x < W; x++) {
        const [a, b, d] = at(c, y, x);
        if (a >= 0 && a < C && b >= 0 && b < H && d >= 0 && d < W)
          out[(c * H + y) * W + x] = data[(a * H + b) * W + d];
      }
  return f32(map.shape, out);
}

const rows = uniform("rows", [1, 12, 9], 0.2, 0.5);
const rowData = rows.data as Float32Array;
const byRow = (f: (row: number[]) => number[]): HostTensor =>
  f32(
    rows.shape,
    Array.from({ length: 12 }, (_, q) => f(Array.from(rowData.subarray(9 * q, 9 * q + 9)))).flat(),
  );
const logit = (p: number): number => Math.log(p / (1 - p));
const softmax = (x: number[]): number[] => {
  const powers = x.map(Math.exp);
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map((v) => v / total);
};

/** The name, the right tensor and the wrong one. */
const PLANTS: readonly (readonly [title: string, mistake: string, HostTensor, HostTensor])[] = [
  ["a single pass through fp16", "fp16", map, f32(map.shape, f16ToF32(f32ToF16(data)))],
  [
    "a chain in fp16: on the grid, ten of its roundings off",
    "fp16",
    map,
    f32(map.shape, f16ToF32(f32ToF16(Float32Array.from(rounded(map, 5e-3).data as Float32Array)))),
  ],
  ["bfloat16", "bf16", map, f32(map.shape, bf16ToF32(f32ToBf16(data)))],
  [
    "fp16 overflow to infinity",
    "fp16-overflow",
    f32(
      [64],
      Array.from({ length: 64 }, (_, i) => 1800.5 * i),
    ),
    f32(
      [64],
      Array.from({ length: 64 }, (_, i) => (1800.5 * i > 65504 ? Number.POSITIVE_INFINITY : 1800.5 * i)),
    ),
  ],
  [
    "denormals of fp16 set to zero",
    "flush-to-zero",
    f32(
      [100],
      Array.from({ length: 100 }, (_, i) => (i + 1) * 1e-6),
    ),
    f32(
      [100],
      Array.from({ length: 100 }, (_, i) => ((i + 1) * 1e-6 < 6.1e-5 ? 0 : (i + 1) * 1e-6)),
    ),
  ],
  [
    "int8 quantisation",
    "int8",
    map,
    f32(
      map.shape,
      data.map((v) => Math.max(-128, Math.min(127, Math.round(v / 0.05))) * 0.05),
    ),
  ],
  [
    "a missing 1/255",
    "constant-factor",
    map,
    f32(
      map.shape,
      data.map((v) => 255 * v),
    ),
  ],
  [
    "a constant added",
    "constant-offset",
    map,
    f32(
      map.shape,
      data.map((v) => v + 0.37),
    ),
  ],
  [
    "per-channel scales",
    "per-channel-affine",
    map,
    f32(
      map.shape,
      data.map((v, i) => v * (1 + 0.1 * (Math.floor(i / 63) % 5)) + 0.2 * Math.floor(i / 63)),
    ),
  ],
  [
    "a ReLU6 too many",
    "activation-added",
    map,
    f32(
      map.shape,
      data.map((v) => Math.min(6, Math.max(0, v))),
    ),
  ],
  [
    "ReLU for ReLU6",
    "relu-for-relu6",
    f32(
      map.shape,
      data.map((v) => Math.min(6, Math.max(0, 3 * v))),
    ),
    f32(
      map.shape,
      data.map((v) => Math.max(0, 3 * v)),
    ),
  ],
  [
    "logits for probabilities",
    "sigmoid-missing",
    uniform("p", [4, 9], 0.05, 0.95),
    f32([4, 9], Array.from(uniform("p", [4, 9], 0.05, 0.95).data as Float32Array, logit)),
  ],
  [
    "another sign",
    "sign",
    map,
    f32(
      map.shape,
      data.map((v) => -v),
    ),
  ],
  [
    "zeros: never written",
    "never-written",
    map,
    f32(
      map.shape,
      data.map(() => 0),
    ),
  ],
  [
    "NaN in some places",
    "not-a-number",
    map,
    f32(
      map.shape,
      data.map((v, i) => (i % 50 === 3 ? Number.NaN : v)),
    ),
  ],
  [
    "NHWC memory in an NCHW shape",
    "layout",
    map,
    (() => {
      const out: number[] = [];
      for (let y = 0; y < 9; y++)
        for (let x = 0; x < 7; x++) for (let c = 0; c < 6; c++) out.push(data[(c * 9 + y) * 7 + x]);
      return f32(map.shape, out);
    })(),
  ],
  [
    "NHWC in its own shape",
    "layout",
    map,
    (() => {
      const out: number[] = [];
      for (let y = 0; y < 9; y++)
        for (let x = 0; x < 7; x++) for (let c = 0; c < 6; c++) out.push(data[(c * 9 + y) * 7 + x]);
      return f32([1, 9, 7, 6], out);
    })(),
  ],
  [
    "height and width exchanged",
    "layout",
    map,
    (() => {
      const out: number[] = [];
      for (let c = 0; c < 6; c++)
        for (let x = 0; x < 7; x++) for (let y = 0; y < 9; y++) out.push(data[(c * 9 + y) * 7 + x]);
      return f32([1, 6, 7, 9], out);
    })(),
  ],
  ["a shift by a pixel down and right", "shifted", map, moved((c, y, x) => [c, y - 1, x - 1])],
  ["mirrored left to right", "flipped", map, moved((c, y, x) => [c, y, 6 - x])],
  ["channels in reverse order", "channel-order", map, moved((c, y, x) => [5 - c, y, x])],
  ["two channels exchanged", "channel-order", map, moved((c, y, x) => [c === 1 ? 4 : c === 4 ? 1 : c, y, x])],
  [
    "queries in another order",
    "row-order",
    rows,
    f32(
      rows.shape,
      Array.from({ length: 12 }, (_, q) =>
        Array.from(rowData.subarray(9 * ((q + 5) % 12), 9 * ((q + 5) % 12) + 9)),
      ).flat(),
    ),
  ],
  [
    "the end never written",
    "truncated",
    map,
    f32(
      map.shape,
      data.map((v, i) => (i < 300 ? v : 0)),
    ),
  ],
  ["all channels the first one", "repeated-rows", map, moved((_c, y, x) => [0, y, x])],
  [
    "corners for centres",
    "boxes-xyxy",
    rows,
    byRow(([x, y, w, h, ...s]) => [x - w / 2, y - h / 2, x + w / 2, y + h / 2, ...s]),
  ],
  [
    "top left for centre",
    "boxes-xywh",
    rows,
    byRow(([x, y, w, h, ...s]) => [x - w / 2, y - h / 2, w, h, ...s]),
  ],
  [
    "box logits",
    "boxes-sigmoid-missing",
    rows,
    byRow(([x, y, w, h, ...s]) => [...[x, y, w, h].map(logit), ...s]),
  ],
  ["x and y exchanged", "boxes-axes", rows, byRow(([x, y, w, h, ...s]) => [y, x, h, w, ...s])],
  ["width and height exchanged", "boxes-size-axes", rows, byRow(([x, y, w, h, ...s]) => [x, y, h, w, ...s])],
  [
    "score logits",
    "scores-sigmoid-missing",
    rows,
    byRow(([x, y, w, h, ...s]) => [x, y, w, h, ...s.map(logit)]),
  ],
  [
    "softmax over classes",
    "softmax-for-sigmoid",
    rows,
    byRow(([x, y, w, h, ...s]) => [x, y, w, h, ...softmax(s.map(logit))]),
  ],
];

describe("named first", () => {
  it.each(PLANTS)("%s", (_title, mistake, right, wrong) => {
    const found = said(right, wrong);
    expect(found[0]?.mistake, JSON.stringify(found)).toBe(mistake);
    expect(found[0].explains).toBeGreaterThan(0.85);
  });

  it("a result that is another tensor's", () => {
    const other = normal("other", map.shape);
    expect(names(said(map, other, { others: new Map([["model.0.layer1", other]]) }))[0]).toBe("stale-result");
  });
});

describe("from samples", () => {
  const wide = normal("wide", [1, 16, 20, 20], 2);
  const positions = samplePositions("output", 6400, 96);
  const kept = f32(
    [96],
    Array.from(positions, (p) => (wide.data as Float32Array)[p]),
  );
  const sampled = (got: HostTensor): Diagnosis[] => said(kept, got, { shape: wide.shape, positions });
  const all = wide.data as Float32Array;

  it.each([
    [
      "constant-factor",
      f32(
        wide.shape,
        all.map((v) => 0.125 * v),
      ),
    ],
    ["fp16", f32(wide.shape, f16ToF32(f32ToF16(all)))],
    [
      "shifted",
      f32(
        wide.shape,
        all.map((_, i) => all[i - 20] ?? 0),
      ),
    ],
    [
      "flipped",
      f32(
        wide.shape,
        all.map((_, i) => all[i - (i % 20) + 19 - (i % 20)]),
      ),
    ],
    [
      "activation-added",
      f32(
        wide.shape,
        all.map((v) => Math.max(0, v)),
      ),
    ],
  ] as const)("%s", (mistake, got) => {
    const found = sampled(got);
    expect(found[0]?.mistake, JSON.stringify(found)).toBe(mistake);
  });
});

describe("nothing is named", () => {
  it("of a right result with another implementation's rounding", () => {
    expect(said(map, rounded(map))).toEqual([]);
    expect(said(rows, rounded(rows))).toEqual([]);
  });

  it("of noise: unknown, with where it is", () => {
    const noise = normal("noise", map.shape, 0.3).data as Float32Array;
    const found = said(
      map,
      f32(
        map.shape,
        data.map((v, i) => v + noise[i]),
      ),
    );
    expect(names(found)).toEqual(["unknown"]);
    expect(found[0].explains).toBe(0);
  });

  it("of other weights in some channels: unknown, and only those channels are named", () => {
    const noise = normal("noise", map.shape, 1).data as Float32Array;
    const found = said(
      map,
      f32(
        map.shape,
        data.map((v, i) => (Math.floor(i / 63) >= 4 ? noise[i] : v)),
      ),
    );
    expect(names(found)).toContain("unknown");
    expect(found.find(({ mistake }) => mistake === "unknown")?.because).toContain("only channels 4-5 of 6");
  });

  it("of wrong edges alone: unknown, and the edges are named", () => {
    const noise = normal("noise", map.shape, 1).data as Float32Array;
    const edge = (i: number): boolean =>
      i % 7 === 0 || i % 7 === 6 || Math.floor(i / 7) % 9 === 0 || Math.floor(i / 7) % 9 === 8;
    const found = said(
      map,
      f32(
        map.shape,
        data.map((v, i) => (edge(i) ? v + noise[i] : v)),
      ),
    );
    expect(found.at(-1)?.because).toContain("all of them at the edges of the map: look at padding");
  });
});

it("every symptom says how to mend it", () => {
  for (const { mend } of SYMPTOMS) expect(mend.length).toBeGreaterThan(15);
});
