"""A case of the conformance kit while it is made: what is given, what PyTorch makes of it in float32 and float64, and the files
that are written of it (docs/conformance-kit.md). Needs torch and numpy; uses the modules of test/golden/make.

Given tensors come from the counter-based generator wherever possible, so that only expected values are stored: whole up to
WHOLE elements, else SAMPLES of them at the generator's positions, with statistics of the whole."""
import hashlib
import json
import math
import os
import sys

import numpy as np
import torch

torch.backends.mkldnn.enabled = False  # oneDNN's GELU gives NaN for infinity on processors with AVX-512

HERE = os.path.dirname(os.path.abspath(__file__))
KIT = os.path.normpath(os.path.join(HERE, ".."))
ROOT = os.path.normpath(os.path.join(KIT, ".."))
sys.path.insert(0, os.path.join(ROOT, "test", "golden", "make"))

import safetensors_io  # noqa: E402
from generator import BELL_STD, bell_sums, image, sample_positions, uniform, words  # noqa: E402
from seeded_state import seeded_tensor  # noqa: E402

FORMAT = 1
WHOLE, SAMPLES = 1024, 384  # elements: up to so many a tensor is kept whole, else so many of it
NOISY = 1e-3  # |f32 - f64| in standard deviations from which on a golden counts as ill-conditioned
CLOSE = 5  # a decision is ill-conditioned whose margin is below so many times the noise
DTYPES = {torch.float32: "F32", torch.float64: "F64", torch.int64: "I64", torch.int32: "I32", torch.uint8: "U8"}

torch.set_num_threads(1)  # the summation order, and so the last bits, depend on it


def normal(stream, std=1.0, shift=0.0, seed=0):
    return {"generator": "normal", "seed": seed, "stream": stream, "std": std, "shift": shift}


def uniform_in(stream, low, high, seed=0):
    return {"generator": "uniform", "seed": seed, "stream": stream, "low": low, "high": high}


def integers(stream, below, seed=0):
    return {"generator": "integers", "seed": seed, "stream": stream, "below": below}


def make(source, shape, entries=()):
    """The numpy array that a generator source stands for: the twin of src/conformance/kit-tensors.ts."""
    count, kind = math.prod(shape), source["generator"]
    if kind == "image":
        return image(source["seed"], shape[2], shape[3])
    if kind == "state":
        return seeded_tensor(source["entry"], tuple(shape), entries, source["seed"], source.get("attentionGain", 1.0))
    seed, stream = source["seed"], source["stream"]
    if kind == "uniform":
        low, high = source["low"], source["high"]
        return (uniform(seed, stream, count) * (high - low) + low).astype(np.float32).reshape(shape)
    if kind == "normal":
        return (bell_sums(seed, stream, count) * (source["std"] / BELL_STD) + source["shift"]).astype(np.float32).reshape(shape)
    return (words(seed, stream, count) % np.uint32(source["below"])).astype(np.int64).reshape(shape)


def finite(x):
    return x[torch.isfinite(x)]


def noise_of(single, double):
    """max |f32 - f64| over the elements that are finite in both."""
    apart = finite((single.double() - double).abs())
    return float(apart.max()) if apart.numel() else 0.0


def round_off(noise, single):
    """What to say of a golden whose own float32 is far off; None where it is not."""
    values = finite(single.double())
    std = float(values.std(correction=0)) if values.numel() > 1 else 0.0
    if std > 0 and noise > NOISY * std:
        return f"cancellation: PyTorch's own float32 is up to {noise:.1e} off its float64, {noise / std:.1e} standard deviations"
    return None


def number(x):
    """Few digits: bounds and statistics, not goldens."""
    return float(f"{float(x):.6g}")


class Case:
    def __init__(self, id, title, subject, command):
        self.id, self.title, self.subject, self.command = id, title, subject, command
        self.level = int(id[1])
        self.inputs, self.parameters, self.outputs = [], [], []
        self.files = {}  # name: bytes
        self.stored = {}  # arrays of inputs.safetensors
        self.expected = {}  # arrays of expected.safetensors
        self.dtypes = ["F32"]

    # -- what is given

    def give(self, name, shape, source):
        """An input from the generator, as a torch tensor."""
        array = make(source, shape)
        dtype = "I64" if array.dtype == np.int64 else "F32"
        self.inputs.append({"name": name, "dtype": dtype, "shape": list(shape), "source": source})
        return torch.from_numpy(array)

    def give_stored(self, name, tensor):
        """An input that the generator cannot make."""
        array = tensor.contiguous().numpy()
        self.stored[name] = array
        self.inputs.append({"name": name, "dtype": safetensors_io.NAMES[array.dtype], "shape": list(array.shape),
                            "source": {"file": "inputs.safetensors", "key": name}})
        return tensor

    def give_bytes(self, name, file, content):
        self.files[file] = content
        self.inputs.append({"name": name, "dtype": "U8", "shape": [len(content)], "source": {"bytes": file}})

    def give_shared_bytes(self, name, path):
        size = os.path.getsize(os.path.join(KIT, path))
        self.inputs.append({"name": name, "dtype": "U8", "shape": [size], "source": {"sharedBytes": path}})

    def fill(self, module, prefix, attention_gain=None, seed=0):
        """Seeded weights for all of a module's entries; the generator knows them as prefix + name."""
        state = module.state_dict()
        entries = {prefix + name for name in state}
        values = {}
        for name, tensor in state.items():
            if name.endswith("num_batches_tracked"):
                continue
            source = {"generator": "state", "seed": seed, "entry": prefix + name}
            if attention_gain is not None:
                source["attentionGain"] = attention_gain
            values[name] = torch.from_numpy(np.ascontiguousarray(make(source, tuple(tensor.shape), entries)))
            self.parameters.append({"name": name, "dtype": "F32", "shape": list(tensor.shape), "source": source})
        module.load_state_dict(values, strict=False)
        return module.eval()

    # -- what is expected

    def expect(self, name, single, double, rule, required=True, conditioning=None, whole=WHOLE, samples=SAMPLES, noisy=True):
        """A tensor by its results in float32 and float64 (or None)."""
        single = single.detach()
        entry = {"name": name, "dtype": DTYPES[single.dtype], "shape": list(single.shape), "source": {"file": "expected.safetensors", "key": name}}
        positions = None
        if single.numel() > whole:
            positions = torch.from_numpy(sample_positions(name, single.numel(), samples))
            entry["samples"] = samples
            entry["statistics"] = statistics(single)
        kept = lambda t: (t.reshape(-1)[positions] if positions is not None else t).contiguous().numpy()
        self.expected[name] = kept(single)
        if double is not None and single.is_floating_point():
            double = double.detach()
            assert double.dtype == torch.float64, (self.id, name, double.dtype)
            self.expected[name + ":f64"] = kept(double)
            entry["double"] = {"file": "expected.safetensors", "key": name + ":f64"}
            entry["noise"] = number(noise_of(single, double))
            conditioning = conditioning or (round_off(entry["noise"], single) if noisy else None)
            self.add_dtype("F64")
        entry["rule"], entry["required"] = rule, required
        if conditioning:
            entry["conditioning"] = conditioning
        self.outputs.append(entry)

    def expect_trace(self, trace, doubles, samples, notes=None):
        """Every module's output of a run (tracing.Trace), sampled, one row of "trace" for each distinct tensor."""
        rows, singles, wides = {}, [], []
        for step in trace.steps:
            tensor = trace.outputs[step.name]
            first = rows.get(id(tensor))
            if first is None:
                rows[id(tensor)] = first = (len(singles), step.name, step.rule)
                positions = sample_positions(step.name, tensor.numel(), samples)
                singles.append(tensor.detach().reshape(-1)[positions].numpy())
                double = doubles[step.name].detach()
                assert double.shape == tensor.shape, (self.id, step.name)
                wides.append(double.reshape(-1)[positions].numpy())
            row, name, rule = first
            noise = noise_of(tensor, doubles[step.name])
            entry = {"name": step.name, "dtype": "F32", "shape": list(tensor.shape),
                     "source": {"file": "expected.safetensors", "key": "trace", "row": row},
                     "double": {"file": "expected.safetensors", "key": "trace:f64", "row": row},
                     "samples": samples, "noise": number(noise), "statistics": statistics(tensor),
                     "rule": rule, "required": False, "maker": {"kind": step.kind, "inputs": step.inputs}}
            if name != step.name:
                entry["sampledAs"] = name
            conditioning = (notes or {}).get(step.name) or round_off(noise, tensor)
            if conditioning:
                entry["conditioning"] = conditioning
            self.outputs.append(entry)
        if singles:
            self.expected["trace"], self.expected["trace:f64"] = np.stack(singles), np.stack(wides)
            self.add_dtype("F64")

    def add_dtype(self, dtype):
        if dtype not in self.dtypes:
            self.dtypes.append(dtype)

    # -- files

    def folder(self):
        return os.path.join(KIT, "cases", *self.id.split("/"))

    def write(self):
        """Writes the folder; its line for kit.json."""
        os.makedirs(self.folder(), exist_ok=True)
        files = dict(self.files)
        for file, arrays in (("inputs.safetensors", self.stored), ("expected.safetensors", self.expected)):
            if arrays:
                path = os.path.join(self.folder(), file)
                safetensors_io.save(path, arrays)
                with open(path, "rb") as f:
                    files[file] = f.read()
        for stale in set(os.listdir(self.folder())) - set(files):
            os.remove(os.path.join(self.folder(), stale))
        manifest = {
            "format": FORMAT, "id": self.id, "level": self.level, "title": self.title, "subject": self.subject,
            "inputs": self.inputs, "parameters": self.parameters, "outputs": self.outputs,
            "oracle": {"torch": torch.__version__, "dtypes": self.dtypes, "command": self.command},
            "sha256": {file: hashlib.sha256(content).hexdigest() for file, content in sorted(files.items())},
        }
        files["case.json"] = pretty(manifest).encode("utf8")
        for file, content in files.items():
            with open(os.path.join(self.folder(), file), "wb") as f:
                f.write(content)
        return {"id": self.id, "level": self.level, "title": self.title,
                "sha256": hashlib.sha256(files["case.json"]).hexdigest(), "bytes": sum(map(len, files.values()))}


def statistics(tensor):
    """min, max, mean, mean |x|, standard deviation (population), in float64 and to 6 digits; of the finite elements."""
    t = finite(tensor.double())
    if t.numel() == 0:
        return []
    return [number(v) for v in (t.min(), t.max(), t.mean(), t.abs().mean(), t.std(correction=0))]


def pretty(value):
    """JSON with a line for each member of the top level, and for each item of a list there."""
    compact = lambda v: json.dumps(v, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    members = []
    for key, member in value.items():
        if isinstance(member, list) and member:
            text = "[\n" + ",\n".join("    " + compact(item) for item in member) + "\n  ]"
        else:
            text = compact(member)
        members.append(f"  {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(members) + "\n}\n"
