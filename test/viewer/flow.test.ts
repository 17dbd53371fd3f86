/** The network's map: what is seen where calls are open, who gives data to whom, and where it is drawn. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Pipeline } from "../../src/detector/pipeline.ts";
import { type Lineage, lineageOf } from "../../src/inspect/index.ts";
import { type Flow, flowOf } from "../../viewer/flow.ts";
import { layOut } from "../../viewer/flow-layout.ts";

const SIZE = 320;
let lineage: Lineage;
let pipeline: Pipeline;

beforeAll(() => {
  pipeline = new Pipeline({ fuse: false, imgsz: SIZE, threads: 1 });
  lineage = lineageOf(pipeline.model as never, [1, 3, SIZE, SIZE]);
});
afterAll(() => pipeline.close());

const pathOf = (n: number): string => (n < 0 ? "picture" : lineage.calls[n].path);

function flow(...open: string[]): Flow {
  return flowOf(lineage, (n) => open.includes(lineage.calls[n].path));
}

/** Edges as "from -> to", operators by their sign. */
function edgesOf({ boxes, edges }: Flow): string[] {
  const name = (i: number): string => (boxes[i].kind === "operator" ? boxes[i].name : pathOf(boxes[i].n));
  return edges.map(({ from, to, shape }) => `${name(from)} -> ${name(to)} ${shape.slice(1).join("x")}`);
}

const layoutOf = (seen: Flow): ReturnType<typeof layOut> =>
  layOut(
    seen,
    lineage.calls.map(({ outputs }) => outputs.map(({ shape }) => shape)),
    lineage.calls.map(({ parent }) => parent),
    SIZE,
  );

describe("flow", () => {
  it("with all shut is the YAML's wiring, with the shapes of what goes along", () => {
    const edges = edgesOf(flow());
    expect(edges).toHaveLength(1 + 19 + 4 + 2); // an input each, four joins of two, a head of three
    expect(edges).toEqual(
      expect.arrayContaining([
        "picture -> model.0 3x320x320",
        "model.0 -> model.1 128x10x10",
        "model.0 -> model.5 96x20x20",
        "model.0 -> model.10 64x40x40",
        "model.4 -> model.6 128x20x20",
        "model.5 -> model.6 128x20x20",
        "model.8 -> model.14 128x20x20",
        "model.3 -> model.17 128x10x10",
        "model.12 -> model.19 128x40x40",
        "model.15 -> model.19 128x20x20",
        "model.18 -> model.19 128x10x10",
      ]),
    );
  });

  it("with a part open goes to what is within, and on from it", () => {
    const edges = edgesOf(flow("model.0", "model.2"));
    expect(edges).toEqual(
      expect.arrayContaining([
        "model.0.layer2 -> model.0.layer3 64x40x40",
        "model.0.layer2 -> model.10 64x40x40",
        "model.1 -> + 100x128",
        "+ -> model.2.ma 100x128",
        "model.2.ma -> + 100x128",
        "model.2.fc1 -> gelu 100x512",
        "model.2.norm2 -> model.3 128x10x10",
      ]),
    );
    expect(edges.some((edge) => /model\.[02] ->|-> model\.[02] /.test(edge))).toBe(false);
  });

  it("opens nothing within what is shut, and frames hold their boxes", () => {
    expect(edgesOf(flow("model.2.ma"))).toEqual(edgesOf(flow()));
    const seen = flow("model.19", "model.19.decoder.layers.0");
    for (const { n, first, end } of seen.frames) {
      for (const box of seen.boxes.slice(first, end)) {
        let at = box.frame;
        while (at > n) at = lineage.calls[at].parent;
        expect(at).toBe(n);
      }
    }
    expect(seen.frames.map(({ n }) => pathOf(n))).toEqual(["", "model.19", "model.19.decoder.layers.0"]);
  });

  it("sees every call of a module that runs several times, and modules that only pass numbers on", () => {
    const { boxes } = flow("model.19");
    const paths = boxes.filter(({ kind }) => kind === "call").map(({ n }) => pathOf(n));
    expect(paths.filter((path) => path === "model.19.query_pos_head")).toHaveLength(3);
    expect(edgesOf(flow("model.1"))).toContain("model.1.bn -> model.1.act 128x10x10");
  });
});

describe("layout", () => {
  it.each([
    ["all shut", []],
    ["some open", ["model.0", "model.0.layer3", "model.0.layer3.uib_0", "model.2"]],
    ["the head open", ["model.19", "model.19.decoder.layers.0", "model.19.decoder.layers.0.cross_attn"]],
  ])("%s: no two boxes meet, data goes down, frames hold theirs alone", (_name, open) => {
    const seen = flow(...open);
    const { boxes, frames, width, height } = layoutOf(seen);
    for (const [i, a] of boxes.entries()) {
      expect(a.x).toBeGreaterThanOrEqual(0);
      expect(a.x + a.width).toBeLessThanOrEqual(width);
      expect(a.y + a.height).toBeLessThanOrEqual(height);
      for (const b of boxes.slice(i + 1)) {
        const apart =
          a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
        expect(apart).toBe(true);
      }
    }
    for (const { from, to } of seen.edges) expect(boxes[to].y).toBeGreaterThan(boxes[from].y);
    for (const [f, frame] of frames.entries()) {
      const { n, first, end } = seen.frames[f];
      if (n === 0) continue;
      for (const [i, { x, y, width: w, height: h }] of boxes.entries()) {
        const within =
          x >= frame.x && x + w <= frame.x + frame.width && y >= frame.y && y + h <= frame.y + frame.height;
        const outside =
          x + w <= frame.x || x >= frame.x + frame.width || y + h <= frame.y || y >= frame.y + frame.height;
        expect(i >= first && i < end ? within : outside).toBe(true);
      }
    }
  });

  it("has a column for each stride, coarser ones to the right", () => {
    const seen = flow("model.0");
    const { boxes, columns } = layoutOf(seen);
    expect(columns.map(({ title }) => title)).toEqual([
      "pixels",
      "stride 2",
      "stride 4",
      "stride 8",
      "stride 16",
      "stride 32",
      "tokens, queries",
    ]);
    const middle = (path: string): number => {
      const i = seen.boxes.findIndex(({ kind, n }) => kind === "call" && pathOf(n) === path);
      return boxes[i].x + boxes[i].width / 2;
    };
    expect(middle("model.0.layer2")).toBe(middle("model.12"));
    expect(middle("model.0.layer4")).toBe(middle("model.18"));
    expect(middle("model.0.layer3")).toBeLessThan(middle("model.0.layer4"));
  });

  it("lines that run side by side keep to lanes of their own", () => {
    const seen = flow("model.0");
    const { lines } = layoutOf(seen);
    const lanes = lines.flatMap(({ path }) => {
      const found = /L([\d.]+) ([\d.]+)/.exec(path);
      const begin = /M[\d.]+ ([\d.]+)/.exec(path);
      return found && begin ? [{ x: Number(found[1]), from: Number(begin[1]), to: Number(found[2]) }] : [];
    });
    expect(lanes.length).toBeGreaterThan(4);
    for (const [i, a] of lanes.entries())
      for (const b of lanes.slice(i + 1))
        if (a.x === b.x) expect(a.to <= b.from || b.to <= a.from).toBe(true);
  });
});
