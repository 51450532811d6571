"""Measures: every number that a narrative may say: its printed form, unit, interval, and the place it stands in."""

METRICS = ("accuracy", "sensitivity", "specificity", "f1", "weighted_f1")
COUNTS = ("n", "seizure", "tp", "fn", "fp", "tn")
METHODS = {"gradcam": "Grad-CAM", "gradcampp": "Grad-CAM++", "ig": "IG"}
DECISIONS = {"found": "seizure, found", "left": "other, left alone"}  # the right ones, as `profiles` calls them
BASELINES = {"logistic": "logistic regression", "forest": "random forest"}
# In which the model is held against the baselines, and where its own score stands.
AHEAD = {"auprc": "ranking.auprc", "event_f1": "events.f1"}
GAPS = ("f1", "accuracy", "auroc")  # in which the splits are held against each other
AUDITED = {"random": "random split", "weighted": "by recording, weighted as the random split"}
# Of each test of the explanations: where in sanity.json the figure by which a method is judged stands.
TESTED = {
    "planted truth": "truth.time × frequency.{method}.mass",
    "random weights": "disturbed.weights:{last}.{method}",
    "permuted labels": "retraining_gap.{method}",
    "deletion": "gain.deletion.{method}",
    "insertion": "gain.insertion.{method}",
    "stability": "disturbed.noise.{method}",
}
PASSING = {"random weights": 0.2, "stability": 0.7}  # a correlation below, and from here on, passes


def plain(value, places=3):
    """Print a number with at most so many decimals and no needless zeros: 120.0 is "120"."""
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if places else text


def decimals(places):
    """Return a function that prints a number with so many decimals, a true minus, and none before zeros."""

    def form(value):
        text = f"{value:.{places}f}"
        return text.replace("-", "−") if float(text) else text.removeprefix("-")

    return form


FRACTION = ("fraction", decimals(4))  # a unit and how it is printed
SHARE = ("fraction", decimals(2))
PROBABILITY = ("probability", decimals(2))
SECONDS = ("s", plain)


def number(printed):
    """Return the number that a printed form stands for: comparisons are made on what a reader sees."""
    return float(printed.replace("−", "-"))


def apart(value, limit, places):
    """Return a form with as many decimals as tell a value from a limit, and at least `places`."""
    if value is not None:
        while value != limit and decimals(places)(value) == decimals(places)(limit) and places < 12:
            places += 1
    return decimals(places)


def measure(value, unit, form, file, place, interval=None):
    """Return a number with all that is known of it; `interval` is as `intervals.interval` gives it, or None.

    Returns
    -------
    dict
        ``value``, ``printed`` (None if undefined), ``unit``, ``interval`` (``low`` and ``high`` as printed, or None),
        ``file`` and ``place`` in it.
    """
    whole = interval is not None and value is not None and interval["low"] is not None
    return {
        "value": value,
        "printed": None if value is None else form(value),
        "unit": unit,
        "interval": {end: form(interval[end]) for end in ("low", "high")} if whole else None,
        "file": file,
        "place": place,
    }


def measures(results, files):
    """Return all numbers of a study.

    Parameters
    ----------
    results : dict
        From `facts.read`.
    files : dict of str → str
        The path of each of its files, as it is to be named.

    Returns
    -------
    dict of str → dict
        As `measure` gives them. Keys are bare for single samples; else their part's name and a dot come first.
    """
    parts = (_samples, _events, _ranking, _folds, _comparison, _audit, _tests, _profiles, _study)
    found = {}
    for part in parts:
        for key, name, place, value, (unit, form), *interval in part(results):
            found[key] = measure(value, unit, form, files[name], place, *interval)
    return found


def _samples(results):
    metrics = results["metrics"]
    samples, intervals = metrics["samples"], metrics["intervals"]["samples"]
    for name in METRICS:
        yield name, "metrics", f"samples.{name}", samples[name], FRACTION, intervals.get(name)
        place = f"reference_prevalence.{name}"
        yield f"reference.{name}", "metrics", place, metrics["reference_prevalence"][name], FRACTION
    count, other = ("samples", str), samples["n"] - samples["seizure"]
    for name in COUNTS:
        yield name, "metrics", f"samples.{name}", samples[name], count
    yield "other", "metrics", "samples.n - samples.seizure", other, count
    yield "threshold", "metrics", "samples.threshold", samples["threshold"], PROBABILITY
    place = "max(samples.seizure, samples.n - samples.seizure) / samples.n"
    yield "baseline", "metrics", place, max(samples["seizure"], other) / samples["n"], FRACTION
    for key, name, share in (("found", "sensitivity", _percent), ("mistaken", "specificity", _lack)):
        place, ends = f"samples.{name}, of 100", intervals.get(name) or {"low": None}
        span = None if ends["low"] is None else dict(zip(("low", "high"), sorted(map(share, _ends(ends))), strict=True))
        yield f"per_100.{key}", "metrics", place, share(samples[name]), ("of 100", decimals(0)), span
    early = missed_early(results["decisions"], results["digest"]["frame_s"])
    yield "errors.early", "decisions", "label = 1, decided = 0, before the first found of their run", early, count


def _ends(interval):
    return interval["low"], interval["high"]


def _percent(share):
    return None if share is None else 100 * share


def _lack(share):
    return None if share is None else 100 * (1 - share)


def missed_early(decisions, frame_s):
    """Return how many missed seizure samples come before the first one found in their run of seizure samples.

    A run has a sample each `frame_s`. One in which none is found is missed as a whole: none of its samples is early.
    """
    early, run, last = 0, [], None
    for row in sorted(decisions, key=lambda row: (row["recording"], row["last_start_s"])):
        follows = last and row["recording"] == last["recording"] and last["label"] == row["label"] == 1
        follows = follows and row["last_start_s"] - last["last_start_s"] < 1.5 * frame_s
        run = run if follows else []
        if row["label"] == 1:
            run.append(row["decided"])
            if row["decided"] == 1 and sum(run) == 1:
                early += len(run) - 1
        last = row
    return early


def _events(results):
    events, intervals = results["metrics"]["events"], results["metrics"]["intervals"]
    seizures, place = ("seizures", str), "events.seizures - events.detected"
    for name in ("seizures", "detected"):
        yield f"events.{name}", "metrics", f"events.{name}", events[name], seizures
    yield "events.missed", "metrics", place, events["seizures"] - events["detected"], seizures
    yield "events.false_alarms", "metrics", "events.false_alarms", events["false_alarms"], ("events", str)
    for name in ("sensitivity", "precision", "f1"):
        yield f"events.{name}", "metrics", f"events.{name}", events[name], FRACTION, intervals["events"].get(name)
    rate = ("false positives per 24 h", decimals(1)), intervals["events"].get("fp_per_24h")
    yield "events.fp_per_24h", "metrics", "events.fp_per_24h", events["fp_per_24h"], *rate
    delay = intervals["seizures"]["median_latency_s"]
    yield "events.latency", "metrics", "intervals.seizures.median_latency_s", delay["value"], ("s", decimals(1)), delay


def _ranking(results):
    for name in ("auroc", "auprc"):
        area = results["metrics"]["intervals"]["ranking"][name]
        yield f"ranking.{name}", "metrics", f"intervals.ranking.{name}", area["value"], FRACTION, area


def _folds(results):
    folds = results["metrics"]["folds"]
    thresholds = [fold["threshold"] for fold in folds if fold["threshold"] is not None]
    recordings = len({name for fold in folds for name in fold["held_out"]})
    yield "folds.number", "metrics", "folds", len(folds), ("folds", str)
    yield "folds.recordings", "metrics", "folds[].held_out", recordings, ("recordings", str)
    for name, pick in (("lowest", min), ("highest", max)):
        value = pick(thresholds) if thresholds else None
        yield f"folds.{name}", "metrics", f"{name} of folds[].threshold", value, PROBABILITY
    for name, pick in (("fewest", min), ("most", max)):
        networks, frames = pick(len(fold["networks"]) for fold in folds), pick(fold["alarm"]["k"] for fold in folds)
        yield f"networks.{name}", "metrics", f"{name} of folds[].networks", networks, ("networks", str)
        yield f"frames.{name}", "metrics", f"{name} of folds[].alarm.k", frames, ("frames", str)


def _comparison(results):
    rows = {row["method"]: row for row in results["comparison"]["rows"]}
    for method in BASELINES:
        for name in AHEAD:
            for key in (name, f"ahead_{name}"):
                score = (rows.get(method) or {}).get(key) or {"value": None, "low": None}
                place = f"rows[{method}].{key}"
                yield f"baselines.{method}.{key}", "comparison", place, score["value"], FRACTION, score


def _audit(results):
    audit = results["audit"]
    rows = {row["protocol"]: row for row in audit["rows"]}
    random, count = rows[AUDITED["random"]], ("samples", str)
    yield "audit.tested", "audit", "rows[random split].n_test", random["n_test"], count
    yield "audit.shared", "audit", "rows[random split].shared_eeg", random["shared_eeg"], count
    yield "audit.splits", "audit", "splits", audit["splits"], ("splits", str)
    for name in GAPS:
        for key, protocol in AUDITED.items():
            score = rows[protocol][name]
            yield f"audit.{key}.{name}", "audit", f"rows[{protocol}].{name}", score["value"], FRACTION, score
        gap = audit["gap"][name]
        yield f"audit.gap.{name}", "audit", f"gap.{name}", gap["value"], FRACTION, gap


def _tests(results):
    """Yield the figures by which the explanations are judged, and those that they are held against."""
    sanity, last = results["sanity"], results["sanity"]["layers"][-1]
    for rule, path in TESTED.items():
        for method in METHODS:
            place = path.format(method=method, last=last)
            figure = _at(sanity, place)
            value = (figure or {}).get("value")
            form = apart(value, PASSING[rule], 2) if rule in PASSING else SHARE[1]
            yield f"tests.{rule}.{method}", "sanity", place, value, ("fraction", form), figure
    for rival in ("chance", "power"):
        place = f"truth.time × frequency.{rival}.mass"
        figure = _at(sanity, place)
        yield f"tests.planted truth.{rival}", "sanity", place, (figure or {}).get("value"), SHARE, figure
    largest = 100 * sanity["completeness"]["largest"]
    yield "tests.completeness.ig", "sanity", "completeness.largest", largest, ("percent", apart(largest, 5.0, 1))
    for name in ("seizure", "other"):
        yield f"tests.{name}", "sanity", f"tested.{name}", sanity["tested"][name], ("samples", str)


def _at(tree, place):
    for name in place.split("."):
        tree = (tree or {}).get(name)
    return tree


def _profiles(results):
    for key, decision in DECISIONS.items():
        number = len({row["sample"] for row in results["profiles"] if row["decision"] == decision})
        yield f"overall.{key}.n", "profiles", f"decision = {decision}", number, ("samples", str)


def _study(results):
    seconds = sum(float(row["duration_s"]) for row in results["recordings"])
    hours = seconds >= 7200
    value, unit = (seconds / 3600, "hours") if hours else (seconds / 60, "minutes")
    yield "duration", "recordings", "sum of duration_s", value, (unit, lambda value: plain(value, 1))
    yield "frame_s", "digest", "frame_s", results["digest"]["frame_s"], SECONDS
