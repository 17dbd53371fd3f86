/** The compiled kernels as a module, without pool or backend: what it needs, and that a cut of the range changes no bit. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  instantiateKernels,
  type KernelArguments,
  type KernelName,
} from "../../src/backend/wasm/instantiate.ts";
import { stream } from "../backend/wasm/harness.ts";

const module = new WebAssembly.Module(readFileSync(new URL("../../build/kernels.wasm", import.meta.url)));

/** What the module says of itself. */
const about = WebAssembly.Module as unknown as {
  imports(m: WebAssembly.Module): { module: string; name: string; kind: string }[];
  exports(m: WebAssembly.Module): { name: string; kind: string }[];
};

function newMemory(): WebAssembly.Memory {
  return new WebAssembly.Memory({ initial: 16, maximum: 16, shared: true });
}

describe("the module", () => {
  it("imports the memory and nothing else", () => {
    expect(about.imports(module)).toEqual([{ module: "env", name: "memory", kind: "memory" }]);
  });

  it("exports functions and the memory: no globals, no tables", () => {
    const kinds = new Set(about.exports(module).map((e) => e.kind));
    expect([...kinds].sort()).toEqual(["function", "memory"]);
  });

  it("has no mutable globals at all: instances of different threads cannot disagree", () => {
    const text = readFileSync(new URL("../../build/kernels.wat", import.meta.url), "utf8");
    expect(text).not.toMatch(/\(global \$\S+ \(mut/);
    expect(text).not.toContain("(start ");
  });

  it("writes its constants below heapBase, and a second instance changes nothing", () => {
    const memory = newMemory();
    const bytes = new Uint8Array(memory.buffer);
    bytes.fill(0xa5);
    const { heapBase } = instantiateKernels(module, memory);
    const first = bytes.slice();
    expect(first.subarray(heapBase).every((b) => b === 0xa5)).toBe(true);
    expect(first.subarray(0, heapBase).some((b) => b !== 0xa5)).toBe(true);
    instantiateKernels(module, memory);
    expect(Buffer.compare(first, bytes)).toBe(0);
  });
});

/** Where a call's operands lie, in bytes: inputs x, w, b and the output y. */
interface Places {
  readonly x: number;
  readonly w: number;
  readonly b: number;
  readonly y: number;
}

const APART: Places = { x: 65536, w: 3 * 65536, b: 5 * 65536, y: 7 * 65536 };
const END = 16 * 65536; // of the memory
const SCRATCH = 12 * 65536; // zeros
const OUT_WORDS = 8192;
const UNTOUCHED = 0x7fc12345;

interface Call {
  readonly units: number;
  /** Bytes that the call may touch, for each operand that can be moved. */
  readonly bytes: Partial<Places> & { readonly y: number };
  readonly call: (
    run: <K extends KernelName>(name: K, ...args: KernelArguments<K>) => void,
    at: Places,
  ) => void;
}

const flat = (name: Exclude<Extract<KernelName, `${string}Flat`>, "clampFlat">): Call => ({
  units: 23,
  bytes: { x: 92, y: 92 },
  call: (run, { x, y }) => run(name, x, y),
});
const binary = (name: Extract<KernelName, `binary${string}`>): Call => ({
  units: 2 * 3 * 2 * 3, // [2, 3, 2, 13] in blocks of 5; b [2, 13] is broadcast
  bytes: { x: 624, w: 104, y: 624 },
  call: (run, { x, w, y }) => run(name, x, w, y, 3, 2, 13, 312, 104, 52, 4, 0, 0, 52, 4, 312, 104, 52, 5),
});

const CALLS: Readonly<Record<KernelName, Call>> = {
  binaryAdd: binary("binaryAdd"),
  binarySub: binary("binarySub"),
  binaryMul: binary("binaryMul"),
  binaryDiv: binary("binaryDiv"),
  binaryMinimum: binary("binaryMinimum"),
  binaryMaximum: binary("binaryMaximum"),
  clampFlat: {
    units: 23,
    bytes: { x: 92, y: 92 },
    call: (run, { x, y }) => run("clampFlat", x, y, -0.5, 0.25),
  },
  expFlat: flat("expFlat"),
  geluFlat: flat("geluFlat"),
  geluTanhFlat: flat("geluTanhFlat"),
  negFlat: flat("negFlat"),
  reluFlat: flat("reluFlat"),
  relu6Flat: flat("relu6Flat"),
  sigmoidFlat: flat("sigmoidFlat"),
  siluFlat: flat("siluFlat"),
  sqrtFlat: flat("sqrtFlat"),
  fillWords: { units: 23, bytes: { y: 92 }, call: (run, { y }) => run("fillWords", y, 0x3f800000) },
  zeroFrame: { units: 7, bytes: { y: 588 }, call: (run, { y }) => run("zeroFrame", y, 4, 5, 2, 1, 12, 84) },
  // [2, 3, 10, 7] transposed in its last two axes, in blocks of 4
  copyRows: {
    units: 2 * 3 * 3,
    bytes: { x: 1680, y: 1680 },
    call: (run, { x, y }) =>
      run("copyRows", x, y, 1, 2, 3, 10, 7, 0, 0, 840, 280, 4, 40, 0, 0, 840, 280, 28, 4, 4),
  },
  gatherPixels: {
    units: 2 * 4,
    bytes: { x: 800, y: 960 },
    call: (run, { x, y }) =>
      run("gatherPixels", x, y, APART.b, APART.b + 64, 4, 6, 5, 400, 80, 20, 480, 120, 20),
  },
  affinePixels: {
    units: 11,
    bytes: { x: 308, w: 28, b: 28, y: 348 },
    call: (run, { x, w, b, y }) => run("affinePixels", x, w, b, y, 7, 28, 32),
  },
  affinePlanes: {
    units: 6,
    bytes: { x: 312, w: 12, b: 12, y: 312 },
    call: (run, { x, w, b, y }) => run("affinePlanes", x, w, b, y, 3, 13),
  },
  layerNormRows: {
    units: 7,
    bytes: { x: 588, w: 84, b: 84, y: 612 },
    call: (run, { x, w, b, y }) => run("layerNormRows", x, w, b, y, 21, 1e-5, 84, 88),
  },
  softmaxRows: {
    units: 7,
    bytes: { x: 588, y: 612 },
    call: (run, { x, y }) => run("softmaxRows", x, y, 21, 84, 88),
  },
  // twice 13 pixels in blocks of 3 (an odd one at the end of every block), 21 outputs (a panel of 5)
  gemm: {
    units: 2 * 5,
    bytes: { x: 1060, w: 768, b: 2184, y: 2184 },
    call: (run, { x, w, b, y }) =>
      run("gemm", x, w, y, 13, 21, 5, 1, 0, 1, 0, 20, 84, 800, 0, 1092, 3, 3, b, 84, 1092),
  },
  packPanels: {
    units: 2 * 2,
    bytes: { x: 840, b: 84, y: 1536 },
    call: (run, { x, b, y }) => run("packPanels", x, b, y, 21, 20, 5, 4, 1, 0, 1, 0, 4, 420),
  },
  packDepthwise: {
    units: 2,
    bytes: { x: 252, b: 28, y: 320 },
    call: (run, { x, b, y }) => run("packDepthwise", x, b, y, 7, 36, 3, 12, 3, 4, 4),
  },
  depthwise: {
    units: 5,
    bytes: { x: 1568, w: 320, b: 840, y: 840 },
    call: (run, { x, w, b, y }) =>
      run("depthwise", x, w, y, 7, 6, 3, 224, 3, 28, 224, 28, 168, 28, 3, b, 168, 28),
  },
  packStrassen: {
    units: 2,
    bytes: { x: 4096, b: 256, y: 8064 },
    call: (run, { x, b, y }) => run("packStrassen", x, b, y, 64, 64, 8, 4, 1, 0, 1, 0, 4),
  },
  // twice 13 pixels in blocks of 6 (of the last one the only pixel is in both halves), 16 inputs, two pairs of panels apart
  strassen: {
    units: 2 * 3 * 2,
    bytes: { x: 1664, w: 8064, b: 6656, y: 6656 },
    call: (run, { x, w, b, y }) => {
      const shape = [13, 64, 8, 1, 0, 1, 0, 64, 256, 2, 832, 3328, 3, 1, 3] as const;
      run("strassen", x, w, y, ...shape, b, 256, 3328, SCRATCH, SCRATCH + 64, 2, 1472);
    },
  },
  packWinograd: {
    units: 2,
    bytes: { x: 3240, b: 72, y: 41600 },
    call: (run, { x, b, y }) => run("packWinograd", x, b, y, 18, 180, 5, 36, 12, 4, 4),
  },
  // two images of 6x7 pixels, 5 inputs, 18 outputs, in blocks of 3 of their 4 tiles; two slots behind their flags
  winograd: {
    units: 2 * 2,
    bytes: { x: 1680, w: 41600, b: 6048, y: 6048 },
    call: (run, { x, w, b, y }) => {
      const shape = [5, 18, 6, 7, 1, 1, 840, 140, 20, 6, 7, 3024, 504, 72] as const;
      run("winograd", x, w, y, ...shape, 3, b, 3024, 504, 72, 3, SCRATCH, SCRATCH + 64, 2, 16384, 192, 192);
    },
  },
  reduceRows: {
    units: 7,
    bytes: { x: 588, y: 56 },
    call: (run, { x, y }) => run("reduceRows", x, y, 3, 21, 84, 8),
  },
  topkRows: {
    units: 3,
    bytes: { x: 252, y: 72 },
    call: (run, { x, y }) => run("topkRows", x, y, y + 36, SCRATCH, 21, 3, 1, 84, 4, 12, 4, 12, 4),
  },
  gatherRows: {
    units: 2 * 4,
    bytes: { x: 280, y: 224 },
    call: (run, { x, y }) => run("gatherRows", x, APART.b, y, 4, 7, 140, 28, 0, 4, 112, 28),
  },
  deformableAttention: {
    units: 2 * 3,
    bytes: { x: 1200, w: 384, y: 240 },
    call: (run, { x, w, y }) =>
      run("deformableAttention", x, APART.b + 128, w, APART.w, y, 3, 2, 5, 1, 4, 600, 40, 20, 120, 40),
  },
  gridSampleBilinearZeros: {
    units: 2 * 3,
    bytes: { x: 720, w: 192, y: 288 },
    call: (run, { x, w, y }) =>
      run("gridSampleBilinearZeros", x, w, y, 5, 6, 3, 3, 4, 0, 360, 72, 12, 144, 48, 12),
  },
};

describe("every kernel", () => {
  const memory = newMemory();
  const buffer = memory.buffer;
  const kernels = instantiateKernels(module, memory);
  const next = stream(11);
  for (const at of [APART.x, APART.w, APART.b]) {
    const data = new Float32Array(buffer as ArrayBuffer, at, OUT_WORDS);
    for (let i = 0; i < data.length; i++) data[i] = next();
  }
  // Where b is no vector: row and column indices, and one level of 3 x 5 tokens.
  new Int32Array(buffer, APART.b, 4).set([0, 2, 1, 4]);
  new Int32Array(buffer, APART.b + 64, 6).set([3, 0, 1, 3, 2, 2]);
  new Int32Array(buffer, APART.b + 128, 3).set([3, 5, 0]);

  /** Runs a call in parts; returns the output's words, and as many behind it as lie in the memory (up to 16). */
  function run({ call, bytes }: Call, bounds: readonly number[], at: Places = APART): Buffer {
    const words = Math.min(bytes.y / 4 + 16, (END - at.y) / 4);
    const out = new Int32Array(buffer, at.y, words).fill(UNTOUCHED);
    call((kernel, ...args) => {
      const f = kernels.functions[kernels.names.indexOf(kernel)];
      for (let i = 1; i < bounds.length; i++) f(...(args as number[]), bounds[i - 1], bounds[i]);
    }, at);
    return Buffer.from(out.slice().buffer);
  }

  it("is tested here", () => {
    expect(Object.keys(CALLS).sort()).toEqual([...kernels.names].sort());
  });

  for (const [name, of] of Object.entries(CALLS)) {
    it(`${name}: the same bits however its range is cut, nothing written behind the output`, () => {
      const { units, bytes } = of;
      const whole = run(of, [0, units]);
      const words = new Int32Array(whole.buffer, whole.byteOffset, whole.length / 4);
      expect(words.subarray(0, bytes.y / 4).some((v) => v !== UNTOUCHED)).toBe(true);
      expect(words.subarray(bytes.y / 4).every((v) => v === UNTOUCHED)).toBe(true);
      const single = run(
        of,
        Array.from({ length: units + 1 }, (_, i) => i),
      );
      expect(whole.equals(single), "unit by unit").toBe(true);
      for (let cut = 1; cut < units; cut++) {
        expect(whole.equals(run(of, [0, cut, units])), `cut at ${cut}`).toBe(true);
      }
    });

    it(`${name}: reads and writes nothing past an operand at the memory's end (it would trap)`, () => {
      const { units, bytes } = of;
      const whole = run(of, [0, units]).subarray(0, bytes.y);
      for (const operand of ["x", "w", "b", "y"] as const) {
        const size = bytes[operand];
        if (size === undefined) continue;
        const moved = { ...APART, [operand]: END - size };
        new Uint8Array(buffer, END - size, size).set(new Uint8Array(buffer, APART[operand], size));
        expect(run(of, [0, units], moved).subarray(0, bytes.y).equals(whole), operand).toBe(true);
      }
    });
  }
});
