"""Forms: the names that a narrative says, and the one printed form of each number."""

from functools import partial

METRICS = {name: name for name in ("accuracy", "sensitivity", "specificity")}
METRICS |= {"f1": "F1", "weighted_f1": "weighted F1"}
METHODS = {"gradcam": "Grad-CAM", "gradcampp": "Grad-CAM++", "ig": "IG"}
LABELS = {0: "Non-Seizure", 1: "Seizure"}
BASELINES = {"logistic": "logistic regression", "forest": "random forest"}
BASELINES |= {"riemann": "the Riemannian classifier", "rocket": "MiniRocket"}


def plain(value, unit=""):
    """Return a number without needless zeros, with at most one decimal.

    >>> plain(120.0, " s"), plain(0.54)
    ('120 s', '0.5')
    """
    return f"{value:.1f}".removesuffix(".0") + unit


def decimals(value, places=4, unit=""):
    """Return a number with so many decimals and a true minus, which zero never has.

    >>> decimals(-0.25, 2), decimals(-0.001, 2)
    ('−0.25', '0.00')
    """
    text = f"{value:.{places}f}"
    return (text.replace("-", "−") if float(text) else text.removeprefix("-")) + unit


def distinct(value, limit, places):
    """Return a number with the decimals that tell it from a limit: at least `places`."""
    while value != limit and decimals(value, places) == decimals(limit, places) and places < 12:
        places += 1
    return decimals(value, places)


def number(printed):
    """Return the number at the start of a printed form: readers compare what they see."""
    return float(printed.split(" ")[0].replace("−", "-"))


def listed(words):
    """Return words as a reader lists them.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    *first, last = words or [""]
    return f"{', '.join(first)} and {last}" if first else last


FORMS = {  # unit → printed form; of others, `str`
    "fraction": decimals,
    "probability": partial(decimals, places=2),
    "percent": lambda share: plain(100 * share, " %"),
    **{unit: partial(plain, unit=f" {unit}") for unit in ("s", "minutes", "hours")},
    "per 24 h": partial(decimals, places=1, unit=" per 24 h"),
    "delay": partial(decimals, places=1, unit=" s"),
}
