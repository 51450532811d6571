"""Revisions: source files named by content as git does, and the commit that holds exactly those."""

import hashlib
import shutil
import subprocess
from pathlib import Path

from helpers.study import files

SEARCHED = 50  # commits that changed one of the files, the newest first


def blob(path):
    """Return the identifier that git gives a file's content: SHA-1 of ``blob <bytes>``, a zero byte, and the content.

    The same content has the same one everywhere, with or without git; ``git log --find-object=…`` names the commits
    that brought or took it, and Software Heritage archives it as ``swh:1:cnt:…``.

    Source: git-scm.com/book/en/v2/Git-Internals-Git-Objects.
    """
    content = Path(path).read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def find(blobs):
    """Return where version control has exactly these files.

    Parameters
    ----------
    blobs : dict of str → str
        By path in the project: what `blob` returned when the file was used.

    Returns
    -------
    dict or None
        ``commit``: the newest one up to HEAD that changed any of the files and holds all of them as they were used,
        and its ``date``; or, where there is none, both None. ``changed``: then, the paths that HEAD has not as they
        were used. None where there is no git, or no repository of the project's own.
    """
    if git("rev-parse", "--verify", "HEAD") == "" or not blobs:
        return None
    paths = ["--", *sorted(blobs)]
    for line in git("log", f"-{SEARCHED}", "--format=%H %cs", *paths).splitlines():
        commit, date = line.split()
        if _held(commit, paths) == blobs:
            return {"commit": commit, "date": date, "changed": []}
    held = _held("HEAD", paths)
    return {"commit": None, "date": None, "changed": [path for path in sorted(blobs) if held.get(path) != blobs[path]]}


def _held(commit, paths):
    """Return the identifiers of the files that a commit has at these paths."""
    lines = git("ls-tree", "-r", "-z", commit, *paths).split("\0")
    return {path: about.split()[2] for about, path in (line.split("\t", 1) for line in lines if line)}


def git(*arguments):
    """Return what git says, or nothing where there is no git, or no repository of the project's own."""
    if not shutil.which("git") or not (files.ROOT / ".git").exists():
        return ""
    # the paths are taken as they stand: one with * or [ in it is no pattern
    command = ["git", "--literal-pathspecs", *arguments]
    done = subprocess.run(command, cwd=files.ROOT, capture_output=True, text=True, encoding="utf-8")
    return done.stdout.strip("\n") if done.returncode == 0 else ""
