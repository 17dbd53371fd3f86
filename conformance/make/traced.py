"""Every module's output of one run of the reference, with the module's class and what went into it. Needs torch."""
from collections import namedtuple

import torch

# The reference's classes under the names that Ultralytics and this project have for them.
CLASSES = {
    "Decoder": "RTDETRDecoder", "DecoderStack": "DeformableTransformerDecoder", "DecoderLayer": "DeformableTransformerDecoderLayer",
    "DeformableAttention": "MSDeformAttn", "SelfAttention": "MultiheadAttention", "RTDETRModel": "RTDETRDetectionModel",
}
Step = namedtuple("Step", "name rule kind inputs")


def class_of(module):
    name = type(module).__name__
    return CLASSES.get(name, name)


class Trace:
    """`run()` under hooks: `outputs` {name: tensor}, `steps` in the order of execution, `result`. The members of lists and
    tuples are "path.0", "path.1", ... A module that runs several times keeps its last output, at the place of the last call.
    `names` {id: name} are tensors known beforehand, for the steps' inputs."""

    def __init__(self, model, run, given=None, skip=()):
        self.outputs, steps, self._kept = {}, {}, []
        names = {id(t): name for name, t in (given or {}).items()}

        def visit(path, value, module, sources):
            if isinstance(value, torch.Tensor):
                if path in skip or not value.is_floating_point():
                    return
                self._kept.append(value)  # an id is a tensor's only as long as it lives
                self.outputs.pop(path, None)
                steps.pop(path, None)
                self.outputs[path] = value
                names.setdefault(id(value), path)
                kind = repr(module) if not list(module.children()) else class_of(module)
                steps[path] = Step(path, class_of(module), kind, sources)
            elif isinstance(value, (list, tuple)):
                for i, v in enumerate(value):
                    visit(f"{path}.{i}", v, module, sources)

        def hook(path):
            def seen(module, inputs, output):
                flat = []
                for v in inputs:
                    flat += v if isinstance(v, (list, tuple)) else [v]
                tensors = [v for v in flat if isinstance(v, torch.Tensor)]
                self._kept += tensors
                visit(path, output, module, [names[id(t)] for t in tensors if id(t) in names])
            return seen

        hooks = [m.register_forward_hook(hook(path)) for path, m in model.named_modules() if path]
        try:
            with torch.no_grad():
                self.result = run()
        finally:
            for h in hooks:
                h.remove()
        self.steps = list(steps.values())

    def of(self, names):
        """The trace of these names alone."""
        self.steps = [s for s in self.steps if s.name in names]
        return self


def in_double(model, run, given=None, skip=()):
    """The same run with the model in float64; run() must feed it doubles. Afterwards the model is as it was: the way to
    float64 and back is exact."""
    model.double()
    try:
        return Trace(model, run, given, skip)
    finally:
        model.float()
