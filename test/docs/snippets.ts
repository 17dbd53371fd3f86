/**
 * The fenced blocks of a Markdown file, as the tests run them. The fence's info string begins with the language and may go on
 * with `skip="why it cannot be run"` or `file="name"` (the block is that file). A block without a language right behind a
 * program is what it prints; one that begins with `$ ` is a session: commands and what they print.
 */

/** One block that could be run. */
export interface Snippet {
  /** Of the fence, from 1. */
  readonly line: number;
  /** js, ts, sh, python, yaml, ..., or "session". */
  readonly language: string;
  readonly code: string;
  /** Why it is not run. */
  readonly skip?: string;
  /** Name of the file that it is. */
  readonly file?: string;
  /** What it prints, where the page says so. */
  readonly output?: string;
}

interface Block {
  line: number;
  info: string;
  lines: string[];
  /** True where nothing but empty lines stands between it and the block before. */
  follows: boolean;
}

function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  let open: Block | undefined;
  let follows = false;
  markdown.split("\n").forEach((text, i) => {
    const fence = text.match(/^```(.*)$/);
    if (open) {
      if (fence && fence[1] === "") {
        blocks.push(open);
        open = undefined;
        follows = true;
      } else open.lines.push(text);
    } else if (fence) open = { line: i + 1, info: fence[1].trim(), lines: [], follows };
    else if (text.trim() !== "") follows = false;
  });
  if (open) throw new Error(`a block that begins in line ${open.line} does not end`);
  return blocks;
}

/** Every program, session and file of a page, in order. */
export function snippetsOf(markdown: string): Snippet[] {
  const blocks = blocksOf(markdown);
  return blocks.flatMap(({ line, info, lines }, i) => {
    const attribute = (name: string): string | undefined =>
      info.match(new RegExp(`\\b${name}="([^"]+)"`))?.[1];
    const [word = ""] = info.split(/\s/);
    const session = lines[0]?.startsWith("$ ");
    if ((word === "" || word.includes("=")) && !session) return []; // an output, or a drawing
    const next = blocks[i + 1];
    const isOutput = next?.follows && next.info === "" && !next.lines[0]?.startsWith("$ ");
    return {
      line,
      language: session ? "session" : word,
      code: `${lines.join("\n")}\n`,
      skip: attribute("skip"),
      file: attribute("file"),
      output: isOutput ? next.lines.join("\n") : undefined,
    };
  });
}

/** A session's commands, each with what it prints. */
export function commandsOf(session: string): { command: string; output: string }[] {
  return session
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const [command, ...output] = part.split("\n");
      return { command, output: output.join("\n") };
    });
}

/** What is another on every machine and in every run: times, and how many threads there are. */
function masked(text: string): string {
  return text
    .replaceAll(/\(decode \d+, preprocess \d+, inference \d+, postprocess \d+\)/g, "(steps)")
    .replaceAll(/"speed":\{[^}]*\}/g, '"speed":{}')
    .replaceAll(/\b\d+ ms\b/g, "# ms")
    .replaceAll(/\b\d+ threads?\b/g, "# threads")
    .replaceAll(/[ \t]+$/gm, "")
    .trim();
}

/** What an output must match to be the printed one: the same text, but for what is masked; `...` stands for anything. */
export function patternOf(printed: string): RegExp {
  const parts = masked(printed)
    .split("...")
    .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join("[^]*?")}$`);
}

/** An output made comparable with {@link patternOf}: paths below `root` are told from there, as on the pages. */
export function comparable(output: string, root: string): string {
  return masked(output.replaceAll(root, ""));
}
