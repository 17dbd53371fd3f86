/**
 * Where a plan's time goes: sums by kernel, and the slowest steps, each with its GFLOP/s and per cent of the peak of
 * registers that is measured in the same process (times the threads). Of the built package.
 *
 *   npx tsx bench/profile.ts [--variant codes] [--size 640] [--threads 1] [--top 25] [--runs 7] [--revectorize]
 *                            [--model FILE.yaml --weights FILE] [--json FILE]
 *
 * A variant's weights are those of its case in bench/data; codes has its own. Steps are timed one by one, so that their sum
 * is a little more than a run, which is printed too. Winograd's and Strassen's steps count the operations of the direct sums: they
 * can be above 100 %. Exit codes: 0 done, 2 wrong usage.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { DetectorOptions } from "../src/detector/options.ts";
import { attempt, whole } from "./arguments.ts";
import { checkBuild } from "./build.ts";
import { openCase } from "./cases.ts";
import { peakGflops } from "./peak.ts";
import { byKernel, rate, slowest } from "./profile-groups.ts";
import { describeMachine } from "./report.ts";
import { quantile } from "./statistics.ts";

const WARMUP = 4; // runs: engines compile hot kernels again while they run
const EMBEDDED = "codes";
const MIB = 2 ** 20;

interface Options {
  readonly detector: DetectorOptions;
  readonly top: number;
  readonly runs: number;
  readonly json?: string;
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      variant: { type: "string", default: EMBEDDED },
      size: { type: "string", default: "640" },
      threads: { type: "string", default: "1" },
      top: { type: "string", default: "25" },
      runs: { type: "string", default: "7" },
      revectorize: { type: "boolean", default: false },
      model: { type: "string" },
      weights: { type: "string" },
      json: { type: "string" },
    },
  });
  const { variant, model, weights, revectorize, json } = values;
  const imgsz = whole("--size", values.size, 1);
  const common = { imgsz, threads: whole("--threads", values.threads, 1), revectorize };
  return {
    detector:
      model !== undefined
        ? { ...common, model, weights }
        : variant === EMBEDDED
          ? { ...common, model: variant }
          : { ...common, ...filesOf(variant, imgsz) },
    top: whole("--top", values.top, 0),
    runs: whole("--runs", values.runs, 1),
    json,
  };
}

function filesOf(variant: string, size: number): DetectorOptions {
  const { folder, classes } = openCase(variant, size);
  return { model: variant, weights: join(folder, "weights.safetensors"), nc: classes };
}

async function main(): Promise<number> {
  const options = attempt(() => {
    const read = readOptions();
    checkBuild();
    return read;
  });
  if (!options) return 2;
  const { Pipeline } = (await import(
    new URL("../dist/index.js", import.meta.url).href
  )) as typeof import("../src/detector/pipeline.ts");
  const { detector, top, runs, json } = options;
  const machine = describeMachine();
  const pipeline = new Pipeline(detector);
  try {
    const { info, plan } = pipeline;
    if (!plan) throw new Error("the pipeline has no plan"); // options never leave it out
    const pixels = plan.input.storage.data;
    for (let i = 0; i < pixels.length; i++) pixels[i] = ((i * 7919) % 256) / 255; // zeros would be quicker than numbers
    for (let i = 0; i < WARMUP; i++) plan.execute();
    const whole = Array.from({ length: runs }, () => {
      const start = performance.now();
      plan.execute();
      return performance.now() - start;
    });
    const steps = plan.profile(runs);
    const peak = peakGflops() * info.threads;
    const ms = quantile(whole, 0.5);
    const groups = byKernel(steps, peak);
    const percent = (part: number): string => `${(100 * part).toFixed(0)} %`.padStart(6);
    const speed = (gflops: number): string =>
      gflops > 0 ? `${gflops.toFixed(1).padStart(7)} ${percent(gflops / peak)}` : "".padStart(14);
    console.log(
      [
        `${machine.cpu}, load ${machine.load.toFixed(2)} before, Node ${process.version}, commit ${machine.commit}`,
        `${info.model} at ${info.imgsz.join("x")}, threads ${info.threads}${detector.revectorize ? ", revectorize asked for" : ""}; peak of registers ${peak.toFixed(1)} GFLOP/s`,
        `a run: ${ms.toFixed(1)} ms, ${(plan.multiplyAdds / 1e9).toFixed(2)} G multiply-adds, ${speed(rate(plan.multiplyAdds, ms)).trim().replace(/\s+/, " GFLOP/s, ")} of the peak; RSS ${(process.memoryUsage.rss() / MIB).toFixed(0)} MiB`,
        "",
        `${"kernel".padEnd(24)} steps       ms   time GFLOP/s   peak`,
        ...groups.map(
          (g) =>
            `${g.kernel.padEnd(24)} ${String(g.steps).padStart(5)} ${g.milliseconds.toFixed(2).padStart(8)} ${percent(g.share)} ${speed(g.gflops)}`,
        ),
        "",
        `${"      ms GFLOP/s   peak kernel".padEnd(47)} module: operation`,
        ...slowest(steps, top).map(
          (s) =>
            `${s.milliseconds.toFixed(2).padStart(8)} ${speed(s.gflops)} ${s.kernel.padEnd(22)} ${s.path}: ${s.node}`,
        ),
      ].join("\n"),
    );
    if (json) {
      const found = { machine, node: process.version, info, peakGflops: peak, runMs: ms, groups, steps };
      writeFileSync(json, `${JSON.stringify(found, null, 1)}\n`);
    }
  } finally {
    await pipeline.close();
  }
  return 0;
}

process.exitCode = await main();
