/** The options of `bench/detector.ts`: what is measured, on what, how often. Errors are of code "argument". */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { fail } from "../src/errors.ts";
import { list, some, whole, wholes } from "./arguments.ts";
import { CONTENDERS, type ContenderName } from "./contender.ts";

/** A network at one size of its square input, in pixels. */
export interface Wanted {
  readonly model: string;
  readonly size: number;
}

/** What runs the contenders. */
export interface EngineOption {
  /** Path of a Node. */
  readonly node: string;
  /** Whether mobiledetr is asked for 256-bit vectors. */
  readonly revectorize: boolean;
}

/** See the head of `detector.ts`. */
export interface Options {
  readonly cases: readonly Wanted[];
  readonly threads: readonly number[];
  readonly engines: readonly EngineOption[];
  readonly peers: readonly ContenderName[];
  readonly rounds: number;
  readonly warmup: number;
  readonly cold: number;
  /** Cold starts are of this size alone; of all where it is not given. */
  readonly coldSize?: number;
  readonly pauseMs: number;
  /** A file to find boxes in; undefined where first boxes are not wanted. */
  readonly picture?: string;
  readonly json?: string;
  readonly resume: boolean;
}

/** The networks of {@link allCases}. */
export const MODELS = [
  "MobileNetV4ConvSmall",
  "codes",
  "MobileNetV4ConvMedium",
  "MobileNetV4ConvLarge",
  "MobileNetV4HybridMedium",
  "MobileNetV4HybridLarge",
] as const;
const COMMON_SIZE = 640;
const GROWING = { models: MODELS.slice(0, 2), sizes: [320, 960, 1280] };
const REVECTORIZE = "+revectorize";
const PICTURE = fileURLToPath(new URL("../examples/pictures/wall.jpg", import.meta.url));
const FULL = { rounds: "15", warmup: "5", cold: "3" };
const QUICK = { rounds: "5", warmup: "2", cold: "1" };

/** `--all`: every network at 640, and the first two at other sizes. */
export function allCases(): Wanted[] {
  return [
    ...MODELS.map((model) => ({ model, size: COMMON_SIZE })),
    ...GROWING.models.flatMap((model) => GROWING.sizes.map((size) => ({ model, size }))),
  ];
}

/** Reads the command line's arguments, those behind the script's name. */
export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      all: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      variant: { type: "string" },
      sizes: { type: "string" },
      threads: { type: "string", default: "1,2" },
      rounds: { type: "string" },
      warmup: { type: "string" },
      peers: { type: "string", default: "ort-web,ort-node" },
      cold: { type: "string" },
      picture: { type: "string", default: PICTURE },
      pause: { type: "string", default: "100" },
      node: { type: "string", default: process.execPath },
      revectorize: { type: "boolean", default: false },
      json: { type: "string" },
      resume: { type: "boolean", default: false },
    },
  });
  const { all, quick, variant, sizes, node, picture, json, resume } = values;
  if (all && (variant !== undefined || sizes !== undefined)) {
    fail("argument", "--all", "no --variant and no --sizes: it has its own", "both");
  }
  if (resume && json === undefined) fail("argument", "--resume", "--json FILE, to go on from", "none");
  const usual = quick ? QUICK : FULL;
  const models = list(variant ?? "MobileNetV4ConvSmall");
  const sides = wholes("--sizes", sizes ?? String(COMMON_SIZE), 1);
  const engines = list(node).map((text) => engineOf(text, values.revectorize));
  if (engines.length === 0) fail("argument", "--node", "paths of Node", "none");
  if (models.length === 0) fail("argument", "--variant", "names of networks", "none");
  return {
    cases: all ? allCases() : models.flatMap((model) => sides.map((size) => ({ model, size }))),
    threads: wholes("--threads", values.threads, 1),
    engines,
    peers: some("--peers", values.peers, CONTENDERS.slice(1)),
    rounds: whole("--rounds", values.rounds ?? usual.rounds, 1),
    warmup: whole("--warmup", values.warmup ?? usual.warmup, 0),
    cold: whole("--cold", values.cold ?? usual.cold, 0),
    coldSize: all ? COMMON_SIZE : undefined,
    pauseMs: whole("--pause", values.pause, 0),
    picture: picture === "" ? undefined : picture,
    json,
    resume,
  };
}

function engineOf(text: string, everywhere: boolean): EngineOption {
  const marked = text.endsWith(REVECTORIZE);
  return { node: marked ? text.slice(0, -REVECTORIZE.length) : text, revectorize: marked || everywhere };
}
