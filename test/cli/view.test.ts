/** The server of `mobiledetr view`: what it serves, what it refuses, how it ends. */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startViewer, type Viewer } from "../../src/cli/view.ts";
import { writeSafetensors } from "../../src/weights/safetensors-write.ts";
import { PICTURES, runCli, scratchFolder } from "./run-cli.ts";

const root = scratchFolder();
const PAGE =
  '<!doctype html><meta name="mobiledetr-pictures" content=""><script type="module" src="app.js"></script>';
const picture = join(root, 'a "<b>&.jpg');
let viewer: Viewer;

beforeAll(async () => {
  const files: Readonly<Record<string, string>> = {
    "dist/viewer/index.html": PAGE,
    "dist/viewer/app.js": "export {};",
    "dist/viewer/style.css": "a{}",
    "dist/browser/pipeline.js": "export {};",
    "dist/cli/main.js": "// not served",
    "models/codes.f16.safetensors": "bytes",
    "package.json": "{}",
  };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(root, path, ".."), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  writeFileSync(picture, readFileSync(join(PICTURES, "cat.jpg")));
  viewer = await startViewer({ root, input: picture });
});
afterAll(() => viewer.close());

interface Answer {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** Asks by a path as it stands, which `fetch` would tidy first. */
function ask(
  path: string,
  options: { method?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const { hostname, port } = new URL(viewer.url);
  return new Promise((resolve, reject) => {
    const asked = request({ hostname, port, path, ...options }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("end", () =>
        resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts) }),
      );
    });
    asked.on("error", reject);
    asked.end();
  });
}

describe("what is served", () => {
  it("has a page at /, with headers that isolate it, and the types that browsers insist on", async () => {
    const first = await ask("/");
    expect([first.status, first.headers.location]).toEqual([302, "/dist/viewer/index.html"]);
    const types = {
      "/dist/viewer/index.html": "text/html; charset=utf-8",
      "/dist/viewer/app.js": "text/javascript; charset=utf-8",
      "/dist/viewer/style.css": "text/css; charset=utf-8",
      "/dist/browser/pipeline.js": "text/javascript; charset=utf-8",
      "/models/codes.f16.safetensors": "application/octet-stream",
      "/pictures/0": "image/jpeg",
    };
    for (const [path, type] of Object.entries(types)) {
      const { status, headers } = await ask(path);
      expect([path, status, headers["content-type"]]).toEqual([path, 200, type]);
      expect(headers["cross-origin-opener-policy"]).toBe("same-origin");
      expect(headers["cross-origin-embedder-policy"]).toBe("require-corp");
      expect(headers["x-content-type-options"]).toBe("nosniff");
    }
  });

  it("is the picture's bytes, under a number, and its name in the page cannot end the attribute", async () => {
    expect((await ask("/pictures/0")).body.equals(readFileSync(picture))).toBe(true);
    const page = (await ask("/dist/viewer/index.html")).body.toString();
    expect(page).toContain('content="[{&quot;name&quot;:&quot;a \\&quot;&lt;b>&amp;.jpg&quot;');
    expect((await ask("/pictures/1")).status).toBe(404);
  });

  it("has a length and no body for HEAD", async () => {
    const { status, headers, body } = await ask("/dist/viewer/style.css", { method: "HEAD" });
    expect([status, headers["content-length"], body.length]).toEqual([200, "3", 0]);
  });
});

describe("what is refused", () => {
  it.each([
    "/package.json",
    "/dist/cli/main.js",
    "/dist/viewer/../cli/main.js",
    "/dist/viewer/../../package.json",
    "/dist/viewer/..%2f..%2fpackage.json",
    "/dist/viewer/%2e%2e/%2e%2e/package.json",
    "/models/../../../../../../etc/passwd",
    "//etc/passwd",
    "/dist/viewer",
    "/dist/viewer/..",
    "/models/",
    "/nothing",
  ])("404 for %s", async (path) => {
    expect((await ask(path)).status).toBe(404);
  });

  it.each(["/dist/viewer/%00", "/%zz", "/dist\\viewer", "*"])("400 for %s", async (path) => {
    expect((await ask(path)).status).toBe(400);
  });

  it("another site's name for this machine, and methods that write", async () => {
    expect((await ask("/pictures/0", { headers: { Host: "example.com" } })).status).toBe(403);
    expect((await ask("/pictures/0", { headers: { Host: "localhost:1" } })).status).toBe(200);
    expect((await ask("/pictures/0", { method: "POST" })).status).toBe(405);
  });

  it("a picture that is missing, a folder, or none, before it listens", async () => {
    const none = join(root, "package.json");
    await expect(startViewer({ root, input: join(root, "none.jpg") })).rejects.toThrow(/no such file/);
    await expect(startViewer({ root, input: root })).rejects.toThrow(/got a folder/);
    await expect(startViewer({ root, input: none })).rejects.toThrow(/a JPEG, PNG, BMP or GIF picture/);
    await expect(startViewer({ root: join(root, "dist") })).rejects.toThrow(/npm run build:js/);
  });

  it("a port that is in use, with a way out", async () => {
    const port = Number(new URL(viewer.url).port);
    await expect(startViewer({ root, port })).rejects.toThrow(
      /port \d+ free, got one that is in use \(leave --port out/,
    );
  });
});

describe("traces and networks", () => {
  const told = '<meta name="mobiledetr-network" content=""><meta name="mobiledetr-trace" content="">';
  const folder = scratchFolder();
  const trace = join(folder, "t.safetensors");
  const weights = join(folder, "w.safetensors");
  const bytes = writeSafetensors([["images", { dtype: "F32", shape: [1], data: new Float32Array(1) }]]);

  beforeAll(() => {
    mkdirSync(join(folder, "dist/viewer"), { recursive: true });
    writeFileSync(join(folder, "dist/viewer/index.html"), told);
    writeFileSync(trace, bytes);
    writeFileSync(weights, "weights");
  });

  /** What the page is told, and what is behind an address. */
  async function served(
    options: Parameters<typeof startViewer>[0],
    address: string,
  ): Promise<[string, string]> {
    const own = await startViewer({ root: folder, ...options });
    try {
      const page = await (await fetch(own.url)).text();
      const answer = await fetch(new URL(address, own.url));
      return [
        page,
        answer.ok ? Buffer.from(await answer.arrayBuffer()).toString("latin1") : `${answer.status}`,
      ];
    } finally {
      await own.close();
    }
  }

  it("a trace, by its ending, is told to the page and served", async () => {
    const [page, body] = await served({ input: trace }, "/trace");
    expect(page).toContain(
      'content="{&quot;name&quot;:&quot;t.safetensors&quot;,&quot;url&quot;:&quot;/trace&quot;}"',
    );
    expect(body).toBe(Buffer.from(bytes).toString("latin1"));
    expect(await served({}, "/trace")).toEqual([told, "404"]);
  });

  it("a network's weights are a file's or bytes; its YAML is in the page", async () => {
    const network = { name: "m.yaml", yaml: 'nc: "3"\n', weights };
    const [page, body] = await served({ network }, "/weights");
    expect(page).toContain("&quot;yaml&quot;:&quot;nc: \\&quot;3\\&quot;\\n&quot;");
    expect(page).not.toContain(folder);
    expect(body).toBe("weights");
    const generated = { name: "MobileNetV4HybridMedium", weights: new TextEncoder().encode("made") };
    expect((await served({ network: generated }, "/weights"))[1]).toBe("made");
    expect((await served({}, "/weights"))[1]).toBe("404");
  });

  it("a trace that is missing or none is refused before it listens", async () => {
    await expect(startViewer({ root: folder, input: join(folder, "no.npz") })).rejects.toThrow(
      /no such file/,
    );
    await expect(startViewer({ root: folder, input: weights })).rejects.toThrow(/w\.safetensors/);
  });
});

describe.runIf(existsSync(fileURLToPath(new URL("../../dist/viewer/index.html", import.meta.url))))(
  "mobiledetr view",
  () => {
    it("prints the address and ends by Ctrl-C, whatever is open", async () => {
      const { code, signal, stdout } = await runCli(["view", join(PICTURES, "cat.jpg"), "--no-open"], {
        signalOn: { output: /http:.*\n/, signal: "SIGINT" },
      });
      expect([code, signal]).toEqual([130, null]);
      expect(stdout).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/\n$/);
    });

    it("does not mind where there is nothing that opens an address", async () => {
      const { code, stderr } = await runCli(["view"], {
        env: { PATH: "" },
        signalOn: { output: /http:.*\n/, signal: "SIGTERM" },
      });
      expect([code, stderr]).toEqual([143, "Ctrl-C ends it.\n"]);
    });

    it("refuses a port that is none as wrong usage, and a missing picture as a failure", async () => {
      expect((await runCli(["view", "--port", "65536"])).code).toBe(2);
      expect((await runCli(["view", "none.jpg", "--no-open"])).code).toBe(1);
    });

    it("refuses weights that are missing or needed, and a gain without generated ones", async () => {
      const { code, stderr } = await runCli(["view", "--weights", "none.safetensors", "--no-open"]);
      expect([code, stderr]).toEqual([1, expect.stringContaining("none.safetensors: expected")]);
      const needed = await runCli(["view", "--model", "MobileNetV4ConvLarge", "--no-open"]);
      expect([needed.code, needed.stderr]).toEqual([2, expect.stringContaining("expected weights")]);
      expect((await runCli(["view", "--attention-gain", "2", "--no-open"])).code).toBe(2);
    });

    it("serves generated weights of a network that is named", async () => {
      const words = ["view", "--model", "MobileNetV4ConvSmall", "--weights", "seed:3", "--no-open"];
      const { code, stdout } = await runCli(words, { signalOn: { output: /http:.*\n/, signal: "SIGINT" } });
      expect([code, stdout]).toEqual([130, expect.stringMatching(/^http:/)]);
    });
  },
);
