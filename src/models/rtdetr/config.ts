/**
 * Model configurations: Ultralytics-style YAML text to a checked list of layers. A layer is
 * `[from, repeats, module, arguments]`; what the modules make of their arguments is in `layers.ts`.
 *
 * Beyond Ultralytics' keys (nc, scales, backbone, head) a file may have `names` (a list, or a map from class number)
 * and `conf` (the score above which this model's detections are worth showing).
 */
import { fail, messageOf } from "../../errors.ts";
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "../yaml-vendor.ts";

/** An argument as it stands in the file; "None" is null. */
export type YamlArgument = string | number | boolean | null;

/** One line of `backbone` or `head`. */
export interface LayerConfig {
  /** Layer numbers, or negative and relative. */
  readonly from: number | readonly number[];
  readonly repeats: number;
  readonly module: string;
  readonly args: readonly YamlArgument[];
  /** `file:line`, for messages. */
  readonly where: string;
}

/** Compound scaling: repeats times depth, channels times width, at most maxChannels before scaling. */
export interface ScaleConfig {
  readonly name: string;
  readonly depth: number;
  readonly width: number;
  readonly maxChannels: number;
}

/** A whole file. */
export interface ModelConfig {
  /** The file's name, for messages. */
  readonly source: string;
  readonly nc: number;
  readonly scale: ScaleConfig;
  readonly backbone: LayerConfig;
  readonly head: readonly LayerConfig[];
  /** Class names by number, where the file has them. */
  readonly names?: readonly string[];
  /** Score threshold that suits the model, where the file has one. */
  readonly conf?: number;
}

/** What the caller may override. */
export interface ConfigOptions {
  /** The file's name, for messages. */
  readonly source?: string;
  /** Number of classes instead of the file's. */
  readonly nc?: number;
  /** Name of the scale; the file's first unless said. */
  readonly scale?: string;
}

/** A file has a few thousand; more is a mistake. */
export const MAX_YAML_CHARACTERS = 1_000_000;
const NO_SCALE: ScaleConfig = { name: "", depth: 1, width: 1, maxChannels: Number.POSITIVE_INFINITY };

/** Parses and checks a model's YAML text. Errors (code "format") name the file, the line, and what was expected there. */
export function parseModelConfig(text: string, options: ConfigOptions = {}): ModelConfig {
  const source = options.source ?? "model.yaml";
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
  readonly #lines = new LineCounter();
  readonly #root: Node | null;

  constructor(text: string, source: string) {
    this.#source = source;
    try {
      const document = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false });
      const [error] = document.errors;
      if (error) {
        const { line } = this.#lines.linePos(error.pos[0]);
        fail("format", `${source}:${line}`, "valid YAML", error.message);
      }
      this.#root = document.contents;
      // Aliases would let one line stand for many; nothing here needs them.
      document.toJS({ maxAliasCount: 0 });
    } catch (error) {
      if (error instanceof Error && error.name === "MobileDetrError") throw error;
      fail("format", source, "YAML without aliases", messageOf(error));
    }
  }

  config(options: ConfigOptions): ModelConfig {
    const root = this.#root;
    if (!isMap(root)) fail("format", this.#source, "a map with nc, backbone and head", describeNode(root));
    const get = (key: string): Node | undefined => (root.get(key, true) as Node | undefined) ?? undefined;
    const need = (key: string): Node => {
      return (
        get(key) ??
        fail(
          "format",
          this.#source,
          `a key ${key}`,
          `keys ${root.items.map((i) => String(i.key)).join(", ")}`,
        )
      );
    };
    const nc = options.nc ?? this.#count(need("nc"), "nc, the number of classes");
    const backbone = this.#layers(need("backbone"), "backbone");
    if (backbone.length !== 1) {
      fail(
        "format",
        backbone[1]?.where ?? this.#source,
        "one backbone layer, a MobileNetV4 network",
        String(backbone.length),
      );
    }
    const names = get("names");
    const conf = get("conf");
    return {
      source: this.#source,
      nc,
      scale: this.#scale(get("scales"), options.scale),
      backbone: backbone[0],
      head: this.#layers(need("head"), "head"),
      names: names && this.#names(names, nc),
      conf: conf && this.#fraction(conf, "conf"),
    };
  }

  #at(node: Node | null | undefined): string {
    const start = node?.range?.[0];
    return start === undefined ? this.#source : `${this.#source}:${this.#lines.linePos(start).line}`;
  }

  #value(node: unknown): unknown {
    return isScalar(node) ? node.value : undefined;
  }

  #count(node: Node, what: string): number {
    const value = this.#value(node);
    if (typeof value !== "number" || !Number.isInteger(value) || value < 1) {
      fail("format", this.#at(node), `${what}, as a whole number >= 1`, describeNode(node));
    }
    return value;
  }

  #fraction(node: Node, what: string): number {
    const value = this.#value(node);
    if (typeof value !== "number" || !(value >= 0 && value < 1)) {
      fail("format", this.#at(node), `${what} in [0, 1)`, describeNode(node));
    }
    return value;
  }

  #scale(node: Node | undefined, wanted: string | undefined): ScaleConfig {
    if (!node && wanted === undefined) return NO_SCALE;
    if (!isMap(node))
      fail(
        "format",
        this.#at(node),
        "scales as a map of name: [depth, width, max_channels]",
        describeNode(node),
      );
    const pairs = node.items.map((item) => [String(item.key), item.value as Node] as const);
    const pair = wanted === undefined ? pairs[0] : pairs.find(([name]) => name === wanted);
    if (!pair)
      fail(
        "format",
        this.#at(node),
        `scale ${wanted ?? "(the first)"}`,
        pairs.map(([name]) => name).join(", "),
      );
    const [name, value] = pair;
    const numbers = isSeq(value) ? value.items.map((item) => this.#value(item)) : [];
    const legal = numbers.length === 3 && numbers.every((n) => typeof n === "number" && n > 0);
    if (!legal)
      fail("format", this.#at(value), "[depth, width, max_channels], three numbers > 0", describeNode(value));
    const [depth, width, maxChannels] = numbers as number[];
    return { name, depth, width, maxChannels };
  }

  #names(node: Node, nc: number): string[] {
    const names: string[] = [];
    if (isSeq(node))
      node.items.forEach((item, i) => {
        names[i] = String(this.#value(item) ?? "");
      });
    else if (isMap(node))
      for (const { key, value } of node.items) names[Number(String(key))] = String(this.#value(value) ?? "");
    const legal =
      names.length === nc && Array.from(names).every((name) => typeof name === "string" && name !== "");
    if (!legal) fail("format", this.#at(node), `${nc} class names, one for each of nc`, `${names.length}`);
    return names;
  }

  #layers(node: Node, key: string): LayerConfig[] {
    if (!isSeq(node) || node.items.length === 0) {
      fail("format", this.#at(node), `${key} as a list of layers`, describeNode(node));
    }
    return node.items.map((item) => this.#layer(item as Node));
  }

  #layer(node: Node): LayerConfig {
    const where = this.#at(node);
    if (!isSeq(node) || node.items.length !== 4) {
      fail("format", where, "[from, repeats, module, arguments]", describeNode(node));
    }
    const [from, repeats, module, args] = node.items as Node[];
    const sources = isSeq(from) ? from.items.map((item) => this.#value(item)) : [this.#value(from)];
    if (sources.length === 0 || !sources.every((s) => typeof s === "number" && Number.isInteger(s))) {
      fail("format", where, "from as a layer number or a list of them", describeNode(from));
    }
    const kind = this.#value(module);
    if (typeof kind !== "string") fail("format", where, "a module's name", describeNode(module));
    if (!isSeq(args)) fail("format", where, "arguments as a list", describeNode(args));
    return {
      from: isSeq(from) ? (sources as number[]) : (sources[0] as number),
      repeats: this.#count(repeats, "repeats"),
      module: kind,
      args: args.items.map((item) => this.#argument(item as Node)),
      where,
    };
  }

  #argument(node: Node): YamlArgument {
    const value = this.#value(node);
    if (value === "None") return null;
    if (value === "True" || value === "False") return value === "True";
    if (value === null || ["string", "number", "boolean"].includes(typeof value))
      return value as YamlArgument;
    return fail(
      "format",
      this.#at(node),
      "a number, a word, true, false or None as argument",
      describeNode(node),
    );
  }
}

function describeNode(node: unknown): string {
  if (isScalar(node)) return JSON.stringify(node.value) ?? "nothing";
  if (isSeq(node)) return `a list of ${node.items.length}`;
  if (isMap(node)) return `a map of ${node.items.length} keys`;
  return "nothing";
}
