"""Writes the whole-model goldens: PyTorch's sampled trace of every variant, as detector and as stand-alone backbone.

  python test/golden/make/models.py                     all cases and statistics (some minutes; torch, numpy, PyYAML)
  python test/golden/make/models.py MobileNetV4ConvSmall 320 ...    only the cases whose file name contains one of the words

Weights and image come from the generator (weights: seed 0, attention gain 1e5), the calibrated BatchNorm statistics from
test/golden/models/NAME.KIND.bn.safetensors (f16; written first when a file is missing), where KIND is detector (eps 1e-3,
80 classes) or backbone (eps 1e-5). Output: test/golden/models/NAME.KIND.HEIGHTxWIDTH.safetensors with
  samples f32 [rows, 48], stats f64 [rows, 5] (min, max, mean, mean |x|, std), noise f32 [rows] (max |f32 - f64| / std)
  detector: output0 f32 [Q, 4 + K], index i32 [Q], enc_bboxes f32 [Q, 4], enc_scores f32 [512] sampled
  backbone: stride4 .. stride32 f32 [512] sampled
Metadata: "modules" is JSON [[path, shape, row], ...] in the order of execution; "outputs" JSON {name: shape}."""
import json
import os
import sys

import numpy as np
import torch

import safetensors_io
from seeded_model import ATTN_GAIN, MODELS, SEED, calibrate, fill, golden_image, golden_model, image_seed, network, statistics_file
from tracing import double_noise, record, sampled, summary

VARIANTS = [f"MobileNetV4{v}" for v in ("ConvSmall", "ConvMedium", "ConvLarge", "HybridMedium", "HybridLarge")]
CASES = [(v, backbone, (s, s)) for v in VARIANTS for backbone in (False, True) for s in (320, 640)]
CASES += [("MobileNetV4ConvSmall", False, (256, 416)), ("narrow.yaml", False, (320, 320))]
OUTPUT_SAMPLES = 512


def meta(**more):
    return dict(torch=torch.__version__, seed=SEED, attnGain=ATTN_GAIN, command="python test/golden/make/models.py", **more)


def write_statistics(name, backbone):
    stats = calibrate(fill(network(name, backbone), backbone=backbone))
    for key, v in stats.items():
        low = v.min() if key.endswith("running_var") else np.inf
        if not np.isfinite(v).all() or low < 6.2e-5:  # below that f16 loses precision
            raise SystemExit(f"{name} {key}: statistics do not fit f16")
    safetensors_io.save(statistics_file(name, backbone), stats, meta(model=name))


class same_queries:
    """Makes topk give these indices, so that a run in double refines the same queries in the same order."""

    def __init__(self, index):
        self.index = index

    def __enter__(self):
        self.topk = torch.Tensor.topk
        fixed = torch.return_types.topk((torch.empty(0), self.index))
        torch.Tensor.topk = lambda *a, **k: fixed

    def __exit__(self, *error):
        torch.Tensor.topk = self.topk


def detector_case(model, x):
    (y, details), trace = record(model, lambda: model(x, details=True))
    index = details["index"]
    with same_queries(index):
        (y64, _), noise = double_noise(model, trace, lambda: model(x.double(), details=True))
    queries = index.shape[1]
    scores = trace[next(p for p in trace if p.endswith("enc_score_head"))].amax(-1)[0]
    ordered = scores.sort(descending=True).values
    rows = (y.double() - y64).abs().amax(-1)[0]
    outputs = {"output0": y[0], "index": index[0].to(torch.int32), "enc_bboxes": details["enc_bboxes"][0],
               "enc_scores": sampled("enc_scores", details["enc_scores"], OUTPUT_SAMPLES)}
    head = next(p for p in trace if p.endswith("enc_score_head"))
    facts = dict(
        margin=float(ordered[queries - 1] - ordered[queries]),  # of the last chosen token over the first not chosen
        smallestGap=float((ordered[: queries - 1] - ordered[1:queries]).min()),  # between chosen neighbours
        scoreNoise=noise[head] * float(trace[head].double().std(correction=0)),  # max |f32 - f64| of the class logits
        rowNoiseMedian=float(rows.median()), rowNoiseMax=float(rows.max()),  # of output0, f32 against f64
        outputs=json.dumps({"output0": list(y.shape), "index": list(index.shape), "enc_bboxes": list(details["enc_bboxes"].shape),
                            "enc_scores": list(details["enc_scores"].shape)}),
    )
    if facts["margin"] < 5 * facts["scoreNoise"]:
        raise SystemExit(f"the chosen queries are not well separated: {facts}")
    return trace, noise, outputs, facts


def backbone_case(model, x):
    maps, trace = record(model, lambda: model(x))
    _, noise = double_noise(model, trace, lambda: model(x.double()))
    outputs = {f"stride{4 << i}": sampled(f"stride{4 << i}", m, OUTPUT_SAMPLES) for i, m in enumerate(maps)}
    return trace, noise, outputs, dict(outputs=json.dumps({f"stride{4 << i}": list(m.shape) for i, m in enumerate(maps)}))


def main():
    wanted = sys.argv[1:]
    for name, backbone, (height, width) in CASES:
        kind = "backbone" if backbone else "detector"
        file = f"{name.removesuffix('.yaml')}.{kind}.{height}x{width}.safetensors"
        if wanted and not any(word in file for word in wanted):
            continue
        if not os.path.exists(statistics_file(name, backbone)):
            write_statistics(name, backbone)
        model = golden_model(name, backbone)
        case = backbone_case if backbone else detector_case
        trace, noise, outputs, facts = case(model, golden_image(name, height, width))
        arrays, modules = summary(trace, noise)
        worst = max((p for p in noise), key=noise.get)
        facts = meta(model=name, kind=kind, size=f"{height}x{width}", imageSeed=image_seed(name, height, width), **facts, modules=json.dumps(modules, separators=(",", ":")))
        path = os.path.join(MODELS, file)
        safetensors_io.save(path, {**arrays, **outputs}, facts)
        values = np.array(list(noise.values()))
        print(f"{file:52s} {len(modules)} modules, {len(arrays['samples'])} rows, {os.path.getsize(path)} bytes; noise/std median "
              f"{np.median(values):.1e} max {noise[worst]:.1e} at {worst}", *(f"{k} {facts[k]:.1e}" for k in
              ("margin", "smallestGap", "scoreNoise", "rowNoiseMedian", "rowNoiseMax") if k in facts), flush=True)


if __name__ == "__main__":
    main()
