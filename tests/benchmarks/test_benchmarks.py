"""Benchmarks: arithmetic and tables on numbers made by hand; none is run."""

import ast

import nbformat
import pytest

from benchmarks import baselines, bytes, common, data, growth, processors, stages, verify
from benchmarks.common import ROOT, STAGES, copy_project, cost, markdown, notebook, stage_command
from helpers.study import files


def costs(seconds, cpu_s, start_s=1):
    return {"seconds": seconds, "cpu_s": cpu_s, "memory_mb": 10 * seconds, "load_before": 0.5, "start_s": start_s}


ROUNDS = [
    {name: costs(seconds, 8) for name in STAGES} | {"dvc repro": costs(2, 1), "make study": costs(5, 2)}
    for seconds in (10, 20, 60)
]


def test_medians_and_shares_of_stages():
    """By hand: a stage takes 10, 20 and 60 s, all seven 70, 140 and 420; start-up 1/10, 1/20 and 1/60 of it."""
    found = stages.summary(ROUNDS)
    train = found["stages"]["train"]
    assert (found["rounds"], found["seconds"], found["cpu_s"]) == (3, 140, 56)
    assert (train["seconds"], train["memory_mb"], train["start_share"]) == (20, 200, 1 / 20)
    assert train["share"] == pytest.approx(1 / 7) and train["runs"]["seconds"] == [10, 20, 60]
    assert list(found["nothing"]) == ["dvc repro", "make study"] and list(found["stages"]) == list(STAGES)
    text = stages.table(found)
    assert "| train | 20.0 | 8.0 | 200 | 5% |" in text and "| all stages | 140.0 | 56.0 | 200 |  |" in text


def test_a_notebook_is_cut_after_its_imports():
    for stage in STAGES:
        book = nbformat.read(ROOT / notebook(stage), as_version=4)
        cells = [cell for cell in stages.imports_only(book).cells if cell.cell_type == "code"]
        assert 1 <= len(cells) <= 2 and isinstance(ast.parse(cells[-1].source).body[0], ast.Import | ast.ImportFrom)


def test_growth_of_stages_and_of_the_whole():
    """The whole's memory is that of its largest stage; a single length has no growth."""
    runs = {
        hours: {"stages": {name: {kind: one for kind in growth.KINDS} for name, one in of.items()}}
        for hours, of in {"1": {"acquire": 2, "train": 48}, "20": {"acquire": 40, "train": 60}}.items()
    }
    found = growth.growth(runs)
    assert found["acquire"]["cpu_s"] == pytest.approx({"exponent": 1.0, "ratio": 20.0, "per_hour": 2.0})
    assert found["whole"]["cpu_s"]["ratio"] == 2.0 and found["whole"]["memory_mb"]["ratio"] == 60 / 48
    assert growth.growth({"1": runs["1"]}) == {}
    costs_of_doubled_hours = {2: [3, 12, 48], 0: [5, 5, 5], -1: [8, 4, 2]}
    for wanted, values in costs_of_doubled_hours.items():
        assert growth.exponent([1, 2, 4], values) == pytest.approx(wanted)
    table = growth.table({"runs": {"1": {"stages": ROUNDS[0]}}, "growth": {}})
    assert "| stage, seconds | 1 h | exponent |" in table and "| most memory (MB) | 100 |  |" in table


@pytest.mark.parametrize("hours", growth.HOURS)
def test_the_growing_patient(hours):
    """So many hours in all; five seizures as long as chb08's, each within a recording of its own."""
    plan = growth.declaration(hours)["recordings"]
    assert sum(one["duration_s"] for one in plan.values()) == hours * 3600
    spans = [(span, one["duration_s"]) for one in plan.values() for span in one["seizures"]]
    assert [end - start for (start, end), _ in spans] == [171, 190, 134, 160, 264]
    assert all(0 < start < end <= duration_s for (start, end), duration_s in spans)
    assert sum(bool(one["seizures"]) for one in plan.values()) == 5


def test_means_ratios_and_tables():
    """1, 2, 3: mean 2, ± t(0.975, 2) = 4.3027 times 1/√3."""
    found = common.mean_interval([1, None, 2, 3])
    assert found["n"] == 3 and (found["low"], found["high"]) == pytest.approx((2 - 2.4841, 2 + 2.4841), abs=1e-4)
    assert common.mean_interval([1])["low"] is None and common.mean_interval([])["mean"] is None
    assert data.ratios({"ours": (2.0, 3.0), "mne": (4.0, 4.0)})["mne"] == {"cpu_s": 4.0, "wall_s": 4.0, "ratio": 0.5}
    assert markdown(["a", "b"], [[1, 2]]) == "| a | b |\n| --- | ---: |\n| 1 | 2 |"
    assert common.rounded({"a": [1.23456, 2], "b": None}, 2) == {"a": [1.23, 2], "b": None}


def test_ours_is_held_against_the_same_seeds():
    """Seeds 1 and 2 of both: 0.9 − 0.6 and 0.8 − 0.7; what failed has no gap; ours has none with itself."""

    def runs(*values):
        return {"runs": [{"seed": seed, **dict.fromkeys(baselines.SCORES, v)} for seed, v in enumerate(values, 1)]}

    found = baselines.ahead({"ours": runs(0.9, 0.8), "forest": runs(0.6, 0.7, 0.1), "eegnet": {"failed": "x"}})
    assert found["forest"]["ahead_auprc"]["mean"] == pytest.approx(0.2) and found["forest"]["ahead_auprc"]["n"] == 2
    assert "ahead_auprc" not in found["ours"] and found["eegnet"] == {"failed": "x"}


def test_a_stage_runs_in_a_copy_of_the_project(tmp_path):
    copy_project(tmp_path, "tiny", bytes.TINY, models=False)
    for stage in STAGES:
        assert set(stage_command(stage, "tiny")) >= {notebook(stage), f"params/{stage}.yaml", "tiny"}
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
