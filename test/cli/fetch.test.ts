/** Pictures by URL: what is fetched, and where it ends. */
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fetchPicture, isUrl } from "../../src/cli/fetch-picture.ts";
import { encodeImage } from "../../src/image/encode.ts";
import { filesBelow, runCli, scratchFolder } from "./run-cli.ts";

const PNG = encodeImage({ data: new Uint8Array(64 * 64 * 3), width: 64, height: 64, channels: 3 }, "png");
const ANSWERS: Record<string, (response: ServerResponse) => void> = {
  "/a.png": (response) => response.writeHead(200, { "content-length": PNG.length }).end(PNG),
  "/chunked": (response) => {
    response.write(PNG.subarray(0, 4));
    setTimeout(() => response.end(PNG.subarray(4)), 20);
  },
  "/page": (response) => response.end(`<!doctype html>${"x".repeat(50)}`),
  "/empty": (response) => response.end(),
  "/endless": (response) => {
    const more = (): void => void (response.destroyed || response.write(PNG, () => setTimeout(more, 1)));
    more();
  },
  "/large": (response) => response.writeHead(200, { "content-length": 1e9 }).write(PNG),
  "/silent": () => undefined,
  "/missing": (response) => response.writeHead(404).end(),
  "/to": (response) => response.writeHead(302, { location: "/a.png" }).end(),
  "/loop": (response) => response.writeHead(302, { location: "/loop" }).end(),
  "/file": (response) => response.writeHead(302, { location: "file:///etc/passwd" }).end(),
};
let server: Server;
let base: string;
const asked: string[] = [];
const scratch = scratchFolder();

beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push(`${request.url}`);
    (ANSWERS[`${request.url}`.split("?")[0]] ?? ANSWERS["/missing"])(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const LIMITS = { maxBytes: 1000, timeout: 5 };

describe("fetchPicture", () => {
  it("gives a picture's bytes, over redirects, and tells how far it is", async () => {
    const told: unknown[][] = [];
    const progress = (...state: unknown[]): void => void told.push(state);
    for (const path of ["/a.png", "/to", "/chunked"])
      expect(await fetchPicture(base + path, { ...LIMITS, progress })).toEqual(new Uint8Array(PNG));
    expect(told).toContainEqual([PNG.length, PNG.length]);
    expect(told.at(-1)).toEqual([PNG.length, undefined]);
  });

  it.each([
    ["/missing", /\/missing: expected an answer of status 200, got 404 Not Found$/],
    ["/page", /\/page: expected a JPEG or PNG picture, got HTML text$/],
    ["/empty", /expected a JPEG or PNG picture, got no bytes at all$/],
    ["/endless", /expected a picture of at most 1000 bytes, got more \(raise --max-bytes\)$/],
    ["/large", /expected a picture of at most 1000 bytes, got 1000000000 \(raise/],
    ["/loop", /expected at most 5 redirects, got more$/],
    ["/file", /expected a redirect to http or https, got "file:\/\/\/etc\/passwd"$/],
  ])("refuses %s", async (path, message) => {
    await expect(fetchPicture(base + path, LIMITS)).rejects.toThrow(message);
  });

  it("gives up in time, names what does not connect, takes no passwords", async () => {
    const late = fetchPicture(`${base}/silent`, { ...LIMITS, timeout: 0.2 });
    await expect(late).rejects.toThrow(
      /expected an answer within 0.2 seconds, got none \(raise --timeout\)$/,
    );
    await expect(fetchPicture("http://127.0.0.1:1/", LIMITS)).rejects.toThrow(
      /expected a URL that can be fetched, got /,
    );
    const named = fetchPicture(base.replace("//", "//me:secret@"), LIMITS);
    await expect(named).rejects.toThrow(/expected a URL without a user's name/);
  });

  it("is for http and https", () => {
    expect(["http://a", "HTTPS://a/b", "ftp://a", "file:///a", "a.jpg", "http:a"].map(isUrl)).toEqual([
      true,
      true,
      false,
      false,
      false,
      false,
    ]);
  });
});

describe("mobiledetr detect URL", () => {
  it("finds and draws, goes on behind one that fails, and asks for nothing else", async () => {
    asked.length = 0;
    const words = [
      "detect",
      `${base}/missing`,
      `${base}/a.png?x=1`,
      "--jsonl",
      "--out",
      "out",
      "--imgsz",
      "320",
    ];
    const { code, stdout, stderr } = await runCli(words, { cwd: scratch });
    expect(stderr).toBe(
      `mobiledetr: ${base}/missing: expected an answer of status 200, got 404 Not Found\nmobiledetr: 1 of 2 sources failed\n`,
    );
    expect(JSON.parse(stdout)).toMatchObject({ source: `${base}/a.png?x=1`, width: 64, height: 64 });
    expect(code).toBe(1);
    expect(filesBelow(scratch)).toEqual(["out/a.png"]);
    expect(asked).toEqual(["/missing", "/a.png?x=1"]);
  });
});
