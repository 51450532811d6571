"""Benchmarks: arithmetic and tables on numbers made by hand; none is run."""

import pytest

from benchmarks import baselines, bytes, common, growth, processors, readme, stages, verify
from benchmarks.common import ROOT, STAGES, copy_project, cost, notebook, stage_command
from helpers.study import files


def test_what_a_benchmark_changes_is_a_setting():
    short = bytes.SHORT | {"train": set().union(bytes.SHORT["train"], *baselines.CHANGES.values())}
    for stage, names in short.items():
        assert set(names) <= set(files.read_yaml(ROOT / "params" / f"{stage}.yaml"))


def test_medians_of_stages():
    """By hand: a stage takes 10, 20 and 60 s, all seven 70, 140 and 420."""
    names = (*STAGES, *stages.NOTHING)
    rounds = [dict.fromkeys(names, {"seconds": s, "cpu_s": 8, "memory_mb": 10 * s}) for s in (10, 20, 60)]
    found = stages.summary(rounds)
    train = found["stages"]["train"]
    assert (found["rounds"], found["seconds"], found["cpu_s"]) == (3, 140, 56)
    assert (train["seconds"], train["memory_mb"], train["runs"]["seconds"]) == (20, 200, [10, 20, 60])
    assert list(found["nothing"]) == ["dvc repro", "make study"] and list(found["stages"]) == list(STAGES)


def test_growth_of_stages_and_of_the_whole():
    """The whole's memory is that of its largest stage; a single length has no growth."""
    runs = {
        hours: {"stages": {name: {kind: one for kind in growth.KINDS} for name, one in of.items()}}
        for hours, of in {"1": {"acquire": 2, "train": 48}, "20": {"acquire": 40, "train": 60}}.items()
    }
    found = growth.growth(runs)
    assert found["acquire"]["cpu_s"] == pytest.approx(1.0)
    assert [20 ** found["whole"][kind] for kind in ("cpu_s", "memory_mb")] == pytest.approx([2.0, 60 / 48])
    assert growth.growth({"1": runs["1"]}) == {}
    for wanted, values in {2: [3, 12, 48], 0: [5, 5, 5], -1: [8, 4, 2]}.items():
        assert growth.exponent([1, 2, 4], values) == pytest.approx(wanted)


@pytest.mark.parametrize("hours", growth.HOURS)
def test_the_growing_patient(hours):
    """So many hours in all; five seizures as long as chb08's, each within a recording of its own."""
    plan = growth.declaration(hours)["recordings"]
    assert sum(one["duration_s"] for one in plan.values()) == hours * 3600
    spans = [(span, one["duration_s"]) for one in plan.values() for span in one["seizures"]]
    assert [end - start for (start, end), _ in spans] == [171, 190, 134, 160, 264]
    assert all(0 < start < end <= duration_s for (start, end), duration_s in spans)
    assert sum(bool(one["seizures"]) for one in plan.values()) == 5


def test_numbers_are_rounded():
    assert common.rounded({"a": [1.23456, 2], "b": None}, 2) == {"a": [1.23, 2], "b": None}


def test_a_stage_runs_in_a_copy_of_the_project(tmp_path):
    copy_project(tmp_path, "tiny", bytes.TINY, models=False)
    for stage in STAGES:
        *_, command = stage_command(stage, "tiny", tmp_path)
        assert set(command.split()) >= {notebook(stage), f"params/{stage}.yaml", "tiny"} and "${" not in command
        assert ("&& python -m helpers.report.site tiny" in command) == (stage == "report")
        assert (tmp_path / notebook(stage)).exists() and (tmp_path / "params" / f"{stage}.yaml").exists()
    assert files.read_yaml(tmp_path / "params" / "study.yaml") == {"patients": ["tiny"]}


def test_the_cost_of_a_command(tmp_path):
    (tmp_path / "output").mkdir()
    found = cost(["sh", "-c", "sleep 0.5"], tmp_path)
    assert 0.5 <= found["seconds"] < 5 and found["cpu_s"] < 0.5
    with pytest.raises(RuntimeError, match="no luck"):
        cost(["sh", "-c", "echo no luck; exit 3"], tmp_path)


def test_variations_join():
    found = bytes.join(["one thread", "one core", "zone", "umask"])
    assert found["variables"]["TZ"] == "Pacific/Kiritimati" and found["variables"]["STUDY_WORKERS"] == "1"
    assert found["before"] == ["taskset", "-c", "0"] and found["umask"] == 0o077
    assert {name for names in bytes.JOINED.values() for name in names} == set(bytes.VARIATIONS)


def test_spreads_are_the_largest_by_rule():
    """Of two machines, AUPRC moved by 0.002 and 0.004."""
    runs = [{"metrics": {"samples": {"auprc": value}}} for value in (0.802, 0.796)]
    found = processors.spreads({"samples": {"auprc": 0.8}}, runs)
    assert found["ranking"]["largest"] == pytest.approx(0.004) and found["ranking"]["tolerance"] == 0.01
    assert verify.flatten({"a": [1, {"b": 2}], "c": []}) == {"a.0": 1, "a.1.b": 2, "c": []}


def test_the_readme_gets_scores_and_costs():
    """Two digits, minutes rounded up and gigabytes; 7.4 min, 15.6 min and 2691 MB by hand; other text stays."""
    score = {"value": 0.954, "low": 0.9, "high": 1}
    metrics = {
        "intervals": {kind: dict.fromkeys((key for _, key in readme.SCORES), score) for kind, _ in readme.SCORES}
    }
    rows = [
        {"method": name, "name": name, "auprc_smoothed": score | {"value": x}} for name, x in (("ours", 1), ("a", 0.5))
    ]
    always = {"control": "always on", "sensitivity": 1, "fp_per_24h": 180, "f1": 0.46}
    scores = readme.score_table(metrics, {"rows": rows, "controls": [always]}, 4)
    assert "| Event F1 | 0.95 | 0.90 to 1.00 | 0.46, always on |" in scores and "| 0.50, a |" in scores
    assert "| Sensitivity, single samples | 0.95 | 0.90 to 1.00 |  |" in scores
    study = {"machine": "x, 2 cores, 25 GB", "seconds": 444, "environment_mb": 2152, "stages": {"a": {"memory_mb": 99}}}
    runs = {"20": {"stages": {"a": {"memory_mb": 2691, "seconds": 936}}}, "5": {"stages": {"a": {"memory_mb": 1}}}}
    table = readme.cost_table(study, runs)
    assert [line.split(" | ")[1] for line in table.splitlines()[2:]] == ["8 min |", "16 min |", "2.7 GB |", "2.2 GB |"]
    assert readme.replace("<!-- costs: x -->\nold\n<!-- end -->\n", "costs", "a")[17:] == "\na\n<!-- end -->\n"
