/** The process: help and version, wrong usage, and its streams. */
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PICTURES, runCli, scratchFolder } from "./run-cli.ts";

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
const CAT = join(PICTURES, "cat.jpg");
const folder = scratchFolder();

describe("mobiledetr", () => {
  it("is executable by its first line", () => {
    const source = readFileSync(new URL("../../dist/cli/main.js", import.meta.url), "utf8");
    expect(source).toMatch(/^#!\/usr\/bin\/env node\n/);
  });

  it("prints its version", async () => {
    expect(await runCli(["--version"])).toEqual({
      code: 0,
      signal: null,
      stdout: `${version}\n`,
      stderr: "",
    });
  });

  it("prints help on standard output where asked for it, on standard error where called without words", async () => {
    const [asked, none] = await Promise.all([runCli(["--help"]), runCli([])]);
    expect(asked).toMatchObject({ code: 0, stderr: "" });
    expect(asked.stdout).toMatch(/^Usage: mobiledetr COMMAND/);
    expect(none).toEqual({ code: 2, signal: null, stdout: "", stderr: asked.stdout });
  });

  it("prints a command's help by help COMMAND and COMMAND --help alike", async () => {
    const [a, b] = await Promise.all([runCli(["help", "detect"]), runCli(["detect", "--conf", "0.5", "-h"])]);
    expect(a.stdout).toMatch(/^Usage: mobiledetr detect SOURCE\.\.\. \[options\]\n/);
    expect(a).toMatchObject({ code: 0, stderr: "" });
    expect(b).toEqual(a);
  });

  it.each([
    ["an unknown command", ["detct", "a.jpg"], /command: expected one of .*got "detct".*mobiledetr detect\?/],
    ["a forgotten command", [CAT], /did you mean: mobiledetr detect .*cat\.jpg\?/],
    ["an option before the command", ["--json", "detect", CAT], /one before the options/],
    ["an unknown option", ["detect", CAT, "--weight", "w"], /--weight: .*did you mean --weights\?/],
    ["no picture", ["detect", "--json"], /SOURCE: expected at least 1, got none/],
    [
      "a value out of range",
      ["detect", CAT, "--conf", "1"],
      /--conf: expected a number in \[0, 1\), got "1"/,
    ],
    ["options that contradict", ["detect", CAT, "--no-save", "--out", "x"], /--no-save: expected no --out/],
    ["an unknown class", ["detect", CAT, "--classes", "zebra"], /classes: .*barcode, qr.*got "zebra"/],
    ["an unknown model", ["detect", CAT, "--model", "yolo"], /model: expected one of codes, .*got "yolo"/],
    ["too many threads", ["detect", CAT, "--threads", "9999"], /threads: .*got 9999/],
    [
      "no weights",
      ["detect", CAT, "--model", "MobileNetV4ConvSmall"],
      /MobileNetV4ConvSmall: expected weights/,
    ],
    ["a missing required option", ["run", "--model", "codes", "--input", "a"], /expected --output, got none/],
    ["a word too many", ["info", "codes", "more"], /"more": expected at most 1 MODEL/],
  ])("ends with 2 and how to get help for %s", async (_, words, message) => {
    const { code, stdout, stderr } = await runCli(words);
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^mobiledetr: .*\nTry: mobiledetr (detect |run |info )?--help\n$/);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  });

  it("ends quietly where its reader has seen enough", async () => {
    const words = ["detect", ...Array(40).fill(CAT), "--out", folder];
    const { code, stderr } = await runCli(words, { closeOn: /cat\.jpg/ });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(readdirSync(folder).length).toBeLessThan(40); // it did not go on for nobody
  });

  it.runIf(existsSync("/dev/full"))("ends with 1 where standard output is full", async () => {
    const full = openSync("/dev/full", "w");
    const { code, stderr } = await runCli(["info"], { stdout: full });
    closeSync(full);
    expect(stderr).toMatch(/^mobiledetr: standard output: expected room to write, got ENOSPC/);
    expect(code).toBe(1);
  });

  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("ends soon on %s, with %i", async (signal, expected) => {
    const words = ["detect", ...Array(40).fill(CAT), "--no-save"];
    const { code, stderr } = await runCli(words, { signalOn: { output: /cat\.jpg/, signal } });
    expect({ code, stderr }).toEqual({ code: expected, stderr: "" });
  });
});
