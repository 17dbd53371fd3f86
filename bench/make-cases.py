"""Writes what the contenders run: for each model and size bench/data/NAME.SIZE/ with weights, an input, PyTorch's output for
it, and the same network as ONNX (every BatchNorm and RepConv folded, opset 17, fixed shape) for the peers.

  python bench/make-cases.py                                          MobileNetV4ConvSmall and codes at 640
  python bench/make-cases.py --models MobileNetV4HybridLarge codes --sizes 320 640 960 1280

Models are the five variants (80 classes; weights and pictures are the goldens', from the counter-based generator of
docs/generator.md), or "codes", the default model, on the picture of a wall in test/golden/codes. Sizes are squares' sides
in pixels. Needs torch, numpy and PyYAML, and for codes cv2; the network is test/golden/make/reference. No onnx package.

Files: case.json, weights.safetensors (variants only: codes has its own in models/), input.safetensors ("images", NCHW f32),
output.safetensors ("output0"), model.onnx ("images" -> "output0")."""
import argparse
import json
import os
import sys

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
DATA = os.path.join(HERE, "data")
sys.path.insert(0, os.path.join(ROOT, "test", "golden", "make"))
import safetensors_io  # noqa: E402
from generator import image  # noqa: E402
from reference import fuse, preprocess  # noqa: E402
from seeded_model import SEED, golden_image, golden_model, image_seed  # noqa: E402

GOLDEN_SIZES = (320, 640)  # of these the goldens' picture is known to be a good one
SEEDS_TRIED = 6  # for other sizes
OPSET = 17  # the first with LayerNormalization; what both peers run fastest


def default_model():
    from default_model import load

    return load(os.path.join(ROOT, "models", "codes.yaml"), os.path.join(ROOT, "models", "codes.f16.safetensors"))


def wall(size):
    import cv2

    bgr = cv2.imread(os.path.join(ROOT, "test", "golden", "codes", "wall.640.png"), cv2.IMREAD_COLOR)
    return preprocess(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), size)


@torch.no_grad()
def run(model, x):
    """output0, and how far the last chosen token's class logit lies above the first that is not chosen."""
    heads = [m for name, m in model.named_modules() if name.endswith("enc_score_head")]
    logits = []
    hook = heads[0].register_forward_hook(lambda m, i, o: logits.append(o))
    try:
        y = model(x)
    finally:
        hook.remove()
    ordered = logits[0].amax(-1)[0].sort(descending=True).values
    queries = y.shape[1]
    return y, float(ordered[queries - 1] - ordered[queries])


def picture(name, model, size):
    """(input, its output, facts): a picture on which rounding does not change which queries are chosen."""
    if name == "codes":
        x = wall(size)
        return x, *run(model, x), "wall.640.png"
    if size in GOLDEN_SIZES:
        x = golden_image(name, size, size)
        return x, *run(model, x), f"generator, seed {image_seed(name, size, size)}"
    best = None
    for seed in range(SEEDS_TRIED):
        x = torch.from_numpy(image(seed, size, size))
        y, margin = run(model, x)
        if best is None or margin > best[2]:
            best = x, y, margin, f"generator, seed {seed}"
    return best


class OneOutput(torch.nn.Module):
    """The exporter names what a module returns as a tuple."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, images):
        return (self.network(images),)


def export(model, x, path):
    # The exporter's last step adds functions of the onnxscript package, which this network has none of.
    from torch.onnx._internal.torchscript_exporter import onnx_proto_utils

    onnx_proto_utils._add_onnxscript_fn = lambda model_bytes, custom_opsets: model_bytes
    torch.onnx.export(OneOutput(fuse(model)).eval(), (x,), path, dynamo=False, opset_version=OPSET,
                      input_names=["images"], output_names=["output0"])


def write(name, size):
    folder = os.path.join(DATA, f"{name}.{size}")
    os.makedirs(folder, exist_ok=True)
    file = lambda leaf: os.path.join(folder, leaf)
    embedded = name == "codes"
    model = default_model() if embedded else golden_model(name)
    x, y, margin, source = picture(name, model, size)
    if not embedded:
        safetensors_io.save(file("weights.safetensors"), model.state_dict(), dict(model=name, seed=SEED))
    safetensors_io.save(file("input.safetensors"), {"images": x}, dict(source=source))
    safetensors_io.save(file("output.safetensors"), {"output0": y}, dict(torch=torch.__version__))
    export(model, x, file("model.onnx"))
    case = dict(model=name, size=[size, size], classes=y.shape[2] - 4, queries=y.shape[1],
                weights=None if embedded else "weights.safetensors", picture=source, margin=margin, torch=torch.__version__)
    with open(file("case.json"), "w", encoding="utf8") as f:
        json.dump(case, f, indent=2)
        f.write("\n")
    print(f"{folder}: output0 {tuple(y.shape)}, ONNX {os.path.getsize(file('model.onnx')) / 1e6:.1f} MB, {source}, margin {margin:.1e}", flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--models", nargs="+", default=["MobileNetV4ConvSmall", "codes"])
    p.add_argument("--sizes", nargs="+", type=int, default=[640])
    a = p.parse_args()
    for name in a.models:
        for size in a.sizes:
            write(name, size)


if __name__ == "__main__":
    main()
