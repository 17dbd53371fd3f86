import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { SafetensorsArray, SafetensorsDtype, SafetensorsTensor } from "../../src/weights/safetensors.ts";
import {
  openSafetensors,
  SAFETENSORS_DTYPES,
  SafetensorsFile,
  writeSafetensors,
} from "../../src/weights/safetensors.ts";
import { rawFile } from "./raw-file.ts";

const golden = new URL("../golden/weights/", import.meta.url);
const officialPath = fileURLToPath(new URL("every-dtype.safetensors", golden));
const expected = JSON.parse(readFileSync(new URL("expected.json", golden), "utf8"));

/** A value of each type at both ends of its range, in the typed array that `read` gives. */
const VALUES: readonly (readonly [SafetensorsDtype, SafetensorsArray])[] = [
  ["F64", Float64Array.of(0.1, -0, Number.MAX_VALUE, Number.MIN_VALUE, Number.NaN, -Infinity)],
  ["F32", Float32Array.of(0.1, -0, 3.4028234663852886e38, 1e-45, Number.NaN, -Infinity)],
  ["F16", Float32Array.of(0.5, -0, 65504, 2 ** -24, Number.NaN, -Infinity)],
  ["BF16", Float32Array.of(0.5, -0, 3.3895313892515355e38, 2 ** -133, Number.NaN, -Infinity)],
  ["I64", BigInt64Array.of(-(2n ** 63n), -1n, 0n, 2n ** 63n - 1n)],
  ["I32", Int32Array.of(-(2 ** 31), -1, 0, 2 ** 31 - 1)],
  ["I16", Int16Array.of(-32768, -1, 0, 32767)],
  ["I8", Int8Array.of(-128, -1, 0, 127)],
  ["U64", BigUint64Array.of(0n, 1n, 2n ** 64n - 1n)],
  ["U32", Uint32Array.of(0, 1, 2 ** 32 - 1)],
  ["U16", Uint16Array.of(0, 1, 65535)],
  ["U8", Uint8Array.of(0, 1, 255)],
  ["BOOL", Uint8Array.of(0, 1, 1)],
];

function bytesOf(data: SafetensorsArray): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
}

/** A file with one tensor "t". */
function single(dtype: SafetensorsDtype, data: SafetensorsArray): ReturnType<typeof openSafetensors> {
  return openSafetensors(writeSafetensors([["t", { dtype, shape: [data.length], data }]]));
}

describe("files of the official library", () => {
  for (const [how, source] of [
    ["by path", officialPath],
    ["from bytes", readFileSync(officialPath)],
  ] as const) {
    it(`opened ${how}: every type, shape and value, the metadata and odd names`, () => {
      using file = openSafetensors(source);
      expect([...file.metadata]).toEqual([["format", "pt"]]);
      expect([...file.names].sort()).toEqual(Object.keys(expected.tensors).sort());
      for (const [name, tensor] of Object.entries<{ shape: number[]; values: string[] }>(expected.tensors)) {
        const { dtype, shape } = file.entry(name);
        expect(shape).toEqual(tensor.shape);
        if (SAFETENSORS_DTYPES.includes(name as SafetensorsDtype)) expect(dtype).toBe(name);
        const big = dtype === "I64" || dtype === "U64";
        const values = tensor.values.map((text) => (big ? BigInt(text) : Number(text)));
        expect(Array.from<number | bigint>(file.read(name)), name).toEqual(values);
      }
    });
  }

  it("written again in the same order has the same bytes", () => {
    using file = openSafetensors(officialPath);
    const tensors = file.names.map((name) => [name, { ...file.entry(name), data: file.read(name) }] as const);
    expect(writeSafetensors(tensors, file.metadata)).toEqual(new Uint8Array(readFileSync(officialPath)));
  });
});

describe("openSafetensors", () => {
  it.each(VALUES)("%s: values written come back as they were, bit for bit", (dtype, data) => {
    const file = single(dtype, data);
    const back = file.read("t");
    expect(back[Symbol.toStringTag]).toBe(data[Symbol.toStringTag]);
    expect(back).toEqual(data);
    expect(Array.from<number | bigint>(back).map(String)).toEqual(
      Array.from<number | bigint>(data).map(String),
    );
    expect(file.entry("t")).toEqual({
      name: "t",
      dtype,
      shape: [data.length],
      byteLength: file.bytes("t").length,
    });
  });

  it("gives names in the header's order, and takes tensors that lie in another", () => {
    const header =
      '{"b":{"data_offsets":[4,6],"shape":[2],"dtype":"U8"},' +
      '"a":{"dtype":"I32","shape":[1],"data_offsets":[0,4]},' +
      '"none":{"dtype":"F32","shape":[0,9007199254740991],"data_offsets":[4,4]},' +
      '"":{"dtype":"U8","shape":[],"data_offsets":[6,7]}}  \n\t\r';
    const file = openSafetensors(rawFile(header, Uint8Array.of(1, 2, 0, 0, 7, 8, 9)));
    expect(file.names).toEqual(["b", "a", "none", ""]);
    expect(file.metadata.size).toBe(0);
    expect(file.read("b")).toEqual(Uint8Array.of(7, 8));
    expect(file.read("a")).toEqual(Int32Array.of(513));
    expect(file.read("none")).toEqual(new Float32Array(0));
    expect(file.read("")).toEqual(Uint8Array.of(9));
  });

  it("takes a file without tensors, and metadata with names that objects treat specially", () => {
    expect(openSafetensors(rawFile("{}")).names).toEqual([]);
    const header =
      '{"__metadata__":{"__proto__":"x","constructor":"\\u00e9\\n\\ud83d\\ude00","toString":""}}';
    const file = openSafetensors(rawFile(header));
    expect([...file.metadata]).toEqual([
      ["__proto__", "x"],
      ["constructor", "\u00e9\n\u{1f600}"],
      ["toString", ""],
    ]);
    expect(file.has("__proto__") || file.has("toString") || file.has("__metadata__")).toBe(false);
  });

  it("gives bytes as a view of bytes and as a copy of a file", () => {
    const memory = new Uint8Array(readFileSync(officialPath));
    expect(openSafetensors(memory).bytes("I8").buffer).toBe(memory.buffer);
    using file = openSafetensors(officialPath);
    expect(file.bytes("I8")).toEqual(Uint8Array.of(128, 255, 0, 1, 127));
    expect(file.bytes("I8").buffer.byteLength).toBe(5);
  });

  it("refuses names that are not there, use after close, and sources that are neither path nor bytes", () => {
    const file = openSafetensors(officialPath);
    expect(() => file.entry("nope")).toThrow(
      /expected the name of one of its 18 tensors, got "nope" \("U64", /,
    );
    file.close();
    file.close();
    expect(file.entry("I8").dtype).toBe("I8");
    for (const use of [
      () => file.bytes("I8"),
      () => file.read("I8"),
      () => file.readInto("I8", new Int8Array(5)),
    ]) {
      expect(use).toThrow(
        expect.objectContaining({ code: "state", message: expect.stringContaining("closed") }),
      );
    }
    expect(() => openSafetensors(3 as unknown as string)).toThrow(
      "expected a path or a Uint8Array, got number",
    );
  });
});

describe("a tensor that is larger than memory", () => {
  it("is opened at once without allocating for it, and refused with code memory when it is read", () => {
    const bytes = 2 ** 52;
    const head = rawFile(`{"w":{"dtype":"U8","shape":[${bytes}],"data_offsets":[0,${bytes}]}}`);
    const source = {
      name: "huge.safetensors",
      byteLength: head.length + bytes,
      read: (position: number, out: Uint8Array) => out.set(head.subarray(position, position + out.length)),
      close: () => undefined,
    };
    const file = new SafetensorsFile(source);
    expect(file.entry("w").byteLength).toBe(bytes);
    const message = expect.stringContaining(
      `huge.safetensors, tensor "w": expected ${bytes} bytes of memory, got `,
    );
    for (const use of [() => file.read("w"), () => file.bytes("w")]) {
      expect(use).toThrow(expect.objectContaining({ code: "memory", message }));
    }
  });
});

describe("readInto", () => {
  it("fills views over shared memory, and nothing around them", () => {
    using file = openSafetensors(officialPath);
    for (const [name, count] of [["F32", 15] as const, ["F16", 15] as const]) {
      const around = new Float32Array(new SharedArrayBuffer(4 * (count + 2))).fill(42);
      file.readInto(name, around.subarray(1, count + 1));
      expect([...around]).toEqual([42, ...file.read(name), 42]);
    }
  });

  it.each(["Float32Array", "Float64Array"] as const)(
    "rounds every type once into a %s, as torch does",
    (kind) => {
      const make = (n: number): Float32Array | Float64Array =>
        kind === "Float32Array" ? new Float32Array(n) : new Float64Array(n);
      const round = kind === "Float32Array" ? Math.fround : Number;
      for (const [dtype, data] of VALUES) {
        const out = make(data.length);
        single(dtype, data).readInto("t", out);
        expect([...out], dtype).toEqual(
          Array.from<number | bigint>(data).map((value) => round(Number(value))),
        );
      }
    },
  );

  it("rounds a 64-bit integer once: just above the midpoint of two float32 goes up", () => {
    // 2^60 + 2^36 is the midpoint; by way of a float64, its 1 would be lost and the tie go down to even.
    const middle = 2n ** 60n + 2n ** 36n;
    const out = new Float32Array(6);
    const values = BigInt64Array.of(
      middle - 1n,
      middle,
      middle + 1n,
      -middle - 1n,
      2n ** 63n - 1n,
      -(2n ** 63n),
    );
    single("I64", values).readInto("t", out);
    const up = 2 ** 60 + 2 ** 37;
    expect([...out]).toEqual([2 ** 60, 2 ** 60, up, -up, 2 ** 63, -(2 ** 63)]);
  });

  it("takes into integers what fits exactly, and names index and value of what does not", () => {
    const into = (
      dtype: SafetensorsDtype,
      data: SafetensorsArray,
      out: SafetensorsArray,
    ): SafetensorsArray => {
      single(dtype, data).readInto("t", out);
      return out;
    };
    expect(into("I64", BigInt64Array.of(-5n, 2n ** 31n - 1n), new Int32Array(2))).toEqual(
      Int32Array.of(-5, 2 ** 31 - 1),
    );
    expect(into("F32", Float32Array.of(3, -0), new BigInt64Array(2))).toEqual(BigInt64Array.of(3n, 0n));
    expect(into("F16", Float32Array.of(255, 0), new Uint8Array(2))).toEqual(Uint8Array.of(255, 0));
    expect(into("BOOL", Uint8Array.of(1, 0), new BigInt64Array(2))).toEqual(BigInt64Array.of(1n, 0n));
    const bad: [SafetensorsDtype, SafetensorsArray, SafetensorsArray, string][] = [
      ["I64", BigInt64Array.of(0n, 2n ** 31n), new Int32Array(2), "2147483648 at index 1"],
      ["I64", BigInt64Array.of(2n ** 62n + 1n), new Int32Array(1), "4611686018427387905 at index 0"],
      ["U64", BigUint64Array.of(2n ** 63n), new BigInt64Array(1), "9223372036854775808 at index 0"],
      ["F32", Float32Array.of(1, 2, 2.5), new Int32Array(3), "2.5 at index 2"],
      ["F32", Float32Array.of(Number.NaN), new BigInt64Array(1), "NaN at index 0"],
      ["BF16", Float32Array.of(-1), new Uint8Array(1), "-1 at index 0"],
      ["I16", Int16Array.of(256), new Uint8Array(1), "256 at index 0"],
    ];
    for (const [dtype, data, out, got] of bad) {
      const message = `tensor "t": expected ${dtype} values that fit a ${out[Symbol.toStringTag]} exactly, got ${got}`;
      expect(() => into(dtype, data, out)).toThrow(message);
    }
  });

  it("converts across the ends of its 64 KiB staging buffer, and counts the index of a bad value through them", () => {
    for (const count of [32767, 32768, 32769, 100_003]) {
      // Integers up to 2048 are halves.
      const data = Float32Array.from({ length: count }, (_, i) => (i % 4093) - 2046);
      const out = new Float32Array(count);
      single("F16", data).readInto("t", out);
      expect(out.findIndex((value, i) => value !== data[i])).toBe(-1);
    }
    const halves = new Float32Array(70_000).fill(3);
    halves[69_999] = 0.5;
    expect(() => single("F16", halves).readInto("t", new Int32Array(70_000))).toThrow("0.5 at index 69999");
  });

  it("refuses a BOOL byte that is neither 0 nor 1, whatever it is read into", () => {
    const bytes = new Uint8Array(70_000).fill(1);
    bytes[66_000] = 2;
    const file = openSafetensors(
      rawFile('{"m":{"dtype":"BOOL","shape":[70000],"data_offsets":[0,70000]}}', bytes),
    );
    const message = 'tensor "m": expected BOOL bytes of 0 or 1, got 2 at index 66000';
    expect(() => file.read("m")).toThrow(message);
    expect(() => file.readInto("m", new Float32Array(70_000))).toThrow(message);
    expect(file.bytes("m")[66_000]).toBe(2);
  });

  it("refuses outputs of another length and what is no typed array of numbers", () => {
    const file = single("F32", new Float32Array(6));
    expect(() => file.readInto("t", new Float32Array(5))).toThrow(
      'safetensors bytes, tensor "t": expected an output of 6 elements, shape [6], got 5',
    );
    for (const out of [[0], new DataView(new ArrayBuffer(6)), new Uint8ClampedArray(6), null]) {
      expect(() => file.readInto("t", out as unknown as Float32Array)).toThrow(
        "expected a typed array to read into",
      );
    }
  });
});

describe("writeSafetensors", () => {
  const write = (tensor: object, name = "t"): unknown =>
    writeSafetensors([
      [name, { dtype: "F32", shape: [2], data: new Float32Array(2), ...tensor } as SafetensorsTensor],
    ]);

  it("keeps names as given, lays wide elements first, and pads the header to a multiple of 8", () => {
    const bytes = writeSafetensors([
      ["odd", { dtype: "U8", shape: [3], data: Uint8Array.of(1, 2, 3) }],
      ["wide", { dtype: "F64", shape: [1], data: Float64Array.of(0.5) }],
      ["half", { dtype: "F16", shape: [1], data: Float32Array.of(1) }],
    ]);
    const headerBytes = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    const text = new TextDecoder().decode(bytes.subarray(8, 8 + headerBytes));
    expect(headerBytes % 8).toBe(0);
    expect(text.trimEnd()).toBe(
      '{"odd":{"dtype":"U8","shape":[3],"data_offsets":[10,13]},' +
        '"wide":{"dtype":"F64","shape":[1],"data_offsets":[0,8]},' +
        '"half":{"dtype":"F16","shape":[1],"data_offsets":[8,10]}}',
    );
    expect([...bytes.subarray(8 + headerBytes)]).toEqual([0, 0, 0, 0, 0, 0, 0xe0, 0x3f, 0, 0x3c, 1, 2, 3]);
    expect(openSafetensors(bytes).names).toEqual(["odd", "wide", "half"]);
  });

  it.each(VALUES)("%s: takes the bytes in place of the values", (dtype, data) => {
    const file = single(dtype, data);
    const copy = writeSafetensors([["t", { ...file.entry("t"), data: file.bytes("t") }]]);
    expect(copy).toEqual(writeSafetensors([["t", { ...file.entry("t"), data }]]));
  });

  it("takes half and bfloat16 patterns, and rounds values longer than its staging buffer to nearest even", () => {
    const patterns = Uint16Array.from({ length: 40_000 }, (_, i) => i % 0x7c00);
    const values = single("F16", patterns).read("t");
    const again = single("F16", values);
    expect(again.bytes("t")).toEqual(bytesOf(patterns));
    expect(single("F16", Float32Array.of(2049, 2051, 65520)).read("t")).toEqual(
      Float32Array.of(2048, 2052, Infinity),
    );
    expect(single("BF16", Float32Array.of(257, 259)).read("t")).toEqual(Float32Array.of(256, 260));
  });

  it("writes from views over shared memory, with metadata out of an object or a map", () => {
    const shared = new Float32Array(new SharedArrayBuffer(16));
    shared.set([1, 2, 3, 4]);
    const tensor: SafetensorsTensor = { dtype: "F32", shape: [2, 1], data: shared.subarray(1, 3) };
    const file = openSafetensors(writeSafetensors([["t", tensor]], { b: "2", a: "\u{1f600}" }));
    expect(file.read("t")).toEqual(Float32Array.of(2, 3));
    expect([...file.metadata]).toEqual([
      ["b", "2"],
      ["a", "\u{1f600}"],
    ]);
    expect(
      openSafetensors(writeSafetensors([], new Map([["__proto__", "1"]]))).metadata.get("__proto__"),
    ).toBe("1");
  });

  it.each([
    [{ shape: [3] }, "t", 'tensor "t": expected 3 elements, shape [3], got 2'],
    [{ shape: [-2] }, "t", "expected a shape of integers in [0, 2^53), as is their product, got [-2]"],
    [{ shape: [1.5] }, "t", "got [1.5]"],
    [{ shape: [2 ** 40, 2 ** 40] }, "t", "as is their product"],
    [{ shape: [undefined] }, "t", "expected a shape of integers"],
    [{ dtype: "F8_E4M3" }, "t", "a dtype out of F64, F32, F16, BF16, I64"],
    [
      { dtype: "I64" },
      "t",
      "expected BigInt64Array or Uint8Array (the bytes) as data of I64, got Float32Array",
    ],
    [{ data: new Float64Array(2) }, "t", "expected Float32Array or Uint8Array (the bytes) as data of F32"],
    [{ data: new Uint8Array(7) }, "t", "expected 8 bytes, shape [2] of F32, got 7"],
    [{ data: [1, 2] }, "t", "got object"],
    [{ dtype: "BOOL", data: Uint8Array.of(0, 3) }, "t", "BOOL values of 0 or 1, got 3 at index 1"],
    [{}, "__metadata__", 'tensor "__metadata__": expected another name'],
    [{}, "a\ud800", "half a surrogate pair"],
    [{}, 7, "tensor name: expected a string, got number"],
  ])("refuses %j named %j: %s", (tensor, name, message) => {
    expect(() => write(tensor, name as string)).toThrow(
      expect.objectContaining({ code: "argument", message: expect.stringContaining(message) }),
    );
  });

  it("refuses a name that comes twice, and metadata that is no string", () => {
    const one: SafetensorsTensor = { dtype: "U8", shape: [], data: Uint8Array.of(1) };
    expect(() =>
      writeSafetensors([
        ["x", one],
        ["x", one],
      ]),
    ).toThrow('tensor "x": expected names that differ, got this one twice');
    expect(() => writeSafetensors([], { epoch: 3 } as unknown as Record<string, string>)).toThrow(
      'metadata "epoch": expected a string, got number',
    );
  });
});
