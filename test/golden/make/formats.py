"""Makes test/golden/formats: PNG, BMP, GIF and WebP files of every kind with what OpenCV and Pillow read from them.

    python test/golden/make/formats.py        # numpy, opencv-python (5, with GIF and WebP) and Pillow

png|bmp|gif|webp/NAME   the corpus, some tens of bytes to a few KB each
cases.json              for each: what it is, its upright size, and sha256 of its RGB bytes as read by
                        opencv   cv2.imdecode(IMREAD_COLOR); null where it refuses the file
                        pillow   Image.open, turned upright, convert("RGB"); only where it differs from opencv; null where
                                 it refuses the file
                        gap      the largest difference between the two, where both read it
"""
import hashlib
import io
import json
import pathlib
import struct
import zlib

import cv2
import numpy as np
from PIL import Image, ImageOps

import formats_bmp
import formats_gif
import images
from images import SAMPLES, exif, scan, smooth, write_png

SEED = 20240608
OUT = pathlib.Path(__file__).resolve().parents[1] / "formats"
META = {
    "command": "python test/golden/make/formats.py",
    "seed": SEED,
    "opencv": cv2.__version__,
    "pillow": Image.__version__,
    "numpy": np.__version__,
}
rng = np.random.default_rng(SEED)
KINDS = [(c, d) for c in SAMPLES for d in (1, 2, 4, 8, 16) if not (c == 3 and d == 16 or c in (2, 4, 6) and d < 8)]


def samples(h, w, colour, depth):
    """(h, w, n): slow waves with noise in the low bits."""
    n = SAMPLES[colour]
    base = np.concatenate([smooth(h, w), smooth(h, w, 2.0)[..., :1]], -1).astype(np.int64)[..., :n] * 257
    return np.clip(base + rng.integers(-700, 701, base.shape), 0, 65535) >> (16 - depth)


def palette(depth, colours=None):
    return b"PLTE", rng.integers(0, 256, (colours or 1 << depth) * 3, dtype=np.uint8).tobytes()


def plte(colour, depth):
    return [palette(depth)] if colour == 3 else []


def trns(colour, depth, s):
    if colour == 3:
        return b"tRNS", bytes(range(0, 256, 256 >> depth))[: 1 << depth]
    return b"tRNS", struct.pack(f">{SAMPLES[colour]}H", *(int(v) for v in s[1, 1]))


def png_with(s, colour, depth, raw, level=None, before=(), idats=None):
    """A PNG whose zlib stream is given: raw bytes and how to compress them, or the stream itself."""
    stream = level(raw) if level else raw
    head = images.SIGNATURE + images.chunk(
        b"IHDR", struct.pack(">IIBBBBB", s.shape[1], s.shape[0], depth, colour, 0, 0, 0)
    )
    body = b"".join(images.chunk(*c) for c in before)
    for part in idats or [slice(None)]:
        body += images.chunk(b"IDAT", stream[part])
    return head + body + images.chunk(b"IEND")


def deflate(level=9, bits=15, strategy=zlib.Z_DEFAULT_STRATEGY):
    def run(raw):
        z = zlib.compressobj(level, zlib.DEFLATED, bits, 9, strategy)
        return z.compress(raw) + z.flush()

    return run


def filtered(s, depth, kinds):
    """Scan lines with the given filters in turn."""
    h, w, n = s.shape
    step = max(1, n * depth // 8)
    above = bytes((w * n * depth + 7) // 8)
    out = b""
    for y in range(h):
        row = images.pack_row(s[y].reshape(-1), depth)
        out += images.filter_row(kinds[y % len(kinds)], row, above, step)
        above = row
    return out


def fctl(sequence, w, h, x=0, y=0):
    return b"fcTL", struct.pack(">IIIIIHHBB", sequence, w, h, x, y, 1, 10, 0, 0)


def animated(s, colour, depth, default_first):
    """Two frames; the default image is the first of them, or none."""
    h, w = s.shape[:2]
    before = [(b"acTL", struct.pack(">II", 2, 0)), *plte(colour, depth)] + [fctl(0, w, h)] * default_first
    after, sequence = [], int(default_first)
    for turned in [s[:, ::-1], s[::-1]][default_first:]:
        data = struct.pack(">I", sequence + 1) + zlib.compress(scan(turned, depth))
        after += [fctl(sequence, w, h), (b"fdAT", data)]
        sequence += 2
    return write_png(s, colour, depth, before=before, after=after)


def pngs():
    h, w = 11, 13
    for colour, depth in KINDS:
        for adam7 in (False, True):
            i = "-i" if adam7 else ""
            s = samples(h, w, colour, depth)
            extra = plte(colour, depth)
            yield f"c{colour}-d{depth}{i}", write_png(s, colour, depth, adam7, extra), "kind"
            if colour in (0, 2, 3):
                extra.append(trns(colour, depth, s))
                yield f"trns-c{colour}-d{depth}{i}", write_png(s, colour, depth, adam7, extra), "transparent colour"
    for colour, depth in [(2, 8), (0, 1), (3, 4), (4, 16)]:
        for sw, sh in [(1, 1), (2, 3), (3, 2), (5, 1), (1, 6), (4, 4), (8, 8), (9, 17)]:
            s = samples(sh, sw, colour, depth)
            name = f"size-{sw}x{sh}-c{colour}-d{depth}-i"
            yield name, write_png(s, colour, depth, True, plte(colour, depth)), "interlaced, passes that may be empty"
    for colour, depth in [(2, 8), (0, 2), (4, 8), (6, 16)]:
        s = samples(h, w, colour, depth)
        for kind in range(5):
            raw = filtered(s, depth, [kind])
            yield f"filter-{kind}-c{colour}-d{depth}", png_with(s, colour, depth, raw, deflate()), "one filter"
    s = samples(h, w, 6, 8)
    s[..., 0] = rng.integers(0, 256, (h, w))
    yield "filter-mixed", png_with(s, 6, 8, filtered(s, 8, [4, 3, 4, 1, 2, 0, 3]), deflate()), "filters on noise"
    edges = np.array([0, 1, 127, 128, 129, 255, 256, 257, 0x7F7F, 0x7F80, 0x7FFF, 0x8000, 0x80FF, 0xFE80, 0xFEFF, 0xFFFF])
    for colour in (0, 2, 4, 6):
        s = np.stack([np.roll(edges, k) for k in range(SAMPLES[colour])], -1).reshape(2, 8, -1)
        yield f"edges-c{colour}-d16", write_png(s, colour, 16), "16 bits that tell rounding from dropping"
    s = samples(h, w, 2, 8)
    raw = scan(s, 8)
    for name, level in [
        ("stored", deflate(0)),
        ("fixed", deflate(9, 15, zlib.Z_FIXED)),
        ("huffman", deflate(9, 15, zlib.Z_HUFFMAN_ONLY)),
        ("rle", deflate(9, 15, zlib.Z_RLE)),
        ("window-512", deflate(9, 9)),
        ("fast", deflate(1)),
    ]:
        yield f"deflate-{name}", png_with(s, 2, 8, raw, level), "ways to compress"
    z = zlib.compress(raw)
    each = [slice(i, i + 1) for i in range(len(z))]
    yield "idat-bytes", png_with(s, 2, 8, z, idats=each), "an IDAT chunk for each byte"
    gaps = [slice(0, 0), slice(0, 1), slice(1, 1), slice(1, None), slice(0, 0)]
    yield "idat-gaps", png_with(s, 2, 8, z, idats=gaps), "IDAT chunks of no bytes"
    yield "idat-surplus", png_with(s, 2, 8, z + b"more"), "bytes behind the zlib stream"
    yield "rows-surplus", png_with(s, 2, 8, zlib.compress(raw + bytes(90))), "more rows than the header says"
    icc = b"icc\0\0" + zlib.compress(bytes(128))
    for name, *chunks in [
        ("gama-1", (b"gAMA", struct.pack(">I", 100000))),
        ("gama-045", (b"gAMA", struct.pack(">I", 45455))),
        ("gama-chrm", (b"gAMA", struct.pack(">I", 55556)), (b"cHRM", struct.pack(">8I", *range(9000, 73000, 8000)))),
        ("srgb", (b"sRGB", b"\0")),
        ("iccp", (b"iCCP", icc)),
        ("cicp", (b"cICP", b"\x0c\x0d\0\1")),
        ("sbit", (b"sBIT", b"\5\6\5")),
        ("bkgd", (b"bKGD", struct.pack(">HHH", 200, 100, 50))),
        ("text", (b"tEXt", b"Title\0x"), (b"zTXt", b"Title\0\0" + zlib.compress(b"x")), (b"iTXt", b"T\0\0\0\0\0x")),
        ("hint", palette(4), (b"hIST", bytes(32)), (b"pHYs", struct.pack(">IIB", 1, 2, 0))),
        ("unknown", (b"vpAg", bytes(9)), (b"prVt", bytes(5))),
        ("profile-exif", (b"tEXt", b"Raw profile type exif\0\nexif\n      60\n" + (b"Exif\0\0" + exif(6)).hex().encode())),
    ]:
        yield f"chunk-{name}", write_png(s, 2, 8, False, chunks), "a chunk that changes no pixel"
    for colour, depth in [(0, 4), (0, 16), (3, 8), (4, 16), (6, 8)]:
        chunks = [(b"gAMA", struct.pack(">I", 220000)), *plte(colour, depth)]
        yield f"gama-c{colour}-d{depth}", write_png(samples(h, w, colour, depth), colour, depth, False, chunks), "gamma"
    yield "sbit-16", write_png(samples(h, w, 6, 16), 6, 16, False, [(b"sBIT", bytes([12, 12, 12, 12]))]), "12 of 16 bits"
    for depth in (1, 2, 4, 8):
        index = rng.integers(0, 1 << depth, (h, w, 1))
        less = max(1, (1 << depth) * 2 // 3)
        yield f"palette-short-d{depth}", write_png(index, 3, depth, False, [palette(depth, less)]), "indices past the palette"
    index = rng.integers(0, 3, (h, w, 1))
    yield "palette-one", write_png(index * 0, 3, 1, True, [palette(1, 1)]), "one colour"
    yield "palette-long", write_png(index, 3, 2, False, [palette(2, 4)]), "as many colours as indices"
    yield "rgba-hint", write_png(samples(h, w, 6, 8), 6, 8, False, [palette(8)]), "a palette beside RGBA"
    s = samples(7, 5, 2, 8)
    for o in range(1, 9):
        yield f"exif-{o}", write_png(s, 2, 8, o % 2 == 0, [(b"eXIf", exif(o))]), "orientation"
        yield f"exif-{o}-after", write_png(s, 2, 8, False, [], [(b"eXIf", exif(o, ">"))]), "orientation behind the pixels"
    for name, colour, depth in [("grey", 0, 1), ("palette", 3, 2), ("deep", 6, 16), ("grey-alpha", 4, 8)]:
        t = samples(7, 5, colour, depth)
        chunks = [*plte(colour, depth), (b"eXIf", exif(6))]
        yield f"exif-6-{name}", write_png(t, colour, depth, True, chunks), "orientation of other kinds"
    yield "exif-twice", write_png(s, 2, 8, False, [(b"eXIf", exif(6)), (b"eXIf", exif(3))]), "two orientations: the first"
    yield "exif-app1", write_png(s, 2, 8, False, [(b"eXIf", b"Exif\0\0" + exif(6))]), "JPEG's prefix: none"
    yield "exif-cut", write_png(s, 2, 8, False, [(b"eXIf", exif(6)[:20])]), "a directory that breaks off: none"
    for colour, depth in [(0, 8), (2, 8), (3, 8), (6, 8)]:
        yield f"animated-c{colour}-d{depth}", animated(samples(h, w, colour, depth), colour, depth, True), "APNG"
    # Where the default image is no frame OpenCV gives the first frame; of 16 bits a 255th.
    yield "still-c2-d8", animated(samples(h, w, 2, 8), 2, 8, False), "APNG whose default image is no frame"
    yield "animated-c2-d16", animated(samples(h, w, 2, 16), 2, 16, True), "APNG of 16 bits"


def riff_chunks(data):
    at, out = 12, []
    while at < len(data):
        size = struct.unpack("<I", data[at + 4 : at + 8])[0]
        out.append((data[at : at + 4], data[at + 8 : at + 8 + size]))
        at += 8 + size + (size & 1)
    return out


def riff(chunks):
    body = b"WEBP" + b"".join(k + struct.pack("<I", len(v)) + v + b"\0" * (len(v) & 1) for k, v in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webps():
    rgb = smooth(19, 27)
    rgb[5:12, 6:20] = [230, 30, 40]
    alpha = np.concatenate([rgb, (smooth(19, 27, 1.0)[..., :1])], -1)
    alpha[:3, :, 3] = 0

    def save(pixels, **options):
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, "WEBP", **options)
        return out.getvalue()

    yield "lossy", save(rgb, quality=80), "VP8"
    yield "lossy-low", save(rgb, quality=5), "VP8"
    yield "lossless", save(rgb, lossless=True), "VP8L"
    yield "lossy-alpha", save(alpha, quality=80), "VP8 with alpha: dropped"
    yield "lossless-alpha", save(alpha, lossless=True, exact=True), "VP8L with alpha: dropped"
    yield "lossless-1x1", save(rgb[:1, :1], lossless=True), "VP8L"
    for o in range(1, 9):
        block = exif(o, "<>"[o % 2])
        yield f"exif-{o}", save(rgb, quality=90, exif=(b"Exif\0\0" if o % 3 == 0 else b"") + block), "orientation"
    yield "iccp", save(rgb, quality=80, icc_profile=bytes(128)), "a profile: ignored"
    extended, pixels, block = riff_chunks(save(rgb, quality=90, exif=exif(6)))
    no_flag = extended[0], bytes([extended[1][0] & ~8]) + extended[1][1:]
    yield "exif-prefix", riff([extended, pixels, (b"EXIF", b"Exif\0\0" + block[1])]), "JPEG's prefix: none"
    yield "exif-unannounced", riff([no_flag, pixels, block]), "not announced: none"
    yield "exif-twice", riff([extended, pixels, block, (b"EXIF", exif(3))]), "two orientations: the first"
    yield "exif-odd", riff([extended, pixels, (b"note", b"abc"), block]), "a chunk of an odd length before it"
    yield "exif-early", riff([extended, block, pixels]), "orientation before the pixels"


def read_opencv(data):
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    return None if image is None else np.ascontiguousarray(image[..., ::-1])


def read_pillow(data):
    try:
        return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
    except (OSError, SyntaxError, ValueError, IndexError, struct.error):
        return None


def digest(pixels):
    return None if pixels is None else hashlib.sha256(pixels.tobytes()).hexdigest()


def main():
    cases, seen = [], {}
    for ending, source in [("png", pngs()), ("bmp", formats_bmp.bmps(rng)), ("gif", formats_gif.gifs(rng)), ("webp", webps())]:
        folder = OUT / ending
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        for name, data, what in source:
            first, other = read_opencv(data), read_pillow(data)
            size = first if first is not None else other
            assert f"{ending}/{name}" not in seen, name
            if size is None:
                print("left out, neither reads it:", name)
                continue
            seen[f"{ending}/{name}"] = True
            case = {"file": f"{ending}/{name}.{ending}", "what": what, "height": size.shape[0], "width": size.shape[1]}
            case["opencv"] = digest(first)
            if digest(other) != digest(first):
                case["pillow"] = digest(other)
                if first is not None and other is not None and first.shape == other.shape:
                    case["gap"] = int(np.abs(first.astype(int) - other).max())
                print("differ:", case["file"], "OpenCV" * (first is None), "Pillow" * (other is None), case.get("gap"))
            cases.append(case)
            (OUT / case["file"]).write_bytes(data)
    lines = ",\n".join(json.dumps(c) for c in cases)
    (OUT / "cases.json").write_text(f'{{"meta": {json.dumps(META)},\n"cases": [\n{lines}\n]}}\n')
    size = sum(f.stat().st_size for f in OUT.rglob("*") if f.is_file())
    print({e: sum(c["file"].startswith(e) for c in cases) for e in ("png", "bmp", "gif", "webp")}, size, "bytes")


if __name__ == "__main__":
    main()
