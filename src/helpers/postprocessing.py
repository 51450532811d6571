"""Post-processing: from a probability a frame to decisions that hang together, fitted on the inner recording only.

Log-odds are smoothed over k frames, compared with a threshold, gaps bridged, short runs dropped. Each costs time, and
``known_s`` says when a decision is known: a centred average waits for (k − 1)/2 frames to come, a causal one for none,
but lags behind a change by as much; a smallest duration waits until it has passed.
"""

import numpy as np
from scipy.special import expit
from timescoring.annotations import Annotation
from timescoring.scoring import EventScoring

from helpers import scores
from helpers.calibration import log_odds
from helpers.errors import RecordingError

SMOOTHINGS = (1, 3, 5)  # frames averaged; 1: none
SMALLEST = (1, 2, 3)  # frames an event must last; 1: any


def smooth(values, k, causal=False):
    """Return the moving average of `values` [frame] over k frames, of fewer at the ends.

    Raises
    ------
    RecordingError
        If `k` is below 1, or even and not causal: the middle of an even number of frames is between two.
    """
    if k < 1 or (k % 2 == 0 and not causal):
        raise RecordingError(f"k is {k}; it must be at least 1, and odd unless the average is causal.")
    values, first = np.asarray(values, float), 0 if causal else (k - 1) // 2
    total, count = (np.convolve(x, np.ones(k)) for x in (values, np.ones(len(values))))
    return (total / count)[first : first + len(values)]


def runs(decided):
    """Return the first frame and the one after the last of each run of ones, int [run, 2]."""
    change = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(decided, int), [0]])))
    return change.reshape(-1, 2)


def bridge(decided, frames):
    """Return the decisions, int [frame], with gaps of at most `frames` frames between two runs filled."""
    decided = np.array(decided, int)
    spans = runs(decided)
    for (_, end), (start, _) in zip(spans[:-1], spans[1:], strict=True):
        if start - end <= frames:
            decided[end:start] = 1
    return decided


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
        ``k``, ``causal``, ``threshold``, ``bridge``, ``minimum`` (the last two in frames), from `fit`.

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
    for name, rows in table.reset_index(drop=True).groupby("recording").groups.items():
        rows = np.asarray(rows)
        rows = rows[np.argsort(table["end_s"].to_numpy()[rows])]
        start_s, end_s = (table[key].to_numpy(float)[rows] for key in ("last_start_s", "end_s"))
        if len(rows) > 1 and np.abs(start_s[1:] - end_s[:-1]).max() > 1e-6:
            at = end_s[:-1][np.argmax(np.abs(start_s[1:] - end_s[:-1]))]
            raise RecordingError(f"{name}: after {at:g} s the next frame does not start. Give one row a frame, all.")
        p_smooth = _smoothed(table["p_seizure"].to_numpy(float)[rows], settings["k"], settings["causal"])
        raw, decided = _decide(p_smooth, settings["threshold"], settings["bridge"], settings["minimum"])
        known_s = end_s[_known(raw, decided, settings)]
        for key, values in (("p_smooth", p_smooth), ("decided", decided), ("known_s", known_s)):
            result.iloc[rows, result.columns.get_loc(key)] = values
    return result


def _smoothed(p, k, causal):
    """Return probabilities smoothed on the scale of log-odds; with k = 1 exactly as they are."""
    return np.asarray(p, float) if k == 1 else expit(smooth(log_odds(p), k, causal))


def _decide(p_smooth, threshold, gap, minimum):
    """Return what the threshold alone decides, and what remains, both int [frame]."""
    raw = (p_smooth >= threshold).astype(int)
    return raw, drop_short(bridge(raw, gap), minimum)


def _known(raw, decided, settings):
    """Return the frame at whose end each decision is known, int [frame]; the recording's end ends all waiting."""
    frames = np.arange(len(raw))
    known = frames.copy()
    over = np.where(raw == 1, frames, len(raw))
    following = np.minimum.accumulate(over[::-1])[::-1]  # the next frame over the threshold, this one included
    for start, end in runs(decided):
        wait = np.maximum(frames[start:end], start + settings["minimum"] - 1)
        known[start:end] = following[wait]
    ahead = 0 if settings["causal"] else (settings["k"] - 1) // 2
    return np.minimum(known + ahead, len(raw) - 1)


def fit(inner, seizures, duration_s, causal=False, gap=0):
    """Choose smoothing, threshold and smallest duration on the inner recording.

    Parameters
    ----------
    inner : pandas.DataFrame
        The inner recording's ``recording``, ``last_start_s``, ``end_s``, ``label`` and ``p_seizure``.
    seizures : pandas.DataFrame
        ``recording``, ``start_s``, ``end_s``; those of other recordings are not looked at.
    duration_s : float
        Of the inner recording.
    causal : bool
        Average over frames that have passed only.
    gap : int
        Frames to bridge. Not chosen: events less than 90 s apart count as one anyway.

    Returns
    -------
    dict
        ``k``, ``causal``, ``threshold``, ``bridge``, ``minimum``; ``event_f1`` and ``sample_f1`` on the inner
        recording, where they are better than they will be elsewhere.

    Raises
    ------
    RecordingError
        If there is more than one recording, or no seizure.

    Notes
    -----
    One recording with a seizure or two says little, so nine settings are tried, no more, each with the threshold of
    its highest event F1 (timescoring), then sample F1, then the middle of the widest gap between probabilities, as
    `training.best_threshold` does. Among the settings with the highest event F1 the simplest wins (fewest frames of
    smoothing and smallest duration together, then of smoothing) whose sample F1 is less than one seizure sample's
    worth, 1 / their number, below the best.
    """
    names = inner["recording"].unique()
    spans = seizures.loc[seizures["recording"].isin(names), ["start_s", "end_s"]].sort_values("start_s")
    if len(names) != 1 or not inner["label"].sum() or spans.empty:
        raise RecordingError(
            f"{len(names)} recordings with {len(spans)} seizures and {int(inner['label'].sum())} seizure samples were "
            "given; settings are chosen on one recording that holds a seizure."
        )
    inner = inner.sort_values("end_s")
    true = Annotation(spans.to_numpy().tolist(), scores.SCORING_HZ, round(duration_s * scores.SCORING_HZ))
    tried = [_best(inner, true, k, causal, gap, minimum) for k in SMOOTHINGS for minimum in SMALLEST]
    top = max(settings["event_f1"] for settings in tried)
    tried = [settings for settings in tried if settings["event_f1"] == top]
    close = max(settings["sample_f1"] for settings in tried) - 1 / inner["label"].sum()
    tried = [settings for settings in tried if settings["sample_f1"] > close]
    return min(tried, key=lambda settings: (settings["k"] + settings["minimum"], settings["k"]))


def _best(inner, true, k, causal, gap, minimum):
    """Return the settings with this `k` and `minimum` and the best threshold, with its two F1."""
    p_smooth = _smoothed(inner["p_seizure"], k, causal)
    edges = np.unique(np.concatenate([[0.0], p_smooth, [1.0]]))
    middles, found = (edges[:-1] + edges[1:]) / 2, []
    for threshold, width in zip(middles.tolist(), np.diff(edges).tolist(), strict=True):
        _, decided = _decide(p_smooth, threshold, gap, minimum)
        samples = scores.sample_scores(*scores.confusion(inner["label"], decided))
        found.append((_event_f1(inner, decided, true), samples["f1"], width, threshold))
    event_f1, sample_f1, _, threshold = max(found)
    settings = {"k": k, "causal": causal, "threshold": threshold, "bridge": gap, "minimum": minimum}
    return settings | {"event_f1": event_f1, "sample_f1": sample_f1}


def _event_f1(inner, decided, true):
    """Return timescoring's event F1: what `scores.event_scores` gives, without its tables, for hundreds of thresholds.

    A seizure is there, so that it is defined.
    """
    start_s, end_s = inner["last_start_s"].to_numpy(), inner["end_s"].to_numpy()
    spans = [(float(start_s[first]), float(end_s[after - 1])) for first, after in runs(decided)]
    return float(EventScoring(true, Annotation(spans, scores.SCORING_HZ, len(true.mask))).f1)
