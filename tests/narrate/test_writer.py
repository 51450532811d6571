"""The narrative: nothing in it but what the facts give, whatever the study and whatever the model."""

import ast
import inspect
import json
import re
import zlib

import independent_reader
import made_up
import pytest

from helpers.narrate import facts, forms, sentences, writer
from helpers.narrate.writer import FalseSentence
from helpers.study import files
from helpers.study.bands import BANDS


class Scripted:
    """A model that likes some words by chance, and writes what it is told to."""

    name = "scripted"

    def __init__(self, says=""):
        self.says = says

    def score(self, pairs):
        return [zlib.crc32(text.encode()) % 9973 / 3000 for _, text in pairs]

    def generate(self, prompt, seed, temperature):
        return self.says


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Return a function that makes up a study, and returns its facts as JSON keeps them."""
    monkeypatch.setattr(files, "ROOT", tmp_path)

    def made(seed, **options):
        made_up.make(seed, **options)
        return json.loads(json.dumps(facts.build(facts.read("made08"))))

    return made


def false(known, seed=0):
    """Return what the independent reader finds false in the narrative of a made-up study."""
    return independent_reader.problems(files.ROOT / "output" / "made08", writer.write(known, Scripted(), seed)[1])


# The sentences.


def test_no_digit_label_band_or_method_stands_outside_a_slot():
    """Nor a comparison, but where a verdict holds; but for what a seizure is, which quotes papers, and p_seizure."""
    bands = (name for name, *_ in BANDS.values())
    names = {*forms.METHODS.values(), *forms.LABELS.values(), "Integrated Gradients", "Grad", *BANDS, *bands}
    written = [line for line in sentences.TEMPLATE.split("\n") if line and line[0] != "#" and "et al." not in line]
    tree = ast.parse(inspect.getsource(sentences).split("its facts.\n")[1])
    texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    computed = [text for text in texts if isinstance(text, str) and not re.search(r"^Return|^\w+[._]\w+$|\n", text)]
    assert len(written) > 30 and "all three methods" in computed
    for line in written + computed:
        bare = re.sub(r"\{[^{}]*\}", "", line)
        assert not re.search(r"\d", bare), line
        assert not [name for name in names if re.search(rf"\b{re.escape(name)}\b", bare)], line
        assert (
            line in computed
            or "{who:" in line
            or "{?who:" in line
            or not re.search(r"\b(higher|greater|better|worse|above|below)\b", bare)
        ), line


def test_wordings_come_in_order_with_the_facts_in_their_slots():
    known = {"values": {"tp": {"printed": "40", "interval": {"low": "1", "high": "2"}}, "no": {"printed": None}}}
    found = sentences.wordings("the model [found|saw] {tp} [of them|{tp~}].", known)
    assert list(found) == [
        "The model found 40 of them.", "The model found 40 40 (1 to 2).", "The model saw 40 of them.",
        "The model saw 40 40 (1 to 2).",
    ]  # fmt: skip
    assert found["The model saw 40 of them."] == ["tp"]
    assert sentences.wordings("{no}", known) == {}
    with pytest.raises(KeyError):
        sentences.wordings("{unknown}", known)


# The narrative.


def test_the_narrative_of_a_real_study_is_true_and_one_page(made_study, monkeypatch):
    monkeypatch.setattr(files, "ROOT", made_study)
    known = facts.build(facts.read("sim08"))
    markdown, rows, freedom = writer.write(known, Scripted(), 1)
    assert independent_reader.problems(made_study / "output" / "sim08", rows) == []
    assert len(markdown.split()) <= 910 and freedom["choices"] > 5
    sentences = [row["sentence"] for row in rows]
    assert len(sentences) == len(set(sentences)), "nothing is said twice"
    assert "simulated" in markdown and "not for diagnosis" in markdown


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 200, 25))
def test_narratives_of_made_up_studies_are_true(study, first):
    for seed in range(first, first + 25):
        assert false(study(seed), seed) == [], seed


@pytest.mark.parametrize("seed", range(4))
def test_a_name_is_never_read_as_text(study, seed):
    """Recordings called as numbers or words of the text: the same sentences as for other names, and true ones."""
    plain, odd, even = ("qqa", "qqb", "qqc"), ("1", "20.0", "seizures"), Scripted()
    even.score = lambda pairs: [0.0] * len(pairs)
    text = writer.write(study(seed, names=plain), even)[0]
    for name, other in zip(plain, odd, strict=True):
        text = text.replace(name, other)
    assert writer.write(study(seed, names=odd), even)[0] == text
    assert false(study(seed, names=odd)) == []


@pytest.mark.parametrize("seed", range(len(made_up.KINDS)))
def test_a_narrative_of_each_kind_is_true(study, seed):
    known = study(seed)
    assert false(known) == []
    markdown = writer.write(known, Scripted())[0]
    assert markdown == writer.write(known, Scripted())[0], "the same bytes"
    titles = ["What is a Seizure?", "Model Performance", "Observed Samples and Explainability"]
    titles += ["Analysis of Time-Frequency Regions", "Conclusion"]
    assert re.findall(r"^\*\*(.+)\*\*$", markdown, re.M) == titles and not re.search(r"None|[\[{]", markdown)


BROKEN = [  # code, what stands in its place, and the sentence that is false then
    ("float(bins[:, mask].mean())", "float(bins[:, mask].sum())", "relevance"),
    ("bins = bins[bins.sum(axis=1) > 0]", "pass", "relevance"),  # maps of zeros counted
    ("bins = bins / bins.mean(axis=1, keepdims=True)", "pass", "relevance"),  # loud maps count more
    ("-bins if group", "bins if group", "left alone"),
    ('LABELS[int(samples["seizure"] > other)]', 'LABELS[int(samples["seizure"] < other)]', "Always answering"),
    ('int(kind == "range")', 'int(kind != "range")', "Brackets hold"),
    ('found["kind"] == "range"', 'found["kind"] == "none"', "that of"),
    ('rows[key]["f1"]', 'rows["single"]["f1"]', "A random split"),
]


@pytest.mark.parametrize(("was", "becomes", "told"), BROKEN)
def test_the_independent_reader_finds_a_broken_definition(tmp_path, monkeypatch, was, becomes, told):
    monkeypatch.setattr(files, "ROOT", tmp_path)
    source, changed, found = inspect.getsource(facts), {"__name__": "helpers.narrate.facts"}, []
    assert source.count(was) == 1
    exec(compile(source.replace(was, becomes), "facts.py", "exec"), changed)
    for seed in (0, 2, 4):
        made_up.make(seed)
        found += false(changed["build"](changed["read"]("made08")))
    assert any(told in problem for problem in found)


def test_what_is_not_the_story_is_refused(study):
    known = study(0)
    markdown = writer.write(known, Scripted())[0]
    accuracy = sentences.show(known, "accuracy")
    lies = {
        f"**Accuracy:** {accuracy}": "**Accuracy:** 0.1234",
        "\n\n**Conclusion**": " The patient has epilepsy.\n\n**Conclusion**",
        " of ": " of the ",
        "Grad-CAM and": "IG and",
        "is not for diagnosis": "is for diagnosis",
        writer.TITLE: "## Another title",
        "_Worded by": "_Written by",
    }
    assert writer.prove(markdown, known)
    for truth, lie in lies.items():
        assert truth in markdown, truth
        with pytest.raises(FalseSentence):
            writer.prove(markdown.replace(truth, lie, 1), known)
    with pytest.raises(FalseSentence):
        writer.prove(markdown, study(1))


def test_wordings_are_drawn_by_likelihood(study):
    known = study(0)
    cold = [writer.write(known, Scripted(), seed, 0.0) for seed in range(2)]
    assert cold[0] == cold[1]
    warm = {writer.write(known, Scripted(), seed, 1.0)[0] for seed in range(5)}
    assert len(warm) > 2
    chosen = next(part.allowed for part in sentences.tell(known) if part.section == "Opening")
    best = max(chosen, key=lambda text: Scripted().score([("", text)]))
    assert best in cold[0][0]


# The model's own words.

ATTACKS = {
    "The sensitivity is {{sensitivity}}.": True,
    "The sensitivity is {{specificity}}.": True,  # swapped: the value says what it is of
    "This looks like temporal lobe epilepsy.": True,  # not proven, and marked so
    "The accuracy is 0.99.": False,
    "It found ninety of them.": False,
    "About half were found.": False,
    "The value is {{unknown}}.": False,
    "The value is {{sample.999.span}}.": False,
    "The value is {{sensitivity}.": False,
    "<b>Bold</b> it is.": False,
    "See [this](http://x.org).": False,
    "It peaks in delta.": False,
    "It peaks in B2.": False,
    "IG shows it.": False,
    "The class is Seizure.": False,
    "Look at made08 again.": False,
    "It is ⅔ of them.": False,
    "It is x² of them.": False,
    "Marked † by itself.": False,
    "": False,
}


@pytest.mark.parametrize("sentence", ATTACKS)
def test_the_model_s_own_words_hold_no_number_or_name_but_from_slots(study, sentence):
    known = study(0)
    allowed = ["sensitivity", "specificity"]
    said, refused = writer.comment(sentence, allowed, known)
    assert (said != "", refused) == (ATTACKS[sentence], not ATTACKS[sentence])
    for key in re.findall(r"\{\{(\w+)", sentence) if said else ():
        assert f"{sentences.show(known, key)} ({key})" in said


@pytest.mark.parametrize("first", range(0, 50, 10))
def test_a_model_that_lies_adds_no_number_in_free_mode(study, first):
    """Digits, unknown and swapped slots, HTML and diagnoses: what is kept is marked, and proven as far as it says."""
    for seed in range(first, first + 10):
        known = study(seed)
        lies = [list(ATTACKS)[(seed + 3 * step) % len(ATTACKS)] for step in range(4)]
        lies.append(f"It is {{{{{list(forms.METRICS)[seed % 5]}}}}} here.")
        markdown, rows, freedom = writer.write(known, Scripted(" ".join(lies)), seed, 1.0, "free")
        own = [row for row in rows if row["wording"] == "model"]
        assert own and markdown.count(writer.OWN) == len(own) + 1, "all are marked, and the mark is explained"
        printed = " ".join(fact["printed"] for fact in known["values"].values() if fact["printed"])
        for row in own:
            assert row["verdict"] == "numbers proven"
            assert set(re.findall(r"[\d.]*\d", row["sentence"])) <= set(re.findall(r"[\d.]*\d", printed))
            assert not re.search(r"[<>\[\]{}]", row["sentence"])
        assert independent_reader.problems(files.ROOT / "output/made08", rows) == []
        assert writer.write(known, Scripted(" ".join(lies)), seed, 1.0, "free")[0] == markdown
