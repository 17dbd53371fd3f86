/** `mobiledetr detect`: pictures in, detections out as tables or JSON lines, boxes drawn. */
import { parse } from "node:path";
import { imageIdOf } from "../detector/detections.ts";
import type { ImageFormat } from "../image/sniff.ts";
import type { Arguments } from "./arguments.ts";
import { CocoFile } from "./coco-file.ts";
import type { Command } from "./command.ts";
import { writeExtras } from "./detect-extras.ts";
import {
  DETECT_OPTIONS,
  detectorOptions,
  drawOptions,
  extrasOf,
  fetchLimits,
  outputFolder,
  recordsOf,
} from "./detect-options.ts";
import { describeDetections, describeDetector, detectionsJson } from "./detection-text.ts";
import { EXIT_DONE, EXIT_FAILED } from "./exit-codes.ts";
import { fileNameOf, type OutputFolder } from "./output-folder.ts";
import { type PictureTools, runPictures } from "./picture-run.ts";
import { printable } from "./printable.ts";
import { Progress } from "./progress.ts";
import type { Records } from "./records.ts";
import { isInShard, readShard, type Shard } from "./shard.ts";
import { exitOnSignals } from "./signals.ts";
import { type ByteStream, expandSources, type Source, STDIN } from "./sources.ts";
import type { Terminal } from "./terminal.ts";

/** `mobiledetr detect` */
export const detectCommand: Command = {
  name: "detect",
  summary: "Find objects in pictures: print them, draw them.",
  description:
    "Finds objects in JPEG, PNG, BMP and GIF pictures, prints a table for each picture and writes a copy with the boxes drawn. " +
    "A picture that fails does not stop the others. What begins with http:// or https:// is fetched, nothing else ever is.",
  positional: {
    name: "SOURCE",
    help:
      "A picture; a folder: the .jpg, .jpeg, .png, .bmp and .gif files in it, by name; a pattern in quotes (* ? ** [a-z] {a,b}); a URL; " +
      "a list of those, one a line: list.txt or @LIST; - for standard input: a picture's bytes, or such a list, " +
      "also between NULs (find -print0).",
    least: 1,
    most: Number.POSITIVE_INFINITY,
  },
  options: DETECT_OPTIONS,
  examples: [
    ["mobiledetr detect photo.jpg", "Codes in a photograph, with the model that is included."],
    ["mobiledetr detect photos --classes qr --out found", "QR codes alone, in every picture of a folder."],
    [
      "mobiledetr detect 'in/**/*.png' --jsonl > found.jsonl",
      "All below a folder, for other programs to read.",
    ],
    ["mobiledetr detect https://example.org/a.jpg", "A picture that is fetched."],
    [
      "mobiledetr detect - --project runs --name shop",
      "What a program writes: a picture, or names of pictures.",
    ],
    ["mobiledetr detect photos --no-save --save-json found.json", "For pycocotools."],
    [
      "mobiledetr detect a.jpg --model MobileNetV4ConvSmall --weights coco.safetensors",
      "A model of your own.",
    ],
  ],
  run: detect,
};

async function detect(args: Arguments, terminal: Terminal): Promise<number> {
  const options = detectorOptions(args);
  const json = args.has("json") || args.has("jsonl");
  const quiet = args.has("quiet");
  const { words } = args;
  const limits = fetchLimits(args);
  const drawing = drawOptions(args);
  const extras = extrasOf(args, json);
  const folder = outputFolder(args, json);
  const sharded = args.text("shard");
  const shard = sharded === undefined ? undefined : readShard(sharded, process.env);
  const records = recordsOf(args, options);
  const saved = args.text("save-json");
  const streamed = words.includes(STDIN);
  if (folder) folder.keepAll = streamed; // a name that has yet to come may be there
  const stdin = streamed ? (process.stdin as unknown as ByteStream) : undefined;
  exitOnSignals();
  const shown = !quiet && !args.has("no-progress");
  // One look at what there is, for the time that is left, and so that no source is drawn over before it is read.
  const counted = await survey(words, limits.maxBytes, folder, shown && !streamed && !records, shard);
  const coco = saved === undefined ? undefined : new CocoFile(saved);
  let [count, failures] = [0, 0];
  let progress: Progress | undefined;
  let tools: PictureTools;
  let names: readonly string[] = [];
  await runPictures({
    sources: missing(inShard(notWritten(expandSources(words, { stdin, ...limits }), folder), shard), records),
    options,
    limits,
    loaded(detector, picture) {
      tools = picture;
      names = detector.info.names;
      if (!json && !quiet) terminal.print(terminal.paint("dim", describeDetector(detector.info)));
      progress = new Progress(terminal, { total: counted && counted - count, shown });
    },
    begun: (text) => progress?.detail(text),
    async done(source, found, { pixels, format }) {
      const { kind, name } = source;
      count++;
      if (kind === "bytes" && folder) folder.keepAll = false; // it was no list
      coco?.add(imageIdOf(parse(fileNameOf(name)).name), found.detections, (number) => number);
      if (json) terminal.print(detectionsJson(name, found));
      else if (!quiet) terminal.print(describeDetections(name, found, terminal));
      try {
        if (folder) {
          const draw = (wanted: ImageFormat): Uint8Array => {
            const drawn = found.detections.map(drawing.drawn);
            return tools.encodeImage(tools.drawDetections(pixels, drawn, drawing.options), wanted);
          };
          const path = extras.drawn ? folder.write(name, format, draw) : folder.reserve(name, format);
          if (extras.drawn && !json && !quiet) terminal.print(`  drawn: ${printable(path)}`);
          if (extras.txt || extras.crops) {
            await writeExtras(path, found, names, pixels, extras);
          }
        }
        records?.done(source, found); // last: what has a record is not done again
      } catch (error) {
        failures++;
        terminal.report(error, name);
        records?.failed(source, error);
      } finally {
        progress?.step();
      }
    },
    failed(source, error) {
      count++;
      failures++;
      terminal.report(error, source.name);
      records?.failed(source, error);
      progress?.step();
    },
  });
  progress?.close();
  coco?.finish();
  records?.close();
  if (records?.skipped && !quiet) terminal.note(`mobiledetr: ${records.skipped} sources were done before`);
  if (failures === 0) return EXIT_DONE;
  if (count > 1) terminal.note(`mobiledetr: ${failures} of ${count} sources failed`);
  return EXIT_FAILED;
}

/** Goes through the words without reading pictures; tells how many there are where somebody wants to know. */
async function survey(
  words: readonly string[],
  maxBytes: number,
  folder: OutputFolder | undefined,
  wanted: boolean,
  shard: Shard | undefined,
): Promise<number | undefined> {
  if (!wanted && !folder?.exists) return undefined;
  let count = 0;
  const files = words.filter((word) => word !== STDIN);
  for await (const { kind, name } of expandSources(files, { maxBytes })) {
    if (!shard || isInShard(name, shard)) count++;
    if (kind === "file") folder?.protect(name);
  }
  return wanted ? count : undefined;
}

/** Without the pictures that this run wrote, which a pattern may fit. */
async function* notWritten(sources: AsyncIterable<Source>, folder?: OutputFolder): AsyncGenerator<Source> {
  for await (const source of sources) {
    if (source.kind !== "file" || !folder?.wrote(source.name)) yield source;
  }
}

/** Those of a shard. */
async function* inShard(sources: AsyncIterable<Source>, shard?: Shard): AsyncGenerator<Source> {
  for await (const source of sources) if (!shard || isInShard(source.name, shard)) yield source;
}

function missing(sources: AsyncGenerator<Source>, records?: Records): AsyncGenerator<Source> {
  return records ? records.missing(sources) : sources;
}
