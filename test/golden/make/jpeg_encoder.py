"""A small JPEG writer for the kinds that Pillow and OpenCV do not write: any sampling factors, any scans, any tables.

Sequential and progressive Huffman coding, 8 bits. Slow and simple. Source: ITU-T T.81, annexes A, C, F and G.
"""
import struct

import numpy as np

ZIGZAG = sorted(range(64), key=lambda i: (i // 8 + i % 8, (i // 8 if (i // 8 + i % 8) % 2 else i % 8)))
BASIS = np.array([[np.cos((2 * x + 1) * u * np.pi / 16) * (0.5 if u else 8**-0.5) for x in range(8)] for u in range(8)])

LUMA = np.array([16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22,
                 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103,
                 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99])


def flat_table(symbols):
    """A prefix code whose codes are all of about one length: (counts by length 1..16, symbols)."""
    bits = len(symbols).bit_length()  # room for one code more than there are: all ones is forbidden
    counts = [0] * 16
    if bits > 8:  # a count is a byte
        counts[7:9] = [128, len(symbols) - 128]
    else:
        counts[bits - 1] = len(symbols)
    return counts, list(symbols)


def skewed_table(symbols):
    """A prefix code with one code of each length 1..7, the rest of 16 bits."""
    return [1] * 7 + [0] * 8 + [len(symbols) - 7], list(symbols)


def codes_of(table):
    counts, symbols = table
    out, code, i = {}, 0, 0
    for length, n in enumerate(counts, 1):
        for _ in range(n):
            out[symbols[i]] = (code, length)
            code, i = code + 1, i + 1
        code <<= 1
    return out


class Bits:
    def __init__(self):
        self.out, self.value, self.n = bytearray(), 0, 0

    def put(self, value, n):
        self.value, self.n = (self.value << n) | (value & ((1 << n) - 1)), self.n + n
        while self.n >= 8:
            byte = (self.value >> (self.n - 8)) & 255
            self.out.append(byte)
            if byte == 255:
                self.out.append(0)
            self.n -= 8
        self.value &= (1 << self.n) - 1

    def flush(self):
        if self.n:
            self.put((1 << (8 - self.n)) - 1, 8 - self.n)

    def marker(self, code):
        self.flush()
        self.out += bytes([255, code])


def size_of(value):
    return abs(int(value)).bit_length()


def magnitude(value, size):
    return value if value >= 0 else value + (1 << size) - 1


class Frame:
    """planes: one (h_i, w_i) uint8 array for each component, already at its own size; factors: (h, v) each."""

    def __init__(self, width, height, planes, factors, steps=None, ids=None, coefficients=None):
        self.width, self.height, self.factors = width, height, factors
        self.max_h, self.max_v = max(f[0] for f in factors), max(f[1] for f in factors)
        self.steps = steps or [LUMA] * len(factors)
        self.ids = ids or list(range(1, len(factors) + 1))
        up = lambda a, b: -(-a // b)
        self.units = up(width, 8 * self.max_h), up(height, 8 * self.max_v)
        self.real = [(up(up(width * h, self.max_h), 8), up(up(height * v, self.max_v), 8)) for h, v in factors]
        self.blocks = coefficients or [self.transform(p, f, s) for p, f, s in zip(planes, factors, self.steps)]

    def transform(self, plane, factor, steps):
        """-> int [rows, columns, 64] in zigzag order, filled up to whole units."""
        w, h = self.units[0] * factor[0] * 8, self.units[1] * factor[1] * 8
        full = np.pad(plane, ((0, max(0, h - plane.shape[0])), (0, max(0, w - plane.shape[1]))), "edge")[:h, :w]
        blocks = full.reshape(h // 8, 8, w // 8, 8).transpose(0, 2, 1, 3).astype(float) - 128
        coefficients = np.einsum("ui,rcij,vj->rcuv", BASIS, blocks, BASIS).reshape(h // 8, w // 8, 64)
        return np.rint(coefficients / np.asarray(steps).reshape(64)).astype(int)[..., ZIGZAG]

    def order(self, parts):
        """The coding units of a scan: lists of (part, block coefficients)."""
        if len(parts) == 1:
            columns, rows = self.real[parts[0]]
            for y in range(rows):
                for x in range(columns):
                    yield [(parts[0], self.blocks[parts[0]][y, x])]
            return
        for uy in range(self.units[1]):
            for ux in range(self.units[0]):
                unit = []
                for c in parts:
                    h, v = self.factors[c]
                    unit += [(c, self.blocks[c][uy * v + y, ux * h + x]) for y in range(v) for x in range(h)]
                yield unit

    # segments

    def sof(self, marker=0xC0):
        body = struct.pack(">BHHB", 8, self.height, self.width, len(self.factors))
        body += b"".join(bytes([i, h << 4 | v, t]) for t, (i, (h, v)) in enumerate(zip(self.ids, self.factors)))
        return segment(marker, body)

    def dqt(self, wide=False):
        out = b""
        for i, steps in enumerate(self.steps):
            flat = [int(np.asarray(steps).reshape(64)[z]) for z in ZIGZAG]
            big = wide or max(flat) > 255
            out += segment(0xDB, bytes([i | (16 if big else 0)]) + (struct.pack(">64H", *flat) if big else bytes(flat)))
        return out

    def sos(self, parts, first=0, last=63, high=0, low=0, dc=0, ac=0):
        body = bytes([len(parts)]) + b"".join(bytes([self.ids[c], dc << 4 | ac]) for c in parts)
        return segment(0xDA, body + bytes([first, last, high << 4 | low]))

    # scans: coded data

    def sequential(self, parts, dc_codes, ac_codes, restart=0):
        bits, before = Bits(), {c: 0 for c in parts}
        for n, unit in enumerate(self.order(parts)):
            if restart and n and n % restart == 0:
                bits.marker(0xD0 + (n // restart - 1) % 8)
                before = {c: 0 for c in parts}
            for c, block in unit:
                put_coefficient(bits, dc_codes, 0, int(block[0]) - before[c])
                before[c] = int(block[0])
                run = 0
                for value in map(int, block[1:]):
                    if value == 0:
                        run += 1
                        continue
                    while run > 15:
                        bits.put(*ac_codes[0xF0])
                        run -= 16
                    put_coefficient(bits, ac_codes, run, value)
                    run = 0
                if run:
                    bits.put(*ac_codes[0])
        bits.flush()
        return bytes(bits.out)

    def progressive(self, parts, codes, first, last, high, low, restart=0):
        coder = BandCoder(codes, first, last, high, low)
        for n, unit in enumerate(self.order(parts)):
            if restart and n and n % restart == 0:
                coder.end_run()
                coder.bits.marker(0xD0 + (n // restart - 1) % 8)
                coder.before = {}
            for c, block in unit:
                coder.block(c, block)
        coder.end_run()
        coder.bits.flush()
        return bytes(coder.bits.out)


def put_coefficient(bits, codes, run, value):
    size = size_of(value)
    bits.put(*codes[run << 4 | size])
    if size:
        bits.put(magnitude(value, size), size)


class BandCoder:
    """One progressive scan, block by block."""

    def __init__(self, codes, first, last, high, low):
        self.codes, self.first, self.last, self.high, self.low = codes, first, last, high, low
        self.bits, self.before, self.run, self.held = Bits(), {}, 0, []

    def block(self, c, block):
        if self.first == 0 and self.high == 0:
            value = int(block[0]) >> self.low
            put_coefficient(self.bits, self.codes, 0, value - self.before.get(c, 0))
            self.before[c] = value
        elif self.first == 0:
            self.bits.put(int(block[0]) >> self.low, 1)
        elif self.high == 0:
            self.ac_first(block)
        else:
            self.ac_refine(block)

    def shifted(self, block, k):
        value = int(block[k])
        return value >> self.low if value >= 0 else -(-value >> self.low)

    def end_run(self):
        """Writes the run of blocks that had nothing (more), and the bits of theirs that were held back."""
        if self.run:
            size = self.run.bit_length() - 1
            self.bits.put(*self.codes[size << 4])
            self.bits.put(self.run, size)
            self.run = 0
        for bit in self.held:
            self.bits.put(bit, 1)
        self.held = []

    def ac_first(self, block):
        zeroes = 0
        for k in range(self.first, self.last + 1):
            value = self.shifted(block, k)
            if value == 0:
                zeroes += 1
                continue
            self.end_run()
            while zeroes > 15:
                self.bits.put(*self.codes[0xF0])
                zeroes -= 16
            put_coefficient(self.bits, self.codes, zeroes, value)
            zeroes = 0
        self.count_block(zeroes > 0)

    def count_block(self, rest):
        if rest:
            self.run += 1
            if self.run == 0x7FFF:
                self.end_run()

    def ac_refine(self, block):
        values = {k: abs(self.shifted(block, k)) for k in range(self.first, self.last + 1)}
        ends = max([k for k, v in values.items() if v == 1], default=0)
        zeroes, held = 0, []
        for k, value in values.items():
            if value == 0:
                zeroes += 1
                continue
            while zeroes > 15 and k <= ends:
                self.end_run()
                self.bits.put(*self.codes[0xF0])
                zeroes -= 16
                for bit in held:
                    self.bits.put(bit, 1)
                held = []
            if value > 1:
                held.append(value & 1)
                continue
            self.end_run()
            self.bits.put(*self.codes[zeroes << 4 | 1])
            self.bits.put(1 if block[k] > 0 else 0, 1)
            for bit in held:
                self.bits.put(bit, 1)
            zeroes, held = 0, []
        self.held += held
        self.count_block(zeroes > 0 or len(held) > 0)
        if len(self.held) > 900:
            self.end_run()


def segment(marker, data=b""):
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def dht(kind, slot, table):
    return segment(0xC4, bytes([kind << 4 | slot]) + bytes(table[0]) + bytes(table[1]))


DC_TABLE = flat_table(range(12))
AC_TABLE = flat_table([r << 4 | s for r in range(16) for s in range(11)] )
JFIF = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
SOI, EOI = b"\xff\xd8", b"\xff\xd9"


def write(frame, scans, progressive=False, restart=0, head=JFIF, wide=False, dc=DC_TABLE, ac=AC_TABLE):
    """scans: lists of components (sequential), or (components, first, last, high, low)."""
    dc_codes, ac_codes = codes_of(dc), codes_of(ac)
    out = SOI + head + frame.dqt(wide) + frame.sof(0xC2 if progressive else 0xC0) + dht(0, 0, dc) + dht(1, 0, ac)
    if restart:
        out += segment(0xDD, struct.pack(">H", restart))
    for scan in scans:
        if progressive:
            parts, *band = scan
            out += frame.sos(parts, *band)
            out += frame.progressive(parts, dc_codes if band[0] == 0 else ac_codes, *band, restart=restart)
        else:
            out += frame.sos(scan) + frame.sequential(scan, dc_codes, ac_codes, restart)
    return out + EOI
