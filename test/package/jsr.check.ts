/**
 * The form for JSR: `deno publish --dry-run` takes it without the network, its declarations check as a public interface
 * ("slow types" are an error there), and from a folder it detects. Over https it cannot: docs/deno.md.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, inject, it } from "vitest";
import { DENO, run } from "./engines.ts";
import { CONF, expectedDetections, PICTURE, ROOT } from "./repository.ts";

const { consumer, installed } = inject("packed");
const out = join(consumer, "../jsr");
const env = { DENO_DIR: join(consumer, "../deno"), DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" };

describe.skipIf(DENO === undefined)("JSR", () => {
  const deno = DENO ?? "";
  beforeAll(() => {
    rmSync(out, { recursive: true, force: true });
    execFileSync(process.execPath, [join(ROOT, "tools/jsr-package.mjs"), installed, out]);
  });

  it("would be published: declarations check, no slow types, nothing missing", () => {
    const { status, stdout, stderr } = spawnSync(deno, ["publish", "--dry-run", "--allow-dirty"], {
      cwd: out,
      env,
      encoding: "utf8",
    });
    const said = stdout + stderr;
    expect(said).toMatch(/Success Dry run complete/);
    expect(said).not.toMatch(/warning\[|error\[|^error:|TS\d{4} /m);
    expect(said).toMatch(/models\/codes\.f16\.safetensors/);
    expect(status).toBe(0);
  });

  it("detects from a folder, types checked", async () => {
    const folder = join(out, "../jsr-consumer");
    mkdirSync(folder, { recursive: true });
    const imports = { "@mobiledetr/mobiledetr": "../jsr/dist/index.js" };
    writeFileSync(join(folder, "deno.json"), JSON.stringify({ imports }));
    const program = `import { type Detections, loadDetector } from "@mobiledetr/mobiledetr";
const detector = await loadDetector({ conf: ${CONF}, threads: 2 });
const result: Detections = await detector.detect(Deno.args[0]);
await detector.close();
console.log(JSON.stringify(result.detections));\n`;
    writeFileSync(join(folder, "detect.ts"), program);
    const picture = join(consumer, "picture.jpg");
    const args = ["run", "--check", "--no-prompt", `--allow-read=${out},${picture}`, "detect.ts", picture];
    expect(PICTURE.pathname).toMatch(/wall\.jpg$/); // the same that the consumer has
    expect(JSON.parse(run(deno, args, { cwd: folder, env }))).toEqual(await expectedDetections());
  });
});
