/** `mobiledetr layers`: every module of a network in the order of the run, with what it gives and what it costs. */

import { BYTES_PER_ELEMENT } from "../backend/backend.ts";
import { metaBackend } from "../backend/meta.ts";
import { findModel } from "../detector/model-files.ts";
import { fail } from "../errors.ts";
import { globExpression } from "../glob.ts";
import { countCosts, forwardLine, namedTensors, Stepper } from "../inspect/index.ts";
import { quirkOf } from "../inspect/quirks.ts";
import { fuse } from "../models/fuse.ts";
import { RTDETRDetectionModel } from "../models/rtdetr/model.ts";
import type { AnyModule } from "../nn/index.ts";
import { formatShape } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { Arguments } from "./arguments.ts";
import type { Command } from "./command.ts";
import { buildNetwork, NETWORK_OPTIONS } from "./eager-network.ts";
import { EXIT_DONE } from "./exit-codes.ts";
import { MODEL_NAMES, modelChoice } from "./model-options.ts";
import { jsonLine, printable } from "./printable.ts";
import type { Terminal } from "./terminal.ts";
import { textTable } from "./text-table.ts";

/** A module as the table has it. */
interface Row {
  readonly path: string;
  readonly kind: string;
  readonly depth: number;
  /** Calls in a run. */
  calls: number;
  outputs: { readonly name: string; readonly shape: readonly number[] }[];
  /** Elements of its parameters, those of modules within included. */
  readonly parameters: number;
  /** Of all its calls. */
  multiplyAdds: number;
  /** Of its outputs, in one call. */
  bytes: number;
  readonly line: string;
  readonly quirk?: string;
}

/** `mobiledetr layers` */
export const layersCommand: Command = {
  name: "layers",
  summary: "List the modules of a network as they run: shapes, parameters, cost.",
  description:
    "Runs a network on shapes alone (no weights are needed) and prints every module where it runs first: class, shape of its output, " +
    "parameters, multiply-adds and their share, and what is odd about it (docs/quirks.md).",
  positional: { name: "MODEL", help: MODEL_NAMES, least: 0, most: 1 },
  options: [
    ...NETWORK_OPTIONS,
    {
      name: "depth",
      value: "N",
      help: "Modules that are called so deep at most: 1 the network's own parts.",
      default: "all",
    },
    {
      name: "only",
      value: "PATTERN,...",
      help: "Paths that fit: * within a part, ** over parts, as model.0.layer3.**.",
    },
    { name: "lines", help: "Also the PyTorch line that each stands for." },
    { name: "json", help: "Print one line of JSON, and nothing else." },
  ],
  examples: [
    ["mobiledetr layers --depth 2", "The default model's parts."],
    ["mobiledetr layers MobileNetV4HybridMedium --only 'model.0.layer3.**' --lines", "A stage in full."],
  ],
  run: layers,
};

async function layers(args: Arguments, terminal: Terminal): Promise<number> {
  const files = findModel({ ...modelChoice(args), model: args.words[0] });
  const built = buildNetwork(args, files);
  const network = args.has("fuse") ? fuse(built) : built;
  const [height, width] = args.size("imgsz") ?? [640, 640];
  if (network instanceof RTDETRDetectionModel) network.checkInputSize([height, width]);
  const depth = args.count("depth") ?? Number.POSITIVE_INFINITY;
  const patterns = args.list("only")?.map((pattern) => globExpression(pattern, "."));
  const all = rowsOf(network as unknown as AnyModule, [1, 3, height, width]);
  const total = all[0].multiplyAdds;
  const rows = all.filter(
    (row) =>
      row.depth <= depth && (patterns === undefined || patterns.some((pattern) => pattern.test(row.path))),
  );
  if (rows.length === 0) {
    const some = all.slice(1, 4).map(({ path }) => path);
    fail(
      "argument",
      "--only",
      "patterns that fit paths",
      args.text("only") ?? "",
      `there are ${some.join(", ")}, ...`,
    );
  }
  if (args.has("json"))
    terminal.print(jsonLine({ model: files.name, size: [height, width], layers: rows.map(plain) }));
  else {
    const { isTTY, columns } = process.stdout;
    const width = (isTTY && columns) || Number.POSITIVE_INFINITY;
    for (const line of tableOf(rows, total, args.has("lines"), width)) terminal.print(printable(line));
  }
  return EXIT_DONE;
}

/** All modules that run, where they run first. */
function rowsOf(network: AnyModule, shape: readonly number[]): Row[] {
  const inputs = [Tensor.empty(metaBackend, shape)];
  const costs = countCosts(network, inputs);
  const stepper = new Stepper(network, inputs);
  const rows = new Map<string, Row>();
  for (let at = stepper.advance(() => true); at; at = stepper.advance(() => true)) {
    const { phase, path, module, key, output, depth } = at;
    if (phase === "before") {
      if (rows.has(path)) continue;
      let parameters = 0;
      for (const [, parameter] of module.namedParameters()) parameters += parameter.size;
      const [line, quirk] = [forwardLine(module), quirkOf(module, path)];
      rows.set(path, {
        path,
        kind: module.kind,
        depth,
        calls: 0,
        outputs: [],
        parameters,
        multiplyAdds: 0,
        bytes: 0,
        line,
        quirk,
      });
      continue;
    }
    const row = rows.get(path);
    if (!row) continue;
    row.calls++;
    row.multiplyAdds += costs.get(key) ?? 0;
    const tensors = [...namedTensors(path, output)];
    row.outputs = tensors.map(([name, tensor]) => ({ name, shape: tensor.shape }));
    row.bytes = tensors.reduce((sum, [, tensor]) => sum + tensor.size * BYTES_PER_ELEMENT[tensor.dtype], 0);
  }
  return [...rows.values()];
}

function plain({
  path,
  kind,
  calls,
  outputs,
  parameters,
  multiplyAdds,
  bytes,
  line,
  quirk,
}: Row): Readonly<Record<string, unknown>> {
  return {
    path,
    kind,
    calls,
    outputs,
    parameters,
    multiply_adds: multiplyAdds,
    bytes,
    line,
    quirk: quirk ?? null,
  };
}

/** A line a row; where that is wider than the terminal, what is odd and the PyTorch line stand below it. */
function tableOf(rows: readonly Row[], total: number, withLines: boolean, width: number): string[] {
  const head = ["module", "class", "output", "parameters", "multiply-adds", "share"];
  const columns = ["left", "left", "left", "right", "right", "right"] as const;
  const body = rows.map((row) => {
    const { path, kind, outputs, parameters, multiplyAdds } = row;
    const shapes =
      outputs.length > 1
        ? `${outputs.length} tensors`
        : outputs.map(({ shape }) => formatShape(shape)).join();
    const share = total > 0 ? `${((100 * multiplyAdds) / total).toFixed(1)} %` : "";
    return [
      path || "(the network)",
      kind,
      shapes,
      parameters > 0 ? String(parameters) : "",
      multiplyAdds > 0 ? String(multiplyAdds) : "",
      multiplyAdds > 0 ? share : "",
    ];
  });
  const remarks = rows.map(({ calls, quirk, line }) => [
    [...(calls > 1 ? [`${calls} calls`] : []), ...(quirk ? [quirk] : [])].join("; "),
    ...(withLines ? [line] : []),
  ]);
  const beside = textTable(
    [[...head, "", ...(withLines ? ["PyTorch"] : [])], ...body.map((row, i) => [...row, ...remarks[i]])],
    [...columns, "left", ...(withLines ? (["left"] as const) : [])],
  );
  if (beside.every((line) => line.length <= width)) return beside;
  const [title, ...lines] = textTable([head, ...body], columns);
  return [
    title,
    ...lines.flatMap((line, i) => [line, ...remarks[i].filter(Boolean).map((remark) => `    ${remark}`)]),
  ];
}
