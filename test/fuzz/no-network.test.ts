/** Nothing is fetched unless its URL was given, as a URL object: not for a text that looks like one, wherever it stands. */
import { readdirSync, readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { readTrace } from "../../src/conformance/trace-read.ts";
import { findModel, openWeights } from "../../src/detector/model-files.ts";
import { readPicture } from "../../src/detector/pictures.ts";
import { takeModel, takePicture, takeWeights } from "../../src/detector/sources.ts";
import { decodeImage } from "../../src/image/decode.ts";
import { loadDetector } from "../../src/index.ts";
import { parseModelConfig } from "../../src/models/rtdetr/config.ts";
import { openSafetensors, writeSafetensors } from "../../src/weights/safetensors.ts";
import { memorySource } from "../../src/weights/safetensors-source.ts";
import { concat, latin1 } from "./bytes.ts";
import { filesOf } from "./corpora.ts";
import { chunksOf, pngOf } from "./targets/png.ts";

const URLS = [
  "https://example.com/w.safetensors",
  "http://127.0.0.1:9/a.jpg",
  "file:///etc/passwd",
  "data:,x",
  "//example.com/x.png",
];
const fetched: string[] = [];

beforeEach(() => {
  fetched.length = 0;
  vi.stubGlobal("fetch", (url: unknown) => {
    fetched.push(String(url));
    return Promise.reject(new Error("no network here"));
  });
});
afterEach(() => {
  vi.unstubAllGlobals();
});

describe("nothing is fetched", () => {
  it.each(URLS)("for the text %s as a path", async (url) => {
    expect(takePicture(url)).toEqual({ image: url, transfer: [] });
    expect(await takeWeights(url)).toBe(url);
    expect(await takeModel(url, true)).toBe(url);
    expect(() => readPicture(url)).toThrow(/expected/);
    expect(() => openSafetensors(url)).toThrow(/expected/);
    expect(() => findModel({ model: url })).toThrow(/expected/);
    expect(() => findModel({ model: `${url}.yaml` })).toThrow(/expected/);
    expect(() => openWeights(findModel({ model: "MobileNetV4ConvSmall", weights: url }))).toThrow(/expected/);
    // On a thread of its own, where nothing is stubbed: refused as a file that is not there.
    await expect(loadDetector({ model: `${url}.yaml`, threads: 1 })).rejects.toMatchObject({ code: "file" });
    expect(fetched).toEqual([]);
  });

  it("for what pictures, weights, traces and configurations say", () => {
    for (const url of URLS) {
      const comment = latin1(url);
      const jpeg = filesOf("test/golden/image/files/", "grey.jpg")[0];
      for (const marker of [0xfe, 0xe1, 0xe2, 0xed]) {
        const segment = concat([0xff, marker, 0, comment.length + 2], comment);
        decodeImage(concat(jpeg.subarray(0, 2), segment, jpeg.subarray(2)));
      }
      const png = chunksOf(filesOf("test/golden/image/files/", "c2-d8.png")[0]);
      for (const name of ["tEXt", "iTXt", "eXIf", "iCCP"]) {
        decodeImage(pngOf([png[0], { name, body: comment }, ...png.slice(1)]));
      }
      const weights = writeSafetensors([[url, { dtype: "U8", shape: [1], data: Uint8Array.of(1) }]], {
        names: url,
        [url]: url,
      });
      const file = openSafetensors(weights, { name: url });
      file.read(url);
      const trace = readTrace(memorySource(weights, url));
      expect([...trace.tensors]).toHaveLength(1);
      const yaml = `nc: 1\nnames: ["${url}"]\nyaml_file: "${url}"\nbackbone:\n  - [-1, 1, "${url}", ["${url}"]]\nhead:\n  - [-1, 1, "${url}", ["${url}"]]\n`;
      expect(parseModelConfig(yaml, { source: url }).names).toEqual([url]);
    }
    expect(fetched).toEqual([]);
  });

  it("but for URL objects, which are", async () => {
    const url = new URL(URLS[1]);
    await expect(takePicture(url)).rejects.toMatchObject({ code: "file" });
    await expect(takeWeights(url)).rejects.toMatchObject({ code: "file" });
    expect(fetched).toEqual([url.href, url.href]);
    // A file's is a path, or nothing.
    expect(takePicture(new URL("file:///a/b.jpg"))).toEqual({ image: "/a/b.jpg", transfer: [] });
    const odd = ["file:///a%2Fb.jpg", ...(process.platform === "win32" ? [] : ["file://host/b.jpg"])];
    for (const file of odd) {
      expect(() => takePicture(new URL(file))).toThrow(`${file}: expected a file: URL of a path`);
      await expect(takeWeights(new URL(file))).rejects.toMatchObject({ code: "file" });
    }
  });

  it("anywhere else in the package: two files call fetch, one serves a page, none connects", () => {
    const src = new URL("../../src/", import.meta.url);
    const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((name) =>
      name.endsWith(".ts"),
    );
    const using = (pattern: RegExp): string[] =>
      files
        .filter((name) => pattern.test(readFileSync(new URL(name, src), "utf8")))
        .map((name) => name.replaceAll("\\", "/"))
        .sort();
    expect(using(/\bfetch\s*\(/)).toEqual(["cli/fetch-picture.ts", "detector/sources.ts"]);
    expect(using(/node:https?"/)).toEqual(["cli/view.ts"]);
    expect(using(/node:(net|tls|dgram|dns|http2)"|XMLHttpRequest|WebSocket|EventSource|sendBeacon/)).toEqual([
      "cli/view.ts",
    ]);
  });
});
