"""The narrative says nothing false: its whole language against a checker of its own, and lies against the study's."""

import math
import random
import re

import pytest

from helpers import claims, facts, narrative, sentences, wording

BANDS = {"B1": ("delta", 0.5, 4), "B2": ("theta", 4, 8), "B3": ("alpha", 8, 13), "B4": ("beta", 13, 30)}
BANDS |= {"B5": ("gamma", 30, 55)}
FIRST_SEEDS, WALKS = 250, 2


def make_metrics(
    tp, fn, fp, tn, seizures=5, detected=4, source="simulate", patient="sim08", alarms=2, rate=3.2,
    thresholds=(0.35, 0.5), networks=(4, 4), frames=(5, 3), areas=((0.9055, 0.8217, 0.969), (0.8154, 0.7143, 0.8972)),
):  # fmt: skip
    def part(a, b):
        return a / b if b else None

    n, f1, f0 = tp + fn + fp + tn, part(2 * tp, 2 * tp + fp + fn), part(2 * tn, 2 * tn + fp + fn)
    weighted = ((tp + fn) * (f1 or 0) + (tn + fp) * (f0 or 0)) / n
    samples = {"n": n, "seizure": tp + fn, "tp": tp, "fn": fn, "fp": fp, "tn": tn, "accuracy": (tp + tn) / n}
    samples |= {"sensitivity": part(tp, tp + fn), "specificity": part(tn, tn + fp), "f1": f1, "weighted_f1": weighted}
    samples["threshold"] = sum(thresholds) / len(thresholds)
    return {
        "patient": patient,
        "source": source,
        "samples": samples,
        "undefined": {"sensitivity": "no seizure sample"},
        "events": {"seizures": seizures, "detected": detected, "sensitivity": part(detected, seizures)}
        | {"precision": part(detected, detected + alarms), "f1": part(2 * detected, seizures + detected + alarms)}
        | {"false_alarms": alarms, "fp_per_24h": rate},
        "intervals": {
            "ranking": {
                name: dict(zip(("value", "low", "high"), area, strict=True)) | {"dropped": 0.0, "reason": None}
                for name, area in zip(("auroc", "auprc"), areas, strict=True)
            }
        },
        "folds": [
            {
                "fold": at,
                "held_out": [f"{patient}_{at:02d}"],
                "inner": [f"{patient}_07", f"{patient}_08"],
                "networks": [f"{at}-{other}" for other in range(11, 11 + number)],
                "threshold": threshold,
                "alarm": {"k": k, "threshold": threshold / 2, "minimum": 1},
            }
            for at, (threshold, number, k) in enumerate(zip(thresholds, networks, frames, strict=True))
        ],
        "reference_prevalence": samples | {"accuracy": 0.9321, "f1": 0.8765}
        if tp + fn and fp + tn
        else dict.fromkeys(samples),
    }


def make_sample(number, true, p, bands, threshold=0.41, delta=0.0003, pred=None, patient="sim08"):
    return {
        "sample": number,
        "recording": f"{patient}_01",
        "start_s": 100.0 + number / 2,
        "end_s": 112.0 + number / 2,
        "true": true,
        "pred": int(p > threshold) if pred is None else pred,
        "p_seizure": p,
        "threshold": threshold,
        "strongest_band": dict(zip(("gradcam", "gradcampp", "ig"), bands, strict=True)),
        "convergence_delta": delta,
        "files": [],
    }


def make_digest(samples, patient="sim08"):
    bands = {key: {"name": name, "low_hz": low, "high_hz": high} for key, (name, low, high) in BANDS.items()}
    return {
        "patient": patient,
        "frame_s": 4.0,
        "bands": bands,
        "rule": "The first [of] each | label.",
        "samples": samples,
    }


def typical():
    """Return results with every kind of sentence: a hit, a miss, a false alarm, a correct rejection, maps of zeros."""
    same = ["B1", "B1", "B5"]
    samples = [
        make_sample(57, 1, 0.976, (same, same, ["B2"] * 3)),
        make_sample(80, 1, 0.4099, (["B1", "B2", "B5"], ["B2", "B2", "B5"], ["B1", None, "B5"]), delta=-0.0012),
        make_sample(3, 0, 0.027, (["B5"] * 3,) * 3),
        make_sample(4, 0, 0.57, ([None] * 3, ["B5", "B5", "B1"], ["B3", "B4", "B1"])),
    ]
    return make_metrics(54, 6, 11, 340), make_digest(samples)


def generated(seed):
    """Return the results of a made-up study, extremes as likely as the rest."""
    draw = random.Random(seed)
    seizure, other = (draw.choice([0, 1, 2, draw.randint(3, most)]) for most in (300, 3000))
    other = other or int(not seizure)
    tp, fp = (draw.choice([0, number, draw.randint(0, number)]) for number in (seizure, other))
    if draw.random() < 0.15:  # both classes with as many samples
        other, fp = seizure or 4, draw.randint(0, seizure or 4)
        seizure, tp = other, min(tp, other)
    events = draw.choice([0, 1, 5])
    alarms = draw.choice([0, 1, 7])
    patient = draw.choice(["sim08", "chb08", "a-1_b"])
    thresholds = draw.choice([(0.41,), (0.35, 0.5, 0.44), (0.2, 0.2)])
    networks, frames = (
        draw.choice([[one] * len(thresholds), draw.choices((one, 2, 5), k=len(thresholds))]) for one in (1, 3)
    )
    frames = draw.choice([frames, [1] * len(thresholds)])
    area = [(draw.random(), 0.25, 1.0), (0.5, None, None), (None, None, None)]
    metrics = make_metrics(
        tp, seizure - tp, fp, other - fp, events, draw.choice([0, events, draw.randint(0, events)]),
        draw.choice(["simulate", "directory"]), patient, alarms,
        draw.choice([None, 51.25 * alarms]), thresholds, networks, frames, draw.choices(area, k=2),
    )  # fmt: skip
    samples = []
    for number in draw.sample(range(500), draw.choice([4, 4, 4, 1, 2])):
        threshold = draw.choice([0.41, 0.003])
        p = draw.choice([draw.random(), threshold, threshold + 1e-4, threshold - 1e-5, 0, 1])
        pool = draw.choice([["B1"], ["B1", "B5"], list(BANDS), ["B1", "B3", None], [None]])
        one = draw.choices(pool, k=3)
        bands = [draw.choice([one, draw.choices(pool, k=3)]) for _ in range(3)]
        pred = draw.randint(0, 1) if p == threshold else None
        delta = draw.choice([None, 0, -0.0012, 1e-6])
        samples.append(make_sample(number, draw.randint(0, 1), p, bands, threshold, delta, pred, patient))
    return metrics, make_digest(samples, patient)


def walked(known, draw):
    """Yield (sentence, what it is about) for one text that the grammar allows."""
    for section in sentences.sections(known):
        for part in section["parts"]:
            if not part["fixed"]:
                yield wording.walk(wording.parse(part["text"]), draw), part["about"]


# A second checker. It knows the stages' files and plain English, neither facts.json, nor the grammar, nor the readers
# of `helpers.claims`. It asks of a sentence: which values may stand here, and is what is said of them so?

METHOD_NAMES = {"Grad-CAM++": "gradcampp", "Grad-CAM": "gradcam", "IG": "ig"}


def said_methods(text):
    if "all three methods" in text.lower():
        return list(METHOD_NAMES.values())
    return [METHOD_NAMES[name] for name in re.findall(r"Grad-CAM\+\+|Grad-CAM|IG", text)]


def said_steps(text):
    return {0, 1, 2} if "all three steps" in text else {int(step) for step in re.findall(r"\bt(\d)", text)}


def near(text, value):
    """Tell whether a printed number is `value`, rounded to its own digits."""
    digits = len(text.partition(".")[2])
    return value is not None and math.isclose(float(text), value, abs_tol=0.5001 * 10**-digits)


def count(text, whole):
    return {"all": whole, "none": 0}.get(text) if text in ("all", "none") else int(text)


def judge_sample(text, sample):
    """Return what is false in a sentence about one sample."""
    label = ("non-seizure", "seizure")
    if head := re.match(r"\*\*Sample (\d+) \(True: (\S+), Predicted: (\S+), p_seizure=([\d.]+)\):\*\* ", text):
        number, true, pred, p = head.groups()
        yield int(number) == sample["sample"] and true.lower() == label[sample["true"]]
        yield pred.lower() == label[sample["pred"]] and near(p, sample["p_seizure"])
        rest, right = text[head.end() :], sample["true"] == sample["pred"]
        yield bool(re.search("correctly|rightly", rest)) == right
        yield bool(re.search("wrongly|missed", rest)) == (not right)
        if "saw" in rest:
            yield sample["true"] == 0
        elif "containing" in rest:
            yield ("not containing" in rest) == (sample["pred"] == 0)
        else:
            yield ("missed" in rest) == (sample["true"] == 1)
    elif times := re.match(r"It \w+ ([\d.]+) to ([\d.]+) s of (?:recording )?(\S+), and .* ([\d.]+)\.$", text):
        start, end, recording, threshold = times.groups()
        yield near(start, sample["start_s"]) and near(end, sample["end_s"]) and recording == sample["recording"]
        yield near(threshold, sample["threshold"])
        side = "above" if sample["p_seizure"] > sample["threshold"] else "below"
        yield ("equals" if sample["p_seizure"] == sample["threshold"] else side) in text
    else:
        if prediction := re.match(r"(?:For|In) this (\S+) prediction, ", text):
            yield prediction.group(1) == label[sample["pred"]]
        methods, said = said_methods(text), {}
        main, _, zero = text.partition(";")
        for band, name, at in re.findall(r"(B\d) \((\w+)\) at ((?:(?!B\d).)+)", main):
            yield BANDS[band][0] == name
            said |= dict.fromkeys(said_steps(at), band)
        said |= dict.fromkeys(said_steps(zero if zero else main if "zero" in main else ""), None)
        yield bool(methods) and set(said) == {0, 1, 2}
        for method in methods:
            yield [said.get(step) for step in range(3)] == sample["strongest_band"][method]


def judge_group(text, samples):
    """Return what is false in a sentence about how often a band is strongest, among samples predicted alike."""
    if head := re.match(r"\*\*.*\(Samples? ([^)]*)\):\*\* ", text):
        yield [int(number) for number in re.findall(r"\d+", head.group(1))] == [s["sample"] for s in samples]
        yield ("Non-Seizure" in head.group()) == (samples[0]["pred"] == 0)
        text = text[head.end() :]
    for method in said_methods(text):
        named = [band for sample in samples for band in sample["strongest_band"][method]]
        tally = {band: named.count(band) for band in set(named) - {None}}
        numbers = [int(number) for number in re.findall(r"(?<![Bt\d])\d+", text)]
        yield numbers[-1] == len(named)
        if "zero" in text:
            yield not tally
        else:
            most = max(tally.values())
            yield numbers[0] == most and set(re.findall(r"B\d", text)) == {b for b in tally if tally[b] == most}


def judge_all(text, samples):
    """Return what is false in a sentence about all the explained samples."""
    if "examined" in text and len(samples) == 1:
        yield ("non-seizure" in text) == (samples[0]["true"] == 0)
        yield ("correctly" in text) == (samples[0]["true"] == samples[0]["pred"])
    elif "examined" in text:
        said = re.search(r"(\d+) samples .*: (\w+) labelled seizure and (\w+) labelled .* (\w+) of them", text).groups()
        wanted = [len(samples), sum(s["true"] for s in samples), sum(not s["true"] for s in samples)]
        wanted.append(sum(s["true"] == s["pred"] for s in samples))
        yield [count(word, len(samples)) for word in said] == wanted
    elif "Agreement" in text:
        told = re.findall(r"(Grad\S+|IG) and (Grad\S+|IG) in (\d+) of (\d+)", text)
        if together := re.search(r"all three methods in all (\d+)", text):
            told = [(a, b, together.group(1), together.group(1)) for a, b in (("Grad-CAM", "IG"), ("Grad-CAM++", "IG"))]
        yield bool(told)
        for first, second, same, of in told:
            pairs = [[s["strongest_band"][METHOD_NAMES[name]] for name in (first, second)] for s in samples]
            both = [(a, b) for pair in pairs for a, b in zip(*pair, strict=True) if a and b]
            yield (int(same), int(of)) == (sum(a == b for a, b in both), len(both))
    elif "strongest band within" in text or "leaves this open" in text:
        kinds = {}
        for kind, ids in re.findall(
            r"(change|keep|open)\w*(?: (?:its|their) strongest band| it)? (?:within|in) Samples? ([\d, and]+)", text
        ):
            kinds |= {int(number): kind for number in re.findall(r"\d+", ids)}
        for method in said_methods(text):
            for sample in samples:
                bands = sample["strongest_band"][method]
                kind = "open" if None in bands else "keep" if len(set(bands)) == 1 else "change"
                yield kinds.get(sample["sample"]) == kind
    elif "convergence" in text:
        sizes = {s["sample"]: abs(s["convergence_delta"]) for s in samples if s["convergence_delta"] is not None}
        size, number = re.search(r"is (?:below )?([\d.]+) in size(?:, \w+ Sample (\d+))?", text).groups()
        largest = max(sizes.values())
        yield largest < float(size) if "below" in text else near(size, largest) and sizes[int(number)] == largest
    else:
        yield "show the following" in text


def judge_metrics(text, metrics):
    """Return what is false in a sentence about the model's performance."""
    s, e, r, folds = metrics["samples"], metrics["events"], metrics["reference_prevalence"], metrics["folds"]
    other = s["n"] - s["seizure"]
    thresholds = [fold["threshold"] for fold in folds]
    if bullet := re.match(r"\*\*([\w ]+):\*\* ([\d.]+|undefined)", text):
        key = bullet.group(1).lower().replace(" ", "_").replace("best_", "")
        yield s[key] is None if bullet.group(2) == "undefined" else near(bullet.group(2), s[key])
    elif found := re.match(
        r"Of the (\d+) (non-)?seizure samples, .*? (\d+|all|none) (?:correctly )?and.*? (\d+|all|none)\b", text
    ):
        whole, negative, first, second = found.groups()
        wanted = (other, s["tn"], s["fp"]) if negative else (s["seizure"], s["tp"], s["fn"])
        yield (int(whole), count(first, int(whole)), count(second, int(whole))) == wanted
    elif text.startswith("The only"):
        right, number = (s["tn"], other) if "non-seizure" in text else (s["tp"], s["seizure"])
        yield number == 1 and right == (not re.search("missed|as seizure", text))
    elif "no seizure sample" in text or "no non-seizure sample" in text:
        yield (other if "non-seizure" in text else s["seizure"]) == 0
    elif "equal, to four" in text:
        yield round(s["sensitivity"], 4) == round(s["specificity"], 4)
    elif ordered := re.match(
        r"(\w+) is (?:higher|greater) than (\w+): in proportion, (\S+) samples .* than (\S+) samples", text
    ):
        higher, lower, often, rare = ordered.groups()
        yield s[higher.lower()] > s[lower.lower()] and {often, rare} == {"seizure", "non-seizure"}
        yield (often == "seizure") == (s["sensitivity"] < s["specificity"])
    elif always := re.search(r"lways (?:answer|giv).* accuracy of ([\d.]+), (.*) this model", text):
        answers = {"seizure": s["seizure"], "non-seizure": other}
        answer = re.search(r"answer\w* ((?:non-)?seizure), the more frequent", text)
        yield answers[answer.group(1)] > s["n"] / 2 if answer else s["seizure"] == other
        baseline = answers[answer.group(1)] / s["n"] if answer else 0.5
        yield near(always.group(1), baseline)
        difference = round(baseline, 4) - round(s["accuracy"], 4)
        yield bool(re.match("lower|less", always.group(2))) == (difference < 0)
        yield bool(re.match("higher|more", always.group(2))) == (difference > 0)
    elif "Counted as" in text:
        rate = re.search(r"([\d.]+) per 24 h", text)
        yield near(rate.group(1), e["fp_per_24h"]) if rate else not e["fp_per_24h"]
        yield from judge_events(text, e)
    elif "vent F1" in text:
        yield near(re.search(r"F1 is ([\d.]+\d)", text).group(1), e["f1"])
        yield near(re.search(r"precision is ([\d.]+\d)", text).group(1), e["precision"])
    elif "reference study" in text:
        yield near(re.search(r"F1 is ([\d.]+\d)", text).group(1), r["f1"])
        yield near(re.search(r"accuracy is ([\d.]+\d)", text).group(1), r["accuracy"])
    elif "Every threshold" in text:
        said = re.findall(r"\d\.\d+", text)
        yield near(said[0], min(thresholds)) and near(said[-1], max(thresholds))
        yield "neither held out in its fold nor trained on" in text
        yield not any(set(fold["held_out"]) & set(fold["inner"]) for fold in folds)
    elif "AUROC" in text or "AUPRC" in text:
        areas = metrics["intervals"]["ranking"]
        told = re.findall(r"(AU\w+) is ([\d.]+\d)(?: \(95 % interval ([\d.]+) to ([\d.]+)\))?(?= and|\.$)", text)
        yield sorted(name for name, *_ in told) == ["AUPRC", "AUROC"]
        for name, value, low, high in told:
            area = areas[name.lower()]
            yield near(value, area["value"])
            yield (near(low, area["low"]) and near(high, area["high"])) if low else area["low"] is None
    elif "networks decide" in text:
        numbers = [len(fold["networks"]) for fold in folds]
        said = [int(number) for number in re.findall(r"\d+", text)]
        yield (said[0], said[-1]) == (min(numbers), max(numbers)) and ("to" in text.split()) == (len(set(numbers)) > 1)
        yield bool(re.search("(mean|average) of their log-odds", text))
    elif text.startswith("Alarms"):
        frames = [fold["alarm"]["k"] for fold in folds]
        said = [int(number) for number in re.findall(r"\d+", text)] or [1]
        yield (said[0], said[-1]) == (min(frames), max(frames)) and ("single" in text) == (said == [1])
        yield "thresholds of their own" in text
    elif "graded" in text or "rule" in text and text.startswith("By"):
        yield judge_grade(text, s)
    else:
        yield from judge_study(text, metrics)


def judge_events(text, e):
    alarms = re.search(r"(no|\d+) false alarm(s?)", text)
    yield int(alarms.group(1).replace("no", "0")) == e["false_alarms"]
    yield (alarms.group(2) == "s") == (e["false_alarms"] > 1)
    if "nothing to detect" in text:
        yield e["seizures"] == 0
    elif "the only seizure" in text:
        yield e["seizures"] == 1 and ("detected the only" in text) == (e["detected"] == 1)
    else:
        first, number = re.search(r"detected (\w+)(?: of the)? (\d+) seizures", text).groups()
        yield e["seizures"] == int(number) and count(first, int(number)) == e["detected"]


def judge_grade(text, s):
    if None in (s["sensitivity"], s["specificity"]):
        return "cannot be graded" in text and not re.search("(is|graded|as) (strong|moderate|weak)", text)
    lower = min(s["sensitivity"], s["specificity"])
    grade = "strong" if lower >= 0.9 else "moderate" if lower >= 0.7 else "weak"
    return bool(re.search(rf"(is|graded|as) {grade}\.$", text))


def judge_study(text, metrics):
    s, e, folds = metrics["samples"], metrics["events"], metrics["folds"]
    if "simulated" in text:
        yield metrics["source"] == "simulate"
    if patient := re.search(r"[Pp]atient ([\w-]+)", text):
        yield patient.group(1) == metrics["patient"]
    if text.startswith(("In s", "Overall")):
        yield metrics["source"] != "simulate" or "simulated" in text
        for key in ("sensitivity", "specificity"):
            value = re.search(rf"{key} of ([\d.]+\d)", text)
            yield near(value.group(1), s[key]) if value else s[key] is None and f"{key} " in text
        if e["seizures"]:
            yield from judge_events(text, e)
        yield judge_grade(text, s) if "rule" in text else None in (s["sensitivity"], s["specificity"])
    elif "here" in text:
        said = [int(number) for number in re.findall(r"\d+", text)]
        yield said == [s["n"], len({name for fold in folds for name in fold["held_out"]})]
    elif "fold" in text:
        yield f"each of {len(folds)} folds" in text if len(folds) > 1 else "only fold" in text
    elif re.search(r"\d", text.replace(metrics["patient"], "")):
        yield False


def false_in(text, about, metrics, digest):
    """Return whether anything is false in a sentence, by the stages' files alone."""
    samples = digest["samples"]
    if isinstance(about, int):
        verdicts = list(judge_sample(text, next(s for s in samples if s["sample"] == about)))
    elif about is not None:
        verdicts = list(judge_group(text, [s for s in samples if s["pred"] == int(about)]))
    elif re.search("examined|Agreement|strongest band within|leaves this open|convergence|maps of these", text):
        verdicts = list(judge_all(text, samples))
    else:
        verdicts = list(judge_metrics(text, metrics))
    return not all(verdicts)


def test_no_text_of_the_grammar_is_false_by_either_checker():
    read = 0
    for seed in range(FIRST_SEEDS):
        metrics, digest = generated(seed)
        known, draw = facts.build(metrics, digest), random.Random(seed)
        for _ in range(WALKS):
            for sentence, about in walked(known, draw):
                assert not false_in(sentence, about, metrics, digest), (seed, sentence)
                assert claims.check(sentence, known, about) is not None
                read += 1
    assert read > 40 * FIRST_SEEDS


def test_every_wording_of_a_typical_narrative_matches_its_pattern():
    known = facts.build(*typical())
    for section in sentences.sections(known):
        asked = [part for part in section["parts"] if not part["fixed"]]
        for seed in range(20 if asked else 0):
            draw = random.Random(seed)
            text = "".join(part["before"] + wording.walk(wording.parse(part["text"]), draw) for part in asked).lstrip()
            assert re.fullmatch(narrative.pattern(asked), text), text


# Sentences of the typical narrative, and the lie each is turned into.
LIES = """
sensitivity of 0.9000 → sensitivity of 0.9900
specificity of 0.9687 → specificity of 0.9000
**Accuracy:** 0.9586 → **Accuracy:** 0.9687
**F1:** 0.8640 → **F1:** 0.9593
**Weighted F1:** 0.9593 → **Weighted F1:** 0.8640
**Sensitivity:** → **Specificity:**
threshold:** 0.42 → threshold:** 0.37
and missed 6 → and missed 54
and missed 6 → and missed none
the 60 seizure → the 351 seizure
Of the 60 seizure → Of the 60 non-seizure
340 correctly → all correctly
11 as seizure → 340 as seizure
Specificity is → Sensitivity is
more often than → less often than
accuracy of 0.8540 → accuracy of 0.9586
 than this model's →  as this model's
strong. → weak.
result is → result is very
from 0.90 → from 0.70
detected 4 of the 5 → detected all 5
detected 4 of the 5 → detected 5 of the 5
3.2 per 24 h → 2.3 per 24 h
with 2 false alarms, → with 3 false alarms,
with 2 false alarms, → with no false alarm,
with 2 false alarms; → with 1 false alarm;
less than 90 s → less than 60 s
nswering non-seizure, the more → nswering seizure, the more
nswering non-seizure, the more → nswering non-seizure, the less
F1 is 0.7273 → F1 is 0.6667
F1 is 0.8765 → F1 is 0.9321
to two others → to three others
0.35 to 0.50 → 0.30 to 0.50
0.35 to 0.50 → 0.35
were neither held out → were held out
neither held out in its fold nor → 
nor trained on by → but trained on by
recordings that were neither → one recording that was neither
AUROC is 0.9055 → AUROC is 0.8154
AUPRC is 0.8154 → AUROC is 0.8154
AUPRC is 0.8154 → AUPRC is 0.9055
0.8217 to 0.9690) → 0.7143 to 0.8972)
95 % interval 0.8217 → 99 % interval 0.8217
95 % interval 0.8217 → 95 % interval 0.9055
fold, 4 networks → fold, 5 networks
fold, 4 networks → fold, 2 to 4 networks
of their log-odds → of their probabilities
over 3 to 5 frames → over 5 frames
over 3 to 5 frames → over 1 to 5 frames
averaged over 3 to 5 frames → those of single frames
thresholds of their own → the thresholds of samples
join alarms less → join decisions less
patient sim08 → patient chb08
the simulated patient → patient
is simulated → is real
411 samples → 4110 samples
2 held-out → 7 held-out
each of 2 folds → each of 5 folds
took no part → took part
Sample 57 ( → Sample 58 (
Sample 57 ( → Sample 80 (
(True: Seizure, Predicted: Seizure → (True: Seizure, Predicted: Non-Seizure
(True: Seizure, Predicted: Seizure → (True: Non-Seizure, Predicted: Seizure
p_seizure=0.976 → p_seizure=0.967
this sample as containing → this sample as not containing
correctly identified → wrongly labelled
correctly identified → correctly rejected
missed the seizure activity in → wrongly saw seizure activity in
wrongly saw seizure activity in → missed the seizure activity in
wrongly saw seizure activity in → raised a false alarm on
128.5 to 140.5 s → 128.5 to 150.5 s
sim08_01, and → sim08_02, and
is above → is below
is below → equals
threshold of 0.4100 → threshold of 0.4200
this seizure pred → this non-seizure pred
Grad-CAM and Grad-CAM++ are → All three methods are
IG is strongest in B2 → Grad-CAM is strongest in B2
Grad-CAM++ is strongest in B5 (gamma) at t0 → IG is strongest in B5 (gamma) at t0
in B2 (theta) at all → in B3 (alpha) at all
B2 (theta) at all → B2 (gamma) at all
(gamma) at t2 → (gamma) at t1
at t0 and t1 → at all three steps
at all three steps → at t0 and t1
at t1, its map is zero → at t2, its map is zero
; at t1, its map is zero → 
4 samples were → 6 samples were
classified 2 of them → classified all of them
2 labelled seizure → 3 labelled seizure
(Samples 57 and 4) → (Samples 57 and 3)
**Seizure Pred → **Non-Seizure Pred
of 6 frames → of 9 frames
Grad-CAM is strongest most often in B1 → Grad-CAM is strongest most often in B5
IG in 5 of 8 → IG in 4 of 8
within Sample 3 → within Sample 57
 changes its strongest →  keeps its strongest
is 0.0012 in → is 0.0003 in
in size, for Sample 80 → in size, for Sample 57
In summary → In summary, as a diagnosis
In summary → <script>alert(1)</script> In summary
In summary → [In summary](http://x.org)
the model reached → the excellent model reached
seizure activity. → seizure activity, as its delta waves show.
seizure activity. → seizure activity, which proves epilepsy.
labels EEG → outperforms neurologists on EEG
"""


def test_lies_are_refused():
    known = facts.build(*typical())
    allowed = {}  # as many wordings as it takes to meet each sentence that is turned into a lie
    for seed in range(200):
        allowed.update(walked(known, random.Random(seed)))
    lies = [line.split(" → ") for line in LIES.strip("\n").split("\n")]
    assert len(lies) > 70
    for true, lie in lies:
        sentence, about = next(((s, a) for s, a in allowed.items() if true in s), (None, None))
        assert sentence, f"no sentence has {true!r}: the lie tests nothing"
        claims.check(sentence, known, about)
        with pytest.raises(claims.FalseClaim):
            print(lie, claims.check(sentence.replace(true, lie, 1), known, about))


def changed(sentence):
    """Yield the sentence with one number, band, step, method, label or verdict of it changed."""
    swaps = {
        "B1": "B2",
        "B5": "B4",
        "t0": "t1",
        "t2": "t0",
        "Grad-CAM++": "IG",
        "IG": "Grad-CAM",
        "Seizure": "Non-Seizure",
    }
    swaps |= {"delta": "theta", "correctly": "wrongly", "wrongly": "correctly", "above": "below", "below": "above"}
    swaps |= {"not containing": "containing", "higher": "lower", "all": "none", "none": "all", "detected": "missed"}
    for number in re.finditer(r"(?<![\w.])\d+(\.\d+)?(?![\d_])", sentence):
        digit = str((int(sentence[number.end() - 1]) + 1) % 10)
        yield sentence[: number.end() - 1] + digit + sentence[number.end() :]
    for word, other in swaps.items():
        for place in re.finditer(rf"(?<![\w-]){re.escape(word)}(?![\w+])", sentence):
            yield sentence[: place.start()] + other + sentence[place.end() :]


def test_any_changed_fact_is_refused():
    known, met = facts.build(*typical()), set()
    for seed in range(6):
        for sentence, about in walked(known, random.Random(seed)):
            for lie in changed(sentence):
                if said_methods(lie) != said_methods(sentence) and not false_in(lie, about, *typical()):
                    continue  # what was found by one method may be so by another
                with pytest.raises(claims.FalseClaim):
                    print(lie, claims.check(lie, known, about))
                met.add(lie)
    assert len(met) > 400


def test_a_claim_names_its_facts():
    known = facts.build(*typical())
    used = claims.check("Of the 60 seizure samples, the model found 54 and missed 6.", known)
    assert used == ["seizure", "tp", "fn"]
    sentence = "For this seizure prediction, Grad-CAM is strongest in B1 (delta) at t0 and t1 and in B5 (gamma) at t2."
    assert "samples[57].bands.gradcam" in claims.check(sentence, known, 57)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tp": 55}, "TP 55, FN 6"),
        ({"sensitivity": 0.95}, "give sensitivity 0.9, but it is 0.95"),
        ({"weighted_f1": 0.5}, "weighted_f1 0.959.*, but it is 0.5"),
    ],
)
def test_results_that_contradict_each_other_are_refused(change, message):
    metrics = make_metrics(54, 6, 11, 340)
    metrics["samples"] |= change
    with pytest.raises(facts.FactError, match=message):
        facts.build(metrics, make_digest([make_sample(1, 1, 0.9, (["B1"] * 3,) * 3)]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"false_alarms": 3}, "4 detected, 3 false alarms give precision 0.57"),
        ({"detected": 6}, "impossible"),
        ({"fp_per_24h": 0.0}, "2 false alarms, but 0.0 false positives per 24 h"),
    ],
)
def test_events_that_contradict_each_other_are_refused(change, message):
    metrics = make_metrics(54, 6, 11, 340)
    metrics["events"] |= change
    with pytest.raises(facts.FactError, match=message):
        facts.build(metrics, make_digest([make_sample(1, 1, 0.9, (["B1"] * 3,) * 3)]))


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ((54, 6, 11, 340), "non-seizure, the more frequent class here, would .* of 0.8540, "),
        ((53, 25, 3, 9), "seizure, the more frequent class here, would .* of 0.8667, (higher|more) "),
        ((5, 5, 5, 5), "the same answer would .* of 0.5000, the same as"),
    ],
)
def test_the_baseline_is_the_more_frequent_class(counts, said):
    known = facts.build(make_metrics(*counts), make_digest([make_sample(1, 1, 0.9, (["B1"] * 3,) * 3)]))
    (sentence,) = [text for text, _ in walked(known, random.Random(0)) if "lways" in text]
    assert re.search(rf"(answer\w*|giv\w+) {said}", sentence)
    assert claims.check(sentence, known)


def test_a_recording_on_both_sides_is_refused():
    facts.build(make_metrics(54, 6, 11, 340), make_digest([make_sample(1, 1, 0.9, (["B1"] * 3,) * 3)]))
    for fold, message in (
        ({"inner": ["sim08_03", "sim08_00"]}, r"fold 0: \['sim08_00'\] held out and inner too"),
        ({"held_out": ["sim08_01"]}, r"fold 1: \['sim08_01'\] held out and in another fold too"),
        ({"held_out": ["sim08_05", "sim08_07"]}, r"fold 0: \['sim08_07'\] held out and inner too"),
        ({"inner": []}, "fold 0: there is no inner recording"),
        ({"networks": ["0-1", "1-10", "0-3"]}, r"fold 0: \['1-10'\] trained on what it holds out"),
    ):
        metrics = make_metrics(54, 6, 11, 340)
        metrics["folds"][0] |= fold
        with pytest.raises(facts.FactError, match=message):
            facts.build(metrics, make_digest([make_sample(1, 1, 0.9, (["B1"] * 3,) * 3)]))


def test_a_prediction_against_its_threshold_is_refused():
    sample = make_sample(7, 1, 0.9, (["B1"] * 3,) * 3, pred=0)
    with pytest.raises(facts.FactError, match="sample 7: predicted 0, but p_seizure 0.9 against threshold 0.41"):
        facts.build(make_metrics(54, 6, 11, 340), make_digest([sample]))


def test_printed_probability_shows_its_side_of_the_threshold():
    sample = make_sample(7, 1, 0.4099999, (["B1"] * 3,) * 3)
    (known,) = facts.build(make_metrics(54, 6, 11, 340), make_digest([sample]))["samples"]
    assert float(known["p_seizure"]) < float(known["threshold"])


def test_wording_counts_and_walks_what_its_regular_expression_matches():
    tree = wording.parse("The [model|[big |]detector] " + wording.literal("[a|b]\\ (c).") + "[ x|]")
    assert wording.count(tree) == 6
    texts = {wording.walk(tree, random.Random(seed)) for seed in range(200)}
    assert len(texts) == 6 and "The big detector [a|b]\\ (c). x" in texts
    assert all(re.fullmatch(wording.regex(tree), text) for text in texts)
    assert not re.fullmatch(wording.regex(tree), "The big model [a|b]\\ (c). x")
    for wrong in ("a[b", "a]b", "a|b"):
        with pytest.raises(ValueError, match="unmatched"):
            wording.parse(wrong)
