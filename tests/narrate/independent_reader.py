"""An independent reader: recomputes from the raw files what each sentence of a narrative says, by its own code.

It shares nothing with `helpers.narrate`: neither the facts, nor the slots, nor the templates. It knows the definition of
each number and reads English by the patterns below. A sentence that no pattern reads is a problem, too.
"""

import csv
import json
import re
from statistics import median

import numpy as np
from scipy.optimize import brentq
from scipy.stats import poisson
from sklearn.metrics import accuracy_score, f1_score, recall_score
from timescoring.annotations import Annotation
from timescoring.scoring import EventScoring

METHODS = {"Grad-CAM": "gradcam", "Grad-CAM++": "gradcampp", "IG": "ig"}
BANDS = {
    "B1 (delta)": (0.5, 4),
    "B2 (theta)": (4, 8),
    "B3 (alpha)": (8, 13),
    "B4 (beta)": (13, 30),
    "B5 (gamma)": (30, 55),
}
LABELS = {"Non-Seizure": 0, "Seizure": 1}
RIVALS = {"logistic regression": "logistic", "random forest": "forest"}


class Study:
    """The raw files of a patient, and what is recomputed from them."""

    def __init__(self, folder):
        def rows(name):
            with open(folder / name, newline="", encoding="utf-8") as file:
                return list(csv.DictReader(file))

        def tree(name):
            return json.loads((folder / name).read_text(encoding="utf-8"))

        self.metrics, self.comparison, self.audit = (
            tree(f"evaluate/{name}.json") for name in ("metrics", "comparison", "audit")
        )
        self.digest, self.sanity, self.axes = (
            tree("explain/digest.json"),
            tree("explain/sanity.json"),
            tree("preprocess/axes.json"),
        )
        self.decisions = rows("evaluate/decisions.csv")
        for row in self.decisions:
            row.update(
                {key: float(row[key]) for key in row if key not in ("recording",) and re.match(r"-?[\d.]", row[key])}
            )
        self.decisions.sort(key=lambda row: (row["recording"], row["last_start_s"]))
        self.durations = {row["recording"]: float(row["duration_s"]) for row in rows("acquire/recordings.csv")}
        self.events = [
            (row["recording"], float(row["start_s"]), float(row["end_s"])) for row in rows("evaluate/events.csv")
        ]
        self.latencies = rows("evaluate/latencies.csv")
        with np.load(folder / "explain/attributions.npz") as stored:
            self.maps = dict(stored)
        self.true = np.array([row["label"] for row in self.decisions])
        self.said = np.array([float(row["p_seizure"] >= row["threshold"]) for row in self.decisions])
        self.hours = sum(self.durations.values()) / 3600
        self.frame_s = self.digest["frame_s"]

    def count(self, label, said):
        return int(((self.true == label) & (self.said == said)).sum())

    def share(self, name):
        """Return a score of samples by scikit-learn; None where it is undefined."""
        if name == "accuracy":
            return accuracy_score(self.true, self.said)
        if name == "weighted F1":
            return f1_score(self.true, self.said, average="weighted", zero_division=0)
        if name == "F1":
            return f1_score(self.true, self.said) if self.true.any() or self.said.any() else None
        label = 1 if name == "sensitivity" else 0
        return recall_score(self.true, self.said, pos_label=label) if (self.true == label).any() else None

    def missed(self):
        """Return how many seizure samples were missed, missed before a find, and missed with a frame of no seizure."""
        early, mixed, run, last = 0, 0, [], None
        for row in [*self.decisions, None]:
            goes_on = (
                row and last and row["label"] == 1 and last["label"] == 1 and row["recording"] == last["recording"]
            )
            if not (goes_on and row["last_start_s"] - last["last_start_s"] < 1.5 * self.frame_s):
                early += run.index(1) if 1 in run else 0
                run = []
            if row and row["label"] == 1:
                run.append(int(row["p_seizure"] >= row["threshold"]))
                mixed += not run[-1] and not (row["label_t0"] and row["label_t1"])
            last = row
        return self.count(1, 0), early, mixed

    def szcore(self):
        """Return seizures, those found, and false alarms, each as (recording, start, end), by timescoring."""
        every, hit, false = [], [], []
        for name, duration_s in self.durations.items():
            spans = self._seizures(name), [event[1:] for event in self.events if event[0] == name]
            score = EventScoring(*(Annotation(part, 10, round(10 * duration_s)) for part in spans))
            every += [(name, *one) for one in score.ref.events]
            false += [
                (name, *one)
                for one in score.hyp.events
                if not score.tpMask[round(10 * one[0]) : round(10 * one[1])].any()
            ]
        hit = [
            (row["recording"], float(row["start_s"]), float(row["end_s"]))
            for row in self.latencies
            if int(float(row["detected"]))
        ]
        return every, hit, false

    def _seizures(self, name):
        return [(float(row["start_s"]), float(row["end_s"])) for row in self.latencies if row["recording"] == name]

    def alarm(self):
        """Return the false alarm with the highest peak, that peak and the threshold of the recording."""
        best = None
        for name, start, end in self.szcore()[2]:
            inside = [row for row in self._during(name, start, end) if row["alarm"]]
            peak = max(inside, key=lambda row: row["p_smooth"])
            if best is None or peak["p_smooth"] > best[1]:
                best = (name, start, end), peak["p_smooth"], peak["alarm_threshold"]
        return best

    def _during(self, name, start, end):
        return [r for r in self.decisions if r["recording"] == name and r["last_start_s"] < end and r["end_s"] > start]

    def top(self, group, method):
        """Return the band of the highest mean relevance per frequency bin for the decision, None if there is none."""
        if group == "alarm":
            chosen = {int(row["sample"]) for row in self._during(*self.alarm()[0])}
        else:
            chosen = {
                int(r["sample"])
                for r, own in zip(self.decisions, self.said, strict=True)
                if r["label"] == own == (group == "found")
            }
        sums = {band: [] for band in BANDS}
        for at, sample in enumerate(self.maps["sample"]):
            values = self.maps[method][at].astype(float)
            whole = (-1 if group == "left" else 1) if method == "ig" else values.mean()
            if int(sample) in chosen and whole:
                for band, (low, high) in BANDS.items():
                    rows = [f for f, hz in enumerate(self.axes["frequencies_hz"]) if low <= hz < high]
                    sums[band].append(values[:, rows].mean() / whole)
        means = {band: np.mean(found) for band, found in sums.items() if found}
        best = max(means, key=means.get, default=None)
        return best if best and means[best] > 0 else None

    def strongest(self, number, method):
        """Return the band strongest in most frames of a sample; "in no one band", or "nowhere"."""
        row = next(row for row in self.decisions if row["sample"] == number)
        found = []
        for step in self.maps[method][list(self.maps["sample"]).index(number)].astype(float):
            step = np.maximum(step * (-1 if method == "ig" and row["p_seizure"] < row["threshold"] else 1), 0)
            means = {}
            for band, (low, high) in BANDS.items():
                inside = [low <= hz < high for hz in self.axes["frequencies_hz"]]
                means[band] = step[inside].mean()
            found += [max(means, key=means.get)] if step.any() else []
        often = max(found, key=found.count, default=None)
        return f"in {often}" if found.count(often) > 1 else "in no one band" if found else "nowhere"

    def channel(self, samples):
        """Return, for a sample, its strongest channel in most frames, else None; for the alarm's, that of the mean."""
        where = [list(self.maps["sample"]).index(number) for number in samples]
        maps = self.maps["ig_channels"][where].astype(float)
        return self.axes["channels"][int(maps.mean(axis=(0, 1, 3)).argmax())]


def printed(value, places=4):
    text = f"{value:.{places}f}"
    return "−" + text[1:] if text.startswith("-") and float(text) else text.lstrip("-")


def short(value):
    return f"{value:.1f}".replace(".0", "") if f"{value:.1f}".endswith(".0") else f"{value:.1f}"


def bracket(score, places=4):
    """Return an interval as it is printed behind its value, or nothing."""
    if score["value"] is None or score["low"] is None:
        return ""
    low, high = printed(score["low"], places), printed(score["high"], places)
    return f" ({low} to {high})" if "−" in low + high else f" ({low}–{high})"


def of(part, total, noun):
    """Return the ways to say how many of a total."""
    if total == 1:
        return {f"the 1 {noun}" if part else f"0 of 1 {noun}"}
    many = {total: {f"all {total} {noun}s", f"both {noun}s"}, 0: {f"none of the {total} {noun}s"}}
    return many.get(part, {f"{part} of the {total} {noun}s"})


def poisson_ends(count, days):
    """Return the rates at which so many, or more, and so many, or fewer, have a chance of 2.5 %, by root finding."""
    low = brentq(lambda mean: poisson.sf(count - 1, mean) - 0.025, 1e-9, count + 1) if count else 0.0
    high = brentq(lambda mean: poisson.cdf(count, mean) - 0.025, 1e-9, 10 * count + 20)
    return f"{printed(low / days, 1)}–{printed(high / days, 1)}"


ONE = r"(?:Grad-CAM\+\+|Grad-CAM|IG)"


def by_methods(text):
    """Return method → place from "in B1 (delta) by Grad-CAM and Grad-CAM++ and in B2 (theta) by IG"."""
    found, pattern = {}, rf"(in B\d \(\w+\)|in no one band|nowhere) by (all three methods|{ONE}(?: and {ONE})?)"
    for place, methods in re.findall(pattern, text):
        found |= dict.fromkeys(named(methods), place)
    return found


def named(text):
    """Return the methods that a list names."""
    return set(METHODS) if "all three methods" in text else set(re.findall(r"Grad-CAM\+\+|Grad-CAM|IG", text))


def verdicts(study, rule, verdict):
    return {name for name, key in METHODS.items() if study.sanity["verdicts"][key][rule] is verdict}


# What is told: a pattern, and a function of the study and the match that returns pairs (what is said, what is true, or
# a set of what may be said).
READ = []


def reads(pattern):
    """Register a function for the sentences that a pattern matches in full."""
    return lambda function: READ.append((re.compile(pattern), function)) or function


FIXED = (
    "A seizure is a transient occurrence", "Brackets hold 95 % bootstrap intervals over recordings, too narrow",
    "Grad-CAM and Grad-CAM++ map what counted towards the predicted class, IG (Integrated Gradients) what moved the log",
    "Named is the band, B1 (delta, 0.5–4 Hz) to B5 (gamma, 30–55 Hz), of the highest mean relevance per frequency bin",
    "This text is not for diagnosis or treatment", "_Worded by `",
)  # fmt: skip


@reads(
    r"In (.+) of (simulated )?EEG, the model (?:found|detected) (.+? seizures?)(?:, with a median delay of (.+?),)? and raised (.+)\."
)
def _(s, m):
    every, hit, false = s.szcore()
    yield m[1], length(s)
    yield bool(m[2]), s.metrics["source"] == "simulate"
    yield m[3], of(len(hit), len(every), "seizure")
    delay = s.metrics["intervals"]["seizures"]["median_latency_s"]["value"]
    known = [float(row["latency_s"]) for row in s.latencies if row["latency_s"]]
    yield m[4], f"{printed(median(known), 1)} s" if hit and delay is not None else None
    yield m[5], alarms(len(false))


@reads(r"In (.+) of (simulated )?EEG without a seizure, the model raised (.+)\.")
def _(s, m):
    every, _, false = s.szcore()
    yield (m[1], m[3], len(every)), (length(s), alarms(len(false)), 0)
    yield bool(m[2]), s.metrics["source"] == "simulate"


@reads(
    r"(?:That makes|This is) (.+) false alarms per 24 h, with an exact Poisson 95 % interval of (.+): the rate is known .*"
)
def _(s, m):
    false = len(s.szcore()[2])
    yield (m[1], m[2]), (printed(false * 24 / s.hours, 1), poisson_ends(false, s.hours / 24))


@reads(r"The maps of (.+) surely lie on the planted seizure more than the EEG's own power\.")
def _(s, m):
    yield named(m[1]), verdicts(s, "beyond power", True)


@reads(r"No map surely lies on the planted seizure more than the EEG's own power: the maps \w+ what the model used, .*")
def _(s, m):
    yield verdicts(s, "beyond power", False), set(METHODS)


@reads(r"The maps show what the model used; no known truth tells whether they show where a seizure is\.")
def _(s, m):
    yield s.sanity["truth"], None


@reads(
    r"This report \w+ how a model tells EEG spectrograms of patient (\S+) with seizure activity from those without\."
)
def _(s, m):
    yield m[1], s.metrics["patient"]


@reads(r"The patient is simulated: a program made the recordings\.")
def _(s, m):
    yield s.metrics["source"], "simulate"


@reads(
    r"(?:It was tested|The test ran) in (\d+) folds? on (\d+) recordings?, each judged by networks and .* made without it\."
)
def _(s, m):
    held = [name for fold in s.metrics["folds"] for name in fold["held_out"]]
    yield (m[1], m[2], len(held)), (str(len(s.metrics["folds"])), str(len(set(held))), len(set(held)))
    yield any(set(fold["held_out"]) & set(fold["inner"]) for fold in s.metrics["folds"]), False


@reads(r"A sample is three consecutive frames of a spectrogram, t0, t1 and t2, of (.+) s each, labelled as the last\.")
def _(s, m):
    yield m[1], short(s.frame_s)


@reads(r"\*\*(.+):\*\* (undefined|[\d.]+)( \(.+?\))?, (the|as) .+\.")
def _(s, m):
    if m[1] == "Best threshold":
        value = s.metrics["samples"]["threshold"]
        wanted, ends = "undefined" if value is None else printed(value, 2), ""
    else:
        name = m[1] if m[1] == "F1" else m[1].lower().replace("f1", "F1")
        value = s.share(name)
        wanted = "undefined" if value is None else printed(value)
        ends = "" if value is None else bracket(s.metrics["intervals"]["samples"][name.lower().replace(" ", "_")])
    yield (m[2], m[3] or "", m[4]), (wanted, ends, "as" if wanted == "undefined" else "the")


@reads(
    r"The model (?:(?:found|recognised) (.+? seizure samples?))?(?: and )?(?:(?:mistook|took) (.+? others?) for seizure)?(?:; there is no (other|seizure sample))?\."
)
def _(s, m):
    for said, right, label, noun in ((m[1], 1, 1, "seizure sample"), (m[2], 1, 0, "other")):
        total = int((s.true == label).sum())
        yield said, of(s.count(label, right), total, noun) if total else None
    yield m[3], None if 0 < s.true.sum() < len(s.true) else "other" if s.true.any() else "seizure sample"


@reads(r"Always answering (\S+) would reach accuracy (\S+), (less than|more than|as much as) the model\.")
def _(s, m):
    share, own = float((s.true == LABELS[m[1]]).mean()), s.share("accuracy")
    yield (m[2], share >= 0.5), (printed(share), True)
    found = round(share, 4) - round(own, 4)
    yield m[3], "as much as" if not found else "less than" if found < 0 else "more than"


@reads(
    r"Missed were (.+) s of (.+) s of seizure(?:: (.+?) (?:come|came) before the first one found in the same seizure)?\."
)
def _(s, m):
    fn, early, _ = s.missed()
    yield (m[1], m[2]), (short(fn * s.frame_s), short(s.true.sum() * s.frame_s))
    yield m[3], of(early, fn, "missed sample") if early else None


@reads(r"A likely reason: the triptych still holds a frame labelled Non-Seizure in (.+)\.")
def _(s, m):
    fn, _, mixed = s.missed()
    yield m[1], of(mixed, fn, "missed sample")


@reads(
    r"Alarms average the log-odds over (.+) frames?; (\d+) (?:were|have been) raised, (.+) per hour(?:, with a median delay of (.+?))?\."
)
def _(s, m):
    averaged = [fold["alarm"]["k"] for fold in s.metrics["folds"]]
    low, high = min(averaged), max(averaged)
    yield m[1], str(low) if low == high else f"{low} to {high}"
    yield (m[2], m[3]), (str(len(s.events)), printed(len(s.events) / s.hours, 1))
    delay = s.metrics["intervals"]["seizures"]["median_latency_s"]
    yield m[4], None if delay["value"] is None else f"{printed(delay['value'], 1)} s{bracket(delay, 1)}"


@reads(r"Missed as a whole: (.+)\.")
def _(s, m):
    every, hit, _ = s.szcore()
    gone = {f"{short(start)}–{short(end)} s of {name}" for name, start, end in every if (name, start, end) not in hit}
    yield set(re.split(", | and ", m[1])), gone


@reads(r"(AUPRC|Event F1), (\S+), is (.+)\.")
def _(s, m):
    key, own = ("auprc", s.metrics["intervals"]["ranking"]["auprc"]["value"]) if m[1] == "AUPRC" else ("event_f1", None)
    if own is None:
        every, hit, false = s.szcore()
        own = 2 * len(hit) / (len(every) + len(hit) + len(false))
    yield m[2], printed(own)
    rows, told = {row["method"]: row for row in s.comparison["rows"]}, set()
    stands = "(surely above|surely below|not to be told apart from|above|below|equal to)"
    name = r"(?:logistic regression|random forest) \([\d.]+\)"
    for how, names, bare in re.findall(rf"{stands} ({name}(?: and {name})?)( \(without an interval\))?", m[3]):
        for rival, value in re.findall(r"(logistic regression|random forest) \((.+?)\)", names):
            row, ahead = rows[RIVALS[rival]], rows[RIVALS[rival]][f"ahead_{key}"]
            told.add(RIVALS[rival])
            yield value, printed(row[key]["value"])
            apart = round(own, 4) - round(row[key]["value"], 4)
            wanted = "equal to" if not apart else "above" if apart > 0 else "below"
            if ahead["low"] is not None:
                sure = round(ahead["low"], 4) > 0, round(ahead["high"], 4) < 0
                wanted = "surely above" if sure[0] else "surely below" if sure[1] else "not to be told apart from"
            yield (how, bool(bare)), (wanted, ahead["low"] is None)
    known = {
        name
        for name in RIVALS.values()
        if name in rows and None not in (rows[name][key]["value"], rows[name][f"ahead_{key}"]["value"])
    }
    yield told, known


@reads(
    r"A random split would \w+ an F1 of (.+) in place of (.+) at the same share of seizure; (.+) would share EEG with training\."
)
def _(s, m):
    rows = {row["protocol"]: row for row in s.audit["rows"]}
    random, same = rows["random split"], rows["by recording, weighted as the random split"]
    yield (m[1], m[2]), (printed(random["f1"]["value"]), printed(same["f1"]["value"]))
    yield m[3], of(random["shared_eeg"], random["n_test"], "test sample")


@reads(r"The maps of (\d+) held-out samples?, chosen by a fixed rule, \w+ how the model decides\.")
def _(s, m):
    yield m[1], str(len(s.digest["samples"]))


@reads(
    r"\*\*Sample (\d+) \(True: (\S+), Predicted: (\S+), p_seizure=(.+)\):\*\* The model (.+?) in (\S+) s of (\S+)\. "
    r"Relevance (?:peaks|culminates) (.+?)(?:; IG's channel is (\S+))?\."
)
def _(s, m):
    row = next(row for row in s.decisions if row["sample"] == int(m[1]))
    said = row["p_seizure"] >= row["threshold"]
    yield (LABELS[m[2]], LABELS[m[3]]), (int(row["label"]), int(said))
    yield abs(float(m[4]) - row["p_seizure"]) <= 0.00051, True
    verbs = {
        (1, 1): "identified seizure",
        (0, 0): "identified no seizure",
        (1, 0): "(missed|overlooked) the seizure",
        (0, 1): "saw seizure",
    }
    yield bool(re.search(verbs[int(row["label"]), int(said)], m[5])), True
    yield (m[6], m[7]), (f"{short(row['start_s'])}–{short(row['end_s'])}", row["recording"])
    found = by_methods(m[8])
    yield found, {name: s.strongest(int(m[1]), key) for name, key in METHODS.items()}
    steps = s.maps["ig_channels"][list(s.maps["sample"]).index(int(m[1]))].astype(float) * (1 if said else -1)
    often = [s.axes["channels"][int(step.argmax())] for step in np.maximum(steps, 0).mean(axis=2) if step.max() > 0]
    most = max(often, key=often.count, default=None)
    yield m[9], most if often.count(most) > 1 else None


@reads(r"Over (\d+) (seizure sample|other)s? (?:found|left alone), (?:it|relevance for the decision) is highest (.+)\.")
def _(s, m):
    group, pair = ("found", (1, 1)) if "seizure" in m[2] else ("left", (0, 0))
    yield m[1], str(s.count(*pair))
    wanted = {name: s.top(group, key) for name, key in METHODS.items()}
    yield by_methods(m[3]), {name: f"in {band}" for name, band in wanted.items() if band}


@reads(
    r"The false alarm( with the highest peak)?, (\S+) s of (\S+), reache[sd] (\S+) \(threshold (\S+)\)(?:;( as| unlike)?"
    r"(?: over the seizures found,)? relevance is highest (.+); IG's channel is (.+))?\."
)
def _(s, m):
    (name, start, end), peak, limit = s.alarm()
    yield bool(m[1]), len(s.szcore()[2]) > 1
    yield (m[2], m[3]), (f"{short(start)}–{short(end)}", name)
    yield all(abs(float(said) - true) <= 0.00501 for said, true in ((m[4], peak), (m[5], limit))), True
    yield float(m[4]) >= float(m[5]), True
    if m[7]:
        here, there = ({name: s.top(group, key) for name, key in METHODS.items()} for group in ("alarm", "found"))
        yield by_methods(m[7]), {name: f"in {band}" for name, band in here.items() if band}
        alike = sum(here[one] == there[one] for one in METHODS)
        all_known = None not in (*here.values(), *there.values())
        yield m[6], (" as" if alike == 3 else " unlike" if not alike else None) if all_known else None
        yield m[8], s.channel([int(row["sample"]) for row in s._during(name, start, end)])


@reads(r"There is no false alarm to explain\.")
def _(s, m):
    yield s.szcore()[2], []


@reads(rf"{ONE} passes .+\.")
def _(s, m):
    said = re.findall(rf"({ONE})(?: passes)? (\d+) of (\d+)", m[0])
    given = {
        name: [one for one in s.sanity["verdicts"][key].values() if one is not None] for name, key in METHODS.items()
    }
    yield said, [(name, str(sum(found)), str(len(found))) for name, found in given.items() if found]


@reads(r"On the planted seizure lies a share of (.+); by chance (\S+), of the EEG's own power (\S+)\.")
def _(s, m):
    mass = {name: printed(found["mass"]["value"], 2) for name, found in s.sanity["truth"]["time × frequency"].items()}
    yield re.findall(rf"([\d.]+) \(({ONE})\)", m[1]), [(mass[key], name) for name, key in METHODS.items()]
    yield (m[2], m[3]), (mass["chance"], mass["power"])


@reads(
    r"With random weights, the maps of (.+) (?:change|differ)(?:, as they should| too little \(rank correlation (.+); below 0\.20 passes\) to .+)\."
)
def _(s, m):
    yield named(m[1]), verdicts(s, "random weights", not m[2])
    found = s.sanity["disturbed"][f"weights:{s.sanity['layers'][-1]}"]
    for name in named(m[1]):
        yield found[METHODS[name]]["value"] < 0.2, not m[2]
    said = [float(value) for value in re.findall(r"\d\.\d+", m[2] or "")]
    wanted = [found[key]["value"] for name, key in METHODS.items() if name in named(m[1])] if m[2] else []
    yield [abs(a - b) <= 0.00501 and a >= 0.2 for a, b in zip(said, wanted, strict=True)], [True] * len(said)


@reads(
    r"By (.+), deleting what ranks highest (lowers|does not surely lower) the score faster than at random(?:: .+)?\."
)
def _(s, m):
    yield named(m[1]), verdicts(s, "deletion", m[2] == "lowers")


@reads(r"A map (?:says|shows) what this model used, not how seizures arise\.")
def _(s, m):
    yield True, True


@reads(
    r"By the lower of sensitivity and specificity, the result is graded (\w+) \(strong from 0\.90, moderate from 0\.70\)\."
)
def _(s, m):
    lower = round(min(s.share("sensitivity"), s.share("specificity")), 4)
    yield m[1], "strong" if lower >= 0.9 else "moderate" if lower >= 0.7 else "weak"


@reads(r"(?:These|The) (.+) of EEG of one (simulated )?patient do not show that the model would work for another\.")
def _(s, m):
    yield (m[1], bool(m[2])), (length(s), s.metrics["source"] == "simulate")


def length(study):
    value, unit = (study.hours, "hours") if study.hours >= 2 else (60 * study.hours, "minutes")
    return f"{short(value)} {unit}"


def alarms(count):
    return f"{count or 'no'} false alarm{'s' * (count != 1)}"


def problems(folder, rows):
    """Return what is false, or not understood, in the rows of ``claims.csv`` of the patient in `folder`.

    Sentences in the model's own words are left out: only their numbers and names are claimed.
    """
    study, found, said = Study(folder), [], [row["sentence"] for row in rows if row["wording"] != "model"]
    for at, text in enumerate(said):
        if text.startswith("**Sample"):
            said[at + 1], text = "", f"{text} {said[at + 1]}"  # its second sentence is about the same sample
        if not text or text.startswith(FIXED):
            continue
        match, read = next(((m, read) for pattern, read in READ if (m := pattern.fullmatch(text))), (None, None))
        if not match:
            found.append(f"not understood: {text}")
            continue
        for told, true in read(study, match):
            if told != true and not (isinstance(true, set) and isinstance(told, str) and told in true):
                found.append(f"{text!r} says {told!r}; the files say {true!r}")
    return found
