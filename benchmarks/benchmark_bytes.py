"""Is it the same study, byte for byte? ``python tests/benchmark_bytes.py [patient] [variation …]`` writes
``output/benchmark/bytes.json``.

A study is run in copies of the project, each under another variation of what must change no result, and every file that
it writes is compared with that of a plain run: recordings, results, executed notebooks, site, and DVC's lock. sim08,
the default, takes three runs of eight minutes and more, with the variations joined; should one differ, name single
ones. ``tiny`` is a patient of three minutes that goes through each by itself, in about two minutes a variation.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from conftest import ROOT, copy_project, environment

from helpers.study import files

TARGET = ROOT / "output" / "benchmark" / "bytes.json"
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS", "NUMEXPR")}
# What a user may have set up: another look of figures, code that runs before each notebook, warnings, no assertions.
OWN_SETTINGS = {
    ".config/matplotlib/matplotlibrc": "savefig.transparent: True\naxes.titlelocation: right\n",
    ".ipython/profile_default/startup/00.py": "import pandas\npandas.options.display.precision = 2\nprint('hello')\n",
    ".mne/mne-python.json": '{"MNE_LOGGING_LEVEL": "DEBUG"}',
}
# By name: `say` what is another; `variables`; what stands `before` the command; `umask`; the copy's `folder`; whether
# the user is another, has `settings`, and the run is one `again`, forced, where a plain one was.
VARIATIONS = {
    "forced again": {"again": True, "say": "dvc repro --force where it was run"},
    "one thread": {"variables": {"STUDY_WORKERS": "1", **ONE_THREAD}, "say": "one worker, one thread"},
    "one core": {"before": ["taskset", "-c", "0"], "say": "one core"},
    "folder": {"folder": "eine prüfung", "say": "a folder with a blank and an umlaut, called from another"},
    "zone": {"variables": {"TZ": "Pacific/Kiritimati"}, "say": "14 hours ahead"},
    "locale": {"locale": "tr_TR.ISO-8859-9", "say": "decimal comma, dotless i, text that is not UTF-8"},
    "hashes": {"variables": {"PYTHONHASHSEED": "12345"}, "say": "sets and dicts hashed otherwise"},
    "umask": {"umask": 0o077, "say": "files that none but their owner can read"},
    "settings": {
        "settings": True, "say": "a user's own matplotlibrc, IPython start and MNE settings; python -O, all warnings",
        "variables": {"MPLBACKEND": "Agg", "PYTHONWARNINGS": "default", "PYTHONOPTIMIZE": "1"},
    },
    "user": {"user": True, "say": "nobody, with an empty home, who converts the language model"},
}  # fmt: skip
JOINED = {
    "all at once": ("one thread", "one core", "folder", "zone", "hashes", "umask", "settings"),
    "another user, forced again": ("forced again", "user", "locale"),
}


class Unavailable(Exception):
    """What a variation needs is not on this machine."""


def joined(names):
    """Return several variations as one."""
    found = {"variables": {}, "before": []}
    for one in (VARIATIONS[name] for name in names):
        parts = {
            "variables": found["variables"] | one.get("variables", {}),
            "before": one.get("before", found["before"]),
        }
        found |= one | parts
    return found | {"say": "; ".join(VARIATIONS[name]["say"] for name in names)}


def copied(root, patient):
    """Copy to `root` all that a study of `patient` is made from; return the variables to run it with."""
    copy_project(root)
    own = "sim08" if patient == "tiny" else patient
    if patient != "tiny":  # whose declaration, and settings that make it brief, are the tests'
        for name in ("train", "explain", f"patients/{patient}"):
            shutil.copy(ROOT / "params" / f"{name}.yaml", root / "params" / f"{name}.yaml")
    (root / "params" / "study.yaml").write_text(f"patients: [{own}]\n", encoding="utf-8")
    with open(root / ".dvc" / "config", "a", encoding="utf-8") as config:
        config.write(f"    site_cache_dir = {root / '.dvc' / 'tmp' / 'site'}\n")
    kept = {name: value for name, value in environment(root).items() if not name.startswith(("STUDY_", "DASK_"))}
    return kept | {"PYTHONPATH": str(root / "src")}


def varied(root, variables, variation):
    """Prepare a copy for a variation; return the variables, and what stands before the command."""
    variables, before = variables | variation.get("variables", {}), list(variation.get("before", []))
    if before and not shutil.which(before[0]):
        raise Unavailable(f"needs the program {before[0]}")
    home = root.parent / f"home of {root.name}"
    if variation.get("settings") or variation.get("user"):
        home.mkdir()
        variables = {name: value for name, value in variables.items() if not name.startswith("XDG_")}
        variables["HOME"] = str(home)
    if variation.get("settings"):
        for name, text in OWN_SETTINGS.items():
            files.write_text(home / name, text)
    if "locale" in variation:
        variables |= located(variation["locale"], root.parent / "locales")
    return variables, (nobody(root) if variation.get("user") else []) + before


def nobody(root):
    """Return what runs a command as the user nobody: in a namespace of users, which most machines let anyone make."""
    before = ["unshare", "--user", "--map-user=65534", "--map-group=65534"]
    try:
        subprocess.run([*before, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Unavailable("needs unshare, and to be allowed namespaces of users") from error
    (root / "output" / "models").unlink()  # a link; nobody has a model of its own
    return before


def located(name, folder):
    """Make the locale `name` in `folder`, as few are installed; return the variables that set it."""
    language, encoding = name.split(".")
    folder.mkdir()
    try:
        subprocess.run(["localedef", "-i", language, "-f", encoding, folder / name], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Unavailable(f"needs localedef and the sources of {name} (Debian's package locales)") from error
    return {"LOCPATH": str(folder), "LC_ALL": name, "LANG": name, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def studied(root, variables, before, variation):
    """Run the study in `root`, from another folder; return the seconds and the SHA-256 of all that it wrote."""
    force = ["--force"] if variation.get("again") else []
    command = [*before, "dvc", "--cd", root, "repro", *force]
    start = time.perf_counter()
    said = {"capture_output": True, "text": True, "errors": "replace"}
    done = subprocess.run(command, cwd="/", env=variables, umask=variation.get("umask", -1), **said)
    if done.returncode:
        raise RuntimeError(f"{command} failed:\n{done.stdout[-1000:]}\n{done.stderr[-4000:]}")
    output = [path for path in (root / "output").rglob("*") if path.is_file()]
    names = [name for name in (path.relative_to(root).as_posix() for path in output) if made_by_a_run(name)]
    return round(time.perf_counter() - start), {name: files.sha256(root / name) for name in ["dvc.lock", *names]}


def made_by_a_run(name):
    """Say whether a file below ``output`` is a run's: locks and what is converted or measured elsewhere are not."""
    return name.split("/")[1] not in ("models", "benchmark") and not name.endswith(".lock")


def compared(patient, names, folder):
    """Run a patient's study plainly and under the variations `names`; yield each one's name and what it showed."""
    plain = folder / "plain" / "study"
    variables = copied(plain, patient)
    seconds, first = studied(plain, variables, [], {})
    yield "plain", {"say": "as it is", "seconds": seconds, "files": len(first)}
    for name in names:
        variation = joined(JOINED.get(name, (name,)))
        root = plain if variation.get("again") else folder / name.replace(" ", "-") / variation.get("folder", "study")
        own = variables if root == plain else copied(root, patient)
        try:
            seconds, found = studied(root, *varied(root, own, variation), variation)
        except Unavailable as error:
            yield name, {"say": variation["say"], "skipped": str(error)}
            continue
        except RuntimeError as error:
            yield name, {"say": variation["say"], "failed": str(error)}
            continue
        differ = sorted(path for path in first.keys() | found.keys() if first.get(path) != found.get(path))
        yield name, {"say": variation["say"], "seconds": seconds, "files": len(found), "differ": differ}


def main(words):
    """Compare the bytes of a patient's studies, write the file, and end with 1 if any differ."""
    patient, *names = words or ["sim08"]
    if unknown := [name for name in names if name not in {**VARIATIONS, **JOINED}]:
        sys.exit(f"There is no variation {', '.join(unknown)}; there are {', '.join([*VARIATIONS, *JOINED])}.")
    from benchmark_data import commit, machine  # slow to import, and not needed by the tests

    hardware, shown = machine(), {}
    with tempfile.TemporaryDirectory() as folder:
        for name, row in compared(patient, names or list(VARIATIONS if patient == "tiny" else JOINED), Path(folder)):
            shown[name] = row
            said = (
                row.get("skipped") or row.get("failed") or f"{row['files']} files, {len(row.get('differ', []))} differ"
            )
            print(f"{name:28s} {said} ({row.get('seconds', 0)} s)", *row.get("differ", []), sep="\n    ", flush=True)
    origin = {
        "date": date.today().isoformat(), "commit": commit(),
        "machine": f"{hardware['cpu']}, {hardware['cores']} cores, {os.uname().machine}",
    }  # fmt: skip
    before = files.read_json(TARGET) if TARGET.exists() else {}
    files.write_json(TARGET, before | {patient: {**origin, "variations": shown}})
    sys.exit(any(row.get("differ") or row.get("failed") for row in shown.values()))


if __name__ == "__main__":
    main(sys.argv[1:])
