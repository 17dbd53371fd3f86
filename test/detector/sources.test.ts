/** What the detector takes besides paths and bytes: buffers, blobs, URLs, models as objects. */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { codes } from "../../src/detector/codes.ts";
import { type Detection, type Detector, loadDetector, Pipeline } from "../../src/index.ts";
import { rejection } from "./rejection.ts";

const PICTURE = new URL("../../examples/pictures/cat.jpg", import.meta.url);
const WEIGHTS = new URL("../../models/codes.f16.safetensors", import.meta.url);
const YAML = new URL("../../models/codes.yaml", import.meta.url);
const SMALL = { imgsz: 160, threads: 1, conf: 0.01 };

let detector: Detector;
let expected: readonly Detection[];
beforeAll(async () => {
  detector = await loadDetector(SMALL);
  expected = (await detector.detect(fileURLToPath(PICTURE))).detections;
});
afterAll(() => detector.close());

const bytes = (url: URL): Uint8Array<ArrayBuffer> => new Uint8Array(readFileSync(url));

/** A web server that knows the picture and the weights. */
async function serve(): Promise<{ url: string; asked: string[]; close(): void }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    const file = { "/cat.jpg": PICTURE, "/weights": WEIGHTS }[request.url ?? ""];
    if (file) response.end(readFileSync(file));
    else response.writeHead(404, "Not Found").end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    close: () => server.close(),
  };
}

describe("detect", () => {
  it("takes an ArrayBuffer, which stays the caller's, a Blob, a File, a file: URL", async () => {
    const { buffer } = bytes(PICTURE);
    const size = buffer.byteLength;
    for (const image of [
      buffer,
      new Blob([bytes(PICTURE)]),
      new File([bytes(PICTURE)], "cat.jpg"),
      PICTURE,
    ]) {
      expect((await detector.detect(image)).detections).toEqual(expected);
    }
    expect(buffer.byteLength).toBe(size);
  });

  it("answers in the order of the calls, whichever bytes come first, and closes after them", async () => {
    const own = await loadDetector(SMALL);
    const order: number[] = [];
    let release = (): void => {};
    const late = {
      size: 1,
      arrayBuffer: () =>
        new Promise<ArrayBuffer>((resolve) => {
          release = () => resolve(bytes(PICTURE).buffer);
        }),
    };
    const calls = [late, bytes(PICTURE), new Blob([bytes(PICTURE)])].map((image, i) =>
      own.detect(image).then(({ detections }) => {
        order.push(i);
        return detections;
      }),
    );
    const closed = own.close();
    release();
    expect(await Promise.all(calls)).toEqual([expected, expected, expected]);
    expect(order).toEqual([0, 1, 2]);
    await closed;
    expect((await rejection(own.detect(bytes(PICTURE)))).code).toBe("state");
  });

  it("copies bytes and options in the call: what the caller does with them afterwards changes nothing", async () => {
    const image = bytes(PICTURE);
    const options = { conf: 0.01 };
    const behind = detector.detect(new Blob([image])); // the second call has to wait for this
    const call = detector.detect(image, options);
    image.fill(0);
    options.conf = 0.99;
    expect((await call).detections).toEqual(expected);
    await behind;
  });

  it("a blob that cannot be read costs its own call alone", async () => {
    const broken = { size: 1, arrayBuffer: () => Promise.reject(new Error("gone")) };
    const [first, second] = [detector.detect(broken), detector.detect(bytes(PICTURE))];
    const error = await rejection(first);
    expect([error.code, error.message]).toEqual(["file", "blob: expected a file that can be read, got gone"]);
    expect((await second).detections).toEqual(expected);
  });

  it("fetches what a URL object names, and nothing that a string names", async () => {
    const server = await serve();
    try {
      expect((await detector.detect(new URL(`${server.url}/cat.jpg`))).detections).toEqual(expected);
      const missing = await rejection(detector.detect(new URL(`${server.url}/dog.jpg`)));
      expect([missing.code, missing.message]).toEqual([
        "file",
        expect.stringMatching(/status 200, got 404 Not Found/),
      ]);
      expect((await rejection(detector.detect(`${server.url}/cat.jpg`))).code).toBe("file");
      expect(server.asked).toEqual(["/cat.jpg", "/dog.jpg"]);
    } finally {
      server.close();
    }
    const dead = await rejection(detector.detect(new URL(`${server.url}/cat.jpg`)));
    expect([dead.code, dead.message]).toEqual(["file", expect.stringMatching(/a URL that can be fetched/)]);
  });
});

describe("loadDetector", () => {
  it("takes the default model as an object, from mobiledetr/models/codes", async () => {
    const own = await loadDetector({ ...SMALL, model: codes });
    expect(own.info).toMatchObject({ model: "codes", engine: "node", isolated: true });
    expect((await own.detect(PICTURE)).detections).toEqual(expected);
    await own.close();
  });

  it.each([
    ["an ArrayBuffer", () => bytes(WEIGHTS).buffer],
    ["a Blob", () => new Blob([bytes(WEIGHTS)])],
    ["a file: URL", () => WEIGHTS],
    ["base64", () => ({ base64: readFileSync(WEIGHTS).toString("base64") })],
  ])("takes weights as %s, beside a model of one's own and within it", async (_title, weights) => {
    const model = { name: "mine", yaml: readFileSync(YAML, "utf8") };
    for (const options of [{ model, weights: weights() }, { model: { ...model, weights: weights() } }]) {
      const own = await loadDetector({ ...SMALL, ...options });
      expect(own.info.model).toBe("mine");
      expect((await own.detect(PICTURE)).detections).toEqual(expected);
      await own.close();
    }
  });

  it("fetches weights from a URL object", async () => {
    const server = await serve();
    const own = await loadDetector({ ...SMALL, weights: new URL(`${server.url}/weights`) });
    expect((await own.detect(PICTURE)).detections).toEqual(expected);
    await own.close();
    const error = await rejection(loadDetector({ ...SMALL, weights: new URL(`${server.url}/other`) }));
    expect([error.code, error.message]).toEqual(["file", expect.stringMatching(/got 404/)]);
    server.close();
  });

  it.each([
    [{ model: {} }, /model: expected a name, a YAML file's path, or an object \{ name, yaml, weights \}/],
    [{ model: { name: "x", yaml: "y", weights: 7 } }, /model: expected/],
    [{ model: null }, /model: expected/],
    [{ weights: 7 }, /weights: expected a path, a Uint8Array, ArrayBuffer or Blob, or a URL object/],
    [{ weights: {} }, /weights: expected/],
    [{ weights: "" }, /weights: expected/],
    [{ workerUrl: "worker.js" }, /workerUrl: expected a whole URL as a string, got "worker.js"/],
  ])("refuses %j", async (options, message) => {
    const error = await rejection(loadDetector(options as never));
    expect([error.code, error.message]).toEqual(["argument", expect.stringMatching(message)]);
  });

  it("a model without weights is refused, and told what to give", async () => {
    const model = { name: "mine", yaml: readFileSync(YAML, "utf8") };
    const error = await rejection(loadDetector({ ...SMALL, model }));
    expect([error.code, error.message]).toEqual([
      "argument",
      expect.stringMatching(/mine: expected weights/),
    ]);
  });
});

it("Pipeline, which is synchronous, refuses what would have to be waited for", () => {
  expect(() => new Pipeline({ ...SMALL, weights: new Blob([]) })).toThrow(/loadDetector does that/);
});
