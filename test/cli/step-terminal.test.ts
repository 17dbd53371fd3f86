/** `mobiledetr step` and `layers` on a pseudo-terminal (util-linux script): Ctrl-C, Ctrl-D, history, completion, colours. */
import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { completeFile, completePath, completeWord } from "../../src/cli/step-complete.ts";
import { PICTURES } from "./run-cli.ts";

const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const CTRL_A = "\x01";
const CTRL_C = "\x03";
const CTRL_D = "\x04";
const UP = "\x1b[A";

/** What is typed, once what was written since the last keys fits. */
type Typed = readonly [when: RegExp, keys: string];

/** Runs `mobiledetr step` of 80 columns and 24 rows. Escape characters are shown as "^". */
function onTerminal(
  typed: readonly Typed[],
  { words = [] as readonly string[], env = {} as Readonly<Record<string, string>> } = {},
): Promise<{ code: number | null; shown: string }> {
  const command = [process.execPath, MAIN, "step", join(PICTURES, "wall.jpg"), "--imgsz", "320", ...words];
  const line = `stty cols 80 rows 24; exec ${command.map((word) => `'${word}'`).join(" ")}`;
  const { CI: _ci, FORCE_COLOR: _force, TMUX: _tmux, ...rest } = process.env;
  const child = spawn("script", ["-qec", line, "/dev/null"], {
    timeout: 30_000,
    env: { ...rest, NO_COLOR: "", TERM: "xterm", COLORTERM: "", ...env },
  });
  const left = [...typed];
  let [shown, since] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    shown += text;
    since += text;
    if (left.length === 0 || !left[0][0].test(since)) return;
    since = "";
    child.stdin.write(left.shift()?.[1] ?? "");
  });
  return new Promise((resolve, reject) =>
    child.on("close", (code) => {
      shown = shown.replaceAll("\x1b", "^").replaceAll("\r\n", "\n");
      if (left.length === 0) resolve({ code, shown });
      else reject(new Error(`${left[0][0]} did not come:\n${shown}`)); // killed, script may still end with 0
    }),
  );
}

const hasScript = spawnSync("script", ["--version"]).status === 0;
const PROMPT = /\(step\) /;

describe.runIf(hasScript)("the prompt", () => {
  it("Ctrl-D on an empty line ends it with 0, on a line of its own", async () => {
    const { code, shown } = await onTerminal([[PROMPT, CTRL_D]]);
    expect(code).toBe(0);
    expect(shown).toMatch(/\(step\) (\^\[\d+G)?\n$/);
  });

  it("Ctrl-C clears a line, wherever the cursor is in it; the line is not done", async () => {
    const { code, shown } = await onTerminal([
      [PROMPT, "nonsense"],
      [/nonsense$/, CTRL_A],
      [/D$/, CTRL_C], // the cursor was moved
      [PROMPT, "into\r"],
      [/model\.0[\s\S]*\(step\) /, CTRL_D],
    ]);
    expect(code).toBe(0);
    expect(shown).not.toMatch(/mobiledetr:|quit, or/);
    expect(shown).toMatch(/> ?.*model\.0/);
  });

  it("Ctrl-C on an empty line says how to leave; twice in a row it leaves, with 130", async () => {
    const { code, shown } = await onTerminal([
      [PROMPT, CTRL_C],
      [/\(quit, or Ctrl-D, ends it\)[\s\S]*\(step\) /, CTRL_C],
    ]);
    expect(code).toBe(130);
    expect(shown.split("(quit, or Ctrl-D, ends it)")).toHaveLength(2);
  });

  it("a key between two makes them two first ones", async () => {
    const { code, shown } = await onTerminal([
      [PROMPT, CTRL_C],
      [/ends it\)[\s\S]*\(step\) /, "x"],
      [/x/, CTRL_C],
      [PROMPT, CTRL_C],
      [/ends it\)[\s\S]*\(step\) /, "q\r"],
    ]);
    expect(code).toBe(0);
    expect(shown.split("(quit, or Ctrl-D, ends it)")).toHaveLength(3);
  });

  it("Ctrl-C ends a move at a module, from which the run goes on to the numbers that it has otherwise", async () => {
    const { code, shown } = await onTerminal(
      [
        [PROMPT, "next\r"],
        [/next\s+$/, CTRL_C], // behind the echo the run is under way
        [PROMPT, "goto model.19\r"],
        [PROMPT, "next\r"],
        [PROMPT, "stats index\r"],
        [/index[\s\S]*\(step\) /, "quit\r"],
      ].map(([when, keys]) => [when, keys] as Typed),
      { words: ["--backend", "reference"] },
    );
    expect(code).toBe(0);
    expect(shown).toMatch(/\ninterrupted\n\^\[36m>/);
    expect(shown.split("interrupted\n")).toHaveLength(2); // moves that were not are not said to be
    expect(shown).not.toMatch(/the run has ended|mobiledetr:/);
    expect(shown).toMatch(/index i32 \[1, 100\] {2}124 to 2086, mean 1541/);
  }, 60_000);

  it("Tab completes commands, and paths part by part; the arrow up brings lines back", async () => {
    const { code, shown } = await onTerminal([
      [PROMPT, "go"],
      [/go$/, "\t"],
      [/to $/, "model.2"],
      [/model\.2$/, "\t"],
      [/\.$/, "m"],
      [/m$/, "\t"],
      [/a$/, "\r"],
      [/MultiheadAttention[\s\S]*\(step\) /, UP],
      [/goto model\.2\.ma/, CTRL_C],
      [PROMPT, CTRL_D],
    ]);
    expect(code).toBe(0);
    expect(shown).not.toContain("mobiledetr:");
  });

  it("maps fit the screen, in the colours that the terminal has: 256, all, none", async () => {
    const map = async (env: Readonly<Record<string, string>>): Promise<string> => {
      const keys = [
        [PROMPT, "map\r"],
        [/mean of 3[\s\S]*\(step\) /, CTRL_D],
      ] as const;
      return (await onTerminal(keys, { env })).shown;
    };
    const some = await map({ TERM: "xterm-256color" });
    expect(some).toMatch(/\^\[38;5;\d+m\^\[48;5;\d+m▀/);
    expect(some).not.toContain("38;2;");
    expect(some.split("\n").filter((line) => line.includes("▀"))).toHaveLength(20); // 320 rows by 8, two to a line
    expect(await map({ COLORTERM: "truecolor" })).toMatch(/\^\[38;2;\d+;\d+;\d+m\^\[48;2;\d+;\d+;\d+m▀/);
    const plain = await map({ TERM: "xterm-256color", NO_COLOR: "1" });
    expect(plain).not.toMatch(/▀|\^\[\d+m/);
    expect(plain).toMatch(/\n[ .:\-=+*#%@]{40}\n/);
  });
});

describe.runIf(hasScript)("layers on a terminal", () => {
  it("has what is odd and the PyTorch line beside a row where there is room, else below it", () => {
    const words = ["layers", "--only", "model.2", "--lines"];
    const [narrow, wide] = [80, 250].map((columns) => {
      const line = `stty cols ${columns}; exec '${process.execPath}' '${MAIN}' ${words.join(" ")}`;
      return spawnSync("script", ["-qec", line, "/dev/null"], { encoding: "utf8" })
        .stdout.trim()
        .split("\r\n");
    });
    expect(narrow).toEqual([
      expect.stringMatching(/^module .* share$/),
      expect.stringMatching(/^model\.2 +AIFI .* %$/),
      expect.stringMatching(/^ {4}quirk 7/),
      expect.stringMatching(/^ {4}src = norm1/),
    ]);
    expect(wide).toEqual([
      expect.stringMatching(/^module .* share +PyTorch$/),
      expect.stringMatching(/^model\.2 .* % {2}quirk 7: .* {2}src = norm1/),
    ]);
  });
});

describe("completion", () => {
  const paths = [
    "",
    "model",
    "model.1",
    "model.1.a",
    "model.1.b",
    "model.10",
    "model.10.cc",
    "model.2",
    "model.2.ma",
  ];

  it("of paths goes part by part, and into a module that is whole", () => {
    expect(completePath("", paths)).toEqual(["model"]);
    expect(completePath("model", paths)).toEqual(["model."]);
    expect(completePath("model.1", paths)).toEqual(["model.1", "model.10"]);
    expect(completePath("model.1.", paths)).toEqual(["model.1.a", "model.1.b"]);
    expect(completePath("model.10", paths)).toEqual(["model.10."]);
    expect(completePath("model.2.ma", paths)).toEqual(["model.2.ma"]);
    expect(completePath("x", paths)).toEqual([]);
  });

  it("of words and files: those that begin so", () => {
    expect(completeWord("ou", ["out", "output", "into"])).toEqual(["out", "output"]);
    expect(completeFile(`${PICTURES}wa`)).toEqual([`${PICTURES}wall.jpg`]);
    expect(completeFile(PICTURES.slice(0, -4))).toEqual([PICTURES]);
    expect(completeFile("/nowhere/x")).toEqual([]);
  });
});
