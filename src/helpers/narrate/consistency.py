"""Consistency: the results of the stages, held against each other before anything is told of them."""

import math

from helpers.narrate.numbers import METRICS


class FactError(ValueError):
    """Results that contradict each other."""


def check(results):
    """Raise FactError, with both sides, if the results of the stages contradict each other.

    So they do if two patients are mixed, counts do not add up, a score is not what its counts give, a recording is
    tested twice or on its own threshold, or a sample's decision contradicts its probability.
    """
    metrics, digest, table = (results[name] for name in ("metrics", "digest", "decisions"))
    samples, events, found = metrics["samples"], metrics["events"], results["latencies"]["detected"]
    tested = [name for fold in metrics["folds"] for name in fold["held_out"]]
    both = {name for fold in metrics["folds"] for name in fold["held_out"] if name in fold["inner"]}
    _agree("patient", metrics["patient"], digest["patient"])
    for name, value in _scores(table["label"], table["decided"]).items():
        _agree(name, value, samples[name])
    detected, alarms = events["detected"], events["false_alarms"]
    _agree("event sensitivity", events["sensitivity"], _ratio(detected, events["seizures"]))
    _agree("event precision", events["precision"], _ratio(detected, detected + alarms))
    _agree("seizures and detected ones", (len(found), int(found.sum())), (events["seizures"], detected))
    _agree("recordings tested", len(tested), len(set(tested)))
    _agree("recordings both held out and inner", both, set())
    for sample in digest["samples"] + digest["errors"]:
        _agree(
            f"decision on sample {sample['sample']}", sample["pred"], int(sample["p_seizure"] >= sample["threshold"])
        )


def _scores(label, decided):
    """Return the counts that decisions give, and their scores."""
    tp, fn, fp, tn = (
        int(((label == true) & (decided == said)).sum()) for true, said in ((1, 1), (1, 0), (0, 1), (0, 0))
    )
    f1, other = _ratio(2 * tp, 2 * tp + fp + fn), _ratio(2 * tn, 2 * tn + fp + fn)
    weighted = ((tp + fn) * (f1 or 0) + (tn + fp) * (other or 0)) / len(label)
    scores = _ratio(tp + tn, len(label)), _ratio(tp, tp + fn), _ratio(tn, tn + fp), f1, weighted
    counts = {"n": len(label), "seizure": tp + fn, "tp": tp, "fn": fn, "fp": fp, "tn": tn}
    return counts | dict(zip(METRICS, scores, strict=True))


def _ratio(part, whole):
    return part / whole if whole else None


def _agree(what, one, other):
    close = isinstance(one, float) and isinstance(other, float) and math.isclose(one, other, abs_tol=1e-6)
    if not close and one != other:
        raise FactError(f"The results contradict each other: {what} is {one} in one place and {other} in another.")
