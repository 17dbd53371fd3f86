"""Are the parity cases fair tests? Prints, for each detector under its golden weights, how far it is from degenerate:
ReLU6 clipping, the spread of attention, of boxes and of scores, where the queries come from.

  python test/golden/make/health.py [VARIANT ...] [--size 640]"""
import argparse
import math

import numpy as np
import torch
from torch import nn

from models import VARIANTS
from seeded_model import golden_image, golden_model
from tracing import record


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("variants", nargs="*", default=VARIANTS)
    p.add_argument("--size", type=int, default=640)
    a = p.parse_args()
    softmax = torch.Tensor.softmax
    for name in a.variants:
        model, x, rows = golden_model(name), golden_image(name, a.size, a.size), []

        def watched(t, dim):
            out = softmax(t, dim)
            entropy = -(out * out.clamp(min=1e-30).log()).sum(dim).mean() / math.log(t.shape[dim])
            rows.append((tuple(t.shape), float(entropy), float(out.amax(dim).mean()) * t.shape[dim]))
            return out

        torch.Tensor.softmax = watched
        try:
            (y, details), trace = record(model, lambda: model(x, details=True))
        finally:
            torch.Tensor.softmax = softmax
        clip = np.array([[float((trace[n] <= 0).float().mean()), float((trace[n] >= 6).float().mean())]
                         for n, m in model.named_modules() if isinstance(m, nn.ReLU6) and n in trace])
        print(f"{name} {a.size}: ReLU6 at 0: {clip[:, 0].min():.2f} .. {clip[:, 0].max():.2f}, at 6: {clip[:, 1].min():.4f} .. {clip[:, 1].max():.4f}")
        for shape, entropy, peak in rows:
            print(f"   softmax {str(shape):24s} entropy {entropy:.2f} of uniform's, greatest weight {peak:.1f} times uniform's")
        box, score = y[0, :, :4], y[0, :, 4:]
        s8 = (a.size // 8) ** 2
        levels = np.bincount(np.digitize(details["index"][0].numpy(), [s8, s8 + s8 // 4]), minlength=3)
        print(f"   boxes mean {box.mean(0).numpy().round(3)} std {box.std(0).numpy().round(3)}; scores mean {score.mean():.3f} std {score.std():.3f}, "
              f"best per query {score.amax(-1).min():.2f} .. {score.max():.2f}; classes {len(score.argmax(-1).unique())}; queries per level {levels}")


if __name__ == "__main__":
    main()
