/** What a diagnosis costs: counted work ends it, the same on every machine, and a clock only in an emergency. */
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { createWasmBackend } from "../../../src/backend/wasm/wasm-backend.ts";
import { setBatchNormEps } from "../../../src/conformance/adapters/modules.ts";
import { openOurRuntime } from "../../../src/conformance/adapters/ours.ts";
import { positionsOf } from "../../../src/conformance/compare.ts";
import { Budget } from "../../../src/conformance/diagnose/budget.ts";
import { diagnose, type Evidence, MISTAKES } from "../../../src/conformance/diagnose/index.ts";
import { type Change, type Problem, problemOf } from "../../../src/conformance/diagnose/problem.ts";
import type { HostTensor, HostTensors } from "../../../src/conformance/host-tensor.ts";
import { type LoadedCase, openKit } from "../../../src/conformance/kit.ts";
import { evidenceOf, f32, hostOf, moduleScene, names, normal, problemIn } from "./support.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

const uib = moduleScene(
  "UIB",
  { cin: 8, cout: 8, k0: 3, k1: 3, stride: 1, expand: 2 },
  { input: normal("map", [1, 8, 12, 12], 1.5, 0.3) },
);

/** The block with another eps, and with noise on top where it is said: then something is left and pairs are tried as well. */
function wrong(eps: number, noise = 0): Evidence {
  const change: Change = {
    module: (root) => {
      setBatchNormEps(root, eps);
      return true;
    },
  };
  const { shape, data } = hostOf(problemIn(uib).run([change])!);
  const off = normal("noise", shape, noise).data;
  return evidenceOf(
    uib,
    f32(
      shape,
      Array.from(data as Float32Array, (x, i) => x + Number(off[i])),
    ),
  );
}

describe("a diagnosis", () => {
  it("says the same where every guess takes a second: the clock has no part in it", () => {
    const evidence = wrong(0.5, 0.05);
    const right = diagnose(evidence);
    let now = performance.now();
    const clock = vi.spyOn(performance, "now").mockImplementation(() => {
      now += 1000;
      return now;
    });
    const late = diagnose(evidence);
    expect(clock.mock.calls.length).toBeGreaterThan(120); // two minutes went by
    expect(late).toEqual(right);
    expect(right[0].stopped).toBeUndefined();
  });

  it("ends at its budget of work, at the same guess every time, and says so", () => {
    const evidence = wrong(0.5, 0.05);
    const { work } = problemIn(uib);
    const run = (most: number): ReturnType<typeof diagnose> => diagnose(evidence, { work: most * work });
    const few = run(10);
    expect(few[0]).toMatchObject({ stopped: "work" });
    expect(few[0].because).toMatch(
      /; the search ended at its budget of \S+ multiply-adds: not everything was tried$/,
    );
    expect(run(10)).toEqual(few);
    expect(few.slice(1).every(({ stopped }) => stopped === undefined)).toBe(true);
  });

  it("does not begin what hardly a guess could be made in", () => {
    const evidence = wrong(1e-3);
    const { work } = problemIn(uib);
    expect(names(diagnose(evidence))).toContain("batch-norm-eps");
    const found = diagnose(evidence, { work: 8 * work }); // the golden itself is one run
    expect(names(found)).not.toContain("batch-norm-eps");
    expect(found[0].stopped).toBe("work");
  });

  it("tries every mistake once before any twice: also a late one is found where the work does not last for all", () => {
    const head = moduleScene(
      "RTDETRDecoder",
      { nc: 4, ch: [8, 8], hd: 16, nq: 10, ndp: 2, nh: 2, ndl: 2, d_ffn: 16 },
      { "x.0": normal("fine", [1, 8, 8, 8]), "x.1": normal("coarse", [1, 8, 4, 4]) },
    );
    const problem = problemIn(head);
    const [guess] = MISTAKES.find(({ name }) => name === "score-head")!.guesses(problem);
    const evidence = evidenceOf(head, hostOf(problem.run([guess.change])!));
    // 92 guesses apply here; one after another this would be the 80th, in turns it is among the first 33.
    const [first] = diagnose(evidence, { work: 50 * problem.work });
    expect(first).toMatchObject({ mistake: "score-head", stopped: "work" });
  });

  it("is stopped by the clock in an emergency, and says so", () => {
    const [first] = diagnose(wrong(0.5, 0.05), { seconds: 0 });
    expect(first.stopped).toBe("time");
    expect(first.because).toMatch(/; the search was stopped after 0 s: on a faster or idle machine/);
  });
});

describe("Budget", () => {
  it("refuses what is more than is left, and everything after that", () => {
    const budget = new Budget(100, 3600);
    budget.spend(60);
    expect([budget.allows(40), budget.stop]).toEqual([true, undefined]);
    expect([budget.allows(41), budget.stop]).toEqual([false, "work"]);
    expect(budget.allows(1)).toBe(false);
  });

  it("keeps a reserve without being over", () => {
    const budget = new Budget(100, 3600);
    expect(budget.allows(50, 60)).toBe(false);
    expect([budget.stop, budget.allows(50, 50)]).toEqual([undefined, true]);
  });
});

describe("a whole network", () => {
  const EARLY = "model.0.conv0.convbn_0.BatchNorm2d";
  let loaded: LoadedCase;
  let got: HostTensors;

  beforeAll(async () => {
    loaded = await (await openKit()).read("L3/detector/narrow");
    const runtime = openOurRuntime("eager-wasm", { change: (module) => setBatchNormEps(module, 1e-4) });
    const outputs = loaded.manifest.outputs.map(({ name }) => name);
    const response = await runtime.run({
      id: "",
      subject: loaded.manifest.subject,
      inputs: loaded.inputs,
      parameters: loaded.parameters,
      outputs,
    });
    await runtime.close();
    if (response.status !== "done") throw new Error(response.message);
    got = response.outputs;
  });

  const problemFor = (name: string, backend = createWasmBackend()): Problem => {
    const { subject } = loaded.manifest;
    const output = name === "output0" ? 0 : -1;
    return problemOf(subject, loaded.inputs, loaded.parameters, { name, output }, backend)!;
  };

  it("costs what lies before the tensor that is looked at, and gives its golden there", () => {
    const [early, whole] = [problemFor(EARLY), problemFor("output0")];
    // 3 -> 32 channels, 3 x 3, at 80 x 80: multiply-adds, the picture, the weights.
    expect(early.work).toBe(80 * 80 * 32 * 27 + 3 * 160 * 160 + 32 * 27 + 4 * 32 + 1);
    expect(whole.work).toBeGreaterThan(10 * early.work);
    const positions = positionsOf(loaded.output(EARLY)) as ArrayLike<number>;
    const golden = loaded.expected.get(EARLY) as HostTensor;
    const { data } = early.run([])!;
    for (let i = 0; i < golden.data.length; i++)
      expect(data[positions[i]]).toBeCloseTo(Number(golden.data[i]), 4);
    expect(whole.run([])!.shape).toEqual(loaded.output("output0").shape);
    for (const problem of [early, whole]) problem.dispose();
  });

  it("is diagnosed in little more memory than it takes: what guesses allocate is freed", () => {
    const name = "model.8.conv"; // well behind the middle
    const { shape } = loaded.output(name);
    const backend = createWasmBackend({ maxMemoryBytes: 96 * 2 ** 20 }); // its parameters: 16 MB
    const found = diagnose(
      {
        subject: loaded.manifest.subject,
        name,
        output: -1,
        inputs: loaded.inputs,
        parameters: loaded.parameters,
        expected: loaded.expected.get(name) as HostTensor,
        shape,
        positions: positionsOf(loaded.output(name)),
        got: got.get(name) as HostTensor,
        bound: { abs: 1e-5, rel: 1e-5 },
        mode: "chained",
      },
      { backend },
    );
    expect(names(found)[0], JSON.stringify(found)).toBe("batch-norm-eps");
  });
});
