"""Clips of other people's EEG with experts' votes: read and checked; decided; and how far a detector is from them."""

import numpy as np
import pandas as pd
from scipy import stats

from helpers.evaluate import intervals
from helpers.predict import detector
from helpers.preprocess import spectrograms
from helpers.study import files
from helpers.study.errors import RecordingError

VOTES, SEIZURE = "votes.tsv", "SZ"  # the table, and the class that a detector looks for
DESCRIBED = ("file", "duration_s", "judged_s")  # the table's other columns are classes
NUMBER = r"([0-9]{1,6}(?:\.[0-9]+)?)"
WANTED = "Wanted: each EDF file once, seconds as 20-30 within the clip, whole numbers of votes, not all of them 0"


def read_votes(folder):
    """Return the clips that a folder's ``votes.tsv`` lists, and the names of the classes.

    Beside the table's own columns, with seconds and votes as numbers: ``from_s`` and ``to_s``, of ``judged_s``;
    ``share``, of the votes that are for seizure; ``group``, the class with most votes, or which kind of tie; ``label``,
    1 for seizure, 0 for the rest, NaN for a tie with seizure.

    Raises ValueError with all that is wrong in the table, or between it and the folder's EDF files.
    """
    path = folder / VOTES
    with files.open_regular(path) as file:
        lines = file.read().decode("utf-8-sig", "replace").splitlines()
    head, *rows = [line.split("\t") for line in lines if line.strip()] or [[]]
    classes = [name for name in head if name not in DESCRIBED]
    if {*DESCRIBED, SEIZURE} - set(head) or len(set(head)) < len(head) or len(classes) < 2 or not rows:
        wanted = f"a row a clip, and {', '.join(DESCRIBED)}, {SEIZURE} and other classes, each once"
        raise ValueError(f"{path} has {len(rows)} rows of {', '.join(head) or 'no column'}; wanted are {wanted}.")
    if odd := [row for row in rows if len(row) != len(head)]:
        raise ValueError(f"{path} has {len(odd[0])} cells, not {len(head)}, in its row {', '.join(odd[0])}.")
    clips = pd.DataFrame(rows, columns=head)
    seconds = clips["judged_s"] + " of " + clips["duration_s"]
    edges = seconds.str.extract(f"^{NUMBER}-{NUMBER} of {NUMBER}$").astype(float)
    faults = _compare(clips["file"], folder)
    fits = (edges[0] < edges[1]) & (edges[1] <= edges[2])
    faults += [*clips["file"][~fits] + ": judged are " + seconds[~fits] + " s"]
    votes = clips[classes].apply(lambda column: column.where(column.str.fullmatch("[0-9]{1,6}"), "-1")).astype(int)
    fits = (votes.min(axis=1) >= 0) & (votes.sum(axis=1) > 0)
    odd = clips.loc[~fits, ["file", *classes]].to_numpy()
    faults += [f"{name}: its votes are {', '.join(row)}" for name, *row in odd]
    if faults:
        raise ValueError(f"{path} does not fit its folder. {'; '.join(faults)}. {WANTED}.")
    most = votes.eq(votes.max(axis=1), axis=0)
    tie, seizure = most.sum(axis=1) > 1, most[SEIZURE]
    group = most.idxmax(axis=1).mask(tie, np.where(seizure, f"tie with {SEIZURE}", "another tie"))
    seconds = {"from_s": edges[0], "to_s": edges[1], "duration_s": edges[2]}
    found = {"share": votes[SEIZURE] / votes.sum(axis=1), "group": group}
    return clips.assign(**votes, **seconds, **found, label=seizure.astype(float).mask(tie & seizure)), classes


def list_clips(folder):
    """Return the paths of a folder's EDF files, sorted; macOS's own beside them are none."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() == ".edf" and path.name[:2] != "._")


def _compare(names, folder):
    """List how names of files differ from the EDF files of a folder."""
    there, listed = {path.name for path in list_clips(folder)}, set(names)
    faults = [f"{name} is listed, and not there" for name in sorted(listed - there)]
    faults += [f"{name} is there, and not listed" for name in sorted(there - listed)]
    return faults + [f"{name} is listed twice" for name in sorted(names[names.duplicated()].unique())]


def decide(known, folder, clip):
    """Return the `detector.Prediction` of a clip, a row of `read_votes`; its frames that were judged, and which decide.

    Frames of which half or more was judged; those of them decide that have two frames before, or else the last one.

    Raises RecordingError as `detector.predict`, and if the clip's length is another, or no frame was judged.
    """
    found = detector.predict(known, folder / clip.file, clip=True)
    duration_s = found.recording.header.duration_s
    if abs(duration_s - clip.duration_s) > 1:
        said = f"{VOTES} says {clip.duration_s:g} s"
        raise RecordingError(f"{clip.file} lasts {duration_s:g} s, {said}. Is it what was judged?")
    edges = found.table["last_start_s"].to_numpy(), found.table["end_s"].to_numpy()
    judged = np.flatnonzero(spectrograms.labels(*edges, np.array([[clip.from_s, clip.to_s]])))
    if not len(judged):
        raise RecordingError(f"{clip.file} has no frame of which half or more was judged ({clip.judged_s} s).")
    return found, judged, judged[judged >= 2] if judged[-1] >= 2 else judged[-1:]


def say_how_far(name, clips):
    """Return one sentence: how far the detector called `name` is from working on the people of `clips`.

    `clips` have ``label`` and ``fires``, bool; what chance could give is Fisher's exact test's, p of 0.05 and more.
    """
    seizure, rest = (clips.loc[clips["label"] == label, "fires"] for label in (1, 0))
    if not len(seizure) or not len(rest):
        found = f"{len(seizure)} are seizures by most votes, and {len(rest)} are not"
        return f"How far {name} is from working on other people cannot be said: of {len(clips)} clips, {found}."
    (one, n), (other, m) = (int(seizure.sum()), len(seizure)), (int(rest.sum()), len(rest))
    ends, wrong = intervals.exact_share(one, n), intervals.exact_share(other, m)["high"]
    counts = f"it fires on {one} of {n} seizures, and on {other} of {m} other clips"
    if one / n <= other / m:
        best = f"its sensitivity is {ends['high']:.0%} at most (95 % interval)"
        return f"On these people, {name} does not work: {counts}; {best}."
    if stats.fisher_exact([[one, n - one], [other, m - other]]).pvalue >= 1 - intervals.LEVEL:
        return f"That {name} works on other people is not shown: {counts}, which chance could give."
    worst = f"at worst it misses {1 - ends['low']:.0%} of such seizures, and fires on {wrong:.0%} of such other clips"
    return f"Better than by chance, {name} tells other people's seizures from the rest: {counts}; {worst} (95 %)."
