"""Makes the conformance kit, or the cases of it whose ids fit a pattern.

  python conformance/make/kit.py [PATTERN ...]        as "L0/conv2d/*", "L3"; all without one

Needs torch, numpy, PyYAML, cv2 and pycocotools (requirements.txt names the versions that made what is here). The same
versions on the same kind of processor write the same bytes. kit.json is written anew for all cases that are there."""
import fnmatch
import hashlib
import json
import os
import shutil
import sys

import torch

from casefile import FORMAT, KIT, pretty
import blocks
import detections
import networks
import operators
import pictures

VERSION = "1.0"
COMMAND = "python conformance/make/kit.py"
MAKERS = [("L0", operators.cases), ("L1", blocks.cases), ("L2", networks.stage_cases), ("L3", networks.network_cases),
          ("L4", pictures.cases), ("L5", detections.cases)]
SHARED = ["../models/codes.f16.safetensors", *(f"../examples/pictures/{n}.jpg" for n in detections.PICTURES),
          *(f"../test/golden/codes/{n}.640.png" for n in detections.PICTURES)]


def fits(id, patterns):
    return not patterns or any(fnmatch.fnmatchcase(id, p) or id.startswith(p + "/") for p in patterns)


def known():
    """The lines of the kit.json that is there, by id."""
    path = os.path.join(KIT, "kit.json")
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf8") as f:
        return {line["id"]: line for line in json.load(f)["cases"]}


def shared_line(path):
    with open(os.path.join(KIT, path), "rb") as f:
        content = f.read()
    return {"path": path, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def main():
    patterns = sys.argv[1:]
    before, lines = known(), []
    sets = networks.write_sets()
    for level, make in MAKERS:
        # A maker computes all of its level; levels that no pattern can meet are left as they are.
        if patterns and not any(p.startswith(level) or not p.startswith("L") for p in patterns):
            lines += [line for id, line in before.items() if id.startswith(level)]
            continue
        total = 0
        for case in make(COMMAND):
            line = case.write() if fits(case.id, patterns) or case.id not in before else before[case.id]
            lines.append(line)
            total += line["bytes"]
        count = sum(line["id"].startswith(level) for line in lines)
        print(f"{level}: {count} cases, {total} bytes", flush=True)
    keep = {line["id"] for line in lines}
    for folder, _, files in os.walk(os.path.join(KIT, "cases")):
        id = os.path.relpath(folder, os.path.join(KIT, "cases")).replace(os.sep, "/")
        if "case.json" in files and id not in keep:
            shutil.rmtree(folder)
    index = {"format": FORMAT, "version": VERSION, "torch": torch.__version__, "cases": lines, "shared": [shared_line(p) for p in [*sets, *SHARED]]}
    with open(os.path.join(KIT, "kit.json"), "w", encoding="utf8") as f:
        f.write(pretty(index))
    print(f"{len(lines)} cases, {sum(line['bytes'] for line in lines)} bytes; shared within the kit {sum(os.path.getsize(os.path.join(KIT, p)) for p in sets)}")


if __name__ == "__main__":
    main()
