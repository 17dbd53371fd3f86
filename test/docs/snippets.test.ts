/**
 * Every snippet of the README and of the pages under docs/ runs, on the built package, and prints what the page says. Blocks
 * that cannot be run carry a reason in their fence (`skip="..."`); Python is checked for its syntax where there is a Python.
 */
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { transformSync } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseModelConfig } from "../../src/models/rtdetr/config.ts";
import { RTDETRDetectionModel } from "../../src/models/rtdetr/model.ts";
import { saveSafetensors } from "../../src/weights/safetensors.ts";
import { seededImage } from "../../src/weights/seeded-image.ts";
import { seededTensor } from "../../src/weights/seeded-state.ts";
import { commandsOf, comparable, patternOf, type Snippet, snippetsOf } from "./snippets.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const PAGES = [
  "README.md",
  "CONTRIBUTING.md",
  "examples/README.md",
  "models/README.md",
  ...readdirSync(join(ROOT, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];
/** Languages that run, those that are looked at, and those that are read by the programs around them. */
const LANGUAGES = ["js", "mjs", "ts", "sh", "session", "python", "yaml", "json", "html"];

const python = ["python3", "python"].find((name) => spawnSync(name, ["--version"]).status === 0);

function text(page: string): string {
  return readFileSync(join(ROOT, page), "utf8");
}

/** Commands of the pages that are this package's, or done already. */
const SHIMS: Readonly<Record<string, string>> = {
  mobiledetr: `exec "${process.execPath}" "${ROOT}dist/cli/main.js" "$@"`,
  npx: `[ "$1" = mobiledetr ] || { echo "npx $1: not in the tests" >&2; exit 9; }\nshift\nexec mobiledetr "$@"`,
  npm: `[ "$*" = ci ] || { echo "npm $*: not in the tests" >&2; exit 9; }`,
};

/** What the pages take for granted: a picture, pictures, models, weights and an input of the reader's. */
function furnish(folder: string, page: string): void {
  cpSync(join(ROOT, "examples/pictures/wall.jpg"), join(folder, "photo.jpg"));
  cpSync(join(ROOT, "test/golden/formats/webp/lossy.webp"), join(folder, "photo.webp"));
  cpSync(join(ROOT, "examples/pictures"), join(folder, "examples/pictures"), { recursive: true });
  cpSync(join(ROOT, "models"), join(folder, "models"), { recursive: true });
  cpSync(join(ROOT, "test/golden/val"), join(folder, "test/golden/val"), { recursive: true });
  mkdirSync(join(folder, "bin"));
  for (const [name, script] of Object.entries(SHIMS)) {
    writeFileSync(join(folder, "bin", name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, "bin", name), 0o755);
  }
  if (/\bmine\.safetensors/.test(page)) {
    const yaml = text("models/rtdetr-mobilenetv4.yaml");
    const model = new RTDETRDetectionModel(parseModelConfig(yaml));
    const shapes = new Map([...model.stateDict()].map(([name, tensor]) => [name, tensor.shape]));
    saveSafetensors(
      join(folder, "mine.safetensors"),
      [...shapes].map(([name, shape]) => {
        const data = seededTensor(name, shape, { has: (key) => shapes.has(key) });
        return data instanceof Float32Array
          ? [name, { dtype: "F32", shape, data }]
          : [name, { dtype: "I64", shape, data }];
      }),
    );
  }
  if (/\bin\.safetensors/.test(page)) {
    const data = seededImage(0, 320, 320);
    saveSafetensors(join(folder, "in.safetensors"), [
      ["images", { dtype: "F32", shape: [1, 3, 320, 320], data }],
    ]);
  }
}

describe.each(PAGES)("%s", (page) => {
  const snippets = snippetsOf(text(page));
  // Inside the project, so that `import "mobiledetr"` means this package.
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(ROOT, "runs-test-"));
    furnish(folder, text(page));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  function shell(command: string): string {
    return execFileSync("bash", ["--norc", "-euo", "pipefail", "-c", command], {
      stdio: ["ignore", "pipe", "pipe"],
      cwd: folder,
      encoding: "utf8",
      env: { ...process.env, PATH: `${join(folder, "bin")}${delimiter}${process.env.PATH}`, NO_COLOR: "1" },
      timeout: 60_000,
    });
  }

  function runProgram(code: string, line: number): string {
    const file = join(folder, `snippet-${line}.mjs`);
    writeFileSync(file, code);
    return execFileSync(process.execPath, [file], { cwd: folder, encoding: "utf8", timeout: 60_000 });
  }

  function checkTypes(code: string, line: number): void {
    const file = join(folder, `snippet-${line}.ts`);
    writeFileSync(file, code);
    const options =
      "--noEmit --ignoreConfig --strict --exactOptionalPropertyTypes --module nodenext --target es2022";
    const lib = "--lib es2022,esnext.disposable,dom --types node --skipLibCheck";
    const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
    const { status, stdout } = spawnSync(
      process.execPath,
      [tsc, ...options.split(" "), ...lib.split(" "), file],
      { cwd: ROOT, encoding: "utf8" },
    );
    expect(stdout).toBe("");
    expect(status).toBe(0);
  }

  function run({ language, code, line, file }: Snippet): string | undefined {
    if (file !== undefined) writeFileSync(join(folder, file), code);
    switch (language) {
      case "js":
      case "mjs":
        return runProgram(code, line);
      case "ts":
        checkTypes(code, line);
        return runProgram(transformSync(code, { loader: "ts", target: "node20" }).code, line);
      case "sh":
        return shell(code);
      case "session":
        for (const { command, output } of commandsOf(code)) {
          expect(comparable(shell(`{ ${command}; } 2>&1 || true`), ROOT), command).toMatch(patternOf(output));
        }
        return undefined;
      case "python":
        if (python)
          execFileSync(python, ["-c", "import ast, sys; ast.parse(sys.stdin.read())"], { input: code });
        return undefined;
      case "json":
        JSON.parse(code);
        return undefined;
      default:
        return undefined; // a file that a later snippet reads
    }
  }

  const runnable = snippets.filter((snippet) => snippet.skip === undefined);
  if (runnable.length > 0) {
    it.each(runnable)("line $line, $language", (snippet) => {
      expect(LANGUAGES).toContain(snippet.language);
      const output = run(snippet);
      if (snippet.output !== undefined) {
        expect(output).toBeDefined();
        expect(comparable(output ?? "", ROOT)).toMatch(patternOf(snippet.output));
      }
    });
  }

  it("links to files that exist", () => {
    const links = [...text(page).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, link]) => link);
    expect(links.filter((link) => !existsSync(join(ROOT, dirname(page), link)))).toEqual([]);
  });
});

it("says why where a snippet is not run, and there are few", () => {
  const skipped = PAGES.flatMap((page) =>
    snippetsOf(text(page)).flatMap(({ skip, line }) =>
      skip === undefined ? [] : [`${page}:${line}: ${skip}`],
    ),
  );
  console.log(skipped.join("\n"));
  expect(skipped.filter((line) => line.startsWith("README"))).toEqual([]);
  expect(skipped.length).toBeLessThanOrEqual(12);
});

it("are found where they are", () => {
  const found = snippetsOf(
    'a\n```js\n1\n```\n\n```\n1\n```\n```sh skip="x y"\nls\n```\ntext\n```\n$ ls\na ... b\n```\n',
  );
  expect(found).toMatchObject([
    { line: 2, language: "js", code: "1\n", output: "1" },
    { line: 9, language: "sh", skip: "x y", output: undefined },
    { line: 13, language: "session" },
  ]);
  expect(commandsOf(found[2].code)).toEqual([{ command: "ls", output: "a ... b\n" }]);
  expect("a 1 b").toMatch(patternOf("a ... b"));
  expect("a 1 c").not.toMatch(patternOf("a ... b"));
  expect(comparable("x 12 ms", ROOT)).toMatch(patternOf("x 9 ms"));
});
