"""The TRIPOD+AI checklist (Collins et al., BMJ 2024;385:e078378): what each item asks, in short words of our own.

Where a study answers an item is in its article's template, ``templates/sections/tripod.md.j2``.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    """One item: its section, its topic, whom it is for (D: development of a model, E: evaluation), what it asks."""

    section: str
    topic: str
    applies: str
    asks: str


BOTH, DEVELOPMENT, EVALUATION = "D;E", "D", "E"

# section, topic, {item: (applies, asks)}, in the checklist's order
_TOPICS = [
    ("Title", "Title", {"1": (BOTH, "developed or evaluated; for whom; which outcome")}),
    ("Abstract", "Abstract", {"2": (BOTH, "as TRIPOD+AI for Abstracts has it")}),
    (
        "Introduction",
        "Background",
        {
            "3a": (BOTH, "the context in health care, diagnostic or prognostic; why; other models"),
            "3b": (BOTH, "target population, purpose in the course of care, users"),
            "3c": (BOTH, "known health inequalities between sociodemographic groups"),
        },
    ),
    ("Introduction", "Objectives", {"4": (BOTH, "the objectives; development, validation, or both")}),
    (
        "Methods",
        "Data",
        {
            "5a": (BOTH, "sources, for development and for evaluation; why these; how representative"),
            "5b": (BOTH, "dates: start and end of accrual, end of follow-up"),
        },
    ),
    (
        "Methods",
        "Participants",
        {
            "6a": (BOTH, "the setting; number and place of centres"),
            "6b": (BOTH, "who was eligible"),
            "6c": (BOTH, "treatments, and how they were handled"),
        },
    ),
    ("Methods", "Data preparation", {"7": (BOTH, "preprocessing and checks of quality; alike for all groups?")}),
    (
        "Methods",
        "Outcome",
        {
            "8a": (BOTH, "the outcome and its time horizon; how, when and why; alike for all groups?"),
            "8b": (BOTH, "who judged it, if it takes judgement: qualification, demographics"),
            "8c": (BOTH, "blinding of that judgement"),
        },
    ),
    (
        "Methods",
        "Predictors",
        {
            "9a": (DEVELOPMENT, "how the first predictors were chosen, and any selection before modelling"),
            "9b": (BOTH, "each predictor: how and when measured; blinding"),
            "9c": (BOTH, "who judged them, if it takes judgement: qualification, demographics"),
        },
    ),
    ("Methods", "Sample size", {"10": (BOTH, "how the size came about, and whether it suffices")}),
    ("Methods", "Missing data", {"11": (BOTH, "how handled; why any data were omitted")}),
    (
        "Methods",
        "Analytical methods",
        {
            "12a": (DEVELOPMENT, "how the data were used and partitioned"),
            "12b": (DEVELOPMENT, "handling of predictors: form, rescaling, transformation, standardisation"),
            "12c": (DEVELOPMENT, "type of model and why; all steps of building and tuning; internal validation"),
            "12d": (BOTH, "heterogeneity across clusters, such as hospitals: how handled and quantified"),
            "12e": (BOTH, "all measures and plots of performance, and why; comparison of models"),
            "12f": (EVALUATION, "updating of the model, such as recalibration, after the evaluation"),
            "12g": (EVALUATION, "how predictions were computed: formula, code, object, interface"),
        },
    ),
    ("Methods", "Class imbalance", {"13": (BOTH, "methods against it: why, how; recalibration afterwards")}),
    ("Methods", "Fairness", {"14": (BOTH, "approaches to fairness, and why")}),
    ("Methods", "Model output", {"15": (DEVELOPMENT, "probability or class; how thresholds were found, and why")}),
    (
        "Methods",
        "Training versus evaluation",
        {"16": (BOTH, "differences in setting, eligibility, outcome and predictors")},
    ),
    ("Methods", "Ethical approval", {"17": (BOTH, "the board or committee; informed consent, or its waiver")}),
    ("Open science", "Funding", {"18a": (BOTH, "source, and role of the funders")}),
    ("Open science", "Conflicts of interest", {"18b": (BOTH, "of all authors, with financial disclosures")}),
    ("Open science", "Protocol", {"18c": (BOTH, "where it is, or that there is none")}),
    ("Open science", "Registration", {"18d": (BOTH, "register and number, or that there is none")}),
    ("Open science", "Data sharing", {"18e": (BOTH, "whether and where the data are available")}),
    ("Open science", "Code sharing", {"18f": (BOTH, "whether and where the code of the analysis is available")}),
    (
        "Patient and public involvement",
        "Patient and public involvement",
        {"19": (BOTH, "in design, conduct, reporting, interpretation or dissemination, or that there was none")},
    ),
    (
        "Results",
        "Participants",
        {
            "20a": (BOTH, "their flow; how many with and without the outcome; follow-up"),
            "20b": (
                BOTH,
                "characteristics, overall and by source: dates, predictors, treatments, events, missing data",
            ),
            "20c": (EVALUATION, "predictors and outcome compared with the development data"),
        },
    ),
    ("Results", "Model development", {"21": (BOTH, "participants and outcome events in each analysis")}),
    (
        "Results",
        "Model specification",
        {"22": (DEVELOPMENT, "the full model, so that others can use it; restrictions")},
    ),
    (
        "Results",
        "Model performance",
        {
            "23a": (BOTH, "estimates with confidence intervals, also for key subgroups"),
            "23b": (BOTH, "heterogeneity across clusters, if examined"),
        },
    ),
    ("Results", "Model updating", {"24": (EVALUATION, "the updated model, and its performance")}),
    ("Discussion", "Interpretation", {"25": (BOTH, "of the main results, with fairness and earlier studies")}),
    ("Discussion", "Limitations", {"26": (BOTH, "and what they do to bias, uncertainty and generalisability")}),
    (
        "Discussion",
        "Usability of the model in current care",
        {
            "27a": (DEVELOPMENT, "poor or unavailable input: how to notice and handle it in use"),
            "27b": (DEVELOPMENT, "what users have to do with input or model, and how expert they must be"),
            "27c": (BOTH, "next steps, with a view to applicability and generalisability"),
        },
    ),
]

ITEMS = {
    number: Item(section, topic, applies, asks)
    for section, topic, items in _TOPICS
    for number, (applies, asks) in items.items()
}
