/** Which pictures words stand for, and where annotated ones go. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { OutputFolder } from "../../src/cli/output-folder.ts";
import { type ByteStream, expandSources, type Source } from "../../src/cli/sources.ts";
import { MobileDetrError } from "../../src/errors.ts";
import { decodeImage } from "../../src/image/decode.ts";
import { encodeImage } from "../../src/image/encode.ts";
import type { ImageData8 } from "../../src/image/image.ts";
import { type ImageFormat, sniffFormat } from "../../src/image/sniff.ts";
import { filesBelow, scratchFolder } from "./run-cli.ts";

const scratch = scratchFolder();
const PIXEL: ImageData8 = { data: Uint8Array.of(10, 20, 30), width: 1, height: 1, channels: 3 };
const encodePixel = (format: ImageFormat): Uint8Array => encodeImage(PIXEL, format);

/** A new folder with empty files. */
function folder(name: string, ...files: string[]): string {
  const path = join(scratch, name);
  mkdirSync(path, { recursive: true });
  for (const file of files) writeFileSync(join(path, file), "");
  return path;
}

/** What words stand for: names of pictures, and messages of the others. */
async function expand(
  words: readonly string[],
  ...stdin: (Uint8Array | string)[]
): Promise<{ pictures: string[]; failed: string[]; sources: Source[] }> {
  const sources: Source[] = [];
  for await (const source of expandSources(words, { stdin: bytes(stdin), maxBytes: 1000 }))
    sources.push(source);
  const failed = sources.flatMap((one) => (one.kind === "failed" ? [one.error as MobileDetrError] : []));
  for (const error of failed) expect(error).toBeInstanceOf(MobileDetrError);
  return {
    pictures: sources.filter(({ kind }) => kind !== "failed").map(({ name }) => name),
    failed: failed.map(({ message }) => message),
    sources,
  };
}

async function* bytes(parts: readonly (Uint8Array | string)[]): ByteStream & AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part as string);
}

describe("expandSources", () => {
  it("takes files as they are and a folder's pictures by name, not those below it", async () => {
    const path = folder("tree", "b.JPG", "a.png", "c.jpeg", "f.Bmp", "g.gif", "notes.dat", "d.webp");
    folder("tree/below", "e.png");
    mkdirSync(join(path, "folder.png"));
    const { pictures, failed } = await expand([join(path, "notes.dat"), path]);
    expect(pictures).toEqual(
      ["notes.dat", "a.png", "b.JPG", "c.jpeg", "f.Bmp", "g.gif"].map((name) => join(path, name)),
    );
    expect(failed).toEqual([]);
  });

  it("tells what stands for nothing, and goes on", async () => {
    const path = folder("nothing", "a.dat");
    const words = [join(path, "none.jpg"), path, "/dev/zero", `${path}/*.jpg`, "-", "-", join(path, "a.dat")];
    const { pictures, failed } = await expand(words);
    expect(pictures).toEqual([join(path, "a.dat")]);
    expect(failed).toEqual([
      `${path}/none.jpg: expected a picture file or a folder, got no such file or folder`,
      `${path}: expected a folder with .jpg, .jpeg, .png, .bmp or .gif files, got one with none of them`,
      "/dev/zero: expected a picture file or a folder, got a device or pipe",
      `${path}/*.jpg: expected a pattern that fits pictures, got one that fits none`,
      "-: expected a picture or a list on standard input, got no bytes at all",
      "-: expected standard input once, got it a second time",
    ]);
  });

  it("is lazy: what comes later is not looked at before it is asked for", async () => {
    const path = folder("lazy", "a.png");
    const sources = expandSources([path, join(path, "later.png")], { maxBytes: 1 });
    expect((await sources.next()).value).toMatchObject({ kind: "file" });
    writeFileSync(join(path, "later.png"), "");
    expect((await sources.next()).value).toEqual({ kind: "file", name: join(path, "later.png") });
  });

  it("expands patterns as shells do, files of a folder before those below it", async () => {
    const path = folder(
      "glob",
      "b.jpg",
      "a.jpg",
      "a1.png",
      "a2.png",
      "notes.dat",
      ".hidden.jpg",
      "odd[1].png",
    );
    folder("glob/x/y", "deep.jpg", "other.tif");
    folder("glob/.dot", "no.jpg");
    symlinkSync(path, join(path, "x/loop"));
    const found = async (pattern: string): Promise<string[]> =>
      (await expand([join(path, pattern)])).pictures.map((name) => name.slice(path.length + 1));
    expect(await found("*")).toEqual(["a.jpg", "a1.png", "a2.png", "b.jpg", "odd[1].png"]);
    expect(await found("**/*.jpg")).toEqual(["a.jpg", "b.jpg", "x/y/deep.jpg"]);
    expect(await found("**")).toEqual(["a.jpg", "a1.png", "a2.png", "b.jpg", "odd[1].png", "x/y/deep.jpg"]);
    expect(await found("x/*/*.tif")).toEqual(["x/y/other.tif"]); // an ending of its own
    expect(await found("a[1-9].p?g")).toEqual(["a1.png", "a2.png"]);
    expect(await found("a[!2].png")).toEqual(["a1.png"]);
    expect(await found("{b,a{,2}}.{jpg,png}")).toEqual(["b.jpg", "a.jpg", "a2.png"]);
    expect(await found(".h*.jpg")).toEqual([".hidden.jpg"]);
    expect(await found("odd[1].png")).toEqual(["odd[1].png"]); // is there by that very name
    expect(await found("odd\\[*")).toEqual(["odd[1].png"]);
    const { failed } = await expand([join(path, "[z-a].jpg"), `{${",".repeat(2000)}}`]);
    expect(failed).toEqual([
      expect.stringMatching(/expected a pattern/),
      expect.stringMatching(/at most 1000/),
    ]);
  });

  it("reads lists: @FILE, a text that ends in .txt, standard input; by lines or NULs; nothing of them is a list again", async () => {
    const path = folder("list", "a.jpg", "b.jpg", "with\nbreak.jpg", "in.txt");
    const [a, b] = ["a.jpg", "b.jpg"].map((name) => join(path, name));
    writeFileSync(
      join(path, "in.txt"),
      `\ufeff${a}\r\n\r\nb.jpg\nhttps://example.org/c.jpg\n@in.txt\n-\nnone.jpg`,
    );
    const listed = [a, b, "https://example.org/c.jpg"];
    const failed = ["@in.txt", "-", "none.jpg"].map((name) =>
      expect.stringMatching(`^${name}: expected a picture file`),
    );
    expect(await expand([join(path, "in.txt")])).toMatchObject({ pictures: listed, failed });
    expect(await expand([`@${path}/in.txt`])).toMatchObject({ pictures: listed, failed });
    expect(await expand(["-"], a.slice(0, 5), `${a.slice(5)}\n${b}`)).toMatchObject({
      pictures: [a, b],
      failed: [],
    });
    const odd = join(path, "with\nbreak.jpg");
    expect(await expand(["-"], `${odd}\0${b}\0`)).toMatchObject({ pictures: [odd, b], failed: [] });
    expect(await expand(["-"], `${path}/\x1bx.jpg\0`)).toMatchObject({
      failed: [`${path}/\x1bx.jpg: expected a picture file or a folder, got no such file or folder`],
    });
    writeFileSync(join(path, "picture.txt"), encodePixel("png"));
    expect((await expand([join(path, "picture.txt")])).pictures).toEqual([join(path, "picture.txt")]);
    writeFileSync(join(path, "empty.txt"), "\n");
    expect((await expand([join(path, "empty.txt"), "@none"])).failed).toEqual([
      `${path}/empty.txt: expected a list of pictures, one a line, got an empty one`,
      "none: expected a picture file or a folder, got no such file or folder",
    ]);
    expect((await expand(["-"], "x".repeat(70000))).failed).toEqual([
      expect.stringMatching(/^-: expected lines of at most/),
    ]);
  });

  it("takes a picture on standard input, up to a limit, and what is neither picture nor list as one to be refused", async () => {
    const png = encodePixel("png");
    const { sources } = await expand(["-"], png.subarray(0, 5), png.subarray(5));
    expect(sources).toEqual([{ kind: "bytes", name: "-", bytes: new Uint8Array(png) }]);
    expect((await expand(["-"], "GIF89a\0\0\n")).sources[0].kind).toBe("bytes");
    expect((await expand(["-"], "<html>\n")).sources[0].kind).toBe("bytes");
    expect((await expand(["-"], png, new Uint8Array(2000))).failed).toEqual([
      "-: expected a picture of at most 1000 bytes, got more (raise --max-bytes)",
    ]);
  });
});

describe("OutputFolder", () => {
  it("is made, with its parents, by the first picture and not before", () => {
    const path = join(scratch, "new/deep");
    const out = new OutputFolder(path);
    expect(filesBelow(join(scratch, "new"))).toEqual([]);
    expect(out.write("in/x.png", "png", encodePixel)).toBe(join(path, "x.png"));
    expect(filesBelow(path)).toEqual(["x.png"]);
    expect(decodeImage(readFileSync(join(path, "x.png")))).toEqual(PIXEL);
  });

  it("gives sources of one name, in any case, files of their own", () => {
    const path = join(scratch, "names");
    const out = new OutputFolder(path);
    for (const source of ["a/x.png", "b/x.png", "c/X.PNG", "d/x-2.png"])
      out.write(source, "png", encodePixel);
    expect(filesBelow(path)).toEqual(["X-3.PNG", "x-2-2.png", "x-2.png", "x.png"]);
  });

  it("writes several pictures whose names are endings alone", () => {
    const path = join(scratch, "endings");
    const out = new OutputFolder(path);
    for (const source of ["a/.png", "b/.png"]) out.write(source, "png", encodePixel);
    expect(filesBelow(path)).toEqual(["-2.png", ".png"]);
  });

  it("writes the format that the name says, and adds an ending where it says none", () => {
    const path = join(scratch, "formats");
    const out = new OutputFolder(path);
    for (const [name, format] of [
      ["a.jpg", "png"],
      ["b.png", "jpeg"],
      ["c.bin", "jpeg"],
      ["d", "png"],
    ] as const) {
      out.write(name, format, encodePixel);
    }
    const written = filesBelow(path).map((name) => [
      name,
      sniffFormat(readFileSync(join(path, name))).format,
    ]);
    expect(written).toEqual([
      ["a.jpg", "jpeg"],
      ["b.png", "png"],
      ["c.bin.jpg", "jpeg"],
      ["d.png", "png"],
    ]);
  });

  it("replaces a file of an earlier run, and never a source, by whatever path or link", () => {
    const path = folder("sources", "x.png", "y.png", "old.png");
    symlinkSync(path, join(scratch, "link"));
    const out = new OutputFolder(join(scratch, "link"));
    for (const name of ["x.png", "y.png"]) out.protect(join(path, name));
    expect(out.write("elsewhere/x.png", "png", encodePixel)).toBe(join(scratch, "link/x-2.png"));
    out.write("old.png", "png", encodePixel);
    expect(filesBelow(path)).toEqual(["old.png", "x-2.png", "x.png", "y.png"]);
    expect(readFileSync(join(path, "x.png"))).toHaveLength(0);
    expect(readFileSync(join(path, "old.png")).length).toBeGreaterThan(0);
  });

  it("replaces nothing where sources to come are unknown, and never writes through a link", () => {
    const path = folder("kept", "x.png");
    symlinkSync(join(path, "x.png"), join(path, "l.png"));
    const out = new OutputFolder(path);
    expect(out.write("l.png", "png", encodePixel)).toBe(join(path, "l-2.png"));
    out.keepAll = true;
    expect(out.write("x.png", "png", encodePixel)).toBe(join(path, "x-2.png"));
    expect(readFileSync(join(path, "x.png"))).toHaveLength(0);
  });

  it("knows what it wrote, so that a pattern does not take it for a source", () => {
    const path = folder("wrote", "x.png");
    const out = new OutputFolder(path);
    out.protect(join(path, "x.png"));
    out.write("x.png", "png", encodePixel);
    expect(["x.png", "x-2.png"].map((name) => out.wrote(join(path, name)))).toEqual([false, true]);
    expect(out.wrote(join(scratch, "x-2.png"))).toBe(false);
  });

  it("numbers folders, the first that is not there", () => {
    const path = folder("numbered/exp");
    const names = [1, 2].map(() => new OutputFolder(path, true).write("x.png", "png", encodePixel));
    expect(names).toEqual([`${path}2/x.png`, `${path}3/x.png`]);
    expect(filesBelow(path)).toEqual([]);
  });

  it("names pictures of URLs and of standard input, whatever the URL holds", () => {
    const path = join(scratch, "urls");
    const out = new OutputFolder(path);
    const sources = [
      "https://h/a/b.jpg?x=/../c.png",
      "http://h/%2e%2e%2f%0a.png",
      "https://h/",
      "-",
      "https://h/..%5c.jpg",
    ];
    for (const source of sources) out.write(source, "png", encodePixel);
    expect(filesBelow(path)).toEqual(
      ["_2e_2e_2f_0a.png", ".._5c.jpg", "b.jpg", "picture.png", "stdin.png"].sort(),
    );
  });

  it("is refused at once where it is a file or leads through one", () => {
    const file = join(folder("plain", "file"), "file");
    expect(() => new OutputFolder(file)).toThrow(`${file}: expected a folder, got a file`);
    expect(() => new OutputFolder(join(file, "a/b"))).toThrow(`got a path through the file ${file}`);
  });

  it("fails, and does not hang, where the system lets nobody make folders", () => {
    // Who may do everything is refused by the system itself, who may not, by us beforehand.
    const write = (): string => new OutputFolder("/proc/mobiledetr/deep").write("x.png", "png", encodePixel);
    expect(write).toThrow(/^\/proc\/mobiledetr\/deep: expected a folder that can be (made|written)/);
  });

  it("says so where the working folder was deleted", () => {
    const cwd = vi.spyOn(process, "cwd").mockImplementation(() => {
      throw new Error("ENOENT: no such file or directory, uv_cwd");
    });
    try {
      expect(() => new OutputFolder("runs")).toThrow(
        /^runs: expected an absolute path or a working folder that exists, got ENOENT.*change to another folder/,
      );
    } finally {
      cwd.mockRestore();
    }
  });
});
