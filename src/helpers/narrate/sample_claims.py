"""What a sentence claims of one explained sample: its labels, probability, place, bands and channels."""

import re

from helpers.narrate.lexicon import NUMBER, Unclear, recordings
from helpers.narrate.measures import METHODS
from helpers.narrate.subjects import BAND, CHANNEL, STEP, WHO, methods, sample, steps


def read_sample(text, facts, about):
    """Read what is said of one sample: labels, probability, threshold, place, bands and channels.

    Returns
    -------
    found : list of (str, object, object)
    rest : str
    """
    named = [int(number) for number in re.findall(r"\bSAMPLES (\d+)\b(?! , \d+\b(?! s| TO|\.)| FRAMES| \d+-s)", text)]
    if not named and not isinstance(about, int):
        return [], text
    if len(set(named)) > 1:
        return [], text
    number = named[0] if named else about
    known, key = sample(facts, number)
    found, rest = [], re.sub(rf"\bSAMPLES {number}\b", "", text).replace("ALL 3 FRAMES", "T012")
    for part in (_labels, _place, _probability, _maps):
        said, rest = part(" ".join(rest.split()), known, key, facts)
        found += said
    if not found:  # it is named, and nothing is said of it
        return [], text
    if named and isinstance(about, int):
        found.append((f"{key}.sample", number, about))
    return found, rest


_LABELS = [
    # what is said, true label, predicted label (None: nothing is said of it)
    (r"(?:ALL )?(?:CORRECTLY|FIND CORRECTLY) (?:FIND |JUDGE |PREDICT |TAKE )?(?:CALLED_SEIZURE|SEIZURE|SEIZ)", 1, 1),
    (r"(?:CORRECTLY|FIND CORRECTLY) (?:FIND |JUDGE |PREDICT |TAKE )?(?:CALLED_OTHER|NONSEIZURE|OTHER)", 0, 0),
    (r"WRONGLY (?:FIND |JUDGE |PREDICT |TAKE |MISTAKE )?(?:CALLED_SEIZURE|SEIZURE|SEIZ)", 0, 1),
    (r"WRONGLY (?:FIND |JUDGE |PREDICT |TAKE |MISTAKE )?(?:CALLED_OTHER|NONSEIZURE|OTHER)", 1, 0),
    (r"MISTAKE (?:SEIZURE|SEIZ)", 0, 1),
    (r"WRONGLY SAW ACTIVITY|WRONGLY SAW SEIZURE", 0, 1),
    (
        r"MISS ACTIVITY|SEIZ ,?(?: MODEL)? (?:MISS|NOT_FIND)|(?:MISS|NOT_FIND) SEIZ(?:URE)?|(?<!FIND )\bMISS\b"
        r"|\bNOT_FIND\b",
        1,
        0,
    ),
    (r"SEIZ ,?(?: MODEL)?(?: CORRECTLY)? FIND(?: CORRECTLY)?|CORRECTLY FIND SEIZ", 1, 1),
    (r"OTHER ,?(?: MODEL)?(?: CORRECTLY)? (?:LEFT|LEAVE ALONE|TAKE NONSEIZURE)", 0, 0),
    (r"OTHER ,?(?: MODEL)? (?:TAKE|JUDGE|PREDICT) SEIZURE|FALSE_POSITIVES", 0, 1),
    (r"TRUE_POSITIVES", 1, 1),
    (r"TRUE_NEGATIVES", 0, 0),
    (r"FALSE_NEGATIVES", 1, 0),
    (r"SEIZURE [,;] MODEL JUDGE NONSEIZURE", 1, 0),
    (r"NONSEIZURE [,;] MODEL JUDGE SEIZURE", 0, 1),
    (r"TRUE SEIZURE", 1, None),
    (r"TRUE NONSEIZURE", 0, None),
    (r"(?:PREDICT|JUDGE|TAKE) (?:SEIZURE|SEIZ|CALLED_SEIZURE)(?: PREDICT)?|SEIZURE PREDICT", None, 1),
    (r"(?:PREDICT|JUDGE|TAKE) (?:NONSEIZURE|OTHER|CALLED_OTHER)(?: PREDICT)?|NONSEIZURE PREDICT", None, 0),
    (r"\bSEIZ\b", 1, None),
    (r"\bOTHER\b", 0, None),
    (r"(?:JUDGE|PREDICT) CORRECTLY|CORRECTLY (?:JUDGE|PREDICT)", "right", None),
    (r"(?:JUDGE|PREDICT) WRONGLY|WRONGLY (?:JUDGE|PREDICT)", "wrong", None),
]


def _labels(text, known, key, facts):
    found = []
    for pattern, true, pred in _LABELS:
        text, hits = re.subn(rf"(?<!\w)(?:{pattern})(?!\w)", " ", text)
        text = " ".join(text.split())
        if hits and true in ("right", "wrong"):
            found.append((f"{key}.correct", true == "right", known["correct"]))
        elif hits:
            found += [(f"{key}.true", true, known["true"])] if true is not None else []
            found += [(f"{key}.pred", pred, known["pred"])] if pred is not None else []
    return found, text


def _probability(text, known, key, facts):
    found = []

    def number(name):
        def take(match):
            found.append((f"{key}.{name}", match["n"], known[name]))
            return f" {match['word']} "

        return take

    text = re.sub(rf"(?P<word>PROBABILITY)[ ,(]+(?P<n>{NUMBER})(?: [,)])?", number("p_seizure"), text)
    text = re.sub(rf"(?P<word>THRESHOLD)[ ,(]+(?P<n>{NUMBER})(?: \))?", number("threshold"), text)
    text = re.sub(rf"(?P<n>{NUMBER})[ ,]+(?P<word>PROBABILITY)", number("p_seizure"), text)
    text = " ".join(text.split())
    words = {"ABOVE": "above", "EXCEED": "above", "HIGHER THAN": "above", "BELOW": "below", "LOWER THAN": "below"}
    words |= {"EQUAL": "at"}
    for word, side in words.items():
        turned = {"above": "below", "below": "above", "at": "at"}[side]
        for pattern, said in (
            (rf"THRESHOLD[ ,]*{word}[ ,]*PROBABILITY", turned),
            (rf"(?:PROBABILITY[ ,;]*)?{word}[ ,]*THRESHOLD", side),
            (rf"PROBABILITY[ ,;]*{word}\b", side),
        ):
            text, hits = re.subn(pattern, " ", text)
            if hits:
                found.append((f"{key}.side", said, known["side"]))
    if found:
        text = re.sub(r"\b(?:PROBABILITY|THRESHOLD|JUDGE)\b", " ", text)
    return found, text


def _place(text, known, key, facts):
    found, names = [], recordings(facts)

    def take(match):
        found.append((f"{key}.start_s", match["start"], known["start_s"]))
        found.append((f"{key}.end_s", match["end"], known["end_s"]))
        if match["recording"]:
            found.append((f"{key}.recording", names[int(match["recording"])], known["recording"]))
        return " "

    text = re.sub(
        rf"(?P<start>{NUMBER})(?: s)? TO (?P<end>{NUMBER}) s(?: (?:recording )?RECORDING#(?P<recording>\d+))?",
        take,
        text,
    )

    def name(match):
        found.append((f"{key}.recording", names[int(match[1])], known["recording"]))
        return " "

    return found, re.sub(r"(?:recording )?RECORDING#(\d+)", name, text)


def _maps(text, known, key, facts):
    """Read strongest bands and channels: each clause has its methods, and bands or channels with their steps."""
    found, rest, last = [], [], {"who": "", "what": "", "at": ""}
    for clause in (part for whole in re.split(r" ?; ?", text) for part in _parted(whole)):
        if re.search(rf"{BAND}|{CHANNEL}|ZERO|NOTHING_SPEAKS", clause):
            clause = _pictured(clause, known, key, found, last)
        rest.append(clause)
    return found, " ; ".join(rest)


def _parted(clause):
    """Return the parts of a clause, one a group of methods: "B2 STRONGEST IG , B1 STRONGEST GRADCAM" has two."""
    who = rf"(?<!\w){WHO}\b"
    if len(re.findall(who, clause)) < 2:
        return [clause]
    parts = [""]
    for part in clause.split(" , "):
        if re.search(who, part) and re.search(who, parts[-1]):
            parts.append(part)
        else:
            parts[-1] = f"{parts[-1]} , {part}" if parts[-1] else part
    return parts


def _pictured(clause, known, key, found, last):
    who = re.findall(rf"(?<!\w){WHO}\b", clause) or [last["who"]]
    if len(who) != 1 or not who[0] and "CHANNEL" not in clause:
        return clause
    last["who"] = who[0]
    channel = bool(re.search(rf"{CHANNEL}|NOTHING_SPEAKS", clause))
    what = CHANNEL if channel else BAND
    if not channel and not re.search(rf"STRONGEST|NAME|ZERO|{STEP}", clause + last["what"]):
        return clause
    last["what"] = "STRONGEST"
    kind, said = ("channels" if channel else "bands"), {}
    order = re.findall(rf"{what}|{STEP}|ZERO|NOTHING_SPEAKS", clause)
    for thing, at in _paired(order, what, last):
        for step in at:
            if step in said:
                raise Unclear(f"t{step} is named twice")
            said[step] = thing
    for method in methods(who[0]):
        if method not in known[kind]:
            raise Unclear(f"{kind} of {METHODS[method]}")
        own = known[kind][method]
        found += [(f"{key}.{kind}.{method}", said[step], own[step]) for step in sorted(said)]
    drop = rf"{WHO}\b|{what}|{STEP}|\b(?:ZERO|NOTHING_SPEAKS|STRONGEST|MAPS|NAME|JUDGE|FIND|CHANNEL|SINGLE)\b(?!:)"
    return re.sub(drop, " ", clause)


def _paired(order, what, last):
    """Yield (band or channel, steps) of an alternating row, whichever comes first; None is a map of zeros."""
    things = [bool(re.fullmatch(rf"{what}|ZERO|NOTHING_SPEAKS", token)) for token in order]
    if not any(things):
        return
    if len(order) == things.count(True) + 1 and order[-1] == "T012" and things.count(True) == 3:
        groups = [(token, [f"T{at}"]) for at, token in enumerate(order[:-1])]  # "B1, B2, B1 at t0, t1 and t2"
    elif not all(things) and things[0]:  # "B1 T0 T2 B2 T1"
        groups, current = [], None
        for token, thing in zip(order, things, strict=True):
            if thing:
                current = (token, [])
                groups.append(current)
            else:
                current[1].append(token)
    elif not all(things) and things.count(True) == 1:  # "T0 T2 B1"
        groups = [(order[things.index(True)], [token for token, thing in zip(order, things, strict=True) if not thing])]
    elif not all(things):  # "T0 B1 T1 B2"
        groups, waiting = [], []
        for token, thing in zip(order, things, strict=True):
            if thing:
                groups.append((token, waiting))
                waiting = []
            else:
                waiting = [*waiting, token]
        if waiting:
            raise Unclear("steps without a band")
    else:
        groups = [(token, [last["at"] or "T012"]) for token in order]
        if len(groups) > 1:
            raise Unclear("bands without steps")
    for token, at in groups:
        if not at:
            raise Unclear(f"{token} at no step")
        last["at"] = " ".join(at)
        name = token.removeprefix("CHANNEL#") if token not in ("ZERO", "NOTHING_SPEAKS") else None
        yield name, steps(" ".join(at))
