/** The declarations in a consumer's project, checked with the libraries' own declarations (`skipLibCheck: false`). */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, inject, it } from "vitest";
import { ROOT } from "./repository.ts";

const { consumer, installed } = inject("packed");
const manifest = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
const entries = Object.keys(manifest.exports).filter((entry) => manifest.exports[entry].types); // the rest are files

/** Uses every entry point as a namespace, and the commonest types by name. */
const SOURCE = `${entries.map((entry, i) => `import * as entry${i} from "mobiledetr${entry.slice(1)}";`).join("\n")}
import { type Detection, type Detections, type DetectorOptions, loadDetector, MobileDetrError } from "mobiledetr";
import { Conv2d, type Module } from "mobiledetr/nn";
import { type Tensor, zeros } from "mobiledetr/tensor";

export const all = [${entries.map((_, i) => `entry${i}`).join(", ")}];
export const options: DetectorOptions = { threads: "auto", classes: ["qr"], imgsz: 640 };
export async function main(): Promise<readonly Detection[]> {
  await using detector = await loadDetector(options);
  const result: Detections = await detector.detect(new Uint8Array(8));
  return result.detections;
}
export const x: Tensor = zeros([1, 3, 8, 8]);
export const y: Tensor = new Conv2d(3, 4, 3, { padding: 1 }).call(x);
export function named(module: Module<never[], unknown>): string {
  return String(module);
}
export const code: string = new MobileDetrError("argument", "x").code;
// @ts-expect-error a wrong option is an error: these are types, not \`any\`
loadDetector({ threads: "many" });
// @ts-expect-error exactOptionalPropertyTypes
export const wrong: DetectorOptions = { conf: "0.5" };
`;

const MODES = [
  { module: "node16", moduleResolution: "node16" },
  { module: "nodenext", moduleResolution: "nodenext" },
  { module: "esnext", moduleResolution: "bundler" },
];
const WORLDS = [
  { world: "with @types/node", types: ["node"], lib: ["es2022", "esnext.disposable"] },
  { world: "without @types/node, with the DOM", types: [], lib: ["es2022", "esnext.disposable", "dom"] },
  { world: "without @types/node and without the DOM", types: [], lib: ["es2022", "esnext.disposable"] },
];

function check(name: string, source: string, compilerOptions: Record<string, unknown>): string {
  const folder = join(consumer, "..", `types-${name}`);
  mkdirSync(join(folder, "node_modules"), { recursive: true });
  cpSync(installed, join(folder, "node_modules/mobiledetr"), {
    recursive: true,
    filter: (file) => !/\.(js|wasm|safetensors)$/.test(file),
  });
  if ((compilerOptions.types as string[]).length > 0) {
    mkdirSync(join(folder, "node_modules/@types"));
    for (const name of ["@types/node", "undici-types"]) {
      symlinkSync(join(ROOT, "node_modules", name), join(folder, "node_modules", name), "junction");
    }
  }
  writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }');
  writeFileSync(join(folder, "use.ts"), source);
  const common = { strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false, target: "es2022" };
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: { ...common, ...compilerOptions, noEmit: true },
      files: ["use.ts"],
    }),
  );
  try {
    execFileSync(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", folder], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
    return "";
  } catch (error) {
    return String((error as { stdout: string }).stdout);
  }
}

describe.each(WORLDS)("types, $world", ({ world, types, lib }) => {
  it.each(MODES)("$moduleResolution: every entry point, strict, exactOptionalPropertyTypes", (mode) => {
    const name = `${mode.moduleResolution}-${WORLDS.findIndex((other) => other.world === world)}`;
    expect(check(name, SOURCE, { ...mode, types, lib })).toBe("");
  });
});

it("types: a mistake in a consumer's code is seen", () => {
  const source = 'import { loadDetector } from "mobiledetr";\nloadDetector({ imgsize: 640 });\n';
  expect(
    check("mistake", source, { ...MODES[1], types: [], lib: ["es2022", "esnext.disposable", "dom"] }),
  ).toMatch(/imgsize/);
});
