"""How much does each wrong reading of the system change a parity case?  Prints a table: the change of the matched rows, and the
first module that departs from the golden by the rule of compare-trace.ts (sampled values, five times the rounding noise), with
its largest difference in tolerances.

  python test/golden/make/mutations.py [VARIANT ...] [--size 640]        all five by default; torch, numpy, PyYAML

A wrong reading that hides below the tolerances of the tests would pass them, so every one must show: in the matched rows by
far more than 1e-3, or (tanh GELU) in its own module's output."""
import argparse
import json
import os

import numpy as np
import torch
from torch import nn
from torch.nn import functional as fn

import reference.mobilenetv4 as backbone
import reference.rtdetr as rtdetr
import safetensors_io
from models import VARIANTS
from seeded_model import MODELS, golden_image, golden_model
from tracing import record, sampled

FLOOR, FACTOR = 2e-5, 5  # of compare-trace.ts

gelu, grid_sample = fn.gelu, fn.grid_sample
sincos, anchors = rtdetr.sincos_positions, rtdetr.anchor_logits


def attention(pixel_q=False, pixel_v=False, scale=None):
    """Multi-query attention whose q, v (transposed as a textbook would) or scale differ."""

    def forward(self, x):
        b, _, h, w = x.shape
        down_k, down_v = (self._key_dw_conv, self._value_dw_conv) if self.kv_stride > 1 else (nn.Identity(),) * 2
        q = self._query_proj(x)
        q = q.view(b, self.heads, self.dim, -1).transpose(2, 3) if pixel_q else q.view(b, self.heads, -1, self.dim)
        k = self._key_proj(down_k(x)).view(b, 1, self.dim, -1)
        v = self._value_proj(down_v(x))
        v = v.view(b, 1, self.dim, -1).transpose(2, 3) if pixel_v else v.view(b, 1, -1, self.dim)
        mixed = torch.matmul((torch.matmul(q, k) / (scale or self.dim // self.heads) ** 0.5).softmax(-1), v)
        if pixel_q:
            mixed = mixed.transpose(2, 3)
        return self._output_proj(mixed.reshape(b, self.heads * self.dim, h, w))

    return [(backbone.MultiQueryAttention, "forward", forward)]


def eps(where=""):
    def change(model):
        for name, m in model.named_modules():
            if isinstance(m, nn.BatchNorm2d) and where in name:
                m.eps = 1e-5

    return change


def unattended(self, x):
    self.multi_query_attention(self._input_norm(x))  # run, so that the trace has it, and dropped
    return x


def shortcut(self, x):
    y = x
    for part in self.children():
        y = part(y)
    return y + x if y.shape == x.shape else y


def unswapped(first, second, width):
    return sincos(first, second, width)[torch.arange(first * second).view(first, second).t().reshape(-1)]


def all_valid(shapes):
    logits, valid = anchors(shapes)
    return torch.where(valid, logits, torch.zeros(())), torch.ones_like(valid)


def relu(model):
    for m in model.modules():
        for name, child in list(m.named_children()):
            if isinstance(child, nn.ReLU6):
                setattr(m, name, nn.ReLU())


def sampling(padding, corners):
    return [(fn, "grid_sample", lambda a, b, *r, **k: grid_sample(a, b, "bilinear", padding, align_corners=corners))]


CONV = [  # no mutation: the same sums in other orders (the Hybrids' views need row-major memory)
    ("nothing, but channels-last memory", lambda model: model.to(memory_format=torch.channels_last), []),
]
MUTATIONS = [  # label, change of the model, patches
    ("BN eps 1e-5 everywhere", eps(), []),
    ("BN eps 1e-5 in the backbone only", eps("model.0."), []),
    ("BN eps 1e-5 in input_proj only", eps("input_proj"), []),
    ("UIB with shortcuts", None, [(backbone.UIB, "forward", shortcut)]),
    ("position code not swapped", None, [(rtdetr, "sincos_positions", unswapped)]),
    ("no invalid anchors (shows above 400 px)", None, [(rtdetr, "anchor_logits", all_valid)]),
    ("tanh GELU", None, [(fn, "gelu", lambda x: gelu(x, approximate="tanh"))]),
    ("ReLU instead of ReLU6", relu, []),
    ("grid_sample align_corners", None, sampling("zeros", True)),
    ("grid_sample border padding", None, sampling("border", False)),
]
HYBRID = [
    ("attention: tokens are pixels (transposed q)", None, attention(True, False)),
    ("attention: transposed v", None, attention(False, True)),
    ("attention: both", None, attention(True, True)),
    ("attention: scale 1/sqrt(64)", None, attention(scale=64)),
    ("no attention branch", None, [(backbone.AttentionBlock, "forward", unattended)]),
]


def run(name, x, change, patches):
    model = golden_model(name)
    if change:
        change(model)
    saved = [(obj, attr, getattr(obj, attr)) for obj, attr, _ in patches]
    try:
        for obj, attr, value in patches:
            setattr(obj, attr, value)
        return record(model, lambda: model(x, details=True))
    finally:
        for obj, attr, value in saved:
            setattr(obj, attr, value)


def first_departure(golden, modules, trace, order):
    """The first module whose samples are off by more than the tests' tolerance: its path, and by how many tolerances. If there
    is none: "none", and the most of its tolerance that any module uses. For modules on queries that came in another order
    `order` tells where the golden's are."""
    names, most = {}, 0.0
    for path, shape, row in modules:
        made_by = names.setdefault(row, path)
        if list(trace[path].shape) != shape:
            return path, float("inf")
        limit = max(FLOOR, FACTOR * float(golden["noise"][row])) * golden["stats"][row][4]
        value = trace[path]
        if order is not None and value.dim() == 3 and shape[1] == len(order):
            value = value[:, order]
        off = float(np.abs(sampled(made_by, value) - golden["samples"][row]).max() / limit)
        if not off <= 1:
            return path, off
        most = max(most, off)
    return "none", most


def query_order(golden, index):
    """Where each of the golden's queries is in a run; None if the run chose others."""
    row_of = {int(token): row for row, token in enumerate(index)}
    order = [row_of.get(int(token)) for token in golden["index"]]
    return None if None in order else order


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("variants", nargs="*", default=VARIANTS)
    p.add_argument("--size", type=int, default=640)
    a = p.parse_args()
    for name in a.variants:
        x = golden_image(name, a.size, a.size)
        golden, facts = safetensors_io.load(os.path.join(MODELS, f"{name}.detector.{a.size}x{a.size}.safetensors"))
        y, modules = torch.from_numpy(golden["output0"]), json.loads(facts["modules"])
        for label, change, patches in [("nothing", None, [])] + MUTATIONS + (HYBRID if "Hybrid" in name else CONV):
            (z, details), trace = run(name, x, change, patches)
            rows = (y[:, None] - z[0][None]).abs().amax(-1).min(1).values
            path, off = first_departure(golden, modules, trace, query_order(golden, details["index"][0]))
            print(f"{name:24s} {a.size} {label:44s} rows: median {rows.median():.1e} max {rows.max():.1e}   "
                  f"first module {path} {off:.2f} tolerances", flush=True)


if __name__ == "__main__":
    main()
