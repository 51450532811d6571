"""Downloads: one file from one address, continued where a connection breaks, and never past a doubt about its bytes.

HTTP semantics as in RFC 9110: ranges (section 14), 206 and 416 (sections 15.3.7 and 15.5.17), Retry-After (10.2.3).
"""

import importlib.metadata
import os
import re
from urllib.parse import urljoin, urlsplit

import pooch
import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, ReadTimeoutError
from urllib3.util import Retry

LOOPBACK = ("127.0.0.1", "localhost", "::1")
BUSY = (429, 500, 502, 503, 504)

TIMEOUT_S = (10, 30)  # to connect, and between two pieces of an answer
ATTEMPTS = 4  # in a row that bring no new byte
CONNECTIONS = 200  # for one file, fruitful or not
BACKOFF_S = 1.0  # before the second attempt; doubled at each further one
RETRY_AFTER_S = 60  # the longest wait that a server may ask for
PIECE_BYTES = 1 << 16  # read at most at once

BREAKS = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.RetryError,
)


def open_session(connections):
    """Return a session that says who asks, waits when a server is busy, and follows no redirect to plain http.

    Parameters
    ----------
    connections : int
        How many threads use it at once.
    """
    session = requests.Session()
    version = importlib.metadata.version("eeg-spectrogram-study")
    # identity: a compressed answer could not be continued
    session.headers.update({"User-Agent": f"eeg-spectrogram-study/{version}", "Accept-Encoding": "identity"})
    session.hooks["response"].append(_refuse_redirect)
    # A mirror on this machine is asked directly: HTTP_PROXY without NO_PROXY would send even that to the proxy.
    session.proxies = dict.fromkeys((f"http://{host}" for host in LOOPBACK), "")
    # A name and a password in ~/.netrc are for no mirror: all is public. A redirect would look there once more.
    session.auth, session.rebuild_auth = (lambda request: request), (lambda request, response: None)
    # Broken connections are for `receive`: urllib3 would not continue where they broke.
    retry = Retry(
        total=3, connect=0, read=False, other=0, status_forcelist=BUSY, backoff_factor=BACKOFF_S,
        retry_after_max=RETRY_AFTER_S, raise_on_status=False,
    )  # fmt: skip
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(max_retries=retry, pool_maxsize=connections))
    return session


def is_safe(url):
    """Return whether `url` is https, or http on this machine (a mirror of one's own, or a test's)."""
    try:
        parts = urlsplit(url)
    except ValueError:  # a '[' without ']'
        return False
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK))


def _refuse_redirect(response, **_):
    try:
        target = urljoin(response.url, response.headers.get("Location", ""))
    except ValueError:
        target = "nowhere"
    if response.is_redirect and not is_safe(target):
        raise requests.exceptions.InvalidSchema(f"it redirects to {target}, and only https is followed")


def receive(session, url, part, digest, count, stop):
    """Continue the file `part` until the server has sent all that it has, connecting anew where that breaks.

    Parameters
    ----------
    session : requests.Session
        From `open_session`.
    url : str
        The file's address.
    part : Path
        What has arrived; made if it is absent.
    digest : str
        SHA-256 of the whole file in hex. A part that has it is whole; the caller checks the end result.
    count : callable
        Called with the number of bytes of each piece.
    stop : threading.Event
        Ends the download when it is set.

    Raises
    ------
    requests.RequestException
        If the server refuses, or `ATTEMPTS` in a row brought nothing new.
    InterruptedError
        If `stop` was set.
    OSError
        If the disk takes no more.
    """
    longest, fruitless, fault = size(part), 0, None
    for _ in range(CONNECTIONS):
        # A run was killed before its last check, or a server announced more than it has: all is there.
        if size(part) and pooch.file_hash(part) == digest:
            return
        try:
            if _continue(session, url, part, count, stop):
                return
        except requests.RequestException as error:
            if stop.is_set():
                raise InterruptedError("stopped") from error
            # A certificate, though its error is one of connection, does not get better by waiting.
            if isinstance(error, requests.exceptions.SSLError) or not isinstance(error, BREAKS):
                raise
            fault = error
        fruitless = 0 if size(part) > longest else fruitless + 1
        longest = max(longest, size(part))
        if fruitless == ATTEMPTS:
            break
        if stop.wait(BACKOFF_S * 2 ** (fruitless - 1) if fruitless else 0):
            raise InterruptedError("stopped")
    raise fault or requests.exceptions.RetryError(f"only {longest} bytes came in {CONNECTIONS} answers")


def _continue(session, url, part, count, stop):
    """Ask for what `part` lacks and append it; return whether the server has sent all.

    An answer that does not continue the part is never appended: a whole one (200) replaces it, any other discards it.
    """
    have = size(part)
    headers = {"Range": f"bytes={have}-"} if have else {}
    with session.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as response:
        status = response.status_code
        said = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", response.headers.get("Content-Range", ""))
        if status == 416 or (status == 206 and not (said and int(said[1]) == have)):
            part.unlink(missing_ok=True)
            raise requests.exceptions.RetryError(f"it does not continue at byte {have} (HTTP {status})")
        if status not in (200, 206):
            raise requests.HTTPError(f"HTTP {status} {response.reason}")
        with open(part, "ab" if status == 206 else "wb") as file:
            for piece in _pieces(response):
                if stop.is_set():
                    raise InterruptedError("stopped")
                file.write(piece)
                count(len(piece))
            file.flush()
            os.fsync(file.fileno())
    return status == 200 or said[3] == "*" or int(said[2]) + 1 >= int(said[3])


def _pieces(response):
    """Yield the body as it comes in: pieces that are filled first would lose the last one when a connection breaks."""
    try:
        while piece := response.raw.read1(PIECE_BYTES, decode_content=True):
            yield piece
    except ReadTimeoutError as error:
        raise requests.ReadTimeout(error) from error
    except HTTPError as error:
        raise requests.exceptions.ChunkedEncodingError(error) from error


def size(path):
    """Return the size of a file in bytes, 0 if it is absent."""
    return path.stat().st_size if path.exists() else 0


def reason(error):
    """Return in a few words why `receive` failed; the libraries' own messages nest a whole chain."""
    if isinstance(error, requests.ConnectTimeout):
        return f"no connection within {TIMEOUT_S[0]:g} s"
    if isinstance(error, requests.Timeout) or "Read timed out" in str(error):
        return f"nothing came for {TIMEOUT_S[1]:g} s"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke off again and again"
    while inner := next((e for e in (getattr(error, "reason", None), *error.args) if isinstance(e, Exception)), None):
        error = inner
    return str(error).rsplit(": ", 1)[-1]
