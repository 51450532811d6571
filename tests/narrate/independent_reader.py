"""An independent reader: recomputes from the raw files what each sentence of a narrative says, by its own code.

It shares nothing with `helpers.narrate`, and reads English by `READ`. A sentence that no pattern reads is a problem.
"""

import json
import re

import numpy as np
import pandas as pd
from scipy.stats import beta, chi2
from sklearn.metrics import accuracy_score, average_precision_score, f1_score, recall_score
from timescoring.annotations import Annotation
from timescoring.scoring import EventScoring

METHODS = {"Grad-CAM": "gradcam", "Grad-CAM++": "gradcampp", "IG": "ig"}
NAMES, EDGES = ("B1 (delta)", "B2 (theta)", "B3 (alpha)", "B4 (beta)", "B5 (gamma)"), (0.5, 4, 8, 13, 30, 55)
BANDS = dict(zip(NAMES, zip(EDGES, EDGES[1:], strict=False), strict=True))
LABELS = {"Non-Seizure": 0, "Seizure": 1}
RIVALS = {"logistic regression": "logistic", "random forest": "forest"}
RIVALS |= {"the Riemannian classifier": "riemann", "MiniRocket": "rocket"}
ONE = r"(?:Grad-CAM\+\+|Grad-CAM|IG)"
PLACE, FIGURE = r"(in B\d \(\w+\)|in no single band|in no band) for WHO", r"([\d.]+(?: of \d+)?) \(WHO\)"


class Study:
    """The raw files of a patient, and what is recomputed from them."""

    def __init__(self, folder):
        for name in ("metrics", "comparison", "audit", "digest", "sanity", "axes"):
            path = next(folder.glob(f"*/{name}.json"))
            setattr(self, name, json.loads(path.read_text(encoding="utf-8")))
        for name in ("decisions", "events", "latencies", "recordings"):
            setattr(self, name, pd.read_csv(next(folder.glob(f"*/{name}.csv")), converters={"recording": str}))
        with np.load(folder / "explain/attributions.npz") as stored:
            self.maps = dict(stored)
        self.table = self.decisions.sort_values(["recording", "last_start_s"], ignore_index=True)
        self.true = self.table["label"].to_numpy()
        self.said = (self.table["p_seizure"] >= self.table["threshold"]).to_numpy().astype(int)
        pooled = self.recordings.get("patient")
        self.patients = None if pooled is None else str(len(set(pooled)))
        self.drawn = "recordings" if pooled is None else "patients"
        self.hours = self.recordings["duration_s"].sum() / 3600
        self.frame_s, self.simulated = self.digest["frame_s"], self.metrics["source"] == "simulate"
        self.delay = self.metrics["intervals"]["seizures"]["median_latency_s"]
        self.bands = {
            band: [at for at, hz in enumerate(self.axes["frequencies_hz"]) if low <= hz < high]
            for band, (low, high) in BANDS.items()
        }
        self.seizures, self.found, self.false = self.szcore(self.events)

    def count(self, label, said):
        return int(((self.true == label) & (self.said == said)).sum())

    def share(self, name):
        if name == "accuracy":
            return accuracy_score(self.true, self.said)
        if name == "weighted_f1":
            return f1_score(self.true, self.said, average="weighted", zero_division=0)
        if name == "f1":
            return f1_score(self.true, self.said) if self.true.any() or self.said.any() else None
        label = int(name == "sensitivity")
        return recall_score(self.true, self.said, pos_label=label) if (self.true == label).any() else None

    def szcore(self, alarms):
        """Return seizures, those found, and false alarms, each as (recording, start, end), by timescoring."""
        every, false = [], []
        for name, duration_s in self.recordings[["recording", "duration_s"]].itertuples(index=False):
            parts = [rows[rows["recording"] == name][["start_s", "end_s"]] for rows in (self.latencies, alarms)]
            score = EventScoring(*(Annotation(part.values.tolist(), 10, round(10 * duration_s)) for part in parts))
            every += [(name, *one) for one in score.ref.events]
            hits = [score.tpMask[round(10 * start) : round(10 * end)].any() for start, end in score.hyp.events]
            false += [(name, *one) for one, hit in zip(score.hyp.events, hits, strict=True) if not hit]
        found = self.latencies[self.latencies["detected"] == 1]
        return every, list(found[["recording", "start_s", "end_s"]].itertuples(index=False, name=None)), false

    def always_on(self):
        """Return the event F1 of an alarm over each whole recording."""
        whole = self.recordings.assign(start_s=0.0, end_s=self.recordings["duration_s"])
        alarms = whole[["recording", "start_s", "end_s"]]
        seizures, _, false = self.szcore(alarms)
        return event_f1(sum(name in set(alarms["recording"]) for name, *_ in seizures), len(seizures), len(false))

    def during(self, name, start, end):
        found = self.table[self.table["recording"] == name]
        return found[(found["last_start_s"] < end) & (found["end_s"] > start)]

    def alarm(self):
        """Return the false alarm with the highest peak."""
        peaks = [self.during(*one).query("alarm == 1")["p_smooth"].max() for one in self.false]
        return self.false[int(np.argmax(peaks))]

    def top(self, group, method):
        """Return the band of the highest mean relevance per frequency bin for the decision, None if there is none."""
        label = int(group == "found")
        alike = self.table[(self.true == label) & (self.said == label)]
        chosen = set((self.during(*self.alarm()) if group == "alarm" else alike)["sample"])
        sums = {band: [] for band in BANDS}
        for at, sample in enumerate(self.maps["sample"]):
            values = self.maps[method][at].astype(float)
            whole = (-1 if group == "left" else 1) if method == "ig" else values.mean()
            if int(sample) in chosen and whole:
                for band, rows in self.bands.items():
                    sums[band].append(values[:, rows].mean() / whole)
        means = {band: np.mean(found) for band, found in sums.items() if found}
        best = max(means, key=means.get, default=None)
        return f"in {best}" if best and means[best] > 0 else None

    def tops(self, group):
        found = {name: self.top(group, key) for name, key in METHODS.items()}
        return {name: place for name, place in found.items() if place}

    def steps(self, number, key, sign):
        return np.maximum(self.maps[key][list(self.maps["sample"]).index(number)].astype(float) * sign, 0)

    def strongest(self, number, method, sign):
        found = []
        for step in self.steps(number, method, sign if method == "ig" else 1):
            means = {band: step[rows].mean() for band, rows in self.bands.items()}
            found += [max(means, key=means.get)] if step.any() else []
        often = max(found, key=found.count, default=None)
        return f"in {often}" if found.count(often) > 1 else "in no single band" if found else "in no band"

    def channel(self, number, sign):
        means = self.steps(number, "ig_channels", sign).mean(axis=2)
        often = [self.axes["channels"][int(step.argmax())] for step in means if step.max() > 0]
        most = max(often, key=often.count, default=None)
        return most if often.count(most) > 1 else None

    def verdicts(self, rule, verdict):
        return {name for name, key in METHODS.items() if self.sanity["verdicts"][key][rule] is verdict}

    def length(self):
        return f"{short(self.hours)} hours" if self.hours >= 2 else f"{short(60 * self.hours)} minutes"


def printed(value, places=4):
    if value is None:
        return "undefined"
    text = f"{value:.{places}f}"
    return "−" + text[1:] if text.startswith("-") and float(text) else text.lstrip("-")


def short(value):
    return re.sub(r"\.0$", "", f"{value:.1f}")


def bracket(score, places=4):
    if score["value"] is None or score["low"] is None:
        return ""
    return f" ({printed(score['low'], places)} to {printed(score['high'], places)})"


def of(part, total, noun):
    return f"{part} of {total} {noun}{'s' * (total != 1)}" if total else None


def some(count, noun):
    return f"{count or 'no'} {noun}{'s' * (count != 1)}"


def poisson_ends(count, days):
    """Return the exact interval of a rate, by its relation to the distribution of χ²."""
    low, high = (chi2.ppf(0.025, 2 * count) / 2 if count else 0.0), chi2.ppf(0.975, 2 * count + 2) / 2
    return f"{printed(low / days, 1)} to {printed(high / days, 1)}"


def event_f1(found, seizures, false):
    total = seizures + found + false
    return 2 * found / total if total else None


def event_f1_ends(found, seizures, false):
    """Return the ends of the event F1: of seizures found and of false alarms, each exact at 97.5 %, the worst and best.

    Garwood's ends of a count are quantiles of χ², those of Clopper and Pearson quantiles of the beta distribution.
    """
    if not seizures:
        return {"value": 0, "low": None, "high": None}
    tail = 0.0125
    least = beta.ppf(tail, found, seizures - found + 1) if found else 0.0
    most = beta.ppf(1 - tail, found + 1, seizures - found) if found < seizures else 1.0
    few, many = (chi2.ppf(tail, 2 * false) / 2 if false else 0.0), chi2.ppf(1 - tail, 2 * false + 2) / 2
    pairs = ((least, many), (most, few))
    low, high = (2 * share * seizures / (seizures + share * seizures + alarms) for share, alarms in pairs)
    return {"value": 0, "low": low, "high": high}


def named(text):
    return set(METHODS) if "all three methods" in text else set(re.findall(ONE, text))


def by_method(text, what):
    """Return method → what is said of it, as "in B1 (delta) for Grad-CAM and IG" or "0.52 (Grad-CAM and IG)"."""
    found, who = {}, rf"(all three methods|{ONE}(?: and {ONE})?)"
    for said, methods in re.findall(what.replace("WHO", who), text):
        found |= dict.fromkeys(named(methods), said)
    return found


# What a sentence says: each function returns pairs of what is said and what is true, or a set of what may be said.


def bullet(s, m):
    name, value, ends, places = m[1].lower().replace(" ", "_"), s.metrics["samples"]["threshold"], "", 2
    if name != "best_threshold":
        value, places = s.share(name), 4
        ends = bracket(s.metrics["intervals"]["samples"][name] | {"value": value})
    yield (m[2], m[3] or "", m[4]), (printed(value, places), ends, "as" if value is None else "the")


def standing(s, m):
    key, own = "event_f1", event_f1(len(s.found), len(s.seizures), len(s.false))
    if "events" not in m[1]:
        key, own = "auprc_smoothed", average_precision_score(s.table["label"], s.table["log_odds_smooth"])
    rows, told = {row["method"]: row for row in s.comparison["rows"]}, set()
    rivals = "|".join(RIVALS)
    one = rf"(?:{rivals}) \([\d.]+\)"
    stands = r"is (not clearly different from|clearly \w+)"
    for how, names in re.findall(rf"{stands} that of ({one}(?:(?:, | and ){one})*)", m[3]):
        for rival, value in re.findall(rf"({rivals}) \((.+?)\)", names):
            row, ahead = rows[RIVALS[rival]], rows[RIVALS[rival]][f"ahead_{key}"]
            told.add(RIVALS[rival])
            wanted = "not clearly different from"
            if ahead["kind"] not in (None, "range"):
                sure = round(ahead["low"], 4) > 0, round(ahead["high"], 4) < 0
                wanted = "clearly above" if sure[0] else "clearly below" if sure[1] else "not clearly different from"
            yield (value, how), (printed(row[key]["value"]), wanted)
    pairs = {
        one: (row[key]["value"], row[f"ahead_{key}"]["value"]) for one, row in rows.items() if one in RIVALS.values()
    }
    yield (m[2], told), (printed(own), {one for one, pair in pairs.items() if None not in pair})


def sample(s, m):
    row = s.table[s.table["sample"] == int(m[1])].iloc[0]
    said = int(row["p_seizure"] >= row["threshold"])
    sign, pair = 2 * said - 1, (int(row["label"]), said)
    yield (LABELS[m[2]], LABELS[m[3]]), pair
    yield (m[6], m[7]), (f"{short(row['start_s'])}–{short(row['end_s'])}", row["recording"])
    yield abs(float(m[4]) - row["p_seizure"]) <= 0.00051, True
    verbs = ("correctly identified no", "wrongly saw"), ("missed the", "correctly identified")
    yield m[5], f"{verbs[pair[0]][pair[1]]} seizure activity"
    yield by_method(m[8], PLACE), {name: s.strongest(int(m[1]), key, sign) for name, key in METHODS.items()}
    yield m[9], s.channel(int(m[1]), sign)


def alarm(s, m):
    one = s.alarm()
    yield (m[1], m[2]), (f"{short(one[1])}–{short(one[2])}", one[0])
    if m[3]:
        yield by_method(m[3], PLACE), s.tops("alarm")


def weights(s, m):
    last = f"weights:{s.sanity['layers'][-1]}"
    like = {
        name: max(abs(s.sanity["disturbed"][test][key]["value"]) for test in (last, f"magnitude:{last}"))
        for name, key in METHODS.items()
    }
    yield named(m[1] or ""), {name for name, value in like.items() if value >= 0.2}


def split(s, m):
    rows = {row["protocol"]: row for row in s.audit["rows"]}
    yield m[1], of(s.audit["shared_eeg"], s.audit["n_test"], "test sample")
    yield (m[2], m[3]), tuple(printed(rows[name]["f1"]["value"]) for name in ("split", "single"))


def passed(s, m):
    verdicts = {name: s.sanity["verdicts"][key].values() for name, key in METHODS.items()}
    given = {name: [one for one in found if one is not None] for name, found in verdicts.items()}
    yield by_method(m[1], FIGURE), {name: f"{sum(found)} of {len(found)}" for name, found in given.items() if found}


def folds(s, m):
    held = [name for fold in s.metrics["folds"] for name in fold["held_out"] if name not in fold["inner"]]
    yield (int(m[1]), int(m[2]), len(held)), (len(s.metrics["folds"]), len(set(held)), len(set(held)))


def raised(s, m):
    yield {m[1]}, {str(fold["alarm"]["frames"]) for fold in s.metrics["folds"]}


def by_events(s, m):
    counts = len(s.found), len(s.seizures), len(s.false)
    reached = next(row["reached"] for row in s.comparison["controls"] if row["control"] == "rotated")
    yield (m[1], m[2] or ""), (printed(event_f1(*counts)), bracket(event_f1_ends(*counts)))
    yield (m[3], m[4]), (printed(s.always_on()), short(100 * reached))


def always(s, m):
    share = float((s.true == LABELS[m[1]]).mean())
    yield (m[2], share > 0.5), (printed(share), True)


def recognised(s, m):
    yield m[1], of(s.count(1, 1), int(s.true.sum()), "seizure sample")
    yield m[2], of(s.count(0, 1), int((s.true == 0).sum()), "non-seizure sample")
    yield bool(m[3]), not 0 < s.true.sum() < len(s.true)


def simulated(s, said):
    return bool(said), s.simulated


def summary(s, m):
    yield simulated(s, m[2])
    yield (m[1], m[5]), (s.length(), some(len(s.false), "false alarm"))
    yield (None, m[3])[m[3] != " without"], of(len(s.found), len(s.seizures), "seizure")
    median = s.latencies["latency_s"].dropna().median()
    delay = f"{printed(median, 1)} s{bracket(s.delay, 1)}" if s.found and s.delay["value"] is not None else None
    yield m[4] or None, delay


def unseen(s, m):
    gone = {f"{short(one[1])}–{short(one[2])} s of {one[0]}" for one in s.seizures if one not in s.found}
    yield set(re.split(", | and ", m[1])) - gone, set()
    yield len(re.split(", | and ", m[1])), len(gone)


def group(s, m):
    key, label = {"seizure": ("found", 1), "non-seizure": ("left", 0)}[m[2]]
    alike = s.table["sample"][(s.true == label) & (s.said == label)]
    yield (m[1], by_method(m[3], PLACE)), (str(alike.isin(s.maps["sample"]).sum()), s.tops(key))


EEG = "(simulated )?EEG"
CHANNELS = "the channels of the planted seizure"
READ = {
    rf"In (.+) of {EEG}, the model \w+ (.+? seizures?)(?:, with a median delay of (.+?),)? and raised (.+)\.": summary,
    rf"In (.+) of {EEG}( without) a seizure, the model raised ()(.+)\.": summary,
    r"With its exact Poisson 95 % interval, the rate of false alarms is (\S+) per 24 h \((.+)\)\.": lambda s, m: [
        (m.groups(), (printed(len(s.false) * 24 / s.hours, 1), poisson_ends(len(s.false), s.hours / 24)))
    ],
    rf"The maps of (.+) find {CHANNELS} better than chance and the EEG's own power do\.": lambda s, m: [
        (named(m[1]), s.verdicts("planted channel", True))
    ],
    rf"No map finds {CHANNELS} clearly better than chance and the EEG's own power do.+none can be .+": lambda s, m: [
        (s.verdicts("planted channel", True), set()),
        (bool(s.verdicts("planted channel", False)), True),
    ],
    r"Whether the maps show where a seizure is (?:could not be tested|was not testable)\.": lambda s, m: [
        (s.verdicts("planted channel", None), set(METHODS))
    ],
    r"This .+? of (simulated )?patient (.+)\.": lambda s, m: [
        (m[2], s.metrics["patient"]),
        (None, s.patients),
        simulated(s, m[1]),
    ],
    r"This .+? of (\d+) (simulated )?patients, each held out in turn\.": lambda s, m: [
        (m[1], s.patients),
        simulated(s, m[2]),
    ],
    r"[\w ]+? (?:tested|ran) in (\d+) folds? on (\d+) recordings?, each judged by .+ fitted without it\.": folds,
    r"A sample is three consecutive (.+) s frames .+": lambda s, m: [(m[1], short(s.frame_s))],
    r"Brackets hold (?:(the lowest and the highest of the (\w+)), as these are too few for an interval, or exact 95 % "
    r"intervals of counts of events|95 % intervals, exact for counts of events, else by bootstrap over (\w+);.+)\.": (
        lambda s, m: [
            (m[2] or m[3], s.drawn),
            (
                {"range"} if m[1] else set(),
                {one["kind"] for one in s.metrics["intervals"]["samples"].values()} & {"range"},
            ),
        ]
    ),
    r"\*\*(.+):\*\* (undefined|[\d.]+)( \(.+?\))?, (the|as) .+\.": bullet,
    r"The model (?:(?:found|recognised) (.+? seizure samples?))?(?: and )?(?:(?:mis)?took (.+? non-seizure samples?) "
    r"for seizure)?(; there is no other)?\.": recognised,
    r"Always answering (\S+) would reach an accuracy of (\S+)\.": always,
    r"Alarms rest on the mean log-odds of (.+) frames\.": raised,
    r"By events, the model's F1 is ([\d.]+)( \(.+?\))?; an alarm that is always on has (\S+), and (\S+) % of random "
    r"shifts of the model's own alarms do as well\.": by_events,
    r"An alarm that is always on has an F1 of (\S+) by events\.": lambda s, m: [(m[1], printed(s.always_on()))],
    r"The alarms missed (.+)\.": unseen,
    r"(On the same mean, the model's area under the precision–.+?|Its F1 over events), (\S+), (.+)\.": standing,
    r"A random split, in which (.+) share .+ give[s ].*networks an F1 of (.+) in place of (.+)\.": split,
    r"The maps of (\d+) held-out samples?, .+": lambda s, m: [(m[1], str(len(s.digest["samples"])))],
    r"\*\*Sample (\d+) \(True: (\S+), Predicted: (\S+), p_seizure=(.+)\):\*\* The model (.+?) in (\S+) s of "
    r"(\S+)\. Relevance peaks (.+?)(?:; IG is strongest at (\S+))?\.": sample,
    r"Over (\d+) explained (seizure|non-seizure) samples? (?:found|left alone), .+? is highest (.+)\.": group,
    r"In the false alarm with the highest peak, (\S+) s of (\S+), relevance is highest (.+)\.": alarm,
    r"The false alarm with the highest peak is in (\S+) s of (\S+?)()\.": alarm,
    r"There are no false alarms to explain\.": lambda s, m: [(s.false, [])],
    r"The maps pass (.+) of their tests\.": passed,
    r"With random weights, (?:the maps of (.+) still correlate .+|no map still correlates .+\(0\.20 or more\)\.)": (
        weights
    ),
    r"For (.+), deleting .+ lowers .+ rests on it(?:, which is not clear for (.+))?\.": lambda s, m: [
        (named(m[1]), s.verdicts("deletion", True)),
        (named(m[2] or ""), s.verdicts("deletion", False)),
    ],
    r"For (.+), deleting what ranks highest does not lower .+": lambda s, m: [
        (named(m[1]), s.verdicts("deletion", False)),
        (set(), s.verdicts("deletion", True)),
    ],
    r"The(?:se)? (.+) of EEG of one (simulated )?patient do .+": lambda s, m: [
        (m[1], s.length()),
        (None, s.patients),
        simulated(s, m[2]),
    ],
    r"The(?:se)? (.+) of EEG of (\d+) (simulated )?patients do .+": lambda s, m: [
        (m[1], s.length()),
        (m[2], s.patients),
        simulated(s, m[3]),
    ],
}
FIXED = r"""A seizure is a transient occurrence .+
|Grad-CAM and Grad-CAM\+\+ map what counted towards the predicted class, IG \(Integrated Gradients\) what moved the .+
|The bands are B1 \(delta, 0\.5–4 Hz\), B2 \(theta, 4–8 Hz\), B3 \(alpha, 8–13 Hz\), B4 \(beta, 13–30 Hz\) and B5 \(ga.+
|This text is not for diagnosis or treatment\.|_Worded by .+"""


def problems(folder, rows=None):
    """Return what is false, or not understood, in a narrative.

    `folder` is a patient's, of a finished study; `rows` those of ``claims.csv``, by default of that study. Sentences in
    the model's own words are left out: only their numbers and names are claimed.
    """
    study, found = Study(folder), []
    rows = pd.read_csv(folder / "narrate/claims.csv").to_dict("records") if rows is None else rows
    said = [row["sentence"] for row in rows if row["wording"] != "model"]
    text = "\n".join(said).replace(".\nRelevance", ". Relevance")  # a sample's second sentence is about the same one
    for sentence in text.split("\n"):
        matches = ((read, re.fullmatch(pattern, sentence)) for pattern, read in READ.items())
        read, match = next((pair for pair in matches if pair[1]), (None, None))
        if not match and not re.fullmatch(FIXED.replace("\n", ""), sentence):
            found.append(f"not understood: {sentence}")
        for told, true in read(study, match) if match else ():
            if told != true and not (isinstance(true, set) and isinstance(told, str) and told in true):
                found.append(f"{sentence!r} says {told!r}; the files say {true!r}")
    return found
