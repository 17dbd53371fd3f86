"""L5: picture files to detections, and average precision. Needs torch, numpy, PyYAML, cv2 and pycocotools.

The default model on the example pictures. Their labels are in labels.json: boxes round the codes that were pasted into the
pictures, read off by eye at full size, so that they differ from every detector's boxes by some pixels."""
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

WEIGHTS, SIZE, CONF = "../models/codes.f16.safetensors", 640, 0.4
PICTURES = ("cat", "coffee", "wall")
AP_CONF = 0.001  # average precision takes nearly all detections


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
    """pycocotools' AP at IoU 0.5, and over 0.5 .. 0.95, per class; NaN for a class without labels."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    wide = lambda b: [float(b[0]), float(b[1]), float(b[2] - b[0]), float(b[3] - b[1])]
    annotations, results = [], []
    for image, rows in truth.items():
        for row in rows:
            box = wide(row)
            annotations.append(dict(id=len(annotations) + 1, image_id=image, category_id=int(row[4]) + 1, bbox=box, area=box[2] * box[3], iscrowd=0))
    for image, rows in found.items():
        for row in rows:
            results.append(dict(image_id=image, category_id=int(row[5]) + 1, bbox=wide(row), score=float(row[4])))
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = dict(images=[dict(id=i) for i in truth], annotations=annotations, categories=[dict(id=k + 1, name=str(k)) for k in range(classes)])
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, :, 0, -1]  # thresholds, recalls, classes; all areas, 100 detections
    per_class = lambda p: np.array([v[v > -1].mean() if (v > -1).any() else np.nan for v in np.moveaxis(p, -1, 0)])
    return per_class(precision[:1]), per_class(precision)


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
    numbers = {name: i + 1 for i, name in enumerate(PICTURES)}
    ap50, ap = average_precision({numbers[n]: f for n, f in found.items()}, {numbers[n]: truth[n] for n in PICTURES}, classes)
    for key, value in (("ap50", ap50), ("ap", ap)):
        c.expect(key, torch.from_numpy(value), None, "average-precision", required=False,
                 conditioning="ranks of detections: two of nearly equal score may change places")
    yield c


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
