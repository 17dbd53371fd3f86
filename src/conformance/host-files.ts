/** Host tensors to and from safetensors files, through `src/weights`. Knows nothing of cases. */
import { fail } from "../errors.ts";
import type { SafetensorsFile } from "../weights/safetensors.ts";
import { saveSafetensors, withSafetensors } from "../weights/safetensors.ts";
import { quoted } from "../weights/safetensors-json.ts";
import type { HostTensor, HostTensors } from "./host-tensor.ts";

/**
 * A file's tensors, those whose names are wanted, in the header's order. BF16 becomes F32, which holds it exactly; dtypes that HostDtype lacks are
 * refused (`format`). Errors else as `openSafetensors`.
 */
export function readHostTensors(
  source: string | Uint8Array,
  wanted: (name: string) => boolean = () => true,
): HostTensors {
  return withSafetensors(source, (file) => {
    return new Map(file.names.filter(wanted).map((name) => [name, readHostTensor(file, name)]));
  });
}

/** Writes a safetensors file: complete, or not at all. Errors as `saveSafetensors`. */
export function writeHostTensors(
  path: string,
  tensors: Iterable<readonly [string, HostTensor]>,
  metadata: Readonly<Record<string, string>> = {},
): void {
  saveSafetensors(path, tensors, metadata);
}

/** One tensor of an open file; the content is copied. Errors as {@link readHostTensors}. */
export function readHostTensor(file: SafetensorsFile, name: string): HostTensor {
  const { dtype, shape } = file.entry(name);
  switch (dtype) {
    case "F32":
    case "BF16":
      return { dtype: "F32", shape, data: file.read(name) as Float32Array };
    case "F64":
      return { dtype, shape, data: file.read(name) as Float64Array };
    case "F16": {
      // The patterns: a conversion to F32 and back would lose NaNs' payloads.
      const bytes = file.bytes(name).slice();
      return { dtype, shape, data: new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2) };
    }
    case "I32":
      return { dtype, shape, data: file.read(name) as Int32Array };
    case "I64":
      return { dtype, shape, data: file.read(name) as BigInt64Array };
    case "U8":
    case "BOOL":
      return { dtype, shape, data: file.read(name) as Uint8Array };
    default:
      return fail(
        "format",
        `${file.name}, tensor ${quoted(name)}`,
        "F32, F64, F16, BF16, I32, I64, U8 or BOOL",
        dtype,
      );
  }
}
