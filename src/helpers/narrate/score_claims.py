"""What a sentence claims of scores: which number is said of which score, of which detector or split; what is higher.

A sentence in the words of `lexicon` is read clause by clause. Each number must find its score and its scope by the
words about it; one that could belong to two, or to none, is refused.
"""

import re

from helpers.narrate.facts import sides
from helpers.narrate.lexicon import NUMBER, Unclear, agrees
from helpers.narrate.measures import number

SCORES = {
    "ACCURACY": "accuracy",
    "SENSITIVITY": "sensitivity",
    "SPECIFICITY": "specificity",
    "F1": "f1",
    "WEIGHTED_F1": "weighted_f1",
    "PRECISION": "precision",
    "BEST_THRESHOLD": "threshold",
    "AUROC": "auroc",
    "AUPRC": "auprc",
    "EVENT_F1": "event_f1",
    "EVENT_PRECISION": "event_precision",
    "EVENT_SENSITIVITY": "event_sensitivity",
    "LATENCY": "latency",
    "RATE": "rate",
}
# Where a number of a score stands in the facts, by its scope; "" is the model on single held-out samples.
EVENTS = {name: f"events.{name}" for name in ("sensitivity", "precision", "f1")}
OWN = {name: name for name in ("accuracy", "sensitivity", "specificity", "f1", "weighted_f1", "threshold")}
OWN |= {name: f"ranking.{name}" for name in ("auroc", "auprc")}
OWN |= {f"event_{name}": key for name, key in EVENTS.items()}
OWN |= {"latency": "events.latency", "rate": "events.fp_per_24h"}
KEYS = {
    "": OWN,
    "SINGLE": OWN,
    "EVENTS": EVENTS | {f"event_{name}": key for name, key in EVENTS.items()},
    "REFERENCE": {name: f"reference.{name}" for name in list(OWN)[:5]},
    "RANDOM": {name: f"audit.random.{name}" for name in ("f1", "accuracy", "auroc")},
    "WEIGHTED": {name: f"audit.weighted.{name}" for name in ("f1", "accuracy", "auroc")},
    "LOGISTIC": {name: f"baselines.logistic.{name}" for name in ("auprc", "event_f1")},
    "FOREST": {name: f"baselines.forest.{name}" for name in ("auprc", "event_f1")},
    "ALWAYS": {"accuracy": "baseline"},
}
GAPS = {
    "audit": {name: f"audit.gap.{name}" for name in ("f1", "accuracy", "auroc")},
    "LOGISTIC": {name: f"baselines.logistic.ahead_{name}" for name in ("auprc", "event_f1")},
    "FOREST": {name: f"baselines.forest.ahead_{name}" for name in ("auprc", "event_f1")},
}
UNITS = {"events.latency": "s", "events.fp_per_24h": "PER_24H"}  # what may stand behind the number
BASELINES = ("LOGISTIC", "FOREST")
SCOPE = "|".join(name for name in KEYS if name)
SCORE = "|".join(sorted(SCORES, key=len, reverse=True))


class Reading:
    """One walk over a sentence: what was said last, and what waits for its number."""

    def __init__(self, facts):
        self.facts = facts
        self.found = []  # (key, what was said, what the facts say)
        self.scores, self.waiting, self.clause = [], [], []  # last said; said without a number; said in this clause
        self.scope = ""  # last said
        self.audited = False  # whether a difference is one of the leakage audit
        self.baselines, self.early = [], ""
        self.by = False  # whether a difference was said ("higher by 0.0532"), so that no other side is needed
        self.key = None  # of the last number: an interval belongs to it

    def number(self, said, score, scope, gap):
        """Hold a number against the score and the scope that it belongs to."""
        table = GAPS.get(scope if scope in GAPS else "audit", {}) if gap else KEYS.get(scope, {})
        key = table.get(score)
        if key is None or key not in self.facts["values"]:
            raise Unclear(f"{said} for {score or 'no score'} of {scope or 'the model'}")
        known = self.facts["values"][key]
        right = agrees(said, known["printed"], known["value"])
        self.found.append((key, said, said if right else known["printed"]))
        self.key = key

    def interval(self, low, high, gap):
        """Hold an interval against that of the number before it."""
        if self.key is None and self.waiting:
            self.key = (GAPS.get(self.scope, GAPS["audit"]) if gap else KEYS.get(self.scope, {})).get(
                self.waiting.pop(0)
            )
        known = self.facts["values"][self.key]["interval"] if self.key in self.facts["values"] else None
        if known is None:
            raise Unclear(f"the interval {low} to {high}")
        found = all(agrees(said, known[end]) for said, end in ((low, "low"), (high, "high")))
        self.found.append(
            (self.key, f"{low} to {high}", f"{low} to {high}" if found else f"{known['low']} to {known['high']}")
        )


_INTERVAL = re.compile(rf"(?:\( )?(?:, )?(?:CI )?(?:GAP )?(?:, )?({NUMBER})(?: s)? TO ({NUMBER})(?: s)?(?: \))?")


def read(text, facts):
    """Read what a sentence says of scores.

    Parameters
    ----------
    text : str
        In the words of `lexicon`, what other readers have understood being gone.
    facts : dict

    Returns
    -------
    found : list of (str, object, object)
        Fact, what is said of it and what is so.
    rest : str
        What was not read.

    Raises
    ------
    Unclear
        If a number or a comparison has no owner, or more than one.
    """
    if not re.search(rf"\b(?:{SCORE}|{SCOPE}|GAP)\b", text):
        return [], text
    text = re.sub(r"\b(ABOVE|BELOW)\b", lambda match: {"ABOVE": "HIGHER THAN", "BELOW": "LOWER THAN"}[match[1]], text)
    reading = Reading(facts)
    reading.baselines = [name for name in BASELINES if name in text.split()]
    reading.audited = bool(re.search(r"\b(?:RANDOM|WEIGHTED|AUDIT)\b", text)) or not re.search(
        rf"\b(?:{SCOPE})\b", text
    )
    rest = []
    for clause in re.split(r" ?; ?", text):
        rest.append(_clause(clause, reading))
    if reading.early:
        raise Unclear(reading.early)
    compared, left = _compared(" ; ".join(rest), reading)
    sided, left = _sided(left, text, reading)
    if re.search(r"\bHELDOUT\b", text) and any("audit." in entry[0] for entry in (*reading.found, *compared, *sided)):
        raise Unclear("held-out recordings that are not weighted as the random split is")
    if not reading.found and not compared and not sided:
        return [], text
    return [*reading.found, *compared, *sided], re.sub(r"\bCI\b", " ", left)


def _clause(clause, reading):
    """Read one clause's numbers and intervals; return it without them."""
    gap = bool(re.search(r"\b(?:GAP|MINUS)\b", clause))
    if re.search(r"\b(?:LOGISTIC|FOREST|WEIGHTED)\b.* MINUS|MINUS .*\b(?:MODEL|RANDOM)\b", clause):
        raise Unclear("a difference the other way round")
    # "…; on held-out recordings they are …": numbers without scores belong to those of the clause before, in order.
    if re.search(rf"\b(?:{SCORE})\b", clause):
        reading.waiting = []
    else:
        reading.waiting = reading.waiting or list(reading.clause)
    if (
        gap
        and len({*BASELINES} & {*clause.split()}) > 1
        and re.search(rf"(?<![\w.]){NUMBER}", re.sub(r"\(.*?\)", "", clause))
    ):
        raise Unclear("a difference between two baselines")
    reading.clause = []
    clause = _INTERVAL.sub(lambda match: f" INTERVAL:{match[1]}:{match[2]} ", clause)
    kept = []
    last = ["", ""]  # the two pieces before: in "LOGISTIC ( 0.7175 )" the number is the baseline's own
    for segment in re.split(r" ?([,()]|\bTHAN\b|\bEXCEED\b) ?", clause):
        own = last[1] == "(" and last[0].endswith(BASELINES) and "MINUS" not in clause
        kept.append(
            segment if segment in ("", ",", "(", ")", "THAN", "EXCEED") else _segment(segment, reading, gap and not own)
        )
        last = [last[1], segment]
    return " ".join(" ".join(kept).split())


def _segment(segment, reading, gap):
    tokens = segment.split()
    scores = [SCORES[token] for token in tokens if token in SCORES]
    scopes = [token for token in tokens if token in KEYS]
    if gap:
        scopes = [token for token in scopes if token in BASELINES] or scopes
    numbers = [token for token in tokens if re.fullmatch(NUMBER, token)]
    if len(scopes) > 1 and (numbers or not gap) and (len(scopes) > 2 or not {"EVENTS", "SINGLE"} & {*scopes}):
        raise Unclear(segment)
    if "MODEL" in tokens and not scopes:
        reading.scope = ""
    if scores:
        reading.scores = scores
        reading.clause += scores
        reading.waiting += scores
    if scopes:
        reading.scope = scopes[-1]
    kept = []
    if reading.early and scores and not numbers:  # "With 0.9483, accuracy …"
        tokens, numbers, reading.early = [*tokens, reading.early], [reading.early], ""
    elif len(numbers) == 1 and not scores and not reading.waiting and not reading.scores and not reading.early:
        reading.early = numbers[0]
        return " ".join(token for token in tokens if token != numbers[0])
    for at, token in enumerate(tokens):
        if token.startswith("INTERVAL:"):
            reading.interval(*token.split(":")[1:], gap)
        elif re.fullmatch(NUMBER, token):
            score = _owner(scores, numbers, tokens, at, reading)
            after_by = at > 0 and tokens[at - 1] == "BY"
            by = gap or after_by
            scope = reading.scope
            if by and scope not in BASELINES and len(reading.baselines) == 1:
                scope = reading.baselines[0]
            if by and scope not in BASELINES:
                if not reading.audited:
                    raise Unclear(f"a difference of {token}")
                scope = ""
            reading.number(token, score, scope, by)
            reading.by = reading.by or after_by
            reading.waiting = [waiting for waiting in reading.waiting if waiting != score]
        elif token == UNITS.get(reading.key):
            pass
        elif token != "BY":
            kept.append(token)
    return " ".join(kept)


def _owner(scores, numbers, tokens, at, reading):
    """Return the score that the number at a place in a segment belongs to."""
    if len(numbers) == 1 and len(scores) == 1:
        return reading.waiting[0] if reading.waiting else scores[0]  # "A and B are 1 and 2": the first is A's
    if len(scores) == len(numbers) and len(numbers) > 1:
        order = [token in SCORES for token in tokens if token in SCORES or re.fullmatch(NUMBER, token)]
        if order in (
            [True, False] * len(scores),
            [False, True] * len(scores),
            [True] * len(scores) + [False] * len(scores),
        ):
            return scores[sum(bool(re.fullmatch(NUMBER, token)) for token in tokens[:at])]
    if not scores and reading.waiting:
        return reading.waiting[0]
    if not scores and len(set(reading.scores)) == 1 and len(numbers) == 1:
        return reading.scores[0]
    raise Unclear(tokens[at])


_HIGHER = {"EXCEED": 1, "HIGHER": 1, "LOWER": -1, "BEHIND": -1, "AHEAD": 1}


def _compared(text, reading):
    """Read which of two scores is the higher; return what was found and the text without it."""
    found = []
    plain = " ".join(re.sub(r"[(),]", " ", text).split())
    for clause in plain.split(" ; "):
        verbs = re.findall(r"\b(?:EXCEED|HIGHER|LOWER|AHEAD|BEHIND)\b", clause)
        if not verbs or reading.by and len(verbs) == 1 and "THAN" not in clause and verbs[0] in ("HIGHER", "LOWER"):
            said = [entry for entry in reading.found if re.fullmatch(NUMBER, str(entry[1]))]
            found += [(key, _HIGHER[verbs[0]], _sign(printed)) for key, printed, _ in said[-1:] if verbs]
            continue
        if len(verbs) != 1:
            raise Unclear(clause)
        found += _comparison(clause, verbs[0], reading.facts)
    if "EQUAL" in plain.split() and not found:
        found += _equality(plain, reading.facts)
    return found, re.sub(
        rf"\b(?:{SCORE}|{SCOPE}|EXCEED|HIGHER|LOWER|AHEAD|BEHIND|THAN|GAP|EQUAL|MINUS|AUDIT|NO_CI)\b"
        if found or reading.found
        else r"(?!)",
        " ",
        text,
    )


def _sign(printed):
    value = number(printed) if re.fullmatch(NUMBER, str(printed)) else 0
    return (value > 0) - (value < 0)


def _sided_of(names):
    scores = [SCORES[token] for token in names if token in SCORES]
    scopes = [token for token in names if token in KEYS]
    return scores, scopes


def _comparison(clause, verb, facts):
    """Hold "A HIGHER THAN B" against the printed numbers; what one side leaves out, it shares with the other."""
    parting = "THAN" if "THAN" in clause else verb
    if parting in ("HIGHER", "LOWER"):
        raise Unclear(clause)
    if clause.split().count(parting) != 1:
        raise Unclear(clause)
    before, after = (
        part.split() for part in clause.split(f" {parting}" if clause.startswith(parting) is False else parting, 1)
    )
    scores, scopes = zip(_sided_of(before), _sided_of(after), strict=True)
    model = ["MODEL" in before, "MODEL" in after]
    left = scores[0] or scores[1]
    right = scores[1] or scores[0]
    others = [scope for scope in scopes[1] if scope in BASELINES]
    if verb in ("AHEAD", "BEHIND", "EXCEED") and others:
        return _against(left, others, verb, facts)
    if others and model[0] and not scopes[0] and len(left) == len(right) == 1:
        return [_held((OWN[left[0]], KEYS[other][right[0]]), _HIGHER[verb], facts) for other in others]
    ahead = [scope for scope in scopes[0] if scope in BASELINES]
    if len(ahead) > 1 and model[1] and not scopes[1] and len(left) == len(right) == 1:
        return [_held((KEYS[other][left[0]], OWN[right[0]]), _HIGHER[verb], facts) for other in ahead]
    if len(left) != 1 or len(right) != 1 or any(len(group) > 1 for group in scopes):
        raise Unclear(clause)
    one = scopes[0][0] if scopes[0] else ""
    other = scopes[1][0] if scopes[1] else "" if model[1] or (scores[1] and one not in ("EVENTS",)) else one
    if not scores[1] and not scopes[1] and not model[1]:
        raise Unclear(clause)
    keys = KEYS.get(one, {}).get(left[0]), KEYS.get(other, {}).get(right[0])
    if None in keys or keys[0] == keys[1]:
        raise Unclear(clause)
    return [_held(keys, _HIGHER[verb], facts)]


def _held(keys, sign, facts):
    printed = [facts["values"][key]["printed"] for key in keys]
    if None in printed:
        return " and ".join(keys), sign, None
    gap = number(printed[0]) - number(printed[1])
    return " and ".join(keys), sign, (gap > 0) - (gap < 0)


def _against(scores, others, verb, facts):
    """The model is ahead of a baseline only if the whole interval of the difference lies above zero."""
    if len(scores) != 1:
        raise Unclear(f"{verb} of {others} in {scores}")
    found = []
    for other in others:
        key = GAPS[other].get(scores[0])
        if key is None or key not in facts["values"]:
            raise Unclear(f"{verb} of {other} in {scores[0]}")
        known = facts["values"][key]
        so = known["interval"] and sides(known["interval"])
        found.append((key, "below" if verb == "BEHIND" else "above", so))
    return found


def _equality(text, facts):
    scores, scopes = _sided_of(text.split())
    if len(scores) == 2 and not scopes:
        keys = [OWN.get(score) for score in scores]
    elif len(set(scores)) == 1 and scopes and "MODEL" in text.split():
        if len(scopes) > 1:
            return [_held((KEYS[scope].get(scores[0]), OWN.get(scores[0])), 0, facts) for scope in scopes]
        keys = [KEYS[scopes[0]].get(scores[0]), OWN.get(scores[0])]
    else:
        return []
    if None in keys:
        raise Unclear(text)
    return [_held(keys, 0, facts)]


_SIDES = {
    "EXCLUDES_ZERO": "apart",
    "HOLDS_ZERO": "around",
    "ABOVE_ZERO": "above",
    "BELOW_ZERO": "below",
    "NOT_APART": "around",
}


def _sided(left, text, reading):
    """Read on which side of zero the interval of a difference lies."""
    found = []
    for clause in re.split(r" ; ", text):
        words = [word for word in re.findall(r"[A-Z_0-9]+", clause) if word in _SIDES]
        if not words:
            continue
        found += _sides_in(clause, words, text, reading)
    return found, re.sub(rf"\b(?:{'|'.join(_SIDES)}|CI|GAP|ALL|{SCORE}|{SCOPE})\b", " ", left) if found else left


def _sides_in(clause, words, text, reading):
    others = [token for token in text.split() if token in BASELINES]
    table = [GAPS[other] for other in dict.fromkeys(others)] or [GAPS["audit"]]
    pieces = re.split(rf"\b({'|'.join(_SIDES)})\b", clause)
    found, scores = [], []
    if (
        len({_SIDES[word] for word in words}) > 1
    ):  # "lies above zero for F1 and includes zero for AUROC": each side before its scores
        for side, piece in zip(pieces[1::2], pieces[2::2], strict=True):
            found += _sides_of(_SIDES[side], _sided_of(piece.split())[0], table, reading)
        return found
    scores = _sided_of(clause.split())[0] or reading.scores or _sided_of(text.split())[0]
    return _sides_of(_SIDES[words[0]], list(dict.fromkeys(scores)), table, reading)


def _sides_of(side, scores, tables, reading):
    if not scores:
        raise Unclear("an interval's side without its score")
    found = []
    for table in tables:
        for score in scores:
            key = table.get(score)
            if key is None or key not in reading.facts["values"]:
                raise Unclear(f"the difference in {score}")
            ends = reading.facts["values"][key]["interval"]
            so = ends and sides(ends)
            found.append((key, side, "apart" if side == "apart" and so in ("above", "below") else so))
    return found
