/**
 * What `revectorize.ts` runs in a child process before it does the same in the user's: the kernels compiled both ways, one
 * call of each family, the same bits expected. Exit code 0 if so. V8's trace on standard output tells whether it did
 * anything. Importing it runs it.
 */
import type { Strided } from "../backend.ts";
import { isTrial } from "./revectorize.ts";
import { createWasmBackend, type WasmBackend } from "./wasm-backend.ts";

/** A contiguous tensor, filled by a fixed rule with numbers in [-2, 2) unless it is to be written. */
function tensor(backend: WasmBackend, shape: readonly number[], filled: boolean): Strided {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
  const storage = backend.allocate("f32", shape[0] * strides[0]);
  const data = storage.data as Float32Array;
  if (filled) for (let i = 0; i < data.length; i++) data[i] = ((i * 2654435761) % 4093) / 1023.25 - 2;
  return { storage, dtype: "f32", shape, strides, offset: 0 };
}

/** The outputs' words, one list after another. */
function results(backend: WasmBackend): Int32Array[] {
  const given = (...shape: number[]): Strided => tensor(backend, shape, true);
  const outputs: Strided[] = [];
  const out = (...shape: number[]): Strided => {
    const made = tensor(backend, shape, false);
    outputs.push(made);
    return made;
  };
  const conv = (groups: number, stride: number) =>
    ({ stride: [stride, stride], padding: [1, 1], dilation: [1, 1], groups }) as const;
  backend.linear(given(7, 33), given(50, 33), given(50), out(7, 50));
  backend.conv2d(given(1, 32, 9, 11), given(32, 32, 3, 3), given(32), out(1, 32, 9, 11), conv(1, 1));
  backend.conv2d(given(1, 5, 9, 11), given(20, 5, 3, 3), given(20), out(1, 20, 5, 6), conv(1, 2));
  backend.conv2d(given(1, 24, 9, 11), given(24, 1, 3, 3), given(24), out(1, 24, 9, 11), conv(24, 1));
  backend.layerNorm(given(5, 50), given(50), given(50), 1e-5, out(5, 50));
  backend.softmax(given(5, 50), 1, out(5, 50));
  return outputs.map(({ storage }) => {
    const { buffer, byteOffset, length } = storage.data as Float32Array;
    return new Int32Array(buffer, byteOffset, length);
  });
}

isTrial();
const expected = results(createWasmBackend());
const got = results(createWasmBackend({ revectorize: true }));
const same = expected.every((words, i) => words.every((word, k) => word === got[i][k]));
if (!same) console.error("other bits than without revectorizing");
process.exitCode = same ? 0 : 1;
