"""The second reader takes true sentences of a narrative, and finds something wrong with each of many false ones."""

import pytest
from second_reader import problems

METHODS = {"gradcam": "Grad-CAM", "gradcampp": "Grad-CAM++", "ig": "IG"}
# Of a study made by hand: each value's printed form, and its interval if it has one.
PRINTED = {
    "accuracy": ("0.9483", "0.9163", "0.9754"),
    "sensitivity": ("0.7547", "0.6271", "0.8696"),
    "specificity": ("0.9773", "0.9479", "0.9972"),
    "f1": ("0.7921", "0.6665", "0.8913"),
    "weighted_f1": ("0.9472", "0.9163", "0.9749"),
    "reference.accuracy": ("0.9031",),
    "reference.f1": ("0.8386",),
    "n": ("406",),
    "seizure": ("53",),
    "other": ("353",),
    "tp": ("40",),
    "fn": ("13",),
    "fp": ("8",),
    "tn": ("345",),
    "threshold": ("0.58",),
    "baseline": ("0.8695",),
    "per_100.found": ("75", "63", "87"),
    "per_100.mistaken": ("2", "0", "5"),
    "errors.early": ("13",),
    "events.seizures": ("5",),
    "events.detected": ("5",),
    "events.missed": ("0",),
    "events.false_alarms": ("1",),
    "events.sensitivity": ("1.0000", "1.0000", "1.0000"),
    "events.precision": ("0.8333", "0.5000", "1.0000"),
    "events.f1": ("0.9091", "0.6667", "1.0000"),
    "events.fp_per_24h": ("51.4", "0.0", "154.3"),
    "events.latency": ("20.0", "13.0", "27.0"),
    "ranking.auroc": ("0.9318", "0.8849", "0.9790"),
    "ranking.auprc": ("0.8523", "0.7696", "0.9213"),
    "folds.number": ("5",),
    "folds.recordings": ("7",),
    "folds.lowest": ("0.30",),
    "folds.highest": ("0.81",),
    "networks.fewest": ("4",),
    "networks.most": ("4",),
    "frames.fewest": ("5",),
    "frames.most": ("5",),
    "baselines.logistic.auprc": ("0.7175", "0.5628", "0.8389"),
    "baselines.logistic.ahead_auprc": ("0.1348", "0.0343", "0.2648"),
    "baselines.logistic.event_f1": ("1.0000", "1.0000", "1.0000"),
    "baselines.logistic.ahead_event_f1": ("−0.0909", "−0.3333", "0.0000"),
    "baselines.forest.auprc": ("0.7342", "0.5656", "0.8210"),
    "baselines.forest.ahead_auprc": ("0.1181", "0.0393", "0.2432"),
    "baselines.forest.event_f1": ("1.0000", "1.0000", "1.0000"),
    "baselines.forest.ahead_event_f1": ("−0.0909", "−0.3333", "0.0000"),
    "audit.tested": ("325",),
    "audit.shared": ("313",),
    "audit.splits": ("5",),
    "audit.random.f1": ("0.9723", "0.9406", "1.0000"),
    "audit.weighted.f1": ("0.8366", "0.7536", "0.9113"),
    "audit.gap.f1": ("0.1357", "0.0538", "0.2316"),
    "audit.random.accuracy": ("0.9815", "0.9606", "1.0000"),
    "audit.weighted.accuracy": ("0.9002", "0.8548", "0.9424"),
    "audit.gap.accuracy": ("0.0813", "0.0319", "0.1311"),
    "audit.random.auroc": ("0.9812", "0.9450", "1.0000"),
    "audit.weighted.auroc": ("0.9280", "0.8828", "0.9754"),
    "audit.gap.auroc": ("0.0532", "−0.0056", "0.1089"),
    "tests.planted truth.chance": ("0.22", "0.21", "0.24"),
    "tests.planted truth.power": ("0.60", "0.53", "0.64"),
    "tests.completeness.ig": ("1.4",),
    "tests.seizure": ("40",),
    "tests.other": ("40",),
    "overall.found.n": ("40",),
    "overall.left.n": ("345",),
    "duration": ("28",),
}
FIGURES = {  # of each test and method, in the order of METHODS
    "planted truth": ("0.52", "0.48", "0.52"),
    "random weights": ("0.12", "0.48", "0.05"),
    "permuted labels": ("0.10", "0.28", "0.40"),
    "deletion": ("0.33", "0.31", "0.36"),
    "insertion": ("0.37", "0.34", "0.42"),
    "stability": ("1.00", "1.00", "0.99"),
}
VERDICTS = {
    "completeness": ("at most 5 % of the sum", (None, None, True)),
    "planted truth": ("more than by chance", (True, True, True)),
    "beyond power": ("more than of the power", (False, False, False)),
    "random weights": ("the mean rank correlation is below 0.2", (True, False, True)),
    "permuted labels": ("below that of two networks", (True, True, True)),
    "deletion": ("fall faster", (True, True, True)),
    "insertion": ("rise faster", (True, True, True)),
    "stability": ("the mean rank correlation is at least 0.7", (True, True, True)),
}
BANDS = {"B1": "delta", "B2": "theta", "B3": "alpha", "B4": "beta", "B5": "gamma"}
SAMPLES = {  # sample: recording, start, end, true, pred, probability, threshold, bands by method, channels
    379: ("sim08_07", "124", "136", 1, 1, "0.942", "0.672", "B2 B1 B2/B2 B1 B2/B1 B1 B1", "FP2-F8 FP2-F8 FP2-F8"),
    195: ("sim08_04", "84", "96", 1, 1, "0.484", "0.423", "B1 B1 B1/B1 B1 B1/B2 B2 B1", "FZ-CZ FP1-F3 FP1-F3"),
    400: ("sim08_07", "208", "220", 0, 0, "0.011", "0.672", "B1 B2 B1/B1 B1 B1/B2 B1 B1", "FP1-F3 FP2-F4 FP2-F8"),
    139: ("sim08_03", "92", "104", 0, 0, "0.003", "0.810", "B1 B4 B1/B1 B1 B5/B1 B2 B5", "FP2-F8 FP2-F8 F8-T8"),
    25: ("sim08_01", "100", "112", 1, 0, "0.003", "0.810", "B4 B4 B1/B1 B1 B1/B3 B2 B1", "F8-T8 FP2-F8 F7-T7"),
    301: ("sim08_06", "44", "56", 0, 1, "0.849", "0.577", "B1 B1 B1/B1 B1 B1/B2 B2 B2", "FP1-F3 FP1-F3 FP1-F3"),
}
RULE = "sensitivity and specificity both count, and the lower decides: strong from 0.90, moderate from 0.70, weak below"


def value(printed, low=None, high=None):
    """Return a value as the facts hold it."""
    unit = "minutes" if printed == "28" else ""
    return {"printed": printed, "unit": unit, "interval": low and {"low": low, "high": high}}


def sample(number):
    """Return a sample as the facts hold it; "-" is no band."""
    recording, start, end, true, pred, p, threshold, bands, channels = SAMPLES[number]
    rows = [[None if band == "-" else band for band in row.split()] for row in bands.split("/")]
    return {
        "sample": number,
        "recording": recording,
        "start_s": start,
        "end_s": end,
        "true": true,
        "pred": pred,
        "correct": true == pred,
        "p_seizure": p,
        "threshold": threshold,
        "side": "above" if float(p) > float(threshold) else "below",
        "bands": dict(zip(METHODS, rows, strict=True)),
        "channels": {"ig": channels.split()},
    }


def overall(highest, toward, against):
    """Return a part of "overall" as the facts hold it."""
    return {
        "highest": dict(zip(METHODS, highest.split(), strict=True)),
        "ig": {"for": toward.split(), "against": against.split()},
    }


def study():
    """Return the facts of the study made by hand."""
    values = {key: value(*printed) for key, printed in PRINTED.items()}
    for rule, figures in FIGURES.items():
        values |= {f"tests.{rule}.{m}": value(figure) for m, figure in zip(METHODS, figures, strict=True)}
    most = {"B1": 4, "B2": 2}
    left = {"gradcam": {"B1": 4, "B2": 1, "B4": 1}, "gradcampp": {"B1": 5, "B5": 1}, "ig": {"B1": 3, "B2": 2, "B5": 1}}
    return {
        "patient": "sim08",
        "simulated": True,
        "more_frequent": "non-seizure",
        "values": values,
        "undefined": {},
        "labels": {"0": "Non-Seizure", "1": "Seizure"},
        "bands": {key: {"name": name, "printed": f"{key} ({name})"} for key, name in BANDS.items()},
        "steps": ["t0", "t1", "t2"],
        "methods": METHODS,
        "samples": [sample(number) for number in (379, 195, 400, 139)],
        "errors": [sample(25), sample(301)],
        "groups": {
            "1": {"samples": [379, 195], "frames": 6, "counts": dict.fromkeys(METHODS, most)},
            "0": {"samples": [400, 139], "frames": 6, "counts": left},
        },
        "agreement": [
            {"methods": ["gradcam", "gradcampp"], "same": 9, "of": 12},
            {"methods": ["gradcam", "ig"], "same": 4, "of": 12},
            {"methods": ["gradcampp", "ig"], "same": 6, "of": 12},
        ],
        "changes": {
            "gradcam": {"changes": [379, 400, 139], "stays": [195], "unknown": []},
            "gradcampp": {"changes": [379, 139], "stays": [195, 400], "unknown": []},
            "ig": {"changes": [195, 400, 139], "stays": [379], "unknown": []},
        },
        "overall": {
            "found": overall("B1 B1 B5", "B1 B2 B5", "B3 B4"),
            "left": overall("B1 B1 B4", "B2 B3", "B1 B4 B5"),
        },
        "tests": {
            rule: {"asks": asks, "verdicts": dict(zip(METHODS, verdicts, strict=True))}
            for rule, (asks, verdicts) in VERDICTS.items()
        },
        "missed_seizures": [],
        "grade": {"word": "moderate", "rule": RULE},
    }


FACTS = study()
HELD_OUT = "the held-out recordings served neither for training nor for choosing the threshold"
CHOSEN = "were neither held out in its fold nor trained on by the networks that scored them there"
HEAD_379 = "**Sample 379 (True: Seizure, Predicted: Seizure, p_seizure=0.942):**"
HEAD_400 = "**Sample 400 (True: Non-Seizure, Predicted: Non-Seizure, p_seizure=0.011):**"
HEAD_25 = "**Sample 25 (True: Seizure, Predicted: Non-Seizure, p_seizure=0.003):**"
HEAD_301 = "**Sample 301 (True: Non-Seizure, Predicted: Seizure, p_seizure=0.849):**"
SZCORE = "Counted as events by the rules of SzCORE, which join alarms less than 90 s apart,"

# What a sentence is about, the sentence, and edits of it ("old → new") that each make it false.
SENTENCES = [
    (
        None,
        "This report summarises the results of a model that labels EEG spectrograms of patient sim08 as either "
        "containing seizure activity or not.",
        ["sim08 → sim09", "EEG → MEG", "containing → curing"],
    ),
    (
        None,
        "Patient sim08 is simulated: a program made the recordings, and they hold no person's EEG.",
        ["is → is not", "no person's → a person's", "sim08 → sim8", "a program → a hospital"],
    ),
    (
        None,
        f"The model was tested by leaving recordings out: in each of 5 folds, {HELD_OUT}.",
        ["5 folds → 4 folds", "neither for training nor → both for training and", "training → validation"],
    ),
    (
        None,
        "Within a fold, 4 networks decide together, by the mean of their log-odds.",
        ["4 → 5", "mean → median", "4 networks → 4 to 6 networks"],
    ),
    (
        None,
        "The figures here pool all folds: 406 samples, taken throughout 7 held-out recordings.",
        ["406 → 325", "7 → 5", "held-out → training", "all folds → one fold"],
    ),
    (
        None,
        "The results here combine all folds: 406 samples, taken throughout 7 held-out recordings.",
        ["406 → 405", "all folds → all patients", "combine → outdo"],
    ),
    (None, "The model reached, on the held-out recordings, the following values:", ["values → excellent values"]),
    (
        None,
        "**Accuracy:** 0.9483 (This is the share of all samples that the model judged correctly; 95 % interval 0.9163 "
        "to 0.9754.)",
        ["0.9483 → 0.9472", "0.9754 → 0.9749", "all samples → seizure samples", "correctly → wrongly", "95 → 90"],
    ),
    (
        None,
        "**Sensitivity:** 0.7547 (This indicates the share of seizure samples that the model found; 95 % interval "
        "0.6271 to 0.8696.)",
        [
            "0.7547 → 0.9773",
            "0.7547 → undefined",
            "found → missed",
            "Sensitivity → Specificity",
            "Sensitivity → Recall",
        ],
    ),
    (
        None,
        "**Best threshold:** 0.58 (This is the median over folds of the probability from which a sample is called "
        "seizure.)",
        ["0.58 → 0.50", "median → mean", "called seizure → called non-seizure"],
    ),
    (
        None,
        "The model found 40 of the 53 seizure samples and missed 13.",
        [
            "40 → 41",
            "53 → 55",
            "13 → 12",
            "found 40 of the 53 → missed 40 of the 53",
            "40 of the 53 → all 53",
            "40 of the → some of the",
            "13 → none",
            "samples → periods",
        ],
    ),
    (
        None,
        "Of the 353 non-seizure samples, it judged 345 correctly and 8 as seizure.",
        ["353 → 53", "345 → 344", "8 → no", "correctly → wrongly", "as seizure → as non-seizure", "345 → all"],
    ),
    (
        None,
        "In plain words, of 100 seizure samples it finds about 75 (95 % interval 63 to 87), and of 100 non-seizure "
        "samples it takes about 2 (95 % interval 0 to 5) for seizure.",
        ["75 → 77", "63 → 36", "2 (95 → 3 (95", "0 to 5 → 0 to 6", "finds → misses", "of 100 non-seizure → of 100"],
    ),
    (
        None,
        "Specificity is higher than sensitivity: in proportion, seizure samples were misjudged more often than "
        "non-seizure samples.",
        ["higher → lower", "more → less", "more often than → as often as", "sensitivity → specificity"],
    ),
    (
        None,
        "Always answering non-seizure, the more frequent class here, would give an accuracy of 0.8695, less than this "
        "model's.",
        ["non-seizure → seizure", "0.8695 → 0.9483", "less than → more than", "less than → the same as", "more → less"],
    ),
    (
        None,
        f"By this report's rule ({RULE}), the result is graded moderate.",
        ["moderate. → strong.", "0.90 → 0.80", "the lower → the higher", "moderate. → weak."],
    ),
    (
        None,
        "Alarms rest on log-odds that are averaged over 5 frames, and have thresholds of their own.",
        ["5 → 3", "frames → networks", "5 → 5 to 7"],
    ),
    (
        None,
        f"{SZCORE} the model detected all 5 seizures, with 1 false alarm, a rate of 51.4 per 24 h, reckoned from 28 "
        "minutes of EEG.",
        [
            "90 → 60",
            "all 5 → 4 of the 5",
            "detected → missed",
            "1 false alarm → no false alarm",
            "51.4 → 5.14",
            "24 h → h",
            "28 → 82",
            "minutes → hours",
        ],
    ),
    (
        None,
        "Event precision is 0.8333 (95 % interval 0.5000 to 1.0000) and event F1 is 0.9091 (95 % interval 0.6667 to "
        "1.0000).",
        ["precision → sensitivity", "0.8333 → 0.9091", "0.6667 → 0.5000", "event F1 → F1", "0.9091 → undefined"],
    ),
    (
        None,
        "The median delay from the onset of a seizure to its alarm is 20.0 s (95 % interval 13.0 to 27.0).",
        ["20.0 → 2.0", "median → mean", " s ( →  minutes (", "13.0 to 27.0 → 27.0 to 13.0"],
    ),
    (
        None,
        "Whatever the threshold, AUROC is 0.9318 (95 % interval 0.8849 to 0.9790) and AUPRC is 0.8523 (95 % interval "
        "0.7696 to 0.9213).",
        ["AUROC is → AUPRC is", "0.9318 → 0.8523", "0.9213 → 0.9790", "AUROC → accuracy"],
    ),
    (
        None,
        "By AUPRC, the model is ahead of logistic regression (0.7175) and the random forest (0.7342), and the whole "
        "95 % interval of each difference lies above zero.",
        [
            "ahead of → behind",
            "is ahead of → cannot be told apart from",
            "0.7175 → 0.7342",
            "above → below",
            "lies above → holds",
            "AUPRC → event F1",
            "AUPRC → AUROC",
            "the random forest → the support vector machine",
        ],
    ),
    (
        None,
        "In event F1, the model cannot be told apart from logistic regression (1.0000) and the random forest "
        "(1.0000): the 95 % interval of each difference includes zero.",
        [
            "cannot → can",
            "cannot be told apart from → is behind",
            "includes zero → lies below zero",
            "(1.0000): → (0.9):",
        ],
    ),
    (
        None,
        "At the reference study's mix, one seizure sample to two others, F1 is 0.8386 and accuracy is 0.9031.",
        ["0.8386 → 0.7921", "one seizure → two seizure", "accuracy → AUROC", "F1 is → weighted F1 is"],
    ),
    (
        None,
        f"Every threshold was set on recordings that {CHOSEN}; those for samples run from 0.30 to 0.81.",
        ["0.30 → 0.81", "0.81 → 0.58", "neither → either", "samples → alarms", "Every → One"],
    ),
    (
        None,
        "Over 5 random splits, 313 of 325 test samples share EEG with training.",
        ["5 → 7", "313 of 325 → 12 of 325", "313 of 325 → all 325", "test → training", "313 of 325 → none of the 325"],
    ),
    (
        None,
        "With a random split, F1 is 0.9723, accuracy 0.9815 and AUROC 0.9812; on held-out recordings with the same "
        "share of seizure samples, they are 0.8366, 0.9002 and 0.9280.",
        [
            "0.9723 → 0.8366",
            "0.8366, 0.9002 → 0.9002, 0.8366",
            ", 0.9002 and 0.9280 →  and 0.9002",
            "accuracy 0.9815 → AUROC 0.9815",
            "0.9280 → 0.9318",
            "a random split → a split by recording",
        ],
    ),
    (
        None,
        "The difference is 0.1357 (95 % interval 0.0538 to 0.2316) in F1, 0.0813 (95 % interval 0.0319 to 0.1311) in "
        "accuracy and 0.0532 (95 % interval −0.0056 to 0.1089) in AUROC.",
        ["0.1357 → −0.1357", "−0.0056 → 0.0056", "in accuracy → in AUROC", "0.1311 → 0.1089", "in F1 → in event F1"],
    ),
    (
        None,
        "Its 95 % interval lies above zero for F1 and accuracy and includes zero for AUROC.",
        ["above → below", "accuracy → AUROC", "includes zero → lies above zero", "for F1 and → for AUROC and"],
    ),
    (
        None,
        "To see how the model decides, 4 samples were examined: 2 labelled seizure and 2 labelled non-seizure; the "
        "model judged all of them correctly.",
        [
            "4 → 5",
            "2 labelled seizure → 3 labelled seizure",
            "all of them → none of them",
            "all → 3",
            "correctly → wrongly",
        ],
    ),
    (
        379,
        f"{HEAD_379} The model correctly identified this sample as containing seizure activity.",
        [
            "379 → 195",
            "True: Seizure → True: Non-Seizure",
            "Predicted: Seizure → Predicted: Non-Seizure",
            "0.942 → 0.924",
            "correctly → wrongly",
            "as containing → as not containing",
            "correctly identified → did not identify",
        ],
    ),
    (400, f"{HEAD_400} The model rightly recognised this sample as not containing seizure activity.", ["not  → "]),
    (
        25,
        f"{HEAD_25} The model missed the seizure activity in this sample.",
        ["missed → found", "missed the → wrongly saw", "missed the → correctly saw no"],
    ),
    (
        301,
        f"{HEAD_301} The model wrongly saw seizure activity in this spectrogram.",
        ["wrongly saw → missed the", "wrongly → rightly", "saw → saw no"],
    ),
    (
        379,
        "It covers 124 to 136 s of recording sim08_07, and its probability is above its fold's threshold of 0.672.",
        ["124 → 126", "136 → 163", "_07 → _04", "above → below", "above → at", "0.672 → 0.942", "threshold → mean"],
    ),
    (
        379,
        "For this seizure prediction, Grad-CAM and Grad-CAM++ are strongest in B2 (theta) at t0 and t2 and in B1 "
        "(delta) at t1.",
        [
            "seizure → non-seizure",
            "Grad-CAM++ → IG",
            "B2 (theta) → B2 (delta)",
            "B1 (delta) → B4 (beta)",
            "t0 and t2 → t0 and t1",
            " at t0 and t2 and in B1 (delta) →  at t0 and in B1 (delta)",
            " and in B1 (delta) at t1 → ",
            "strongest → weakest",
            "t0 and t2 → all three steps",
        ],
    ),
    (
        195,
        "The strongest band of IG is B2 (theta) at t0 and t1 and B1 (delta) at t2.",
        ["IG → Grad-CAM", "t0 and t1 → t0", "B1 → B6", "B2 (theta) at t0 and t1 and →  ", "at t2 → at t3"],
    ),
    (195, "IG is strongest in B2 (theta) at t0 and t1 and in B1 (delta) at t2.", ["IG is → All three methods are"]),
    (
        400,
        "By IG, the strongest channel is FP1-F3 at t0, FP2-F4 at t1 and FP2-F8 at t2.",
        [
            "FP1-F3 → FP2-F3",
            "at t0 → at t2",
            " at t0, FP2-F4 at t1 and FP2-F8 at t2 →  at all three steps",
            ", FP2-F4 at t1 and → , and",
            "By IG → By Grad-CAM",
            "the strongest channel is FP1-F3 → no channel speaks for the decision",
        ],
    ),
    (
        None,
        "The clearest errors, one of each kind, are examined in the same way:",
        ["errors, one of each kind, are → error is"],
    ),
    (
        None,
        "Of the 13 missed seizure samples, all come before the first one found in their seizure.",
        ["13 → 12", "all → none", "all → 11", "before → after", "missed → found"],
    ),
    (
        "1",
        "**Seizure Predictions (Samples 379 and 195):** All three methods are most often strongest in B1 (delta), in 4 "
        "of 6 frames.",
        ["Seizure P → Non-Seizure P", "195 → 400", "4 of 6 → 5 of 6", "4 of 6 → 4 of 12", "B1 (delta) → B2 (theta)"],
    ),
    (
        "0",
        "Grad-CAM++ is strongest most often in B1 (delta), in 5 of 6 frames.",
        [
            "Grad-CAM++ → Grad-CAM",
            "5 of 6 → all 6",
            "most often → always",
            "often → rarely",
            "B1 (delta) → B1 (delta) and B5 (gamma)",
        ],
    ),
    (
        "found",
        "**All Seizure Samples Found (40):** The mean relevance of Grad-CAM and Grad-CAM++ is highest in B1 (delta).",
        [
            "40 → 53",
            "Found → Left Alone",
            "Grad-CAM++ → IG",
            "highest → lowest",
            "Seizure → Non-Seizure",
            "mean → median",
        ],
    ),
    (
        "found",
        "By IG, on average, B1 (delta), B2 (theta) and B5 (gamma) speak for seizure and B3 (alpha) and B4 (beta) speak "
        "against seizure.",
        [
            "speak for → speak against",
            "B2 (theta) and B5 → B5",
            "B3 (alpha) and  → ",
            "B1 (delta), B2 (theta) and B5 (gamma) → All five bands",
            "By IG → By Grad-CAM",
            "B5 (gamma) → B4 (beta)",
        ],
    ),
    (
        None,
        "**Agreement Between Methods:** The same band is strongest for Grad-CAM and Grad-CAM++ in 9 of 12 frames, for "
        "Grad-CAM and IG in 4 of 12 frames and for Grad-CAM++ and IG in 6 of 12 frames.",
        [
            "9 of 12 → 10 of 12",
            "12 frames, → 6 frames,",
            "4 of 12 → 6 of 12",
            "for Grad-CAM and IG → for Grad-CAM++ and IG",
            "same → other",
        ],
    ),
    (
        None,
        "**Change Over Time:** Grad-CAM changes its strongest band within Samples 379, 400 and 139 and keeps it within "
        "Sample 195.",
        [
            "changes → keeps",
            "keeps → loses",
            "Sample 195 → Sample 379",
            "400 and 139 → 139",
            "Grad-CAM → IG",
            ":** Grad-CAM → :** All three methods",
        ],
    ),
    (
        None,
        "Each method was tested on 40 seizure samples and 40 non-seizure samples, all decided correctly.",
        ["40 → 80", "correctly → wrongly", "and 40 → and 13", "Each → One"],
    ),
    (
        None,
        "Over all tests, Grad-CAM passes 6 of 7 tests, Grad-CAM++ passes 5 of 7 and IG passes 7 of 8.",
        ["6 of 7 → 7 of 7", "5 of 7 → 5 of 8", "IG passes → IG fails", "7 of 8 → all 8", "Grad-CAM++ → Grad-CAM"],
    ),
    (
        "random weights",
        "**Random weights** asks whether a map changes once all weights are random: Grad-CAM and IG pass, and "
        "Grad-CAM++ fails.",
        [
            "Random weights → Permuted labels",
            "fails → passes",
            "pass, → fail,",
            "and Grad-CAM++ fails → and IG fails",
            "Grad-CAM and IG pass, and Grad-CAM++ fails → Grad-CAM and IG pass",
            "Grad-CAM and IG pass, and Grad-CAM++ fails → all three methods pass",
            "Grad-CAM and IG pass, and Grad-CAM++ fails → none of the three methods passes",
            "changes → stays alike",
            "fails → is not tested",
        ],
    ),
    (
        "random weights",
        "The rank correlation with the trained map is 0.12 for Grad-CAM, 0.48 for Grad-CAM++ and 0.05 for IG; below "
        "0.20 passes.",
        [
            "0.12 → 0.21",
            "0.48 for Grad-CAM++ → 0.48 for IG",
            "0.20 → 0.70",
            "below → above",
            " with the trained map → ",
        ],
    ),
    (
        "beyond power",
        "The share of the EEG's own power on planted cells is 0.60.",
        ["0.60 → 0.22", "EEG's own power → map"],
    ),
    (
        "planted truth",
        "The share on planted cells is 0.52 for Grad-CAM, 0.48 for Grad-CAM++ and 0.52 for IG, and by chance 0.22.",
        ["0.22 → 0.60", "0.48 → 0.52", "and by chance 0.22 → and by power 0.22"],
    ),
    (
        "completeness",
        "**Completeness** tests whether IG's attributions add up to the change in log-odds: IG passes.",
        ["IG passes → all three methods pass", "passes → fails", "add up → do not add up"],
    ),
    (
        "completeness",
        "The largest miss is 1.4 % of the sum of the attributions, or of 1 where that is more.",
        ["1.4 → 5", "largest → mean"],
    ),
    (
        "deletion",
        "The gain over random order is 0.33 for Grad-CAM, 0.31 for Grad-CAM++ and 0.36 for IG.",
        ["0.33 → 0.37", "0.36 for IG → 0.36 for all three methods"],
    ),
    (
        "permuted labels",
        "The rank correlation falls by 0.10 for Grad-CAM, 0.28 for Grad-CAM++ and 0.40 for IG.",
        ["falls → rises", "0.10 → 0.01"],
    ),
    (
        "stability",
        "The rank correlation is 1.00 for Grad-CAM, 1.00 for Grad-CAM++ and 0.99 for IG; from 0.70 on it passes.",
        ["0.99 → 1.00", "0.70 → 0.20", "from 0.70 on it → below 0.70"],
    ),
    (
        None,
        "These results rest on 28 minutes of EEG with 5 seizures, of one patient.",
        ["28 → 406", "5 → 7", "one patient → all patients"],
    ),
    (
        None,
        "The results rest on 28 minutes of EEG with 5 seizures, all from one patient.",
        ["minutes → hours", "one patient → two patients", "all from → none from"],
    ),
    (
        None,
        "Overall, the model achieved a sensitivity of 0.7547 and a specificity of 0.9773 on held-out recordings of the "
        "simulated patient sim08, and detected all 5 seizures with 1 false alarm; this report's rule rates the result "
        "as moderate.",
        [
            "0.7547 → 0.9773",
            "sensitivity → precision",
            "held-out → training",
            "sim08 → chb01",
            "moderate → strong",
            "Overall, → Therefore,",
        ],
    ),
    (
        None,
        "A random split would have shown an F1 of 0.9723, where held-out recordings with the same share of seizure "
        "samples give 0.8366.",
        ["0.9723 → 0.7921", "0.8366 → 0.9002", "F1 → accuracy", "would have shown → has shown"],
    ),
]
VARIANTS = [(about, sentence, edit) for about, sentence, edits in SENTENCES for edit in edits]


@pytest.mark.parametrize(("about", "sentence"), [row[:2] for row in SENTENCES])
def test_true_sentences_have_no_problem(about, sentence):
    assert problems(sentence, about, FACTS) == []


@pytest.mark.parametrize(("about", "sentence", "edit"), VARIANTS)
def test_false_variants_have_a_problem(about, sentence, edit):
    old, new = edit.split(" → ")
    false = sentence.replace(old, new, 1)
    assert false != sentence
    assert problems(false, about, FACTS)


@pytest.mark.parametrize(
    ("about", "sentence"),
    [
        (None, ""),
        (None, "The model is excellent."),
        (None, "The model found 40 of the 53 seizure samples and missed 13"),
        (None, "Therefore, the model found 40 of the 53 seizure samples and missed 13."),
        (None, "The model found 40 of the 53 seizure samples and missed 13, because spikes spread."),
        (None, "The model found 40 of the 53 seizure samples and missed 13. It is safe."),
        (None, "The model detected all 5 seizures and missed 13."),
        (None, "IG is strongest in B1 (delta) at all three steps."),
        (195, "IG is strongest in B1 (delta) at all three steps."),
        (12345, "IG is strongest in B1 (delta) at all three steps."),
        ("left", "The mean relevance of IG is highest in B5 (gamma)."),
        ("insertion", "The gain over random order is 0.33 for Grad-CAM, 0.31 for Grad-CAM++ and 0.36 for IG."),
        (None, "The model missed the seizure at 3 to 9 s of sim08_01."),
        (None, "The model made no error."),
    ],
)
def test_what_is_out_of_place_or_unknown_has_a_problem(about, sentence):
    assert problems(sentence, about, FACTS)


def rare():
    """Return facts of a study in which much is undefined, zero, negative or missed."""
    facts = study()
    for key in ("sensitivity", "f1"):
        facts["values"][key] = value(None)
        facts["undefined"][key] = "no seizure sample"
    facts["values"]["audit.gap.f1"] = value("−0.1357", "−0.2316", "−0.0538")
    facts["values"]["baselines.forest.ahead_auprc"] = value("−0.1181", "−0.2432", "−0.0393")
    facts["values"]["events.detected"], facts["values"]["events.missed"] = value("3"), value("2")
    facts["missed_seizures"] = [
        {"recording": "Köln [1] and more", "start_s": "3", "end_s": "9.5"},
        {"recording": "sim08_01", "start_s": "20", "end_s": "40"},
    ]
    shown = facts["samples"][0]
    shown["recording"] = "Köln [1], and its sister"
    shown["bands"] = {"gradcam": ["B1", None, "B1"], "gradcampp": [None] * 3, "ig": ["B1", "B1", "B1"]}
    shown["channels"]["ig"] = ["FP2-F8", None, "FP2-F8"]
    facts["grade"]["word"] = None
    return facts


@pytest.mark.parametrize(
    ("about", "sentence"),
    [
        (
            None,
            "**Sensitivity:** undefined (This is the share of seizure samples that the model found; no seizure "
            "sample.)",
        ),
        (None, "The difference is −0.1357 (95 % interval −0.2316 to −0.0538) in F1."),
        (None, "Its 95 % interval lies below zero for F1."),
        (
            None,
            "By AUPRC, the model is ahead of logistic regression (0.7175), and the whole 95 % interval of the "
            "difference lies above zero, and behind the random forest (0.7342), and the whole 95 % interval of the "
            "difference lies below zero.",
        ),
        (None, f"{SZCORE} the model detected 3 of the 5 seizures, with 1 false alarm."),
        (None, "It missed the seizures at 20 to 40 s of sim08_01 and at 3 to 9.5 s of Köln \\[1\\] and more."),
        (
            379,
            "It covers 124 to 136 s of Köln [1], and its sister, and its probability is above its fold's threshold of "
            "0.672.",
        ),
        (379, "Grad-CAM is strongest in B1 (delta) at t0 and t2, and its map is zero at t1."),
        (379, "The map of Grad-CAM++ is zero at all three steps."),
        (379, "IG's strongest channel is FP2-F8 at t0 and t2, and no channel speaks for the decision at t1."),
    ],
)
def test_sentences_of_a_rarer_study_are_read(about, sentence):
    assert problems(sentence, about, rare()) == []
    assert problems(sentence, about, FACTS)


def given(facts, **printed):
    """Return facts with some values printed otherwise; in a key, "__" stands for a dot."""
    facts["values"] |= {key.replace("__", "."): value(*form) for key, form in printed.items()}
    return facts


def perfect():
    """Return facts of a study with one fold, one seizure sample and no error, without intervals against baselines."""
    facts = study()
    facts["values"]["baselines.logistic.ahead_auprc"] = value("0.1348")
    facts["values"]["baselines.logistic.ahead_event_f1"] = value("−0.0909")
    facts["values"]["baselines.forest.ahead_event_f1"] = value("0.0000")
    facts["values"]["baselines.forest.event_f1"] = value("0.9091")
    facts["errors"] = []
    counts = {
        "n": ("12",),
        "seizure": ("1",),
        "other": ("11",),
        "tp": ("1",),
        "fn": ("0",),
        "fp": ("0",),
        "tn": ("11",),
    }
    scores = {key: ("1.0000",) for key in ("accuracy", "sensitivity", "specificity")}
    folds = {"folds__number": ("1",), "folds__recordings": ("1",), "folds__lowest": ("0.50",)}
    folds |= {"folds__highest": ("0.50",), "frames__fewest": ("1",), "frames__most": ("1",)}
    events = {"events__seizures": ("0",), "events__detected": ("0",), "errors__early": ("0",), "baseline": ("0.9167",)}
    return given(facts, **counts, **scores, **folds, **events, overall__found__n=("1",), overall__left__n=("3",))


def hopeless():
    """Return facts of a study with seizure samples only, all of them missed, and with no threshold."""
    facts = study()
    facts["undefined"] = {"specificity": "no other sample; none at all", "f1": "nothing found"}
    facts["grade"]["word"], facts["more_frequent"], facts["errors"] = None, "seizure", [sample(25)]
    facts["missed_seizures"] = [
        {"recording": "EEG 2024-01-02", "start_s": "7.5", "end_s": "35.75"},
        {"recording": "sim08_01", "start_s": "20", "end_s": "40"},
    ]
    counts = {"n": ("9",), "seizure": ("9",), "other": ("0",), "tp": ("0",), "fn": ("9",), "fp": ("0",), "tn": ("0",)}
    scores = {"accuracy": ("0.0000",), "sensitivity": ("0.0000",), "specificity": (None,), "f1": (None,)}
    folds = {"threshold": (None,), "folds__lowest": (None,), "folds__highest": (None,), "errors__early": ("0",)}
    events = {"events__seizures": ("2",), "events__detected": ("0",), "events__missed": ("2",)}
    return given(facts, **counts, **scores, **folds, **events, tests__seizure=("0",), tests__other=("0",))


def early():
    """Return facts of a study in which missed samples come early, and one non-seizure sample was misjudged."""
    counts = {"fn": ("9",), "errors__early": ("9",), "other": ("1",), "fp": ("1",), "tn": ("0",)}
    return given(study(), **counts, baseline=("0.9483",))


def even():
    """Return facts of a study with as many samples of one class as of the other."""
    facts = given(study(), baseline=("0.5000",), accuracy=("0.5000",))
    facts["more_frequent"] = None
    return facts


def zeros():
    """Return facts of a study with maps of zeros."""
    facts = study()
    rows = {379: "B1 - -/B1 - -/B1 - -", 195: "B1 B1 B2/B1 B1 B1/B1 B1 B2", 400: "- B4 B4/- - -/- B4 B1"}
    facts["samples"] = [sample(number) for number in rows]
    for shown in facts["samples"]:
        bands = [[None if band == "-" else band for band in row.split()] for row in rows[shown["sample"]].split("/")]
        shown["bands"] = dict(zip(METHODS, bands, strict=True))
    facts["samples"][0]["channels"]["ig"] = ["C3", None, None]
    facts["samples"][1]["channels"]["ig"] = ["C3", None, "C3"]
    facts["changes"] = {
        "gradcam": {"changes": [195], "stays": [], "unknown": [379, 400]},
        "gradcampp": {"changes": [], "stays": [195], "unknown": [379, 400]},
        "ig": {"changes": [195], "stays": [], "unknown": [379, 400]},
    }
    facts["groups"]["1"] = {"samples": [379, 195], "frames": 4, "counts": dict.fromkeys(METHODS, {"B1": 4})}
    return facts


def alike():
    """Return facts of a study in which all methods name the same band, where all of them name one."""
    facts = zeros()
    facts["samples"] = facts["samples"][:1]
    return facts


def crossed():
    """Return facts of a study in which each pair agrees in its one frame, and no frame is that of all three."""
    facts = zeros()
    facts["samples"] = facts["samples"][:1]
    facts["samples"][0]["bands"] = {
        "gradcam": ["B1", "B1", None],
        "gradcampp": ["B1", None, "B3"],
        "ig": [None, "B1", "B3"],
    }
    facts["agreement"] = [dict(row, same=1, of=1) for row in facts["agreement"]]
    return facts


# The study, what a sentence is about, the sentence, and edits of it that each make it false.
RARE_SENTENCES = [
    (perfect, None, f"The model was tested by leaving recordings out: in the only fold, {HELD_OUT}.", ["only → last"]),
    (
        perfect,
        None,
        "The figures here come from 12 samples, taken throughout 1 held-out recording.",
        ["12 → 13", "1 held-out recording → 2 held-out recordings", "samples → seizures", "held-out → training"],
    ),
    (
        perfect,
        None,
        "Alarms rest on log-odds that are those of single frames, and have thresholds of their own.",
        ["single → all", "frames → samples", "those of single frames → averaged over 5 frames"],
    ),
    (
        perfect,
        None,
        "The only seizure sample was found.",
        ["found → missed", "seizure → non-seizure", "only → last", "found → judged as non-seizure", "was → was not"],
    ),
    (
        perfect,
        None,
        "Sensitivity and specificity are equal, to four decimals.",
        ["specificity → F1", "Sensitivity → Weighted F1"],
    ),
    (
        perfect,
        None,
        f"{SZCORE} there was nothing to detect, and the model raised 1 false alarm.",
        ["nothing → one seizure", "1 false → no false", "nothing to detect → nothing to miss"],
    ),
    (
        perfect,
        None,
        "By AUPRC, the model is higher than logistic regression (0.7175), without an interval.",
        [
            "higher → lower",
            "is higher than → equals",
            "0.7175 → 0.8523",
            "AUPRC → AUROC",
            "without → with",
            "logistic regression (0.7175) → the random forest (0.7342)",
            "is higher than → cannot be told apart from",
            "is higher than → is ahead of",
        ],
    ),
    (
        perfect,
        None,
        "In event F1, the model is lower than logistic regression (1.0000), without an interval.",
        ["lower → higher", "is lower than → equals", "event F1 → AUPRC", "is lower than → is behind"],
    ),
    (
        perfect,
        None,
        "By event F1, the model equals the random forest (0.9091), without an interval.",
        ["equals → is higher than", "equals → is lower than", "the random forest → logistic regression"],
    ),
    (
        perfect,
        None,
        f"Every threshold was set on recordings that {CHOSEN}; those for samples all come to 0.50.",
        ["0.50 → 0.58", "all come to → come close to"],
    ),
    (
        perfect,
        None,
        "No held-out sample was judged wrongly, so there is no error to explain.",
        ["wrongly → correctly", "No held-out → One held-out", "no error → one error", "No held-out → No training"],
    ),
    (
        perfect,
        None,
        "The model judged every held-out sample correctly, so there is no error to explain.",
        ["every → no", "correctly → wrongly", "so there is → but there is"],
    ),
    (
        perfect,
        "found",
        "**All Seizure Samples Found (1):** The mean relevance of IG is highest in B5 (gamma).",
        ["1 → 2"],
    ),
    (
        perfect,
        "left",
        "**Non-Seizure Samples Left Alone (3 of 11):** The mean relevance of IG is highest in B4 (beta).",
        ["3 of 11 → 11", "3 of → 4 of", "of 11 → of 12", "Non-S → All Non-S", "Non-S → S", "Left Alone → Found"],
    ),
    (
        hopeless,
        None,
        "**Specificity:** undefined (no other sample; none at all) (This is the share of non-seizure samples that the "
        "model judged non-seizure.)",
        ["none at all) → no seizure)", "undefined → 0.0000", "Specificity → Sensitivity", "samples → recordings"],
    ),
    (
        hopeless,
        None,
        "**Best threshold:** undefined (no fold has one) (This is the median over folds of the probability from which "
        "a sample is called seizure.)",
        ["undefined → 0.58", "no fold has one → every fold has one", "median → mean"],
    ),
    (
        hopeless,
        None,
        "The held-out recordings hold no non-seizure sample.",
        ["no non-seizure → no seizure", "no non → one non", "held-out → training"],
    ),
    (
        hopeless,
        None,
        f"By this report's rule ({RULE}), the result cannot be graded, as one of them is undefined.",
        ["one of them is → both are", "cannot be graded → is weak", "the lower → the higher", "one of them → F1"],
    ),
    (
        hopeless,
        None,
        "None of the 9 missed seizure samples comes before the first one found in its seizure.",
        ["None → All", "None → One", "9 → 8", "before → after", "first → last"],
    ),
    (
        hopeless,
        None,
        "Missed as a whole were the seizures at 20 to 40 s of sim08_01 and 7.5 to 35.75 s of EEG 2024-01-02.",
        ["Missed → Found", "20 → 21", "35.75 → 35.7", "01-02 → 01-03", " and 7.5 to 35.75 s of EEG 2024-01-02 → "],
    ),
    (
        hopeless,
        None,
        "The clearest error of its kind is examined in the same way:",
        ["error of its kind is → errors, one of each kind, are", "clearest → worst"],
    ),
    (
        hopeless,
        None,
        "No sample was decided correctly, so that the methods could not be tested on any.",
        ["correctly → wrongly", "could not → could", "No sample → One sample", "methods → model"],
    ),
    (
        hopeless,
        None,
        "Overall, the model reached a sensitivity of 0.0000 on held-out recordings of the simulated patient sim08, and "
        "detected none of the 2 seizures with 1 false alarm; specificity stays undefined.",
        ["specificity → sensitivity", "undefined → high", "undefined → 0.0000", "none → all", "sim08 → sim09"],
    ),
    (
        early,
        None,
        "All 9 missed seizure samples come before the first one found in their seizure.",
        ["All → None of the", "All 9 → 8 of the 9", "9 → 10", "before → after", "missed → found"],
    ),
    (
        early,
        None,
        "The only non-seizure sample was judged as seizure.",
        ["as seizure → as non-seizure", "as seizure → correctly", "non-seizure → seizure", "judged as seizure → found"],
    ),
    (
        even,
        None,
        "A rule that always gives the same answer would give an accuracy of 0.5000, the same as this model's to four "
        "decimals.",
        [
            "0.5000 → 0.8695",
            "the same as → more than",
            "to four → to five",
            "the same answer → seizure, the more frequent",
        ],
    ),
    (
        zeros,
        379,
        "In this seizure prediction, all three methods are strongest in B1 (delta) at t0; at t1 and t2, their maps are "
        "zero.",
        ["at t1 and t2 → at t0 and t1", "their maps are → its map is", "zero → strongest", "B1 (delta) → B2 (theta)"],
    ),
    (
        zeros,
        400,
        "Grad-CAM is strongest in B4 (beta) at t1 and t2; at t0, its map is zero.",
        ["Grad-CAM → IG", "at t0 → at t1", "at t0, → at t0 and t1,", "its map is → their maps are"],
    ),
    (
        zeros,
        379,
        "By IG, the strongest channel is C3 at t0; at t1 and t2, no channel speaks for the decision.",
        ["t1 and t2 → t0 and t1", "C3 → C4", "no channel → one channel", "the decision → seizure"],
    ),
    (
        zeros,
        195,
        "IG's strongest channel is C3 at t0 and t2; at t1, no channel speaks for the decision.",
        ["at t1, → at t2,", "t0 and t2 → all three steps", "at t1, no → at t1 and t2, no"],
    ),
    (
        zeros,
        "1",
        "**Seizure Predictions (Samples 379 and 195):** All three methods are strongest in B1 (delta) in every one of "
        "the 4 frames.",
        ["every one of the 4 → every one of the 6", "every one → none", "every one → one", "B1 (delta) → B2 (theta)"],
    ),
    (
        zeros,
        None,
        "**Agreement Between Methods:** The same band is strongest for all three methods in 3 of 4 frames.",
        ["3 of 4 → all 4", "3 of 4 → 2 of 4", "3 of 4 → 3 of 9", "3 of 4 → none of 4", "same → other"],
    ),
    (
        alike,
        None,
        "**Agreement Between Methods:** The strongest band is the same for all three methods in all 1 frame.",
        ["all 1 → all 3", "all 1 → none of 1", "strongest → weakest"],
    ),
    (
        zeros,
        None,
        "**Change Over Time:** Grad-CAM and IG change their strongest band within Sample 195; a map of zeros leaves "
        "this open in Samples 379 and 400.",
        [
            "change their → keep their",
            "379 and 400 → 379",
            "IG → Grad-CAM++",
            "Sample 195 → Sample 379",
            "leaves → makes",
        ],
    ),
    (
        zeros,
        None,
        "**Change Over Time:** For all three methods, a map of zeros leaves this open in Samples 379 and 400.",
        ["379 and 400 → 195", "379 and 400 → 379", "zeros → ones", "open → settled"],
    ),
]
RARE_VARIANTS = [(facts, about, sentence, edit) for facts, about, sentence, edits in RARE_SENTENCES for edit in edits]


@pytest.mark.parametrize(("facts", "about", "sentence"), [row[:3] for row in RARE_SENTENCES])
def test_true_sentences_of_rare_studies_have_no_problem(facts, about, sentence):
    assert problems(sentence, about, facts()) == []
    assert problems(sentence, about, FACTS)


@pytest.mark.parametrize(("facts", "about", "sentence", "edit"), RARE_VARIANTS)
def test_false_variants_of_rare_studies_have_a_problem(facts, about, sentence, edit):
    old, new = edit.split(" → ")
    false = sentence.replace(old, new, 1)
    assert false != sentence
    assert problems(false, about, facts())


@pytest.mark.parametrize(
    ("facts", "about", "sentence"),
    [
        (study, None, "A rule that always gives the same answer would give an accuracy of 0.8695."),
        (study, None, "As one of them is undefined."),
        (study, None, "Sensitivity and sensitivity are equal."),
        (study, None, "There was nothing to detect."),
        (perfect, None, "There was nothing to detect."),
        (perfect, None, "The only non-seizure sample was judged correctly."),
        (perfect, None, "The model is higher than logistic regression (0.7175), without an interval."),
        (
            hopeless,
            None,
            "At the reference study's mix, one seizure sample to two others, F1 is 0.8386; F1 is undefined.",
        ),
        (zeros, 379, "At t1 and t2, their maps are zero."),
        (zeros, 379, "At t1 and t2, no channel speaks for the decision."),
        (
            crossed,
            None,
            "**Agreement Between Methods:** The same band is strongest for all three methods in all 1 frame.",
        ),
        (
            study,
            None,
            "**Agreement Between Methods:** The same band is strongest for Grad-CAM and IG in 4 of 12 frames and for "
            "IG and Grad-CAM in 4 of 12 frames.",
        ),
        (study, "insertion", "The gain over random order is 0.37 for Grad-CAM; below 0.20 passes."),
    ],
)
def test_what_is_unproven_in_rare_studies_has_a_problem(facts, about, sentence):
    assert problems(sentence, about, facts())
