"""The claim checker: a sentence is proven by the facts, or it is refused.

A sentence is put into the checker's own words (`lexicon`). Readers go over it one after the other: each takes out the
claims of one kind and holds them against the facts. What is left may hold a few words that claim nothing, and nothing
else: a sentence that no reader understands is refused, however true. The checker knows the facts alone, and nothing of
the grammar by which sentences are made.
"""

import re

from helpers.narrate import (
    count_claims,
    finding_claims,
    form_claims,
    lexicon,
    sample_claims,
    score_claims,
    tally_claims,
    trial_claims,
)

# The only words that may be left over when every reader is through: they claim nothing.
NEUTRAL = frozenset(["AUDIT", "MODEL", "HELDOUT", "NAME", "SAMPLES", "PATIENT", "EEG", ";", ",", "(", ")"])


class FalseClaim(ValueError):
    """A sentence that contradicts the facts, or that they do not prove."""


def check(sentence, facts, about=None):
    """Prove a sentence by the facts.

    Parameters
    ----------
    sentence : str
    facts : dict
        From `facts.build`.
    about : int, str or None
        What the sentence is about if it does not say so itself: a sample (its number), a group of samples ("1": those
        predicted seizure, "0": the others; "found" or "left": all that were decided rightly), or a test.

    Returns
    -------
    list of str
        The facts that prove it, such as ``"sensitivity"`` or ``"samples.57.bands.ig"``; none if it claims nothing.

    Raises
    ------
    FalseClaim
        Names the sentence and what is wrong with it.
    """
    used = []

    def hold(found):
        for fact, said, wanted in found:
            if said != wanted or isinstance(said, bool) != isinstance(wanted, bool):
                raise FalseClaim(f"{sentence!r}: it says {said!r} for {fact}, the facts say {wanted!r}")
            used.append(fact)

    def taken(readers, text, left=" "):
        """Let `readers` of phrases hold what they find; return the text without it."""
        for pattern, prove in readers:
            text = re.sub(pattern, lambda match, prove=prove: hold(prove(match, facts, about)) or left, text)
            text = " ".join(text.split())
        return text

    try:
        text = taken(form_claims.PLAIN, sentence)
        text = lexicon.canonical(text, facts) if text.strip(" .") else ""
        text = taken(form_claims.FIRST, text)
        text = taken(form_claims.ALWAYS, text, " ALWAYS ")  # it stays as the owner of a number
        for read in TOGETHER:
            found, text = read(" ".join(text.split()), facts, about)
            hold(found)
        if re.search(r"\b(?:SEIZURES|FALSE_ALARM)\b", text) and not re.search(rf"\b(?:{score_claims.SCORE})\b", text):
            text = re.sub(r"\bEVENTS\b", " ", text)  # "scored by events, all 5 seizures were found"
        text = taken(count_claims.READERS, " ".join(text.split()))
        found, text = score_claims.read(text, facts)
        hold(found)
    except lexicon.Unclear as error:
        raise FalseClaim(f"{sentence!r}: not understood: {error}") from error
    left = [word for word in text.split() if word not in NEUTRAL]
    if left:
        raise FalseClaim(f"{sentence!r}: no fact proves {' '.join(left)!r}")
    return list(dict.fromkeys(used))


# What takes a whole sentence to understand; in this order.
TOGETHER = [
    finding_claims.read_examined,
    finding_claims.read_overall,
    trial_claims.read_tests,
    tally_claims.read_tally,
    finding_claims.read_agreement,
    finding_claims.read_changes,
    sample_claims.read_sample,
]
