"""Writes test/golden/tensor/: what PyTorch makes of chains of views, and how it prints tensors.

  python test/golden/make/tensors.py            needs torch

  views.json   chains on arange(n): {shape, steps, result}; the result has shape, strides, offset, whether it still shares
               the memory (a reshape may copy), and the values; or {error: true} where PyTorch refuses the last step
  repr.json    {shape, dtype, values, repr}: torch.set_printoptions() as it is by default"""
import json
import math
import os
import random

import torch

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tensor")
SEED = 77
INF, NAN = float("inf"), float("nan")


def apply(t, method, *a):
    if method == "slice":
        axis, start, end, step = a
        index = [slice(None)] * t.ndim
        index[axis] = slice(start, end, step)
        return t[tuple(index)]
    if method == "viewAs":
        return t.view(*a)
    if method == "channels_last":
        return t.contiguous(memory_format=torch.channels_last)
    if method == "chunk":
        return torch.chunk(t, a[0], a[1])[a[2]]
    return getattr(t, method)(*a)


def random_shape(rng, size):
    """A random factorisation of size, with a few ones in it."""
    shape = []
    while size > 1 and len(shape) < 4:
        divisors = [d for d in range(2, size + 1) if size % d == 0]
        d = rng.choice(divisors)
        shape.append(d)
        size //= d
    if size > 1:
        shape.append(size)
    for _ in range(rng.choice([0, 0, 1])):
        shape.insert(rng.randint(0, len(shape)), 1)
    return shape or [1]


def random_step(rng, t):
    n = t.ndim
    kinds = ["unsqueeze", "squeeze_all", "reshape", "reshape", "viewAs"]
    if n:
        kinds += ["permute", "transpose", "slice", "slice", "select", "squeeze", "flatten", "expand", "chunk"]
    if n == 4:
        kinds += ["channels_last"]
    kind = rng.choice(kinds)
    axis = rng.randint(-n, n - 1) if n else 0
    if kind == "permute":
        return ["permute", *[a - n if rng.random() < 0.3 else a for a in rng.sample(range(n), n)]]
    if kind == "transpose":
        return ["transpose", axis, rng.randint(-n, n - 1)]
    if kind == "slice":
        size = t.shape[axis]
        return ["slice", axis, rng.randint(-size - 1, size), rng.randint(-size - 1, size + 3), rng.choice([1, 1, 2, 3])]
    if kind == "select":
        size = t.shape[axis]
        return ["select", axis, rng.randint(-size, size - 1)] if size else ["unsqueeze", 0]
    if kind == "squeeze":
        return ["squeeze", axis]
    if kind == "squeeze_all":
        return ["squeeze"]
    if kind == "unsqueeze":
        return ["unsqueeze", rng.randint(-n - 1, n)]
    if kind == "flatten":
        start = rng.randint(0, n - 1)
        return ["flatten", start, rng.randint(start, n - 1)]
    if kind == "expand":
        shape = [rng.choice([2, 3]) if s == 1 else rng.choice([-1, s]) for s in t.shape]
        return ["expand", *(shape if rng.random() < 0.5 else [2, *shape])]
    if kind == "chunk":
        return ["chunk", rng.randint(1, 3), axis, 0]
    if kind == "channels_last":
        return ["channels_last"]
    shape = random_shape(rng, t.numel()) if t.numel() else [0, 2]
    if rng.random() < 0.4 and t.numel():
        shape[rng.randrange(len(shape))] = -1
    if rng.random() < 0.1:
        shape = [*shape, 2]
    return [kind, *shape]


def views():
    rng = random.Random(SEED)
    cases = []
    while len(cases) < 400:
        shape = [rng.choice([1, 2, 3, 4, 5, 6]) for _ in range(rng.randint(0, 5))]
        base = torch.arange(math.prod(shape), dtype=torch.float32).reshape(shape)
        t, steps = base, []
        for _ in range(rng.randint(1, 5)):
            step = random_step(rng, t)
            steps.append(step)
            try:
                t = apply(t, *step)
            except (RuntimeError, IndexError, ValueError):
                cases.append({"shape": shape, "steps": steps, "error": True})
                break
        else:
            if t.numel() > 60:
                continue
            shared = t.untyped_storage().data_ptr() == base.untyped_storage().data_ptr()
            cases.append({"shape": shape, "steps": steps, "result": {
                "shape": list(t.shape), "strides": list(t.stride()), "offset": t.storage_offset(),
                "shared": shared, "values": [int(v) for v in t.flatten().tolist()]}})
    return cases


def reprs():
    g = torch.Generator().manual_seed(SEED)
    r = lambda *s: torch.randn(*s, generator=g)
    f = lambda *v: torch.tensor(v, dtype=torch.float32)
    ladder = lambda *s: torch.arange(math.prod(s), dtype=torch.float32).reshape(s)
    tensors = [
        f(), torch.tensor(3.0), torch.tensor(-0.25), torch.tensor(1e-9), torch.tensor(NAN), torch.tensor(7, dtype=torch.int32),
        f(0.0), f(1, 2, 3), f(-1, 2, 3), f(1.5, -2.25), f(0.1, 0.2, 100.0), f(1e-5, 1.0), f(1e5, 2e5), f(1e8, 1.0),
        f(1e9, 1e9), f(123456.0, 1.5), f(0.001, 0.002), f(0.00001, 0.00002), f(1, 1000), f(1, 1001), f(1.5, 1501.0),
        f(1.5, 1499.0), f(NAN, 1.0), f(INF, 1.5, -INF), f(NAN, NAN), f(INF, 1, 2), f(1e-30, 1e30), f(-0.0, 0.0), f(99999999.0),
        f(1e8), f(1e8 + 8), f(0.99999), f(9.99999, -10.00001), f(2.0, 0.5), f(1e-4, 1e-4), f(9e-5, 9e-5), f(-1e10, 5.0), f(0.03125, 1.03125, -0.09375), f(100005.0, 0.5), f(100015.0, 0.5), f(-0.0, 1.5), f(0.5, NAN, -INF), f(0.0, 2e-5), f(NAN, -1e-5), torch.cat([torch.full((25,), NAN), torch.arange(15.0)]),
        r(3), r(2, 3), r(2, 3, 4), r(2, 2, 2, 3), r(1, 1), r(3, 1), ladder(20), ladder(40), r(30), r(2, 25), ladder(3, 30),
        r(1001), ladder(1001), ladder(2000) / 7, r(40, 40), r(8, 8, 20), r(2, 3, 14, 15), r(3, 400), r(400, 3), r(7, 200), r(6, 200),
        r(1000), torch.zeros(2, 0), torch.zeros(0, 3), torch.zeros(2, 2), torch.ones(3, 3), r(1200, 1), r(1, 1200),
        torch.arange(12, dtype=torch.int32).reshape(3, 4), torch.tensor([-5, 100, 3], dtype=torch.int64),
        torch.arange(1100, dtype=torch.int64), torch.tensor([0, 255, 7], dtype=torch.uint8), torch.arange(40, dtype=torch.int32),
        torch.tensor([2**62, -(2**62)], dtype=torch.int64), torch.arange(1200, dtype=torch.int32).reshape(3, 400) * 1000,
    ]
    cases = []
    for t in tensors:
        values = t.flatten().tolist()
        text = [str(v) if isinstance(v, int) else {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}.get(repr(v), repr(v)) for v in values]
        big = len(values) > 50
        # long ones are told by their rule or not at all: keep the file small by six digits, which change no printed one
        cases.append({"shape": list(t.shape), "dtype": str(t.dtype).removeprefix("torch."), "values": text if not big else None,
                      "repr": repr(t)})
        if big:
            short = [v if isinstance(v, int) else float(f"{v:.6g}") for v in values]
            again = torch.tensor(short, dtype=t.dtype).reshape(t.shape)
            cases[-1]["values"] = [str(v) for v in short]
            cases[-1]["repr"] = repr(again)
    return cases


if __name__ == "__main__":
    os.makedirs(OUT, exist_ok=True)
    for name, make in (("views", views), ("repr", reprs)):
        cases = make()
        meta = {"torch": torch.__version__, "seed": SEED, "command": "python test/golden/make/tensors.py"}
        with open(os.path.join(OUT, f"{name}.json"), "w") as f:
            head = json.dumps(meta)[:-1]
            f.write(head + ', "cases": [\n' + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]}\n")
        print(name, len(cases))
