/**
 * Many inferences in a row through the public interface of the built package, the default model, a picture's file each
 * time: whether memory stays flat and the pace is kept.
 *
 *   npx tsx bench/endurance.ts [--inferences 1000] [--threads auto] [--picture FILE] [--growth 16] [--slowdown 1.1]
 *
 * Prints the resident set (Node, all threads and the loader included) after each tenth of the inferences and the median
 * time of that tenth. Exit codes: 0 flat, 1 memory grew by more than --growth MiB over the second half, or the last tenth's
 * median is more than --slowdown times the first's, or boxes changed; 2 wrong usage.
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { fail } from "../src/errors.ts";
import { attempt, whole } from "./arguments.ts";
import { checkBuild } from "./build.ts";
import { type Bounds, judge } from "./endurance-verdict.ts";
import { describeMachine } from "./report.ts";
import { quantile } from "./statistics.ts";

const TENTHS = 10;
const MIB = 2 ** 20;
const PICTURE = fileURLToPath(new URL("../examples/pictures/cat.jpg", import.meta.url));

interface Options {
  readonly inferences: number;
  readonly threads: number | "auto";
  readonly picture: string;
  readonly bounds: Bounds;
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      inferences: { type: "string", default: "1000" },
      threads: { type: "string", default: "auto" },
      picture: { type: "string", default: PICTURE },
      growth: { type: "string", default: "16" },
      slowdown: { type: "string", default: "1.1" },
    },
  });
  const slowdown = Number(values.slowdown);
  if (!(slowdown > 0)) fail("argument", "--slowdown", "a number > 0", values.slowdown);
  return {
    inferences: whole("--inferences", values.inferences, 2 * TENTHS),
    threads: values.threads === "auto" ? "auto" : whole("--threads", values.threads, 1),
    picture: values.picture,
    bounds: { growthMiB: whole("--growth", values.growth, 0), slowdown },
  };
}

async function main(): Promise<number> {
  const options = attempt(() => {
    const read = readOptions();
    checkBuild();
    return read;
  });
  if (!options) return 2;
  const { inferences, threads, picture, bounds } = options;
  const { loadDetector } = (await import(
    new URL("../dist/index.js", import.meta.url).href
  )) as typeof import("../src/index.ts");
  const machine = describeMachine();
  await using detector = await loadDetector({ threads });
  console.log(
    `${machine.cpu}, load ${machine.load.toFixed(2)} before, Node ${process.version}, commit ${machine.commit};\n` +
      `${detector.info.model} at ${detector.info.imgsz.join("x")}, threads ${detector.info.threads}, ${inferences} inferences\n`,
  );
  const times: number[] = [];
  const rss: number[] = [];
  const tenth = Math.floor(inferences / TENTHS);
  let expected: string | undefined;
  console.log("inferences  RSS MiB  median ms");
  while (times.length < tenth * TENTHS) {
    const start = performance.now();
    const { detections } = await detector.detect(picture);
    times.push(performance.now() - start);
    const boxes = JSON.stringify(detections);
    expected ??= boxes;
    if (boxes !== expected) {
      console.error(`inference ${times.length}: other boxes than the first time`);
      return 1;
    }
    if (times.length % tenth > 0) continue;
    rss.push(process.memoryUsage.rss());
    const median = quantile(times.slice(-tenth), 0.5);
    const cells = [String(times.length).padStart(10), (rss[rss.length - 1] / MIB).toFixed(1).padStart(8)];
    console.log(`${cells.join(" ")} ${median.toFixed(1).padStart(10)}`);
  }
  const { growthMiB, slowdown, faults } = judge(rss, times.slice(0, tenth), times.slice(-tenth), bounds);
  console.log(
    `\nsecond half: ${growthMiB >= 0 ? "+" : ""}${growthMiB.toFixed(1)} MiB; last tenth over first: ${slowdown.toFixed(3)}`,
  );
  for (const fault of faults) console.error(fault);
  return faults.length > 0 ? 1 : 0;
}

process.exitCode = await main();
