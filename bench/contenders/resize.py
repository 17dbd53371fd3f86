"""Resizes by their names, on one thread: python resize.py FILE HEIGHT WIDTH, then a name a line on standard input."""
import hashlib
import json
import sys
import time

import cv2
import numpy as np
import torch
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

torch.set_num_threads(1)
cv2.setNumThreads(1)
file, height, width = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
rgb = np.ascontiguousarray(cv2.imread(file)[..., ::-1])
picture = Image.fromarray(rgb)
tensor = torch.from_numpy(rgb).permute(2, 0, 1).contiguous()
for line in sys.stdin:
    name = line.strip()
    cubic = "bicubic" in name
    begin = time.perf_counter()
    if name == "opencv-linear":
        out = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_LINEAR)
    elif name.startswith("pillow"):
        out = picture.resize((width, height), Image.Resampling.BICUBIC if cubic else Image.Resampling.BILINEAR)
    else:
        mode = InterpolationMode.BICUBIC if cubic else InterpolationMode.BILINEAR
        source = tensor.float() / 255 if "float" in name else tensor
        out = F.resize(source, [height, width], mode, antialias="no-antialias" not in name)
    ms = (time.perf_counter() - begin) * 1e3
    array = out.permute(1, 2, 0).numpy() if isinstance(out, torch.Tensor) else np.asarray(out)
    print(json.dumps({"ms": ms, "sha256": hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()}), flush=True)
