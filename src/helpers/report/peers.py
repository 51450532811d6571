"""Peers: what the study's ways cost beside others, and what its benchmarks aimed at, as they last found it."""

from helpers.report import tables

WAYS = {
    "papermill": "papermill alone",
    "nbconvert": "jupyter nbconvert, executing",
    "dvc": "this study's stage, run by DVC",
    "reference": "the reference study's way: a transform for each window",
    "mne": "MNE: filters, then a spectrogram of the whole recording",
    "bare_hour": "bare FFTs (SciPy) of an hour at once",
    "bare_blocks": "bare FFTs (SciPy) in blocks",
    "bare_numpy_blocks": "bare FFTs (NumPy) in blocks",
}


def origin(found):
    """Return when, at which commit and on what machine something was measured, as printed; "–" where it is not said."""
    machine = found.get("machine", "–")
    if isinstance(machine, dict):
        forms = {"cpu": "{}", "cores": "{} cores", "memory_gb": "{:.0f} GB"}
        machine = ", ".join(form.format(machine[key]) for key, form in forms.items() if key in machine) or "–"
    return {"date": found.get("date", "–"), "commit": found.get("commit", "–"), "machine": machine}


def rows(found):
    """Return what the study's ways cost beside others, from the benchmarks' files by name, as rows.

    Returns
    -------
    list of dict
        ``what``, ``peer``, ``ratio`` (ours to the peer's), ``of`` what, and ``origin``.
    """
    return [*_orchestration(found), *_data(found), *_explaining(found), *_training(found)]


def _row(what, peer, ratio, of, source, machine=None):
    return {
        "what": what,
        "peer": peer,
        "ratio": ratio,
        "of": of,
        "origin": origin({"machine": machine or "–"} | source),
    }


def _orchestration(found):
    """Return rows of a notebook run by other tools, in the rounds in which the stages were measured."""
    source = found.get("stages", {"beside": {}})
    of = "seconds, {} runs".format(source.get("rounds"))
    return [
        _row(f"Running the notebook of {stage}", WAYS[way], one["ratio"], of, source)
        for stage, ways in source["beside"].items()
        for way, one in ways.items()
    ]


def _data(found):
    """Return rows of an hour of EEG made into a spectrogram: of two recordings, the one where ours is dearer."""
    source = found.get("data", {}).get("preprocess", {})
    recordings = list(source.get("side_by_side", {}).values())
    found_rows = []
    for way in recordings[0]["ratios"] if recordings else ():
        worst = max(recordings, key=lambda one: one["ratios"][way])
        of = f"CPU seconds, {worst['medians'][way]['runs']} runs"
        found_rows.append(
            _row(
                "An hour of EEG into a spectrogram",
                WAYS[way],
                worst["ratios"][way],
                of,
                source,
                found["data"]["machine"],
            )
        )
    return found_rows


def _explaining(found):
    """Return the row of Integrated Gradients beside captum's on the whole spectrogram."""
    source = found.get("explain", {})
    if "beside" not in source:
        return []
    beside = source["beside"]
    ratio, of = beside["cpu_s_pooled"] / beside["cpu_s_straightforward"], f"CPU seconds, {beside.get('rounds', 3)} runs"
    return [_row("Integrated Gradients of a sample", "captum from the spectrogram on", ratio, of, source)]


def _training(found):
    """Return rows of training a fold's networks: means over seeds, each method in runs of its own."""
    trained = found.get("baselines", {}).get("sim08", {})
    cost = "train_cpu_s_per_fold"
    ours = trained.get("ours", {}).get(cost)
    return [
        _row(
            "Training what a fold needs", tables.METHODS.get(method, method), ours["mean"] / one[cost]["mean"],
            f"CPU seconds, means of {one[cost]['n']} seeds, run apart", one, found["baselines"].get("machine"),
        )
        for method, one in trained.items()
        if method != "ours" and ours and one.get(cost)
    ]  # fmt: skip


def checks(found):
    """Return what the benchmarks aimed at: ``what``, ``found``, ``wanted``, whether ``met``, and ``origin``."""
    lines = []
    data = found.get("data", {})
    for name, part in data.items():
        for row in part.get("targets", ()) if isinstance(part, dict) else ():
            lines.append(
                {**row, "what": f"{name}: {row['what']}", "origin": origin({"machine": data["machine"], **part})}
            )
    if every := found.get("explain", {}).get("all_samples"):
        what = f"explain: seconds for {every['samples']} samples by {len(every['methods'])} methods"
        lines.append(_check(what, round(every["seconds"], 1), f"≤ {every['limit_s']}", every["met"], found["explain"]))
    if told := found.get("narrate", {}).get("default"):
        slowest = max(run["seconds"] for run in told["runs"])
        what = f"narrate: seconds for a narrative, the slowest of {len(told['runs'])}"
        lines.append(_check(what, slowest, f"≤ {told['limit_s']}", told["met"], found["narrate"]))
        wrong, number = len(found["narrate"]["not_true_by_the_second_reader"]), found["narrate"]["sentences"]
        what = f"narrate: sentences not true by the second reader, of {number}"
        lines.append(_check(what, wrong, "0", not wrong, found["narrate"]))
    for patient, one in found.get("bytes", {}).items():
        for name, row in one["variations"].items():
            if name == "plain":  # with which the others are compared
                continue
            said = row.get("skipped") or row.get("failed") or f"{len(row['differ'])} of {row['files']}"
            met = None if "skipped" in row else not row.get("failed") and not row["differ"]
            lines.append(_check(f"bytes of {patient}, {name} ({row['say']}): files that differ", said, "0", met, one))
    for rule, row in found.get("verify", {}).get("spreads", {}).items():
        if row["tolerance"] is None:
            continue
        met = row["largest"] <= row["tolerance"]
        what = f"verify: difference on other processors, {rule}"
        lines.append(_check(what, f"{row['largest']:.2g}", f"≤ {row['tolerance']:g}", met, found["verify"]))
    return lines


def _check(what, seen, wanted, met, source):
    return {"what": what, "found": seen, "wanted": wanted, "met": met, "origin": origin(source)}
