"""Benchmarks: what a command costs is what it and all that it starts cost; medians, ratios and growth; the page."""

import json
import re
import subprocess
import sys

import benchmark_growth
import benchmark_stages
import nbformat
import pytest
from benchmark_costs import measured, rounded
from benchmark_started import first_work, moments
from conftest import ROOT

from helpers.report import article, costs, peers
from helpers.study import files, stage

BUSY = "import time\nwhile time.process_time() < 0.6: pass"
ORPHAN = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {BUSY!r}])"  # ends before it does
LARGE = "import time; x = bytes([1]) * 300_000_000; time.sleep(4)"
STARTS = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {LARGE!r}])"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, what outlives its parent is not seen")
def test_the_cpu_of_an_orphan_counts():
    """A process that goes on after the command that started it has ended is waited for, and its CPU time counts."""
    assert measured([sys.executable, "-c", ORPHAN])["cpu_s"] > 0.6


@pytest.mark.slow
def test_the_memory_of_a_child_counts():
    assert 300 < measured([sys.executable, "-c", STARTS])["memory_mb"] < 400


@pytest.mark.slow
def test_a_command_that_fails_says_why(tmp_path):
    with pytest.raises(SystemExit, match="no such thing"):
        measured([sys.executable, "-c", "raise SystemExit('no such thing')"], said=tmp_path / "said.txt")


def notebook(*cells):
    """An executed notebook: each cell is (source, second at which it began)."""
    book = nbformat.v4.new_notebook()
    for source, second in cells:
        cell = nbformat.v4.new_code_cell(source)
        cell.metadata["papermill"] = {"start_time": f"1970-01-01T00:00:{second:02d}.500000+00:00"}
        book.cells += [nbformat.v4.new_markdown_cell("Why"), cell]
    return book


def test_start_up_ends_after_the_imports():
    """The first cell runs when the notebook's process is there; its work begins with the cell after the imports."""
    book = notebook(("x = 1", 12), ("x = 2", 13), ("import os\ny = os.sep", 14), ("work()", 19), ("import late", 30))
    assert first_work(book) == 7
    assert moments(book, called=11.0, asked=10.0) == {"called": 1.0, "kernel": 2.5, "work": 9.5}
    with pytest.raises(ValueError, match="no code cell begins with an import"):
        first_work(notebook(("x = 1", 1), ("import os", 2)))


@pytest.mark.parametrize("name", stage.STAGES)
def test_every_notebook_has_its_imports_in_one_cell(name):
    """What the benchmark takes for the first work imports nothing that the cell before it could have."""
    book = nbformat.read(stage.notebook(name), as_version=4)
    before, after = book.cells[: first_work(book)], book.cells[first_work(book) :]
    assert sum(cell.source.startswith(("import", "from")) for cell in before if cell.cell_type == "code") == 1
    assert not any(re.search(r"^(import|from) ", cell.source, re.M) for cell in after if cell.cell_type == "code")


def runs(what, *costs_of_rounds, **more):
    """Runs of the same work, each (seconds, CPU seconds), in rounds from 1."""
    return [
        {"what": what, "round": number, "seconds": seconds, "cpu_s": cpu_s, "memory_mb": 100 * number, **more}
        for number, (seconds, cpu_s) in enumerate(costs_of_rounds, 1)
    ]


MADE_UP = [
    *runs("stage acquire", (10, 8), (20, 8), (12, 9), start_s=5, called_s=2, kernel_s=3),
    *runs("stage preprocess", (30, 40), (40, 50), (90, 60), start_s=6, called_s=2, kernel_s=3),
    *runs("nothing dvc repro", (1, 1), (3, 1), (2, 1)),
    *runs("nothing make study", (2, 1), (2, 1), (5, 1)),
    *runs("nothing dvc --version", (1, 1), (1, 1), (1, 1)),
    *runs("papermill preprocess", (15, 10), (40, 25), (60, 60)),
]


def test_medians_shares_and_ratios():
    """All by hand: the whole is the median of the rounds' sums; ratios are of each round, then their median."""
    found = benchmark_stages.summary(MADE_UP)
    assert found["rounds"] == 3 and found["seconds"] == 60 and found["cpu_s"] == 58  # of 40, 60, 102; of 48, 58, 69
    acquire, preprocess = found["stages"]["acquire"], found["stages"]["preprocess"]
    assert (acquire["seconds"], acquire["cpu_s"], acquire["memory_mb"]) == (12, 8, 200)
    assert acquire["runs"]["seconds"] == [10, 20, 12]
    assert acquire["start_share"] == round(5 / 12, 4)  # median of 5/10, 5/20, 5/12
    assert preprocess["share"] == round(40 / 60, 4)
    assert found["nothing"]["dvc repro"]["seconds"] == 2 and found["nothing"]["dvc repro"]["share"] == round(2 / 60, 5)
    beside = found["beside"]["preprocess"]["papermill"]
    assert beside["ratio"] == 1.5  # median of 30/15, 40/40, 90/60; the medians' ratio would be 1
    assert beside["cpu_ratio"] == 2  # median of 4, 2, 1


def test_a_stopped_benchmark_goes_on(tmp_path, monkeypatch):
    """Runs of this commit are kept, one stopped in the middle is repeated; those of another commit are not mixed in."""
    monkeypatch.setattr(benchmark_stages, "KEPT", tmp_path)
    monkeypatch.setattr(benchmark_stages, "RUNS", tmp_path / "stages.jsonl")
    done = []

    def task(name, stopped=()):
        def run():
            if len(done) in stopped:
                raise InterruptedError
            done.append(name)
            return {"seconds": len(done)}

        return run

    def tasks(*stopped):
        return lambda folder: {name: task(name, stopped) for name in ("a", "b")}

    monkeypatch.setattr(benchmark_stages, "tasks", tasks(3))
    with pytest.raises(InterruptedError):
        benchmark_stages.run_all(2, {"commit": "one"})
    assert done == ["a", "b", "a"]
    monkeypatch.setattr(benchmark_stages, "tasks", tasks())
    found = benchmark_stages.run_all(2, {"commit": "one"})
    assert done == ["a", "b", "a", "b"]
    assert [(run["what"], run["round"], run["seconds"]) for run in found] == [
        ("a", 1, 1), ("b", 1, 2), ("a", 2, 3), ("b", 2, 4)
    ]  # fmt: skip
    assert len(benchmark_stages.run_all(1, {"commit": "one"})) == 2 and len(done) == 4
    assert len(benchmark_stages.run_all(1, {"commit": "two"})) == 2 and len(done) == 6


def test_other_tools_get_the_stage_s_parameters(tmp_path):
    commands = benchmark_stages.ways("preprocess", tmp_path)
    assert set(commands) <= set(peers.WAYS)
    assert str(ROOT / "params" / "preprocess.yaml") in commands["papermill"]
    assert all("02_preprocess.ipynb" in " ".join(commands[way]) for way in ("papermill", "nbconvert"))


@pytest.mark.parametrize(("values", "wanted"), [([3, 12, 48], 2), ([5, 5, 5], 0), ([8, 4, 2], -1)])
def test_exponents(values, wanted):
    """By hand: of hours that double, costs that quadruple, stay or halve."""
    assert benchmark_growth.exponent([1, 2, 4], values) == pytest.approx(wanted)


@pytest.mark.parametrize(("hours", "values"), [([2, 2], [1, 2]), ([1, 2], [0, 1]), ([1], [1])])
def test_no_exponent_of_one_length_or_of_nothing(hours, values):
    with pytest.raises(ValueError, match="a growth needs two different hours at least"):
        benchmark_growth.exponent(hours, values)


def grown_run(commit="abc1234", **cpu_s):
    """What a length took, by stage: CPU seconds, ten times as much memory, and as much else."""
    stages = {
        name: {"cpu_s": one, "seconds": one, "memory_mb": 10 * one, "size_mb": one} for name, one in cpu_s.items()
    }
    return {"date": "2026-11-26", "commit": commit, "machine": "a machine", "stages": stages}


def test_growth_of_stages_and_of_the_whole():
    """In order of hours, whatever the order measured; the whole's memory is that of its largest stage."""
    lengths = {"20": grown_run(acquire=40, train=60), "1": grown_run(acquire=2, train=48)}
    found = benchmark_growth.growing(lengths)
    assert list(found["runs"]) == ["1", "20"]
    assert found["growth"]["acquire"]["cpu_s"] == {"exponent": 1.0, "ratio": 20.0, "per_hour": 2.0}
    assert found["growth"]["whole"]["cpu_s"]["ratio"] == 2.0 and found["growth"]["whole"]["cpu_s"]["per_hour"] == 2.632
    assert found["growth"]["whole"]["memory_mb"]["ratio"] == 1.25  # 600 to 480, not 1000 to 500
    assert benchmark_growth.growing({"1": lengths["1"]})["growth"] == {}


@pytest.mark.parametrize("hours", benchmark_growth.HOURS)
def test_the_growing_patient(hours):
    """So many hours in all, five seizures as long as chb08's, each within a recording of its own."""
    plan = benchmark_growth.declaration(hours)["recordings"]
    assert sum(one["duration_s"] for one in plan.values()) == hours * 3600
    seizures = [(seizure, one["duration_s"]) for one in plan.values() for seizure in one["seizures"]]
    assert [end - start for (start, end), _ in seizures] == [171, 190, 134, 160, 264]
    assert all(0 < start < end <= duration_s for (start, end), duration_s in seizures)
    assert sum(bool(one["seizures"]) for one in plan.values()) == 5


def test_a_stopped_growth_goes_on_and_leaves_nothing(tmp_path, monkeypatch):
    """Stages that were done are kept with what they made; when all are, the copy is deleted."""
    ran, stopped = [], []

    def fake(name, patient, root, environment, said):
        if name == "evaluate" and not stopped:
            stopped.append(name)
            raise InterruptedError
        assert (root / "params" / "patients" / f"{patient}.yaml").exists()
        ran.append(name)
        return {"seconds": 1.0, "cpu_s": 1.0, "memory_mb": 10.0}

    monkeypatch.setattr(benchmark_growth.tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))
    monkeypatch.setattr(benchmark_growth, "TARGET", tmp_path / "growth.json")
    monkeypatch.setattr(benchmark_growth, "RUNS", tmp_path / "runs.json")
    monkeypatch.setattr(benchmark_growth, "HOURS", (1,))
    monkeypatch.setattr(benchmark_growth, "stage_run", fake)
    monkeypatch.setattr(benchmark_growth, "measured_at", lambda: {"commit": "abc"})
    with pytest.raises(InterruptedError):
        benchmark_growth.main([])
    assert ran == ["acquire", "preprocess", "train"] and not (tmp_path / "growth.json").exists()
    benchmark_growth.main([])
    assert ran == list(stage.STAGES)
    assert list((tmp_path / "temporary").iterdir()) == []
    assert set(files.read_json(tmp_path / "growth.json")["runs"]["1"]["stages"]) == set(stage.STAGES)
    benchmark_growth.main([])
    assert len(ran) == 7
    benchmark_growth.main(["1"])
    assert len(ran) == 14


MACHINE = {"cpu": "A CPU", "cores": 2, "memory_gb": 25.3}
ALL = {name: number for number, name in enumerate(stage.STAGES, 1)}


@pytest.fixture
def measured_page(tmp_path, monkeypatch):
    """Write benchmarks' files into a project of its own; return a function that gives the page's text."""
    monkeypatch.setattr(files, "ROOT", tmp_path)
    folder = tmp_path / "output" / "benchmark"
    folder.mkdir(parents=True)

    def page(**found):
        for name, content in found.items():
            files.write_json(folder / f"{name}.json", content)
        context = costs.read()
        return context, article.fill("benchmarks.qmd.j2", {"costs": context, "embedded": {}})

    return page


STAGES = {
    "patient": "sim08", "date": "2026-11-27", "commit": "1234567", "machine": "A CPU, 2 cores", "environment_mb": 1,
    "recordings_mb": 2, "seconds_when_nothing_changed": 2, **benchmark_stages.summary(MADE_UP),
}  # fmt: skip
for one in STAGES["stages"].values():
    one["size_mb"] = 3.25


def test_a_page_of_nothing_says_what_makes_it(measured_page):
    """Each file that is not there, with its command; no table, no picture."""
    context, text = measured_page()
    assert all(f"`{command}`" in text for command in costs.COMMANDS.values())
    assert context["picture"] is None and "tbl-" not in text and "fig-" not in text
    _, text = measured_page(stages={"stages": {"acquire": {"seconds": 1}}, "seconds": 1})  # as it was written before
    assert "Not measured in this form: `make benchmark-stages` does." in text


def test_one_length_is_no_growth(measured_page):
    """A benchmark that has finished its first length: the page says what goes on with it, and shows no table."""
    context, text = measured_page(growth=benchmark_growth.growing({"20": grown_run(**ALL)}))
    assert context["picture"] is None and "growth" not in context["missing"] and "tbl-growth" not in text
    assert "Not measured: `make benchmark-growth` does, for two lengths at least." in text


def test_the_page_s_numbers_come_from_the_files(measured_page):
    """Stages, growth, peers and checks, each with date and commit; what is not met is named."""
    data = {
        "machine": MACHINE,
        "preprocess": {
            "date": "2026-11-23", "commit": "data123",
            "targets": [{"what": "memory | MB", "found": 400, "wanted": "< 100", "met": False}],
            "side_by_side": {
                name: {"ratios": {"mne": ratio}, "medians": {"mne": {"runs": 5}}}
                for name, ratio in (("a", 0.25), ("b", 0.2))
            },
        },
    }  # fmt: skip
    growth = benchmark_growth.growing({
        "1": grown_run(**ALL), "20": grown_run(**{name: 10 * one for name, one in ALL.items()})
    })  # fmt: skip
    wastes = [{
        "what": "an import", "where": "stage.py", "unit": "s", "how": "five runs",
        "before": {"value": 2.5, "commit": "old1234"},
        "after": {"value": 0.5, "commit": "new1234", "date": "2026-11-28"},
    }]  # fmt: skip
    context, text = measured_page(stages=STAGES, growth=growth, data=data, wastes={"wastes": wastes})
    text = text.replace("\xa0", " ")
    assert "| acquire | 12.0 (10.0 to 20.0) | 8.0 (8.0 to 9.0) | 300 | 3.2 | 20.0 % |" in text
    assert "| acquire | 2.0 | 3.0 | 5.0 | 41.7 % |" in text
    assert "| `make study` | 2.00 (2.00 to 5.00) | 1.00 (1.00 to 1.00) |" in text
    assert "2026-11-27, commit 1234567, on A CPU, 2 cores" in text
    assert "| train | 3.0 | 30.0 | 10 | 0.77 | 1.4 | 10 |" in text and "| whole | 28.0 | 280.0 |" in text
    assert (
        "| Running the notebook of preprocess | papermill alone | 1.50 | seconds, 3 runs | 2026-11-27, commit 1234567 |"
        in text
    )
    worst = "a spectrogram of the whole recording | 0.25 | CPU seconds, 5 runs |"  # of 0.25 and 0.2
    assert f"{worst} 2026-11-23, commit data123 |" in text
    assert text.count("Measured on A CPU, 2 cores, 25 GB.") == 1  # what was aimed at was measured there alone
    assert "Measured on A CPU, 2 cores; A CPU, 2 cores, 25 GB." in text
    assert r"0 of 1 are met; not met: preprocess: memory \| MB." in text
    assert "| an import | stage.py | 2.5 s | 0.5 s | five runs |" in text and "(before: commit old1234;" in text
    assert set(context["missing"]) == set(costs.COMMANDS) - {"stages", "growth", "data"}


def test_the_page_as_the_project_s_files_are():
    """What the last benchmarks wrote can be shown, and again with the same bytes."""
    found = costs.read()
    assert "## Beside other ways" in article.fill("benchmarks.qmd.j2", {"costs": found, "embedded": {}})
    assert costs.read() == found


def test_the_figure_of_growth_is_the_same_bytes_again():
    lengths = {"1": grown_run(**ALL), "20": grown_run(**ALL)}
    assert costs._png(costs.figure(lengths)) == costs._png(costs.figure(lengths))


def test_peers_of_training_and_explaining():
    """Ours to theirs: below 1 is cheaper; a method without costs has no row."""
    cost = "train_cpu_s_per_fold"
    trained = {"ours": {cost: {"mean": 40, "n": 5}}, "eegnet": {cost: {"mean": 80, "n": 5}}, "forest": {"skipped": "x"}}
    explained = {"beside": {"cpu_s_pooled": 1.0, "cpu_s_straightforward": 4.0, "rounds": 5}, "machine": MACHINE}
    rows = peers.rows({"baselines": {"sim08": trained, "machine": MACHINE}, "explain": explained})
    assert [(row["ratio"], row["of"]) for row in rows] == [
        (0.25, "CPU seconds, 5 runs"), (0.5, "CPU seconds, means of 5 seeds, run apart")
    ]  # fmt: skip


def test_every_command_is_a_target():
    """Each file's command is in `make help`, which names the file."""
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name, command in costs.COMMANDS.items():
        assert re.search(rf"^\s+{command} ", listed, re.M), name


def test_rounded():
    assert rounded({"seconds": 1.236, "memory_mb": 99.7}) == {"seconds": 1.24, "memory_mb": 100}
    assert json.dumps(rounded({"memory_mb": 99.7})) == '{"memory_mb": 100}'


def test_a_comparison_of_bytes_has_a_row_for_each_variation_and_none_for_the_plain_run():
    """As `benchmark_bytes` writes it: the plain run is what the others are compared with."""
    variations = {
        "plain": {"say": "as it is", "seconds": 1, "files": 3},
        "zone": {"say": "14 hours ahead", "seconds": 1, "files": 3, "differ": []},
        "user": {"say": "nobody", "seconds": 1, "files": 3, "differ": ["dvc.lock"]},
        "locale": {"say": "another", "skipped": "needs localedef"},
    }
    rows = peers.checks({"bytes": {"tiny": {"date": "2026-01-01", "commit": "abc", "variations": variations}}})
    assert [(row["found"], row["met"]) for row in rows] == [
        ("0 of 3", True),
        ("1 of 3", False),
        ("needs localedef", None),
    ]
