/** What reaches a terminal: made harmless, set in columns, coloured only where that is wanted. */
import { describe, expect, it } from "vitest";
import { jsonLine, printable, printableLines } from "../../src/cli/printable.ts";
import { suggest } from "../../src/cli/suggest.ts";
import { Terminal } from "../../src/cli/terminal.ts";
import { textTable } from "../../src/cli/text-table.ts";
import { MobileDetrError } from "../../src/errors.ts";

describe("printable", () => {
  it("leaves letters of all scripts and emoji as they are", () => {
    const text = "naïve 漢字 עברית 👩‍💻 ©";
    expect(printable(text)).toBe(text);
  });

  it("writes out control characters, direction marks, line separators and half surrogate pairs", () => {
    expect(printable("a\x1b[31mb\n\t\x7f\x9bc")).toBe("a\\x1b[31mb\\x0a\\x09\\x7f\\x9bc");
    expect(printable("\u202egpj.exe\u2066\u2028\ud800")).toBe("\\u202egpj.exe\\u2066\\u2028\\ud800");
  });

  it("keeps line breaks of messages and indents what follows them", () => {
    expect(printableLines("one\ntwo\n  three\r")).toBe("one\n  two\n  three\\x0d");
  });
});

describe("jsonLine", () => {
  it("is one line of plain JSON that parses to the same value", () => {
    const value = { name: "a\nb\x1b\x7f\x9b\u2028\u202e", list: [1, 0.1, null] };
    const line = jsonLine(value);
    expect(line).not.toMatch(/[\p{Cc}\p{Zl}\p{Bidi_Control}]/u);
    expect(JSON.parse(line)).toEqual(value);
  });
});

describe("textTable", () => {
  it("aligns columns by characters and leaves no blanks at the ends", () => {
    const rows = [
      ["class", "score"],
      ["日本👍", "1"],
    ];
    expect(textTable(rows, ["left", "right"])).toEqual(["class  score", "日本👍        1"]);
    expect(textTable([["a", ""]], ["left", "left"])).toEqual(["a"]);
    expect(textTable([], ["left"])).toEqual([]);
  });
});

describe("suggest", () => {
  it("finds what is at most two edits away, and nothing farther", () => {
    expect(suggest("detct", ["detect", "info"])).toBe("detect");
    expect(suggest("INFO", ["detect", "info"])).toBe("info");
    expect(suggest("x", ["run", "ab"])).toBeUndefined();
    expect(suggest("photo.jpg", ["detect", "info"])).toBeUndefined();
  });
});

/** A terminal that keeps what is written. */
function recorder(
  isTTY: boolean,
  env: Record<string, string> = {},
): { terminal: Terminal; out: string[]; err: string[] } {
  const [out, err]: [string[], string[]] = [[], []];
  const stream = (list: string[]) => ({ isTTY, write: (text: string) => list.push(text) });
  return { terminal: new Terminal({ stdout: stream(out), stderr: stream(err), env }), out, err };
}

describe("Terminal", () => {
  it("colours on a terminal alone, and not where NO_COLOR is set", () => {
    expect(recorder(true).terminal.paint("bold", "x")).toBe("\x1b[1mx\x1b[22m");
    expect(recorder(true, { NO_COLOR: "" }).terminal.paint("bold", "x")).toContain("\x1b[1m");
    expect(recorder(true, { NO_COLOR: "1" }).terminal.paint("bold", "x")).toBe("x");
    expect(recorder(false).terminal.paint("bold", "x")).toBe("x");
  });

  it("reports an error on standard error, its file's name made harmless", () => {
    const { terminal, out, err } = recorder(false);
    terminal.report(
      new MobileDetrError("format", "a\nb.jpg: expected a picture, got text\nhint"),
      "a\nb.jpg",
    );
    expect(out).toEqual([]);
    expect(err.join("")).toBe("mobiledetr: a\\x0ab.jpg: expected a picture, got text\n  hint\n");
  });

  it("calls an error that is not of our family internal, and shows stacks only where MOBILEDETR_DEBUG is set", () => {
    const plain = recorder(false);
    plain.terminal.report(new TypeError("x is not a function"));
    expect(plain.err.join("")).toBe("mobiledetr: internal error: x is not a function\n");
    const debug = recorder(false, { MOBILEDETR_DEBUG: "1" });
    debug.terminal.report(new TypeError("x is not a function"));
    expect(debug.err.join("")).toMatch(/TypeError: x is not a function\n\s+at /);
  });
});
