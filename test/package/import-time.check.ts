/**
 * What `import("mobiledetr")` costs: a bound on the work that is done before anybody asked for anything. It is taken inside
 * fresh processes around the import, as processor time of the cheapest of ten, and held against what Node's own start took
 * in the same processes: milliseconds, which are printed, tell of the machine. Where Node starts in 22, the import takes 63.
 */
import { expect, inject, it } from "vitest";
import { run } from "./engines.ts";

const { consumer } = inject("packed");
const RUNS = 10;
const LIMIT = 5; // times Node's own start: 100 ms where that takes 20
/** The entry point and what it needs, in files; a bundle, a model or a codec more would show. */
const LIMIT_MODULES = 40;

const PROGRAM = `
const boot = process.cpuUsage(), cpu = process.cpuUsage(), from = performance.now();
const { loadDetector } = await import("mobiledetr");
const milliseconds = performance.now() - from, { user, system } = process.cpuUsage(cpu);
if (typeof loadDetector !== "function") throw new Error("not imported");
console.log(JSON.stringify({ milliseconds, cpu: (user + system) / 1000, boot: (boot.user + boot.system) / 1000, handles: process.getActiveResourcesInfo() }));
`;

it(`imports in under ${LIMIT} times what Node takes to start, and starts nothing`, () => {
  const runs = Array.from({ length: RUNS }, () =>
    JSON.parse(run(process.execPath, ["--input-type=module", "-e", PROGRAM], { cwd: consumer })),
  );
  const sorted = (key: "milliseconds" | "cpu" | "boot"): number[] =>
    runs.map((one) => one[key] as number).sort((a, b) => a - b);
  const [wall, cpu, boot] = [sorted("milliseconds"), sorted("cpu"), sorted("boot")];
  const told = (of: number[]): string => `median ${of[RUNS / 2].toFixed(0)}, least ${of[0].toFixed(0)} ms`;
  console.log(`import: ${told(wall)}; processor time: ${told(cpu)}; of Node's start: ${told(boot)}`);
  expect(cpu[0] / boot[0]).toBeLessThan(LIMIT);
  for (const { handles } of runs) {
    expect(
      handles.filter((name: string) => /Worker|MessagePort|Timeout|Immediate|Process|TCP/.test(name)),
    ).toEqual([]);
  }
});

it(`loads under ${LIMIT_MODULES} modules`, () => {
  const hook = `import { writeSync } from "node:fs";
    export const load = (url, context, next) => (writeSync(1, url + "\\n"), next(url, context));`;
  const count = `import { register } from "node:module";
    register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(hook)}`)});
    await import("mobiledetr");`;
  const urls = run(process.execPath, ["--no-warnings", "--input-type=module", "-e", count], { cwd: consumer })
    .trim()
    .split("\n");
  const own = urls.filter((url) => url.includes("node_modules/mobiledetr/"));
  console.log(`import: ${own.length} modules`);
  expect(own.length).toBeGreaterThan(0);
  expect(own.length).toBeLessThan(LIMIT_MODULES);
});
