/** `mobiledetr detect` against PyTorch's outputs for the default model, and on all that can go wrong with files. */
import { copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { selectDetections } from "../../src/detector/detections.ts";
import { decodeImage } from "../../src/image/decode.ts";
import { openSafetensors } from "../../src/weights/safetensors.ts";
import { DETECTION_ROWS } from "../tolerances.ts";
import { rawFile } from "../weights/raw-file.ts";
import { filesBelow, PICTURES, runCli, scratchFolder } from "./run-cli.ts";

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
  for (const [file, content] of Object.entries(files)) writeFileSync(join(path, file), content);
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
