"""Writes test/golden/val/: a small COCO data set on the example pictures, what `mobiledetr val` finds in them, and what
pycocotools makes of it. Needs numpy, pycocotools and a built package.

  python test/golden/make/val.py

  instances.json   four images, two of one file, one of them without ground truths; crowds, `ignore`, all three sizes; a class that the
                   model lacks, none for one that it has; ids with gaps
  results.json     what `val --save-json` wrote
  figures.json     COCOeval.stats; per class id, AP, AP50, AR100 (-1 where there is nothing)"""
import contextlib
import io
import json
import os
import subprocess

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..", "..")
OUT = os.path.join(HERE, "..", "val")
NAMES = {3: "qr", 5: "barcode", 9: "aztec", 11: "zebra", 14: "datamatrix", 20: "pdf417"}  # no maxicode
FILES = {139: "wall.jpg", 285: "coffee.jpg", 632: "cat.jpg", 724: "cat.jpg"}
EMPTY = 724


def dump(name, value):
    with open(os.path.join(OUT, name), "w") as file:
        json.dump(value, file, separators=(",", ":"))
        file.write("\n")


def find():
    command = ["node", "dist/cli/main.js", "val", os.path.join(OUT, "instances.json"), "--images", "examples/pictures", "--save-json", os.path.join(OUT, "results.json")]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    with open(os.path.join(OUT, "results.json")) as file:
        return json.load(file)


def truths(results):
    """Near what was found, but not on it; some of another class, some of nothing."""
    rng = np.random.default_rng(5)
    annotations = []
    def add(image, category, box, **more):
        box = [round(float(v), 1) for v in box]
        annotations.append(dict(id=len(annotations) + 1, image_id=image, category_id=category, bbox=box, area=round(box[2] * box[3] * float(rng.uniform(0.5, 1)), 1), iscrowd=0) | more)
    for found in results:
        if found["image_id"] == EMPTY or found["score"] < 0.03:
            continue
        x, y, w, h = found["bbox"]
        category = found["category_id"] if rng.random() < 0.8 else int(rng.choice([*NAMES]))
        add(found["image_id"], category, np.array([x, y, w, h]) + rng.normal(0, 0.06, 4) * min(w, h))
    add(139, 5, [10, 10, 20, 25])
    add(285, 3, [100, 100, 60, 60])
    add(285, 5, [0, 0, 1260, 840], iscrowd=1)
    add(632, 9, [800, 80, 200, 200], iscrowd=1)
    add(139, 14, [0, 0, 50, 50], ignore=1)
    return annotations


def main():
    os.makedirs(OUT, exist_ok=True)
    data = dict(images=[dict(id=i, file_name=f) for i, f in FILES.items()], categories=[dict(id=i, name=n) for i, n in NAMES.items()], annotations=[])
    dump("instances.json", data)
    data["annotations"] = truths(find())
    dump("instances.json", data)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(os.path.join(OUT, "instances.json"))
        run = COCOeval(truth, truth.loadRes(os.path.join(OUT, "results.json")), "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    mean = lambda part: float(np.mean(part[part > -1])) if (part > -1).any() else -1.0
    precision, recall = run.eval["precision"], run.eval["recall"]
    classes = [[int(i), mean(precision[:, :, k, 0, 2]), mean(precision[0, :, k, 0, 2]), mean(recall[:, k, 0, 2])] for k, i in enumerate(run.params.catIds)]
    dump("figures.json", dict(stats=[float(v) for v in run.stats], classes=classes))


main()
