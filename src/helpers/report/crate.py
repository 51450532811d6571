"""The crate: a study as one RO-Crate archive, to deposit and cite: ``python -m helpers.report.crate <patient>``."""

import subprocess
import sys

from rocrate.model import ContextEntity, Person
from rocrate.rocrate import ROCrate

from helpers.study import files

FOLDERS = ("acquire", "preprocess", "train", "evaluate", "explain", "narrate", "report", "notebooks")
TERMS = "The licence covers code and results, not the recordings."
PROVENANCE = {"description": "The hash of each stage's dependencies, parameters and results, as DVC recorded them."}


def write(patient):
    """Write ``output/<patient>.crate.zip``: results, the code under version control, and dvc.lock; return its path.

    Recordings are not in it, nor is a patient's file that names a folder of this machine. Raises FileNotFoundError if
    a stage has left no results, ValueError if the project is no git repository.
    """
    citation = files.read_yaml(files.ROOT / "CITATION.cff")
    source = files.read_json(files.stage_output(patient, "acquire", "source.json"))
    crate = ROCrate()
    crate.name = f"EEG spectrogram study of {patient}{' (simulated)' if source['simulated'] else ''}"
    crate.description = f"{citation['title']}. {TERMS} {source['description']}"
    crate.datePublished, crate.keywords = str(citation["date-released"]), citation["keywords"]
    address, licence = f"https://spdx.org/licenses/{citation['license']}", {"@type": "CreativeWork"}
    crate.license = crate.add(ContextEntity(crate, address, properties=licence | {"name": citation["license"]}))
    for number, one in enumerate(citation["authors"], start=1):  # an organisation has one name only
        name = one.get("name") or f"{one['given-names']} {one['family-names']}"
        kind, address = "Organization" if "name" in one else "Person", one.get("orcid", f"#author-{number}")
        author = crate.add(Person(crate, address, {"@type": kind, "name": name}))
        crate.root_dataset.append_to("creator", author)
    for stage in FOLDERS:
        top = files.stage_output(patient, stage, "")
        for path in sorted(path for path in top.rglob("*") if path.is_file()):
            crate.add_file(path, f"{stage}/{path.relative_to(top).as_posix()}")
    for path in code():
        crate.add_file(files.ROOT / path, f"code/{path}", properties=PROVENANCE if path == "dvc.lock" else {})
    target = files.ROOT / "output" / f"{patient}.crate.zip"
    with files.atomic_write(target) as partial:
        crate.write_zip(partial)
    return target


def code():
    """Return the paths of the project's files under version control, as they are now, without results."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=files.ROOT, capture_output=True, text=True)
    if done.returncode:
        raise ValueError(f"The project's code cannot be listed by git: {done.stderr.strip()} Archive a git clone.")
    paths = [path for path in done.stdout.split("\0") if (files.ROOT / path).is_file() and path[:7] != "output/"]
    declared = {path: files.read_yaml(files.ROOT / path) for path in paths if path.startswith("params/patients/")}
    return [path for path in paths if "folder" not in declared.get(path, {})]


if __name__ == "__main__":
    try:
        print(files.display_path(write(sys.argv[1])))
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
