"""Subjects: what a claim is about, in the words of `lexicon`: methods, bands, steps, channels and samples."""

import re

from helpers.narrate.lexicon import METHOD_WORDS, Unclear
from helpers.narrate.measures import METHODS

METHOD = "GRADCAMPP|GRADCAM|IG"
WHO = rf"(?:ALLMETHODS|(?:(?:ALL )?(?:{METHOD})(?: , (?:{METHOD}))*))"
BAND = r"B[1-5]\b"
STEP = r"(?:T012|T[012])\b"
CHANNEL = r"CHANNEL#[\w-]+"
IDS = r"\d+(?: , \d+)*"


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
