"""A model's own sentences: numbers come from slots, lies never reach the narrative, true words do."""

import json
import random
import re

import pytest
from conftest import ROOT

from helpers.narrate import claims, decoding, narrative, prose, sentences, wording

KNOWN = json.loads((ROOT / "tests" / "narrate" / "claims" / "facts.json").read_text(encoding="utf-8"))
LIES = (ROOT / "tests" / "narrate" / "claims" / "lies.txt").read_text(encoding="utf-8").splitlines()
COUNTED = "Of the 53 seizure samples, the model found 40 and missed 13."


class Scripted:
    """In the model's place: any wording of the grammar where the grammar is asked, else what the script says next."""

    name, processor = "attacker", None

    def __init__(self, script):
        self.script, self.asked, self.shown = iter(script), [], []

    def decode(self, language_model, prompt, regex, seed=0, temperature=0.0, pictures=()):
        for section in sentences.sections(self.facts):
            asked = [part for part in section["parts"] if not part["fixed"]]
            if asked and narrative.pattern(asked) == regex:
                draw = random.Random(str(seed))
                texts = [part["before"] + wording.walk(wording.parse(part["text"]), draw) for part in asked]
                return decoding.Decoded("".join(texts).lstrip(), 1, 1.0)
        self.asked.append(prompt)
        self.shown.append(list(pictures))
        return decoding.Decoded(next(self.script), 1, 1.0)


def told(monkeypatch, script, known=KNOWN, pictures=None):
    """Return the narrative in mode free by a scripted model, its rows, and the model."""
    model = Scripted(script)
    model.facts = known
    monkeypatch.setattr(decoding, "decode", model.decode)
    text, rows, _ = narrative.write(known, model, mode="free", pictures=pictures)
    return text, rows, model


def forever(items):
    """Yield the items again and again."""
    while True:
        yield from items


@pytest.mark.slow
def test_no_lie_reaches_the_report(monkeypatch):
    """An attacker says each lie as it stands; with its digits as slots, where a slot of that value is at hand."""
    assert len(LIES) > 700
    text, rows, model = told(monkeypatch, forever(LIES))
    assert not [lie for lie in LIES if lie in text]
    assert {row["wording"] for row in rows} == {"code", "grammar"} and "†," not in text
    assert sum(row["refused"] for row in rows) == len(model.asked) > 150
    assert all(row["verdict"] in ("proven", "no claim", "fixed text") for row in rows)


@pytest.mark.parametrize("lie", LIES[::7])
def test_a_lie_with_slots_for_its_numbers_is_refused(monkeypatch, lie):
    """The attacker keeps to the grammar of slots, as far as the slots of the sentence asked for hold what it needs."""
    row = {"sentence": COUNTED, "facts": "; ".join(claims.check(COUNTED, KNOWN))}
    known = prose.slots(COUNTED, KNOWN)
    for name, value in sorted(known.items(), key=lambda item: -len(item[1])):
        lie = re.sub(rf"(?<![\w.{{]){re.escape(value)}(?![\w.}}])", f"{{{{{name}}}}}", lie)
    model = Scripted(forever([lie]))
    model.facts = KNOWN
    monkeypatch.setattr(decoding, "decode", model.decode)
    assert prose.own(row, None, KNOWN, model, "0", 0.5, []) == {"refused": prose.ATTEMPTS, "asked": True}


@pytest.mark.parametrize(
    ("words", "accepted"),
    [
        ("The detector caught {{tp}} of the {{seizure}} seizure samples and overlooked {{fn}}.", True),
        ("Of {{seizure}} seizure samples, {{tp}} were detected and {{fn}} were missed.", True),
        ("The detector caught {{tp}} of the {{seizure}} seizure samples.", False),  # leaves out what was missed
        ("The detector caught {{fn}} of the {{seizure}} seizure samples and overlooked {{tp}}.", False),
        ("The detector caught 40 of the 53 seizure samples and overlooked 13.", False),  # digits of its own
        ("The detector easily caught {{tp}} of the {{seizure}} seizure samples and overlooked {{fn}}.", False),
        ("The detector caught {{tp}} of the {{seizure}} seizure samples <b>and</b> overlooked {{fn}}.", False),
        ("Of {{seizure}} seizure samples, {{tp}} were missed and {{fn}} were detected.", False),
        ("", False),
    ],
)
def test_own_words_count_if_they_are_true_and_whole(monkeypatch, words, accepted):
    row = {"sentence": COUNTED, "facts": "; ".join(claims.check(COUNTED, KNOWN))}
    model = Scripted(["nonsense", words, words, words])
    model.facts = KNOWN
    monkeypatch.setattr(decoding, "decode", model.decode)
    found = prose.own(row, None, KNOWN, model, "0", 0.5, [])
    assert (found.get("wording") == "model") == accepted
    assert found["refused"] == (1 if accepted else prose.ATTEMPTS)
    if accepted:
        assert found["sentence"] == words.replace("{{tp}}", "40").replace("{{seizure}}", "53").replace("{{fn}}", "13")


def test_own_sentences_are_marked_and_counted(monkeypatch):
    own = "Sensitivity {{sensitivity}} and {{specificity}} specificity."

    def script():
        for number in range(10_000):
            yield (
                "Results rest on {{duration}} minutes of EEG with {{events_seizures}} seizures." if number % 3 else own
            )

    text, rows, _ = told(monkeypatch, script())
    mine = [row for row in rows if row["wording"] == "model"]
    assert [row["sentence"] for row in mine] == ["Results rest on 28 minutes of EEG with 5 seizures."]
    assert "Results rest on 28 minutes of EEG with 5 seizures.†" in text
    assert "Sentences marked † are the model's own (1 of " in text


def test_a_sample_head_stays_and_its_pictures_are_shown(monkeypatch, tmp_path):
    """Of a sample a model that can see is shown its four pictures, and what it says of them is proven like the rest."""
    said = "The model wrongly found seizure activity."
    _, rows, model = told(monkeypatch, forever([said]), KNOWN, tmp_path)
    assert not [row for row in rows if said in row["sentence"]]
    shown = [names for names in model.shown if names]
    assert shown and all(path.parent == tmp_path for names in shown for path in names)
    assert any(prompt.startswith("You report") and "It is about Sample 379." in prompt for prompt in model.asked)


def test_slots_hold_what_a_model_must_not_spell():
    sentence = "For this seizure prediction, Grad-CAM++ is strongest in B1 (delta) at t0, t2; sim08_07, FP2-F8, 0.672."
    known = prose.slots(sentence, KNOWN)
    assert {"Grad-CAM++", "B1 (delta)", "t0", "t2", "sim08_07", "FP2-F8", "0.672"} == set(known.values())
    text = prose._with_slots(sentence, known)
    assert not re.search(r"\d", re.sub(r"\{\{\w+\}\}", "", text))
    assert prose.filled(text, known) == sentence


def test_every_proven_sentence_can_be_said_with_its_slots(monkeypatch):
    """The grammar's own sentence, written with slots, is one that the free grammar allows, and the checker takes."""
    kept = met = 0
    for section in sentences.sections(KNOWN):
        for part in section["parts"]:
            sentence = "" if part["fixed"] else wording.walk(wording.parse(part["text"]), random.Random(0))
            used = claims.check(sentence, KNOWN, part["about"]) if sentence else []
            if used and prose.open_to_words(sentence):
                head = prose._head(sentence)
                known = prose.slots(sentence.removeprefix(head), KNOWN)
                text = prose._with_slots(sentence.removeprefix(head), known)
                met += 1
                kept += bool(re.fullmatch(prose.grammar(known), text))
                assert head + prose.filled(text, known) == sentence
    assert kept > 0.8 * met > 30


def test_an_unknown_mode_says_so():
    with pytest.raises(ValueError, match="mode: 'loose' is neither of constrained and free"):
        narrative.write(KNOWN, None, mode="loose")
