/** `mobiledetr golden`: what a network's modules give on a picture, as a file to compare other implementations with. */
import { chooseEntries, IMAGES, listGolden, writeGolden } from "../conformance/golden.ts";
import { containerOf, type TraceEntry } from "../conformance/trace-file.ts";
import { fail } from "../errors.ts";
import { formatShape } from "../tensor/shape.ts";
import type { Arguments } from "./arguments.ts";
import type { Command, OptionSpec } from "./command.ts";
import { checkRunOptions, INPUT_HELP, loadNetwork, nameNetwork, RUN_OPTIONS } from "./eager-network.ts";
import { EXIT_DONE } from "./exit-codes.ts";
import { identityOf } from "./file-status.ts";
import { printable } from "./printable.ts";
import { exitOnSignals } from "./signals.ts";
import type { Terminal } from "./terminal.ts";
import { textTable } from "./text-table.ts";

/** What is written where. */
const FILE_OPTIONS: readonly OptionSpec[] = [
  {
    name: "output",
    value: "FILE",
    help: "Required unless --list: a .safetensors or .npz file; replaced if it is there.",
  },
  {
    name: "tensors",
    value: "PATTERN,...",
    help: "Which: names with * (within a part), ** (over parts) and ?, as model.0.layer3.**.",
    default: "all",
  },
  {
    name: "samples",
    value: "N",
    help: "Keep N elements of every larger tensor, at positions that the generator draws.",
    default: "whole tensors",
  },
  { name: "list", help: "Print names, types and shapes of what would be written, and write nothing." },
];

/** `mobiledetr golden` */
export const goldenCommand: Command = {
  name: "golden",
  summary: "Write what every module gives on a picture, to compare ports with.",
  description:
    "Runs a network layer by layer and writes the outputs that --tensors chooses to a safetensors or npz file, by the names " +
    `that PyTorch's modules have: "${IMAGES}" (the input), every module's path, and the results ("output0", "index", ... or ` +
    '"stride4" to "stride32"). docs/golden.md describes the file.',
  positional: {
    name: "INPUT",
    help: `${INPUT_HELP} Default: seed:0.`,
    least: 0,
    most: 1,
  },
  options: [
    ...FILE_OPTIONS,
    { name: "values", help: "Also what modules name beside their outputs, as trace does." },
    ...RUN_OPTIONS,
  ],
  examples: [
    [
      "mobiledetr golden photo.jpg --output golden.safetensors",
      "Everything the default model computes on a picture.",
    ],
    [
      'mobiledetr golden photo.jpg --tensors "model.0.layer3.**,output0" --samples 1024 --output golden.npz',
      "1024 samples of each tensor of a stage, and the result, for NumPy.",
    ],
    [
      "mobiledetr golden seed:2 --model MobileNetV4HybridMedium --weights seed:0 --attention-gain 1e5 --imgsz 320 --list",
      "What there is of a generated network.",
    ],
  ],
  run: (args, terminal) => writeNetwork(args, terminal, args.has("values")),
};

/** `mobiledetr trace` */
export const traceCommand: Command = {
  name: "trace",
  summary: "Write all that a network computes on a picture, attention included.",
  description:
    "As golden, with what modules name beside their outputs: attention weights, sampling locations and weights, scores of tokens, " +
    "boxes of every decoder layer (docs/step-through.md lists them). For viewing, and for comparing by conform diff or step.",
  positional: { name: "INPUT", help: INPUT_HELP, least: 1, most: 1 },
  options: [...FILE_OPTIONS, ...RUN_OPTIONS],
  examples: [
    ["mobiledetr trace photo.jpg --output t.safetensors", "Everything, in a file of hundreds of megabytes."],
    [
      'mobiledetr trace photo.jpg --tensors "**.attention,**.sampling_*,**.boxes.*" --output t.safetensors',
      "Attention, sampling and boxes alone.",
    ],
  ],
  run: (args, terminal) => writeNetwork(args, terminal, true),
};

async function writeNetwork(args: Arguments, terminal: Terminal, values: boolean): Promise<number> {
  checkRunOptions(args);
  const named = nameNetwork(args, args.words[0] ?? "seed:0");
  const { network, input } = named;
  const twin = named.twin();
  const patterns = args.list("tensors");
  if (args.has("list")) {
    terminal.print(describeEntries(chooseEntries(listGolden(twin, input.shape, { values }), patterns)));
    return EXIT_DONE;
  }
  const output = args.need("output");
  containerOf(output);
  const samples = args.count("samples");
  for (const taken of [args.words[0], args.text("model"), args.text("weights")]) {
    const identity = taken === undefined ? undefined : identityOf(taken);
    if (identity !== undefined && identity === identityOf(output)) {
      fail("argument", "--output", "a file of its own", `${output}, which is read`);
    }
  }
  const { images, metadata, close } = await loadNetwork(args, named);
  try {
    exitOnSignals(); // from here on a signal must not leave half a file
    const start = performance.now();
    const report = writeGolden(output, network, twin, images, { patterns, samples, values, metadata });
    const ms = performance.now() - start;
    terminal.print(
      `${printable(output)}: ${report.entries.length} tensors, ${report.byteLength} bytes, ${ms.toFixed(0)} ms`,
    );
    return EXIT_DONE;
  } finally {
    await close();
  }
}

function describeEntries(entries: readonly TraceEntry[]): string {
  const rows = entries.map(({ name, dtype, shape }) => [name, dtype, formatShape(shape)]);
  const count = entries.reduce(
    (sum, { shape }) => sum + shape.reduce((product, side) => product * side, 1),
    0,
  );
  return [...textTable(rows, ["left", "left", "left"]), `${entries.length} tensors, ${count} elements`].join(
    "\n",
  );
}
