/**
 * From the words after `detect` to the pictures that they stand for, one by one: of a million files one folder's names are in
 * memory, no more. A word that stands for nothing is an item with its error; the others follow.
 */
import { closeSync, openSync, readdirSync, readSync, type Stats, statSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { describe, fail, MobileDetrError, messageOf } from "../errors.ts";
import { sniffFormat } from "../image/sniff.ts";
import { isUrl } from "./fetch-picture.ts";
import { statusOf } from "./file-status.ts";
import { globFiles, isPattern } from "./path-glob.ts";

/** A picture, or why a word stands for none. */
export type Source = {
  /** As the user gave it, or a path below that: what messages and results call it. */
  readonly name: string;
} & (
  | { readonly kind: "file" | "url" }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "failed"; readonly error: unknown }
);

/** Standard input, or what takes its place. */
export type ByteStream = AsyncIterable<Uint8Array>;

/** What {@link expandSources} needs beside words. */
export interface SourceOptions {
  /** What `-` stands for. */
  readonly stdin?: ByteStream;
  /** The most bytes of a picture on standard input. */
  readonly maxBytes: number;
}

/** The word for standard input. */
export const STDIN = "-";

const PICTURE_NAME = /\.(jpe?g|png|bmp|gif)$/i;
/** A pattern whose last part says an ending asks for that one. */
const OWN_ENDING = /\.[^.*?[\]{}/]+$/;
const EXPECTED = "a picture file or a folder";
const HEAD_BYTES = 512; // enough to tell text from a picture
const LONGEST_LINE = 65536; // bytes: longer than paths are anywhere, and URLs

/**
 * A file that is there stands for itself, whatever its name, a folder for the .jpg, .jpeg, .png, .bmp and .gif files in it. Else a word is
 * a URL, a pattern, `-` or a list: `@list.txt`, or a text file whose name ends in .txt. Lists hold files, folders, patterns and URLs.
 */
export async function* expandSources(
  words: readonly string[],
  { stdin, maxBytes }: SourceOptions,
): AsyncGenerator<Source> {
  let input = stdin;
  for (const word of words) {
    try {
      if (word === STDIN) {
        if (!input) fail("file", STDIN, "standard input once", "it a second time");
        const bytes = input;
        input = undefined;
        yield* fromStandardInput(bytes, maxBytes);
      } else if (word.length > 1 && word.startsWith("@") && !statusOf(word)) {
        yield* fromList(word.slice(1), fileChunks(word.slice(1)));
      } else if (/\.txt$/i.test(word) && isTextFile(word)) yield* fromList(word, fileChunks(word));
      else yield* expand(word);
    } catch (error) {
      yield failed(word, error);
    }
  }
}

function failed(name: string, error: unknown): Source {
  if (!(error instanceof MobileDetrError)) throw error;
  return { kind: "failed", name, error };
}

/** What a word or a line stands for. */
function* expand(source: string): Generator<Source> {
  if (isUrl(source)) yield { kind: "url", name: source };
  else if (isPattern(source) && !statusOf(source)) yield* fromPattern(source);
  else yield* fromPath(source);
}

function* fromPattern(pattern: string): Generator<Source> {
  const errors: Source[] = [];
  const take = (name: string, error: unknown): void => {
    const text = describe(name, "a folder that can be read", messageOf(error));
    errors.push({ kind: "failed", name, error: new MobileDetrError("file", text, { cause: error }) });
  };
  const all = OWN_ENDING.test(pattern);
  let count = 0;
  for (const name of globFiles(pattern, take)) {
    yield* errors.splice(0);
    if (!all && !PICTURE_NAME.test(name)) continue;
    count++;
    yield { kind: "file", name };
  }
  count += errors.length;
  yield* errors;
  if (count === 0) fail("file", pattern, "a pattern that fits pictures", "one that fits none");
}

function* fromPath(source: string): Generator<Source> {
  const stats = statOf(source);
  if (stats.isFile()) return yield { kind: "file", name: source };
  // Reading a pipe or a device might wait, or go on, for ever.
  if (!stats.isDirectory()) fail("file", source, EXPECTED, "a device or pipe");
  let names: string[];
  try {
    names = readdirSync(source);
  } catch (error) {
    fail("file", source, "a folder that can be read", messageOf(error));
  }
  let count = 0;
  for (const name of names.filter((one) => PICTURE_NAME.test(one)).sort()) {
    const path = join(source, name);
    if (!(statusOf(path)?.isFile() ?? true)) continue; // a broken link is an error of its own
    count++;
    yield { kind: "file", name: path };
  }
  if (count === 0)
    fail("file", source, "a folder with .jpg, .jpeg, .png, .bmp or .gif files", "one with none of them");
}

function statOf(path: string): Stats {
  try {
    return statSync(path);
  } catch (error) {
    const missing = error instanceof Error && "code" in error && error.code === "ENOENT";
    const got = missing ? "no such file or folder" : messageOf(error);
    throw new MobileDetrError("file", describe(path, EXPECTED, got), { cause: error });
  }
}

/** A picture's bytes, or a list. */
async function* fromStandardInput(stream: ByteStream, maxBytes: number): AsyncGenerator<Source> {
  const chunks = stream[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  while (head.length < HEAD_BYTES && !isText(head, true)) {
    const { value, done } = await chunks.next();
    if (done) break;
    head = Buffer.concat([head, value]);
  }
  if (head.length === 0) fail("file", STDIN, "a picture or a list on standard input", "no bytes at all");
  const all = rest(head, chunks);
  if (isText(head)) return yield* fromList(STDIN, all);
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of all) {
    parts.push(part);
    length += part.length;
    if (length > maxBytes)
      fail("memory", STDIN, `a picture of at most ${maxBytes} bytes`, "more", "raise --max-bytes");
  }
  yield { kind: "bytes", name: STDIN, bytes: new Uint8Array(Buffer.concat(parts)) };
}

async function* rest(
  first: Uint8Array,
  others: AsyncIterator<Uint8Array>,
): ByteStream & AsyncGenerator<Uint8Array> {
  yield first;
  for (let item = await others.next(); !item.done; item = await others.next()) yield item.value;
}

/** Whether bytes are a list's; `whole`: and one name of it is complete. Between NULs names may have control characters. */
function isText(bytes: Uint8Array, whole = false): boolean {
  const head = bytes.subarray(0, HEAD_BYTES);
  const plain = head.map((byte) =>
    byte === 0 ? 10 : byte < 32 && byte !== 9 && byte !== 10 && byte !== 13 ? 63 : byte,
  );
  const { name } = sniffFormat(head);
  const text = /^(text|blank text)/;
  const listed =
    text.test(name) || (name.startsWith("unknown") && head.includes(0) && text.test(sniffFormat(plain).name));
  return listed && (!whole || plain.includes(10));
}

function isTextFile(path: string): boolean {
  try {
    if (!statusOf(path)?.isFile()) return false;
    const head = Buffer.alloc(HEAD_BYTES);
    const file = openSync(path, "r");
    const length = readSync(file, head, 0, HEAD_BYTES, 0);
    closeSync(file);
    return length === 0 || isText(head.subarray(0, length));
  } catch {
    return false; // said where it is read as a picture
  }
}

async function* fileChunks(path: string): AsyncGenerator<Uint8Array> {
  if (!statOf(path).isFile()) fail("file", path, "a file with a list", "none");
  const file = openSync(path, "r");
  try {
    for (;;) {
      const chunk = Buffer.alloc(LONGEST_LINE);
      const length = readSync(file, chunk);
      if (length === 0) return;
      yield chunk.subarray(0, length);
    }
  } finally {
    closeSync(file);
  }
}

/** A source a line, or between NULs where the first piece has one. A path that is not here may be beside the list. */
async function* fromList(list: string, chunks: ByteStream): AsyncGenerator<Source> {
  let count = 0;
  for await (const line of linesOf(list, chunks)) {
    count++;
    try {
      const beside = join(dirname(list), line);
      const there =
        list !== STDIN && !isAbsolute(line) && !isUrl(line) && !statusOf(line) && statusOf(beside);
      yield* expand(there ? beside : line);
    } catch (error) {
      yield failed(line, error);
    }
  }
  if (count === 0) fail("file", list, "a list of pictures, one a line", "an empty one");
}

async function* linesOf(list: string, chunks: ByteStream): AsyncGenerator<string> {
  let [left, separator] = [Buffer.alloc(0), -1];
  const text = (bytes: Uint8Array): string => {
    const line = new TextDecoder().decode(bytes);
    return separator === 0 ? line : line.replace(/\r$/, "").trim() && line.replace(/\r$/, "");
  };
  for await (const chunk of chunks) {
    if (separator < 0) separator = chunk.includes(0) ? 0 : chunk.includes(10) ? 10 : -1;
    left = Buffer.concat([left, chunk]);
    for (let end = left.indexOf(separator); separator >= 0 && end >= 0; end = left.indexOf(separator)) {
      const line = text(left.subarray(0, end));
      left = left.subarray(end + 1);
      if (line) yield line;
    }
    if (left.length > LONGEST_LINE)
      fail("format", list, `lines of at most ${LONGEST_LINE} bytes`, "a longer one");
  }
  const line = text(left);
  if (line) yield line;
}
