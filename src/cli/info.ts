/** `mobiledetr info`: what a model is made of, whether a file's weights fit it, and what compiling does to it. Detects nothing. */
import { DEFAULT_MODEL, preprocessOf } from "../choices.ts";
import { findModel, isNeverRun } from "../detector/model-files.ts";
import { Pipeline } from "../detector/pipeline.ts";
import { formatModelInfo, modelInfo } from "../models/rtdetr/info.ts";
import { RTDETRDetectionModel } from "../models/rtdetr/model.ts";
import type { AnyModule } from "../nn/index.ts";
import { writeFileWhole } from "../weights/file-source.ts";
import type { Arguments } from "./arguments.ts";
import type { Command } from "./command.ts";
import { EXIT_DONE, EXIT_FAILED } from "./exit-codes.ts";
import {
  CONFIG_OPTIONS,
  describePreprocess,
  MODEL_NAMES,
  modelChoice,
  WEIGHTS_OPTION,
} from "./model-options.ts";
import { jsonLine, printable } from "./printable.ts";
import type { Terminal } from "./terminal.ts";
import { describeWeights, readWeightsInfo } from "./weights-info.ts";

const DEFAULT_SIZE = [640, 640] as const; // pixels, as in tables of detectors

/** `mobiledetr info` */
export const infoCommand: Command = {
  name: "info",
  summary: "Show a model's layers, parameters and GFLOPs, and what its weights hold.",
  description:
    "Prints a model layer by layer (number, from, repeats, parameters, module, arguments) with its totals, and what its " +
    "weights hold. Fails if they do not fit the model.",
  positional: { name: "MODEL", help: `${MODEL_NAMES}. Default: ${DEFAULT_MODEL}.`, least: 0, most: 1 },
  options: [
    {
      ...WEIGHTS_OPTION,
      help: "A safetensors file to look into and to compare with the model.",
      default: "the model's own, if any",
    },
    ...CONFIG_OPTIONS,
    { name: "imgsz", value: "N|HxW", help: "Size in pixels that the GFLOPs are for.", default: "640" },
    { name: "fuse", help: "Show the model with batch norms and RepConvs folded into convolutions." },
    { name: "explain", help: "Compile it, and print what every pass did and saved. Needs weights." },
    { name: "dot", value: "FILE", help: "Write the compiled graph for Graphviz. Needs weights." },
    { name: "json", help: "Print one line of JSON, and nothing else." },
  ],
  examples: [
    ["mobiledetr info", "The model that is included."],
    ["mobiledetr info MobileNetV4ConvSmall --nc 3 --fuse", "A standard one, as it runs after folding."],
    ["mobiledetr info --explain --dot codes.dot", "What compiling does; then dot -Tsvg codes.dot."],
    ["mobiledetr info my.yaml --weights my.safetensors --json", "Do these weights fit?"],
  ],
  run: info,
};

async function info(args: Arguments, terminal: Terminal): Promise<number> {
  const files = findModel({ ...modelChoice(args), model: args.words[0] });
  const model = new RTDETRDetectionModel(files.config);
  // Before folding: weights are those of the model as it was trained.
  const weights =
    typeof files.weights === "string"
      ? readWeightsInfo(model as unknown as AnyModule, files.weights, isNeverRun)
      : undefined;
  if (args.has("fuse")) model.fuse();
  const fits = weights?.fits !== false;
  const plan =
    fits && (args.has("explain") || args.text("dot") !== undefined) ? await planOf(args) : undefined;
  const preprocess = preprocessOf(files.config.preprocess);
  const table = modelInfo(model, args.size("imgsz") ?? DEFAULT_SIZE);
  if (args.has("json")) {
    const { rows, ...totals } = table;
    terminal.print(
      jsonLine({
        model: files.name,
        ...totals,
        fused: model.isFused,
        preprocess,
        rows,
        weights: weights ?? null,
        ...(args.has("explain") ? { plan: plan?.numbers ?? null } : {}),
      }),
    );
  } else {
    const lines = formatModelInfo(table, files.name).split("\n");
    terminal.print(lines.map(printable).join("\n"));
    terminal.print(`pictures: ${describePreprocess(preprocess)}`);
    if (weights) terminal.print(`\n${describeWeights(weights, terminal)}`);
    if (plan && args.has("explain")) terminal.print(`\n${plan.text}`);
  }
  return fits ? EXIT_DONE : EXIT_FAILED;
}

interface PlanInfo {
  /** For people. */
  readonly text: string;
  /** For JSON. */
  readonly numbers: Readonly<Record<string, unknown>>;
}

/** Compiles the model as `detect` does, writes the graph where --dot says, and tells about the plan. */
async function planOf(args: Arguments): Promise<PlanInfo> {
  const pipeline = new Pipeline({
    ...modelChoice(args),
    model: args.words[0],
    imgsz: args.size("imgsz"),
    threads: 1,
  });
  try {
    const { plan } = pipeline;
    if (!plan) throw new Error("a pipeline without a plan");
    const path = args.text("dot");
    if (path !== undefined) writeFileWhole(path, [new TextEncoder().encode(plan.graph.toDot())]);
    const passes = plan.reports.map(({ pass, changes, saved }) => ({
      pass,
      changes,
      multiply_adds_saved: saved,
    }));
    const numbers = {
      passes,
      operations: plan.graph.nodes.length,
      steps: plan.steps.length,
      multiply_adds: plan.multiplyAdds,
      bytes: plan.bytes,
    };
    return { text: plan.explain().trimEnd(), numbers };
  } finally {
    await pipeline.close();
  }
}
