/** Resampling done wrongly: interpolation, grids, deformable attention. */
import type { Pair } from "../../backend/backend.ts";
import { MSDeformAttn } from "../../models/index.ts";
import { Upsample } from "../../nn/index.ts";
import {
  add,
  cat,
  type deformableAttention,
  div,
  gridSample,
  interpolate,
  mul,
  softmax,
  sub,
  sum,
} from "../../ops/index.ts";
import { tensor } from "../../tensor/create.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { Attributes, Unsupported } from "../adapters/attributes.ts";
import { inEvery, type Mistake, withForward } from "./mistake.ts";
import type { Change, Problem } from "./problem.ts";

const set =
  (extra: { readonly [key: string]: boolean | string | null }): Change["attributes"] =>
  (a) => ({ ...a, ...extra });

const isResampling = ({ kind }: Problem): boolean => kind === "interpolate" || kind === "grid_sample";

/** Options of grid_sample under which a deformable attention may run. */
type GridOptions = Parameters<typeof gridSample>[2];

/** How deformable attention may be read. */
interface Reading {
  readonly grid?: GridOptions;
  /** Pixels by which samples are off, in each level. */
  readonly shift?: number;
  readonly swapped?: boolean;
  /** The levels' maps in the reverse order. */
  readonly reversed?: boolean;
}

/** grid_sample, weighted and summed: what deformable attention is, with other options than the right ones. */
function deformableBy({ grid = {}, shift = 0, swapped, reversed }: Reading): typeof deformableAttention {
  return (value, shapes, locations, weights) => {
    const [n, , heads, d] = value.shape;
    const [, q, , levels, points] = locations.shape;
    const rows: Tensor[] = [];
    let start = 0;
    shapes.forEach(([h, w], level) => {
      const plane = value
        .slice(1, start, start + h * w)
        .permute(0, 2, 3, 1)
        .reshape(n * heads, d, h, w);
      let at = locations
        .select(3, reversed ? levels - 1 - level : level)
        .permute(0, 2, 1, 3, 4)
        .reshape(n * heads, q, points, 2);
      if (swapped) at = cat(at.split(1, -1).reverse(), -1);
      if (shift !== 0) at = add(at, tensor([shift / w, shift / h], [2], { backend: at.backend }));
      rows.push(gridSample(plane, sub(mul(at, 2), 1), grid)); // [N*H, D, Q, P]
      start += h * w;
    });
    const share = (reversed ? cat(weights.split(1, 3).reverse(), 3) : weights)
      .permute(0, 2, 1, 3, 4)
      .reshape(n * heads, 1, q, levels * points);
    const mixed = sum(mul(cat(rows, -1), share), -1); // [N*H, D, Q]
    return mixed
      .reshape(n, heads * d, q)
      .permute(0, 2, 1)
      .contiguous();
  };
}

/** What a module of deformable attention may do besides. */
interface ModuleReading extends Reading {
  /** What offsets are multiplied by, from the box's size [N, Q, 1, 1, 1, 2] and the number of points. */
  readonly offsets?: (offsets: Tensor, size: Tensor, points: number, shapes: readonly Pair[]) => Tensor;
  /** The softmax runs over each level's points by themselves. */
  readonly perLevel?: boolean;
  readonly noSoftmax?: boolean;
  readonly headsLast?: boolean;
  /** Boxes are taken for corners. */
  readonly corners?: boolean;
  readonly levelsInner?: boolean;
}

function deformableModule(reading: ModuleReading): Change {
  const sample = deformableBy(reading);
  return inEvery(MSDeformAttn, (layer) => {
    const { n_heads: h, n_levels: l, n_points: p } = layer;
    withForward(layer, ((query: Tensor, referBox: Tensor, memory: Tensor, shapes: readonly Pair[]) => {
      const [n, q, d] = query.dims3("MSDeformAttn");
      const flat = layer.value_proj.call(memory);
      const value = reading.headsLast
        ? flat
            .reshape(n, -1, d / h, h)
            .transpose(2, 3)
            .contiguous()
        : flat.viewAs(n, -1, h, d / h);
      const raw = layer.sampling_offsets.call(query);
      const offsets = reading.levelsInner
        ? raw.viewAs(n, q, h, p, l, 2).transpose(3, 4).contiguous()
        : raw.viewAs(n, q, h, l, p, 2);
      const logits = layer.attention_weights.call(query);
      const weights = reading.noSoftmax
        ? logits.viewAs(n, q, h, l, p)
        : reading.perLevel
          ? softmax(logits.viewAs(n, q, h, l, p), -1)
          : softmax(logits.viewAs(n, q, h, l * p), -1).viewAs(n, q, h, l, p);
      const [first, second] = referBox.reshape(n, q, 1, 1, 1, 4).split(2, -1);
      const centre = reading.corners ? mul(add(first, second), 0.5) : first;
      const size = reading.corners ? sub(second, first) : second;
      const step = reading.offsets?.(offsets, size, p, shapes) ?? mul(mul(div(offsets, p), size), 0.5);
      return layer.output_proj.call(sample(value, shapes, add(centre, step), weights));
    }) as never);
    return true;
  });
}

const byMap = (offsets: Tensor, shapes: readonly Pair[]): Tensor => {
  const sides = shapes.flatMap(([h, w]) => [w, h]);
  return div(offsets, tensor(sides, [1, 1, 1, shapes.length, 1, 2], { backend: offsets.backend }));
};

const alignCorners: Mistake = {
  name: "align-corners",
  mend: "align_corners = False: pixel centres are at half-integers, (i + 0.5) / size.",
  *guesses(problem) {
    if (isResampling(problem)) {
      const now = problem.attributes.align_corners === true;
      yield { change: { attributes: set({ align_corners: !now }) }, says: `align_corners is ${!now}` };
    }
    const says = "samples are taken with align_corners = True";
    yield* deformable(problem, { grid: { alignCorners: true } }, says);
    yield {
      change: inEvery(Upsample, (layer) => {
        if (layer.mode !== "bilinear") return false;
        const { size, scaleFactor, mode, alignCorners: now = false } = layer;
        withForward(layer, ((x: Tensor) =>
          interpolate(x, { size, scaleFactor, mode, alignCorners: !now })) as never);
        return true;
      }),
      says: "align_corners is the other way round",
    };
  },
};

/** A reading in the operator or in the module, whichever the problem has. */
function* deformable(
  problem: Problem,
  reading: ModuleReading,
  says: string,
): Generator<{ change: Change; says: string }> {
  if (problem.has((module) => module instanceof MSDeformAttn))
    yield { change: deformableModule(reading), says };
  if (problem.kind !== "ms_deform_attn") return;
  yield { change: { operator: deformableOperator(reading) }, says };
}

function deformableOperator(reading: Reading): Change["operator"] {
  return (tensors, attributes) => {
    const shapes = new Attributes("shapes", attributes).pairs("value_spatial_shapes");
    const [value, locations, weights] = ["value", "sampling_locations", "attention_weights"].map((name) =>
      tensors.get(name),
    );
    if (!value || !locations || !weights || !shapes) throw new Unsupported("other names");
    return deformableBy(reading)(value, shapes, locations, weights);
  };
}

const samplingPadding: Mistake = {
  name: "sampling-padding",
  mend: "Samples outside of the map are zero: padding_mode = 'zeros'.",
  *guesses(problem) {
    if (problem.kind === "grid_sample") {
      const other = problem.attributes.padding_mode === "border" ? "zeros" : "border";
      yield { change: { attributes: set({ padding_mode: other }) }, says: `the padding mode is '${other}'` };
    }
    yield* deformable(
      problem,
      { grid: { paddingMode: "border" } },
      "samples outside of a map repeat its border",
    );
  },
};

const samplingMode: Mistake = {
  name: "sampling-mode",
  mend: "Use the golden's interpolation: bilinear for grids, nearest for the neck's upsampling.",
  *guesses(problem) {
    if (isResampling(problem)) {
      const now = problem.attributes.mode ?? (problem.kind === "interpolate" ? "nearest" : "bilinear");
      const other = now === "nearest" ? "bilinear" : "nearest";
      const says = `the mode is ${other}, not ${String(now)}`;
      const corners =
        problem.kind === "interpolate" ? { align_corners: other === "nearest" ? null : false } : {};
      const attributes = set({ mode: other, ...corners } as {
        readonly [key: string]: boolean | string | null;
      });
      yield { change: { attributes }, says };
    }
    yield* deformable(problem, { grid: { mode: "nearest" } }, "the nearest pixel is taken, not four blended");
    yield {
      change: inEvery(Upsample, (layer) => {
        const { size, scaleFactor } = layer;
        const mode = layer.mode === "nearest" ? "bilinear" : "nearest";
        withForward(layer, ((x: Tensor) => interpolate(x, { size, scaleFactor, mode })) as never);
        return true;
      }),
      says: "maps are enlarged by the other interpolation, nearest for bilinear or bilinear for nearest",
    };
  },
};

const samplingOffset: Mistake = {
  name: "sampling-half-pixel",
  mend: "A location x in [0, 1] is pixel x * width - 0.5.",
  *guesses(problem) {
    yield* deformable(
      problem,
      { shift: 0.5 },
      "samples are half a pixel too far down and right: x * width without - 0.5",
    );
    yield* deformable(problem, { shift: -0.5 }, "samples are half a pixel too far up and left");
    if (problem.kind === "grid_sample") {
      for (const by of [0.5, -0.5]) {
        const change: Change = {
          tensors: (given) => {
            const [x, grid] = [given.get("input"), given.get("grid")];
            if (!x || !grid) return given;
            const [, , h, w] = x.shape;
            const step = tensor([(2 * by) / w, (2 * by) / h], [2], { backend: grid.backend });
            return new Map([...given, ["grid", add(grid, step)]]);
          },
        };
        yield { change, says: `samples are off by ${by} pixel in both directions` };
      }
    }
  },
};

/** The source position of each pixel of a wrong interpolation, along one axis. */
const POSITIONS: readonly (readonly [string, (i: number, step: number) => number])[] = [
  ["pixel i reads at i * step, without the half pixels", (i, step) => i * step],
  ["pixel i reads at (i + 0.5) * step, without the half pixel taken off", (i, step) => (i + 0.5) * step],
];

/** x resized bilinearly, reading where `position` says. */
function resized(x: Tensor, size: Pair, position: (i: number, step: number) => number): Tensor {
  let y = x;
  for (const axis of [2, 3] as const) {
    const n = x.shape[axis];
    const count = size[axis - 2];
    const lines = Array.from({ length: count }, (_, i) => {
      const at = Math.min(n - 1, Math.max(0, position(i, n / count)));
      const near = Math.floor(at);
      const far = Math.min(n - 1, near + 1);
      const line = (k: number): Tensor => y.slice(axis, k, k + 1);
      return add(mul(line(near), 1 - (at - near)), mul(line(far), at - near));
    });
    y = cat(lines, axis);
  }
  return y;
}

const halfPixel: Mistake = {
  name: "half-pixel",
  mend: "Without align_corners output pixel i reads at (i + 0.5) * step - 0.5.",
  *guesses(problem) {
    if (problem.kind !== "interpolate" || problem.attributes.mode !== "bilinear") return;
    for (const [says, position] of POSITIONS) {
      const operator: Change["operator"] = (tensors, attributes) => {
        const x = tensors.get("input");
        const a = new Attributes("interpolate", attributes);
        const scale = a.pair("scale_factor");
        if (!x) throw new Unsupported("no input");
        const [h, w] = x.shape.slice(2);
        const size = a.pair("size") ?? (scale && [Math.floor(h * scale[0]), Math.floor(w * scale[1])]);
        if (!size) throw new Unsupported("no size");
        return resized(x, [size[0], size[1]], position);
      };
      yield { change: { operator }, says };
    }
  },
};

const samplingAxes: Mistake = {
  name: "sampling-axes",
  mend: "Locations are (x, y): the first number goes along the width.",
  *guesses(problem) {
    yield* deformable(problem, { swapped: true }, "x and y of the sampling locations are exchanged");
    const name = "grid";
    if (problem.kind !== "grid_sample" || !problem.shapes.has(name)) return;
    const change: Change = {
      tensors: (given) => {
        const at = given.get(name);
        return at ? new Map([...given, [name, cat(at.split(1, -1).reverse(), -1)]]) : given;
      },
    };
    yield { change, says: "x and y of the sampling locations are exchanged" };
  },
};

const levelOrder: Mistake = {
  name: "level-order",
  mend: "Levels go from fine to coarse (strides 8, 16, 32), in the memory, the offsets and the weights alike.",
  *guesses(problem) {
    yield* deformable(problem, { reversed: true }, "offsets and weights are taken from coarse to fine");
  },
};

const offsetScale: Mistake = {
  name: "sampling-offset-scale",
  mend: "location = centre + offset / points * (width, height of the box) * 0.5.",
  *guesses(problem) {
    const guesses: readonly (readonly [string, ModuleReading])[] = [
      ["offsets are not halved", { offsets: (o, size, p) => mul(div(o, p), size) }],
      ["offsets are not divided by the number of points", { offsets: (o, size) => mul(mul(o, size), 0.5) }],
      ["offsets are not scaled by the box", { offsets: (o, _size, p) => mul(div(o, p), 0.5) }],
      [
        "offsets are divided by the map's size, as without boxes",
        { offsets: (o, _size, _p, shapes) => byMap(o, shapes) },
      ],
      ["offsets are left out", { offsets: (o) => mul(o, 0) }],
    ];
    for (const [says, reading] of guesses) yield* deformable(problem, reading, says);
  },
};

const deformableParts: Mistake = {
  name: "deformable-layout",
  mend: "Offsets are [heads, levels, points, 2], weights a softmax over levels * points, value heads runs of consecutive channels, boxes cx cy w h.",
  *guesses(problem) {
    const guesses: readonly (readonly [string, ModuleReading])[] = [
      ["the softmax runs over each level's points by themselves", { perLevel: true }],
      ["the weights have no softmax", { noSoftmax: true }],
      ["the value's heads take every n-th channel", { headsLast: true }],
      ["reference boxes are taken for corners x1 y1 x2 y2", { corners: true }],
      ["offsets are read as [heads, points, levels, 2]", { levelsInner: true }],
    ];
    for (const [says, reading] of guesses) yield* deformable(problem, reading, says);
  },
};

/** All of them. */
export const SAMPLING: readonly Mistake[] = [
  alignCorners,
  samplingPadding,
  samplingMode,
  samplingOffset,
  halfPixel,
  samplingAxes,
  levelOrder,
  offsetScale,
  deformableParts,
];
