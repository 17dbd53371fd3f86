"""L4: picture files to the network's input, raw output to detections. Needs torch, numpy and cv2.

The files are those of test/golden/image/files (made by test/golden/make/images.py from generated pixels: no photograph).
Pictures of lossless files are exact; of JPEG files they are libjpeg-turbo's, and decoders differ by a few levels."""
import os

import cv2
import numpy as np
import torch

from casefile import ROOT, Case
from generator import uniform
from reference import postprocess

FILES = os.path.join(ROOT, "test", "golden", "image", "files")
SAMPLES = 1536
PICTURES = [
    ("c2-d8.png", (64, 96), "PNG, 8-bit RGB"),
    ("c2-d8-i.png", (64, 64), "PNG, RGB, interlaced"),
    ("c6-d8.png", (64, 96), "PNG, RGB with alpha: alpha is dropped, not blended"),
    ("c0-d8.png", (64, 64), "PNG, grey"),
    ("c3-d8.png", (64, 64), "PNG, palette"),
    ("c0-d1.png", (64, 64), "PNG, one bit"),
    ("exif-6.png", (96, 64), "PNG with EXIF orientation 6: turned"),
    ("tiny-1x1.jpg", (32, 64), "JPEG of one pixel, enlarged"),
    ("baseline-444.jpg", (64, 96), "JPEG, baseline, 4:4:4"),
    ("baseline-422.jpg", (64, 96), "JPEG, baseline, 4:2:2"),
    ("baseline-420.jpg", (96, 64), "JPEG, baseline, 4:2:0"),
    ("progressive-420.jpg", (64, 64), "JPEG, progressive, 4:2:0"),
    ("restart-444.jpg", (64, 64), "JPEG with restart markers"),
    ("grey.jpg", (64, 64), "JPEG, grey"),
    ("cmyk.jpg", (64, 64), "JPEG, CMYK of Adobe's kind"),
    ("exif-6-be.jpg", (96, 64), "JPEG with EXIF orientation 6: turned"),
    ("exif-3-le.jpg", (64, 96), "JPEG with EXIF orientation 3"),
    ("exif-5-le.jpg", (64, 96), "JPEG with EXIF orientation 5: transposed"),
]


def decoded(content):
    """(h, w, 3) uint8 RGB, turned upright, without alpha."""
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def to_input(rgb, size):
    """[1, 3, H, W] float32 in [0, 1]: stretched, never letterboxed."""
    if rgb.shape[:2] != size:
        rgb = cv2.resize(rgb, size[::-1], interpolation=cv2.INTER_LINEAR)
    return torch.from_numpy(np.ascontiguousarray(rgb)).permute(2, 0, 1)[None].contiguous().float() / 255


def picture_case(id, title, content, file, size, command):
    c = Case(id, title, {"kind": "preprocess", "size": list(size)}, command)
    c.give_bytes("picture", file, content)
    rgb = decoded(content)
    c.title += f"; {rgb.shape[1]}x{rgb.shape[0]} stretched to {size[1]}x{size[0]}"
    jpeg = file.endswith(".jpg")
    c.expect("images", to_input(rgb, size), None, "pixels-jpeg" if jpeg else "pixels-exact", samples=SAMPLES,
             conditioning="JPEG decoders differ: this is libjpeg-turbo's inverse DCT and upsampling" if jpeg else None)
    return c


def photo_like(height, width):
    """Smooth colours with noise and hard edges, so that resize kernels differ."""
    from generator import image

    rgb = (image(11, height, width)[0].transpose(1, 2, 0) * 255).round().astype(np.uint8)
    rgb[height // 3 : height // 3 + 2, :, 0] = 255
    rgb[:, width // 4 : width // 4 + 1, 2] = 0
    rgb[::7, ::5] = (250, 20, 130)
    return rgb


def cases(command):
    """All cases of L4."""
    for file, size, title in PICTURES:
        with open(os.path.join(FILES, file), "rb") as f:
            yield picture_case(f"L4/preprocess/{file.replace('.', '-')}", title, f.read(), file, size, command)
    for name, title, (h, w), size in [("shrink", "PNG, made smaller by 2.1 and 1.6: no antialiasing", (134, 151), (64, 96)), ("shrink-far", "PNG, made smaller fivefold", (160, 160), (32, 32)),
                                      ("enlarge", "PNG, enlarged threefold", (31, 22), (96, 64)), ("same", "PNG of the network's size: nothing is resampled", (64, 96), (64, 96)),
                                      ("half", "PNG, exactly halved", (64, 96), (32, 48))]:
        content = cv2.imencode(".png", photo_like(h, w)[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes()
        yield picture_case(f"L4/preprocess/{name}", title, content, f"{name}.png", size, command)

    def output(id, queries, classes, power):
        c = uniform(0, f"{id}:boxes", queries * 4).reshape(queries, 4)
        s = uniform(0, f"{id}:scores", queries * classes).reshape(queries, classes) ** power
        return torch.from_numpy(np.concatenate([c, s], 1).astype(np.float32))[None]

    def post(variant, title, y, height, width, conf=0.25, conditioning=None):
        c = Case(f"L4/postprocess/{variant}", title, {"kind": "postprocess", "conf": conf, "picture": [height, width]}, command)
        c.give_stored("output0", y)
        single, double = postprocess(y[0], height, width, conf), postprocess(y[0].double(), height, width, conf)
        assert single.shape == double.shape
        c.expect("detections", single, double, "detections", whole=1 << 20, conditioning=conditioning, noisy=False)
        return c

    yield post("square", "60 queries, 10 classes, 640x640; no clipping, no sorting, no suppression", output("square", 60, 10, 20), 640, 640)
    yield post("oblong", "height and width differ: 480x1280", output("oblong", 40, 6, 12), 480, 1280)
    yield post("high-conf", "threshold 0.9", output("high", 40, 6, 3), 720, 960, conf=0.9)
    yield post("none", "no score above the threshold: an empty result [0, 6]", output("none", 20, 6, 3), 640, 640, conf=0.9999)
    ties = output("ties", 12, 5, 30)
    ties[0, 0, 4:] = torch.tensor([0.1, 0.5, 0.5, 0.2, 0.5])  # of equal scores the first class
    ties[0, 1, 4:] = torch.tensor([0.25, 0.1, 0.0, 0.2, 0.25])  # not above the threshold
    ties[0, 2, 4:] = torch.tensor([0.0, float(np.nextafter(np.float32(0.25), np.float32(1))), 0, 0, 0])  # just above
    ties[0, 3] = torch.tensor([0.01, 0.99, 0.3, 0.4, 0.9, 0, 0, 0, 0])  # beyond the picture: kept as it is
    yield post("ties", "equal scores, a score at the threshold (dropped), a box beyond the picture (not clipped)", ties, 333, 517)
