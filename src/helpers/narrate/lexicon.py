"""The lexicon: a sentence put into the few words that the claim checker knows, each with one meaning.

What means the same becomes the same word in capitals ("picked up", "recognised" → FIND); words that claim nothing go.
A word that is in neither list stays, in small letters, and no reader will know it: so it is refused.
"""

import re
from pathlib import Path

from helpers.narrate.measures import METHODS, number

METHOD_WORDS = dict(zip(METHODS, ("GRADCAM", "GRADCAMPP", "IG"), strict=True))
# Anything else in a sentence (brackets of code or links, look-alike letters, question marks) is refused unread.
LETTERS = re.compile(r"[A-Za-z0-9 .,;:()'’%=+−–_*\ue000\ue001-]+")
CHANNEL = r"\b[A-Z]{1,3}\d{0,2}-[A-Z]{1,3}\d{0,2}\b"  # such as FP2-F8, FZ-CZ
JOINTS = {
    "and": ",",
    ",": ",",
    ";": ";",
    "but": ";",
    "while": ";",
    "whereas": ";",
    "against": ";",
    ":": ",",
    "yet": ";",
    "versus": ";",
    "although": ";",
}
NUMBER = r"[−-]?\d+(?:\.\d+)?(?:PCT)?"
_TOKEN = re.compile(rf"(?<![\w]){NUMBER}(?![\w-])|[^\s,;:().]+|[,;:()]")


# How a sentence is spelled before its meanings are looked up, and what is tidied after that.
SPELLING = (
    (r"(?<=\d)–(?=[−\d])", " to "),
    (r"(?<!every )\bone (?=false|seizure|non-seizure|whole|of the \d)|(?<=in )one(?=[.,;]|$)", "1 "),
    (r"n't ", " not "),
    (r"compared with|in contrast to", "versus"),
    (r"(?<=\d) ?(?:seconds|secs?)\b", " s"),
    (
        rf"\b(?:limits?|bounds)(?: of its interval)? (?:of |are |at |being )?({NUMBER})(?: s)? and ({NUMBER})",
        r"interval \1 to \2",
    ),
    (r"\ba single (?=false)", "1 "),
    (r"\b(?:only|just|exactly) (?=\d)", ""),
    (rf"({NUMBER}) (higher|lower)", r"\2 by \1"),
    (r"95 ?% (?=confidence|interval|ci)", ""),
    (r"(?<=\d) ?%", "PCT"),
)
# What "under" and "over" may stand before without saying less or more: "under IG", "over all folds".
_OVER = r"\d+ FRAMES|\d+ FOLDS|GRADCAM|GRADCAMPP|IG|ALLMETHODS|RANDOM_WEIGHTS|T012|WITHIN|FOLDS|SEIZ"
_OVER += "|FIND SEIZ|OTHER|RANDOM"
_BOTH = "GRADCAM|GRADCAMPP|IG|EEG|LOGISTIC|FOREST|FOLDS|CI|ALARMS|NAME"  # "both Grad-CAM and IG"
TIDYING = ((rf"\b(?:BELOW|ABOVE) (?=(?:{_OVER})\b)", ""), (rf"\bALL (?=(?:{_BOTH})\b)", ""), (r"\( [,;] ", "( "))


def agrees(said, printed, value=None):
    """Tell whether a number as it is said is the one printed, or its percentage, rounded to the digits said."""
    if printed is None:
        return False
    if not said.endswith("PCT"):
        return said.replace("-", "−") == printed
    percent, exact = said.removesuffix("PCT"), number(printed) if value is None else value
    digits = len(percent.partition(".")[2])
    return digits <= 2 and f"{100 * exact:.{digits}f}" == percent.replace("−", "-")


def _read():
    """Return the lexicon of lexicon.txt: its lists, and pairs of a meaning and the expression of how it is said."""
    text = re.sub(r"\n +", " ", Path(__file__).with_suffix(".txt").read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    lists = {name: words.split() for name, words in re.findall(r"^\[(\w+)\] = (.*)$", text, re.M)}
    parts = dict(re.findall(r"^(\{\w+\}) = (.*)$", text, re.M))
    found = []
    for line in lines:
        if line[0] in "[{":
            continue
        meaning, said = line.split(": ", 1)
        for name, part in parts.items():
            said = said.replace(name, part)
        said = re.compile(rf"(?<![\w.#-])(?:{'|'.join(said.split(' | '))})(?![\w#-])")
        found.append(("" if meaning == "NOTHING" else meaning, said))
    return lists, found


def _spelled(ones, tens):
    """Return numbers by their words: two to ninety-nine ("one" is also a pronoun)."""
    known = {word: value for value, word in enumerate(ones, start=2)}
    known |= {word: value for word, value in zip(tens, range(20, 100, 10), strict=True)}
    units = {"one": 1} | {word: value for word, value in known.items() if value < 10}
    known |= {f"{ten}-{one}": known[ten] + unit for ten in tens for one, unit in units.items()}
    return {word: str(value) for word, value in sorted(known.items(), key=lambda item: -len(item[0]))}


_LISTS, _MEANINGS = _read()
_DROPPED, _SPELLED = frozenset(_LISTS["dropped"]), _spelled(_LISTS["ones"], _LISTS["tens"])


class Unclear(ValueError):
    """What the checker cannot read: a sign that no narrative needs, a number or a comparison without an owner."""


def canonical(sentence, facts):
    """Return a sentence in the checker's words, parted by blanks.

    Numbers stand as they are (``0.7547``, ``75.47PCT``, ``63 TO 87``), names as ``RECORDING#3`` (its place among
    `recordings`), ``PATIENT`` and ``CHANNEL#FP2-F8``; joints as "," (and) and ";" (but, while, against).

    Raises
    ------
    Unclear
        If the sentence holds a sign that no narrative needs.
    """
    text, names = _hidden(sentence, facts)
    if strange := LETTERS.sub("", text):
        raise Unclear(strange)
    text = " ".join(text.replace("’", "'").replace("*", "").lower().split())
    for pattern, plain in SPELLING:
        text = re.sub(pattern, plain, text)
    text = re.sub(rf"\b(?:{'|'.join(_SPELLED)})\b", lambda match: _SPELLED[match.group()], text)
    text = re.sub(rf"between ({NUMBER}) and ({NUMBER})", r"\1 to \2", text)
    for meaning, said in _MEANINGS:
        text = " ".join(said.sub(f" {meaning} ", text).split())
    tokens = _TOKEN.findall(re.sub(r"\ue000(\d+)\ue001", lambda match: f" {names[int(match[1])]} ", text))
    text = re.sub(r"[,;](?: [,;])+", lambda match: ";" if ";" in match.group() else ",", " ".join(_kept(tokens)))
    for pattern, plain in TIDYING:
        text = re.sub(pattern, plain, text)
    return text


def recordings(facts):
    """Return the names of all recordings that the facts name, longest first."""
    named = [part["recording"] for group in ("samples", "errors", "missed_seizures") for part in facts[group]]
    return sorted(set(named), key=lambda name: (-len(name), name))


def _hidden(sentence, facts):
    """Put numbers between private signs for the names of recordings, patient and channels: they may look like words."""
    names = []

    def hide(meaning):
        names.append(meaning)
        return f"\ue000{len(names) - 1}\ue001"

    for at, name in enumerate(recordings(facts)):
        before = "" if re.search(r"[\d_]", name) else r"(?<=of )|(?<=recording )"
        sentence = re.sub(
            rf"(?:{before})(?<!\w){re.escape(name)}(?!\w)", lambda _, at=at: hide(f"RECORDING#{at}"), sentence
        )
    before = "" if re.search(r"\d", facts["patient"]) else r"(?<=patient )"
    sentence = re.sub(
        rf"(?:{before})(?<!\w){re.escape(facts['patient'])}(?![\w-])", lambda _: hide("PATIENT"), sentence
    )
    channels = {name for part in facts["samples"] + facts["errors"] for name in part["channels"]["ig"] if name}
    spelled = "|".join(
        [CHANNEL, *(rf"(?<!\w){re.escape(name)}(?![\w-])" for name in sorted(channels, key=len, reverse=True))]
    )
    sentence = re.sub(spelled, lambda match: hide(f"CHANNEL#{match.group()}"), sentence)
    return sentence, names


def _kept(tokens):
    """Yield the tokens that mean something: joints once, "of" and "to" between numbers alone."""
    last = ""
    tokens = [JOINTS.get(token, token) for token in tokens]
    for at, token in enumerate(tokens):
        following = next((other for other in tokens[at + 1 :] if other not in ("the", "all", "its", "s")), "")
        if token == "of":
            token = "OF" if re.fullmatch(rf"{NUMBER}|ALL|NONE", last) and re.fullmatch(NUMBER, following) else ""
        elif token == "to":
            token = "TO" if re.fullmatch(NUMBER, last) and re.fullmatch(NUMBER, following) else ""
        elif token in _DROPPED:
            token = ""
        if token:
            yield token
            last = token if token != "s" else last
