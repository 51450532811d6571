"""The 18 channels among a recording's labels: the whole database, clinics' labels, and what must not be paired."""

import re
from collections import Counter

import pytest
from conftest import SHARED
from hypothesis import given
from hypothesis import strategies as st

from helpers.acquire import montages
from helpers.study.errors import UnusableRecording

ELECTRODES = sorted(montages.ELECTRODES)
BY_NAME = [(index, None) for index in range(18)]


def test_all_recordings_of_the_database():
    """CHB-MIT, 24 patients, 676 recordings: chb12_27 is against CS2, chb12_28 and _29 have bare electrode names; all
    others have the 18 channels by name. None cannot."""
    folder = SHARED / "chbmit-annotations" / "summaries"
    if not folder.is_dir():
        pytest.skip("needs the database's summaries in ../shared/data, which are not here")
    by_name, derived = Counter(), {}
    for path in folder.glob("*-summary.txt"):
        for block in re.split(r"(?=^Channels (?:in EDF Files|changed):)", path.read_text(encoding="utf-8"), flags=re.M):
            labels = re.findall(r"^Channel \d+: *(.+?)\s*$", block, re.M)
            for file in re.findall(r"^File Name: *(\S+)", block, re.M):
                way = montages.describe(montages.find(labels, file), labels)
                if way == "by name":
                    by_name[path.name[:5]] += 1
                else:
                    derived[file] = way
    assert derived == {
        "chb12_27.edf": "derived from electrodes against CS2",
        "chb12_28.edf": "derived from electrodes against one unnamed reference",
        "chb12_29.edf": "derived from electrodes against one unnamed reference",
    }
    counts = [42, 36, 38, 42, 39, 18, 19, 20, 19, 25, 35, 21, 33, 26, 40, 19, 21, 36, 30, 29, 33, 31, 9, 12]
    assert [by_name[f"chb{patient:02d}"] for patient in range(1, 25)] == counts


def test_dummies_extras_and_the_doubled_channel():
    """chb12's layout: dummies and extra channels are passed over, of T8-P8 twice the first is taken."""
    labels = ["-", *montages.DOUBLE_BANANA, ".", "T8-P8", "ECG", "LOC-ROC", "FC1-Ref", "PZ-OZ", "-", "EKG1-CHIN"]
    found = montages.find(labels, "a.edf")
    assert found == [(index, None) for index in range(1, 19)]
    assert montages.describe(found, labels) == "by name"


def test_the_misprinted_electrode():
    """chb12_28: "01" (zero-one) is O1, so P7-O1 is channel 2 less channel 4; P7-O1 and P3-O1 are the 4th and 8th."""
    labels = ["F7", "T7", "P7", "-", "01", "FP1", "F3", "C3", "P3", "FZ", "CZ", "PZ"]
    labels += ["FP2", "F4", "C4", "P4", "O2", "F8", "T8", "P8"]
    found = montages.find(labels, "a.edf")
    assert found[3] == (2, 4) and found[7] == (8, 4)


@pytest.mark.parametrize(
    "write",
    [
        "{0}-{1}", "EEG {0}-{1}", "EEG {0} - {1}", "POL {0}-{1}", "{0} -{1}  ", "\t{0}-{1}\0\0", "eeg  {0}-{1}",
        "{0}-{1}-0",
    ],
)  # fmt: skip
@pytest.mark.parametrize("case", [str.upper, str.lower, str.title])
def test_spellings_of_bipolar_names(write, case):
    """Prefix, case, blanks and the number that MNE adds do not matter; nor do the old names T3 to T6."""
    labels = [case(write.format(*channel.split("-"))) for channel in montages.DOUBLE_BANANA]
    assert montages.find(labels, "a.edf") == BY_NAME
    for new, old in (("T7", "T3"), ("T8", "T4"), ("P7", "T5"), ("P8", "T6")):
        labels = [label.upper().replace(new, old) for label in labels]
    assert montages.find(labels, "a.edf") == BY_NAME


@pytest.mark.parametrize(
    ("write", "reference"),
    [
        ("EEG {}-REF", "REF"), ("EEG {}-LE", "LE"), ("{}-Avg", "AVG"), ("POL {}", "one unnamed reference"),
        ("EEG {} - Ref", "REF"), ("{}-A1A2", "A1A2"), ("eeg {}-cs2", "CS2"), ("{}", "one unnamed reference"),
        ("EEG {}-A1+A2", "A1+A2"), ("{}-OZ", "OZ"),
    ],
)  # fmt: skip
def test_electrodes_against_one_reference(write, reference):
    """Each channel is the difference of its two electrodes, whatever the reference's name."""
    labels = ["ECG", "EEG A1-REF", *(write.format(name.title()) for name in ELECTRODES)]
    found = montages.find(labels, "a.edf")
    wanted = [tuple(ELECTRODES.index(name) + 2 for name in channel.split("-")) for channel in montages.DOUBLE_BANANA]
    assert found == wanted
    assert montages.describe(found, labels) == f"derived from electrodes against {reference}"


def test_a_pair_shares_its_reference():
    """Ears: left electrodes against A1, right and midline ones against A2. Each pair has one ear; no pair has both, or
    one and no reference at all."""
    ears = {name: "A1" if name[-1] in "1357" else "A2" for name in ELECTRODES}
    labels = [f"{name}-{ear}" for name, ear in ears.items()]
    found = montages.find(labels, "a.edf")
    for plus, minus in found:
        assert labels[plus].split("-")[1] == labels[minus].split("-")[1]
    assert montages.describe(found, labels) == "derived from electrodes against A1 and A2"
    for other in ("CZ-A1", "CZ"):
        labels[ELECTRODES.index("CZ")] = other
        with pytest.raises(UnusableRecording, match=r"a\.edf lacks FZ-CZ, CZ-PZ of the 18"):
            montages.find(labels, "a.edf")


def test_the_complete_set_is_preferred():
    """Three electrodes against A1 come first, all against AVG later: all 18 are taken from AVG."""
    labels = ["FP1-A1", "F7-A1", "T7-A1", *(f"{name}-AVG" for name in ELECTRODES)]
    found = montages.find(labels, "a.edf")
    assert montages.describe(found, labels) == "derived from electrodes against AVG"
    assert min(index for pair in found for index in pair) == 3


def test_an_own_name_wins():
    """Electrodes, and FP1-F7 also as a channel: this one by name, though it comes last."""
    labels = [*(f"{name}-REF" for name in ELECTRODES), "FP1-F7"]
    found = montages.find(labels, "a.edf")
    assert found[0] == (19, None) and found[1] == (ELECTRODES.index("F7"), ELECTRODES.index("T7"))
    assert montages.describe(found, labels) == "1 by name, 17 derived from electrodes against REF"


def test_a_reversed_name_is_negated():
    """Recorded against CZ: FZ-CZ is there, CZ-PZ is PZ-CZ with its sign changed, the others are differences."""
    labels = [f"{name}-CZ" for name in ELECTRODES if name != "CZ"]
    found = montages.find(labels, "a.edf")
    assert found[16] == (labels.index("FZ-CZ"), None) and found[17] == (None, labels.index("PZ-CZ"))
    said = "1 by name, 1 by name reversed, negated, 16 derived from electrodes against CZ"
    assert montages.describe(found, labels) == said


@pytest.mark.parametrize(
    "label", ["C3", "C3-", "-C3", "X1", "C3-P3-REF", "C33-P3", "C3P3", "EDF Annotations", "", "-", "--0"]
)
def test_what_is_no_channel_is_missing(label):
    """C3-P3 under no name that could be it: the message lists the channel, the labels and the ways out."""
    labels = [label if name == "C3-P3" else name for name in montages.DOUBLE_BANANA]
    said = r"a\.edf lacks C3-P3 of the 18 .*it has: FP1-F7, .*Rename.*leave .*out of the folder.*`unusable: leave out`"
    with pytest.raises(UnusableRecording, match=said):
        montages.find(labels, "a.edf")


OTHERS = st.sampled_from(
    ["-", ".", "ECG", "VNS", "LOC-ROC", "EKG1-CHIN", "X1-X2", "C3", "", "EDF Annotations", "A1-A2"]
)


@given(st.lists(st.booleans(), min_size=18, max_size=18), st.lists(OTHERS, max_size=8), st.randoms())
def test_channels_in_any_order_and_direction_among_others(turned, others, chance):
    """18 channels, some recorded the other way round, among labels of other things: each is found where it is."""
    named = [
        "-".join(reversed(name.split("-")) if turn else name.split("-"))
        for name, turn in zip(montages.DOUBLE_BANANA, turned, strict=True)
    ]
    labels = [*named, *others]
    chance.shuffle(labels)
    places = [labels.index(name) for name in named]
    wanted = [(None, place) if turn else (place, None) for turn, place in zip(turned, places, strict=True)]
    assert montages.find(labels, "a.edf") == wanted


WRITTEN = st.sampled_from([*ELECTRODES, "T3", "01", "REF", "A1", "EEG", "POL ", "", "0", "-", "ß", "\0"])


@given(st.lists(st.lists(WRITTEN, max_size=4).map("-".join) | st.text(max_size=6), max_size=30))
def test_any_labels(labels):
    """Found or refused, whatever labels say; all electrodes against one more reference are always enough."""
    try:
        assert len(montages.find(labels, "a.edf")) == 18
    except UnusableRecording as error:
        assert "a.edf lacks" in str(error)
    assert len(montages.find([*labels, *(f"{name}-XYZ" for name in ELECTRODES)], "a.edf")) == 18
