/** Printing against PyTorch's repr (`test/golden/make/tensors.py`). */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { DType } from "../../src/backend/backend.ts";
import { newTypedArray } from "../../src/backend/heap.ts";
import { createMetaBackend } from "../../src/backend/meta.ts";
import { full, tensor } from "../../src/tensor/create.ts";
import { tensorStats } from "../../src/tensor/statistics.ts";
import { Tensor } from "../../src/tensor/tensor.ts";

interface ReprCase {
  readonly shape: number[];
  readonly dtype: string;
  readonly values: string[];
  readonly repr: string;
}

const DTYPES: Readonly<Record<string, DType>> = { float32: "f32", int32: "i32", int64: "i64", uint8: "u8" };
const file = new URL("../golden/tensor/repr.json", import.meta.url);
const { cases } = JSON.parse(readFileSync(file, "utf8")) as { cases: ReprCase[] };

/** PyTorch's text without what ours says in its second line: dtype, and size of empty tensors. */
function withoutSuffix(repr: string): string {
  return repr.replace(/,\s+(dtype=torch\.\w+|size=\([^)]*\))(, dtype=torch\.\w+)?\)$/, ")");
}

describe("a tensor prints as PyTorch prints it", () => {
  cases.forEach(({ shape, dtype, values, repr }, i) => {
    it(`${i}: ${dtype} [${shape}] ${values.slice(0, 3)}`, () => {
      const data = newTypedArray(DTYPES[dtype], values.length);
      values.forEach((v, k) => {
        data[k] = dtype === "int64" ? BigInt(v) : Number(v);
      });
      const text = tensor(data, shape).toString();
      expect(text.slice(0, text.lastIndexOf("\n#"))).toBe(withoutSuffix(repr));
    });
  });
});

describe("the line under a tensor", () => {
  const lastLine = (x: Tensor): string => x.toString().split("\n").at(-1) ?? "";

  it("tells dtype, shape, backend and statistics", () => {
    expect(
      lastLine(
        tensor([
          [1, 2],
          [3, 6],
        ]),
      ),
    ).toBe("# f32 [2, 2] on reference; min 1, max 6, mean 3, std 2.1602");
  });

  it("tells channels_last, and counts what is not finite", () => {
    expect(lastLine(full([1, 2, 2, 2], 1).contiguous("channels_last"))).toContain(
      "on reference, channels_last;",
    );
    expect(lastLine(tensor([1, NaN, Infinity, -Infinity]))).toContain("nan 1, inf 2");
  });

  it("leaves out numbers where there are none: meta and released tensors", () => {
    expect(Tensor.empty(createMetaBackend(), [2, 3]).toString()).toBe("tensor(..., f32 [2, 3] on meta)");
    const x = full([2], 1);
    x.dispose();
    expect(x.toString()).toBe("tensor(..., released, f32 [2] on reference)");
  });

  it("takes statistics over finite elements, with PyTorch's unbiased deviation", () => {
    expect(tensorStats(tensor([0, 2, 4, 0, NaN, Infinity]))).toEqual({
      min: 0,
      max: 4,
      mean: 1.5,
      std: Math.sqrt(11 / 3),
      zeros: 2 / 6,
      nan: 1,
      inf: 1,
    });
  });
});
