"""Mirrors of a toy database on 127.0.0.1 that misbehave on command, and the scenarios in which they do.

``run(scenario, folder)`` plays one scenario and says how it ended; the tests and the benchmark both use it.
"""

import contextlib
import errno
import hashlib
import os
import random
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest import mock
from urllib.parse import unquote

from helpers.acquire import downloads, physionet
from helpers.study.errors import RecordingError

PATIENT, EDF, PLUS = "chb02", "chb02_16.edf", "chb02_16+.edf"
SIZE = 400_000
SUMMARY = f"""\
File Name: {EDF}
Number of Seizures in File: 1
Seizure Start Time: 10 seconds
Seizure End Time: 20 seconds

File Name: {PLUS}
Number of Seizures in File: 0
"""
FILES = {
    "chb02-summary.txt": SUMMARY.encode(),
    EDF: random.Random(1).randbytes(SIZE),
    f"{EDF}.seizures": random.Random(2).randbytes(300),
    PLUS: random.Random(3).randbytes(SIZE // 4),
    "chb02_99.edf": b"not listed by the summary",
}
WANTED = [name for name in FILES if name != "chb02_99.edf"]
# Timeouts and waits of a test, not of a person's network.
QUICK = {"TIMEOUT_S": (0.25, 0.25), "BACKOFF_S": 0.01, "RETRY_AFTER_S": 0.2, "CONNECTIONS": 20}


# What a server can do with a request: functions of (handler, content, first byte asked for or None).


def good(handler, content, first):
    """Answer as the standard says, ranges included."""
    if first is None:
        return send(handler, 200, content)
    if first >= len(content):
        return send(handler, 416, b"", {"Content-Range": f"bytes */{len(content)}"})
    said = f"bytes {first}-{len(content) - 1}/{len(content)}"
    return send(handler, 206, content[first:], {"Content-Range": said})


def drop(after):
    """Close the connection after so many bytes of the body."""
    return lambda handler, content, first: cut(handler, content, first, after)


def stall(after):
    """Send so many bytes of the body, then nothing more, and keep the connection open."""
    return lambda handler, content, first: cut(handler, content, first, after, handler.server.closing.wait)


def trickle(handler, content, first):
    """Send the body in a hundred pieces, 10 ms apart."""
    handler.limit = 0
    good(handler, content, first)
    with contextlib.suppress(ConnectionError):
        for start in range(0, len(content), len(content) // 100):
            handler.wfile.write(content[start : start + len(content) // 100])
            handler.server.closing.wait(0.01)


def cut(handler, content, first, after, then=lambda: None):
    """Announce the whole answer and send its first bytes only."""
    handler.limit = after
    good(handler, content, first)
    then()
    handler.close_connection = True


def hang(handler, content, first):
    """Accept, read the request, and never answer."""
    handler.server.closing.wait()
    handler.close_connection = True


def ignore_range(handler, content, first):
    """Send the whole file, whatever part was asked for."""
    send(handler, 200, content)


def not_satisfiable(handler, content, first):
    """Refuse every range with 416; a request without one is answered."""
    send(handler, 416, b"") if first is not None else send(handler, 200, content)


def wrong_range(handler, content, first):
    """Answer a range by another one, 7 bytes further on."""
    if first is None:
        return send(handler, 200, content)
    said = f"bytes {first + 7}-{len(content) - 1}/{len(content)}"
    return send(handler, 206, content[first + 7 :], {"Content-Range": said})


def small_ranges(handler, content, first):
    """Never send more than 150,000 bytes in an answer to a range."""
    if first is None:
        return cut(handler, content, first, 150_000)
    last = min(first + 150_000, len(content)) - 1
    said = f"bytes {first}-{last}/{len(content)}"
    return send(handler, 206, content[first : last + 1], {"Content-Range": said})


def wrong_byte(handler, content, first):
    """One byte of the file is another one."""
    good(handler, content[:-5] + bytes([content[-5] ^ 1]) + content[-4:], first)


def status(code, **headers):
    """Answer with a status and no file."""
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return lambda handler, content, first: send(handler, code, b"", named)


def announce(extra):
    """Announce more bytes than there are, or fewer (then only those are sent)."""

    def answer(handler, content, first):
        handler.announced = len(content[first or 0 :]) + extra
        handler.limit = handler.announced
        good(handler, content, first)
        handler.close_connection = True

    return answer


def redirect(url):
    """Send to another address; an empty one means the same file under /moved/."""
    return lambda handler, content, first: send(handler, 302, b"", {"Location": url or f"/moved{handler.path}"})


def send(handler, code, body, headers=None):
    """Send an answer, as far as the handler's limit goes, and note how much."""
    handler.send_response(code)
    announced = len(body) if handler.announced is None else handler.announced
    for key, value in {"Content-Length": str(announced), **(headers or {})}.items():
        handler.send_header(key, value)
    body = body[: handler.limit]
    handler.entry["sent"] = len(body)  # before it goes out: the reader of the log may be faster
    handler.end_headers()
    handler.wfile.write(body)


class Handler(BaseHTTPRequestHandler):
    """Plays the behaviours given for a file, one a request, the last one for ever."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.limit = self.announced = None
        name = unquote(self.path.rsplit("/", 1)[1])
        asked = self.headers.get("Range", "")
        first = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else None
        self.entry = {
            "mirror": self.server.number, "file": name, "path": self.path, "first": first, "sent": 0,
            "agent": self.headers["User-Agent"], "encoding": self.headers["Accept-Encoding"],
        }  # fmt: skip
        self.server.log.append(self.entry)
        behaviours = self.server.behaviours.get(name, [good])
        behave = behaviours.pop(0) if len(behaviours) > 1 else behaviours[0]
        if self.path.startswith("/moved"):
            behave = good
        behave(self, FILES[name], first)

    def log_message(self, *_):
        """Say nothing: the log is what the tests read."""


class Server(ThreadingHTTPServer):
    """A mirror that takes it in silence when a client leaves in the middle."""

    daemon_threads = True

    def handle_error(self, request, client_address):
        """Report what is no broken connection: that would be a mistake of this file."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@contextlib.contextmanager
def mirrors(*behaviours):
    """Run a mirror for each dict of behaviours by file name; yield their base URLs and the log of all requests."""
    log, servers = [], []
    for number, by_name in enumerate(behaviours, start=1):
        server = Server(("127.0.0.1", 0), Handler)
        server.number, server.log = number, log
        server.behaviours = {name: list(listed) for name, listed in by_name.items()}
        server.closing = threading.Event()
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
    try:
        yield [f"http://127.0.0.1:{server.server_port}/" for server in servers], log
    finally:
        for server in servers:
            server.closing.set()
            server.shutdown()
            server.server_close()


def until(condition, seconds=60):
    """Return when a condition holds, looked at every 10 ms, or after so many seconds: then something is wrong."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)


def write_registry(path):
    """Write the toy database's registry."""
    path.write_text("".join(f"{PATIENT}/{name} {hashlib.sha256(body).hexdigest()}\n" for name, body in FILES.items()))


# What can happen beside the servers: context managers of (folder, mirrors), around the fetch.


@contextlib.contextmanager
def nothing(folder, bases):
    """Nothing else happens."""
    yield


@contextlib.contextmanager
def full_disk(folder, bases):
    """The disk takes 100,000 bytes of the EDF file and no more."""
    real = open

    def opened(path, mode="r", *args, **kwargs):
        file = real(path, mode, *args, **kwargs)
        if Path(path).name != f"{EDF}.part" or "b" not in mode or "r" in mode:
            return file
        write = file.write

        def limited(data):
            if file.tell() + len(data) > 100_000:
                write(data[: 100_000 - file.tell()])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(data)

        wrapped = mock.MagicMock(wraps=file)
        wrapped.write, wrapped.__enter__.return_value = limited, wrapped
        wrapped.__exit__.side_effect = lambda *_: file.close()
        return wrapped

    with mock.patch.object(downloads, "open", opened, create=True):
        yield


@contextlib.contextmanager
def killed_before(folder, bases):
    """An earlier run, a process of its own, was killed by SIGKILL in the middle of the EDF file."""
    code = f"""
        from helpers.acquire import downloads, physionet
        physionet.REGISTRY = {str(folder.parent / "registry.txt")!r}
        physionet.fetch({PATIENT!r}, {str(folder)!r}, {list(bases)!r})
        """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], env={**os.environ, "NO_PROXY": "*"})
    try:
        part = folder / f"{EDF}.part"
        until(lambda: downloads.size(part) >= 100_000 or process.poll() is not None)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert downloads.size(part) >= 100_000, "the killed run did not come as far as it should"
    assert_no_bad_file(folder)
    yield


def there_before(name, content):
    """A file lies in the folder already."""

    @contextlib.contextmanager
    def prepare(folder, bases):
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
        yield

    return prepare


@contextlib.contextmanager
def offline_with_all_files(folder, bases):
    """All files are there, and no socket may be opened."""
    folder.mkdir(exist_ok=True)
    for name in WANTED:
        (folder / name).write_bytes(FILES[name])
    with mock.patch.object(socket, "socket", side_effect=AssertionError("the network was asked")):
        yield


@contextlib.contextmanager
def offline(folder, bases):
    """No connection can be made."""
    refused = OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))
    with mock.patch("urllib3.util.connection.create_connection", side_effect=refused):
        yield


@dataclass
class Scenario:
    """What the first and second mirror do with the EDF file, what else happens, and how it must end.

    `outcome` is "good file" or "clear message"; `says` is a pattern of that message; `resumed_from` is the first
    byte of the first range that is asked for, `fetched` the bytes of the EDF file that are sent in all.
    """

    name: str
    first: list = field(default_factory=lambda: [good])
    second: list = field(default_factory=lambda: [good])
    meanwhile: object = nothing
    outcome: str = "good file"
    says: str = ""
    resumed_from: int | None = None
    fetched: int | None = None


HALF = SIZE // 2
LOST = "clear message"
SCENARIOS = [
    Scenario("nothing goes wrong", fetched=SIZE),
    Scenario("connection drops in the body", [drop(HALF), good], resumed_from=HALF, fetched=SIZE),
    Scenario("connection drops six times", [drop(SIZE // 8)] * 6 + [good], [status(404)], resumed_from=SIZE // 8,
             fetched=SIZE),
    Scenario("every connection brings one byte", [drop(1)], [drop(1)], outcome=LOST, says="broke off", resumed_from=1),
    Scenario("connection drops before any byte", [drop(0), drop(0), good], fetched=SIZE),
    Scenario("every connection drops before any byte", [drop(0)], [drop(0)], outcome=LOST, says="broke off"),
    Scenario("first mirror dies in the body, second continues", [drop(HALF), hang], resumed_from=HALF, fetched=SIZE),
    Scenario("part of an earlier run", meanwhile=there_before(f"{EDF}.part", FILES[EDF][:HALF]),
             resumed_from=HALF, fetched=HALF),
    Scenario("whole part of an earlier run", meanwhile=there_before(f"{EDF}.part", FILES[EDF]), fetched=0),
    Scenario("rotten part of an earlier run", meanwhile=there_before(f"{EDF}.part", b"x" * HALF), second=[status(404)],
             resumed_from=HALF, fetched=HALF + SIZE),
    Scenario("part longer than the file", meanwhile=there_before(f"{EDF}.part", FILES[EDF] + b"x"),
             resumed_from=SIZE + 1, fetched=SIZE),
    Scenario("earlier run killed in the body", [stall(HALF), good], meanwhile=killed_before,
             resumed_from=HALF, fetched=SIZE),
    Scenario("server ignores Range", [drop(HALF), ignore_range], resumed_from=HALF, fetched=HALF + SIZE),
    Scenario("server refuses Range (416)", [drop(HALF), not_satisfiable], resumed_from=HALF, fetched=HALF + SIZE),
    Scenario("server sends another range", [drop(HALF), wrong_range], [status(404)], resumed_from=HALF),
    Scenario("server sends small ranges only", [small_ranges], resumed_from=150_000, fetched=SIZE),
    Scenario("wrong byte at the first mirror", [wrong_byte], fetched=2 * SIZE),
    Scenario("wrong byte at both", [wrong_byte], [wrong_byte], outcome=LOST, says="another SHA-256.*another SHA-256"),
    Scenario("not found at the first mirror", [status(404)], fetched=SIZE),
    Scenario("not found at both", [status(404)], [status(404)], outcome=LOST, says="HTTP 404 Not Found.*HTTP 404"),
    Scenario("access denied at both", [status(403)], [status(403)], outcome=LOST, says="HTTP 403 Forbidden"),
    Scenario("busy, then good", [status(503, Retry_After="1"), good], fetched=SIZE),
    Scenario("too many requests, wait an hour", [status(429, Retry_After="3600"), good], fetched=SIZE),
    Scenario("busy for ever at both", [status(503)], [status(503)], outcome=LOST, says="HTTP 503 Service Unavailable"),
    Scenario("each server error once", [status(500), status(502), status(504), good], fetched=SIZE),
    Scenario("hangs before an answer", [hang, good], fetched=SIZE),
    Scenario("hangs in the body", [stall(HALF), good], resumed_from=HALF, fetched=SIZE),
    Scenario("both hang for ever", [hang], [hang], outcome=LOST, says="nothing came for 0.25 s.*nothing came"),
    Scenario("announces too much", [announce(+1000)], fetched=SIZE),
    Scenario("announces too little", [announce(-1000)], fetched=2 * SIZE - 1000),
    Scenario("both announce too little", [announce(-1000)], [announce(-1000)], outcome=LOST, says="another SHA-256"),
    Scenario("redirect to loopback", [redirect("")], fetched=SIZE),
    Scenario("redirect to plain http elsewhere", [redirect("http://192.0.2.1/x.edf")], fetched=SIZE),
    Scenario("both redirect to plain http", [redirect("http://192.0.2.1/x.edf")], [redirect("http://192.0.2.1/")],
             outcome=LOST, says="redirects to http://192.0.2.1/x.edf, and only https"),
    Scenario("redirects for ever", [redirect("/chb02/chb02_16.edf")], fetched=SIZE),
    Scenario("disk full", meanwhile=full_disk, outcome=LOST,
             says=r"chb02_16\.edf cannot be written .*No space left.*MB are free.*kept.*run again"),
    Scenario("offline, nothing there", meanwhile=offline, outcome=LOST,
             says=r"chb02-summary\.txt.*Network is unreachable.*Check the network"),
    Scenario("offline, all files there", meanwhile=offline_with_all_files, fetched=0),
]  # fmt: skip


def run(scenario, folder):
    """Play a scenario in `folder` (its parent must be there) and return how it ended.

    Returns
    -------
    dict
        ``outcome`` ("good file" or "clear message"), ``message``, ``requests`` (of the EDF file, in order: mirror,
        path, first byte of the range or None, bytes sent) and ``resumed_from`` (the first range's first byte).

    Raises
    ------
    AssertionError
        If, after whatever happened, a file under its final name has a wrong content.
    """
    folder = Path(folder)
    write_registry(folder.parent / "registry.txt")
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.dict(os.environ, {"NO_PROXY": "*"}))
        bases, log = stack.enter_context(mirrors({EDF: scenario.first}, {EDF: scenario.second}))
        stack.enter_context(mock.patch.multiple(downloads, **QUICK))
        stack.enter_context(mock.patch.object(physionet, "REGISTRY", folder.parent / "registry.txt"))
        stack.enter_context(scenario.meanwhile(folder, bases))
        try:
            physionet.fetch(PATIENT, folder, bases)
            outcome, message = "good file", ""
        except RecordingError as error:
            outcome, message = "clear message", str(error)
    assert_no_bad_file(folder)
    if outcome == "good file":
        assert all((folder / name).exists() for name in WANTED)
    asked = [entry for entry in log if entry["file"] == EDF]
    return {
        "outcome": outcome, "message": message, "requests": asked,
        "resumed_from": next((entry["first"] for entry in asked if entry["first"] is not None), None),
    }  # fmt: skip


def assert_no_bad_file(folder):
    """The invariant: a file under its final name has its right content."""
    for name, content in FILES.items():
        if (folder / name).exists():
            assert (folder / name).read_bytes() == content, f"{name} is not what the database has"
