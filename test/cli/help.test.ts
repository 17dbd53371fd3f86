/** Help texts and docs/cli.md say every option that the parser takes, with its default. */
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { COMMON_OPTIONS, parseArguments } from "../../src/cli/arguments.ts";
import type { Command } from "../../src/cli/command.ts";
import { commandHelp, programHelp } from "../../src/cli/help.ts";
import { loadCommands } from "../../src/cli/program.ts";

const docs = readFileSync(new URL("../../docs/cli.md", import.meta.url), "utf8");
let commands: Command[];

beforeAll(async () => {
  commands = await loadCommands();
});

/** The section of docs/cli.md on a command. */
function section(name: string): string {
  return docs.split(/^## /m).find((part) => part.startsWith(`\`${name}\``)) ?? "";
}

describe("help", () => {
  it("has the commands, in the program's help and with a section each in docs/cli.md", () => {
    const names = [
      "detect",
      "val",
      "bench",
      "run",
      "info",
      "step",
      "view",
      "picture",
      "layers",
      "conform",
      "golden",
      "trace",
      "completion",
    ];
    expect(commands.map(({ name }) => name)).toEqual(names);
    for (const { name, summary } of commands) {
      expect(programHelp(commands)).toContain(`\n  ${name} `);
      expect(summary.length).toBeLessThan(80);
      expect(section(name)).not.toBe("");
    }
  });

  it("names every option, its value and its default, in help and docs", () => {
    for (const command of commands) {
      const help = commandHelp(command);
      const flat = help.replace(/\s+/g, " ");
      for (const { name, value, default: fallback } of command.options) {
        expect(help, command.name).toMatch(
          new RegExp(`^  --${name}${value ? ` ${literal(value)}` : ""}( |$)`, "m"),
        );
        if (fallback) expect(flat).toContain(`Default: ${fallback}.`);
        expect(section(command.name), `${command.name} in docs/cli.md`).toContain(`\`--${name}`);
      }
      expect(help).toContain("-h, --help");
    }
  });

  it("names no option that the parser does not take", () => {
    for (const { name, ...command } of commands) {
      const known = [...command.options, ...COMMON_OPTIONS].map((option) => `--${option.name}`);
      const said = new Set((section(name) + commandHelp({ name, ...command })).match(/--[a-z][a-z-]*/g));
      expect(
        [...said].filter((option) => !known.includes(option)),
        name,
      ).toEqual([]);
    }
  });

  it("fits 80 columns", () => {
    for (const text of [programHelp(commands), ...commands.map(commandHelp)]) {
      expect(text.split("\n").filter((line) => line.length > 80)).toEqual([]);
    }
  });

  it("has examples that the parser takes", () => {
    for (const command of commands) {
      expect(command.examples.length).toBeGreaterThan(0);
      for (const [line] of command.examples) {
        const [program, name, ...words] = line.split(" > ")[0].split(" ");
        expect([program, name]).toEqual(["mobiledetr", command.name]);
        expect(() => parseArguments(words, command)).not.toThrow();
      }
    }
  });
});

function literal(text: string): string {
  return text.replace(/[|.*+?()[\]]/g, "\\$&");
}
