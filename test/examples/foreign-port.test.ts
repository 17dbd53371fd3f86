/**
 * The foreign port of `examples/foreign-port` under the conformance kit: right it conforms; with a mistake planted that the kit
 * does not know, it is rejected, and the page shows what is said.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { openLinesRuntime } from "../../src/conformance/adapters/jsonl-runtime.ts";
import { openKit } from "../../src/conformance/kit.ts";
import { reportText } from "../../src/conformance/report/text.ts";
import { runSession } from "../../src/conformance/session.ts";
import type { CaseVerdict, RunVerdict } from "../../src/conformance/verdict.ts";
import { commandsOf, comparable, patternOf, snippetsOf } from "../docs/snippets.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const PORT = `${ROOT}examples/foreign-port/`;

/** Runs that were made: the page shows what other tests look at. */
const runs = new Map<string, Promise<RunVerdict>>();

/** Runs cases on the port, `mistake` being one that is planted. */
function run(cases: string, mistake?: string): Promise<RunVerdict> {
  const key = `${cases} ${mistake}`;
  const known = runs.get(key) ?? start(cases, mistake);
  runs.set(key, known);
  return known;
}

async function start(cases: string, mistake?: string): Promise<RunVerdict> {
  const planted = mistake === undefined ? [] : ["--mistake", mistake];
  const runtime = await openLinesRuntime([process.execPath, `${PORT}runtime.mjs`, ...planted]);
  try {
    return await runSession(await openKit(), runtime, { patterns: cases.split(",") });
  } finally {
    await runtime.close();
  }
}

async function verdict(id: string, mistake: string): Promise<CaseVerdict> {
  return (await run(id, mistake)).cases[0];
}

describe("the port", () => {
  it("has nothing of mobiledetr", () => {
    for (const file of ["port.mjs", "runtime.mjs", "safetensors.mjs"]) {
      const text = readFileSync(PORT + file, "utf8");
      const imports = [...text.matchAll(/from "([^"]+)"/g)].map(([, name]) => name);
      expect(imports.filter((name) => !/^node:|^\.\/\w+\.mjs$/.test(name))).toEqual([]);
    }
  });

  it("passes operators, blocks and a stage, and says what it does not know", async () => {
    const cases =
      "L0/conv2d/*,L0/batch_norm/*,L0/relu6/*,L0/gather/rows,L1/FusedIB/*,L1/UIB/k3-k5-s2,L1/AIFI/oblong";
    const stages = "L2/MobileNetV4ConvSmall/layer3,L2/MobileNetV4ConvSmall/neck-up";
    const found = new Map((await run(`${cases},${stages}`)).cases.map((one) => [one.id, one]));
    const unsupported = ["L0/gather/rows", "L1/AIFI/oblong", "L2/MobileNetV4ConvSmall/neck-up"];
    expect(found.size).toBeGreaterThan(30);
    for (const [id, { status }] of found)
      expect([id, status]).toEqual([id, unsupported.includes(id) ? "unsupported" : "passed"]);
    expect(found.get("L0/gather/rows")?.message).toBe("operator gather");
    expect(found.get("L1/UIB/k3-k5-s2")?.tensors.map(({ name }) => name)).toContain("_start_dw_.conv");
  });
});

describe("a mistake that the kit does not know", () => {
  it("is found in the network's first depthwise convolution, every second channel", async () => {
    const { status, firstDivergence } = await verdict("L3/backbone/MobileNetV4ConvSmall", "pair");
    expect(status).toBe("failed");
    expect(firstDivergence?.name).toBe("layer3.uib_0._start_dw_.conv");
    expect(firstDivergence?.forced?.status).toBe("outside"); // though fed with the golden's input
    const [diagnosis, ...others] = firstDivergence?.diagnoses ?? [];
    expect(others).toEqual([]);
    expect(diagnosis.mistake).toBe("unknown");
    expect(diagnosis.because).toMatch(/only channels 1, 3, .* of 64$/);
  });

  it("is found in the convolution of a block, in all but the last row", async () => {
    const { firstDivergence } = await verdict("L1/ConvBlock/3x3-stride-2", "tail");
    expect(firstDivergence?.name).toBe("conv");
    expect(firstDivergence?.diagnoses?.[0].because).toMatch(/only rows 0-7 of 9$/);
  });

  it("is seen in just those operators whose sums have no multiple of eight products", async () => {
    const taps = (id: string): number => {
      const { inputs } = JSON.parse(readFileSync(`${ROOT}conformance/cases/${id}/case.json`, "utf8")) as {
        inputs: readonly { readonly name: string; readonly shape: readonly number[] }[];
      };
      const weight = inputs.find(({ name }) => name === "weight")?.shape ?? [];
      return weight.slice(1).reduce((product, n) => product * n, 1);
    };
    const { cases } = await run("L0/conv2d/*", "tail");
    expect(cases.length).toBeGreaterThan(20);
    for (const { id, status } of cases) {
      // On a map of 2x3 the last of 25 taps is always over the frame.
      const whole = taps(id) % 8 === 0 || id === "L0/conv2d/depthwise-small-map";
      expect([id, status]).toEqual([id, whole ? "passed" : "failed"]);
    }
  });

  it("is not taken for another: a fit of two numbers a channel is no cause", async () => {
    const { cases } = await run("L0/conv2d/*", "tail");
    const named = cases.flatMap(({ firstDivergence }) => firstDivergence?.diagnoses ?? []);
    expect(named.length).toBeGreaterThan(10);
    expect(new Set(named.map(({ mistake }) => mistake))).toEqual(new Set(["unknown"]));
  });

  it("is refused where the port has none of that name", async () => {
    await expect(run("L0/relu/*", "no")).rejects.toThrow(/--mistake: expected tail, pair, got no/);
  });
});

describe("the page", () => {
  const sessions = snippetsOf(readFileSync(`${PORT}README.md`, "utf8")).flatMap(({ code }) =>
    commandsOf(code),
  );
  const quick = sessions.filter(({ command }) => command.includes("--cases")); // the others run the whole kit

  it.each(quick)("$command", async ({ command, output }) => {
    const [, cases] = /--cases '?([^' ]+)/.exec(command) ?? [];
    const [, mistake] = /--mistake (\w+)/.exec(command) ?? [];
    expect(comparable(reportText(await run(cases, mistake)), ROOT)).toMatch(patternOf(output));
  });

  it("shows a run of all levels and three with a mistake", () => {
    expect(sessions.length).toBe(4);
    expect(quick.length).toBe(3);
  });
});
