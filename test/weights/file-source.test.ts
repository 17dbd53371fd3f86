import { execFileSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  existsSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { openFileSource, writeFileWhole } from "../../src/weights/file-source.ts";
import type { SafetensorsTensor } from "../../src/weights/safetensors.ts";
import { openSafetensors, saveSafetensors, writeSafetensors } from "../../src/weights/safetensors.ts";
import { rawFile } from "./raw-file.ts";

const root = mkdtempSync(join(tmpdir(), "weights-test-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(root, "t-"));
});

/** Whom no permission stops (and Windows, which has others). */
const isRoot = process.getuid === undefined || process.getuid() === 0;

const MIB = 2 ** 20;
const tensor: SafetensorsTensor = { dtype: "F32", shape: [3], data: Float32Array.of(1, 2, 3) };

function fileError(message: string | RegExp): unknown {
  const text =
    typeof message === "string" ? expect.stringContaining(message) : expect.stringMatching(message);
  return expect.objectContaining({ name: "MobileDetrError", code: "file", message: text });
}

/** A file of `count` tensors of `megabytes` MiB of zeros, which take no room on most disks. */
function sparseFile(dtype: "F32" | "F16", count: number, megabytes: number): string {
  const bytes = megabytes * MIB;
  const elements = bytes / (dtype === "F32" ? 4 : 2);
  const entries = Array.from({ length: count }, (_, i) => {
    return `"t${i}":{"dtype":"${dtype}","shape":[${elements}],"data_offsets":[${i * bytes},${(i + 1) * bytes}]}`;
  });
  const head = rawFile(`{${entries.join(",")}}`);
  const path = join(folder, "sparse.safetensors");
  const descriptor = openSync(path, "w");
  writeSync(descriptor, head);
  ftruncateSync(descriptor, head.length + count * bytes);
  closeSync(descriptor);
  return path;
}

describe("reading a file", () => {
  it("that is missing, a folder, below a file, a device, a link to itself, or no path is refused by name", () => {
    const plain = join(folder, "plain");
    writeFileSync(plain, "x");
    symlinkSync("loop", join(folder, "loop"));
    const missing = join(folder, "missing.safetensors");
    expect(() => openSafetensors(missing)).toThrow(
      fileError(`${missing}: expected a file that can be read, got no such file or directory`),
    );
    expect(() => openSafetensors(folder)).toThrow(
      fileError(`${folder}: expected a regular file, got a directory`),
    );
    expect(() => openSafetensors(join(plain, "w"))).toThrow(fileError("a path that leads through a file"));
    expect(() => openSafetensors(join(folder, "loop"))).toThrow(fileError("links that run in a circle"));
    expect(() => openSafetensors("")).toThrow(fileError('expected a path, got ""'));
    expect(() => openSafetensors("a\0b")).toThrow(fileError('got "a\\u0000b"'));
    expect(() => openSafetensors(join(folder, "n".repeat(300)))).toThrow(
      fileError("a name that is too long"),
    );
  });

  it.skipIf(process.platform === "win32")("that is a pipe is refused, not waited for", () => {
    const pipe = join(folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    expect(() => openSafetensors(pipe)).toThrow(fileError("a regular file, got a device or pipe"));
    expect(() => openSafetensors("/dev/zero")).toThrow(fileError("a regular file, got a device or pipe"));
  });

  it("is named as the caller says", () => {
    const path = join(folder, "x");
    writeFileSync(path, "not weights");
    expect(() => openSafetensors(path, { name: "default model" })).toThrow(/^default model: expected/);
  });

  it("that was cut short since it was opened is an error of code file, not zeros", () => {
    const path = join(folder, "cut.safetensors");
    writeFileSync(path, writeSafetensors([["w", tensor]]));
    const size = statSync(path).size;
    using file = openSafetensors(path);
    truncateSync(path, size - 5);
    const message = `${path}: expected ${size} bytes, as when it was opened, got its end at byte ${size - 5}`;
    expect(() => file.read("w")).toThrow(fileError(message));
    expect(() => file.readInto("w", new Float64Array(3))).toThrow(fileError(message));
  });

  it.skipIf(!existsSync("/proc/self/fd"))("lets go of it on close, and when it is refused", () => {
    const path = join(folder, "bad.safetensors");
    writeFileSync(path, "<html>");
    const open = (): number => readdirSync("/proc/self/fd").length;
    const before = open();
    for (let i = 0; i < 10; i++) expect(() => openSafetensors(path)).toThrow("HTML");
    expect(open()).toBe(before);
    writeFileSync(path, writeSafetensors([["w", tensor]]));
    const files = Array.from({ length: 10 }, () => openSafetensors(path));
    expect(open()).toBe(before + 10);
    for (const file of files) file[Symbol.dispose]();
    expect(open()).toBe(before);
  });

  it.each([
    ["F32", 4],
    ["F16", 2],
  ] as const)(
    "of 320 MiB of %s, tensor by tensor, holds one tensor's output and 1 MiB at most",
    (dtype, size) => {
      using file = openSafetensors(sparseFile(dtype, 40, 8));
      const out = new Float32Array((8 * MIB) / size);
      const before = process.memoryUsage();
      let most = 0;
      for (const name of file.names) {
        out.fill(1);
        file.readInto(name, out);
        expect(out[0] + out[out.length - 1]).toBe(0);
        most = Math.max(most, process.memoryUsage().arrayBuffers - before.arrayBuffers);
      }
      expect(most).toBeLessThan(MIB);
    },
  );
});

describe("saving a file", () => {
  it.skipIf(isRoot)("refuses a read-only file, and reading one that may not be read", () => {
    const path = join(folder, "locked");
    writeFileSync(path, "old", { mode: 0o444 });
    expect(() => saveSafetensors(path, [["w", tensor]])).toThrow(
      fileError(`${path}: expected a file that can be`),
    );
    expect(readFileSync(path, "utf8")).toBe("old");
    expect(readdirSync(folder)).toEqual(["locked"]);
    chmodSync(path, 0o000);
    expect(() => openSafetensors(path)).toThrow(
      fileError(`${path}: expected a file that can be read, got no perm`),
    );
  });

  it("writes the bytes of writeSafetensors, over an older file too, and leaves nothing beside it", () => {
    const path = join(folder, "out.safetensors");
    const half: SafetensorsTensor = {
      dtype: "BF16",
      shape: [50_000],
      data: new Float32Array(50_000).fill(0.1),
    };
    for (const tensors of [[["a", tensor] as const], [["a", tensor] as const, ["b", half] as const]]) {
      saveSafetensors(path, tensors, { k: "v" });
      expect(new Uint8Array(readFileSync(path))).toEqual(writeSafetensors(tensors, { k: "v" }));
      expect(readdirSync(folder)).toEqual(["out.safetensors"]);
    }
  });

  it("writes what it reads from, tensor by tensor, in place", () => {
    const path = join(folder, "same.safetensors");
    saveSafetensors(path, [["w", tensor]]);
    {
      using file = openSafetensors(path);
      saveSafetensors(path, [["w", { ...tensor, data: file.read("w") }]], { pass: "2" });
      expect(file.metadata.size).toBe(0);
      expect(file.read("w")).toEqual(tensor.data);
    }
    using again = openSafetensors(path);
    expect(again.metadata.get("pass")).toBe("2");
    expect(again.read("w")).toEqual(tensor.data);
  });

  it("refuses a folder, a missing folder, a device and no path, and leaves nothing", () => {
    mkdirSync(join(folder, "d"));
    expect(() => saveSafetensors(join(folder, "d"), [["w", tensor]])).toThrow(
      fileError("a regular file, got a directory"),
    );
    const missing = join(folder, "no", "w.safetensors");
    expect(() => saveSafetensors(missing, [["w", tensor]])).toThrow(
      fileError(`${missing}: expected a file that can be written, got no such file or directory`),
    );
    expect(() => saveSafetensors("", [["w", tensor]])).toThrow(fileError('expected a path, got ""'));
    if (existsSync("/dev/null")) {
      expect(() => saveSafetensors("/dev/null", [["w", tensor]])).toThrow(fileError("a device or pipe"));
    }
    expect(readdirSync(folder)).toEqual(["d"]);
  });

  it("that fails half way leaves the older file as it was and nothing else", () => {
    const path = join(folder, "old");
    writeFileSync(path, "old");
    const chunks = function* (): Generator<Uint8Array> {
      yield new Uint8Array(100_000);
      // The bytes are there, under another name.
      expect(readdirSync(folder).length).toBe(2);
      throw new Error("half way");
    };
    expect(() => writeFileWhole(path, chunks())).toThrow("half way");
    expect(readdirSync(folder)).toEqual(["old"]);
    expect(readFileSync(path, "utf8")).toBe("old");
    expect(() => saveSafetensors(path, [["w", { ...tensor, shape: [4] }]])).toThrow("expected 4 elements");
    expect(readFileSync(path, "utf8")).toBe("old");
  });

  it.skipIf(process.platform === "win32")("follows a link and keeps the mode of the file there", () => {
    const target = join(folder, "target");
    const link = join(folder, "link");
    writeFileSync(target, "old", { mode: 0o640 });
    symlinkSync("target", link);
    writeFileWhole(link, [Uint8Array.of(104, 105)]);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(readFileSync(target, "utf8")).toBe("hi");
    expect(statSync(target).mode & 0o777).toBe(0o640);
    expect(readdirSync(folder).sort()).toEqual(["link", "target"]);
  });

  it("and openFileSource agree on every byte, at every place", () => {
    const path = join(folder, "bytes");
    const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i * 7);
    writeFileWhole(path, [bytes.subarray(0, 1), bytes.subarray(1, 1), bytes.subarray(1)]);
    const source = openFileSource(path);
    expect(source.byteLength).toBe(1000);
    const out = new Uint8Array(new SharedArrayBuffer(400));
    source.read(333, out);
    expect([...out]).toEqual([...bytes.subarray(333, 733)]);
    source.close();
  });
});
