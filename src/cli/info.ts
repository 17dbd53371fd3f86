/** `mobiledetr info`: what a model is made of, and whether a file's weights fit it. Computes nothing of the network. */
import { DEFAULT_MODEL, findModel, isNeverRun } from "../detector/model-files.ts";
import { formatModelInfo, modelInfo } from "../models/rtdetr/info.ts";
import { RTDETRDetectionModel } from "../models/rtdetr/model.ts";
import type { AnyModule } from "../nn/index.ts";
import type { Arguments } from "./arguments.ts";
import type { Command } from "./command.ts";
import { EXIT_DONE, EXIT_FAILED } from "./exit-codes.ts";
import { CONFIG_OPTIONS, MODEL_NAMES, modelChoice, WEIGHTS_OPTION } from "./model-options.ts";
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
    { name: "json", help: "Print one line of JSON, and nothing else." },
  ],
  examples: [
    ["mobiledetr info", "The model that is included."],
    ["mobiledetr info MobileNetV4ConvSmall --nc 3 --fuse", "A standard one, as it runs after folding."],
    ["mobiledetr info my.yaml --weights my.safetensors --json", "Do these weights fit?"],
  ],
  run: info,
};

async function info(args: Arguments, terminal: Terminal): Promise<number> {
  const files = findModel({ ...modelChoice(args), model: args.words[0] });
  const model = new RTDETRDetectionModel(files.config);
  // Before folding: weights are those of the model as it was trained.
  const weights =
    files.weights === undefined
      ? undefined
      : readWeightsInfo(model as unknown as AnyModule, files.weights, isNeverRun);
  if (args.has("fuse")) model.fuse();
  const table = modelInfo(model, args.size("imgsz") ?? DEFAULT_SIZE);
  if (args.has("json")) {
    const { rows, ...totals } = table;
    terminal.print(
      jsonLine({ model: files.name, ...totals, fused: model.isFused, rows, weights: weights ?? null }),
    );
  } else {
    const lines = formatModelInfo(table, files.name).split("\n");
    terminal.print(lines.map(printable).join("\n"));
    if (weights) terminal.print(`\n${describeWeights(weights, terminal)}`);
  }
  return weights && !weights.fits ? EXIT_FAILED : EXIT_DONE;
}
