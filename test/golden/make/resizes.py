"""Makes test/golden/image/resizes.json and inputs.json: what Pillow, torchvision and OpenCV make of pictures.

    python test/golden/make/resizes.py     # numpy, opencv-python, Pillow, torch and torchvision, on x86-64 with AVX2

resizes.json   sizes, and crc32 of the bytes that each resize gives of a picture which a test can make by itself (see `picture`);
               boxes on letterboxed inputs, and what they are on the picture
inputs.json    files of the corpora, and what each is as a network's input by each resize, stretched and letterboxed: the first
               16 digits of the sha256 of float32 [3, H, W]
null where the Python stack gives nothing, or nothing to go by (see `wrong`).

Pixels come from OpenCV: see jpeg.py for where Pillow's decoder gives others. Letterboxing follows Ultralytics: its arithmetic is
written out here, its package is not needed.
"""
import hashlib
import json
import pathlib
import zlib

import cv2
import numpy as np
import PIL
import torch
import torchvision
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

ROOT = pathlib.Path(__file__).resolve().parents[3]
OUT = ROOT / "test/golden/image"
META = {
    "command": "python test/golden/make/resizes.py",
    "opencv": cv2.__version__,
    "pillow": PIL.__version__,
    "torch": torch.__version__,
    "torchvision": torchvision.__version__.split("+")[0],
    "cpu": torch.backends.cpu.get_cpu_capability(),
}
RESIZES = [
    "opencv-linear",
    "pillow-bilinear",
    "pillow-bicubic",
    "torchvision-bilinear",
    "torchvision-bicubic",
    "torchvision-bilinear-no-antialias",
    "torchvision-bicubic-no-antialias",
    "torchvision-float-bilinear",
    "torchvision-float-bicubic",
    "torchvision-float-bilinear-no-antialias",
]
PAD = 114
# With one thread PyTorch takes another kernel for float bilinear without antialiasing, whose last bits differ.
torch.set_num_threads(2)


def wrong(name, h, w, oh, ow):
    """Where PyTorch is no oracle."""
    if (h, w) == (oh, ow) or not name.startswith("torchvision"):
        return False
    if name == "torchvision-float-bilinear-no-antialias":
        return oh + ow <= 128  # another kernel for small outputs, whose last bits differ
    if "float" in name:
        return ow == 1 and h != oh  # takes every row from the first
    return (oh, ow) == (1, 1)  # an internal assertion fails


def resize(rgb, oh, ow, name):
    """rgb (h, w, 3) uint8 -> (oh, ow, 3), uint8 or float32; None where PyTorch is no oracle."""
    h, w = rgb.shape[:2]
    if wrong(name, h, w, oh, ow):
        return None
    if name == "opencv-linear":
        return cv2.resize(rgb, (ow, oh), interpolation=cv2.INTER_LINEAR)
    cubic = "bicubic" in name
    if name.startswith("pillow"):
        filter = Image.Resampling.BICUBIC if cubic else Image.Resampling.BILINEAR
        return np.asarray(Image.fromarray(rgb).resize((ow, oh), filter))
    x = torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1)))
    if "float" in name:
        x = x.float() / 255
    mode = InterpolationMode.BICUBIC if cubic else InterpolationMode.BILINEAR
    y = F.resize(x, [oh, ow], mode, antialias="no-antialias" not in name)
    return y.permute(1, 2, 0).contiguous().numpy()


def frame(h, w, height, width):
    """Ultralytics' LetterBox(auto=False): top, left, and the picture's own height and width, in (height, width)."""
    gain = min(height / h, width / w)
    oh, ow = int(round(h * gain)), int(round(w * gain))
    top, left = (int(round(room / 2 - 0.1)) for room in (height - oh, width - ow))
    return top, left, oh, ow


def network_input(rgb, height, width, name, letterbox):
    """float32 [3, height, width]"""
    top, left, oh, ow = frame(*rgb.shape[:2], height, width) if letterbox else (0, 0, height, width)
    sized = resize(rgb, oh, ow, name)
    if sized is None:
        return None
    if sized.dtype == np.uint8:
        sized = (torch.from_numpy(sized.copy()).float() / 255).numpy()
    whole = np.full((height, width, 3), np.float32(PAD) / np.float32(255), np.float32)
    whole[top : top + oh, left : left + ow] = sized
    return np.ascontiguousarray(whole.transpose(2, 0, 1))


def scale_boxes(box, h, w, height, width):
    """Ultralytics' scale_boxes on one box, float32, with its clipping."""
    top, left, _, _ = frame(h, w, height, width)
    out = torch.tensor([box], dtype=torch.float32)
    out[..., [0, 2]] -= left
    out[..., [1, 3]] -= top
    out[..., :4] /= min(height / h, width / w)
    for i, most in enumerate((w, h, w, h)):
        out[..., i] = out[..., i].clamp(0, most)
    return out[0].tolist()


def picture(h, w, case, extreme):
    """The noise of images.py; black and white alone if extreme."""
    x = (np.arange(h * w * 3, dtype=np.uint64) * 2654435761 + case * 40503 + 1) & 0xFFFFFFFF
    for shift, factor in [(16, 0x7FEB352D), (15, 0x846CA68B)]:
        x = ((x ^ (x >> np.uint64(shift))) * factor) & 0xFFFFFFFF
    x = (x >> np.uint64(24)).astype(np.uint8).reshape(h, w, 3)
    return np.where(x > 127, 255, 0).astype(np.uint8) if extreme else x


SIZES = [  # in height, in width, out height, out width
    (31, 47, 31, 47), (1, 1, 70, 65), (1, 9, 90, 44), (9, 1, 44, 90), (13, 17, 39, 119), (64, 64, 64, 200), (64, 64, 200, 64),
    (97, 131, 160, 224), (97, 131, 58, 83), (97, 131, 131, 97), (200, 300, 66, 100), (300, 200, 37, 199), (333, 500, 320, 320),
    (427, 640, 640, 640), (720, 1280, 384, 640), (700, 1000, 23, 131), (2, 3, 128, 96), (3, 300, 96, 96), (301, 3, 96, 96),
    (235, 2, 73, 90), (1, 640, 320, 31), (150, 173, 20, 120), (150, 173, 140, 11), (501, 499, 100, 100), (480, 640, 479, 641),
    (50, 60, 1, 1), (40, 50, 60, 1), (640, 640, 320, 320), (12, 12, 36, 108),
]  # fmt: skip
JPEGS = """size-1x1-444 size-1x2-420 size-2x1-progressive size-3x3-422 size-16x15-440 size-17x17-420 size-31x66-422 size-33x17-411
size-65x63-progressive size-97x31-444 size-127x129-420 size-131x77-420 size-131x77-444 wide high grey grey-progressive rgb
cmyk-420 ycck-444 noise-100 quality-5 restart-5-420 script-deep-odd factors-4x2-1x1-2x1""".split()
PNGS = """c0-d1 c0-d2-i c0-d4 c0-d8 c0-d16 c2-d8 c2-d16-i c3-d1 c3-d2-i c3-d4 c3-d8 c4-d8 c4-d16 c6-d8 c6-d16-i trns-c0-d8
trns-c2-d16 trns-c3 tiny-1x1-i tiny-1x9-i tiny-8x1-i exif-3 exif-6 exif-8""".split()
FILES = (
    [f"examples/pictures/{name}.jpg" for name in ("wall", "coffee", "cat")]
    + [f"test/golden/jpeg/files/{name}.jpg" for name in JPEGS]
    + [f"test/golden/jpeg/files/orientation-{i}.jpg" for i in range(2, 9)]
    + [f"test/golden/image/files/{name}.png" for name in PNGS]
)
INPUTS = [(640, 640), (320, 320), (480, 640), (96, 160), (352, 224), (160, 608)]


def write(name, head, cases):
    rows = ",\n".join(" " + json.dumps(c) for c in cases)
    (OUT / name).write_text('{"meta": ' + json.dumps(META) + head + ',\n"cases": [\n' + rows + "\n]}\n")


def main():
    names = ',\n"resizes": ' + json.dumps(RESIZES)
    cases, nothing = [], 0
    for case, (h, w, oh, ow) in enumerate(SIZES):
        outs = [resize(picture(h, w, case, case % 3 == 1), oh, ow, name) for name in RESIZES]
        sums = [None if out is None else zlib.crc32(out.tobytes()) for out in outs]
        cases.append({"in": [h, w], "out": [oh, ow], "extreme": case % 3 == 1, "crc32": sums})
        nothing += sums.count(None)
    rng, boxes = np.random.default_rng(20241124), []
    for _ in range(40):
        h, w = (int(n) for n in np.exp(rng.uniform(np.log(20), np.log(4000), 2)))
        height, width = (int(n) * 32 for n in rng.integers(4, 24, 2))
        box = (rng.uniform(-0.1, 1.1, 4) * [width, height, width, height]).astype(np.float32).tolist()
        place = frame(h, w, height, width)
        if 0 in place[2:]:
            continue  # OpenCV refuses
        boxes.append({"image": [h, w], "size": [height, width], "frame": place, "box": box, "own": scale_boxes(box, h, w, height, width)})
    write("resizes.json", names + ',\n"boxes": [\n' + ",\n".join(" " + json.dumps(b) for b in boxes) + "\n]", cases)

    rows = []
    for i, file in enumerate(FILES):
        rgb = cv2.imdecode(np.frombuffer((ROOT / file).read_bytes(), np.uint8), cv2.IMREAD_COLOR)[..., ::-1].copy()
        height, width = INPUTS[i % len(INPUTS)]
        row = {"file": file, "size": [height, width]}
        for key in ("stretched", "letterboxed"):
            made = [network_input(rgb, height, width, name, key == "letterboxed") for name in RESIZES]
            row[key] = [None if x is None else hashlib.sha256(x.tobytes()).hexdigest()[:16] for x in made]
            nothing += row[key].count(None)
        rows.append(row)
    write("inputs.json", names, rows)
    print(f"{len(cases)} sizes, {len(boxes)} boxes, {len(rows)} files, {len(RESIZES)} resizes; without an answer: {nothing}")


main()
