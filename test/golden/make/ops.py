"""Writes test/golden/ops/: what PyTorch's CPU operators give for a few hundred small cases.

  python test/golden/make/ops.py                needs torch and numpy

  SUBJECT.json          the cases: {op, name, inputs, args, outputs, exact?, strides?}
  SUBJECT.safetensors   the arrays that they name

An input is {base, view}: a stored row-major array and the steps that make a (strided) view of it, each [method,
...arguments], the methods being those of our Tensor: permute, slice(axis, start, end, step), select, expand, transpose,
channels_last. An input may also be a number, or a list of inputs. `outputs` are arrays as float32 PyTorch computes them;
`exact` the same computed by PyTorch in float64 from the same inputs and rounded to float32, where that means anything
(an index computation, and batch norm's scales, which round in float32 by definition, have none). `strides` are PyTorch's, of element-wise results."""
import json
import os
import zlib

import numpy as np
import torch
import torch.nn.functional as F
from safetensors_io import save

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "ops")
COMMAND = "python test/golden/make/ops.py"
SEED = 20250
INF, NAN = float("inf"), float("nan")
SPECIAL = [NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0, 6.0, 6.5, -3.0, 3.0, 1e-30, -1e-30, 88.0, -88.0, 100.0, -100.0,
           1e4, -1e4, 3e38, -3e38, 0.5, -0.5, 1e-4, -7.25, 12.0]


class View:
    """A stored array and the steps that make a view of it."""

    def __init__(self, base, array, steps=()):
        self.base, self.array, self.steps = base, array, list(steps)

    def __getattr__(self, method):
        if method.startswith("_"):
            raise AttributeError(method)
        return lambda *a: View(self.base, self.array, [*self.steps, [method, *a]])

    def tensor(self, dtype):
        t = self.array
        if t.is_floating_point():
            t = t.to(dtype)
        elif t.dtype == torch.int32:
            t = t.long()
        for method, *a in self.steps:
            if method == "slice":
                axis, start, end, step = [*a, None, 1][:4] if len(a) < 4 else a
                index = [slice(None)] * t.ndim
                index[axis] = slice(start, end, step)
                t = t[tuple(index)]
            elif method == "channels_last":
                t = t.contiguous(memory_format=torch.channels_last)
            else:
                t = getattr(t, method)(*a)
        return t

    def spec(self):
        return {"base": self.base, "view": self.steps}


class Subject:
    """The cases and arrays of one file."""

    def __init__(self, name):
        self.name, self.cases, self.arrays = name, [], {}

    def base(self, *shape, kind="normal", n=None, tag=""):
        name = f"{kind}{tag}_{'x'.join(map(str, shape)) or 'scalar'}" + (f"_{n}" if n is not None else "")
        g = torch.Generator().manual_seed(SEED + zlib.crc32(name.encode()))
        if kind == "normal":
            a = torch.randn(shape, generator=g)
        elif kind == "uniform":  # positive, away from 0
            a = torch.rand(shape, generator=g) + 0.05
        elif kind == "special":
            a = torch.tensor(SPECIAL[: int(np.prod(shape))]).reshape(shape)
        elif kind == "grid":
            a = torch.rand(shape, generator=g) * 2.6 - 1.3
        elif kind == "distinct":  # a shuffled ladder: no ties
            a = (torch.randperm(int(np.prod(shape)), generator=g).float() * 0.37 - 11).reshape(shape)
        elif kind in ("index", "index32"):
            a = torch.randint(0, n, shape, generator=g)
            a = a.int() if kind == "index32" else a
        else:
            raise ValueError(kind)
        return self.store(name, a)

    def store(self, name, a):
        self.arrays[name] = a
        return View(name, a)

    def case(self, op, name, inputs, exact=True, strides=False, **args):
        def make(v, dtype):
            if isinstance(v, View):
                return v.tensor(dtype)
            return [make(u, dtype) for u in v] if isinstance(v, list) else v

        def spec(v):
            return v.spec() if isinstance(v, View) else [spec(u) for u in v] if isinstance(v, list) else v

        def run(dtype):
            out = OPS[op](**{k: make(v, dtype) for k, v in inputs.items()}, **args)
            return list(out) if isinstance(out, (tuple, list)) else [out]

        key = f"{op}.{len(self.cases)}"
        got = run(torch.float32)
        entry = {"op": op, "name": name, "inputs": {k: spec(v) for k, v in inputs.items()}, "args": args}
        entry["outputs"] = self.put(f"{key}.out", got)
        if exact:
            doubles = [t.float() if t.is_floating_point() else t for t in run(torch.float64)]
            same = all(torch.equal(a.nan_to_num(7e37), b.nan_to_num(7e37)) for a, b in zip(got, doubles))
            entry["exact"] = entry["outputs"] if same else self.put(f"{key}.exact", doubles)
        if strides:
            entry["strides"] = [list(t.stride()) for t in got]
        self.cases.append(entry)

    def put(self, key, tensors):
        names = [f"{key}{i}" for i in range(len(tensors))]
        for n, t in zip(names, tensors):
            self.arrays[n] = t.contiguous().int() if t.dtype == torch.int64 else t.contiguous()
        return names

    def write(self):
        meta = {"torch": torch.__version__, "seed": SEED, "command": COMMAND}
        save(os.path.join(OUT, f"{self.name}.safetensors"), {k: v.numpy() for k, v in self.arrays.items()}, meta)
        text = json.dumps(self.cases, separators=(",", ":")).replace('},{"op"', '},\n{"op"')
        with open(os.path.join(OUT, f"{self.name}.json"), "w") as f:
            f.write(text.replace("-Infinity", '"-inf"').replace("Infinity", '"inf"') + "\n")
        print(f"{self.name}: {len(self.cases)} cases")
        return len(self.cases)


def deformable_attention(value, shapes, locations, weights):
    """Through grid_sample, level by level, as the original code of Deformable DETR does without its CUDA kernel."""
    n, _, heads, d = value.shape
    _, q, _, levels, points, _ = locations.shape
    maps = value.split([h * w for h, w in shapes], dim=1)
    sampled = []
    for level, (h, w) in enumerate(shapes):
        image = maps[level].flatten(2).transpose(1, 2).reshape(n * heads, d, h, w)
        grid = (2 * locations[:, :, :, level] - 1).transpose(1, 2).flatten(0, 1)
        sampled.append(F.grid_sample(image, grid, mode="bilinear", padding_mode="zeros", align_corners=False))
    w = weights.transpose(1, 2).reshape(n * heads, 1, q, levels * points)
    out = (torch.stack(sampled, dim=-2).flatten(-2) * w).sum(-1)
    return out.view(n, heads * d, q).transpose(1, 2).contiguous()


def reduce(fn, x, axis=None, keepdim=False):
    if fn in (torch.amax, torch.amin):
        return fn(x, dim=() if axis is None else axis, keepdim=keepdim)
    if axis is None:
        return fn(x)
    return fn(x, dim=axis, keepdim=keepdim)


def interpolate(x, size=None, scaleFactor=None, mode="nearest", alignCorners=None):
    if isinstance(scaleFactor, list):
        scaleFactor = tuple(scaleFactor)
    return F.interpolate(x, size=size, scale_factor=scaleFactor, mode=mode, align_corners=alignCorners)


UNARY = {
    "relu": F.relu, "relu6": F.relu6, "silu": F.silu, "gelu": F.gelu, "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "sigmoid": torch.sigmoid, "exp": torch.exp, "log": torch.log, "sqrt": torch.sqrt, "neg": torch.neg,
    "sin": torch.sin, "cos": torch.cos,
}
BINARY = {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div,
          "minimum": torch.minimum, "maximum": torch.maximum}
REDUCE = {"sum": torch.sum, "mean": torch.mean, "max": torch.amax, "min": torch.amin, "argmax": torch.argmax}


def binary(fn):
    """Numbers become scalars of the tensor's type, as for torch.add."""
    def run(a, b):
        like = a if isinstance(a, torch.Tensor) else b
        as_tensor = lambda v: v if isinstance(v, torch.Tensor) else torch.tensor(v, dtype=torch.float32).to(like.dtype)
        return fn(as_tensor(a), as_tensor(b))
    return run


OPS = {
    **{k: (lambda f: lambda x: f(x))(f) for k, f in UNARY.items()},
    **{k: binary(f) for k, f in BINARY.items()},
    **{k: (lambda f: lambda x, axis=None, keepdim=False: reduce(f, x, axis, keepdim))(f) for k, f in REDUCE.items()},
    "clamp": lambda x, min=None, max=None: torch.clamp(x, min, max),
    "softmax": lambda x, axis: F.softmax(x, axis),
    "matmul": lambda a, b: torch.matmul(a, b),
    "linear": lambda x, weight, bias=None: F.linear(x, weight, bias),
    "conv2d": lambda x, weight, bias=None, **o: F.conv2d(x, weight, bias, **o),
    "batchNorm": lambda x, mean, var, weight=None, bias=None, eps=1e-5: F.batch_norm(x, mean, var, weight, bias, eps=eps),
    "layerNorm": lambda x, weight=None, bias=None, shape=None, eps=1e-5: F.layer_norm(x, shape, weight, bias, eps),
    "topk": lambda x, k, axis=-1, largest=True: torch.topk(x, k, axis, largest),
    "gather": lambda x, index, axis: torch.gather(x, axis, index),
    "embedding": lambda indices, weight: F.embedding(indices, weight),
    "cat": lambda xs, axis: torch.cat(xs, axis),
    "stack": lambda xs, axis: torch.stack(xs, axis),
    "split": lambda x, lengths, axis: torch.split(x, lengths, axis),
    "chunk": lambda x, count, axis: torch.chunk(x, count, axis),
    "avgPool2d": lambda x, kernel, stride=None, padding=0, ceilMode=False, countIncludePad=True, divisorOverride=None:
        F.avg_pool2d(x, kernel, stride, padding, ceilMode, countIncludePad, divisorOverride),
    "maxPool2d": lambda x, kernel, stride=None, padding=0, dilation=1, ceilMode=False:
        F.max_pool2d(x, kernel, stride, padding, dilation, ceilMode),
    "adaptiveAvgPool2d": lambda x, size: F.adaptive_avg_pool2d(x, size),
    "interpolate": interpolate,
    "gridSample": lambda x, grid, mode, paddingMode, alignCorners: F.grid_sample(x, grid, mode, paddingMode, alignCorners),
    "deformableAttention": deformable_attention,
}


def elementwise():
    s = Subject("elementwise")
    special = s.base(len(SPECIAL), kind="special")
    for op in UNARY:
        kind = "uniform" if op in ("log", "sqrt") else "normal"
        s.case(op, "row-major", {"x": s.base(3, 5, 7, kind=kind)}, strides=True)
        s.case(op, "channels_last", {"x": s.base(2, 6, 3, 4, kind=kind).channels_last()}, strides=True)
        view = s.base(4, 9, 5, kind=kind).slice(1, 1, 8, 2).permute(2, 0, 1)
        s.case(op, "every second of a permuted view", {"x": view}, strides=True)
        s.case(op, "NaN, infinities, zeros, great and small", {"x": special})
    s.case("gelu", "a broadcast scalar axis", {"x": s.base(3, 1).expand(3, 4)})
    s.case("relu", "nothing", {"x": s.base(2, 0, 3)})
    s.case("silu", "a scalar", {"x": s.base()})
    x = s.base(3, 5, 7)
    s.case("clamp", "both bounds", {"x": x}, min=-0.5, max=0.25)
    s.case("clamp", "min alone", {"x": x.transpose(0, 2)}, min=0.1, strides=True)
    s.case("clamp", "max alone, special values", {"x": special}, max=2.0)
    s.case("clamp", "min above max", {"x": x}, min=0.5, max=-0.5)
    s.case("clamp", "infinite bounds, special values", {"x": special}, min=-INF, max=INF)
    return s.write()


def arithmetic():
    s = Subject("arithmetic")
    special = s.base(len(SPECIAL), kind="special")
    row = s.base(1, 13, kind="special", tag="_row")
    column = s.base(13, 1, kind="special", tag="_column")
    a = s.base(3, 5, 7)
    for op in BINARY:
        s.case(op, "same shape", {"a": a, "b": s.base(3, 5, 7, n=1)}, strides=True)
        s.case(op, "[3, 1, 7] and [5, 1]", {"a": s.base(3, 1, 7), "b": s.base(5, 1)})
        image = s.base(2, 6, 3, 4).channels_last()
        s.case(op, "channels_last and one number a channel", {"a": image, "b": s.base(6, 1, 1)}, strides=True)
        s.case(op, "one number a channel and channels_last", {"a": s.base(6, 1, 1), "b": image}, strides=True)
        s.case(op, "a permuted slice", {"a": s.base(7, 11, 3).slice(1, 0, 10, 2).permute(2, 1, 0), "b": a}, strides=True)
        s.case(op, "a tensor and a number", {"a": a, "b": 0.3})
        s.case(op, "a number and a tensor", {"a": -1.7, "b": a})
        s.case(op, "special values, every pair", {"a": row, "b": column})
        s.case(op, "special values and NaN", {"a": special, "b": s.store("nan", torch.tensor(NAN))})
        s.case(op, "scalars", {"a": s.base(), "b": s.base(1)})
        s.case(op, "nothing", {"a": s.base(0, 3), "b": s.base(3)})
    return s.write()


def products():
    s = Subject("products")
    p = lambda *shape, **k: s.base(*shape, **k)
    for name, a, b in [
        ("vector and vector", p(9), p(9, n=1)),
        ("vector and matrix", p(9), p(9, 5)),
        ("matrix and vector", p(5, 9), p(9)),
        ("matrix and matrix", p(5, 9), p(9, 7)),
        ("one by one", p(1, 1), p(1, 1, n=1)),
        ("batches", p(3, 5, 9), p(3, 9, 4)),
        ("batches and a matrix", p(3, 5, 9), p(9, 7)),
        ("a matrix and batches", p(5, 9), p(3, 9, 4)),
        ("batches and a vector", p(3, 5, 9), p(9)),
        ("a vector and batches", p(9), p(3, 9, 4)),
        ("broadcast batches [2, 1] and [3]", p(2, 1, 4, 5), p(3, 5, 6)),
        ("a transposed right side", p(4, 8), p(6, 8).transpose(0, 1)),
        ("a transposed left side", p(8, 4).transpose(0, 1), p(8, 6)),
        ("heads as views of tokens", p(2, 7, 3, 8).permute(0, 2, 1, 3), p(2, 6, 3, 8).permute(0, 2, 3, 1)),
        ("every second row and column", p(9, 20).slice(0, 0, 9, 2).slice(1, 0, 20, 2), p(10, 7)),
        ("an expanded batch", p(1, 4, 5).expand(3, 4, 5), p(3, 5, 2)),
        ("33 rows, 65 inner, 5 columns", p(33, 65), p(65, 5)),
        ("no inner dimension: zeros", p(3, 0), p(0, 4)),
        ("no rows", p(0, 3), p(3, 4)),
    ]:
        s.case("matmul", name, {"a": a, "b": b})
    for name, x, w, b in [
        ("vector", p(9), p(4, 9), p(4)),
        ("matrix, no bias", p(5, 9), p(4, 9), None),
        ("tokens", p(2, 7, 12), p(5, 12), p(5)),
        ("four dimensions", p(2, 3, 2, 9), p(4, 9), p(4)),
        ("tokens as a view of channels_last", p(1, 12, 3, 5).channels_last().flatten(2).permute(0, 2, 1), p(5, 12), p(5)),
        ("tokens as a view of row-major channels", p(1, 12, 3, 5).flatten(2).permute(0, 2, 1), p(5, 12), p(5)),
        ("a transposed weight, every second bias", p(5, 9), p(9, 4).transpose(0, 1), p(8).slice(0, 0, 8, 2)),
        ("one output, one input", p(3, 1), p(1, 1), p(1)),
        ("35 rows of 70", p(35, 70), p(6, 70), p(6)),
        ("no rows", p(0, 9), p(4, 9), p(4)),
    ]:
        s.case("linear", name, {"x": x, "weight": w, **({"bias": b} if b else {})})
    return s.write()


def convolutions():
    s = Subject("convolutions")
    p = lambda *shape, **k: s.base(*shape, **k)
    image = p(2, 6, 9, 7)

    def conv(name, x, w, bias=True, **o):
        b = {"bias": p(w.tensor(torch.float32).shape[0])} if bias else {}
        s.case("conv2d", name, {"x": x, "weight": w, **b}, **o)

    for layout, x in [("row-major", image), ("channels_last", image.channels_last())]:
        conv(f"1x1, {layout}", x, p(5, 6, 1, 1))
        conv(f"1x1 stride 2, {layout}", x, p(5, 6, 1, 1), stride=2)
        conv(f"3x3 padding 1, {layout}", x, p(4, 6, 3, 3), padding=1)
        conv(f"3x3 stride 2 padding 1, no bias, {layout}", x, p(4, 6, 3, 3), False, stride=2, padding=1)
        conv(f"3x3 dilation 2, {layout}", x, p(4, 6, 3, 3), dilation=2, padding=2)
        conv(f"2 groups, {layout}", x, p(4, 3, 3, 3), padding=1, groups=2)
        conv(f"3 groups of one output, {layout}", x, p(3, 2, 3, 3), groups=3)
        conv(f"depthwise 3x3, {layout}", x, p(6, 1, 3, 3), padding=1, groups=6)
        conv(f"depthwise 5x5 stride 2, {layout}", x, p(6, 1, 5, 5), padding=2, stride=2, groups=6)
        conv(f"depthwise, two outputs a channel, {layout}", x, p(12, 1, 3, 3), padding=1, groups=6)
        conv(f"2x3 kernel, stride (3, 2), padding (0, 1), dilation (2, 1), {layout}", x, p(3, 6, 2, 3),
             stride=[3, 2], padding=[0, 1], dilation=[2, 1])
    conv("kernel as large as the image", image, p(3, 6, 9, 7))
    conv("kernel as large as the padded image", image, p(3, 6, 9, 7), padding=[0, 2], stride=2)
    conv("padding wider than the kernel", p(1, 2, 3, 3), p(2, 2, 1, 1), padding=2)
    conv("one channel, one pixel", p(1, 1, 1, 1), p(1, 1, 1, 1))
    conv("one channel, 3 outputs", p(1, 1, 5, 6), p(3, 1, 3, 3), padding=1)
    conv("3 channels, 3x3 stride 2: a stem", p(1, 3, 8, 10), p(5, 3, 3, 3), stride=2, padding=1)
    conv("17 channels to 19", p(1, 17, 4, 5).channels_last(), p(19, 17, 3, 3), padding=1)
    conv("depthwise 7x7", p(1, 5, 6, 6).channels_last(), p(5, 1, 7, 7), padding=3, groups=5)
    conv("depthwise, 3x2 kernel, stride (1, 2), padding (2, 1), dilation (2, 3)", p(1, 5, 6, 8).channels_last(),
         p(5, 1, 3, 2), stride=[1, 2], padding=[2, 1], dilation=[2, 3], groups=5)
    conv("a slice of the channels", p(2, 9, 5, 4).channels_last().slice(1, 2, 8, 2), p(4, 3, 3, 3), padding=1)
    conv("every second column", p(1, 4, 5, 9).slice(3, 0, 9, 2), p(3, 4, 3, 3), padding=1)
    conv("a permuted image", p(2, 5, 7, 3).permute(0, 3, 1, 2), p(4, 3, 3, 3))
    conv("a permuted weight", image, p(3, 3, 6, 4).permute(3, 2, 0, 1), padding=1)
    conv("no images", p(0, 6, 4, 4), p(3, 6, 3, 3))
    s.case("conv2d", "an image expanded over the batch", {"x": p(1, 3, 4, 4).expand(2, 3, 4, 4), "weight": p(2, 3, 3, 3)})
    return s.write()


def norms():
    s = Subject("norms")
    p = lambda *shape, **k: s.base(*shape, **k)
    stats = {"mean": p(6), "var": p(6, kind="uniform")}
    both = {"weight": p(6, n=1), "bias": p(6, n=2)}
    image = p(2, 6, 3, 4)
    s.case("batchNorm", "row-major", {"x": image, **stats, **both}, exact=False)
    s.case("batchNorm", "channels_last, eps 1e-3", {"x": image.channels_last(), **stats, **both}, eps=1e-3, exact=False)
    s.case("batchNorm", "no weight, no bias", {"x": image, **stats}, exact=False)
    s.case("batchNorm", "weight alone", {"x": image, **stats, "weight": p(6, n=1)}, exact=False)
    s.case("batchNorm", "[N, C]", {"x": p(5, 6), **stats, **both}, exact=False)
    s.case("batchNorm", "[N, C, L]", {"x": p(2, 6, 5), **stats, **both}, exact=False)
    s.case("batchNorm", "five dimensions", {"x": p(2, 6, 2, 2, 2), **stats, **both}, exact=False)
    s.case("batchNorm", "a permuted slice", {"x": p(4, 9, 6).slice(1, 0, 9, 2).permute(0, 2, 1), **stats, **both}, exact=False)
    s.case("batchNorm", "variance 0", {"x": image, "mean": p(6), "var": s.store("zeros", torch.zeros(6)), **both}, eps=1e-2, exact=False)
    s.case("batchNorm", "special values", {"x": p(4, 6, kind="special"), **stats, **both}, exact=False)
    x = p(3, 5, 12)
    s.case("layerNorm", "last dimension", {"x": x, "weight": p(12), "bias": p(12, n=1)}, shape=[12])
    s.case("layerNorm", "no weight, no bias, eps 1e-3", {"x": x}, shape=[12], eps=1e-3)
    s.case("layerNorm", "weight alone", {"x": x, "weight": p(12)}, shape=[12])
    s.case("layerNorm", "last two dimensions", {"x": x, "weight": p(5, 12), "bias": p(5, 12, n=1)}, shape=[5, 12])
    s.case("layerNorm", "all dimensions", {"x": x}, shape=[3, 5, 12])
    s.case("layerNorm", "tokens as a view of channels_last",
           {"x": p(2, 12, 3, 2).channels_last().flatten(2).permute(0, 2, 1), "weight": p(12), "bias": p(12, n=1)}, shape=[12])
    s.case("layerNorm", "a permuted view", {"x": p(12, 5, 3).permute(2, 1, 0), "weight": p(12)}, shape=[12])
    s.case("layerNorm", "far from zero", {"x": s.store("far", p(4, 24).array * 0.1 + 10)}, shape=[24])
    s.case("layerNorm", "one element", {"x": p(3, 1)}, shape=[1])
    s.case("layerNorm", "255 elements", {"x": p(2, 255)}, shape=[255])
    for axis in (0, 1, 2, -1):
        s.case("softmax", f"axis {axis}", {"x": x}, axis=axis)
    s.case("softmax", "channels of channels_last", {"x": image.channels_last()}, axis=1)
    s.case("softmax", "a permuted slice", {"x": p(4, 9, 6).slice(1, 0, 9, 2).permute(2, 0, 1)}, axis=-1)
    s.case("softmax", "great values", {"x": s.store("great", p(3, 7).array * 100)}, axis=-1)
    masked = p(3, 6).array.clone()
    masked[0, 2:] = -INF
    masked[1, :] = -INF
    masked[2, 0] = NAN
    s.case("softmax", "-inf in part, -inf throughout, NaN", {"x": s.store("masked", masked)}, axis=-1)
    s.case("softmax", "one element", {"x": p(4, 1)}, axis=1)
    s.case("softmax", "a scalar", {"x": p()}, axis=0)
    s.case("softmax", "257 elements", {"x": p(2, 257)}, axis=-1)
    return s.write()


def reductions():
    s = Subject("reductions")
    x = s.base(3, 5, 7, kind="distinct")
    odd = s.base(3, 5, 7, kind="distinct", tag="_nan").array.clone()
    odd[1, 2, 3], odd[0, 0, 0], odd[2, 4, 1] = NAN, INF, -INF
    odd = s.store("distinct_with_nan", odd)
    for op in REDUCE:
        s.case(op, "all", {"x": x})
        s.case(op, "axis 0", {"x": x}, axis=0)
        s.case(op, "axis 1, kept", {"x": x}, axis=1, keepdim=True)
        s.case(op, "axis -1 of a permuted slice", {"x": s.base(4, 9, 6, kind="distinct").slice(1, 0, 9, 2).permute(2, 0, 1)}, axis=-1)
        s.case(op, "NaN and infinities along axis 2", {"x": odd}, axis=2)
        s.case(op, "NaN and infinities, all", {"x": odd})
        s.case(op, "channels of channels_last", {"x": s.base(2, 6, 3, 4, kind="distinct").channels_last()}, axis=1)
        s.case(op, "one element", {"x": s.base(1)}, axis=0)
        if op != "argmax":
            s.case(op, "axes 0 and 2", {"x": x}, axis=[0, 2])
            s.case(op, "axes -1 and -2 of channels_last, kept", {"x": s.base(2, 6, 3, 4).channels_last()}, axis=[-1, -2], keepdim=True)
        else:
            s.case(op, "all of a permuted view", {"x": x.permute(2, 0, 1)})
    s.case("sum", "an empty list of axes: all", {"x": x}, axis=[])
    s.case("mean", "an empty list of axes: all", {"x": x}, axis=[])
    s.case("sum", "nothing", {"x": s.base(3, 0)}, axis=1)
    s.case("mean", "nothing", {"x": s.base(3, 0)}, axis=1)
    s.case("sum", "1000 numbers", {"x": s.base(2, 1000)}, axis=1)
    return s.write()


def indexing():
    s = Subject("indexing")
    x = s.base(3, 8, 5, kind="distinct")
    for name, v, k, a in [
        ("3 of the last axis", x, 3, {}),
        ("all of axis 1", x, 8, {"axis": 1}),
        ("the least of axis 1", x, 3, {"axis": 1, "largest": False}),
        ("axis 0, negative", x, 2, {"axis": -3}),
        ("a permuted view", x.permute(2, 0, 1), 4, {}),
        ("none", x, 0, {}),
        ("20 of 300", s.base(1, 300, kind="distinct"), 20, {}),
        ("channels of channels_last", s.base(1, 7, 2, 3, kind="distinct").channels_last(), 3, {"axis": 1}),
    ]:
        s.case("topk", name, {"x": v}, k=k, **a)
    odd = s.store("with_nan", torch.tensor([[1.0, NAN, INF, -INF, 2.0], [0.5, -1.0, -INF, 3.0, NAN]]))
    s.case("topk", "NaN is greatest", {"x": odd}, k=4)
    s.case("topk", "NaN is greatest, the least wanted", {"x": odd}, k=4, largest=False)
    s.case("topk", "a scalar", {"x": s.base()}, k=1)
    for name, v, index, axis in [
        ("axis 0", x, s.base(2, 8, 5, kind="index", n=3), 0),
        ("axis 1, i32", x, s.base(3, 4, 5, kind="index32", n=8), 1),
        ("axis -1", x, s.base(3, 8, 2, kind="index", n=5), -1),
        ("an index smaller everywhere", x, s.base(2, 3, 4, kind="index32", n=8), 1),
        ("an index longer along the axis", x, s.base(3, 12, 5, kind="index", n=8), 1),
        ("an index expanded over the last axis", x, s.base(3, 4, 1, kind="index32", n=8).expand(3, 4, 5), 1),
        ("a permuted view and index", x.permute(2, 0, 1), s.base(6, 3, 5, kind="index", n=8).permute(2, 1, 0), 2),
        ("no index", x, s.base(3, 0, 5, kind="index", n=8), 1),
        ("integers", s.base(4, 6, kind="index32", n=99), s.base(4, 3, kind="index", n=6), 1),
    ]:
        s.case("gather", name, {"x": v, "index": index}, axis=axis)
    for name, index, w in [
        ("a list", s.base(6, kind="index", n=7), s.base(7, 5)),
        ("a table, i32", s.base(2, 3, kind="index32", n=7), s.base(7, 5)),
        ("a transposed table and weight", s.base(2, 3, kind="index32", n=7).transpose(0, 1), s.base(5, 7).transpose(0, 1)),
        ("one row", s.base(kind="index", n=7), s.base(7, 5)),
    ]:
        s.case("embedding", name, {"indices": index, "weight": w})
    a, b = s.base(2, 3, 4), s.base(2, 5, 4)
    image = s.base(2, 3, 3, 4)
    for name, xs, axis in [
        ("axis 1", [a, b], 1), ("axis -2", [b, a, b], -2), ("one tensor", [a], 0),
        ("a permuted view", [a, s.base(4, 2, 2).permute(2, 1, 0).slice(1, 0, 2)], 1),
        ("an empty one", [s.base(2, 0, 4), a], 1),
        ("channels_last, channels", [image.channels_last(), image.channels_last().slice(1, 0, 2)], 1),
        ("channels_last and row-major", [image.channels_last(), image], 1),
        ("integers", [s.base(4, 6, kind="index32", n=99), s.base(4, 6, kind="index32", n=99)], 0),
        ("expanded", [s.base(2, 1, 4).expand(2, 3, 4), a], 1),
    ]:
        s.case("cat", name, {"xs": xs}, axis=axis)
    for name, xs, axis in [("in front", [a, a], 0), ("last", [a, a, a], -1), ("inside", [a, a], 2), ("scalars", [s.base(), s.base()], 0)]:
        s.case("stack", name, {"xs": xs}, axis=axis)
    s.case("split", "lengths", {"x": x}, lengths=[1, 4, 3], axis=1)
    s.case("split", "by 3", {"x": x}, lengths=3, axis=1)
    s.case("chunk", "3 of 8", {"x": x}, count=3, axis=1)
    s.case("chunk", "4 of 5", {"x": x}, count=4, axis=-1)
    return s.write()


def pooling():
    s = Subject("pooling")
    image = s.base(2, 3, 9, 7)
    views = [("row-major", image), ("channels_last", image.channels_last()), ("sliced", s.base(2, 7, 9, 9).slice(1, 0, 6, 2).slice(3, 1, 8))]
    for layout, x in views:
        s.case("maxPool2d", f"2x2, {layout}", {"x": x}, kernel=2)
        s.case("avgPool2d", f"2x2, {layout}", {"x": x}, kernel=2)
        s.case("maxPool2d", f"3x3 stride 2 padding 1, {layout}", {"x": x}, kernel=3, stride=2, padding=1)
        s.case("avgPool2d", f"3x3 stride 2 padding 1, {layout}", {"x": x}, kernel=3, stride=2, padding=1)
        s.case("adaptiveAvgPool2d", f"3x3, {layout}", {"x": x}, size=3)
    for ceil in (False, True):
        tag = "ceil" if ceil else "floor"
        s.case("maxPool2d", f"3x2 stride (2, 3) dilation (2, 1), {tag}", {"x": image}, kernel=[3, 2], stride=[2, 3], dilation=[2, 1], ceilMode=ceil)
        s.case("maxPool2d", f"2x2 stride 3 padding 1, {tag}", {"x": image}, kernel=2, stride=3, padding=1, ceilMode=ceil)
        s.case("maxPool2d", f"3x3 dilation 2 padding 1, {tag}", {"x": image}, kernel=3, stride=2, dilation=2, padding=1, ceilMode=ceil)
        for count in (True, False):
            s.case("avgPool2d", f"3x2 stride 2 padding 1, {tag}, padding {'counts' if count else 'does not count'}",
                   {"x": image}, kernel=[3, 2], stride=2, padding=[1, 1], ceilMode=ceil, countIncludePad=count)
            s.case("avgPool2d", f"4x4 stride 3 padding 2, {tag}, padding {'counts' if count else 'does not count'}",
                   {"x": image}, kernel=4, stride=3, padding=2, ceilMode=ceil, countIncludePad=count)
    s.case("avgPool2d", "divided by 3", {"x": image}, kernel=2, padding=1, divisorOverride=3)
    s.case("avgPool2d", "divided by -5, ceil", {"x": image}, kernel=3, stride=2, ceilMode=True, divisorOverride=-5)
    s.case("maxPool2d", "kernel as large as the image", {"x": image}, kernel=[9, 7])
    odd = image.array.clone()
    odd[0, 0, 4, 3], odd[0, 1, 0, 0], odd[1, 2] = NAN, INF, -INF
    s.case("maxPool2d", "NaN wins, -inf throughout", {"x": s.store("odd", odd)}, kernel=3, stride=2, padding=1)
    s.case("avgPool2d", "NaN and infinities", {"x": s.store("odd", odd)}, kernel=3, stride=2, padding=1)
    for size in (1, [2, 5], [9, 7], [4, 1], [11, 8]):
        s.case("adaptiveAvgPool2d", f"to {size}", {"x": image}, size=size)
    return s.write()


def sampling():
    s = Subject("sampling")
    image = s.base(2, 3, 5, 7)
    for layout, x in [("row-major", image), ("channels_last", image.channels_last())]:
        s.case("interpolate", f"nearest x2, {layout}", {"x": x}, exact=False, scaleFactor=2)
        s.case("interpolate", f"bilinear to 9x4, {layout}", {"x": x}, exact=False, size=[9, 4], mode="bilinear", alignCorners=False)
        s.case("interpolate", f"bilinear to 9x4, corners, {layout}", {"x": x}, exact=False, size=[9, 4], mode="bilinear", alignCorners=True)
    for size in (3, [5, 7], [11, 20], [1, 1], [4, 13]):
        s.case("interpolate", f"nearest to {size}", {"x": image}, exact=False, size=size)
        for corners in (False, True):
            s.case("interpolate", f"bilinear to {size}, {'corners' if corners else 'edges'}", {"x": image}, exact=False, size=size, mode="bilinear", alignCorners=corners)
    for factor in (0.7, 1.3, [1.9, 0.55], [2.0, 3.0]):
        s.case("interpolate", f"nearest by {factor}", {"x": image}, exact=False, scaleFactor=factor)
        s.case("interpolate", f"bilinear by {factor}", {"x": image}, exact=False, scaleFactor=factor, mode="bilinear", alignCorners=False)
    s.case("interpolate", "bilinear by 1.3, corners", {"x": image}, exact=False, scaleFactor=1.3, mode="bilinear", alignCorners=True)
    s.case("interpolate", "nearest by 2.2, the output just doubled", {"x": s.base(1, 2, 4, 4)}, exact=False, scaleFactor=2.2)
    s.case("interpolate", "bilinear of a slice", {"x": s.base(1, 5, 6, 9).slice(1, 0, 5, 2).slice(3, 0, 9, 2)}, exact=False, size=[8, 8], mode="bilinear")
    s.case("interpolate", "one pixel", {"x": s.base(1, 2, 1, 1)}, exact=False, size=[3, 2], mode="bilinear", alignCorners=True)
    grid = s.base(2, 4, 6, 2, kind="grid")
    exactly = torch.stack(torch.meshgrid(torch.linspace(-1, 1, 7), torch.linspace(-1, 1, 5), indexing="xy"), -1)
    lattice = s.store("lattice", exactly.expand(2, 5, 7, 2).contiguous())
    far = s.store("far_grid", torch.tensor([-1e3, 1e3, -1.5, 1.5, 1.0, -1.0, 2.0, 0.0]).reshape(1, 2, 2, 2).expand(2, 2, 2, 2).contiguous())
    for mode in ("bilinear", "nearest"):
        for padding in ("zeros", "border"):
            for corners in (False, True):
                kind = dict(mode=mode, paddingMode=padding, alignCorners=corners)
                tag = f"{mode}, {padding}, {'corners' if corners else 'edges'}"
                bilinear = mode == "bilinear"
                s.case("gridSample", f"random, {tag}", {"x": image.channels_last(), "grid": grid}, exact=bilinear, **kind)
                s.case("gridSample", f"far away, {tag}", {"x": image, "grid": far}, exact=bilinear, **kind)
                if bilinear or corners:  # otherwise the lattice lies on ties, which rounding decides
                    s.case("gridSample", f"a lattice, {tag}", {"x": image, "grid": lattice}, exact=bilinear and corners, **kind)
    s.case("gridSample", "a strided grid", {"x": image, "grid": s.base(2, 2, 6, 4, kind="grid").permute(0, 2, 3, 1)},
           mode="bilinear", paddingMode="zeros", alignCorners=False)
    for name, n, q, h, d, shapes, points in [
        ("3 maps", 2, 5, 2, 4, [[4, 6], [2, 3], [1, 2]], 3),
        ("one map, one point", 1, 3, 1, 5, [[3, 5]], 1),
        ("8 heads", 1, 4, 8, 8, [[4, 4], [2, 2]], 4),
    ]:
        tokens = sum(a * b for a, b in shapes)
        g = torch.Generator().manual_seed(SEED + len(s.cases))
        loc = s.store(f"locations_{len(s.cases)}", torch.rand(n, q, h, len(shapes), points, 2, generator=g) * 1.4 - 0.2)
        w = torch.softmax(torch.randn(n, q, h, len(shapes) * points, generator=g), -1).reshape(n, q, h, len(shapes), points)
        weights = s.store(f"weights_{len(s.cases)}", w)
        s.case("deformableAttention", name, {"value": s.base(n, tokens, h, d), "locations": loc, "weights": weights}, shapes=shapes)
        if n == 2:
            strided = s.base(n, tokens, d, h).permute(0, 1, 3, 2)
            s.case("deformableAttention", f"{name}, strided value", {"value": strided, "locations": loc, "weights": weights}, shapes=shapes)
    return s.write()


if __name__ == "__main__":
    os.makedirs(OUT, exist_ok=True)
    torch.set_num_threads(1)
    subjects = (elementwise, arithmetic, products, convolutions, norms, reductions, indexing, pooling, sampling)
    print(sum(make() for make in subjects), "cases")
