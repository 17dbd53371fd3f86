/** `mobiledetr detect`: pictures in, detections out as tables or JSON lines, boxes drawn. */
import { DEFAULT_MODEL } from "../detector/default-model.ts";
import type { Detection } from "../detector/detections.ts";
import { type Detector, loadDetector } from "../detector/detector.ts";
import type { DetectorOptions } from "../detector/options.ts";
import type { Detections } from "../detector/pipeline.ts";
import { fail } from "../errors.ts";
import type { ImageData8 } from "../image/image.ts";
import type { ImageFormat } from "../image/sniff.ts";
import { preprocessOf, RESIZES } from "../preprocess.ts";
import type { Arguments } from "./arguments.ts";
import type { Command, OptionSpec } from "./command.ts";
import { EXIT_DONE, EXIT_FAILED } from "./exit-codes.ts";
import {
  BACKEND_NAMES,
  BACKEND_OPTIONS,
  CONFIG_OPTIONS,
  describePreprocess,
  MODEL_OPTION,
  modelChoice,
  WEIGHTS_OPTION,
} from "./model-options.ts";
import { OutputFolder } from "./output-folder.ts";
import { jsonLine, printable } from "./printable.ts";
import { exitOnSignals } from "./signals.ts";
import { expandSources } from "./sources.ts";
import type { Terminal } from "./terminal.ts";
import { textTable } from "./text-table.ts";

const DEFAULT_OUT = "runs/detect";
const DEFAULT_HOW = describePreprocess(preprocessOf()); // goes without saying

const OPTIONS: readonly OptionSpec[] = [
  { ...MODEL_OPTION, default: DEFAULT_MODEL },
  WEIGHTS_OPTION,
  ...CONFIG_OPTIONS,
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
  {
    name: "out",
    value: "DIR",
    help: "Folder for the annotated pictures, made when needed; files of earlier runs are replaced, sources never.",
    default: `${DEFAULT_OUT}, and with --json none`,
  },
  { name: "no-save", help: "Draw nothing." },
  { name: "json", help: "Print one line of JSON for each picture, and nothing else." },
];

/** `mobiledetr detect` */
export const detectCommand: Command = {
  name: "detect",
  summary: "Find objects in pictures: print them, draw them.",
  description:
    "Finds objects in JPEG, PNG, BMP and GIF pictures, prints a table for each picture and writes a copy with the boxes drawn. " +
    "A picture that fails does not stop the others.",
  positional: {
    name: "SOURCE",
    help: "A picture, or a folder: the .jpg, .jpeg, .png, .bmp and .gif files in it, by name.",
    least: 1,
    most: Number.POSITIVE_INFINITY,
  },
  options: OPTIONS,
  examples: [
    ["mobiledetr detect photo.jpg", "Codes in a photograph, with the model that is included."],
    ["mobiledetr detect photos --classes qr --out found", "QR codes alone, in every picture of a folder."],
    ["mobiledetr detect *.png --json > found.jsonl", "For other programs to read."],
    [
      "mobiledetr detect a.jpg --model MobileNetV4ConvSmall --weights coco.safetensors",
      "A model of your own.",
    ],
  ],
  run: detect,
};

type PictureTools = typeof import("./picture-tools.ts");

/** A picture's pixels and what is known of its file. */
interface OpenPicture {
  readonly pixels: ImageData8;
  readonly format: ImageFormat;
  readonly decodeMs: number;
}

async function detect(args: Arguments, terminal: Terminal): Promise<number> {
  const options = detectorOptions(args);
  const json = args.has("json");
  const { pictures, failed } = expandSources(args.words);
  const folder = outputFolder(args, pictures);
  for (const { source, error } of failed) terminal.report(error, source);
  let failures = failed.length;
  exitOnSignals();
  if (pictures.length > 0) {
    const loading = loadDetector(options);
    loading.catch(() => undefined); // said below, where it is awaited
    const tools = await import("./picture-tools.ts"); // codecs are large: the detector's thread starts meanwhile
    // Each picture is decoded here while the detector's threads load, or work on the one before.
    let next = tryToOpen(tools, pictures[0]);
    const detector = await loading;
    try {
      if (!json) terminal.print(terminal.paint("dim", describeDetector(detector)));
      for (const [i, source] of pictures.entries()) {
        const opened = next;
        const detecting = "error" in opened ? Promise.reject(opened.error) : detector.detect(opened.pixels);
        detecting.catch(() => undefined); // said below
        if (i + 1 < pictures.length) next = tryToOpen(tools, pictures[i + 1]);
        try {
          const result = await detecting;
          report(tools, result, source, opened as OpenPicture, folder, json, terminal);
        } catch (error) {
          failures++;
          terminal.report(error, source);
        }
      }
    } finally {
      await detector.close();
    }
  }
  if (failures === 0) return EXIT_DONE;
  const total = pictures.length + failed.length;
  if (total > 1) terminal.note(`mobiledetr: ${failures} of ${total} sources failed`);
  return EXIT_FAILED;
}

function detectorOptions(args: Arguments): DetectorOptions {
  return {
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
}

function outputFolder(args: Arguments, pictures: readonly string[]): OutputFolder | undefined {
  const out = args.text("out");
  if (args.has("no-save")) {
    if (out !== undefined) fail("argument", "--no-save", "no --out beside it", `--out ${out}`);
    return undefined;
  }
  if (out === undefined && args.has("json")) return undefined;
  return new OutputFolder(out ?? DEFAULT_OUT, pictures);
}

/** Prints what was found, and draws it on the picture. */
function report(
  { drawDetections, encodeImage }: PictureTools,
  result: Detections,
  source: string,
  { pixels, format, decodeMs }: OpenPicture,
  folder: OutputFolder | undefined,
  json: boolean,
  terminal: Terminal,
): void {
  const found: Detections = { ...result, speed: { ...result.speed, decode: decodeMs } };
  terminal.print(json ? detectionsJson(source, found) : describeDetections(source, found, terminal));
  if (!folder) return;
  const drawn = found.detections.map(({ box, name, score, class: classId }) => ({
    box,
    label: `${name} ${score.toFixed(2)}`,
    classId,
  }));
  const picture = drawDetections(pixels, drawn);
  const path = folder.write(source, format, (wanted) => encodeImage(picture, wanted));
  if (!json) terminal.print(`  drawn: ${printable(path)}`);
}

/** Decoded here rather than in the detector's thread: the same pixels are drawn on. */
function openPicture({ readPicture }: PictureTools, source: string): OpenPicture {
  const start = performance.now();
  const { pixels, format = "png" } = readPicture(source);
  return { pixels, format, decodeMs: performance.now() - start };
}

/** A picture, or why it is none: one that fails must not stop the others. */
function tryToOpen(tools: PictureTools, source: string): OpenPicture | { readonly error: unknown } {
  try {
    return openPicture(tools, source);
  } catch (error) {
    return { error };
  }
}

function detectionsJson(source: string, { width, height, detections, speed }: Detections): string {
  const rounded = Object.entries(speed).map(([step, ms]) => [step, Math.round(ms * 1000) / 1000]);
  return jsonLine({ source, width, height, detections, speed: Object.fromEntries(rounded) });
}

function describeDetector({ info }: Detector): string {
  const { model, names, imgsz, preprocess, backend, threads, conf, revectorized } = info;
  const how = describePreprocess(preprocess);
  const parts = [
    `${printable(model)}: ${names.length} classes`,
    `${imgsz[0]}x${imgsz[1]}${how === DEFAULT_HOW ? "" : ` (${how})`}`,
    `${backend}, ${plural(threads, "thread")}${revectorized ? ", revectorized" : ""}`,
    `scores > ${conf}`,
  ];
  return parts.join(", ");
}

function describeDetections(source: string, found: Detections, terminal: Terminal): string {
  const { width, height, detections, speed } = found;
  const total = Object.values(speed).reduce((sum, ms) => sum + ms, 0);
  const steps = Object.entries(speed).map(([step, ms]) => `${step} ${ms.toFixed(0)}`);
  const head = [
    `${terminal.paint("bold", printable(source))}: ${width}x${height} pixels`,
    detections.length === 0 ? "nothing found" : plural(detections.length, "detection"),
    `${total.toFixed(0)} ms (${steps.join(", ")})`,
  ];
  return [head.join(", "), ...detectionRows(detections, terminal)].join("\n");
}

function detectionRows(detections: readonly Detection[], terminal: Terminal): string[] {
  if (detections.length === 0) return [];
  const rows = detections.map(({ name, score, box }) => [
    printable(name),
    score.toFixed(3),
    ...box.map((side) => side.toFixed(1)),
  ]);
  const table = textTable(
    [["class", "score", "x1", "y1", "x2", "y2"], ...rows],
    ["left", "right", "right", "right", "right", "right"],
  );
  return table.map((line, i) => `  ${i === 0 ? terminal.paint("dim", line) : line}`);
}

function plural(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}
