"""What a narrative may say of how the explanations did under test: which methods pass, by what figures."""

from helpers.narrate.measures import METHODS
from helpers.narrate.wording import capital, listed, share, worded

ASKED = {
    "completeness": "whether [IG's attributions|the attributions of IG] add up to the change in log-odds",
    "planted truth": "whether more of a map lies on the planted seizure than by chance",
    "beyond power": "whether more of a map lies on the planted seizure than of the EEG's own power",
    "random weights": "whether a map changes once all weights are random",
    "permuted labels": "whether a map changes once a network learns permuted labels",
    "deletion": "whether the score falls faster than at random as a map's highest cells are [deleted|taken out]",
    "insertion": "whether the score rises faster than at random as a map's highest cells are [inserted|put in]",
    "stability": "whether a map stays alike under a little noise",
}
FIGURES = {
    "planted truth": "The share on planted cells is {each}, and by chance {chance}",
    "random weights": "The rank correlation with the trained map is {each}; below 0.20 passes",
    "permuted labels": "The rank correlation falls by {each}",
    "deletion": "The gain over random order is {each}",
    "insertion": "The gain over random order is {each}",
    "stability": "The rank correlation is {each}; from 0.70 on it passes",
}


def trials(facts):
    """Return the parts of the section on the tests of the explanations."""
    values = facts["values"]
    seizure, other = (values[f"tests.{name}"]["value"] for name in ("seizure", "other"))
    if not seizure + other:
        return [worded("No sample was decided correctly, so that the methods could not be tested on any.", "\n\n")]
    on = listed(
        [
            f"{number} {what}"
            for number, what in ((seizure, _one(seizure, "seizure sample")), (other, _one(other, "non-seizure sample")))
            if number
        ]
    )
    parts = [worded(f"Each method was [tested|put to the test] on {on}, all decided correctly.", "\n\n")]
    rules = [rule for rule, test in facts["tests"].items() if set(test["verdicts"].values()) != {None}]
    for at, rule in enumerate(rules):
        head = f"**{capital(rule)}** [asks|tests] {ASKED[rule]}: {_verdicts(facts['tests'][rule]['verdicts'])}."
        parts.append(worded(head, "\n*   " if at else "\n\n*   ", rule))
        parts += [worded(text, about=rule) for text in _figures(rule, values)]
    return [*parts, worded(total(facts), "\n\n")]


def _one(number, noun):
    return noun if number == 1 else f"{noun}s"


def _verdicts(verdicts):
    """Return "Grad-CAM and IG pass, and Grad-CAM++ fails"."""
    said = []
    for passed, (one, many) in ((True, ("passes", "pass")), (False, ("fails", "fail"))):
        methods = [METHODS[method] for method, verdict in verdicts.items() if verdict is passed]
        if methods:
            subject = "all three methods" if len(methods) == len(METHODS) else listed(methods)
            said.append(f"{subject} {one if len(methods) == 1 else many}")
    return ", and ".join(said)


def _figures(rule, values):
    """Yield the figures by which the methods are judged in a test, where they are known."""
    if rule == "completeness":
        largest = values["tests.completeness.ig"]["printed"]
        yield f"The largest miss is {largest} % of [their sum|the sum of the attributions], or of 1 where that is more."
    elif rule == "beyond power":
        if power := values["tests.planted truth.power"]["printed"]:
            yield f"The share of the EEG's own power [there|on planted cells] is {power}."
    else:
        known = {method: values[f"tests.{rule}.{method}"]["printed"] for method in METHODS}
        if said := [f"{value} for {METHODS[method]}" for method, value in known.items() if value]:
            chance = values["tests.planted truth.chance"]["printed"]
            yield f"{FIGURES[rule].format(each=listed(said), chance=chance)}."


def total(facts):
    """Return how many tests each method passed."""
    said = []
    for method, (passed, taken) in facts["passed"].items():
        if taken:
            of = {"all": f"all {taken}", "none": f"none of {taken}"}.get(share(passed, taken), f"{passed} of {taken}")
            said.append(f"{METHODS[method]} passes {of}{' tests' if not said else ''}")
    return f"[Altogether|In all], {listed(said)}."
