"""Made-up results of a study, as `facts.read` gives them: one with every kind of sentence, and any number by chance."""

import random

from helpers.narrate.measures import AHEAD, AUDITED, BASELINES, DECISIONS, GAPS, METHODS, METRICS

BANDS = {"B1": ("delta", 0.5, 4), "B2": ("theta", 4, 8), "B3": ("alpha", 8, 13), "B4": ("beta", 13, 30)}
BANDS |= {"B5": ("gamma", 30, 55)}
CHANNELS = ("FP1-F7", "F8-T8", "FZ-CZ", "P7-T7", "C3")
LAYERS = ("score", "recur", "mix")
RULES = ("completeness", "planted truth", "beyond power", "random weights", "permuted labels", "deletion", "insertion")
RULES += ("stability",)
FRAME_S, STEPS = 4.0, ("t0", "t1", "t2")
# What became of a sample, as a letter: its label and the decision.
LETTERS = {"T": (1, 1), "M": (1, 0), "F": (0, 1), ".": (0, 0)}
NAMES = {pair: letter for letter, pair in LETTERS.items()}
CALLED = {"T": DECISIONS["found"], "M": "seizure, missed", "F": "other, taken for seizure", ".": DECISIONS["left"]}


def ratio(part, whole):
    """Return a quotient, None where it is undefined."""
    return part / whole if whole else None


def scored(value, low=None, high=None, **more):
    """Return a score with its interval, as `intervals.interval` gives it."""
    few = "there are 2 recordings; an interval over recordings needs 3"
    reason = "the score is undefined" if value is None else few if low is None else None
    return {"value": value, "low": low, "high": high, "dropped": 0.0, "reason": reason} | more


def methods(*figures):
    """Return ``{method: figure}`` for three figures."""
    return dict(zip(METHODS, figures, strict=True))


# The parts of the results, each from what is to be in it.


def rates(tp, fn, fp, tn):
    """Return the counts and the five metrics that they give."""
    n, f1, f0 = tp + fn + fp + tn, ratio(2 * tp, 2 * tp + fp + fn), ratio(2 * tn, 2 * tn + fp + fn)
    weighted = ((tp + fn) * (f1 or 0) + (tn + fp) * (f0 or 0)) / n
    values = ((tp + tn) / n, ratio(tp, tp + fn), ratio(tn, tn + fp), f1, weighted)
    counts = {"n": n, "seizure": tp + fn, "tp": tp, "fn": fn, "fp": fp, "tn": tn}
    return counts | dict(zip(METRICS, values, strict=True))


def weighted_rates(tp, fn, fp, tn):
    """Return `rates` with two non-seizure samples for each seizure sample, where there are both."""
    weight = 2 * (tp + fn) / (fp + tn) if tp + fn and fp + tn else 1
    return rates(tp, fn, fp * weight, tn * weight)


def event_rates(seizures, detected, alarms, rate):
    """Return the scores of whole seizures."""
    return {
        "seizures": seizures,
        "detected": detected,
        "false_alarms": alarms,
        "sensitivity": ratio(detected, seizures),
        "precision": ratio(detected, detected + alarms),
        "f1": ratio(2 * detected, seizures + detected + alarms),
        "fp_per_24h": rate,
    }


def make_folds(held_out, inner, thresholds, networks, frames):
    """Return the folds; each argument holds one entry a fold: names, names, a threshold, and two numbers."""
    rows = zip(held_out, inner, thresholds, networks, frames, strict=True)
    return [
        {
            "fold": at,
            "held_out": names,
            "inner": others,
            "networks": [f"{at}-{other}" for other in range(11, 11 + number)],
            "threshold": threshold,
            "alarm": {"k": k, "threshold": None if threshold is None else threshold / 2, "minimum": 1},
        }
        for at, (names, others, threshold, number, k) in enumerate(rows)
    ]


def make_metrics(patient, source, counts, events, folds, intervals):
    """Return ``metrics.json``; `intervals` as in that file, `counts` are TP, FN, FP and TN."""
    thresholds = sorted(fold["threshold"] for fold in folds if fold["threshold"] is not None)
    samples = rates(*counts) | {"threshold": thresholds[len(thresholds) // 2] if thresholds else None}
    return {
        "patient": patient,
        "source": source,
        "samples": samples,
        "undefined": {name: f"there is nothing for {name}" for name in METRICS if samples[name] is None},
        "reference_prevalence": weighted_rates(*counts),
        "events": events,
        "intervals": intervals,
        "folds": folds,
    }


def make_sample(
    number, true, p, bands, threshold=0.41, delta=0.0003, pred=None, recording="sim08_01", channels=(None, "C3", "C3")
):
    """Return one sample of the digest; `bands` are three lists, one for each method."""
    return {
        "sample": number,
        "recording": recording,
        "start_s": 100.0 + number / 2,
        "end_s": 112.0 + number / 2,
        "true": true,
        "pred": int(p >= threshold) if pred is None else pred,
        "p_seizure": p,
        "threshold": threshold,
        "strongest_band": methods(*bands),
        "strongest_channel": {"ig": list(channels)},
        "convergence_delta": delta,
        "files": [],
    }


def make_digest(samples, errors=(), patient="sim08"):
    """Return ``digest.json``."""
    return {
        "patient": patient,
        "frame_s": FRAME_S,
        "bands": {key: {"name": name, "low_hz": low, "high_hz": high} for key, (name, low, high) in BANDS.items()},
        "rule": "The first [of] each | label.",
        "samples": list(samples),
        "errors": list(errors),
    }


def make_decisions(recordings):
    """Return the decisions on recordings (name → `LETTERS` in order of time); samples are numbered in that order."""
    rows = []
    for fold, (name, letters) in enumerate(recordings.items()):
        for at, letter in enumerate(letters):
            start, (label, decided) = FRAME_S * at, LETTERS[letter]
            times = {"start_s": start, "last_start_s": start + 2 * FRAME_S, "end_s": start + 3 * FRAME_S}
            about = {"sample": float(len(rows)), "recording": name, "fold": float(fold)}
            rows.append(about | times | {"label": float(label), "decided": float(decided)})
    return rows


def make_latencies(seizures):
    """Return a row for each seizure: recording, start, end, and the latency or None where it was missed."""
    keys = ("recording", "start_s", "end_s", "continues", "detected", "latency_s")
    return [
        dict(zip(keys, (name, start, end, 0.0, float(delay is not None), "" if delay is None else delay), strict=True))
        for name, start, end, delay in seizures
    ]


def make_recordings(durations_s):
    """Return the table of the recordings, from name → duration."""
    return [
        {"recording": name, "file": f"{name}.edf", "duration_s": duration_s} for name, duration_s in durations_s.items()
    ]


def make_audit(rows, tested, shared, splits, gap):
    """Return ``audit.json``: `rows` hold the scores of each protocol, `gap` the differences."""
    counted = {
        protocol: {"protocol": protocol, "n_test": tested, "shared_eeg": shared if at == 0 else 0} | scores
        for at, (protocol, scores) in enumerate(rows.items())
    }
    return {"rows": list(counted.values()), "gap": gap, "splits": splits}


def make_comparison(ours, others):
    """Return ``comparison.json``: the scores of ours, and of each other its scores and how far ours is ahead."""
    rows = [{"method": "ours", "name": "this network"} | ours | {f"ahead_{name}": None for name in AHEAD}]
    return {"rows": rows + [{"method": key, "name": BASELINES[key]} | scores for key, scores in others.items()]}


def make_sanity(tested, largest, disturbed, gap, gain, truth=None, ahead=None):
    """Return ``sanity.json``, the verdicts as the rules say them of the figures.

    Parameters
    ----------
    tested : (int, int)
        Seizure samples and others.
    largest : float
        The largest miss of Integrated Gradients, as a share.
    disturbed, gap, gain
        As in that file, empty where nothing was tested.
    truth : dict of str → dict, optional
        What a map's share on planted cells is, of each method, ``chance`` and ``power``.
    ahead : dict of str → dict, optional
        Method → ``chance`` and ``power`` → how much larger its share is.
    """
    planted = None
    if truth is not None:
        planted = {"time × frequency": {name: {"mass": figure} if figure else {} for name, figure in truth.items()}}
        planted["ahead"] = {
            "time × frequency": {
                method: {rival: {"mass": figure} for rival, figure in figures.items()}
                for method, figures in ahead.items()
            }
        }
    found = {
        "rules": {rule: f"what {rule} asks" for rule in RULES},
        "layers": list(LAYERS),
        "tested": dict(zip(("seizure", "other"), tested, strict=True)),
        "completeness": {"largest": largest, "n": max(1, sum(tested))},
        "truth": planted,
        "disturbed": disturbed,
        "retraining_gap": gap,
        "gain": gain,
    }
    return found | {"verdicts": {method: verdicts(method, found) for method in METHODS}}


def verdicts(method, sanity):
    """Return what each rule says of a method: true, false, or None where nothing was tested."""

    def above(figure):
        return None if not figure or figure["low"] is None else figure["low"] > 0

    def value(test):
        return sanity["disturbed"].get(test, {}).get(method, {}).get("value")

    weights, noise = value(f"weights:{LAYERS[-1]}"), value("noise")
    ahead = sanity["truth"]["ahead"]["time × frequency"][method] if sanity["truth"] else {}
    given = {
        "completeness": sanity["completeness"]["largest"] <= 0.05 if method == "ig" else None,
        "random weights": None if weights is None else weights < 0.2,
        "permuted labels": above(sanity["retraining_gap"].get(method)),
        "stability": None if noise is None else noise >= 0.7,
    }
    given |= {kind: above(sanity["gain"].get(kind, {}).get(method)) for kind in ("deletion", "insertion")}
    rivals = (("planted truth", "chance"), ("beyond power", "power"))
    given |= {rule: above(ahead.get(rival, {}).get("mass")) for rule, rival in rivals}
    return {rule: given[rule] for rule in RULES}


def make_profile(sample, letter, relevance):
    """Return the rows of one sample; `relevance` gives the number of a method, a step and a band, "" for none."""
    return [
        {"sample": float(sample), "decision": CALLED[letter], "method": method, "step": step, "band": band}
        | {"relevance": relevance(method, step, band)}
        for method in METHODS
        for step in STEPS
        for band in BANDS
    ]


# A study in which every kind of sentence is said.


def typical():
    """Return results with every kind of sentence.

    A hit, a miss, a false alarm and a correct rejection; maps of zeros; a step without a strongest channel; errors of
    both kinds; one missed seizure; baselines ahead, behind, equal and not to be told apart; a gap above zero and one
    that holds it; tests passed, failed and not made.
    """
    same, missed = ["B1", "B1", "B5"], 3 * "M"
    decisions = make_decisions(
        {
            "sim08_01": "....F..F" + 47 * "." + "MM" + 13 * "T" + 8 * "." + "TTM" + 12 * "T" + 60 * ".",
            "sim08_00": 100 * "." + 15 * "T" + 5 * "F" + 50 * "." + 12 * "T" + 19 * "." + "FFFF" + missed + 50 * ".",
        }
    )
    samples = [
        make_sample(57, 1, 0.976, (same, same, ["B2"] * 3)),
        make_sample(80, 1, 0.4099, (["B1", "B2", "B5"], ["B2", "B2", "B5"], ["B1", None, "B5"]), delta=-0.0012),
        make_sample(3, 0, 0.027, (["B5"] * 3,) * 3, channels=["FZ-CZ"] * 3),
        make_sample(4, 0, 0.57, ([None] * 3, ["B5", "B5", "B1"], ["B3", "B4", "B1"]), channels=[None] * 3),
    ]
    errors = [
        make_sample(359, 1, 0.012, (["B4", "B4", "B1"], same, ["B3", "B2", "B1"]), recording="sim08_00"),
        make_sample(355, 0, 0.93, (["B2"] * 3,) * 3, recording="sim08_00", channels=["F8-T8", "C3", "C3"]),
    ]
    seizures = [("sim08_01", 228.0, 288.0, 26.0), ("sim08_01", 320.0, 380.0, 13.0), ("sim08_00", 408.0, 468.0, 20.0)]
    seizures += [("sim08_00", 688.0, 736.0, -2.5), ("sim08_00", 828.0, 840.0, None)]
    return {
        "metrics": _typical_metrics((54, 6, 11, 340)),
        "comparison": _typical_comparison(),
        "audit": _typical_audit(),
        "digest": make_digest(samples, errors),
        "sanity": _typical_sanity(),
        "recordings": make_recordings({"sim08_00": 1080.0, "sim08_01": 660.0, "sim08_07": 330.0, "sim08_08": 330.0}),
        "decisions": decisions,
        "latencies": make_latencies(seizures),
        "profiles": _typical_profiles(),
    }


def counted(tp, fn, fp, tn):
    """Return the typical results with other counts of samples; the errors stay of which there still are some."""
    results = typical()
    errors = [sample for sample in results["digest"]["errors"] if (fn if sample["true"] else fp)]
    letters = tp * "T" + fn * "M" + fp * "F" + tn * "."
    halves = {"sim08_00": letters[::2], "sim08_01": letters[1::2]}
    return results | {
        "metrics": _typical_metrics((tp, fn, fp, tn)),
        "decisions": make_decisions(halves),
        "digest": results["digest"] | {"errors": errors},
    }


def _typical_metrics(counts):
    """Return the typical ``metrics.json`` with these counts."""
    inner = ["sim08_07", "sim08_08"]
    folds = make_folds([["sim08_00"], ["sim08_01"]], [inner, inner], (0.35, 0.5), (4, 4), (5, 3))
    intervals = {
        "samples": {name: _around(rates(*counts)[name]) for name in METRICS},
        "ranking": {"auroc": scored(0.9055, 0.8217, 0.969), "auprc": scored(0.8154, 0.7143, 0.8972)},
        "events": {
            "sensitivity": scored(0.8, 0.5, 1.0),
            "precision": scored(2 / 3, 0.4, 1.0),
            "f1": scored(8 / 11),
            "fp_per_24h": scored(3.2, 0.0, 9.6),
        },
        "seizures": {"found": scored(0.8, 0.3755, 0.9638), "median_latency_s": scored(16.5, -2.5, 26.0)},
    }
    metrics = make_metrics("sim08", "simulate", counts, event_rates(5, 4, 2, 3.2), folds, intervals)
    metrics["samples"]["threshold"] = 0.425
    if counts[0] + counts[1] and counts[2] + counts[3]:
        metrics["reference_prevalence"] |= {"accuracy": 0.9321, "f1": 0.8765}
    return metrics


def _around(value):
    """Return a rate with an interval about it."""
    return scored(None) if value is None else scored(value, max(0.0, value - 0.08), min(1.0, value + 0.05))


def _typical_comparison():
    """Return a comparison with baselines behind, ahead, equal, and not to be told apart."""
    ours = {"auprc": scored(0.8154, 0.7143, 0.8972), "event_f1": scored(8 / 11)}
    logistic = {"auprc": scored(0.7175, 0.5628, 0.8389), "ahead_auprc": scored(0.0979, 0.0122, 0.2)}
    logistic |= {"event_f1": scored(1.0, 1.0, 1.0), "ahead_event_f1": scored(-3 / 11, -0.5, -0.1)}
    forest = {"auprc": scored(0.8342, 0.7, 0.9), "ahead_auprc": scored(-0.0188, -0.07, 0.02)}
    forest |= {"event_f1": scored(8 / 11), "ahead_event_f1": scored(0.0)}
    return make_comparison(ours, {"logistic": logistic, "forest": forest})


def _typical_audit():
    """Return an audit with a gap above zero, one that holds it, and one without an interval."""
    random_split = {"f1": scored(0.9723, 0.9406, 1.0), "accuracy": scored(0.9815, 0.9606, 1.0)}
    weighted = {"f1": scored(0.8366, 0.7536, 0.9113), "accuracy": scored(0.9702, 0.8548, 0.9824)}
    random_split["auroc"], weighted["auroc"] = scored(0.9212), scored(0.928)
    gap = {"auroc": scored(-0.0068), "f1": scored(0.1357, 0.0538, 0.2316), "accuracy": scored(0.0113, -0.0319, 0.0811)}
    rows = {AUDITED["random"]: random_split, AUDITED["weighted"]: weighted}
    return make_audit(rows, 325, 313, 5, gap)


def _typical_sanity():
    """Return tests of the explanations: passed, failed, and not made."""
    truth = methods(scored(0.5156, 0.3476, 0.6625), scored(0.4762, 0.352, 0.5766), scored(0.5185, 0.4069, 0.6044))
    rivals = {"chance": scored(0.2221, 0.2105, 0.2367), "power": scored(0.5974, 0.5265, 0.6422)}
    ahead = [{"chance": scored(0.3, 0.1, 0.5), "power": scored(-0.08, -0.2, 0.1)} for _ in METHODS]
    disturbed = {
        "weights:mix": methods(scored(0.119, 0.0772, 0.1584), scored(0.4816, 0.4009, 0.544), scored(-0.0474)),
        "noise": methods(scored(0.9974, 0.9966, 0.9982), scored(0.65, 0.6, 0.8), scored(0.9857, 0.9836, 0.9879)),
    }
    gain = {
        "deletion": methods(scored(0.3263, 0.2892, 0.3764), scored(0.3112, -0.02, 0.6), scored(0.358, 0.3181, 0.4142)),
        "insertion": methods(scored(0.3691, 0.3194, 0.4028), scored(0.3437), scored(-0.4155, -0.5, -0.3)),
    }
    gap = methods(scored(0.1043, 0.0403, 0.1991), scored(0.2767, 0.19, 0.4087), scored(-0.0015, -0.1, 0.1))
    return make_sanity((40, 40), 0.0137, disturbed, gap, gain, truth | rivals, methods(*ahead))


def _typical_profiles():
    """Return the relevance of four samples, with maps of zeros among them."""
    cam = {"B1": 1.5, "B2": 0.9, "B3": 0.5, "B4": 1.0, "B5": 1.1}
    signed = {"B1": 0.7, "B2": 0.9, "B3": 0.0, "B4": -0.2, "B5": 0.1}

    def relevance(sign, zero=()):
        def of(method, step, band):
            return sign * signed[band] if method == "ig" else "" if method in zero else cam[band]

        return of

    rows = make_profile(57, "T", relevance(1)) + make_profile(58, "T", relevance(0.5, zero=["gradcam"]))
    return rows + make_profile(3, ".", relevance(-1, zero=["gradcam"])) + make_profile(359, "M", relevance(-3))


# Studies by chance, in which extremes are as likely as the rest.


def generated(seed):
    """Return the results of a made-up study; the same for the same seed."""
    draw = random.Random(seed)
    counts = _counts(draw)
    patient, source = (
        draw.choice(["sim08", "chb08", "a-1_b"]),
        draw.choice(["simulate", "simulate", "directory", "physionet"]),
    )
    names = _names(draw, patient)
    held_out, inner = _divided(draw, names)
    decisions = _decisions(draw, counts, [name for group in held_out for name in group])
    durations = _durations(draw, decisions, names)
    seizures = _seizures(draw, held_out)
    metrics = _metrics(draw, patient, source, counts, (held_out, inner), seizures, sum(durations.values()))
    samples, errors = _shown(draw, decisions)
    draw.shuffle(decisions)
    return {
        "metrics": metrics,
        "comparison": _comparison(draw, metrics),
        "audit": _audit(draw),
        "digest": make_digest(samples, errors, patient),
        "sanity": _sanity(draw, counts, source == "simulate"),
        "recordings": make_recordings(durations),
        "decisions": decisions,
        "latencies": make_latencies(seizures),
        "profiles": _profiles(draw, decisions),
    }


def _counts(draw):
    """Return TP, FN, FP and TN: of each class none, one, two or many, and of these none, all or some right."""
    seizure, other = (
        draw.choice([0, 1, 2, *draw.choices(range(3, most), k=3)]) for most in (300, draw.choice([100, 2600]))
    )
    if draw.random() < 0.15:  # both classes with as many samples
        other = seizure
    other = other or int(not seizure)
    tp, tn = (
        draw.choice([0, number, draw.randint(0, number), number - draw.randint(0, number // 4)])
        for number in (seizure, other)
    )
    return tp, seizure - tp, other - tn, tn


def _names(draw, patient):
    """Return the names of some recordings, as a clinic might give them."""
    form = draw.choice(["{patient}_{at:02d}", "EEG 2024-01-{at:02d}", "Müller_{at:02d}", "rec[{at}]"])
    return [form.format(patient=patient, at=at) for at in range(1, draw.choice([2, 3, 7, 12]) + 1)]


def _divided(draw, names):
    """Return which recordings each fold holds out, and which it chooses its threshold on; some are in no fold."""
    folds = draw.choice([1, 2, len(names) - 1, len(names)])
    tested = names if folds > 1 else names[: draw.randint(1, len(names) - 1)]
    held_out = [tested[at::folds] for at in range(folds)]
    return held_out, [[name for name in names if name not in group] for group in held_out]


def _decisions(draw, counts, names):
    """Return decisions with these counts: in runs, those missed where chance puts them, cut into recordings."""
    tp, fn, fp, tn = counts
    others = draw.sample("F" * fp + "." * tn, fp + tn)
    runs = _pieces(draw, _missed(draw, tp, fn)) + _pieces(draw, "".join(others))
    draw.shuffle(runs)
    letters = "".join(runs)
    cuts = sorted(draw.randint(0, len(letters)) for _ in names[1:])
    ends = zip([0, *cuts], [*cuts, len(letters)], strict=True)
    return make_decisions({name: letters[start:end] for name, (start, end) in zip(names, ends, strict=True)})


def _missed(draw, tp, fn):
    """Return seizure samples, those missed first, last, as a whole, or anywhere."""
    found, missed = "T" * tp, "M" * fn
    mixed = "".join(draw.sample(found + missed, tp + fn))
    return draw.choice([missed + found, found + missed, found[: tp // 2] + missed + found[tp // 2 :], mixed])


def _pieces(draw, letters):
    """Return a text in a few pieces."""
    cuts = sorted(draw.randint(0, len(letters)) for _ in range(draw.choice([0, 1, 5])))
    return [letters[start:end] for start, end in zip([0, *cuts], [*cuts, len(letters)], strict=True)]


def _durations(draw, decisions, names):
    """Return how long the recordings last: as long as they are decided on, or hours longer."""
    more, ends = draw.choice([0.0, 37.5, 3600.0, 14400.0]), dict.fromkeys(names, 12.0)
    for row in decisions:
        ends[row["recording"]] = max(ends[row["recording"]], row["end_s"])
    return {name: end + more for name, end in ends.items()}


def _seizures(draw, held_out):
    """Return up to twelve seizures, up to eight of them missed."""
    number = draw.choice([0, 1, 2, 5, 12])
    missed = draw.choice([0, min(number, 8), draw.randint(0, min(number, 8))])
    latencies = [None] * missed + [draw.choice([0.0, -3.5, draw.uniform(-20, 60)]) for _ in range(number - missed)]
    draw.shuffle(latencies)
    spans = [(at * 200 + draw.choice([0.0, 7.5, 31.0]), draw.choice([1.0, 28.25, 120.0])) for at in range(number)]
    recordings = [name for group in held_out for name in group]
    rows = zip(spans, latencies, strict=True)
    return [(draw.choice(recordings), start, start + length, delay) for (start, length), delay in rows]


def _spanned(draw, value, least=0.0, most=1.0):
    """Return a value with an interval about it: none, one without width, a narrow and a wide one."""
    if value is None:
        return scored(None)
    width = draw.choice([None, 0.0, 0.02, 1.0])
    if width is None:
        return scored(value)
    low, high = value - width * draw.random() * (most - least), value + width * draw.random() * (most - least)
    return scored(value, min(value, max(least, low)), max(value, min(most, high)))


def _metrics(draw, patient, source, counts, groups, seizures, seconds):
    """Return ``metrics.json``; `groups` are the recordings held out and inner, `seconds` all that was recorded."""
    thresholds = [draw.choice([0.41, 0.003, 1.0, draw.random()]) for _ in groups[0]]
    thresholds = draw.choice([thresholds, thresholds[:1] * len(thresholds), [None] * len(thresholds)])
    networks, frames = (
        draw.choice([[one] * len(thresholds), draw.choices((one, 2, 5), k=len(thresholds))]) for one in (1, 3)
    )
    folds = make_folds(*groups, thresholds, networks, draw.choice([frames, [1] * len(frames)]))
    delays = sorted(delay for *_, delay in seizures if delay is not None)
    alarms = draw.choice([0, 1, 7])
    rate = draw.choice([None, alarms * 86400 / seconds])
    events = event_rates(len(seizures), len(delays), alarms, rate)
    found, named = rates(*counts), ("sensitivity", "precision", "f1")
    intervals = {
        "samples": {name: _spanned(draw, found[name]) for name in METRICS},
        "ranking": {
            name: _spanned(draw, draw.choice([None, 0.0, 0.5, 1.0, draw.random()])) for name in ("auroc", "auprc")
        },
        "events": {name: _spanned(draw, events[name]) for name in named},
        "seizures": {
            "found": _spanned(draw, events["sensitivity"]),
            "median_latency_s": _spanned(draw, delays[len(delays) // 2] if delays else None, -30.0, 120.0),
        },
    }
    intervals["events"]["fp_per_24h"] = _spanned(draw, rate, 0.0, 1000.0)
    return make_metrics(patient, source, counts, events, folds, intervals)


def _comparison(draw, metrics):
    """Return a comparison in which the baselines are ahead, behind, equal or as good as equal; one or both may miss."""
    own = {"auprc": metrics["intervals"]["ranking"]["auprc"], "event_f1": metrics["intervals"]["events"]["f1"]}
    others = {}
    for method in draw.choice([list(BASELINES), list(BASELINES), ["logistic"], ["forest"], []]):
        others[method] = {}
        for name in AHEAD:
            ours = own[name]["value"]
            near = [ours, ours - 0.00003, ours + 0.01] if ours is not None else []
            other = draw.choice([None, 0.0, 1.0, draw.random(), *near])
            others[method][name] = _spanned(draw, other)
            ahead = None if other is None or ours is None else ours - other
            others[method][f"ahead_{name}"] = _spanned(draw, ahead, -1.0, 1.0)
    return make_comparison(own, others)


def _audit(draw):
    """Return an audit: the random split higher, lower, equal, or without scores; none, some or all EEG shared."""
    rows, gap, bare = {protocol: {} for protocol in AUDITED.values()}, {}, draw.random() < 0.2
    for name in GAPS:
        first = draw.choice([0.0, 1.0, draw.random()])
        second = draw.choice([None, first, draw.random()])
        pair = [None, None] if bare else [first, second]
        for protocol, value in zip(AUDITED.values(), pair, strict=True):
            rows[protocol][name] = _spanned(draw, value)
        gap[name] = _spanned(draw, None if None in pair else pair[0] - pair[1], -1.0, 1.0)
    tested = draw.choice([1, 2, draw.randint(3, 4000)])
    return make_audit(rows, tested, draw.choice([0, tested, draw.randint(0, tested)]), draw.choice([1, 2, 5]), gap)


def _shown(draw, decisions):
    """Return the samples that are explained: some of any kind; and the errors, at most one of each kind, no others."""
    kinds, threshold = {}, draw.choice([0.41, 0.003])
    for row in decisions:
        kinds.setdefault(NAMES[row["label"], row["decided"]], []).append(row)
    chosen = {}
    for _ in range(draw.choice([1, 1, 2, 2, 3, 4])):
        row = draw.choice(kinds[draw.choice(sorted(kinds))])
        chosen[row["sample"]] = row
    if draw.random() < 0.8:  # else the clearest error may be among them, and is then none of the errors
        others = {letter: [row for row in kinds[letter] if row["sample"] not in chosen] for letter in kinds}
        kinds = {letter: rows for letter, rows in others.items() if rows}
    clearest = [draw.choice(kinds[letter]) for letter in "MF" if letter in kinds]
    errors = [row for row in clearest if row["sample"] not in chosen]
    return [_sample(draw, row, threshold) for row in chosen.values()], [_sample(draw, row, threshold) for row in errors]


def _sample(draw, row, threshold):
    """Return a sample of the digest: its probability anywhere on the side of the threshold that was decided."""
    high = [threshold, threshold + 1e-4, 1, draw.uniform(threshold, 1)]
    low = [threshold - 1e-5, 0, draw.uniform(0, threshold * 0.999)]
    pool = draw.choice([["B1"], ["B1", "B5"], list(BANDS), ["B1", "B3", None], [None]])
    one = draw.choices(pool, k=3)
    bands = [draw.choice([one, draw.choices(pool, k=3)]) for _ in METHODS]
    channels = draw.choices(draw.choice([CHANNELS[:1], CHANNELS, [None, "C3"], [None]]), k=3)
    p, delta = draw.choice(high if row["decided"] else low), draw.choice([None, 0, -0.0012, 1e-6])
    about = threshold, delta, int(row["decided"]), row["recording"], channels
    found = make_sample(int(row["sample"]), int(row["label"]), p, bands, *about)
    return found | {key: row[key] for key in ("start_s", "end_s")}


def _sanity(draw, counts, simulated):
    """Return the tests of the explanations, on the samples that were decided rightly, if any were."""
    right = [number for number in (counts[0], counts[3]) if number]
    each = min([40, *right])
    tested = [each if number else 0 for number in (counts[0], counts[3])]
    disturbed, gap, gain, truth, ahead = {}, {}, {}, None, None
    if right:
        for test, special in ((f"weights:{LAYERS[-1]}", 0.2), ("noise", 0.7)):
            disturbed[test] = methods(*(_figure(draw, special) for _ in METHODS))
        gap = methods(*(_figure(draw, 0.0) for _ in METHODS))
    if tested[0]:
        gain = {kind: methods(*(_figure(draw, 0.0) for _ in METHODS)) for kind in ("deletion", "insertion")}
    if tested[0] and simulated:
        truth = {name: _spanned(draw, draw.random()) for name in (*METHODS, "chance", "power")}
        ahead = {
            method: {
                rival: _spanned(draw, truth[method]["value"] - truth[rival]["value"], -1.0, 1.0)
                for rival in ("chance", "power")
            }
            for method in METHODS
        }
    return make_sanity(tested, draw.choice([0.0, 0.0137, 0.05, 0.2]), disturbed, gap, gain, truth, ahead)


def _figure(draw, special):
    """Return a figure of a test: undefined, at what its rule asks, just beside it, or anywhere."""
    beside = special + draw.choice([-0.004, 0.004])
    return _spanned(draw, draw.choice([None, special, beside, *(draw.uniform(-1, 1) for _ in range(3))]), -1.0, 1.0)


def _profiles(draw, decisions):
    """Return the relevance of a few samples, of all kinds or of some; IG for or against seizure, or both."""
    kinds = {}
    for row in decisions:
        kinds.setdefault(NAMES[row["label"], row["decided"]], []).append(int(row["sample"]))
    rows = []
    for letter in draw.sample(sorted(kinds), draw.choice([len(kinds), len(kinds), draw.randint(0, len(kinds))])):
        signed = draw.choice([(0.1, 2.0), (-2.0, -0.1), (-2.0, 2.0), (0.0, 0.0)])
        for sample in draw.sample(kinds[letter], min(3, len(kinds[letter]))):
            zero = draw.choice([(), (), ("gradcam",), ("gradcam", "gradcampp")])
            rows += make_profile(sample, letter, _relevance(draw, signed, zero))
    return rows


def _relevance(draw, signed, zero):
    """Return a function that draws relevance: IG's between two ends, "" for maps of zeros."""

    def of(method, step, band):
        if method == "ig":
            return round(draw.uniform(*signed), 6)
        return "" if method in zero else round(draw.uniform(0, 3), 6)

    return of
