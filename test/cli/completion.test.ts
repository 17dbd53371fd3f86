/** Completion scripts, run in the shells that are there. */
import { execFileSync, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { Command } from "../../src/cli/command.ts";
import { loadCommands } from "../../src/cli/program.ts";
import { runCli, scratchFolder } from "./run-cli.ts";

const has = (shell: string): boolean => spawnSync(shell, ["-c", "true"]).status === 0;
const scratch = scratchFolder();
const script = (shell: string): string => join(scratch, shell);
let commands: Command[];

beforeAll(async () => {
  commands = await loadCommands();
  for (const shell of ["bash", "zsh", "fish"]) {
    const { code, stdout, stderr } = await runCli(["completion", shell]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    writeFileSync(script(shell), stdout);
  }
  writeFileSync(join(scratch, "photo one.jpg"), "");
});

describe.runIf(has("bash"))("in bash", () => {
  /** What bash offers for the last of the words, and which options `complete` was given meanwhile. */
  function complete(...words: string[]): string[] {
    const program = `source ${script("bash")}
      compopt() { echo "compopt $*"; }
      COMP_WORDS=(mobiledetr "$@"); COMP_CWORD=$#; _mobiledetr; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return execFileSync("bash", ["-c", program, "bash", ...words], { cwd: scratch, encoding: "utf8" })
      .split("\n")
      .slice(0, -1);
  }
  const NONE = "compopt +o default";

  it("completes every command, and every option of each", () => {
    const names = commands.map(({ name }) => name);
    expect(complete("")).toEqual([NONE, ...names, "help", "--help", "--version"]);
    expect(complete("help", "")).toEqual([NONE, ...names]);
    for (const { name, options } of commands)
      expect(complete(name, "--"), name).toEqual([
        NONE,
        ...options.map((option) => `--${option.name}`),
        "--help",
      ]);
  });

  it("completes values, behind a blank and behind =", () => {
    expect(complete("detect", "--backend", "")).toEqual([NONE, "wasm", "reference"]);
    expect(complete("detect", "--backend", "=")).toEqual([NONE, "wasm", "reference"]);
    expect(complete("detect", "--backend", "=", "r")).toEqual([NONE, "reference"]);
    expect(complete("val", "--threads", "a")).toEqual([NONE, "auto"]);
    expect(complete("detect", "--model", "c")).toEqual(["codes"]);
    expect(complete("completion", "")).toEqual([NONE, "bash", "zsh", "fish"]);
    expect(complete("conform", "se")).toEqual(["self-test"]);
    expect(complete("detect", "--conf", "")).toEqual([NONE, ""]);
  });

  it("leaves files to bash, and folders; behind -- there are no options", () => {
    expect(complete("detect", "ph")).toEqual([""]);
    expect(complete("detect", "--weights", "ph")).toEqual([""]);
    expect(complete("detect", "--", "--mo")).toEqual([""]);
    expect(complete("detect", "--out", "")).toEqual(["compopt -o dirnames +o default", ""]);
    const told = execFileSync("bash", ["-c", `source ${script("bash")}; complete -p mobiledetr`], {
      encoding: "utf8",
    });
    expect(told).toBe("complete -o default -F _mobiledetr mobiledetr\n");
  });
});

describe.runIf(has("zsh"))("in zsh", () => {
  it("is read without a mistake, as a function and sourced, and asks _arguments for all options", () => {
    execFileSync("zsh", ["-n", script("zsh")]);
    const program = `autoload -U compinit; compinit -u -D; source ${script("zsh")}; echo $_comps[mobiledetr]
      _arguments() { if [[ $1 == -C ]]; then state=rest line=(detect); return 1; fi; print -rl -- "$@"; }
      words=(mobiledetr detect ''); _mobiledetr`;
    const lines = execFileSync("zsh", ["-f", "-c", program], { encoding: "utf8" }).split("\n");
    expect(lines[0]).toBe("_mobiledetr");
    const detect = commands.find(({ name }) => name === "detect");
    for (const { name, value } of detect?.options ?? [])
      expect(lines.filter((line) => line.startsWith(`--${name}${value ? "=" : ""}[`))).toHaveLength(1);
    expect(lines).toContain(
      "--backend=[wasm, or the plain loops that it is tested against\\: slow, on one thread]:wasm|reference:(wasm reference)",
    );
  });
});

describe.runIf(has("fish"))("in fish", () => {
  const complete = (line: string): string[] =>
    execFileSync("fish", ["--no-config", "-c", `source ${script("fish")}; complete -C '${line}'`], {
      cwd: scratch,
      encoding: "utf8",
    })
      .split("\n")
      .map((each) => each.split("\t")[0])
      .slice(0, -1);

  it("completes commands, options, values and files", () => {
    expect(complete("mobiledetr ").sort()).toEqual(commands.map(({ name }) => name).sort());
    for (const { name, options } of commands)
      expect(complete(`mobiledetr ${name} --`).sort(), name).toEqual(
        [...options.map((option) => `--${option.name}`), "--help"].sort(),
      );
    expect(complete("mobiledetr detect --backend ").sort()).toEqual(["reference", "wasm"]);
    expect(complete("mobiledetr detect --model c")).toContain("codes");
    expect(complete("mobiledetr detect ph")).toEqual([expect.stringMatching(/photo/)]);
    expect(complete("mobiledetr completion ").sort()).toEqual(["bash", "fish", "zsh"]);
  });
});

it("refuses other shells", async () => {
  const { code, stderr } = await runCli(["completion", "tcsh"]);
  expect(stderr).toMatch(/^mobiledetr: shell: expected bash or zsh or fish, got "tcsh"\n/);
  expect(code).toBe(2);
});
