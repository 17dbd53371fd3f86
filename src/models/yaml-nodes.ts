/**
 * YAML text to a tree of nodes that know their lines: the parser's events, put together. Scalars are those of YAML 1.2's
 * core schema (https://yaml.org/spec/1.2.2/#103-core-schema), whatever version a %YAML line names. One document, each key
 * of a map once, tags of the core schema alone, and no aliases, which would let one line stand for many. `<<` is a key as
 * any other. What the maps mean is not known here.
 */
import { fail } from "../errors.ts";
import {
  EVENT_ID,
  type Event,
  getScalarValue,
  parseEvents,
  SCALAR_STYLE,
  type ScalarEvent,
  YAMLException,
} from "./yaml-vendor.ts";

/** A word, a number, true, false or null. */
export interface YamlScalar {
  readonly kind: "scalar";
  readonly value: string | number | boolean | null;
  /** Counts from 1. */
  readonly line: number;
}

/** A list. */
export interface YamlSequence {
  readonly kind: "sequence";
  readonly items: YamlNode[];
  /** Counts from 1. */
  readonly line: number;
}

/** A key of a map and what it stands for. */
export interface YamlPair {
  readonly key: YamlNode;
  readonly value: YamlNode;
}

/** A map, in the order of the text. */
export interface YamlMap {
  readonly kind: "map";
  readonly items: YamlPair[];
  /** Counts from 1. */
  readonly line: number;
}

/** Whatever a YAML text consists of. */
export type YamlNode = YamlScalar | YamlSequence | YamlMap;

/** A model's YAML nests five deep; the parser calls itself at every level. */
const MAX_DEPTH = 100;

const CORE_TAGS = "tag:yaml.org,2002:";

const INTEGER = /^(?:[-+]?\d+|0o[0-7]+|0x[\da-fA-F]+)$/;

/** From the end of what was last to the dash of an item without a value. */
const EMPTY_ITEM = /(?:[\s[\]{}"':,?]|#[^\r\n]*)*-/y;

/** In the text of a double-quoted scalar, which the parser lets pass. */
const BEYOND_UNICODE = /(?:^|[^\\])(?:\\\\)*\\U(?!00(?:0|10))/;

/** How many characters are parsed again at most, to mend what {@link eventsOf} names. */
const MAX_PARSED_AGAIN = 10_000_000;

/** Tabs, but for those that a line begins with. */
const TABS = /(^[ \t]+)|\t/gm;

/**
 * The document's root, undefined where the text holds none. Errors (code "format") name `source`, the file, and the line.
 */
export function parseYaml(text: string, source: string): YamlNode | undefined {
  const parsed = eventsOf(text, source);
  return new Builder(parsed.text, source).root(parsed.events);
}

/**
 * The events, and the text that their offsets are of: with spaces where some lines begin, and the lines of `text`.
 *
 * The parser calls two things a lack of indentation that people write and other parsers take: a tab within a line before or
 * in a list or map in brackets, which is legal, and a closing bracket right below the key, as in JSON. They are mended here.
 */
function eventsOf(text: string, source: string): { text: string; events: Event[] } {
  let [current, withoutTabs, mended] = [text, false, -1];
  for (let again = MAX_PARSED_AGAIN; ; again -= text.length) {
    try {
      const parsed = withoutTabs ? current.replace(TABS, (_, start?: string) => start ?? " ") : current;
      return { text: current, events: parseEvents(parsed, { maxDepth: MAX_DEPTH }) };
    } catch (error) {
      if (!(error instanceof YAMLException)) throw error;
      const { position = -1, line = 0, column = 0 } = error.mark ?? {};
      const isDeficient = error.reason === "deficient indentation";
      const isMendable = isDeficient && again > 0;
      if (isMendable && !withoutTabs && current.includes("\t")) {
        withoutTabs = true; // each is one space, so that the offsets are the same
      } else if (isMendable && /[\]}]/.test(current.charAt(position)) && position !== mended + 1) {
        current = `${current.slice(0, position - column)} ${current.slice(position - column)}`;
        mended = position;
      } else {
        const isEnd = isDeficient && position >= current.length;
        const got = isEnd ? "the end of the text within brackets or quotes" : error.reason;
        fail("format", `${source}:${line + 1}`, "valid YAML", got);
      }
    }
  }
}

/** A list or map that is not at its end. */
interface Open {
  readonly node: YamlSequence | YamlMap;
  /** Of a map: the keys so far, and the one that waits for its value. */
  readonly keys: Set<unknown>;
  key?: YamlNode;
}

/** Where an event's tag is, and its anchor ends; -1 without one. */
interface Tagged {
  readonly tagStart: number;
  readonly tagEnd: number;
  readonly anchorEnd: number;
}

class Builder {
  readonly #text: string;
  readonly #source: string;
  /** How far the text is known, and the line there; events come in the order of the text. */
  #offset = 0;
  #line = 1;
  /** What the handles of tags stand for, where %TAG lines say so. */
  readonly #prefixes = new Map<string, string>();

  constructor(text: string, source: string) {
    this.#text = text;
    this.#source = source;
  }

  root(events: readonly Event[]): YamlNode | undefined {
    let root: YamlNode | undefined;
    let documents = 0;
    const open: Open[] = [];
    const add = (node: YamlNode): void => {
      const parent = open.at(-1);
      if (parent) this.#addTo(parent, node);
      else root = node;
      if (node.kind !== "scalar") open.push({ node, keys: new Set() });
    };
    for (const event of events) {
      switch (event.type) {
        case EVENT_ID.DOCUMENT:
          // Only the text tells where it starts, or else where the one before it ended.
          if (event.explicitStart) this.#find(/^\uFEFF?---(?=\s|$)/gm);
          else if (documents > 0) this.#find(/^\.\.\.(?=\s|$)/gm);
          if (documents++ > 0) this.#fail(this.#line, "one YAML document", "the start of another");
          for (const directive of event.directives) {
            if (directive.kind === "tag") this.#prefixes.set(directive.handle, directive.prefix);
          }
          break;
        case EVENT_ID.SEQUENCE:
          this.#checkTag(event, "seq");
          add({ kind: "sequence", items: [], line: this.#lineAt(event.start) });
          break;
        case EVENT_ID.MAPPING:
          this.#checkTag(event, "map");
          add({ kind: "map", items: [], line: this.#lineAt(event.start) });
          break;
        case EVENT_ID.SCALAR:
          add(this.#scalar(event, open.at(-1)?.node.kind === "sequence"));
          break;
        case EVENT_ID.ALIAS: {
          const name = this.#text.slice(event.anchorStart, event.anchorEnd);
          this.#fail(this.#lineAt(event.anchorStart), "YAML without aliases", `*${name}`);
          break;
        }
        default: // the end of what was opened last, or of the document
          open.pop();
      }
    }
    return root;
  }

  #addTo(parent: Open, node: YamlNode): void {
    if (parent.node.kind === "sequence") {
      parent.node.items.push(node);
    } else if (parent.key) {
      parent.node.items.push({ key: parent.key, value: node });
      parent.key = undefined;
    } else {
      if (node.kind === "scalar") {
        if (parent.keys.has(node.value)) {
          this.#fail(node.line, "each key of a map once", `${node.value} twice`);
        }
        parent.keys.add(node.value);
      }
      parent.key = node;
    }
  }

  /** `isItem`: of a list. */
  #scalar(event: ScalarEvent, isItem: boolean): YamlScalar {
    const { style, valueStart, valueEnd } = event;
    const tag = this.#tag(event);
    const text = getScalarValue(this.#text, event);
    const value = tag === "" && style === SCALAR_STYLE.PLAIN ? coreValue(text) : taggedValue(tag, text);
    if (value === undefined) this.#failTag(event);
    if (valueStart < 0) {
      // An item that is not there stands where its dash is; between it and what was last are only ends and comments.
      if (isItem && event.tagStart < 0 && event.anchorStart < 0) this.#find(EMPTY_ITEM);
      return { kind: "scalar", value, line: this.#line };
    }
    // A block's text begins in the line behind its own.
    const isBlock = style === SCALAR_STYLE.LITERAL_BLOCK || style === SCALAR_STYLE.FOLDED_BLOCK;
    const line = this.#lineAt(isBlock ? valueStart - 1 : valueStart);
    if (style === SCALAR_STYLE.DOUBLE_QUOTED && BEYOND_UNICODE.test(this.#text.slice(valueStart, valueEnd))) {
      this.#fail(line, "valid YAML", "an escaped character beyond U+10FFFF");
    }
    this.#lineAt(valueEnd);
    return { kind: "scalar", value, line };
  }

  /** A node's tag: "" without one, of a core tag the name alone, another in full. */
  #tag(event: Tagged): string {
    const { tagStart, tagEnd, anchorEnd } = event;
    this.#lineAt(Math.max(tagEnd, anchorEnd));
    if (tagStart < 0) return "";
    const raw = this.#text.slice(tagStart, tagEnd);
    const handle = /^!(?:[\w-]*!)?/.exec(raw)?.[0] ?? "";
    const suffix = raw.slice(handle.length);
    const prefix = this.#prefixes.get(handle) ?? (handle === "!!" ? CORE_TAGS : handle);
    const tag = suffix.startsWith("<") ? suffix.slice(1, -1) : prefix + suffix;
    return tag.startsWith(CORE_TAGS) ? tag.slice(CORE_TAGS.length) : tag;
  }

  #checkTag(event: Tagged, kind: string): void {
    if (!["", "!", kind].includes(this.#tag(event))) this.#failTag(event);
  }

  #failTag({ tagStart, tagEnd }: Tagged): never {
    const tag = this.#text.slice(tagStart, tagEnd);
    return this.#fail(this.#line, "one of YAML's core tags on a value of its kind", tag, "leave it out");
  }

  /** Goes on to the end of what is found from here, if it is. */
  #find(pattern: RegExp): void {
    pattern.lastIndex = this.#offset;
    if (pattern.test(this.#text)) this.#lineAt(pattern.lastIndex);
  }

  /** The line of an offset that is not behind what is known; goes on to there. */
  #lineAt(offset: number): number {
    for (; this.#offset < offset; this.#offset++) {
      const code = this.#text.charCodeAt(this.#offset);
      // A line ends in LF, CR LF or CR.
      if (code === 10 || (code === 13 && this.#text.charCodeAt(this.#offset + 1) !== 10)) this.#line++;
    }
    return this.#line;
  }

  #fail(line: number, expected: string, got: string, mend?: string): never {
    return fail("format", `${this.#source}:${line}`, expected, got, mend);
  }
}

/** A plain scalar's value. */
function coreValue(text: string): YamlScalar["value"] {
  if (/^(?:~|null|Null|NULL)?$/.test(text)) return null;
  if (/^(?:true|True|TRUE)$/.test(text)) return true;
  if (/^(?:false|False|FALSE)$/.test(text)) return false;
  if (INTEGER.test(text) || /^[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?$/.test(text)) return Number(text);
  if (/^[-+]?\.(?:inf|Inf|INF)$/.test(text)) return text.startsWith("-") ? -Infinity : Infinity;
  return /^\.(?:nan|NaN|NAN)$/.test(text) ? Number.NaN : text;
}

/** The value of a scalar that is quoted, a block, or has a tag; undefined if the tag is not for it. */
function taggedValue(tag: string, text: string): YamlScalar["value"] | undefined {
  if (tag === "" || tag === "!" || tag === "str") return text;
  const value = coreValue(text);
  const fits =
    (tag === "null" && value === null) ||
    (tag === "bool" && typeof value === "boolean") ||
    (tag === "int" && INTEGER.test(text)) ||
    (tag === "float" && typeof value === "number");
  return fits ? value : undefined;
}
