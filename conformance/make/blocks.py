"""L1: every layer and block, by class, at the widths that the networks have. Needs torch and numpy."""
from torch import nn

from casefile import Case, integers, normal, uniform_in
from reference.mobilenetv4 import VARIANTS, AttentionBlock, FusedIB, MultiQueryAttention, U, UIB, conv_block
from reference.rtdetr import AIFI, MLP, Conv, Concat, Decoder, DecoderLayer, DeformableAttention, RepC3, RepConv, anchor_logits, sincos_positions
from selection import decode_both, selection_notes
from traced import Trace, in_double

INNER = 64  # samples of a tensor inside a block
DETECTOR_EPS, BACKBONE_EPS = 1e-3, 1e-5


def set_eps(module, eps):
    for m in module.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.eps = eps
    return module


def cases(command):
    """All cases of L1, made one by one."""

    def case(name, variant, title, module, inputs, entry, args, call=None, attention_gain=None, rule=None):
        """`inputs` {name: (shape, source)}; `entry` goes before the state dict's names in the generator."""
        c = Case(f"L1/{name}/{variant}", title, {"kind": "module", "name": rule or name, "arguments": args}, command)
        module = set_eps(module, args.get("bn_eps", 1e-5))
        c.fill(module, entry, attention_gain)
        given = {k: c.give(k, shape, {**source, "stream": f"{c.id}:{k}"}) for k, (shape, source) in inputs.items()}
        call = call or (lambda m, *xs: m(*xs))
        wide = {k: v.double() if v.is_floating_point() else v for k, v in given.items()}
        single = Trace(module, lambda: call(module, *given.values()), given)
        double = in_double(module, lambda: call(module, *wide.values()), wide)
        output = single.result
        inner = single.of({s.name for s in single.steps if single.outputs[s.name] is not output})
        c.expect_trace(inner, double.outputs, INNER)
        c.expect("output", output, double.result, rule or name)
        return c

    n = lambda *shape, std=1.0, shift=0.0: (shape, normal("", std, shift))
    u = lambda *shape, low=0.0, high=1.0: (shape, uniform_in("", low, high))

    # -- layers of torch.nn
    conv = dict(in_channels=16, out_channels=24, kernel_size=3, stride=2, padding=1, groups=1, bias=True)
    yield case("Conv2d", "3x3-stride-2", "3x3, stride 2, with bias", nn.Conv2d(16, 24, 3, 2, 1), {"input": n(1, 16, 11, 13)}, "conv.", conv)
    conv = dict(in_channels=24, out_channels=24, kernel_size=5, stride=1, padding=2, groups=24, bias=False)
    yield case("Conv2d", "depthwise", "depthwise 5x5", nn.Conv2d(24, 24, 5, 1, 2, groups=24, bias=False), {"input": n(1, 24, 9, 10)}, "conv.", conv)
    for eps in (DETECTOR_EPS, BACKBONE_EPS):
        yield case("BatchNorm2d", f"eps-{eps:.0e}".replace("e-0", "e-"), f"eps {eps:g}", nn.BatchNorm2d(32), {"input": n(1, 32, 6, 7)}, "bn.", dict(num_features=32, bn_eps=eps))
    yield case("LayerNorm", "256", "tokens of 256", nn.LayerNorm(256), {"input": n(1, 12, 256)}, "norm.", dict(normalized_shape=[256], eps=1e-5))
    yield case("Linear", "tokens", "tokens, 256 to 96", nn.Linear(256, 96), {"input": n(1, 12, 256)}, "linear.", dict(in_features=256, out_features=96, bias=True))
    yield case("Embedding", "classes", "80 classes, 32 wide", nn.Embedding(80, 32), {"input": ((1, 9), integers("", 80))}, "embed.", dict(num_embeddings=80, embedding_dim=32))
    for variant, title, width, heads, tokens, keys in [("self", "queries, keys and values of 25 tokens, 8 heads of 32", 256, 8, 25, 25), ("cross", "7 queries, 12 keys, 4 heads of 12", 48, 4, 7, 12)]:
        # State-dict names are those of torch.nn.MultiheadAttention itself.
        yield case("MultiheadAttention", variant, title, nn.MultiheadAttention(width, heads, batch_first=True), {"query": n(1, tokens, width), "key": n(1, keys, width), "value": n(1, keys, width)},
                   "ma.", dict(embed_dim=width, num_heads=heads), call=lambda m, q, k, v: m(q, k, v, need_weights=False)[0])
    yield case("Upsample", "nearest", "nearest, twice as large", nn.Upsample(scale_factor=2, mode="nearest"), {"input": n(1, 12, 5, 6)}, "", dict(scale_factor=2, mode="nearest"))

    # -- the backbone's blocks
    for variant, title, args in [
        ("3x3-stride-2", "the stem: 3x3, stride 2, BatchNorm, ReLU6", dict(cin=3, cout=32, k=3, stride=2, groups=1, norm=True, act=True)),
        ("1x1", "1x1, BatchNorm, ReLU6", dict(cin=32, cout=96, k=1, stride=1, groups=1, norm=True, act=True)),
        ("depthwise", "depthwise 5x5, BatchNorm, no activation", dict(cin=40, cout=40, k=5, stride=1, groups=40, norm=True, act=False)),
        ("bare", "1x1 alone, as attention's projections are", dict(cin=48, cout=64, k=1, stride=1, groups=1, norm=False, act=False)),
    ]:
        for eps in (DETECTOR_EPS, BACKBONE_EPS) if args["norm"] and args["k"] == 3 else (DETECTOR_EPS,):
            tag = "-eps-1e-5" if eps == BACKBONE_EPS else ""
            yield case("ConvBlock", variant + tag, title + (", eps 1e-5" if tag else ""), conv_block(args["cin"], args["cout"], args["k"], args["stride"], args["groups"], args["norm"], args["act"]),
                       {"input": n(1, args["cin"], 17, 16)}, "model.0.layer1.convbn_0.", dict(**args, bn_eps=eps))
    yield case("FusedIB", "medium", "32 to 48 channels, stride 2: exp_1x1 is in truth a dense 3x3", FusedIB(32, 48, 2, 4), {"input": n(1, 32, 18, 16, shift=1.0)}, "model.0.layer1.fused_ib_0.",
               dict(cin=32, cout=48, stride=2, expand=4, bn_eps=DETECTOR_EPS))
    seen = set()
    for stages in VARIANTS.values():
        for stage in ("layer2", "layer3", "layer4"):
            for b in stages[stage]:
                kind = isinstance(b, U) and (b.k0, b.k1, b.s)
                if not kind or kind in seen:
                    continue
                seen.add(kind)
                shape = f"{f'depthwise {b.k0}x{b.k0}, ' if b.k0 else ''}1x1, {f'depthwise {b.k1}x{b.k1} stride {b.s}, ' if b.k1 else ''}1x1"
                yield case("UIB", f"k{b.k0}-k{b.k1}-s{b.s}", f"{shape}; {b.cin} to {b.cout} channels, no residual", UIB(b.cin, b.cout, b.k0, b.k1, b.s, b.expand),
                           {"input": n(1, b.cin, 10, 12)}, f"model.0.{stage}.uib_0.", dict(cin=b.cin, cout=b.cout, k0=b.k0, k1=b.k1, stride=b.s, expand=b.expand, bn_eps=DETECTOR_EPS))
    yield case("UIB", "same-shape", "64 to 64 channels at stride 1: where a residual would fit, there is none", UIB(64, 64, 3, 3, 1, 4), {"input": n(1, 64, 9, 9)}, "model.0.layer3.uib_1.",
               dict(cin=64, cout=64, k0=3, k1=3, stride=1, expand=4, bn_eps=DETECTOR_EPS))
    for layer, channels, heads, dim, stride in [("layer3", 160, 4, 64, 2), ("layer4", 256, 4, 64, 1), ("layer3-large", 192, 8, 48, 2), ("layer4-large", 512, 8, 64, 1)]:
        args = dict(channels=channels, heads=heads, dim=dim, kv_stride=stride, bn_eps=DETECTOR_EPS)
        side = 10 if stride == 2 else 6
        kv = "keys and values through a 3x3 depthwise, stride 2" if stride == 2 else "keys and values of every pixel"
        entry = f"model.0.{layer[:6]}.msha_3."
        yield case("MultiQueryAttention", layer, f"{heads} heads of {dim}, {kv}; maps are re-viewed, not transposed", MultiQueryAttention(channels, heads, dim, stride),
                   {"input": n(1, channels, side, side)}, entry + "multi_query_attention.", args)
        yield case("AttentionBlock", layer, f"x + 1e-5 * attention(BN(x)), output projection times 1e5 so that it shows", AttentionBlock(channels, heads, dim, stride),
                   {"input": n(1, channels, side, side)}, entry, args, attention_gain=1e5)

    # -- the neck's
    for variant, title, args in [("1x1", "1x1, BatchNorm, SiLU", dict(c1=128, c2=64, k=1, s=1, act=True)), ("1x1-no-activation", "1x1, BatchNorm", dict(c1=96, c2=64, k=1, s=1, act=False)),
                                 ("3x3-stride-2", "3x3, stride 2, BatchNorm, SiLU", dict(c1=32, c2=48, k=3, s=2, act=True))]:
        yield case("Conv", variant, title, Conv(*args.values()), {"input": n(1, args["c1"], 11, 10)}, "model.3.", dict(**args, bn_eps=DETECTOR_EPS))
    yield case("RepConv", "64", "SiLU(BN(3x3) + BN(1x1)), 64 channels", RepConv(64), {"input": n(1, 64, 9, 10)}, "model.7.m.0.", dict(channels=64, bn_eps=DETECTOR_EPS))
    for variant, title, args in [("half", "128 to 64 channels, 3 RepConvs at half the width, with cv3", dict(c1=128, c2=64, n=3, e=0.5)), ("full", "96 to 64 channels, 1 RepConv, no cv3", dict(c1=96, c2=64, n=1, e=1.0))]:
        yield case("RepC3", variant, title, RepC3(args["c1"], args["c2"], args["n"], args["e"]), {"input": n(1, args["c1"], 8, 9)}, "model.7.", dict(**args, bn_eps=DETECTOR_EPS))
    yield case("Concat", "channels", "two maps along channels", Concat(), {"x.0": n(1, 12, 5, 6), "x.1": n(1, 8, 5, 6)}, "", dict(dimension=1), call=lambda m, *xs: m(list(xs)))
    for variant, h, w in (("square", 6, 6), ("oblong", 5, 8)):
        yield case("AIFI", variant, f"{h}x{w} pixels, 8 heads, hidden 1024; the position table is (w, h)-major", AIFI(256, 1024, 8), {"input": n(1, 256, h, w)}, "model.2.",
                   dict(c1=256, cm=1024, num_heads=8))
    for variant, first, second in (("square", 6, 6), ("oblong", 8, 5)):
        c = Case(f"L1/SinCosPositions/{variant}", f"{first} by {second} positions of 256", {"kind": "module", "name": "SinCosPositions",
                 "arguments": dict(first=first, second=second, width=256)}, command)
        # Float32 step by step is the definition: a table in float64 would be another one.
        c.expect("output", sincos_positions(first, second, 256), None, "SinCosPositions")
        yield c

    # -- the head's
    yield case("MLP", "query-pos", "4, 512, 256: the query's position", MLP(4, 512, 256), {"input": u(1, 10, 4)}, "model.19.query_pos_head.", dict(widths=[4, 512, 256]))
    yield case("MLP", "boxes", "256, 256, 256, 4: a box head", MLP(256, 256, 256, 4), {"input": n(1, 10, 256)}, "model.19.enc_bbox_head.", dict(widths=[256, 256, 256, 4]))
    shapes = [[8, 10], [4, 5], [2, 3]]
    tokens = sum(a * b for a, b in shapes)
    levels = dict(n_levels=3, n_points=4)
    yield case("MSDeformAttn", "three-levels", "8 heads of 32, 3 levels, 4 points; offsets are fractions of the box", DeformableAttention(256, 8, 3, 4),
               {"query": n(1, 12, 256), "refer_bbox": u(1, 12, 4, low=0.1, high=0.9), "value": n(1, tokens, 256)}, "model.19.decoder.layers.0.cross_attn.",
               dict(d_model=256, n_levels=3, n_heads=8, n_points=4, shapes=shapes), call=lambda m, q, b, v: m(q, b, v, shapes))
    yield case("MSDeformAttn", "two-levels", "2 heads of 12, 2 levels, 3 points", DeformableAttention(24, 2, 2, 3),
               {"query": n(2, 5, 24), "refer_bbox": u(2, 5, 4, low=0.1, high=0.9), "value": n(2, 26, 24)}, "model.19.decoder.layers.0.cross_attn.",
               dict(d_model=24, n_levels=2, n_heads=2, n_points=3, shapes=[[5, 4], [2, 3]]), call=lambda m, q, b, v: m(q, b, v, [[5, 4], [2, 3]]))
    yield case("DeformableTransformerDecoderLayer", "20-queries", "self-attention, deformable attention, feed-forward (ReLU), each with a post-norm", DecoderLayer(256, 8, 1024, 3, 4),
               {"embed": n(1, 20, 256), "query_pos": n(1, 20, 256, std=0.5), "refer_bbox": u(1, 20, 4, low=0.1, high=0.9), "feats": n(1, tokens, 256)}, "model.19.decoder.layers.0.",
               dict(d_model=256, n_heads=8, d_ffn=1024, **levels, shapes=shapes), call=lambda m, t, p, b, v: m(t, p, b, v, shapes))
    for variant, sizes in (("small", [[8, 10], [4, 5], [2, 3]]), ("invalid", [[80, 80], [40, 40], [20, 20]])):
        c = Case(f"L1/Anchors/{variant}", f"logits of the anchors of maps {sizes}" + ("; border anchors are +inf" if variant == "invalid" else ""),
                 {"kind": "module", "name": "Anchors", "arguments": dict(shapes=sizes)}, command)
        anchors, valid = anchor_logits(sizes)
        c.expect("anchors", anchors[None], None, "Anchors")
        c.expect("valid", valid.float()[None], None, "Anchors")
        yield c
    yield decoder_case(command)


def decoder_case(command):
    args = dict(nc=10, ch=[64, 64, 64], hd=64, nq=60, ndp=4, nh=4, ndl=2, d_ffn=128, bn_eps=DETECTOR_EPS)
    c = Case("L1/RTDETRDecoder/small", "the whole head, 64 wide: 60 of 105 tokens, 2 layers", {"kind": "module", "name": "RTDETRDecoder", "arguments": args}, command)
    module = set_eps(Decoder(10, [64, 64, 64], 64, 60, 4, 4, 2, 128), DETECTOR_EPS)
    c.fill(module, "model.19.")
    maps = {f"x.{i}": c.give(f"x.{i}", (1, 64, 10 >> i, 8 >> i), normal(f"{c.id}:x.{i}")) for i in range(3)}
    single, double, details, doubles = decode_both(module, lambda xs: module(xs, details=True), list(maps.values()), maps)
    notes = selection_notes(single, details, double)
    c.expect_trace(single.of({s.name for s in single.steps}), double.outputs, 64, notes.by_module(single))
    c.expect("output", single.result[0], double.result[0], "boxes-and-scores", conditioning=notes.order, noisy=False)
    c.expect("index", details["index"], None, "selection", required=False, conditioning=notes.choice)
    c.expect("enc_bboxes", details["enc_bboxes"], doubles["enc_bboxes"], "boxes-and-scores", required=False, conditioning=notes.order)
    c.expect("enc_scores", details["enc_scores"], doubles["enc_scores"], "boxes-and-scores", required=False, conditioning=notes.order)
    return c
