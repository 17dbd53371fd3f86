/**
 * `npm run test:engines [-- --engines node,deno] [--write]`: every case in every engine, for every number of threads, against
 * the hashes in hashes.json. Prints a matrix; the first case that differs is named, and then the exit code is 1. `--write`
 * writes hashes.json anew, if all engines agree. A missing engine is an error; `--engines` chooses.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { THREADS } from "./cases.mjs";
import { allEngines } from "./engines.mjs";

const HASHES = new URL("hashes.json", import.meta.url);

const { values } = parseArgs({
  options: { engines: { type: "string" }, write: { type: "boolean", default: false } },
});
const known = allEngines();
const wanted = values.engines?.split(",") ?? known.map(({ name }) => name);
for (const name of wanted) {
  if (!known.some((engine) => engine.name === name)) {
    console.error(
      `--engines: expected some of ${known.map((engine) => engine.name).join(", ")}, got ${name}`,
    );
    process.exit(2);
  }
}
const engines = known.filter(({ name }) => wanted.includes(name));
const missing = engines.filter((engine) => engine.missing);
if (missing.length > 0) {
  for (const engine of missing)
    console.error(`${engine.name}: not found. ${engine.missing}; or choose by --engines`);
  process.exit(1);
}

const published = values.write ? undefined : JSON.parse(readFileSync(HASHES, "utf8")).hashes;
const expected = {}; // path -> case -> hash
for (const [path, cases] of Object.entries(published ?? {})) expected[path] = { ...cases };
const differences = [];
const rows = [];

for (const engine of engines) {
  const started = performance.now();
  const cells = new Map(); // path -> thread -> [equal, all]
  let results = [];
  try {
    results = await engine.run(engine.threaded ? THREADS : [1]);
  } catch (error) {
    differences.push(`${engine.name}: ${error.message}`);
  }
  for (const { name, path, threads, hash } of results) {
    expected[path] ??= {};
    if (!published) expected[path][name] ??= hash;
    const want = expected[path][name];
    const cell = cells.get(path) ?? new Map();
    cells.set(path, cell);
    const counts = cell.get(threads) ?? [0, 0];
    cell.set(threads, counts);
    counts[1]++;
    if (want === hash) counts[0]++;
    else
      differences.push(
        `${engine.name}, ${path}, ${threads} threads, case "${name}": expected ${want}, got ${hash}`,
      );
  }
  for (const [path, cases] of Object.entries(published ?? {})) {
    for (const name of Object.keys(cases)) {
      if (!results.some((result) => result.path === path && result.name === name)) {
        differences.push(`${engine.name}, ${path}, case "${name}": expected ${cases[name]}, got nothing`);
      }
    }
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  rows.push({ engine, cells, seconds });
  console.log(
    `${engine.name.padEnd(15)} ${engine.version().padEnd(60)} ${results.length} results, ${seconds} s`,
  );
}

const paths = Object.keys(expected);
console.log(`\n${"cases equal, by path and threads".padEnd(15)}`);
for (const path of paths) {
  console.log(`\n${path} (${Object.keys(expected[path]).length} cases)`.padEnd(16));
  console.log(`${"".padEnd(15)} ${THREADS.map((count) => String(count).padStart(6)).join("")}`);
  for (const { engine, cells } of rows) {
    const cell = cells.get(path);
    const texts = THREADS.map((count) => {
      const counts = cell?.get(count);
      if (!counts) return "-";
      return counts[0] === counts[1] ? `${counts[1]}` : `${counts[0]}/${counts[1]}!`;
    });
    console.log(`${engine.name.padEnd(15)} ${texts.map((text) => text.padStart(6)).join("")}`);
  }
}

if (differences.length > 0) {
  console.error(`\n${differences.length} differences, the first: ${differences[0]}`);
  for (const difference of differences.slice(1, 20)) console.error(`  then: ${difference}`);
  process.exit(1);
}
if (values.write) {
  const about =
    "SHA-256, first 16 digits, by path and case: test/engines/cases.mjs. Written by: npm run test:engines -- --write";
  writeFileSync(HASHES, `${JSON.stringify({ about, hashes: expected }, null, 2)}\n`);
  console.log("\nhashes.json written");
} else console.log("\nthe same bits everywhere");
