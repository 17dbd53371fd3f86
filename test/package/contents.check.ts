/** What the package holds: every file has a reason to be there, and everything but the models is under 2 MB. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { build, type Plugin } from "esbuild";
import { describe, expect, inject, it } from "vitest";

const { installed, log, consumer, archive } = inject("packed");
const files = (readdirSync(installed, { recursive: true }) as string[])
  .map((file) => file.replaceAll("\\", "/"))
  .filter((file) => statSync(join(installed, file)).isFile())
  .sort();
const manifest = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));

/** Scripts of threads and of a child process, which code names by their address. */
const STARTED = [
  "dist/detector/worker.js",
  "dist/backend/wasm/worker.js",
  "dist/backend/wasm/revectorize-probe.js",
  "dist/viewer/app.js",
  "dist/viewer/worker.js",
];

/** The viewer's page beside its scripts. */
const PAGE = ["dist/viewer/index.html", "dist/viewer/sample.jpg", "dist/viewer/style.css"];

/** Entry points of the browser's build that nothing outside it names. */
const STUBS = ["dist/browser/detector.js", "dist/browser/pipeline.js"];

/** The default model: as a file, and as a module for browsers. */
const MODELS = ["models/", "dist/browser/models/"];

/** The limit of the promise. */
const LIMIT_BYTES = 2_000_000;

describe("the installed package", () => {
  it("came offline, with nothing beside it", () => {
    expect(log).toMatch(/added 1 package in/);
    expect(readdirSync(join(consumer, "node_modules")).filter((name) => !name.startsWith("."))).toEqual([
      "mobiledetr",
    ]);
  });

  it("has no dependencies, no scripts, one command and nothing that npm would act upon", () => {
    expect(Object.keys(manifest).sort()).toEqual(
      [
        "name",
        "version",
        "description",
        "keywords",
        "license",
        "type",
        "engines",
        "bin",
        "exports",
        "files",
        "sideEffects",
        ...Object.keys(manifest).filter((key) => key === "imports" || key === "browser"), // the browser's build
      ].sort(),
    );
    expect(manifest.bin).toEqual({ mobiledetr: "dist/cli/main.js" });
    expect(
      readdirSync(join(consumer, "node_modules/.bin")).filter((name) => !/\.(cmd|ps1)$/.test(name)),
    ).toEqual(["mobiledetr"]);
    expect(existsSync(join(installed, "binding.gyp"))).toBe(false); // npm would run node-gyp for it
  });

  it("is under 2 MB without the models", () => {
    const bytes = files
      .filter((file) => !MODELS.some((folder) => file.startsWith(folder)))
      .reduce((sum, file) => sum + statSync(join(installed, file)).size, 0);
    const packed = statSync(archive).size;
    console.log(
      `${files.length} files; without models ${bytes} bytes unpacked, the archive ${packed} with them`,
    );
    expect(bytes).toBeLessThan(LIMIT_BYTES);
  });

  it("holds built code, its types, kernels, models and papers; no sources, tests or source maps", () => {
    const outside = files.filter((file) => !file.startsWith("dist/"));
    expect(outside).toEqual([
      "CHANGELOG.md",
      "LICENSE",
      "NOTICE",
      "README.md",
      "build/jpeg.wasm",
      "build/kernels.wasm",
      "models/README.md",
      "models/codes.f16.safetensors",
      "models/codes.yaml",
      "models/rtdetr-mobilenetv4.yaml",
      "package.json",
    ]);
    const strange = files.filter(
      (file) => file.startsWith("dist/") && !/^dist\/[\w/-]+(\.d\.ts|\.js)$/.test(file),
    );
    expect(strange).toEqual(PAGE);
    for (const file of files.filter((file) => file.endsWith(".js"))) {
      expect(readFileSync(join(installed, file), "utf8"), file).not.toMatch(/sourceMappingURL/);
    }
  });

  it("has no module and no declaration that nobody reaches", () => {
    const entries = [...pathsIn(manifest.exports), ...Object.values<string>(manifest.bin), ...STARTED];
    const reached = new Set<string>();
    const waiting = entries.map((entry) => entry.replace(/^\.\//, ""));
    for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
      if (reached.has(file) || !/\.(js|d\.ts)$/.test(file)) continue;
      reached.add(file);
      const text = readFileSync(join(installed, file), "utf8");
      for (const [, name] of text.matchAll(/["'`](\.{1,2}\/[\w./-]+\.js)["'`]/g)) {
        const path = join(file, "..", name).replaceAll("\\", "/");
        const types = path.replace(/\.js$/, ".d.ts");
        if (file.endsWith(".d.ts")) waiting.push(types);
        else if (files.includes(path)) waiting.push(path);
      }
    }
    const code = files.filter((file) => /\.(js|d\.ts)$/.test(file));
    expect(code.filter((file) => !reached.has(file) && !STUBS.includes(file))).toEqual([]);
  });

  it("imports nothing but its own files and these of Node's modules: http alone serves, on this machine, where view is asked for", async () => {
    const imported = new Set<string>();
    const collect: Plugin = {
      name: "collect",
      setup(bundling) {
        bundling.onResolve({ filter: /.*/ }, ({ path, kind }) => {
          if (kind === "entry-point") return undefined;
          if (!path.startsWith(".")) imported.add(path);
          return { path, external: true };
        });
      },
    };
    const scripts = files.filter((file) => file.endsWith(".js")).map((file) => join(installed, file));
    await build({
      entryPoints: scripts,
      bundle: true,
      write: false,
      outdir: "out",
      format: "esm",
      plugins: [collect],
    });
    // What is asked for at run time: bundled CommonJS by require(), the rest by getBuiltinModule().
    for (const script of scripts) {
      const text = readFileSync(script, "utf8").replaceAll("\\\n", ""); // minified lines end inside strings, too
      for (const [, name] of text.matchAll(
        /(?:\brequire|getBuiltinModule(?:\?\.)?)\(\s*["'`]([^"'`]+)["'`]/g,
      ))
        imported.add(name);
    }
    expect([...imported].sort()).toEqual([
      "node:buffer",
      "node:child_process", // revectorize tries V8's experiment out of process; conform runs programs; view opens a browser
      "node:crypto", // sums of the conformance kit's files
      "node:fs",
      "node:http", // view: on 127.0.0.1
      "node:module",
      "node:os",
      "node:path",
      "node:readline", // step
      "node:sea",
      "node:url",
      "node:util",
      "node:v8",
      "node:worker_threads",
      "node:zlib",
    ]);
  });

  it("runs its command by its name", () => {
    const help = execFileSync("npx", ["--offline", "--", "mobiledetr", "--version"], {
      cwd: consumer,
      encoding: "utf8",
      shell: process.platform === "win32",
    });
    expect(help.trim()).toContain(manifest.version);
  });
});

/** Every file that `exports` names, whatever the condition. */
function pathsIn(entry: unknown): string[] {
  if (typeof entry === "string") return [entry];
  if (typeof entry !== "object" || entry === null) return [];
  return Object.values(entry).flatMap(pathsIn);
}
