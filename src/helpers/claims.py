"""The claim checker: a sentence is proven by the facts, or it is refused.

Readers go over the sentence one after the other. Each takes out the claims of one kind and holds them against the
facts; what is left may hold a few neutral words and nothing else. So a sentence that no reader understands is refused,
however true. The checker knows the facts alone, and nothing of the grammar.
"""

import re

from helpers import finding_claims
from helpers.finding_claims import COUNT, NUMBER


class FalseClaim(ValueError):
    """A sentence that contradicts the facts, or that they do not prove."""


VALUE = rf"(?:{NUMBER}|undefined \([^()]*\))"
SPAN = r"\d+(?: to \d+)?"
TOTALS = {"tp": "seizure", "fn": "seizure", "tn": "other", "fp": "other", "events.detected": "events.seizures"}
# The only words that may be left over when every reader is through: they claim nothing.
_WORDS = """
    a achieved and at by classifies come covers decides decisions describes figures following from held-out here how in
    it its labels metrics model of on overall performance presents proportion reached reaches recordings report rest
    results see served short side spans summarises summary taken that the this to together understand values with
"""
NEUTRAL = frozenset(_WORDS.split())


def check(sentence, facts, about=None):
    """Prove a sentence by the facts.

    Parameters
    ----------
    sentence : str
    facts : dict
        From `facts.build`.
    about : int, str or None
        What the sentence is about if it does not say so itself: a sample (its number), or a group of samples
        ("1": those predicted seizure, "0": the others).

    Returns
    -------
    list of str
        The facts that prove it, such as ``"sensitivity"`` or ``"samples[57].bands.ig"``.

    Raises
    ------
    FalseClaim
        Names the sentence and what is wrong with it.
    """
    used, rest = [], sentence

    def read(match, prove):
        for fact, found, wanted in prove(match, facts, about):
            if found != wanted:
                raise FalseClaim(f"{sentence!r}: it says {found!r} for {fact}, the facts say {wanted!r}")
            used.append(fact)
        return " ¤ "

    for pattern, prove in READERS:
        rest = re.sub(pattern, lambda match, prove=prove: read(match, prove), rest)
    left = [word for word in re.findall(r"[^\s.,;:¤]+", rest) if word.lower() not in NEUTRAL]
    if left:
        raise FalseClaim(f"{sentence!r}: no fact proves {' '.join(left)!r}")
    return list(dict.fromkeys(used))


def _values(match, facts, about):
    """Hold each named group against the value of that name; "__" in a name stands for "."."""
    for name, said in match.groupdict().items():
        key = name.rstrip("_").replace("__", ".")
        value = facts["values"][key]
        total = facts["values"].get(TOTALS.get(key), {}).get("value")
        count = {"all": total, "none": 0, "no": 0}.get(said, said)
        if said in ("all", "none", "no"):
            yield key, count, value["value"]
        elif said is not None:
            yield key, said, value["printed"] or f"undefined ({facts['undefined'].get(key, 'no fold has one')})"


def _is(condition, *keys):
    """Return a reader of a phrase that is true exactly if `condition` of the facts' printed numbers holds."""

    def prove(match, facts, about):
        numbers = [facts["values"][key]["printed"] for key in keys]
        yield " and ".join(keys), True, None not in numbers and condition(*map(float, numbers))

    return prove


def _fact(key, read=lambda text: text):
    """Return a reader of the one thing, or two, that a phrase says of the fact `key`."""

    def prove(match, facts, about):
        found = facts
        for name in key.split("."):
            found = found[name]
        yield key, read(match.group(1)), found

    return prove


def _nothing(match, facts, about):
    """Let a phrase pass that claims nothing about results."""
    return ()


def _undefined(match, facts, about):
    yield match[1], None, facts["values"][match[1]]["printed"]


def _folds(match, facts, about):
    """Hold the range of the folds' thresholds; one value for all is its lowest and its highest."""
    lowest = match["folds__lowest"] or match["folds__lowest_"]
    yield "folds.lowest", lowest, facts["values"]["folds.lowest"]["printed"]
    yield "folds.highest", match["folds__highest"] or lowest, facts["values"]["folds.highest"]["printed"]


def _span(name):
    """Return a reader of a number that all folds share ("4"), or of the least and the most ("3 to 5")."""

    def prove(match, facts, about):
        said = match.groupdict()
        fewest, _, most = ("1" if said.get("single") else said["span"]).partition(" to ")
        yield f"{name}.fewest", fewest, facts["values"][f"{name}.fewest"]["printed"]
        yield f"{name}.most", most or fewest, facts["values"][f"{name}.most"]["printed"]

    return prove


def _patient(match, facts, about):
    said = match.groupdict()
    yield "patient", said["patient"] or said["patient_"], facts["patient"]
    yield "simulated", bool(said["simulated"] or said["simulated_"]), facts["simulated"]


def _no_person(match, facts, about):
    yield "simulated", True, facts["simulated"]


def _bullets():
    """Yield the readers of the six metrics, each with what it means."""
    part, found, called = "the (?:share|proportion) of", "(?:recognised|detected|found)", "(?:is called|counts as)"
    meanings = {
        "Accuracy": f"{part} all samples that the model (?:classified|labelled) correctly",
        "Sensitivity": f"{part} seizure samples that the model {found}",
        "Specificity": f"{part} non-seizure samples that the model (?:called|labelled) non-seizure",
        "F1": "the harmonic mean of precision and sensitivity(?:, for seizure samples|, taken for the seizure class)?",
        "Weighted F1": "the mean of (?:both classes' F1|the F1 of both classes), weighted by their numbers of samples",
        "Best threshold": f"the median over folds of the probability from which a sample {called} seizure",
    }
    for name, meaning in meanings.items():
        key = {"Best threshold": "threshold"}.get(name, name.lower().replace(" ", "_"))
        yield rf"\*\*{name}:\*\* (?P<{key}>{VALUE}) \(This (?:is|indicates) {meaning}\.\)", _values


def _areas():
    """Yield the readers of the areas under the two curves, each with its interval if one is said."""
    for name in ("auroc", "auprc"):
        key = f"ranking__{name}"
        interval = rf"(?P<{key}__low>{NUMBER}) to (?P<{key}__high>{NUMBER})"
        yield rf"{name.upper()} is (?P<{key}>{NUMBER})(?: \(95 % interval {interval}\))?", _values


RATES = ("sensitivity", "specificity")
JUDGED, FOUND = "(?:labelled|classified)", "(?:found|recognised|detected)"
HIGHER, OFTENER = "(?:higher|greater)", "(?:mistaken|misjudged) more often"
READERS = [
    *finding_claims.READERS,
    # performance
    *_bullets(),
    (
        rf"Of the (?P<seizure>\d+) seizure samples, the model {FOUND} (?P<tp>{COUNT}) and missed (?P<fn>{COUNT})",
        _values,
    ),
    (
        rf"Of the (?P<other>\d+) non-seizure samples, it {JUDGED} (?P<tn>{COUNT}) correctly and (?P<fp>{COUNT}) as "
        "seizure",
        _values,
    ),
    (
        r"The only seizure sample was (?:found|recognised|detected)(?=\.)",
        _is(lambda n, tp: n == tp == 1, "seizure", "tp"),
    ),
    (r"The only seizure sample was missed", _is(lambda n, fn: n == fn == 1, "seizure", "fn")),
    (r"(?:The held-out recordings hold|There is) no seizure sample", _is(lambda n: n == 0, "seizure")),
    (rf"The only non-seizure sample was {JUDGED} correctly", _is(lambda n, tn: n == tn == 1, "other", "tn")),
    (rf"The only non-seizure sample was {JUDGED} as seizure", _is(lambda n, fp: n == fp == 1, "other", "fp")),
    (r"(?:The held-out recordings hold|There is) no non-seizure sample", _is(lambda n: n == 0, "other")),
    (r"Sensitivity and specificity are equal, to four decimals", _is(lambda a, b: a == b, *RATES)),
    (rf"Sensitivity is {HIGHER} than specificity", _is(lambda a, b: a > b, *RATES)),
    (rf"Specificity is {HIGHER} than sensitivity", _is(lambda a, b: a < b, *RATES)),
    (rf"non-seizure samples were {OFTENER} than seizure samples", _is(lambda a, b: a > b, *RATES)),
    (rf"(?<!-)seizure samples were {OFTENER} than non-seizure samples", _is(lambda a, b: a < b, *RATES)),
    (
        r"(?:[Aa]lways answering|[Aa] rule that always answers) (non-seizure|seizure), the more frequent class here",
        _fact("more_frequent"),
    ),
    (
        r"[Aa]lways giving the same answer|[Aa] rule that always gives the same answer",
        _is(lambda a, b: a == b, "seizure", "other"),
    ),
    (rf"would (?:give|reach) an accuracy of (?P<baseline>{NUMBER})", _values),
    (r"(?:lower|less) than this model's", _is(lambda a, b: a < b, "baseline", "accuracy")),
    (r"(?:higher|more) than this model's", _is(lambda a, b: a > b, "baseline", "accuracy")),
    (r"the same as this model's to four decimals", _is(lambda a, b: a == b, "baseline", "accuracy")),
    (r"[Bb]y (?:this report's rule|the rule of this report) \(([^()]*)\)", _fact("grade.rule")),
    (r"the result (?:is graded|is) (strong|moderate|weak)(?=\.)", _fact("grade.word")),
    (r"this report's rule (?:grades|rates) the result as (strong|moderate|weak)", _fact("grade.word")),
    (r"the result cannot be graded, as one of them is (undefined)", _fact("grade.word", lambda text: None)),
    (r"; (sensitivity|specificity) (?:is|stays) undefined", _undefined),
    (
        r"Counted as (?:events|whole seizures) by the rules of SzCORE, which join alarms less than 90 s apart",
        _nothing,
    ),
    (
        rf"Alarms (?:rest on|come from) log-odds that are (?:averaged over (?P<span>{SPAN}) frames"
        r"|those of (?P<single>single) frames), and have thresholds of their own",
        _span("frames"),
    ),
    (r"there was nothing to detect", _is(lambda n: n == 0, "events.seizures")),
    (r"detected the only seizure", _is(lambda n, found: n == found == 1, "events.seizures", "events.detected")),
    (r"missed the only seizure", _is(lambda n, found: n == 1 and found == 0, "events.seizures", "events.detected")),
    (
        r"detected (?P<events__detected>\d+|none) of the (?P<events__seizures>\d+) seizures"
        r"|detected (?P<events__detected_>all) (?P<events__seizures_>\d+) seizures",
        _values,
    ),
    (r"(?:with|and the model raised) (?P<events__false_alarms>no|\d+) false alarms?(?=[,;.]| ¤)", _values),
    (rf"(?:a rate of|which makes) (?P<events__fp_per_24h>{NUMBER}) per 24 h", _values),
    (rf"[Ee]vent F1 is (?P<events__f1>{NUMBER})", _values),
    (rf"[Ee]vent precision is (?P<events__precision>{NUMBER})", _values),
    (
        r"At the reference study's (?:prevalence|mix), one seizure sample to two others, (?:"
        rf"accuracy is (?P<reference__accuracy>{NUMBER}) and F1 is (?P<reference__f1>{NUMBER})"
        rf"|F1 is (?P<reference__f1_>{NUMBER}) and accuracy is (?P<reference__accuracy_>{NUMBER}))",
        _values,
    ),
    (
        r"Every threshold was (?:chosen|set) on recordings that were neither held out in its fold nor trained on by "
        r"the networks that scored them there; those for samples (?:"
        rf"(?:range|run) from (?P<folds__lowest>{NUMBER}) to (?P<folds__highest>{NUMBER})"
        rf"|all come to (?P<folds__lowest_>{NUMBER}))(?=\.)",
        _folds,
    ),
    (r"(?:Over all thresholds|Whatever the threshold)", _nothing),
    *_areas(),
    # the study
    (r"EEG spectrograms of patient (\S+) as (?:either )?containing seizure activity or not", _fact("patient")),
    (r"[Tt]he recordings are (simulated): a program made them", _fact("simulated", bool)),
    (
        r"[Pp]atient (?P<patient>\S+) is (?P<simulated>simulated): a program made the recordings"
        r"|on held-out recordings of (?P<simulated_>the simulated )?patient (?P<patient_>[^\s,;]+)",
        _patient,
    ),
    (r"no person's EEG is in them|they hold no person's EEG", _no_person),
    (
        rf"Within a fold, (?P<span>{SPAN}) networks decide together, by the (?:mean|average) of their log-odds",
        _span("networks"),
    ),
    (rf"in each of (?P<folds__number>{NUMBER}) folds", _values),
    (r"in the only fold", _is(lambda n: n == 1, "folds.number")),
    (
        rf"(?P<n>{NUMBER}) samples?, taken throughout (?P<folds__recordings>{NUMBER}) held-out recordings?",
        _values,
    ),
    (r"(?:pool|put together) all folds", _is(lambda n: n > 1, "folds.number")),
    (
        r"took no part in training or in the choice of threshold|neither for training nor for choosing the threshold",
        _nothing,
    ),
    (r"The model was tested (?:by leaving recordings out|on recordings left out of its training)", _nothing),
    (rf"a sensitivity of (?P<sensitivity>{NUMBER})", _values),
    (rf"a specificity of (?P<specificity>{NUMBER})", _values),
    (r"[Tt]he maps of these samples show the following", _nothing),
    (r"\*\*(?:Change Over Time|Completeness of IG):\*\*", _nothing),
]
