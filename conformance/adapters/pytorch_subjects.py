"""Subjects of the conformance kit in PyTorch: operators, modules, stages, networks, pictures, detections, each by a function that
takes the request's subject (docs/conformance-kit.md, "Subjects") and its tensors. Knows nothing of the protocol.

The modules are those of test/golden/make/reference; in a runtime of your own, your network stands here. Needs torch, PyYAML, and
cv2 for pictures."""
import inspect
import os
import sys

import torch
import torch.nn.functional as F
import yaml
from torch import nn

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "test", "golden", "make"))
from ops import deformable_attention  # noqa: E402
from reference import mobilenetv4, postprocess, rtdetr, yaml_model  # noqa: E402
from tracing import record  # noqa: E402

DETECT_SIZE = (640, 640)  # height, width that `detect` stretches to where the subject has no size

RENAMED = {"ConvBlock": mobilenetv4.conv_block, "MSDeformAttn": rtdetr.DeformableAttention, "RTDETRDecoder": rtdetr.Decoder,
           "DeformableTransformerDecoderLayer": rtdetr.DecoderLayer}
WORDS = dict(stride="s", c1="cin", c2="cout", cm="hidden", num_heads="heads", d_model="width", n_levels="levels", n_heads="heads",
             n_points="points", d_ffn="hidden", nc="classes", ch="cins", hd="width", nq="queries", ndp="points", nh="heads", ndl="layers")


class Unsupported(Exception):
    """There is no such thing here; says what."""


def operator(subject, x):
    """A function of torch by its name; its result, several in a list, named ones in a dict."""
    a, name = subject["attributes"], subject["name"]
    if name == "ms_deform_attn":
        return deformable_attention(x["value"], a["value_spatial_shapes"], x["sampling_locations"], x["attention_weights"])
    f = getattr(torch if name in ("relu", "sigmoid") else F, name, None) or getattr(torch, name, None)
    if not callable(f):
        raise Unsupported(f"operator {name}")
    a = {k: tuple(v) if k == "scale_factor" else v for k, v in a.items()}
    if name in ("cat", "stack"):
        return f(list(x.values()), **a)
    if name in ("split", "chunk"):
        return f(x["input"], *a.values())
    y = f(**x, **a)
    return dict(values=y.values, indices=y.indices) if name == "topk" else y


def build(name, a):
    """A module by its class; arguments under the reference's names. Only those that the constructor knows are given."""
    a, shapes = {k: v for k, v in a.items() if k != "shapes"}, a.get("shapes")
    eps = a.pop("bn_eps", 1e-5)
    cls = RENAMED.get(name) or next((getattr(m, name) for m in (rtdetr, mobilenetv4, nn) if hasattr(m, name)), None)
    if cls is None:
        raise Unsupported(f"module {name}")
    if name == "MLP":
        module = cls(*a["widths"])
    elif name in ("RepConv", "AIFI"):
        module = cls(*a.values())
    elif name in ("Concat", "Identity"):
        module = cls()
    elif name == "MultiheadAttention":
        module = cls(**a, batch_first=True)
    elif name == "BatchNorm2d":
        module = cls(**a)
    else:
        known = inspect.signature(cls).parameters
        module = cls(**{k if k in known else WORDS[k]: v for k, v in a.items() if k in known or WORDS.get(k) in known})
    for m in module.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.eps = eps
    return module.eval(), shapes


def module(subject, x, parameters):
    """A module's result, and the outputs of the modules inside it by their paths."""
    name, a = subject["name"], subject["arguments"]
    if name == "SinCosPositions":
        return rtdetr.sincos_positions(**a), {}
    if name == "Anchors":
        anchors, valid = rtdetr.anchor_logits(a["shapes"])
        return dict(anchors=anchors[None], valid=valid[None].float()), {}
    m, shapes = build(name, a)
    m.load_state_dict(parameters, strict=False)
    values = list(x.values())
    if name == "MultiheadAttention":
        return record(m, lambda: m(*values, need_weights=False)[0])
    if name == "RTDETRDecoder":
        (y, details), trace = record(m, lambda: m(values, details=True))
        return dict(output=y, **details), trace
    return record(m, lambda: m(values) if name == "Concat" else m(*values, *([shapes] if shapes else [])))


def network(model, parameters):
    """A backbone by its variant, or a detector by its YAML."""
    if "yaml" not in model:
        m = mobilenetv4.MobileNetV4(model["variant"])
    else:
        cfg = yaml.safe_load(model["yaml"])
        cfg["nc"] = model.get("nc", cfg["nc"])
        if "variant" in model:
            cfg["backbone"][0][2] = model["variant"]
        m = yaml_model.RTDETRModel(cfg)
    m.load_state_dict(parameters, strict=False)
    return m.eval()


def stage(subject, x, parameters):
    """Layers `first` to `last` of a network, by the names of the tensors that enter and leave; and a trace."""
    m, first, last = network(subject["model"], parameters), subject["first"], subject["last"]
    parent, begin, end = m.get_submodule(first.rpartition(".")[0]), first.rpartition(".")[2], last.rpartition(".")[2]

    def chain():
        names, y = [n for n, _ in parent.named_children()], next(iter(x.values()))
        for n in names[names.index(begin) : names.index(end) + 1]:
            y = getattr(parent, n)(y)
        return {last: y}

    def head():
        at = {int(k[-1]) if k.startswith("model.0.") else int(k[6:]) + 4: v for k, v in x.items()}
        for i in range(int(begin), int(end) + 1):
            feeds, layer = [at[s] for s in m.sources[i]], m.model[i]
            if isinstance(layer, rtdetr.Decoder):
                y, details = layer(feeds, details=True)
                return dict(output0=y, **details)
            at[i + 4] = layer(feeds if isinstance(layer, rtdetr.Concat) else feeds[0])
        return {f"model.{i - 4}": v for i, v in at.items() if i - 4 >= int(begin)}

    return record(m, head if parent is getattr(m, "model", None) and begin != "0" else chain)


def whole(subject, x, parameters):
    """A network's results by name, and a trace."""
    m = network(subject["model"], parameters)
    if "yaml" not in subject["model"]:
        y, trace = record(m, lambda: m(x["images"]))
        return {f"stride{4 << i}": v for i, v in enumerate(y)}, trace
    (y, details), trace = record(m, lambda: m(x["images"], details=True))
    return dict(output0=y, **details), trace


def picture(content, size):
    """A file's bytes to the network's input [1, 3, height, width], stretched to `size`; and the picture's own (height, width)."""
    import cv2  # pictures alone need it

    rgb = cv2.cvtColor(cv2.imdecode(content.numpy(), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    sized = rgb if rgb.shape[:2] == tuple(size) else cv2.resize(rgb, tuple(size)[::-1], interpolation=cv2.INTER_LINEAR)
    return torch.from_numpy(sized.copy()).permute(2, 0, 1)[None].contiguous().float() / 255, rgb.shape[:2]


def detect(subject, x, parameters):
    """Detections [n, 6] of every `picture.NAME` as `detections.NAME`."""
    m, found = network(subject["model"], parameters), {}
    for name, content in x.items():
        if name.startswith("picture."):
            images, size = picture(content, subject.get("size", DETECT_SIZE))
            found["detections" + name[7:]] = postprocess(m(images)[0], *size, subject["conf"])
    return found
