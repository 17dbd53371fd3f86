"""L0: every operator, by PyTorch's names. Needs torch and numpy."""
import torch
import torch.nn.functional as F

from casefile import Case, integers, normal, uniform_in
from ops import deformable_attention  # of test/golden/make

INF, NAN = float("inf"), float("nan")
SPECIAL = torch.tensor([NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0, 6.0, 6.5, -3.0, 3.0, 1e-30, -1e-30, 88.0, -88.0, 100.0, -100.0,
                        1e4, -1e4, 3e38, -3e38, 0.5, -0.5, 1e-4, -7.25, 12.0])

UNARY = {"relu": F.relu, "relu6": F.relu6, "silu": F.silu, "sigmoid": torch.sigmoid, "exp": torch.exp, "log": torch.log,
         "sqrt": torch.sqrt, "neg": torch.neg, "sin": torch.sin, "cos": torch.cos}
BINARY = {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "minimum": torch.minimum, "maximum": torch.maximum}
OPERATORS = {
    **UNARY, **BINARY,
    "conv2d": F.conv2d, "linear": F.linear, "matmul": torch.matmul, "bmm": torch.bmm, "gelu": F.gelu, "softmax": F.softmax,
    "clamp": torch.clamp, "layer_norm": F.layer_norm, "sum": torch.sum, "mean": torch.mean, "amax": torch.amax, "amin": torch.amin,
    "argmax": torch.argmax, "topk": torch.topk, "gather": torch.gather, "embedding": F.embedding, "cat": torch.cat,
    "stack": torch.stack, "split": torch.split, "chunk": torch.chunk, "permute": torch.permute, "avg_pool2d": F.avg_pool2d,
    "max_pool2d": F.max_pool2d, "adaptive_avg_pool2d": F.adaptive_avg_pool2d, "interpolate": F.interpolate,
    "grid_sample": F.grid_sample, "batch_norm": F.batch_norm,
    "ms_deform_attn": lambda value, sampling_locations, attention_weights, value_spatial_shapes:
        deformable_attention(value, value_spatial_shapes, sampling_locations, attention_weights),
}
LISTS = ("cat", "stack")  # take their inputs as one list


def run(name, inputs, attributes):
    a = {k: tuple(v) if isinstance(v, list) and k in ("scale_factor",) else v for k, v in attributes.items()}
    if name in LISTS:
        return OPERATORS[name](list(inputs.values()), **a)
    if name == "gather":
        return torch.gather(inputs["input"], a["dim"], inputs["index"])
    if name in ("split", "chunk"):
        return OPERATORS[name](inputs["input"], *a.values())
    if name == "conv2d":
        return F.conv2d(**inputs, **a)
    return OPERATORS[name](**inputs, **a)


def cases(command):
    """All cases of L0, made one by one."""

    def case(name, variant, title, inputs, conditioning=None, **attributes):
        """`inputs` {name: (shape, source)}, or a tensor that is stored."""
        c = Case(f"L0/{name}/{variant}", title, {"kind": "operator", "name": name, "attributes": attributes}, command)
        given = {}
        for key, value in inputs.items():
            if isinstance(value, torch.Tensor):
                given[key] = c.give_stored(key, value)
            else:
                shape, source = value
                given[key] = c.give(key, shape, {**source, "stream": f"{c.id}:{key}"})
        wide = {k: v.double() if v.is_floating_point() else v for k, v in given.items()}
        got, want = run(name, given, attributes), run(name, wide, attributes)
        if name == "topk":
            outputs = [("values", got.values, want.values), ("indices", got.indices, None)]
            assert torch.equal(got.indices, want.indices) and given["input"].unique().numel() == given["input"].numel(), f"{c.id}: ties"
        elif isinstance(got, (tuple, list)):
            outputs = [(f"output.{i}", g, w) for i, (g, w) in enumerate(zip(got, want))]
        else:
            outputs = [("output", got, want)]
        for key, g, w in outputs:
            c.expect(key, g, w, name, conditioning=conditioning)
        return c

    n = lambda *shape, std=1.0, shift=0.0: (shape, normal("", std, shift))
    u = lambda *shape, low=0.05, high=1.05: (shape, uniform_in("", low, high))
    i = lambda below, *shape: (shape, integers("", below))

    # -- convolutions: input, kernel, and what is particular
    for variant, title, x, w, o in [
        ("1x1", "1x1, 24 to 40 channels", (1, 24, 10, 12), (40, 24, 1, 1), {}),
        ("1x1-one-pixel", "1x1 on one pixel", (1, 33, 1, 1), (17, 33, 1, 1), {}),
        ("1x1-stride-2", "1x1, stride 2, odd sides", (1, 16, 9, 7), (24, 16, 1, 1), {"stride": [2, 2]}),
        ("1x1-wide", "1x1, 256 to 128 channels: a long sum", (1, 256, 5, 5), (128, 256, 1, 1), {}),
        ("3x3", "3x3, padding 1", (1, 16, 10, 12), (24, 16, 3, 3), {"padding": [1, 1]}),
        ("3x3-odd", "3x3, padding 1, 7 to 5 channels, 11x13: nothing is a multiple of 4", (1, 7, 11, 13), (5, 7, 3, 3), {"padding": [1, 1]}),
        ("3x3-no-padding", "3x3, no padding", (1, 8, 9, 9), (8, 8, 3, 3), {}),
        ("3x3-stride-2", "3x3, stride 2, padding 1, even sides", (1, 16, 12, 16), (24, 16, 3, 3), {"stride": [2, 2], "padding": [1, 1]}),
        ("3x3-stride-2-odd", "3x3, stride 2, padding 1, odd sides", (1, 16, 13, 11), (24, 16, 3, 3), {"stride": [2, 2], "padding": [1, 1]}),
        ("3x3-batch", "3x3, three images at once", (3, 8, 7, 9), (8, 8, 3, 3), {"padding": [1, 1]}),
        ("3x3-dilation-2", "3x3, dilation 2", (1, 8, 10, 11), (8, 8, 3, 3), {"padding": [2, 2], "dilation": [2, 2]}),
        ("stem", "the stem: 3 channels, 3x3, stride 2", (1, 3, 32, 48), (32, 3, 3, 3), {"stride": [2, 2], "padding": [1, 1]}),
        ("5x5", "5x5, padding 2", (1, 6, 9, 10), (10, 6, 5, 5), {"padding": [2, 2]}),
        ("oblong", "2x3 kernel, stride (3, 2), padding (0, 1), dilation (2, 1)", (2, 6, 11, 9), (3, 6, 2, 3),
         {"stride": [3, 2], "padding": [0, 1], "dilation": [2, 1]}),
        ("grouped", "3x3 in 4 groups", (1, 16, 8, 9), (24, 4, 3, 3), {"padding": [1, 1], "groups": 4}),
        ("depthwise-3x3", "depthwise 3x3", (1, 24, 10, 9), (24, 1, 3, 3), {"padding": [1, 1], "groups": 24}),
        ("depthwise-3x3-stride-2", "depthwise 3x3, stride 2, even sides", (1, 24, 10, 12), (24, 1, 3, 3), {"stride": [2, 2], "padding": [1, 1], "groups": 24}),
        ("depthwise-5x5", "depthwise 5x5", (1, 20, 9, 11), (20, 1, 5, 5), {"padding": [2, 2], "groups": 20}),
        ("depthwise-5x5-stride-2", "depthwise 5x5, stride 2, odd sides", (1, 20, 11, 13), (20, 1, 5, 5), {"stride": [2, 2], "padding": [2, 2], "groups": 20}),
        ("depthwise-odd-channels", "depthwise 3x3, 13 channels", (1, 13, 7, 7), (13, 1, 3, 3), {"padding": [1, 1], "groups": 13}),
        ("depthwise-two-each", "depthwise 3x3, two outputs a channel", (1, 6, 8, 7), (12, 1, 3, 3), {"padding": [1, 1], "groups": 6}),
        ("depthwise-small-map", "depthwise 5x5 on a 2x3 map: mostly padding", (1, 8, 2, 3), (8, 1, 5, 5), {"padding": [2, 2], "groups": 8}),
    ]:
        attributes = {"stride": [1, 1], "padding": [0, 0], "dilation": [1, 1], "groups": 1, **o}
        std = (w[1] * w[2] * w[3]) ** -0.5
        yield case("conv2d", variant, title, {"input": n(*x), "weight": n(*w, std=std)}, **attributes)
    yield case("conv2d", "bias", "3x3 with a bias", {"input": n(1, 16, 8, 8), "weight": n(24, 16, 3, 3, std=1 / 12), "bias": n(24)},
               stride=[1, 1], padding=[1, 1], dilation=[1, 1], groups=1)
    yield case("conv2d", "ones", "3x3 over ones with whole-number weights: sums are exact, so every difference is a wrong tap",
               {"input": i_to_f(c=4, h=6, w=7), "weight": integer_weights(3, 4)}, stride=[1, 1], padding=[1, 1], dilation=[1, 1], groups=1)

    # -- products
    for variant, title, x, w in [("tokens", "tokens", (1, 21, 64), (48, 64)), ("batch", "two batches of tokens, odd widths", (2, 7, 33), (19, 33)),
                                 ("vector", "a vector", (64,), (10, 64)), ("long", "sums of 1024 products", (4, 1024), (32, 1024))]:
        yield case("linear", variant, title, {"input": n(*x), "weight": n(*w, std=w[1] ** -0.5), "bias": n(w[0], std=0.3)})
    yield case("linear", "no-bias", "without bias", {"input": n(5, 40), "weight": n(24, 40, std=0.16)})
    for variant, title, a, b in [("matrices", "matrix and matrix", (9, 33), (33, 17)), ("batches", "batches of matrices", (3, 5, 20), (3, 20, 9)),
                                 ("heads", "attention scores: [1, 8, 25, 32] and [1, 1, 32, 25], broadcast over heads", (1, 8, 25, 32), (1, 1, 32, 25)),
                                 ("vector", "matrix and vector", (12, 31), (31,))]:
        yield case("matmul", variant, title, {"input": n(*a), "other": n(*b, std=a[-1] ** -0.5)})
    yield case("bmm", "scores", "[8, 25, 32] and [8, 32, 25]", {"input": n(8, 25, 32), "mat2": n(8, 32, 25, std=0.18)})
    yield case("bmm", "mix", "[8, 25, 25] and [8, 25, 32]", {"input": n(8, 25, 25, std=0.2), "mat2": n(8, 25, 32)})

    # -- elementwise
    for name in UNARY:
        positive = name in ("log", "sqrt")
        source = u(2, 6, 7, 9, high=4.05) if positive else n(2, 6, 7, 9, std=4.0)
        yield case(name, "values", "usual values" + (", above 0" if positive else ""), {"input": source})
        yield case(name, "special", "NaN, infinities, zeros of both signs, great and small", {"input": SPECIAL})
    yield case("sin", "far", "angles up to 400: the reduction counts", {"input": u(300, low=-400.0, high=400.0)})
    yield case("cos", "far", "angles up to 400: the reduction counts", {"input": u(300, low=-400.0, high=400.0)})
    for approximate, variant in (("none", "erf"), ("tanh", "tanh")):
        yield case("gelu", variant, f"approximate={approximate}", {"input": n(2, 6, 7, 9, std=2.0)}, approximate=approximate)
        yield case("gelu", f"{variant}-special", f"approximate={approximate}: NaN, infinities, great and small", {"input": SPECIAL}, approximate=approximate)
    yield case("gelu", "erf-left", "approximate=none, -6 .. -1: the left tail, where 1 + erf cancels", {"input": u(400, low=-6.0, high=-1.0)}, approximate="none")
    yield case("clamp", "both", "between -0.5 and 0.25", {"input": n(3, 5, 7)}, min=-0.5, max=0.25)
    yield case("clamp", "min", "from below alone", {"input": n(3, 5, 7)}, min=1e-5, max=None)
    yield case("clamp", "special", "NaN stays NaN", {"input": SPECIAL}, min=-2.0, max=2.0)
    for name in BINARY:
        yield case(name, "same", "same shape", {"input": n(2, 5, 6, 7), "other": u(2, 5, 6, 7, low=0.3, high=2.3)})
        yield case(name, "broadcast", "[2, 6, 3, 4] and one number a channel, [6, 1, 1]", {"input": n(2, 6, 3, 4), "other": u(6, 1, 1, low=0.3, high=2.3)})
        yield case(name, "scalar", "a tensor and a scalar of shape []", {"input": n(3, 5, 7), "other": u(low=0.3, high=0.9)})
        yield case(name, "special", "special values, every pair", {"input": SPECIAL[:, None].contiguous(), "other": SPECIAL[None].contiguous()})

    # -- norms
    for variant, title, x, dim in [("last", "over the last axis", (2, 9, 33), -1), ("channels", "over channels", (1, 12, 5, 6), 1), ("long", "over 400 values", (3, 400), -1)]:
        yield case("softmax", variant, title, {"input": n(*x, std=3.0)}, dim=dim)
    yield case("softmax", "great", "values of some hundreds: the maximum must go first", {"input": n(4, 30, std=200.0)}, dim=-1)
    masked = torch.linspace(-2, 2, 24).reshape(4, 6)
    masked[0, 2:], masked[1, 0] = -INF, -INF
    yield case("softmax", "masked", "-inf in part", {"input": masked}, dim=-1)
    for variant, title, x, std, shift in [("tokens", "tokens of 256", (1, 7, 256), 1.0, 0.0), ("odd", "rows of 67", (5, 67), 2.0, 1.0)]:
        w = x[-1]
        yield case("layer_norm", variant, title, {"input": n(*x, std=std, shift=shift), "weight": u(w, low=0.6, high=1.4), "bias": n(w, std=0.3)},
                   normalized_shape=[w], eps=1e-5)
    yield case("layer_norm", "far", "numbers near 100 of deviation 0.1: the mean's rounding shows", {"input": n(4, 64, std=0.1, shift=100.0)},
               normalized_shape=[64], eps=1e-5)
    yield case("layer_norm", "small", "deviation 1e-3: eps counts", {"input": n(4, 64, std=1e-3)}, normalized_shape=[64], eps=1e-5)
    stats = lambda c: {"running_mean": n(c, std=0.3), "running_var": u(c, low=0.3, high=1.5), "weight": u(c, low=0.6, high=1.6), "bias": n(c, std=0.4)}
    yield case("batch_norm", "eps-1e-3", "eps 1e-3, as in a detector", {"input": n(2, 12, 5, 6), **stats(12)}, eps=1e-3)
    yield case("batch_norm", "eps-1e-5", "eps 1e-5, as in a stand-alone backbone", {"input": n(2, 12, 5, 6), **stats(12)}, eps=1e-5)
    small = {**stats(12), "running_var": u(12, low=1e-4, high=1e-2)}
    yield case("batch_norm", "small-variance", "variances 1e-4 .. 1e-2: a wrong eps shows", {"input": n(1, 12, 5, 6, std=0.05), **small}, eps=1e-3)
    yield case("batch_norm", "plain", "no weight, no bias", {"input": n(2, 7, 3, 5), "running_mean": n(7), "running_var": u(7)}, eps=1e-3)

    # -- reductions, choice
    for name in ("sum", "mean", "amax", "amin"):
        yield case(name, "last", "over the last axis", {"input": n(3, 5, 40)}, dim=[-1], keepdim=False)
        yield case(name, "pixels", "over the pixels, kept", {"input": n(2, 6, 9, 7)}, dim=[2, 3], keepdim=True)
    yield case("argmax", "classes", "the best of 80 classes", {"input": u(1, 30, 80, low=-6.0, high=2.0)}, dim=-1, keepdim=False)
    ties = torch.tensor([[1.0, 3.0, 3.0, 2.0], [0.0, 0.0, 0.0, 0.0], [-1.0, -2.0, -1.0, -3.0]])
    yield case("argmax", "ties", "of equal values the first", {"input": ties}, dim=-1, keepdim=False,
               conditioning="ties: PyTorch's CPU gives the first of equal values and promises nothing")
    for variant, title, x, k, dim, largest in [("300-of-525", "300 of 525, as in query selection", (1, 525), 300, 1, True),
                                               ("least", "the 5 least of an inner axis", (2, 30, 3), 5, 1, False), ("all", "all of 17: a sort", (3, 17), 17, -1, True)]:
        # Uniform numbers: the generator's bells are whole numbers, with ties.
        yield case("topk", variant, title, {"input": u(*x, low=-3.0, high=3.0)}, k=k, dim=dim, largest=largest)
    yield case("gather", "rows", "rows by index, the index expanded over the width", {"input": n(1, 40, 16), "index": i(40, 1, 12, 16)}, dim=1)
    yield case("gather", "last", "along the last axis", {"input": n(3, 8, 20), "index": i(20, 3, 8, 4)}, dim=-1)
    yield case("embedding", "rows", "rows of a table", {"input": i(9, 2, 7), "weight": n(9, 24)})

    # -- moving
    yield case("cat", "channels", "two maps along channels", {"tensors.0": n(1, 8, 5, 6), "tensors.1": n(1, 12, 5, 6)}, dim=1)
    yield case("cat", "tokens", "three levels of tokens", {"tensors.0": n(1, 16, 8), "tensors.1": n(1, 4, 8), "tensors.2": n(1, 1, 8)}, dim=1)
    yield case("stack", "last", "two tensors along a new last axis", {"tensors.0": n(3, 4), "tensors.1": n(3, 4)}, dim=-1)
    yield case("split", "sizes", "pieces of 1, 4 and 3", {"input": n(3, 8, 5)}, split_size_or_sections=[1, 4, 3], dim=1)
    yield case("split", "even", "pieces of 2 of a last axis of 4", {"input": n(2, 5, 4)}, split_size_or_sections=2, dim=-1)
    yield case("chunk", "three", "3 chunks of 8: 3, 3 and 2", {"input": n(3, 8, 5)}, chunks=3, dim=1)
    yield case("permute", "channels-last", "[N, C, H, W] to [N, H, W, C]", {"input": n(2, 5, 6, 7)}, dims=[0, 2, 3, 1])
    yield case("permute", "reversed", "all four axes reversed", {"input": n(2, 3, 4, 5)}, dims=[3, 2, 1, 0])

    # -- pooling, sampling
    for variant, title, k, o in [("2x2", "2x2, stride 2", 2, {"stride": [2, 2]}), ("3x3-stride-2", "3x3, stride 2, padding 1", 3, {"stride": [2, 2], "padding": [1, 1]}),
                                 ("ceil", "3x3, stride 2, padding 1, ceil_mode", 3, {"stride": [2, 2], "padding": [1, 1], "ceil_mode": True})]:
        attributes = {"kernel_size": [k, k], "stride": [1, 1], "padding": [0, 0], "ceil_mode": False, **o}
        yield case("max_pool2d", variant, title, {"input": n(2, 5, 9, 8)}, **{**attributes, "dilation": [1, 1]})
        yield case("avg_pool2d", variant, title, {"input": n(2, 5, 9, 8)}, **{**attributes, "count_include_pad": True})
    yield case("avg_pool2d", "no-pad-count", "padding does not count", {"input": n(2, 5, 9, 8)}, kernel_size=[3, 3], stride=[2, 2], padding=[1, 1],
               ceil_mode=False, count_include_pad=False)
    yield case("adaptive_avg_pool2d", "one", "to one pixel", {"input": n(2, 6, 9, 7)}, output_size=[1, 1])
    yield case("adaptive_avg_pool2d", "uneven", "9x7 to 4x3", {"input": n(2, 6, 9, 7)}, output_size=[4, 3])
    x = {"input": n(1, 6, 5, 7)}
    yield case("interpolate", "nearest-2", "nearest, twice as large", x, scale_factor=[2.0, 2.0], mode="nearest")
    yield case("interpolate", "nearest-size", "nearest, 5x7 to 8x4", x, size=[8, 4], mode="nearest")
    for corners in (False, True):
        yield case("interpolate", f"bilinear{'-corners' if corners else ''}", f"bilinear, 5x7 to 11x9, align_corners={corners}", x, size=[11, 9], mode="bilinear",
                   align_corners=corners)
    grid = u(2, 6, 8, 2, low=-1.3, high=1.3)
    for padding in ("zeros", "border"):
        for corners in (False, True):
            yield case("grid_sample", f"{padding}{'-corners' if corners else ''}", f"bilinear, {padding}, align_corners={corners}; a fifth of the positions outside",
                       {"input": n(2, 4, 5, 7), "grid": grid}, mode="bilinear", padding_mode=padding, align_corners=corners)
    edges = torch.tensor([-1.0, 1.0, -0.8, 0.8, 0.0, 1.2, -1.2, 0.999]).repeat(8)[:48].reshape(1, 4, 6, 2) * torch.tensor([1.0, -1.0])
    yield case("grid_sample", "edges", "positions on edges and centres", {"input": n(1, 3, 5, 5), "grid": edges.contiguous()}, mode="bilinear", padding_mode="zeros",
               align_corners=False, conditioning="positions on pixel borders: rounding decides between neighbours, whose blend is continuous")
    shapes = [[6, 5], [3, 3], [2, 1]]
    tokens, q, h, levels, points = sum(a * b for a, b in shapes), 7, 4, 3, 4
    weights = torch.softmax(torch.from_numpy(make_normal("L0/ms_deform_attn/three-levels:logits", (1, q, h, levels * points))), -1)
    yield case("ms_deform_attn", "three-levels", "three levels, 4 heads of 8, 4 points; a fifth of the samples outside",
               {"value": n(1, tokens, h, 8), "sampling_locations": u(1, q, h, levels, points, 2, low=-0.15, high=1.15),
                "attention_weights": weights.reshape(1, q, h, levels, points).contiguous()}, value_spatial_shapes=shapes)
    yield case("ms_deform_attn", "two-images", "two images, uneven sizes", {"value": n(2, 21, 2, 5), "sampling_locations": u(2, 5, 2, 2, 3, 2, low=0.0, high=1.0),
               "attention_weights": u(2, 5, 2, 2, 3, low=0.0, high=0.3)}, value_spatial_shapes=[[5, 3], [2, 3]])


def make_normal(stream, shape):
    from casefile import make
    return make(normal(stream), shape)


def i_to_f(c, h, w):
    return torch.ones(1, c, h, w)


def integer_weights(o, c):
    from casefile import make
    return torch.from_numpy(make(integers("L0/conv2d/ones:weight", 19), (o, c, 3, 3)) - 9).float()
