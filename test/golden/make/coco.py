"""Writes test/golden/coco/: what pycocotools makes of small datasets. Needs numpy and pycocotools.

  python test/golden/make/coco.py               the goldens
  python test/golden/make/coco.py --large DIR   a large dataset into DIR, and how long pycocotools takes for it

  cases.json.gz   a list of cases: name, what it is about, dataset and results as COCO's JSON, and for useCats 1 and 0 what comes
                  out: COCOeval.stats; per class AP, AP50, AR100, ground truths that are no crowds, crowds, detections; the whole
                  recall [T, K, A, M]; of precision [T, R, K, A, M] the SHA-256 of its little-endian doubles and every
                  STRIDE-th element. "refused" stands instead where pycocotools refuses the results.

Datasets are random with fixed seeds and small whole or quarter numbers, so that overlaps, scores and areas often tie."""
import contextlib
import copy
import gzip
import hashlib
import io
import json
import os
import sys
import time

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "coco")
STRIDE = 97  # prime, so that the elements kept wander over all axes


# -- datasets

def jittered(rng, box, by):
    """A box near another; on quarters of a pixel, so that equal overlaps come about."""
    return [float(v) for v in np.round((np.array(box) + rng.normal(0, by, 4)) * 4) / 4]


def random_case(seed, images, categories, truths, doubles, strays, size=200, crowds=0.1, scores=50, gaps=True):
    """Up to `truths` ground truths and `strays` detections of nothing a picture; up to `doubles` detections a ground truth."""
    rng = np.random.default_rng(seed)
    image_ids = [int(i) for i in rng.permutation(images * 3)[:images] + 1]
    category_ids = [int(c) for c in rng.permutation(categories * (4 if gaps else 1))[:categories] + 1]
    annotations, results = [], []
    score = lambda: round(float(rng.integers(1, scores)) / scores, 4)
    for image in image_ids:
        for _ in range(rng.integers(0, truths + 1)):
            # Every fifth is small, every fifth large.
            side = [12, size / 4, size / 4, size / 3, size][rng.integers(0, 5)]
            w, h = (np.ceil(rng.uniform(2, side, 2) * 4) / 4).tolist()
            x, y = (np.floor(rng.uniform(0, size, 2) * 4) / 4).tolist()
            category = int(rng.choice(category_ids[: max(1, categories - 1)]))  # the last class has no ground truth
            annotation = dict(id=len(annotations) + 1, image_id=image, category_id=category, bbox=[x, y, w, h], iscrowd=int(rng.random() < crowds))
            annotation["area"] = w * h if rng.random() < 0.5 else round(w * h * rng.uniform(0.3, 1), 2)
            if rng.random() < 0.1:
                annotation["ignore"] = 1  # which says nothing
            annotations.append(annotation)
            for _ in range(rng.integers(0, doubles + 1)):
                near = jittered(rng, [x, y, w, h], rng.choice([0, 0.5, 2, 6]) * min(1, min(w, h) / 20))
                other = category if rng.random() < 0.9 else int(rng.choice(category_ids))
                results.append(dict(image_id=image, category_id=other, bbox=near, score=score()))
        for _ in range(rng.integers(0, strays + 1)):
            x, y, w, h = np.floor(rng.uniform(0, size, 4)).tolist()
            results.append(dict(image_id=image, category_id=int(rng.choice(category_ids)), bbox=[x, y, w + 1, h + 1], score=score()))
    results = [results[i] for i in rng.permutation(len(results))]
    return dict(images=[dict(id=i) for i in image_ids], categories=[dict(id=c, name=f"class {c}") for c in category_ids], annotations=annotations), results


def box(image, category, bbox, **more):
    return dict(image_id=image, category_id=category, bbox=bbox, **more)


def truth(id, image, category, bbox, area=None, iscrowd=0):
    return box(image, category, bbox, id=id, area=bbox[2] * bbox[3] if area is None else area, iscrowd=iscrowd)


def dataset(annotations, images=(1,), categories=(1,)):
    return dict(images=[dict(id=i) for i in images], categories=[dict(id=c, name=str(c)) for c in categories], annotations=annotations)


def at_thresholds():
    """Overlaps of exactly 0.5, 0.55, ... 1 and a hair beside: 100 pixels high, so many of them shared."""
    annotations, results = [], []
    for i in range(11):
        x, shared = 200.0 * i, 50 + 5 * i
        annotations.append(truth(i + 1, 1, 1, [x, 0.0, 100.0, 100.0]))
        results.append(box(1, 1, [x, 0.0, 100.0, float(shared)], score=0.9 - i / 100))
        annotations.append(truth(i + 21, 2, 1, [x, 0.0, 1.0, 1.0]))
        results.append(box(2, 1, [x, 0.0, 1.0, shared / 100], score=0.8 - i / 100))
        annotations.append(truth(i + 41, 3, 1, [x, 0.0, 100.0, 100.0], iscrowd=i % 2))
        results.append(box(3, 1, [x, 0.0, 100.0, float(np.nextafter(shared, 0))], score=0.7 - i / 100))
    return dataset(annotations, (1, 2, 3)), results


def at_areas():
    """Areas at and beside the bounds of the ranges, and beyond all of them; boxes of no and of negative size."""
    sides = [0.0, 1.0, 31.99, 32.0, 32.01, 95.99, 96.0, 96.01, 1e5, 100001.0]
    annotations = [truth(i + 1, i + 1, 1, [5.0, 5.0, s, s]) for i, s in enumerate(sides)]
    annotations += [truth(100, 50, 1, [0.0, 0.0, -4.0, 9.0]), truth(101, 51, 1, [0.0, 0.0, 40.0, 40.0], area=9.0), truth(102, 52, 1, [0.0, 0.0, 40.0, 40.0], area=-1.0)]
    results = [box(i + 1, 1, [5.0, 5.0, s, s * 0.8], score=0.5 + i / 100) for i, s in enumerate(sides)]
    results += [box(i + 1, 1, [500.0, 5.0, s, s], score=0.4 + i / 100) for i, s in enumerate(sides)]
    results += [box(50, 1, [0.0, 0.0, -4.0, 9.0], score=0.3), box(51, 1, [0.0, 0.0, 40.0, 40.0], score=0.9), box(52, 1, [0.0, 0.0, 40.0, 40.0], score=0.8), box(52, 1, [9.0, 9.0, -40.0, -40.0], score=0.95)]
    return dataset(annotations, [*range(1, len(sides) + 1), 50, 51, 52]), results


def crowds():
    """Detections inside crowds, at the edge of crowds, and where a crowd and an object compete."""
    annotations = [truth(1, 1, 1, [0.0, 0.0, 300.0, 300.0], iscrowd=1), truth(2, 1, 1, [10.0, 10.0, 50.0, 50.0]), truth(3, 1, 1, [12.0, 10.0, 50.0, 50.0]),
                   truth(4, 2, 1, [0.0, 0.0, 100.0, 100.0], iscrowd=1), truth(5, 3, 2, [0.0, 0.0, 30.0, 30.0], iscrowd=1), truth(6, 3, 2, [0.0, 0.0, 30.0, 30.0], iscrowd=1)]
    results = [box(1, 1, [10.0, 10.0, 50.0, 50.0], score=0.9), box(1, 1, [11.0, 10.0, 50.0, 50.0], score=0.9), box(1, 1, [11.0, 10.0, 50.0, 50.0], score=0.8)]
    results += [box(1, 1, [100.0, 30.0 * i, 40.0, 29.0], score=0.7) for i in range(9)]
    results += [box(2, 1, [10.0 * i, 0.0, 100.0, 100.0], score=0.6 - i / 100) for i in range(9)]
    results += [box(3, 2, [0.0, 0.0, 30.0, 30.0], score=0.5), box(3, 2, [15.0, 0.0, 30.0, 30.0], score=0.4)]
    return dataset(annotations, (1, 2, 3), (1, 2)), results


def many(seed):
    """Over 100 detections of a class in a picture, of few scores: which hundred counts is up to their order."""
    rng = np.random.default_rng(seed)
    annotations, results = [], []
    for image in (4, 2):
        for i in range(30):
            x, y = float(i % 6) * 40, float(i // 6) * 40
            annotations.append(truth(len(annotations) + 1, image, 1 + i % 2, [x, y, 20.0, 20.0 + i]))
        for _ in range(260):
            x, y = float(rng.integers(0, 6)) * 40, float(rng.integers(0, 5)) * 40
            near = [x + float(rng.integers(-2, 3)), y, 20.0, 20.0 + float(rng.integers(0, 30))]
            results.append(box(image, int(rng.integers(1, 3)), near, score=float(rng.integers(1, 6)) / 8))
    return dataset(annotations, (4, 2, 9), (1, 2)), results


def strangers():
    """Detections and ground truths of classes that the dataset lacks, ground truths of pictures that it lacks."""
    data, results = random_case(31, 4, 3, 4, 2, 2)
    image = data["images"][0]["id"]
    data["annotations"] += [truth(900, image, 77, [1.0, 1.0, 50.0, 50.0]), truth(901, 12345, data["categories"][0]["id"], [1.0, 1.0, 50.0, 50.0])]
    results += [box(image, 77, [1.0, 1.0, 50.0, 50.0], score=0.99), box(image, 78, [1.0, 1.0, 50.0, 50.0], score=0.98)]
    return data, results


def id_zero():
    """Ground truths counted from 0: a match with the first one is none."""
    data = dataset([truth(i, 1, 1, [100.0 * i, 0.0, 50.0, 50.0]) for i in range(3)])
    return data, [box(1, 1, [100.0 * i, 0.0, 50.0, 45.0], score=0.9 - i / 10) for i in range(3)] + [box(1, 1, [0.0, 0.0, 50.0, 50.0], score=0.1)]


def off_ids():
    """Ids of 0 and below, for pictures and classes; whole numbers where others have fractions."""
    data = dataset([truth(i + 5, i - 1, -i, [0, 0, 40, 30 + i]) for i in range(3)], (1, 0, -1), (0, -1, -2))
    return data, [box(i - 1, -i, [0, 0, 40, 30], score=1 - i) for i in range(3)]


def cases():
    yield "thresholds", "overlaps at the thresholds", *at_thresholds()
    yield "areas", "areas at the bounds; boxes of no and negative size", *at_areas()
    yield "crowds", "crowds", *crowds()
    yield "many", "over 100 detections of a class in a picture", *many(5)
    yield "strangers", "classes and pictures that the dataset lacks", *strangers()
    yield "id-zero", "a ground truth of id 0", *id_zero()
    yield "ids", "ids of 0 and below", *off_ids()
    yield "no-detections", "no detections", random_case(41, 3, 2, 4, 0, 0)[0], []
    yield "no-truths", "no ground truths", *random_case(42, 3, 2, 0, 0, 5)
    yield "nothing", "pictures and nothing else", dataset([], (1, 2), (1,)), []
    yield "no-classes", "no classes", dataset([], (1, 2), ()), [box(1, 1, [0.0, 0.0, 1.0, 1.0], score=0.5)]
    yield "no-pictures", "no pictures", dataset([], (), (1, 2)), []
    yield "one-class", "one class", *random_case(43, 8, 2, 6, 3, 6)
    yield "other-picture", "a detection of a picture that the dataset lacks", *(lambda d, r: (d, [*r, box(99999, d["categories"][0]["id"], [0.0, 0.0, 9.0, 9.0], score=0.5)]))(*random_case(44, 2, 2, 3, 1, 1))
    yield "mixed", "everything, five classes", *random_case(45, 24, 5, 8, 3, 6)
    yield "crowded", "everything, half of it crowds, few scores", *random_case(46, 12, 3, 8, 4, 8, crowds=0.5, scores=6)
    yield "classes", "twenty classes", *random_case(47, 40, 20, 12, 2, 8, gaps=False)
    for seed in range(100, 200):
        rng = np.random.default_rng(seed)
        shape = dict(images=int(rng.integers(1, 5)), categories=int(rng.integers(1, 4)), truths=int(rng.integers(0, 7)), doubles=int(rng.integers(0, 4)), strays=int(rng.integers(0, 5)))
        yield f"random-{seed}", "random", *random_case(seed, **shape, size=int(rng.choice([60, 200, 600])), crowds=float(rng.choice([0, 0.2, 0.6])), scores=int(rng.choice([4, 20, 10000])))


# -- what pycocotools makes of them

def loaded(data, results):
    truths = COCO()
    truths.dataset = copy.deepcopy(data)
    truths.createIndex()
    if results:
        return truths, truths.loadRes(copy.deepcopy(results))
    found = COCO()  # loadRes takes no empty list
    found.dataset = dict(images=data["images"], categories=data["categories"], annotations=[])
    found.createIndex()
    return truths, found


def evaluated(data, results, use_cats):
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(*loaded(data, results), "bbox")
        evaluation.params.useCats = use_cats
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def mean(values):
    return float(values[values > -1].mean()) if (values > -1).any() else -1.0


def expected(data, results, use_cats):
    try:
        evaluation = evaluated(data, results, use_cats)
    except AssertionError as error:
        return dict(refused=str(error))
    precision, recall = evaluation.eval["precision"], evaluation.eval["recall"]
    known = sorted(c["id"] for c in data["categories"])
    images = {i["id"] for i in data["images"]}
    classes = []
    for k, category in enumerate(known if use_cats else [-1]):
        mine = lambda entries: [e for e in entries if e["image_id"] in images and (e["category_id"] == category if use_cats else e["category_id"] in known)]
        crowd = sum(a["iscrowd"] for a in mine(data["annotations"]))
        classes.append([category, mean(precision[:, :, k, 0, 2]), mean(precision[0, :, k, 0, 2]), mean(recall[:, k, 0, 2]), len(mine(data["annotations"])) - crowd, crowd, len(mine(results))])
    digest = hashlib.sha256(np.ascontiguousarray(precision).astype("<f8").tobytes()).hexdigest()
    return dict(stats=[float(s) for s in evaluation.stats], classes=classes, recall=recall.reshape(-1).tolist(),
                precision=dict(shape=list(precision.shape), sha256=digest, samples=precision.reshape(-1)[::STRIDE].tolist()))


def main():
    os.makedirs(OUT, exist_ok=True)
    made = [dict(name=name, about=about, dataset=data, results=results, useCats={str(u): expected(data, results, u) for u in (1, 0)}) for name, about, data, results in cases()]
    text = json.dumps(dict(stride=STRIDE, cases=made), separators=(",", ":")).encode()
    packed = gzip.compress(text, 9, mtime=0)
    with open(os.path.join(OUT, "cases.json.gz"), "wb") as f:
        f.write(packed)
    print(f"{len(made)} cases, {len(text)} bytes, {len(packed)} packed")


def large(folder):
    """5000 pictures of 80 classes with 100 detections each."""
    rng = np.random.default_rng(1)
    annotations, results = [], []
    for image in range(1, 5001):
        for _ in range(rng.integers(2, 13)):
            w, h = (rng.uniform(8, 300, 2)).tolist()
            x, y = rng.uniform(0, 340, 2).tolist()
            annotations.append(truth(len(annotations) + 1, image, int(rng.integers(1, 81)), [x, y, w, h], iscrowd=int(rng.random() < 0.01)))
            for _ in range(3):
                results.append(box(image, annotations[-1]["category_id"], (np.array([x, y, w, h]) + rng.normal(0, 0.05 * min(w, h), 4)).tolist(), score=float(rng.random())))
        while len(results) < image * 100:
            results.append(box(image, int(rng.integers(1, 81)), rng.uniform(1, 300, 4).tolist(), score=float(rng.random()) ** 2))
    data = dataset(annotations, range(1, 5001), range(1, 81))
    for name, value in (("dataset", data), ("results", results)):
        with open(os.path.join(folder, name + ".json"), "w", encoding="utf8") as f:
            json.dump(value, f)
    truths, found = loaded(data, results)
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(truths, found, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    print(json.dumps(dict(annotations=len(annotations), results=len(results), seconds=time.perf_counter() - start, stats=evaluation.stats.tolist())))


if __name__ == "__main__":
    large(sys.argv[2]) if sys.argv[1:2] == ["--large"] else main()
