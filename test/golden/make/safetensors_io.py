"""Reads and writes .safetensors (F64, F32, F16, I64, I32, U8) with numpy alone."""
import json
import struct

import numpy as np

DTYPES = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "I64": np.int64, "I32": np.int32, "U8": np.uint8}
NAMES = {np.dtype(t): name for name, t in DTYPES.items()}


def save(path, arrays, metadata=None):
    """Writes {name: array or CPU tensor}, the widest elements first so that every tensor is aligned to its own size."""
    arrays = {k: np.asarray(v) for k, v in arrays.items()}
    header, blobs, end = {}, [], 0
    if metadata:
        header["__metadata__"] = {k: str(v) for k, v in metadata.items()}
    for name in sorted(arrays, key=lambda k: -arrays[k].dtype.itemsize):
        array = arrays[name]
        raw = array.astype(array.dtype.newbyteorder("<")).tobytes()
        header[name] = {"dtype": NAMES[array.dtype], "shape": list(array.shape), "data_offsets": [end, end + len(raw)]}
        blobs.append(raw)
        end += len(raw)
    head = json.dumps(header, separators=(",", ":")).encode("utf8")
    head += b" " * (-len(head) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(head)))
        f.write(head)
        f.writelines(blobs)


def load(path):
    """{name: array}, and the metadata {name: text}."""
    with open(path, "rb") as f:
        data = f.read()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    metadata = header.pop("__metadata__", {})
    body = memoryview(data)[8 + length :]
    arrays = {
        k: np.frombuffer(body[slice(*v["data_offsets"])], DTYPES[v["dtype"]]).reshape(v["shape"]).copy()
        for k, v in header.items()
    }
    return arrays, metadata
