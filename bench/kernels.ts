/**
 * Speed of the kernels, by family. Each row is checked once against the reference, warmed up by its first samples, and
 * reported as the median of its samples and, for busy machines, the best: GFLOP/s and per cent of the peak of registers, or
 * GB/s (what is read and written, once) and per cent of a copy of as many bytes. Both peaks are measured in the same run,
 * on one thread, and taken times the threads.
 *
 *   npx tsx bench/kernels.ts [--threads N] [--only TEXT] [--quick] [--json FILE]
 *
 * Rows marked "eager" hold what eager mode does on every call: packing the weights. The others are what a plan does.
 * Exit codes: 0 done, 1 some result differs, 2 wrong usage.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { createWasmBackend } from "../src/backend/wasm/wasm-backend.ts";
import { messageOf } from "../src/errors.ts";
import { whole } from "./arguments.ts";
import { CONVOLUTIONS } from "./kernels/convolutions.ts";
import { ELEMENTWISE } from "./kernels/elementwise.ts";
import { figures, type Peaks, type Timing, time } from "./kernels/harness.ts";
import { MOVEMENT } from "./kernels/movement.ts";
import { PRODUCTS } from "./kernels/products.ts";
import { copyGBs, peakGflops } from "./peak.ts";
import { describeMachine } from "./report.ts";

const ROWS = [...CONVOLUTIONS, ...PRODUCTS, ...ELEMENTWISE, ...MOVEMENT];
const ROW_MS = 250;
const QUICK_ROW_MS = 20;

interface Options {
  readonly threads: number;
  readonly only: string;
  readonly rowMs: number;
  readonly json?: string;
}

function readOptions(): Options {
  const { values, positionals } = parseArgs({
    allowPositionals: true, // the number of threads by itself
    options: {
      threads: { type: "string", default: "1" },
      only: { type: "string", default: "" },
      quick: { type: "boolean", default: false },
      json: { type: "string" },
    },
  });
  const { threads, only, quick, json } = values;
  const rowMs = quick ? QUICK_ROW_MS : ROW_MS;
  return { threads: whole("--threads", positionals[0] ?? threads, 1), only, rowMs, json };
}

async function main(): Promise<number> {
  let options: Options;
  try {
    options = readOptions();
  } catch (error) {
    console.error(messageOf(error));
    return 2;
  }
  const { threads, only, rowMs, json } = options;
  const machine = describeMachine();
  const backend = createWasmBackend({ threads });
  const peaks: Peaks = {
    gflops: peakGflops() * threads,
    copyGBs: (bytes) => copyGBs(bytes / threads) * threads, // each thread has caches of its own
  };
  console.log(
    `${machine.cpu}, ${machine.processors} processors, load ${machine.load.toFixed(2)} before, ${runtime()}, threads ${threads}, commit ${machine.commit}`,
  );
  console.log(`peak of multiplications and additions in registers: ${peaks.gflops.toFixed(1)} GFLOP/s`);
  const timings: Timing[] = [];
  let failed = false;
  let family = "";
  for (const row of ROWS) {
    if (!`${row.family} ${row.name}`.includes(only)) continue;
    if (row.family !== family) console.log(`\n${row.family}`);
    family = row.family;
    try {
      const timing = time(row, backend, rowMs);
      timings.push(timing);
      const best = figures({ ...timing, ms: timing.bestMs }, peaks).trimStart();
      const ms = timing.ms.toFixed(3).padStart(8);
      console.log(
        `  ${row.name.padEnd(54)} ${ms} ms ${figures(timing, peaks)}; best ${best.replace(/ of .*/, "")}`,
      );
    } catch (error) {
      console.error(messageOf(error));
      failed = true;
    }
  }
  await backend.close();
  if (json) {
    const rows = timings.map((timing) => ({ ...timing, copyGBs: peaks.copyGBs(timing.bytes) }));
    writeFileSync(json, `${JSON.stringify({ machine, threads, peakGflops: peaks.gflops, rows }, null, 1)}\n`);
  }
  return failed ? 1 : 0;
}

function runtime(): string {
  const { deno, bun } = process.versions;
  return deno ? `Deno ${deno}` : bun ? `Bun ${bun}` : `Node ${process.version}`;
}

process.exitCode = await main();
