/**
 * The conformance kit on onnxruntime-web, a runtime that nobody here wrote, by its adapter: files of test/golden/onnx, which
 * conformance/make/onnx_models.py exported. It is run as a porter runs it, through the command line.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import type { RunVerdict } from "../../src/conformance/verdict.ts";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const MODELS = join(ROOT, "test/golden/onnx");
const SCRATCH = mkdtempSync(join(tmpdir(), "mobiledetr-onnxruntime-"));
afterAll(() => rmSync(SCRATCH, { recursive: true, force: true }));

interface Index {
  readonly cases: readonly {
    readonly id: string;
    readonly file: string;
    readonly sha256: string;
    readonly parameters: string;
  }[];
  readonly unsupported: readonly { readonly id: string; readonly reason: string }[];
}

const json = (path: string): unknown => JSON.parse(readFileSync(path, "utf8"));
const index = json(join(MODELS, "index.json")) as Index;
const exported = index.cases.map(({ id }) => id);
// Its logistic function is right to 1.1e-7 of 1, which is not enough for small results: onnxruntime-web-expected.json.
const ROUNDED = "L0/sigmoid/values";

/** Runs the kit on the adapter: the exit code, and the verdict or what was said in its place. */
function conform(
  cases: readonly string[],
  models: string,
  from = HERE,
): { readonly code: number | null; readonly run?: RunVerdict; readonly said: string } {
  const adapter = join(ROOT, "conformance/adapters/onnxruntime-runtime.mjs");
  const program = [
    process.execPath,
    adapter,
    "--models",
    models,
    "--package",
    "onnxruntime-web",
    "--from",
    from,
  ];
  const args = [
    "conform",
    "run",
    "--json",
    "--cases",
    cases.join(","),
    "--protocol",
    "jsonl",
    "--",
    ...program,
  ];
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(ROOT, "dist/cli/main.js"), ...args], {
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  return { code: status, said: stderr, ...(stdout === "" ? {} : { run: JSON.parse(stdout) as RunVerdict }) };
}

/** A copy of the exported files whose index.json is another. */
function changed(name: string, change: (index: Index) => Index): string {
  const folder = join(SCRATCH, name);
  cpSync(MODELS, folder, { recursive: true });
  writeFileSync(join(folder, "index.json"), JSON.stringify(change(index)));
  return folder;
}

describe("onnxruntime-web on the kit", () => {
  it("is the version that is measured against", () => {
    const { dependencies: measured } = json(join(ROOT, "bench/package.json")) as {
      dependencies: Record<string, string>;
    };
    const installed = json(join(HERE, "node_modules/onnxruntime-web/package.json")) as { version: string };
    expect(installed.version).toBe(measured["onnxruntime-web"]);
  });

  const all = conform([...exported, ...index.unsupported.map(({ id }) => id), "L0/relu/*", "L4/**"], MODELS);
  const statusOf = new Map(all.run?.cases.map(({ id, status }) => [id, status]));

  it("passes every case that was exported but one, whose results it is known to round", () => {
    expect(all.run?.runtime).toMatch(/^onnxruntime-web 1\.\d+\.\d+$/);
    expect(exported.length).toBeGreaterThan(50);
    expect(exported.filter((id) => statusOf.get(id) !== "passed")).toEqual([ROUNDED]);
    expect(statusOf.get(ROUNDED)).toBe("failed");
    expect(all.code).toBe(1);
    expect(conform(exported.filter((id) => id !== ROUNDED).slice(0, 3), MODELS).code).toBe(0);
  });

  it("says of what has no file that it is unsupported, and why", () => {
    const others = all.run?.cases.filter(({ id }) => !exported.includes(id)) ?? [];
    expect(new Set(others.map(({ status }) => status))).toEqual(new Set(["unsupported"]));
    const messageOf = new Map(others.map(({ id, message }) => [id, message]));
    for (const { id, reason } of index.unsupported) expect(messageOf.get(id)).toBe(reason);
    expect(messageOf.get("L0/relu/values")).toMatch(/no file/);
  });

  it("gives inner tensors, so that a first divergence has a name", () => {
    const uib = all.run?.cases.find(({ id }) => id === "L1/UIB/k3-k3-s1");
    const names = uib?.tensors.map(({ name }) => name);
    expect(names).toContain("_start_dw_.conv");
    expect(names?.at(-1)).toBe("output");
    const { outputs } = json(join(ROOT, "conformance/cases/L1/UIB/k3-k3-s1/case.json")) as {
      outputs: readonly unknown[];
    };
    expect(names?.length).toBe(outputs.length);
  });

  it("refuses files and weights that are not those of index.json", () => {
    const id = "L1/ConvBlock/depthwise";
    const zeros = "0".repeat(64);
    const others = (key: "sha256" | "parameters"): string =>
      changed(key, (own) => ({ ...own, cases: own.cases.map((one) => ({ ...one, [key]: zeros })) }));
    const told = (folder: string): unknown[] => {
      const [verdict] = conform([id], folder).run?.cases ?? [];
      return [verdict?.status, verdict?.message];
    };
    expect(told(others("sha256"))).toEqual(["error", expect.stringMatching(/depthwise\.onnx: the bytes/)]);
    expect(told(others("parameters"))).toEqual(["error", expect.stringMatching(/the request's weights/)]);
  });

  it("says where it looked for a package that is not there, and what index.json is", () => {
    const nowhere = conform([ROUNDED], MODELS, SCRATCH);
    expect([nowhere.code, nowhere.said]).toEqual([
      1,
      expect.stringContaining(`onnxruntime-web in ${SCRATCH}`),
    ]);
    expect(conform([ROUNDED], SCRATCH).said).toMatch(/--models: expected a folder with index\.json/);
  });
});
