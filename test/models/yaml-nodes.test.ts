/** YAML text as nodes with lines: what is read, what is refused with which line, and that nothing crashes or hangs the reader. */
import { describe, expect, it } from "vitest";
import { parseYaml, type YamlNode } from "../../src/models/yaml-nodes.ts";

/** The values alone; maps as lists of pairs, for keys need not be words. */
function plain(node: YamlNode | undefined): unknown {
  if (!node) return undefined;
  if (node.kind === "scalar") return node.value;
  if (node.kind === "sequence") return node.items.map(plain);
  return new Map(node.items.map(({ key, value }) => [plain(key), plain(value)]));
}

const read = (text: string): unknown => plain(parseYaml(text, "m.yaml"));

describe("a scalar has the value of YAML 1.2's core schema", () => {
  it.each<[string, unknown]>([
    ["80", 80],
    ["+5", 5],
    ["-0", -0],
    ["010", 10],
    ["0o17", 15],
    ["0x1F", 31],
    ["-0x1F", "-0x1F"],
    ["1_000", "1_000"],
    ["1:30", "1:30"],
    ["0.25", 0.25],
    ["-.5", -0.5],
    ["1.", 1],
    ["1e3", 1000],
    ["1e999", Number.POSITIVE_INFINITY],
    [".inf", Number.POSITIVE_INFINITY],
    ["-.INF", Number.NEGATIVE_INFINITY],
    [".NaN", Number.NaN],
    [".iNF", ".iNF"],
    ["True", true],
    ["FALSE", false],
    ["yes", "yes"],
    ["None", "None"],
    ["~", null],
    ["Null", null],
    ["", null],
    ["'80'", "80"],
    ["'it''s'", "it's"],
    ['"True"', "True"],
    ['"a\\tb\\u00e9\\x41\\U0001F600\\\n   c"', "a\tb\u00e9A\u{1F600}c"],
    ["a b\n  c # d", "a b c"],
    ["http://x#y", "http://x#y"],
    ["|\n  a\n   b\n", "a\n b\n"],
    ["|-\n  80\n", "80"],
    [">\n  a\n  b\n\n  c\n", "a b\nc\n"],
    ["!!str 80", "80"],
    ["! 80", "80"],
    ['!!int "80"', 80],
    ["!!float 1", 1],
    ["!<tag:yaml.org,2002:bool> true", true],
    ["!!null", null],
    ["&a 7", 7],
  ])("%j", (text, value) => {
    expect(read(`k: ${text}`)).toEqual(new Map([["k", value]]));
  });
});

describe("a text is read", () => {
  it("in block and in flow style, with any keys, in the order of the text", () => {
    const wanted = new Map<unknown, unknown>([
      [2, "b"],
      ["2", [1, [], new Map()]],
      [null, new Map([["<<", "c"]])],
    ]);
    expect(read("2: b\n'2':\n- 1\n- []\n- {}\n~: # x\n  <<: c\n")).toEqual(wanted);
    expect(read('{2: b, "2": [1, [], {},], ~: {<<: c}}')).toEqual(wanted);
    expect(read('{"2":"b"}')).toEqual(new Map([["2", "b"]]));
    expect(read("[a: 1, {b, c: }]")).toEqual([
      new Map([["a", 1]]),
      new Map(["b", "c"].map((k) => [k, null])),
    ]);
  });

  it("with a byte order mark, other ends of lines, or marks around the document", () => {
    for (const text of ["\uFEFFa:\n  - 1\n", "a:\r\n  - 1\r\n", "a:\r  - 1\r", "---\na: [1]\n...\n"]) {
      expect(read(text), text).toEqual(new Map([["a", [1]]]));
    }
    expect(read("%YAML 1.2\n%TAG !e! tag:yaml.org,2002:\n---\n!e!str 1")).toBe("1");
  });

  it("as nothing where there is nothing, and as null where a document is empty", () => {
    for (const text of ["", " \n", "# a\n", "\uFEFF"]) expect(read(text), text).toBeUndefined();
    expect(read("---\n")).toBeNull();
  });

  it("with tabs within lines, which stay what they are in quotes", () => {
    expect(read('a:\t[1,\t"x\ty",\tz\tw]\t# c\nb:\t{c:\td}\n')).toEqual(
      new Map<string, unknown>([
        ["a", [1, "x\ty", "z\tw"]],
        ["b", new Map([["c", "d"]])],
      ]),
    );
  });

  it("with closing brackets right below the key, as in JSON", () => {
    const text = "a: [\n  1, # ]\n]\nb:\n  c: {\n    d: [\n      2\n    ]\n  }\ne: [\n\t]\n";
    expect(read(text)).toEqual(
      new Map<string, unknown>([
        ["a", [1]],
        ["b", new Map([["c", new Map([["d", [2]]])]])],
        ["e", []],
      ]),
    );
    expect((parseYaml("- [\n]\n- {\n}\n- a\n", "m.yaml") as { items: YamlNode[] }).items[2].line).toBe(5);
  });
});

describe("a node knows its line", () => {
  it.each<[string, string, number[]]>([
    ["items", "- a\n- [b,\n   c]\n-\n  - d\n", [1, 2, 5]],
    [
      "items that are not there",
      "-\n- a\n# - b\n- # c\n- {}\n\n-\n- |\n  x\n- 'y'\n-",
      [1, 2, 4, 5, 7, 8, 10, 11],
    ],
    ["blocks and quotes of several lines", "- |\n  a\n\n- >-\n\n  b\n- 'c\n\n  d'\n- e\n", [1, 4, 7, 10]],
    ["behind tags and anchors", "- !!str\n  a\n- &b\n- &c\n  - d\n", [2, 3, 5]],
    ["in other lines' ends", "- a\r\n- b\r- c\n\r- d", [1, 2, 3, 5]],
  ])("%s", (_title, text, lines) => {
    const root = parseYaml(text, "m.yaml");
    expect(root?.kind === "sequence" && root.items.map(({ line }) => line)).toEqual(lines);
  });
});

describe("a text is refused with its line", () => {
  it.each<[string, string, RegExp]>([
    ["an alias", "a: &a [1]\nb: *a\n", /^m\.yaml:2: expected YAML without aliases, got \*a$/],
    [
      "a second document",
      "a: 1\n---\nb: 2\n",
      /^m\.yaml:2: expected one YAML document, got the start of another$/,
    ],
    ["a document after the end of one", "a: 1\n...\nb: 2\n", /^m\.yaml:2: expected one YAML document/],
    ["an empty one before", "---\n# a\n---\nb: 2\n", /^m\.yaml:3: expected one YAML document/],
    ["a key twice", "a: 1\nb: 2\n'a': 3\n", /^m\.yaml:3: expected each key of a map once, got a twice$/],
    [
      "a key twice in a flow",
      "[{0: a,\n 0x0: b}]",
      /^m\.yaml:2: expected each key of a map once, got 0 twice$/,
    ],
    [
      "a tag that is not known",
      "a: 1\nb: !foo 2\n",
      /^m\.yaml:2: expected one of YAML's core tags .*, got !foo/,
    ],
    ["a tag on another value", "a: !!int 1.5", /^m\.yaml:1: .*core tags .*, got !!int \(leave it out\)$/],
    ["a list as a map", "!!map [1]", /^m\.yaml:1: .*core tags/],
    ["a tab as indentation", "a:\n\tb: 1\n", /^m\.yaml:2: expected valid YAML, got/],
    [
      "a list that does not end",
      "a: [1,\n 2\n",
      /^m\.yaml:3: .*valid YAML, got the end of the text within brackets/,
    ],
    [
      "a list that is not indented",
      "a: [\n1\n]",
      /^m\.yaml:2: expected valid YAML, got deficient indentation$/,
    ],
    ["a bracket to the left of its key", "a:\n  b: [\n    1\n]", /^m\.yaml:4: .*deficient indentation$/],
    ["a map that is not in line", "a: 1\n b: 2\n", /^m\.yaml:2: expected valid YAML/],
    ["an escape that is none", '"\\q"', /^m\.yaml:1: expected valid YAML/],
    ["an escape beyond Unicode", '- "\\U0010FFFF"\n- "\\\\\\U00110000"', /^m\.yaml:2: .*beyond U\+10FFFF$/],
    ["a control character", "a: 1\nb: \x07\n", /^m\.yaml:2: expected valid YAML/],
    ["half a character", "a: \ud800", /^m\.yaml:1: expected valid YAML/],
  ])("%s", (_title, text, message) => {
    expect(() => read(text)).toThrow(
      expect.objectContaining({ code: "format", message: expect.stringMatching(message) }),
    );
  });

  it.each([
    ["100000 lists in each other", "[".repeat(100_000)],
    ["100000 items in each other", "- ".repeat(100_000)],
    ["100000 maps in each other", "{a: ".repeat(100_000)],
    ["a list of lists that double", "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n"],
    ["150000 brackets right below", "- [\n]\n".repeat(150_000)],
    ["300000 tabs", `a: [${"1,\t".repeat(300_000)}`],
    ["as many anchors", "&a ".repeat(300_000)],
    ["as many documents", "---\n".repeat(200_000)],
  ])("in good time: %s", (_title, text) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ name: "MobileDetrError", code: "format" }));
  });
});
