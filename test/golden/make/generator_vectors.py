"""Writes test/golden/generator/vectors.json: digests of what the generator gives, for the tests of other languages.

  python test/golden/make/generator_vectors.py            needs numpy alone

A digest is the SHA-256 of the tensor's float32 (or uint32) bytes, little-endian, row-major."""
import hashlib
import json
import os

import numpy as np

from generator import bell_sums, fnv1a32, image, sample_positions, uniform, words
from seeded_state import batches_tracked, seeded_tensor

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "..", "generator", "vectors.json")


def digest(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


BN = "model.0.layer3.uib_1._expand_conv"
TENSORS = [  # one of each rule; `names` tells whether a running_mean stands beside it
    ("model.0.conv0.convbn_0.conv.weight", (32, 3, 3, 3), 0, 1),
    ("model.0.conv0.convbn_0.BatchNorm2d.weight", (32,), 0, 1),
    ("model.0.conv0.convbn_0.BatchNorm2d.bias", (32,), 0, 1),
    ("model.0.conv0.convbn_0.BatchNorm2d.running_mean", (32,), 0, 1),
    ("model.0.conv0.convbn_0.BatchNorm2d.running_var", (32,), 0, 1),
    ("model.0.layer3.msha_6._input_norm.bias", (160,), 0, 1),
    ("model.0.layer3.uib_0._start_dw_.conv.weight", (64, 1, 5, 5), 0, 1),
    ("model.0.layer3.uib_0._start_dw_.BatchNorm2d.bias", (64,), 0, 1),
    ("model.0.layer4.uib_5._proj_conv.conv.weight", (128, 512, 1, 1), 4294967295, 1),
    ("model.0.layer4.msha_7.multi_query_attention._query_proj.conv.weight", (256, 256, 1, 1), 0, 1e5),
    ("model.0.layer4.msha_7.multi_query_attention._output_proj.conv.weight", (256, 256, 1, 1), 0, 1e5),
    ("model.0.layer4.msha_7.multi_query_attention._output_proj.conv.weight", (256, 256, 1, 1), 0, 1),
    ("model.1.bn.bias", (256,), 0, 1),
    ("model.2.ma.in_proj_weight", (768, 256), 0, 1),
    ("model.2.ma.in_proj_bias", (768,), 0, 1),
    ("model.2.norm1.weight", (256,), 0, 1),
    ("model.2.norm1.bias", (256,), 0, 1),
    ("model.15.m.0.conv1.conv.weight", (128, 128, 3, 3), 0, 1),
    ("model.19.input_proj.0.0.weight", (256, 256, 1, 1), 0, 1),
    ("model.19.enc_output.0.weight", (256, 256), 0, 1),
    ("model.19.enc_output.1.weight", (256,), 0, 1),
    ("model.19.enc_score_head.weight", (80, 256), 0, 1),
    ("model.19.enc_score_head.bias", (80,), 0, 1),
    ("model.19.dec_score_head.2.weight", (80, 256), 7, 1),
    ("model.19.dec_score_head.2.bias", (80,), 7, 1),
    ("model.19.dec_bbox_head.1.layers.2.weight", (4, 256), 0, 1),
    ("model.19.decoder.layers.0.cross_attn.sampling_offsets.bias", (192,), 0, 1),
    ("model.19.denoising_class_embed.weight", (80, 256), 0, 1),
]


def state_digest(variant, seed, gain):
    """SHA-256 over all tensors of the detector's state dict in its order, as float32 (num_batches_tracked too)."""
    with open(os.path.join(HERE, "..", "models", "keys", variant + ".txt"), encoding="utf8") as f:
        entries = [line.rstrip("\n").split("\t") for line in f]
    shapes = {name: () if shape == "scalar" else tuple(int(s) for s in shape.split("x")) for name, shape, _ in entries}
    total = hashlib.sha256()
    for name, shape in shapes.items():
        total.update(seeded_tensor(name, shape, set(shapes), seed, gain).tobytes())
    return total.hexdigest()


def main():
    tensors = []
    for name, shape, seed, gain in TENSORS:
        base = name.rsplit(".", 1)[0]
        norm = "BatchNorm2d" in base or "_input_norm" in base or base.endswith(".bn")
        names = {name, base + ".running_mean"} if norm else {name}
        value = seeded_tensor(name, shape, names, seed, gain)
        tensors.append(dict(name=name, shape=shape, seed=seed, attnGain=gain, batchNorm=norm,
                            first=[float(v) for v in value.reshape(-1)[:3]], sha256=digest(value)))
    counter = "model.1.bn.num_batches_tracked"
    vectors = dict(
        command="python test/golden/make/generator_vectors.py",
        fnv1a32={text: fnv1a32(text) for text in ("", "a", "foobar", "model.0.conv0.convbn_0.conv.weight", "Grüße 🙂")},
        words=[dict(seed=s, name=n, count=c, first=[int(w) for w in words(s, n, 6)], sha256=digest(words(s, n, c)))
               for s, n, c in ((0, "", 4097), (1, "x", 10007), (0xFFFFFFFF, "model.1.conv.weight", 65536))],
        uniform=dict(seed=3, name="u", count=10007, sha256=digest(uniform(3, "u", 10007).astype(np.float32))),
        bellSums=dict(seed=3, name="b", count=10007, sha256=digest(bell_sums(3, "b", 10007).astype(np.int16))),
        batchesTracked=dict(name=counter, seed=0, value=batches_tracked(counter, 0)),
        samplePositions=dict(path="model.0.layer1", numel=819200,
                             first=[int(p) for p in sample_positions("model.0.layer1", 819200, 8)]),
        images=[dict(seed=s, height=h, width=w, first=[float(v) for v in image(s, h, w).reshape(-1)[:3]],
                     sha256=digest(image(s, h, w))) for s, h, w in ((0, 320, 320), (5, 64, 160), (1, 7, 3))],
        tensors=tensors,
        states=[dict(variant=v, seed=0, attnGain=1e5, sha256=state_digest(v, 0, 1e5)) for v in ("MobileNetV4ConvSmall", "MobileNetV4HybridMedium")],
    )
    with open(OUT, "w", encoding="utf8") as f:
        json.dump(vectors, f, indent=1, ensure_ascii=False)
        f.write("\n")
    print(os.path.normpath(OUT), os.path.getsize(OUT), "bytes")


if __name__ == "__main__":
    main()
