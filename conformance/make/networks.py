"""L2 and L3: stages and whole networks. Weights are seeded, BatchNorm statistics are the calibrated ones of
test/golden/models, copied to parameters/. Needs torch, numpy and PyYAML."""
import os

import torch

import safetensors_io
from casefile import FORMAT, KIT, ROOT, Case, normal, pretty, uniform_in
from reference import MobileNetV4, RTDETRModel, model_config
from reference.rtdetr import Concat, Decoder
from seeded_model import ATTN_GAIN, MODELS, SEED, fill, statistics_file, with_statistics
from selection import decode_both, selection_notes
from traced import Trace, in_double

VARIANTS = [f"MobileNetV4{v}" for v in ("ConvSmall", "ConvMedium", "ConvLarge", "HybridMedium", "HybridLarge")]
DETECTORS = [*VARIANTS, "narrow.yaml"]
CODES = "../models/codes.f16.safetensors"  # the default model's weights, where they are anyway
SIDE = 160
DETECTOR_SAMPLES, BACKBONE_SAMPLES, BLOCK_SAMPLES, OUTPUT_SAMPLES = 32, 16, 32, 384
CLASSES = 10  # of the standard head: fewer than COCO's 80, since outputs are kept whole


def bare(name):
    return name.removesuffix(".yaml")


def set_path(name):
    return f"parameters/{bare(name)}.json"


def values_path(name):
    return f"parameters/{bare(name)}.statistics.safetensors"


def unfilled(name):
    return RTDETRModel(model_config(os.path.join(MODELS, name) if name.endswith(".yaml") else name, CLASSES)).eval()


def detector(name):
    """With seeded weights and calibrated statistics, which do not depend on the number of classes."""
    return with_statistics(fill(unfilled(name)), safetensors_io.load(statistics_file(name))[0])


def write_set(path, values, entries):
    with open(os.path.join(KIT, path), "w", encoding="utf8") as f:
        f.write(pretty({"format": FORMAT, "seed": SEED, "attentionGain": ATTN_GAIN, "values": values, "entries": entries}))
    return path


def write_sets():
    """The parameter sets of all detectors and their statistics; the paths from the kit's folder."""
    os.makedirs(os.path.join(KIT, "parameters"), exist_ok=True)
    codes = safetensors_io.load(os.path.join(KIT, CODES))[0]
    written = [write_set("parameters/codes.json", CODES, [[k, list(v.shape)] for k, v in codes.items()])]
    for name in DETECTORS:
        with open(statistics_file(name), "rb") as f:
            content = f.read()
        with open(os.path.join(KIT, values_path(name)), "wb") as f:
            f.write(content)
        state = unfilled(name).state_dict()
        entries = [[k, list(v.shape)] for k, v in state.items() if not k.endswith("num_batches_tracked")]
        write_set(set_path(name), values_path(name), entries)
        written += [set_path(name), values_path(name)]
    return written


def subject_model(name):
    """What case.json calls the detector."""
    if name.endswith(".yaml"):
        with open(os.path.join(MODELS, name), encoding="utf8") as f:
            return {"yaml": f.read()}
    with open(os.path.join(ROOT, "models", "rtdetr-mobilenetv4.yaml"), encoding="utf8") as f:
        return {"variant": name, "yaml": f.read(), "nc": CLASSES}


def standalone(name):
    """The backbone by itself, with the weights and statistics that it has within the detector, and eps 1e-5."""
    model = fill(MobileNetV4(name).eval(), backbone=True)
    stats = {k.removeprefix("model.0."): v for k, v in safetensors_io.load(statistics_file(name))[0].items() if k.startswith("model.0.")}
    return with_statistics(model, stats)


# -- L2


def backbone_stages(name):
    """(id, title, first, last, inputs {trace name: source})."""
    images = {"images": ((1, 3, SIDE, SIDE), {"generator": "image", "seed": 3})}
    yield "stem", "conv0 and layer1: image to stride 4", "model.0.conv0", "model.0.layer1", images
    for i in (2, 3, 4, 5):
        before = f"model.0.layer{i - 1}"
        yield f"layer{i}", f"stride {2 << (i - 1)} to {min(2 << i, 32)}" + (": never run in a detector" if i == 5 else ""), f"model.0.layer{i}", f"model.0.layer{i}", before


def run_backbone_stage(model, first, last, x):
    children = dict(model.model[0].named_children())
    names = list(children)
    for key in names[names.index(first.split(".")[-1]) : names.index(last.split(".")[-1]) + 1]:
        x = children[key](x)
    return x


def stage_cases(command):
    for name in VARIANTS:
        model = detector(name)
        widths = dict(enumerate(model.model[0].widths, 1))
        for key, title, first, last, inputs in backbone_stages(name):
            c = Case(f"L2/{name}/{key}", f"{name} {title}", {"kind": "stage", "model": subject_model(name), "first": first, "last": last}, command)
            if isinstance(inputs, str):
                level = int(inputs[-1])
                side = SIDE >> (level + 1)
                shape = (1, widths[level], side, side)
                # What leaves a ReLU6 is not negative; what leaves a UIB has either sign.
                relu6 = level < 2 or (level == 2 and name == "MobileNetV4ConvSmall")
                source = uniform_in(f"{c.id}:{inputs}", 0.0, 2.0) if relu6 else normal(f"{c.id}:{inputs}")
                inputs = {inputs: (shape, source)}
            prefixes = [f"model.0.{part}." for part in dict(model.model[0].named_children()) if f"model.0.{part}" in (first, last)]
            c.parameters = {"set": set_path(name), "prefixes": prefixes}
            given = {k: c.give(k, shape, source) for k, (shape, source) in inputs.items()}
            x = next(iter(given.values()))
            single = Trace(model, lambda: run_backbone_stage(model, first, last, x), given)
            double = in_double(model, lambda: run_backbone_stage(model, first, last, x.double()), {k: v.double() for k, v in given.items()})
            # Blocks: convbn_i, fused_ib_i, uib_i, msha_i.
            blocks = {s.name for s in single.steps if len(s.name.split(".")) == 4 and single.outputs[s.name] is not single.result}
            c.expect_trace(single.of(blocks), double.outputs, BLOCK_SAMPLES)
            c.expect(last, single.result, double.result, "stage-output", samples=OUTPUT_SAMPLES, whole=OUTPUT_SAMPLES)
            yield c
    for name in ("MobileNetV4ConvSmall", "narrow.yaml"):
        yield from head_cases(name, command)


def head_cases(name, command):
    """The neck up (AIFI and top-down), the neck down (bottom-up), the decoder; wired by the YAML."""
    model = detector(name)
    last = len(model.model) - 1
    sources = model.sources
    p3 = sources[last][0] - 4  # index in model.model of the first map that the decoder takes
    with torch.no_grad():
        probe = Trace(model, lambda: model(torch.zeros(1, 3, SIDE, SIDE)))
    for key, title, begin, end in [("neck-up", "AIFI and the top-down path", 1, p3), ("neck-down", "the bottom-up path", p3 + 1, last - 1), ("decoder", "the detection head", last, last)]:
        inside = range(begin, end + 1)
        needs = sorted({s for i in inside for s in sources[i] if s < 5 or s - 4 < begin})
        leaves = sorted({s - 4 for i in range(end + 1, last + 1) for s in sources[i] if s >= 5 and begin <= s - 4 <= end})
        c = Case(f"L2/{bare(name)}/{key}", f"{bare(name)}: {title}", {"kind": "stage", "model": subject_model(name), "first": f"model.{begin}", "last": f"model.{end}"}, command)
        c.parameters = {"set": set_path(name), "prefixes": [f"model.{i}." for i in inside]}
        given = {}
        for s in needs:
            trace_name = f"model.0.layer{s}" if s < 5 else f"model.{s - 4}"
            shape = tuple(probe.outputs[trace_name].shape)
            given[trace_name] = c.give(trace_name, shape, normal(f"{c.id}:{trace_name}"))

        def run(feeds):
            at = dict(zip(needs, feeds))
            for i in inside:
                x = [at[s] for s in sources[i]]
                layer = model.model[i]
                if isinstance(layer, Decoder):
                    return layer(x, details=True)
                at[i + 4] = layer(x if isinstance(layer, Concat) else x[0])
            return [at[i + 4] for i in leaves]

        feeds = list(given.values())
        if key == "decoder":
            expect_detections(c, model, run, feeds, given, "output0", 32, prefix=f"model.{last}")
        else:
            single = Trace(model, lambda: run(feeds), given)
            wide = [f.double() for f in feeds]
            double = in_double(model, lambda: run(wide), dict(zip(given, wide)))
            out = [id(t) for t in single.result]
            layers = {s.name for s in single.steps if len(s.name.split(".")) == 2 and id(single.outputs[s.name]) not in out}
            c.expect_trace(single.of(layers), double.outputs, BLOCK_SAMPLES)
            for i, s, d in zip(leaves, single.result, double.result):
                c.expect(f"model.{i}", s, d, "stage-output", samples=OUTPUT_SAMPLES, whole=OUTPUT_SAMPLES)
        yield c


# -- L3


def expect_detections(c, model, run, feeds, given, output, samples, prefix, need_margin=False):
    """A run of a head, or of a whole detector: its trace and its output; False where the choice is too close and `need_margin`."""
    single, double, details, doubles = decode_both(model, run, feeds, given)
    notes = selection_notes(single, details, double)
    if need_margin and notes.choice and notes.choice.startswith("near tie"):
        return False
    y, y64 = single.result[0], double.result[0]
    names = {s.name for s in single.steps if single.outputs[s.name] is not y and s.name.split(".")[-1] != "" and s.name != f"{prefix}.0"}
    c.expect_trace(single.of(names), double.outputs, samples, notes.by_module(single))
    c.expect("index", details["index"], None, "selection", required=False, conditioning=notes.choice)
    c.expect("enc_bboxes", details["enc_bboxes"], doubles["enc_bboxes"], "boxes-and-scores", required=False, conditioning=notes.order)
    c.expect("enc_scores", details["enc_scores"], doubles["enc_scores"], "boxes-and-scores", required=False, conditioning=notes.order, samples=OUTPUT_SAMPLES)
    c.expect(output, y, y64, "boxes-and-scores", conditioning=notes.order, whole=1 << 20, noisy=False)
    return True


def network_cases(command):
    for name in VARIANTS:
        model = standalone(name)
        c = Case(f"L3/backbone/{name}", f"{name} by itself at {SIDE}x{SIDE}, eps 1e-5", {"kind": "model", "model": {"variant": name}}, command)
        c.parameters = {"set": set_path(name), "prefixes": ["model.0."], "strip": "model.0."}
        x = c.give("images", (1, 3, SIDE, SIDE), {"generator": "image", "seed": 2})
        single = Trace(model, lambda: model(x), {"images": x})
        double = in_double(model, lambda: model(x.double()), {"images": x.double()})
        maps = single.result
        c.expect_trace(single, double.outputs, BACKBONE_SAMPLES)
        for i, (s, d) in enumerate(zip(maps, double.result)):
            c.expect(f"stride{4 << i}", s, d, "stage-output", samples=OUTPUT_SAMPLES, whole=OUTPUT_SAMPLES)
        yield c
    sizes = [(name, SIDE, SIDE) for name in DETECTORS]
    sizes += [("MobileNetV4ConvSmall", 128, 224), ("narrow.yaml", 320, 320)]
    for name, height, width in sizes:
        model = detector(name)
        small = (height, width) == (SIDE, SIDE)
        for seed in range(2, 40):  # the first picture whose choice of queries is well conditioned
            c = Case(f"L3/detector/{bare(name)}" + ("" if small else f"-{height}x{width}"), f"{bare(name)} at {height}x{width}, eps 1e-3",
                     {"kind": "model", "model": subject_model(name)}, command)
            c.parameters = {"set": set_path(name)}
            x = c.give("images", (1, 3, height, width), {"generator": "image", "seed": seed})
            run = lambda xs: model(xs[0], details=True)
            if expect_detections(c, model, run, [x], {"images": x}, "output0", DETECTOR_SAMPLES if small else 12, f"model.{len(model.model) - 1}", need_margin=True):
                break
        else:
            raise SystemExit(f"{c.id}: no picture with a clear choice of queries")
        yield c
