"""Provenance: a record says what made a folder, always in the same bytes; a commit is found by content; the crate."""

import json
import os
import re
import shutil
import subprocess
from importlib.metadata import version
from importlib.util import find_spec

import nbformat
import pytest
import yaml
from conftest import ROOT, needed_by

from helpers.report import article, crate, reproduction
from helpers.study import files, provenance, revisions, stage, versions

GIT = pytest.mark.skipif(not shutil.which("git"), reason="needs git")
PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
OWN = "output/${item.patient}"
# Three stages of a patient "a", and one that is for all patients.
STAGES = {
    "acquire": {
        "matrix": {"patient": ["a", "b"]},
        "deps": ["notebooks/01_acquire.ipynb", "src/helpers/acquire/sources.py"],
        "params": [{"params/acquire.yaml": None}, {"params/patients/${item.patient}.yaml": None}],
        "outs": [f"{OWN}/acquire", f"{OWN}/notebooks/01_acquire.ipynb"],
    },
    "narrate": {
        "matrix": {"patient": ["a", "b"]},
        "deps": ["notebooks/06_narrate.ipynb", "src/helpers/acquire/sources.py", f"{OWN}/acquire/pieces"]
        + [f"{OWN}/acquire/recordings.csv"],
        "params": [{"params/narrate.yaml": None}],
        "outs": [f"{OWN}/narrate", f"{OWN}/notebooks/06_narrate.ipynb"],
    },
    "report": {
        "matrix": {"patient": ["a", "b"]},
        "deps": ["notebooks/07_report.ipynb", "src/helpers/report/templates", "requirements.lock", "CITATION.cff"]
        + ["output/benchmark", f"{OWN}/acquire", f"{OWN}/narrate/provenance.json"],
        "params": [{"params/report.yaml": None}],
        "outs": [f"{OWN}/report", f"{OWN}/notebooks/07_report.ipynb", f"{OWN}/code"]
        + [{f"{OWN}/ro-crate-metadata.json": {"cache": False}}],
    },
    "overview": {"cmd": "python -m helpers.report.overview", "deps": [], "outs": ["output/overview"]},
}
NOTEBOOK = {
    "cells": [{"cell_type": "code", "source": ["import numpy as np\n", "from helpers.acquire import sources\n"]}]
}
CITATION = """\
title: The study
version: 0.1.0
date-released: 2026-11-23
license: BSD-3-Clause
keywords: [EEG]
authors:
  - name: We
references:
  - {type: dataset, title: CHB-MIT, version: 1.0.0, doi: 10.13026/C2K01R, license: ODC-By-1.0}
"""
FOLDER = "/somewhere/of mine"
TEXTS = {
    "src/helpers/acquire/sources.py": "import yaml\nimport os\n\ndef f():\n    from sklearn import svm\n    import not_there\n",
    "src/helpers/report/templates/a.md": "a", "src/helpers/report/templates/below/b.md": "b",
    "params/acquire.yaml": "trace_s: 20.0\n", "params/report.yaml": "title: A title\n",
    "params/narrate.yaml": "model: /somewhere/models/big.gguf\nseed: 8\n",
    "params/patients/a.yaml": f'source: directory\nfolder: "{FOLDER}"\nfingerprint: abc\n',
    "requirements.lock": "numpy==1\n", "CITATION.cff": CITATION, "LICENSE": "BSD",
    "output/benchmark/stages.json": "{}", "output/a/acquire/recordings.csv": "file,sha256\nx 1.edf,12ab\n",
    "output/a/acquire/source.json": json.dumps(
        {"patient": "a", "source": "directory", "description": "A folder.", "simulated": False}
    ),
    "output/a/acquire/pieces/x 1.npy": "x", "output/a/acquire/pieces/y.npy": "yy",
    "output/a/narrate/model.json": json.dumps({"name": "big", "revision": "r1", "licence": "Apache"}),
    "output/a/report/index.html": "<p>", "output/a/acquire/.half.1.partial.npy": "ha",
}  # fmt: skip


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of three stages and a patient "a" whose recordings lie in a folder of the user's; all have run."""
    for path, text in TEXTS.items():
        files.write_text(tmp_path / path, text)
    files.write_json(tmp_path / "dvc.yaml", {"stages": STAGES})  # JSON is YAML
    for name in ("01_acquire", "06_narrate", "07_report"):
        files.write_json(tmp_path / "notebooks" / f"{name}.ipynb", NOTEBOOK)
        files.write_json(tmp_path / "output" / "a" / "notebooks" / f"{name}.ipynb", NOTEBOOK)
    monkeypatch.setattr(files, "ROOT", tmp_path)
    record(tmp_path)
    return tmp_path


def record(root):
    """Leave the records of all stages; return them as bytes."""
    return [provenance.write(name, "a").read_bytes() for name in ("acquire", "narrate", "report")]


def git(root, *arguments):
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@t", *arguments]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def commit(root):
    git(root, "add", "-A", "notebooks", "src", "params", "requirements.lock", "dvc.yaml", "CITATION.cff")
    git(root, "commit", "-q", "--allow-empty", "-m", "a")
    return git(root, "rev-parse", "HEAD")


def test_a_record_says_what_made_the_folder(project):
    """Code by git's own identifier, parameters by value, inputs by file or folder, outputs file by file."""
    made = provenance.records("a")["narrate"]
    assert list(made["code"]) == ["notebooks/06_narrate.ipynb", "params/narrate.yaml", "src/helpers/acquire/sources.py"]
    assert made["parameters"] == {"params/narrate.yaml": {"model": "big.gguf", "seed": 8}}
    pieces = made["inputs"]["output/a/acquire/pieces"]
    assert (pieces["files"], pieces["bytes"]) == (2, 3)
    assert made["inputs"]["output/a/acquire/recordings.csv"]["sha256"] == files.sha256(
        project / "output" / "a" / "acquire" / "recordings.csv"
    )
    assert list(made["outputs"]) == ["output/a/narrate/model.json", "output/a/notebooks/06_narrate.ipynb"]
    assert made["lock"] == files.sha256(project / "requirements.lock") and made["recordings"] == {}
    first, last = (provenance.records("a")[name] for name in ("acquire", "report"))
    assert first["recordings"] == {"x 1.edf": "12ab"} and not [name for name in first["outputs"] if "half" in name]
    assert set(last["code"]) > {"src/helpers/report/templates/a.md", "src/helpers/report/templates/below/b.md"}
    assert list(last["outputs"]) == ["output/a/notebooks/07_report.ipynb", "output/a/report/index.html"]  # no crate yet


def test_versions_are_those_of_what_the_code_imports(project):
    """By package, though its module has another name, and be it imported in a function; what is not there has none."""
    wanted = {"numpy": version("numpy"), "PyYAML": version("PyYAML"), "scikit-learn": version("scikit-learn")}
    found = provenance.records("a")["acquire"]["versions"]
    assert found.pop("python").count(".") >= 2 and found == wanted


@pytest.mark.parametrize("name", stage.STAGES)
def test_no_import_of_the_study_is_without_a_version(name):
    """Every module that a stage imports and that is here belongs to a package that is named."""
    paths = [ROOT / dep for dep in PIPELINE[name]["deps"] if re.match(r"(src|notebooks)/.+\.(py|ipynb)$", dep)]
    imported = {one for path in paths for one in versions.imported(versions.code(path))}
    others = {one for one in imported if find_spec(one) and "site-packages" in str(find_spec(one).origin)} - {"helpers"}
    assert {versions.PACKAGES.get(one, one) for one in others} == set(versions.read(paths)) - {"python"}


def test_the_same_files_leave_the_same_bytes_without_a_place_or_a_time(project):
    """Be they written at another time; and neither the user's folder nor a model's nor the project's is in them."""
    before = record(project)
    for path in project.rglob("*"):
        os.utime(path, (1, 1))
    assert record(project) == before
    for text in (one.decode() for one in before):
        assert str(project) not in text and "/somewhere" not in text and not re.search(r"\d\d:\d\d", text)
    assert provenance.records("a")["acquire"]["parameters"]["params/patients/a.yaml"] == {
        "source": "directory",
        "fingerprint": "abc",
    }


def test_a_missing_output_is_an_error(project):
    shutil.rmtree(project / "output" / "a" / "narrate")
    with pytest.raises(
        FileNotFoundError, match="output/a/narrate, which dvc.yaml lists, is not there: run `dvc repro`"
    ):
        provenance.write("narrate", "a")


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("acquire/pieces/y.npy", "zz", ["acquire/pieces/y.npy is not the file that acquire left."]),
        ("acquire/pieces/y.npy", None, ["acquire/pieces/y.npy is missing."]),
        ("report/more.html", "more", ["report/more.html is none that report left."]),
        ("narrate/provenance.json", None, ["narrate/provenance.json is not there: run `dvc repro -f narrate@a`."]),
    ],
)
def test_a_folder_that_no_longer_holds_what_it_says(project, path, text, said, capsys):
    provenance.main("a")
    assert "output/a: 9 files of 3 stages are as recorded." in capsys.readouterr().out
    if text is None:
        (project / "output" / "a" / path).unlink()
    else:
        files.write_text(project / "output" / "a" / path, text)
    found = provenance.check("a")
    assert found[: len(said)] == [f"output/a/{one}" for one in said]
    with pytest.raises(SystemExit, match=re.escape(said[0])):
        provenance.main("a")


def test_a_stage_that_read_what_is_there_no_longer(project):
    """Acquire has run again, to other results, and narrate has not: each folder is as recorded, the chain is broken."""
    files.write_text(project / "output" / "a" / "acquire" / "pieces" / "y.npy", "zz")
    provenance.write("acquire", "a")
    assert provenance.check("a") == [
        "narrate read another output/a/acquire/pieces than the one that was left last.",
        "report read another output/a/acquire than the one that was left last.",
    ]


def test_no_such_patient_has_no_record(project):
    with pytest.raises(SystemExit, match="there is no output/nobody"):
        provenance.main("nobody")


@GIT
def test_the_commit_is_found_by_content(project):
    """The newest that changed one of the files and has all as they ran, whatever was committed, or changed, since."""
    assert reproduction.revision(provenance.records("a")) is None  # no version control
    git(project, "init", "-q", "-b", "main")
    first = commit(project)
    blobs = provenance.records("a")["acquire"]["code"]
    for path, blob in blobs.items():
        assert git(project, "hash-object", path) == blob
    files.write_text(project / "params" / "patients" / "b.yaml", "source: simulate\n")
    commit(project)
    assert revisions.find(blobs) == {"commit": first, "date": git(project, "log", "-1", "--format=%cs"), "changed": []}
    files.write_text(project / "src" / "helpers" / "sources.py", "pass\n")
    assert revisions.find(blobs)["commit"] == first  # it still ran as the commit has it
    second = commit(project)
    assert revisions.find(blobs)["commit"] == first
    record(project)
    found = provenance.records("a")
    assert revisions.find(found["acquire"]["code"])["commit"] == reproduction.revision(found)["commit"] == second
    assert revisions.find(found["report"]["code"])["commit"] == first


@GIT
def test_what_no_commit_has_is_named(project):
    git(project, "init", "-q", "-b", "main")
    commit(project)
    files.write_text(project / "params" / "acquire.yaml", "trace_s: 60.0\n")
    record(project)
    nothing = {"commit": None, "date": None, "changed": ["params/acquire.yaml"]}
    assert reproduction.revision(provenance.records("a")) == nothing
    assert {"@id": "./"}.items() <= root_of(project).items() and root_of(project)["datePublished"] == "2026-11-23"


def test_the_report_shows_it(project):
    """A row a stage with the digests of its record; a stage without one says so, and a change that is not committed."""
    card = dict.fromkeys(("name", "revision", "dtype", "mode"), "m") | {"seed": 8, "temperature": 1.0}

    def text():
        context = {"patient": "a", "provenance": reproduction.read("a"), "model": card}
        return article.fill("sections/reproduce.md.j2", context)

    made = provenance.records("a")["acquire"]
    short = [reproduction.digest(made[part])[:8] for part in ("code", "parameters", "recordings", "outputs")]
    cells = [short[0], short[1], None, short[2], made["lock"][:8], short[3]]
    row = " | ".join(f"`{cell}`" if cell else "–" for cell in cells)
    assert f"| acquire | – | {row} | 5 |\n| narrate | " in text()
    assert "| narrate | model: big.gguf; seed: 8 |" in text() and "a's fingerprint: abc" in text()
    assert "| report | after this page |" in text() and "under no version control" in text()
    (project / "output" / "a" / "narrate" / "provenance.json").unlink()
    assert "| narrate | no record |" in text()
    (project / "output" / "a" / "acquire" / "provenance.json").unlink()
    assert "No stage has left a record" in text() and "tbl-versions" not in text()


@GIT
def test_the_report_names_commits(project):
    git(project, "init", "-q", "-b", "main")
    first, card = (
        commit(project),
        dict.fromkeys(("name", "revision", "dtype", "mode", "seed"), "m") | {"temperature": 1},
    )
    context = {"patient": "a", "provenance": reproduction.read("a"), "model": card}
    text = article.fill("sections/reproduce.md.j2", context)
    assert f"| acquire | `{first[:12]}` |" in text and f"Commit `{first[:12]}` of " in text


def test_what_stages_took_is_shown_where_it_was_measured(project):
    took = {"stages": {"narrate": {"seconds": 200.5, "memory_mb": 900.0, "size_mb": 3.2}}}
    files.write_json(project / "output" / "benchmark" / "stages.json", took)
    rows = {row["stage"]: row for row in reproduction.read("a")["stages"]}
    assert [rows["narrate"][key] for key in ("seconds", "memory_mb", "size_mb")] == [200.5, 900.0, 3.2]
    assert rows["report"]["seconds"] is None and rows["report"]["reads"] == ["acquire", "narrate"]
    assert rows["acquire"]["parameters"] == ["params/acquire.yaml", "params/patients/….yaml"]


def made_crate(project):
    path = crate.write("a")
    assert path == project / "output" / "a" / "ro-crate-metadata.json"
    return json.loads(path.read_text("utf-8"))


def root_of(project):
    return next(one for one in made_crate(project)["@graph"] if one["@id"] == "./")


def named(value):
    """Yield every identifier that a value refers to."""
    if isinstance(value, list):
        for one in value:
            yield from named(one)
    elif isinstance(value, dict):
        yield from [value["@id"]] if set(value) == {"@id"} else (i for one in value.values() for i in named(one))


def kinds(entity):
    return [entity["@type"]] if isinstance(entity["@type"], str) else entity["@type"]


def test_the_crate_is_whole(project):
    """As RO-Crate 1.1 demands: one entity an identifier, each reference leads to one (or to the specification itself),
    each file is there with its SHA-256 and reached from the root, which is named, described, dated and licensed."""
    whole = made_crate(project)
    assert whole["@context"][0] == "https://w3id.org/ro/crate/1.1/context"
    entities = {one["@id"]: one for one in whole["@graph"]}
    assert len(entities) == len(whole["@graph"])
    assert set(named(list(entities.values()))) - set(entities) == {"https://w3id.org/ro/crate/1.1"}
    about = entities["ro-crate-metadata.json"]
    assert about["about"] == {"@id": "./"} and about["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    root = entities["./"]
    assert all(root[key] for key in ("name", "description", "datePublished", "license", "author", "hasPart"))
    reached, todo = set(), ["./"]
    while todo:
        reached |= {one := todo.pop()}
        todo += set(named(entities[one].get("hasPart", []))) - reached
    folder, found = project / "output" / "a", set()
    for one in whole["@graph"]:
        if "File" in kinds(one):
            path = folder / one["@id"].replace("%20", " ")
            found.add(path.relative_to(folder).as_posix())
            assert one["sha256"] == files.sha256(path) and one["contentSize"] == str(path.stat().st_size)
            assert one["@id"] in reached and "/" in one["encodingFormat"]
    here = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert here - found == {"ro-crate-metadata.json", "acquire/.half.1.partial.npy"}
    assert made_crate(project) == whole


def test_the_crate_says_what_each_stage_did(project):
    """An action a stage: its notebook, what it read, with which parameters, what it left; recordings and model too."""
    entities = {one["@id"]: one for one in made_crate(project)["@graph"]}
    acts = {name: one for name, one in entities.items() if "CreateAction" in kinds(one)}
    assert list(acts) == ["#acquire", "#narrate", "#report"] == list(named(entities["./"]["mentions"]))
    act = acts["#narrate"]
    assert act["instrument"] == {"@id": "code/notebooks/06_narrate.ipynb"}
    assert set(named(act["object"])) == {
        "acquire/pieces/x%201.npy", "acquire/pieces/y.npy", "acquire/recordings.csv", "#language-model",
        "#narrate/params/narrate.yaml/model", "#narrate/params/narrate.yaml/seed",
    }  # fmt: skip
    assert entities["#narrate/params/narrate.yaml/seed"]["value"] == 8
    assert set(named(act["result"])) == {
        "narrate/model.json",
        "narrate/provenance.json",
        "notebooks/06_narrate.ipynb",
    }
    assert "#recordings" in named(acts["#acquire"]["object"]) and "#output/benchmark" in named(
        acts["#report"]["object"]
    )
    assert entities["#recordings/x%201.edf"]["sha256"] == "12ab" and entities["#language-model"]["version"] == "r1"
    source = entities["code/src/helpers/acquire/sources.py"]
    assert (
        source["identifier"]
        == "swh:1:cnt:" + provenance.records("a")["acquire"]["code"]["src/helpers/acquire/sources.py"]
    )
    needed = list(named(entities["code/notebooks/01_acquire.ipynb"]["softwareRequirements"]))
    assert source["@id"] in needed and f"https://pypi.org/project/numpy/{version('numpy')}/" in needed


def test_the_archive_has_the_code_that_ran_and_no_other(project):
    """What was changed since is left out, and so is the declaration that names the user's folder: both only named."""
    files.write_text(project / "params" / "acquire.yaml", "trace_s: 60.0\n")
    files.write_text(project / "output" / "a" / "code" / "old.py", "old")
    whole = made_crate(project)
    code = project / "output" / "a" / "code"
    here = {path.relative_to(code).as_posix() for path in code.rglob("*") if path.is_file()}
    assert "src/helpers/acquire/sources.py" in here and "LICENSE" in here
    assert not here & {"params/acquire.yaml", "params/patients/a.yaml", "old.py"}
    entities = {one["@id"]: one for one in whole["@graph"]}
    assert {"#params/acquire.yaml", "#params/patients/a.yaml"} <= set(entities)
    everything = "".join(path.read_text("utf-8") for path in [*code.rglob("*.*"), code.parent / crate.FILE])
    assert "/somewhere" not in everything.replace("/somewhere/models", "")


def test_whose_the_recordings_are(project):
    """CHB-MIT's have its DOI and licence; a folder's none that are known; simulated ones are called so."""
    assert "license" not in next(one for one in made_crate(project)["@graph"] if one["@id"] == "#recordings")
    path = project / "output" / "a" / "acquire" / "source.json"
    files.write_json(path, files.read_json(path) | {"source": "physionet"})
    entities = {one["@id"]: one for one in made_crate(project)["@graph"]}
    place = "https://doi.org/10.13026/C2K01R"
    assert entities["#recordings"]["isPartOf"] == {"@id": place}
    assert entities[place]["license"] == {"@id": "https://spdx.org/licenses/ODC-By-1.0"}
    files.write_json(path, files.read_json(path) | {"source": "simulate", "simulated": True})
    assert root_of(project)["name"].endswith("of a (simulated)")


@GIT
def test_the_crate_is_dated_by_the_commit(project):
    git(project, "init", "-q", "-b", "main")
    os.environ["GIT_COMMITTER_DATE"] = "2026-01-02T03:04:05+00:00"
    try:
        first = commit(project)
    finally:
        del os.environ["GIT_COMMITTER_DATE"]
    root = root_of(project)
    assert root["datePublished"] == "2026-01-02" and {"@id": f"swh:1:rev:{first}"} in root["isBasedOn"]


def test_no_crate_without_every_record(project):
    (project / "output" / "a" / "narrate" / "provenance.json").unlink()
    with pytest.raises(FileNotFoundError, match="output/a/narrate/provenance.json is not there.*dvc repro narrate@a"):
        crate.write("a")


@pytest.mark.parametrize(("name", "also"), [("train", []), ("report", ["crate"])])
def test_a_run_leaves_its_record_after_its_notebook(tmp_path, monkeypatch, name, also):
    """The executed notebook is one of the files recorded; the crate comes last of all."""
    for folder in ("notebooks", "params"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    monkeypatch.setattr(files, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    executed, calls = tmp_path / "output" / "sim08" / "notebooks" / stage.notebook(name).name, []
    monkeypatch.setattr(stage.papermill, "execute_notebook", lambda source, *_, **__: nbformat.read(source, 4))
    monkeypatch.setattr(stage.provenance, "write", lambda *given: calls.append((*given, executed.exists())))
    monkeypatch.setattr(stage.crate, "write", lambda patient: calls.append("crate"))
    stage.run(name, "sim08")
    assert calls == [(name, "sim08", True), *also]


@pytest.mark.parametrize("name", stage.STAGES)
def test_a_record_that_changes_runs_the_report_alone(name):
    """A comment in a helper changes the record of its stage, and nothing else of its results: no stage but the report
    depends on a record, or on a folder that holds one. Each stage has one among its outputs."""
    records = [f"{OWN}/{one}/provenance.json" for one in stage.STAGES]
    deps = [dep for dep in PIPELINE[name]["deps"] if dep.startswith(OWN)]
    held = [record for record in records if any(record == dep or record.startswith(f"{dep}/") for dep in deps)]
    assert held == (records[:-1] if name == "report" else [])
    outs = [one if isinstance(one, str) else next(iter(one)) for one in PIPELINE[name]["outs"]]
    assert f"{OWN}/{name}" in outs or f"{OWN}/{name}/provenance.json" in outs


def test_the_crate_belongs_to_the_report():
    """It is the report stage's last work, so that stage depends on what it imports and reads."""
    deps, outs = PIPELINE["report"]["deps"], PIPELINE["report"]["outs"]
    assert {f"src/helpers/{module}.py" for module in needed_by("crate")} | set(crate.BESIDE) <= set(deps)
    assert {f"{OWN}/{name}" for name in provenance.LAST} <= set(outs)


def test_the_citation_is_what_the_crate_needs():
    """Title, version, date, licence and authors of the code; the data set's DOI and licence."""
    citation = files.read_yaml(ROOT / "CITATION.cff")
    assert all(citation[key] for key in ("title", "version", "date-released", "license", "authors", "keywords"))
    data = next(one for one in citation["references"] if one["type"] == "dataset")
    assert (data["doi"], data["license"]) == ("10.13026/C2K01R", "ODC-By-1.0")
