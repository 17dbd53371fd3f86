"""PyTorch as a runtime of the conformance kit: JSON, a line a message (docs/conformance-protocol.md). Needs torch and safetensors,
and what pytorch_subjects.py needs, which does the computing.

  mobiledetr conform run --protocol jsonl -- python conformance/adapters/pytorch_runtime.py

Take it as a pattern for a runtime of your own: put your `compute` in the place of this one."""
import json
import os
import sys

import torch
from pytorch_subjects import Unsupported, detect, module, operator, picture, postprocess, stage, whole
from safetensors.torch import load_file, save_file


def compute(subject, x, parameters):
    """What a subject gives, and the outputs of the modules inside it by their paths; tensors by name."""
    kind, trace = subject["kind"], {}
    if kind == "operator":
        y = operator(subject, x)
    elif kind == "module":
        y, trace = module(subject, x, parameters)
    elif kind == "stage":
        y, trace = stage(subject, x, parameters)
    elif kind == "model":
        y, trace = whole(subject, x, parameters)
    elif kind == "preprocess":
        y = dict(images=picture(x["picture"], subject["size"])[0])
    elif kind == "postprocess":
        y = dict(detections=postprocess(x["output0"][0], *subject["picture"], subject["conf"]))
    elif kind == "detect":
        y = detect(subject, x, parameters)
    else:
        raise Unsupported(f"subjects of kind {kind}")
    if isinstance(y, torch.Tensor):
        y = dict(output=y)
    return y if isinstance(y, dict) else {f"output.{i}": v for i, v in enumerate(y)}, trace


def run(folder, output):
    """Answers a request: reads its folder, writes outputs.safetensors into `output`."""
    with open(os.path.join(folder, "request.json"), encoding="utf8") as f:
        request = json.load(f)
    inputs = load_file(os.path.join(folder, "inputs.safetensors"))
    x = {name: inputs[name] for name in request["inputs"]}  # in the order of the call
    y, trace = compute(request["subject"], x, load_file(os.path.join(folder, "parameters.safetensors")))
    outputs = {**{name: v for name, v in trace.items() if name in request["outputs"]}, **y}
    save_file({name: v.contiguous().clone() for name, v in outputs.items()}, os.path.join(output, "outputs.safetensors"))


def answer(message):
    """A result's members: `unsupported` is no failure, an exception is the case's and not the program's."""
    try:
        with torch.no_grad():
            run(message["request"], message["output"])
        return dict(status="done")
    except Unsupported as what:
        return dict(status="unsupported", message=str(what))
    except Exception as error:
        return dict(status="failed", message=f"{type(error).__name__}: {error}")


def main():
    torch.set_num_threads(1)
    torch.backends.mkldnn.enabled = False  # its GELU gives NaN for infinity on processors with AVX-512
    for line in sys.stdin:
        message = json.loads(line)
        if message["type"] == "shutdown":
            break
        if message["type"] == "hello":
            reply = dict(type="hello", protocol=1, name=f"PyTorch {torch.__version__}")
        else:
            reply = dict(type="result", id=message["id"], **answer(message))
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
