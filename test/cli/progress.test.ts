/** Progress: a bar on a terminal, a line now and then elsewhere, nothing where it is not wanted. */

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { Progress } from "../../src/cli/progress.ts";
import { Terminal } from "../../src/cli/terminal.ts";
import { fitColumns } from "../../src/cli/text-table.ts";
import { PICTURES, runCli } from "./run-cli.ts";

/** Streams that keep what is written, in order. */
function recorder(
  isTTY: boolean,
  { columns = 80, env = {} }: { columns?: number; env?: Record<string, string> } = {},
) {
  const written: string[] = [];
  const stream = (name: string) => ({ isTTY, columns, write: (text: string) => written.push(name + text) });
  return { written, terminal: new Terminal({ stdout: stream("1"), stderr: stream("2"), env }) };
}

const CLEAR = "2\r\x1b[K";

describe("Progress", () => {
  it("draws a bar with rate and time left, below what is printed, and takes it away", () => {
    const { written, terminal } = recorder(true);
    let time = 0;
    const progress = new Progress(terminal, { total: 4, now: () => time });
    progress.detail("a\x1b.jpg");
    time = 500;
    progress.step();
    terminal.print("table");
    time = 550;
    progress.step(); // too soon to draw
    time = 1000;
    progress.step();
    progress.close();
    const bar = " 25% [######..................] 1/4  2.0/s  0:02 left  a\\x1b.jpg";
    expect(written).toEqual([
      `${CLEAR}  0% [........................] 0/4  a\\x1b.jpg`,
      `${CLEAR}${bar}`,
      CLEAR,
      "1table\n",
      `2${bar}`,
      `${CLEAR} 75% [##################......] 3/4  3.0/s  0:00 left  a\\x1b.jpg`,
      CLEAR,
    ]);
  });

  it("fits the terminal's width, in columns", () => {
    for (const columns of [20, 30, 40, 60, 200]) {
      const { written, terminal } = recorder(true, { columns });
      const progress = new Progress(terminal, { total: 1000, now: () => 0 });
      progress.detail("写真/日本.jpg");
      const line = written[0].slice(CLEAR.length);
      expect(line).toBe(fitColumns(line, columns - 1));
      expect(line).toContain("0/1000");
    }
    expect(fitColumns("写真a", 4)).toBe("写真");
    expect(fitColumns("e\u0301写", 2)).toBe("e\u0301");
  });

  it("says without a total what is done, and elsewhere than on a terminal a line every 30 seconds", () => {
    for (const plain of [recorder(false), recorder(true, { env: { TERM: "dumb" } })]) {
      let time = 0;
      const progress = new Progress(plain.terminal, { now: () => time });
      for (let i = 0; i < 100; i++) {
        time += 1000;
        progress.detail("x");
        progress.step();
      }
      progress.close();
      expect(plain.written).toEqual(
        [30, 60, 90].map(
          (n) => `2mobiledetr: ${n} done, 1.0/s, ${n < 60 ? "0:30" : n === 60 ? "1:00" : "1:30"}\n`,
        ),
      );
    }
  });

  it("is nothing where it is not wanted, and for one picture", () => {
    const { written, terminal } = recorder(true);
    for (const options of [{ total: 9, shown: false }, { total: 1 }]) {
      const progress = new Progress(terminal, options);
      progress.detail("x");
      progress.step();
      progress.close();
    }
    expect(written).toEqual([]);
  });
});

const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** What a terminal gets of a run over the example pictures, of which standard output goes elsewhere. */
function onTerminal(...options: string[]): string {
  const line = [
    process.execPath,
    MAIN,
    "detect",
    ...Array(3).fill(PICTURES),
    "--imgsz",
    "320",
    "--json",
    ...options,
  ].map((word) => `'${word}'`);
  return spawnSync("script", ["-qec", `${line.join(" ")} > /dev/null`, "/dev/null"], { encoding: "utf8" })
    .stdout;
}

describe.runIf(spawnSync("script", ["--version"]).status === 0)("mobiledetr detect on a terminal", () => {
  it("shows the bar on standard error alone, and leaves an empty line", () => {
    const seen = onTerminal();
    const draws = seen.split("\r\x1b[K");
    expect(draws[0]).toBe("");
    expect(draws[1]).toMatch(/^ {2}0% \[\.+\] 0\/9 /);
    expect(draws.at(-2)).toMatch(/^[ \d]+% \[#+\.*\] \d\/9 {2}[\d.]+\/s {2}\d:\d\d left/);
    expect(draws.at(-1)).toBe("");
    expect(seen).not.toContain("\n");
  });

  it("shows none with --no-progress or --quiet", () => {
    expect([onTerminal("--no-progress"), onTerminal("--quiet")]).toEqual(["", ""]);
  });
});

it("mobiledetr detect --quiet prints nothing but errors", async () => {
  const ended = await runCli([
    "detect",
    `${PICTURES}/cat.jpg`,
    "none.jpg",
    "--quiet",
    "--no-save",
    "--imgsz",
    "320",
  ]);
  expect(ended).toMatchObject({ code: 1, stdout: "" });
  expect(ended.stderr).toMatch(/^mobiledetr: none\.jpg: .*\nmobiledetr: 1 of 2 sources failed\n$/);
});
