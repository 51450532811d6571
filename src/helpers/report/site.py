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

from helpers.report import links
from helpers.study import files

QUARTO = (1, 7)  # the oldest version that renders the site as intended
# A page's source is Markdown alone: no HTML and no TeX in it is followed.
RAW = "-raw_html-raw_tex-raw_attribute-tex_math_dollars"
TEMPLATES = Path(__file__).parent / "templates"
STYLES = ("plain.css", "claims.css", "widgets.css")
OVERVIEW = "../../overview/index.html"  # of all patients, from the top of a patient's site; made after it


def render(pages, sources, folder, again, overview=None):
    """Render a site and write it with its sources to `folder`, in place of what was there.

    Parameters
    ----------
    pages : dict
        The sources that become pages, ``.qmd`` or ``.ipynb``, in order, with their titles.
    sources : dict
        Every file of the site by its path in it: a path to copy from, text, or bytes. ``_quarto.yml`` describes the
        site to Quarto.
    folder : Path
        The report's folder. Files in it that are no longer of the site are deleted, after all else went well.
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
        If the renderer fails, with its message.
    ValueError
        If a page has a fault (`links.check`).
    """
    version = quarto_version()
    with_quarto = version is not None and tuple(map(int, re.findall(r"\d+", version)[:2])) >= QUARTO
    # Apart from the project, so that no _quarto.yml above it counts and no incomplete page is left behind.
    with tempfile.TemporaryDirectory() as scratch:
        site = Path(scratch, "site")
        for name, content in sources.items():
            write_source(content, site / name)
        if with_quarto:
            run(["quarto", "render", "--no-execute"], site)
            shutil.copytree(site / "_site", site, dirs_exist_ok=True)
            for name in ("_site", ".quarto"):
                shutil.rmtree(site / name, ignore_errors=True)
        else:
            shutil.copyfile(TEMPLATES / STYLES[0], site / STYLES[0])
            for page in pages:
                render_plain(site, page, pages, _banner(version, again), overview)
        links.check(site, folder, later=filter(None, (overview,)))
        _replace(Path(folder), site)
    return f"Quarto {version}" if with_quarto else "pandoc"


def quarto_version():
    """Return the version of the Quarto on PATH, or None where there is none."""
    return run(["quarto", "--version"]).strip() if shutil.which("quarto") else None


def run(command, folder=None):
    """Run a renderer and return what it printed; RuntimeError, with what it wrote to standard error, if it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        raise RuntimeError(f"{Path(command[0]).name} failed with exit code {done.returncode}:\n{done.stderr.strip()}")
    return done.stdout


def render_plain(site, page, pages, banner, overview):
    """Render one page by pandoc. A warning is an error: pandoc only warns of a missing picture."""
    source, up = Path(page), "../" * page.count("/")
    notebook = source.suffix == ".ipynb"
    variables = {
        "css": [up + style for style in STYLES],
        "script": [up + "page.js"],
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
        **({"metadata": {"title": pages[page], "lang": "en"}, "extract-media": "media"} if notebook else {}),
        "variables": variables,
        **dict.fromkeys(("standalone", "fail-if-warnings", "table-of-contents"), True),
        **{"toc-depth": 3, "wrap": "none"},
    }
    defaults = site / "defaults.yaml"
    defaults.write_text(yaml.safe_dump(options), encoding="utf-8")
    run([f"{Path(pypandoc.__file__).parent}/files/pandoc", f"--defaults={defaults}"], site / source.parent)
    defaults.unlink()


def _in_utf8(path):
    """Return a path as pandoc, which reads UTF-8 alone, finds it under another locale too."""
    return os.fsencode(path).decode("utf-8", "surrogateescape")


def _banner(version, again):
    found = f"Quarto {html.escape(version)} is too old" if version else "Quarto was not found"
    return (
        f"Plain rendering: {found}. For search and cross-page navigation, install "
        f'<a href="https://quarto.org/docs/get-started/">Quarto {".".join(map(str, QUARTO))} or newer</a> and run '
        f"<code>{html.escape(again)}</code>."
    )


def write_source(content, path):
    """Write one file of the site: text, bytes, or a copy of another file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, Path):
        shutil.copyfile(content, path)
    else:
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)


def _replace(folder, site):
    """Write all files of `site` to `folder`, each by an atomic write, and delete the other files there."""
    new = {path.relative_to(site) for path in site.rglob("*") if path.is_file()}
    for name in sorted(new):
        with files.atomic_write(folder / name) as partial:
            shutil.copyfile(site / name, partial)
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
        elif path.is_file() and path.relative_to(folder) not in new:
            path.unlink()
