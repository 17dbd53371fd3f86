/** The installed package in Node: with everything taken away that it must not need. */
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, inject, it } from "vitest";
import type { Detection } from "../../src/detector/detections.ts";
import { ALL, NODE24, run } from "./engines.ts";
import { CONF, expectedDetections } from "./repository.ts";

const { consumer } = inject("packed");
const NODE = process.execPath;
let expected: readonly Detection[];
beforeAll(async () => {
  expected = await expectedDetections();
  expect(expected.length).toBeGreaterThan(4);
});

function detections(text: string): readonly Detection[] {
  return JSON.parse(text);
}

describe.each([
  { name: `Node ${process.versions.node}`, node: NODE },
  { name: "Node 24", node: NODE24 },
])("$name, boxes equal to the repository's bit for bit", ({ node }) => {
  if (node === undefined) {
    if (ALL) it("is there", () => expect.fail("Node 24 is missing: npm ci --prefix test/engines, or NODE24"));
    else it.skip("not run: set NODE24", () => {});
    return;
  }
  const flags = (name: string): boolean => spawnSync(node, [name, "-e", "0"]).status === 0;

  it("by the program interface, without an environment", () => {
    expect(detections(run(node, ["detect.mjs", "picture.jpg"], { cwd: consumer }))).toEqual(expected);
  });

  it("by the command", () => {
    const main = join(consumer, "node_modules/mobiledetr/dist/cli/main.js");
    const line = run(node, [main, "detect", "picture.jpg", "--json", "--conf", String(CONF)], {
      cwd: consumer,
    });
    expect(JSON.parse(line).detections).toEqual(expected);
  });

  it("with code generation from strings disabled, which is enforced", () => {
    const flag = "--disallow-code-generation-from-strings";
    expect(() => run(node, [flag, "-e", 'new Function("1")'], { cwd: consumer })).toThrow(/EvalError/);
    expect(detections(run(node, [flag, "detect.mjs", "picture.jpg"], { cwd: consumer }))).toEqual(expected);
  });

  it("under the permission model: reading the package and the picture, threads, and nothing else", () => {
    const model = flags("--permission") ? "--permission" : "--experimental-permission";
    const real = realpathSync(consumer);
    const args = [model, "--allow-worker", `--allow-fs-read=${real}`];
    const write = `require("node:fs").writeFileSync(${JSON.stringify(join(real, "written"))}, "")`;
    expect(() => run(node, [...args, "-e", write], { cwd: real })).toThrow(/ERR_ACCESS_DENIED/);
    expect(detections(run(node, [...args, "detect.mjs", "picture.jpg"], { cwd: real }))).toEqual(expected);
  });
});

describe("Node, surroundings", () => {
  it("by npx, offline", () => {
    const args = ["--offline", "--", "mobiledetr", "detect", "picture.jpg", "--json", "--conf", String(CONF)];
    const line = execFileSync("npx", args, {
      cwd: consumer,
      encoding: "utf8",
      shell: process.platform === "win32",
      stdio: ["ignore", "pipe", "pipe"],
    });
    expect(JSON.parse(line).detections).toEqual(expected);
  });

  it.skipIf(process.platform === "win32")(
    "package and working folder read-only, home and XDG folders missing",
    () => {
      const folder = join(dirname(consumer), "read-only");
      mkdirSync(folder);
      cpSync(consumer, join(folder, "consumer"), { recursive: true, verbatimSymlinks: true });
      const cwd = join(folder, "consumer");
      const chmod = (mode: string): unknown => execFileSync("chmod", ["-R", mode, folder]);
      chmod("a+rX,a-w");
      // Root writes where it likes: it becomes nobody, who owns nothing here.
      const uid = process.getuid?.() === 0 ? 65534 : undefined;
      const missing = join(folder, "missing");
      const env = { HOME: missing, XDG_CONFIG_HOME: missing, XDG_CACHE_HOME: missing, TMPDIR: missing };
      const write = (file: string): string => `require("node:fs").writeFileSync(${JSON.stringify(file)}, "")`;
      try {
        for (const place of [".", "node_modules/mobiledetr", "node_modules/mobiledetr/dist"]) {
          const code = write(join(cwd, place, "written"));
          expect(() => run(NODE, ["-e", code], { cwd, env, uid })).toThrow(/EACCES|EROFS/);
        }
        expect(detections(run(NODE, ["detect.mjs", "picture.jpg"], { cwd, env, uid }))).toEqual(expected);
        const main = "node_modules/mobiledetr/dist/cli/main.js";
        const line = run(NODE, [main, "detect", "picture.jpg", "--json", "--conf", String(CONF)], {
          cwd,
          env,
          uid,
        });
        expect(JSON.parse(line).detections).toEqual(expected);
      } finally {
        chmod("u+w");
        rmSync(folder, { recursive: true });
      }
    },
  );

  it("the network off", () => {
    const namespace = spawnSync("unshare", ["-rn", NODE, "-e", "0"]).status === 0;
    if (namespace) {
      // A network namespace of its own: not even the loop device is up.
      const text = run("unshare", ["-rn", NODE, "detect.mjs", "picture.jpg"], {
        cwd: consumer,
        env: { PATH: process.env.PATH ?? "" },
      });
      expect(detections(text)).toEqual(expected);
    }
    // And everywhere: whoever opens a socket or asks for an address ends the process.
    const trap = join(consumer, "trap.cjs");
    writeFileSync(trap, TRAP);
    expect(() =>
      run(NODE, ["-r", "./trap.cjs", "-e", 'fetch("http://127.0.0.1:9")'], { cwd: consumer }),
    ).toThrow(/trapped/);
    expect(() =>
      run(NODE, ["-r", "./trap.cjs", "-e", 'require("net").connect(9)'], { cwd: consumer }),
    ).toThrow(/trapped/);
    expect(
      detections(run(NODE, ["-r", "./trap.cjs", "detect.mjs", "picture.jpg"], { cwd: consumer })),
    ).toEqual(expected);
    rmSync(trap);
    console.log(namespace ? "network: namespace and trap" : "network: trap alone, no namespace to be had");
  });

  it("leaves nothing behind", () => {
    chmodSync(consumer, 0o755);
    const lock = readFileSync(join(consumer, "package-lock.json"), "utf8");
    expect(lock).not.toMatch(/hasInstallScript/);
    const status = execFileSync(NODE, ["-p", 'JSON.stringify(require("fs").readdirSync(".").sort())'], {
      cwd: consumer,
      encoding: "utf8",
    });
    expect(JSON.parse(status)).toEqual([
      "detect.mjs",
      "node_modules",
      "package-lock.json",
      "package.json",
      "picture.jpg",
    ]);
  });
});

const TRAP = `const net = require("node:net"), dns = require("node:dns"), dgram = require("node:dgram");
const trap = (name) => () => { process._rawDebug("trapped: " + name); process.exit(99); };
net.Socket.prototype.connect = trap("connect");
net.Server.prototype.listen = trap("listen");
dgram.Socket.prototype.bind = dgram.Socket.prototype.send = trap("udp");
dns.lookup = trap("lookup");
globalThis.fetch = trap("fetch");
globalThis.WebSocket = trap("WebSocket");
`;
