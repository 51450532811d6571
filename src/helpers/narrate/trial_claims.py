"""What a sentence claims of the tests of the explanations: who passes, by what figures, how many of them."""

import re

from helpers.narrate.lexicon import METHOD_WORDS, NUMBER, Unclear
from helpers.narrate.measures import METHODS
from helpers.narrate.subjects import METHOD, WHO, methods

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
    if not re.search(r"\b(?:PASS|FAIL)\b", clause):
        who = re.findall(rf"(?<!\w){WHO}\b", clause)
        return clause, who[-1] if who else subject
    words, kept, only = re.split(rf"\b({WHO}|NOMETHOD|PASS|FAIL|ONLY)\b", clause), [], False
    for at, word in enumerate(words):
        if re.fullmatch(rf"{WHO}|NOMETHOD", word):
            subject = word
        only = only or word == "ONLY"
        if word in ("PASS", "FAIL") and words[at - 1].split()[-1:] == ["ALL"]:  # "…, and both passed"
            subject = " , ".join(dict.fromkeys(re.findall(METHOD, "".join(words[:at]))))
            kept[-1] = kept[-1].rstrip().removesuffix("ALL")
        if word not in ("PASS", "FAIL"):
            kept.append("" if word == "NOMETHOD" or word == "ONLY" else word)
            continue
        who = subject or next((other for other in words[at:] if re.fullmatch(rf"{WHO}|NOMETHOD", other)), None)
        if "NOMETHOD" in words and who != "NOMETHOD":
            raise Unclear("none of the methods, and some")
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
    of = r"CORRELATION|GAIN|SHARE_PLANTED|RELEVANCE|falls" + ("|GAP" if rule == "permuted labels" else "")
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
    found, known = [], facts["passed"]
    pattern = rf"({METHOD}) PASS (?:ALL (?:OF )?(\d+)|NONE OF (\d+)|(\d+) OF (\d+))(?: TESTS)?"
    words = {word: method for method, word in METHOD_WORDS.items()}
    for match in re.finditer(pattern, text):
        _, every, none, some, of = match.groups()
        said = (int(every), int(every)) if every else (0, int(none)) if none else (int(some), int(of))
        method = words[match[1]]
        found.append((f"passed.{method}", list(said), known[method]))
    return found, re.sub(rf"{pattern}|\bTESTS\b" if found else r"(?!)", " ", text)
