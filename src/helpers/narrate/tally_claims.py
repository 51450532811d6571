"""What a sentence claims of how often a band is the strongest, over the frames of the samples predicted alike."""

import re

from helpers.narrate.subjects import IDS, WHO, methods, numbers

_LABEL = (
    r"(?:(?:ALL )?(?P<number>\d+) )?(?:SAMPLES )?(?:ALL )?"
    r"(?:(?P<one>NONSEIZURE|SEIZURE) PREDICT|PREDICT (?P<two>NONSEIZURE|SEIZURE))"
)
_OFTEN = r"FRAMES|TIMES|TWICE|ONCE"
_IN = r"(?: ,)? (?P<k>\d+) OF (?P<of>\d+) FRAMES(?: ALL)?"
# Forms that say which band is first; what they do not take up, nor `_PAIR` does, is left and refuses the sentence.
FORMS = {
    "zero": r"(?:MAPS )?WHO ZERO ALL (?:OF )?(?P<of>\d+) FRAMES",
    "every": r"WHO STRONGEST (?P<bands>B\d) ALL (?:OF )?(?P<of>\d+) FRAMES",
    "equally": rf"WHO STRONGEST EQUALLY_OFTEN (?P<bands>B\d(?: , B\d)*){_IN}",
    "most": rf"WHO (?:STRONGEST_OFTEN STRONGEST|STRONGEST STRONGEST_OFTEN) (?P<bands>B\d){_IN}",
}
_PAIR = r"(B\d)(?: STRONGEST)?(?: ,)? (?:(\d+) OF (\d+)|(\d+)|(TWICE|ONCE))(?: FRAMES| TIMES)?"


def read_tally(text, facts, about):
    """Read which samples are meant, and how often a band is the strongest in their frames.

    Returns
    -------
    found : list of (str, object, object)
        Fact, what is said of it and what is so.
    rest : str
        What was not read.
    """
    group, found = str(about) if about in ("0", "1") else None, []
    label, often = re.search(_LABEL, text), re.search(_OFTEN, text)
    if not often and not (label and group):
        return [], text
    ids = re.search(rf"SAMPLES ({IDS})(?! OF)", text)
    if label:
        ids = ids or re.search(rf"(?<={label[0]}) (?:\(|,) ({IDS})(?: \)| ,)", text)
        said = "1" if (label["one"] or label["two"]) == "SEIZURE" else "0"
        group = group or said
        found.append((f"groups.{group}.samples", said, group))
    elif ids and group is None:
        known = (label for label, part in facts["groups"].items() if sorted(part["samples"]) == sorted(numbers(ids[1])))
        group = next(known, None)
    if group is None:
        return [], text
    known = facts["groups"][group]
    if label and label["number"]:
        found.append((f"groups.{group}.samples", int(label["number"]), len(known["samples"])))
    if ids:
        found.append((f"groups.{group}.samples", sorted(numbers(ids[1])), sorted(known["samples"])))
        text = text.replace(ids[0], " ", 1)
    text = " ".join(re.sub(_LABEL, " ", text, count=1).split()) if label else text
    if not often:
        return found, text
    text = text.replace("T012", f"ALL {known['frames']} FRAMES")
    rest = [_tallied(" ".join(clause.split()), known, group, found) for clause in re.split(r" ?; ?", text)]
    return found, " ; ".join(rest)


def _tallied(clause, known, group, found):
    """Hold one clause, about one group of methods; return what it does not take up."""
    who = re.findall(rf"(?<!\w){WHO}\b", clause)
    if len(who) != 1:
        return clause
    clause = clause.replace(who[0], "WHO", 1)
    form, match = next(((name, m) for name, form in FORMS.items() if (m := re.search(form, clause))), ("pairs", None))
    pairs = re.findall(_PAIR, clause)
    if form == "pairs" and not pairs:
        return clause.replace("WHO", who[0])
    for method in methods(who[0]):
        counts = known["counts"][method]
        said, so = _first(form, match, counts, known["frames"]) if match else _each(pairs, counts)
        found.append((f"groups.{group}.counts.{method}", said, so))
    frames = [match["of"]] if match else [of for _, _, of, _, _ in pairs if of]
    clause = clause.replace(match[0], " ") if match else re.sub(_PAIR, " ", clause)
    if whole := re.search(r"(?:ABOVE )?(?:ALL )?(?:OF )?(\d+) FRAMES", clause):
        frames.append(whole[1])
        clause = clause.replace(whole[0], " ")
    found += [(f"groups.{group}.frames", int(of), known["frames"]) for of in frames]
    return re.sub(r"\b(?:WHO|STRONGEST|NAME|MAPS|DECIDE_TOGETHER)\b", " ", clause)


def _first(form, match, counts, frames):
    """Return what a form of `FORMS` says, and what is so."""
    most = max(counts.values(), default=0)
    top = sorted(band for band, number in counts.items() if number == most)
    if form == "zero":
        return {}, counts
    bands = sorted(re.findall(r"B\d", match["bands"]))
    if form == "every":
        return {bands[0]: frames}, counts
    return (bands, int(match["k"])), (top, most)


def _each(pairs, counts):
    """Return the counts that are said of single bands, and those of these bands."""
    said = {band: int(k or many or {"TWICE": 2, "ONCE": 1}[times]) for band, k, _, many, times in pairs}
    return (len(pairs), said), (len(said), {band: counts.get(band, 0) for band in said})
