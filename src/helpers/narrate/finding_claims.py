"""What a sentence claims of explained samples together: tallies, agreement, changes, and means over all of them."""

import re

from helpers.narrate.subjects import BAND, IDS, METHOD, WHO, methods, numbers

_ONE, _AGREE = rf"({METHOD})", r"(?: ,)?(?: AGREE| NAME EQUAL| EQUAL)?(?: STRONGEST)?"
_SAME = r"(?:\( )?(\d+)(?: OF (\d+))?(?: FRAMES)?(?: \))?"
AGREED = (
    (rf"(\d+) OF (\d+) FRAMES , {_ONE} , {_ONE}(?: AGREE| NAME EQUAL| EQUAL)(?: STRONGEST)?", (3, 4, 1, 2)),
    (rf"{_ONE} , {_ONE}{_AGREE} {_SAME}", (1, 2, 3, 4)),
    (rf"{_ONE} AGREE(?: NAME)? {_ONE}(?: STRONGEST)? {_SAME}", (1, 2, 3, 4)),
)


def read_agreement(text, facts, about):
    """Read in how many frames two methods name the same band."""
    if "AGREE" not in text and not re.search(r"EQUAL STRONGEST|STRONGEST EQUAL", text):
        return [], text
    pairs = {frozenset(row["methods"]): row for row in facts["agreement"]}
    if together := re.search(r"ALLMETHODS ALL (\d+) FRAMES", text):
        every = int(together[1])
        found = [("agreement", (every, every), (row["same"], row["of"])) for row in pairs.values()]
        return found, re.sub(r"\b(?:AGREE|STRONGEST|EQUAL)\b", " ", text.replace(together[0], " "))
    found, rest = [], text
    # "IG AGREE GRADCAM 4 OF 12, NAME GRADCAMPP 6 OF 12": the second pair has its first method from before.
    rest = re.sub(rf"(({METHOD}) AGREE .*?), NAME (?={METHOD})", r"\1, \2 AGREE ", rest)
    for form, places in AGREED:
        for match in re.finditer(form, rest):
            one, other, same, of = (match[place] for place in places)
            row = pairs[frozenset(methods(f"{one} {other}"))]
            found.append(("agreement", (int(same), int(of or row["of"])), (row["same"], row["of"])))
        rest = re.sub(form, " ", rest)
    pair, than = rf"{_ONE} , {_ONE} AGREE", rf"MORE_OFTEN THAN {_ONE} , {_ONE}"
    if compared := re.search(rf"{pair}(?: STRONGEST)? {than}|{pair} .*{than}", text):
        four = [name for name in compared.groups() if name]
        one, two = (pairs[frozenset(methods(" ".join(names)))]["same"] for names in (four[:2], four[2:]))
        found.append(("agreement", True, one > two))
        rest = re.sub(r"MORE_OFTEN THAN", " ", rest if found[:-1] else rest.replace(compared[0], " "))
    return found, re.sub(r"\b(?:AGREE|STRONGEST|EQUAL|NAME|ALL)\b", " ", rest) if found else rest


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
    if besides := re.search(rf"; not (?:WITHIN )?SAMPLES ({IDS})", body):  # "…, but not in samples 195 and 400"
        for method in methods(who[0]):
            other = {"CHANGE": "stays", "STAY": "changes"}.get(parts[-1][0], "unknown")
            known = sorted(set(numbers(besides[1])) & set(facts["changes"][method][other]))
            found.append((f"changes.{method}", sorted(numbers(besides[1])), known))
        body = body.replace(besides[0], " ")
    left = re.sub(rf"(?:CHANGE|STAY|OPEN)[ ,]*SAMPLES {IDS}|SAMPLES {IDS}[ ,]*(?:CHANGE|STAY)", " ", body)
    return found, left


def read_overall(text, facts, about):
    """Read what holds on average over all samples of a decision: where relevance is highest, what IG's signs are."""
    which = about if about in ("found", "left") else None
    many = r" \( (\d+)(?: OF (\d+))? \)"
    for key, said in (
        ("found", "FIND SEIZ|SEIZ FIND"),
        ("left", "LEFT OTHER|(?:OTHER|SAMPLES) (?:CORRECTLY )?LEFT"),
    ):
        match = re.search(rf"(?:ABOVE )?(?:ALL )?(?:(\d+) )?(?:{said})(?:{many})?", text)
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
        rest.append(re.sub(r"\b(?:RELEVANCE|SAW|NAME)\b", " ", left) if found else left)
    return found, " ; ".join(rest)


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
