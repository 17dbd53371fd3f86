/**
 * The revectorizer: what is refused and why, which flags are set and set back; and, where this is a Node 24 on x64 with AVX2 or
 * MOBILEDETR_NODE24 names one, the real thing in it: the same bits, V8's flags as before, and the reasons of its trial.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { checkEngine, flagChanges, flagsOf } from "../../../src/backend/wasm/revectorize.ts";
import { createWasmBackend } from "../../../src/backend/wasm/wasm-backend.ts";

const CAN = process.versions.v8.startsWith("13.6.") && process.arch === "x64";
const NODE24 = process.env.MOBILEDETR_NODE24 ?? (CAN ? process.execPath : undefined);
const BUILT = new URL("../../../lib/backend/wasm/wasm-backend.js", import.meta.url).href;
const PROBE = new URL("../../../lib/backend/wasm/revectorize-probe.js", import.meta.url);
const EXPECTED =
  "revectorize: expected an engine that revectorizes WebAssembly: Node with V8 13.6 on x64, got ";
const MEND = " (leave revectorize out, or run Node 24 on x64)";

function message(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as Error).message;
  }
  return "";
}

function engine(versions: Record<string, string>, arch = "x64", bundled = false) {
  return { versions, arch, bundled };
}

describe("checkEngine", () => {
  it("takes Node with V8 13.6 on x64 and nothing else", () => {
    const node24 = { node: "24.21.0", v8: "13.6.233.17-node.53" };
    expect(() => checkEngine(engine(node24))).not.toThrow();
    const refused: [ReturnType<typeof engine>, string][] = [
      [
        engine({ node: "20.20.2", v8: "11.3.244.8-node.38" }),
        "Node 20.20.2 with V8 11.3.244.8-node.38 on x64",
      ],
      [engine({ node: "22.23.3", v8: "12.4.254.21" }), "Node 22.23.3 with V8 12.4.254.21 on x64"],
      [engine({ node: "25.9.0", v8: "14.1.146.11" }), "Node 25.9.0 with V8 14.1.146.11 on x64"],
      [engine({ node: "99.0.0", v8: "13.60.1.1" }), "Node 99.0.0 with V8 13.60.1.1 on x64"],
      [engine(node24, "arm64"), "Node 24.21.0 with V8 13.6.233.17-node.53 on arm64"],
      [
        engine(node24, "x64", true),
        "Node 24.21.0 with V8 13.6.233.17-node.53 on x64, bundled into an application",
      ],
      [engine({ ...node24, deno: "2.4.0" }), "Deno 2.4.0"],
      [engine({ ...node24, bun: "1.3.0" }), "Bun 1.3.0"],
      [engine({ ...node24, electron: "37.0.0" }), "Electron 37.0.0"],
      [engine({}, ""), "an engine that is not Node"],
    ];
    for (const [facts, got] of refused)
      expect(message(() => checkEngine(facts))).toBe(`${EXPECTED}${got}${MEND}`);
  });
});

describe("V8's flags", () => {
  it("are found among the process's arguments, however they are spelt, and nothing else with them", () => {
    const argv = [
      "--import",
      "tsx",
      "--no_liftoff",
      "--inspect-brk",
      "--wasm_max_mem_pages=10_0",
      "-e",
      "1",
      "--title=--no-liftoff",
    ];
    expect(flagsOf("--require x --jitless", argv)).toEqual([
      "--jitless",
      "--no-liftoff",
      "--wasm-max-mem-pages=10_0",
    ]);
    expect(flagsOf(undefined, [])).toEqual([]);
  });

  it("are set back to V8's defaults, the revectorizer first", () => {
    expect(flagChanges([])).toEqual({
      set: ["--no-liftoff", "--no-wasm-lazy-compilation", "--experimental-wasm-revectorize"],
      restore: ["--no-experimental-wasm-revectorize", "--wasm-lazy-compilation", "--liftoff"],
    });
  });

  it("are set back to what the process was given, the last one of each", () => {
    const restored = (...given: string[]): string[] => flagChanges(given).restore;
    expect(restored("--no-liftoff", "--no-wasm-lazy-compilation", "--liftoff-only")).toEqual([
      "--no-experimental-wasm-revectorize",
      "--no-wasm-lazy-compilation",
      "--no-liftoff",
    ]);
    expect(restored("--noliftoff")[2]).toBe("--no-liftoff");
    expect(restored("--no-liftoff", "--liftoff")[2]).toBe("--liftoff");
    expect(restored("--experimental-wasm-revectorize")[0]).toBe("--experimental-wasm-revectorize");
  });
});

describe("createWasmBackend", () => {
  it("says whether it is revectorized", async () => {
    const backend = createWasmBackend({ revectorize: false });
    expect(backend.revectorized).toBe(false);
    await backend.close();
  });

  it("refuses a revectorize that is no flag", () => {
    expect(() => createWasmBackend({ revectorize: 1 as unknown as boolean })).toThrow(
      "createWasmBackend: expected revectorize: true or false, got 1",
    );
  });

  it.skipIf(process.versions.v8.startsWith("13.6."))("refuses it in this engine, with the reason", () => {
    const { node, v8 } = process.versions;
    expect(message(() => createWasmBackend({ revectorize: true }))).toBe(
      `${EXPECTED}Node ${node} with V8 ${v8} on ${process.arch}${MEND}`,
    );
  });
});

/** Runs a module's text in Node 24 and gives its standard output. */
function inNode24(script: string, ...flags: string[]): string {
  const source = `import { createWasmBackend } from ${JSON.stringify(BUILT)};\n${script}`;
  return execFileSync(NODE24!, [...flags, "--input-type=module", "-e", source], {
    encoding: "utf8",
    env: { ...process.env, NODE_OPTIONS: "" },
    timeout: 60_000,
  });
}

describe.skipIf(!NODE24)("in the Node 24 that MOBILEDETR_NODE24 names", () => {
  it("compiles, runs and gives the same bits as without; V8 tells what it made wider", () => {
    const trace = spawnSync(NODE24!, ["--trace-wasm-revectorize", PROBE.pathname], { encoding: "utf8" });
    expect([trace.status, trace.stderr]).toEqual([0, ""]);
    expect(trace.stdout).toContain("Decide to vectorize");
  });

  it("compiles kernels that a plain backend has already compiled anew, on every thread, and leaves V8's flags alone", () => {
    const script = `
      const tell = (text) => process.stdout.write(text + "\\n"); // with V8's own lines, in order
      const plain = createWasmBackend();
      const fast = createWasmBackend({ threads: 2, revectorize: true });
      const again = createWasmBackend({ threads: 2, revectorize: true });
      tell(["plain", plain.revectorized, "fast", fast.revectorized, again.revectorized].join(" "));
      const other = new WebAssembly.Module(new Uint8Array([0,97,115,109,1,0,0,0, 1,4,1,96,0,0, 3,2,1,0, 7,5,1,1,102,0,0, 10,4,1,2,0,11]));
      new WebAssembly.Instance(other).exports.f();
      await Promise.all([plain, fast, again].map((b) => b.close()));
      tell("end");`;
    const lines = inNode24(script, "--trace-wasm-compilation-times").split("\n");
    expect(lines).toContain("plain false fast true true");
    const compiled = (tier: string): number => lines.filter((line) => line.includes(`using ${tier}`)).length;
    expect(compiled("TurboFan")).toBeGreaterThan(30); // all kernels, once
    const last = lines.findLast((line) => line.startsWith("Compiled function"));
    expect(last).toContain("using Liftoff"); // what comes afterwards is compiled as ever
    const names = lines.filter((line) => line.includes("using TurboFan")).map((line) => line.split(" ")[2]);
    expect(new Set(names).size).toBe(names.length); // the second backend and the workers share the code
  });

  it("does not switch on what the process was started without", () => {
    const script = `
      const b = createWasmBackend({ revectorize: true });
      await b.close();
      const other = new WebAssembly.Module(new Uint8Array([0,97,115,109,1,0,0,0, 1,4,1,96,0,0, 3,2,1,0, 7,5,1,1,102,0,0, 10,4,1,2,0,11]));
      new WebAssembly.Instance(other).exports.f();`;
    const trace = inNode24(script, "--no-liftoff", "--trace-wasm-compilation-times");
    expect(trace).toContain("using TurboFan");
    expect(trace).not.toContain("using Liftoff");
  });

  it("reports a trial that fails, a processor without AVX2, and a process that may not start a child", () => {
    const script = `
      try { createWasmBackend({ revectorize: true }); } catch (error) { console.log(error.code, error.message); }`;
    expect(inNode24(script, "--no-enable-avx2")).toBe(
      `argument ${EXPECTED}one that made nothing wider: no AVX2, or V8 was told otherwise (leave revectorize out)\n`,
    );
    expect(inNode24(script, "--jitless")).toContain(
      "got a trial in a child process that ended with exit code 1: ",
    );
    const permitted = inNode24(script, "--permission", "--allow-fs-read=*");
    expect(permitted).toContain("no leave to try it in a child process: ");
    expect(permitted).toMatch(/\(leave revectorize out, or --allow-child-process\)\n$/);
  });
});
