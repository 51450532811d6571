"""What a sentence claims of the explained samples, read out and held against the facts."""

import re

from helpers.facts import METHODS, STEPS

NUMBER = r"\d+(?:\.\d+)?"
COUNT = r"(?:\d+|all|none)"  # a count out of a total
BAND = r"B\d \(\w+\)"
AT = r"(?:all three steps|t\d(?:, t\d)*(?: and t\d)?)"
PLACES = rf"{BAND} at {AT}(?:(?:,| and|, and)(?: in)? {BAND} at {AT})*"
IDS = r"Samples? \d+(?:, \d+)*(?: and \d+)?"
METHOD = r"(?:Grad-CAM\+\+|Grad-CAM|IG)"
WHO = rf"(?P<who>[Aa]ll three methods|{METHOD}(?:, {METHOD})*(?: and {METHOD})?)"
NO_SAMPLE = {
    key: "no such sample" for key in ("sample", "recording", "start_s", "end_s", "p_seizure", "threshold", "side")
}
NO_SAMPLE |= {"true": -1, "pred": -1, "correct": None, "bands": {method: [] for method in METHODS}}


def _sample(facts, about):
    """Return the facts of the sample `about`; those of no sample contradict whatever is said."""
    return next((s for s in facts["samples"] if isinstance(about, int) and s["sample"] == about), NO_SAMPLE)


def _of_sample(match, facts, about):
    """Hold the named groups against the facts of the sample: labels and sides by their words."""
    sample = _sample(facts, about)
    wanted = {key: str(sample[key]) for key in ("sample", "recording", "start_s", "end_s", "p_seizure", "threshold")}
    wanted |= {key: facts["labels"].get(str(sample[key]), "").lower() for key in ("true", "pred")}
    wanted["side"] = sample["side"]
    words = {"containing": "seizure", "not containing": "non-seizure", "equals": "at"}
    for key, said in match.groupdict().items():
        said = said.lower() if key in ("true", "pred") else said
        yield f"samples[{about}].{key}", words.get(said, said), wanted[key]


def _verdict(true=None, pred=None, correct=None):
    """Return a reader of a phrase that says how a sample was judged."""

    def prove(match, facts, about):
        sample = _sample(facts, about)
        for key, wanted in (("true", true), ("pred", pred), ("correct", correct)):
            if wanted is not None:
                yield f"samples[{about}].{key}", wanted, sample[key]
        if "class" in match.groupdict():
            yield f"samples[{about}].pred", int(match["class"] == "containing"), sample["pred"]

    return prove


def _methods(who):
    if who.lower() == "all three methods":
        return list(METHODS)
    return [method for name in re.findall(METHOD, who) for method, printed in METHODS.items() if printed == name]


def _steps(text):
    return list(STEPS) if text == "all three steps" else re.findall(r"t\d", text)


def _attribution(match, facts, about):
    """Hold each method's strongest band at t0, t1 and t2 against what is said of that method."""
    sample, said = _sample(facts, about), {}
    groups = match.groupdict()
    places = re.findall(rf"({BAND}) at ({AT})", groups.get("places") or "")
    for band, at in [*places, (None, groups.get("zero") or "")]:
        said |= {step: "two things" if step in said else band for step in _steps(at)}
    for method in _methods(match["who"]):
        bands = [facts["bands"][band]["printed"] if band else None for band in sample["bands"][method]]
        yield f"samples[{about}].bands.{method}", [said.get(step, "nothing") for step in STEPS], bands


def _tally(kind):
    """Return a reader of how often a band is the strongest, within a group of samples."""

    def prove(match, facts, about):
        group, said = facts["groups"][str(about)], match.groupdict()
        for method in _methods(said["who"]):
            counts = {facts["bands"][band]["printed"]: number for band, number in group["counts"][method].items()}
            most = max(counts.values(), default=0)
            found = {"bands": set(re.findall(BAND, said.get("bands") or "")), "frames": int(said["frames"])}
            found["most"] = 0 if kind == "zero" else int(said.get("most") or said["frames"])
            wanted = {"bands": {band for band, number in counts.items() if number == most}, "frames": group["frames"]}
            yield f"groups.{about}.counts.{method}", found, wanted | {"most": most}

    return prove


def _group(match, facts, about):
    label = next(key for key, name in facts["labels"].items() if name == match["label"])
    yield f"groups.{label}.samples", _numbers(match["ids"]), facts["groups"][label]["samples"]


def _agreement(match, facts, about):
    said = re.findall(rf"({METHOD}) and ({METHOD}) in (\d+) of (\d+) frames?", match["pairs"])
    if together := re.fullmatch(r"all three methods in all (\d+) frames?", match["pairs"]):
        names, number = list(METHODS.values()), together.group(1)
        said = [(a, b, number, number) for at, a in enumerate(names) for b in names[at + 1 :]]
    wanted = [
        (*(METHODS[m] for m in r["methods"]), str(r["same"]), str(r["of"])) for r in facts["agreement"] if r["of"]
    ]
    yield "agreement", said, wanted


def _change(match, facts, about):
    said = {key: _numbers(match.groupdict().get(key) or "") for key in ("changes", "stays", "unknown")}
    for method in _methods(match["who"]):
        yield f"changes.{method}", said, facts["changes"][method]


def _delta(match, facts, about):
    delta = facts["largest_delta"] or {}
    yield "largest_delta", match["size"], delta.get("printed")
    if match["sample"]:
        yield "largest_delta", int(match["sample"]), delta.get("sample")


def _examined(match, facts, about):
    """Hold the numbers of samples, by label and by rightness, against a count of them."""
    samples = facts["samples"]
    wanted = {
        "number": len(samples),
        "seizure": sum(s["true"] for s in samples),
        "other": sum(1 - s["true"] for s in samples),
        "right": sum(s["correct"] for s in samples),
    }
    for key, said in match.groupdict().items():
        yield (
            "samples",
            {"all": len(samples), "none": 0}.get(said) if said in ("all", "none") else int(said),
            wanted[key],
        )


def _examined_one(match, facts, about):
    (sample,) = facts["samples"]
    yield "samples", match["label"], facts["labels"][str(sample["true"])].lower()
    yield "samples", match["how"] == "correctly", sample["correct"]


def _numbers(text):
    return [int(number) for number in re.findall(r"\d+", text)]


SAW = r"this (?:sample|spectrogram)"
SEEN = rf"{SAW} as (?P<class>(?:not )?containing) seizure activity"
ZERO = rf"(?:; at (?P<zero>{AT}), (?:its|their) maps? (?:is|are) zero)?"
MOST = r"(?P<most>\d+) of (?P<frames>\d+) frames"
OWN = "(?:its|their) strongest band"
READERS = [
    # one sample
    (
        r"\*\*Sample (?P<sample>\d+) \(True: (?P<true>[\w-]+), Predicted: (?P<pred>[\w-]+), "
        rf"p_seizure=(?P<p_seizure>{NUMBER})\):\*\*",
        _of_sample,
    ),
    (rf"(?:correctly identified|rightly recognised) {SEEN}", _verdict(correct=True)),
    (rf"wrongly labelled {SEEN}", _verdict(correct=False)),
    (rf"missed the seizure activity in {SAW}", _verdict(true=1, pred=0)),
    (rf"wrongly saw seizure activity in {SAW}", _verdict(true=0, pred=1)),
    (
        rf"(?P<start_s>{NUMBER}) to (?P<end_s>{NUMBER}) s of (?:recording )?(?P<recording>.+?)(?=, and its)",
        _of_sample,
    ),
    (
        r"its probability (?:(?:lies|is) )?(?P<side>above|below|equals) its fold's threshold of "
        rf"(?P<threshold>{NUMBER})",
        _of_sample,
    ),
    (r"(?:For|In) this (?P<pred>non-seizure|seizure) prediction", _of_sample),
    (rf"{WHO} (?:is|are) strongest in (?P<places>{PLACES}){ZERO}", _attribution),
    (rf"[Tt]he strongest band of {WHO} is (?P<places>{PLACES}){ZERO}", _attribution),
    (rf"[Tt]he maps? of {WHO} (?:is|are) zero at (?P<zero>{AT})", _attribution),
    # the samples together
    (
        rf"(?P<number>\d+) samples were examined: (?P<seizure>{COUNT}) labelled seizure and (?P<other>{COUNT}) "
        rf"labelled non-seizure; the model (?:classified|judged) (?P<right>{COUNT}) of them correctly",
        _examined,
    ),
    (
        r"1 sample was examined: it is labelled (?P<label>non-seizure|seizure), and the model (?:classified|judged) it "
        r"(?P<how>correctly|wrongly)",
        _examined_one,
    ),
    (rf"\*\*(?P<label>Seizure|Non-Seizure) Predictions \((?P<ids>{IDS})\):\*\*", _group),
    (
        rf"{WHO} (?:is|are) strongest in (?P<bands>{BAND}) in (?:all|every one of the) (?P<frames>\d+) frames",
        _tally("all"),
    ),
    (
        rf"{WHO} (?:is|are) (?:strongest most often|most often strongest) in (?P<bands>{BAND}), in {MOST}(?=\.)",
        _tally("most"),
    ),
    (
        rf"{WHO} (?:is|are) strongest equally often in (?P<bands>{BAND}(?:, {BAND})* and {BAND}), in {MOST} each",
        _tally("most"),
    ),
    (rf"[Tt]he maps? of {WHO} (?:is|are) zero in all (?P<frames>\d+) frames", _tally("zero")),
    (
        r"\*\*Agreement Between Methods:\*\* (?:The same band is strongest|The strongest band is the same) for "
        r"(?P<pairs>.+)(?=\.)",
        _agreement,
    ),
    (
        rf"{WHO}(?: changes? {OWN} within (?P<changes>{IDS}))?(?: and)?(?: keeps? (?:it|{OWN}) within "
        rf"(?P<stays>{IDS}))?(?:; a map of zeros leaves this open in (?P<unknown>{IDS}))?(?=\.)",
        _change,
    ),
    (rf"For {WHO}, a map of zeros leaves this open in (?P<unknown>{IDS})", _change),
    (
        r"IG's largest convergence delta (?:here|over these samples), by which its attributions miss the change in "
        rf"log-odds that they should add up to, is (?P<size>(?:below )?{NUMBER}) in size"
        r"(?:, (?:for|in) Sample (?P<sample>\d+))?",
        _delta,
    ),
]
