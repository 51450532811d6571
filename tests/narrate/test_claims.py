"""The claim checker reads free words: lies of every kind are refused, and most true sentences are understood.

``claims/facts.json`` holds the facts of one run of sim08. The sentences were written from it by authors who had not
seen the checker: those of ``true.txt`` and ``lies.txt`` before its lexicon was finished, and it learnt their words;
those of ``unseen_true.txt`` and ``unseen_lies.txt`` after that, and nothing was changed for them.
"""

import random
import re

import pytest
from conftest import ROOT
from made_up import generated
from test_narrative import walked

from helpers.narrate import claims, facts, lexicon
from helpers.study import files

FOLDER = ROOT / "tests" / "narrate" / "claims"
FACTS = files.read_json(FOLDER / "facts.json")


def lines(name):
    """Return the sentences of a file."""
    return (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()


def accepted(sentence):
    """Tell whether the checker proves a sentence by at least one fact."""
    try:
        return bool(claims.check(sentence, FACTS))
    except claims.FalseClaim:
        return False


@pytest.mark.parametrize(("name", "least"), [("lies", 700), ("unseen_lies", 150)])
def test_no_lie_is_accepted(name, least):
    told = lines(name)
    assert len(set(told)) == len(told) >= least
    assert not [lie for lie in told if accepted(lie)]


@pytest.mark.parametrize(("name", "count", "share"), [("true", 600, 0.8), ("unseen_true", 100, 0.6)])
def test_true_sentences_in_other_words_are_accepted(name, count, share):
    told = lines(name)
    assert len(set(told)) == len(told) >= count
    assert sum(map(accepted, told)) >= share * len(told)


@pytest.mark.slow
def test_no_number_can_be_exchanged():
    """In a true sentence each number is read: another one of the facts, of as many decimals, makes it false."""
    measures = FACTS["values"].values()
    ends = [end for known in measures if known["interval"] for end in known["interval"].values()]
    printed = sorted({known["printed"] for known in measures if known["printed"]} | set(ends))
    draw, met = random.Random(0), 0
    for sentence in lines("true"):
        for number in re.finditer(r"(?<![\w.−-])\d+(?:\.\d+)?(?![\w-])", sentence if accepted(sentence) else ""):
            digits = len(number.group().partition(".")[2])
            others = [text for text in printed if len(text.partition(".")[2]) == digits and text[0] != "−"]
            one_off = number.group()[:-1] + str((int(number.group()[-1]) + 1) % 10)
            other = draw.choice([text for text in others if text != number.group()] or [one_off])
            lie = sentence[: number.start()] + other + sentence[number.end() :]
            assert not accepted(lie), lie
            met += 1
    assert met > 700


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("The model picked up forty of the 53 seizure samples.", "MODEL FIND 40 OF 53 SEIZ"),
        ("Grad-CAM++ peaks elsewhere.", "GRADCAMPP peaks elsewhere"),
        ("Both Grad-CAM and IG are strongest in B1 (delta).", "GRADCAM , IG STRONGEST B1"),
        ("Recall was 75.47 %, from 0.6271–0.8696.", "SENSITIVITY 75.47PCT , 0.6271 TO 0.8696"),
        ("It covers 124 to 136 s of sim08_07, but not more.", "124 TO 136 s RECORDING#4 ; not HIGHER"),
        ("IG's strongest channel is FP2-F8 at t0.", "IG STRONGEST CHANNEL CHANNEL#FP2-F8 T0"),
    ],
)
def test_a_sentence_in_the_checkers_words(sentence, words):
    assert lexicon.canonical(sentence, FACTS) == words


@pytest.mark.parametrize(
    "sign", ["<", ">", "[", "]", "{", "}", "`", "|", "\\", "#", "?", "!", "&", "е", "７", "\u200b", "@"]
)
def test_signs_that_no_narrative_needs_are_refused(sign):
    assert accepted("Sensitivity is 0.7547.")
    for lie in (f"Sensitivity is 0.7547{sign}.", f"{sign}Sensitivity is 0.7547.", f"Sensi{sign}tivity is 0.7547."):
        with pytest.raises(claims.FalseClaim):
            claims.check(lie, FACTS)


@pytest.mark.slow
def test_each_meaning_of_the_lexicon_is_reached():
    """A meaning that no sentence ever reaches is dead: earlier ones take all that it would be said by."""
    met = set()
    told = [(sentence, FACTS) for name in ("true", "lies") for sentence in lines(name)]
    for seed in range(40):
        known = facts.build(generated(seed))
        told += [(sentence, known) for sentence, _ in walked(known, random.Random(seed))]
    for sentence, known in told:
        try:
            met |= set(lexicon.canonical(sentence, known).split())
        except lexicon.Unclear:
            continue
    meanings = {word for meaning, _ in lexicon._MEANINGS for word in meaning.split()}
    assert meanings - met <= {"EXCLUDES_ZERO"}, sorted(meanings - met)


@pytest.mark.parametrize(
    ("sentence", "about", "wanted"),
    [
        ("Event F1 is higher than F1.", None, ["events.f1 and f1"]),
        ("Grad-CAM and IG pass the random-weights test.", None, ["tests.random weights.verdicts.gradcam"]),
        ("IG is strongest in B1 (delta) at all three steps.", 379, ["samples.379.bands.ig"]),
        ("Its probability lies above the threshold of 0.672.", 379, ["samples.379.threshold", "samples.379.side"]),
        ("Grad-CAM is most often strongest in B1 (delta), in 4 of 6 frames.", "1", ["groups.1.counts.gradcam"]),
    ],
)
def test_facts_of_free_sentences(sentence, about, wanted):
    assert set(wanted) <= set(claims.check(sentence, FACTS, about))
    if about == 379:  # the same said of another sample is false, and said of none is not understood
        for other in (195, None):
            with pytest.raises(claims.FalseClaim):
                claims.check(sentence, FACTS, other)
