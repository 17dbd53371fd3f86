/** `mobiledetr conform diff`: two traces beside each other. What is found in them is tested in `test/conformance`. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { writeHostTensors } from "../../src/conformance/host-files.ts";
import type { HostTensor } from "../../src/conformance/host-tensor.ts";
import { writeNpz } from "../../src/conformance/npz.ts";
import { type Ended, runCli, scratchFolder } from "./run-cli.ts";

const scratch = scratchFolder();
const conform = (...words: string[]): Promise<Ended> => runCli(["conform", ...words]);
const at = (name: string): string => join(scratch, name);

function put(name: string, text: string): string {
  writeFileSync(at(name), text);
  return at(name);
}

describe("conform diff", () => {
  const x: HostTensor = { dtype: "F32", shape: [2, 3], data: Float32Array.of(0.5, -1, 2, 3, -4, 5) };
  const y: HostTensor = { dtype: "F32", shape: [4], data: Float32Array.of(1, 0.25, -3, 8) };
  const scaled = ({ shape, data }: HostTensor, by: number): HostTensor => ({
    dtype: "F32",
    shape,
    data: Float32Array.from(data as Float32Array, (v) => by * v),
  });
  const trace = (name: string, tensors: Record<string, HostTensor>): string => {
    if (name.endsWith(".npz")) writeFileSync(at(name), writeNpz(new Map(Object.entries(tensors))));
    else writeHostTensors(at(name), Object.entries(tensors));
    return at(name);
  };
  const golden = trace("golden.safetensors", { "net.0": x, "net.1": y });

  it("ends with 0 where all is equal, and where rounding differs; .npz as well", async () => {
    const [equal, within] = await Promise.all([
      conform("diff", golden, trace("same.npz", { "net.0": x, "net.1": y })),
      conform("diff", golden, trace("rounded.safetensors", { "net.1": scaled(y, 1 + 2 ** -23), "net.0": x })),
    ]);
    const none = "0 only in A, 0 only in B\n";
    expect(equal).toMatchObject({ code: 0, stderr: "" });
    expect(equal.stdout).toBe(`2 tensors compared: 2 equal, 0 within, 0 outside\n${none}`);
    expect(within).toMatchObject({
      code: 0,
      stdout: `2 tensors compared: 1 equal, 1 within, 0 outside\n${none}`,
    });
  });

  it("ends with 1 where one is outside, and names the first, by how much, and probably why", async () => {
    const { code, stdout } = await conform(
      "diff",
      golden,
      trace("off.safetensors", { "net.0": scaled(x, 2), "net.1": y }),
    );
    expect(code).toBe(1);
    expect(stdout).toMatch(/^2 tensors compared: 1 equal, 0 within, 1 outside\n/);
    expect(stdout).toMatch(
      /\nfirst divergence: net\.0\n.*max abs 5\.00, cosine 1\.000000, 0\.0 dB, 100\.00 % out\n/s,
    );
    expect(stdout).toMatch(/\n {2}constant-factor \(100 %\): .*\n {4}\S/);
  });

  it("judges by the rule that --rule names", async () => {
    const near = trace("near.safetensors", { "net.0": scaled(x, 1 + 2 ** -23), "net.1": y });
    const [strict, unknown] = await Promise.all([
      conform("diff", golden, near, "--rule", "relu"), // exact
      conform("diff", golden, near, "--rule", "rellu"),
    ]);
    expect([strict.code, strict.stdout]).toEqual([
      1,
      expect.stringContaining("1 equal, 0 within, 1 outside"),
    ]);
    expect(unknown.code).toBeGreaterThan(0);
    expect(unknown.stderr).toContain("rellu");
  });

  it("suggests a map where no name is in both; with it the traces meet", async () => {
    const foreign = trace("foreign.safetensors", { "stage0.out": scaled(x, 1), "stage1.out": scaled(y, 1) });
    const lost = await conform("diff", golden, foreign);
    expect(lost.code).toBe(1);
    expect(lost.stdout).toMatch(/^0 tensors compared: .*\n2 \(.+, .+\) only in A, 2 \(.+, .+\) only in B\n/);
    expect(lost.stderr).toBe("mobiledetr: no name is in both: give --map\n");
    const [, lines] = lost.stdout.split("as lines of a --map file:\n");
    expect(lines).toMatch(/^stage0\.out {2}net\.0 {2}# by its numbers, cosine 1\.000000\n/);
    const maps = [
      put("lines.txt", lines),
      put("stars.txt", "stage*.out net.*"),
      put("map.json", '{"stage*.out": "net.*"}'),
    ];
    const met = await Promise.all(maps.map((map) => conform("diff", golden, foreign, "--map", map)));
    for (const { code, stdout } of met)
      expect([code, stdout]).toEqual([0, expect.stringContaining("2 equal")]);
  });

  it("prints JSON and nothing else", async () => {
    const { code, stdout, stderr } = await conform(
      ...["diff", golden, trace("more.safetensors", { "net.0": scaled(x, -1), extra: y }), "--json"],
    );
    expect([code, stderr]).toEqual([1, ""]);
    expect(JSON.parse(stdout)).toMatchObject({
      tensors: [{ name: "net.0", status: "outside", rule: "stage-output" }],
      onlyInFirst: ["net.1"],
      onlyInSecond: ["extra"],
      suggestions: [{ theirs: "extra", ours: "net.1", cosine: 1 }],
      firstDivergence: { name: "net.0", theirs: "net.0", diagnoses: [{ mistake: "sign", explains: 1 }] },
    });
  });

  it.each([
    ["one file", 2, () => [golden], /conform diff: expected two files, got 1/],
    ["three files", 2, () => [golden, golden, golden], /conform diff: expected two files, got 3/],
    ["a file that is not there", 1, () => [golden, at("none.npz")], /none\.npz/],
    [
      "a file that is no trace",
      1,
      () => [golden, put("text.safetensors", "not tensors at all")],
      /text\.safetensors: expected/,
    ],
    [
      "a map that is not there",
      1,
      () => [golden, golden, "--map", at("no.txt")],
      /no\.txt: expected a file that can be read/,
    ],
    [
      "a map with three words",
      1,
      () => [golden, golden, "--map", put("3.txt", "a b c")],
      /3\.txt:1: expected two names/,
    ],
    [
      "another's option",
      2,
      () => [golden, golden, "--level", "0"],
      /--level: expected conform list or run or self-test/,
    ],
  ] as const)("refuses %s", async (_name, expected, words, message) => {
    const { code, stdout, stderr } = await conform("diff", ...words());
    expect([code, stdout]).toEqual([expected, ""]);
    expect(stderr).toMatch(message);
  });
});
