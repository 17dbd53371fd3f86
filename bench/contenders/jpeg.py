"""Pillow (libjpeg-turbo) as jpeg.mjs does it: python jpeg.py FILE."""
import hashlib
import io
import json
import sys
import time

start = time.perf_counter()
import numpy as np
from PIL import Image

load_ms = (time.perf_counter() - start) * 1e3
data = open(sys.argv[1], "rb").read()
for _ in sys.stdin:
    begin = time.perf_counter()
    image = Image.open(io.BytesIO(data))
    pixels = np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    ms = (time.perf_counter() - begin) * 1e3
    print(json.dumps({"ms": ms, "loadMs": load_ms, "sha256": hashlib.sha256(pixels.tobytes()).hexdigest()}), flush=True)
