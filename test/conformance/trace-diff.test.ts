/** Two traces beside each other, and the names of one in those of the other. */
import { describe, expect, it } from "vitest";
import { parseNameMap, suggestNames } from "../../src/conformance/name-map.ts";
import { diffTraces } from "../../src/conformance/trace-diff.ts";
import { f32 } from "./small-kit.ts";

const RAMP = Array.from({ length: 24 }, (_, i) => Math.sin(3 * i));
const trace = (
  tensors: Record<string, ReturnType<typeof f32>>,
): { tensors: Map<string, ReturnType<typeof f32>> } => ({
  tensors: new Map(Object.entries(tensors)),
});

describe("diffTraces", () => {
  it("finds the first divergence in the order of the first trace", () => {
    const ours = trace({ a: f32([24], RAMP), b: f32([2, 12], RAMP), c: f32([24], RAMP) });
    const off = RAMP.map((x) => x * 1.5);
    const theirs = trace({ c: f32([24], off), b: f32([2, 12], off), a: f32([24], RAMP) });
    const found = diffTraces(ours, theirs);
    expect(found.tensors.map(({ name, status }) => [name, status])).toEqual([
      ["a", "equal"],
      ["b", "outside"],
      ["c", "outside"],
    ]);
    expect(found.firstDivergence).toMatchObject({ name: "b", theirs: "b" });
  });

  it("goes by a map, and suggests names for what it does not know", () => {
    const ours = trace({
      "model.0.conv": f32([24], RAMP),
      "model.0.act": f32([24], RAMP.map(Math.abs)),
      "model.1.fc": f32([3], [1, 2, 3]),
    });
    const theirs = trace({
      "net/conv0": f32([24], RAMP),
      "net/act0": f32(
        [24],
        RAMP.map((x) => Math.abs(x) + 1e-3),
      ),
      fc: f32([3], [-3, 5, 0]),
    });
    const found = diffTraces(ours, theirs, { map: parseNameMap("net/conv* model.*.conv\n", "map") });
    expect(found.tensors.map(({ name, status }) => [name, status])).toEqual([["model.0.conv", "equal"]]);
    expect(found.suggestions.map(({ theirs: a, ours: b }) => [a, b])).toEqual([
      ["net/act0", "model.0.act"],
      ["fc", "model.1.fc"],
    ]);
  });

  it("refuses a map that gives two tensors one name: none is lost unseen", () => {
    const ours = trace({ "l0.conv": f32([24], RAMP) });
    const theirs = trace({ "a.conv": f32([24], RAMP), "b.conv": f32([24], RAMP) });
    const diff = (map: string): unknown => diffTraces(ours, theirs, { map: parseNameMap(map, "map") });
    expect(() => diff("*.conv l0.conv")).toThrow(
      /a name of its own for every tensor, got l0\.conv for both a\.conv and b\.conv/,
    );
    expect(() => diff("a.conv b.conv")).toThrow(/b\.conv for both a\.conv and b\.conv/);
  });

  it("compares samples with a whole tensor, and samples with samples at the same places", () => {
    const positions = (): Uint32Array => Uint32Array.of(5, 0, 23);
    const shapes = new Map([["x", [4, 6]]]);
    const samples = f32([3], [RAMP[5], RAMP[0], RAMP[23]]);
    const sampled = { tensors: new Map([["x", samples]]), shapes, positions };
    const whole = trace({ x: f32([4, 6], RAMP) });
    expect(diffTraces(whole, sampled).tensors[0].status).toBe("equal");
    expect(diffTraces(sampled, sampled).tensors[0].status).toBe("equal");
    const bad = { ...sampled, tensors: new Map([["x", f32([3], [RAMP[5], 9, RAMP[23]])]]) };
    expect(diffTraces(whole, bad).tensors[0].status).toBe("outside");
    const turned = trace({ x: f32([6, 4], RAMP) });
    expect(diffTraces(turned, sampled).tensors[0]).toMatchObject({ status: "shape" });
  });
});

describe("parseNameMap", () => {
  it("keeps what stars stand for, in order or by number; the first line counts", () => {
    const map = parseNameMap(
      "# theirs ours\nb.*.x.* o.*.y.*  # two\n b.** later\nswap.*.* $2.$1\n",
      "map.txt",
    );
    expect([map("b.1.x.2"), map("b.1.2"), map("swap.p.q"), map("c")]).toEqual([
      "o.1.y.2",
      "later",
      "q.p",
      undefined,
    ]);
  });

  it("takes JSON", () => {
    expect(parseNameMap('{"a.**": "model.**"}', "map.json")("a.b.c")).toBe("model.b.c");
  });

  it.each([
    ["a b c", /map:1: expected two names/],
    ["a.* b.*.*", /at most 1 stars/],
    ['{"a": 1}', /a name as text/],
    ["{a", /expected JSON/],
  ])("refuses %j", (text, words) => {
    expect(() => parseNameMap(text, "map")).toThrow(words);
  });
});

describe("suggestNames", () => {
  it("pairs by numbers first, then by shapes in order, each tensor once", () => {
    const theirs = [
      ["p", f32([2], [1, 0])],
      ["q", f32([2], [0, 1])],
      ["r", f32([3], [0, 0, 1])],
    ] as const;
    const ours = [
      ["b", f32([2], [0, 2])],
      ["a", f32([2], [3, 0.01])],
      ["c", f32([3], [1, 0, 0])],
    ] as const;
    expect(suggestNames(theirs, ours).map((s) => [s.theirs, s.ours])).toEqual([
      ["p", "a"],
      ["q", "b"],
      ["r", "c"],
    ]);
  });
});
