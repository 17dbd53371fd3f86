"""Runs of the detection head in both precisions from the same queries, and how well its choice of queries is conditioned:
a top-k is discontinuous, so what follows a near tie is no fair golden. Needs torch."""
from casefile import CLOSE
from models import same_queries  # of test/golden/make
from traced import Trace, in_double


def decode_both(model, run, maps, given):
    """Traces in float32 and float64 of run(maps) -> (output, details); the second refines the first's queries."""
    single = Trace(model, lambda: run(maps), given)
    details = single.result[1]
    wide = [m.double() for m in maps]
    with same_queries(details["index"]):
        double = in_double(model, lambda: run(wide), dict(zip(given, wide)))
    return single, double, details, double.result[1]


class Notes:
    """What to say of the choice and of the order of queries; None where both are well conditioned."""

    def __init__(self, choice, order, facts):
        self.choice, self.order, self.facts = choice, order, facts

    def by_module(self, trace):
        """{name: note} for the modules that run on chosen queries: their rows are in the queries' order."""
        if self.order is None:
            return {}
        rows = trace.result[1]["index"].shape[1]
        parts = (".layers.", "query_pos_head", "enc_bbox_head", "dec_bbox_head", "dec_score_head")
        after = lambda s: any(p in "." + s.name for p in parts) and s.name.split(".")[-1] != "" and trace.outputs[s.name].ndim == 3
        return {s.name: self.order for s in trace.steps if after(s) and trace.outputs[s.name].shape[1] == rows and "input_proj" not in s.name}


def selection_notes(single, details, double):
    """The choice's margins beside the noise of the scores that it is made by."""
    head = next(name for name in single.outputs if name.endswith("enc_score_head"))
    scores = single.outputs[head]
    noise = float((scores.double() - double.outputs[head]).abs().max())
    chosen = details["index"].shape[1]
    ordered = scores.amax(-1)[0].sort(descending=True).values
    margin = float(ordered[chosen - 1] - ordered[chosen]) if ordered.numel() > chosen else float("inf")
    gaps = ordered[: chosen - 1] - ordered[1:chosen]
    near = int((gaps < CLOSE * noise).sum())
    choice = order = None
    if margin < CLOSE * noise:
        choice = f"near tie: the last chosen token is {margin:.1e} above the first that is not, and scores are {noise:.1e} uncertain"
    if near:
        order = f"order: {near} of {chosen - 1} neighbours among the chosen are closer than {CLOSE} times the scores' {noise:.1e} of noise: compare as a set, rows matched"
    return Notes(choice or order, order, dict(margin=margin, noise=noise, near=near))
