"""Is it the same study, byte for byte? ``python -m benchmarks.bytes [patient] [variation …]`` writes
``output/benchmark/bytes.json``.

A study runs in copies of the project under variations of what must change no result; every file that it writes, and
``dvc.lock``, is compared with that of a plain run. ``tiny``, the default, is three minutes of EEG: half an hour with
the variations joined. Where one differs, name single ones to find out which.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.common import FOLDER, Unavailable, copy_project, measured_at, progress
from helpers.study import files

TARGET = FOLDER / "bytes.json"
TINY = {
    "source": "simulate", "seed": 8, "frame_s": 2.0,
    "recordings": {
        f"sim08_0{number + 1}": {"duration_s": 44, "seizures": [span] if span else []}
        for number, span in enumerate(([16, 34], [], [20, 40], [14, 34]))
    },
}  # fmt: skip
SHORT = {  # what takes long and says nothing on so little EEG
    "train": {"epochs": 2, "batches_per_epoch": 3, "members": 2, "audit_splits": 1},
    "explain": {"ig_steps": 8, "samples_tested_per_class": 4},
}
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS", "NUMEXPR")}
OWN_SETTINGS = {  # of a user: another look of figures, code that runs before each notebook, verbosity
    ".config/matplotlib/matplotlibrc": "savefig.transparent: True\naxes.titlelocation: right\n",
    ".ipython/profile_default/startup/00.py": "import pandas\npandas.options.display.precision = 2\nprint('hello')\n",
    ".mne/mne-python.json": '{"MNE_LOGGING_LEVEL": "DEBUG"}',
}
# `variables` of the environment; what stands `before` the command; `umask`; the copy's `folder`; whether the user's own
# `settings` count, the user is another (`user`), the run is forced `again` in place, or was `killed` before.
VARIATIONS = {
    "forced again": {"again": True},
    "one thread": {"variables": {"STUDY_WORKERS": "1", **ONE_THREAD}},
    "one core": {"before": ["taskset", "-c", "0"]},
    "folder": {"folder": "eine prüfung"},
    "zone": {"variables": {"TZ": "Pacific/Kiritimati"}},
    "locale": {"locale": "tr_TR.ISO-8859-9"},
    "hashes": {"variables": {"PYTHONHASHSEED": "12345"}},
    "umask": {"umask": 0o077},
    "settings": {"settings": True, "variables": {"MPLBACKEND": "Agg", "PYTHONWARNINGS": "all", "PYTHONOPTIMIZE": "1"}},
    "user": {"user": True},
    "killed": {"killed": True},
}  # fmt: skip
JOINED = {
    "all at once": ("one thread", "one core", "folder", "zone", "hashes", "umask", "settings"),
    "another user, forced again": ("forced again", "user", "locale"),
    "killed, run again": ("killed",),
}


def join(names):
    """Return several variations as one."""
    parts = [VARIATIONS[name] for name in names]
    variables = {name: value for part in parts for name, value in part.get("variables", {}).items()}
    return {name: value for part in parts for name, value in part.items()} | {"variables": variables}


def copy(root, patient):
    """Copy to `root` all that a study of `patient` is made of; return the environment."""
    if patient != "tiny":
        return copy_project(root, patient)
    environment = copy_project(root, "sim08", TINY)
    for stage, values in SHORT.items():
        path = root / "params" / f"{stage}.yaml"
        lines = [f"{name}: {value}\n" for name, value in (files.read_yaml(path) | values).items()]
        files.write_text(path, "".join(lines))
    return environment


def vary(root, environment, variation):
    """Prepare a copy for a variation; return its environment, and what stands before the command."""
    environment, before = environment | variation["variables"], list(variation.get("before", []))
    if before and not shutil.which(before[0]):
        raise Unavailable(f"needs the program {before[0]}")
    if variation.get("settings") or variation.get("user"):
        home = root.parent / f"home of {root.name}"
        environment = {name: value for name, value in environment.items() if not name.startswith("XDG_")}
        environment["HOME"] = str(home)
        home.mkdir()
        for name, text in OWN_SETTINGS.items() if variation.get("settings") else ():
            files.write_text(home / name, text)
    if "locale" in variation:
        environment |= make_locale(variation["locale"], root.parent / "locales")
    return environment, (become_nobody(root) if variation.get("user") else []) + before


def need(command, what):
    """Run a command; Unavailable says `what` is needed if it fails."""
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Unavailable(f"needs {what}") from error


def become_nobody(root):
    """Return what runs a command as the user nobody, in a namespace of users; it converts a language model anew."""
    before = ["unshare", "--user", "--map-user=65534", "--map-group=65534"]
    need([*before, "true"], "unshare, and to be allowed namespaces of users")
    (root / "output" / "models").unlink()  # a link
    return before


def make_locale(name, folder):
    """Compile the locale `name` into `folder`; return the variables that set it."""
    language, encoding = name.split(".")
    folder.mkdir()
    sources = f"localedef and the sources of {name} (Debian's package locales)"
    need(["localedef", "-i", language, "-f", encoding, folder / name], sources)
    return {"LOCPATH": str(folder), "LC_ALL": name, "LANG": name, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def kill_once(command, environment, seconds):
    """Run a command, and kill its process group after so many seconds."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd="/", env=environment, start_new_session=True, **quiet)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def study(root, environment, before, variation, plain_s=0):
    """Run the study in `root`, from another folder; return the seconds and the SHA-256 of all that it wrote."""
    command = [*before, "dvc", "--cd", str(root), "repro", *(["--force"] if variation.get("again") else [])]
    if variation.get("killed"):
        for share in sorted(random.Random(8).uniform(0.05, 0.95) for _ in range(3)):
            kill_once(command, environment, share * plain_s)
    start, text = time.perf_counter(), {"capture_output": True, "text": True, "errors": "replace"}
    done = subprocess.run(command, cwd="/", env=environment, umask=variation.get("umask", -1), **text)
    if done.returncode:
        raise RuntimeError(f"{command} failed:\n{done.stdout[-1000:]}\n{done.stderr[-4000:]}")
    left = [path.relative_to(root).as_posix() for path in (root / "output").rglob("*") if path.is_file()]
    own = [name for name in left if name.split("/")[1] != "models" and not name.endswith(".lock")]
    return round(time.perf_counter() - start), {name: files.sha256(root / name) for name in ["dvc.lock", *own]}


def compare(patient, names, folder):
    """Run a study plainly and under variations; yield each name with the files that differ."""
    plain = folder / "plain" / "study"
    environment = copy(plain, patient)
    plain_s, first = study(plain, environment, [], {})
    yield "plain", {"seconds": plain_s, "files": len(first)}
    for name in names:
        variation = join(JOINED.get(name, (name,)))
        root = plain if variation.get("again") else folder / name.replace(" ", "-") / variation.get("folder", "study")
        own = environment if root == plain else copy(root, patient)
        try:
            seconds, found = study(root, *vary(root, own, variation), variation, plain_s)
        except (Unavailable, RuntimeError) as error:
            yield name, {"skipped" if isinstance(error, Unavailable) else "failed": str(error)}
            continue
        differ = sorted(path for path in first.keys() | found.keys() if first.get(path) != found.get(path))
        yield name, {"of": list(JOINED.get(name, (name,))), "seconds": seconds, "files": len(found), "differ": differ}


def main(words):
    patient, *names = words or ["tiny"]
    if unknown := [name for name in names if name not in {**VARIATIONS, **JOINED}]:
        sys.exit(f"There is no variation {', '.join(unknown)}; there are {', '.join([*VARIATIONS, *JOINED])}.")
    at, found = measured_at(), {}
    with tempfile.TemporaryDirectory() as folder:
        for name, row in compare(patient, names or JOINED, Path(folder)):
            found[name] = row
            progress(f"{name}: {row}")
    before = files.read_json(TARGET) if TARGET.exists() else {}
    files.write_json(TARGET, before | {patient: {**at, "variations": found}})
    return any(row.get("differ") or row.get("failed") for row in found.values())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
