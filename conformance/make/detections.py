"""L5: picture files to detections, and average precision. Needs torch, numpy, PyYAML, cv2 and pycocotools.

The default model on the example pictures. Average precision is of two sets of labels: those of labels.json, boxes round the codes
that were pasted into the pictures, read off by eye at full size, so that they differ from every detector's boxes by some pixels;
and those of sensitive_labels.py, of which small mistakes show."""
import contextlib
import io
import json
import os

import cv2
import numpy as np
import torch
import yaml

from casefile import HERE, KIT, ROOT, Case
from default_model import load  # of test/golden/make
from pictures import decoded, to_input
from reference import postprocess
from sensitive_labels import allowed, mistakes, sensitive_labels

WEIGHTS, SIZE, CONF = "../models/codes.f16.safetensors", 640, 0.4
PICTURES = ("cat", "coffee", "wall")
AP_CONF = 0.001  # average precision takes nearly all detections
# Of the sensitive labels: no score is nearer than 1.4e-3, and squared scores fall below it.
SENSITIVE_CONF = 0.07
AP_TOLERANCE = 0.02  # of the rule average-precision, src/conformance/tolerances.ts


def labels():
    with open(os.path.join(HERE, "labels.json"), encoding="utf8") as f:
        return json.load(f)


def detections(model, content, conf, dtype=torch.float32):
    rgb = decoded(content)
    x = to_input(rgb, (SIZE, SIZE)).to(dtype)
    with torch.no_grad():
        y = model(x)
    return postprocess(y[0] if y.ndim == 3 else y, rgb.shape[0], rgb.shape[1], conf)


def average_precision(found, truth, classes):
    """pycocotools' AP at IoU 0.5, and over 0.5 .. 0.95, [2, classes], NaN for a class without labels; and, for each threshold,
    whether each detection, in order, met a label. Rows by picture: found [n, 6], truth [n, 5]."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def entry(image, row, kind, **more):
        x1, y1, x2, y2 = map(float, row[:4])
        return dict(image_id=image, category_id=int(kind) + 1, bbox=[x1, y1, x2 - x1, y2 - y1], area=(x2 - x1) * (y2 - y1), iscrowd=0, **more)

    annotations, results = [], []
    for image, (name, rows) in enumerate(truth.items(), 1):
        annotations += [entry(image, row, row[4], id=len(annotations) + i) for i, row in enumerate(rows, 1)]
        results += [entry(image, row, row[5], score=float(row[4])) for row in found[name]]
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = dict(images=[dict(id=i + 1) for i in range(len(truth))], annotations=annotations, categories=[dict(id=k + 1, name=str(k)) for k in range(classes)])
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, :, 0, -1]  # thresholds, recalls, classes; all areas, 100 detections
    per_class = lambda p: np.array([v[v > -1].mean() if (v > -1).any() else np.nan for v in np.moveaxis(p, -1, 0)])
    met = np.zeros((len(precision), len(results)), bool)
    for of in evaluation.evalImgs:
        if of is not None and of["aRng"] == evaluation.params.areaRng[0]:
            met[:, np.array(of["dtIds"], int) - 1] = of["dtMatches"] > 0
    return np.stack([per_class(precision[:1]), per_class(precision)]), met


def sensitivity(found, truth, classes, conf):
    """How far AP moves at most by what the rule "detections" allows, and at least by a mistake. The kit counts scores above conf."""
    right, met = average_precision(found, truth, classes)
    counted = lambda rows: {name: r[r[:, 4] > conf] for name, r in rows.items()}
    apart = lambda rows: np.nanmax(abs(average_precision(counted(rows), truth, classes)[0] - right))
    return max(map(apart, allowed(found, met))), min((apart(rows), name) for name, rows in mistakes(found))


def cases(command):
    """All cases of L5."""
    with open(os.path.join(ROOT, "models", "codes.yaml"), encoding="utf8") as f:
        text = f.read()
    classes = yaml.safe_load(text)["nc"]
    weights = os.path.join(KIT, WEIGHTS)
    model = load(os.path.join(ROOT, "models", "codes.yaml"), weights)

    def run(content, conf):
        single = detections(model, content, conf)
        model.double()
        try:
            return single, detections(model, content, conf, torch.float64)
        finally:
            model.float()

    def detect(id, title, conf):
        c = Case(id, title, {"kind": "detect", "model": {"yaml": text}, "conf": conf}, command)
        c.parameters = {"set": "parameters/codes.json"}
        return c

    def content_of(path):
        with open(os.path.join(KIT, path), "rb") as f:
            return f.read()

    for name in PICTURES:
        path = f"../test/golden/codes/{name}.{SIZE}.png"
        c = detect(f"L5/codes/{name}-png", f"the default model on {name}, already {SIZE}x{SIZE} and lossless", CONF)
        c.give_shared_bytes(f"picture.{name}", path)
        expect(c, name, *run(content_of(path), CONF), CONF, "detections")
        yield c
    c = detect("L5/codes/pictures", "the default model on the example pictures, from their JPEG files; AP against labels", AP_CONF)
    truth, found = labels(), {}
    for i, name in enumerate(PICTURES):
        path = f"../examples/pictures/{name}.jpg"
        c.give_shared_bytes(f"picture.{name}", path)
        c.give_stored(f"labels.{name}", torch.tensor(truth[name], dtype=torch.float32))
        single, double = run(content_of(path), AP_CONF)
        expect(c, name, single, double, AP_CONF, "detections-jpeg")
        found[name] = single.numpy()
    ap, _ = average_precision(found, truth, classes)
    expect_ap(c, ap, "average-precision-jpeg", "JPEG decoders differ: an overlap near a threshold may be on its other side")
    yield c

    c = detect("L5/codes/average-precision", "the default model on the lossless pictures; AP against labels made to show small mistakes", SENSITIVE_CONF)
    truth, found = {}, {}
    for name in PICTURES:
        path = f"../test/golden/codes/{name}.{SIZE}.png"
        c.give_shared_bytes(f"picture.{name}", path)
        single, double = run(content_of(path), SENSITIVE_CONF)
        truth[name] = sensitive_labels(name, match(single.double(), double).numpy(), SIZE, classes)
        c.give_stored(f"labels.{name}", torch.from_numpy(truth[name]))
        expect(c, name, single, double, SENSITIVE_CONF, "detections")
        found[name] = single.double().numpy()
    noise, (least, mistake) = sensitivity(found, truth, classes, SENSITIVE_CONF)
    assert noise < AP_TOLERANCE / 2 and least > 4 * AP_TOLERANCE, (noise, least, mistake)
    ap, _ = average_precision(found, truth, classes)
    expect_ap(c, ap, "average-precision", f"moved by all that is allowed of them, detections move it by up to {noise:.4f}; "
              f"of the mistakes that were tried '{mistake}' moves it least, by {least:.3f}")
    yield c


def expect_ap(c, ap, rule, conditioning):
    """AP at IoU 0.5 and over 0.5 .. 0.95: the kit computes it itself of the detections that a runtime gives."""
    for key, value in zip(("ap50", "ap"), ap):
        c.expect(key, torch.from_numpy(value), None, rule, required=False, conditioning=conditioning)


def expect(c, name, single, double, conf, rule):
    """Detections of both precisions, rows of the float64 run in the order of the float32 run's."""
    note = "JPEG decoders differ: boxes move by some tenths of a pixel" if rule == "detections-jpeg" else None
    near = [float(s) for s in single[:, 4] if abs(float(s) - conf) < 1e-4]
    if near:
        note = f"threshold: {len(near)} scores are within 1e-4 of {conf}"
    matched = match(single.double(), double)
    c.expect(f"detections.{name}", single, matched, rule, whole=1 << 20, conditioning=note, noisy=False)


def match(single, double):
    """The rows of `double` nearest to those of `single`; None where they are not one to one."""
    if single.shape != double.shape:
        return None
    apart = (single[:, None] - double[None]).abs().amax(-1)
    order = apart.argmin(1) if len(single) else torch.zeros(0, dtype=torch.long)
    return double[order] if len(set(order.tolist())) == len(single) else None
