/** `mobiledetr detect` against PyTorch's outputs for the default model, and on all that can go wrong with files. */
import { spawn } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { selectDetections } from "../../src/detector/detections.ts";
import { decodeImage } from "../../src/image/decode.ts";
import { openSafetensors, saveSafetensors } from "../../src/weights/safetensors.ts";
import { DETECTION_ROWS } from "../tolerances.ts";
import { rawFile } from "../weights/raw-file.ts";
import { filesBelow, PICTURES, runCli, scratchFolder } from "./run-cli.ts";

const CLI = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const GOLDEN = fileURLToPath(new URL("../golden/codes/", import.meta.url));
const WEIGHTS = fileURLToPath(new URL("../../models/codes.f16.safetensors", import.meta.url));
const NAMES = ["barcode", "qr", "datamatrix", "aztec", "pdf417", "maxicode"];
const CONF = 0.4; // of models/codes.yaml

interface Line {
  source: string;
  width: number;
  height: number;
  detections: { box: number[]; score: number; class: number; name: string }[];
  speed: Record<string, number>;
}

const scratch = scratchFolder();

/** Standard output as JSON lines; fails on anything else there. */
function jsonLines(stdout: string): Line[] {
  expect(stdout).toMatch(/\n$/);
  return stdout
    .slice(0, -1)
    .split("\n")
    .map((line) => JSON.parse(line));
}

/** A new folder with files of these contents. */
function folder(name: string, files: Record<string, Uint8Array | string>): string {
  const path = join(scratch, name);
  mkdirSync(path, { recursive: true });
  for (const [file, content] of Object.entries(files)) {
    mkdirSync(dirname(join(path, file)), { recursive: true });
    writeFileSync(join(path, file), content);
  }
  return path;
}

/** Rows of two lists that differ: [class, score, x1, y1, x2, y2], matched greedily by nearness. */
function expectSameDetections(actual: Line["detections"], expected: Line["detections"], side: number): void {
  const left = [...expected];
  for (const found of actual) {
    const distances = left.map((other) =>
      other.class === found.class
        ? Math.max(
            Math.abs(found.score - other.score),
            ...found.box.map((v, i) => Math.abs(v - other.box[i]) / side),
          )
        : Number.POSITIVE_INFINITY,
    );
    const nearest = distances.indexOf(Math.min(...distances));
    expect(distances[nearest]).toBeLessThan(DETECTION_ROWS.abs);
    left.splice(nearest, 1);
  }
  expect(left).toEqual([]);
}

describe("mobiledetr detect --json", () => {
  it("prints one line for each picture and nothing else, equal to PyTorch's detections within 1e-3", async () => {
    const names = ["wall", "cat", "coffee"];
    const sources = names.map((name) => join(GOLDEN, `${name}.640.png`));
    const cwd = folder("json", {});
    const { code, stdout, stderr } = await runCli(["detect", ...sources, "--json"], { cwd });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const lines = jsonLines(stdout);
    expect(lines.map(({ source }) => source)).toEqual(sources);
    lines.forEach((line, i) => {
      expect(Object.keys(line)).toEqual(["source", "width", "height", "detections", "speed"]);
      expect([line.width, line.height]).toEqual([640, 640]);
      expect(Object.keys(line.speed)).toEqual(["decode", "preprocess", "inference", "postprocess"]);
      for (const ms of Object.values(line.speed)) expect(ms).toBeGreaterThanOrEqual(0);
      for (const item of line.detections)
        expect(Object.keys(item)).toEqual(["box", "score", "class", "name"]);
      using golden = openSafetensors(join(GOLDEN, `${names[i]}.output.safetensors`));
      const output = golden.read("output0") as Float32Array;
      const expected = selectDetections(output, NAMES, 640, 640, { conf: CONF });
      expect(expected.length).toBeGreaterThan(0);
      expectSameDetections(line.detections, expected as unknown as Line["detections"], 640);
    });
    expect(filesBelow(cwd)).toEqual([]); // nothing is drawn unless --out is given
  });

  it("keeps what --conf, --classes, --max-det and --sort say", async () => {
    const source = join(PICTURES, "wall.jpg");
    const run = async (...words: string[]): Promise<Line["detections"]> =>
      jsonLines((await runCli(["detect", source, "--json", ...words])).stdout)[0].detections;
    const [all, sorted, named] = await Promise.all([
      run("--conf", "0.05"),
      run("--conf", "0.05", "--sort", "--max-det", "3"),
      run("--classes", "datamatrix,0"),
    ]);
    expect(all.length).toBeGreaterThan(4);
    const best = all.map(({ score }) => score).sort((a, b) => b - a);
    expect(sorted.map(({ score }) => score)).toEqual(best.slice(0, 3));
    expect(new Set(named.map(({ name }) => name))).toEqual(new Set(["datamatrix", "barcode"]));
  });

  it("gives the same numbers with 1 and 2 threads, and stretches to --imgsz, height first", async () => {
    const words = ["detect", join(PICTURES, "cat.jpg"), "--json", "--imgsz", "320x416", "--conf", "0.1"];
    const [one, two] = await Promise.all([1, 2].map((n) => runCli([...words, "--threads", `${n}`])));
    expect(jsonLines(one.stdout)[0].detections.length).toBeGreaterThan(0);
    expect(jsonLines(one.stdout)[0].detections).toEqual(jsonLines(two.stdout)[0].detections);
  });

  it("resizes as --resize says, keeps proportions with --letterbox, and tells", async () => {
    const words = ["detect", join(PICTURES, "wall.jpg"), "--no-save", "--imgsz", "320"];
    const how = ["--resize", "pillow-bicubic", "--letterbox"];
    const [told, plain, other, wrong] = await Promise.all([
      runCli([...words, ...how]),
      runCli([...words, "--json"]),
      runCli([...words, ...how, "--json"]),
      runCli([...words, "--resize", "area"]),
    ]);
    expect(told.stdout).toMatch(/^codes: 6 classes, 320x320 \(pillow-bicubic, letterboxed\), wasm, /);
    expect(jsonLines(other.stdout)[0].detections).not.toEqual(jsonLines(plain.stdout)[0].detections);
    expect(wrong).toMatchObject({ code: 2, stdout: "" });
    expect(wrong.stderr).toMatch(/--resize: expected opencv-linear or pillow-bilinear or .*got "area"/);
  });
});

describe("mobiledetr detect", () => {
  it("prints a table and draws into runs/detect, sources of one name apart", async () => {
    const cwd = folder("draw", {});
    mkdirSync(join(cwd, "a"));
    mkdirSync(join(cwd, "b"));
    copyFileSync(join(PICTURES, "wall.jpg"), join(cwd, "a/x.jpg"));
    copyFileSync(join(GOLDEN, "cat.640.png"), join(cwd, "b/x.png"));
    copyFileSync(join(PICTURES, "cat.jpg"), join(cwd, "b/x.jpg"));
    const { code, stdout, stderr } = await runCli(["detect", "a", "b"], { cwd });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^codes: 6 classes, 640x640, wasm, \d+ threads?, scores > 0.4\n/);
    expect(stdout).toMatch(/^a\/x\.jpg: 1280x960 pixels, \d detections, \d+ ms \(decode \d+, .*\)$/m);
    expect(stdout).toMatch(/^ {2}class +score +x1 +y1 +x2 +y2$/m);
    expect(stdout).toMatch(/^ {2}datamatrix +0\.\d{3} +91\d\.\d +22\d\.\d +109\d\.\d +39\d\.\d$/m);
    expect(stdout).not.toContain("\x1b");
    const drawn = [...stdout.matchAll(/^ {2}drawn: (.*)$/gm)].map(([, path]) => path);
    expect(drawn).toEqual(["runs/detect/x.jpg", "runs/detect/x-2.jpg", "runs/detect/x.png"]);
    expect(filesBelow(join(cwd, "runs"))).toEqual(["detect/x-2.jpg", "detect/x.jpg", "detect/x.png"]);
    const source = decodeImage(readFileSync(join(cwd, "b/x.png")));
    const annotated = decodeImage(readFileSync(join(cwd, "runs/detect/x.png")));
    expect([annotated.width, annotated.height]).toEqual([source.width, source.height]);
    const changed = annotated.data.filter((value, i) => value !== source.data[i]).length / source.data.length;
    expect(changed).toBeGreaterThan(0.005); // boxes and labels
    expect(changed).toBeLessThan(0.2); // the rest is as it was
  });

  it("does the others where some fail, names each failure with its file, and ends with 1", async () => {
    const cat = readFileSync(join(PICTURES, "cat.jpg"));
    const evil = "evil\x1b[31m\nname.jpg";
    const cwd = folder("partial", {
      "good.jpg": cat,
      "text.jpg": "not a picture",
      "empty.jpg": "",
      "cut.jpg": cat.subarray(0, 5000),
      [evil]: "x",
    });
    mkdirSync(join(cwd, "nothing"));
    const bad = ["missing.jpg", "nothing", "text.jpg", "empty.jpg", "cut.jpg", evil];
    const { code, stdout, stderr } = await runCli(["detect", ...bad, "good.jpg", "--json", "--out", "out"], {
      cwd,
    });
    expect(code).toBe(1);
    expect(jsonLines(stdout).map(({ source }) => source)).toEqual(["good.jpg"]);
    const said = stderr.trimEnd().split("\n");
    expect(said).toHaveLength(bad.length + 1);
    for (const name of [...bad.slice(0, -1), "evil\\x1b[31m\\x0aname.jpg"]) {
      expect(said.filter((line) => line.startsWith(`mobiledetr: ${name}: expected `))).toHaveLength(1);
    }
    expect(said.at(-1)).toBe("mobiledetr: 6 of 7 sources failed");
    expect(filesBelow(join(cwd, "out"))).toEqual(["good.jpg"]);
  });

  it("ends with 1 before any work where the output cannot be written", async () => {
    const cwd = folder("unwritable", { plain: "" });
    const words = ["detect", join(PICTURES, "cat.jpg"), "--out"];
    const { code, stdout, stderr } = await runCli([...words, "plain"], { cwd });
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: "",
      stderr: "mobiledetr: plain: expected a folder, got a file\n",
    });
  });

  it("goes on where one drawing cannot be written, and leaves nothing half written", async () => {
    const cwd = folder("blocked", {});
    const sources = ["cat.jpg", "coffee.jpg"].map((name) => join(PICTURES, name));
    mkdirSync(join(cwd, "out/cat.jpg"), { recursive: true }); // a folder where the picture should go
    const { code, stdout, stderr } = await runCli(["detect", ...sources, "--out", "out"], { cwd });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^mobiledetr: out\/cat\.jpg: expected a regular file, got a directory\n/);
    expect(stdout).toContain("drawn: out/coffee.jpg");
    expect(filesBelow(join(cwd, "out"))).toEqual(["coffee.jpg"]);
  });

  it.each<[string, string, Uint8Array | string, RegExp]>([
    ["a text as weights", "--weights", "hello there", /got a text that begins with "hello/],
    [
      "weights whose header is longer than the file",
      "--weights",
      rawFile("{}", 0, 1e15),
      /header of at most/,
    ],
    ["weights of another network", "--weights", rawFile("{}"), /missing from the file/],
    [
      "a YAML of unknown modules",
      "--model",
      "nc: 6\nbackbone:\n  - [-1, 1, ResNet, []]\nhead:\n  - [-1, 1, Conv, [8]]\n",
      /\.yaml:3: expected/,
    ],
  ])("ends with 1 for %s, naming the file", async (_, option, content, message) => {
    const name = option === "--model" ? "bad.yaml" : "bad.safetensors";
    const path = join(folder("hostile", { [name]: content }), name);
    const weights = option === "--model" ? ["--weights", WEIGHTS] : [];
    const words = ["detect", join(PICTURES, "cat.jpg"), option, path, ...weights];
    const { code, stdout, stderr } = await runCli(words);
    expect(stderr).toMatch(message);
    expect(stderr.startsWith(`mobiledetr: ${path}`)).toBe(true);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  });

  it("names the nearest legal sizes where the network cannot take --imgsz", async () => {
    const { code, stderr } = await runCli(["detect", join(PICTURES, "cat.jpg"), "--imgsz", "32"]);
    expect(stderr).toMatch(/^mobiledetr: codes\.yaml: .* got 32x32 pixels \(nearest legal: \d+x\d+/);
    expect(code).toBe(1);
  });

  it.skipIf(process.versions.v8.startsWith("13.6."))(
    "ends with 2 for --revectorize in an engine that cannot, and does nothing",
    async () => {
      const cwd = folder("revectorize", {});
      const ended = await runCli(["detect", join(PICTURES, "cat.jpg"), "--revectorize"], { cwd });
      expect(ended).toMatchObject({ code: 2, stdout: "" });
      expect(ended.stderr).toMatch(
        /^mobiledetr: revectorize: expected .*, got Node .*\(leave revectorize out, or/,
      );
      expect(filesBelow(cwd)).toEqual([]);
    },
  );

  it("never writes over a source", async () => {
    const cwd = folder("same", {});
    copyFileSync(join(PICTURES, "cat.jpg"), join(cwd, "x.jpg"));
    const before = statSync(join(cwd, "x.jpg"));
    const { code, stdout } = await runCli(["detect", "x.jpg", "--out", "."], { cwd });
    expect(code).toBe(0);
    expect(stdout).toContain("drawn: x-2.jpg");
    expect(statSync(join(cwd, "x.jpg"))).toMatchObject({ size: before.size, mtimeMs: before.mtimeMs });
  });
});

describe("mobiledetr detect, sources and results", () => {
  const cat = join(PICTURES, "cat.jpg");
  const SMALL = ["--imgsz", "320", "--conf", "0.1"];

  it("takes a picture and a list on standard input, with the results of the file", async () => {
    const cwd = folder("stdin", { "a\nb.jpg": readFileSync(cat), "c.jpg": readFileSync(cat) });
    const words = ["detect", "-", ...SMALL, "--jsonl", "--out", "out"];
    const picture = await runCli(words, { cwd, stdin: readFileSync(cat) });
    const list = await runCli(words, { cwd, stdin: "a\nb.jpg\0none.jpg\0c.jpg\0" });
    const [file] = jsonLines((await runCli(["detect", cat, ...SMALL, "--json"])).stdout);
    expect(picture).toMatchObject({ code: 0, stderr: "" });
    expect(jsonLines(picture.stdout)).toMatchObject([
      { source: "-", width: file.width, detections: file.detections },
    ]);
    expect(list.code).toBe(1);
    expect(list.stderr).toMatch(
      /^mobiledetr: none\.jpg: expected a picture file.*\nmobiledetr: 1 of 3 sources failed\n$/,
    );
    expect(jsonLines(list.stdout).map(({ source }) => source)).toEqual(["a\nb.jpg", "c.jpg"]);
    expect(filesBelow(join(cwd, "out"))).toEqual(["a\nb.jpg", "c.jpg", "stdin.jpg"]);
  });

  it("begins with the first line of a list that has not ended", async () => {
    const child = spawn(process.execPath, [CLI, "detect", "-", ...SMALL, "--json"], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    child.stdin.write(`${cat}\n`);
    const line = await new Promise((resolve) => child.stdout.once("data", resolve));
    expect(JSON.parse(`${line}`)).toMatchObject({ source: cat });
    child.stdin.end();
    expect(await new Promise((resolve) => child.on("close", resolve))).toBe(0);
  });

  it("does not take what it draws for sources, nor draws over one in its folder", async () => {
    const bytes = readFileSync(cat);
    const cwd = folder("again", { "a.jpg": bytes, "c.jpg": bytes, "z/a.jpg": bytes, "z/b.jpg": bytes });
    const { code, stdout } = await runCli(["detect", "**/*.jpg", ...SMALL, "--jsonl", "--out", "z"], { cwd });
    expect(code).toBe(0);
    expect(jsonLines(stdout).map(({ source }) => source)).toEqual(["a.jpg", "c.jpg", "z/a.jpg", "z/b.jpg"]);
    const drawn = ["z/a-2.jpg", "z/a-3.jpg", "z/b-2.jpg", "z/c.jpg"];
    expect(filesBelow(cwd)).toEqual(["a.jpg", "c.jpg", "z/a.jpg", "z/b.jpg", ...drawn].sort());
    expect(readFileSync(join(cwd, "z/b.jpg"))).toEqual(bytes);
  });

  it("--save-json writes COCO's results, whole or not at all", async () => {
    const cwd = folder("coco", {
      "000139.jpg": readFileSync(cat),
      "x 1.jpg": readFileSync(cat),
      "bad.jpg": "no",
    });
    const words = ["detect", ".", ...SMALL, "--json", "--save-json", "found.json"];
    const { code, stdout } = await runCli(words, { cwd });
    expect(code).toBe(1);
    const expected = jsonLines(stdout).flatMap(({ source, detections }) =>
      detections.map(({ box: [x1, y1, x2, y2], score, class: category_id }) => ({
        image_id: source === "000139.jpg" ? 139 : "x 1",
        category_id,
        bbox: [x1, y1, x2 - x1, y2 - y1],
        score,
      })),
    );
    expect(expected.length).toBeGreaterThan(3);
    expect(JSON.parse(readFileSync(join(cwd, "found.json"), "utf8"))).toEqual(expected);
    expect(filesBelow(cwd)).toHaveLength(4);
    const nothing = await runCli(
      ["detect", "000139.jpg", "--conf", "0.999", "--json", "--save-json", "none.json"],
      { cwd },
    );
    expect(nothing.code).toBe(0);
    expect(readFileSync(join(cwd, "none.json"), "utf8")).toBe("[]\n");
    const stopped = ["detect", ...Array(40).fill("000139.jpg"), "--json", "--save-json", "found.json"];
    await runCli(stopped, { cwd, signalOn: { output: /source/, signal: "SIGINT" } });
    expect(filesBelow(cwd)).toHaveLength(5); // no half a file, and the old one
    expect(JSON.parse(readFileSync(join(cwd, "found.json"), "utf8"))).toEqual(expected);
    const refused = await runCli(["detect", "000139.jpg", "--save-json", "no/found.json"], { cwd });
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toMatch(/^mobiledetr: no\/found\.json: expected a path in a folder that exists/);
  });

  it("--project, --name and --exist-ok make folders as Ultralytics does", async () => {
    const cwd = folder("project", {});
    const run = (...words: string[]) => runCli(["detect", cat, ...SMALL, "--quiet", ...words], { cwd });
    for (const words of [
      ["--name", "a"],
      ["--name", "a"],
      ["--name", "a", "--exist-ok"],
      ["--project", "p"],
    ])
      await run(...words);
    expect(filesBelow(cwd)).toEqual(["p/exp/cat.jpg", "runs/detect/a/cat.jpg", "runs/detect/a2/cat.jpg"]);
    for (const words of [
      ["--out", "x", "--name", "a"],
      ["--no-save", "--exist-ok"],
      ["--no-conf", "--show-conf"],
      ["--line-width", "1001"],
    ])
      expect((await run(...words)).code, words.join(" ")).toBe(2);
  });

  it("--no-labels, --no-conf and --line-width draw less", async () => {
    const cwd = folder("drawn", {});
    const [plain, conf, labels, thick] = await Promise.all(
      [[], ["--no-conf"], ["--no-labels"], ["--no-labels", "--line-width", "20"]].map(async (words, i) => {
        await runCli(["detect", join(GOLDEN, "cat.640.png"), "--quiet", "--out", `${i}`, ...words], { cwd });
        const { data } = decodeImage(readFileSync(join(cwd, `${i}/cat.640.png`)));
        const before = decodeImage(readFileSync(join(GOLDEN, "cat.640.png"))).data;
        return data.filter((value, at) => value !== before[at]).length;
      }),
    );
    expect(labels).toBeLessThan(conf);
    expect(conf).toBeLessThan(plain);
    expect(labels).toBeLessThan(thick);
  });

  it("--half rounds weights: nothing where they are halves, a little where not", async () => {
    using file = openSafetensors(WEIGHTS);
    const factor = 1 + 2 ** -13; // beside the halves, less than half a step
    const tensors = file.names.map((name) => {
      const { shape } = file.entry(name);
      const data = (file.read(name) as Float32Array).map((value) => value * factor);
      return [name, { dtype: "F32", shape, data }] as const;
    });
    const single = join(folder("half", {}), "single.safetensors");
    saveSafetensors(single, tensors, file.metadata);
    const run = async (...words: string[]): Promise<Line["detections"]> =>
      jsonLines((await runCli(["detect", cat, ...SMALL, "--json", ...words])).stdout)[0].detections;
    const [own, half, other, rounded] = await Promise.all([
      run(),
      run("--half"),
      run("--weights", single),
      run("--weights", single, "--half"),
    ]);
    expect(half).toEqual(own);
    expect(other).not.toEqual(own);
    expect(rounded).toEqual(own);
    saveSafetensors(
      single,
      tensors.map(
        ([name, tensor], i) =>
          [name, i > 0 ? tensor : { ...tensor, data: tensor.data.map(() => 1e6) }] as const,
      ),
    );
    const refused = await runCli(["detect", cat, "--weights", single, "--half"]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(
      /single\.safetensors: expected numbers that half precision has, below 65520, got larger ones in .* \(leave --half out\)/,
    );
  });
});

describe("mobiledetr bench", () => {
  it("measures every number of threads, and nothing is left out of the JSON", async () => {
    const { code, stdout, stderr } = await runCli([
      "bench",
      "--threads",
      "1",
      "--runs",
      "3",
      "--imgsz",
      "160",
      "--json",
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const { results, ...about } = JSON.parse(stdout);
    expect(about).toMatchObject({
      model: "codes",
      imgsz: [160, 160],
      backend: "wasm",
      compiled: true,
      engine: "node",
      picture: null,
      runs: 3,
    });
    const [{ threads, memory, ...ms }] = results;
    expect([threads, results.length]).toEqual([1, 1]);
    expect(memory).toBeGreaterThan(1e6);
    for (const value of Object.values(ms)) expect(value).toBeGreaterThan(0);
    const { least, lower, median, upper, greatest, network, load, process: whole } = ms;
    expect([least, lower, median, upper, greatest]).toEqual(
      [least, lower, median, upper, greatest].sort((a, b) => a - b),
    );
    expect(network).toBeLessThan(greatest);
    expect(load).toBeLessThan(whole + 5000);
  });

  it("prints a table, of your own picture, and says where that is none", async () => {
    const [table, missing] = await Promise.all([
      runCli(["bench", join(PICTURES, "cat.jpg"), "--runs", "1", "--imgsz", "160", "--threads", "2"]),
      runCli(["bench", "none.jpg"]),
    ]);
    expect(table.stdout).toMatch(
      /^codes at 160x160, wasm, node [\d.]+, \d+ processors?; 1 run each, in turn; times in ms\nthreads +process +load +first .*\n +2 +\d+ /,
    );
    expect(missing.stderr).toMatch(/^mobiledetr: none\.jpg: expected a picture file, got /);
    expect(missing.code).toBe(1);
  });
});
