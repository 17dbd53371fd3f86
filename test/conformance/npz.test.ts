/** NumPy archives: what is written, and what is read of NumPy's own. */
import { describe, expect, it } from "vitest";
import type { HostTensor } from "../../src/conformance/host-tensor.ts";
import { npyHeader, readNpy } from "../../src/conformance/npy.ts";
import { crc32, layOutNpz, readNpz, writeNpz } from "../../src/conformance/npz.ts";
import { memorySource } from "../../src/weights/safetensors-source.ts";
import { concat, latin1, le } from "../fuzz/bytes.ts";
import { zipOf } from "../fuzz/zip.ts";

/**
 * numpy.savez_compressed(a.b=a, i=[-1, 2**40], s=float64(0.1), f=asfortranarray(a), t=[True, False], h=float16([1.5]),
 * e=zeros((2, 0))) with a = arange(6, float32).reshape(2, 3); NumPy 2.
 */
const COMPRESSED =
  "UEsDBC0AAAAIAAAAIQBP6QAq//////////8HABQAYS5iLm5weQEAEACYAAAAAAAAAFUAAAAAAAAAm+wX6hsQychQxlCtnpJanFykbqWgbpNmoq6joJ6WX1RSlJgXn1+UkgoSd0vMKU4FihdnJBakAvkaRjoKxpo6CrUKZAMuBjBosAcSDkAExA1AvMABAFBLAwQtAAAACAAAACEA7Y39k///////////BQAUAGkubnB5AQAQAJAAAAAAAAAATAAAAAAAAACb7BfqGxDJyFDGUK2eklqcXKRupaBuk2mhrqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RpGOpo6CrUKFACu/1DAAAKMDAwAUEsDBC0AAAAIAAAAIQAAvA4S//////////8FABQAcy5ucHkBABAAiAAAAAAAAABIAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loG6TZqGuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5Gpo6CrUKFAGuWTNBYKc9AFBLAwQtAAAACAAAACEAzizg0///////////BQAUAGYubnB5AQAQAJgAAAAAAAAAVgAAAAAAAACb7BfqGxDJyFDGUK2eklqcXKRupaBuk2airqOgnpZfVFKUmBefX5SSChIPKSpNBQoXZyQWpAK5GkY6CsaaOgq1CuQDLgYwcHBgYGiwB2IHEIeBYYEDAFBLAwQtAAAACAAAACEA7hm7Xf//////////BQAUAHQubnB5AQAQAIIAAAAAAAAARgAAAAAAAACb7BfqGxDJyFDGUK2eklqcXKRupaBek2SorqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RpGOpo6CrUKFAAuRgYAUEsDBC0AAAAIAAAAIQDDF891//////////8FABQAaC5ucHkBABAAggAAAAAAAABGAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loG6TZqSuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GoY6mjoKtQoUAC4GOwBQSwMELQAAAAgAAAAhAKzWjvz//////////wUAFABlLm5weQEAEACAAAAAAAAAAEYAAAAAAAAAm+wX6hsQychQxlCtnpJanFykbqWgbpNmoq6joJ6WX1RSlJgXn1+UkgoSd0vMKU4FihdnJBakAvkaRjoKBpo6CrUKZAMuAFBLAQItAy0AAAAIAAAAIQBP6QAqVQAAAJgAAAAHAAAAAAAAAAAAAACAAQAAAABhLmIubnB5UEsBAi0DLQAAAAgAAAAhAO2N/ZNMAAAAkAAAAAUAAAAAAAAAAAAAAIABjgAAAGkubnB5UEsBAi0DLQAAAAgAAAAhAAC8DhJIAAAAiAAAAAUAAAAAAAAAAAAAAIABEQEAAHMubnB5UEsBAi0DLQAAAAgAAAAhAM4s4NNWAAAAmAAAAAUAAAAAAAAAAAAAAIABkAEAAGYubnB5UEsBAi0DLQAAAAgAAAAhAO4Zu11GAAAAggAAAAUAAAAAAAAAAAAAAIABHQIAAHQubnB5UEsBAi0DLQAAAAgAAAAhAMMXz3VGAAAAggAAAAUAAAAAAAAAAAAAAIABmgIAAGgubnB5UEsBAi0DLQAAAAgAAAAhAKzWjvxGAAAAgAAAAAUAAAAAAAAAAAAAAIABFwMAAGUubnB5UEsFBgAAAAAHAAcAZwEAAJQDAAAAAA==";

/** numpy.savez(x=array([1.0, -2.5], ">f4")). */
const BIG_ENDIAN =
  "UEsDBC0AAAAAAAAAIQDCb2Kw//////////8FABQAeC5ucHkBABAAiAAAAAAAAACIAAAAAAAAAJNOVU1QWQEAdgB7J2Rlc2NyJzogJz5mNCcsICdmb3J0cmFuX29yZGVyJzogRmFsc2UsICdzaGFwZSc6ICgyLCksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAKP4AAAMAgAABQSwECLQMtAAAAAAAAACEAwm9isIgAAACIAAAABQAAAAAAAAAAAAAAgAEAAAAAeC5ucHlQSwUGAAAAAAEAAQAzAAAAvwAAAAAA";

/** numpy.savez(x=array([None, 1], dtype=object)). */
const OBJECTS =
  "UEsDBC0AAAAAAAAAIQAYnjfu//////////8FABQAeC5ucHkBABAAGAEAAAAAAAAYAQAAAAAAAJNOVU1QWQEAdgB7J2Rlc2NyJzogJ3xPJywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAKgASVjQAAAAAAAACMFm51bXB5Ll9jb3JlLm11bHRpYXJyYXmUjAxfcmVjb25zdHJ1Y3SUk5SMBW51bXB5lIwHbmRhcnJheZSTlEsAhZRDAWKUh5RSlChLAUsChZRoA4wFZHR5cGWUk5SMAk84lImIh5RSlChLA4wBfJROTk5K/////0r/////Sz90lGKJXZQoTksBZXSUYi5QSwECLQMtAAAAAAAAACEAGJ437hgBAAAYAQAABQAAAAAAAAAAAAAAgAEAAAAAeC5ucHlQSwUGAAAAAAEAAQAzAAAATwEAAAAA";

const read = (bytes: Uint8Array): ReadonlyMap<string, HostTensor> => readNpz(memorySource(bytes, "test.npz"));
const decode = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "base64"));

const TENSORS = new Map<string, HostTensor>([
  [
    "model.0.layer3",
    { dtype: "F32", shape: [1, 2, 3], data: Float32Array.of(0, -0, Number.NaN, 1e-40, Infinity, 6) },
  ],
  ["double", { dtype: "F64", shape: [], data: Float64Array.of(0.1) }],
  ["half", { dtype: "F16", shape: [2], data: Uint16Array.of(0x3c00, 0x7e01) }],
  ["int", { dtype: "I32", shape: [2, 1], data: Int32Array.of(-1, 7) }],
  ["long", { dtype: "I64", shape: [1], data: BigInt64Array.of(-(2n ** 40n)) }],
  ["bytes", { dtype: "U8", shape: [3], data: Uint8Array.of(1, 2, 255) }],
  ["flags", { dtype: "BOOL", shape: [2], data: Uint8Array.of(1, 0) }],
  ["empty", { dtype: "F32", shape: [2, 0], data: new Float32Array() }],
  ["größe/ü", { dtype: "F32", shape: [1], data: Float32Array.of(2) }],
]);

describe("crc32", () => {
  it("gives the known answer, at once and in pieces", () => {
    const bytes = new TextEncoder().encode("123456789");
    expect(crc32(bytes)).toBe(0xcbf43926);
    expect(crc32(bytes.subarray(4), crc32(bytes.subarray(0, 4)))).toBe(0xcbf43926);
    expect(crc32(new Uint8Array())).toBe(0);
  });
});

describe("an archive of ours", () => {
  it("is read as it was written, every dtype, in order", () => {
    const back = read(writeNpz(TENSORS));
    expect([...back.keys()]).toEqual([...TENSORS.keys()]);
    for (const [name, tensor] of TENSORS) expect(back.get(name), name).toEqual(tensor);
  });

  it("has the same bytes for the same content", () => {
    expect(writeNpz(TENSORS)).toEqual(writeNpz(TENSORS));
  });

  it("has elements at multiples of 64 within a member, as NumPy has them", () => {
    const { places } = layOutNpz([{ name: "x", dtype: "F32", shape: [5] }]);
    expect(places.get("x")).toMatchObject({ byteLength: 20, begin: 30 + "x.npy".length + 128 });
    expect(places.get("x")?.header.length).toBe(128);
  });

  it("is refused where one byte was changed", () => {
    const bytes = writeNpz(TENSORS);
    const { begin } = layOutNpz([{ name: "model.0.layer3", dtype: "F32", shape: [1, 2, 3] }]).places.get(
      "model.0.layer3",
    ) ?? { begin: 0 };
    bytes[begin + 21] ^= 4;
    expect(() => read(bytes)).toThrow(/test\.npz, array "model\.0\.layer3": expected CRC-32 .*damaged/);
  });

  it("is refused where it was cut, wherever", () => {
    const bytes = writeNpz(TENSORS);
    for (let length = 0; length < bytes.length; length += 97) {
      expect(() => read(bytes.slice(0, length))).toThrow(/test\.npz/);
    }
  });

  it("never reads out of bounds or hangs, whatever byte of its directory is changed", () => {
    const bytes = writeNpz(new Map([...TENSORS].slice(0, 2)));
    for (let at = bytes.length - 180; at < bytes.length; at++) {
      const changed = bytes.slice();
      changed[at] ^= 0xff;
      try {
        read(changed);
      } catch (error) {
        expect((error as Error).name).toBe("MobileDetrError");
      }
    }
  });

  it("uses ZIP64 from 4 GiB on", () => {
    const layout = layOutNpz([
      { name: "big", dtype: "F32", shape: [2 ** 30] },
      { name: "x", dtype: "F32", shape: [1] },
    ]);
    expect(layout.places.get("big")?.begin).toBe(30 + 7 + 20 + 128);
    const pieces = layout.frame(
      new Map([
        ["big", 1],
        ["x", 2],
      ]),
    );
    const [at, end] = pieces[pieces.length - 1];
    expect(at).toBeGreaterThan(2 ** 32);
    const view = new DataView(end.buffer);
    const locator = end.length - 22 - 20;
    expect(view.getUint32(locator, true)).toBe(0x07064b50);
    expect(Number(view.getBigUint64(locator + 8, true))).toBe(at + locator - 56);
    expect(layout.byteLength).toBe(at + end.length);
  });

  it("takes no name twice", () => {
    const x = { name: "x", dtype: "F32", shape: [1] } as const;
    expect(() => layOutNpz([x, x])).toThrow(/array "x": expected names that differ/);
  });
});

describe("an archive of NumPy's", () => {
  it("is read deflated, in Fortran order, with bool, half and empty arrays", () => {
    const arrays = read(decode(COMPRESSED));
    const a = { dtype: "F32", shape: [2, 3], data: Float32Array.of(0, 1, 2, 3, 4, 5) };
    expect(arrays.get("a.b")).toEqual(a);
    expect(arrays.get("f")).toEqual(a);
    expect(arrays.get("i")).toEqual({ dtype: "I64", shape: [2], data: BigInt64Array.of(-1n, 2n ** 40n) });
    expect(arrays.get("s")).toEqual({ dtype: "F64", shape: [], data: Float64Array.of(0.1) });
    expect(arrays.get("t")).toEqual({ dtype: "BOOL", shape: [2], data: Uint8Array.of(1, 0) });
    expect(arrays.get("h")).toEqual({ dtype: "F16", shape: [1], data: Uint16Array.of(0x3e00) });
    expect(arrays.get("e")).toEqual({ dtype: "F32", shape: [2, 0], data: new Float32Array() });
  });

  it("is read big-endian", () => {
    expect(read(decode(BIG_ENDIAN)).get("x")?.data).toEqual(Float32Array.of(1, -2.5));
  });

  it("is refused where its directory says more than the file can hold, before anything is inflated", () => {
    const content = new Uint8Array(1000);
    const name = latin1("a.npy");
    const claims = zipOf([{ name, content, deflate: true, size: 0xfffffff0 }]);
    expect(() => read(claims)).toThrow(
      /array "a": expected at most \d+ bytes, which \d+ can hold, got 4294967280/,
    );
    const shared = [1, 2, 3].map((i) => ({ name: latin1(`${i}.npy`), content, ...(i > 1 && { like: 0 }) }));
    expect(() => read(zipOf(shared))).toThrow(/members that do not overlap/);
    const limited = (): unknown =>
      readNpz(memorySource(zipOf([{ name, content }]), "t.npz"), { maxBytes: 999 });
    expect(limited).toThrow("t.npz: expected at most 999 bytes of arrays, got 1000 (raise maxBytes)");
  });

  it("is refused with headers that take long: of more bytes or dimensions than NumPy's", () => {
    const npy = (text: string, data = 0): Uint8Array =>
      concat(latin1("\x93NUMPY\x02\0"), le(text.length, 4), latin1(text), new Uint8Array(data));
    expect(() => readNpy(npy("'shape': (".repeat(1e5)), "x")).toThrow(/a header of at most 10000 bytes/);
    const header = (sides: string): string =>
      `{'descr': '|u1', 'fortran_order': True, 'shape': (${sides}), }`;
    expect(() => readNpy(npy(header("1,".repeat(65)), 1), "x")).toThrow(/at most 64 dimensions, got 65/);
    expect(readNpy(npy(header("1,".repeat(64)), 1), "x").shape.length).toBe(64);
    for (const side of ["-0", "1e3", "0x10", "9007199254740993"]) {
      expect(() => readNpy(npy(header(`${side},`)), "x")).toThrow(/shape of a plain array/);
    }
  });

  it("is read from a Buffer that is a part of a larger one", () => {
    const whole = concat(npyHeader("F32", [2]), new Uint8Array(Float32Array.of(1, 2).buffer));
    const pool = Buffer.concat([Buffer.alloc(13), whole, Buffer.alloc(9)]);
    expect(readNpy(pool.subarray(13, 13 + whole.length), "x").data).toEqual(Float32Array.of(1, 2));
  });

  it("is named in messages by not all of a long name", () => {
    const long = zipOf([{ name: latin1(`${"x".repeat(5000)}.npy`), content: new Uint8Array(9) }]);
    expect(() => read(long)).toThrow(/^.{0,300}$/);
  });

  it("is refused with Python objects in it, and where it is no archive", () => {
    expect(() => read(decode(OBJECTS))).toThrow(/array "x": expected float16 to 64, .* got dtype \|O/);
    expect(() => read(new TextEncoder().encode("PK, but no archive at all, only text"))).toThrow(
      /a ZIP archive/,
    );
  });
});
