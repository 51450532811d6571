"""Mirrors of a toy database on 127.0.0.1 that misbehave on command."""

import contextlib
import hashlib
import random
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

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
    PLUS: random.Random(3).randbytes(SIZE // 4),
    "chb02_99.edf": b"not listed by the summary",
}
WANTED = [name for name in FILES if name != "chb02_99.edf"]


# What a server can do with a request: functions of (handler, content).


def good(handler, content):
    """Send the file."""
    send(handler, 200, content)


def drop(handler, content):
    """Announce the file, send half of it and close the connection."""
    send(handler, 200, content[: len(content) // 2], {"Content-Length": len(content)})
    handler.close_connection = True


def hang(handler, content):
    """Never answer."""
    handler.server.closing.wait()
    handler.close_connection = True


def stall(handler, content):
    """Send half of the file, then nothing more, and keep the connection open."""
    drop(handler, content)
    hang(handler, content)


def wrong_byte(handler, content):
    """Send another byte in the file's middle."""
    middle = len(content) // 2
    send(handler, 200, content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])


def status(code):
    """Answer with a status and no file."""
    return lambda handler, content: send(handler, code, b"")


def redirect(url):
    """Send to another address."""
    return lambda handler, content: send(handler, 302, b"", {"Location": url})


def send(handler, code, body, headers=None):
    """Send an answer."""
    handler.send_response(code)
    for key, value in ({"Content-Length": len(body)} | (headers or {})).items():
        handler.send_header(key, str(value))
    handler.end_headers()
    handler.wfile.write(body)


class Handler(BaseHTTPRequestHandler):
    """Plays the behaviours given for a file, one a request, the last one for ever."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        name = unquote(self.path.rsplit("/", 1)[1])
        self.server.log.append({"file": name, "path": self.path, "headers": dict(self.headers)})
        behaviours = self.server.behaviours.get(name, [good])
        behave = behaviours.pop(0) if len(behaviours) > 1 else behaviours[0]
        behave(self, FILES[name])

    def log_message(self, *_):
        """Say nothing: the log is what the tests read."""


class Server(ThreadingHTTPServer):
    """A mirror that does not mind a client that leaves in the middle."""

    daemon_threads = True

    def handle_error(self, request, client_address):
        """Report what is no broken connection: that would be a mistake of this file."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@contextlib.contextmanager
def mirrors(*behaviours):
    """Run a mirror for each dict of behaviours by file name; yield their base URLs and the log of all requests."""
    log, servers = [], []
    for by_name in behaviours:
        server = Server(("127.0.0.1", 0), Handler)
        server.log, server.closing = log, threading.Event()
        server.behaviours = {name: list(listed) for name, listed in by_name.items()}
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
    try:
        yield [f"http://127.0.0.1:{server.server_port}/" for server in servers], log
    finally:
        for server in servers:
            server.closing.set()
            server.shutdown()
            server.server_close()


def write_registry(path):
    """Write the toy database's registry."""
    path.write_text("".join(f"{PATIENT}/{name} {hashlib.sha256(body).hexdigest()}\n" for name, body in FILES.items()))
