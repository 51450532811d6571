"""The site: the article, the report in the reference's form and the notebooks as pages, by Quarto or by pandoc."""

import html
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pypandoc
import yaml

from helpers.report import links, offline
from helpers.study import files

QUARTO = (1, 7)  # the oldest Quarto that renders the site as it is meant
# Nothing in a page's source is followed but Markdown: no HTML, no TeX.
RAW = "-raw_html-raw_tex-raw_attribute-tex_math_dollars"
TEMPLATES = Path(__file__).parent / "templates"
STYLES = ("plain.css", "claims.css", "widgets.css")
SCRIPTS = {"index.qmd": ("probability-data.js", "probability.js")}  # of a page, besides page.js
OVERVIEW = "../../overview/index.html"  # of all patients, from the top of a patient's site; made after it
RECORD = "provenance.json"  # of what made the folder, which is no part of the site
MEDIA = "media"  # where pandoc lays a notebook's pictures, beside its page


def render(pages, sources, folder, again, overview=None):
    """Render a site, and lay it with its sources in `folder`, in place of what was there.

    Parameters
    ----------
    pages : dict
        The sources that become pages, ``.qmd`` or ``.ipynb``, in order, with their names in the contents.
    sources : dict
        Every file of the site by its path in it: a path to copy from, text, or bytes. ``_quarto.yml`` describes the
        site to Quarto.
    folder : Path
        The report's folder. What is in it and no longer of the site is deleted, after all else went well.
    again : str
        The command that makes this site again.
    overview : str, optional
        Link, from the top of the site, to the page of all patients.

    Returns
    -------
    str
        ``"Quarto <version>"``, or ``"pandoc"`` where no Quarto of 1.7 or newer is on PATH.

    Raises
    ------
    RuntimeError
        If the renderer fails; the message is the renderer's.
    ValueError
        If a link or a cross-reference leads nowhere, a picture is missing or has no alt text, or a page loads
        something from elsewhere.
    """
    version = quarto_version()
    full = version is not None and tuple(map(int, re.findall(r"\d+", version)[:2])) >= QUARTO
    # Apart from the project, so that no _quarto.yml above has a say and no half-made page is left behind.
    with tempfile.TemporaryDirectory() as scratch:
        site = Path(scratch, "site")
        for name, content in sources.items():
            _lay(content, site / name)
        if full:
            run(["quarto", "render", "--no-execute"], site)
            shutil.copytree(site / "_site", site, dirs_exist_ok=True)
            for left in ("_site", ".quarto"):
                shutil.rmtree(site / left, ignore_errors=True)
            offline.complete(site)
        else:
            shutil.copyfile(TEMPLATES / STYLES[0], site / STYLES[0])
            for page in pages:
                _render_plain(site, page, pages, _banner(version, again), overview)
        links.check(site, folder, later=filter(None, (overview,)))
        _replace(Path(folder), site)
    return f"Quarto {version}" if full else "pandoc"


def quarto_version():
    """Return the version that the Quarto on PATH gives, or None where there is none."""
    return run(["quarto", "--version"]).strip() if shutil.which("quarto") else None


def run(command, folder=None):
    """Run a renderer and return what it printed.

    Raises
    ------
    RuntimeError
        If it fails; with what it wrote to standard error.
    """
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        raise RuntimeError(f"{Path(command[0]).name} failed with exit code {done.returncode}:\n{done.stderr.strip()}")
    return done.stdout


def _in_utf8(path):
    """Return a path as it is read from a file in UTF-8; under another locale Python's own text has other characters."""
    return os.fsencode(path).decode("utf-8", "surrogateescape")


def _render_plain(site, page, pages, banner, overview):
    """Render one page by pandoc. A warning is a failure: of a picture that is missing pandoc only warns."""
    source, up = Path(page), "../" * page.count("/")
    notebook = source.suffix == ".ipynb"
    variables = {
        "css": [up + style for style in STYLES],
        "script": [up + script for script in ("page.js", *SCRIPTS.get(page, ())) if (site / script).exists()],
        "banner": banner,
        "overview": overview and up + overview,
        "page": [
            {"href": up + str(Path(other).with_suffix(".html")), "text": html.escape(name), "current": other == page}
            for other, name in pages.items()
        ],
    }
    filters = (["notebook.lua"] if notebook else []) + ["widths.lua", "plain.lua"]
    options = {
        "from": ("ipynb+smart" if notebook else "markdown") + RAW,
        "to": "html5",
        "input-files": [source.name],
        "output-file": source.with_suffix(".html").name,
        "template": _in_utf8(TEMPLATES / "plain.html"),
        "filters": [*(_in_utf8(TEMPLATES / name) for name in filters), "citeproc"],
        "html-math-method": {"method": "mathml"},
        "metadata": {"title": pages[page], "lang": "en"} if notebook else {},
        **({"extract-media": MEDIA} if notebook else {}),
        "variables": variables,
        **dict.fromkeys(("standalone", "fail-if-warnings", "table-of-contents"), True),
        **{"toc-depth": 3, "wrap": "none"},
    }
    defaults = site / "defaults.yaml"
    defaults.write_text(yaml.safe_dump(options), encoding="utf-8")
    run([f"{Path(pypandoc.__file__).parent}/files/pandoc", f"--defaults={defaults}"], site / source.parent)
    defaults.unlink()


def _banner(version, again):
    found = f"Quarto {html.escape(version)} was found, which is too old" if version else "Quarto was not found"
    wanted = ".".join(map(str, QUARTO))
    return (
        f"<strong>This is the plain rendering of the study</strong>: {found}. For the full one, install Quarto "
        f'{wanted} or newer from <a href="https://quarto.org/docs/get-started/">quarto.org</a> and run '
        f"<code>{html.escape(again)}</code>."
    )


def _lay(content, path):
    """Write one file of the site: text, bytes, or a copy of another file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, Path):
        shutil.copyfile(content, path)
    else:
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)


def _replace(folder, site):
    """Lay all files of `site` in `folder`, each whole, and delete what is there besides."""
    new = {path.relative_to(site) for path in site.rglob("*") if path.is_file()}
    for name in sorted(new):
        with files.atomic_write(folder / name) as partial:
            shutil.copyfile(site / name, partial)
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
        elif path.is_file() and path.relative_to(folder) not in new and path.name != RECORD:
            path.unlink()
