/** Which pictures words stand for, and where annotated ones go. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { OutputFolder } from "../../src/cli/output-folder.ts";
import { expandSources } from "../../src/cli/sources.ts";
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

describe("expandSources", () => {
  it("takes files as they are and a folder's pictures by name, not those below it", () => {
    const path = folder("tree", "b.JPG", "a.png", "c.jpeg", "f.Bmp", "g.gif", "notes.txt", "d.webp");
    folder("tree/below", "e.png");
    mkdirSync(join(path, "folder.png"));
    const { pictures, failed } = expandSources([join(path, "notes.txt"), path]);
    const names = ["notes.txt", "a.png", "b.JPG", "c.jpeg", "f.Bmp", "g.gif"];
    expect(pictures).toEqual(names.map((name) => join(path, name)));
    expect(failed).toEqual([]);
  });

  it("tells what stands for nothing, and goes on", () => {
    const path = folder("nothing", "a.txt");
    const { pictures, failed } = expandSources([
      join(path, "none.jpg"),
      path,
      "/dev/zero",
      join(path, "a.txt"),
    ]);
    expect(pictures).toEqual([join(path, "a.txt")]);
    expect(failed.map(({ error }) => error.code)).toEqual(["file", "file", "file"]);
    expect(failed.map(({ error }) => error.message)).toEqual([
      `${path}/none.jpg: expected a picture file or a folder, got no such file or folder`,
      `${path}: expected a folder with .jpg, .jpeg, .png, .bmp or .gif files, got one with none of them`,
      "/dev/zero: expected a picture file or a folder, got a device or pipe",
    ]);
  });
});

describe("OutputFolder", () => {
  it("is made, with its parents, by the first picture and not before", () => {
    const path = join(scratch, "new/deep");
    const out = new OutputFolder(path, []);
    expect(filesBelow(join(scratch, "new"))).toEqual([]);
    expect(out.write("in/x.png", "png", encodePixel)).toBe(join(path, "x.png"));
    expect(filesBelow(path)).toEqual(["x.png"]);
    expect(decodeImage(readFileSync(join(path, "x.png")))).toEqual(PIXEL);
  });

  it("gives sources of one name, in any case, files of their own", () => {
    const path = join(scratch, "names");
    const out = new OutputFolder(path, []);
    for (const source of ["a/x.png", "b/x.png", "c/X.PNG", "d/x-2.png"])
      out.write(source, "png", encodePixel);
    expect(filesBelow(path)).toEqual(["X-3.PNG", "x-2-2.png", "x-2.png", "x.png"]);
  });

  it("writes the format that the name says, and adds an ending where it says none", () => {
    const path = join(scratch, "formats");
    const out = new OutputFolder(path, []);
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
    const out = new OutputFolder(join(scratch, "link"), [join(path, "x.png"), join(path, "y.png")]);
    expect(out.write("elsewhere/x.png", "png", encodePixel)).toBe(join(scratch, "link/x-2.png"));
    out.write("old.png", "png", encodePixel);
    expect(filesBelow(path)).toEqual(["old.png", "x-2.png", "x.png", "y.png"]);
    expect(readFileSync(join(path, "x.png"))).toHaveLength(0);
    expect(readFileSync(join(path, "old.png")).length).toBeGreaterThan(0);
  });

  it("is refused at once where it is a file or leads through one", () => {
    const file = join(folder("plain", "file"), "file");
    expect(() => new OutputFolder(file, [])).toThrow(`${file}: expected a folder, got a file`);
    expect(() => new OutputFolder(join(file, "a/b"), [])).toThrow(`got a path through the file ${file}`);
  });

  it("fails, and does not hang, where the system lets nobody make folders", () => {
    // Who may do everything is refused by the system itself, who may not, by us beforehand.
    const write = (): string =>
      new OutputFolder("/proc/mobiledetr/deep", []).write("x.png", "png", encodePixel);
    expect(write).toThrow(/^\/proc\/mobiledetr\/deep: expected a folder that can be (made|written)/);
  });

  it("says so where the working folder was deleted", () => {
    const cwd = vi.spyOn(process, "cwd").mockImplementation(() => {
      throw new Error("ENOENT: no such file or directory, uv_cwd");
    });
    try {
      expect(() => new OutputFolder("runs", [])).toThrow(
        /^runs: expected an absolute path or a working folder that exists, got ENOENT.*change to another folder/,
      );
    } finally {
      cwd.mockRestore();
    }
  });
});
