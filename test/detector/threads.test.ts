/** The detector's threads: what happens when one dies, and that none is left behind, however the process goes on. */
import { spawn } from "node:child_process";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { Pipeline } from "../../src/detector/pipeline.ts";
import { loadDetector, type MobileDetrError } from "../../src/index.ts";
import { rejection } from "./rejection.ts";

const PICTURE = fileURLToPath(new URL("../../examples/pictures/cat.jpg", import.meta.url));
const WEIGHTS = fileURLToPath(new URL("../../models/codes.f16.safetensors", import.meta.url));
const INDEX = new URL("../../dist/index.js", import.meta.url).href;
const PIPELINE = new URL("../../lib/detector/pipeline.js", import.meta.url).href;
const SMALL = { imgsz: 160, threads: 2, conf: 0.01 };

let folder: string;
let workers: Worker[] = []; // those of this process, by their start

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mobiledetr-threads-"));
});
afterAll(() => rm(folder, { recursive: true }));
beforeEach(() => {
  workers = [];
  for (const method of ["ref", "unref"] as const) {
    const original = Worker.prototype[method];
    vi.spyOn(Worker.prototype, method).mockImplementation(function (this: Worker) {
      if (!workers.includes(this)) workers.push(this);
      original.call(this);
    });
  }
});
afterEach(() => {
  vi.restoreAllMocks();
});

describe("the detector's own thread dies", () => {
  it("calls under way are refused with code state, and the next call works: again and again", async () => {
    await using detector = await loadDetector(SMALL);
    const { detections } = await detector.detect(PICTURE);
    expect(detections.length).toBeGreaterThan(0);
    for (let round = 0; round < 2; round++) {
      const calls = [detector.detect(PICTURE), detector.detect(PICTURE)].map(rejection);
      await Promise.all([workers[round].terminate(), sleep(0)]);
      for (const error of await Promise.all(calls)) {
        expect([error.code, error.message]).toEqual([
          "state",
          expect.stringMatching(/expected its thread to live, got its end: .*\(call again/),
        ]);
      }
      const again = await Promise.all([detector.detect(PICTURE), detector.detect(PICTURE)]);
      for (const result of again) expect(result.detections).toEqual(detections);
      expect(workers.length).toBe(round + 2); // one start for both
    }
  });

  it("idle: the next call does not notice; after close it is refused, and nothing starts", async () => {
    const detector = await loadDetector(SMALL);
    await workers[0].terminate();
    expect((await detector.detect(PICTURE)).width).toBe(1082);
    await workers[1].terminate();
    await detector.close();
    expect((await rejection(detector.detect(PICTURE))).message).toMatch(/closed \(load another\)/);
    expect(workers.length).toBe(2);
  });

  it("weights given as bytes are kept for it, whatever became of the caller's", async () => {
    const bytes = new Uint8Array(readFileSync(WEIGHTS));
    await using detector = await loadDetector({ ...SMALL, weights: bytes });
    const { detections } = await detector.detect(PICTURE);
    bytes.fill(0);
    await workers[0].terminate();
    expect((await detector.detect(PICTURE)).detections).toEqual(detections);
  });

  it("what cannot be loaded again is that error, once a call, until it can", async () => {
    const [path, away] = [join(folder, "here.safetensors"), join(folder, "away.safetensors")];
    writeFileSync(path, readFileSync(WEIGHTS));
    await using detector = await loadDetector({ ...SMALL, weights: path });
    await workers[0].terminate();
    renameSync(path, away);
    for (let call = 1; call <= 2; call++) {
      expect((await rejection(detector.detect(PICTURE))).code).toBe("file");
      expect(workers.length).toBe(1 + call);
    }
    renameSync(away, path);
    expect((await detector.detect(PICTURE)).width).toBe(1082);
  });
});

it("workers of the whole network's pool die at any moment: a result is the same bits or an error of code state, and the next call is right", async () => {
  const pipeline = new Pipeline({ ...SMALL, threads: 3 });
  const input = pipeline.preprocess({
    data: new Uint8Array(3 * 64 * 64).fill(90),
    width: 64,
    height: 64,
    channels: 3,
  });
  const expected = Buffer.from(pipeline.infer(input).slice().buffer);
  const infer = (): boolean => Buffer.from(pipeline.infer(input).slice().buffer).equals(expected);
  for (let round = 0; round < 12; round++) {
    await sleep(50); // for a worker to start and an exit to be heard of
    void workers.at(-1 - (round % 2))?.terminate();
    try {
      expect(infer()).toBe(true);
    } catch (error) {
      expect((error as MobileDetrError).code).toBe("state");
    }
    expect(infer()).toBe(true);
  }
  expect(workers.length).toBeGreaterThan(5);
  input.dispose();
  await pipeline.close();
});

/** How a script's process ended; it is killed after a bound that only a thread left behind reaches. */
async function run(body: string): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const head = `import { loadDetector } from ${JSON.stringify(INDEX)};
    import { Pipeline } from ${JSON.stringify(PIPELINE)};
    import { readdirSync } from "node:fs";
    import { Worker } from "node:worker_threads";
    const PICTURE = ${JSON.stringify(PICTURE)};
    const SMALL = ${JSON.stringify(SMALL)};
    const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));\n`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", head + body], {
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 30_000,
    killSignal: "SIGKILL",
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text) => {
    stderr += text;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  return { code, stdout, stderr };
}

describe("a process ends by itself, with its own exit code and nothing printed", () => {
  it.each([
    ["closed", "const d = await loadDetector(SMALL); await d.detect(PICTURE); await d.close();", 0],
    ["idle, never closed", "const d = await loadDetector(SMALL); await d.detect(PICTURE);", 0],
    [
      "idle after its thread died and was started again, never closed",
      `const unref = Worker.prototype.unref;
      const workers = [];
      Worker.prototype.unref = function () { workers.push(this); unref.call(this); };
      const d = await loadDetector(SMALL);
      await workers[0].terminate();
      await d.detect(PICTURE);`,
      0,
    ],
    [
      "a call under way that nobody waits for",
      "const d = await loadDetector(SMALL); void d.detect(PICTURE);",
      0,
    ],
    [
      "closed while a call is under way",
      "const d = await loadDetector(SMALL); void d.detect(PICTURE); await d.close();",
      0,
    ],
    ["process.exit while loading", "void loadDetector(SMALL); await sleep(50); process.exit(3);", 3],
    [
      "process.exit while a call is under way",
      "const d = await loadDetector(SMALL); void d.detect(PICTURE); await sleep(20); process.exit(3);",
      3,
    ],
    ["a synchronous pipeline that was never closed", "new Pipeline(SMALL).detect(PICTURE);", 0],
    ["a synchronous pipeline and process.exit", "new Pipeline(SMALL).detect(PICTURE); process.exit(3);", 3],
    [
      "an owner that is a worker, terminated while a call is under way",
      `const owner = new Worker(\`
        import(${JSON.stringify(INDEX)}).then(async ({ loadDetector }) => {
          const d = await loadDetector(\${JSON.stringify(SMALL)});
          for (;;) {
            const call = d.detect(\${JSON.stringify(PICTURE)});
            (await import("node:worker_threads")).parentPort.postMessage("busy");
            await call;
          }
        });\`, { eval: true });
      await new Promise((resolve) => owner.once("message", resolve));
      await owner.terminate();`,
      0,
    ],
  ])("%s", async (_title, body, code) => {
    expect(await run(body)).toEqual({ code, stdout: "", stderr: "" });
  });

  it("an uncaught error of the user's while a call is under way: that error alone", async () => {
    const { code, stdout, stderr } = await run(
      `const d = await loadDetector(SMALL);
       setTimeout(() => { throw new Error("mine"); }, 10);
       await d.detect(PICTURE).then(() => d.detect(PICTURE));`,
    );
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr.match(/\w*Error\b.*/g)).toEqual(['Error("mine"); }, 10);', "Error: mine"]);
  });

  it("a load that fails, in every way that loading does", async () => {
    const cut = join(folder, "cut.safetensors");
    writeFileSync(cut, readFileSync(WEIGHTS).subarray(0, 1_000_000));
    const yaml = join(folder, "bad.yaml");
    writeFileSync(yaml, "backbone: [\n");
    const bad = [
      { weights: cut },
      { model: yaml },
      { nc: 80 },
      { imgsz: 32 },
      { classes: ["bird"] },
      { model: "MobileNetV4ConvMedium", weights: WEIGHTS },
    ].map((options) => ({ ...SMALL, ...options }));
    const { code, stdout, stderr } = await run(`
      const codes = [];
      for (const options of ${JSON.stringify(bad)}) {
        await loadDetector(options).catch(({ code }) => codes.push(code));
        try { new Pipeline(options); } catch ({ code }) { codes.push(code); }
      }
      console.log(codes.join());`);
    expect([code, stderr]).toEqual([0, ""]);
    const codes = ["format", "format", "weights", "size", "argument", "weights"];
    expect(stdout).toBe(`${codes.flatMap((c) => [c, c]).join()}\n`);
  });
});

it.runIf(process.platform === "linux")(
  "no thread is left in a process that goes on: after close, failed loads, deaths and restarts",
  async () => {
    const { code, stdout, stderr } = await run(`
      const threads = () => readdirSync("/proc/self/task").length;
      const settled = async (most) => {
        for (let i = 0; i < 100 && threads() > most; i++) await sleep(50);
        return threads() <= most;
      };
      const unref = Worker.prototype.unref;
      let workers = [];
      Worker.prototype.unref = function () { workers.push(this); unref.call(this); };
      await (await loadDetector(SMALL)).close(); // the engine's own helpers are there from now on
      await sleep(200);
      const before = threads();
      const d = await loadDetector({ ...SMALL, threads: 4 });
      await d.detect(PICTURE);
      const during = threads();
      await workers.at(-1).terminate();
      const died = await settled(before);
      await d.detect(PICTURE);
      await d.close();
      const closed = await settled(before);
      await loadDetector({ ...SMALL, imgsz: 32 }).catch(() => {});
      await loadDetector({ ...SMALL, nc: 80 }).catch(() => {});
      const failed = await settled(before);
      console.log(during - before, died, closed, failed);`);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toBe("4 true true true\n"); // its own thread and three that help it
  },
);
