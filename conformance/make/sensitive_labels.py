"""Labels that make average precision sensitive, made for that alone: they are not where anything is in the pictures. Needs numpy.

Most detections get a label of their class that they overlap by a hair more than one of COCO's thresholds, half of the time the
lowest; the others get none, and some labels have no detection. Boxes that move by two pixels, whichever way, fall below the
threshold of some of them. No detection overlaps any label of its class so nearly at a threshold that PIXELS could carry it
across, so that what rounding does to boxes changes nothing."""
import itertools

import numpy as np

from generator import uniform  # of test/golden/make

SEED = 44  # of 0 .. 99 the one with the greatest quotient of what mistakes change and what is allowed (detections.py, sensitivity)
PIXELS, SCORES = 0.1, 1e-3  # what the rule "detections" allows of boxes and scores
THRESHOLDS = np.linspace(0.5, 0.95, 10)
LABELLED, LOWEST, EXTRA = 0.7, 0.4, 6  # shares of the detections and of their labels; labels of nothing a picture
TRIES, DRAWS = 400, 1 << 17
MOST = 0.985  # labels overlap no more: a detection of its own box would bear no growing
GRID = 64  # coordinates are whole 64ths of a pixel, exact in float32
CORNERS = np.array(list(itertools.product((-PIXELS, PIXELS), repeat=4)))


def overlap(a, b):
    """Intersection over union of boxes [..., 4], corners."""
    low, high = np.maximum(a[..., :2], b[..., :2]), np.minimum(a[..., 2:], b[..., 2:])
    shared = np.clip(high - low, 0, None).prod(-1)
    area = lambda box: (box[..., 2:] - box[..., :2]).prod(-1)
    return shared / (area(a) + area(b) - shared)


def near_threshold(box, label):
    """Whether moving each side of the box by PIXELS, in or out, may carry its overlap across a threshold."""
    met = overlap(box + CORNERS, label)
    return bool(((THRESHOLDS >= met.min() - 1e-4) & (THRESHOLDS <= met.max() + 1e-4)).any())


class Draws:
    """Numbers of the generator, one after another."""

    def __init__(self, stream):
        self.numbers = iter(uniform(SEED, stream, DRAWS).tolist())

    def __call__(self, low=0.0, high=1.0):
        return low + next(self.numbers) * (high - low)


def whole(box):
    return np.round(np.asarray(box) * GRID) / GRID


def beside(box, draw):
    """A box that `box` overlaps by a little more than a threshold, or None: its sides moved into a drawn direction."""
    width, height = box[2:] - box[:2]
    threshold = THRESHOLDS[0] if draw() < LOWEST else THRESHOLDS[int(draw() * len(THRESHOLDS))]
    direction = np.array([draw(-1, 1) * side for side in (width, height, width, height)])
    # PIXELS on every side are about 2 PIXELS / side of overlap.
    wanted = threshold + 2 * PIXELS / min(width, height) * draw(1.2, 3)
    if wanted > MOST:
        return None
    low, high = 0.0, 0.5
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if overlap(box + direction * middle, box) > wanted else (low, middle)
    return whole(box + direction * low)


def sensitive_labels(picture, rows, size, classes):
    """Labels [n, 5] (x1, y1, x2, y2, class) for a picture's detections [m, 6] in float64; size of the picture in pixels."""
    draw, labels = Draws("labels." + picture), []
    fits = lambda label, kind: not any(row[5] == kind and near_threshold(row[:4], label) for row in rows)
    for row in rows:
        if draw() > LABELLED:
            continue
        tried = (beside(row[:4], draw) for _ in range(TRIES))
        label = next((t for t in tried if t is not None and fits(t, row[5])), None)
        if label is not None:
            labels.append([*label, row[5]])
    for _ in range(EXTRA):
        for _ in range(TRIES):
            width, height, kind = draw(20, 200), draw(20, 200), int(draw() * classes)
            x, y = draw(0, size - width), draw(0, size - height)
            label = whole([x, y, x + width, y + height])
            if fits(label, kind):
                labels.append([*label, kind])
                break
    return np.array(labels, np.float32)


def allowed(found, matched):
    """Detections by picture, moved as far as the rule allows, in many ways. `matched` tells for each threshold and each row, in
    order, whether it met a label: ranks change most where those that did lose score and the others gain, or the reverse."""
    draw = Draws("allowed")
    sign = lambda shape: np.array([1.0 if draw() < 0.5 else -1.0 for _ in range(int(np.prod(shape)))]).reshape(shape)
    for _ in range(50):
        yield {name: np.concatenate([rows[:, :4] + PIXELS * sign((len(rows), 4)), rows[:, 4:5] + SCORES * sign((len(rows), 1)), rows[:, 5:]], 1) for name, rows in found.items()}
    for met in matched:
        for way in (-1, 1):
            at, moved = 0, {}
            for name, rows in found.items():
                moved[name] = rows.copy()
                moved[name][:, 4] += np.where(met[at : at + len(rows)], way, -way) * SCORES
                at += len(rows)
            yield moved


def mistakes(found):
    """What average precision must show: (name, detections by picture)."""
    def boxes(change):
        return {name: np.concatenate([change(rows[:, :4]), rows[:, 4:]], 1) for name, rows in found.items()}

    def grown(by):
        return lambda b: np.concatenate([b[:, :2] - (b[:, 2:] - b[:, :2]) * (by - 1) / 2, b[:, 2:] + (b[:, 2:] - b[:, :2]) * (by - 1) / 2], 1)

    def column(i, change):
        return {name: np.concatenate([rows[:, :i], change(rows[:, i : i + 1]), rows[:, i + 1 :]], 1) for name, rows in found.items()}

    for by in (1.02, 0.98):
        yield f"coordinates times {by}", boxes(lambda b: b * by)
        yield f"boxes {by} times as large", boxes(grown(by))
    for x, y in ((2, 2), (2, 0), (0, 2), (-2, 0), (0, -2), (-2, -2), (2, -2), (-2, 2)):
        yield f"moved by {x}, {y}", boxes(lambda b: b + np.array([x, y, x, y]))
    yield "class + 1", column(5, lambda k: k + 1)
    yield "class - 1", column(5, lambda k: k - 1)
    yield "scores squared", column(4, np.square)
