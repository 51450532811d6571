"""What a narrative may say: the sentences that facts allow, each with the wordings that a model may choose from."""

from helpers.narrate import wording
from helpers.narrate.findings import analysis, errors, observed
from helpers.narrate.performance import alarms, detected, performance, span, splits
from helpers.narrate.trials import trials
from helpers.narrate.wording import counted, fixed, listed, literal, worded

SEIZURE = (
    "_Fixed text:_ An epileptic seizure is a passing episode of signs or symptoms caused by abnormal excessive or "
    "synchronous activity of nerve cells in the brain (Fisher et al., Epilepsia 46:470, 2005). It can show as anything "
    "from a brief stare to convulsions with loss of consciousness. The EEG records the brain's electrical activity at "
    "the scalp, where many seizures appear as a rhythm that sets in, changes in frequency, spreads and ends (Hirsch et "
    "al., J Clin Neurophysiol 38:1, 2021)."
)
LIMITS = (
    "The model was trained and tested on one patient, and nothing here shows that it would work for another. This text "
    "is not for diagnosis or treatment: only a clinician who knows the patient and reads the EEG can judge it."
)


def sections(facts):
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
        "Model Performance": performance(facts),
        "Random Split and Held-Out Recordings": splits(facts),
        "Observed Samples and Explainability": observed(facts),
        "Errors": errors(facts),
        "Analysis of Time-Frequency Regions": analysis(facts),
        "Tests of the Explanations": trials(facts),
        "Limits": _limits(facts),
        "Conclusion": _conclusion(facts),
    }
    return [{"title": title, "parts": group} for title, group in parts.items()]


def count(parts):
    """Return how many texts some `parts` stand for."""
    number = 1
    for part in parts:
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
    if (networks := span(facts["values"], "networks")) != "1":
        parts.append(
            worded(f"Within a fold, {networks} networks decide together, by the [mean|average] of their log-odds.")
        )
    pool = "[come from|rest on]" if single else "[pool|combine] all folds:"
    samples, recordings = counted(v["n"], "sample"), counted(v["folds.recordings"], "held-out recording")
    parts.append(worded(f"The [figures|results] here {pool} {samples}, taken throughout {recordings}."))
    return parts


def _limits(facts):
    values = facts["values"]
    length = counted(values["duration"]["printed"], values["duration"]["unit"].removesuffix("s"))
    seizures = values["events.seizures"]["value"]
    what = f"{length} of EEG with {counted(seizures, 'seizure') if seizures else 'no seizure'}"
    simulated = "What holds for a simulated patient need not hold for a person. " if facts["simulated"] else ""
    return [
        worded(f"[The results|These results] rest on {what}, all [from|of] one patient.", "\n\n"),
        fixed(f"_Fixed text:_ {simulated}{LIMITS}"),
    ]


def _conclusion(facts):
    values = facts["values"]
    v = {key: values[key]["printed"] for key in ("sensitivity", "specificity")}
    patient = f"{'the simulated ' if facts['simulated'] else ''}patient {literal(facts['patient'])}"
    known = [f"a {key} of {value}" for key, value in v.items() if value]
    events = f", and {detected(values)} with {alarms(values)}" if values["events.seizures"]["value"] else ""
    if facts["grade"]["word"]:
        tail = f"; this report's rule [grades|rates] the result as {facts['grade']['word']}"
    else:
        tail = f"; {' and '.join(key for key, value in v.items() if not value)} [is|stays] undefined"
    text = f"[In summary|In short|Overall], the model [reached|achieved] {listed(known)} on held-out recordings of "
    parts = [worded(f"{text}{patient}{events}{tail}.", "\n\n")]
    if (random := values["audit.random.f1"]["printed"]) and (weighted := values["audit.weighted.f1"]["printed"]):
        parts.append(
            worded(
                f"A random split would have [shown|given] an F1 of {random}, where held-out recordings with the same "
                f"share of seizure samples give {weighted}."
            )
        )
    return parts
