"""What a narrative may say of the explained samples: each method's own findings, never one's for another's."""

from helpers.narrate.measures import METHODS
from helpers.narrate.wording import capital, counted, fixed, listed, literal, share, worded

EXPLAINED = (
    "Grad-CAM and Grad-CAM++ map what counted towards the class that the model predicted, be it seizure or "
    "non-seizure. Integrated Gradients (IG) maps how much each point of the spectrogram raised or lowered the log-odds "
    "of seizure; of that, what spoke for the predicted class is used here. They are three methods, and what one finds "
    "is no finding of another. For each frame, the band is named where a map is strongest on average. The bands are "
    "{bands}."
)
OVERALL = {"found": "Seizure Samples Found", "left": "Non-Seizure Samples Left Alone"}
CAVEAT = (
    "_Fixed text:_ A strongest band says where a method finds what this model used in these samples. It says nothing "
    "about how seizures arise, and no physiological meaning is read into it here; the few samples shown "
    "cannot stand for all."
)
NAMED = 5  # seizures missed that are listed one by one
SAW = "this [sample|spectrogram]"
VERDICTS = {
    "true 1, predicted 1": f"[correctly identified|rightly recognised] {SAW} as containing seizure activity",
    "true 0, predicted 0": f"[correctly identified|rightly recognised] {SAW} as not containing seizure activity",
    "true 1, predicted 0": f"[missed the seizure activity in {SAW}|wrongly labelled {SAW} as not containing "
    "seizure activity]",
    "true 0, predicted 1": f"[wrongly saw seizure activity in {SAW}|wrongly labelled {SAW} as containing seizure "
    "activity]",
}
SIDES = {"above": "[lies|is] above", "below": "[lies|is] below", "at": "equals"}


def observed(facts):
    """Return the parts of the section on the observed samples: which, how explained, and a bullet each."""
    bands = listed([f"{band['printed'][:-1]}, {band['range']})" for band in facts["bands"].values()])
    examined = _examined(facts["samples"])
    return [
        worded(f"To [see|understand] how the model [decides|reaches its decisions], {examined}.", "\n\n"),
        fixed(f"_Fixed text:_ How they were chosen: {literal(facts['rule'].rstrip('.'))}."),
        fixed(EXPLAINED.format(bands=literal(bands)), before=" "),
        *_bullets(facts["samples"], facts),
    ]


def _bullets(samples, facts):
    parts = []
    for at, sample in enumerate(samples):
        head, *rest = _bullet(sample, facts)
        parts.append(worded(head, "\n*   " if at else "\n\n*   ", sample["sample"]))
        parts += [worded(text, about=sample["sample"]) for text in rest]
    return parts


def errors(facts):
    """Return the parts of the section on errors: where they lie, and the clearest of each kind, explained."""
    values = facts["values"]
    missed, early = values["fn"]["value"], values["errors.early"]["value"]
    if not missed + values["fp"]["value"]:
        text = "[The model judged every held-out sample correctly|No held-out sample was judged wrongly], so there is"
        return [worded(f"{text} no error to explain.", "\n\n"), *_lost(facts)]
    parts = [worded(_early(missed, early), "\n\n")] if missed else []
    parts += _lost(facts)
    if not (number := len(facts["errors"])):
        return parts
    what = "error of its kind is" if number == 1 else "errors, one of each kind, are"
    lead = f"[The clearest {what} examined in the same way|In the same way, the clearest {what} examined]:"
    return [*parts, worded(lead, " " if parts else "\n\n"), *_bullets(facts["errors"], facts)]


def _early(missed, early):
    """Say how many of the missed seizure samples come before the first one found in their seizure."""
    found = "before the first one found in"
    if missed == 1:
        return f"The only missed seizure sample {'comes' if early else 'does not come'} {found} its seizure."
    if early == missed:
        return f"All {missed} missed seizure samples come {found} their seizure."
    if not early:
        return f"None of the {missed} missed seizure samples comes {found} its seizure."
    come = f"comes {found} its" if early == 1 else f"come {found} their"
    return f"Of the {missed} missed seizure samples, {early} {come} seizure."


def _lost(facts):
    """Return a sentence that names the seizures that were missed as a whole, unless there are many."""
    missed = facts["missed_seizures"]
    if not 0 < len(missed) <= NAMED:
        return []
    spans = listed([f"{row['start_s']} to {row['end_s']} s of {literal(row['recording'])}" for row in missed])
    many, were = ("s", "were") if len(missed) > 1 else ("", "was")
    return [worded(f"[The model missed|Missed as a whole {were}] the seizure{many} at {spans}.")]


def _examined(samples):
    seizure, right = sum(sample["true"] for sample in samples), sum(sample["correct"] for sample in samples)
    if len(samples) == 1:
        label, how = "seizure" if seizure else "non-seizure", "correctly" if right else "wrongly"
        return f"1 sample was examined: it is labelled {label}, and the model [classified|judged] it {how}"
    counts = f"{seizure or 'none'} labelled seizure and {len(samples) - seizure or 'none'} labelled non-seizure"
    said = {"all": "all of them", "none": "none of them"}.get(share(right, len(samples)), f"{right} of them")
    return f"{len(samples)} samples were examined: {counts}; the model [classified|judged] {said} correctly"


def _bullet(sample, facts):
    """Yield the sentences of one sample: its verdict, where it lies, and each method's own bands."""
    true, pred = (facts["labels"][str(sample[key])] for key in ("true", "pred"))
    verdict = VERDICTS[f"true {sample['true']}, predicted {sample['pred']}"]
    head = f"**Sample {sample['sample']} (True: {true}, Predicted: {pred}, p_seizure={sample['p_seizure']}):**"
    yield f"{head} The model {verdict}."
    yield (
        f"It [covers|spans] {sample['start_s']} to {sample['end_s']} s of [recording |]{literal(sample['recording'])}, "
        f"and its probability {SIDES[sample['side']]} its fold's threshold of {sample['threshold']}."
    )
    for at, (methods, bands) in enumerate(grouped(sample["bands"])):
        lead = "" if at else f"[For|In] this {pred.lower()} prediction, "
        yield _attribution(methods, bands, facts, lead)
    if any(sample["channels"]["ig"]):
        yield _channel(sample["channels"]["ig"], facts)


def grouped(by_method):
    """Return ``[(methods, what)]``: the methods that say the same together, in order."""
    groups = {}
    for method, what in by_method.items():
        groups.setdefault(repr(what), ([], what))[0].append(method)
    return list(groups.values())


def _subject(methods):
    """Return a group of methods as a sentence's subject, and whether it is one method."""
    together = len(methods) == len(METHODS)
    return "all three methods" if together else listed([METHODS[method] for method in methods]), len(methods) == 1


def _attribution(methods, bands, facts, lead):
    """Say where `methods`, which agree, are strongest at t0, t1 and t2; None among `bands` is a map of zeros."""
    subject, one = _subject(methods)
    when = _when(bands, facts)
    zero = when.pop(None, None)
    opened = (lambda text: lead + text) if lead else capital
    if not when:
        return opened(f"the map{'' if one else 's'} of {subject} {'is' if one else 'are'} zero at {zero}.")
    tail = f"; at {zero}, {'its map is' if one else 'their maps are'} zero" if zero else ""
    places = [f"{literal(facts['bands'][band]['printed'])} at {at}" for band, at in when.items()]
    inside = listed([places[0], *(f"in {place}" for place in places[1:])])
    wordings = (
        f"{subject} {'is' if one else 'are'} strongest in {inside}",
        f"the strongest band of {subject} is {listed(places)}",
    )
    said = "|".join(wordings) if lead else "|".join(map(capital, wordings))
    return f"{lead}[{said}]{tail}."


def _when(names, facts):
    """Return ``{name: "t0 and t2"}`` of what is named at t0, t1 and t2."""
    steps = {}
    for step, name in zip(facts["steps"], names, strict=True):
        steps.setdefault(name, []).append(step)
    return {name: "all three steps" if len(at) == 3 else listed(at) for name, at in steps.items()}


def _channel(channels, facts):
    when = _when(channels, facts)
    zero = when.pop(None, None)
    said = listed([f"{literal(channel)} at {at}" for channel, at in when.items()])
    tail = f"; at {zero}, no channel speaks for the decision" if zero else ""
    return f"[By IG, the strongest channel is|IG's strongest channel is] {said}{tail}."


def analysis(facts):
    """Return the parts of the section on bands: tallies, agreement, changes and completeness, all computed."""
    bullets = []  # (head, what it is about, sentences)
    for label, group in facts["groups"].items():
        if group["samples"]:
            head = f"{facts['labels'][label]} Predictions ({_named(group['samples'])})"
            tops = {method: _top(counts) for method, counts in group["counts"].items()}
            texts = [_most(methods, top, group["frames"], facts) for methods, top in grouped(tops)]
            bullets.append((head, label, texts))
    if pairs := [row for row in facts["agreement"] if row["of"]]:
        frames = sum(group["frames"] for group in facts["groups"].values())
        bullets.append(("Agreement Between Methods", None, [_agreement(pairs, frames)]))
    texts = [_change(methods, what) for methods, what in grouped(facts["changes"])]
    bullets.append(("Change Over Time", None, texts))
    for key, name in OVERALL.items():
        number, whole = (
            facts["values"][at]["value"] for at in (f"overall.{key}.n", {"found": "tp", "left": "tn"}[key])
        )
        if texts := _overall(facts["overall"][key], facts) if number else None:
            said = f"All {name} ({number})" if number == whole else f"{name} ({number} of {whole})"
            bullets.append((said, key, texts))
    parts = [worded("[Taken together|Side by side], the maps show the following:", "\n\n")]
    for number, (head, about, (first, *rest)) in enumerate(bullets):
        parts.append(worded(f"**{head}:** {first}", "\n*   " if number else "\n\n*   ", about))
        parts += [worded(text, about=about) for text in rest]
    return [*parts, fixed(CAVEAT)]


def _named(ids):
    return f"Sample{'s' if len(ids) > 1 else ''} {listed([str(number) for number in ids])}"


def _top(counts):
    """Return the bands that are strongest most often, and how often each is; no band and 0 if none ever is."""
    most = max(counts.values(), default=0)
    return [band for band, number in counts.items() if number == most], most


def _most(methods, top, frames, facts):
    """Say in which band `methods`, which agree, are strongest most often, over `frames` frames."""
    subject, one = _subject(methods)
    verb = "is" if one else "are"
    named, most = top
    if not named:
        return capital(f"the map{'' if one else 's'} of {subject} {verb} zero in all {frames} frames.")
    bands = [literal(facts["bands"][band]["printed"]) for band in named]
    if most == frames:
        said = f"strongest in {bands[0]} in [all {frames}|every one of the {frames}] frames"
    elif len(bands) == 1:
        said = f"[strongest most often|most often strongest] in {bands[0]}, in {most} of {frames} frames"
    else:
        said = f"strongest equally often in {listed(bands)}, in {most} of {frames} frames each"
    return f"{capital(subject)} {verb} {said}."


def _overall(overall, facts):
    """Return where each method's mean relevance is highest over all samples of a decision, and what IG's signs say."""
    texts = []
    for methods, band in grouped(overall["highest"]):
        if band:
            subject, _ = _subject(methods)
            texts.append(f"The mean relevance of {subject} is highest in {literal(facts['bands'][band]['printed'])}.")
    signs = {
        side: [literal(facts["bands"][band]["printed"]) for band in overall["ig"][side]] for side in ("for", "against")
    }
    said = [
        f"{listed(bands)} {'speak' if len(bands) > 1 else 'speaks'} {side} seizure"
        for side, bands in signs.items()
        if bands
    ]
    if said:
        texts.append(f"[By IG, on average|On average, by IG], {', and '.join(said)}.")
    return texts


def _agreement(pairs, frames):
    lead = "[The same band is strongest|The strongest band is the same] for"
    if {n for row in pairs for n in (row["same"], row["of"])} == {frames}:  # no map of zeros leaves a frame out
        return f"{lead} all three methods in all {frames} frames."
    said = [
        f"{listed([METHODS[method] for method in row['methods']])} in {row['same']} of {counted(row['of'], 'frame')}"
        for row in pairs
    ]
    return f"{lead} {listed([said[0], *('for ' + text for text in said[1:])])}."


def _change(methods, parts):
    """Say in which samples the strongest band of `methods` changes over t0, t1 and t2, and in which it stays."""
    subject, one = _subject(methods)
    said = []
    for kind, verb in (("changes", "change"), ("stays", "keep")):
        if parts[kind]:
            what = "it" if said else f"{'its' if one else 'their'} strongest band"
            said.append(f"{verb}{'s' if one else ''} {what} within {_named(parts[kind])}")
    unknown = f"a map of zeros leaves this open in {_named(parts['unknown'])}" if parts["unknown"] else ""
    if not said:
        return f"For {subject}, {unknown}."
    return f"{capital(subject)} {' and '.join(said)}{'; ' + unknown if unknown else ''}."
