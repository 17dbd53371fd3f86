/** Average precision in the kit: computed by the kit, within its tolerance for what detections may be off, outside for mistakes. */
import { afterAll, describe, expect, it } from "vitest";
import { openOurRuntime } from "../../src/conformance/adapters/ours.ts";
import { averagePrecision } from "../../src/conformance/average-precision.ts";
import { compareTensors } from "../../src/conformance/compare.ts";
import type { HostTensor, HostTensors } from "../../src/conformance/host-tensor.ts";
import { type LoadedCase, openKit } from "../../src/conformance/kit.ts";
import { numbersOf } from "../../src/conformance/numbers.ts";
import type { Runtime } from "../../src/conformance/runtime.ts";
import { runCase } from "../../src/conformance/session.ts";
import type { CaseVerdict } from "../../src/conformance/verdict.ts";
import { randomUniform } from "../../src/weights/generator.ts";
import { f32, loadedCase } from "./small-kit.ts";

const SENSITIVE = "L5/codes/average-precision";
const kit = await openKit();
const sensitive = await kit.read(SENSITIVE);
const jpeg = await kit.read("L5/codes/pictures");

type Row = [x1: number, y1: number, x2: number, y2: number, score: number, label: number];

/** The golden detections, each row changed; by picture, names as a runtime gives them. */
function changed({ expected }: LoadedCase, change: (row: Row) => Row): Map<string, HostTensor> {
  const found = new Map<string, HostTensor>();
  for (const [name, tensor] of expected) {
    if (!name.startsWith("detections.")) continue;
    const numbers = numbersOf(tensor);
    const data = new Float64Array(numbers.length);
    for (let at = 0; at < numbers.length; at += 6) {
      data.set(change([...numbers.slice(at, at + 6)] as unknown as Row), at);
    }
    found.set(name, { dtype: "F64", shape: tensor.shape, data });
  }
  return found;
}

const moved =
  (dx: number, dy: number) =>
  ([x1, y1, x2, y2, ...rest]: Row): Row => [x1 + dx, y1 + dy, x2 + dx, y2 + dy, ...rest];

const times =
  (by: number) =>
  ([x1, y1, x2, y2, ...rest]: Row): Row => [x1 * by, y1 * by, x2 * by, y2 * by, ...rest];

/** About their centres. */
const grown =
  (by: number) =>
  ([x1, y1, x2, y2, ...rest]: Row): Row => {
    const [dx, dy] = [((x2 - x1) * (by - 1)) / 2, ((y2 - y1) * (by - 1)) / 2];
    return [x1 - dx, y1 - dy, x2 + dx, y2 + dy, ...rest];
  };

const labelled =
  (by: number) =>
  ([x1, y1, x2, y2, score, label]: Row): Row => [x1, y1, x2, y2, score, label + by];

const scored =
  (change: (score: number) => number) =>
  ([x1, y1, x2, y2, score, label]: Row): Row => [x1, y1, x2, y2, change(score), label];

/** A runtime that gives these tensors, and notes what it is asked for. */
function giving(outputs: HostTensors): Runtime & { asked: readonly string[] } {
  const runtime = {
    name: "given",
    asked: [] as readonly string[],
    run: async (request: { outputs: readonly string[] }) => {
      runtime.asked = request.outputs;
      return { status: "done" as const, outputs, seconds: 0 };
    },
    close: async () => {},
  };
  return runtime;
}

const statusOf = (verdict: CaseVerdict): Record<string, string> =>
  Object.fromEntries(verdict.tensors.map(({ name, status }) => [name, status]));

/** Worst distance of `ap50` and `ap` from their goldens, and what the kit says of it. */
function judged(loaded: LoadedCase, found: HostTensors): { apart: number; status: string } {
  const { subject } = loaded.manifest;
  if (subject.kind !== "detect") return expect.fail("no case of detections");
  const values = averagePrecision(loaded.inputs, found, { conf: subject.conf, classes: 6 });
  const verdicts = (["ap50", "ap"] as const).map((name) =>
    compareTensors(loaded.output(name), loaded.expected.get(name)!, values?.[name], { mode: "chained" }),
  );
  const outside = verdicts.some(({ status }) => status === "outside");
  const apart = Math.max(...verdicts.map(({ metrics }) => metrics?.maxAbs ?? Number.NaN));
  return { apart, status: outside ? "outside" : "within" };
}

describe("the kit's own average precision", () => {
  it.each([sensitive, jpeg])(
    "of the golden detections is pycocotools' to the last bit: $manifest.id",
    (loaded) => {
      const { subject } = loaded.manifest;
      const { conf } = subject as { conf: number };
      const { ap, ap50 } = averagePrecision(loaded.inputs, loaded.expected, { conf, classes: 6 })!;
      expect(ap).toEqual(loaded.expected.get("ap"));
      expect(ap50).toEqual(loaded.expected.get("ap50"));
    },
  );

  it("is neither 0 nor 1 where it is made to be sensitive, in all classes that are found", () => {
    const ap = [...numbersOf(sensitive.expected.get("ap")!)];
    expect(ap.slice(0, 5).every((value) => value > 0.1 && value < 0.9)).toBe(true);
    expect(ap[5]).toBe(0); // labels, and no detections
  });

  it("is left out where detections are missing or no [n, 6]; rows that are not finite count for nothing", () => {
    const options = { conf: 0.07, classes: 6 };
    const found = changed(sensitive, (row) => row);
    found.set("detections.cat", f32([1, 5], [1, 2, 3, 4, 5]));
    expect(averagePrecision(sensitive.inputs, found, options)).toBeUndefined();
    found.set("detections.cat", f32([2, 6], [1, 2, 3, 4, 5]));
    expect(averagePrecision(sensitive.inputs, found, options)).toBeUndefined();
    found.delete("detections.cat");
    expect(averagePrecision(sensitive.inputs, found, options)).toBeUndefined();
    const odd = changed(sensitive, (row) => row);
    const { shape, data } = odd.get("detections.cat")!;
    const more = [Number.NaN, 1, 2, 3, 0.9, 0, 0, 0, 9, Number.POSITIVE_INFINITY, 0.9, 0];
    const rows = [...(data as Float64Array), ...more];
    odd.set("detections.cat", { dtype: "F64", shape: [shape[0] + 2, 6], data: Float64Array.from(rows) });
    expect(averagePrecision(sensitive.inputs, odd, options)?.ap).toEqual(sensitive.expected.get("ap"));
  });
});

describe("the tolerance", () => {
  it("holds for detections that are off by as much as their own rule allows: 0.1 pixels, 1e-3 of score", () => {
    const draws = randomUniform(7, "allowed", 40 * 200 * 5);
    let at = 0;
    const sign = (): number => (draws[at++] < 0.5 ? -1 : 1);
    let most = 0;
    for (let i = 0; i < 40; i++) {
      const found = changed(sensitive, ([x1, y1, x2, y2, score, label]) => {
        const [a, b, c, d] = [sign(), sign(), sign(), sign()].map((s) => 0.1 * s);
        return [x1 + a, y1 + b, x2 + c, y2 + d, score + 1e-3 * sign(), label];
      });
      most = Math.max(most, judged(sensitive, found).apart);
    }
    // It is not so loose that nothing could move: half of it, for these draws are not the worst.
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThan(0.01);
  });

  it.each<[string, (row: Row) => Row]>([
    ["coordinates times 1.02", times(1.02)],
    ["coordinates times 0.98", times(0.98)],
    ["boxes 1.02 times as large", grown(1.02)],
    ["boxes 0.98 times as large", grown(0.98)],
    ["boxes moved by 2 pixels to the right", moved(2, 0)],
    ["boxes moved by 2 pixels to the left", moved(-2, 0)],
    ["boxes moved by 2 pixels down", moved(0, 2)],
    ["boxes moved by 2 pixels up", moved(0, -2)],
    ["boxes moved by 2 pixels down and right", moved(2, 2)],
    ["classes one too high", labelled(1)],
    ["classes one too low", labelled(-1)],
    ["scores squared", scored((score) => score * score)],
  ])("does not hold for %s, by a factor of four", (_, change) => {
    const { apart, status } = judged(sensitive, changed(sensitive, change));
    expect(status).toBe("outside");
    expect(apart).toBeGreaterThan(4 * 0.02);
  });

  it("for JPEG files bears 2 pixels, and not wrong classes", () => {
    expect(judged(jpeg, changed(jpeg, moved(1.5, -1.5))).status).toBe("within");
    expect(judged(jpeg, changed(jpeg, labelled(1))).status).toBe("outside");
  });
});

describe("in a run", () => {
  it("nobody is asked for it, and what a runtime says of it is not looked at", async () => {
    const lies = changed(sensitive, (row) => row);
    lies.set("ap", { dtype: "F64", shape: [6], data: new Float64Array(6).fill(1) });
    const runtime = giving(lies);
    const verdict = await runCase(sensitive, runtime);
    expect(runtime.asked).toEqual(["detections.cat", "detections.coffee", "detections.wall"]);
    expect(statusOf(verdict)).toMatchObject({ ap: "equal", ap50: "equal" });
    expect(verdict.status).toBe("passed");
  });

  it("it fails beside the detections that are wrong, and these are what is looked into", async () => {
    const verdict = await runCase(sensitive, giving(changed(sensitive, moved(2, 2))));
    expect(statusOf(verdict)).toMatchObject({ "detections.cat": "outside", ap: "outside", ap50: "outside" });
    expect([verdict.status, verdict.firstDivergence?.name]).toEqual(["failed", "detections.cat"]);
  });

  it("it fails by itself where the detections pass, and no cause is guessed at", async () => {
    const rows = [10, 10, 20, 20, 0.9, 0];
    const loaded = loadedCase({
      id: "L5/small",
      subject: { kind: "detect", model: { variant: "x" }, conf: 0.5 },
      inputs: { "picture.a": f32([0], []), "labels.a": f32([1, 5], [10, 10, 20, 20, 0]) },
      outputs: { "detections.a": f32([1, 6], rows), ap: f32([1], [0.25]) },
      rule: "detections",
      more: { ap: { rule: "average-precision", required: false } },
    });
    const verdict = await runCase(loaded, giving(new Map([["detections.a", f32([1, 6], rows)]])));
    expect(statusOf(verdict)).toEqual({ "detections.a": "equal", ap: "outside" });
    expect(verdict.firstDivergence).toEqual({ name: "ap", diagnoses: [] });
  });

  it("where detections are missing the case fails by them alone", async () => {
    const verdict = await runCase(sensitive, giving(new Map()));
    expect(statusOf(verdict)).toEqual({
      "detections.cat": "missing",
      "detections.coffee": "missing",
      "detections.wall": "missing",
    });
    expect(verdict.status).toBe("failed");
  });
});

describe("our own way", () => {
  const runtime = openOurRuntime("compiled");
  afterAll(() => runtime.close());

  it.each([sensitive, jpeg])("has the golden's average precision: $manifest.id", async (loaded) => {
    const verdict = await runCase(loaded, runtime);
    expect(verdict.status).toBe("passed");
    expect(verdict.tensors.map(({ name }) => name)).toEqual(loaded.manifest.outputs.map(({ name }) => name));
  });
});
