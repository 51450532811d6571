"""The crate: results, code and provenance of a study in one archive, and no path of this machine."""

import json
import subprocess
import zipfile

import pytest

from helpers.study import files

crate = pytest.importorskip("helpers.report.crate", exc_type=ImportError)

CITATION = """\
title: A study
license: BSD-3-Clause
date-released: 2026-01-02
keywords: [EEG]
authors: [{name: The authors}, {given-names: Ada, family-names: B, orcid: "https://orcid.org/1"}]
"""
PROJECT = {
    "CITATION.cff": CITATION, "dvc.lock": "x", "src/a.py": "", "output/sim99/evaluate/metrics.json": "{}",
    "params/patients/mine.yaml": "folder: /home/ada/eeg", "output/sim99/recordings/sim99_01.edf": "x",
    "output/sim99/acquire/source.json": json.dumps({"description": "Made.", "simulated": True}),
}  # fmt: skip


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "ROOT", tmp_path)
    for stage in crate.FOLDERS:
        files.stage_folder("sim99", stage)
    for name, text in PROJECT.items():
        files.write_text(tmp_path / name, text)
    return tmp_path


def test_results_code_and_provenance_are_in_it(project):
    """Recordings are not, nor a declaration that names a folder; each file is there once, and described."""
    subprocess.run("git init -q && git add -A -f", shell=True, cwd=project, check=True)
    with zipfile.ZipFile(crate.write("sim99")) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        graph = {entity["@id"]: entity for entity in json.loads(archive.read("ro-crate-metadata.json"))["@graph"]}
        assert not any(b"/home/ada" in archive.read(name) for name in names)
    assert sorted(names) == [
        "acquire/source.json", "code/CITATION.cff", "code/dvc.lock", "code/src/a.py", "evaluate/metrics.json",
        "ro-crate-metadata.json",
    ]  # fmt: skip
    assert set(names) < set(graph)
    assert graph["./"]["name"].endswith("sim99 (simulated)") and graph["code/dvc.lock"]["description"]
    assert [graph[one["@id"]]["@type"] for one in graph["./"]["creator"]] == ["Organization", "Person"]
    assert graph["./"]["license"] == {"@id": "https://spdx.org/licenses/BSD-3-Clause"}


def test_without_git_there_is_no_archive(project):
    with pytest.raises(ValueError, match="Archive a git clone"):
        crate.write("sim99")
    assert not list(project.glob("output/*.zip"))
