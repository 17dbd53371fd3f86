"""Writes test/golden/weights/: what the official safetensors library and torch make of every element type.

  python test/golden/make/weights.py            needs torch and safetensors

  every-dtype.safetensors   one tensor of each type, a scalar, empty ones, odd names, one metadata key, by the official
                            writer
  halves.safetensors        "values" F32 at and around every rounding boundary that matters, and torch's "f16", "bf16"
                            of them; "f16_f32", "bf16_f32": those widened again
  expected.json             the values of every-dtype as text; digests of long conversions; first bytes of torch.save

A digest is the SHA-256 of little-endian bytes, every NaN replaced by the one named beside it."""
import hashlib
import io
import json
import math
import os

import numpy as np
import safetensors
import torch
from safetensors.torch import save_file

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "..", "weights")
NAN = float("nan")
INF = float("inf")
FLOATS = [0.0, -0.0, 1.0, -1.5, 0.1, 3.14159265358979, 65504.0, 65520.0, 1e-7, 6e-8, -INF, INF, NAN, 1e38, 5e-324]
MAGNITUDES = {torch.int8: 7, torch.int16: 15, torch.int32: 31, torch.int64: 63}
UNSIGNED = {torch.uint8: 8, torch.uint16: 16, torch.uint32: 32, torch.uint64: 64}


def every_dtype():
    tensors = {
        "F64": torch.tensor(FLOATS, dtype=torch.float64).reshape(3, 5),
        "F32": torch.tensor(FLOATS, dtype=torch.float32).reshape(5, 3),
        "F16": torch.tensor(FLOATS, dtype=torch.float64).to(torch.float16),
        "BF16": torch.tensor(FLOATS, dtype=torch.float64).to(torch.bfloat16).reshape(1, 15, 1),
        "BOOL": torch.tensor([[True, False, True]]),
        "scalar": torch.tensor(-2.5),
        "empty": torch.zeros(0),
        "empty.3x0x2": torch.zeros(3, 0, 2, dtype=torch.int64),
        "__proto__": torch.tensor([7], dtype=torch.int32),
        'odd "name"\\ \u00fc \u6f22 \U0001f600 \n\x01': torch.tensor([1, 2, 3], dtype=torch.uint8),
    }
    for dtype, bits in MAGNITUDES.items():
        values = [-(2**bits), -1, 0, 1, 2**bits - 1]
        tensors[f"I{bits + 1}"] = torch.tensor(values, dtype=dtype)
    for dtype, bits in UNSIGNED.items():
        values = np.array([0, 1, 2**bits - 1], dtype=str(dtype).removeprefix("torch."))
        tensors[f"U{bits}"] = torch.from_numpy(values)
    return tensors


def texts(tensor):
    """Values as text that JavaScript's Number (or BigInt, for integers) reads back exactly."""
    if tensor.dtype in UNSIGNED:
        return [str(int(v)) for v in tensor.numpy().reshape(-1)]
    values = (tensor.double() if tensor.is_floating_point() else tensor).reshape(-1).tolist()
    names = {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}
    return [names.get(repr(v), repr(v)) if isinstance(v, float) else str(int(v)) for v in values]


def boundary_values():
    """Finite halves and bfloat16s near every change of regime, the midpoints above them, and both neighbours of these."""
    out = []
    for patterns, widen in (
        ([0, 1, 2, 3, 0x3FE, 0x3FF, 0x400, 0x401, 0x3BFF, 0x3C00, 0x3C01, 0x7BFE, 0x7BFF], lambda h: h),
        ([0, 1, 2, 0x7E, 0x7F, 0x80, 0x3F7F, 0x3F80, 0x3F81, 0x7F7E, 0x7F7F], None),
    ):
        for pattern in patterns:
            dtype = torch.float16 if widen else torch.bfloat16
            low, high = torch.tensor([pattern, pattern + 1], dtype=torch.int16).view(dtype).float().double().tolist()
            if math.isinf(high):
                high = 65536.0 if widen else 2.0**128
            middle = np.float32((low + high) / 2)
            for value in (low, np.nextafter(middle, np.float32(0)), middle, np.nextafter(middle, np.float32(INF))):
                out += [float(value), -float(value)]
    out += [INF, -INF, NAN, 1e-45, -1e-45, 2.0**-126, 3.4028234663852886e38, -3.4028234663852886e38]
    return torch.tensor(out, dtype=torch.float32)


def digest(array, nan):
    bits = np.ascontiguousarray(array).copy()
    half = bits.dtype == np.uint16
    exponent = {"f32": 0x7F800000, "f16": 0x7C00, "bf16": 0x7F80}[nan[0]]
    mask = 0x7FFF if half else 0x7FFFFFFF
    bits[(bits & mask) > exponent] = nan[1]
    return {"sha256": hashlib.sha256(bits.tobytes()).hexdigest(), "nan": nan[1]}


def conversions():
    patterns = torch.arange(65536, dtype=torch.int32).to(torch.int16)
    # A prime step spreads over all exponents, signs and fractions.
    stride = 4099
    f32 = np.arange(0, 2**32, stride, dtype=np.uint64).astype(np.uint32)
    values = torch.from_numpy(f32.view(np.int32)).view(torch.float32)
    to_bits = lambda tensor: tensor.view(torch.int16).numpy().view(np.uint16)
    widened = lambda dtype: patterns.view(dtype).float().numpy().view(np.uint32)
    return {
        "f16_to_f32_all_65536": digest(widened(torch.float16), ("f32", 0x7FC00000)),
        "bf16_to_f32_all_65536": digest(widened(torch.bfloat16), ("f32", 0x7FC00000)),
        "f32_to_f16": {"stride": stride, **digest(to_bits(values.half()), ("f16", 0x7E00))},
        "f32_to_bf16": {"stride": stride, **digest(to_bits(values.bfloat16()), ("bf16", 0x7FC0))},
    }


def torch_save_head(zipped):
    buffer = io.BytesIO()
    torch.save({"weight": torch.zeros(2)}, buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()[:96].hex()


def main():
    os.makedirs(OUT, exist_ok=True)
    tensors = every_dtype()
    save_file(tensors, os.path.join(OUT, "every-dtype.safetensors"), metadata={"format": "pt"})
    values = boundary_values()
    f16, bf16 = values.half(), values.bfloat16()
    halves = {"values": values, "f16": f16, "bf16": bf16, "f16_f32": f16.float(), "bf16_f32": bf16.float()}
    save_file(halves, os.path.join(OUT, "halves.safetensors"))
    expected = {
        "made_by": "python test/golden/make/weights.py",
        "torch": torch.__version__,
        "safetensors": safetensors.__version__,
        "tensors": {name: {"shape": list(t.shape), "values": texts(t)} for name, t in tensors.items()},
        "digests": conversions(),
        "torch_save_heads": {"zip": torch_save_head(True), "pickle": torch_save_head(False)},
    }
    with open(os.path.join(OUT, "expected.json"), "w") as f:
        json.dump(expected, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()
