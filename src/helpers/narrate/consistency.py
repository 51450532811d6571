"""Consistency: results that contradict each other are refused, as whatever a narrative said of them would be false."""

import math

from helpers.narrate.measures import METRICS


class FactError(ValueError):
    """Results that contradict each other."""


def check(results):
    """Hold the results of the stages against each other, and against what the narrative says of them.

    Raises
    ------
    FactError
        If files are of two patients, counts do not add up, a metric is not what its counts give, a recording is tested
        twice or on a threshold chosen on it, a fold has nothing to choose its threshold on, the decisions give other
        counts, the list of seizures other numbers, or a sample's prediction contradicts its probability and threshold.
    """
    metrics, digest = results["metrics"], results["digest"]
    if metrics["patient"] != digest["patient"]:
        raise FactError(f"metrics are of patient {metrics['patient']}, the digest is of {digest['patient']}")
    _counts(metrics["samples"], "samples")
    _events(metrics["events"])
    _folds(metrics["folds"])
    _decisions(results["decisions"], metrics["samples"])
    _latencies(results["latencies"], metrics["events"])
    for sample in digest["samples"] + digest["errors"]:
        p, threshold, pred = sample["p_seizure"], sample["threshold"], sample["pred"]
        if pred != int(p >= threshold):
            raise FactError(
                f"sample {sample['sample']}: predicted {pred}, but p_seizure {p} against threshold {threshold}"
            )
    for sample in digest["errors"]:
        if sample["true"] == sample["pred"]:
            raise FactError(f"sample {sample['sample']} is listed as an error, but {sample['pred']} is right")


def _counts(samples, where):
    """Hold the metrics against the confusion counts that they come from."""
    tp, fn, fp, tn = (samples[name] for name in ("tp", "fn", "fp", "tn"))
    if tp + fn != samples["seizure"] or tp + fn + fp + tn != samples["n"] or not samples["n"]:
        raise FactError(f"{where}: TP {tp}, FN {fn}, FP {fp}, TN {tn} are not {samples['seizure']} of {samples['n']}")

    f1, f1_other = _ratio(2 * tp, 2 * tp + fp + fn), _ratio(2 * tn, 2 * tn + fp + fn)
    weighted = ((tp + fn) * (f1 or 0) + (tn + fp) * (f1_other or 0)) / samples["n"]
    rates = _ratio(tp + tn, samples["n"]), _ratio(tp, tp + fn), _ratio(tn, tn + fp)
    wanted = dict(zip(METRICS, (*rates, f1, weighted), strict=True))
    _given(samples, wanted, f"{where}: TP {tp}, FN {fn}, FP {fp}, TN {tn}")


def _events(events):
    """Hold the event scores against their counts, and the rate against the number of false alarms."""
    seizures, detected, alarms = (events[name] for name in ("seizures", "detected", "false_alarms"))
    where = f"events: {seizures} seizures, {detected} detected, {alarms} false alarms"
    if not 0 <= detected <= seizures or alarms < 0:
        raise FactError(f"{where}: impossible")
    wanted = {
        "sensitivity": _ratio(detected, seizures),
        "precision": _ratio(detected, detected + alarms),
        "f1": _ratio(2 * detected, seizures + detected + alarms),
    }
    _given(events, wanted, where)
    if events["fp_per_24h"] is not None and bool(events["fp_per_24h"]) != bool(alarms):
        raise FactError(f"{where}, but {events['fp_per_24h']} false positives per 24 h")


def _given(scores, wanted, where):
    for name, value in wanted.items():
        found = scores[name]
        known = None not in (found, value)
        if (not known and found != value) or (known and not math.isclose(found, value, abs_tol=1e-6)):
            raise FactError(f"{where} give {name} {value}, but it is {found}")


def _ratio(part, whole):
    return part / whole if whole else None


def _folds(folds):
    """Hold the folds against what the narrative says of them: no recording tested twice, or on its own threshold."""
    seen = set()
    for fold in folds:
        held_out, inner = set(fold["held_out"]), set(fold["inner"])
        if not inner:
            raise FactError(f"fold {fold['fold']}: there is no inner recording to choose its threshold on")
        if strange := [name for name in fold["networks"] if str(fold["fold"]) not in name.split("-")]:
            raise FactError(f"fold {fold['fold']}: {strange} trained on what it holds out, as the names say")
        for names, fault in ((seen, "in another fold too"), (inner, "inner too")):
            if both := held_out & names:
                raise FactError(f"fold {fold['fold']}: {sorted(both)} held out and {fault}")
        seen |= held_out


def _decisions(decisions, samples):
    pairs = [(row["label"], row["decided"]) for row in decisions]
    for name, pair in (("tp", (1, 1)), ("fn", (1, 0)), ("fp", (0, 1)), ("tn", (0, 0))):
        if pairs.count(pair) != samples[name]:
            raise FactError(f"metrics say {name} {samples[name]}, the decisions {pairs.count(pair)}")


def _latencies(latencies, events):
    """Hold the list of seizures against the numbers of them, as both are told."""
    listed, found = len(latencies), sum(row["detected"] == 1 for row in latencies)
    if (listed, found) != (events["seizures"], events["detected"]):
        raise FactError(
            f"metrics say {events['detected']} of {events['seizures']} seizures were detected, their list {found} of "
            f"{listed}"
        )
