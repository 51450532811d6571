"""What a sentence claims in a form of its own: a metric with its meaning, a sample's head, a rule that is quoted.

These are read as they stand, before a sentence is put into the checker's words; `FIRST` are read right after that.
"""

import re

from helpers.narrate import count_claims, subjects
from helpers.narrate.lexicon import NUMBER

VALUE = rf"(?:{NUMBER}|undefined \([^()]*\))"


def _bullets():
    """Yield the readers of the six metrics, each with what it means."""
    part, found, called = "the (?:share|proportion) of", "(?:recognised|detected|found)", "(?:is called|counts as)"
    meanings = {
        "Accuracy": f"{part} all samples that the model (?:classified|labelled|judged) correctly",
        "Sensitivity": f"{part} seizure samples that the model {found}",
        "Specificity": f"{part} non-seizure samples that the model (?:called|labelled) non-seizure",
        "F1": "the harmonic mean of precision and sensitivity(?:, for seizure samples|, taken for the seizure class)?",
        "Weighted F1": "the mean of (?:both classes' F1|the F1 of both classes), weighted by their numbers of samples",
        "Best threshold": f"the median over folds of the probability from which a sample {called} seizure",
    }
    for name, meaning in meanings.items():
        key = {"Best threshold": "threshold"}.get(name, name.lower().replace(" ", "_"))
        ends = rf"(?:; 95 % interval (?P<low>{NUMBER}) to (?P<high>{NUMBER}))?"
        yield rf"\*\*{name}:\*\* (?P<value>{VALUE}) \(This (?:is|indicates) {meaning}{ends}\.\)", _bullet(key)


def _bullet(key):
    def prove(match, facts, about):
        known = facts["values"][key]
        yield key, match["value"], known["printed"] or f"undefined ({facts['undefined'].get(key, 'no fold has one')})"
        if match["low"]:
            ends = known["interval"] or {"low": None, "high": None}
            yield key, (match["low"], match["high"]), (ends["low"], ends["high"])

    return prove


def _fact(key, read=lambda text: text):
    """Return a reader of the one thing that a phrase says of the fact `key`."""

    def prove(match, facts, about):
        found = facts
        for name in key.split("."):
            found = found[name]
        yield key, read(match[1]), found

    return prove


def _nothing(match, facts, about):
    """Let a phrase pass that claims nothing about results."""
    return ()


def _head(match, facts, about):
    known, key = subjects.sample(facts, int(match["sample"]))
    yield f"{key}.sample", int(match["sample"]), about
    for name in ("true", "pred"):
        yield f"{key}.{name}", match[name], facts["labels"][str(known[name])]
    yield f"{key}.p_seizure", match["p"], known["p_seizure"]


def _frames(match, facts, about):
    values, said = facts["values"], "1" if match["single"] else match["k"]
    yield "frames.fewest", said, values["frames.fewest"]["printed"]
    yield "frames.most", match["most"] or said, values["frames.most"]["printed"]


def _thresholds(match, facts, about):
    values, lowest = facts["values"], match["low"] or match["one"]
    yield "folds.lowest", lowest, values["folds.lowest"]["printed"]
    yield "folds.highest", match["high"] or lowest, values["folds.highest"]["printed"]


def _simulated(match, facts, about):
    yield "simulated", True, facts["simulated"]


def _lost(match, facts, about):
    """Hold the list of the seizures that were missed as a whole."""
    spans = re.findall(
        r"(?:^|, | and )([\d.]+) to ([\d.]+) s of (.+?)(?=$|, [\d.]+ to | and [\d.]+ to )", match["spans"]
    )
    wanted = [(row["start_s"], row["end_s"], row["recording"]) for row in facts["missed_seizures"]]
    yield "missed_seizures", spans, wanted


def _only_fold(match, facts, about):
    yield "folds.number", 1, facts["values"]["folds.number"]["value"]


def _undefined(match, facts, about):
    for name in re.findall("sensitivity|specificity", match[0]):
        yield name, None, facts["values"][name]["printed"]


def _nothing_to_detect(match, facts, about):
    yield "events.seizures", 0, facts["values"]["events.seizures"]["value"]


def _mistakes(match, facts, about):
    yield "fn", 0, facts["values"]["fn"]["value"]
    yield "fp", 0, facts["values"]["fp"]["value"]


def _examined_one(match, facts, about):
    wanted = [(facts["labels"][str(s["true"])].lower(), s["correct"]) for s in facts["samples"]]
    yield "samples", [(match["label"], match["how"] == "correctly")], wanted


def _none_right(match, facts, about):
    yield "tests.seizure", 0, facts["values"]["tests.seizure"]["value"]
    yield "tests.other", 0, facts["values"]["tests.other"]["value"]


def _tested(match, facts, about):
    for name in ("seizure", "other"):
        yield f"tests.{name}", int(match[name] or 0), facts["values"][f"tests.{name}"]["value"]


GLOSSES = {
    "Completeness": r"whether (?:IG's attributions|the attributions of IG) add up to the change in log-odds",
    "Planted truth": "whether more of a map lies on the planted seizure than by chance",
    "Beyond power": "whether more of a map lies on the planted seizure than of the EEG's own power",
    "Random weights": "whether a map changes once all weights are random",
    "Permuted labels": "whether a map changes once a network learns permuted labels",
    "Deletion": "whether the score falls faster than at random as a map's highest cells are (?:deleted|taken out)",
    "Insertion": "whether the score rises faster than at random as a map's highest cells are (?:inserted|put in)",
    "Stability": "whether a map stays alike under a little noise",
}


def _rule(rule):
    def prove(match, facts, about):
        yield f"tests.{rule}", about, rule

    return prove


def _of_patient(match, facts, about):
    yield "patient", match["patient"] or match["patient_"], facts["patient"]
    if match["simulated"]:
        yield "simulated", True, facts["simulated"]


def _always_said(match, facts, about):
    answer = {"SEIZURE": "seizure", "NONSEIZURE": "non-seizure", "SAME_ANSWER": None}
    if match["answer"] in answer:
        yield "more_frequent", answer[match["answer"]], facts["more_frequent"]
    else:
        yield "more_frequent", True, facts["more_frequent"] is not None
    if match["too"] and "FREQUENT" not in match["too"]:
        too = "non-seizure" if "NON" in match["too"] else "seizure"
        yield "more_frequent", too, facts["more_frequent"]


def _graded(match, facts, about):
    yield "grade.word", match["word"] or match["word_"], facts["grade"]["word"]


# What is read before the sentence is put into the checker's words: names, quotations of rules, and what defines terms.
PLAIN = [
    *_bullets(),
    (
        r"\*\*Sample (?P<sample>\d+) \(True: (?P<true>[\w-]+), Predicted: (?P<pred>[\w-]+), "
        rf"p_seizure=(?P<p>{NUMBER})\):\*\*",
        _head,
    ),
    (r"[Bb]y (?:this report's rule|the rule of this report) \(([^()]*)\),", _fact("grade.rule")),
    (r"the result cannot be graded, as one of them is (undefined)", _fact("grade.word", lambda text: None)),
    (r"; (?:sensitivity|specificity)(?: and specificity)? (?:is|stays|are|stay) undefined", _undefined),
    (
        r"Alarms (?:rest on|come from) log-odds that are (?:averaged over (?P<k>\d+)(?: to (?P<most>\d+))? frames"
        r"|those of (?P<single>single) frames), and have thresholds of their own",
        _frames,
    ),
    (r"Counted as (?:events|whole seizures) by the rules of SzCORE, which join alarms less than 90 s apart,", _nothing),
    (
        r"Every threshold was (?:chosen|set) on recordings that were neither held out in its fold nor trained on by "
        rf"the networks that scored them there; those for samples (?:(?:range|run) from (?P<low>{NUMBER}) to "
        rf"(?P<high>{NUMBER})|all come to (?P<one>{NUMBER}))(?=\.)",
        _thresholds,
    ),
    (r"(?:Over all thresholds|Whatever the threshold),", _nothing),
    (
        r"This report (?:summarises|describes|presents) (?:the performance|the results) of a model that (?:classifies|"
        r"labels) EEG spectrograms of patient (\S+) as (?:either )?containing seizure activity or not",
        _fact("patient"),
    ),
    (
        r"of the (?P<simulated>simulated )patient (?P<patient>[^\s,;]+)|of patient (?P<patient_>[^\s,;]+)(?=[,;])",
        _of_patient,
    ),
    (
        r"a program made (?:the recordings|them)|(?:and )?no person's EEG is in them"
        r"|(?:and )?they hold no person's EEG",
        _simulated,
    ),
    (
        r"took no part in training or in the choice of threshold"
        r"|served neither for training nor for choosing the threshold",
        _nothing,
    ),
    (r"The model was tested (?:by leaving recordings out|on recordings left out of its training):", _nothing),
    (r"in the only fold", _only_fold),
    (r", by the (?:mean|average) of their log-odds", _nothing),
    (
        r"(?:The (?:figures|results) here )(?:pool|combine) all folds:|The (?:figures|results) here (?:come from"
        r"|rest on)",
        _nothing,
    ),
    (r"taken throughout (?P<k>\d+) held-out recordings?", count_claims.counted("folds.recordings")),
    (r"\(This (?:is|indicates)", _nothing),
    (r"(?:The model missed|Missed as a whole (?:was|were)) the seizures? at (?P<spans>.+)(?=\.)", _lost),
    (r"there was nothing to detect, and", _nothing_to_detect),
    (
        r"(?:The model judged every held-out sample correctly"
        r"|No held-out sample was judged wrongly), so there is no error to explain",
        _mistakes,
    ),
    (
        r"1 sample was examined: it is labelled (?P<label>non-seizure|seizure), and the model (?:classified|judged) it "
        r"(?P<how>correctly|wrongly)",
        _examined_one,
    ),
    (r"To (?:see|understand) how the model (?:decides|reaches its decisions),", _nothing),
    (
        r"(?:The clearest|In the same way, the clearest) errors?(?:, one of each kind,| of its kind)? (?:is"
        r"|are) examined(?: in the same way)?:",
        _nothing,
    ),
    (r"(?:Taken together|Side by side), the maps show the following:", _nothing),
    (r"\*\*(?:Agreement Between Methods|Change Over Time):\*\*", _nothing),
    (r"No sample was decided correctly, so that the methods could not be tested on any", _none_right),
    (
        r"Each method was (?:tested|put to the test) on (?:(?P<seizure>\d+) seizure samples?)?(?: and )?"
        r"(?:(?P<other>\d+) non-seizure samples?)?, all decided correctly",
        _tested,
    ),
    *((rf"\*\*{head}\*\* (?:asks|tests) {gloss}:", _rule(head.lower())) for head, gloss in GLOSSES.items()),
    (r"; (?:below 0\.20 passes|from 0\.70 on it passes)", _nothing),
    (
        r"(?:On the held-out recordings, the model (?:achieved|reached)|The model (?:achieved"
        r"|reached), on the held-out recordings,) the following (?:performance metrics|results|values):",
        _nothing,
    ),
    (r", all (?:from|of) one patient", _nothing),
    (r", (?:extrapolated|reckoned) from", _nothing),
    (r"to four decimals|Within a fold,", _nothing),
]
FIRST = [
    (r"SIMULATED", _simulated),
    (r"(?:ALLMETHODS )?TESTED (?P<seizure>\d+) SEIZ , (?P<other>\d+) OTHER", _tested),
    (r"(?:rule )?(?:MODEL )?GRADED (?P<word>strong|moderate|weak)|(?:rule )?(?P<word_>strong|moderate|weak)$", _graded),
]
ALWAYS = [
    (
        r"ALWAYS(?: ,)? (?P<answer>SEIZURE|NONSEIZURE|SAME_ANSWER|FREQUENT_ANSWER)(?: ,)?(?P<too> (?:FREQUENT_ANSWER"
        r"|NONSEIZURE|SEIZURE)(?: ,)?)?",
        _always_said,
    ),
]
