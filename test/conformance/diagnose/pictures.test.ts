/** Pictures to inputs and raw output to detections, done wrongly by other code than the diagnosis's. */
import { describe, expect, it } from "vitest";
import { diagnose, MISTAKES } from "../../../src/conformance/diagnose/index.ts";
import type { Whole } from "../../../src/conformance/diagnose/problem.ts";
import type { HostTensor } from "../../../src/conformance/host-tensor.ts";
import { encodeImage } from "../../../src/image/index.ts";
import { diagnosed, evidenceOf, f32, hostOf, names, problemIn, type Scene, uniform } from "./support.ts";

const [HEIGHT, WIDTH] = [30, 44];
/** A smooth picture with some grain. */
const pixels = Uint8Array.from({ length: HEIGHT * WIDTH * 3 }, (_, i) => {
  const [c, x, y] = [i % 3, Math.floor(i / 3) % WIDTH, Math.floor(i / 3 / WIDTH)];
  return Math.round(120 + 60 * Math.sin(x / (5 + c)) + 50 * Math.cos(y / 4 + c) + ((i * 7919) % 17));
});
const png = encodeImage({ data: pixels, width: WIDTH, height: HEIGHT, channels: 3 }, "png");
const bytes: HostTensor = { dtype: "U8", shape: [png.length], data: png };
const scene = (size: readonly [number, number]): Scene => ({
  subject: { kind: "preprocess", size },
  inputs: new Map([["picture", bytes]]),
  parameters: new Map(),
});
const exact = { bound: { abs: 0, rel: 0 } };

/** The right input, turned number by number: `turn(values of a pixel)`. */
function turned(turn: (rgb: number[]) => number[]): HostTensor {
  const right = problemIn(scene([32, 32])).run([])?.data as Float32Array;
  const out = new Float32Array(right.length);
  for (let i = 0; i < 1024; i++)
    turn([0, 1, 2].map((c) => right[c * 1024 + i])).forEach((v, c) => {
      out[c * 1024 + i] = v;
    });
  return f32([1, 3, 32, 32], out);
}
const MEAN = [0.485, 0.456, 0.406];
const STD = [0.229, 0.224, 0.225];

describe("the network's input", () => {
  it.each([
    ["bgr", turned((rgb) => [...rgb].reverse())],
    ["pixel-scale", turned((rgb) => rgb.map((v) => v * 255))],
    ["pixel-scale", turned((rgb) => rgb.map((v) => 2 * v - 1))],
    ["mean-std", turned((rgb) => rgb.map((v, c) => (v - MEAN[c]) / STD[c]))],
  ] as const)("%s", (mistake, got) => {
    expect(names(diagnosed(scene([32, 32]), got, exact))[0]).toBe(mistake);
  });

  it("nearest pixels, by hand", () => {
    const out = new Float32Array(3 * 15 * 22);
    for (let y = 0; y < 15; y++)
      for (let x = 0; x < 22; x++)
        for (let c = 0; c < 3; c++) out[c * 330 + y * 22 + x] = pixels[(2 * y * WIDTH + 2 * x) * 3 + c] / 255;
    expect(names(diagnosed(scene([15, 22]), f32([1, 3, 15, 22], out), exact))[0]).toBe("resize-kernel");
  });

  it("two at once: BGR, and ImageNet's mean and deviation", () => {
    const wrong = turned((rgb) => [...rgb].reverse().map((v, c) => (v - MEAN[c]) / STD[c]));
    expect(
      names(diagnosed(scene([32, 32]), wrong, exact))
        .slice(0, 2)
        .sort(),
    ).toEqual(["bgr", "mean-std"]);
  });

  it("every reading that the diagnosis knows is told from every other", () => {
    const problem = problemIn(scene([24, 40]));
    for (const mistake of MISTAKES) {
      for (const { change, says } of mistake.guesses(problem)) {
        const wrong = problem.run([change]);
        const right = problem.run([]);
        if (!wrong || !right || wrong.data.every((v, i) => v === right.data[i])) continue;
        const found = diagnose(evidenceOf(scene([24, 40]), hostOf(wrong), exact));
        expect(found[0]?.mistake, `${says}: ${JSON.stringify(found)}`).toBe(mistake.name);
      }
    }
  });

  it("nothing is said of the right one", () => {
    expect(diagnose(evidenceOf(scene([24, 40]), hostOf(problemIn(scene([24, 40])).run([])!), exact))).toEqual(
      [],
    );
  });
});

/** Rows of six in an order of their own. */
const sorted = ({ data }: Whole): string =>
  Array.from({ length: data.length / 6 }, (_, i) => String(data.slice(6 * i, 6 * i + 6)))
    .sort()
    .join();

describe("detections", () => {
  const raw = uniform("raw", [1, 60, 9], 0.02, 0.98);
  // Crowded boxes, so that suppression finds something; some past the edges.
  const data = raw.data as Float32Array;
  for (let q = 0; q < 60; q++) {
    data[9 * q] = (q % 5) * 0.22 + 0.06 + data[9 * q] * 0.02;
    data[9 * q + 1] = (q % 3) * 0.3 + 0.2 + data[9 * q + 1] * 0.02;
    data[9 * q + 2] = 0.2 + 0.05 * data[9 * q + 2];
    data[9 * q + 3] = 0.25 + 0.05 * data[9 * q + 3];
  }
  const post: Scene = {
    subject: { kind: "postprocess", conf: 0.8, picture: [480, 700] },
    inputs: new Map([["output0", raw]]),
    parameters: new Map(),
  };

  it("every reading that the diagnosis knows is told from every other", () => {
    const problem = problemIn(post);
    const right = problem.run([]);
    let count = 0;
    for (const mistake of MISTAKES) {
      for (const { change, says } of mistake.guesses(problem)) {
        const wrong = problem.run([change]);
        if (!wrong || !right || sorted(wrong) === sorted(right)) continue; // as sets
        const found = diagnose(evidenceOf(post, hostOf(wrong)));
        expect(found[0]?.mistake, `${says}: ${JSON.stringify(found)}`).toBe(mistake.name);
        count++;
      }
    }
    expect(count).toBeGreaterThan(12);
  });
});
