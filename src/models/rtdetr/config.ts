/**
 * Model configurations: Ultralytics-style YAML text to a checked list of layers. A layer is
 * `[from, repeats, module, arguments]`; what the modules make of their arguments is in `layers.ts`.
 *
 * Beyond Ultralytics' keys (nc, scales, scale, backbone, head) a file may have `names` (a list, or a map from class
 * number), `conf` (the score above which this model's detections are worth showing) and `preprocess` (a map with `resize`
 * and `letterbox`: how pictures become its input). Any other key is refused: some,
 * as `activation` and `depth_multiple`, would make another network.
 */

import { type Preprocess, RESIZES, type Resize } from "../../choices.ts";
import { fail } from "../../errors.ts";
import { parseYaml, type YamlNode } from "../yaml-nodes.ts";

/** An argument as it stands in the file; "None" is null. */
export type YamlArgument = string | number | boolean | null;

/** One line of `backbone` or `head`. */
export interface LayerConfig {
  /** Layer numbers, or negative and relative. */
  readonly from: number | readonly number[];
  /** Before scaling. */
  readonly repeats: number;
  /** "RepC3", "nn.Upsample", or a backbone's name. */
  readonly module: string;
  /** As written, before scaling. */
  readonly args: readonly YamlArgument[];
  /** `file:line`, for messages. */
  readonly where: string;
}

/** Compound scaling: repeats times depth, channels times width, at most maxChannels before scaling. */
export interface ScaleConfig {
  readonly name: string;
  /** Factor on repeats. */
  readonly depth: number;
  /** Factor on channels, which are then rounded up to a multiple of 8. */
  readonly width: number;
  /** The most channels before the factor. */
  readonly maxChannels: number;
}

/** A whole file. */
export interface ModelConfig {
  /** The file's name, for messages. */
  readonly source: string;
  /** Number of classes. */
  readonly nc: number;
  /** The one that was chosen. */
  readonly scale: ScaleConfig;
  /** Its one line; `module` is the variant. */
  readonly backbone: LayerConfig;
  readonly head: readonly LayerConfig[];
  /** Class names by number, where the file has them. */
  readonly names?: readonly string[];
  /** Score threshold that suits the model, where the file has one. */
  readonly conf?: number;
  /** How pictures become its input, where the file tells. */
  readonly preprocess?: Preprocess;
}

/** What the caller may override. */
export interface ConfigOptions {
  /** The file's name, for messages. */
  readonly source?: string;
  /** Number of classes instead of the file's, 1 .. 65536; with another number the file's names are dropped. */
  readonly nc?: number;
  /** Name of the scale; what the file's `scale` says, or else its first, unless said. */
  readonly scale?: string;
}

/** A file has a few thousand; more is a mistake. */
export const MAX_YAML_CHARACTERS = 1_000_000;

/** Most classes. */
export const MAX_CLASSES = 65536;

/** Most repeats of a layer, as written and after scaling: each is a module of its own, and real models have up to 9. */
export const MAX_REPEATS = 1000;

/** Ultralytics writes `scale`, `ch` and `yaml_file` (a path, without effect) into the files that it saves. */
const KEYS: readonly string[] = [
  "nc",
  "names",
  "conf",
  "preprocess",
  "scales",
  "scale",
  "ch",
  "yaml_file",
  "backbone",
  "head",
];

/** What the backbones take: RGB. */
const INPUT_CHANNELS = 3;

const NO_SCALE: ScaleConfig = { name: "", depth: 1, width: 1, maxChannels: Number.POSITIVE_INFINITY };

/**
 * Parses and checks a model's YAML text. Errors (code "format") name the file, the line, and what was expected there; an
 * `options.nc` out of range is code "argument".
 */
export function parseModelConfig(text: string, options: ConfigOptions = {}): ModelConfig {
  const { source = "model.yaml", nc } = options;
  if (nc !== undefined && !isCount(nc, MAX_CLASSES)) {
    fail("argument", "nc", `a number of classes, whole and in [1, ${MAX_CLASSES}]`, String(nc));
  }
  if (text.length > MAX_YAML_CHARACTERS) {
    fail(
      "format",
      source,
      `a model's YAML of at most ${MAX_YAML_CHARACTERS} characters`,
      String(text.length),
    );
  }
  return new Reader(text, source).config(options);
}

class Reader {
  readonly #source: string;
  readonly #root: YamlNode | undefined;

  constructor(text: string, source: string) {
    this.#source = source;
    this.#root = parseYaml(text, source);
  }

  config(options: ConfigOptions): ModelConfig {
    const root = this.#root;
    if (root?.kind !== "map") {
      fail("format", this.#source, "a map with nc, backbone and head", describeNode(root));
    }
    const get = (key: string): YamlNode | undefined => {
      return root.items.find((item) => this.#value(item.key) === key)?.value;
    };
    const need = (key: string): YamlNode => {
      return (
        get(key) ??
        fail(
          "format",
          this.#source,
          `a key ${key}`,
          cut(`keys ${root.items.map(({ key }) => nameOf(key)).join(", ")}`),
        )
      );
    };
    const own = options.nc === undefined ? need("nc") : get("nc");
    const fileNc = own && this.#count(own, "nc, the number of classes", MAX_CLASSES);
    const nc = options.nc ?? (fileNc as number);
    const [first, rest] = [need("backbone"), need("head")];
    this.#checkKeys(root.items.map(({ key }) => key));
    this.#checkChannels(get("ch"));
    const backbone = this.#layers(first, "backbone");
    if (backbone.length !== 1) {
      fail(
        "format",
        backbone[1]?.where ?? this.#source,
        "one backbone layer, a MobileNetV4 network",
        String(backbone.length),
      );
    }
    const names = this.#names(get("names"), fileNc);
    const conf = get("conf");
    return {
      source: this.#source,
      nc,
      scale: this.#scale(get("scales"), options.scale ?? this.#scaleName(get("scale"))),
      backbone: backbone[0],
      head: this.#layers(rest, "head"),
      names: names?.length === nc ? names : undefined, // those of another number of classes name none of ours
      conf: conf && this.#fraction(conf, "conf"),
      preprocess: this.#preprocess(get("preprocess")),
    };
  }

  #at(node: YamlNode | undefined): string {
    return node ? `${this.#source}:${node.line}` : this.#source;
  }

  #value(node: YamlNode | undefined): YamlArgument | undefined {
    return node?.kind === "scalar" ? node.value : undefined;
  }

  #count(node: YamlNode, what: string, most: number): number {
    const value = this.#value(node);
    if (!isCount(value, most)) {
      fail("format", this.#at(node), `${what}, as a whole number in [1, ${most}]`, describeNode(node));
    }
    return value;
  }

  #checkKeys(keys: readonly YamlNode[]): void {
    for (const key of keys) {
      if (KEYS.includes(String(this.#value(key)))) continue;
      fail("format", this.#at(key), `a key of ${KEYS.join(", ")}`, cut(nameOf(key)));
    }
  }

  #checkChannels(node: YamlNode | undefined): void {
    if (!node || this.#value(node) === INPUT_CHANNELS) return;
    fail("format", this.#at(node), `ch ${INPUT_CHANNELS}, the channels of the picture`, describeNode(node));
  }

  /** The file's own choice among its scales; Ultralytics writes "" where there is none. */
  #scaleName(node: YamlNode | undefined): string | undefined {
    if (!node) return undefined;
    const value = this.#value(node);
    if (typeof value !== "string")
      fail("format", this.#at(node), "scale as the name of one of scales", describeNode(node));
    return value === "" ? undefined : value;
  }

  #fraction(node: YamlNode, what: string): number {
    const value = this.#value(node);
    if (typeof value !== "number" || !(value >= 0 && value < 1)) {
      fail("format", this.#at(node), `${what} in [0, 1)`, describeNode(node));
    }
    return value;
  }

  #preprocess(node: YamlNode | undefined): Preprocess | undefined {
    if (!node) return undefined;
    if (node.kind !== "map")
      fail("format", this.#at(node), "preprocess as a map of resize and letterbox", describeNode(node));
    const found: { resize?: Resize; letterbox?: boolean } = {};
    for (const { key, value } of node.items) {
      const [name, item] = [this.#value(key), this.#value(value)];
      const resize = RESIZES.find((one) => one === item);
      if (name === "resize" && resize) found.resize = resize;
      else if (name === "letterbox" && typeof item === "boolean") found.letterbox = item;
      else {
        const want = `resize (${RESIZES.join(", ")}) or letterbox (true, false)`;
        fail("format", this.#at(key), want, `${String(name)}: ${describeNode(value)}`);
      }
    }
    return found;
  }

  #scale(node: YamlNode | undefined, wanted: string | undefined): ScaleConfig {
    if (!node && wanted === undefined) return NO_SCALE;
    if (node?.kind !== "map")
      fail(
        "format",
        this.#at(node),
        "scales as a map of name: [depth, width, max_channels]",
        describeNode(node),
      );
    const pairs = node.items.map(({ key, value }) => [nameOf(key), value] as const);
    const pair = wanted === undefined ? pairs[0] : pairs.find(([name]) => name === wanted);
    if (!pair)
      fail(
        "format",
        this.#at(node),
        `scale ${cut(wanted ?? "(the first)")}`,
        cut(pairs.map(([name]) => name).join(", ")) || "none",
      );
    const [name, value] = pair;
    const numbers = value.kind === "sequence" ? value.items.map((item) => this.#value(item)) : [];
    const legal = numbers.length === 3 && numbers.every((n) => typeof n === "number" && n > 0);
    const [depth, width, maxChannels] = numbers as number[];
    // max_channels may be .inf, no limit.
    if (!legal || !Number.isFinite(depth) || !Number.isFinite(width))
      fail("format", this.#at(value), "[depth, width, max_channels], three numbers > 0", describeNode(value));
    return { name, depth, width, maxChannels };
  }

  /** The file's names, checked against its own number of classes where it tells one. */
  #names(node: YamlNode | undefined, fileNc: number | undefined): string[] | undefined {
    if (!node) return undefined;
    const items = node.kind === "scalar" ? [] : node.items;
    const nc = fileNc ?? items.length;
    const named = new Map<number, string>();
    items.forEach((item, i) => {
      const [number, name] = "key" in item ? [this.#classNumber(item.key, nc), item.value] : [i, item];
      if (named.has(number)) fail("format", this.#at(node), "each class number once", `${number} twice`);
      named.set(number, String(this.#value(name) ?? ""));
    });
    const names = Array.from({ length: nc }, (_, i) => named.get(i) ?? "");
    if (named.size !== nc || nc === 0 || names.includes("")) {
      fail("format", this.#at(node), `${nc} class names, one for each of nc`, String(named.size));
    }
    return names;
  }

  #classNumber(key: YamlNode, nc: number): number {
    const value = this.#value(key);
    const number = typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value;
    if (typeof number !== "number" || !Number.isInteger(number) || number < 0 || number >= nc) {
      fail("format", this.#at(key), `a class number in [0, ${nc})`, describeNode(key));
    }
    return number;
  }

  #layers(node: YamlNode, key: string): LayerConfig[] {
    if (node.kind !== "sequence" || node.items.length === 0) {
      fail("format", this.#at(node), `${key} as a list of layers`, describeNode(node));
    }
    return node.items.map((item) => this.#layer(item));
  }

  #layer(node: YamlNode): LayerConfig {
    const where = this.#at(node);
    if (node.kind !== "sequence" || node.items.length !== 4) {
      fail("format", where, "[from, repeats, module, arguments]", describeNode(node));
    }
    const [from, repeats, module, args] = node.items;
    const isList = from.kind === "sequence";
    const sources = isList ? from.items.map((item) => this.#value(item)) : [this.#value(from)];
    if (sources.length === 0 || !sources.every((s) => typeof s === "number" && Number.isInteger(s))) {
      fail("format", where, "from as a layer number or a list of them", describeNode(from));
    }
    const kind = this.#value(module);
    if (typeof kind !== "string") fail("format", where, "a module's name", describeNode(module));
    if (args.kind !== "sequence") fail("format", where, "arguments as a list", describeNode(args));
    return {
      from: isList ? (sources as number[]) : (sources[0] as number),
      repeats: this.#count(repeats, "repeats", MAX_REPEATS),
      module: kind,
      args: args.items.map((item) => this.#argument(item)),
      where,
    };
  }

  #argument(node: YamlNode): YamlArgument {
    const value = this.#value(node);
    if (value === "None") return null;
    if (value === "True" || value === "False") return value === "True";
    if (value !== undefined) return value;
    return fail(
      "format",
      this.#at(node),
      "a number, a word, true, false or None as argument",
      describeNode(node),
    );
  }
}

function isCount(value: unknown, most: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= most;
}

/** A key as it is named in messages, and a scale by its caller. */
function nameOf(key: YamlNode): string {
  return key.kind === "scalar" ? String(key.value) : describeNode(key);
}

function describeNode(node: YamlNode | undefined): string {
  if (!node) return "nothing";
  if (node.kind === "scalar") return cut(JSON.stringify(node.value));
  return node.kind === "sequence" ? `a list of ${node.items.length}` : `a map of ${node.items.length} keys`;
}

/** Text out of a file as messages show it: not all of a long one. */
function cut(text: string): string {
  return text.length > 120 ? `${text.slice(0, 120)}...` : text;
}
