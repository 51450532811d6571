"""Post-processing: from a probability a frame to alarms that hang together, fitted on inner recordings only.

Log-odds are averaged over k frames, compared with a threshold, and short runs dropped. Each costs time, and ``known_s``
says when an alarm is known: an average waits for (k − 1)/2 frames to come, a smallest duration until it has passed.
"""

import numpy as np
from scipy.special import expit
from sklearn.metrics import average_precision_score
from timescoring.annotations import Annotation
from timescoring.scoring import EventScoring

from helpers.evaluate import scores
from helpers.evaluate.calibration import log_odds
from helpers.study.errors import RecordingError

SMOOTHINGS = (1, 3, 5)  # frames averaged; 1: none
SMALLEST = (1, 2, 3)  # frames an event must last; 1: any
CANDIDATES = 40  # thresholds tried: each is scored as events on all inner recordings


def smooth(values, k):
    """Return the centred moving average of `values` [frame] over k frames, of fewer at the ends.

    Raises
    ------
    RecordingError
        If `k` is not odd and above 0: the middle of an even number of frames is between two.
    """
    if k < 1 or k % 2 == 0:
        raise RecordingError(f"k is {k}; it must be odd and above 0.")
    total, count = (np.convolve(x, np.ones(k)) for x in (np.asarray(values, float), np.ones(len(values))))
    return (total / count)[(k - 1) // 2 :][: len(values)]


def runs(decided):
    """Return the first frame and the one after the last of each run of ones, int [run, 2]."""
    change = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(decided, int), [0]])))
    return change.reshape(-1, 2)


def drop_short(decided, frames):
    """Return the decisions, int [frame], without runs shorter than `frames` frames."""
    decided = np.array(decided, int)
    for start, end in runs(decided):
        if end - start < frames:
            decided[start:end] = 0
    return decided


def apply(table, settings):
    """Decide on every frame.

    Parameters
    ----------
    table : pandas.DataFrame
        ``recording``, ``last_start_s``, ``end_s``, ``p_seizure``; frames of a recording follow each other.
    settings : dict
        ``k``, ``threshold``, ``minimum`` (in frames), from `fit`.

    Returns
    -------
    pandas.DataFrame
        `table` with ``p_smooth``, ``decided``, ``known_s`` (when the decision is known, in s of the recording) and
        ``threshold``, that of the settings. Each recording is worked on alone.

    Raises
    ------
    RecordingError
        If a recording's frames leave a gap or overlap: an average over them would not be one over time.
    """
    result = table.assign(p_smooth=np.nan, decided=0, known_s=np.nan, threshold=settings["threshold"])
    for rows, end_s in _recordings(table):
        p_smooth = _smoothed(table["p_seizure"].to_numpy(float)[rows], settings["k"])
        decided = drop_short(p_smooth >= settings["threshold"], settings["minimum"])
        known_s = end_s[_known(decided, settings)]
        for key, values in (("p_smooth", p_smooth), ("decided", decided), ("known_s", known_s)):
            result.iloc[rows, result.columns.get_loc(key)] = values
    return result


def _recordings(table):
    """Yield each recording's rows in order of time, and their ends; raise if a frame is missing or double."""
    for name, rows in table.reset_index(drop=True).groupby("recording", sort=False).groups.items():
        rows = np.asarray(rows)
        rows = rows[np.argsort(table["end_s"].to_numpy()[rows])]
        start_s, end_s = (table[key].to_numpy(float)[rows] for key in ("last_start_s", "end_s"))
        if len(rows) > 1 and np.abs(start_s[1:] - end_s[:-1]).max() > 1e-6:
            at = end_s[:-1][np.argmax(np.abs(start_s[1:] - end_s[:-1]))]
            raise RecordingError(f"{name}: after {at:g} s the next frame does not start. Give one row a frame, all.")
        yield rows, end_s


def _smoothed(p, k):
    """Return probabilities smoothed on the scale of log-odds; with k = 1 exactly as they are."""
    return np.asarray(p, float) if k == 1 else expit(smooth(log_odds(p), k))


def _known(decided, settings):
    """Return the frame at whose end each decision is known, int [frame]; the recording's end ends all waiting."""
    frames = np.arange(len(decided))
    known = frames.copy()
    for start, end in runs(decided):
        known[start:end] = np.maximum(frames[start:end], start + settings["minimum"] - 1)
    return np.minimum(known + (settings["k"] - 1) // 2, len(decided) - 1)


def fit(inner, seizures, durations_s):
    """Choose smoothing, threshold and smallest duration on inner recordings.

    Parameters
    ----------
    inner : pandas.DataFrame
        ``recording``, ``last_start_s``, ``end_s``, ``label`` and ``p_seizure`` of all frames of the inner recordings.
    seizures : pandas.DataFrame
        ``recording``, ``start_s``, ``end_s``; those of other recordings are not looked at.
    durations_s : dict of str → float
        Of the inner recordings at least.

    Returns
    -------
    dict
        ``k``, ``threshold``, ``minimum``; ``event_f1`` and ``sample_f1`` on the inner recordings, where they are
        better than they will be elsewhere.

    Raises
    ------
    RecordingError
        If the inner recordings hold no seizure.

    Notes
    -----
    A few recordings say little, so few settings are tried. Smoothing is that with the highest average precision, which
    needs no threshold. The threshold has the highest event F1 (timescoring), then sample F1, then lies in the widest
    gap between probabilities; the smallest duration is the shortest whose event F1 is the best and whose sample F1 is
    less than one seizure sample's worth, 1 / their number, below the best.
    """
    names = list(inner["recording"].unique())
    spans = seizures[seizures["recording"].isin(names)]
    if not inner["label"].sum() or spans.empty:
        raise RecordingError(
            f"{len(names)} inner recordings with {len(spans)} seizures and {int(inner['label'].sum())} seizure samples "
            "were given; settings are chosen where there is a seizure."
        )
    inner = inner.sort_values(["recording", "end_s"], ignore_index=True)
    parts = [rows for rows, _ in _recordings(inner)]
    p = inner["p_seizure"].to_numpy()
    by_k = {k: np.concatenate([_smoothed(p[rows], k) for rows in parts]) for k in SMOOTHINGS}
    k = max(SMOOTHINGS, key=lambda k: (average_precision_score(inner["label"], by_k[k]), -k))
    true = [scores.annotation(spans, name, durations_s[name]) for name in inner["recording"].unique()]
    tried = [_best(inner, parts, true, by_k[k], minimum) for minimum in SMALLEST]
    top = max(settings["event_f1"] for settings in tried)
    tried = [settings for settings in tried if settings["event_f1"] == top]
    close = max(settings["sample_f1"] for settings in tried) - 1 / inner["label"].sum()
    return {"k": k, **next(settings for settings in tried if settings["sample_f1"] > close)}


def thresholds(label, p):
    """Return candidates (threshold, width of its gap), at most `CANDIDATES`: the gaps below seizure samples.

    Between two neighbouring probabilities all thresholds decide alike; the middle of each gap stands for it. To let in
    a sample that is no seizure never raises the sample F1 of the threshold alone. It may raise the event F1, where a
    frame beside a seizure is what finds it; that is left to the seizure's own samples.
    """
    edges = np.unique(np.concatenate([[0.0], p]))
    upper = np.searchsorted(edges, np.unique(np.asarray(p)[np.asarray(label) == 1]))
    upper = upper[upper > 0]
    if len(upper) > CANDIDATES:
        upper = upper[np.unique(np.linspace(0, len(upper) - 1, CANDIDATES).round().astype(int))]
    return [((edges[i - 1] + edges[i]) / 2, edges[i] - edges[i - 1]) for i in upper]


def _best(inner, parts, true, p_smooth, minimum):
    """Return the settings with this `minimum` and the best threshold, with its two F1."""
    found, start_s, end_s = [], inner["last_start_s"].to_numpy(), inner["end_s"].to_numpy()
    for threshold, width in thresholds(inner["label"], p_smooth):
        decided, counts = np.zeros(len(inner), int), np.zeros(3, int)
        for rows, annotation in zip(parts, true, strict=True):
            decided[rows] = drop_short(p_smooth[rows] >= threshold, minimum)
            spans = [(start_s[rows[a]], end_s[rows[b - 1]]) for a, b in runs(decided[rows])]
            score = EventScoring(annotation, Annotation(spans, scores.SCORING_HZ, len(annotation.mask)))
            counts += (score.refTrue, score.tp, score.fp)
        samples = scores.sample_scores(*scores.confusion(inner["label"], decided))
        event_f1 = scores.event_rates(*counts.tolist(), hours=1)["f1"]
        found.append((event_f1, samples["f1"], width, float(threshold)))
    event_f1, sample_f1, _, threshold = max(found)
    return {"threshold": threshold, "minimum": minimum, "event_f1": event_f1, "sample_f1": sample_f1}


def best_threshold(label, p_seizure):
    """Return the threshold with the highest sample F1; of equals the middle of the widest gap.

    Parameters
    ----------
    label : int [n]
    p_seizure : float [n]

    Raises
    ------
    ValueError
        If there is no seizure sample: F1 is then 0 or undefined at every threshold.
    """
    label, p_seizure = np.asarray(label), np.asarray(p_seizure)
    if label.sum() == 0:
        raise ValueError("There is no seizure sample, so no threshold can be chosen.")
    edges = np.unique(np.concatenate([[0.0], p_seizure, [1.0]]))
    middles = (edges[:-1] + edges[1:]) / 2
    # How many samples, and how many of seizure, lie above each middle.
    above = len(label) - np.searchsorted(np.sort(p_seizure), middles)
    hits = label.sum() - np.searchsorted(np.sort(p_seizure[label == 1]), middles)
    f1 = 2 * hits / (above + label.sum())
    best = np.flatnonzero(f1 == f1.max())
    return float(middles[best[np.argmax(np.diff(edges)[best])]])
