"""What a sentence claims of explained samples and of the methods that explain them, held against the facts."""

import re

from helpers.lexicon import METHOD_WORDS, NUMBER, Unclear, recordings
from helpers.measures import METHODS

METHOD = "GRADCAMPP|GRADCAM|IG"
WHO = rf"(?:ALLMETHODS|(?:(?:ALL )?(?:{METHOD})(?: , (?:{METHOD}))*))"
BAND = r"B[1-5]\b"
STEP = r"(?:T012|T[012])\b"
CHANNEL = r"CHANNEL#[\w-]+"
IDS = r"\d+(?: , \d+)*"
RULES = {
    "COMPLETENESS": "completeness",
    "PLANTED": "planted truth",
    "BEYOND_POWER": "beyond power",
    "RANDOM_WEIGHTS": "random weights",
    "PERMUTED_LABELS": "permuted labels",
    "DELETION": "deletion",
    "INSERTION": "insertion",
    "STABILITY": "stability",
}
RULE = "|".join(RULES)


def sample(facts, number):
    """Return the facts of a sample and the key that they stand under."""
    for group in ("samples", "errors"):
        for found in facts[group]:
            if found["sample"] == number:
                return found, f"{group}.{number}"
    raise Unclear(f"there is no sample {number}")


def methods(who):
    """Return the keys of the methods that a subject names."""
    if "ALLMETHODS" in who:
        return list(METHODS)
    words = {word: method for method, word in METHOD_WORDS.items()}
    named = [words[word] for word in re.findall(METHOD, who)]
    if len(set(named)) < len(named):
        raise Unclear(f"{who} names a method twice")
    return named


def steps(text):
    """Return the places of the steps that are named: 0, 1, 2."""
    return [0, 1, 2] if "T012" in text else [int(step) for step in re.findall(r"T([012])\b", text)]


def numbers(text):
    """Return the whole numbers of a list."""
    return [int(number) for number in re.findall(r"\d+", text)]


# --- one sample -------------------------------------------------------------------------------------------------


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
    found = [] if not named or not isinstance(about, int) else [(f"{key}.sample", number, about)]
    text = re.sub(rf"\bSAMPLES {number}\b", "", text).replace("ALL 3 FRAMES", "T012")
    for part in (_labels, _place, _probability, _maps):
        said, text = part(" ".join(text.split()), known, key, facts)
        found += said
    return found, text


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
    for clause in re.split(r" ?; ?", text):
        if re.search(rf"{BAND}|{CHANNEL}|ZERO|NOTHING_SPEAKS", clause):
            clause = _pictured(clause, known, key, found, last)
        rest.append(clause)
    return found, " ; ".join(rest)


def _pictured(clause, known, key, found, last):
    who = re.findall(rf"(?<!\w){WHO}\b", clause) or [last["who"]]
    if len(who) != 1 or not who[0] and "CHANNEL" not in clause:
        return clause
    last["who"] = who[0]
    channel = bool(re.search(rf"{CHANNEL}|NOTHING_SPEAKS", clause))
    what = CHANNEL if channel else BAND
    if not channel and not re.search("STRONGEST|NAME|ZERO", clause + last["what"]):
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


# --- samples together -------------------------------------------------------------------------------------------


def _group_of(ids, facts):
    return next((label for label, group in facts["groups"].items() if sorted(group["samples"]) == sorted(ids)), None)


def read_tally(text, facts, about):
    """Read how often a band is the strongest, over the frames of the samples predicted alike."""
    group = str(about) if about in ("0", "1") else None
    found = []
    ids = re.search(rf"SAMPLES ({IDS})", text)
    label = re.search(r"\b(NONSEIZURE|SEIZURE) PREDICT|PREDICT (NONSEIZURE|SEIZURE)", text)
    if ids and "FRAMES" in text or ids and label and group:
        group = group or _group_of(numbers(ids[1]), facts)
        if group:
            found.append(
                (f"groups.{group}.samples", sorted(numbers(ids[1])), sorted(facts["groups"][group]["samples"]))
            )
            text = text.replace(ids[0], " ")
    if label and (group or re.search("FRAMES|TIMES|TWICE|ONCE", text)):
        said = "1" if (label[1] or label[2]) == "SEIZURE" else "0"
        group = group or said
        found.append((f"groups.{group}.samples", said, group))
        text = re.sub(r"(?:ALL )?(?:\d+ )?(?:SAMPLES )?(?:ALL )?" + label[0], " ", text)
    if group is None or not re.search("FRAMES|TIMES|TWICE|ONCE", text):
        return found, text
    known, text = facts["groups"][group], " ".join(text.split())
    text = text.replace("T012", f"ALL {known['frames']} FRAMES")
    rest = []
    for clause in re.split(r" ?; ?", text):
        rest.append(_tallied(clause, known, group, found))
    return found, " ; ".join(rest)


def _tallied(clause, known, group, found):
    who = re.findall(rf"(?<!\w){WHO}\b", clause)
    if len(who) != 1:
        return clause
    clause = clause.replace(who[0], " WHO ", 1)
    clause = " ".join(clause.split())

    def whole(said):
        if said:
            found.append((f"groups.{group}.frames", int(said), known["frames"]))

    zero = re.search(r"(?:MAPS )?WHO ZERO ALL (\d+) FRAMES|MAPS WHO ZERO ALL (\d+) FRAMES", clause)
    for method in methods(who[0]):
        counts = known["counts"][method]
        most = max(counts.values(), default=0)
        top = sorted(band for band, number in counts.items() if number == most)
        key = f"groups.{group}.counts.{method}"
        if zero:
            whole(zero[1] or zero[2])
            found.append((key, {}, counts))
            continue
        bands = sorted(re.findall(BAND, clause))
        if match := re.search(r"STRONGEST (B\d) ALL (?:OF )?(\d+)(?: \d+)? FRAMES", clause):
            whole(match[2])
            found.append((key, {match[1]: known["frames"]}, counts))
        elif match := re.search(r"EQUALLY_OFTEN .*, (\d+) OF (\d+) FRAMES(?: ALL)?", clause):
            whole(match[2])
            found.append((key, (bands, int(match[1])), (top, most)))
        elif match := re.search(
            r"(?:STRONGEST_OFTEN STRONGEST|STRONGEST STRONGEST_OFTEN) (B\d)(?: ,)? (\d+) OF (\d+) FRAMES", clause
        ):
            whole(match[3])
            found.append((key, ([match[1]], int(match[2])), (top, most)))
        else:
            pairs = re.findall(r"(B\d)(?: STRONGEST)? (\d+ OF \d+|\d+|TWICE|ONCE|ALL)\b", clause)
            if len(pairs) != len(bands) or not pairs:
                return clause
            for band, times in pairs:
                first = times.split()[0]
                said = {"TWICE": 2, "ONCE": 1, "ALL": known["frames"]}.get(first) or int(first)
                if " OF " in times:
                    whole(times.split(" OF ")[1])
                found.append((key, (band, said), (band, counts.get(band, 0))))
            match = re.search(r"(?<!B\d )\b(\d+) FRAMES", re.sub(r"B\d (?:STRONGEST )?\d+ FRAMES", "", clause))
            if match and not re.search(rf"B\d {match[1]} FRAMES|OF {match[1]} FRAMES", clause):
                whole(match[1])
    return re.sub(
        rf"WHO|{BAND}|\b\d+\b|\b(?:FRAMES|TIMES|TWICE|ONCE|ALL|OF|STRONGEST_OFTEN|STRONGEST|EQUALLY_OFTEN|ZERO|MAPS"
        rf"|NAME)\b",
        " ",
        clause,
    )


def read_agreement(text, facts, about):
    """Read in how many frames two methods name the same band."""
    if "AGREE" not in text and not re.search(r"EQUAL STRONGEST|STRONGEST EQUAL", text):
        return [], text
    pairs = {frozenset(row["methods"]): row for row in facts["agreement"]}
    found, rest = [], text
    together = re.search(r"ALLMETHODS ALL (\d+) FRAMES", text)
    if together:
        for row in pairs.values():
            found.append(("agreement", (int(together[1]),) * 2, (row["same"], row["of"])))
        return found, re.sub(r"ALLMETHODS|ALL|\d+|FRAMES|AGREE|STRONGEST|EQUAL", " ", text)
    pair, last = rf"({METHOD}) , ({METHOD})", None
    forms = [rf"{pair}(?: ,)?(?: AGREE| NAME EQUAL)?(?: STRONGEST)? (?:\( )?(\d+)(?: OF (\d+))?(?: FRAMES)?(?: \))?"]
    forms.append(
        rf"(?P<k>\d+) OF (?P<of>\d+) FRAMES , ({METHOD}) , ({METHOD})(?: AGREE| NAME EQUAL| EQUAL)(?: STRONGEST)?"
    )
    for match in re.finditer(forms[1], text):
        row = pairs[frozenset(methods(f"{match[3]} {match[4]}"))]
        found.append(("agreement", (int(match["k"]), int(match["of"])), (row["same"], row["of"])))
        rest = rest.replace(match[0], " ")
    for match in re.finditer(forms[0], rest):
        row = pairs[frozenset(methods(f"{match[1]} {match[2]}"))]
        of = int(match[4]) if match[4] else row["of"]
        found.append(("agreement", (int(match[3]), of), (row["same"], row["of"])))
        rest = rest.replace(match[0], " ", 1) if last is None else rest.replace(match[0], " ", 1)
    if compared := re.search(
        rf"{pair} AGREE(?: STRONGEST)? MORE_OFTEN THAN {pair}|{pair} AGREE .*MORE_OFTEN THAN {pair}", text
    ):
        four = [name for name in compared.groups() if name]
        one, two = (pairs[frozenset(methods(" ".join(names)))]["same"] for names in (four[:2], four[2:]))
        found.append(("agreement", True, one > two))
        rest = re.sub(r"MORE_OFTEN THAN", " ", rest.replace(compared[0], " ") if "AGREE" not in rest else rest)
    if found:
        rest = re.sub(r"\b(?:AGREE|STRONGEST|EQUAL|NAME|ALL)\b", " ", rest)
    return found, rest


def read_changes(text, facts, about):
    """Read in which samples a method's strongest band changes over t0–t2, and in which it stays."""
    if not re.search(r"\b(?:CHANGE|STAY|OPEN)\b.*SAMPLES|SAMPLES.*\b(?:CHANGE|STAY)\b", text):
        return [], text
    who = re.findall(rf"(?<!\w){WHO}\b", text)
    if len(who) != 1:
        return [], text
    found = []
    body = re.sub(rf"{WHO}\b|\b(?:STRONGEST|WITHIN|T012|EQUAL|BELOW|within|ALL|MODEL)\b", " ", text)
    body = " ".join(body.split())
    verbs = {"CHANGE": "changes", "STAY": "stays", "OPEN": "unknown"}
    parts = re.findall(rf"(CHANGE|STAY|OPEN)[ ,]*SAMPLES ({IDS})", body) or [
        (verb, ids) for ids, verb in re.findall(rf"SAMPLES ({IDS})[ ,]*(CHANGE|STAY)", body)
    ]
    for verb, ids in parts:
        for method in methods(who[0]):
            known = facts["changes"][method][verbs[verb]]
            # "changes within Samples 1 and 2": both do; that no other does is not said.
            found.append((f"changes.{method}", sorted(numbers(ids)), sorted(set(numbers(ids)) & set(known))))
    if not parts:
        return [], text
    left = re.sub(rf"(?:CHANGE|STAY|OPEN)[ ,]*SAMPLES {IDS}|SAMPLES {IDS}[ ,]*(?:CHANGE|STAY)", " ", body)
    return found, left


def read_overall(text, facts, about):
    """Read what holds on average over all samples of a decision: where relevance is highest, what IG's signs are."""
    which = about if about in ("found", "left") else None
    for key, said in (
        ("found", r"(?:ABOVE )?(?:ALL )?(?:(\d+) )?(?:FIND SEIZ|SEIZ FIND)(?: \( (\d+)(?: OF (\d+))? \))?"),
        ("left", r"(?:ABOVE )?(?:ALL )?(?:(\d+) )?(?:LEFT OTHER|OTHER LEFT)(?: \( (\d+)(?: OF (\d+))? \))?"),
    ):
        match = re.search(said, text)
        if (
            match
            and (which in (None, key))
            and re.search(r"RELEVANCE|SPEAK_|HIGHEST", text + ("RELEVANCE" if about else ""))
        ):
            which, number, whole = key, match[1] or match[2], match[3]
            text = text.replace(match[0], " ")
            break
    else:
        number = whole = None
    if which is None:
        return [], text
    values = facts["values"]
    found = [(f"overall.{which}.n", int(number), values[f"overall.{which}.n"]["value"])] if number else []
    if number:
        total = {"found": "tp", "left": "tn"}[which]
        found.append((total, int(whole or number), values[total]["value"]))
    known, rest, names = facts["overall"][which], [], 0
    for clause in re.split(r" ?; ?", text):
        left = clause
        for side in ("for", "against"):
            for match in re.finditer(rf"((?:{BAND}(?: ,)? )+)(?:ALL )?SPEAK_{side.upper()}(?: SEIZURE)?", clause):
                for band in re.findall(BAND, match[1]):
                    found.append(
                        (f"overall.{which}.ig.{side}", band, band if band in known["ig"][side] else known["ig"][side])
                    )
                left = left.replace(match[0], " ")
            for match in re.finditer(
                rf"IG (?:counts )?SPEAK_{side.upper()}(?: SEIZURE)? ((?:{BAND}(?: ,)? ?)+)", clause
            ):
                found += [
                    (f"overall.{which}.ig.{side}", band, band if band in known["ig"][side] else None)
                    for band in re.findall(BAND, match[1])
                ]
                left = left.replace(match[0], " ")
        who, bands = re.findall(rf"(?<!\w){WHO}\b", left), re.findall(BAND, left)
        pairs = re.findall(rf"(B\d) ({METHOD})\b", left)
        if "HIGHEST" in left and len(pairs) == len(bands) == len(re.findall(rf"\b(?:{METHOD})\b", left)) > 1:
            for band, method in pairs:
                found += [(f"overall.{which}.highest.{one}", band, known["highest"][one]) for one in methods(method)]
            left = re.sub(rf"{WHO}\b|{BAND}|\b(?:HIGHEST|RELEVANCE)\b", " ", left)
        elif len(who) == 1 and len(bands) == 1 and ("HIGHEST" in left or names):
            names += 1
            for method in methods(who[0]):
                found.append((f"overall.{which}.highest.{method}", bands[0], known["highest"][method]))
            left = re.sub(rf"{WHO}\b|{BAND}|\b(?:HIGHEST|RELEVANCE|NAME|FIND|STRONGEST)\b", " ", left)
        elif "SPEAK_" not in left:
            left = re.sub(r"\bIG\b", " ", left) if left != clause and len(who) == 1 and who[0] == "IG" else left
        rest.append(re.sub(r"\bRELEVANCE\b", " ", left) if found else left)
    return found, " ; ".join(rest)


# --- tests of the explanations ----------------------------------------------------------------------------------


def read_tests(text, facts, about):
    """Read which methods pass a test, and the figures by which they are judged."""
    rules = [RULES[word] for word in re.findall(rf"\b(?:{RULE})\b", text)]
    rules = list(dict.fromkeys(rules)) or ([about] if about in facts["tests"] else [])
    if not rules and "SHARE_PLANTED" in text:
        rules = ["planted truth"]
    if not rules:
        return _totals(text, facts)
    found, rest, subject = [], [], None
    for clause in re.split(r" ?; ?", text):
        own = [RULES[word] for word in re.findall(rf"\b(?:{RULE})\b", clause)] or rules[:1]
        left = clause
        left, subject = _passed(clause, own, facts, found, subject)
        left = _figures(left, own, facts, found, subject)
        rest.append(left)
    if found:
        rest = [
            re.sub(rf"\b(?:{RULE}|{METHOD}|ALLMETHODS|MAPS|STAY|FIND|NAME|SHARE_PLANTED)\b", " ", part) for part in rest
        ]
    return found, " ; ".join(rest)


def _passed(clause, rules, facts, found, subject):
    """Hold each PASS and FAIL against the verdicts of the methods named last before it, or right after it."""
    words, kept, only = re.split(rf"\b({WHO}|NOMETHOD|PASS|FAIL|ONLY)\b", clause), [], False
    for at, word in enumerate(words):
        if re.fullmatch(rf"{WHO}|NOMETHOD", word):
            subject = word
        only = only or word == "ONLY"
        if word not in ("PASS", "FAIL"):
            kept.append("" if word == "NOMETHOD" or word == "ONLY" else word)
            continue
        who = subject or next((other for other in words[at:] if re.fullmatch(WHO, other)), None)
        if who is None:
            raise Unclear(f"who should {word}")
        said = (word == "PASS") != (who == "NOMETHOD")
        named = methods("ALLMETHODS" if who == "NOMETHOD" else who)
        for rule in rules:
            verdicts = facts["tests"].get(rule, {"verdicts": {}})["verdicts"]
            found += [(f"tests.{rule}.verdicts.{method}", said, verdicts.get(method)) for method in named]
            others = [method for method in METHODS if method not in named and only]
            found += [(f"tests.{rule}.verdicts.{method}", True, verdicts.get(method) is not said) for method in others]
    return "".join(kept), subject


def _figures(clause, rules, facts, found, subject):
    """Hold "0.12 GRADCAM" or "IG … 0.12" against the figure of the test; chance and power by their own names."""
    if len(rules) != 1:
        return clause
    rule, values = rules[0], facts["values"]

    def hold(key, said, low=None, high=None):
        known = values.get(key) or {"printed": None, "interval": None}
        percent = said.removesuffix("PCT")
        found.append((key, percent, known["printed"]))
        if low:
            ends = known["interval"] or {"low": None, "high": None}
            found.append((key, (low, high), (ends["low"], ends["high"])))

    interval = rf"(?:[ ,(]*(?:CI )?(?P<low>{NUMBER}) TO (?P<high>{NUMBER})(?: \))?)?"
    for name in ("chance", "power"):
        word = {"chance": "CHANCE", "power": "EEG_POWER"}[name]
        for pattern in (
            rf"(?P<n>{NUMBER}) {word}{interval}",
            rf"{word}[ (]*(?:SHARE_PLANTED )?(?P<n>{NUMBER})(?: \))?{interval}",
            rf"SHARE_PLANTED {word} (?P<n>{NUMBER})",
        ):
            if match := re.search(pattern, clause):
                groups = match.groupdict()
                hold(f"tests.planted truth.{name}", match["n"], groups.get("low"), groups.get("high"))
                clause = clause.replace(match[0], " ")
                break
    if rule == "completeness":
        if match := re.search(rf"LARGEST_MISS[ ,]*(?P<n>{NUMBER})(?: OF_SUM)?", clause):
            hold("tests.completeness.ig", match["n"])
            clause = clause.replace(match[0], " ")
        return clause
    words = {word: method for method, word in METHOD_WORDS.items()}
    of = r"CORRELATION|GAIN|SHARE_PLANTED|falls"
    plain = " ".join(re.sub(rf"\b(?:{RULE}|MAPS|STAY|NAME)\b", " ", clause).split())
    if re.search(rf"{NUMBER} (?:{METHOD})\b", plain):
        pattern = rf"(?:(?:{of}) )?(?P<n>{NUMBER}){interval} (?P<m>{METHOD})\b"
    else:
        pattern = rf"(?P<m>{METHOD})[ ,(]*(?:(?:{of})[ ,(]*)*(?P<n>{NUMBER}){interval}(?: \))?"
    hits = 0
    alone = re.findall(rf"(?<![\w.]){NUMBER}", plain), re.findall(rf"\b(?:{METHOD})\b", plain)
    if len(alone[0]) == len(alone[1]) == 1 and re.search(rf"\b(?:{of}) {NUMBER}[ ,]+(?:{METHOD})\b", plain):
        hold(f"tests.{rule}.{words[alone[1][0]]}", alone[0][0])
        return re.sub(rf"\b(?:{of})\b", " ", plain.replace(alone[0][0], " "))
    listed = re.search(rf"(({METHOD})(?: , (?:{METHOD}))+)\b[ ,]*(?:(?:{of})[ ,]*)+({NUMBER}(?: , {NUMBER})+)", plain)
    if listed and listed[1].count(",") == listed[3].count(","):
        for word, said in zip(listed[1].split(" , "), listed[3].split(" , "), strict=True):
            hold(f"tests.{rule}.{words[word]}", said)
        return re.sub(rf"\b(?:{of})\b", " ", plain.replace(listed[0], " "))
    if len({match["m"] for match in re.finditer(pattern, plain)}) < len(list(re.finditer(pattern, plain))):
        raise Unclear("a method with two figures")
    for match in re.finditer(pattern, plain):
        hold(f"tests.{rule}.{words[match['m']]}", match["n"], match["low"], match["high"])
        hits += 1
    if hits:
        plain = re.sub(pattern, " ", plain)
        return re.sub(rf"\b(?:{of})\b", " ", plain)
    return clause


def _totals(text, facts):
    """Read how many tests each method passes."""
    from helpers.trials import tally

    found, known = [], tally(facts["tests"])
    pattern = rf"({METHOD}) PASS (?:ALL (?:OF )?(\d+)|NONE OF (\d+)|(\d+) OF (\d+))(?: TESTS)?"
    words = {word: method for method, word in METHOD_WORDS.items()}
    for match in re.finditer(pattern, text):
        _, every, none, some, of = match.groups()
        said = (int(every), int(every)) if every else (0, int(none)) if none else (int(some), int(of))
        found.append(("tests", (match[1], *said), (match[1], *known[words[match[1]]])))
    return found, re.sub(rf"{pattern}|\bTESTS\b" if found else r"(?!)", " ", text)


def read_examined(text, facts, about):
    """Read how many samples were examined, of which labels, and how many of them were judged correctly."""
    match = re.search(
        r"(?P<n>\d+) SAMPLES [,;] (?P<a>\d+|NONE) JUDGE SEIZURE , (?P<b>\d+|NONE) JUDGE NONSEIZURE ; MODEL JUDGE "
        r"(?P<right>\d+|ALL|NONE) CORRECTLY",
        text,
    )
    if not match:
        return [], text
    shown = facts["samples"]
    found = []
    for name, wanted in (
        ("n", len(shown)),
        ("a", sum(s["true"] for s in shown)),
        ("b", sum(1 - s["true"] for s in shown)),
        ("right", sum(s["correct"] for s in shown)),
    ):
        said = {"ALL": len(shown), "NONE": 0}.get(match[name]) if match[name] in ("ALL", "NONE") else int(match[name])
        found.append(("samples", said, wanted))
    return found, text.replace(match[0], " ")
