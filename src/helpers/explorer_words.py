"""What the explorer's picture says, in words: for those who do not see it, and to be copied."""

from helpers.explain.attributions import METHODS, strongest_bands, strongest_channels


def verdict(sample):
    """Return a sample's true and predicted class, probability, threshold and alarm in words; None: no sample."""
    if sample is None:
        return "No sample: a decision needs two frames before its own."
    classes, above = ("non-seizure", "seizure"), "≥" if sample.decided else "<"
    right, alarm = "right" if sample.label == sample.decided else "WRONG", "ALARM" if sample.alarm else "no alarm"
    return (
        f"Sample {sample.sample}: true {classes[sample.label]}, predicted {classes[sample.decided]} ({right}): "
        f"p_seizure {sample.p_seizure:.3f} {above} threshold {sample.threshold:.3f}; {alarm} "
        f"(p_smooth {sample.p_smooth:.3f}, threshold {sample.alarm_threshold:.3f})"
    )


def words(study, recording, moment_s, method):
    """Return in words what a `moments.Study` knows of a moment: place, decision, networks, attribution.

    Parameters
    ----------
    study : moments.Study
    recording : str
    moment_s : float
    method : str
        One of `attributions.METHODS`.
    """
    sample, kind = study.sample_at(recording, moment_s), "simulated EEG" if study.simulated else "EEG"
    clock = study.recordings.loc[recording, "start"]
    since = f"; the recording starts at {clock}" if isinstance(clock, str) and clock else ""
    start_s = study.frame_start(recording, moment_s)
    text = [f"{recording}, {kind}, {start_s:g}–{start_s + study.axis['frame_s']:g} s{since}.", verdict(sample)]
    if sample is not None:
        networks = ", ".join(study.members[sample.fold])
        text[-1] += f". Fold {sample.fold}: networks {networks}; none was trained on this recording."
        text.append(strongest(study, sample, method) if study.explained(sample) else "Attribution: being computed.")
    return " ".join(text)


def strongest(study, sample, method):
    """Return in words where a method points to, and Integrated Gradients by channel, for the predicted class."""
    found, sign = study.attribution(sample), 1.0 if sample.decided else -1.0
    relevance = found[method] * (sign if method == "ig" else 1.0)
    bands = [band or "none" for band in strongest_bands(relevance, study.axis["frequencies_hz"])]
    channels = [name or "none" for name in strongest_channels(found["ig_channels"] * sign, study.axis["channels"])]
    how = "stored" if study.stored(sample) else "computed now"
    return (
        f"Strongest for the predicted class in t0, t1, t2: {', '.join(bands)} by {METHODS[method]}; "
        f"{', '.join(channels)} by Integrated Gradients (attribution {how})."
    )
