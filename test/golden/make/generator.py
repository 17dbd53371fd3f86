"""The counter-based generator of docs/generator.md in numpy, the twin of src/weights/generator.ts: the same bits in both.

Philox4x32-10 (Salmon et al., SC 2011), key (seed, fnv1a32(name)), counter (block, 0, 0, 0). Needs numpy alone."""
import numpy as np

U32 = np.uint64(0xFFFFFFFF)
MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
WEYL = 0x9E3779B9, 0xBB67AE85
BELL_STD = np.sqrt(np.float64(21845))  # of four uniform bytes: 4 * (256**2 - 1) / 12 = 21845


def fnv1a32(text):
    value = 0x811C9DC5
    for byte in text.encode("utf8"):
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def philox4x32(counter, key):
    """counter: four integers or uint64 arrays of one length; key: two integers. Four uint64 arrays of 32-bit words."""
    c0, c1, c2, c3 = (np.atleast_1d(np.asarray(c, np.uint64)) for c in counter)
    k0, k1 = key
    half = np.uint64(32)
    for _ in range(10):
        p0, p1 = MULTIPLIERS[0] * c0, MULTIPLIERS[1] * c2  # 32 x 32 -> 64 bits: never wraps
        c0, c1, c2, c3 = (p1 >> half) ^ c1 ^ np.uint64(k0), p1 & U32, (p0 >> half) ^ c3 ^ np.uint64(k1), p0 & U32
        k0, k1 = (k0 + WEYL[0]) & 0xFFFFFFFF, (k1 + WEYL[1]) & 0xFFFFFFFF
    return c0, c1, c2, c3


def words(seed, name, count):
    """uint32[count]: word i is lane i % 4 of block i // 4."""
    if not 0 <= seed <= 0xFFFFFFFF:
        raise ValueError(f"generator: expected a seed in 0 .. 4294967295, got {seed}")
    blocks = np.arange((count + 3) // 4, dtype=np.uint64)
    zero = np.zeros_like(blocks)
    lanes = philox4x32((blocks, zero, zero, zero), (seed, fnv1a32(name)))
    return np.stack(lanes, 1).astype(np.uint32).reshape(-1)[:count]


def uniform(seed, name, count):
    """float64[count] on the grid of 2**-24 in [0, 1); exact in float32."""
    return (words(seed, name, count) >> np.uint32(8)).astype(np.float64) * 2.0**-24


def bell_sums(seed, name, count):
    """int64[count] in -510 .. 510, nearly normal, of standard deviation BELL_STD: the sum of each word's bytes less 510."""
    w = words(seed, name, count)
    return sum(((w >> np.uint32(s)) & np.uint32(255)).astype(np.int64) for s in (0, 8, 16, 24)) - 510


def image(seed, height, width):
    """float32 (1, 3, height, width) in [0, 1): a smooth 20 x 20 noise picture, bilinearly enlarged, and 20 % fine noise."""
    grid = 20
    coarse = uniform(seed, "image:coarse", 3 * grid * grid).reshape(3, grid, grid)
    noise = uniform(seed, "image:noise", 3 * height * width).reshape(3, height, width)

    def taps(size):
        at = np.maximum((np.arange(size, dtype=np.float64) + 0.5) * (grid / size) - 0.5, 0.0)
        near = np.minimum(np.floor(at), grid - 1)
        return near.astype(np.int64), np.minimum(near + 1, grid - 1).astype(np.int64), at - near

    y0, y1, fy = taps(height)
    x0, x1, fx = taps(width)
    rows = coarse[:, :, x0] + (coarse[:, :, x1] - coarse[:, :, x0]) * fx
    smooth = rows[:, y0] + (rows[:, y1] - rows[:, y0]) * fy[:, None]
    return (smooth * 0.8 + noise * 0.2).astype(np.float32)[None]


def sample_positions(path, numel, count):
    """int64[count]: where a golden looks into a tensor of `numel` elements; drawn with replacement."""
    return (words(0, "sample:" + path, count) % np.uint32(numel)).astype(np.int64)
