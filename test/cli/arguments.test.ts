/** Reading words against option specs: what is accepted, and how what is not is named. */
import { describe, expect, it } from "vitest";
import { type Arguments, parseArguments } from "../../src/cli/arguments.ts";
import { MobileDetrError } from "../../src/errors.ts";

const SPEC = {
  positional: { name: "SOURCE", help: "", least: 1, most: 2 },
  options: [
    { name: "conf", value: "C", help: "" },
    { name: "size", value: "N|HxW", help: "" },
    { name: "list", value: "A,B", help: "" },
    { name: "threads", value: "N", help: "" },
    { name: "json", help: "" },
  ],
};

const read = (...words: string[]): Arguments => parseArguments(words, SPEC);

/** The message of the usage error that `action` throws. */
function refusal(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(MobileDetrError);
    expect((error as MobileDetrError).code).toBe("argument");
    return (error as Error).message;
  }
  throw new Error("not refused");
}

describe("parseArguments", () => {
  it("takes words and options in any order, values behind a blank or =, the last of several", () => {
    const args = read("a", "--conf", "0.3", "b", "--json", "--conf=.5");
    expect(args.words).toEqual(["a", "b"]);
    expect(args.number("conf", 0, 1)).toBe(0.5);
    expect(args.has("json")).toBe(true);
    expect(args.has("size")).toBe(false);
    expect(args.text("size")).toBeUndefined();
  });

  it("takes everything behind -- as words", () => {
    expect(read("--", "--json", "-x").words).toEqual(["--json", "-x"]);
  });

  it("does not ask for words beside --help or -h", () => {
    expect(read("--help").has("help")).toBe(true);
    expect(read("-h").has("help")).toBe(true);
  });

  it.each([
    [["--jsn", "a"], /^--jsn: .*did you mean --json\?/],
    [["-q", "a"], /^-q: .*unknown/],
    [["a", "--conf"], /^--conf: expected a value, C, got none/],
    [["a", "--conf", "--json"], /^--conf: expected a value, C, got --json/],
    [["a", "--json=yes"], /^--json: expected no value, got "yes"/],
    [[], /^SOURCE: expected at least 1, got none/],
    [["a", "b", "c"], /^"c": expected at most 2 SOURCE/],
    [[""], /^SOURCE: expected a path, got an empty one/],
  ])("refuses %j", (words, message) => {
    expect(refusal(() => read(...words))).toMatch(message);
  });
});

describe("Arguments", () => {
  it.each([
    ["0", 0],
    ["0.25", 0.25],
    ["1e-3", 0.001],
    ["+.5", 0.5],
  ])("reads the number %s", (text, value) => {
    expect(read("a", `--conf=${text}`).number("conf", 0, 1)).toBe(value);
  });

  it.each(["1", "-0.1", "0,5", "0x0", "NaN", "half", " ", "Infinity"])(
    "refuses %j as a number in [0, 1)",
    (text) => {
      const args = read("a", `--conf=${text}`);
      expect(refusal(() => args.number("conf", 0, 1))).toBe(
        `--conf: expected a number in [0, 1), got ${JSON.stringify(text)}`,
      );
    },
  );

  it("takes a negative number behind a blank for a value, not an option", () => {
    expect(refusal(() => read("a", "--conf", "-1").number("conf", 0, 1))).toMatch(/got "-1"/);
  });

  it("reads sizes as height x width", () => {
    expect(read("a", "--size", "640").size("size")).toEqual([640, 640]);
    expect(read("a", "--size", "480x640").size("size")).toEqual([480, 640]);
  });

  it.each(["640x", "x640", "0", "1.5", "1x2x3", "-640", "640,480"])("refuses %j as a size", (text) => {
    const args = read("a", `--size=${text}`);
    expect(refusal(() => args.size("size"))).toMatch(/^--size: expected pixels, as 640 or 480x640/);
  });

  it("reads counts, auto, and lists with blanks around commas", () => {
    expect(read("a", "--threads", "auto").threads("threads")).toBe("auto");
    expect(read("a", "--threads", "3").threads("threads")).toBe(3);
    expect(refusal(() => read("a", "--threads", "0").threads("threads"))).toMatch(
      /auto or a whole number >= 1/,
    );
    expect(refusal(() => read("a", "--threads", "2.5").count("threads"))).toMatch(/a whole number >= 1/);
    expect(read("a", "--list", "qr, 3 ,pdf417").list("list")).toEqual(["qr", "3", "pdf417"]);
    expect(refusal(() => read("a", "--list", "qr,,3").list("list"))).toMatch(/^--list/);
  });

  it("refuses an empty text, an unknown choice and a missing required option", () => {
    expect(refusal(() => read("a", "--list=").text("list"))).toBe(
      "--list: expected a value, got an empty one",
    );
    expect(refusal(() => read("a", "--list=x").choice("list", ["y", "z"]))).toBe(
      '--list: expected y or z, got "x"',
    );
    expect(read("a", "--list=z").choice("list", ["y", "z"])).toBe("z");
    expect(refusal(() => read("a").need("list"))).toMatch(/expected --list, got none/);
  });
});
