"""Exports the kit's cases to ONNX, a file each, for runtimes that read it (conformance/adapters/onnxruntime-runtime.mjs).

  python conformance/make/onnx_models.py OUT [--cases GLOB ...] [--outputs-only]

What is exported is what conformance/adapters/pytorch_runtime.py runs: operators, modules, stages and networks (levels 0 to 3), at
the case's own shapes, opset 20, a graph's inputs and outputs under the names of the case's tensors. Weights are in the file, as
one would ship it. Inner tensors are outputs as well, so that the first divergence can be found; that keeps a runtime from fusing
layers across them: --outputs-only leaves them away.

OUT/index.json: `cases` [{id, file, sha256, parameters}], `parameters` being the hash of the weights that went in (see
`parameters_hash`); `unsupported` [{id, reason}]; versions. It is of this run alone. Needs torch, onnx, numpy, PyYAML and
safetensors."""
import argparse
import fnmatch
import hashlib
import json
import os
import sys
import time
import warnings
from unittest.mock import patch

import torch
from torch import nn

from casefile import FORMAT, KIT, make, pretty

sys.path.insert(0, os.path.join(KIT, "adapters"))
import pytorch_subjects  # noqa: E402
import safetensors_io  # noqa: E402
from pytorch_runtime import compute  # noqa: E402

OPSET = 20  # the first with Gelu; written out, its tanh form overflows at 3e38
KINDS = ["operator", "module", "stage", "model"]


def load_json(path):
    with open(os.path.join(KIT, path), encoding="utf8") as f:
        return json.load(f)


def given(case, entry, entries=()):
    """A tensor that a case gives."""
    source = entry["source"]
    if "generator" in source:
        return torch.from_numpy(make(source, tuple(entry["shape"]), entries))
    path = source["shared"] if "shared" in source else os.path.join("cases", case["id"], source["file"])
    return torch.from_numpy(safetensors_io.load(os.path.join(KIT, path))[0][source["key"]])


def parameters_of(case):
    """{name: tensor}, all of float32."""
    listed = case["parameters"]
    if isinstance(listed, list):
        entries = {p["source"]["entry"] for p in listed if "entry" in p["source"]}
        return {p["name"]: given(case, p, entries) for p in listed}
    group = load_json(listed["set"])
    values, entries = safetensors_io.load(os.path.join(KIT, group["values"]))[0], {name for name, _ in group["entries"]}
    strip, out = listed.get("strip", ""), {}
    for name, shape in group["entries"]:
        if any(name.startswith(p) for p in listed.get("prefixes", [""])):
            source = {"generator": "state", "seed": group["seed"], "entry": name, "attentionGain": group["attentionGain"]}
            value = torch.from_numpy(values[name]) if name in values else given(case, {"source": source, "shape": shape}, entries)
            out[name.removeprefix(strip)] = value.float()
    return out


def parameters_hash(parameters):
    """SHA-256 over the entries in the order of their names, each its name and its little-endian elements."""
    sha = hashlib.sha256()
    for name in sorted(parameters):
        sha.update(name.encode())
        sha.update(parameters[name].contiguous().numpy().astype("<f4").tobytes())
    return sha.hexdigest()


class Kept:
    """A builder that builds once: the exporter's trace must see a module run, not how it is made and filled."""

    def __init__(self, build):
        self.build, self.built = build, None

    def __call__(self, *a):
        if self.built is None:
            self.built = self.build(*a)
        return self.built


class Subject(nn.Module):
    """A case as a module: from its inputs, in their order, to those of its outputs that PyTorch's runtime gives."""

    def __init__(self, case, inputs, parameters, outputs_only):
        super().__init__()
        self.subject, self.inputs = case["subject"], list(inputs)
        self._kept = dict(build=Kept(pytorch_subjects.build), network=Kept(pytorch_subjects.network))
        results = self._results(inputs.values(), parameters)
        self.outputs = [o["name"] for o in case["outputs"] if o["name"] in results and (o["required"] or not outputs_only)]
        network, module = self._kept["network"].built, self._kept["build"].built
        self.network = network if module is None else module[0]  # so that the file names its weights

    def _results(self, x, parameters):
        with patch.multiple(pytorch_subjects, **self._kept):
            y, trace = compute(self.subject, dict(zip(self.inputs, x)), parameters)
        return {**trace, **y}

    def forward(self, *x):
        results, out, seen = self._results(x, {}), [], set()
        for name in self.outputs:  # a tensor of several names is an output for each
            value = results[name]
            out.append(value.clone() if id(value) in seen else value)
            seen.add(id(value))
        return tuple(out)


def export(case, path, outputs_only):
    """Writes a case's file; the hash of its parameters. Throws with the reason where that cannot be done."""
    inputs = {t["name"]: given(case, t) for t in case["inputs"]}
    if not inputs:
        raise ValueError("no inputs: the file would hold the result")
    parameters = parameters_of(case)
    subject = Subject(case, inputs, parameters, outputs_only).eval()
    os.makedirs(os.path.dirname(path), exist_ok=True)
    torch.onnx.export(subject, tuple(inputs.values()), path, dynamo=False, opset_version=OPSET, input_names=list(inputs),
                      output_names=subject.outputs)
    return parameters_hash(parameters)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("out", metavar="OUT")
    p.add_argument("--cases", nargs="+", default=["*"], metavar="GLOB", help="cases by id, as L1/UIB/*; all without")
    p.add_argument("--outputs-only", action="store_true", help="no inner tensors: what one would ship")
    a = p.parse_args()
    kit = load_json("kit.json")
    ids = [c["id"] for c in kit["cases"] if any(fnmatch.fnmatchcase(c["id"], g) for g in a.cases)]
    if not ids:
        p.error(f"--cases: expected patterns that fit a case of the kit, got {' '.join(a.cases)}")
    torch.backends.mha.set_fastpath_enabled(False)  # a fused kernel that the exporter has no word for
    warnings.filterwarnings("ignore", message="You are using the legacy TorchScript-based ONNX export")
    warnings.simplefilter("ignore", torch.jit.TracerWarning)  # that shapes become constants is meant
    exported, unsupported, start, total = [], [], time.monotonic(), 0
    for id in ids:
        case, file = load_json(f"cases/{id}/case.json"), f"{id}.onnx"
        if case["subject"]["kind"] not in KINDS:
            continue
        path = os.path.join(a.out, file)
        try:
            with torch.no_grad():
                parameters = export(case, path, a.outputs_only)
        except Exception as error:  # the exporter has many kinds
            reason = str(error).strip().split(". ")[0]
            unsupported.append({"id": id, "reason": reason})
            print(f"{id}: {reason}", flush=True)
            continue
        with open(path, "rb") as f:
            content = f.read()
        total += len(content)
        exported.append({"id": id, "file": file, "sha256": hashlib.sha256(content).hexdigest(), "parameters": parameters})
    index = {"format": FORMAT, "kit": kit["version"], "torch": torch.__version__, "opset": OPSET, "outputsOnly": a.outputs_only,
             "kinds": KINDS, "cases": exported, "unsupported": unsupported}
    with open(os.path.join(a.out, "index.json"), "w", encoding="utf8") as f:
        f.write(pretty(index))
    print(f"{len(exported)} files, {total} bytes, {time.monotonic() - start:.0f} s; {len(unsupported)} cases cannot be exported")


if __name__ == "__main__":
    main()
