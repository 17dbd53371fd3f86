/** The commands of `mobiledetr step` on small networks whose numbers are known: what each says, to the letter. */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { StepCommands } from "../../src/cli/step-commands.ts";
import { StepSession } from "../../src/cli/step-session.ts";
import { type Steps, steps } from "../../src/inspect/index.ts";
import { Conv2d, Identity, Linear, type Module, ReLU, Sequential } from "../../src/nn/index.ts";
import { replaceTensor } from "../../src/nn/module.ts";
import { tensor } from "../../src/tensor/create.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { saveSafetensors } from "../../src/weights/index.ts";
import { scratchFolder } from "./run-cli.ts";

/** What a session says to lines; an error as its message. */
async function say(model: unknown, x: Tensor, lines: readonly string[], columns = 80): Promise<string[]> {
  const network = model as Module<[Tensor], unknown>;
  const paths = [...network.namedModules()].map(([path]) => path);
  const begin = (): Steps<unknown> => steps(network, x);
  const session = new StepSession(begin, paths, { columns, colours: "none", paint: (_look, text) => text });
  const commands = new StepCommands(session);
  const said = [await session.start()];
  for (const line of lines) said.push(await commands.execute(line).catch(({ message }) => message));
  await session.close();
  return said;
}

/** The places alone. */
const places = (said: readonly string[]): string[] => said.map((text) => text.split("  ")[0]);

function withParameters(
  module: { slots(): Iterable<unknown> },
  ...values: readonly (readonly number[])[]
): void {
  for (const [i, slot] of [...(module as unknown as Sequential).slots()].entries())
    replaceTensor(slot, tensor(values[i], slot.tensor.shape));
}

/** [1, 1, 2, 2] to two channels, the map and its negative, and these without what is below 0. */
function twoChannels(): Sequential {
  const model = new Sequential({ conv: new Conv2d(1, 2, 1, { bias: false }), act: new ReLU() });
  withParameters(model, [1, -1]);
  return model;
}

const x = (): Tensor => tensor([1, -2, 3, 4], [1, 1, 2, 2]);

describe("moves", () => {
  it("an empty line does what the last move did, which at first is next", async () => {
    expect(places(await say(twoChannels(), x(), ["", ""]))).toEqual([
      "> (the network)",
      "< (the network)",
      "the run has ended: restart or quit",
    ]);
    const nested = new Sequential({ a: new Sequential([new ReLU(), new ReLU()]) });
    expect(places(await say(nested, x(), ["i", "where", "", "n", ""])).slice(2)).toEqual([
      "> a",
      "> a.0",
      "< a.0",
      "> a.1",
    ]);
  });

  it("restart keeps breakpoints, also from the end; what was set is as it was", async () => {
    const said = await say(twoChannels(), x(), [
      "break act",
      "goto conv",
      "n",
      "set output 0",
      "c",
      "restart",
      "c",
      "c",
      "c",
      "restart",
      "c",
    ]);
    expect(places(said).slice(5)).toEqual([
      "> act",
      "> (the network)",
      "> act",
      "< act",
      "the run has ended: restart or quit",
      "> (the network)",
      "> act",
    ]);
    expect(said[8]).toContain("output f32 [1, 2, 2, 2]  0 to 4, mean 1.25, std");
  });
});

describe("what is told", () => {
  it("of a place: the line before, time and numbers behind", async () => {
    const [, , before, behind] = await say(twoChannels(), x(), ["i", "where", "n"]);
    expect(before).toBe(
      "> conv  Conv2d  0.0 M multiply-adds\n" +
        "  F.conv2d(input, weight, None, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1)\n" +
        "  input f32 [1, 1, 2, 2]",
    );
    expect(behind).toMatch(
      /^< conv {2}Conv2d {2}0\.0 M multiply-adds {2}\d+\.\d ms\n {2}output f32 \[1, 2, 2, 2\] {2}-4 to 4, mean 0, std 2\.928$/,
    );
  });

  it("print, stats and hist take the input before a module and the output behind it, or what is named", async () => {
    const said = await say(twoChannels(), x(), [
      "i",
      "p",
      "n",
      "p [0, 1, -1]",
      "s weight[1]",
      "hist",
      "h input[0,0,0]",
    ]);
    expect(said[2]).toContain("tensor([[[[ 1., -2.],\n          [ 3.,  4.]]]])");
    expect(said[4]).toContain("tensor([-3., -4.])");
    expect(said[5]).toBe("weight[1] f32 [1, 1, 1]  -1 to -1, mean -1, std NaN");
    const bars = said[6].split("\n")[1];
    expect(bars).toMatch(/^-4 █[ █]{48}█ 4$/); // eight numbers, each in a bin of its own
    expect([...bars].filter((c) => c === "█")).toHaveLength(8);
    expect(said[7]).toMatch(/\n-2 █ {48}█ 1$/);
    const [, lopsided] = (await say(twoChannels(), x(), ["hist"]))[1].split("\n");
    expect(lopsided).toMatch(/^-2 █ {24}█ {15}█ {7}█ 4$/); // -2, 1, 3, 4
  });

  it("time is in milliseconds", async () => {
    class Slow extends ReLU {
      override forward(y: Tensor): Tensor {
        const end = performance.now() + 15;
        while (performance.now() < end);
        return super.forward(y);
      }
    }
    const [, said] = await say(new Sequential({ slow: new Slow() }), x(), ["n"]);
    expect(Number(/ {2}(\S+) ms\n/.exec(said)?.[1])).toBeGreaterThanOrEqual(15);
  });

  it("counts what is not finite, and shares of zeros", async () => {
    const odd = tensor([Number.NaN, Infinity, 0, 3], [1, 4]);
    const [, said] = await say(new Sequential({ id: new Identity() }), odd, ["stats input"]);
    expect(said).toBe("input f32 [1, 4]  0 to 3, mean 1.5, std 2.121, 25.0 % zeros, 1 NaN, 1 infinite");
  });

  it("maps are means of channels, or the range of one map", async () => {
    const model = new Sequential({ conv: new Conv2d(1, 2, 1, { bias: false }) });
    withParameters(model, [1, 3]);
    const ramp = tensor([0, 1, 2, 4], [1, 1, 2, 2]); // twice that in the mean
    const said = await say(model, ramp, ["i", "n", "map", "map [0, 1]", "map output[0, :, 0]"]);
    expect(said[3]).toBe("output f32 [2, 2, 2]  mean of 2 channels\n:*");
    expect(said[4]).toBe("output[0, 1] f32 [2, 2]  0 to 12\n:*");
    expect(said[5]).toBe("output[0, :, 0] f32 [2, 2]  0 to 3\n *");
  });

  it("lists names with shapes and strides, and the modules within in lines that fit", async () => {
    const said = await say(twoChannels(), x(), ["list", "i", "l"], 30);
    expect(said[1]).toBe(
      "  input  f32  [1, 1, 2, 2]  strides [4, 4, 2, 1]\n  within: conv (Conv2d), act\n    (ReLU)",
    );
    expect(said[3].split("\n").map((line) => line.trim().split(" ")[0])).toEqual(["input", "weight"]);
  });

  it("why: the greatest summands, the others together, the bias", async () => {
    const model = new Sequential({ lin: new Linear(11, 2) });
    const weights = [1, -2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
    withParameters(model, [...weights, ...weights.map((w) => -w)], [0.5, 0]);
    const ones = tensor(new Array(11).fill(1), [1, 11]);
    const said = await say(model, ones, ["i", "n", "why", "why [0, -1]", "why output[0, 2]"]);
    const lines = said[3].split("\n");
    expect(lines.slice(0, 3)).toEqual([
      "output[0, 0] = 62.5",
      "  sum of input[0, i] * weight[0, i] over i, plus bias",
      "  11  input[0, 10] 1 * weight[0, 10] 11",
    ]);
    expect(lines.slice(9)).toEqual([
      "   4  input[0, 3] 1 * weight[0, 3] 4",
      "  and 3 more, together 2",
      "  bias 0.5",
      "  in double precision 62.5, 0 from what the run has",
    ]);
    expect(said[4]).toMatch(/^output\[0, 1\] = -62\n/);
    expect(said[5]).toMatch(/why: expected an index of \[1, 2\], got \[0, 2\]/);
  });
});

describe("changing and comparing", () => {
  it("set changes that part alone, and what follows sees it", async () => {
    const said = await say(twoChannels(), x(), [
      "i",
      "n",
      "set [0, 1, 0] 5",
      "set output[0, 1, 0] 5",
      "p",
      "n",
      "n",
      "p",
    ]);
    expect(said[3]).toMatch(/set: expected a part of output, got/);
    expect(said[5]).toContain("[[-1.,  2.],\n          [-3., -4.]]".replace("-1.,  2.", " 5.,  5."));
    expect(said[5]).toContain("[[[[ 1., -2.],\n          [ 3.,  4.]],");
    expect(said[8]).toContain("[[5., 5.],\n          [0., 0.]]");
  });

  it("diff tells where the greatest difference is, what has no shape to compare, and that NaN is NaN", async () => {
    const path = join(scratchFolder(), "t.safetensors");
    const data = Float32Array.of(1, -2, 3, 4, -1, 2.25, -3, -4.125);
    saveSafetensors(path, [
      ["conv", { dtype: "F32", shape: [1, 2, 2, 2], data }],
      ["act", { dtype: "F32", shape: [2, 2], data: data.slice(0, 4) }],
    ]);
    const said = await say(twoChannels(), x(), ["goto conv", "n", `diff ${path}`, "n", "n"]);
    expect(said[3]).toBe(`${path}: 2 tensors\n  output from the trace: at most 0.25, at [0, 1, 0, 1]`);
    expect(said[5]).toMatch(/\n {2}not of the trace's shape \[2, 2\]$/);
    const odd = Float32Array.of(Number.NaN, Infinity, 1);
    saveSafetensors(path, [["id", { dtype: "F32", shape: [1, 3], data: odd }]]);
    const id = new Sequential({ id: new Identity() });
    expect((await say(id, tensor(odd, [1, 3]), [`diff ${path}`, "goto id", "n"]))[3]).toMatch(
      /trace: equal$/,
    );
    const other = Float32Array.of(1, Infinity, 1);
    expect((await say(id, tensor(other, [1, 3]), [`diff ${path}`, "goto id", "n"]))[3]).toMatch(
      /trace: at most NaN, at \[0, 0\]$/,
    );
  });
});
