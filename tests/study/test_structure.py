"""One name in five places, parameters that exist, dependencies that are true, a README whose commands work."""

import re
from pathlib import Path

import nbformat
import pytest
import yaml
from conftest import ROOT, imported, needed_by, needed_helpers, notebook_code

from helpers.report import report
from helpers.study import files, patients, provenance, stage

PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]


def test_one_name_in_five_places():
    """Notebook = stage = params file = output folder = executed notebook, in the order of the flow."""
    assert tuple(PIPELINE) == (*stage.STAGES, "overview")
    for number, name in enumerate(stage.STAGES, start=1):
        source = ROOT / "notebooks" / f"{number:02d}_{name}.ipynb"
        assert stage.notebook(name) == source and source.exists()
        entry = PIPELINE[name]
        assert entry["cmd"] == f"python -m helpers.study.stage {name} ${{item}}"
        assert entry["matrix"] == {"patient": "${patients}"}
        assert source.relative_to(ROOT).as_posix() in entry["deps"]
        assert f"params/{name}.yaml" in [key for item in entry["params"] for key in item]
        outs = [path for kind in ("outs", "metrics", "plots") for path in paths(entry.get(kind, []))]
        assert f"output/${{item.patient}}/notebooks/{source.name}" in outs
        whole = [f"output/${{item.patient}}/{last}" for last in provenance.LAST] if name == "report" else []
        others = [
            out
            for out in outs
            if not out.endswith(source.name) and not out.startswith("output/studies/") and out not in whole
        ]
        assert others and all(out.startswith(f"output/${{item.patient}}/{name}") for out in others)
    on_disk = sorted(path.name for path in (ROOT / "notebooks").glob("0*.ipynb"))
    assert on_disk == [stage.notebook(name).name for name in stage.STAGES]


def paths(entries):
    """Return the paths of a list of outputs, with or without options."""
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


@pytest.mark.parametrize("name", stage.STAGES)
def test_parameters_are_declared_alike(name):
    """Each key in params/<stage>.yaml is declared in the notebook's parameters cell, with that value as default."""
    defaults = stage.defaults(name)
    assert defaults.pop("patient") == "sim08"
    assert stage.parameters(name) == defaults


@pytest.mark.parametrize("name", stage.STAGES)
def test_dependencies_are_what_the_notebook_imports(name):
    """A stage depends on the helpers that its notebook imports, directly or not, and on no other; the report besides on
    those that make the crate, after its notebook."""
    declared = [dep for dep in PIPELINE[name]["deps"] if dep.startswith("src/helpers/") and dep.endswith(".py")]
    needed = set(needed_helpers(stage.notebook(name))) | set(needed_by("crate") if name == "report" else [])
    assert sorted(declared) == [f"src/helpers/{module}.py" for module in sorted(needed)]


def test_the_overview_is_no_verb():
    """It runs once for all patients, on what each report leaves for it, and depends on the helpers that it imports."""
    entry = PIPELINE["overview"]
    assert (
        "matrix" not in entry
        and entry["cmd"] == "python -m helpers.report.overview"
        and entry["outs"] == ["output/overview"]
    )
    assert "output/studies/${item.patient}.json" in PIPELINE["report"]["outs"] and "output/studies" in entry["deps"]
    declared = [Path(dep).stem for dep in entry["deps"] if dep.endswith(".py")]
    assert sorted(declared) == needed_by("overview")


@pytest.mark.parametrize("name", stage.STAGES)
def test_files_read_are_dependencies(name):
    """Each file of an earlier stage that the notebook or its own helper reads is a dependency, whole or by folder."""
    code = notebook_code(stage.notebook(name))
    read = re.findall(r"files\.made_by\(patient, \"(\w+)\", f?\"([^\"]+)\"\)", code)
    deps = [dep.removeprefix("output/${item.patient}/") for dep in PIPELINE[name]["deps"]]
    for other, file in read:
        path = f"{other}/{file}"
        assert any(path == dep or path.startswith(f"{dep}/") for dep in deps), f"{name} reads {path}, not in its deps"


@pytest.mark.parametrize("name", ["acquire", "preprocess"])
def test_patient_file_is_a_parameter_of_those_that_read_it(name):
    """The declaration decides where recordings come from and how long a frame is."""
    assert "params/patients/${item.patient}.yaml" in [key for item in PIPELINE[name]["params"] for key in item]


def test_raw_recordings_are_in_no_cache():
    """Where they lie is no stage's output, so that DVC stores no second copy of them."""
    outs = [out if isinstance(out, str) else next(iter(out)) for item in PIPELINE.values() for out in item["outs"]]
    folder = files.ROOT / "output" / "sim08" / "recordings"
    assert patients.recordings_folder("sim08") == folder
    assert not [out for out in outs if folder.is_relative_to(files.ROOT / out.replace("${item.patient}", "sim08"))]


def test_editing_a_figure_never_retrains():
    """Neither the training nor what it reads depends on the module of figures or on a picture."""
    deps = PIPELINE["train"]["deps"]
    assert "src/helpers/figures.py" not in deps and not [dep for dep in deps if dep.endswith(".png")]
    assert "output/${item.patient}/preprocess" not in deps


def test_imports_point_one_way():
    """No helper imports itself through others, and none imports a notebook's runner."""
    modules = sorted((ROOT / "src" / "helpers").glob("*.py"))
    graph = {path.stem: imported(path.read_text(encoding="utf-8")) for path in modules}
    assert not [name for name, needs in graph.items() if "stage" in needs]

    def visit(name, path):
        assert name not in path, " → ".join([*path, name])
        for other in graph[name]:
            visit(other, [*path, name])

    for name in graph:
        visit(name, [])


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebooks_are_stripped_and_readable(path):
    """Source notebooks hold no outputs (their hash would change), no class, and about as much prose as code."""
    book = nbformat.read(path, as_version=4)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)
    assert "papermill" not in book.metadata and "version" not in book.metadata.get("language_info", {})
    assert not re.search(r"^\s*class ", notebook_code(path), re.M)
    assert 6 <= len(code) <= 20 and max(len(cell.source.splitlines()) for cell in code) <= 20
    assert len(book.cells) - len(code) >= len(code) / 2
    assert re.search(r"^\*\*.+\?\*\*$", book.cells[0].source, re.M), "the question, in one bold sentence"


def test_patients_are_declared():
    """The study's patients have a file each, and every file in params/patients is right."""
    listed = yaml.safe_load((ROOT / "params" / "study.yaml").read_text(encoding="utf-8"))["patients"]
    assert set(listed) <= set(patients.declared()) and {"sim08", "chb08"} <= set(patients.declared())
    for patient in patients.declared():
        assert patients.load(patient)["source"] in patients.KEYS


def test_readme_commands_exist():
    """Every `make` target, `dvc` command and path that the README names is there."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    named = set(re.findall(r"\bmake ([a-z-]+)", text))
    assert {"study", "test"} <= named and named <= targets, named - targets
    stages = re.findall(r"dvc repro (?:-f )?(\w+)@", text)
    assert set(stages) <= set(stage.STAGES)
    for path in re.findall(r"\]\((?!https?:|#)([^)]+)\)", text):
        assert (ROOT / path).exists(), path


def test_readme_scores_come_from_the_run():
    """Each row of the README's table is what metrics.json says, in the report's form."""
    metrics = files.read_json(ROOT / "output" / "sim08" / "evaluate" / "metrics.json")
    expected = report.shown(metrics["samples"], report.SCORES, metrics["undefined"])
    rows = dict(re.findall(r"^\| ([\w ]+) \| ([\d.%]+) \|$", (ROOT / "README.md").read_text(encoding="utf-8"), re.M))
    assert rows == {label: expected[key] for key, (label, _) in report.SCORES.items()}


def test_readme_expectations_come_from_the_run():
    """What a study takes is what stages.json and growth.json say, in minutes, seconds and megabytes."""
    took = files.read_json(ROOT / "output" / "benchmark" / "stages.json")
    stages = took["stages"].values()
    long = files.read_json(ROOT / "output" / "benchmark" / "growth.json")["runs"]["20"]["stages"].values()
    left_mb = took["recordings_mb"] + sum(row["size_mb"] for row in stages)
    expected = {
        "The study of sim08": f"{took['seconds'] / 60:.1f} min",
        "of that, training": f"{took['stages']['train']['seconds'] / 60:.1f} min",
        "A study of 20 hours of EEG": f"{sum(row['seconds'] for row in long) / 60:.1f} min",
        "`dvc repro`, when nothing has changed": f"{took['seconds_when_nothing_changed']:.0f} s",
        "Most memory at once": f"{max(row['memory_mb'] for row in stages):.0f} MB",
        "The environment in `.venv`": f"{took['environment_mb']:.0f} MB",
        "sim08's recordings, results and site": f"{left_mb:.0f} MB",
    }
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert dict(re.findall(r"^\| (.+) \| ([\d.]+ (?:min|s|MB)) \|$", text, re.M)) == expected


def test_no_machine_path():
    """Nothing in the project names a folder of one machine."""
    # not params/patients: a user's own declarations say where the recordings lie
    for path in [*ROOT.glob("*"), *(ROOT / "src").rglob("*"), *(ROOT / "params").glob("*")]:
        if path.is_file() and path.suffix in {".py", ".yaml", ".yml", ".md", ".toml", ".j2", ""}:
            assert not re.search(r"(?<![\w.])/(home|root|work|Users)/", path.read_text(encoding="utf-8")), path
