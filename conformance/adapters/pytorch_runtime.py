"""PyTorch as a runtime of the conformance kit: JSON, a line a message (docs/conformance-protocol.md). Needs torch, numpy, PyYAML,
safetensors, and cv2 for pictures.

  mobiledetr conform run --protocol jsonl -- python conformance/adapters/pytorch_runtime.py

It runs the reference modules of test/golden/make/reference; take it as a pattern for a runtime of your own."""
import inspect
import json
import os
import sys

import torch
import torch.nn.functional as F
import yaml
from safetensors.torch import load_file, save_file
from torch import nn

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "test", "golden", "make"))
from ops import deformable_attention  # noqa: E402
from reference import mobilenetv4, postprocess, rtdetr, yaml_model  # noqa: E402
from tracing import record  # noqa: E402

RENAMED = {"ConvBlock": mobilenetv4.conv_block, "MSDeformAttn": rtdetr.DeformableAttention, "RTDETRDecoder": rtdetr.Decoder,
           "DeformableTransformerDecoderLayer": rtdetr.DecoderLayer}
WORDS = dict(stride="s", c1="cin", c2="cout", cm="hidden", num_heads="heads", d_model="width", n_levels="levels", n_heads="heads",
             n_points="points", d_ffn="hidden", nc="classes", ch="cins", hd="width", nq="queries", ndp="points", nh="heads", ndl="layers")


def operator(subject, x):
    a, name = subject["attributes"], subject["name"]
    if name == "ms_deform_attn":
        return deformable_attention(x["value"], a["value_spatial_shapes"], x["sampling_locations"], x["attention_weights"])
    f = getattr(F, name, None) or getattr(torch, name)
    if name in ("relu", "sigmoid") or not callable(f):
        f = getattr(torch, name)
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
    cls = RENAMED.get(name) or getattr(rtdetr, name, None) or getattr(mobilenetv4, name, None) or getattr(nn, name)
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
    m = network(subject["model"], parameters)
    if "yaml" not in subject["model"]:
        y, trace = record(m, lambda: m(x["images"]))
        return {f"stride{4 << i}": v for i, v in enumerate(y)}, trace
    (y, details), trace = record(m, lambda: m(x["images"], details=True))
    return dict(output0=y, **details), trace


def picture(content, size):
    import cv2

    rgb = cv2.cvtColor(cv2.imdecode(content.numpy(), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    sized = rgb if rgb.shape[:2] == tuple(size) else cv2.resize(rgb, tuple(size)[::-1], interpolation=cv2.INTER_LINEAR)
    return torch.from_numpy(sized.copy()).permute(2, 0, 1)[None].contiguous().float() / 255, rgb.shape[:2]


def detect(subject, x, parameters):
    m, found = network(subject["model"], parameters), {}
    for name, content in x.items():
        if name.startswith("picture."):
            images, size = picture(content, (640, 640))
            found["detections" + name[7:]] = postprocess(m(images)[0], *size, subject["conf"])
    return found


def run(folder, output):
    request = json.load(open(os.path.join(folder, "request.json"), encoding="utf8"))
    loaded = load_file(os.path.join(folder, "inputs.safetensors"))
    x = {name: loaded[name] for name in request["inputs"]}  # in the request's order
    parameters = load_file(os.path.join(folder, "parameters.safetensors"))
    subject, trace = request["subject"], {}
    kind = subject["kind"]
    if kind == "operator":
        y = operator(subject, x)
    elif kind == "preprocess":
        y = dict(images=picture(x["picture"], subject["size"])[0])
    elif kind == "postprocess":
        y = dict(detections=postprocess(x["output0"][0], *subject["picture"], subject["conf"]))
    elif kind == "detect":
        y = detect(subject, x, parameters)
    else:
        y, trace = dict(module=module, stage=stage, model=whole)[kind](subject, x, parameters)
    named = y if isinstance(y, dict) else {"output": y} if isinstance(y, torch.Tensor) else {f"output.{i}": v for i, v in enumerate(y)}
    outputs = {**{k: v for k, v in trace.items() if k in request["outputs"]}, **named}
    save_file({k: v.contiguous().clone() for k, v in outputs.items()}, os.path.join(output, "outputs.safetensors"))


def main():
    say = lambda **message: print(json.dumps(message), flush=True)
    torch.set_num_threads(1)
    for line in sys.stdin:
        message = json.loads(line)
        if message["type"] == "hello":
            say(type="hello", protocol=1, name=f"PyTorch {torch.__version__}")
        elif message["type"] == "shutdown":
            return
        else:
            try:
                with torch.no_grad():
                    run(message["request"], message["output"])
                say(type="result", id=message["id"], status="done")
            except Exception as error:  # of the case, not of the program
                say(type="result", id=message["id"], status="failed", message=f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
