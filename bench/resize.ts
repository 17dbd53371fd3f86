/**
 * Speed of every resize: the built package's, and, where a Python with OpenCV, Pillow and torchvision is given, theirs, on
 * one thread, in turn.
 *
 *   npx tsx bench/resize.ts [FILE] [--size HxW] [--rounds N] [--python PYTHON]
 *
 * Ours must equal theirs bit for bit, or the row says so ("float-bilinear-no-antialias" differs in last bits: on one thread
 * PyTorch takes another kernel). Exit codes: 0 done, 2 wrong usage.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { messageOf } from "../src/errors.ts";
import { whole } from "./arguments.ts";
import { checkBuild } from "./build.ts";
import { describeMachine } from "./report.ts";
import { ratios, spreadOf } from "./statistics.ts";

const PICTURE = fileURLToPath(new URL("../examples/pictures/wall.jpg", import.meta.url));
const WARMUP = 5;

async function measure(
  file: string,
  [height, width]: readonly number[],
  rounds: number,
  python?: string,
): Promise<void> {
  const { decodeImage, RESIZES, resample } = (await import(
    new URL("../dist/image/index.js", import.meta.url).href
  )) as typeof import("../src/image/index.ts");
  const image = decodeImage(new Uint8Array(readFileSync(file)));
  const script = fileURLToPath(new URL("contenders/resize.py", import.meta.url));
  const child = python
    ? spawn(python, [script, file, String(height), String(width)], { stdio: ["pipe", "pipe", "inherit"] })
    : undefined;
  const lines = child && createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const { cpu, processors, system, load } = describeMachine();
  console.log(
    `${cpu}, ${processors} processors, ${system}, Node ${process.version}; load ${load.toFixed(2)} before.`,
  );
  console.log(`${image.width} x ${image.height} to ${width} x ${height}; ms, medians of ${rounds} rounds.\n`);
  console.log("| resize | ours [quartiles] | theirs [quartiles] | theirs over ours | bytes |");
  console.log("|---|---|---|---|---|");
  for (const resize of RESIZES) {
    const [ours, theirs]: [number[], number[]] = [[], []];
    let equal = "";
    for (let round = -WARMUP; round < rounds; round++) {
      const start = performance.now();
      const { data } = resample(image, height, width, resize);
      const ms = performance.now() - start;
      child?.stdin.write(`${resize}\n`);
      const answer = lines && JSON.parse((await lines.next()).value);
      if (answer && round === -WARMUP) {
        const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
        equal = createHash("sha256").update(bytes).digest("hex") === answer.sha256 ? "equal" : "differ";
      }
      if (round < 0) continue;
      ours.push(ms);
      if (answer) theirs.push(answer.ms);
    }
    const text = (values: number[]): string => {
      if (values.length === 0) return "";
      const { median, lower, upper } = spreadOf(values);
      return `${median.toFixed(1)} [${lower.toFixed(1)}, ${upper.toFixed(1)}]`;
    };
    const ratio = theirs.length > 0 ? spreadOf(ratios(theirs, ours)).median.toFixed(2) : "";
    console.log(`| ${[resize, text(ours), text(theirs), ratio, equal].join(" | ")} |`);
  }
  child?.stdin.end();
}

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      size: { type: "string", default: "640x640" },
      rounds: { type: "string", default: "15" },
      python: { type: "string" },
    },
  });
  const size = values.size.split("x").map((side) => whole("--size", side, 1));
  if (size.length !== 2) throw new Error(`--size: expected HxW, got ${values.size}`);
  const rounds = whole("--rounds", values.rounds, 1);
  checkBuild();
  await measure(positionals[0] ?? PICTURE, size, rounds, values.python);
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 2;
}
