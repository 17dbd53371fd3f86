/** Tensors of this package and the kit's plain ones, both ways. */
import type { Backend, DType } from "../../backend/backend.ts";
import { fail } from "../../errors.ts";
import { tensor } from "../../tensor/create.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { f16ToF32 } from "../../weights/half.ts";
import type { HostTensor, HostTensors } from "../host-tensor.ts";

/** A plain tensor's dtype on this side, and its elements in that type. "F64" and "F16" become f32. */
function native({ dtype, data }: HostTensor): {
  dtype: DType;
  data: Float32Array | Int32Array | BigInt64Array | Uint8Array;
} {
  switch (dtype) {
    case "F32":
      return { dtype: "f32", data };
    case "F64":
      return { dtype: "f32", data: Float32Array.from(data) };
    case "F16":
      return { dtype: "f32", data: f16ToF32(data) };
    case "I32":
      return { dtype: "i32", data };
    case "I64":
      return { dtype: "i64", data };
    case "U8":
    case "BOOL":
      return { dtype: "u8", data };
  }
}

/** A copy on a backend, of the same shape. Its memory lives until it is disposed of. */
export function toTensor(host: HostTensor, backend: Backend): Tensor {
  const { dtype, data } = native(host);
  return tensor(data.slice(), host.shape, { dtype, backend }).keep();
}

/** A row-major copy on the JavaScript heap. */
export function toHost(x: Tensor): HostTensor {
  const data = x.toArray();
  const shape = [...x.shape];
  if (data instanceof Float32Array) return { dtype: "F32", shape, data };
  if (data instanceof Int32Array) return { dtype: "I32", shape, data };
  if (data instanceof BigInt64Array) return { dtype: "I64", shape, data };
  return { dtype: "U8", shape, data };
}

/** The tensor of a name; an error (code "argument") that lists what there is. */
export function need(tensors: HostTensors, name: string, where: string): HostTensor {
  return (
    tensors.get(name) ??
    fail("argument", where, `a tensor ${JSON.stringify(name)}`, [...tensors.keys()].join(", ") || "none")
  );
}
