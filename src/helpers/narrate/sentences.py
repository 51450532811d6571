"""Sentences: those of the narrative as data, each with its alternatives, its slots, and when it is said."""

from dataclasses import dataclass
from functools import partial

from helpers.narrate.facts import SCORES
from helpers.narrate.numbers import BASELINES, METHODS, listed, number
from helpers.narrate.wording import Undefined, expand, fill, show, span


@dataclass(frozen=True)
class S:
    """A sentence, said when all its slots are defined and `when`, a function of a fact's value by key, is true.

    ``before`` sets it off from the sentence before; ``@`` in ``text`` stands for a sample's key.
    """

    text: str
    when: object = None
    before: str = " "


FIRST = "\n\n*   "
P = partial(S, before="\n\n")  # begins a paragraph
B = partial(S, before="\n*   ")  # a bullet
SEIZURE = (
    "A seizure is a transient occurrence of signs or symptoms due to abnormal excessive or synchronous neuronal "
    "activity in the brain (Fisher et al., Epilepsia 46:470, 2005). It ranges from a brief stare to convulsions. In "
    "the EEG, it often appears as a rhythm that evolves in frequency, spreads and ends (Hirsch et al., J Clin "
    "Neurophysiol 38:1, 2021)."
)


def all_are(verdict, test):
    """Return a condition: the verdict on every method in a test is this one."""
    return lambda v: all(v(f"tests.{test}.{method}.verdict") is verdict for method in METHODS)


# A tuple is a choice: its first sentence that can be said.
SUMMARY = [
    (
        B(
            "In {duration} of {kind:EEG}, the model [found|detected] {of:events.detected,events.seizures,seizure}, "
            "with a median delay of {events.latency}, and raised {count:events.false_alarms,false alarm}."
        ),
        B(
            "In {duration} of {kind:EEG}, the model [found|detected] {of:events.detected,events.seizures,seizure} and "
            "raised {count:events.false_alarms,false alarm}."
        ),
        B("In {duration} of {kind:EEG} without a seizure, the model raised {count:events.false_alarms,false alarm}."),
    ),
    B(
        "That makes {events.fp_per_24h}, with an exact Poisson {level} interval of {ends:events.fp_per_24h}: the rate "
        "is known no better."
    ),
    (
        B("The maps of {who:beyond power,passes} surely lie on the planted seizure more than the EEG's own power."),
        B(
            "No map surely lies on the planted seizure more than the EEG's own power: the maps [show|tell] what the "
            "model used, not where the seizure is.",
            all_are(False, "beyond power"),
        ),
        B(
            "The maps show what the model used; no known truth tells whether they show where a seizure is.",
            lambda v: v("tests.planted truth.chance") is None,
        ),
    ),
]
OPENING = [
    P(
        "This report [summarises|presents] how a model tells EEG spectrograms of patient {patient} with seizure "
        "activity from those without."
    ),
    S("The patient is simulated: a program [made|computed] the recordings.", lambda v: v("simulated")),
    S(
        "[The model was tested|Testing ran] in {count:folds,fold} on {count:recordings,recording}, each judged by "
        "networks and thresholds made without it."
    ),
]
PERFORMANCE = [
    P("A sample is three consecutive frames of a spectrogram, {steps}, of {frame_s} each, labelled as the last."),
    S(
        "Brackets hold {level} bootstrap intervals over recordings, too narrow where these are few; “surely” means "
        "that zero lies outside."
    ),
    S("**{name:accuracy}:** {accuracy~}, the share judged correctly.", before=FIRST),
    (
        B("**{name:sensitivity}:** {sensitivity~}, the share of seizure samples found."),
        B("**{name:sensitivity}:** undefined, as there is no seizure sample."),
    ),
    (
        B("**{name:specificity}:** {specificity~}, the share of others left alone."),
        B("**{name:specificity}:** undefined, as there is no other sample."),
    ),
    (
        B("**{name:f1}:** {f1~}, the harmonic mean of precision and sensitivity."),
        B("**{name:f1}:** undefined, as no sample is, or was called, seizure."),
    ),
    B("**{name:weighted_f1}:** {weighted_f1~}, the mean of both classes, weighted by size."),
    (
        B("**{name:threshold}:** {threshold}, the median over folds."),
        B("**{name:threshold}:** undefined, as no fold could choose one."),
    ),
    (
        P(
            "The model [found|recognised] {of:tp,seizure,seizure sample} and [mistook|took] {of:fp,other,other} for "
            "seizure."
        ),
        P("The model [found|recognised] {of:tp,seizure,seizure sample}; there is no other."),
        P("The model [mistook|took] {of:fp,other,other} for seizure; there is no seizure sample."),
    ),
    S("Always answering {frequent} would reach accuracy {baseline}, {than:baseline,accuracy} the model."),
    (
        S(
            "Of {seizure.seconds} of seizure, {missed.seconds} were missed: {of:missed.early,fn,sample} [come|came] "
            "before the first found in their seizure.",
            lambda v: v("fn") and v("missed.early"),
        ),
        S("Of {seizure.seconds} of seizure, {missed.seconds} were missed.", lambda v: v("fn")),
    ),
    S(
        "A likely reason: a frame labelled {label.0} is still part of {of:missed.mixed,fn,sample}.",
        lambda v: v("missed.mixed"),
    ),
    (
        P(
            "Alarms average the log-odds over {frames}; {events.alarms} were raised, {events.per_hour}, with a median "
            "delay of {events.latency~}."
        ),
        P("Alarms average the log-odds over {frames}; {events.alarms} were raised, {events.per_hour}."),
    ),
    S("Missed as a whole: {events.unseen}."),
    S("{standing:auprc}."),
    S("{standing:event_f1}."),
    S(
        "A random split [would give|would show] an {name:f1} of {audit.random.f1} in place of {audit.weighted.f1} at "
        "the same share of seizure; {of:audit.shared,audit.tested,test sample} would share EEG with training."
    ),
]
OBSERVED = [
    P("The maps of {count:shown,held-out sample}, chosen by a fixed rule, [show|illustrate] how the model decides."),
    S(
        "{method.gradcam} and {method.gradcampp} map what counted towards the predicted class, {method.ig} "
        "({method.ig.full}) what moved the log-odds of seizure."
    ),
    S(
        "Named is the band, of {band.first} to {band.last}, whose mean relevance per frequency bin is highest in most "
        "frames."
    ),
]
HEAD = "**Sample {@} (True: {@.true}, Predicted: {@.pred}, p_seizure={@.p_seizure}):** The model "
SAMPLES = {
    (1, 1): "correctly identified seizure activity in {@.span}.",
    (0, 0): "correctly identified no seizure activity in {@.span}.",
    (1, 0): "missed the seizure activity in {@.span}.",
    (0, 1): "wrongly saw seizure activity in {@.span}.",
}
FOUND = "Relevance [peaks|culminates] {bands:@}{channel:@}."
ANALYSIS = [
    P("Over {count:maps.found,seizure sample} found, relevance for the decision is highest {tops:found}."),
    (
        S("Over {count:maps.left,other} left alone, it is highest {tops:left}.", lambda v: v("maps.found")),
        P("Over {count:maps.left,other} left alone, relevance for the decision is highest {tops:left}."),
    ),
    (
        S(
            "{alarm:false alarm}, {alarm.span}, [reaches|reached] {alarm.p} (threshold "
            "{alarm.threshold});{alike:alarm,found} relevance is highest {tops:alarm}; {method.ig}'s strongest "
            "channel is {alarm.channel}."
        ),
        S("{alarm:false alarm}, {alarm.span}, [reaches|reached] {alarm.p} (threshold {alarm.threshold})."),
        S("There is no false alarm to explain.", lambda v: not v("events.false_alarms")),
    ),
    P("Tests passed: {passed:tests.passed,tests.taken}."),
    S(
        "Of the relevance, {figures:planted truth} lie on the planted seizure; {tests.planted truth.chance} by "
        "chance, {tests.planted truth.power} of the EEG's own power."
    ),
    S(
        "With random weights, the maps of {who:random weights,fails} change too little (rank correlation "
        "{figures:random weights,fails}; below {tests.limit} passes) to be read as what the model learnt."
    ),
    S(
        "With random weights, the maps of {who:random weights,passes} [change|differ], as they should.",
        all_are(True, "random weights"),
    ),
    S(
        "By {who:deletion,passes}, deleting what ranks highest lowers the score faster than at random: the decision "
        "rests on it."
    ),
    S("By {who:deletion,fails}, deleting what ranks highest does not surely lower the score faster than at random."),
    S("A map [says|shows] what this model used, not how seizures arise."),
]
CONCLUSION = [
    P(
        "By the lower of sensitivity and specificity, the result is graded {grade} (strong from {grade.strong}, "
        "moderate from {grade.moderate})."
    ),
    S("[These|The] {duration} of EEG of one {kind:patient} do not show that the model works for another."),
    S(
        "This text is not for diagnosis or treatment: only a clinician who knows the patient and reads the EEG can "
        "judge it."
    ),
]
COMMENTED = (  # sections that end with the model's own words in free mode
    "Model Performance",
    "Observed Samples and Explainability",
    "Analysis of Time-Frequency Regions",
    "Conclusion",
)


def sections(facts):
    """Return the sections in order: dicts of ``title`` and ``parts``, the sentences (`S`) that this study allows."""

    def value(key):
        return facts["values"][key]["value"]

    def sayable(sentence):
        try:
            fill(expand(sentence.text)[0], facts, PHRASES)
        except Undefined:
            return False
        return sentence.when is None or bool(sentence.when(value))

    def said(items):
        groups = [item if isinstance(item, tuple) else (item,) for item in items]
        found = (next(filter(sayable, group), None) for group in groups)
        return [sentence for sentence in found if sentence]

    parts = {
        "Summary": SUMMARY,
        "Opening": OPENING,
        "What is a Seizure?": [P(SEIZURE)],
        "Model Performance": PERFORMANCE,
        "Observed Samples and Explainability": [*OBSERVED, *_samples(facts["samples"])],
        "Analysis of Time-Frequency Regions": ANALYSIS,
        "Conclusion": CONCLUSION,
    }
    return [{"title": title, "parts": said(items)} for title, items in parts.items()]


def _samples(samples):
    """Return two sentences a sample."""
    for at, sample in enumerate(samples):
        about, before = f"sample.{sample['sample']}", "\n*   " if at else FIRST
        yield S((HEAD + SAMPLES[sample["true"], sample["pred"]]).replace("@", about), before=before)
        yield S(FOUND.replace("@", about))


# Phrases: slots that compute words and order. Each returns its text and the keys of the facts in it.


def _of(facts, part, total, noun):
    """Return "all 5 seizures", "none of the 5 seizures", "3 of the 5 seizures"."""
    some, of = (facts["values"][key]["value"] for key in (part, total))
    if not of:
        raise Undefined(total)
    nouns = f"{noun}s"
    if of == 1:
        return f"the {show(facts, total)} {noun}" if some else f"0 of {show(facts, total)} {noun}", [part, total]
    if some == of:
        return f"both {nouns}" if of == 2 else f"all {show(facts, total)} {nouns}", [part, total]
    if not some:
        return f"none of the {show(facts, total)} {nouns}", [part, total]
    return f"{show(facts, part)} of the {show(facts, total)} {nouns}", [part, total]


def _count(facts, key, noun):
    """Return "1 false alarm", "2 false alarms", "no false alarms"."""
    number_of = facts["values"][key]["value"]
    if key.startswith("maps.") and not number_of:
        raise Undefined(key)
    return f"{show(facts, key) if number_of else 'no'} {noun}{'' if number_of == 1 else 's'}", [key]


def _name(facts, key):
    name = facts["values"][key]["name"]
    return name[:1].upper() + name[1:], [key]


def _ends(facts, key):
    ends = facts["values"][key]["interval"]
    if not ends or facts["values"][key]["printed"] is None:
        raise Undefined(key)
    return span(ends), [key]


def _kind(facts, noun):
    return f"{'simulated ' if facts['simulated'] else ''}{noun}", ["simulated"]


def _than(facts, one, other):
    """Return how two facts compare, by their printed forms: readers compare what they see."""
    found = number(show(facts, one)) - number(show(facts, other))
    return "more than" if found > 0 else "less than" if found < 0 else "as much as", [one, other]


def _standing(facts, score):
    """Return how the model stands against the baselines, by each difference's interval, or without one by value."""
    own, groups, values = SCORES[score], {}, facts["values"]
    keys = [own]
    for method in BASELINES:
        named, other, ahead = (f"baselines.{method}{key}" for key in ("", f".{score}", f".ahead_{score}"))
        if None in (values[own]["printed"], values[other]["printed"], values[ahead]["printed"]):
            continue
        if ends := values[ahead]["interval"]:
            low, high = number(ends["low"]), number(ends["high"])
            stands = "is surely above {}" if low > 0 else "is surely below {}" if high < 0 else None
            stands = stands or "cannot be told apart from {}"
        else:
            found = number(show(facts, own)) - number(show(facts, other))
            stands = f"is {'above' if found > 0 else 'below' if found < 0 else 'equal to'} {{}} (without an interval)"
        groups.setdefault(stands, []).append(f"{values[named]['printed']} ({values[other]['printed']})")
        keys += [named, other, ahead]
    if not groups:
        raise Undefined(score)
    said = listed([stands.format(listed(names)) for stands, names in groups.items()])
    return f"{values[own]['name']}, {show(facts, own)}, {said}", keys


def _by_band(facts, found, keys):
    """Return "in B1 (delta) by Grad-CAM and in B2 (theta) by IG" of each method's band; `keys` are their facts'."""
    groups = {}
    for method, band in found.items():
        groups.setdefault(band, []).append(METHODS[method])
    said = [f"{band} by {'all three methods' if len(names) == 3 else listed(names)}" for band, names in groups.items()]
    return listed(said), [*keys, *(f"method.{method}" for method in found)]


def _bands(facts, about):
    """Return where each method's map of a sample is strongest in most frames."""
    found, keys = {}, {method: f"{about}.{method}.band" for method in METHODS}
    for method, key in keys.items():
        some, printed = facts["values"][f"{key}.frames"]["value"], facts["values"][key]["printed"]
        found[method] = f"in {printed}" if printed else "in no one band" if some else "nowhere"
    return _by_band(facts, found, [*keys.values(), *(f"{key}.frames" for key in keys.values())])


def _tops(facts, group):
    """Return in which band each method's mean relevance over a group of samples is highest."""
    keys = {method: f"maps.{group}.{method}.band" for method in METHODS}
    found = {method: facts["values"][key]["printed"] for method, key in keys.items()}
    found = {method: f"in {band}" for method, band in found.items() if band}
    if not found:
        raise Undefined(group)
    return _by_band(facts, found, [keys[method] for method in found])


def _alike(facts, one, other):
    """Return whether each method finds the same band in two groups of samples."""
    keys = [[f"maps.{group}.{method}.band" for group in (one, other)] for method in METHODS]
    pairs = [tuple(facts["values"][key]["printed"] for key in pair) for pair in keys]
    if any(None in pair for pair in pairs):
        return "", []
    same = sum(first == second for first, second in pairs)
    said = {0: " unlike over the seizures found,", len(METHODS): " as over the seizures found,"}
    return said.get(same, ""), [key for pair in keys for key in pair] if same in said else []


def _channel(facts, about):
    """Return a sample's strongest channel, or nothing where there is none."""
    key = f"{about}.ig.channel"
    if facts["values"][key]["printed"] is None:
        return "", []
    return f"; {METHODS['ig']}'s strongest channel is {show(facts, key)}", [key]


def _alarm(facts, noun):
    """Return "the false alarm", or of several the one with the highest peak."""
    several = facts["values"]["events.false_alarms"]["value"] > 1
    return f"the {noun}{' with the highest peak' if several else ''}", ["events.false_alarms"]


def _methods(facts, rule, verdict):
    found = {method: f"tests.{rule}.{method}.verdict" for method in METHODS}
    return {method: key for method, key in found.items() if facts["values"][key]["printed"] == verdict}


def _who(facts, rule, verdict):
    """Return the methods that have a verdict in a test."""
    found = _methods(facts, rule, verdict)
    if not found:
        raise Undefined(rule)
    names = [METHODS[method] for method in found]
    return "all three methods" if len(names) == len(METHODS) else listed(names), list(found.values())


def _figures(facts, rule, verdict=None):
    """Return a test's figure for each method, or for those with a verdict."""
    found = {method: f"tests.{rule}.{method}" for method in (_methods(facts, rule, verdict) if verdict else METHODS)}
    known = {method: key for method, key in found.items() if facts["values"][key]["printed"] is not None}
    if not known:
        raise Undefined(rule)
    said = [f"{show(facts, key)} ({METHODS[method]})" for method, key in known.items()]
    return (listed(said) if len(said) > 1 else show(facts, *known.values())), [
        *known.values(),
        *(f"method.{method}" for method in known),
    ]


def _passed(facts, part, total):
    """Return how many tests each method passed, of those it was put to."""
    pairs = {method: (f"{part}.{method}", f"{total}.{method}") for method in METHODS}
    pairs = {method: keys for method, keys in pairs.items() if facts["values"][keys[1]]["value"]}
    if not pairs:
        raise Undefined(total)
    said = [f"{show(facts, one)} of {show(facts, of)} by {METHODS[method]}" for method, (one, of) in pairs.items()]
    return listed(said), [*(key for keys in pairs.values() for key in keys), *(f"method.{method}" for method in pairs)]


PHRASES = {
    "of": _of, "count": _count, "name": _name, "ends": _ends, "kind": _kind, "than": _than, "standing": _standing,
    "bands": _bands, "channel": _channel, "tops": _tops, "alike": _alike, "alarm": _alarm, "who": _who,
    "figures": _figures, "passed": _passed,
}  # fmt: skip
