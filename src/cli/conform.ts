/** `mobiledetr conform`: runs the conformance kit on an implementation, ours or any program; compares traces; tests the kit. */
import { readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { openFolderRuntime } from "../conformance/adapters/folder-runtime.ts";
import { openLinesRuntime } from "../conformance/adapters/jsonl-runtime.ts";
import { OUR_PATHS, openOurRuntime } from "../conformance/adapters/ours.ts";
import { readExpectedFailures } from "../conformance/expected-failures.ts";
import type { Kit } from "../conformance/kit.ts";
import { openKit } from "../conformance/kit.ts";
import type { Level } from "../conformance/manifest.ts";
import { parseNameMap } from "../conformance/name-map.ts";
import { reportHtml } from "../conformance/report/html.ts";
import { reportJson } from "../conformance/report/json.ts";
import { reportJunit } from "../conformance/report/junit.ts";
import { ranNone } from "../conformance/report/summary.ts";
import { reportText } from "../conformance/report/text.ts";
import type { Runtime } from "../conformance/runtime.ts";
import { type AcceptanceResult, type PlantResult, selfTest } from "../conformance/self-test.ts";
import { isClean, runSession } from "../conformance/session.ts";
import { diffTraces, type TraceDiff } from "../conformance/trace-diff.ts";
import { readTraceFile } from "../conformance/trace-file.ts";
import type { RunVerdict } from "../conformance/verdict.ts";
import { fail, messageOf } from "../errors.ts";
import { matchesGlob } from "../glob.ts";
import { writeFileWhole } from "../weights/file-source.ts";
import type { Arguments } from "./arguments.ts";
import type { Command } from "./command.ts";
import { EXIT_DONE, EXIT_FAILED } from "./exit-codes.ts";
import { jsonLine, printable } from "./printable.ts";
import { exitOnSignals } from "./signals.ts";
import type { Terminal } from "./terminal.ts";
import { textTable } from "./text-table.ts";

/** What can be done, and the options that each takes; another one is an error, not ignored. */
const OPTIONS = {
  list: ["kit", "level", "cases", "json"],
  run: [
    ...["kit", "level", "cases", "json", "path", "threads", "protocol", "timeout", "restarts", "keep"],
    ...["forced", "no-forced", "expect", "report", "junit"],
  ],
  diff: ["map", "rule", "json"],
  "self-test": ["kit", "level", "cases", "path", "json"],
} as const;
/** Of a program behind `--`; and of one of our own ways. */
const OF_PROGRAMS = ["protocol", "timeout", "restarts", "keep"] as const;
const OF_OURS = ["path", "threads"] as const;
const MOST_WORDS = 10_000; // a program's own arguments

/** `mobiledetr conform` */
export const conformCommand: Command = {
  name: "conform",
  summary: "Check an implementation against PyTorch; find the first wrong number.",
  description:
    "list prints the kit's cases. run runs them on one of our own ways (--path) or on any program (behind --), which speaks the " +
    "protocol of docs/conformance-protocol.md. diff A B compares two traces, of which A counts as right. self-test tries the kit " +
    "on correct runtimes and on planted mistakes.",
  positional: {
    name: "list|run|diff|self-test",
    help: "What to do; for run a program and its arguments behind --, for diff two files (.safetensors or .npz).",
    least: 1,
    most: MOST_WORDS,
  },
  options: [
    { name: "kit", value: "FOLDER", help: "The kit.", default: "conformance/ of the repository" },
    {
      name: "level",
      value: "N,N",
      help: "Levels: 0 operators, 1 blocks, 2 stages, 3 networks, 4 pictures, 5 AP.",
    },
    { name: "cases", value: "GLOB,GLOB", help: "Cases by id, as L1/UIB/* or L3/**." },
    { name: "path", value: OUR_PATHS.join("|"), help: "Run one of our own ways.", default: "eager-wasm" },
    { name: "threads", value: "N", help: "Threads of our own ways.", default: "1" },
    { name: "protocol", value: "folder|jsonl", help: "How the program is spoken to.", default: "folder" },
    { name: "timeout", value: "SECONDS", help: "The most that a case may take.", default: "120" },
    {
      name: "restarts",
      value: "N",
      help: "jsonl: how often a program that died is started again.",
      default: "3",
    },
    { name: "keep", value: "FOLDER", help: "Keep requests and responses there." },
    { name: "forced", help: "Run every module of a network by itself, fed with goldens." },
    { name: "no-forced", help: "Never do, not even at a divergence." },
    { name: "expect", value: "FILE.json", help: "Expected failures: [{case, tensor, reason, expires}]." },
    { name: "report", value: "FILE.html", help: "Write a report to look at." },
    { name: "junit", value: "FILE.xml", help: "Write a report for build servers." },
    { name: "json", help: "Print JSON, and nothing else." },
    {
      name: "map",
      value: "FILE",
      help: "diff: names of B to names of A, two columns or JSON; * and ** are kept.",
    },
    {
      name: "rule",
      value: "NAME",
      help: "diff: the tolerance, by its name in src/conformance/tolerances.ts.",
      default: "stage-output",
    },
  ],
  examples: [
    ["mobiledetr conform run --level 0,1 -- ./my-runtime", "Operators and blocks on a program."],
    [
      "mobiledetr conform run --protocol jsonl --report out.html -- python my_runtime.py",
      "One process for all.",
    ],
    ["mobiledetr conform run --path compiled --cases 'L3/**'", "The compiled networks of this package."],
    ["mobiledetr conform diff golden.safetensors mine.safetensors --map names.txt", "Where do traces part?"],
  ],
  run,
};

async function run(args: Arguments, terminal: Terminal): Promise<number> {
  const [word, ...rest] = args.words;
  const names = Object.keys(OPTIONS) as (keyof typeof OPTIONS)[];
  const name =
    names.find((known) => known === word) ?? fail("argument", "conform", names.join(", "), show(word));
  const taken: readonly string[] = OPTIONS[name];
  for (const option of conformCommand.options) {
    if (!args.has(option.name) || taken.includes(option.name)) continue;
    const others = names.filter((other) => OPTIONS[other].some((own) => own === option.name));
    fail("argument", `--${option.name}`, `conform ${others.join(" or ")}`, `conform ${name}`);
  }
  if (rest.length > 0 && (name === "list" || name === "self-test")) {
    fail("argument", `conform ${name}`, "no more words", show(rest[0]), "cases are chosen with --cases");
  }
  switch (name) {
    case "list":
      return list(await kitOf(args), args, terminal);
    case "run":
      return runKit(args, rest, terminal);
    case "diff":
      return diff(args, rest, terminal);
    case "self-test":
      return testKit(args, terminal);
  }
}

function show(word: string | undefined): string {
  return JSON.stringify(word);
}

function kitOf(args: Arguments): Promise<Kit> {
  return openKit(args.text("kit"));
}

/** --level and --cases. */
function filterOf(args: Arguments): { levels?: Level[]; patterns?: string[] } {
  const levels = args.list("level")?.map((text) => {
    const level = /^L?([0-5])$/i.exec(text)?.[1];
    return level === undefined
      ? fail("argument", "--level", "levels in 0 .. 5", show(text))
      : (Number(level) as Level);
  });
  return { levels, patterns: args.list("cases") };
}

function list(kit: Kit, args: Arguments, terminal: Terminal): number {
  const cases = kit.cases(filterOf(args));
  if (cases.length === 0) noCases();
  if (args.has("json")) terminal.print(jsonLine({ kit: kit.version, cases }));
  else
    for (const line of textTable(
      cases.map(({ id, title }) => [id, title]),
      ["left", "left"],
    ))
      terminal.print(line);
  if (!args.has("json")) terminal.note(`${cases.length} cases of kit ${kit.version}`);
  return EXIT_DONE;
}

function noCases(): never {
  return fail(
    "argument",
    "--cases",
    "patterns and levels that fit a case of the kit",
    "none that do",
    "see conform list",
  );
}

async function runtimeOf(args: Arguments, command: readonly string[]): Promise<Runtime> {
  const given = (names: readonly string[]): string | undefined => names.find((name) => args.has(name));
  if (command.length === 0) {
    if (args.terminated) fail("argument", "conform run", "a program behind --", "nothing");
    const alone = given(OF_PROGRAMS);
    if (alone) fail("argument", `--${alone}`, "a program behind --", "none");
    const threads = args.count("threads");
    return openOurRuntime(args.choice("path", OUR_PATHS) ?? "eager-wasm", { threads });
  }
  const both = given(OF_OURS);
  if (both) fail("argument", `--${both}`, "either one of our ways or a program", "both");
  const protocol = args.choice("protocol", ["folder", "jsonl"]);
  const timeout = args.number("timeout", 0.001, 1e6);
  const options = { timeout, keep: args.text("keep") };
  const restarts = args.number("restarts", 0, 1e6);
  if (protocol === "jsonl") return openLinesRuntime(command, { ...options, restarts });
  if (restarts !== undefined) fail("argument", "--restarts", "--protocol jsonl", "folders");
  return openFolderRuntime(command, options);
}

async function runKit(args: Arguments, command: readonly string[], terminal: Terminal): Promise<number> {
  if (args.has("forced") && args.has("no-forced"))
    fail("argument", "--forced", "one of both", "--no-forced as well");
  const forced = args.has("forced") ? "always" : args.has("no-forced") ? "never" : "auto";
  const expect = args.text("expect");
  const expectedFailures = expect === undefined ? undefined : readExpectedFailures(expect);
  for (const option of ["report", "junit"]) checkFolder(args.text(option));
  const filter = filterOf(args);
  const kit = await kitOf(args);
  if (kit.cases(filter).length === 0) noCases();
  const ids = kit.cases().map(({ id }) => id);
  expectedFailures?.forEach((entry, i) => {
    if (ids.some((id) => matchesGlob(entry.case, id, "/"))) return;
    fail(
      "format",
      `${expect}, entry ${i}`,
      "a pattern that fits cases of the kit",
      show(entry.case),
      "see conform list",
    );
  });
  exitOnSignals();
  const runtime = await runtimeOf(args, command);
  try {
    const onCase = (summary: { id: string }, i: number, total: number): void =>
      terminal.progress(`${i + 1}/${total} ${summary.id}`);
    const verdict = await runSession(kit, runtime, { ...filter, forced, expectedFailures, onCase });
    terminal.progress(undefined);
    const text = args.has("json") ? reportJson(verdict) : linesOf(verdict);
    terminal.print(text.trimEnd());
    write(args.text("report"), () => reportHtml(verdict));
    write(args.text("junit"), () => reportJunit(verdict));
    return isClean(verdict) && !ranNone(verdict.cases) ? EXIT_DONE : EXIT_FAILED;
  } finally {
    terminal.progress(undefined);
    await runtime.close();
  }
}

/** A report's folder must be there before anything runs. */
function checkFolder(path: string | undefined): void {
  if (path === undefined) return;
  const folder = dirname(path);
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    fail("file", path, "a file in a folder that is there", `${folder}, which is not`);
  }
}

function write(path: string | undefined, text: () => string): void {
  if (path !== undefined) writeFileWhole(path, [new TextEncoder().encode(text())]);
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    return fail("file", path, "a file that can be read", messageOf(error));
  }
}

function diff(args: Arguments, files: readonly string[], terminal: Terminal): number {
  const [first, second, more] = files;
  if (second === undefined || more !== undefined) {
    fail(
      "argument",
      "conform diff",
      "two files",
      String(files.length),
      "conform diff A.safetensors B.safetensors",
    );
  }
  const mapPath = args.text("map");
  const map = mapPath === undefined ? undefined : parseNameMap(readText(mapPath), mapPath);
  const found = diffTraces(readTraceFile(first), readTraceFile(second), { map, rule: args.text("rule") });
  const bad = found.tensors.filter(({ status }) => status !== "equal" && status !== "within");
  if (args.has("json")) terminal.print(jsonLine(found));
  else terminal.print(diffText(found, bad.length, terminal));
  if (found.tensors.length === 0) terminal.note("mobiledetr: no name is in both: give --map");
  return bad.length === 0 && found.tensors.length > 0 ? EXIT_DONE : EXIT_FAILED;
}

const MOST_LINES = 20;

function diffText(found: TraceDiff, bad: number, terminal: Terminal): string {
  const { tensors, onlyInFirst, onlyInSecond, suggestions, firstDivergence } = found;
  const equal = tensors.filter(({ status }) => status === "equal").length;
  const lines = [
    `${tensors.length} tensors compared: ${equal} equal, ${tensors.length - equal - bad} within, ${bad} outside`,
    `${some(onlyInFirst)} only in A, ${some(onlyInSecond)} only in B`,
  ];
  if (firstDivergence) {
    const { name, theirs, diagnoses } = firstDivergence;
    const verdict = tensors.find((tensor) => tensor.name === name);
    lines.push("", `${terminal.paint("red", "first divergence:")} ${printable(name)}`);
    if (theirs !== name) lines.push(`  in B: ${printable(theirs)}`);
    if (verdict?.note) lines.push(`  ${printable(verdict.note)}`);
    if (verdict?.metrics) {
      const { maxAbs, cosine, snr, outside } = verdict.metrics;
      const share = (100 * outside).toFixed(2);
      lines.push(
        `  max abs ${maxAbs.toPrecision(3)}, cosine ${cosine.toFixed(6)}, ${snr.toFixed(1)} dB, ${share} % out`,
      );
    }
    for (const { mistake, because, mend, explains } of diagnoses.slice(0, 3)) {
      lines.push(
        `  ${terminal.paint("bold", mistake)} (${(100 * explains).toFixed(0)} %): ${because}`,
        `    ${mend}`,
      );
    }
  }
  if (suggestions.length > 0) {
    lines.push("", "names that may belong together, as lines of a --map file:");
    for (const { theirs, ours, cosine } of suggestions.slice(0, MOST_LINES)) {
      const why = Number.isNaN(cosine) ? "by shape and order" : `by its numbers, cosine ${cosine.toFixed(6)}`;
      lines.push(`${printable(theirs)}  ${printable(ours)}  # ${why}`);
    }
    if (suggestions.length > MOST_LINES) lines.push(`# and ${suggestions.length - MOST_LINES} more`);
  }
  return lines.join("\n");
}

/** The report; a program's own words are in it. */
function linesOf(verdict: RunVerdict): string {
  return reportText(verdict).split("\n").map(printable).join("\n");
}

/** How many, and the first of them. */
function some(names: readonly string[]): string {
  if (names.length === 0) return "0";
  const first = names.slice(0, 3).map(printable).join(", ");
  return `${names.length} (${first}${names.length > 3 ? ", ..." : ""})`;
}

async function testKit(args: Arguments, terminal: Terminal): Promise<number> {
  const filter = filterOf(args);
  const path = args.choice("path", OUR_PATHS);
  const kit = await kitOf(args);
  if (kit.cases(filter).length === 0) noCases();
  exitOnSignals();
  const json = args.has("json");
  const onResult = (result: AcceptanceResult | PlantResult): void => {
    if (!json) terminal.print(resultLine(result, terminal));
  };
  const results = await selfTest(kit, { ...filter, paths: path && [path], onResult });
  const failed = results.filter(({ passed }) => !passed).length;
  if (json) {
    terminal.print(
      jsonLine({
        kit: kit.version,
        results: results.map((result) => {
          if (result.kind === "planted") return { ...result, plant: result.plant.name };
          const { run: _run, ...rest } = result;
          return rest;
        }),
      }),
    );
  } else terminal.print(`${results.length - failed} of ${results.length} as they should be`);
  return failed === 0 ? EXIT_DONE : EXIT_FAILED;
}

function resultLine(result: AcceptanceResult | PlantResult, terminal: Terminal): string {
  const mark = result.passed ? terminal.paint("green", "ok  ") : terminal.paint("red", "FAIL");
  const time = `${result.seconds.toFixed(1)} s`;
  if (result.kind === "accepted") {
    const { name, run: verdict, rejected, unsupported } = result;
    const passed = verdict.cases.length - rejected.length - unsupported.length;
    const more = [
      ...(unsupported.length > 0 ? [`${unsupported.length} not supported`] : []),
      ...(rejected.length > 0 ? [`rejected: ${rejected.join(", ")}`] : []),
    ];
    return `${mark} ${name}: ${[`${passed} cases accepted`, ...more].join("; ")} (${time})`;
  }
  const { plant, id, rejected, diagnosis } = result;
  const said = rejected ? `rejected, ${diagnosis ?? "no diagnosis"}` : "accepted";
  const wanted = result.passed ? "" : `, expected ${plant.mistakes.join(" or ")}`;
  return `${mark} ${plant.name} in ${id}: ${said}${wanted} (${time})`;
}
