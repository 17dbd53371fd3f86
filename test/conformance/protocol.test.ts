/** Programs as runtimes, in both protocols: what they may do wrong ends in a clear verdict, never in an exception. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { openFolderRuntime, type ProgramOptions } from "../../src/conformance/adapters/folder-runtime.ts";
import { openLinesRuntime } from "../../src/conformance/adapters/jsonl-runtime.ts";
import type { Runtime } from "../../src/conformance/runtime.ts";
import { runSession } from "../../src/conformance/session.ts";
import type { CaseVerdict } from "../../src/conformance/verdict.ts";
import { f32, RELU_CASES, smallKit } from "./small-kit.ts";

const FOREIGN = fileURLToPath(new URL("runtimes/foreign.mjs", import.meta.url));
const SCRATCH = mkdtempSync(join(tmpdir(), "mobiledetr-protocol-"));
afterAll(() => rmSync(SCRATCH, { recursive: true, force: true }));
const kit = smallKit(RELU_CASES);

const command = (mode: string): string[] => [process.execPath, FOREIGN, mode];

async function verdicts(runtime: Runtime | Promise<Runtime>, levels?: [0]): Promise<readonly CaseVerdict[]> {
  const open = await runtime;
  try {
    return (await runSession(kit, open, { levels })).cases;
  } finally {
    await open.close();
  }
}

const byFolder = (mode: string, options?: ProgramOptions): Promise<readonly CaseVerdict[]> =>
  verdicts(openFolderRuntime(command(mode), options), [0]);
const byLines = (
  mode: string,
  options?: ProgramOptions & { restarts?: number },
): Promise<readonly CaseVerdict[]> => verdicts(openLinesRuntime(command(mode), options), [0]);

describe.each([
  ["folders", byFolder],
  ["lines", byLines],
] as const)("a program that is spoken to in %s", (_name, run) => {
  it("passes where it is right", async () => {
    expect((await run("good")).map(({ status }) => status)).toEqual(["passed", "passed"]);
  });

  it.each([
    ["shape", "failed", /shape .*\[3, 2\], expected \[2, 3\]/],
    ["nan", "failed", /outside .*NaN/],
    ["partial", "failed", /missing/],
    ["relu-leaky", "failed", /outside/],
    ["failing", "error", /no memory/],
    ["unsupported", "unsupported", /operator relu/],
    ["truncated", "error", /outputs\.safetensors/],
    ["lying-header", "error", /outputs\.safetensors/],
    ["crash", "error", /exit code 3[\s\S]*the reason stands here/],
    ["signal", "error", /signal SIGKILL/],
  ])("%s: %s", async (mode, status, words) => {
    const [first] = await run(mode);
    const said = [first.message, ...first.tensors.map((t) => `${t.status} ${t.note ?? ""}`)].join(" ");
    expect(first.status).toBe(status);
    expect(said).toMatch(words);
  });

  it("is ended when its time is up, and the next case is run", async () => {
    const cases = await run("hang", { timeout: 0.7 });
    expect(cases.map(({ status }) => status)).toEqual(["error", "error"]);
    expect(cases[0].message).toMatch(/more than 0\.7 s/);
  });
});

describe("a program that is spoken to in folders", () => {
  it.each([
    ["nothing", /wrote no outputs\.safetensors/],
    ["bad-response", /response\.json: expected JSON/],
    ["folder-response", /response\.json/],
  ])("%s is an error of the case", async (mode, words) => {
    const [first] = await byFolder(mode);
    expect([first.status, first.message]).toEqual(["error", expect.stringMatching(words)]);
  });

  it("is refused before anything runs where there is none", () => {
    expect(() => openFolderRuntime(["./no-such-program"])).toThrow(/expected a program that can be run/);
    expect(() => openFolderRuntime(["no-such-program-anywhere"])).toThrow(/is it in PATH/);
    expect(() => openFolderRuntime([])).toThrow(/behind --/);
  });

  it("has no more read of its outputs than is allowed", async () => {
    const [first] = await byFolder("good", { maxOutputBytes: 50 });
    expect([first.status, first.message]).toEqual(["error", expect.stringMatching(/at most 50 are read/)]);
  });

  it("finds requests as documented, kept on request, parameters written once and linked", async () => {
    const keep = join(SCRATCH, "kept");
    const parameters = { weight: f32([2], [1, 2]) };
    const two = smallKit(RELU_CASES.slice(0, 2).map((of) => ({ ...of, parameters })));
    const runtime = openFolderRuntime(command("good"), { keep });
    await runSession(two, runtime, {});
    await runtime.close();
    const folders = readdirSync(keep).sort();
    expect(folders).toEqual(["0001-L0_relu_row", "0002-L0_relu_column"]);
    const request = (folder: string, file: string): string => join(keep, folder, "request", file);
    const json = JSON.parse(readFileSync(request(folders[0], "request.json"), "utf8"));
    expect(json).toEqual({
      protocol: 1,
      id: "L0/relu/row",
      subject: { kind: "operator", name: "relu", attributes: {} },
      inputs: ["input"],
      outputs: ["output"],
      parameters_sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    const [a, b] = folders.map((folder) => statSync(request(folder, "parameters.safetensors")));
    expect(a.ino).toBe(b.ino);
    expect(existsSync(join(keep, folders[0], "output", "outputs.safetensors"))).toBe(true);
  });

  it("leaves nothing in the temporary folder", async () => {
    const before = process.env.TMPDIR;
    process.env.TMPDIR = mkdtempSync(join(SCRATCH, "temporary-")); // where os.tmpdir() looks
    try {
      await byFolder("good");
      expect(readdirSync(process.env.TMPDIR)).toEqual([]);
    } finally {
      if (before === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = before;
    }
  });
});

describe("a program that is spoken to in lines", () => {
  it("names itself, and is asked for no kinds that it does not take", async () => {
    const runtime = await openLinesRuntime(command("good"));
    expect(runtime.name).toBe("foreign 1.0");
    const cases = await verdicts(runtime);
    expect(cases.map(({ status }) => status)).toEqual(["passed", "passed", "unsupported"]);
    expect(cases[0].seconds).toBe(0.25); // its own figure
  });

  it.each([
    ["garbage", /not JSON/],
    ["wrong-id", /expected a result for L0\/relu\/row/],
    ["bad-status", /expected status/],
  ])("%s loses the case", async (mode, words) => {
    const [first] = await byLines(mode);
    expect([first.status, first.message]).toEqual(["error", expect.stringMatching(words)]);
  });

  it("is started again after it died", async () => {
    const cases = await byLines("crash-once");
    expect(cases.map(({ status }) => status)).toEqual(["error", "passed"]);
  });

  it("is given up after as many new starts as are allowed", async () => {
    const cases = await byLines("crash", { restarts: 0 });
    expect(cases.map(({ message }) => message)).toEqual([
      expect.stringMatching(/exit code 3/),
      expect.stringMatching(/given up after 0/),
    ]);
  });

  it("is refused where it speaks another protocol", async () => {
    await expect(openLinesRuntime(command("old"))).rejects.toThrow(/expected a hello of protocol 1/);
  });

  it("is ended where it does not heed a shutdown", async () => {
    const start = performance.now();
    expect((await byLines("deaf")).map(({ status }) => status)).toEqual(["passed", "passed"]);
    expect(performance.now() - start).toBeLessThan(15_000);
  });
});
