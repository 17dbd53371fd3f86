/** `mobiledetr step`, `layers` and `trace` as a user runs them, by lines on standard input. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { readTraceFile } from "../../src/conformance/trace-file.ts";
import { PICTURES, runCli, scratchFolder } from "./run-cli.ts";

const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const PICTURE = join(PICTURES, "wall.jpg");
const SMALL = ["--imgsz", "320"];

function stepThrough(
  lines: readonly string[],
  ...words: string[]
): { code: number | null; out: string[]; err: string } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [MAIN, "step", PICTURE, ...SMALL, ...words],
    {
      input: lines.map((line) => `${line}\n`).join(""),
      encoding: "utf8",
    },
  );
  return { code: status, out: stdout.split("\n"), err: stderr };
}

describe("step, by lines", () => {
  it("moves: into, next, out, goto, an empty line again", () => {
    const { code, out, err } = stepThrough(["into", "into", "next", "", "out", "goto model.2.ma", "c"]);
    const places = out.filter((line) => /^[<>] /.test(line)).map((line) => line.replace(/ {2}.*/, ""));
    expect(places).toEqual([
      "> (the network)",
      "> model.0",
      "> model.0.conv0",
      "< model.0.conv0",
      "> model.0.layer1",
      "< model.0",
      "> model.2.ma",
    ]);
    expect(out.at(-2)).toBe("the run has ended: restart or quit");
    expect([code, err]).toEqual([0, ""]);
  });

  it("says the line, shapes, statistics; prints parts; lists names; draws", () => {
    const { out } = stepThrough([
      "goto model.0.conv0.convbn_0.conv",
      "n",
      "list",
      "print output[0, 0, 0, :3]",
      "stats weight",
      "hist",
      "map output[0, 1]",
    ]);
    const text = out.join("\n");
    expect(text).toContain(
      "F.conv2d(input, weight, None, stride=(2, 2), padding=(1, 1), dilation=(1, 1), groups=1)",
    );
    expect(text).toMatch(/output f32 \[1, 32, 160, 160\] {2}-\S+ to \S+, mean \S+, std \S+/);
    expect(text).toMatch(/weight +f32 +\[32, 3, 3, 3\] +strides \[27, 9, 3, 1\]/);
    expect(text).toMatch(/tensor\(\[ ?-?\d\.\d{4}, +-?\d\.\d{4}, +-?\d\.\d{4}\]\)/);
    expect(text).toMatch(/weight f32 \[32, 3, 3, 3\] {2}-\S+ to \S+/);
    expect(text).toMatch(/[▁▂▃▄▅▆▇█]{3}/);
    const at = out.findIndex((line) => line.startsWith("output[0, 1] f32 [160, 160]"));
    expect(out.slice(at + 1, at + 28).every((line) => line.length === 80)).toBe(true);
  });

  it("shows attention, and goes on with an output that was changed", () => {
    const { code, out } = stepThrough([
      "goto model.2.ma",
      "n",
      "print attention[0, 0, 0, 0]",
      "set output[0, 3] 0",
      "print output[0, 3, :2]",
      "stats output[0, 9:3]",
      "goto model.19.enc_output",
      "n",
      "c",
    ]);
    const text = out.join("\n");
    expect(text).toContain("attention f32 [1, 8, 100, 100]");
    expect(text).toContain("tensor([0., 0.])");
    expect(text).toContain("output[0, 9:3] f32 [0, 128]  no elements");
    expect(text).not.toMatch(/NaN to NaN|\d NaN/);
    expect(code).toBe(0);
  });

  it("changes one output of several, and leaves the others", () => {
    const { code, out, err } = stepThrough([
      "goto model.0",
      "n",
      "set output.3 0",
      "stats output.3",
      "stats output.2",
      "goto model.1",
      "stats input",
      "goto model.5",
      "stats input",
      "c",
    ]);
    expect([code, err]).toEqual([0, ""]);
    const stats = out.filter((line) => /^(input|output)/.test(line));
    const [third, second, taken, other] = stats.map((line) => line.replace(/.*\] {2}/, ""));
    expect(third).toBe("0 to 0, mean 0, std 0, 100.0 % zeros");
    expect(taken).toBe(third);
    expect(second).toMatch(/^-/);
    expect(out.at(-2)).toBe("the run has ended: restart or quit");
    expect(other).not.toBe(third);
  });

  it("says why a number is what it is, and from where; begins anew", () => {
    const { code, out } = stepThrough([
      "goto model.0.conv0.convbn_0.conv",
      "n",
      "why [0, 3, -1, 50]",
      "goto model.2",
      "n",
      "why",
      "restart",
      "goto model.2.norm2",
      "n",
      "why",
    ]);
    const text = out.join("\n");
    expect(text).toMatch(
      /output\[0, 3, 159, 50\] = -?\d\.\d+\n {2}sum of input \* weight over 3 channels and a 3x3 window/,
    );
    expect(text).toContain("from rows 317 to 319 and columns 99 to 101 of the input");
    expect(text).toMatch(
      /input\[0, \d, 31\d, \d+\] \S+ \* weight\[3, \d, \d, \d\] \S+\n[\s\S]*and 19 more, together/,
    );
    const [, stored] = /output\[0, \d+, \d+, \d+\] = (\S+)\n.*norm2/.exec(text) ?? [];
    expect(text).toContain("made by model.2.norm2, its [0, ");
    expect(text).toContain("RTDETRDetectionModel  1177.7 M multiply-adds");
    expect(text).toContain("\n  quirk 7: the position table is (w, h)-major");
    expect(text.split("> (the network)")).toHaveLength(3);
    expect(text).toMatch(
      new RegExp(`output\\[0, \\d+, \\d+\\] = ${stored?.replace(".", "\\.")}\\n {2}\\(x - `),
    );
    expect(text).toMatch(/in double precision \S+, \S+ from what the run has/);
    expect(code).toBe(0);
  });

  it("says where a goto leads to no place: behind the run, or where nothing runs", () => {
    for (const path of ["model.0.conv0", "model.0.layer5"]) {
      const { code, out } = stepThrough(["goto model.1", `goto ${path}`]);
      expect([code, out.at(-2)]).toEqual([0, `${path} did not come; the run has ended: restart or quit`]);
    }
  });

  it("breakpoints by option and command", () => {
    const { out } = stepThrough(
      ["c", "break", "delete model.1", "break model.3", "c", "c"],
      "--break",
      "model.1",
    );
    const text = out.join("\n");
    expect(text).toMatch(/> model\.1 [\s\S]*\n {2}model\.1\nno breakpoints\n {2}model\.3\n> model\.3/);
    expect(out.filter((line) => /^[<>] model\.1 /.test(line))).toHaveLength(1);
  });

  it("refuses a breakpoint that fits nothing before anything is loaded", () => {
    const { code, out, err } = stepThrough(["q"], "--break", "model.3,modle.2");
    expect([code, out]).toEqual([2, [""]]);
    expect(err).toMatch(/--break: expected a module's path.*, got modle\.2 \(did you mean model\.2\?\)/);
  });

  it("names what is wrong and goes on; the exit code tells", () => {
    const { code, out, err } = stepThrough([
      "nxt",
      "next 3",
      "goto",
      "print nothing",
      "print input[9]",
      "set output 0",
      "delete x",
      "into",
      "into",
      "next",
      "why nothing[0, 0, 0, 0]",
      "set input 0",
      "print ouput",
      "hist output[0, 5:5]",
      "map output[0, 5:5]",
      "goto modle.2",
      "break **.nothing",
      "next",
      "q",
    ]);
    expect(err).toMatch(/"nxt" \(did you mean next\?\)/);
    expect(err).toMatch(/next: expected nothing behind it, got "3"/);
    expect(err).toMatch(/goto: expected PATH, got nothing/);
    expect(err).toMatch(/tensor: expected input, got "nothing"/);
    expect(err).toMatch(/got 9 for axis 0 of 1/);
    expect(err).toMatch(/set: expected a module behind which the run stands, got before/);
    expect(err).toMatch(/set: expected a part of output, got input/);
    expect(err).toMatch(/path: expected a module's path.*, got modle\.2 \(did you mean model\.2\?\)/);
    expect(err).toMatch(/path: expected a module's path.*, got \*\*\.nothing/);
    expect(err).toMatch(/why: expected output, got nothing/);
    expect(err).toMatch(/tensor: expected input, output, got "ouput" \(did you mean output\?\)/);
    for (const command of ["hist", "map"])
      expect(err).toContain(`${command}: expected a tensor with elements, got [0, 160, 160]`);
    expect(err).toMatch(/delete: expected a breakpoint that is there, got x/);
    expect(out.some((line) => line.startsWith("> model.0.layer1"))).toBe(true);
    expect(code).toBe(1);
  });

  it("compares with a trace, and finds nothing on the same network, something where it was changed", async () => {
    const folder = scratchFolder();
    const trace = join(folder, "t.safetensors");
    const { code } = await runCli([
      "trace",
      PICTURE,
      ...SMALL,
      "--tensors",
      "model.2.**,model.3",
      "--output",
      trace,
    ]);
    expect(code).toBe(0);
    expect(readTraceFile(trace).tensors.has("model.2.ma.attention")).toBe(true);
    const { out } = stepThrough([
      `diff ${trace}`,
      "goto model.2.ma",
      "n",
      "set output[0, 3] 0",
      "goto model.3",
      "n",
    ]);
    const text = out.join("\n");
    expect(text).toMatch(/output from the trace: equal\n {2}attention from the trace: equal/);
    expect(text).toMatch(/< model\.3 [\s\S]*output from the trace: at most \S+, at \[0, /);
  });
});

describe("layers", () => {
  it("a row for every module that runs, in its order, without weights", async () => {
    const { code, stdout, stderr } = await runCli(["layers", "MobileNetV4HybridMedium", "--json"]);
    expect([code, stderr]).toEqual([0, ""]);
    const { layers } = JSON.parse(stdout) as {
      layers: { path: string; kind: string; calls: number; multiply_adds: number; quirk: string | null }[];
    };
    const paths = layers.map(({ path }) => path);
    expect(new Set(paths).size).toBe(paths.length);
    expect(paths.slice(0, 3)).toEqual(["", "model.0", "model.0.conv0"]);
    expect(layers.find(({ path }) => path === "model.19.query_pos_head")).toMatchObject({
      calls: 3,
      parameters: 4 * 512 + 512 + 512 * 256 + 256,
      multiply_adds: 3 * 300 * (4 * 512 + 512 * 256), // of all its calls, on 300 queries
    });
    expect(
      layers.filter(({ kind }) => kind === "UIB").every(({ quirk }) => quirk?.includes("no residual")),
    ).toBe(true);
    const parts = layers.filter(({ path }) => /^model\.\d+$/.test(path));
    expect(parts.reduce((sum, part) => sum + part.multiply_adds, 0)).toBe(layers[0].multiply_adds);
  });

  it("--depth and --only choose, --lines explains; a pattern that fits nothing is an error", async () => {
    const { stdout } = await runCli(["layers", "--depth", "1"]);
    const rows = stdout.trimEnd().split("\n").slice(1);
    expect(rows[0]).toMatch(/^\(the network\) +RTDETRDetectionModel .* 100\.0 %$/);
    expect(rows.slice(1).map((row) => row.split(" ")[0])).toEqual(
      Array.from({ length: 20 }, (_, i) => `model.${i}`),
    );
    const { stdout: lines } = await runCli(["layers", "--only", "model.2.**", "--lines"]);
    expect(lines).toMatch(/model\.2\.fc1 +Linear +\[1, 400, 512\].*F\.linear\(input, weight, bias\)/);
    const { code, stderr } = await runCli(["layers", "--only", "modle.*"]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/--only: expected patterns that fit paths, got modle\.\*/);
  });
});

describe("trace", () => {
  it("--list names attention, sampling, scores and boxes; golden does not", async () => {
    const { stdout } = await runCli(["trace", "seed:0", ...SMALL, "--list"]);
    for (const name of [
      "model.2.ma.attention",
      "model.19.token_scores",
      "model.19.boxes.3",
      "model.19.decoder.layers.0.cross_attn.sampling_locations",
    ]) {
      expect(stdout).toContain(`${name} `);
    }
    const { stdout: golden } = await runCli(["golden", "seed:0", ...SMALL, "--list"]);
    expect(golden).not.toMatch(/attention |token_scores|boxes\.|sampling_locations/);
  });

  it("writes a file that a trace's reader takes; nothing where the picture is none", async () => {
    const folder = scratchFolder();
    const bad = join(folder, "bad.jpg");
    writeFileSync(bad, "no picture");
    const { code, stderr } = await runCli(["trace", bad, "--output", join(folder, "t.npz")]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/bad\.jpg/);
  });
});
