"""The narrative says nothing false: its whole language against a reader of its own, and lies against the study's."""

import random
import re

import pytest
from made_up import counted, generated, typical
from second_reader import problems

from helpers.narrate import claims, facts, narrative, sentences, wording

FIRST_SEEDS, WALKS = 250, 2


def walked(known, draw):
    """Yield (sentence, what it is about) for one text that the grammar allows."""
    for section in sentences.sections(known):
        for part in section["parts"]:
            if not part["fixed"]:
                yield wording.walk(wording.parse(part["text"]), draw), part["about"]


def allowed(known, walks=200):
    """Return the sentences of many texts that the grammar allows, each with what it is about."""
    found = {}
    for seed in range(walks):
        found.update(walked(known, random.Random(seed)))
    return found


@pytest.mark.slow
def test_no_text_of_the_grammar_is_false_by_either_reader():
    """The second reader was written from the facts, by another hand, without a look at grammar or checker."""
    read = 0
    for seed in range(FIRST_SEEDS):
        known, draw = facts.build(generated(seed)), random.Random(seed)
        for _ in range(WALKS):
            for sentence, about in walked(known, draw):
                assert not problems(sentence, about, known), (seed, sentence)
                assert claims.check(sentence, known, about) is not None
                read += 1
    assert read > 80 * FIRST_SEEDS


def test_every_wording_of_a_typical_narrative_matches_its_pattern():
    known = facts.build(typical())
    for section in sentences.sections(known):
        asked = [part for part in section["parts"] if not part["fixed"]]
        for seed in range(20 if asked else 0):
            draw = random.Random(seed)
            text = "".join(part["before"] + wording.walk(wording.parse(part["text"]), draw) for part in asked).lstrip()
            assert re.fullmatch(narrative.pattern(asked), text), text


# Sentences of the typical narrative, and the lie each is turned into.
LIES = """
sensitivity of 0.9000 → sensitivity of 0.9900
specificity of 0.9687 → specificity of 0.9000
**Accuracy:** 0.9586 → **Accuracy:** 0.9687
**F1:** 0.8640 → **F1:** 0.9593
**Weighted F1:** 0.9593 → **Weighted F1:** 0.8640
**Sensitivity:** → **Specificity:**
threshold:** 0.42 → threshold:** 0.37
and missed 6 → and missed 54
and missed 6 → and missed none
the 60 seizure → the 351 seizure
Of the 60 seizure → Of the 60 non-seizure
340 correctly → all correctly
11 as seizure → 340 as seizure
Specificity is → Sensitivity is
more often than → less often than
accuracy of 0.8540 → accuracy of 0.9586
 than this model's →  as this model's
strong. → weak.
result is → result is very
from 0.90 → from 0.70
detected 4 of the 5 → detected all 5
detected 4 of the 5 → detected 5 of the 5
with 2 false alarms, → with 3 false alarms,
with 2 false alarms, → with no false alarm,
less than 90 s → less than 60 s
nswering non-seizure, the more → nswering seizure, the more
nswering non-seizure, the more → nswering non-seizure, the less
F1 is 0.8765 → F1 is 0.9321
to two others → to three others
0.35 to 0.50 → 0.30 to 0.50
0.35 to 0.50 → 0.35
were neither held out → were held out
neither held out in its fold nor → 
nor trained on by → but trained on by
AUROC is 0.9055 → AUROC is 0.8154
AUPRC is 0.8154 → AUROC is 0.8154
AUPRC is 0.8154 → AUPRC is 0.9055
0.8217 to 0.9690) → 0.7143 to 0.8972)
fold, 4 networks → fold, 5 networks
fold, 4 networks → fold, 2 to 4 networks
over 3 to 5 frames → over 5 frames
over 3 to 5 frames → over 1 to 5 frames
averaged over 3 to 5 frames → those of single frames
thresholds of their own → the thresholds of samples
join alarms less → join decisions less
patient sim08 → patient chb08
is simulated → is real
411 samples → 4110 samples
2 held-out → 7 held-out
each of 2 folds → each of 5 folds
took no part → took part
Sample 57 ( → Sample 58 (
Sample 57 ( → Sample 80 (
(True: Seizure, Predicted: Seizure → (True: Seizure, Predicted: Non-Seizure
(True: Seizure, Predicted: Seizure → (True: Non-Seizure, Predicted: Seizure
p_seizure=0.976 → p_seizure=0.967
this sample as containing → this sample as not containing
correctly identified → wrongly labelled
correctly identified → correctly rejected
missed the seizure activity in → wrongly saw seizure activity in
wrongly saw seizure activity in → missed the seizure activity in
wrongly saw seizure activity in → raised a false alarm on
128.5 to 140.5 s → 128.5 to 150.5 s
is above → is below
is below → equals
this seizure pred → this non-seizure pred
Grad-CAM and Grad-CAM++ are → All three methods are
IG is strongest in B2 → Grad-CAM is strongest in B2
in B2 (theta) at all → in B3 (alpha) at all
B2 (theta) at all → B2 (gamma) at all
at t0 and t1 → at all three steps
at t1, its map is zero → at t2, its map is zero
4 samples were → 6 samples were
2 labelled seizure → 3 labelled seizure
(Samples 57 and 4) → (Samples 57 and 3)
**Seizure Pred → **Non-Seizure Pred
of 6 frames → of 9 frames
 changes its strongest →  keeps its strongest
In summary → In summary, as a diagnosis
In summary → <script>alert(1)</script> In summary
In summary → [In summary](http://x.org)
the model reached → the excellent model reached
seizure activity. → seizure activity, as its delta waves show.
seizure activity. → seizure activity, which proves epilepsy.
labels EEG → outperforms neurologists on EEG
is ahead of → is behind
lies above zero → lies below zero
includes zero → lies above zero
share EEG with training → share no EEG with training
passes → fails
speak for seizure → speak against seizure
is highest in → is lowest in
come before the first → come after the first
missed the seizure at → detected the seizure at
per 24 h → per hour
of 100 seizure samples → of 1000 seizure samples
strongest channel → weakest channel
minutes of EEG → hours of EEG
"""


def test_lies_are_refused():
    known, met = facts.build(typical()), 0
    told = allowed(known)
    for true, lie in (line.split(" → ") for line in LIES.strip("\n").split("\n")):
        sentence, about = next(((s, a) for s, a in told.items() if true in s), (None, None))
        assert sentence, f"no sentence has {true!r}: the lie tests nothing"
        claims.check(sentence, known, about)
        with pytest.raises(claims.FalseClaim):
            print(lie, claims.check(sentence.replace(true, lie, 1), known, about))
        met += 1
    assert met > 90


SWAPS = {
    "B1": "B2",
    "B5": "B4",
    "t0": "t1",
    "t2": "t0",
    "Grad-CAM++": "IG",
    "IG": "Grad-CAM",
    "Seizure": "Non-Seizure",
    "delta": "theta",
    "correctly": "wrongly",
    "wrongly": "correctly",
    "above": "below",
    "below": "above",
    "not containing": "containing",
    "higher": "lower",
    "all": "none",
    "none": "all",
    "detected": "missed",
    "ahead": "behind",
    "passes": "fails",
    "fails": "passes",
    "F1": "accuracy",
    "sensitivity": "specificity",
    "AUROC": "AUPRC",
    "before": "after",
    "speak for": "speak against",
    "no": "one",
    "seizure": "non-seizure",
    "is": "is not",
}


def changed(sentence):
    """Yield the sentence with one number, band, step, method, label or verdict of it changed."""
    for number in re.finditer(r"(?<![\w.])\d+(\.\d+)?(?![\d_])", sentence):
        digit = str((int(sentence[number.end() - 1]) + 1) % 10)
        yield sentence[: number.end() - 1] + digit + sentence[number.end() :]
    for word, other in SWAPS.items():
        for place in re.finditer(rf"(?<![\w-]){re.escape(word)}(?![\w+-])", sentence):
            yield sentence[: place.start()] + other + sentence[place.end() :]


def test_any_changed_fact_is_refused_or_as_true():
    """What the checker lets through of a changed sentence, the second reader must hold for true."""
    known, refused, kept = facts.build(typical()), set(), set()
    for sentence, about in allowed(known, 8).items():
        for lie in changed(sentence):
            try:
                claims.check(lie, known, about)
            except claims.FalseClaim:
                refused.add(lie)
            else:
                kept.add((lie, about))
    assert len(refused) > 1200
    assert not [(lie, problems(lie, about, known)) for lie, about in kept if problems(lie, about, known)]


def test_a_claim_names_its_facts():
    known = facts.build(typical())
    used = claims.check("Of the 60 seizure samples, the model found 54 and missed 6.", known)
    assert used == ["seizure", "tp", "fn"]
    sentence = "For this seizure prediction, Grad-CAM is strongest in B1 (delta) at t0 and t1 and in B5 (gamma) at t2."
    assert "samples.57.bands.gradcam" in claims.check(sentence, known, 57)


def test_every_claim_has_a_fact_to_show():
    """Each key that a proof names can be looked up: what it says, its file and the place in it."""
    for seed in range(20):
        known = facts.build(generated(seed))
        for sentence, about in walked(known, random.Random(seed)):
            for key in claims.check(sentence, known, about):
                for one in key.split(" and "):
                    shown = facts.lookup(known, one)
                    assert shown["says"] and shown["file"].startswith(f"output/{known['patient']}/"), (key, shown)


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ((54, 6, 11, 340), "non-seizure, the more frequent class here, would .* of 0.8540, "),
        ((53, 25, 3, 9), "seizure, the more frequent class here, would .* of 0.8667, (higher|more) "),
        ((5, 5, 5, 5), "the same answer would .* of 0.5000, the same as"),
    ],
)
def test_the_baseline_is_the_more_frequent_class(counts, said):
    known = facts.build(counted(*counts))
    (sentence,) = [text for text, _ in walked(known, random.Random(0)) if "lways" in text]
    assert re.search(rf"(answer\w*|giv\w+) {said}", sentence)
    assert claims.check(sentence, known)


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ((54, 0, 0, 340), "no error to explain"),
        ((54, 1, 0, 340), "The only missed seizure sample"),
        ((54, 6, 0, 340), "missed seizure samples"),
    ],
)
def test_errors_are_told_by_their_number(counts, said):
    known = facts.build(counted(*counts))
    (section,) = [section for section in sentences.sections(known) if section["title"] == "Errors"]
    assert said in wording.walk(wording.parse(section["parts"][0]["text"]), random.Random(0))


def test_wording_counts_and_walks_what_its_regular_expression_matches():
    tree = wording.parse("The [model|[big |]detector] " + wording.literal("[a|b]\\ (c).") + "[ x|]")
    assert wording.count(tree) == 6
    texts = {wording.walk(tree, random.Random(seed)) for seed in range(200)}
    assert len(texts) == 6 and "The big detector [a|b]\\ (c). x" in texts
    assert all(re.fullmatch(wording.regex(tree), text) for text in texts)
    assert not re.fullmatch(wording.regex(tree), "The big model [a|b]\\ (c). x")
    for wrong in ("a[b", "a]b", "a|b"):
        with pytest.raises(ValueError, match="unmatched"):
            wording.parse(wrong)
