"""A small notation for a text with alternatives, and what can be made of it; and the parts that a text is made of.

``"The [model|detector] [found|recognised] 54."`` stands for four texts. Brackets nest, an alternative may be empty,
and what comes from facts is put in through `literal`, so that no bracket of theirs is taken for ours.
"""

import re


def literal(value):
    """Return `value` as notation that stands for itself alone."""
    return re.sub(r"([\\\[\]|])", r"\\\1", str(value))


def parse(text):
    """Return the tree of `text`: a list whose items are strings, or tuples of alternatives (each such a list).

    Raises
    ------
    ValueError
        If the brackets do not match.
    """
    pieces = [piece for piece in re.split(r"(\\.|[\[\]|])", text) if piece]
    tree, rest = _sequence(pieces, 0)
    if rest != len(pieces):
        raise ValueError(f"unmatched {pieces[rest]!r} in the wording {text!r}")
    return tree


def _sequence(pieces, at):
    items = []
    while at < len(pieces) and pieces[at] not in ("|", "]"):
        if pieces[at] == "[":
            alternatives, closing = [], "|"
            while closing == "|":
                alternative, at = _sequence(pieces, at + 1)
                alternatives.append(alternative)
                closing = pieces[at] if at < len(pieces) else "nothing"
            if closing != "]":
                raise ValueError(f"unmatched '[' in the wording {''.join(pieces)!r}")
            items.append(tuple(alternatives))
        else:
            items.append(pieces[at].removeprefix("\\") if len(pieces[at]) == 2 else pieces[at])
        at += 1
    return items, at


def regex(tree):
    """Return the regular expression of a tree, in the syntax that Python's ``re`` and llguidance share."""
    return "".join(
        re.sub(r"([.^$*+?{}\[\]\\|()])", r"\\\1", item)
        if isinstance(item, str)
        else f"(?:{'|'.join(regex(alternative) for alternative in item)})"
        for item in tree
    )


def count(tree):
    """Return how many texts a tree stands for."""
    number = 1
    for item in tree:
        if isinstance(item, tuple):
            number *= sum(count(alternative) for alternative in item)
    return number


def walk(tree, draw):
    """Return one text of a tree, each alternative equally likely; `draw` is a ``random.Random``."""
    return "".join(item if isinstance(item, str) else walk(draw.choice(item), draw) for item in tree)


def worded(text, before=" ", about=None):
    """Return a sentence whose wording is free; `before` parts it from the last, `about` is its sample or group."""
    return {"before": before, "text": text, "fixed": False, "about": about}


def fixed(text, before="\n\n"):
    """Return a text in which the model has no say."""
    return {"before": before, "text": text, "fixed": True, "about": None}


def listed(items):
    """Return "a", "a and b" or "a, b and c"."""
    *first, last = items
    return f"{', '.join(first)} and {last}" if first else last


def counted(number, noun):
    """Return "1 frame" or "2 frames"."""
    return f"{number} {noun}" if str(number) == "1" else f"{number} {noun}s"


def share(part, whole):
    """Return a count out of `whole` as a reader says it: all, none, or the number."""
    return "all" if part == whole else "none" if part == 0 else str(part)


def capital(text):
    """Return `text` with its first letter large."""
    return text[:1].upper() + text[1:]
