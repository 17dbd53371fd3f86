"""Writes test/golden/layers/: what PyTorch's layers print, hold and compute, for the tests of src/nn.

  python test/golden/make/layers.py            needs torch and numpy

layers.json lists the cases; layers.bin has the numbers that they refer to by byte offset, little-endian, row-major.
A case is a layer as the tests build it (`module`: class and arguments), PyTorch's repr of the same layer, its state
dict in order, the inputs of one call and the outputs. Layouts of inputs are the tests' own affair: values do not
depend on them."""
import json
import os
import sys
from collections import OrderedDict

import numpy as np
import torch
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "..", "layers")
SEED = 20240417
DTYPES = {torch.float32: "f32", torch.int64: "i64", torch.int32: "i32", torch.uint8: "u8", torch.bool: "u8"}

rng = torch.Generator().manual_seed(SEED)
blob = bytearray()
cases = []


def rand(*shape, scale=1.0):
    return torch.randn(shape, generator=rng) * scale


def put(tensor):
    """Appends a tensor's bytes, 8-byte aligned, and says where they are."""
    blob.extend(b"\0" * (-len(blob) % 8))
    offset = len(blob)
    array = tensor.detach().contiguous().numpy()
    blob.extend((array.astype(np.uint8) if array.dtype == bool else array).tobytes())
    return {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape), "offset": offset}


def js(name, *args):
    """How the tests build a layer."""
    return {"class": name, "args": list(args)}


def fill(module):
    """Weights that do something: no zeros, no ones, variances above 0."""
    for name, tensor in module.state_dict().items():
        if name.endswith("num_batches_tracked"):
            tensor.fill_(17)
        elif name.endswith("running_var"):
            tensor.copy_(torch.rand(tensor.shape, generator=rng) + 0.5)
        elif tensor.ndim <= 1:
            tensor.copy_(rand(*tensor.shape, scale=0.3) + (1.0 if name.endswith("weight") else 0.0))
        else:
            tensor.copy_(rand(*tensor.shape) / max(tensor[0].numel(), 1) ** 0.5)
    return module.eval()


def case(module, spec, *inputs, note="", call=None, options=None, tensors=None):
    """`options` and `tensors` are the keyword arguments of the call under the tests' names; `call` PyTorch's own."""
    fill(module)
    entry = {"module": spec, "note": note, "repr": repr(module)}
    entry["state"] = [{"name": k, **put(v)} for k, v in module.state_dict().items()]
    if inputs:
        with torch.no_grad():
            out = module(*inputs, **(call or {}))
        outputs = out if isinstance(out, (tuple, list)) else [out]
        entry["inputs"] = [put(x) for x in inputs]
        entry["outputs"] = [None if y is None else put(y) for y in outputs]
    if options or tensors:
        entry["options"] = options or {}
        entry["tensors"] = {k: put(v) for k, v in (tensors or {}).items()}
    cases.append(entry)


def convolutions():
    x = rand(2, 6, 9, 11)
    case(nn.Conv2d(6, 8, 3), js("Conv2d", 6, 8, 3), x)
    case(nn.Conv2d(6, 5, 1, bias=False), js("Conv2d", 6, 5, 1, {"bias": False}), x)
    case(nn.Conv2d(6, 7, 3, stride=2, padding=1), js("Conv2d", 6, 7, 3, {"stride": 2, "padding": 1}), x)
    case(nn.Conv2d(6, 6, 5, stride=2, padding=2, groups=6, bias=False),
         js("Conv2d", 6, 6, 5, {"stride": 2, "padding": 2, "groups": 6, "bias": False}), x, note="depthwise")
    case(nn.Conv2d(6, 12, 3, padding=1, groups=6),
         js("Conv2d", 6, 12, 3, {"padding": 1, "groups": 6}), x, note="depthwise, two outputs a channel")
    case(nn.Conv2d(6, 4, 3, padding=2, dilation=2, groups=2),
         js("Conv2d", 6, 4, 3, {"padding": 2, "dilation": 2, "groups": 2}), x)
    case(nn.Conv2d(6, 3, (3, 1), stride=(2, 1), padding=(1, 0), dilation=(1, 2)),
         js("Conv2d", 6, 3, [3, 1], {"stride": [2, 1], "padding": [1, 0], "dilation": [1, 2]}), x)
    case(nn.Conv2d(6, 4, 3, padding="same"), js("Conv2d", 6, 4, 3, {"padding": "same"}), x)
    case(nn.Conv2d(6, 4, (4, 3), padding="same", dilation=(1, 3)),
         js("Conv2d", 6, 4, [4, 3], {"padding": "same", "dilation": [1, 3]}), x, note="the odd row lies behind")
    case(nn.Conv2d(6, 4, (2, 4), padding="same", bias=False),
         js("Conv2d", 6, 4, [2, 4], {"padding": "same", "bias": False}), x)
    case(nn.Conv2d(6, 4, 3, stride=2, padding="valid"),
         js("Conv2d", 6, 4, 3, {"stride": 2, "padding": "valid"}), x)
    case(nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False),
         js("Conv2d", 3, 16, 3, {"stride": 2, "padding": 1, "bias": False}), rand(1, 3, 17, 16), note="a stem")
    case(nn.Conv2d(32, 35, 1), js("Conv2d", 32, 35, 1), rand(1, 32, 6, 7))
    case(nn.Conv2d(16, 16, 3, padding=1), js("Conv2d", 16, 16, 3, {"padding": 1}), rand(1, 16, 10, 13))


def norms():
    x = rand(2, 5, 6, 7, scale=2)
    case(nn.BatchNorm2d(5), js("BatchNorm2d", 5), x)
    case(nn.BatchNorm2d(5, eps=1e-3), js("BatchNorm2d", 5, {"eps": 1e-3}), x)
    case(nn.BatchNorm2d(5, eps=1e-16, momentum=None, affine=False),
         js("BatchNorm2d", 5, {"eps": 1e-16, "momentum": None, "affine": False}), x)
    case(nn.BatchNorm2d(5, momentum=0.03, track_running_stats=False),
         js("BatchNorm2d", 5, {"momentum": 0.03, "trackRunningStats": False}), x, note="statistics of the batch")
    case(nn.BatchNorm2d(5, bias=False), js("BatchNorm2d", 5, {"bias": False}), x)
    y = rand(2, 3, 4, 8, scale=3) + 1
    case(nn.LayerNorm(8), js("LayerNorm", 8), y)
    case(nn.LayerNorm((4, 8), eps=1e-3), js("LayerNorm", [4, 8], {"eps": 1e-3}), y)
    case(nn.LayerNorm(8, elementwise_affine=False), js("LayerNorm", 8, {"elementwiseAffine": False}), y)
    case(nn.LayerNorm([8], bias=False), js("LayerNorm", [8], {"bias": False}), y)
    case(nn.LayerNorm(67), js("LayerNorm", 67), rand(5, 67))


def linears():
    case(nn.Linear(10, 7), js("Linear", 10, 7), rand(3, 4, 10))
    case(nn.Linear(10, 7, bias=False), js("Linear", 10, 7, {"bias": False}), rand(5, 10))
    case(nn.Linear(33, 18), js("Linear", 33, 18), rand(33), note="a vector")
    case(nn.Linear(64, 50), js("Linear", 64, 50), rand(2, 9, 64))
    index = torch.tensor([[3, 0, 8], [8, 1, 3]])
    case(nn.Embedding(9, 6), js("Embedding", 9, 6), index)
    case(nn.Embedding(9, 6, padding_idx=-2), js("Embedding", 9, 6, {"paddingIdx": -2}), index.int())


def attention():
    def mha(e, h, q, k, v, torch_args=None, js_args=None, call=None, options=None, tensors=None, note=""):
        names = {"needWeights": "need_weights", "averageAttnWeights": "average_attn_weights",
                 "attnMask": "attn_mask", "keyPaddingMask": "key_padding_mask"}
        call = {names[n]: x for n, x in {**(options or {}), **(tensors or {})}.items()}
        case(nn.MultiheadAttention(e, h, **(torch_args or {})), js("MultiheadAttention", e, h, js_args or {}),
             q, k, v, call=call, options=options, tensors=tensors, note=note)

    first = ({"batch_first": True}, {"batchFirst": True})
    q, k, v = rand(7, 2, 12), rand(5, 2, 12), rand(5, 2, 12)
    mha(12, 3, q, k, v)
    mha(12, 1, q, k, v, {"bias": False, "dropout": 0.1}, {"bias": False, "dropout": 0.1},
        options={"averageAttnWeights": False})
    mha(12, 4, q, k, v, options={"needWeights": False})
    qb, kb, vb = rand(2, 7, 16), rand(2, 5, 16), rand(2, 5, 16)
    mha(16, 4, qb, kb, vb, *first)
    mha(16, 4, qb, kb, vb, *first, options={"averageAttnWeights": False})
    mha(16, 4, qb, qb, qb, *first, note="self-attention")
    case_k, case_v = rand(2, 5, 6), rand(2, 5, 10)
    mha(16, 4, qb, case_k, case_v, {"batch_first": True, "kdim": 6, "vdim": 10},
        {"batchFirst": True, "kdim": 6, "vdim": 10})
    mha(12, 3, q, rand(5, 2, 4), v, {"kdim": 4, "bias": False}, {"kdim": 4, "bias": False},
        options={"averageAttnWeights": False})
    mha(12, 3, rand(7, 12), rand(5, 12), rand(5, 12), note="no batch")
    mha(12, 3, rand(7, 12), rand(5, 12), rand(5, 12), *first, options={"averageAttnWeights": False}, note="no batch")
    causal = torch.triu(torch.ones(7, 7), 1).bool()
    mha(16, 4, qb, qb, qb, *first, tensors={"attnMask": causal}, note="causal")
    mha(16, 4, qb, qb, qb, *first, tensors={"attnMask": rand(7, 7)}, note="an f32 mask is added")
    mha(16, 4, qb, kb, vb, *first, tensors={"attnMask": rand(8, 7, 5)}, options={"averageAttnWeights": False})
    padding = torch.tensor([[0, 0, 0, 1, 1], [0, 1, 0, 0, 0]]).bool()
    mha(16, 4, qb, kb, vb, *first, tensors={"keyPaddingMask": padding})
    mha(12, 3, q, k, v, tensors={"keyPaddingMask": padding, "attnMask": torch.triu(torch.ones(7, 5), 3).bool()},
        options={"averageAttnWeights": False}, note="both masks")
    mha(12, 3, rand(7, 12), rand(5, 12), rand(5, 12), tensors={"keyPaddingMask": padding[1]},
        options={"needWeights": False}, note="no batch")


def activations():
    x = rand(2, 3, 5, 6, scale=4)
    x.view(-1)[:6] = torch.tensor([0.0, -0.0, 6.0, 40.0, -40.0, -6.0])
    for name in ("ReLU", "ReLU6", "SiLU"):
        layer = getattr(nn, name)
        case(layer(), js(name), x)
        case(layer(inplace=True), js(name, {"inplace": True}), x.clone())
        cases[-1]["inputs"] = cases[-2]["inputs"]  # the call wrote over its own
    case(nn.Sigmoid(), js("Sigmoid"), x)
    case(nn.GELU(), js("GELU"), x)
    case(nn.GELU(approximate="tanh"), js("GELU", {"approximate": "tanh"}), x)
    case(nn.Softmax(dim=-1), js("Softmax", -1), x)
    case(nn.Softmax(dim=1), js("Softmax", 1), x)
    case(nn.Softmax(dim=0), js("Softmax", 0), rand(7))
    case(nn.Identity(), js("Identity"), x)
    case(nn.Dropout(), js("Dropout"), x)
    case(nn.Dropout(0.1, inplace=True), js("Dropout", 0.1, {"inplace": True}), x)
    case(nn.Dropout(0.0), js("Dropout", 0), x)


def sampling():
    x = rand(2, 3, 7, 6)
    case(nn.Upsample(scale_factor=2), js("Upsample", {"scaleFactor": 2}), x)
    case(nn.Upsample(scale_factor=1.5), js("Upsample", {"scaleFactor": 1.5}), x)
    case(nn.Upsample(scale_factor=(2, 0.5)), js("Upsample", {"scaleFactor": [2, 0.5]}), x)
    case(nn.Upsample(size=(10, 4)), js("Upsample", {"size": [10, 4]}), x)
    case(nn.Upsample(size=9, mode="nearest"), js("Upsample", {"size": 9, "mode": "nearest"}), x)
    case(nn.Upsample(scale_factor=2, mode="bilinear"), js("Upsample", {"scaleFactor": 2, "mode": "bilinear"}), x)
    case(nn.Upsample(scale_factor=2.3, mode="bilinear", align_corners=False),
         js("Upsample", {"scaleFactor": 2.3, "mode": "bilinear", "alignCorners": False}), x)
    case(nn.Upsample(size=(11, 5), mode="bilinear", align_corners=True),
         js("Upsample", {"size": [11, 5], "mode": "bilinear", "alignCorners": True}), x)
    x = rand(2, 3, 9, 8)
    case(nn.AvgPool2d(2), js("AvgPool2d", 2), x)
    case(nn.AvgPool2d(3, stride=2, padding=1), js("AvgPool2d", 3, {"stride": 2, "padding": 1}), x)
    case(nn.AvgPool2d(3, stride=2, padding=1, ceil_mode=True, count_include_pad=False),
         js("AvgPool2d", 3, {"stride": 2, "padding": 1, "ceilMode": True, "countIncludePad": False}), x)
    case(nn.AvgPool2d((3, 2), stride=(2, 3), padding=(1, 0), ceil_mode=True),
         js("AvgPool2d", [3, 2], {"stride": [2, 3], "padding": [1, 0], "ceilMode": True}), x)
    case(nn.AvgPool2d(2, divisor_override=3), js("AvgPool2d", 2, {"divisorOverride": 3}), x)
    case(nn.MaxPool2d(2), js("MaxPool2d", 2), x)
    case(nn.MaxPool2d(3, stride=2, padding=1), js("MaxPool2d", 3, {"stride": 2, "padding": 1}), x)
    case(nn.MaxPool2d((3, 2), stride=(1, 3), padding=(1, 0), dilation=2, ceil_mode=True),
         js("MaxPool2d", [3, 2], {"stride": [1, 3], "padding": [1, 0], "dilation": 2, "ceilMode": True}), x)
    case(nn.MaxPool2d(5, 1, 2), js("MaxPool2d", 5, {"stride": 1, "padding": 2}), x)
    case(nn.AdaptiveAvgPool2d(1), js("AdaptiveAvgPool2d", 1), x)
    case(nn.AdaptiveAvgPool2d((4, 3)), js("AdaptiveAvgPool2d", [4, 3]), x)
    case(nn.AdaptiveAvgPool2d((None, 5)), js("AdaptiveAvgPool2d", [None, 5]), x)
    case(nn.AdaptiveAvgPool2d((12, None)), js("AdaptiveAvgPool2d", [12, None]), x)
    case(nn.Flatten(), js("Flatten"), x)
    case(nn.Flatten(0), js("Flatten", 0), x)
    case(nn.Flatten(1, 2), js("Flatten", 1, 2), x)


def containers():
    x = rand(1, 3, 8, 8)
    case(nn.Sequential(), js("Sequential"), x)
    case(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU6(inplace=True)),
         js("Sequential", [js("Conv2d", 3, 4, 3), js("BatchNorm2d", 4), js("ReLU6", {"inplace": True})]), x)
    case(nn.Sequential(*[nn.Identity() for _ in range(11)], nn.Conv2d(3, 2, 1)),
         js("Sequential", [js("Identity") for _ in range(11)] + [js("Conv2d", 3, 2, 1)]), x, note="eleven before ten")
    named = nn.Sequential(OrderedDict(
        conv=nn.Conv2d(3, 4, 1, bias=False), BatchNorm2d=nn.BatchNorm2d(4),
        tail=nn.Sequential(OrderedDict(pool=nn.AdaptiveAvgPool2d(1), flat=nn.Flatten(), fc=nn.Linear(4, 3)))))
    case(named, js("Sequential", {
        "conv": js("Conv2d", 3, 4, 1, {"bias": False}), "BatchNorm2d": js("BatchNorm2d", 4),
        "tail": js("Sequential", {"pool": js("AdaptiveAvgPool2d", 1), "flat": js("Flatten"),
                                  "fc": js("Linear", 4, 3)})}), x)
    case(nn.ModuleList(), js("ModuleList"))
    case(nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 3, bias=False), nn.Linear(3, 3)]),
         js("ModuleList", [js("Linear", 3, 3), js("Linear", 3, 3), js("Linear", 3, 3, {"bias": False}),
                           js("Linear", 3, 3)]), note="neighbours alike print once")


class Block(nn.Module):
    """The same as the class of this name in test/nn/small-net.ts."""

    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Sequential(OrderedDict(
            dw=nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
            norm=nn.BatchNorm2d(channels, eps=1e-3),
            act=nn.SiLU(inplace=True)))
        self.gain = nn.Parameter(torch.empty(1, channels, 1, 1))

    def forward(self, x):
        return x + self.conv(x) * self.gain


class SmallNet(nn.Module):
    """The same as the class of this name in test/nn/small-net.ts."""

    def __init__(self):
        super().__init__()
        self.register_buffer("table", torch.empty(16, 12))
        self.token = nn.Parameter(torch.empty(12))
        self.stem = nn.Conv2d(3, 12, 3, stride=2, padding=1)
        self.blocks = nn.ModuleList([Block(12) for _ in range(3)])
        self.attn = nn.MultiheadAttention(12, 3, batch_first=True)
        self.norm = nn.LayerNorm(12)
        self.head = nn.Sequential(nn.Linear(12, 24), nn.GELU(), nn.Dropout(0.1), nn.Linear(24, 5))

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        tokens = x.flatten(2).permute(0, 2, 1) + self.token
        q = tokens + self.table
        tokens = self.norm(tokens + self.attn(q, q, tokens)[0])
        return self.head(tokens)


def main():
    for write in (convolutions, norms, linears, attention, activations, sampling, containers):
        write()
    case(SmallNet(), js("SmallNet"), rand(2, 3, 8, 8))
    os.makedirs(OUT, exist_ok=True)
    meta = {"command": "python test/golden/make/layers.py", "torch": torch.__version__, "numpy": np.__version__,
            "python": sys.version.split()[0], "seed": SEED, "bytes": len(blob)}
    with open(os.path.join(OUT, "layers.bin"), "wb") as f:
        f.write(blob)
    with open(os.path.join(OUT, "layers.json"), "w") as f:
        f.write('{"meta": %s,\n"cases": [\n' % json.dumps(meta))
        f.write(",\n".join(json.dumps(c) for c in cases))
        f.write("\n]}\n")
    print(f"{len(cases)} cases, {len(blob)} bytes of numbers")


main()
