/** `mobiledetr val`: a COCO data set through the detector, or results that are there, scored as pycocotools scores them. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, isAbsolute, join, normalize } from "node:path";
import { xywh } from "../detector/detections.ts";
import { describe, fail, MobileDetrError, messageOf } from "../errors.ts";
import {
  type BoxEvaluation,
  type CocoCategory,
  type CocoDataset,
  type CocoImage,
  type CocoResult,
  evaluateBoxes,
  readCocoDataset,
  readCocoResults,
} from "../metrics/index.ts";
import type { Arguments } from "./arguments.ts";
import { CocoFile } from "./coco-file.ts";
import type { Command } from "./command.ts";
import { BASE_OPTIONS, detectorOptions } from "./detect-options.ts";
import { describeDetector, plural } from "./detection-text.ts";
import { EXIT_DONE, EXIT_FAILED } from "./exit-codes.ts";
import { runPictures } from "./picture-run.ts";
import { jsonLine, printable } from "./printable.ts";
import { Progress } from "./progress.ts";
import { exitOnSignals } from "./signals.ts";
import type { Source } from "./sources.ts";
import type { Terminal } from "./terminal.ts";
import { textTable } from "./text-table.ts";

const DEFAULT_CONF = 0.001; // as Ultralytics' val
const DEFAULT_MAX_DET = 100; // as COCO

/** `mobiledetr val` */
export const valCommand: Command = {
  name: "val",
  summary: "Score a model, or results that are there, on a COCO data set.",
  description:
    "Runs the detector over the pictures of a COCO annotation file and prints COCO's twelve figures, equal to " +
    "pycocotools', and a table of classes. Classes of model and data set go together by name. Pictures that are missing " +
    "or damaged are told of and count as pictures in which nothing was found.",
  positional: {
    name: "DATA.json",
    help: "A COCO annotation file (instances_val2017.json).",
    least: 1,
    most: 1,
  },
  options: [
    {
      name: "images",
      value: "DIR",
      help: "Folder that the file names of DATA.json are in.",
      default: "that of DATA.json",
    },
    {
      name: "results",
      value: "FILE",
      help: "Score these detections, COCO's results, instead of running a model.",
    },
    {
      name: "save-json",
      value: "FILE",
      help: "Write the detections as COCO's results, with the data set's ids.",
    },
    ...BASE_OPTIONS,
    {
      name: "conf",
      value: "C",
      help: "Keep what scores more than this, in [0, 1).",
      default: `${DEFAULT_CONF}`,
    },
    { name: "max-det", value: "N", help: "Keep the N best of each picture.", default: `${DEFAULT_MAX_DET}` },
    { name: "json", help: "Print one line of JSON, and nothing else." },
    { name: "quiet", help: "Print the figures, without classes and progress." },
    { name: "no-progress", help: "Show no progress bar." },
  ],
  examples: [
    [
      "mobiledetr val instances.json --images val2017 --model MobileNetV4ConvSmall --weights coco.safetensors",
      "A model of your own.",
    ],
    ["mobiledetr val instances.json --results found.json", "Detections that any program wrote."],
  ],
  run: val,
};

/** A picture of the data set. */
type DataPicture = Source & { readonly image: CocoImage };

async function val(args: Arguments, terminal: Terminal): Promise<number> {
  const [path] = args.words;
  const given = args.text("results");
  if (/\.ya?ml$/i.test(path))
    fail(
      "argument",
      path,
      "a COCO annotation file (.json)",
      "a YAML file",
      "convert its labels to COCO's JSON",
    );
  if (given !== undefined) {
    const idle = ["images", "save-json", ...BASE_OPTIONS.map(({ name }) => name), "conf", "max-det"];
    const other = idle.find((name) => args.has(name));
    if (other) fail("argument", "--results", `no --${other} beside it`, "both", "no model runs");
  }
  exitOnSignals();
  const dataset = readCocoDataset(readText(path), { source: path });
  const results = given === undefined ? undefined : readCocoResults(readText(given), { source: given });
  const { detections, failures, model } = results
    ? { detections: results, failures: 0, model: undefined }
    : await detectAll(args, dataset, path, terminal);
  const evaluation = scored(dataset, detections, given);
  if (args.has("json")) {
    const { summary, classes, notes } = evaluation;
    const [images, found] = [dataset.images.length, detections.length];
    terminal.print(
      jsonLine({
        dataset: path,
        model,
        images,
        failed: failures,
        detections: found,
        summary,
        classes,
        notes,
      }),
    );
  } else {
    for (const note of evaluation.notes) terminal.note(`mobiledetr: ${note}`);
    terminal.print(figures(evaluation));
    if (!args.has("quiet")) terminal.print(["", ...classTable(evaluation)].join("\n"));
  }
  if (failures === 0) return EXIT_DONE;
  terminal.note(
    `mobiledetr: ${failures} of ${plural(dataset.images.length, "picture")} failed: nothing was found in them`,
  );
  return EXIT_FAILED;
}

/** Mistakes that only the data set and the results together have are the results'. */
function scored(dataset: CocoDataset, results: readonly CocoResult[], source = "results"): BoxEvaluation {
  try {
    return evaluateBoxes(dataset, results);
  } catch (error) {
    if (!(error instanceof MobileDetrError)) throw error;
    throw new MobileDetrError("format", `${source}: ${error.message}`, { cause: error });
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const missing = !existsSync(path);
    return fail("file", path, "a file that can be read", missing ? "no such file" : messageOf(error));
  }
}

/** What the model finds in the pictures of a data set, in its ids. */
async function detectAll(
  args: Arguments,
  dataset: CocoDataset,
  path: string,
  terminal: Terminal,
): Promise<{ detections: CocoResult[]; failures: number; model?: string }> {
  const options = detectorOptions(args);
  const conf = args.number("conf", 0, 1) ?? DEFAULT_CONF;
  const max_det = args.count("max-det") ?? DEFAULT_MAX_DET;
  const saved = args.text("save-json");
  const coco = saved === undefined ? undefined : new CocoFile(saved);
  const json = args.has("json");
  const detections: CocoResult[] = [];
  const total = dataset.images.length;
  let failures = 0;
  let model: string | undefined;
  let categories: readonly (CocoCategory | undefined)[] = [];
  let progress: Progress | undefined;
  await runPictures<DataPicture>({
    sources: picturesOf(dataset, args.text("images") ?? dirname(path)),
    options: () => ({ ...options(), conf, max_det }),
    loaded({ info }) {
      model = info.model;
      categories = matchClasses(info.names, dataset.categories, path, terminal);
      if (!json && !args.has("quiet")) terminal.print(terminal.paint("dim", describeDetector(info)));
      progress = new Progress(terminal, {
        total: total - failures,
        shown: !args.has("quiet") && !args.has("no-progress"),
      });
    },
    begun: (text) => progress?.detail(text),
    done({ image }, found) {
      const known = found.detections.filter((one) => categories[one.class]);
      const idOf = (classId: number): number => categories[classId]?.id ?? 0;
      coco?.add(image.id, known, idOf);
      for (const { box, score, class: classId } of known)
        detections.push({ image_id: image.id, category_id: idOf(classId), bbox: xywh(box), score });
      progress?.step();
    },
    failed({ name }, error) {
      failures++;
      terminal.report(error, name);
      progress?.step();
    },
  });
  progress?.close();
  coco?.finish();
  if (failures === total)
    fail("file", path, "pictures", `${total}, none of which could be read`, "is --images right?");
  return { detections, failures, model };
}

/** File names come from data: they lead nowhere but into the folder, and are fetched from nowhere. */
async function* picturesOf(dataset: CocoDataset, folder: string): AsyncGenerator<DataPicture> {
  for (const image of dataset.images) {
    const { id, file_name } = image;
    const within = file_name === undefined ? "" : normalize(file_name);
    if (within && !isAbsolute(within) && !/^\.\.([/\\]|$)/.test(within)) {
      yield { kind: "file", name: join(folder, within), image };
    } else {
      const name = file_name ?? `image ${id}`;
      const got = file_name === undefined ? "none" : "one that leads out of it";
      const error = new MobileDetrError(
        "format",
        describe(name, "a file name in the folder of pictures", got),
      );
      yield { kind: "failed", name, error, image };
    }
  }
}

/** The data set's class for each of the model's, by name; what either lacks is noted. */
function matchClasses(
  names: readonly string[],
  categories: readonly CocoCategory[],
  path: string,
  terminal: Terminal,
): (CocoCategory | undefined)[] {
  const list = (some: readonly string[]): string =>
    some.slice(0, 10).join(", ") + (some.length > 10 ? `, ... (${some.length})` : "");
  const theirs = categories.map(({ name }) => name);
  for (const [whose, all] of [
    ["the model", names],
    [path, theirs],
  ] as const) {
    const twice = all.find((name, i) => all.indexOf(name) < i);
    if (twice !== undefined) fail("format", whose, "every class name once", `${JSON.stringify(twice)} twice`);
  }
  const found = names.map((name) => categories.find((category) => category.name === name));
  if (!found.some((category) => category)) {
    const mend = "classes go together by name: put the data set's names in the model's YAML";
    fail("format", path, `classes of the model (${list(names)})`, list(theirs) || "none", mend);
  }
  const say = (text: string, some: readonly string[]): void => {
    if (some.length > 0) terminal.note(`mobiledetr: ${printable(`${text}: ${list(some)}`)}`);
  };
  say(
    "classes that the model lacks, and so never finds",
    theirs.filter((name) => !names.includes(name)),
  );
  say(
    "classes that the data set lacks, left out",
    names.filter((name) => !theirs.includes(name)),
  );
  return found;
}

/** pycocotools' lines. */
function figures({ summary }: BoxEvaluation): string {
  const rows = Object.entries(summary).map(([key, value]) => {
    const [, kind, what] = /^A([PR])(.*)$/.exec(key) ?? [];
    const title = kind === "P" ? "Average Precision  (AP)" : "Average Recall     (AR)";
    const iou = what === "50" ? "0.50" : what === "75" ? "0.75" : "0.50:0.95";
    const area = { s: "small", m: "medium", l: "large" }[what] ?? "all";
    const most = kind === "R" && /\d/.test(what) ? what : "100";
    return ` ${title} @[ IoU=${iou.padEnd(9)} | area=${area.padStart(6)} | maxDets=${most.padStart(3)} ] = ${value.toFixed(3)}`;
  });
  return rows.join("\n");
}

function classTable({ classes }: BoxEvaluation): string[] {
  const figure = (value: number): string => (value < 0 ? "-" : value.toFixed(3));
  const rows = classes.map(({ name, AP, AP50, AR100, ground_truths, crowds, detections }) => [
    printable(name),
    ...[ground_truths, crowds, detections].map(String),
    ...[AP, AP50, AR100].map(figure),
  ]);
  const head = ["class", "objects", "crowds", "found", "AP", "AP50", "AR100"];
  return textTable([head, ...rows], ["left", "right", "right", "right", "right", "right", "right"]);
}
