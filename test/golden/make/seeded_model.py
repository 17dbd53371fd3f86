"""The parity cases' models: PyTorch reference, seeded weights (docs/generator.md), calibrated BatchNorm statistics.

Only the statistics are stored, as f16 in test/golden/models/<variant>.<detector|backbone>.bn.safetensors: both sides compute
with the rounded ones. Needs torch, numpy and PyYAML. Used by models.py, mutations.py and others; writes nothing itself."""
import os

import numpy as np
import torch
from torch import nn

import safetensors_io
from generator import BELL_STD, bell_sums, image, uniform
from reference import MobileNetV4, RTDETRModel, model_config
from seeded_state import seeded_state

HERE = os.path.dirname(os.path.abspath(__file__))
MODELS = os.path.normpath(os.path.join(HERE, "..", "models"))
SEED, ATTN_GAIN = 0, 1e5  # of every case: the gain makes the Hybrid attention branch, scaled by 1e-5, of order one
CALIBRATION_SIZE, CALIBRATION_SEED = 320, 99
# Pictures whose last chosen query lies far from the first that is not chosen: else rounding changes the chosen set.
IMAGE_SEED = 2
IMAGE_SEEDS = {("MobileNetV4HybridMedium", 640): 5, ("MobileNetV4HybridLarge", 320): 7, ("MobileNetV4HybridLarge", 640): 4}

torch.set_num_threads(1)  # the summation order, and so the last bits, depend on it


def network(name, backbone=False):
    """The unfilled network: `name` is a variant, or a YAML file of test/golden/models."""
    if backbone:
        return MobileNetV4(name).eval()
    return RTDETRModel(model_config(os.path.join(MODELS, name) if name.endswith(".yaml") else name, 80)).eval()


def fill(model, seed=SEED, attn_gain=ATTN_GAIN, backbone=False):
    """Seeded weights; a stand-alone backbone takes the numbers that it has within the detector."""
    prefix = "model.0." if backbone else ""
    shapes = {prefix + k: tuple(v.shape) for k, v in model.state_dict().items()}
    state = seeded_state(shapes, seed, attn_gain)
    model.load_state_dict({k[len(prefix) :]: torch.as_tensor(v) for k, v in state.items()}, strict=True)
    return model


def norms(model):
    return {n: m for n, m in model.named_modules() if isinstance(m, nn.BatchNorm2d)}


@torch.no_grad()
def calibrate(model, seed=SEED):
    """{name: f16 array} of the running statistics of every BatchNorm2d that runs: those of one seeded picture, perturbed a
    little, so that a net with random weights is as well conditioned as a trained one (else ReLU6 saturates and rounding
    errors grow)."""
    kept = {n: m.momentum for n, m in norms(model).items()}
    counted = {n: int(m.num_batches_tracked) for n, m in norms(model).items()}
    for m in norms(model).values():
        m.train()
        m.momentum = 1.0
    model(torch.from_numpy(image(CALIBRATION_SEED, CALIBRATION_SIZE, CALIBRATION_SIZE)))
    stats = {}
    for n, m in norms(model).items():
        m.eval()
        m.momentum = kept[n]
        if int(m.num_batches_tracked) == counted[n]:
            continue  # never run: layer5
        mean, var = m.running_mean.double().numpy(), m.running_var.double().numpy()
        bell = bell_sums(seed, f"calibrate:{n}.running_mean", len(mean)) / BELL_STD
        stats[n + ".running_mean"] = (mean + np.sqrt(var) * bell * 0.1).astype(np.float16)
        stats[n + ".running_var"] = (var * (uniform(seed, f"calibrate:{n}.running_var", len(var)) * 0.5 + 0.8)).astype(np.float16)
        m.num_batches_tracked.fill_(counted[n])
    return stats


def with_statistics(model, stats):
    """Sets the stored statistics; every BatchNorm2d that runs must have its own."""
    state = model.state_dict()
    missing = [k for k in state if k.endswith(("running_mean", "running_var")) and "layer5" not in k and k not in stats]
    if missing or set(stats) - set(state):
        raise SystemExit(f"statistics: missing {missing}, unexpected {sorted(set(stats) - set(state))}")
    model.load_state_dict({**state, **{k: torch.from_numpy(v).float() for k, v in stats.items()}}, strict=True)
    return model


def statistics_file(name, backbone=False):
    kind = "backbone" if backbone else "detector"
    return os.path.join(MODELS, f"{name.removesuffix('.yaml')}.{kind}.bn.safetensors")


def golden_model(name, backbone=False):
    """The model of the parity cases, with the stored statistics (models.py writes them)."""
    return with_statistics(fill(network(name, backbone), backbone=backbone), safetensors_io.load(statistics_file(name, backbone))[0])


def image_seed(name, height, width):
    return IMAGE_SEEDS.get((name, height), IMAGE_SEED) if height == width else IMAGE_SEED


def golden_image(name, height, width):
    return torch.from_numpy(image(image_seed(name, height, width), height, width))
