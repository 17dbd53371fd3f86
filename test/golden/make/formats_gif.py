"""GIF files of every kind for formats.py, written byte by byte, with an LZW encoder that can be told its habits."""
import struct

import numpy as np


def lzw(values, bits, clear_at=4096, end=True, first_clear=True, literal=False):
    """LZW codes of indices. clear_at: the table size at which it is emptied, None never; literal: no code but of one pixel."""
    clear, out, size, table = 1 << bits, [], bits + 1, {}
    codes = []
    after = clear + 2

    def put(code):
        codes.append((code, size))

    if first_clear:
        put(clear)
    if literal:  # empties the table before codes grow
        for i, v in enumerate(values):
            if i and i % ((1 << bits) - 2 or 1) == 0:
                put(clear)
            put(int(v))
    else:
        table = {(v,): v for v in range(clear)}
        now = ()
        for v in values:
            longer = (*now, int(v))
            if longer in table:
                now = longer
                continue
            put(table[now])
            if after < 4096:
                table[longer] = after
                after += 1
                if after > 1 << size and size < 12:
                    size += 1
            if clear_at is not None and after >= clear_at:
                put(clear)
                table, after, size = {(v,): v for v in range(clear)}, clear + 2, bits + 1
            now = (int(v),)
        put(table[now])
        after += 1
        if after > 1 << size and size < 12:
            size += 1
    if end:
        put(clear + 1)
    value = at = 0
    for code, width in codes:
        value |= code << at
        at += width
    return value.to_bytes((at + 7) // 8, "little")


def blocks(data, length=255):
    return b"".join(bytes([len(data[i : i + length])]) + data[i : i + length] for i in range(0, len(data), length)) + b"\0"


def colours(rng, bits):
    return rng.integers(0, 256, 3 << bits, dtype=np.uint8).tobytes()


def screen(w, h, table=b"", background=0, version=b"GIF89a", aspect=0):
    bits = (len(table) // 3).bit_length() - 1
    flags = 0x80 | (bits - 1) | 0x70 if table else 0x70
    return version + struct.pack("<HHBBB", w, h, flags, background, aspect) + table


def frame(index, bits, at=(0, 0), table=b"", interlaced=False, block=255, **habits):
    h, w = index.shape
    flags = (0x80 | (len(table) // 3).bit_length() - 2 if table else 0) | 0x40 * interlaced
    if interlaced:
        index = np.concatenate([index[0::8], index[4::8], index[2::4], index[1::2]])
    data = lzw(index.reshape(-1), bits, **habits)
    return b"," + struct.pack("<HHHHB", *at, w, h, flags) + table + bytes([bits]) + blocks(data, block)


def control(transparent=None, disposal=0):
    return b"!\xf9\x04" + struct.pack("<BHBB", disposal << 2 | (transparent is not None), 5, transparent or 0, 0)


def gifs(rng):
    h, w = 11, 15
    end = b";"

    def indices(bits, height=h, width=w):
        slow = np.add.outer(np.arange(height) // 2, np.arange(width) // 3)
        return (slow * 3 + rng.integers(0, 2, (height, width))) % (1 << bits)

    for bits in range(2, 9):
        index = indices(bits)
        head = screen(w, h, colours(rng, bits), version=b"GIF87a" if bits % 2 else b"GIF89a")
        yield f"bits-{bits}", head + frame(index, bits) + end, "global palette"
        yield f"bits-{bits}-interlaced", head + frame(index, bits, interlaced=True) + end, "four passes"
    two = indices(1)
    yield "two-colours", screen(w, h, colours(rng, 1)) + frame(two, 2) + end, "two colours, codes of two bits"
    yield "code-size-1", screen(w, h, colours(rng, 1)) + frame(two, 1) + end, "codes of one bit"
    yield "code-size-8", screen(w, h, colours(rng, 2)) + frame(indices(2), 8) + end, "codes wider than the palette asks"
    for size in [(1, 1), (2, 5), (5, 2), (1, 9), (9, 8), (3, 4)]:
        index = indices(4, size[1], size[0])
        name = f"size-{size[0]}x{size[1]}-interlaced"
        yield name, screen(*size, colours(rng, 4)) + frame(index, 4, interlaced=True) + end, "passes that may be empty"
    p8, noise = colours(rng, 8), rng.integers(0, 256, (70, 90))
    yield "noise", screen(90, 70, p8) + frame(noise, 8) + end, "a table that fills up and is emptied"
    line = noise.reshape(-1)  # about pixel 4000 the table becomes full; what begins there is used, its last code too
    late = np.concatenate([line[:4300], *(line[at : at + 3] for at in range(3850, 4100))]).reshape(2, -1)
    yield "noise-late", screen(2525, 2, p8) + frame(late, 8, clear_at=None) + end, "a full table that is kept"
    early = frame(noise[:9], 8, clear_at=600)
    yield "noise-early", screen(90, 9, p8) + early + end, "a table that is emptied early"
    p2 = colours(rng, 2)
    small = rng.integers(0, 4, (40, 50))
    yield "small-late", screen(50, 40, p2) + frame(small, 2, clear_at=None) + end, "codes that grow from 3 to 12 bits"
    flat = np.full((60, 80), 5)
    yield "flat", screen(80, 60, colours(rng, 4)) + frame(flat, 4) + end, "codes that name themselves"
    index = indices(4)
    p4 = colours(rng, 4)
    yield "literal", screen(w, h, p4) + frame(index, 4, literal=True) + end, "not compressed"
    yield "no-first-clear", screen(w, h, p4) + frame(index, 4, first_clear=False) + end, "no clear code at the start"
    yield "no-end-code", screen(w, h, p4) + frame(index, 4, end=False) + end, "no end code"
    yield "blocks-of-1", screen(w, h, p4) + frame(index, 4, block=1) + end, "blocks of one byte"
    yield "blocks-of-254", screen(90, 70, p8) + frame(noise, 8, block=254) + end, "blocks of 254 bytes"
    other = colours(rng, 4)
    yield "local", screen(w, h) + frame(index, 4, table=other) + end, "local palette alone"
    yield "local-over-global", screen(w, h, p4) + frame(index, 4, table=other) + end, "local palette before the global one"
    yield "local-smaller", screen(w, h, p4) + frame(index, 4, table=other[:12]) + end, "indices past the local palette"
    yield "palette-short", screen(w, h, p4[:24]) + frame(index, 4) + end, "indices past the palette"
    yield "no-palette", screen(w, h) + frame(indices(8), 8) + end, "no palette at all"
    part = indices(4, 5, 6)
    for name, background in [("part", 3), ("part-0", 0)]:
        yield name, screen(w, h, p4, background) + frame(part, 4, (4, 2)) + end, "a frame smaller than the screen"
    yield "part-interlaced", screen(w, h, p4, 7) + frame(part, 4, (9, 6), interlaced=True) + end, "in the corner"
    yield "part-local", screen(w, h, b"", 3) + frame(part, 4, (4, 2), other) + end, "no global palette: black around it"
    yield "part-transparent", screen(w, h, p4, 5) + control(2) + frame(part, 4, (1, 1)) + end, "both"
    for name, background in [("transparent", 6), ("transparent-self", 2)]:
        yield name, screen(w, h, p4, background) + control(2) + frame(index, 4) + end, "background shows through"
    yield "transparent-local", screen(w, h) + control(2) + frame(index, 4, table=other) + end, "black shows through"
    yield "transparent-not", screen(w, h, p4, 6) + control(None) + frame(index, 4) + end, "no transparent colour"
    yield "control-twice", screen(w, h, p4, 6) + control(1) + control(3) + frame(index, 4) + end, "the last one counts"
    yield "control-after", screen(w, h, p4, 6) + frame(index, 4) + control(2) + frame(index[::-1], 4) + end, "the next frame's"
    for disposal in (1, 2, 3):
        second = control(1, disposal) + frame(part, 4, (2, 2))
        data = screen(w, h, p4, 6) + control(2, disposal) + frame(index, 4) + second + end
        yield f"animated-{disposal}", data, "the first of two frames"
    loop = b"!\xff\x0bNETSCAPE2.0\3\1\0\0\0"
    text = b"!\xfe" + blocks(b"a comment, with a comma" * 20)
    yield "extensions", screen(w, h, p4) + loop + text + frame(index, 4) + end, "a loop and a comment"
    plain = b"!\x01\x0c" + bytes(12) + blocks(b"text")
    yield "plain-text", screen(w, h, p4) + plain + frame(index, 4) + end, "an extension that draws text: skipped"
    yield "background-past", screen(w, h, p4[:24], 200) + frame(index % 8, 4) + end, "a background that is no colour"
    yield "aspect", screen(w, h, p4, aspect=99) + frame(index, 4) + end, "pixels that are not square: ignored"
    yield "trailing", screen(w, h, p4) + frame(index, 4) + end + b"more", "bytes behind the end"
    yield "no-trailer", screen(w, h, p4) + frame(index, 4), "no mark at the end"
    yield "off-screen", screen(w, h, p4) + frame(index, 4, (3, 2)) + end, "a frame that leaves the screen"
