"""Work beside each other: wherever the pieces run, the results are those of a plain loop, and so are the errors."""

import os
import sys

import pytest
from conftest import write_edf
from distributed import LocalCluster

from helpers.acquire import edf
from helpers.preprocess import filterbank
from helpers.study import files, parallel
from helpers.study.errors import RecordingError

ONE_TO_TEN = [(number, 2) for number in range(1, 11)]
SQUARES = [number**2 for number in range(1, 11)]


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    """No settings of the machine's user."""
    monkeypatch.delenv("STUDY_WORKERS", raising=False)
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS", raising=False)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A Dask scheduler and two worker processes on 127.0.0.1, silent and without a dashboard."""
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    folder = tmp_path_factory.mktemp("dask")
    with LocalCluster(**options, host="127.0.0.1", silence_logs=50, local_directory=folder) as started:
        yield started


@pytest.fixture(params=["1", "2", pytest.param("dask", marks=pytest.mark.slow)])
def at_work(request, monkeypatch):
    """One worker, two, or the Dask cluster."""
    if request.param == "dask":
        monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", request.getfixturevalue("cluster").scheduler_address)
    else:
        monkeypatch.setenv("STUDY_WORKERS", request.param)
    return request.param


@pytest.mark.parametrize("threads", [False, True])
def test_results_are_those_of_a_loop(at_work, threads):
    """1² to 10², in the order of the pieces; of no pieces, none."""
    assert parallel.parallel_map(pow, ONE_TO_TEN, "squares", "number", threads=threads) == SQUARES
    assert parallel.parallel_map(pow, [], "squares", "number") == []


def test_spectrograms_are_the_same_bytes_everywhere(at_work, tmp_path):
    """Four recordings of 30 s, written by threads, and by another process where there is a cluster, as by a loop."""
    axis, paths = filterbank.axes(256.0, 1.0, 0.125, 4.0), [tmp_path / f"{number}.edf" for number in range(4)]
    for number, path in enumerate(paths):
        write_edf(path, seconds=30 + number)
    expected = []
    for path in paths:
        filterbank.write(edf.open_edf(path), tmp_path / "loop", path.stem, axis)
        expected.append((tmp_path / "loop" / "spectrograms" / f"{path.stem}.npy").read_bytes())
    pieces = [(path, files.sha256(path), tmp_path, path.stem, axis) for path in paths]
    columns = parallel.parallel_map(filterbank.write_checked, pieces, "spectrograms", "recording", threads=True)
    assert columns == [240, 248, 256, 264]
    assert [(tmp_path / "spectrograms" / f"{path.stem}.npy").read_bytes() for path in paths] == expected


def test_dask_workers_do_the_work(cluster, monkeypatch):
    """The pieces run in the processes of the cluster's two workers, and in no other."""
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", cluster.scheduler_address)
    theirs = {worker.pid for worker in cluster.workers.values()}
    assert len(theirs) == 2 and os.getpid() not in theirs
    ran = set(parallel.parallel_map(os.getpid, [()] * 20, "pieces", "piece", threads=True))
    assert ran and ran <= theirs


@pytest.mark.parametrize("threads", [False, True])
def test_an_error_in_a_piece_arrives_as_itself(at_work, threads, tmp_path):
    """Its type and its message, whole: a user reads that, not that a worker failed."""
    with pytest.raises(RecordingError, match=r"gone\.edf is not there any more"):
        parallel.parallel_map(edf.read_checked, [(tmp_path / "gone.edf", "0" * 64)], "files", "file", threads=threads)


@pytest.mark.parametrize("wanted", ["two", "0", "-1", "1.5", " ", "²"])
def test_a_number_of_workers_that_is_none(monkeypatch, wanted):
    """Words, 0, signs, fractions, blanks and what only looks like a digit: the message says what is wanted."""
    monkeypatch.setenv("STUDY_WORKERS", wanted)
    with pytest.raises(ValueError, match="STUDY_WORKERS is .*it must be a whole number above 0, or unset"):
        parallel.parallel_map(pow, ONE_TO_TEN, "squares", "number")


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense://here", "127.0.0.1:port", "not installed"])
def test_no_scheduler_answers(monkeypatch, address):
    """Or the package is not there: the message names the address and the ways out, before any work is done."""
    client = sys.modules["distributed"].Client

    def connect(place, **options):
        try:
            return client(place, **options | {"timeout": "0.5s"})
        except AssertionError as error:  # its own thread, on a busy machine, starts late
            raise OSError("distributed did not start") from error

    monkeypatch.setattr("distributed.Client", connect)
    if address == "not installed":
        monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", address)
    with pytest.raises(ValueError, match=f"ADDRESS is {address}.*pip install distributed.*dask scheduler.* or unset"):
        parallel.parallel_map(pow, ONE_TO_TEN, "squares", "number")
