/**
 * `mobiledetr conform list`, `run` and `self-test`: what they print, write and end with. What they find is tested in
 * `test/conformance`, `diff` in `conform-diff.test.ts`.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { OUR_PATHS } from "../../src/conformance/adapters/ours.ts";
import { parseJsonReport } from "../../src/conformance/report/json.ts";
import { type Ended, filesBelow, runCli, scratchFolder } from "./run-cli.ts";

const FOREIGN = fileURLToPath(new URL("../conformance/runtimes/foreign.mjs", import.meta.url));
const scratch = scratchFolder();
const conform = (...words: string[]): Promise<Ended> => runCli(["conform", ...words]);
/** A program that knows ReLU alone and goes wrong as `mode` says. */
const program = (mode: string): string[] => ["--", process.execPath, FOREIGN, mode];
const at = (name: string): string => join(scratch, name);

function put(name: string, text: string): string {
  writeFileSync(at(name), text);
  return at(name);
}

/** Checks that XML is well-formed and gives its elements in order: one root, tags in pairs, attributes once and in quotes. */
function parseXml(text: string): { name: string; attributes: Record<string, string>; depth: number }[] {
  const decode = (value: string): string => {
    expect(value).not.toMatch(/<|&(?!(lt|gt|amp|quot|apos|#\d+|#x[\da-f]+);)/i);
    return value
      .replace(/&lt;/g, "<")
      .replace(/&gt;/g, ">")
      .replace(/&quot;/g, '"')
      .replace(/&amp;/g, "&");
  };
  const body = text.replace(/^<\?xml version="1\.0" encoding="UTF-8"\?>\n/, "");
  expect(body.length).toBeLessThan(text.length);
  const elements: ReturnType<typeof parseXml> = [];
  const open: string[] = [];
  let end = 0;
  for (const tag of body.matchAll(/<(\/?)([\w-]+)((?:\s+[\w-]+="[^"<]*")*)\s*(\/?)>/g)) {
    const between = decode(body.slice(end, tag.index));
    if (open.length === 0) expect(between.trim()).toBe(""); // no text beside the root
    end = tag.index + tag[0].length;
    const [, closes, name, list, empty] = tag;
    if (closes) {
      expect(open.pop()).toBe(name);
      continue;
    }
    const pairs = [...list.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, key, value]) => [key, decode(value)]);
    expect(new Set(pairs.map(([key]) => key)).size).toBe(pairs.length);
    elements.push({ name, attributes: Object.fromEntries(pairs), depth: open.length });
    if (!empty) open.push(name);
  }
  expect([open, body.slice(end).trim()]).toEqual([[], ""]);
  expect(elements.filter(({ depth }) => depth === 0)).toHaveLength(1);
  return elements;
}

describe("conform list", () => {
  it("prints ids and titles in two columns, and how many there are on standard error", async () => {
    const { code, stdout, stderr } = await conform("list", "--cases", "L0/relu6/*");
    expect([code, stderr]).toEqual([0, "2 cases of kit 1.0\n"]);
    const lines = stdout.trimEnd().split("\n");
    expect(lines[0]).toMatch(/^L0\/relu6\/values {2,}\S/);
    const columns = lines.map((line) => /^(\S+\s{2,})/.exec(line)?.[1].length);
    expect(new Set(columns).size).toBe(1);
  });

  it("prints JSON and nothing else: id, level, title of each", async () => {
    const { code, stdout, stderr } = await conform("list", "--level", "L0,1", "--json");
    expect([code, stderr]).toEqual([0, ""]);
    const { kit, cases } = JSON.parse(stdout);
    expect(kit).toBe("1.0");
    expect(new Set(cases.map(({ level }: { level: number }) => level))).toEqual(new Set([0, 1]));
    expect(cases[0]).toMatchObject({ id: expect.stringMatching(/^L0\//), title: expect.stringMatching(/./) });
  });

  it("takes a level and patterns together", async () => {
    const { stdout } = await conform("list", "--level", "1", "--cases", "L0/relu/*, L1/AIFI/*", "--json");
    const ids = JSON.parse(stdout).cases.map(({ id }: { id: string }) => id);
    expect(ids).toEqual(["L1/AIFI/square", "L1/AIFI/oblong"]);
  });

  it.each([
    [
      "no case that fits",
      ["list", "--json", "--cases", "L0/rellu"],
      /--cases: .*none that do \(see conform list\)/,
    ],
    ["a level that is none", ["list", "--level", "0,6"], /--level: expected levels in 0 \.\. 5, got "6"/],
    [
      "a case as a word",
      ["list", "L0/relu"],
      /conform list: expected no more words, got "L0\/relu" \(.*--cases/,
    ],
    ["another's option", ["list", "--report", "a.html"], /--report: expected conform run, got conform list/],
    ["an unknown word", ["lst"], /conform: expected list, run, diff, self-test, got "lst"/],
    ["no word", [], /expected at least 1, got none/],
  ])("refuses %s with exit code 2 and an empty standard output", async (_name, words, message) => {
    const { code, stdout, stderr } = await conform(...words);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(message);
    expect(stderr).toContain("Try: mobiledetr conform --help");
  });

  it("names a kit that is not there, with exit code 1", async () => {
    const { code, stdout, stderr } = await conform("list", "--kit", at("nowhere"));
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain(at("nowhere"));
  });
});

describe("conform run on our own ways", () => {
  it.each(OUR_PATHS)("%s passes: exit code 0, a table and a verdict", async (path) => {
    const { code, stdout, stderr } = await conform(
      "run",
      "--path",
      path,
      "--cases",
      "L0/relu/*,L1/ConvBlock/1x1",
    );
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(new RegExp(`^mobiledetr ${path} on kit 1\\.0, `));
    expect(stdout).toMatch(/^L0 {5}operators +2 +2 /m);
    expect(stdout).toMatch(/^L1 {5}\S.* +1 +1 /m);
    expect(stdout).toMatch(/\n\nconforms: 3 passed\n$/);
  });

  it("is eager-wasm unless said, takes threads, and prints the verdict as JSON and nothing else", async () => {
    const words = ["run", "--threads", "2", "--cases", "L0/softmax/*", "--json"];
    const { code, stdout, stderr } = await conform(...words);
    expect([code, stderr]).toEqual([0, ""]);
    const verdict = parseJsonReport(stdout);
    expect(verdict).toMatchObject({ format: 1, runtime: "mobiledetr eager-wasm", kit: "1.0" });
    expect(Date.parse(verdict.started)).toBeGreaterThan(0);
    expect(verdict.seconds).toBeGreaterThan(0);
    expect(verdict.cases.length).toBeGreaterThan(1);
    for (const one of verdict.cases) {
      expect(one).toMatchObject({ level: 0, status: "passed", title: expect.any(String) });
      expect(one.id).toMatch(/^L0\/softmax\//);
      const { metrics, ...tensor } = one.tensors[0];
      expect(tensor).toMatchObject({ name: "output", mode: "chained", rule: "softmax" });
      expect(["equal", "within"]).toContain(tensor.status);
      expect(metrics).toMatchObject({ outside: 0, nonFinite: 0 });
    }
  });

  it("runs every module by itself where --forced says so", async () => {
    const words = ["run", "--cases", "L1/ConvBlock/1x1", "--json"];
    const [forced, chained] = await Promise.all([
      conform(...words, "--forced"),
      conform(...words, "--no-forced"),
    ]);
    const modes = ({ stdout }: Ended): string[] =>
      parseJsonReport(stdout).cases.flatMap(({ tensors }) => tensors.map(({ mode }) => mode));
    expect(modes(forced)).toContain("forced");
    expect(modes(chained)).not.toContain("forced");
  });

  it.each([
    ["an unknown way", ["--path", "fast"], /--path: expected eager-reference or .*got "fast"/],
    ["threads that are none", ["--threads", "0"], /--threads: expected a whole number >= 1, got "0"/],
    [
      "a protocol without a program",
      ["--protocol", "jsonl"],
      /--protocol: expected a program behind --, got none/,
    ],
    ["a folder for what no program says", ["--keep", "x"], /--keep: expected a program behind --/],
    ["a way and a program", ["--path", "compiled", ...program("good")], /--path: .* or a program, got both/],
    ["threads of a program", ["--threads", "2", ...program("good")], /--threads: .* or a program, got both/],
    [
      "restarts of a process a case",
      ["--restarts", "1", ...program("good")],
      /--restarts: expected --protocol jsonl/,
    ],
    [
      "an unknown protocol",
      ["--protocol", "grpc", ...program("good")],
      /--protocol: expected folder or jsonl/,
    ],
    [
      "a time that is none",
      ["--timeout", "0", ...program("good")],
      /--timeout: expected a number in \[0\.001, /,
    ],
    ["forced and not", ["--forced", "--no-forced"], /--forced: expected one of both/],
    [
      "a program that is not there",
      ["--", at("nothing")],
      /program: expected a program that can be run, got .*nothing/,
    ],
    ["another's option", ["--map", "m"], /--map: expected conform diff, got conform run/],
  ])("refuses %s before anything runs", async (_name, words, message) => {
    const { code, stdout, stderr } = await conform("run", "--cases", "L0/relu/*", ...words);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(message);
  });
});

describe.each(["folder", "jsonl"])("conform run on a program, by %s", (protocol) => {
  const run = (mode: string, ...words: string[]): Promise<Ended> =>
    conform(
      "run",
      "--protocol",
      protocol,
      "--cases",
      "L0/relu/*,L0/relu6/values",
      ...words,
      ...program(mode),
    );

  it("ends with 0 where it is right; what it does not know is no failure", async () => {
    const { code, stdout, stderr } = await run("good");
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/\nconforms: 1 unsupported, 2 passed\n$/);
  });

  it("does not say that it conforms where it knew nothing of what was asked for", async () => {
    const { code, stdout } = await run("unsupported");
    expect([code, stdout]).toEqual([1, expect.stringMatching(/\nno cases were run: 3 unsupported\n$/)]);
  });

  it("ends with 1 where it is wrong, and says where, probably why, and what to do", async () => {
    const { code, stdout } = await run("relu-leaky");
    expect(code).toBe(1);
    expect(stdout).toMatch(/^FAILED L0\/relu\/values: usual values\n {2}first divergence: output: outside, /);
    expect(stdout).toContain("probably relu-variant: leaky ReLU (0.01) stands for ReLU");
    expect(stdout).toContain("mend: Use max(x, 0) (ReLU)");
    expect(stdout).toMatch(/\ndoes not conform: 2 failed, 1 unsupported\n$/);
  });

  it("ends a program that hangs when its time is up, and goes on", async () => {
    const start = performance.now();
    const { code, stdout } = await run("hang", "--timeout", "0.4");
    expect(code).toBe(1);
    expect(stdout.match(/it took more than 0\.4 s/g)?.length).toBe(3);
    expect(performance.now() - start).toBeLessThan(20_000); // the default is 120 s a case
  });

  it("tells how a program died", async () => {
    const { code, stdout } = await run("crash");
    expect(code).toBe(1);
    expect(stdout).toMatch(/ERROR L0\/relu\/values: usual values\n.*exit code 3/);
    expect(stdout).toContain("the reason stands here");
  });

  it("keeps requests and responses where --keep says so", async () => {
    const folder = at(`kept-${protocol}`);
    await run("good", "--keep", folder);
    const kept = filesBelow(folder).map((path) => path.split(/[\\/]/).at(-1));
    for (const name of [
      "request.json",
      "inputs.safetensors",
      "parameters.safetensors",
      "outputs.safetensors",
    ]) {
      expect(kept, name).toContain(name);
    }
  });
});

it("conform run starts a program that died again, as often as --restarts says", async () => {
  const words = (restarts: string): string[] => [
    ...["run", "--protocol", "jsonl", "--restarts", restarts, "--cases", "L0/relu/*", "--json"],
    ...["--keep", at(`restarts-${restarts}`), ...program("crash-once")],
  ];
  const statuses = async (restarts: string): Promise<string[]> =>
    parseJsonReport((await conform(...words(restarts))).stdout).cases.map(({ status }) => status);
  expect(await Promise.all([statuses("1"), statuses("0")])).toEqual([
    ["error", "passed"],
    ["error", "error"],
  ]);
});

describe("conform run's reports", () => {
  it("are whole: HTML that needs nothing else, XML that is well-formed and counts as the verdict does", async () => {
    const [html, xml] = [at("out.html"), at("out.xml")];
    const cases = "L0/relu/*,L0/relu6/values,L1/ConvBlock/1x1";
    const words = ["run", "--protocol", "jsonl", "--cases", cases, "--report", html, "--junit", xml];
    const { code } = await conform(...words, ...program("relu-leaky"));
    expect(code).toBe(1); // and they are written all the same
    const page = readFileSync(html, "utf8");
    expect(page).toMatch(/^<!doctype html>/i);
    expect(page.trimEnd()).toMatch(/<\/html>$/);
    for (const word of ["L0/relu/values", "relu-variant", "foreign 1.0", "L1/ConvBlock/1x1"])
      expect(page).toContain(word);
    expect(page).not.toMatch(/(src|href)="https?:/);
    const elements = parseXml(readFileSync(xml, "utf8"));
    const named = (name: string): typeof elements => elements.filter((element) => element.name === name);
    expect(named("testsuites")[0].attributes).toMatchObject({ tests: "4", failures: "2", errors: "0" });
    expect(named("testsuite").map(({ attributes }) => attributes.tests)).toEqual(["3", "1"]);
    expect(named("testcase").map(({ attributes }) => `${attributes.classname}/${attributes.name}`)).toEqual([
      "L0.relu/values",
      "L0.relu/special",
      "L0.relu6/values",
      "L1.ConvBlock/1x1",
    ]);
    expect(named("failure").map(({ attributes }) => attributes.message)).toEqual([
      expect.stringMatching(/^relu-variant: first divergence: output/),
      expect.stringMatching(/^relu-variant: /),
    ]);
    expect(named("skipped")).toHaveLength(2);
  });

  it("are refused before anything runs where their folder is not there", async () => {
    const { code, stdout, stderr } = await conform(
      "run",
      "--cases",
      "L0/relu/*",
      "--junit",
      at("none/out.xml"),
    );
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain(`${at("none/out.xml")}: expected a file in a folder that is there`);
  });
});

describe("conform run --expect", () => {
  const run = (file: string, mode: string): Promise<Ended> =>
    conform("run", "--protocol", "jsonl", "--cases", "L0/relu/*", "--expect", file, ...program(mode));
  const entry = (expires: string): string =>
    JSON.stringify([{ case: "L0/relu/*", tensor: "output", reason: "the NPU leaks", expires }]);

  it("ends with 0 where every failure was expected", async () => {
    const { code, stdout } = await run(put("known.json", entry("2999-12-31")), "relu-leaky");
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(/conforms: 2 expected-failure|conforms: 2 expected/),
    ]);
  });

  it("refuses an entry that fits no case: it would hide nothing, and be taken for one that does", async () => {
    const file = put(
      "typo.json",
      JSON.stringify([{ case: "L0/rleu/*", reason: "a typo", expires: "2999-12-31" }]),
    );
    const { code, stderr } = await run(file, "good");
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /typo\.json, entry 0: expected a pattern that fits cases of the kit, got "L0\/rleu\/\*"/,
    );
  });

  it("ends with 1 after the last day, and where what was expected to fail passes", async () => {
    const [late, better] = await Promise.all([
      run(put("late.json", entry("2020-01-31")), "relu-leaky"),
      run(put("better.json", entry("2999-12-31")), "good"),
    ]);
    expect([late.code, late.stdout]).toEqual([1, expect.stringContaining("2020-01-31")]);
    expect([better.code, better.stdout]).toEqual([1, expect.stringMatching(/unexpected/i)]);
  });

  it("refuses a list that is none, before anything runs", async () => {
    const { code, stdout, stderr } = await run(put("bad.json", '[{"case": "L0/relu/*"}]'), "good");
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/bad\.json, entry 0: expected reason: a text, got nothing/);
  });
});

describe("conform self-test", () => {
  const words = ["self-test", "--path", "eager-wasm", "--cases", "L0/relu6/*"];

  it("tells of each way and each planted mistake in a line, and sums up", async () => {
    const { code, stdout, stderr } = await conform(...words);
    expect([code, stderr]).toEqual([0, ""]);
    const lines = stdout.trimEnd().split("\n");
    expect(lines[0]).toMatch(/^ok {3}eager-wasm: 2 cases accepted \(\d+\.\d s\)$/);
    expect(lines).toContainEqual(
      expect.stringMatching(/^ok {3}relu-for-relu6 in L0\/relu6\/values: rejected, relu-for-relu6 \(/),
    );
    expect(lines.at(-1)).toBe(`${lines.length - 1} of ${lines.length - 1} as they should be`);
  });

  it("prints JSON and nothing else", async () => {
    const { code, stdout, stderr } = await conform(...words, "--json");
    expect([code, stderr]).toEqual([0, ""]);
    const { kit, results } = JSON.parse(stdout);
    expect(kit).toBe("1.0");
    expect(results[0]).toMatchObject({
      kind: "accepted",
      name: "eager-wasm",
      passed: true,
      rejected: [],
      unsupported: [],
    });
    expect(results[0]).not.toHaveProperty("run");
    expect(results.slice(1)).toContainEqual(
      expect.objectContaining({
        kind: "planted",
        plant: "relu-for-relu6",
        id: "L0/relu6/values",
        rejected: true,
        diagnosis: "relu-for-relu6",
      }),
    );
  });

  it("refuses cases that there are none of: nothing would be tried", async () => {
    const { code, stdout, stderr } = await conform("self-test", "--path", "compiled", "--cases", "L0/none");
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/--cases: .*none that do/);
  });
});
