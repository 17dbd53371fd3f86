/**
 * Speed of JPEG decoding: the built package's decoder, jpeg-js and, where a Python with Pillow is given, libjpeg-turbo, each
 * in a process of its own, in turn. Cold: the first decoding in a fresh process, compiling included, and apart from it the
 * time of loading the decoder's code. Warm: after it.
 *
 *   npx tsx bench/jpeg.ts [FILE ...] [--rounds N] [--cold N] [--python PYTHON]
 *
 * Ours must equal Pillow's bit for bit, or nothing is timed. Exit codes: 0 done, 1 pixels differ, 2 wrong usage.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { basename } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { messageOf } from "../src/errors.ts";
import { whole } from "./arguments.ts";
import { checkBuild } from "./build.ts";
import { describeMachine } from "./report.ts";
import { ratios, spreadOf } from "./statistics.ts";

const PICTURES = ["wall", "coffee", "cat"].map((name) =>
  fileURLToPath(new URL(`../examples/pictures/${name}.jpg`, import.meta.url)),
);
const WARMUP = 5;

interface Answer {
  readonly ms: number;
  readonly loadMs: number;
  readonly sha256: string;
}

interface Options {
  readonly files: readonly string[];
  readonly rounds: number;
  readonly cold: number;
  readonly python?: string;
}

/** A decoder in its process. */
class Contender {
  readonly name: string;
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(name: string, file: string, python?: string) {
    this.name = name;
    const script = fileURLToPath(
      new URL(name === "Pillow" ? "contenders/jpeg.py" : "contenders/jpeg.mjs", import.meta.url),
    );
    const [program, parameters] =
      name === "Pillow" && python ? [python, [script, file]] : [process.execPath, [script, name, file]];
    const child = spawn(program, parameters, { stdio: ["pipe", "pipe", "inherit"] });
    this.#process = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  async run(): Promise<Answer> {
    this.#process.stdin?.write("run\n");
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`${this.name} ended early`);
    return JSON.parse(value);
  }

  close(): void {
    this.#process.stdin?.end();
  }
}

function readOptions(): Options {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: "string", default: "15" },
      cold: { type: "string", default: "5" },
      python: { type: "string" },
    },
  });
  return {
    files: positionals.length > 0 ? positionals : PICTURES,
    rounds: whole("--rounds", values.rounds, 1),
    cold: whole("--cold", values.cold, 1),
    python: values.python,
  };
}

/** A line for each contender; false where ours and Pillow's pixels differ. */
async function measure(file: string, { rounds, cold, python }: Options): Promise<boolean> {
  const names = ["mobiledetr", "jpeg-js", ...(python ? ["Pillow"] : [])];
  const first: Answer[][] = names.map(() => []);
  for (let i = 0; i < cold; i++) {
    for (const [n, name] of names.entries()) {
      const contender = new Contender(name, file, python);
      first[n].push(await contender.run());
      contender.close();
    }
  }
  if (python && first[0][0].sha256 !== first[2][0].sha256) {
    console.error(`${file}: pixels are not Pillow's`);
    return false;
  }
  const contenders = names.map((name) => new Contender(name, file, python));
  const warm: number[][] = names.map(() => []);
  for (let round = -WARMUP; round < rounds; round++) {
    for (const [n, contender] of contenders.entries()) {
      const { ms } = await contender.run();
      if (round >= 0) warm[n].push(ms);
    }
  }
  for (const contender of contenders) contender.close();
  for (const [n, name] of names.entries()) {
    const { median, lower, upper } = spreadOf(warm[n]);
    const cells = [
      basename(file),
      name,
      spreadOf(first[n].map((a) => a.loadMs)).median.toFixed(1),
      spreadOf(first[n].map((a) => a.ms)).median.toFixed(1),
      `${median.toFixed(1)} [${lower.toFixed(1)}, ${upper.toFixed(1)}]`,
      n === 0 ? "" : `${spreadOf(ratios(warm[n], warm[0])).median.toFixed(2)}x`,
    ];
    console.log(`| ${cells.join(" | ")} |`);
  }
  return true;
}

async function main(): Promise<number> {
  let options: Options;
  try {
    options = readOptions();
    checkBuild();
  } catch (error) {
    console.error(messageOf(error));
    return 2;
  }
  const { cpu, processors, system, load } = describeMachine();
  console.log(
    `${cpu}, ${processors} processors, ${system}, Node ${process.version}; load ${load.toFixed(2)} before.`,
  );
  console.log(
    `Times in ms; medians of ${options.cold} fresh processes, and of ${options.rounds} rounds in turn.\n`,
  );
  console.log("| picture | decoder | load | cold | warm [quartiles] | its time over ours, warm |");
  console.log("|---|---|---|---|---|---|");
  for (const file of options.files) if (!(await measure(file, options))) return 1;
  return 0;
}

process.exitCode = await main();
