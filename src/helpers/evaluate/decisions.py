"""Decisions: a fold's log-odds become probabilities, sample decisions and alarms, by what its inner recordings say."""

import pandas as pd

from helpers.evaluate import calibration, postprocessing


def decide(predictions, inner, seizures, durations_s):
    """Decide on every held-out sample.

    Parameters
    ----------
    predictions : pandas.DataFrame
        Held-out samples: ``recording``, ``last_start_s``, ``end_s``, ``label``, ``fold``, ``log_odds``.
    inner : pandas.DataFrame
        The same columns, and ``network``: what each fold may choose by (see `training.out_of_fold`).
    seizures : pandas.DataFrame
        ``recording``, ``start_s``, ``end_s``.
    durations_s : dict of str → float

    Returns
    -------
    table : pandas.DataFrame
        `predictions` with ``p_seizure``, ``threshold`` and ``decided`` for the sample alone, and ``p_smooth``,
        ``alarm_threshold``, ``alarm`` and ``known_s`` after post-processing.
    choices : list of dict
        A fold's ``fold``, ``threshold``, ``calibration`` (from `calibration.fit`) and ``alarm`` (from
        `postprocessing.fit`): chosen on the inner recordings alone.
    """
    tables, choices = [], []
    for fold, held_out in predictions.groupby("fold"):
        own = inner[inner["fold"] == fold]
        both = sorted(set(own["recording"]) & set(held_out["recording"]))
        assert not both, f"fold {fold} chooses on {', '.join(both)}, which it reports"
        choice = {"fold": int(fold), **choose(own, seizures, durations_s)}
        tables.append(applied(held_out, choice))
        choices.append(choice)
    return pd.concat(tables).loc[predictions.index], choices


def choose(inner, seizures, durations_s):
    """Return ``threshold``, ``calibration`` and ``alarm`` for inner samples; arguments as for `decide`.

    Networks train on batches half of them seizure; the share of seizure among the inner samples makes the probability
    one for these recordings.
    """
    share = float(inner["label"].mean())
    prior = share if 0 < share < 1 else None
    fitted = calibration.fit(inner["log_odds"], inner["label"], prior, inner["network"])
    inner = inner.assign(p_seizure=calibration.apply(inner["log_odds"], fitted))
    return {
        "threshold": postprocessing.best_threshold(inner["label"], inner["p_seizure"]),
        "calibration": fitted,
        "alarm": postprocessing.fit(inner, seizures, durations_s),
    }


def applied(held_out, choice):
    """Return the samples of one fold with what `decide` adds."""
    p_seizure = calibration.apply(held_out["log_odds"], choice["calibration"])
    table = held_out.assign(p_seizure=p_seizure, threshold=choice["threshold"])
    table["decided"] = (table["p_seizure"] >= table["threshold"]).astype(int)
    after = postprocessing.apply(table, choice["alarm"])
    return table.assign(
        p_smooth=after["p_smooth"],
        alarm_threshold=after["threshold"],
        alarm=after["decided"],
        known_s=after["known_s"],
    )


def alarms(table):
    """Return decisions with the alarm in the place of the sample's own decision, to be scored as events."""
    return table.assign(decided=table["alarm"], threshold=table["alarm_threshold"])
