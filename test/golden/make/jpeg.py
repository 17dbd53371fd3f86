"""Makes test/golden/jpeg: JPEG files of every kind with what OpenCV and Pillow read from them.

    python test/golden/make/jpeg.py        # numpy, opencv-python and Pillow, both on libjpeg-turbo 3.1

files/NAME.jpg   the corpus, a few hundred bytes to a few KB each
cases.json       for each: what it is, its upright size, and sha256 of its RGB bytes as read by
                 opencv   cv2.imdecode(IMREAD_COLOR); null where it refuses the file
                 pillow   Image.open, turned upright, convert("RGB"); only where it differs from opencv
                 filled   cv2.imdecode of the file with an end marker put behind it: what libjpeg makes of a file that breaks
                          off; only for damaged files
pixels/NAME.png  the pixels themselves, for a few
"""
import hashlib
import io
import json
import pathlib
import struct

import cv2
import numpy as np
from PIL import Image, ImageFile, ImageOps, features

import jpeg_encoder as enc
from jpeg_encoder import segment

SEED = 20240607
OUT = pathlib.Path(__file__).resolve().parents[1] / "jpeg"
META = {
    "command": "python test/golden/make/jpeg.py",
    "seed": SEED,
    "opencv": cv2.__version__,
    "pillow": f"{Image.__version__} with libjpeg-turbo {features.version('libjpeg_turbo')}",
    "numpy": np.__version__,
}
PIXELS = ["size-33x17-420", "progressive-cut-2", "cmyk-420", "factors-4x2-1x1-2x1", "wild-coefficients"]
rng = np.random.default_rng(SEED)


def picture(h, w, seed=0):
    """(h, w, 3) uint8: slow colours, sharp patches, and noise in one corner."""
    y, x = np.mgrid[0:h, 0:w] / np.array([max(h, 2), max(w, 2)]).reshape(2, 1, 1)
    waves = [np.sin(5 * x + 2 * y + seed), np.cos(1.5 * x - 6 * y + seed), np.sin(3 * (x + y) + seed)]
    out = np.rint(127.5 + 120 * np.stack(waves, -1)).astype(np.uint8)
    out[h // 5 : h // 2, w // 5 : w // 2] = [230, 30, 40]
    out[h // 3 : h * 3 // 4, w // 2 : w * 4 // 5] = [20, 60, 220]
    noise = np.random.default_rng(seed).integers(0, 256, (h - h * 3 // 4, w - w * 3 // 4, 3))
    out[h * 3 // 4 :, w * 3 // 4 :] = noise
    return out


def with_segments(jpeg, *segments):
    """Puts segments right behind the start of image."""
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def exif(orientation, order):
    """APP1 with a TIFF block of one entry; order "<" or ">"."""
    tiff = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, 1)
    entry = struct.pack(order + "HHIHHI", 0x112, 3, 1, orientation, 0, 0)
    return segment(0xE1, b"Exif\0\0" + tiff + entry)


def pil(rgb, mode=None, **options):
    image = Image.fromarray(rgb)
    out = io.BytesIO()
    (image.convert(mode) if mode else image).save(out, "JPEG", **{"quality": 85, "subsampling": 0, **options})
    return out.getvalue()


def cv(rgb, *flags):
    return cv2.imencode(".jpg", rgb[..., ::-1], list(flags))[1].tobytes()


def cv_sampled(rgb, name, quality=85, *flags):
    factor = getattr(cv2, f"IMWRITE_JPEG_SAMPLING_FACTOR_{name}")
    return cv(rgb, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor, cv2.IMWRITE_JPEG_QUALITY, quality, *flags)


def planes(width, height, factors, seed=0):
    """Components of a picture, each at its own size."""
    max_h, max_v = max(f[0] for f in factors), max(f[1] for f in factors)
    rgb = picture(height, width, seed)
    full = np.dstack([cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb)[..., [0, 2, 1]], rgb[..., 0]])
    out = []
    for i, (h, v) in enumerate(factors):
        size = (-(-width * h // max_h), -(-height * v // max_v))
        out.append(cv2.resize(full[..., i].copy(), size, interpolation=cv2.INTER_AREA))
    return out


def frame(width, height, factors, seed=0, **more):
    return enc.Frame(width, height, planes(width, height, factors, seed), factors, **more)


DC = lambda parts, high=0, low=0: (parts, 0, 0, high, low)
SCRIPTS = {
    "spectral": [DC([0, 1, 2])] + [([c], a, b, 0, 0) for c in range(3) for a, b in [(1, 5), (6, 63)]],
    "dc-alone": [DC([c]) for c in range(3)] + [([c], 1, 63, 0, 0) for c in range(3)],
    "deep": [DC([0, 1, 2], 0, 2), DC([0, 1, 2], 2, 1), DC([0, 1, 2], 1, 0)]
    + [([c], 1, 63, h, l) for h, l in [(0, 3), (3, 2), (2, 1), (1, 0)] for c in range(3)],
    "bands": [DC([0, 2]), DC([1])] + [([c], a, a + 8, 0, 1) for a in range(1, 63, 9) for c in range(3)]
    + [([c], 1, 63, 1, 0) for c in (2, 1, 0)],
    "one-each": [DC([0, 1, 2], 0, 1)] + [([0], k, k, 0, 0) for k in range(1, 64)] + [([1], 1, 63, 0, 0), ([2], 1, 63, 0, 2)]
    + [DC([0], 1, 0), DC([1, 2], 1, 0)],
    "dc-only": [DC([0, 1, 2])],
    "dc-shifted": [DC([0, 1, 2], 0, 3)],
    "first-ac": [DC([0, 1, 2]), ([0], 1, 5, 0, 2), ([1], 1, 63, 0, 0)],
    "no-chroma-ac": [DC([0, 1, 2], 0, 1), ([0], 1, 63, 0, 1), ([0], 1, 63, 1, 0)],
}


def well_formed():
    sizes = [(1, 1), (2, 1), (1, 2), (3, 3), (4, 5), (5, 4), (7, 8), (8, 8), (9, 9), (15, 16), (16, 15), (17, 17), (33, 17)]
    sizes += [(31, 66), (64, 64), (65, 63), (97, 31), (127, 129), (131, 77)]
    for i, (w, h) in enumerate(sizes):
        rgb = picture(h, w, i)
        for name, sampling in [("444", 0), ("422", 1), ("420", 2)]:
            yield f"size-{w}x{h}-{name}", pil(rgb, subsampling=sampling), "near the edges of blocks and units"
        if w < 70:
            yield f"size-{w}x{h}-440", cv_sampled(rgb, "440"), "twice as high"
            yield f"size-{w}x{h}-411", cv_sampled(rgb, "411"), "four times as wide"
            yield f"size-{w}x{h}-progressive", pil(rgb, subsampling=2, progressive=True), "4:2:0, progressive"
    yield "wide", pil(picture(9, 301), subsampling=2), "301 x 9"
    yield "high", pil(picture(307, 5), subsampling=2), "5 x 307"
    rgb = picture(52, 70, 3)
    for q in (1, 5, 20, 50, 75, 95, 100):
        yield f"quality-{q}", pil(rgb, quality=q, subsampling=2), f"4:2:0 at quality {q}"
    noise = rng.integers(0, 256, (48, 56, 3)).astype(np.uint8)
    yield "noise-100", pil(noise, quality=100), "noise at quality 100: long codes"
    yield "noise-100-420", pil(noise, quality=100, subsampling=2), "the same, 4:2:0"
    yield "flat", pil(np.full((40, 40, 3), 77, np.uint8), subsampling=2), "blocks of one coefficient"
    for name, sampling in [("444", 0), ("422", 1), ("420", 2)]:
        yield f"optimised-{name}", pil(rgb, subsampling=sampling, optimize=True), "tables made for the file"
        yield f"progressive-{name}", pil(rgb, subsampling=sampling, progressive=True), "libjpeg's own script"
    for name in ("440", "411"):
        data = cv_sampled(rgb, name, 85, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
        yield f"progressive-{name}", data, "libjpeg's own script"
    for n in (1, 2, 5, 7):
        yield f"restart-{n}-420", pil(rgb, subsampling=2, restart_marker_blocks=n), f"restarts every {n} units"
        yield f"restart-{n}-progressive", pil(rgb, subsampling=2, progressive=True, restart_marker_blocks=n), "the same"
    yield "restart-rows", pil(rgb, subsampling=2, restart_marker_rows=1), "restarts every row of units"
    yield "grey", pil(rgb, "L"), "one component"
    yield "grey-progressive", pil(rgb, "L", progressive=True), "one component, progressive"
    yield "grey-restart", pil(rgb, "L", restart_marker_blocks=4), "one component, restarts that do not divide the rows"
    # Four components and RGB.
    four = np.dstack([rgb, picture(52, 70, 9)[..., 0] // 2 + 120])
    for name, sampling in [("444", 0), ("420", 2)]:
        data = pil_four(four, subsampling=sampling)
        yield f"cmyk-{name}", data, "four components, Adobe transform 0"
        at = data.index(b"Adobe") + 11
        yield f"ycck-{name}", data[:at] + b"\2" + data[at + 1 :], "the same bytes declared YCCK"
        yield f"cmyk-bare-{name}", drop(data, 0xEE), "without Adobe's segment"
    yield "cmyk-progressive", pil_four(four, progressive=True), "progressive"
    yield "ycck-odd", write_four(frame(45, 29, [(2, 2), (1, 1), (1, 1), (2, 2)])), "YCCK, chroma at half size, black at full"
    yield "rgb", pil(rgb, keep_rgb=True), "RGB, Adobe transform 0"
    yield "rgb-ids", drop(pil(rgb, keep_rgb=True), 0xEE), "RGB by component numbers"
    yield "rgb-subsampled", enc.write(frame(45, 29, [(2, 2), (1, 1), (2, 1)], ids=[82, 71, 66]), [[0, 1, 2]], head=b""), "RGB"
    yield "strange-ids", enc.write(frame(45, 29, [(2, 2), (1, 1), (1, 1)], ids=[0, 200, 7]), [[0, 1, 2]], head=b""), "YCbCr"
    adobe = lambda t: segment(0xEE, b"Adobe\0\x64" + bytes(4) + bytes([t]))
    for t in (0, 1, 2, 7):
        yield f"adobe-{t}", with_segments(drop(pil(rgb), 0xE0), adobe(t)), f"three components, Adobe transform {t}"
    yield "jfif-adobe-0", with_segments(pil(rgb), adobe(0)), "JFIF and Adobe at odds: JFIF wins"
    # Sampling factors of our own writer.
    odd = [
        [(2, 2), (1, 1), (1, 1)], [(2, 1), (1, 1), (1, 1)], [(1, 2), (1, 1), (1, 1)], [(4, 1), (1, 1), (1, 1)],
        [(1, 4), (1, 1), (1, 1)], [(4, 2), (1, 1), (2, 1)], [(2, 4), (1, 1), (1, 2)], [(3, 1), (1, 1), (1, 1)],
        [(1, 3), (1, 1), (1, 1)], [(3, 2), (1, 1), (1, 2)], [(2, 2), (2, 1), (1, 2)], [(2, 2), (1, 2), (2, 1)],
        [(1, 1), (2, 2), (1, 1)], [(1, 1), (1, 1), (2, 2)], [(2, 1), (1, 2), (1, 1)], [(2, 2), (2, 2), (1, 1)],
        [(1, 2), (2, 1), (2, 2)], [(2, 2), (2, 2), (2, 2)],
    ]
    for factors in odd:
        name = "-".join(f"{h}x{v}" for h, v in factors)
        one = sum(h * v for h, v in factors) <= 10
        for w, h in [(61, 43), (17, 35)]:
            f = frame(w, h, factors, seed=w)
            scans = [[0, 1, 2]] if one else [[0], [1], [2]]
            yield f"factors-{name}" + ("" if w == 61 else "-small"), enc.write(f, scans), "sampling factors by hand"
    for v in (1, 2, 3, 4):
        yield f"grey-{v}x{v}", enc.write(frame(43, 61, [(v, v)]), [[0]]), "factors of one component mean nothing"
    f = frame(61, 43, [(2, 2), (1, 1), (1, 1)])
    for name, scans in [("alone", [[0], [1], [2]]), ("mixed", [[0], [1, 2]]), ("turned", [[2, 1], [0]])]:
        yield f"scans-{name}", enc.write(f, scans), "sequential, components by scan"
        yield f"scans-{name}-restart", enc.write(f, scans, restart=5), "the same with restarts"
    for name, script in SCRIPTS.items():
        for factors, tag in [([(2, 2), (1, 1), (1, 1)], ""), ([(1, 1), (2, 1), (1, 2)], "-odd")]:
            yield f"script-{name}{tag}", enc.write(frame(77, 57, factors), script, True), f"progressive script: {name}"
        yield f"script-{name}-restart", enc.write(f, script, True, restart=4), "the same with restarts"
    for v, h in [(2, 17), (3, 57), (4, 75)]:
        data = enc.write(frame(29, h, [(1, v)]), [([0], 0, 0, 0, 1), ([0], 1, 3, 0, 1)], True)
        yield f"smooth-grey-{v}", data, "estimated coefficients, last strip not full"
    yield "smooth-narrow", enc.write(frame(6, 70, [(2, 2), (1, 1), (1, 1)]), SCRIPTS["dc-only"], True), "one column"
    yield "smooth-low", enc.write(frame(70, 6, [(1, 1)] * 3), SCRIPTS["first-ac"], True), "one row"
    # Tables.
    fine = [np.full(64, 1), np.full(64, 2), np.full(64, 3)]
    dc16, ac16 = enc.flat_table(range(16)), enc.flat_table([r << 4 | s for r in range(16) for s in range(16)])
    big = enc.write(frame(61, 43, [(1, 1)] * 3, steps=fine), [[0, 1, 2]], wide=True, ac=ac16)
    yield "steps-16-bit", big, "quantisation tables of 16-bit steps"
    yield "steps-large", enc.write(frame(61, 43, [(1, 1)] * 3, steps=[enc.LUMA * 9] * 3), [[0, 1, 2]]), "steps above 255"
    yield "codes-long", enc.write(frame(40, 40, [(1, 1)], steps=[np.full(64, 40)]), [[0]], ac=skewed()), "codes of 16 bits"
    for n, name in enumerate(["wild-coefficients", "wild-coefficients-2", "wild-sparse"]):
        r = np.random.default_rng(n)
        blocks = r.integers(-32767, 32768, (5, 6, 64)) if n < 2 else r.choice([0, 0, 0, 0, 0, 0, 32767, -32768 + 1], (5, 6, 64))
        blocks[..., 0] = r.integers(-16000, 16000, (5, 6))
        blocks[0, 1:, 1:], blocks[1, 1:, 10:] = 0, 0
        steps = [r.integers(1, 65536 if n == 1 else 256, 64)]
        f = enc.Frame(48, 40, None, [(1, 1)], steps=steps, coefficients=[blocks])
        yield name, enc.write(f, [[0]], dc=dc16, ac=ac16), "coefficients that overflow 16 bits"
    yield "no-huffman", drop(pil(rgb, subsampling=2), 0xC4), "no Huffman tables: those of the standard"
    # Segments.
    junk = [segment(0xE0 + i, rng.integers(0, 256, 20 + 9 * i).astype(np.uint8).tobytes()) for i in range(2, 14)]
    yield "segments", with_segments(pil(rgb), *junk), "APP2 to APP13 of noise"
    yield "thumbnail", with_segments(pil(rgb), segment(0xE1, exif(1, "<")[4:] + pil(picture(8, 8)))), "a JPEG inside a segment"
    yield "comment", with_segments(pil(rgb), segment(0xFE, b"\xff\xd9\xff\xd8\xff\xda" * 20)), "markers inside a comment"
    data = pil(rgb)
    at = data.index(b"\xff\xdb")
    yield "fill-bytes", data[:at] + b"\xff" * 5 + data[at:-2] + b"\xff" * 3 + data[-2:], "fill bytes before markers"
    yield "garbage-between", data[:at] + b"garbage" + data[at:], "bytes between segments"
    yield "garbage-behind", data + rng.integers(0, 256, 300).astype(np.uint8).tobytes(), "bytes behind the end"
    yield "two-pictures", data + pil(picture(20, 20)), "another picture behind the end"
    tail = data[:-2] + bytes(rng.integers(0, 255, 40).astype(np.uint8)) + data[-2:]
    yield "surplus-data", tail, "coded data behind the last block"
    yield "scan-again", data[:-2] + data[data.index(b"\xff\xda") :], "the only scan twice: the second is not read"
    two = enc.write(frame(61, 43, [(1, 1)] * 3), [[0], [1], [2], [1]])
    yield "component-again", two, "a component in two scans"
    for o in range(1, 9):
        yield f"orientation-{o}", with_segments(pil(picture(19, 30, 2), subsampling=2), exif(o, "<>"[o % 2])), "EXIF"
    yield "gentle", pil(cv2.GaussianBlur(picture(150, 200, 5), (0, 0), 3), subsampling=2, quality=90), "like a photograph"
    data = pil(cv2.GaussianBlur(picture(150, 200, 6), (0, 0), 3), subsampling=2, quality=90, progressive=True)
    yield "gentle-progressive", data, "like a photograph"


def damaged():
    rgb = picture(60, 90, 4)
    kinds = {
        "baseline": pil(rgb, subsampling=2),
        "restart": pil(rgb, subsampling=2, restart_marker_blocks=4),
        "grey": pil(rgb, "L"),
        "progressive": pil(rgb, subsampling=2, progressive=True),
        "restart-progressive": pil(rgb, progressive=True, restart_marker_blocks=6),
        "alone": enc.write(frame(61, 43, [(2, 1), (1, 1), (1, 1)]), [[0], [1], [2]], restart=8),
        "deep": enc.write(frame(77, 57, [(2, 2), (1, 1), (1, 1)]), SCRIPTS["deep"], True),
    }
    for name, data in kinds.items():
        start = data.index(b"\xff\xda") + 14
        for i, part in enumerate([0.05, 0.4, 0.7, 0.97]):
            yield f"{name}-cut-{i}", data[: start + int((len(data) - start) * part)], f"cut off at {part:.0%} of its data"
        for i in range(6):
            r = np.random.default_rng(100 * i + len(data))
            bad = bytearray(data)
            for at in r.integers(start, len(data) - 2, [1, 1, 2, 3, 8, 20][i]):
                bad[at] = [int(r.integers(0, 256)), 0xFF][int(r.integers(0, 5) == 0)]
            yield f"{name}-bad-{i}", bytes(bad), "bytes of its data changed"
    for i, (a, b) in enumerate([(0xD1, 0xD3), (0xD2, 0xD1), (0xD0, 0xD7), (0xD3, 0xD0)]):
        yield f"restart-wrong-{i}", kinds["restart"].replace(bytes([255, a]), bytes([255, b]), 1), "a restart of another number"
    at = kinds["restart"].index(b"\xff\xd2")
    yield "restart-missing", kinds["restart"][:at] + kinds["restart"][at + 2 :], "a restart marker taken out"
    at2 = kinds["restart"].index(b"\xff\xd4")
    yield "restart-jump", kinds["restart"][:at] + kinds["restart"][at2:], "two segments taken out"


def pil_four(four, **options):
    out = io.BytesIO()
    Image.fromarray(four, "CMYK").save(out, "JPEG", **{"quality": 90, **options})
    return out.getvalue()


def write_four(f):
    return enc.write(f, [[0, 1, 2, 3]], head=segment(0xEE, b"Adobe\0\x64" + bytes(4) + b"\2"))


def skewed():
    """Codes of 1 to 7 bits for what is rare, of 16 for the rest."""
    symbols = [r << 4 | s for r in range(16) for s in range(11)]
    return enc.skewed_table(symbols[::-1])


def drop(data, marker):
    while (at := data.find(bytes([0xFF, marker]))) >= 0:
        data = data[:at] + data[at + 2 + data[at + 2] * 256 + data[at + 3] :]
    return data


def read_opencv(data):
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return None if image is None else np.ascontiguousarray(image[..., ::-1])


def read_pillow(data, truncated):
    ImageFile.LOAD_TRUNCATED_IMAGES = truncated
    try:
        image = Image.open(io.BytesIO(data))
        image.load()
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except (OSError, SyntaxError):
        return None


def digest(pixels):
    return None if pixels is None else hashlib.sha256(pixels.tobytes()).hexdigest()


def main():
    for folder in ("files", "pixels"):
        (OUT / folder).mkdir(parents=True, exist_ok=True)
        for old in (OUT / folder).iterdir():
            old.unlink()
    cases, agree, pixels = [], 0, {}
    for broken, files in [(False, well_formed()), (True, damaged())]:
        for name, data, what in files:
            seen, other = read_opencv(data), read_pillow(data, broken)
            case = {"file": f"{name}.jpg", "what": what}
            best = seen
            if broken:
                best = read_opencv(data + enc.EOI)
                if best is None:
                    print("left out, libjpeg refuses it:", name)
                    continue
                case["filled"] = digest(best)
            assert best is not None, name
            case |= {"height": best.shape[0], "width": best.shape[1], "opencv": digest(seen)}
            if digest(other) == digest(best):
                agree += 1
            else:
                case["pillow"] = digest(other)
                gap = None if other is None else int(np.abs(other.astype(int) - best).max())
                print("Pillow differs:", name, gap)
            cases.append(case)
            (OUT / "files" / case["file"]).write_bytes(data)
            if name in PIXELS:
                Image.fromarray(best).save(OUT / "pixels" / f"{name}.png", optimize=True)
    lines = ",\n".join(json.dumps(c) for c in cases)
    (OUT / "cases.json").write_text(f'{{"meta": {json.dumps(META)},\n"cases": [\n{lines}\n]}}\n')
    size = sum(f.stat().st_size for f in OUT.rglob("*") if f.is_file())
    print(f"{len(cases)} files, {size} bytes; Pillow equals OpenCV in {agree}")


if __name__ == "__main__":
    main()
