"""What a narrative may say: the sentences that facts allow, each with the wordings that a model may choose from."""

from helpers import wording
from helpers.facts import METRICS
from helpers.findings import analysis, observed
from helpers.wording import counted, fixed, listed, literal, share, worded

NAMES = dict(zip(METRICS, ("Accuracy", "Sensitivity", "Specificity", "F1", "Weighted F1"), strict=True))
NAMES["threshold"] = "Best threshold"
GLOSSES = {
    "accuracy": "the [share|proportion] of all samples that the model [classified|labelled] correctly",
    "sensitivity": "the [share|proportion] of seizure samples that the model [recognised|detected|found]",
    "specificity": "the [share|proportion] of non-seizure samples that the model [called|labelled] non-seizure",
    "f1": "the harmonic mean of precision and sensitivity[, for seizure samples|, taken for the seizure class]",
    "weighted_f1": "the mean of [both classes' F1|the F1 of both classes], weighted by their numbers of samples",
    "threshold": "the median over folds of the probability from which a sample [is called|counts as] seizure",
}
SEIZURE = (
    "_Fixed text:_ An epileptic seizure is a passing episode of signs or symptoms caused by abnormal excessive or "
    "synchronous activity of nerve cells in the brain (Fisher et al., Epilepsia 46:470, 2005). It can show as anything "
    "from a brief stare to convulsions with loss of consciousness. The EEG records the brain's electrical activity at "
    "the scalp, where many seizures appear as a rhythm that sets in, changes in frequency, spreads and ends."
)
TRIPTYCH = (
    "_Fixed text:_ A spectrogram is a picture of the EEG's power over time and frequency. The model sees three "
    "consecutive frames of {frame} s each, t0, t1 and t2; such a triptych is one sample and bears the label of its "
    "last frame."
)
LIMITS = (
    "The model was trained and tested on one patient, and nothing here shows that it would work for another. This text "
    "is not for diagnosis or treatment: only a clinician who knows the patient and reads the EEG can judge it."
)
SIGNED = (
    "_This summary was written by {author}, run locally and decoded under a grammar: code fixed every number, label, "
    "band, method and comparison from `facts.json`, and the model chose the wording, one of {texts} possible texts. "
    "Paragraphs that begin with “Fixed text” are not the model's; code wrote them._"
)


def sections(facts, author="a language model"):
    """Return the narrative's sections, in order.

    Returns
    -------
    list of dict
        ``title``, and ``parts``: dicts of ``before`` (the white space and bullet that precede it), ``text`` (in the
        notation of `wording`), ``fixed`` (True if the model has no say) and ``about`` (as in `claims.check`).
    """
    parts = {
        "Opening": _opening(facts),
        "What is a Seizure?": [fixed(SEIZURE)],
        "Model Performance": _performance(facts),
        "Observed Samples and Explainability": observed(facts),
        "Analysis of Time-Frequency Regions": analysis(facts),
        "Conclusion": _conclusion(facts),
    }
    number = count(parts)
    texts = f"10^{len(str(number)) - 1}" if number > 10**6 else str(number)
    parts["Opening"].insert(0, fixed(literal(SIGNED.format(author=author, texts=f"about {texts}"))))
    return [{"title": title, "parts": group} for title, group in parts.items()]


def count(parts):
    """Return how many narratives the sections' `parts` (by title) stand for."""
    number = 1
    for part in (part for group in parts.values() for part in group):
        number *= wording.count(wording.parse(part["text"]))
    return number


def _opening(facts):
    v = {key: fact["printed"] for key, fact in facts["values"].items()}
    patient = literal(facts["patient"])
    single = v["folds.number"] == "1"
    parts = [
        worded(
            "This report [summarises|describes|presents] [the performance|the results] of a model that [classifies|"
            f"labels] EEG spectrograms of patient {patient} as [either |]containing seizure activity or not.",
            "\n\n",
        )
    ]
    if facts["simulated"]:
        who = f"[The recordings are simulated: a program made them|Patient {patient} is simulated: a program made the "
        parts.append(worded(who + "recordings][, and no person's EEG is in them|, and they hold no person's EEG|]."))
    fold = "the only fold" if single else f"each of {v['folds.number']} folds"
    parts.append(
        worded(
            f"The model was tested [by leaving recordings out|on recordings left out of its training]: in {fold}, the "
            "held-out recordings [took no part in training or in the choice of threshold|served neither for training "
            "nor for choosing the threshold]."
        )
    )
    if (networks := _span(facts["values"], "networks")) != "1":
        parts.append(
            worded(f"Within a fold, {networks} networks decide together, by the [mean|average] of their log-odds.")
        )
    pool = "[come from|rest on]" if single else "[pool|put together] all folds:"
    samples, recordings = counted(v["n"], "sample"), counted(v["folds.recordings"], "held-out recording")
    parts.append(worded(f"The [figures|results] here {pool} {samples}, taken throughout {recordings}."))
    return parts


def _performance(facts):
    values = facts["values"]
    parts = [
        fixed(TRIPTYCH.format(frame=literal(values["frame_s"]["printed"]))),
        worded(
            "The model [achieved|reached] the following [performance metrics|results|values] on the held-out "
            "recordings:",
            "\n\n",
        ),
    ]
    for key, gloss in GLOSSES.items():
        value = values[key]["printed"] or f"undefined ({literal(facts['undefined'].get(key, 'no fold has one'))})"
        text = f"**{NAMES[key]}:** {value} (This [is|indicates] {gloss}.)"
        parts.append(worded(text, "\n*   " if key != "accuracy" else "\n\n*   "))
    samples = [*_confusion(values), *_rates(values), *_baseline(facts), _grade(facts)]
    others = [_alarm(values), _events(values), *_event_scores(values)]
    rest = [*_ranking(values), *_reference(values), *_thresholds(values)]
    for paragraph in (samples, others, rest):
        parts += [worded(text, " " if at else "\n\n") for at, text in enumerate(paragraph)]
    return parts


def _confusion(values):
    """Yield what became of the seizure samples, and of the others."""
    seizure, other, tp, fn, fp, tn = (values[key]["value"] for key in ("seizure", "other", "tp", "fn", "fp", "tn"))
    found, judged = "[found|recognised|detected]", "[labelled|classified]"
    if seizure > 1:
        right, wrong = share(tp, seizure), share(fn, seizure)
        yield f"Of the {seizure} seizure samples, the model {found} {right} and missed {wrong}."
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


def _detected(values):
    """Return what the model did with the seizures, as a verb and its object."""
    number, detected = values["events.seizures"]["value"], values["events.detected"]["value"]
    if number == 1:
        return f"{'detected' if detected else 'missed'} the only seizure"
    said = share(detected, number)
    return f"detected {said}{' of the' if said != 'all' else ''} {number} seizures"


def _alarms(values):
    number = values["events.false_alarms"]["value"]
    return counted(number, "false alarm") if number else "no false alarm"


def _span(values, name):
    """Return a number that the folds share, or "3 to 5" where they differ."""
    fewest, most = (values[f"{name}.{key}"]["printed"] for key in ("fewest", "most"))
    return fewest if fewest == most else f"{fewest} to {most}"


def _alarm(values):
    """Say what an alarm is, as it is no sample's own decision."""
    span = _span(values, "frames")
    over = "those of single frames" if span == "1" else f"averaged over {span} frames"
    return f"Alarms [rest on|come from] log-odds that are {over}, and have thresholds of their own."


def _events(values):
    rate = values["events.fp_per_24h"]["printed"]
    tail = f", [a rate of|which makes] {rate} per 24 h" if rate and values["events.false_alarms"]["value"] else ""
    said = "there was nothing to detect, and the model raised"
    if values["events.seizures"]["value"]:
        said = f"the model {_detected(values)}, with"
    return (
        "Counted as [events|whole seizures] by the rules of SzCORE, which join alarms less than 90 s apart, "
        f"{said} {_alarms(values)}{tail}."
    )


def _event_scores(values):
    precision, f1 = (values[f"events.{key}"]["printed"] for key in ("precision", "f1"))
    if precision and f1:
        first, second = f"vent precision is {precision}", f"vent F1 is {f1}"
        yield f"[E{first} and e{second}|E{second} and e{first}]."


def _reference(values):
    accuracy, f1 = (values[f"reference.{key}"]["printed"] for key in ("accuracy", "f1"))
    if accuracy and f1:
        yield (
            "At the reference study's [prevalence|mix], one seizure sample to two others, "
            f"[accuracy is {accuracy} and F1 is {f1}|F1 is {f1} and accuracy is {accuracy}]."
        )


def _ranking(values):
    """Yield the areas under the two curves, with their intervals where there are any."""
    said = []
    for key in ("auroc", "auprc"):
        area, low, high = (values[f"ranking.{key}{end}"]["printed"] for end in ("", ".low", ".high"))
        said.append(area and f"{key.upper()} is {area}{f' (95 % interval {low} to {high})' if low else ''}")
    if all(said):
        yield f"[Over all thresholds|Whatever the threshold], [{said[0]} and {said[1]}|{said[1]} and {said[0]}]."


def _thresholds(values):
    lowest, highest = values["folds.lowest"]["printed"], values["folds.highest"]["printed"]
    if lowest and values["folds.number"]["value"] > 1:
        said = f"all come to {lowest}" if lowest == highest else f"[range|run] from {lowest} to {highest}"
        yield (
            "Every threshold was [chosen|set] on recordings that were neither held out in its fold nor trained on by "
            f"the networks that scored them there; those for samples {said}."
        )


def _conclusion(facts):
    values = facts["values"]
    v = {key: values[key]["printed"] for key in ("sensitivity", "specificity")}
    patient = f"{'the simulated ' if facts['simulated'] else ''}patient {literal(facts['patient'])}"
    known = [f"a {key} of {value}" for key, value in v.items() if value]
    events = f", and {_detected(values)} with {_alarms(values)}" if values["events.seizures"]["value"] else ""
    if facts["grade"]["word"]:
        tail = f"; this report's rule [grades|rates] the result as {facts['grade']['word']}"
    else:
        tail = f"; {' and '.join(key for key, value in v.items() if not value)} [is|stays] undefined"
    parts = []
    if known:
        text = f"[In summary|In short|Overall], the model [reached|achieved] {listed(known)} on held-out recordings of "
        parts.append(worded(f"{text}{patient}{events}{tail}.", "\n\n"))
    simulated = "What holds for a simulated patient need not hold for a person. " if facts["simulated"] else ""
    return [*parts, fixed(f"_Fixed text:_ {simulated}{LIMITS}")]
