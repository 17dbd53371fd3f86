/** Running cases: verdicts, expected failures, the first divergence, and culprits told from victims. */
import { afterAll, describe, expect, it } from "vitest";
import { openOurRuntime } from "../../src/conformance/adapters/ours.ts";
import { checkExpectedFailures, type ExpectedFailure } from "../../src/conformance/expected-failures.ts";
import { setForward, withModules } from "../../src/conformance/plants/tools.ts";
import type { Runtime } from "../../src/conformance/runtime.ts";
import { isClean, runSession, type SessionOptions } from "../../src/conformance/session.ts";
import type { RunVerdict } from "../../src/conformance/verdict.ts";
import { MLP } from "../../src/models/index.ts";
import { Linear } from "../../src/nn/index.ts";
import { add } from "../../src/ops/index.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { f32, RELU_CASES, type SmallCase, smallKit } from "./small-kit.ts";

const eager = openOurRuntime("eager-wasm");
const compiled = openOurRuntime("compiled");
afterAll(async () => {
  await eager.close();
  await compiled.close();
});

const RELU = RELU_CASES.slice(0, 2);

/** Gives zeros for everything. */
const ZEROS: Runtime = {
  name: "zeros",
  run: async ({ inputs }) => {
    const [input] = inputs.values();
    const output = f32(input.shape, Array(input.data.length).fill(0));
    return { status: "done", outputs: new Map([["output", output]]), seconds: 0 };
  },
  close: async () => {},
};

const run = (cases: readonly SmallCase[], runtime: Runtime, options?: SessionOptions): Promise<RunVerdict> =>
  runSession(smallKit(cases), runtime, options);

describe("our own ways on hand-made cases", () => {
  it.each([eager, compiled])("$name passes", async (runtime) => {
    const verdict = await run(RELU, runtime);
    expect(verdict.cases.map(({ status }) => status)).toEqual(["passed", "passed"]);
    expect(isClean(verdict)).toBe(true);
  });

  it("unknown modules, operators and attributes are not supported, which is no failure", async () => {
    const unknown: SmallCase[] = [
      RELU_CASES[2],
      { ...RELU[0], subject: { kind: "operator", name: "fft", attributes: {} } },
      { ...RELU[0], subject: { kind: "operator", name: "relu", attributes: { slope: 1 } } },
    ];
    const verdict = await run(unknown, eager);
    expect(verdict.cases.map(({ status }) => status)).toEqual(["unsupported", "unsupported", "unsupported"]);
    expect(isClean(verdict)).toBe(true);
  });

  it("a result many times too large is a wrong shape, and not looked into", async () => {
    const output = f32([4, 4000], Array(16000).fill(1));
    const large: Runtime = {
      ...ZEROS,
      run: async () => ({ status: "done", outputs: new Map([["output", output]]), seconds: 0 }),
    };
    const [first] = (await run(RELU.slice(0, 1), large)).cases;
    expect(first.tensors[0].status).toBe("shape");
    expect(first.firstDivergence?.diagnoses).toEqual([]);
  });

  it("a wrong shape among the parameters is an error of the case", async () => {
    const bad: SmallCase = {
      id: "L1/Linear/bad",
      subject: {
        kind: "module",
        name: "Linear",
        arguments: { in_features: 2, out_features: 2, bias: false },
      },
      inputs: { input: f32([1, 2], [1, 2]) },
      parameters: { weight: f32([2, 3], [1, 2, 3, 4, 5, 6]) },
      outputs: { output: f32([1, 2], [0, 0]) },
    };
    const [first] = (await run([bad], eager)).cases;
    expect([first.status, first.message]).toEqual(["error", expect.stringMatching(/weight/)]);
  });

  it("filters choose, and an aborted run has the cases so far", async () => {
    expect((await run(RELU, eager, { patterns: ["**/column"] })).cases.map(({ id }) => id)).toEqual([
      "L0/relu/column",
    ]);
    const stop = new AbortController();
    const verdict = await run(RELU, eager, { signal: stop.signal, onVerdict: () => stop.abort() });
    expect(verdict.cases.length).toBe(1);
  });
});

describe("a wrong runtime", () => {
  it("fails with the first tensor that is outside", async () => {
    const verdict = await run(RELU, ZEROS);
    expect(verdict.cases.map(({ status }) => status)).toEqual(["failed", "failed"]);
    expect(verdict.cases[0].firstDivergence?.name).toBe("output");
    expect(isClean(verdict)).toBe(false);
  });
});

describe("expected failures", () => {
  const expectation = (more: Partial<ExpectedFailure> = {}): ExpectedFailure[] => [
    { case: "L0/relu/*", reason: "known", expires: "2030-06-30", ...more },
  ];
  const statuses = async (runtime: Runtime, entry: ExpectedFailure[], today: string): Promise<string[]> => {
    const verdict = await run(RELU, runtime, { expectedFailures: entry, today });
    return verdict.cases.map(({ status }) => status);
  };

  it("are no failures up to their last day, and failures after it that say so", async () => {
    expect(await statuses(ZEROS, expectation(), "2030-06-30")).toEqual([
      "expected-failure",
      "expected-failure",
    ]);
    const verdict = await run(RELU, ZEROS, { expectedFailures: expectation(), today: "2030-07-01" });
    expect(verdict.cases[0]).toMatchObject({
      status: "failed",
      message: expect.stringMatching(/until 2030-06-30: known/),
    });
  });

  it("that pass are reported", async () => {
    expect(await statuses(eager, expectation(), "2030-01-01")).toEqual([
      "unexpected-pass",
      "unexpected-pass",
    ]);
  });

  it("of one tensor do not excuse another", async () => {
    const other = expectation({ tensor: "indices" });
    expect(await statuses(ZEROS, other, "2030-01-01")).toEqual(["failed", "failed"]);
    expect(await statuses(ZEROS, expectation({ tensor: "out*" }), "2030-01-01")).toEqual([
      "expected-failure",
      "expected-failure",
    ]);
  });

  it.each([
    [{}, /a list of expected failures/],
    [[{ case: "x", reason: "r" }], /entry 0: expected expires/],
    [[{ case: "x", reason: "r", expires: "2030-02-30" }], /a day as/],
    [
      [{ case: "x", reason: "r", expires: "2030-02-20", until: 1 }],
      /keys case, tensor, reason, expires, got until/,
    ],
    [[{ case: "", reason: "r", expires: "2030-02-20" }], /case: a text/],
  ])("lists that are not well made are refused: %j", (value, words) => {
    expect(() => checkExpectedFailures(value, "expected.json")).toThrow(words);
  });
});

describe("forced mode", () => {
  // Two linear layers with ReLU between: small whole numbers, so that every sum is exact.
  const MLP_CASE: SmallCase = {
    id: "L1/MLP/two",
    subject: { kind: "module", name: "MLP", arguments: { widths: [2, 2, 2] } },
    inputs: { input: f32([1, 2], [1, 2]) },
    parameters: {
      "layers.0.weight": f32([2, 2], [1, 0, 0, -1]),
      "layers.0.bias": f32([2], [1, 1]),
      "layers.1.weight": f32([2, 2], [2, 1, 0, 1]),
      "layers.1.bias": f32([2], [0, 3]),
    },
    // layer 0: [1 + 1, -2 + 1] = [2, -1]; ReLU: [2, 0]; layer 1: [4, 3]
    outputs: {
      "layers.0": f32([1, 2], [2, -1]),
      "layers.1": f32([1, 2], [4, 3]),
      output: f32([1, 2], [4, 3]),
    },
    more: {
      "layers.0": { required: false, maker: { kind: "Linear(2, 2)", inputs: ["input"] } },
      "layers.1": { required: false, maker: { kind: "Linear(2, 2)", inputs: [] } },
    },
  };

  const planted = (path: string): Runtime =>
    withModules((module, at) => {
      if (at !== path || !(module instanceof Linear)) return;
      const forward = module.forward.bind(module);
      setForward(module, ((x: Tensor) => add(forward(x), 1)) as never);
    })();

  it("a right runtime passes, also with every module by itself", async () => {
    const [first] = (await run([MLP_CASE], eager, { forced: "always" })).cases;
    expect(first.status).toBe("passed");
    expect(first.tensors.filter(({ mode }) => mode === "forced").map(({ name }) => name)).toEqual([
      "layers.0",
      "layers.1",
    ]);
  });

  it("a layer that is wrong is the culprit, with its own inputs right", async () => {
    // By itself the layer is a root module, at path "": it is wrong there, too.
    const runtime = withModules((module) => {
      if (!(module instanceof Linear) || module.bias?.toFloat32Array()[1] !== 3) return;
      const forward = module.forward.bind(module);
      setForward(module, ((x: Tensor) => add(forward(x), 1)) as never);
    })();
    const [first] = (await run([MLP_CASE], runtime)).cases;
    expect(first.firstDivergence).toMatchObject({
      name: "layers.1",
      forced: { status: "outside", mode: "forced" },
    });
    expect(first.firstDivergence?.culprit).toBeUndefined();
  });

  it("a victim is told from the culprit: the layer is right by itself, what calls it is not", async () => {
    const runtime = withModules((module) => {
      if (!(module instanceof MLP)) return;
      const forward = module.forward.bind(module);
      setForward(module, ((x: Tensor) => forward(add(x, 1))) as never);
    })();
    const [first] = (await run([MLP_CASE], runtime)).cases;
    expect(first.firstDivergence).toMatchObject({ name: "layers.0", forced: { status: "equal" } });
    // Nothing within departs by itself: the case's own computation does.
    expect(first.firstDivergence?.culprit).toMatchObject({ name: "output", kind: "MLP(widths=[2, 2, 2])" });
  });

  it("is left out where the runtime gives goldens that are not ours", async () => {
    const wrong: SmallCase = {
      ...MLP_CASE,
      outputs: { ...MLP_CASE.outputs, "layers.0": f32([1, 2], [5, 5]) },
    };
    const [first] = (await run([wrong], planted("layers.1"))).cases;
    expect(first.firstDivergence?.unforced).toMatch(/layers\.0: expected our own run to agree/);
  });

  it("is given up after two modules that were not answered in time", async () => {
    const wrong = planted("layers.0");
    let asked = 0;
    const slow: Runtime = {
      ...wrong,
      run: async (request) => {
        if (!request.id.includes("#")) return wrong.run(request);
        asked++;
        return { status: "failed", message: "it took more than 120 s", late: true };
      },
    };
    const [first] = (await run([MLP_CASE], slow, { forced: "always" })).cases;
    expect(asked).toBe(2);
    expect(first.firstDivergence?.unforced).toMatch(/took more than 120 s/);
  });

  it("is never used where it is not wanted", async () => {
    const [first] = (await run([MLP_CASE], planted("layers.0"), { forced: "never" })).cases;
    expect(first.status).toBe("failed");
    expect(first.firstDivergence?.forced).toBeUndefined();
  });
});
