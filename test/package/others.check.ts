/** The installed package in Deno and in Bun: the repository's boxes, bit for bit. */
import { join } from "node:path";
import { describe, expect, inject, it } from "vitest";
import { ALL, BUN, DENO, run } from "./engines.ts";
import { CONF, expectedDetections } from "./repository.ts";

const { consumer, installed } = inject("packed");

describe("Deno", () => {
  if (DENO === undefined) {
    if (ALL) it("is there", () => expect.fail("Deno is missing: npm ci --prefix test/engines, or DENO"));
    else it.skip("not run: set DENO", () => {});
    return;
  }
  const deno = DENO;
  const picture = join(consumer, "picture.jpg");
  const env = { DENO_DIR: join(consumer, "../deno"), DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" };
  const OFFLINE = ["--no-prompt", "--cached-only", "--no-remote"];

  it("may read the package and the picture, and nothing else: no net, env, ffi, run, sys, write", async () => {
    const args = ["run", ...OFFLINE, `--allow-read=${installed},${picture}`, "detect.mjs", picture];
    expect(JSON.parse(run(deno, args, { cwd: consumer, env }))).toEqual(await expectedDetections());
  });

  it("asks for the picture where it may read the package alone", () => {
    const args = ["run", ...OFFLINE, `--allow-read=${installed}`, "detect.mjs", picture];
    expect(() => run(deno, args, { cwd: consumer, env })).toThrow(/picture\.jpg/);
  });

  it("runs the command", async () => {
    const main = join(installed, "dist/cli/main.js");
    const args = [
      "run",
      ...OFFLINE,
      `--allow-read=${consumer}`,
      "--allow-env",
      main,
      "detect",
      picture,
      "--json",
      "--conf",
      String(CONF),
    ];
    expect(JSON.parse(run(deno, args, { cwd: consumer, env })).detections).toEqual(
      await expectedDetections(),
    );
  });
});

describe("Bun", () => {
  if (BUN === undefined) {
    if (ALL) it("is there", () => expect.fail("Bun is missing: npm ci --prefix test/engines, or BUN"));
    else it.skip("not run: set BUN", () => {});
    return;
  }
  const bun = BUN;

  it("by the program interface", async () => {
    expect(JSON.parse(run(bun, ["detect.mjs", "picture.jpg"], { cwd: consumer }))).toEqual(
      await expectedDetections(),
    );
  });

  it("by the command", async () => {
    const main = join(installed, "dist/cli/main.js");
    const line = run(bun, [main, "detect", "picture.jpg", "--json", "--conf", String(CONF)], {
      cwd: consumer,
    });
    expect(JSON.parse(line).detections).toEqual(await expectedDetections());
  });
});
