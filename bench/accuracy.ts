/**
 * How far our numbers are from PyTorch's: one row a case, largest absolute difference of each stage's output (and in
 * standard deviations), and of detections with rows matched. Prints the table of docs/accuracy.md.
 *
 *   npm run accuracy [-- WORD ...]     only cases whose name contains one of the words
 */
import { createWasmBackend } from "../src/backend/wasm/wasm-backend.ts";
import { matchRows } from "../src/conformance/match-rows.ts";
import { loadModelGolden, MODEL_CASES, type ModelGolden } from "../test/golden/golden.ts";
import { loadCase, pictureFor, runCase } from "../test/models/support.ts";

const STD = 4; // column of the golden's statistics

/** Stages by title: which modules' outputs they are, in a detector or a stand-alone backbone. */
const STAGES: readonly (readonly [string, RegExp])[] = [
  ["stride 4", /^(model\.0\.)?layer1$/],
  ["stride 8", /^(model\.0\.)?layer2$/],
  ["stride 16", /^(model\.0\.)?layer3$/],
  ["stride 32", /^(model\.0\.)?layer4$/],
  ["AIFI", /^model\.2$/],
  ["neck (P3 P4 P5)", /^model\.(12|15|18)$/],
  ["decoder layers", /^model\.19\.decoder\.layers\.\d$/],
];

const words = process.argv.slice(2);
const backend = createWasmBackend({ threads: 2 });

console.log(`| case | ${STAGES.map(([title]) => title).join(" | ")} | rows median / max |`);
console.log(`|---|${"---|".repeat(STAGES.length + 1)}`);
for (const of of MODEL_CASES) {
  const name = `${of.model} ${of.kind} ${of.height}x${of.width}`;
  if (words.length > 0 && !words.some((word) => name.includes(word))) continue;
  const golden = loadModelGolden(of);
  const model = loadCase(of, backend);
  const picture = pictureFor(of, golden, backend);
  const { report, outputs } = runCase(model, picture, golden);
  const cells = STAGES.map(([, modules]) => stageCell(golden, report.differences, modules));
  console.log(`| ${name} | ${cells.join(" | ")} | ${rowsCell(golden, outputs.get("output0")?.data)} |`);
  model.dispose();
  picture.dispose();
}
await backend.close();

function stageCell(golden: ModelGolden, differences: ReadonlyMap<string, number>, modules: RegExp): string {
  const found = golden.modules.filter(({ path }) => modules.test(path));
  if (found.length === 0) return "";
  const inStd = Math.max(...found.map(({ path }) => differences.get(path) ?? Number.NaN));
  const absolute = Math.max(
    ...found.map(({ path, row }) => (differences.get(path) ?? Number.NaN) * golden.stats[row * 5 + STD]),
  );
  return `${absolute.toExponential(0)} (${inStd.toExponential(0)})`;
}

function rowsCell(golden: ModelGolden, output: Float32Array | undefined): string {
  const expected = golden.outputs.get("output0");
  if (!expected || !output) return "";
  const { median, max } = matchRows(expected.data, output, expected.shape.at(-1) ?? 1);
  return `${median.toExponential(0)} / ${max.toExponential(0)}`;
}
