"""Every module's output of one run, and what a golden keeps of it: sampled values, statistics, the rounding noise.
Needs torch and numpy. Used by models.py and default_model.py."""
import numpy as np
import torch

from generator import sample_positions

SAMPLES = 48  # values kept per module


def hooked(model, keep, run):
    """run()'s result; keep(path, tensor) is called for every module's output in the order of execution. The members of
    lists and tuples are "path.0", "path.1", ..."""

    def visit(path, value):
        if isinstance(value, torch.Tensor):
            keep(path, value)
        elif isinstance(value, (list, tuple)):
            for i, v in enumerate(value):
                visit(f"{path}.{i}", v)

    hooks = [m.register_forward_hook(lambda m, i, o, path=path: visit(path, o)) for path, m in model.named_modules() if path]
    try:
        with torch.no_grad():
            return run()
    finally:
        for h in hooks:
            h.remove()


def record(model, run):
    """run()'s result and {path: output} in the order of execution. A module that runs several times (query_pos_head) keeps
    its last output, at the place of the last call. Nothing is copied: the reference works on no tensor in place."""
    trace = {}

    def keep(path, value):
        trace.pop(path, None)
        trace[path] = value

    return hooked(model, keep, run), trace


def sampled(path, tensor, count=SAMPLES):
    flat = tensor.contiguous().view(-1).numpy()
    return flat[sample_positions(path, flat.size, count)]


def statistics(tensor):
    """min, max, mean, mean |x|, standard deviation (population), in float64."""
    t = tensor.double()
    return [t.min(), t.max(), t.mean(), t.abs().mean(), t.std(correction=0)]


def summary(trace, noise=None, samples=SAMPLES):
    """Arrays "samples" [rows, samples], "stats" [rows, 5], "noise" [rows], and the list of modules [path, shape, row].
    One row per distinct tensor: what a container or Identity hands through unchanged shares its row with the module that
    made it, whose path, the row's first, also draws the sample positions."""
    rows, modules = {}, []
    for path, tensor in trace.items():
        row = rows.setdefault(id(tensor), (len(rows), path, tensor))[0]
        modules.append([path, list(tensor.shape), row])
    arrays = {
        "samples": np.stack([sampled(path, t, samples) for _, path, t in rows.values()]),
        "stats": np.array([statistics(t) for _, _, t in rows.values()], np.float64),
    }
    if noise is not None:
        arrays["noise"] = np.array([noise[path] for _, path, _ in rows.values()], np.float32)
    return arrays, modules


def double_noise(model, trace, run):
    """{path: max |single - double| / standard deviation} for every module of `trace`, and run()'s result. `model` is
    converted to double and back; run() must feed it doubles."""
    noise = {}

    def keep(path, value):
        single = trace[path]
        if single.shape == value.shape:
            std = float(single.double().std(correction=0))
            noise[path] = float((single.double() - value).abs().max()) / std if std > 0 else 0.0

    model.double()
    try:
        return hooked(model, keep, run), noise
    finally:
        model.float()
