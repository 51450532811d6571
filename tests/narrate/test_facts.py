"""Facts: what a narrative may say, against answers found by hand; and contradictions, each of which is refused."""

import json

import made_up
import pytest
from made_up import make_sample, scored

from helpers.narrate import consistency, facts, measures
from helpers.study import files


def built(**changes):
    """Return the facts of the typical results, whole parts of them changed."""
    return facts.build(made_up.typical() | changes)


def typical_but(part, **changes):
    """Return the typical results with entries of one part changed."""
    results = made_up.typical()
    return results | {part: results[part] | changes}


def test_made_up_results_pass_and_are_the_same_for_the_same_seed():
    facts.build(made_up.typical())
    for seed in range(100):
        results = made_up.generated(seed)
        facts.build(results)
        assert json.dumps(results) == json.dumps(made_up.generated(seed))


def test_made_up_tests_of_the_explanations_are_the_real_ones():
    from helpers.explain import sanity

    assert list(made_up.RULES) == list(sanity.RULES) and set(measures.TESTED) < set(sanity.RULES)
    assert made_up.LAYERS[-1] == sanity.LAYERS[-1]
    real = sanity._verdicts  # by the real rules the made-up verdicts are the same
    for seed in range(100):
        made = made_up.generated(seed)["sanity"]
        assert made["verdicts"] == {method: real(method, made) for method in measures.METHODS}


# Contradictions.


def refused(results, message):
    with pytest.raises(consistency.FactError, match=message):
        facts.build(results)


def test_files_of_two_patients_are_refused():
    refused(typical_but("digest", patient="chb08"), "metrics are of patient sim08, the digest is of chb08")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tp": 55}, "TP 55, FN 6, FP 11, TN 340 are not 60 of 411"),
        ({"n": 412}, "are not 60 of 412"),
        ({"seizure": 61}, "are not 61 of 411"),
        ({"sensitivity": 0.95}, "give sensitivity 0.9, but it is 0.95"),
        ({"sensitivity": None}, "give sensitivity 0.9, but it is None"),
        ({"specificity": 0.9686}, "give specificity 0.9686.*, but it is 0.9686"),
        ({"accuracy": 0.5}, "give accuracy 0.958.*, but it is 0.5"),
        ({"f1": 0.5}, "give f1 0.864, but it is 0.5"),
        ({"weighted_f1": 0.5}, "weighted_f1 0.959.*, but it is 0.5"),
    ],
)
def test_samples_that_contradict_each_other_are_refused(change, message):
    results = made_up.typical()
    results["metrics"]["samples"] |= change
    refused(results, message)


def test_no_sample_at_all_is_refused():
    results = made_up.typical()
    results["metrics"]["samples"] |= dict.fromkeys(("n", "seizure", "tp", "fn", "fp", "tn"), 0)
    refused(results, "TP 0, FN 0, FP 0, TN 0 are not 0 of 0")


def test_a_metric_of_nothing_is_refused():
    """Without a seizure sample there is no sensitivity: 0.0 would be said of none."""
    results = made_up.counted(0, 0, 1, 4)
    facts.build(results)
    results["metrics"]["samples"]["sensitivity"] = 0.0
    refused(results, "give sensitivity None, but it is 0.0")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"false_alarms": 3}, "4 detected, 3 false alarms give precision 0.57"),
        ({"detected": 6}, "impossible"),
        ({"detected": -1}, "impossible"),
        ({"false_alarms": -1}, "impossible"),
        ({"sensitivity": 0.7}, "give sensitivity 0.8, but it is 0.7"),
        ({"f1": None}, "give f1 0.72.*, but it is None"),
        ({"fp_per_24h": 0.0}, "2 false alarms, but 0.0 false positives per 24 h"),
        ({"fp_per_24h": 3.2, "false_alarms": 0, "precision": 1.0, "f1": 8 / 9}, "0 false alarms, but 3.2 false"),
        (made_up.event_rates(5, 3, 2, 3.2), "3 of 5 seizures were detected, their list 4 of 5"),
        (made_up.event_rates(6, 4, 2, 3.2), "4 of 6 seizures were detected, their list 4 of 5"),
    ],
)
def test_events_that_contradict_each_other_are_refused(change, message):
    results = made_up.typical()
    results["metrics"]["events"] |= change
    refused(results, message)


@pytest.mark.parametrize(
    ("fold", "message"),
    [
        ({"inner": ["sim08_03", "sim08_00"]}, r"fold 0: \['sim08_00'\] held out and inner too"),
        ({"held_out": ["sim08_01"]}, r"fold 1: \['sim08_01'\] held out and in another fold too"),
        ({"held_out": ["sim08_05", "sim08_07"]}, r"fold 0: \['sim08_07'\] held out and inner too"),
        ({"inner": []}, "fold 0: there is no inner recording"),
        ({"networks": ["0-1", "1-10", "0-3"]}, r"fold 0: \['1-10'\] trained on what it holds out"),
    ],
)
def test_a_recording_on_both_sides_is_refused(fold, message):
    results = made_up.typical()
    results["metrics"]["folds"][0] |= fold
    refused(results, message)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("T", "M", "metrics say tp 54, the decisions 53"),
        ("M", ".", "metrics say fn 6, the decisions 5"),
        ("F", ".", "metrics say fp 11, the decisions 10"),
        (".", None, "metrics say tn 340, the decisions 339"),
    ],
)
def test_decisions_with_other_counts_are_refused(before, after, message):
    decisions = made_up.typical()["decisions"]
    row = next(row for row in decisions if (row["label"], row["decided"]) == made_up.LETTERS[before])
    if after:
        row["label"], row["decided"] = made_up.LETTERS[after]
    else:
        decisions.remove(row)
    refused(made_up.typical() | {"decisions": decisions}, message)


@pytest.mark.parametrize(
    ("p", "pred", "where"), [(0.9, 0, "samples"), (0.1, 1, "samples"), (0.41, 0, "samples"), (0.9, 0, "errors")]
)
def test_a_prediction_against_its_threshold_is_refused(p, pred, where):
    """From the threshold on a sample counts as seizure, at the threshold too."""
    sample = make_sample(7, 1, p, (["B1"] * 3,) * 3, pred=pred)
    message = f"sample 7: predicted {pred}, but p_seizure {p} against threshold 0.41"
    refused(typical_but("digest", **{where: [sample]}), message)


def test_an_error_that_is_none_is_refused():
    sample = make_sample(7, 1, 0.9, (["B1"] * 3,) * 3)
    refused(typical_but("digest", errors=[sample]), "sample 7 is listed as an error, but 1 is right")


# Printed forms.


@pytest.mark.parametrize(
    ("value", "places", "printed"),
    [
        (-0.00004, 4, "0.0000"),
        (-0.0, 1, "0.0"),
        (-0.00006, 4, "−0.0001"),
        (0.12345, 4, "0.1235"),
        (-12.34, 1, "−12.3"),
        (89.6, 0, "90"),
    ],
)
def test_decimals(value, places, printed):
    assert measures.decimals(places)(value) == printed
    assert measures.number(printed) == pytest.approx(value, abs=0.51 * 10**-places)


@pytest.mark.parametrize(
    ("value", "printed"), [(120.0, "120"), (0.5, "0.5"), (12.3456, "12.346"), (0.0, "0"), (100, "100"), (0.0004, "0")]
)
def test_plain(value, printed):
    assert measures.plain(value) == printed


def test_number_reads_a_true_minus():
    assert measures.number("−0.0188") == -0.0188 and measures.number("3") == 3


def test_an_interval_is_printed_whole_or_not_at_all():
    def made(value, interval):
        return measures.measure(value, *measures.FRACTION, "a.json", "b.c", interval)

    assert made(0.5, scored(0.5, 0.25, 0.75))["interval"] == {"low": "0.2500", "high": "0.7500"}
    assert made(0.5, scored(0.5, -0.00001, 0.0))["interval"] == {"low": "0.0000", "high": "0.0000"}
    assert made(0.5, scored(0.5))["interval"] is made(0.5, None)["interval"] is None
    nothing = made(None, scored(None))
    assert nothing["printed"] is nothing["interval"] is None
    assert made(None, scored(0.5, 0.25, 0.75))["interval"] is None  # no interval of an undefined number
    assert (nothing["file"], nothing["place"], nothing["unit"]) == ("a.json", "b.c", "fraction")


@pytest.mark.parametrize(
    ("low", "high", "side"),
    [
        ("0.0001", "0.2", "above"),
        ("−0.2", "−0.0001", "below"),
        ("−0.1", "0.1", "around"),
        ("0.0000", "0.2", "around"),
        ("−0.2", "0.0000", "around"),
    ],
)
def test_sides(low, high, side):
    assert facts.sides({"low": low, "high": high}) == side


@pytest.mark.parametrize(
    ("p", "threshold", "printed", "side"),
    [
        (0.4099999, 0.41, ("0.4099999", "0.4100000"), "below"),
        (0.976, 0.41, ("0.976", "0.410"), "above"),
        (0.0002, 0.00007, ("0.0002", "0.0001"), "above"),
        (0.41, 0.41, ("0.410", "0.410"), "at"),
        (1, 0.9999, ("1.0000", "0.9999"), "above"),
        (0, 0.00002, ("0.00000", "0.00002"), "below"),
    ],
)
def test_a_probability_is_printed_on_its_side_of_the_threshold(p, threshold, printed, side):
    """Both get as many digits, at least three, as tell them apart."""
    (known,) = built(digest=made_up.make_digest([make_sample(7, 1, p, (["B1"] * 3,) * 3, threshold)]))["samples"]
    assert (known["p_seizure"], known["threshold"]) == printed and known["side"] == side


# Numbers.


@pytest.mark.parametrize(
    ("recordings", "early"),
    [
        (["..MMTT.."], 2),
        (["..TTMM.."], 0),  # late
        (["..MMMM.."], 0),  # missed as a whole
        (["MTMTM"], 1),
        (["MT.MMT", "M"], 3),  # two runs, and one missed as a whole
        (["MTFMMMT"], 4),  # a false alarm between them parts two runs
        (["MM", "TT"], 0),  # a run ends with its recording
        (["MMT", "TMM", "MT"], 3),
        (["FF.."], 0),
        ([""], 0),
    ],
)
def test_missed_early(recordings, early):
    """Those missed before the first found of their own run, whatever the order of the rows."""
    rows = made_up.make_decisions({f"rec{at}": letters for at, letters in enumerate(recordings)})
    assert measures.missed_early(rows, 4) == measures.missed_early(rows[::-1], 4) == early
    assert measures.missed_early(rows[1::2] + rows[::2], 4) == early


def test_missed_early_follows_time_not_text():
    """Ordered as text, "100" comes before "96", and the found sample at 96 s after the missed one at 100 s."""
    rows = [
        {"recording": "a", "last_start_s": start, "label": 1.0, "decided": decided}
        for start, decided in ((100.0, 0.0), (96.0, 1.0), (92.0, 0.0))
    ]
    assert measures.missed_early(rows, 4) == 1


def test_of_a_hundred_the_ends_of_the_specificity_turn_round():
    """Specificity 340/351 = 0.9687, with 0.90 to 0.98: 3 of 100 are mistaken, between 2 and 10."""
    results = made_up.typical()
    results["metrics"]["intervals"]["samples"] |= {
        "sensitivity": scored(0.9, 0.826, 0.954),
        "specificity": scored(340 / 351, 0.9, 0.98),
    }
    values = facts.build(results)["values"]
    found, mistaken = values["per_100.found"], values["per_100.mistaken"]
    assert (found["printed"], found["interval"]) == ("90", {"low": "83", "high": "95"})
    assert (mistaken["printed"], mistaken["interval"]) == ("3", {"low": "2", "high": "10"})
    results["metrics"]["intervals"]["samples"]["specificity"] = scored(340 / 351)
    assert facts.build(results)["values"]["per_100.mistaken"]["interval"] is None


def test_of_no_sample_nothing_is_said_of_a_hundred():
    known = facts.build(made_up.counted(0, 0, 1, 4))
    values = known["values"]
    assert values["per_100.found"]["printed"] is None and values["per_100.mistaken"]["printed"] == "20"
    assert values["sensitivity"]["printed"] is None
    assert set(known["undefined"]) == {"sensitivity"} and known["grade"]["word"] is None
    assert known["undefined"]["sensitivity"] == "there is nothing for sensitivity"
    assert values["reference.sensitivity"]["printed"] is None


def test_numbers_of_the_typical_study():
    """Each key once, by hand; those of the seizures missed early are 55 and 56, before 57."""
    values = built()["values"]
    printed = {key: value["printed"] for key, value in values.items()}
    wanted = {"n": "411", "seizure": "60", "other": "351", "tp": "54", "fn": "6", "fp": "11", "tn": "340"}
    wanted |= {"baseline": "0.8540", "errors.early": "2", "events.missed": "1", "events.f1": "0.7273"}
    wanted |= {"events.latency": "16.5", "events.fp_per_24h": "3.2", "folds.number": "2", "folds.recordings": "2"}
    wanted |= {"folds.lowest": "0.35", "folds.highest": "0.50", "networks.fewest": "4", "frames.fewest": "3"}
    wanted |= {"frames.most": "5", "ranking.auroc": "0.9055", "baselines.forest.ahead_auprc": "−0.0188"}
    wanted |= {"audit.tested": "325", "audit.shared": "313", "audit.splits": "5", "audit.gap.f1": "0.1357"}
    wanted |= {"audit.random.f1": "0.9723", "audit.weighted.f1": "0.8366", "tests.random weights.ig": "−0.05"}
    wanted |= {"tests.planted truth.gradcam": "0.52", "tests.planted truth.chance": "0.22"}
    wanted |= {"tests.planted truth.power": "0.60", "tests.completeness.ig": "1.4", "tests.seizure": "40"}
    wanted |= {"tests.insertion.ig": "−0.42", "tests.stability.gradcampp": "0.65", "tests.deletion.ig": "0.36"}
    wanted |= {"tests.permuted labels.gradcampp": "0.28", "overall.found.n": "2", "overall.left.n": "1"}
    wanted |= {"duration": "40", "frame_s": "4", "threshold": "0.42", "reference.f1": "0.8765"}
    assert {key: printed[key] for key in wanted} == wanted
    assert values["events.latency"]["interval"] == {"low": "−2.5", "high": "26.0"}
    assert values["tests.deletion.gradcampp"]["interval"] == {"low": "−0.02", "high": "0.60"}
    assert values["audit.gap.auroc"]["interval"] is None


@pytest.mark.parametrize(
    ("durations", "printed", "unit"),
    [
        ((30.0, 30.0), "1", "minutes"),
        ((12.0,), "0.2", "minutes"),
        ((1675.0,), "27.9", "minutes"),
        ((3600.0, 3599.0), "120", "minutes"),
        ((3600.0, 3600.0), "2", "hours"),
        ((86400.0, 1800.0), "24.5", "hours"),
    ],
)
def test_duration_is_in_minutes_or_hours(durations, printed, unit):
    recordings = made_up.make_recordings({str(at): seconds for at, seconds in enumerate(durations)})
    found = built(recordings=recordings)["values"]["duration"]
    assert (found["printed"], found["unit"]) == (printed, unit)


def test_folds_without_thresholds_have_no_lowest_and_no_highest():
    results = made_up.typical()
    results["metrics"]["samples"]["threshold"] = None
    for fold in results["metrics"]["folds"]:
        fold["threshold"] = None
    values = facts.build(results)["values"]
    assert values["folds.lowest"]["printed"] is values["folds.highest"]["printed"] is None
    assert values["threshold"]["printed"] is None
    results["metrics"]["folds"][1]["threshold"] = 0.0
    assert facts.build(results)["values"]["folds.lowest"]["printed"] == "0.00"


@pytest.mark.parametrize("missing", [["logistic"], ["forest"], ["logistic", "forest"]])
def test_a_baseline_that_is_not_in_the_comparison_is_none(missing):
    comparison = made_up.typical()["comparison"]
    comparison["rows"] = [row for row in comparison["rows"] if row["method"] not in missing]
    known = built(comparison=comparison)
    assert set(known["baselines"]) == set(measures.BASELINES) - set(missing)
    for method in missing:
        assert known["values"][f"baselines.{method}.ahead_auprc"]["printed"] is None


def test_tests_that_were_not_made_have_no_figure():
    """A real patient, and no sample decided rightly: neither truth nor maps to disturb."""
    sanity = made_up.make_sanity((0, 0), 0.01, {}, {}, {})
    known = built(sanity=sanity)
    figures = {
        key: value["printed"] for key, value in known["values"].items() if key.startswith("tests.") and value["printed"]
    }
    assert figures == {"tests.completeness.ig": "1.0", "tests.seizure": "0", "tests.other": "0"}
    said = {verdict for test in known["tests"].values() for verdict in test["verdicts"].values()}
    assert said == {True, None}  # only IG's completeness was tested
    assert known["tests"]["deletion"] == {"asks": "what deletion asks", "verdicts": made_up.methods(None, None, None)}


# What follows from samples.


def test_a_sample():
    hit = built()["samples"][0]
    assert hit == {
        "sample": 57,
        "recording": "sim08_01",
        "start_s": "128.5",
        "end_s": "140.5",
        "true": 1,
        "pred": 1,
        "correct": True,
        "p_seizure": "0.976",
        "threshold": "0.410",
        "side": "above",
        "bands": {"gradcam": ["B1", "B1", "B5"], "gradcampp": ["B1", "B1", "B5"], "ig": ["B2", "B2", "B2"]},
        "channels": {"ig": [None, "C3", "C3"]},
        "files": [],
    }


def test_groups_agreement_and_changes():
    """Of 12 frames, Grad-CAM is zero in 3 and IG in 1; the maps agree as counted here by hand.

    Grad-CAM and Grad-CAM++: 3 of 3 in sample 57, 2 of 3 in 80, 3 of 3 in 3. Grad-CAM and IG: 0 of 3, 2 of 2, 3 of 3.
    Grad-CAM++ and IG: 0 of 3, 1 of 2, 3 of 3, and 1 of 3 in 4.
    """
    known, tally = built(), {"B1": 1, "B2": 3, "B3": 1, "B4": 1}
    assert known["groups"]["1"] == {
        "samples": [57, 4],
        "frames": 6,
        "counts": {"gradcam": {"B1": 2, "B5": 1}, "gradcampp": {"B1": 3, "B5": 3}, "ig": tally},
    }
    assert known["groups"]["0"]["samples"] == [80, 3]
    assert [(row["same"], row["of"]) for row in known["agreement"]] == [(8, 9), (5, 8), (5, 11)]
    assert [row["methods"] for row in known["agreement"]][1] == ["gradcam", "ig"]
    assert known["changes"]["gradcam"] == {"changes": [57, 80], "stays": [3], "unknown": [4]}
    assert known["changes"]["ig"] == {"changes": [4], "stays": [57, 3], "unknown": [80]}


def test_missed_seizures_are_those_not_detected():
    rows = [("a", 10.0, 25.5, None), ("b", 0.0, 400.0, 12.0), ("Müller_01", 7.25, 9.0, None)]
    results = made_up.typical() | {"latencies": made_up.make_latencies(rows)}
    results["metrics"]["events"] |= made_up.event_rates(3, 1, 2, 3.2)
    assert facts.build(results)["missed_seizures"] == [
        {"recording": "a", "start_s": "10", "end_s": "25.5"},
        {"recording": "Müller_01", "start_s": "7.25", "end_s": "9"},
    ]


@pytest.mark.parametrize(
    ("counts", "word"),
    [
        ((9, 1, 1, 9), "strong"),
        ((9, 1, 2, 8), "moderate"),
        ((10, 0, 3, 7), "moderate"),
        ((6, 4, 0, 10), "weak"),
        ((89996, 10004, 0, 100), "strong"),  # printed 0.9000, as the rule's limit is
        ((89994, 10006, 0, 100), "moderate"),  # printed 0.8999
        ((5, 0, 0, 0), None),
    ],
)
def test_the_grade_goes_by_the_lower_as_printed(counts, word):
    values = {
        key: {"printed": None if value is None else measures.decimals(4)(value)}
        for key, value in made_up.rates(*counts).items()
    }
    assert facts._grade(values)["word"] == word


@pytest.mark.parametrize(
    ("counts", "more"), [((5, 5, 1, 3), "seizure"), ((1, 1, 1, 3), "non-seizure"), ((2, 2, 1, 3), None)]
)
def test_the_more_frequent_class(counts, more):
    known = facts.build(made_up.counted(*counts))
    assert known["more_frequent"] == more
    share = max(sum(counts[:2]), sum(counts[2:])) / sum(counts)
    assert known["values"]["baseline"]["printed"] == f"{share:.4f}"


# All samples together.


def profile(letter, ig, cam=None, sample=1):
    """Return profile rows of one sample; bands that are not given are 0."""
    given = {"ig": ig, "gradcam": cam or {}, "gradcampp": cam or {}}
    return made_up.make_profile(sample, letter, lambda method, step, band: given[method].get(band, 0.0))


def test_overall_by_the_signs():
    """IG toward seizure: of a seizure found the highest counts, of a sample left alone the lowest."""
    ig = {"B1": 0.3, "B2": -0.5, "B4": 0.1}
    rows = profile("T", ig, {"B5": 2.0}) + profile(".", ig, {"B3": 2.0}, sample=2)
    signs = {"for": ["B1", "B4"], "against": ["B2"]}
    assert built(profiles=rows)["overall"] == {
        "found": {"highest": made_up.methods("B5", "B5", "B1"), "ig": signs},
        "left": {"highest": made_up.methods("B3", "B3", "B2"), "ig": signs},
    }


def test_overall_is_the_mean_over_samples_and_steps():
    """Means of B1: (0.9 − 0.1) / 2 = 0.4; of B2: (0.3 + 0.3) / 2 = 0.3, the higher one in one sample only."""
    rows = profile("T", {"B1": 0.9, "B2": 0.3}) + profile("T", {"B1": -0.1, "B2": 0.3}, sample=2)
    known = built(profiles=rows)
    assert known["overall"]["found"]["highest"]["ig"] == "B1" and known["values"]["overall.found.n"]["value"] == 2
    assert known["overall"]["found"]["ig"] == {"for": ["B1", "B2"], "against": []}


def test_overall_nothing_for_the_decision():
    """IG speaks against every seizure found, and no map of the others is above zero."""
    rows = profile("T", dict.fromkeys(made_up.BANDS, -1.0))
    assert built(profiles=rows)["overall"] == {
        "found": {"highest": made_up.methods(None, None, None), "ig": {"for": [], "against": list(made_up.BANDS)}},
        "left": {"highest": made_up.methods(None, None, None), "ig": {"for": [], "against": []}},
    }


def test_overall_leaves_maps_of_zeros_and_wrong_decisions_out():
    """A map of zeros has no relevance ("" in the table); a missed and a mistaken sample count nowhere."""
    zeros = made_up.make_profile(1, "T", lambda method, step, band: 0.0 if method == "ig" else "")
    wrong = profile("M", {"B1": 9.0}, sample=3) + profile("F", {"B1": 9.0}, sample=4)
    known = built(profiles=zeros + profile("T", {"B2": 1.0}, {"B3": 1.0}, sample=2) + wrong)
    assert known["overall"]["found"]["highest"] == made_up.methods("B3", "B3", "B2")
    assert known["overall"]["left"]["highest"] == made_up.methods(None, None, None)
    assert [known["values"][f"overall.{key}.n"]["value"] for key in ("found", "left")] == [2, 0]


def test_none_everywhere():
    """One wrong sample, nothing known of it, and no event: facts are built, and say so."""
    results = made_up.counted(0, 1, 0, 0)
    metrics, nothing = results["metrics"], scored(None)
    metrics["events"] = made_up.event_rates(0, 0, 0, None)
    metrics["intervals"] = {
        "samples": {},
        "events": {},
        "ranking": {"auroc": nothing, "auprc": nothing},
        "seizures": {"median_latency_s": nothing},
    }
    blank = {name: nothing for name in measures.GAPS}
    zero = make_sample(0, 1, 0.1, ([None] * 3,) * 3, delta=None, channels=[None] * 3)
    results |= {
        "comparison": made_up.make_comparison({"auprc": nothing, "event_f1": nothing}, {}),
        "audit": made_up.make_audit(dict.fromkeys(measures.AUDITED.values(), blank), 1, 0, 1, blank),
        "digest": made_up.make_digest([zero]),
        "sanity": made_up.make_sanity((0, 0), 0.0, {}, {}, {}),
        "latencies": [],
        "profiles": [],
    }
    known = facts.build(results)
    assert known["baselines"] == {} and known["missed_seizures"] == [] and known["errors"] == []
    assert known["grade"]["word"] is None and known["more_frequent"] == "seizure"
    assert all(row["of"] == 0 for row in known["agreement"])
    assert known["groups"]["1"] == {"samples": [], "frames": 0, "counts": made_up.methods({}, {}, {})}
    assert known["groups"]["0"]["counts"] == made_up.methods({}, {}, {}) and known["groups"]["0"]["frames"] == 3
    assert not any(value["interval"] for value in known["values"].values())


# Where a fact comes from.


LOOKED_UP = {
    "sensitivity": ("0.9000 (0.8200 to 0.9500)", "evaluate/metrics.json", "samples.sensitivity"),
    "tp": ("54", "evaluate/metrics.json", "samples.tp"),
    "errors.early": ("2", "evaluate/decisions.csv", "label = 1, decided = 0, before the first found of their run"),
    "audit.gap.auroc": ("−0.0068", "evaluate/audit.json", "gap.auroc"),
    "baselines.logistic.ahead_auprc": (
        "0.0979 (0.0122 to 0.2000)",
        "evaluate/comparison.json",
        "rows[logistic].ahead_auprc",
    ),
    "tests.stability.ig": ("0.99 (0.98 to 0.99)", "explain/sanity.json", "disturbed.noise.ig"),
    "tests.random weights.ig": ("−0.05", "explain/sanity.json", "disturbed.weights:mix.ig"),
    "duration": ("40", "acquire/recordings.csv", "sum of duration_s"),
    "frame_s": ("4", "explain/digest.json", "frame_s"),
    "samples.57.bands.ig": ("B2, B2, B2", "explain/digest.json", "samples.57.bands.ig"),
    "samples.80.bands.ig": ("B1, none, B5", "explain/digest.json", "samples.80.bands.ig"),
    "samples.57.correct": ("yes", "explain/digest.json", "samples.57.correct"),
    "samples.57.true": ("1", "explain/digest.json", "samples.57.true"),
    "errors.359.channels.ig": ("none, C3, C3", "explain/digest.json", "errors.359.channels.ig"),
    "groups.1.counts.ig": ("B1: 1; B2: 3; B3: 1; B4: 1", "explain/digest.json", "groups.1.counts.ig"),
    "agreement": (
        "methods: gradcam, gradcampp; same: 8; of: 9, methods: gradcam, ig; same: 5; of: 8, methods: gradcampp, ig; "
        "same: 5; of: 11",
        "explain/digest.json",
        "agreement",
    ),
    "changes.ig": ("changes: 4; stays: 57, 3; unknown: 80", "explain/digest.json", "changes.ig"),
    "overall.found.highest.ig": ("B2", "explain/profiles.csv", "overall.found.highest.ig"),
    "overall.left.highest.gradcam": ("none", "explain/profiles.csv", "overall.left.highest.gradcam"),
    "overall.found.n": ("2", "explain/profiles.csv", "decision = seizure, found"),
    "tests.deletion.verdicts": (
        "gradcam: yes; gradcampp: no; ig: yes",
        "explain/sanity.json",
        "tests.deletion.verdicts",
    ),
    "missed_seizures": (
        "recording: sim08_00; start_s: 828; end_s: 840",
        "evaluate/latencies.csv",
        "missed_seizures",
    ),
    "grade.word": ("strong", "evaluate/metrics.json", "grade.word"),
    "patient": ("sim08", "evaluate/metrics.json", "patient"),
    "simulated": ("yes", "evaluate/metrics.json", "simulated"),
    "more_frequent": ("non-seizure", "evaluate/metrics.json", "more_frequent"),
    "undefined": ("none", "evaluate/metrics.json", "undefined"),
    "baselines": (
        "logistic: logistic regression; forest: random forest",
        "evaluate/comparison.json",
        "baselines",
    ),
    "passed.ig": ("5, 8", "explain/sanity.json", "passed.ig"),
    "bands.B1.printed": ("B1 (delta)", "explain/digest.json", "bands.B1.printed"),
    "bands.B1.range": ("0.5–4 Hz", "explain/digest.json", "bands.B1.range"),
}


@pytest.mark.parametrize("key", LOOKED_UP)
def test_lookup(key):
    says, file, place = LOOKED_UP[key]
    assert facts.lookup(built(), key) == {"says": says, "file": f"output/sim08/{file}", "place": place}


def test_lookup_of_what_is_undefined_or_empty():
    results = made_up.counted(0, 0, 1, 4) | {"latencies": []}
    results["metrics"]["events"] |= made_up.event_rates(0, 0, 2, 3.2)
    known = facts.build(results)
    assert facts.lookup(known, "sensitivity")["says"] == "undefined"
    assert facts.lookup(known, "undefined")["says"] == "sensitivity: there is nothing for sensitivity"
    assert facts.lookup(known, "missed_seizures")["says"] == "none"
    for wrong in ("samples.1.bands.ig", "nothing", "tests.nothing.verdicts"):
        with pytest.raises(KeyError):
            facts.lookup(known, wrong)


# Files.


def test_read_takes_numbers_as_numbers_and_names_as_text(tmp_path, monkeypatch):
    """A recording named 007 is no number, and an empty cell is none; all nine files are read, each of its stage."""
    monkeypatch.setattr(files, "ROOT", tmp_path)
    for stage, name in facts.SOURCES.values():
        path = tmp_path / "output" / "p1" / stage / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{"a": 1}' if name.endswith(".json") else "recording,start_s,latency_s,start\n007,1.50,,9\n")
    found = facts.read("p1")
    assert set(found) == set(facts.SOURCES) and found["sanity"] == {"a": 1}
    row = {"recording": "007", "start_s": 1.5, "latency_s": "", "start": "9"}
    assert found["profiles"] == found["recordings"] == found["decisions"] == found["latencies"] == [row]
    (tmp_path / "output" / "p1" / "explain" / "profiles.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"profiles\.csv is not there: .* Run `dvc repro explain@p1`"):
        facts.read("p1")


def test_made_up_tables_have_the_columns_that_are_read():
    """What `facts` reads of a table is there under the same names in the files of the simulated patient, if made."""
    folder = files.ROOT / "output" / "sim08"
    if not all((folder / stage / name).exists() for stage, name in facts.SOURCES.values()):
        pytest.skip("the stages of sim08 have not run")
    real, made = facts.read("sim08"), made_up.typical()
    for name in ("recordings", "decisions", "latencies", "profiles"):
        assert set(made[name][0]) <= set(real[name][0]), name
        assert all(type(real[name][0][key]) is type(value) for key, value in made[name][0].items()), name
    for name in ("metrics", "comparison", "audit", "digest", "sanity"):
        assert set(made[name]) <= set(real[name]), name
    facts.build(real)
