/** `mobiledetr info`: the table's totals are those of the specification, and weights are held against the model. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { saveSafetensors } from "../../src/weights/safetensors.ts";
import { runCli, scratchFolder } from "./run-cli.ts";

const WEIGHTS = fileURLToPath(new URL("../../models/codes.f16.safetensors", import.meta.url));
const scratch = scratchFolder();

describe("mobiledetr info", () => {
  it("prints the layers, the totals and what the embedded weights hold", async () => {
    const { code, stdout, stderr } = await runCli(["info"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const lines = stdout.split("\n");
    expect(lines[0]).toMatch(/^ +from +n +params +module +arguments$/);
    expect(lines[1]).toMatch(/^ +0 +-1 +1 +2493024 +MobileNetV4ConvSmall +\[\]$/);
    expect(stdout).toMatch(
      /^codes summary: 492 layers, 4763112 parameters, 0 gradients, 8\.832 GFLOPs at 640x640$/m,
    );
    expect(stdout).toMatch(/^pictures: opencv-linear, stretched$/m);
    expect(stdout).toMatch(
      /^weights: .*codes\.f16\.safetensors\n {2}568 tensors \(568 F16\), 3434472 numbers, /m,
    );
    expect(stdout).toMatch(/^ {2}names: barcode,qr,datamatrix,aztec,pdf417,maxicode$/m);
    expect(stdout).toMatch(/^ {2}fits the model, though it lacks 103 tensors that inference never reads$/m);
  });

  it("prints one line of JSON: parameters and GFLOPs of ConvSmall, as is and fused", async () => {
    const words = ["info", "MobileNetV4ConvSmall", "--json"];
    const [plain, fused] = await Promise.all([runCli(words), runCli([...words, "--fuse"])]);
    expect(plain).toMatchObject({ code: 0, stderr: "" });
    expect(plain.stdout.trimEnd().split("\n")).toHaveLength(1);
    const [a, b] = [JSON.parse(plain.stdout), JSON.parse(fused.stdout)];
    expect(a).toMatchObject({
      model: "MobileNetV4ConvSmall",
      parameters: 11321616,
      size: [640, 640],
      fused: false,
      preprocess: { resize: "opencv-linear", letterbox: false },
    });
    expect([a.gflops.toFixed(3), b.gflops.toFixed(3)]).toEqual(["28.122", "27.139"]);
    expect(a.rows[0]).toMatchObject({
      index: 0,
      from: -1,
      n: 1,
      module: "MobileNetV4ConvSmall",
      arguments: [],
    });
    expect(a.weights).toBeNull();
    expect(b.fused).toBe(true);
  });

  it("counts at --imgsz, and ends with 1 where the network cannot take it", async () => {
    const [half, bad] = await Promise.all([
      runCli(["info", "codes", "--imgsz", "320x320", "--json"]),
      runCli(["info", "MobileNetV4HybridMedium", "--imgsz", "320x640"]),
    ]);
    expect(JSON.parse(half.stdout)).toMatchObject({ size: [320, 320] });
    expect(JSON.parse(half.stdout).gflops).toBeLessThan(8.832 / 3);
    expect(bad.stderr).toMatch(
      /square maps at strides 16 and 32.*got 320x640 pixels \(nearest legal: 320x320/,
    );
    expect(bad.code).toBe(1);
  });

  it("tells how weights differ from the model, and ends with 1", async () => {
    const words = ["info", "MobileNetV4ConvSmall", "--weights", WEIGHTS];
    const [text, json] = await Promise.all([runCli(words), runCli([...words, "--json"])]);
    expect(text).toMatchObject({ code: 1, stderr: "" });
    expect(text.stdout).toMatch(
      /^ {2}does not fit the model:\n {2}\d+ of another shape:\n {4}model\.1\.conv\.weight: /m,
    );
    expect(json.code).toBe(1);
    const { weights } = JSON.parse(json.stdout);
    expect(weights).toMatchObject({
      fits: false,
      tensors: 568,
      dtypes: { F16: 568 },
      missing: [],
      unexpected: [],
    });
    expect(weights.misshaped[0]).toEqual({
      name: "model.1.conv.weight",
      expected: [256, 128, 1, 1],
      got: [128, 128, 1, 1],
      dtype: "F16",
    });
  });

  it("tells with --explain what compiling did, and writes the graph with --dot", async () => {
    const dot = join(scratch, "codes.dot");
    const { code, stdout, stderr } = await runCli(["info", "--imgsz", "320", "--explain", "--dot", dot]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^codes summary: .*\n[\s\S]*^weights: .*[\s\S]*^pass +times +MMAC saved$/m);
    expect(stdout).toMatch(/^batch norm into convolution +[1-9]\d* +[\d.]+$/m);
    expect(stdout).toMatch(/^\d+ operations, \d+ steps, \d+\.\d million multiply-adds$/m);
    expect(stdout).toMatch(/^memory: \d+\.\d MB for values, \d+\.\d MB for weights and tables$/m);
    const graph = readFileSync(dot, "utf8");
    expect(graph).toMatch(/^digraph plan \{\n[\s\S]*\n\}\n$/);
    expect(graph).toMatch(/^ {2}n\d+ -> out \[label="\[1, 100, 10\]"\];$/m);
    expect(graph.match(/^ {2}n\d+ \[label=/gm)).toHaveLength(Number(/^(\d+) operations/m.exec(stdout)?.[1]));
  });

  it("puts the plan into the JSON with --explain", async () => {
    const { code, stdout } = await runCli(["info", "--imgsz", "320", "--explain", "--json"]);
    expect(code).toBe(0);
    const { plan, gflops } = JSON.parse(stdout);
    // Passes only ever save: the plan multiplies less than the layers do.
    expect(2 * plan.multiply_adds).toBeLessThan(gflops * 1e9);
    expect(plan.passes.map(({ pass }: { pass: string }) => pass)).toContain("drop dead operations");
    expect(plan.bytes.total).toBe(plan.bytes.area + plan.bytes.constants);
  });

  it("fails and writes nothing where --explain or --dot has no weights, or others", async () => {
    const dot = join(scratch, "none.dot");
    const [none, only, others, unwritable] = await Promise.all([
      runCli(["info", "MobileNetV4ConvSmall", "--explain"]),
      runCli(["info", "MobileNetV4ConvSmall", "--dot", dot]),
      runCli(["info", "MobileNetV4ConvSmall", "--explain", "--weights", WEIGHTS, "--dot", dot]),
      runCli(["info", "--imgsz", "320", "--dot", join(scratch, "no", "such.dot")]),
    ]);
    for (const { code, stdout, stderr } of [none, only]) {
      expect(stderr).toMatch(
        /MobileNetV4ConvSmall: expected weights .*, got none \(name a safetensors file, or give its bytes\)/,
      );
      expect({ code, stdout }).toEqual({ code: 2, stdout: "" }); // as for any option that is wrong
    }
    expect(others.stdout).toMatch(/does not fit the model/);
    expect(others.stdout).not.toMatch(/MMAC/);
    expect(unwritable.stderr).toMatch(/such\.dot: expected a file that can be written/);
    expect([others.code, unwritable.code, existsSync(dot)]).toEqual([1, 1, false]);
  });

  it("lets no control character of a file's metadata through", async () => {
    const path = join(scratch, "evil.safetensors");
    saveSafetensors(path, [["a\x1b[2J", { dtype: "U8", shape: [1], data: Uint8Array.of(1) }]], {
      note: "\x1b]0;x\x07",
    });
    const { code, stdout } = await runCli(["info", "--weights", path]);
    expect(code).toBe(1);
    expect(stdout).toContain("note: \\x1b]0;x\\x07");
    expect(stdout).toContain("a\\x1b[2J");
    expect(stdout).not.toMatch(/[^\n\P{Cc}]/u);
  });

  it("ends with 1 for a file that is missing or no weights", async () => {
    const [missing, yaml] = await Promise.all([
      runCli(["info", "--weights", join(scratch, "none")]),
      runCli(["info", join(scratch, "none.yaml")]),
    ]);
    expect(missing.stderr).toMatch(/none: expected a file that can be read, got no such file/);
    expect(yaml.stderr).toMatch(/none\.yaml: expected a file that can be read/);
    expect([missing.code, yaml.code]).toEqual([1, 1]);
  });
});
