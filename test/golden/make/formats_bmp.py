"""BMP files of every kind for formats.py, written byte by byte: no library writes most of them."""
import struct

import numpy as np

from images import smooth

RGB, RLE8, RLE4, FIELDS, ALPHA_FIELDS = 0, 1, 2, 3, 6


def header(size, w, h, bits, compression=RGB, used=0, masks=()):
    """The information header: 12 (core), 40, 52, 56 (with masks), 64 (OS/2 2), 108 (V4), 124 (V5)."""
    if size == 12:
        return struct.pack("<IHHHH", 12, w, h, 1, bits)
    out = struct.pack("<IiiHHIIiiII", size, w, h, 1, bits, compression, 0, 2835, 2835, used, 0)
    if size >= 52 and size != 64:
        out += b"".join(struct.pack("<I", m) for m in masks)
    return out.ljust(size, b"\0")


def bmp(head, table, pixels, gap=b""):
    offset = 14 + len(head) + len(table) + len(gap)
    return b"BM" + struct.pack("<IHHI", offset + len(pixels), 0, 0, offset) + head + table + gap + pixels


def rows(packed):
    """Rows (h, bytes) from the bottom, padded to four bytes."""
    return b"".join(bytes(r).ljust((len(r) + 3) & -4, b"\xaa") for r in packed[::-1])


def pack(index, bits):
    if bits == 8:
        return [r.tobytes() for r in index.astype(np.uint8)]
    per = 8 // bits
    padded = np.pad(index, ((0, 0), (0, -index.shape[1] % per))).astype(np.uint8)
    shifts = np.arange(per - 1, -1, -1, dtype=np.uint8) * bits
    return [(r.reshape(-1, per) << shifts).sum(1).astype(np.uint8).tobytes() for r in padded]


def words(values, kind):
    return [r.astype(kind).tobytes() for r in values]


def rle8(index, absolute=False):
    """Runs, or stretches as they stand where they are longer than two."""
    out = b""
    for row in index[::-1]:
        at = 0
        while at < len(row):
            n = 1
            while at + n < len(row) and n < 255 and row[at + n] == row[at]:
                n += 1
            if absolute and len(row) - at > 2 and n < 3:
                n = min(len(row) - at, 5)
                out += bytes([0, n, *row[at : at + n]]) + b"\0" * (n & 1)
            else:
                out += bytes([n, row[at]])
            at += n
        out += b"\0\0"
    return out[:-2] + b"\0\1"


def rle4(index, absolute=False):
    out = b""
    for row in index[::-1]:
        for at in range(0, len(row), 7):
            part = [int(v) for v in row[at : at + 7]]
            if absolute and len(part) > 2:
                packed = bytes(a << 4 | b for a, b in zip(part[::2], part[1::2] + [0]))
                out += bytes([0, len(part)]) + packed + b"\0" * (len(packed) & 1)
            else:
                pairs = [part[i : i + 2] for i in range(0, len(part), 2)]
                out += b"".join(bytes([len(p), p[0] << 4 | p[-1]]) for p in pairs)
        out += b"\0\0"
    return out[:-2] + b"\0\1"


def bmps(rng):
    h, w = 9, 13
    rgb = smooth(h, w)
    bgr = [r[:, ::-1].tobytes() for r in rgb]

    def table(n, extra=True):
        colours = rng.integers(0, 256, (n, 3), dtype=np.uint8)
        return b"".join(bytes(c) + b"\x7f" * extra for c in colours)

    def indices(bits, height=h, width=w):
        slow = np.add.outer(np.arange(height) // 2, np.arange(width) // 3)
        return (slow * 5 + rng.integers(0, 2, (height, width))) % (1 << bits)

    for bits in (1, 4, 8):
        index = indices(bits)
        n = 1 << bits
        yield f"p{bits}", bmp(header(40, w, h, bits), table(n), rows(pack(index, bits))), "palette"
        yield f"p{bits}-core", bmp(header(12, w, h, bits), table(n, False), rows(pack(index, bits))), "OS/2 core header"
        down = rows(pack(index[::-1], bits))
        yield f"p{bits}-down", bmp(header(40, w, -h, bits), table(n), down), "top-down"
        for width in (1, 7, 8, 9):
            part = index[:3, :width]
            name = f"p{bits}-w{width}"
            yield name, bmp(header(40, part.shape[1], 3, bits), table(n), rows(pack(part, bits))), "row ends"
    index = indices(8)
    grey = b"".join(bytes([v, v, v, 0]) for v in range(256))
    yield "p8-grey", bmp(header(40, w, h, 8), grey, rows(pack(index, 8))), "a grey palette"
    yield "p1-white-first", bmp(header(40, w, h, 1), b"\xff\xff\xff\0\0\0\0\0", rows(pack(indices(1), 1))), "1 is black"
    yield "p8-used", bmp(header(40, w, h, 8, used=100), table(100), rows(pack(index % 100, 8))), "100 colours"
    yield "p8-short", bmp(header(40, w, h, 8, used=20), table(20), rows(pack(index, 8))), "indices past the palette"
    yield "p4-os2", bmp(header(64, w, h, 4), table(16), rows(pack(indices(4), 4))), "OS/2 2 header"
    yield "p8-v4", bmp(header(108, w, h, 8), table(256), rows(pack(index, 8))), "V4 header"
    yield "p8-v5", bmp(header(124, w, h, 8), table(256), rows(pack(index, 8))), "V5 header"
    yield "p8-gap", bmp(header(40, w, h, 8), table(256), rows(pack(index, 8)), b"gap" * 5), "bytes before the pixels"

    yield "rgb24", bmp(header(40, w, h, 24), b"", rows(bgr)), "24 bits"
    yield "rgb24-down", bmp(header(40, w, -h, 24), b"", rows(bgr[::-1])), "top-down"
    yield "rgb24-core", bmp(header(12, w, h, 24), b"", rows(bgr)), "OS/2 core header"
    yield "rgb24-v5", bmp(header(124, w, h, 24), b"", rows(bgr)), "V5 header"
    plain = bmp(header(40, w, h, 24), b"", rows(bgr))
    yield "rgb24-reserved", plain[:6] + b"abcd" + plain[10:], "reserved bytes that are not 0"
    yield "rgb24-hint", bmp(header(40, w, h, 24, used=4), table(4), rows(bgr)), "a palette as a hint"
    for width in (1, 2, 3, 4):
        yield f"rgb24-w{width}", bmp(header(40, width, h, 24), b"", rows([r[: 3 * width] for r in bgr])), "row ends"
    four = np.concatenate([rgb[..., ::-1], smooth(h, w, 1.0)[..., :1]], -1)
    rgba = [r.tobytes() for r in four]
    yield "rgb32", bmp(header(40, w, h, 32), b"", rows(rgba)), "32 bits: the fourth byte is dropped"
    yield "rgb32-down", bmp(header(40, w, -h, 32), b"", rows(rgba[::-1])), "top-down"
    yield "rgb32-zero", bmp(header(40, w, h, 32), b"", rows([r[:, :3].tobytes() + bytes(w) for r in four])), "any bytes"
    masks = (0xFF0000, 0xFF00, 0xFF)
    fields = struct.pack("<3I", *masks)
    yield "rgb32-fields", bmp(header(40, w, h, 32, FIELDS), fields, rows(rgba)), "masks that say the usual"
    yield "rgb32-v4", bmp(header(108, w, h, 32, FIELDS, masks=(*masks, 0xFF << 24)), b"", rows(rgba)), "V4 with alpha"
    yield "rgb32-v5", bmp(header(124, w, h, 32, FIELDS, masks=(*masks, 0xFF << 24)), b"", rows(rgba)), "V5 with alpha"
    yield "rgb32-info3", bmp(header(56, w, h, 32, FIELDS, masks=(*masks, 0xFF << 24)), b"", rows(rgba)), "header of 56 bytes"
    other = (0xFF, 0xFF00, 0xFF0000)
    yield "rgb32-rgba", bmp(header(40, w, h, 32, FIELDS), struct.pack("<3I", *other), rows(rgba)), "masks of R G B X"
    yield "rgb32-v4-rgba", bmp(header(108, w, h, 32, FIELDS, masks=(*other, 0xFF << 24)), b"", rows(rgba)), "R G B A, V4"
    for name, m in [
        ("1010102", (0x3FF, 0x3FF << 10, 0x3FF << 20, 3 << 30)),
        ("5656", (0x1F << 5, 0x3F << 10, 0x1F << 26, 0)),
        ("no-green", (0xFF, 0, 0xFF << 16, 0)),
        ("16", (0xFFFF, 0xFFFF << 16, 0xFF, 0)),
        ("1", (1, 2, 4, 8)),
    ]:
        yield f"rgb32-v4-{name}", bmp(header(108, w, h, 32, FIELDS, masks=m), b"", rows(rgba)), "other masks"
    ramp = np.arange(1024, dtype=np.int64).reshape(4, 256)
    ramp = words(ramp | (1023 - ramp) << 10 | ramp << 20, "<u4")
    head = header(108, 256, 4, 32, FIELDS, masks=(0x3FF, 0x3FF << 10, 0x3FF << 20, 0))
    yield "rgb32-v4-ramp", bmp(head, b"", rows(ramp)), "every value of ten bits"
    yield "rgb32-h52-rgba", bmp(header(52, w, h, 32, FIELDS, masks=other), b"", rows(rgba)), "R G B X, 52 bytes"
    yield "rgb32-h56-rgba", bmp(header(56, w, h, 32, FIELDS, masks=(*other, 0)), b"", rows(rgba)), "R G B X, 56 bytes"
    yield "rgb32-v4-alpha0", bmp(header(108, w, h, 32, FIELDS, masks=(*other, 0)), b"", rows(rgba)), "R G B X, V4"
    yield "rgb32-v4-none", bmp(header(108, w, h, 32, FIELDS, masks=(0, 0, 0, 0)), b"", rows(rgba)), "no masks"
    yield "rgb32-v4-unused", bmp(header(108, w, h, 32, masks=(*other, 0)), b"", rows(rgba)), "masks that do not apply"
    yield "rgb32-alpha-fields", bmp(header(40, w, h, 32, ALPHA_FIELDS), struct.pack("<4I", *other, 0), rows(rgba)), "six"
    high = (0xFF << 24, 0xFF0000, 0xFF00)
    yield "rgb32-xbgr", bmp(header(40, w, h, 32, FIELDS), struct.pack("<3I", *high), rows(rgba)), "masks of X B G R"

    deep = rng.integers(0, 65536, (h, w))
    yield "rgb555", bmp(header(40, w, h, 16), b"", rows(words(deep, "<u2"))), "16 bits: 5 a colour"
    yield "rgb555-down", bmp(header(40, w, -h, 16), b"", rows(words(deep[::-1], "<u2"))), "top-down"
    for name, m in [("rgb555", (0x7C00, 0x3E0, 0x1F)), ("rgb565", (0xF800, 0x7E0, 0x1F))]:
        fields = struct.pack("<3I", *m)
        yield f"{name}-fields", bmp(header(40, w, h, 16, FIELDS), fields, rows(words(deep, "<u2"))), "by masks"
        for size in (52, 56, 108, 124):
            head = header(size, w, h, 16, FIELDS, masks=(*m, 0)[: 3 if size == 52 else 4])
            yield f"{name}-h{size}", bmp(head, b"", rows(words(deep, "<u2"))), f"masks in a header of {size} bytes"

    index = indices(8)
    t8 = table(256)
    yield "rle8", bmp(header(40, w, h, 8, RLE8), t8, rle8(index)), "runs"
    yield "rle8-stretches", bmp(header(40, w, h, 8, RLE8), t8, rle8(index, True)), "runs and stretches"
    flat = np.full((3, 300), 7)
    yield "rle8-long", bmp(header(40, 300, 3, 8, RLE8), t8, rle8(flat)), "runs of 255"
    yield "rle8-v4", bmp(header(108, w, h, 8, RLE8), t8, rle8(index)), "V4 header"
    yield "rle8-early", bmp(header(40, w, h, 8, RLE8), t8, b"\5\x09\0\0\3\x07\0\1"), "ends early: the rest is colour 0"
    yield "rle8-lines", bmp(header(40, w, h, 8, RLE8), t8, b"\2\x09\0\0\0\0\4\x05\0\0\0\1"), "lines that end early"
    skip = b"\3\x09\0\2\2\0\4\x06\0\0\2\x08\0\2\1\2\5\x0a\0\1"
    yield "rle8-delta", bmp(header(40, w, h, 8, RLE8), t8, skip), "skips to the right and up"
    yield "rle8-no-end", bmp(header(40, w, h, 8, RLE8), t8, rle8(index)[:-2]), "no end mark behind the last pixel"
    index = indices(4)
    t4 = table(16)
    yield "rle4", bmp(header(40, w, h, 4, RLE4), t4, rle4(index)), "pairs"
    yield "rle4-stretches", bmp(header(40, w, h, 4, RLE4), t4, rle4(index, True)), "stretches, odd ones too"
    lines = b"\x0d\x12\0\0" * (h - 1) + b"\x0d\x34\0\1"
    yield "rle4-runs", bmp(header(40, w, h, 4, RLE4), t4, lines), "runs of two colours in turn"
    short = b"".join(bytes([n, 0x21, 0, 0]) for n in range(1, h)) + b"\x02\x34\0\1"
    yield "rle4-lines", bmp(header(40, w, h, 4, RLE4), t4, short), "lines that end early"
    right = b"\3\x56\0\2\3\0\4\x78\0\0" * (h - 1) + b"\x0d\x9a\0\1"
    yield "rle4-right", bmp(header(40, w, h, 4, RLE4), t4, right), "skips to the right"
    yield "rle4-early", bmp(header(40, w, h, 4, RLE4), t4, b"\5\x21\0\0\3\x43\0\1"), "ends early: the rest is colour 0"
    up = b"\3\x56\0\2\2\2\4\x78\0\0" + b"\x0d\x9a\0\0" * 5 + b"\x0d\x9a\0\1"
    yield "rle4-delta", bmp(header(40, w, h, 4, RLE4), t4, up), "skips to the right and up"
