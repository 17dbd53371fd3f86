/** The options of `mobiledetr detect`, and what they say. */

import { join } from "node:path";
import { DEFAULT_MODEL, RESIZES } from "../choices.ts";
import type { Detection } from "../detector/detections.ts";
import type { DetectorOptions } from "../detector/options.ts";
import { fail } from "../errors.ts";
import type { DrawnDetection, DrawOptions } from "../image/draw.ts";
import type { Arguments } from "./arguments.ts";
import type { OptionSpec } from "./command.ts";
import { halfChoice } from "./half-weights.ts";
import {
  BACKEND_NAMES,
  BACKEND_OPTIONS,
  CONFIG_OPTIONS,
  HALF_OPTION,
  MODEL_OPTION,
  modelChoice,
  WEIGHTS_OPTION,
} from "./model-options.ts";
import { OutputFolder } from "./output-folder.ts";
import { RecordFile, Records, runDigest } from "./records.ts";

const DEFAULT_OUT = "runs/detect";
const DEFAULT_NAME = "exp";
const MOST_LINE = 1000; // pixels, as drawing takes them
const MAX_BYTES = 100_000_000; // far above telephones' pictures
const TIMEOUT_SECONDS = 60;

/** Which network, and how it runs. */
export const BASE_OPTIONS: readonly OptionSpec[] = [
  { ...MODEL_OPTION, default: DEFAULT_MODEL },
  WEIGHTS_OPTION,
  ...CONFIG_OPTIONS,
  {
    name: "imgsz",
    value: "N|HxW",
    help: "Size that pictures are brought to, in pixels, rounded up to multiples of 32.",
    default: "640",
  },
  {
    name: "resize",
    value: "NAME",
    help: `By whose rules, bit for bit: ${RESIZES.join(", ")}.`,
    default: "the model's own, opencv-linear where it has none",
  },
  { name: "letterbox", help: "Keep the picture's proportions, on grey, instead of stretching it." },
  HALF_OPTION,
  ...BACKEND_OPTIONS,
  {
    name: "no-compile",
    help: "Run the network layer by layer instead of as a compiled plan: slower, for comparisons.",
  },
  {
    name: "no-fuse",
    help: "Layer by layer, batch norms apart from convolutions: slower still, for comparisons with training code.",
  },
  {
    name: "revectorize",
    help: "256-bit vectors by an experiment of V8's: faster, the same bits. Node 24 on x64; refused elsewhere.",
  },
];

/** All of them. */
export const DETECT_OPTIONS: readonly OptionSpec[] = [
  ...BASE_OPTIONS,
  {
    name: "conf",
    value: "C",
    help: "Keep what scores more than this, in [0, 1).",
    default: "the model's own, 0.25 where it has none",
  },
  { name: "classes", value: "A,B,...", help: "Keep these classes, by name or number.", default: "all" },
  { name: "max-det", value: "N", help: "Keep the N best of each picture.", default: "all" },
  { name: "sort", help: "Best score first, instead of the network's order." },
  {
    name: "out",
    value: "DIR",
    help: "Folder for the annotated pictures, made when needed; files of earlier runs are replaced, sources never.",
    default: `${DEFAULT_OUT}, and with --json none`,
  },
  {
    name: "project",
    value: "DIR",
    help: "Instead of --out: a new folder in DIR for every run.",
    default: DEFAULT_OUT,
  },
  {
    name: "name",
    value: "NAME",
    help: "Instead of --out: how that new folder is called; NAME2, NAME3, ... where it is there.",
    default: DEFAULT_NAME,
  },
  { name: "exist-ok", help: "With --project or --name: no new folder, but the one that is there." },
  { name: "save", help: "Draw, also with --json." },
  { name: "no-save", help: "Draw nothing." },
  { name: "save-txt", help: "Write YOLO's lines beside the pictures: labels/NAME.txt." },
  { name: "save-conf", help: "With --save-txt: the score behind each line." },
  { name: "save-crop", help: "Write what is in each box beside the pictures: crops/CLASS/NAME.jpg." },
  { name: "show-labels", help: "Draw boxes with tags, which is the default." },
  { name: "no-labels", help: "Draw boxes without tags." },
  { name: "show-conf", help: "Draw scores in the tags, which is the default." },
  { name: "no-conf", help: "Draw tags without scores." },
  {
    name: "line-width",
    value: "N",
    help: "Width of the boxes' lines in pixels.",
    default: "by the picture's size",
  },
  { name: "json", help: "Print one line of JSON for each picture, and nothing else." },
  { name: "jsonl", help: "The same as --json." },
  {
    name: "save-json",
    value: "FILE",
    help: "Write the detections of all pictures as COCO's results: image_id is the file's name without its ending, a number where it is one; category_id is the class number, from 0.",
  },
  {
    name: "shard",
    value: "I/N|auto",
    help: "Do part I of N, from 0, of the sources: those whose name's hash says so. auto: what Slurm, AWS Batch or Kubernetes say.",
  },
  {
    name: "records",
    value: "FILE",
    help: "Write a line of JSON for each source when it is done with: what was found, or the error, and digests of bytes and model.",
  },
  {
    name: "resume",
    help: "With --records: go on with that file; what it has of the same bytes and model is not done again.",
  },
  {
    name: "max-bytes",
    value: "N",
    help: "The most bytes of a picture from a URL or standard input.",
    default: `${MAX_BYTES}`,
  },
  {
    name: "timeout",
    value: "SECONDS",
    help: "The most that fetching a URL may take.",
    default: `${TIMEOUT_SECONDS}`,
  },
  { name: "quiet", help: "Print no tables and no progress; errors and JSON are printed." },
  { name: "no-progress", help: "Show no progress bar." },
];

/** What the detector is loaded with; weights are read and rounded when it is asked for. */
export function detectorOptions(args: Arguments): () => DetectorOptions {
  const options = {
    ...modelChoice(args),
    imgsz: args.size("imgsz"),
    preprocess: {
      resize: args.choice("resize", RESIZES),
      letterbox: args.has("letterbox") || undefined,
    },
    threads: args.threads("threads"),
    conf: args.number("conf", 0, 1),
    classes: args.list("classes"),
    max_det: args.count("max-det"),
    sort: args.has("sort"),
    compile: args.has("no-compile") ? false : undefined,
    fuse: !args.has("no-fuse"),
    backend: args.choice("backend", BACKEND_NAMES),
    revectorize: args.has("revectorize"),
  };
  let rounded: DetectorOptions | undefined;
  return () => {
    if (!args.has("half")) return options;
    rounded ??= { ...options, ...halfChoice(options) };
    return rounded;
  };
}

/** How a detection is drawn. */
export function drawOptions(args: Arguments): {
  drawn: (found: Detection) => DrawnDetection;
  options: DrawOptions;
} {
  for (const what of ["labels", "conf"]) {
    if (args.has(`no-${what}`) && args.has(`show-${what}`))
      fail("argument", `--no-${what}`, `no --show-${what} beside it`, "both");
  }
  const lineWidth = args.count("line-width");
  if (lineWidth !== undefined && lineWidth > MOST_LINE)
    fail("argument", "--line-width", `at most ${MOST_LINE} pixels`, `${lineWidth}`);
  const scores = !args.has("no-conf");
  return {
    drawn: ({ box, name, score, class: classId }) => ({
      box,
      label: scores ? `${name} ${score.toFixed(2)}` : name,
      classId,
    }),
    options: { lineWidth, showLabels: !args.has("no-labels") },
  };
}

/** What is written beside the pictures that are drawn. */
export interface Extras {
  readonly drawn: boolean;
  readonly txt: boolean;
  readonly conf: boolean;
  readonly crops: boolean;
}

/** Reads which; `json` draws nothing unless a folder is named. */
export function extrasOf(args: Arguments, json: boolean): Extras {
  const [txt, conf] = [args.has("save-txt"), args.has("save-conf")];
  if (conf && !txt) fail("argument", "--save-conf", "--save-txt beside it", "none");
  const asked = ["save", "out", "project", "name", "exist-ok"].some((option) => args.has(option));
  return { drawn: !args.has("no-save") && (asked || !json), txt, conf, crops: args.has("save-crop") };
}

/** The records' file and what identifies a run of this model with these options; undefined where none are kept. */
export function recordsOf(args: Arguments, options: () => DetectorOptions): Records | undefined {
  const path = args.text("records");
  if (args.has("resume") && path === undefined)
    fail("argument", "--resume", "--records FILE beside it", "none");
  if (path === undefined) return undefined;
  const model = runDigest(options()); // its errors come before there is a file
  return new Records(new RecordFile(path, args.has("resume")), model);
}

/** Where pictures go; undefined where nothing is written. `json` draws none unless a folder is named. */
export function outputFolder(args: Arguments, json: boolean): OutputFolder | undefined {
  const { txt, crops } = extrasOf(args, json);
  const written = txt || crops;
  const out = args.text("out");
  const [project, name] = [args.text("project"), args.text("name")];
  const numbered = project !== undefined || name !== undefined || args.has("exist-ok");
  if (args.has("no-save") && !written) {
    const other = ["save", "out", "project", "name", "exist-ok"].find((option) => args.has(option));
    if (other) fail("argument", "--no-save", `no --${other} beside it`, "both");
    return undefined;
  }
  if (numbered) {
    if (out !== undefined) fail("argument", "--out", "no --project, --name or --exist-ok beside it", "both");
    return new OutputFolder(join(project ?? DEFAULT_OUT, name ?? DEFAULT_NAME), !args.has("exist-ok"));
  }
  if (out === undefined && json && !written && !args.has("save")) return undefined;
  return new OutputFolder(out ?? DEFAULT_OUT);
}

/** Limits of what is fetched. */
export function fetchLimits(args: Arguments): { readonly maxBytes: number; readonly timeout: number } {
  return {
    maxBytes: args.count("max-bytes") ?? MAX_BYTES,
    timeout: args.number("timeout", 0.001, 86_400) ?? TIMEOUT_SECONDS,
  };
}
