"""Writes the goldens of the default model on real pictures: test/golden/codes.

  python test/golden/make/default_model.py --samples DIR [--weights models/codes.f16.safetensors] [--yaml models/codes.yaml]

DIR holds cat.jpg, coffee.jpg and wall.jpg (and, to check against, NAME.output.safetensors). Needs torch, numpy, PyYAML and cv2.
For each picture: NAME.640.png, decoded and stretched to 640 x 640 by OpenCV (so that neither decoding nor resizing can differ),
and NAME.output.safetensors, "output0" [1, Q, 4 + K] of these half-precision weights computed in single precision. For wall also
wall.trace.safetensors: the sampled trace with its rounding noise, as models.py writes it. Run it again when the weights change."""
import argparse
import hashlib
import json
import os

import cv2
import numpy as np
import torch
import yaml

import safetensors_io
from models import same_queries
from reference import RTDETRModel, preprocess
from seeded_model import HERE
from tracing import double_noise, record, summary

ROOT = os.path.normpath(os.path.join(HERE, "..", "..", ".."))
OUT = os.path.join(ROOT, "test", "golden", "codes")
PICTURES, TRACED, SIZE = ("cat", "coffee", "wall"), "wall", 640
NEVER_RUN = ("layer5", "denoising_class_embed", "num_batches_tracked")


def load(yaml_path, weights):
    with open(yaml_path, encoding="utf8") as f:
        model = RTDETRModel(yaml.safe_load(f)).eval()
    state = {k: torch.from_numpy(v).float() for k, v in safetensors_io.load(weights)[0].items()}
    report = model.load_state_dict(state, strict=False)
    lost = [k for k in report.missing_keys if not any(p in k for p in NEVER_RUN)]
    if lost or report.unexpected_keys:
        raise SystemExit(f"{weights}: missing {lost}, unexpected {report.unexpected_keys}")
    return model


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--samples", required=True)
    p.add_argument("--weights", default=os.path.join(ROOT, "models", "codes.f16.safetensors"))
    p.add_argument("--yaml", default=os.path.join(ROOT, "models", "codes.yaml"))
    a = p.parse_args()
    os.makedirs(OUT, exist_ok=True)
    model = load(a.yaml, a.weights)
    with open(a.weights, "rb") as f:
        sha = hashlib.sha256(f.read()).hexdigest()
    meta = dict(torch=torch.__version__, opencv=cv2.__version__, weights="codes.f16.safetensors", weightsSha256=sha,
                command="python test/golden/make/default_model.py --samples DIR")
    for name in PICTURES:
        bgr = cv2.imread(os.path.join(a.samples, name + ".jpg"), cv2.IMREAD_COLOR)  # turns by the EXIF orientation
        small = cv2.resize(bgr, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
        png = os.path.join(OUT, f"{name}.{SIZE}.png")
        cv2.imwrite(png, small, [cv2.IMWRITE_PNG_COMPRESSION, 9])
        x = preprocess(cv2.cvtColor(small, cv2.COLOR_BGR2RGB), SIZE)
        (y, details), trace = record(model, lambda: model(x, details=True))
        facts = dict(**meta, picture=f"{name}.{SIZE}.png", source=f"{bgr.shape[0]}x{bgr.shape[1]}")
        safetensors_io.save(os.path.join(OUT, name + ".output.safetensors"), {"output0": y}, facts)
        said = f"{name}: {os.path.getsize(png)} bytes of PNG, best score {float(y[0, :, 4:].max()):.3f}"
        given = os.path.join(a.samples, name + ".output.safetensors")
        if os.path.exists(given):
            want = torch.from_numpy(safetensors_io.load(given)[0]["output0"].astype(np.float32)).reshape(y.shape)
            apart = (y[0][:, None] - want[0][None]).abs().amax(-1).min(1).values
            said += f"; from the given output: by index {float((y - want).abs().max()):.1e}, rows matched {float(apart.max()):.1e}"
        print(said)
        if name == TRACED:
            queries = details["index"]
            with same_queries(queries):
                (y64, _), noise = double_noise(model, trace, lambda: model(x.double(), details=True))
            arrays, modules = summary(trace, noise)
            rows = (y.double() - y64).abs().amax(-1)[0]
            head = trace[next(p for p in trace if p.endswith("enc_score_head"))].amax(-1)[0].sort(descending=True).values
            n = queries.shape[1]
            facts.update(modules=json.dumps(modules, separators=(",", ":")), rowNoiseMax=float(rows.max()), margin=float(head[n - 1] - head[n]),
                         outputs=json.dumps({"output0": list(y.shape), "index": list(queries.shape)}))
            file = os.path.join(OUT, name + ".trace.safetensors")
            safetensors_io.save(file, {**arrays, "output0": y[0], "index": queries[0].to(torch.int32)}, facts)
            print(f"{name}: {len(modules)} modules traced, {os.path.getsize(file)} bytes, margin {facts['margin']:.1e}, "
                  f"row noise {facts['rowNoiseMax']:.1e}, noise/std max {max(noise.values()):.1e}")


if __name__ == "__main__":
    main()
