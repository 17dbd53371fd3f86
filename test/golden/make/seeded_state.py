"""Seeded weights under which nothing is trivially zero, saturated or chaotic: the twin of src/weights/seeded-state.ts, the
same bits in both (docs/generator.md). Needs numpy alone.

Every number is an integer of the generator times one double (plus one double), rounded to float32 once."""
import math

import numpy as np

from generator import BELL_STD, bell_sums, uniform, words

BEFORE_RELU6 = ("_expand_conv", "_middle_dw", "convbn", "exp_1x1", "red_1x1")


def batches_tracked(name, seed):
    return 1 + int(words(seed, name, 1)[0]) % 999


def seeded_tensor(name, shape, names, seed=0, attn_gain=1.0):
    """float32 array of `shape` for the state-dict entry `name`; `names` is the set of all entries' names."""
    count = math.prod(shape)
    base, leaf = name.rsplit(".", 1)

    def uniform_in(low, high):
        return (uniform(seed, name, count) * (high - low) + low).astype(np.float32).reshape(shape)

    def normal(std, shift=0.0):
        return (bell_sums(seed, name, count) * (std / BELL_STD) + shift).astype(np.float32).reshape(shape)

    if leaf == "num_batches_tracked":
        return np.float32(batches_tracked(name, seed)).reshape(shape)
    if base + ".running_mean" in names:  # BatchNorm2d
        if leaf == "weight":
            return uniform_in(0.6, 1.6)
        if leaf == "running_var":
            return uniform_in(0.3, 1.5)
        if leaf == "running_mean":
            return normal(0.3)
        # before a ReLU6 one higher: it clips about one value in six (all-or-nothing units make a net chaotic)
        return normal(0.4, 1.0 if any(part in name for part in BEFORE_RELU6) else 0.0)
    if "norm" in base.rsplit(".", 1)[-1] or base.endswith("enc_output.1"):  # LayerNorm
        return uniform_in(0.6, 1.4) if leaf == "weight" else normal(0.3)
    if len(shape) == 4:  # convolution
        out, per_group, kh, kw = shape
        fan_in = per_group * kh * kw
        std = math.sqrt((2.0 if "layer" in name or "conv0" in name else 1.0) / fan_in)
        if per_group == 1:  # depthwise: mostly the centre, so that maps keep their detail
            value = (bell_sums(seed, name, count) * (std * 0.5 / BELL_STD)).reshape(shape)
            value[:, :, kh // 2, kw // 2] += 1.0
            return value.astype(np.float32)
        if base.endswith("_query_proj.conv"):
            std *= 0.3  # attention logits of order one
        if base.endswith("_output_proj.conv"):
            std *= attn_gain
        if "input_proj" in base:
            std *= 0.2  # small variances, so that the eps of their BatchNorm shows
        sums = bell_sums(seed, name, count).reshape(out, fan_in)
        centred = sums * fan_in - sums.sum(1, keepdims=True)  # zero-sum filters: no common mode for the next BN to cancel
        return (centred * (std / (BELL_STD * fan_in))).astype(np.float32).reshape(shape)
    if len(shape) == 2:  # linear, in_proj_weight, embedding
        gain = 3.0 if "enc_score_head" in base else 1.5 if "dec_score_head" in base else 1.0
        if "dec_bbox_head" in base and shape[0] == 4:
            gain = 0.25  # small steps: each pixel that a box moves changes what the next layer samples, and errors grow
        return normal(gain / math.sqrt(shape[1]))
    return normal(1.5 if base.endswith("sampling_offsets") else 0.3, -4.0 if "score_head" in base else 0.0)  # biases


def seeded_state(shapes, seed=0, attn_gain=1.0):
    """{name: array} for `shapes` {name: shape}; num_batches_tracked as int64."""
    names = set(shapes)
    return {
        name: np.int64(batches_tracked(name, seed)) if name.endswith("num_batches_tracked")
        else seeded_tensor(name, tuple(shape), names, seed, attn_gain)
        for name, shape in shapes.items()
    }
