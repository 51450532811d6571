"""What a narrative may say of how well the model detects seizures: of samples, of whole seizures, against others."""

from helpers.narrate.facts import sides
from helpers.narrate.measures import AHEAD, GAPS, METRICS, number
from helpers.narrate.wording import counted, fixed, listed, literal, share, worded

NAMES = dict(zip(METRICS, ("Accuracy", "Sensitivity", "Specificity", "F1", "Weighted F1"), strict=True))
NAMES["threshold"] = "Best threshold"
SCORES = {"f1": "F1", "accuracy": "accuracy", "auroc": "AUROC", "auprc": "AUPRC", "event_f1": "event F1"}
GLOSSES = {
    "accuracy": "the [share|proportion] of all samples that the model [classified|labelled|judged] correctly",
    "sensitivity": "the [share|proportion] of seizure samples that the model [recognised|detected|found]",
    "specificity": "the [share|proportion] of non-seizure samples that the model [called|labelled] non-seizure",
    "f1": "the harmonic mean of precision and sensitivity[, for seizure samples|, taken for the seizure class]",
    "weighted_f1": "the mean of [both classes' F1|the F1 of both classes], weighted by their numbers of samples",
    "threshold": "the median over folds of the probability from which a sample [is called|counts as] seizure",
}
TRIPTYCH = (
    "_Fixed text:_ A spectrogram is a picture of the EEG's power over time and frequency. The model sees three "
    "consecutive frames of {frame} s each, t0, t1 and t2; such a triptych is one sample and bears the label of its "
    "last frame. Intervals say where a score would lie, 95 times in 100, if the recordings were drawn anew from those "
    "of this patient."
)
SPLITS = (
    "_Fixed text:_ The reference study dealt its samples to training and test at random. Samples overlap in time, so "
    "that such a split tests a network on EEG that it was trained on. Here the same network was also trained and "
    "tested in that way, to see what this adds to the scores."
)


def performance(facts):
    """Return the parts of the section on the model's performance."""
    values = facts["values"]
    parts = [
        fixed(TRIPTYCH.format(frame=literal(values["frame_s"]["printed"]))),
        worded(
            "[On the held-out recordings, the model [achieved|reached]|The model [achieved|reached], on the held-out "
            "recordings,] the following [performance metrics|results|values]:",
            "\n\n",
        ),
    ]
    for key, gloss in GLOSSES.items():
        value = values[key]["printed"] or f"undefined ({literal(facts['undefined'].get(key, 'no fold has one'))})"
        text = f"**{NAMES[key]}:** {value} (This [is|indicates] {gloss}{interval(values[key], '; ')}.)"
        parts.append(worded(text, "\n*   " if key != "accuracy" else "\n\n*   "))
    samples = [*_confusion(values), *_plainly(values), *_rates(values), *_baseline(facts), _grade(facts)]
    others = [_alarm(values), _events(values), *_event_scores(values), *_latency(values)]
    rest = [*_ranking(values), *_against(facts), *_reference(values), *_thresholds(values)]
    for paragraph in (samples, others, rest):
        parts += [worded(text, " " if at else "\n\n") for at, text in enumerate(paragraph)]
    return parts


def interval(measure, before=""):
    """Return ``95 % interval 0.63 to 0.87`` of a number, with what stands before it; nothing if it has none."""
    ends = measure["interval"]
    return f"{before}95 % interval {ends['low']} to {ends['high']}" if ends else ""


def within(measure):
    """Return a number with its interval in round brackets, if it has one."""
    return f"{measure['printed']}{interval(measure, ' (')}{')' if measure['interval'] else ''}"


def _confusion(values):
    """Yield what became of the seizure samples, and of the others."""
    seizure, other, tp, fn, fp, tn = (values[key]["value"] for key in ("seizure", "other", "tp", "fn", "fp", "tn"))
    found, judged = "[found|recognised|detected]", "[labelled|classified|judged]"
    if seizure > 1:
        right, wrong = share(tp, seizure), share(fn, seizure)
        yield (
            f"[Of the {seizure} seizure samples, the model {found} {right} and missed {wrong}|The model {found} "
            f"{right} "
            f"of the {seizure} seizure samples and missed {wrong}]."
        )
    elif seizure == 1:
        yield f"The only seizure sample was {found if tp else 'missed'}."
    else:
        yield "[The held-out recordings hold|There is] no seizure sample."
    if other > 1:
        right, wrong = share(tn, other), share(fp, other)
        yield f"Of the {other} non-seizure samples, it {judged} {right} correctly and {wrong} as seizure."
    elif other == 1:
        yield f"The only non-seizure sample was {judged} {'correctly' if tn else 'as seizure'}."
    else:
        yield "[The held-out recordings hold|There is] no non-seizure sample."


def _plainly(values):
    """Yield both rates as so many of a hundred, each with its interval."""
    found, mistaken = values["per_100.found"], values["per_100.mistaken"]
    said = []
    if found["printed"]:
        said.append(f"of 100 seizure samples it [finds|detects|recognises] about {within(found)}")
    if mistaken["printed"]:
        said.append(f"of 100 non-seizure samples it [takes|mistakes] about {within(mistaken)} for seizure")
    if said:
        yield f"[In plain words|Put plainly|In other words], {', and '.join(said)}."


def _rates(values):
    """Yield which of sensitivity and specificity is the higher; what is printed is what a reader compares."""
    sensitivity, specificity = (values[name]["printed"] for name in ("sensitivity", "specificity"))
    if sensitivity and specificity and float(sensitivity) == float(specificity):
        yield "Sensitivity and specificity are equal, to four decimals."
    elif sensitivity and specificity:
        ordered = [("Sensitivity", "non-seizure samples"), ("Specificity", "seizure samples")]
        (higher, often), (lower, rare) = ordered if float(sensitivity) > float(specificity) else ordered[::-1]
        yield (
            f"{higher} is [higher|greater] than {lower.lower()}: in proportion, {often} were [mistaken|misjudged] more "
            f"often than {rare}."
        )


def _baseline(facts):
    """Yield what always giving the answer of the more frequent class would score, against the model's accuracy."""
    accuracy, baseline = (facts["values"][name]["printed"] for name in ("accuracy", "baseline"))
    if accuracy:
        than = "the same as this model's to four decimals"
        if float(accuracy) != float(baseline):
            than = f"[{'lower|less' if float(baseline) < float(accuracy) else 'higher|more'}] than this model's"
        rule = "[Always giving the same answer|A rule that always gives the same answer]"
        if answer := facts["more_frequent"]:
            rule = f"[Always answering|A rule that always answers] {answer}, the more frequent class here,"
        yield f"{rule} would [give|reach] an accuracy of {baseline}, {than}."


def _grade(facts):
    grade = facts["grade"]
    said = f"[is|is graded] {grade['word']}" if grade["word"] else "cannot be graded, as one of them is undefined"
    return f"By [this report's rule|the rule of this report] ({literal(grade['rule'])}), the result {said}."


def detected(values):
    """Return what the model did with the seizures, as a verb and its object."""
    number, found = values["events.seizures"]["value"], values["events.detected"]["value"]
    if number == 1:
        return f"{'detected' if found else 'missed'} the only seizure"
    said = share(found, number)
    return f"detected {said}{' of the' if said != 'all' else ''} {number} seizures"


def alarms(values):
    """Return how many false alarms there were, in words where there was none."""
    number = values["events.false_alarms"]["value"]
    return counted(number, "false alarm") if number else "no false alarm"


def span(values, name):
    """Return a number that the folds share, or "3 to 5" where they differ."""
    fewest, most = (values[f"{name}.{key}"]["printed"] for key in ("fewest", "most"))
    return fewest if fewest == most else f"{fewest} to {most}"


def _alarm(values):
    """Say what an alarm is, as it is no sample's own decision."""
    frames = span(values, "frames")
    over = "those of single frames" if frames == "1" else f"averaged over {frames} frames"
    return f"Alarms [rest on|come from] log-odds that are {over}, and have thresholds of their own."


def _events(values):
    rate, duration = values["events.fp_per_24h"]["printed"], values["duration"]
    tail = ""
    if rate and values["events.false_alarms"]["value"]:
        length = counted(duration["printed"], duration["unit"].removesuffix("s"))
        tail = f", [a rate of|which makes] {rate} per 24 h, [extrapolated|reckoned] from {length} of EEG"
    said = "there was nothing to detect, and the model raised"
    if values["events.seizures"]["value"]:
        said = f"the model {detected(values)}, with"
    return (
        "Counted as [events|whole seizures] by the rules of SzCORE, which join alarms less than 90 s apart, "
        f"{said} {alarms(values)}{tail}."
    )


def _event_scores(values):
    precision, f1 = (values[f"events.{key}"] for key in ("precision", "f1"))
    if precision["printed"] and f1["printed"]:
        first, second = f"vent precision is {within(precision)}", f"vent F1 is {within(f1)}"
        yield f"[E{first} and e{second}|E{second} and e{first}]."


def _latency(values):
    latency = values["events.latency"]
    if latency["printed"]:
        said = f"{latency['printed']} s{interval(latency, ' (')}{')' if latency['interval'] else ''}"
        yield f"The median [delay|time] from [a seizure's onset|the onset of a seizure] to its alarm is {said}."


def _reference(values):
    accuracy, f1 = (values[f"reference.{key}"]["printed"] for key in ("accuracy", "f1"))
    if accuracy and f1:
        yield (
            "At the reference study's [prevalence|mix], one seizure sample to two others, "
            f"[accuracy is {accuracy} and F1 is {f1}|F1 is {f1} and accuracy is {accuracy}]."
        )


def _ranking(values):
    """Yield the areas under the two curves, with their intervals where there are any."""
    areas = {key: values[f"ranking.{key}"] for key in ("auroc", "auprc")}
    said = [f"{key.upper()} is {within(area)}" for key, area in areas.items() if area["printed"]]
    if len(said) == 2:
        yield f"[Over all thresholds|Whatever the threshold], [{said[0]} and {said[1]}|{said[1]} and {said[0]}]."


STANDS = {
    "above": "the model is ahead of {names}, and the whole 95 % interval of {each} lies above zero",
    "below": "the model is behind {names}, and the whole 95 % interval of {each} lies below zero",
    "around": "the model cannot be told apart from {names}: the 95 % interval of {each} includes zero",
    "higher": "the model is higher than {names}, without an interval",
    "lower": "the model is lower than {names}, without an interval",
    "equal": "the model equals {names}, without an interval",
}


def standing(own, other, difference):
    """Return how two scores stand, one of `STANDS`: by the interval of their difference, or without one by their print.

    None where there is no difference.
    """
    if not difference["printed"]:
        return None
    if difference["interval"]:
        return sides(difference["interval"])
    found = number(own["printed"]) - number(other["printed"])
    return "higher" if found > 0 else "lower" if found < 0 else "equal"


def _against(facts):
    """Yield how the model stands against each baseline, in the words of `STANDS`."""
    values = facts["values"]
    for score, own in AHEAD.items():
        groups = {}
        for method, name in facts["baselines"].items():
            other = values[f"baselines.{method}.{score}"]
            if stands := standing(values[own], other, values[f"baselines.{method}.ahead_{score}"]):
                groups.setdefault(stands, []).append(
                    f"{'the ' if method == 'forest' else ''}{name} ({other['printed']})"
                )
        for stands, names in groups.items():
            each = "the difference" if len(names) == 1 else "each difference"
            said = STANDS[stands].format(names=listed(names), each=each)
            yield f"[In|By] {SCORES[score]}, {said}."


def _thresholds(values):
    lowest, highest = values["folds.lowest"]["printed"], values["folds.highest"]["printed"]
    if lowest and values["folds.number"]["value"] > 1:
        said = f"all come to {lowest}" if lowest == highest else f"[range|run] from {lowest} to {highest}"
        yield (
            "Every threshold was [chosen|set] on recordings that were neither held out in its fold nor trained on by "
            f"the networks that scored them there; those for samples {said}."
        )


def splits(facts):
    """Return the parts of the section on what a random split would have shown."""
    values = facts["values"]
    shared, tested = values["audit.shared"]["value"], values["audit.tested"]["value"]
    runs = counted(values["audit.splits"]["printed"], "random split")
    said = {"all": f"all {tested}", "none": f"none of the {tested}"}.get(share(shared, tested), f"{shared} of {tested}")
    parts = [fixed(SPLITS), worded(f"[In|Over] {runs}, {said} test samples share EEG with training.", "\n\n")]
    known = [name for name in GAPS if values[f"audit.gap.{name}"]["printed"]]
    if not known:
        return parts
    lists = {
        key: [values[f"audit.{key}.{name}"]["printed"] for name in known] for key in ("random", "weighted")
    }  # no gap is known without both
    first, *others = (f"{SCORES[name]} {value}" for name, value in zip(known, lists["random"], strict=True))
    scores = listed([first.replace(" ", " is ", 1), *others])
    they, are = ("it", "is") if len(known) == 1 else ("they", "are")
    parts.append(
        worded(
            f"[With a random split|Under the random split], {scores}; on "
            f"held-out recordings with the same share of seizure samples, {they} {are} {listed(lists['weighted'])}."
        )
    )
    gaps = [f"{within(values[f'audit.gap.{name}'])} in {SCORES[name]}" for name in known]
    parts.append(worded(f"[That is a difference of|The difference is] {listed(gaps)}."))
    return [*parts, *(worded(text) for text in _sure(values, known))]


def _sure(values, known):
    """Yield on which side of zero the intervals of the gaps lie."""
    groups = {}
    for name in known:
        if ends := values[f"audit.gap.{name}"]["interval"]:
            groups.setdefault(sides(ends), []).append(SCORES[name])
    verbs = {"above": "lies above zero", "below": "lies below zero", "around": "includes zero"}
    if said := [f"{verbs[side]} for {listed(names)}" for side, names in groups.items()]:
        yield f"Its [interval|95 % interval] {listed(said)}."
