"""A second reader of narratives: it holds each sentence against the facts, and trusts none that it cannot read.

It was written from the facts and from examples of sentences alone, without a look at the program's own checker, so
that the two do not share their mistakes. A sentence is cut into clauses; each must be read whole by one of the forms
below, which holds everything that it says against the facts. Words that no form expects are a problem.
"""

import re
from dataclasses import dataclass, field

CLAUSES, LEADS, HEADINGS = [], [], []  # (places, pattern, function), filled by the decorators below
WORDS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
COUNTS = {word: value for value, word in enumerate(WORDS)} | {"none": 0, "zero": 0, "a single": 1, "a": 1, "an": 1}
METHODS = {"Grad-CAM": "gradcam", "Grad-CAM++": "gradcampp", "IG": "ig"}
RIVALS = {"logistic regression": "logistic", "random forest": "forest"}
SCORES = {  # where each score stands in the facts
    "accuracy": "accuracy",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "F1": "f1",
    "weighted F1": "weighted_f1",
    "event sensitivity": "events.sensitivity",
    "event precision": "events.precision",
    "event F1": "events.f1",
    "AUROC": "ranking.auroc",
    "AUPRC": "ranking.auprc",
}
GAPS = ("f1", "accuracy", "auroc")  # in which the splits are held against each other
MERGED = "90"  # s: SzCORE joins alarms that are closer; a constant of its rules, in no study's facts
LIMITS = {"random weights": ("below", "0.20"), "stability": ("at least", "0.70")}  # of a correlation that passes
JOINER = re.compile(r",? and |,? but |,? while |,? whereas |; |: |, ")


def _any_of(words):
    return "(?:" + "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)) + ")"


def _list_of(item):
    return rf"{item}(?:(?:, and | and |, ){item})*"


N = rf"(?:\d+|{_any_of(COUNTS)}(?!\w))"
X = r"[−-]?\d+(?:\.\d+)?"
UNDEFINED = r"(?:undefined|not defined|unknown|not known)"
METHOD = r"(?:Grad-CAM\+\+|Grad-CAM(?!\+)|IG)"
BAND = r"\w+ \([\w -]+\)"
SCORE = _any_of(SCORES)
ALL_STEPS = r"(?:all|the) (?:three|3)(?: time)? steps|(?:every|each|any) step"
SLOTS = {
    "any": r".+?",
    "n": N,
    "x": X,
    "q": (  # a quantity
        rf"(?:all(?: of)?(?: the| its| their)?(?: {N})?|both(?: of)?(?: the| its)?|"
        rf"every one of(?: the| its| their)? {N}|none(?: of(?: the| its| their)?(?: {N})?)?|"
        rf"{N} of(?: the| its| their| all)? {N}|"
        rf"(?:the|its) (?:one|only|single)(?: one)?|{N})"
    ),
    "value": rf"(?:{X}|{UNDEFINED})",
    "ci": rf"(?: \((?:95 % )?interval {X} to {X}\))?",
    "duration": rf"{X} (?:minutes?|hours?)",
    "method": METHOD,
    "methods": (
        r"(?:(?:all|the) (?:three|3) methods|all methods|(?:every|each|no) method|"
        r"none of the (?:(?:three|3) )?methods|"
        rf"neither {METHOD} nor {METHOD}|(?:both )?{_list_of(METHOD)})"
    ),
    "steps": rf"(?:{ALL_STEPS}|{_list_of(r't[0-9]')})",
    "band": BAND,
    "bands": rf"(?:(?:all|the) (?:{N} )?bands|(?:every|each|no) band|{_list_of(BAND)})",
    "samples": rf"(?:(?:all|the) (?:{N} )?[Ss]amples|(?:every|each|no) [Ss]ample|[Ss]amples? {_list_of('[0-9]+')})",
    "score": SCORE,
    "scores": rf"(?:all (?:three|3)(?: scores)?|each(?: score)?|{_list_of(SCORE)})",
    "class": r"(?:non-)?seizure",
    "thing": r"(?:sample|spectrogram|triptych)",
    "found": r"(?:found|detected|recogni[sz]ed|identified|caught)",
    "missed": r"(?:missed|overlooked)",
    "judged": r"(?:judged|classified|labell?ed|decided|called)",
}


class NotUnderstood(Exception):
    """A form met words that it cannot read: it is not the right form for them."""


@dataclass
class Known:
    """What a clause is read with: the facts, what the sentence is about, and what its earlier clauses set."""

    facts: dict
    about: object
    topic: dict = field(default_factory=dict)

    def printed(self, key):
        """Return the printed form of a value; None if it is undefined."""
        return self.facts["values"][key]["printed"]

    def number(self, key):
        """Return a value as a reader sees it, None if it is undefined."""
        return number(self.printed(key))

    def interval(self, key):
        """Return the printed ends of a value's interval, or None."""
        ends = self.facts["values"][key]["interval"]
        return ends and (ends["low"], ends["high"])

    def side(self, key):
        """Return the side of zero on which a value's interval lies, None if it has none."""
        if not self.interval(key):
            return None
        low, high = map(number, self.interval(key))
        return "above" if low > 0 else "below" if high < 0 else "around"

    def sample(self):
        """Return the sample that the sentence is about."""
        return next(s for s in self.facts["samples"] + self.facts["errors"] if s["sample"] == self.about)

    def need(self, name):
        """Return what an earlier clause set; without it, the clause is not understood."""
        if name not in self.topic:
            raise NotUnderstood(name)
        return self.topic[name]


def problems(sentence, about, facts):
    """Tell what is wrong with one sentence of a narrative.

    Parameters
    ----------
    sentence : str
    about : int, str or None
        The number of the sample it is about; the group ("1": predicted seizure, "0": the others); "found" or "left"
        (see ``facts["overall"]``); the name of a test of the explanations; or None.
    facts : dict
        As `facts.build` gives them.

    Returns
    -------
    list of str
        What is false, unproven or not understood; empty if the sentence is true.
    """
    known = Known(facts, about)
    if _place(known) is None:
        return [f"not understood: a sentence about {about!r}"]
    if sentence != sentence.strip() or not sentence.endswith((".", ":", ".)")):
        return [f"not understood: the form of {sentence!r}"]
    text = sentence[:-2] + ")" if sentence.endswith(".)") else sentence[:-1]
    headed = re.fullmatch(r"\*\*([^*]+):\*\* (.+)", text)
    if headed:
        return _under_heading(headed[1], headed[2], known)
    named = re.fullmatch(r"\*\*([^*]+)\*\* (.+)", text)
    return _read(f"{named[1]} {named[2]}" if named and _place(known) == "test" else text, known)


def number(text):
    """Return the number that a printed form stands for; None for None."""
    return None if text is None else float(text.replace("−", "-"))


def _place(known):
    """Return the kind of thing that a sentence is about."""
    about, facts = known.about, known.facts
    if about is None:
        return "study"
    if isinstance(about, int):
        return "sample" if any(s["sample"] == about for s in facts["samples"] + facts["errors"]) else None
    kinds = {"group": facts["groups"], "overall": facts["overall"], "test": facts["tests"]}
    return next((kind for kind, names in kinds.items() if about in names), None)


# --- the machinery: forms of clauses, of their leads and of headings ---


def _compiled(pattern):
    """Return a pattern with its slots ({name} or {name=slot}) as named groups."""

    def group(slot):
        return f"(?P<{slot[1]}>{SLOTS[slot[2] or slot[1]]})"

    return re.compile(re.sub(r"\{(\w+)(?:=(\w+))?\}", group, pattern), re.ASCII)


def _registrar(table):
    def registered(places, *patterns):
        """Register a function as the reader of what one of `patterns` matches, about some kinds of things."""

        def keep(function):
            table.extend((places.split(), _compiled(pattern), function) for pattern in patterns)
            return function

        return keep

    return registered


clause, lead, heading = _registrar(CLAUSES), _registrar(LEADS), _registrar(HEADINGS)


def _read(text, known):
    """Return the problems of a text of one clause or several, by its most favourable reading."""
    readings = [found for found, _ in _tried(CLAUSES, text, known)]
    readings += [found + _read(rest, after) for found, rest, after in _led(text, known)]
    for joiner in JOINER.finditer(text):
        left, right = text[: joiner.start()], text[joiner.end() :]
        readings += [found + _read(right, after) for found, after in _tried(CLAUSES, left, known)]
    return min(readings, key=len, default=[f"not understood: {text}"])


def _cased(text):
    """Return a text, and it with a small first letter: patterns are written as within a sentence."""
    return {text, text[:1].lower() + text[1:]}


def _tried(table, text, known):
    """Yield each reading of a whole text by a table's forms: its problems, and what is known after it."""
    for places, pattern, function in table:
        for match in filter(None, map(pattern.fullmatch, _cased(text))):
            if _place(known) in places:
                yield from _applied(function, match, known)


def _led(text, known):
    """Yield each reading of the lead of a text: its problems, the rest of the text, and what is known after it."""
    for places, pattern, function in LEADS:
        for match in filter(None, map(pattern.match, _cased(text))):
            if _place(known) in places and match.end() < len(text):
                for found, after in _applied(function, match, known):
                    yield found, text[match.end() :], after


def _applied(function, match, known):
    after = Known(known.facts, known.about, dict(known.topic))
    try:
        yield function(after, match.groupdict()), after
    except NotUnderstood:
        return


def _under_heading(head, text, known):
    """Return the problems of a heading and of what stands under it."""
    readings = []
    for found, after in _tried(HEADINGS, head, known):
        below = after.topic.pop("below", _read)
        readings.append(found + below(text, after))
    return min(readings, key=len, default=[f"not understood: the heading {head!r}"])


def _pieces(text, pattern, joiner=JOINER):
    """Return the matches of a pattern that make up a text, with joiners between them.

    Raises
    ------
    NotUnderstood
        If anything else stands in it.
    """
    found, at = [], 0
    while True:
        piece = pattern.match(text, at)
        if not piece or not piece[0]:
            raise NotUnderstood(text[at:])
        found.append(piece)
        if piece.end() == len(text):
            return found
        gap = joiner.match(text, piece.end())
        if not gap:
            raise NotUnderstood(text[piece.end() :])
        at = gap.end()


# --- readers of small parts ---


def _held(true, text):
    """Return a problem, unless something is true."""
    return [] if true else [text]


def _count(text):
    """Return a count said in figures or in a word."""
    if text not in COUNTS and str(int(text)) != text:
        raise NotUnderstood(text)
    return COUNTS[text] if text in COUNTS else int(text)


def _quantity(text):
    """Return the part and the whole of words such as "3 of the 5", "all 5", "none of the 5" and "2".

    The whole is None if it is not said; the part of a bare "all" is the word itself.
    """
    numbers = [_count(said) for said in re.findall(rf"(?<!\w){N}", text)]
    if text.startswith("all"):
        return (numbers[-1], numbers[-1]) if numbers else ("all", None)
    if text.startswith("every"):  # "every one of the 3": the one is no number
        return numbers[-1], numbers[-1]
    if text.startswith("both"):
        return 2, 2
    if re.match(r"(?:the|its) ", text):
        return 1, 1
    return numbers[0], numbers[1] if len(numbers) > 1 else None


def _held_quantity(text, part, whole, what):
    """Return the problems of a quantity, where `part` of `whole` is true; "all of" nothing is no truth."""
    if None in (part, whole):
        return [f"{what}: {text!r}, and it is undefined"]
    said, of = _quantity(text)
    true = (said == "all" and part == whole or said == part) and (part > 0 or not text.startswith(("all", "every")))
    found = _held(true, f"{what}: {text!r}, and it is {part} of {whole}")
    return found + _held(of in (None, whole), f"{what}: {text!r}, and there are {whole}")


def _held_count(text, value, what):
    """Return the problem of a count, if any."""
    return _held(_count(text) == value, f"{what}: {text}, and it is {value}")


def _held_value(text, key, known):
    """Return the problem of a value in its printed form, if any."""
    said = None if re.fullmatch(UNDEFINED, text) else text
    return _held(said == known.printed(key), f"{key}: {text}, and it is {known.printed(key)}")


def _held_interval(text, key, known):
    """Return the problem of an interval in brackets, if any; an empty text says nothing."""
    ends = known.interval(key)
    true = not text or ends and re.search(r"interval (.+)\)", text)[1] == " to ".join(ends)
    return _held(true, f"{key}: interval {text}, and it is {ends}")


def _held_set(said, names, what):
    """Return the problem of a set of names, which must be complete and name none twice."""
    return _held(sorted(map(str, said)) == sorted(map(str, names)), f"{what}: {said}, and it is {names}")


def _is_name(said, name):
    """Tell whether a name is said as it is, or with Markdown's marks in it escaped."""
    return name in (said, re.sub(r"\\([^\w\s])", r"\1", said))


def _is_recording(said, name):
    return _is_name(said, name) or said.startswith("recording ") and _is_name(said.removeprefix("recording "), name)


def _methods(text):
    """Return the keys of the methods named, and whether the words deny what follows ("none of the methods")."""
    named = [METHODS[name] for name in re.findall(METHOD, text)]
    pair = text.startswith(("both ", "neither "))
    if len(set(named)) != len(named) or pair and len(named) != 2:
        raise NotUnderstood(text)
    return named or list(METHODS.values()), text.startswith(("no ", "none ", "neither "))


def _only_methods(text):
    """Return the keys of the methods named, where nothing may be denied."""
    named, denied = _methods(text)
    if denied:
        raise NotUnderstood(text)
    return named


def _steps(text, known):
    """Return the numbers of the steps named."""
    named = re.findall(r"t[0-9](?!\w)", text)
    if set(named) - set(known.facts["steps"]) or len(set(named)) != len(named):
        raise NotUnderstood(text)
    return [known.facts["steps"].index(name) for name in named] or list(range(len(known.facts["steps"])))


def _band(text, known):
    """Return the key of a band said in its printed form."""
    key = next((key for key, band in known.facts["bands"].items() if band["printed"] == text), None)
    return key or f"no such band: {text}"


def _bands(text, known):
    """Return the keys of the bands named, as "B1 (delta) and B2 (theta)", "all five bands" or "no band"."""
    every, named = list(known.facts["bands"]), re.findall(BAND, text)
    if named:
        return [_band(name, known) for name in named]
    if text == "no band":
        return []
    return every if _of_size(text, len(every)) else [text]


def _of_size(text, size):
    """Tell whether words such as "all five bands" name the right number, or none."""
    said = re.match(rf"(?:all|the) (?:({N}) )?", text)
    return not said or not said[1] or _count(said[1]) == size


def _samples(text, known):
    """Return the numbers of the samples named, as "Samples 1 and 2", "all four samples", "every sample" or "none"."""
    every = [sample["sample"] for sample in known.facts["samples"]]
    if re.match(r"[Ss]amples? \d", text):
        return [int(figure) for figure in re.findall(r"\d+", text)]
    if text.startswith("no "):
        return []
    return every if _of_size(text, len(every)) else [text]


def _key(name, prefix=""):
    """Return the key of a score by its name; with a prefix, of one that belongs to a part of the study."""
    key = SCORES[name]
    return f"{prefix}{key.split('.')[-1]}" if prefix else key


def _names(text, known):
    """Return the names of scores; "all three" are those of the gaps."""
    named = re.findall(SCORE, text)
    return named or [name for name, key in SCORES.items() if key.split(".")[-1] in GAPS and "event" not in key]


SCORED = re.compile(
    rf"(?:an? |the |its )?(?P<names>{_list_of(SCORE)})(?: (?:is|are|of|was|were|at))? "
    rf"(?P<value>{SLOTS['value']})(?P<ci>{SLOTS['ci']})"
)


def _held_scores(text, known, prefix="", allowed=None):
    """Hold a list of scores against the facts, as "F1 is 0.9, accuracy 0.8 and AUROC 0.7", and keep their names."""
    found, names = [], []
    for piece in _pieces(text, SCORED):
        for name in re.findall(SCORE, piece["names"]):
            key = _key(name, prefix)
            if key not in known.facts["values"] or allowed and name not in allowed:
                raise NotUnderstood(name)
            names.append(name)
            found += _held_value(piece["value"], key, known) + _held_interval(piece["ci"], key, known)
    known.topic["names"], known.topic["scope"] = names, prefix
    return found + _held(len(set(names)) == len(names), f"a score stands twice: {text}")


# --- leads: words before a clause, which may claim something too ---


@lead(
    "study sample group overall test",
    r"(?:overall|in summary|in short|to sum up|in conclusion|in plain words|put plainly|in other words|in all|"
    r"over all tests|altogether), ",
)
def _plain_lead(known, said):
    return []


@lead("study", r"to (?:see|understand|show) how the model (?:decides|reaches its decisions), ")
def _aim(known, said):
    return []


@lead("sample", r"(?:for|in) this {class} prediction, ")
def _prediction(known, said):
    return _held(known.sample()["pred"] == _label(said["class"]), f"the prediction is not {said['class']}")


def _label(text):
    return int(text.lower() == "seizure")


@lead(
    "study",
    r"counted as (?:events|whole seizures)(?: by the rules of SzCORE, which join alarms less than {x} s apart)?, ",
)
def _counted(known, said):
    known.topic["events"] = True
    return _held(said["x"] in (None, MERGED), f"alarms are joined at {said['x']} s")


@lead("study", r"(?:by|in) {score}, ")
def _by_score(known, said):
    known.topic["score"] = said["score"]
    return []


# --- the opening ---


@clause(
    "study",
    r"this report (?:describes|presents|summari[sz]es) the (?:results|performance) of a model that "
    r"(?:classifies|labels) EEG spectrograms of patient {any} as (?:either )?containing seizure activity or not",
)
def _subject(known, said):
    return _held(_is_name(said["any"], known.facts["patient"]), f"patient {said['any']}")


@clause(
    "study",
    r"patient {any} is simulated",
    r"the recordings are simulated",
    r"a program made (?:the recordings|them)",
    r"they hold no person's EEG",
    r"no person's EEG is in them",
)
def _simulated(known, said):
    name = said.get("any")
    found = _held(known.facts["simulated"], "the recordings are not simulated")
    return found + _held(name is None or _is_name(name, known.facts["patient"]), f"patient {name}")


@clause(
    "study", r"patient {any} is not simulated", r"the recordings are (?:real|not simulated)", r"they are of a person"
)
def _real(known, said):
    name = said.get("any")
    found = _held(not known.facts["simulated"], "the recordings are simulated")
    return found + _held(name is None or _is_name(name, known.facts["patient"]), f"patient {name}")


@clause("study", r"the model was tested (?:by leaving recordings out|on recordings left out of its training)")
def _left_out(known, said):
    return []


@clause(
    "study",
    r"in (?:each of |each of the |all |the |its |a )?(?:{n} )?folds?, the held-out recordings? "
    r"(?:served neither for training nor for choosing the threshold|"
    r"took no part in (?:the )?training or in the choice of (?:the )?threshold)",
    r"in (?P<only>the only|the one|the single) fold, the held-out recordings? "
    r"(?:served neither for training nor for choosing the threshold|"
    r"took no part in (?:the )?training or in the choice of (?:the )?threshold)",
)
def _folds(known, said):
    number_said = "one" if said.get("only") else said["n"]
    return _held_count(number_said, known.number("folds.number"), "folds") if number_said else []


@clause(
    "study",
    r"(?:within|in) (?:a|each|every|the|its|the one) fold, {n}(?: to {m=n})? networks? decides?(?: together)?"
    r"(?:, by the (?:average|mean) of their log-odds| alone)?",
)
def _networks(known, said):
    return _held_range(said, "networks", known)


def _held_range(said, what, known):
    """Return the problems of a number from the fewest to the most of something; one number says that all have it."""
    fewest, most = known.number(f"{what}.fewest"), known.number(f"{what}.most")
    return _held_count(said["n"], fewest, what) + _held_count(said["m"] or said["n"], most, what)


@clause(
    "study",
    r"the (?:figures|results)(?: here)? (?:pool|combine|put together) (?:all|the) (?:{n} )?folds",
    r"the (?:figures|results)(?: here)? (?:come from|are of) (?:the one|one|a single) fold",
)
def _pooled(known, said):
    folds = known.number("folds.number")
    one = "n" not in said
    known.topic["pooled"] = True
    return _held(
        (folds == 1) == one and (one or not said["n"] or _count(said["n"]) == folds), f"there are {folds} folds"
    )


@clause("study", r"the (?:figures|results)(?: here)? (?:come from|rest on|are of) {n} samples?")
def _come_from(known, said):
    known.topic["pooled"] = True
    return _held_count(said["n"], known.number("n"), "samples")


@clause("study", r"{n} samples?", r"(?:taken |drawn )?throughout {recordings=n} held-out recordings?")
def _all_samples(known, said):
    known.need("pooled")
    if said.get("n"):
        return _held_count(said["n"], known.number("n"), "samples")
    return _held_count(said["recordings"], known.number("folds.recordings"), "recordings held out")


# --- the performance by samples ---


@clause(
    "study",
    r"(?:on the held-out recordings, )?the model (?:achieved|reached)(?:, on the held-out recordings,)? "
    r"the following (?:performance metrics|results|values)",
)
def _lead_in(known, said):
    return []


MEANINGS = {  # what the scores mean
    "accuracy": r"(?:share|proportion) of all samples that the model {judged} correctly",
    "sensitivity": r"(?:share|proportion) of seizure samples that the model {found}",
    "specificity": r"(?:share|proportion) of non-seizure samples that the model {judged} non-seizure",
    "f1": r"harmonic mean of precision and sensitivity, (?:for seizure samples|taken for the seizure class)",
    "weighted_f1": r"mean of (?:both classes' F1|the F1 of both classes), weighted by their numbers of samples",
    "threshold": r"(?:median over folds of the )?probability from which a sample (?:counts as|is called) seizure",
}
METRIC_NAMES = {name[0].upper() + name[1:]: key for name, key in SCORES.items() if key in MEANINGS}
METRIC_NAMES["Best threshold"] = "threshold"


@heading("study", rf"(?P<name>{_any_of(METRIC_NAMES)})")
def _metric(known, said):
    known.topic["metric"] = METRIC_NAMES[said["name"]]
    known.topic["below"] = _metric_said
    return []


def _metric_said(text, known):
    """Return the problems of what stands beside a metric's name: its value, what it means, interval or reason."""
    key = known.topic["metric"]
    said = _compiled(r"{value}(?: \({first=any}\))?(?: \({any}\))?").fullmatch(_small(text))
    if not said:
        return [f"not understood: {text}"]
    found = _held_value(said["value"], key, known)
    for bracket in filter(None, (said["first"], said["any"])):
        parts = [bracket] if bracket == known.facts["undefined"].get(key) else bracket.split("; ")
        found += [problem for part in parts for problem in _metric_part(part, key, known)]
    return found


def _small(text):
    """Return a text in which a bracket opens with a small letter."""
    return re.sub(r"\(This ", "(this ", text[:1].lower() + text[1:])


def _metric_part(part, key, known):
    """Return the problems of one part of the words in brackets beside a metric."""
    if _compiled(rf"(?:this (?:is|indicates|means) )?(?:the )?{MEANINGS[key]}").fullmatch(part):
        return []
    if re.match(r"(?:95 % )?interval ", part):
        return _held_interval(f" ({part})", key, known)
    if re.fullmatch(r"(?:no|without an?) (?:95 % )?interval", part):
        return _held(known.interval(key) is None, f"{key} has an interval")
    reason = known.facts["undefined"].get(key)
    if reason and part in (reason, f"undefined: {reason}"):
        return []
    if key == "threshold" and part == "no fold has one":
        return _held(known.printed("folds.lowest") is None, "a fold has a threshold")
    return _read(part, known)


@clause(
    "study",
    r"(?:the model|it) {found} {q} seizure samples?",
    r"(?:the model|it) {found} {q} seizure samples? and {missed} {rest=q}(?: of them)?",
    r"of the {whole=n} seizure samples?, (?:the model|it) {found} {q}(?: of them)?(?: and {missed} {rest=q})?",
    r"(?:the model|it) {missed} {rest=q} seizure samples?",
    r"of the {whole=n} seizure samples?, (?:the model|it) {missed} {rest=q}(?: of them)?",
    r"{found} {q} seizure samples?",
    r"{missed} {rest=q} seizure samples?",
)
def _found_missed(known, said):
    whole, found = known.number("seizure"), []
    if said.get("q"):
        found += _held_quantity(said["q"], known.number("tp"), whole, "seizure samples found")
    if said.get("rest"):
        found += _held_quantity(said["rest"], known.number("fn"), whole, "seizure samples missed")
    return found + (_held_count(said["whole"], whole, "seizure samples") if said.get("whole") else [])


@clause(
    "study",
    r"of the {whole=n} non-seizure samples?, (?:the model|it) {judged} {q}(?: of them)? correctly"
    r"(?:,? and (?:{judged2=judged} )?{wrong=q}(?: of them)? as seizure)?",
    r"(?:the model|it) {judged} {q} non-seizure samples? correctly"
    r"(?:,? and (?:{judged2=judged} )?{wrong=q} as seizure)?",
    r"of the {whole=n} non-seizure samples?, (?:the model|it) (?:{judged} {wrong=q}(?: of them)? as|took {took=q} for) "
    r"seizure",
    r"(?:the model|it) (?:mistook|took) {wrong=q} non-seizure samples? for seizure",
    r"(?:mistook|took) {wrong=q} non-seizure samples? for seizure",
)
def _others(known, said):
    whole, found = known.number("other"), []
    if said.get("q"):
        found += _held_quantity(said["q"], known.number("tn"), whole, "non-seizure samples judged correctly")
    wrong = said.get("wrong") or said.get("took")
    if wrong:
        found += _held_quantity(wrong, known.number("fp"), whole, "non-seizure samples judged as seizure")
    return found + (_held_count(said["whole"], whole, "non-seizure samples") if said.get("whole") else [])


@clause(
    "study",
    r"(?:there (?:is|are)|the (?:held-out )?recordings hold) no {class} samples?",
    r"no sample is(?: labelled)? {class}",
    r"no sample was labelled {class}",
)
def _no_samples(known, said):
    key = "seizure" if said["class"] == "seizure" else "other"
    return _held(known.number(key) == 0, f"there are {known.printed(key)} {said['class']} samples")


@clause(
    "study",
    r"the (?:only|one|single) (?P<true>seizure) sample was (?:{found}|{missed})",
    r"the (?:only|one|single) {true=class} sample was {judged} (?:(?P<how>correctly|wrongly)|(?:as )?{pred=class})",
)
def _only_sample(known, said):
    counts = {
        ("seizure", True): "tp",
        ("seizure", False): "fn",
        ("non-seizure", True): "tn",
        ("non-seizure", False): "fp",
    }
    whole = known.number("seizure" if said["true"] == "seizure" else "other")
    if said.get("pred"):
        right = said["pred"] == said["true"]
    else:
        right = said.get("how") == "correctly" or bool(said.get("found"))
    found = _held(whole == 1, f"there are {whole} {said['true']} samples")
    return found + _held(known.number(counts[said["true"], right]) == 1, f"right: {right}, and that is not so")


@clause("study", r"of 100 seizure samples,? it (?:detects|finds|recogni[sz]es)(?: about)? {value}{ci}")
def _found_of_100(known, said):
    return _held_value(said["value"], "per_100.found", known) + _held_interval(said["ci"], "per_100.found", known)


@clause("study", r"of 100 non-seizure samples,? it (?:takes|mistakes)(?: about)? {value}{ci} for seizure")
def _mistaken_of_100(known, said):
    return _held_value(said["value"], "per_100.mistaken", known) + _held_interval(said["ci"], "per_100.mistaken", known)


@clause("study", r"{score} is (?P<how>higher|greater|lower|less|smaller) than {other=score}")
def _compared(known, said):
    one, other = (known.number(_key(said[name])) for name in ("score", "other"))
    if None in (one, other):
        return ["two scores are compared, of which one is undefined"]
    true = one > other if said["how"] in ("higher", "greater") else one < other
    return _held(true, f"{said['score']} ({one}) is not {said['how']} than {said['other']} ({other})")


@clause(
    "study",
    r"{score} (?:is equal to|equals|is as high as|is the same as) {other=score}",
    r"{score} and {other=score} are (?:equal|equally high|the same|as high as each other)(?:,? to four decimals)?",
)
def _equal(known, said):
    if said["score"] == said["other"]:
        raise NotUnderstood("one score is held against itself")
    one, other = (known.printed(_key(said[name])) for name in ("score", "other"))
    return _held(one is not None and one == other, f"{said['score']} ({one}) is not {said['other']} ({other})")


@clause("study", r"{score} (?:is|stays|remains) {undefined=value}")
def _undefined(known, said):
    if not re.fullmatch(UNDEFINED, said["undefined"]) or known.topic.get("scope"):
        raise NotUnderstood(said["undefined"])
    return _held_value(said["undefined"], _key(said["score"]), known)


@clause(
    "study",
    r"(?:in proportion, )?{class} samples were (?:misjudged|mistaken|wrongly judged)(?:, in proportion,)? "
    r"(?P<how>more|less) often than {other=class} samples",
    r"(?:in proportion, )?{class} samples were (?:misjudged|mistaken)(?:, in proportion,)? (?P<how>as) often as "
    r"{other=class} samples",
    r"(?:in proportion, )?(?P<both>both classes|both kinds) were (?:misjudged|mistaken) equally often",
)
def _misjudged(known, said):
    right = {"seizure": known.number("sensitivity"), "non-seizure": known.number("specificity")}
    if None in right.values():
        return ["errors of two classes are compared, of which one has no samples"]
    if said.get("both"):
        return _held(right["seizure"] == right["non-seizure"], "one class is misjudged more often")
    one, other = right[said["class"]], right[said["other"]]
    true = {"more": one < other, "less": one > other, "as": one == other}[said["how"]]
    return _held(true and said["class"] != said["other"], f"{said['class']} samples are not misjudged {said['how']}")


@clause(
    "study",
    r"(?:a rule that always answers|always answering) {class}, the (?P<rank>more|less) frequent class(?: here)?, "
    r"would (?:give|reach) an accuracy of {x}(?:, {how=any} this model's(?P<places> to four decimals)?)?",
    r"both classes are equally frequent(?: here)?, so (?:a rule that always answers|always answering) (?:one of them|"
    r"either|the same) would (?:give|reach) an accuracy of {x}"
    r"(?:, {how=any} this model's(?P<places> to four decimals)?)?",
    r"(?:a rule that always gives|always giving) the same answer would (?:give|reach) an accuracy of {x}"
    r"(?:, {how=any} this model's(?P<places> to four decimals)?)?",
)
def _always(known, said):
    frequent = known.facts["more_frequent"]
    found = _held_value(said["x"], "baseline", known)
    if said.get("class"):
        found += _held(said["class"] == frequent and said["rank"] == "more", f"more frequent is {frequent}")
    else:  # either answer is right as often: only where the classes are equally frequent
        found += _held(frequent is None, f"more frequent is {frequent}")
    if said["places"] and said["how"] not in RELATIONS["same"]:
        raise NotUnderstood(said["how"])
    return found + _held_relation(said["how"], known.number("baseline"), known.number("accuracy"))


RELATIONS = {
    "less": ("less than", "lower than", "below"),
    "more": ("more than", "higher than", "greater than", "above"),
    "same": ("the same as", "equal to", "as much as", "as high as", "just as much as"),
}


def _held_relation(words, one, other):
    """Return the problem of words that hold one number against another; None says nothing."""
    if words is None:
        return []
    kind = next((kind for kind, forms in RELATIONS.items() if words in forms), None)
    if kind is None or other is None:
        raise NotUnderstood(words)
    true = {"less": one < other, "more": one > other, "same": one == other}[kind]
    return _held(true, f"{one} is not {words} {other}")


@clause(
    "study",
    r"by (?:this report's rule|the rule of this report)(?: \({rule=any}\))?, the result is (?:graded |rated )?"
    r"(?P<word>\w+)",
    r"this report's rule (?:rates|grades) the result as (?P<word>\w+)",
    r"by (?:this report's rule|the rule of this report)(?: \({rule=any}\))?, the result (?:has no grade|is not graded|"
    r"cannot be graded)",
    r"this report's rule (?:gives no grade|does not grade the result|cannot grade the result)",
)
def _graded(known, said):
    grade = known.facts["grade"]
    known.topic["ungraded"] = bool(said.get("rule")) and not said.get("word")
    found = _held(said.get("rule") in (None, grade["rule"]), f"the rule is {grade['rule']!r}")
    return found + _held(said.get("word") == grade["word"], f"graded {said.get('word')}, and it is {grade['word']}")


@clause("study", r"(?:as|because) (?P<how>one of them is|both are) undefined")
def _ungraded(known, said):
    if not known.need("ungraded"):
        raise NotUnderstood("of what")
    missing = [name for name in ("sensitivity", "specificity") if known.printed(name) is None]
    return _held(len(missing) == (1 if said["how"].startswith("one") else 2), f"undefined are {missing}")


@clause(
    "study",
    r"alarms (?:rest on|come from|are raised from) log-odds (?:that are )?(?P<single>(?:those )?of single frames)",
    r"alarms (?:rest on|come from|are raised from) log-odds (?:that are )?averaged over {n}(?: to {m=n})? frames?",
    r"(?:alarms )?have thresholds? of their own",
)
def _alarms(known, said):
    if said.get("single"):
        return _held_range({"n": "1", "m": None}, "frames", known)
    return _held_range(said, "frames", known) if said.get("n") else []


# --- the performance by events ---


@clause(
    "study",
    r"(?:(?:the model|it) )?{found} {q} (?:whole )?seizures?(?:,? (?:with|and raised) {n} false alarms?)?",
    r"(?:(?:the model|it) )?{found} {q} (?:whole )?seizures?,? and {missed} {rest=q}(?: of them)?",
    r"(?:(?:the model|it) )?{missed} {rest=q} (?:whole )?seizures?(?:,? (?:with|and raised) {n} false alarms?)?",
)
def _seizures(known, said):
    known.topic["events"], whole, found = True, known.number("events.seizures"), []
    if said.get("q"):
        found += _held_quantity(said["q"], known.number("events.detected"), whole, "seizures detected")
    if said.get("rest"):
        found += _held_quantity(said["rest"], known.number("events.missed"), whole, "seizures missed")
    return found + (
        _held_count(said["n"], known.number("events.false_alarms"), "false alarms") if said.get("n") else []
    )


@clause(
    "study",
    r"(?:there (?:is|are|was|were)|the recordings hold|they hold) no (?:whole )?seizures?(?: to detect)?",
    r"there (?:is|was) (?P<nothing>nothing) to detect",
    r"no seizure was (?P<verb>{found})",
)
def _no_seizure(known, said):
    if said.get("nothing"):
        known.need("events")
    known.topic["events"] = True
    key = "events.detected" if said.get("verb") else "events.seizures"
    return _held(known.number(key) == 0, f"{key}: {known.printed(key)}")


@clause(
    "study",
    r"(?:with|raised|it raised|the model raised|there (?:is|are|was|were)) {n} false alarms?",
    r"{n} false alarms?",
)
def _false_alarms(known, said):
    known.need("events")
    return _held_count(said["n"], known.number("events.false_alarms"), "false alarms")


@clause("study", r"(?:a rate of|which makes|that is) {x} per 24 h{ci}")
def _rate(known, said):
    known.need("events")
    key = "events.fp_per_24h"
    return _held_value(said["x"], key, known) + _held_interval(said["ci"], key, known)


@clause("study", r"(?:reckoned|extrapolated) from {duration} of EEG")
def _reckoned(known, said):
    known.need("events")
    return _held_duration(said["duration"], known)


def _held_duration(text, known):
    """Return the problem of a duration with its unit, if any."""
    value = known.facts["values"]["duration"]
    said, unit = text.split()
    return _held(said == value["printed"] and unit.rstrip("s") == value["unit"].rstrip("s"), f"duration: {text}")


@clause("study", r"{any}")
def _event_scores(known, said):
    return _held_scores(said["any"], known, allowed=("event precision", "event F1", "event sensitivity"))


@clause(
    "study",
    r"(?:whatever the threshold|over all thresholds), {any}",
)
def _ranking(known, said):
    return _held_scores(said["any"], known, allowed=("AUROC", "AUPRC"))


@clause(
    "study",
    r"the median (?:delay|time) from (?:the onset of a seizure|a seizure's onset) to its alarm is {x} s{ci}",
)
def _delay(known, said):
    key = "events.latency"
    return _held_value(said["x"], key, known) + _held_interval(said["ci"], key, known)


@clause(
    "study",
    r"(?:it|the model) {missed} the (?:{n} )?seizures? (?:from|at) {spans=any}",
    r"missed as a whole (?:was|were) the (?:{n} )?seizures? (?:from|at) {spans=any}",
    r"the (?:{n} )?(?:missed seizures?|seizures? (?:that it )?{missed})(?: (?:is|are|was|were|lies?))?"
    r"(?: those| that)? (?:from|at) {spans=any}",
)
def _missed_seizures(known, said):
    missed = known.facts["missed_seizures"]
    found = _held_count(said["n"], len(missed), "seizures missed") if said.get("n") else []
    return found + _held_spans(said["spans"], missed)


def _held_spans(text, missed):
    """Return the problems of a list of times and recordings, which must be that of all missed seizures."""
    forms = [_span_form(seizure) for seizure in missed]
    left, at = list(forms), 0
    while left:
        form = next((form for form in left if form.match(text, at)), None)
        if form is None:
            return [f"seizures missed: {text}, and they are {missed}"]
        at = form.match(text, at).end()
        left.remove(form)
        gap = JOINER.match(text, at)
        at = gap.end() if gap and left else at
    return _held(at == len(text) and bool(forms), f"seizures missed: {text}, and they are {missed}")


def _span_form(seizure):
    name = "".join(rf"\\?{re.escape(sign)}" for sign in seizure["recording"])  # Markdown's marks may be escaped
    start, end = re.escape(seizure["start_s"]), re.escape(seizure["end_s"])
    return re.compile(rf"(?:the one )?(?:from |at )?{start} to {end} s (?:of|in) (?:recording )?{name}(?!\w)")


# --- the baselines ---

RIVAL = re.compile(rf"(?:the )?(?P<name>{_any_of(RIVALS)})(?: \((?P<x>{X})\))?")
STANDINGS = {"is ahead of": "above", "is behind": "below", "cannot be told apart from": "around"}


@clause(
    "study",
    r"(?:the model|it) (?P<standing>is ahead of|is behind|cannot be told apart from) {rivals=any}",
    r"(?P<standing>is ahead of|is behind|cannot be told apart from|ahead of|behind) {rivals=any}",
)
def _standing(known, said):
    score = known.need("score")
    side = STANDINGS.get(said["standing"]) or STANDINGS[f"is {said['standing']}"]
    rivals = _rivals(said["rivals"], score, known)
    known.topic["differences"] = [_difference(name, score) for name, _ in rivals]
    found = [problem for _, held in rivals for problem in held]
    for key in known.topic["differences"]:
        found += _held(known.side(key) == side, f"{key}: {said['standing']}, and its interval is {known.interval(key)}")
    return found


HIGHER = {"higher than": "more", "lower than": "less", "equal to": "same", "as high as": "same"}


@clause("study", rf"(?:(?:the model|it) )?(?:is )?(?P<how>equals|{_any_of(HIGHER)}) {{rivals=any}}")
def _beside_rivals(known, said):
    score, how = known.need("score"), said["how"]
    rivals, kind = _rivals(said["rivals"], score, known), HIGHER.get(how, "same")
    known.topic["differences"] = [_difference(name, score) for name, _ in rivals]
    found = [problem for _, held in rivals for problem in held]
    for name, _ in rivals:
        one, other = known.number(_key(score)), known.number(_rival_key(name, score))
        if None in (one, other):
            found.append(f"{score} is undefined of one of the two")
        else:
            found += _held_relation(RELATIONS[kind][0], one, other)
    return found


@clause("study", r"without an? (?:95 % )?interval")
def _no_interval(known, said):
    return [f"{key} has an interval" for key in known.need("differences") if known.interval(key)]


def _rivals(text, score, known):
    """Return the baselines named, each with the problems of its score in brackets."""
    if score not in ("AUPRC", "event F1"):
        raise NotUnderstood(score)
    pieces = _pieces(text, RIVAL)
    names = [RIVALS[piece["name"]] for piece in pieces]
    keys = [_rival_key(name, score) for name in names]
    if len(set(names)) != len(names):
        raise NotUnderstood(text)
    return [
        (n, _held_value(p["x"], key, known) if p["x"] else []) for n, p, key in zip(names, pieces, keys, strict=True)
    ]


def _rival_key(name, score):
    return f"baselines.{name}.{score.lower().replace(' ', '_')}"


def _difference(name, score):
    return f"baselines.{name}.ahead_{score.lower().replace(' ', '_')}"


@clause(
    "study",
    r"the (?:whole )?(?:95 % )?interval of (?P<of>each|every|either|the) difference (?:lies (?P<side>above|below)|"
    r"holds|includes) zero",
)
def _difference_side(known, said):
    keys, side = known.need("differences"), said["side"] or "around"
    found = _held((said["of"] == "the") == (len(keys) == 1), f"{said['of']} difference, and there are {len(keys)}")
    return found + [f"{key} lies {known.side(key)} zero" for key in keys if known.side(key) != side]


# --- the reference study's mix, and the random split ---


@clause(
    "study",
    r"at the (?:mix|prevalence) of the reference study, one seizure sample to two others, {any}",
    r"at the reference study's (?:mix|prevalence), one seizure sample to two others, {any}",
)
def _reference(known, said):
    return _held_scores(said["any"], known, "reference.")


@clause(
    "study",
    r"every threshold was (?:chosen|set) on recordings that were neither held out in its fold nor trained on by the "
    r"networks that scored them there",
)
def _thresholds(known, said):
    known.topic["thresholds"] = True
    return []


@clause("study", r"those for samples (?:run|range) from {x} to {y=x}", r"those for samples (?:are all|all come to) {x}")
def _threshold_range(known, said):
    known.need("thresholds")
    return _held_value(said["x"], "folds.lowest", known) + _held_value(
        said.get("y") or said["x"], "folds.highest", known
    )


@clause("study", r"(?:in|over) {n} random splits?, {q} test samples? shares? EEG with training")
def _shared(known, said):
    shared, tested = known.number("audit.shared"), known.number("audit.tested")
    found = _held_count(said["n"], known.number("audit.splits"), "random splits")
    return found + _held_quantity(said["q"], shared, tested, "test samples that share EEG")


@clause("study", r"(?:with|under) a random split, {any}", r"(?:with|under) the random split, {any}")
def _random(known, said):
    known.topic["random"] = True
    return _held_scores(said["any"], known, "audit.random.")


@clause("study", r"a random split would have (?:given|shown) {any}")
def _random_would(known, said):
    found = _held_scores(said["any"], known, "audit.random.")
    known.topic["random"] = True
    return found


@clause(
    "study",
    r"(?:on )?held-out recordings with the same share of seizure samples(?: give)?,? (?:(?:it|they) (?:is|are) )?"
    r"(?P<list>{value}{ci}(?:(?:, and | and |, ){y=value}{cj=ci})*)",
    r"where held-out recordings with the same share of seizure samples give "
    r"(?P<list>{value}{ci}(?:(?:, and | and |, ){y=value}{cj=ci})*)",
)
def _weighted(known, said):
    known.need("random")
    names, pieces = known.need("names"), _pieces(said["list"], re.compile(rf"({SLOTS['value']})({SLOTS['ci']})"))
    if len(names) != len(pieces):
        return [f"{len(pieces)} values for {len(names)} scores"]
    found = []
    for name, piece in zip(names, pieces, strict=True):
        key = _key(name, "audit.weighted.")
        found += _held_value(piece[1], key, known) + _held_interval(piece[2], key, known)
    return found


@clause("study", r"on held-out recordings with the same share of seizure samples, {any}")
def _weighted_named(known, said):
    return _held_scores(said["any"], known, "audit.weighted.")


GAP = re.compile(rf"(?P<value>{SLOTS['value']})(?P<ci>{SLOTS['ci']}) (?:in|for) (?P<name>{SCORE})")


@clause("study", r"(?:that is a|the) difference(?: is| of)? {any}")
def _gap(known, said):
    found = []
    for piece in _pieces(said["any"], GAP):
        key = _gap_key(piece["name"], known)
        found += _held_value(piece["value"], key, known) + _held_interval(piece["ci"], key, known)
    return found


def _gap_key(name, known):
    key = _key(name, "audit.gap.")
    if key not in known.facts["values"] or name.startswith(("event", "weighted")):
        raise NotUnderstood(name)
    return key


GAP_SIDE = re.compile(
    rf"(?:lies (?P<side>above|below)|(?P<holds>holds|includes)) zero for (?P<names>{SLOTS['scores']})"
)


@clause("study", r"its (?:whole )?(?:95 % )?interval {any}")
def _gap_sides(known, said):
    found = []
    for piece in _pieces(said["any"], GAP_SIDE):
        for name in _names(piece["names"], known):
            key, side = _gap_key(name, known), piece["side"] or "around"
            found += _held(known.side(key) == side, f"{key}: {side} zero, and its interval is {known.interval(key)}")
    return found


# --- the samples shown ---


@clause("study", r"{n} samples? (?:was|were) examined")
def _examined(known, said):
    known.topic["examined"] = True
    return _held_count(said["n"], len(known.facts["samples"]), "samples examined")


@clause("study", r"(?:it is |they are )?(?:{q} )?labelled {class}", r"{q} (?:of them )?labelled {class}")
def _examined_labels(known, said):
    known.need("examined")
    if said["class"] in known.topic.setdefault("labelled", ()):
        raise NotUnderstood("a class is counted twice")
    known.topic["labelled"] += (said["class"],)
    samples = known.facts["samples"]
    part = sum(sample["true"] == _label(said["class"]) for sample in samples)
    return _held_quantity(said["q"] or f"all {len(samples)}", part, len(samples), f"samples labelled {said['class']}")


@clause(
    "study",
    r"(?:the model|it) {judged} {q}(?: of them| samples?)? (?P<how>correctly|wrongly)",
    r"(?:the model|it) {judged} (?P<one>it) (?P<how>correctly|wrongly)",
    r"{q}(?: of them)? (?P<how>correctly|wrongly)",
)
def _examined_right(known, said):
    known.need("examined")
    samples = known.facts["samples"]
    part = sum(sample["correct"] == (said["how"] == "correctly") for sample in samples)
    return _held_quantity(said.get("q") or "the one", part, len(samples), f"samples judged {said['how']}")


@heading("sample", r"[Ss]ample {n} \(True: {true=any}, Predicted: {pred=any}, p_seizure={x}\)")
def _sample_head(known, said):
    sample, labels = known.sample(), known.facts["labels"]
    found = _held(said["n"] == str(sample["sample"]), f"sample {said['n']}, and it is {sample['sample']}")
    for name in ("true", "pred"):
        found += _held(said[name] == labels[str(sample[name])], f"{name} label {said[name]!r}")
    return found + _held(said["x"] == sample["p_seizure"], f"p_seizure {said['x']}, and it is {sample['p_seizure']}")


@clause(
    "sample",
    r"the model (?P<how>correctly|rightly|wrongly|mistakenly) (?:{found}|{judged}) this {thing} as "
    r"(?P<no>not )?containing seizure activity",
    r"the model (?P<how>correctly|rightly|wrongly|mistakenly) saw (?P<no>no )?seizure activity in this {thing}",
)
def _decided(known, said):
    sample = known.sample()
    found = _held(sample["pred"] == int(not said["no"]), "the other class was predicted")
    right = said["how"] in ("correctly", "rightly")
    return found + _held(sample["correct"] == right, f"{said['how']}, and that is not so")


@clause("sample", r"the model (?:{found}|{missed}) the seizure activity in this {thing}")
def _seizure_in(known, said):
    sample = known.sample()
    found = _held(sample["true"] == 1, "there is no seizure activity in it")
    return found + _held(sample["pred"] == int(bool(said["found"])), "found and missed are confused")


@clause("sample", r"it (?:covers|spans) {start=x} to {end=x} s of {name=any}")
def _covers(known, said):
    sample = known.sample()
    found = _held((said["start"], said["end"]) == (sample["start_s"], sample["end_s"]), "it covers another time")
    return found + _held(_is_recording(said["name"], sample["recording"]), f"recording {said['name']}")


@clause(
    "sample",
    r"its probability (?:is|lies) (?:exactly )?(?P<side>above|below|at) its fold's threshold of {x}",
    r"its probability (?P<equals>equals|is equal to) its fold's threshold of {x}",
)
def _beside_threshold(known, said):
    sample, side = known.sample(), said.get("side") or "at"
    found = _held(side == sample["side"], f"{side} the threshold, and it is {sample['side']}")
    return found + _held(said["x"] == sample["threshold"], f"threshold {said['x']}, and it is {sample['threshold']}")


ZERO = r"(?:(?:its|their|the) maps? (?:is|are) )?zero|no band"
PLACED = re.compile(
    rf"(?:(?P<methods>{SLOTS['methods']}) (?:(?:is|are) )?(?:strongest )?)?"
    rf"(?:(?:in )?(?P<band>{BAND})|(?P<zero>{ZERO})) (?:at (?P<steps>{SLOTS['steps']})|(?P<throughout>throughout))"
)


@clause(
    "sample",
    r"{methods} (?:is|are) strongest {any}",
    r"the strongest bands? of {methods} (?:is|are) {any}",
    r"{methods}'s strongest band is {any}",
)
def _strongest(known, said):
    methods, covered, found = _only_methods(said["methods"]), {}, []
    for piece in _pieces(said["any"], PLACED):
        methods = _only_methods(piece["methods"]) if piece["methods"] else methods
        band = _band(piece["band"], known) if piece["band"] else None
        steps = _steps(piece["steps"] or "", known)
        for method in methods:
            covered[method] = covered.get(method, []) + steps
            found += _held_bands(method, steps, band, known)
    for method, steps in covered.items():
        found += _held_cover(method, steps, known.sample()["bands"][method])
    known.topic["placed"] = covered
    return found


@clause("sample", r"at {steps}, (?P<whose>its map is|their maps are) zero")
def _zero_there(known, said):
    placed, steps = known.need("placed"), _steps(said["steps"], known)
    if (said["whose"] == "its map is") != (len(placed) == 1):
        raise NotUnderstood("whose map")
    found = []
    for method, before in placed.items():
        found += _held_bands(method, steps, None, known)
        found += _held(not set(steps) & set(before), f"{method}: a step is said twice")
    return found


def _held_bands(method, steps, band, known):
    """Return the problems of a method's strongest band at some steps; None is a map of zeros."""
    true = known.sample()["bands"][method]
    return [f"{method} at t{step}: {band}, and it is {true[step]}" for step in steps if true[step] != band]


def _held_cover(name, steps, true):
    """Return the problems of steps that are said twice or left out; those where nothing is strongest may be."""
    found = _held(len(set(steps)) == len(steps), f"{name}: a step is said twice")
    missing = [f"t{step}" for step, value in enumerate(true) if value is not None and step not in steps]
    return found + _held(not missing, f"{name}: {missing} left out")


@clause(
    "sample",
    r"the maps? of {methods} (?:is|are) zero at {steps}",
    r"{methods}'s? map is zero at {steps}",
    r"(?:the|its) map is zero at {steps}",
)
def _zero_map(known, said):
    if not said.get("methods"):
        raise NotUnderstood("whose map")
    methods = _only_methods(said["methods"])
    return [p for method in methods for p in _held_bands(method, _steps(said["steps"], known), None, known)]


NO_CHANNEL = r"no channel(?: speaks for the decision)?"
CHANNEL = re.compile(
    rf"(?:it is )?(?:(?P<none>{NO_CHANNEL})|(?P<name>.+?)) "
    rf"(?:at (?P<steps>{SLOTS['steps']})|(?P<throughout>throughout))"
)


@clause(
    "sample",
    r"(?:by IG, the|IG's) strongest channel is {any}",
    r"the strongest channel (?:of|by) IG is {any}",
    r"by IG, (?P<none>no channel speaks for the decision.*)",
)
def _strongest_channel(known, said):
    text, true = said.get("any") or said["none"], known.sample()["channels"]["ig"] or [None] * 3
    if text == "no channel speaks for the decision":
        return _held(set(true) == {None}, f"no channel speaks for the decision, and it is {true}")
    covered, found = [], []
    for piece in _pieces(text, CHANNEL):
        steps = _steps(piece["steps"] or "", known)
        covered += steps
        name = None if piece["none"] else piece["name"]
        found += [
            f"channel at t{step}: {name}, and it is {true[step]}" for step in steps if not _same(name, true[step])
        ]
    known.topic["channels"] = covered
    return found + _held_cover("channels", covered, true)


@clause("sample", r"at {steps}, no channel speaks for the decision")
def _no_channel_there(known, said):
    before, steps = known.need("channels"), _steps(said["steps"], known)
    true = known.sample()["channels"]["ig"] or [None] * 3
    found = [f"channel at t{step}: none, and it is {true[step]}" for step in steps if true[step] is not None]
    return found + _held(not set(steps) & set(before), "channels: a step is said twice")


def _same(said, name):
    return said is name if None in (said, name) else _is_name(said, name)


# --- the errors ---


@clause(
    "study",
    r"the clearest (?P<many>errors, one of each kind, are|error(?: of its kind)? is) examined in the same way",
    r"in the same way, the clearest (?P<many>errors, one of each kind, are|error(?: of its kind)? is) examined",
)
def _clearest(known, said):
    kinds = sorted(sample["true"] for sample in known.facts["errors"])
    many = said["many"].startswith("errors")
    return _held(kinds == [0, 1] if many else len(kinds) == 1, f"the errors shown are of true labels {kinds}")


@clause(
    "study",
    r"of the {n} missed seizure samples?, {q} comes? before the first one found in (?:their|its) seizure",
    r"{q} missed seizure samples? comes? before the first one found in (?:their|its) seizure",
    r"(?P<one>the one|the only|the) missed seizure sample comes before the first one found in its seizure",
    r"(?P<one>the one|the only|the) missed seizure sample does (?P<no>not) come before the first one found in its "
    r"seizure",
)
def _early(known, said):
    missed, early = known.number("fn"), known.number("errors.early")
    if said.get("one"):
        return _held(missed == 1 and early == int(not said.get("no")), f"{early} of {missed} come before")
    found = _held_count(said["n"], missed, "seizure samples missed") if said.get("n") else []
    return found + _held_quantity(said["q"], early, missed, "missed seizure samples that come before")


@clause(
    "study",
    r"the model made no errors?(?: on the held-out recordings)?",
    r"no sample was (?:misjudged|mistaken|decided wrongly|judged wrongly|classified wrongly|labelled wrongly)",
    r"(?:the model|it) {judged} (?:all|every|each)(?: {n})? samples? correctly",
    r"there (?:is|are|was|were) no errors? to examine",
    r"no held-out sample was (?:judged|classified|labell?ed|decided|called) wrongly"
    r"(?:, so there is no error to (?:explain|examine))?",
    r"(?:the model|it) {judged} every held-out sample correctly(?:, so there is no error to (?:explain|examine))?",
)
def _no_error(known, said):
    wrong = known.number("fn") + known.number("fp")
    found = _held_count(said["n"], known.number("n"), "samples") if said.get("n") else []
    return found + _held(wrong == 0, f"{wrong} samples are misjudged")


# --- groups of samples, and all samples decided rightly ---


@heading("group", r"{class=any} Predictions \({samples}\)")
def _group_head(known, said):
    numbers = [int(figure) for figure in re.findall(r"\d+", said["samples"])]
    found = _held(said["class"] == known.facts["labels"][known.about], f"group {said['class']}")
    return found + _held_set(numbers, known.facts["groups"][known.about]["samples"], "samples of the group")


@clause(
    "group",
    r"{methods} (?:is|are) (?:most often strongest|strongest most often) in {bands},? (?:each )?in {q} frames"
    r"(?: each)?",
    r"{methods} (?:is|are) (?:most often |equally often )?strongest(?: equally often)? in {bands},? (?:each )?in {q} "
    r"frames(?: each)?",
    r"{methods} (?:is|are) (?P<always>always) strongest in {bands},? in {q} frames",
)
def _tally(known, said):
    group, found = known.facts["groups"][known.about], []
    for method in _only_methods(said["methods"]):
        counts = group["counts"][method]
        most = max(counts.values(), default=0)
        top = [band for band, times in counts.items() if times == most]
        found += _held_set(_bands(said["bands"], known), top, f"{method}'s most frequent bands")
        found += _held_quantity(said["q"], most, group["frames"], f"frames of {method}")
        found += _held(not said.get("always") or most == group["frames"], f"{method} is not always strongest there")
    return found


@clause(
    "group",
    r"the maps? of {methods} (?:is|are) zero in (?:all|every|each) (?:{n} )?frames?",
    r"{methods} (?:names?|has|have) no (?:strongest )?band(?: in any frame)?",
)
def _no_tally(known, said):
    group = known.facts["groups"][known.about]
    found = [f"{m} has bands" for m in _only_methods(said["methods"]) if group["counts"][m]]
    return found + (_held_count(said["n"], group["frames"], "frames") if said.get("n") else [])


@clause(
    "group study",
    r"no sample (?:shown |examined )?(?:is|was) predicted (?:as )?{class}",
    r"none of the samples(?: shown| examined)? (?:is|was) predicted (?:as )?{class}",
    r"there (?:is|are) no {class} predictions?(?: among (?:them|the samples))?",
)
def _no_prediction(known, said):
    samples = known.facts["groups"][str(_label(said["class"]))]["samples"]
    return _held(not samples, f"predicted {said['class']}: {samples}")


@heading(
    "overall",
    r"(?P<all>All) {class=any} Samples (?P<what>Found|Left Alone) \({n}\)",
    r"{class=any} Samples (?P<what>Found|Left Alone) \({n} of {whole=n}\)",
)
def _overall_head(known, said):
    key, word, count = {"found": ("1", "Found", "tp"), "left": ("0", "Left Alone", "tn")}[known.about]
    label, whole = known.facts["labels"][key], known.number(count)
    found = _held((said["class"], said["what"]) == (label, word), f"{said['class']} samples {said['what']}")
    found += _held_count(said["n"], known.number(f"overall.{known.about}.n"), "samples")
    return found + _held_count(said["n"] if said.get("all") else said["whole"], whole, f"samples {word}")


@clause("overall", r"the mean relevance of {methods} is highest in {band}")
def _highest(known, said):
    highest, band = known.facts["overall"][known.about]["highest"], _band(said["band"], known)
    methods = _only_methods(said["methods"])
    return [f"{m}: {band}, and it is {highest[m]}" for m in methods if highest[m] != band]


@clause(
    "overall",
    r"(?:by|of) {methods}, no band speaks for the decision(?: on average)?",
    r"{methods} (?:names?|has|have) no (?:strongest )?band",
    r"the mean relevance of {methods} is (?:zero|highest in no band)(?: in every band)?",
)
def _no_highest(known, said):
    highest = known.facts["overall"][known.about]["highest"]
    return [f"{m}: {highest[m]}" for m in _only_methods(said["methods"]) if highest[m] is not None]


SPEAKS = re.compile(rf"(?P<bands>{SLOTS['bands']})(?: speaks?)? (?P<side>for|against) (?:seizure|it)")


@clause("overall", r"(?:by IG, on average|on average, by IG), {any}")
def _speaks(known, said):
    true, found, sides = known.facts["overall"][known.about]["ig"], [], []
    for piece in _pieces(said["any"], SPEAKS):
        sides.append(piece["side"])
        found += _held_set(_bands(piece["bands"], known), true[piece["side"]], f"bands that speak {piece['side']}")
    return found + _held(len(set(sides)) == len(sides), "one side is said twice")


# --- the limits and the conclusion ---


@clause(
    "study",
    r"(?:the|these) results rest on {duration} of EEG(?: with {q} seizures?)?(?:, (?:all )?(?:of|from) one patient)?",
)
def _rest_on(known, said):
    found = _held_duration(said["duration"], known)
    seizures = known.number("events.seizures")
    return found + (_held_quantity(said["q"], seizures, seizures, "seizures") if said["q"] else [])


@clause(
    "study",
    r"the model (?:achieved|reached) {scores=any} on held-out recordings of "
    r"(?:the )?(?P<kind>simulated )?patient {any}",
)
def _achieved(known, said):
    found = _held_scores(said["scores"], known, allowed=("accuracy", "sensitivity", "specificity", "F1", "weighted F1"))
    found += _held(_is_name(said["any"], known.facts["patient"]), f"patient {said['any']}")
    return found + _held(not said["kind"] or known.facts["simulated"], "the patient is not simulated")


# --- agreement and change ---


@clause("study", r"(?:taken together|side by side), the maps show the following")
def _maps_show(known, said):
    return []


@heading("study", r"Agreement Between Methods")
def _agreement_head(known, said):
    known.topic["below"] = _only(_agreement)
    return []


@heading("study", r"Change Over Time")
def _change_head(known, said):
    known.topic["below"] = _only(_changes)
    return []


def _only(function):
    """Return a reader of what may be read by one form only."""

    def read(text, known):
        forms = [form for form in CLAUSES if form[2] is function]
        return min((f for f, _ in _tried(forms, text, known)), key=len, default=[f"not understood: {text}"])

    return read


PAIR = rf"{METHOD} and {METHOD}"
EVERY_METHOD = r"(?:all|the) (?:three|3) methods|all methods"
AGREED = re.compile(
    rf"for (?P<pairs>{EVERY_METHOD}|{_list_of('(?:for )?' + PAIR)}) in (?P<q>{SLOTS['q']})(?: frames?)?"
)


@clause("study", r"the same band is strongest {any}", r"the strongest band is the same {any}")
def _agreement(known, said):
    rows, found, named = known.facts["agreement"], [], []
    for piece in _pieces(said["any"], AGREED):
        if re.fullmatch(EVERY_METHOD, piece["pairs"]):
            same, of = _all_agree(known)
            found += _held_quantity(piece["q"], same, of, "frames in which all methods agree")
        for pair in re.findall(PAIR, piece["pairs"]):
            methods = _only_methods(pair)
            row = next(row for row in rows if set(row["methods"]) == set(methods))
            named.append(set(methods))
            found += _held_quantity(piece["q"], row["same"], row["of"], f"frames in which {pair} agree")
    return found + _held(all(named.count(pair) == 1 for pair in named), "a pair stands twice")


def _all_agree(known):
    """Return in how many frames all methods name the same band, and in how many each of them names one."""
    frames = [frame for sample in known.facts["samples"] for frame in zip(*sample["bands"].values(), strict=True)]
    named = [set(frame) for frame in frames if None not in frame]
    return sum(len(bands) == 1 for bands in named), len(named)


CHANGED = re.compile(
    rf"(?:(?P<verb>changes?|keeps?)(?: (?:its|their) strongest bands?| it| them)? (?:within|in)|"
    rf"(?P<zero>a map of zeros) leaves this open in) (?P<samples>{SLOTS['samples']})"
)
KINDS = {"changes": "changes", "change": "changes", "keeps": "stays", "keep": "stays", None: "unknown"}


@clause(
    "study",
    r"{methods} (?P<rest>(?:changes?|keeps?) .+)",
    r"for {methods}, (?P<rest>a map of zeros .+)",
)
def _changes(known, said):
    methods, found = _only_methods(said["methods"]), []
    for piece in _pieces(said["rest"], CHANGED):
        kind = KINDS[piece["verb"]]
        for method in methods:
            true = known.facts["changes"][method][kind]
            found += _held_set(_samples(piece["samples"], known), true, f"{method} {kind}")
    return found


# --- the tests of the explanations ---


@clause(
    "study",
    r"each method was (?:put to the test|tested) on {n} seizure samples? and {m=n} non-seizure samples?"
    r"(?:, all (?:decided|judged) correctly)?",
    r"each method was (?:put to the test|tested) on {n} (?P<one>non-seizure|seizure) samples?"
    r"(?:, all (?:decided|judged) correctly)?",
)
def _tested_on(known, said):
    seizure, other = known.number("tests.seizure"), known.number("tests.other")
    if said.get("one"):
        one, left = (seizure, other) if said["one"] == "seizure" else (other, seizure)
        return _held_count(said["n"], one, "samples tested") + _held(left == 0, f"{left} others are left out")
    return _held_count(said["n"], seizure, "seizure samples tested") + _held_count(said["m"], other, "others tested")


PASSED = re.compile(
    rf"(?P<methods>{SLOTS['methods']}) (?:pass(?:es)? (?P<q>{SLOTS['q']})(?: tests?)?|takes? (?P<no>no) tests?)"
)


@clause("study", r"{any}")
def _passed(known, said):
    found, named = [], []
    for piece in _pieces(said["any"], PASSED):
        methods = _only_methods(piece["methods"])
        named += methods
        for method in methods:
            verdicts = [test["verdicts"][method] for test in known.facts["tests"].values()]
            taken = [verdict for verdict in verdicts if verdict is not None]
            if piece["no"]:
                found += _held(not taken, f"{method} takes {len(taken)} tests")
                continue
            found += _held_quantity(piece["q"], sum(taken), len(taken), f"tests that {method} passes")
    return found + _held(len(set(named)) == len(named), "a method stands twice")


@clause("study", r"no sample was decided correctly(?P<untested>, so that the methods could not be tested on any)?")
def _none_right(known, said):
    right = known.number("tp") + known.number("tn")
    found = _held(right == 0, f"{right} samples were decided correctly")
    tested = known.number("tests.seizure") + known.number("tests.other")
    return found + _held(not said["untested"] or tested == 0, f"the methods were tested on {tested} samples")


@clause("study", r"no (?:test|test of the explanations) (?:was|has been|could be) (?:taken|run|made|judged)")
def _no_test(known, said):
    taken = [rule for rule, test in known.facts["tests"].items() if set(test["verdicts"].values()) != {None}]
    return _held(not taken, f"tests taken: {taken}")


ASKED = {
    "completeness": r"(?:IG's attributions|the attributions of IG) add up to the change in log-odds",
    "planted truth": r"more of a map lies on the planted seizure than by chance",
    "beyond power": r"more of a map lies on the planted seizure than of the EEG's own power",
    "random weights": r"a map changes once all weights are random",
    "permuted labels": r"a map changes once a network learns permuted labels",
    "deletion": r"the score falls faster than at random as a map's highest cells are (?:deleted|taken out)",
    "insertion": r"the score rises faster than at random as a map's highest cells are (?:inserted|put in)",
    "stability": r"a map stays alike under a little noise",
}
VERDICTS = {"pass": True, "fail": False, "not": None}
VERDICT = re.compile(
    rf"(?P<methods>{SLOTS['methods']}) (?:(?P<verdict>pass|fail)(?:es|s)?(?: it)?|"
    r"(?:(?:is|are|was|were) (?P<not>not) (?:tested|judged)|(?:does|do|did) (?P<never>not) take (?:it|this test)))"
)


@clause("test", r"{test=any} (?:asks|tests) whether {asks=any}: {verdicts=any}")
def _test(known, said):
    name = said["test"].lower()
    if not re.fullmatch(ASKED.get(known.about, ""), said["asks"]):
        raise NotUnderstood(said["asks"])
    return _held(name == known.about, f"the test {name}") + _held_verdicts(said["verdicts"], known)


def _held_verdicts(text, known):
    """Return the problems of the verdicts of one test; every method that takes it must be named."""
    true, found, named = known.facts["tests"][known.about]["verdicts"], [], []
    for piece in _pieces(text, VERDICT):
        methods, denied = _methods(piece["methods"])
        verdict = VERDICTS[piece["verdict"] or "not"]
        if denied:
            if verdict is None:
                raise NotUnderstood(text)
            verdict = not verdict
        named += methods
        found += [f"{m}: {verdict}, and it is {true[m]}" for m in methods if true[m] != verdict]
    left = [method for method, verdict in true.items() if verdict is not None and method not in named]
    found += _held(not left, f"left out: {left}")
    return found + _held(len(set(named)) == len(named), "a method stands twice")


FIGURES = {  # how the figures by which a test judges are called
    "random weights": r"the rank correlation with the trained map is",
    "permuted labels": r"the rank correlation falls by",
    "deletion": r"the gain over random order is",
    "insertion": r"the gain over random order is",
    "stability": r"the rank correlation is",
    "planted truth": r"the share on planted cells is",
}
FIGURE = re.compile(rf"(?P<value>{SLOTS['value']}) for (?P<methods>{SLOTS['methods']})")


@clause("test", r"(?P<what>the (?:rank correlation|gain|share) .*?(?:is|by)) {any}")
def _figures(known, said):
    if not re.fullmatch(FIGURES.get(known.about, ""), said["what"]):
        raise NotUnderstood(said["what"])
    found, named = [], []
    for piece in _pieces(said["any"], FIGURE):
        methods = _only_methods(piece["methods"])
        named += methods
        for method in methods:
            found += _held_value(piece["value"], f"tests.{known.about}.{method}", known)
    known.topic["figures"] = True
    return found + _held(len(set(named)) == len(named), "a method stands twice")


@clause("test", r"by chance(?: it is)? {x}")
def _chance(known, said):
    known.need("figures")
    if known.about != "planted truth":
        raise NotUnderstood("chance")
    return _held_value(said["x"], "tests.planted truth.chance", known)


@clause("test", r"the share of the EEG's own power (?:there|on planted cells) is {x}")
def _power(known, said):
    if known.about not in ("beyond power", "planted truth"):
        raise NotUnderstood("power")
    return _held_value(said["x"], "tests.planted truth.power", known)


@clause("test", r"(?:(?P<below>below) {x}|(?:from|at least) {least=x}(?: on)?) (?:it )?passes")
def _limit(known, said):
    known.need("figures")
    if known.about not in LIMITS:
        raise NotUnderstood("a limit")
    kind, limit = LIMITS[known.about]
    true = (said["below"], said["x"]) == (kind, limit) or kind != "below" and said["least"] == limit
    asked = re.search(rf"(?:below|at least) ({X})", known.facts["tests"][known.about]["asks"])
    found = _held(true, f"the limit is {kind} {limit}")
    return found + _held(not asked or asked[0] == f"{kind} {float(limit):g}", f"{known.about} asks for {asked}")


@clause("test", r"the largest miss is {x} % of (?:the sum of the attributions|their sum), or of 1 where that is more")
def _largest_miss(known, said):
    if known.about != "completeness":
        raise NotUnderstood("miss")
    return _held_value(said["x"], "tests.completeness.ig", known)
