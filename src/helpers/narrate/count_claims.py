"""What a sentence claims of counts: samples found and missed, whole seizures, false alarms, folds, splits."""

import re

from helpers.narrate.lexicon import NUMBER, agrees

CLASS = "SEIZ|OTHER|SEIZURES|SEIZURE"
VERB = "NOT_FIND|FIND|MISS|LEFT|JUDGE|MISTAKE|TAKE|LEAVE|SAW"
COUNT = r"\d+|ALL|NONE|NO"
TAIL = r"CORRECTLY|WRONGLY|ALONE|SEIZURE|NONSEIZURE"
# What a verb, with what follows it, says became of a sample; JUDGE, TAKE and MISTAKE need what follows.
OUTCOMES = {
    ("SEIZ", "FIND"): "tp",
    ("SEIZ", "CORRECTLY FIND"): "tp",
    ("SEIZ", "JUDGE CORRECTLY"): "tp",
    ("SEIZ", "JUDGE SEIZURE"): "tp",
    ("SEIZ", "MISS"): "fn",
    ("SEIZ", "NOT_FIND"): "fn",
    ("SEIZ", "JUDGE WRONGLY"): "fn",
    ("SEIZ", "JUDGE NONSEIZURE"): "fn",
    ("SEIZ", "TAKE NONSEIZURE"): "fn",
    ("SEIZ", "MISTAKE NONSEIZURE"): "fn",
    ("OTHER", "LEFT"): "tn",
    ("OTHER", "LEAVE ALONE"): "tn",
    ("OTHER", "JUDGE CORRECTLY"): "tn",
    ("OTHER", "JUDGE NONSEIZURE"): "tn",
    ("OTHER", "FIND CORRECTLY"): "tn",
    ("OTHER", "JUDGE WRONGLY"): "fp",
    ("OTHER", "JUDGE SEIZURE"): "fp",
    ("OTHER", "TAKE SEIZURE"): "fp",
    ("OTHER", "MISTAKE SEIZURE"): "fp",
    ("SEIZ", "JUDGE CORRECTLY SEIZURE"): "tp",
    ("SEIZ", "JUDGE WRONGLY NONSEIZURE"): "fn",
    ("OTHER", "JUDGE CORRECTLY NONSEIZURE"): "tn",
    ("OTHER", "CORRECTLY LEFT"): "tn",
    ("OTHER", "JUDGE WRONGLY SEIZURE"): "fp",
    ("OTHER", "TAKE WRONGLY SEIZURE"): "fp",
    ("SEIZURES", "FIND"): "events.detected",
    ("SEIZURES", "MISS"): "events.missed",
    ("SEIZURES", "NOT_FIND"): "events.missed",
}
OUTCOMES = {(kind, frozenset(said.split())): key for (kind, said), key in OUTCOMES.items()}  # in any order
TOTALS = {"SEIZ": "seizure", "OTHER": "other", "SEIZURES": "events.seizures"}
ADVERB = r"(?:CORRECTLY |WRONGLY )"
ACT = rf"(?:{ADVERB}?(?:{VERB}))"
# An outcome with its own number: "FIND 40", "345 JUDGE CORRECTLY", "8 SEIZURE" (the verb then is the one before).
_OWN = r"(?! (?:OF )?(?:\d+ )?(?:SEIZ|OTHER|SEIZURES)\b)"  # a number that is not another class's
_MANY, _TAIL = rf"(?:{COUNT}|REST)", rf"(?: (?:{TAIL}))"
OUT = rf"(?:{ACT} {_MANY}\b{_OWN}{_TAIL}?|{_MANY} {ACT}{_TAIL}?|{_MANY}{_TAIL})"
JOINT = r"(?: ?[,;] ?(?:MODEL )?| (?:MODEL )?)"


def _split(out):
    """Return an outcome's number and its verb with what follows, in one order."""
    words = out.split()
    number = next(word for word in words if re.fullmatch(rf"{COUNT}|REST", word))
    rest = [word for word in words if word != number]
    if rest and rest[0] in ("CORRECTLY", "WRONGLY") and len(rest) > 1:
        rest = rest[1:] + rest[:1] if rest[1] != "FIND" else rest
    return number, " ".join(rest)


def _value(said, whole):
    return {"ALL": whole, "NONE": 0, "NO": 0}.get(said, int(said) if said.isdigit() else None)


class Counting:
    """Holds counts of one class against the facts."""

    def __init__(self, facts, kind):
        self.values, self.kind = facts["values"], {"SEIZURE": "SEIZURES"}.get(kind, kind)
        self.total = TOTALS[self.kind]
        self.found, self.last, self.verb = [], 0, ""

    def whole(self, said):
        if said:
            self.found.append((self.total, int(said), self.values[self.total]["value"]))

    def outcome(self, number, verb):
        verb = verb if re.search(VERB, verb) else f"{self.verb} {verb}".strip()
        key = OUTCOMES.get((self.kind, frozenset(verb.split())))
        self.verb = re.search(VERB, verb).group() if re.search(VERB, verb) else ""
        whole = self.values[self.total]["value"]
        said = whole - self.last if number == "REST" else _value(number, whole)
        self.last = said
        wanted = self.values[key]["value"] if key else f"nothing that is {self.kind} {verb}"
        self.found.append((key or self.kind, said, wanted))


def _topic(match, facts, about):
    """ "53 SEIZ , MODEL FIND 40 , MISS 13": the class first, then what became of so many."""
    counting = Counting(facts, match["kind"])
    counting.whole(match["n"])
    for out in re.findall(OUT, match["outs"]):
        counting.outcome(*_split(out))
    return counting.found


def _active(match, facts, about):
    """ "MODEL FIND 40 OF 53 SEIZ , MISS 13"."""
    counting = Counting(facts, match["kind"])
    counting.whole(match["n"])
    number = match["k"]
    verb = match["act"] + (f" {match['tail']}" if match["tail"] else "")
    counting.outcome(*_split(f"{number} {verb}"))
    for out in re.findall(OUT, match["outs"] or ""):
        counting.outcome(*_split(out))
    return counting.found


_GROUPED = rf"(?P<k>{COUNT}) (?:OF )?(?:(?P<n>\d+) )?(?P<kind>{CLASS})\b"


def _one(match, facts, about):
    """ "The only seizure sample was found": there is one, and that became of it."""
    counting = Counting(facts, match["kind"])
    counting.found.append((counting.total, 1, facts["values"][counting.total]["value"]))
    act = match["act"] or match["act_"] or "nothing"
    counting.outcome("1", f"{act}{' ' + match['tail'] if match['tail'] else ''}")
    return counting.found


def _per_100(match, facts, about):
    key = {"SEIZ": "per_100.found", "OTHER": "per_100.mistaken"}[match["kind"]]
    verbs = {"SEIZ": ("FIND",), "OTHER": ("TAKE", "MISTAKE")}[match["kind"]]
    known = facts["values"][key]
    yield (
        key,
        match["verb"] or match["verb_"],
        (match["verb"] or match["verb_"]) if (match["verb"] or match["verb_"]) in verbs else verbs[0],
    )
    yield key, match["k"] or match["k_"], known["printed"]
    inside = re.search(r"\( (\d+) TO (\d+) \) (?:FIND|TAKE|MISTAKE)", match[0])
    if inside:
        yield key, inside.groups(), tuple((known["interval"] or {"low": None, "high": None}).values())
    low, high = match["low"] or match["low_"], match["high"] or match["high_"]
    if low:
        ends = known["interval"] or {"low": None, "high": None}
        yield key, (low, high), (ends["low"], ends["high"])


def _interval(tail=""):
    return rf"(?:(?: ,)?(?: NAME)?(?: \()?(?: CI)? (?P<low{tail}>{NUMBER}) TO (?P<high{tail}>{NUMBER})(?: \))?)?"


def _early(match, facts, about):
    values, said = facts["values"], match.groupdict()
    missed, early = values["fn"]["value"], values["errors.early"]["value"]
    k, whole = said.get("k"), said.get("n")
    if said.get("k_"):
        k, whole = said["k_"], k or whole
    if whole and whole.isdigit():
        yield "fn", int(whole), missed
    if said.get("only"):
        yield "fn", 1, missed
        yield "errors.early", int(match["early"] == "EARLY"), early
    else:
        yield "errors.early", _value(k or "ALL", missed), early


def _none(match, facts, about):
    key = TOTALS[{"SEIZURE": "SEIZURES"}.get(match["kind"], match["kind"])]
    yield key, 0, facts["values"][key]["value"]


def _total(match, facts, about):
    kind = {"SEIZURE": "SEIZURES"}.get(match["kind"], match["kind"])
    yield TOTALS[kind], int(match["k"]), facts["values"][TOTALS[kind]]["value"]


def counted(key):
    """Return a reader of one count, in the group ``k``."""

    def prove(match, facts, about):
        known = facts["values"][key]["value"]
        k = match["k"] or match.groupdict().get("k_")
        said = {"NO": 0, "NONE": 0, "ALL": None}.get(k, k)
        yield key, int(said) if said is not None else "all", known

    return prove


def _span(key):
    """Return a reader of a number that all folds share ("4"), or of the least and the most ("3 TO 5")."""

    def prove(match, facts, about):
        values = facts["values"]
        yield f"{key}.fewest", match["k"], values[f"{key}.fewest"]["printed"]
        yield f"{key}.most", match["most"] or match["k"], values[f"{key}.most"]["printed"]

    return prove


def _thresholds(match, facts, about):
    yield "folds.lowest", match["low"], facts["values"]["folds.lowest"]["printed"]
    yield "folds.highest", match["high"], facts["values"]["folds.highest"]["printed"]


def _shared(match, facts, about):
    tested = facts["values"]["audit.tested"]["value"]
    if whole := match["n"] or match["n_"]:
        yield "audit.tested", int(whole), tested
    if re.search("HELDOUT|WEIGHTED", match.string):
        yield "audit.shared", "on held-out recordings", "under the random split"
    yield "audit.shared", _value(match["k"] or match["k_"] or "ALL", tested), facts["values"]["audit.shared"]["value"]


def _duration(match, facts, about):
    known = facts["values"]["duration"]
    yield "duration", (match["k"], match["unit"].lower().rstrip("s")), (known["printed"], known["unit"].rstrip("s"))


def _rate(match, facts, about):
    known, said = facts["values"]["sensitivity"], match["k"] or match["k_"]
    yield "sensitivity", said, said if agrees(said, known["printed"], known["value"]) else known["printed"]


def _accuracy(match, facts, about):
    known = facts["values"]["accuracy"]
    yield "accuracy", "CORRECTLY" in match[0], True
    yield (
        "accuracy",
        match["k"],
        match["k"] if agrees(match["k"], known["printed"], known["value"]) else known["printed"],
    )


def _extreme(match, facts, about):
    key = {"HIGHEST": "folds.highest", "lowest": "folds.lowest"}[match["end"]]
    yield key, match["k"], facts["values"][key]["printed"]


def _frame(match, facts, about):
    yield "frame_s", match["k"] or match["k_"], facts["values"]["frame_s"]["printed"]


def _oftener(match, facts, about):
    values = facts["values"]
    rates = [values[name]["printed"] for name in ("sensitivity", "specificity")]
    wanted = None if None in rates or rates[0] == rates[1] else "SEIZ" if float(rates[0]) < float(rates[1]) else "OTHER"
    yield "sensitivity and specificity", (match["a"], match["a"] != match["b"]), (wanted, True)


READERS = [
    (
        rf"(?<!OF )(?:ALL )?100 (?P<kind>SEIZ|OTHER)(?: ,)?(?: MODEL)?(?: (?P<verb>FIND|TAKE|MISTAKE|MISS"
        rf"|LEFT)(?: ABOUT)? (?P<k>\d+)(?: SEIZURE)?{_interval()}"
        rf"| (?:ABOUT )?(?P<k_>\d+)(?: \( \d+ TO \d+ \))? (?P<verb_>FIND|TAKE|MISTAKE|MISS"
        rf"|LEFT)(?: SEIZURE)?{_interval('_')})(?: SEIZURE)?(?! , (?:\d+ )?MISS)",
        _per_100,
    ),
    (
        r"(?P<k>\d+)(?: in| OF)? 100 (?P<kind>SEIZ|OTHER) (?P<verb>FIND|TAKE|MISTAKE|MISS"
        r"|LEFT)(?: SEIZURE)?(?P<low>)(?P<high>)"
        r"(?P<k_>)(?P<verb_>)(?P<low_>)(?P<high_>)",
        _per_100,
    ),
    (r"(?:MODEL )?FIND (?P<k>[\d.]+PCT) SEIZ|(?P<k_>[\d.]+PCT) SEIZ FIND", _rate),
    (
        r"(?:MODEL )?(?:CORRECTLY )?JUDGE (?:CORRECTLY )?(?P<k>[\d.]+PCT) (?:ALL )?(?:SAMPLES|SINGLE)(?: CORRECTLY)?",
        _accuracy,
    ),
    (r"(?P<k>[\d.]+PCT) (?:ALL )?(?:SAMPLES|SINGLE) (?:CORRECTLY JUDGE|JUDGE CORRECTLY)", _accuracy),
    (rf"(?P<end>HIGHEST|lowest) (?:FOLD_THRESHOLDS|THRESHOLD) (?P<k>{NUMBER})", _extreme),
    (r"ALL (?P<n>\d+)(?P<k>) EARLY\b", _early),
    (r"ONLY (?P<only>MISS) SEIZ (?P<early>EARLY_NOT|EARLY)", _early),
    (r"(?:(?P<k>\d+|ALL|NONE) )?(?:OF )?(?:(?P<n>\d+) )?MISS SEIZ(?: ,)? (?:(?P<k_>\d+|ALL|NONE) )?EARLY\b", _early),
    (r"(?P<k>\d+|ALL|NONE) (?:OF )?(?:(?P<n>\d+) )?SEIZ MISS EARLY\b", _early),
    (rf"(?:(?P<act>{ACT}) )?ONLY (?P<kind>{CLASS})\b(?: (?P<act_>{ACT}))?(?: (?P<tail>{TAIL}))?", _one),
    (
        rf"(?:MODEL )?(?!(?:MISTAKE|TAKE|JUDGE|LEAVE) \w+ SEIZURE\b)(?P<act>{ACT}) {_GROUPED}(?: (?P<tail>{TAIL}))?"
        rf"(?P<outs>(?:{JOINT}{OUT})*)",
        _active,
    ),
    (
        rf"{_GROUPED} (?:MODEL )?(?P<act>{ACT})(?: (?P<tail>{TAIL}))?(?P<outs>(?:{JOINT}{OUT})*)",
        _active,
    ),
    (rf"(?P<n>\d+) (?P<kind>{CLASS})(?P<outs>(?:{JOINT}{OUT})+)", _topic),
    (r"(?:MODEL )?(?:RAISE )?(?P<k>\d+|NO) FALSE_ALARM(?: RAISE)?", counted("events.false_alarms")),
    (r"(?P<k>\d+|NO) TRUE_POSITIVES|TRUE_POSITIVES (?P<k_>\d+)", counted("tp")),
    (r"(?P<k>\d+|NO) FALSE_POSITIVES|FALSE_POSITIVES (?P<k_>\d+)", counted("fp")),
    (r"(?P<k>\d+|NO) TRUE_NEGATIVES|TRUE_NEGATIVES (?P<k_>\d+)", counted("tn")),
    (r"(?P<k>\d+|NO) FALSE_NEGATIVES|FALSE_NEGATIVES (?P<k_>\d+)", counted("fn")),
    (r"(?P<k>\d+) RANDOM(?= ,|$)", counted("audit.splits")),
    (
        r"(?:RANDOM ,? ?)?(?P<k>\d+|ALL|NONE) (?:OF )?(?:(?P<n>\d+) )?TEST_SAMPLES(?: RANDOM)? SHARE_EEG"
        r"|(?P<n_>\d+) TEST_SAMPLES(?: RANDOM)? , (?P<k_>\d+|ALL|NONE) SHARE_EEG",
        _shared,
    ),
    (r"(?P<k>\d+)(?: TO (?P<most>\d+))? NETWORKS DECIDE_TOGETHER", _span("networks")),
    (r"(?:ALL )?(?:OF )?(?P<k>\d+) FOLDS", counted("folds.number")),
    (r"(?P<k>\d+) RECORDINGS", counted("folds.recordings")),
    (rf"(?:(?:ALL )?FOLDS ,? ?)?FOLD_THRESHOLDS (?P<low>{NUMBER}) TO (?P<high>{NUMBER})", _thresholds),
    (r"ALARMS (?:ABOVE )?(?P<k>\d+)(?: TO (?P<most>\d+))? FRAMES", _span("frames")),
    (
        r"(?:ALL )?(?:SAMPLES )*3 (?P<k>\d+)-s FRAMES"
        r"|(?:ALL )?(?:SAMPLES )*(?:3 )?FRAMES (?P<k_>\d+) s(?: ALL)?(?: , (?:JUDGE )?T012)?",
        _frame,
    ),
    (r"(?P<a>SEIZ|OTHER) OFTENER THAN (?P<b>SEIZ|OTHER)", _oftener),
    (rf"(?P<k>{NUMBER}) (?P<unit>MINUTES|HOURS)", _duration),
    (r"NO (?P<kind>SEIZ|OTHER|SEIZURES|SEIZURE)\b", _none),
    (r"(?P<k>\d+) SAMPLES", counted("n")),
    (rf"(?P<k>\d+) (?P<kind>{CLASS})\b", _total),
]
READERS = [(rf"(?<![\w.#−-])(?:{pattern})(?![\w#])", prove) for pattern, prove in READERS]
