"""The site of a study, by Quarto or by pandoc: ``python -m helpers.report.site <patient>``, once notebook 7 has run."""

import html
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
import pypandoc
import yaml

from helpers.report import form, links, pages, results, supplement
from helpers.study import files, markdown
from helpers.study.parallel import parallel_map

NOTEBOOKS = ("01_acquire", "02_preprocess", "03_train", "04_evaluate", "05_explain", "06_narrate", "07_report")
QUARTO = (1, 7)  # the oldest version that renders the site as intended
TEMPLATES = Path(__file__).parent / "templates"
PANDOC = f"{Path(pypandoc.__file__).parent}/files/pandoc"
SHORT = {"index": "Article", "report": "The reference's form"}  # names of pages in the menu, where not their titles
OVERVIEW = "../../overview/index.html"  # of all patients, from the top of a patient's site; made after it


def write(patient):
    """Write a patient's site; return and raise as `render`, or as what its pages are made by."""
    found, folder = results.read(patient), files.stage_folder(patient, "notebooks")
    executed = {name: nbformat.read(folder / f"{name}.ipynb", as_version=4) for name in NOTEBOOKS}
    written = {"index": pages.read(executed[NOTEBOOKS[-1]], NOTEBOOKS[-1], article=True)}
    written |= supplement.write(found, executed) | {"report": form.page(found)}
    written |= {f"notebooks/{name}": pages.read(notebook, name) for name, notebook in executed.items()}
    who = results.describe_patients(found)
    name = f"{who[0].upper()}{who[1:]}{', simulated' if found.source['simulated'] else ''}"
    return render(written, files.stage_folder(patient, "report"), name, OVERVIEW)


def render(written, folder, name, overview=""):
    """Render a site called `name` and write it with its sources to `folder`, in place of what was there.

    `written` has (title, Markdown, files) of each page by its path without ending, in order; ``index`` is the first.
    The files, by path, are what the page needs: each a path to copy from, text, or bytes. `overview` links, from the
    site's top, to the page of all patients.

    Returns ``"Quarto <version>"``, or ``"pandoc"`` where no Quarto of 1.7 or newer is on PATH. Raises RuntimeError if
    the renderer fails or warns, ValueError if a page has a fault (`links.check`); the old site then stays.
    """
    version = _run(["quarto", "--version"]).strip() if shutil.which("quarto") else ""
    with_quarto = tuple(map(int, re.findall(r"\d+", version)[:2])) >= QUARTO
    styles = ("study.css", "references.bib", *(("study.scss", "dark.scss") if with_quarto else ("plain.css",)))
    sources = {file: TEMPLATES / file for file in styles}
    for page, (title, text, others) in written.items():
        header = json.dumps({"title": title, "lang": "en"}, ensure_ascii=False)
        sources |= others | {f"{page}.qmd": f"---\n{header}\n---\n\n{text}\n"}
    # Apart from the project, so that no _quarto.yml above it counts and no incomplete page is left behind.
    with tempfile.TemporaryDirectory() as scratch:
        site = Path(scratch, "site")
        for file, content in sources.items():
            content = content.read_bytes() if isinstance(content, Path) else content
            files.write_bytes(site / file, content.encode("utf-8") if isinstance(content, str) else content)
        short = SHORT if len(written) > 1 else {}
        menu = {page: html.escape(short.get(page, title), quote=False) for page, (title, *_) in written.items()}
        (_render_by_quarto if with_quarto else _render_by_pandoc)(site, menu, name, overview)
        links.check(site, folder, later=(overview,))
        _replace(Path(folder), site)
    return f"Quarto {version}" if with_quarto else "pandoc"


def _replace(folder, site):
    """Write all files of `site` to `folder`, each by an atomic write, and delete the other files there."""
    new, old = ({path.relative_to(top) for path in top.rglob("*") if path.is_file()} for top in (site, folder))
    for name in sorted(new):
        files.write_bytes(folder / name, (site / name).read_bytes())
    for name in old - new:
        (folder / name).unlink()


def _run(command, folder=None):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        raise RuntimeError(f"{Path(command[0]).name} failed with exit code {done.returncode}:\n{done.stderr.strip()}")
    return done.stdout


def _render_by_quarto(site, menu, name, overview):
    settings = yaml.safe_load((TEMPLATES / "quarto.yml").read_text(encoding="utf-8"))
    settings["project"]["render"] = [f"{page}.qmd" for page in menu]
    entries = [{"href": f"{page}.qmd", "text": text} for page, text in menu.items()]
    notebooks = [entry for entry in entries if "/" in entry["href"]]
    bar = [entries[0], {"text": "More", "menu": entries[1 : len(entries) - len(notebooks)]}] if notebooks else entries
    bar += [{"text": "Notebooks", "menu": notebooks}] if notebooks else []
    bar += [{"href": overview, "text": "All patients"}] if overview else []
    settings["website"] |= {"title": markdown.escape(name), "navbar": {"left": bar}}
    (site / "_quarto.yml").write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")
    _run(["quarto", "render", "--no-execute"], site)
    shutil.copytree(site / "_site", site, dirs_exist_ok=True)
    for folder in ("_site", ".quarto"):
        shutil.rmtree(site / folder, ignore_errors=True)


def _render_by_pandoc(site, menu, name, overview):
    parallel_map(_render_page, [(site, menu, name, overview, page) for page in menu], "render", "page", threads=True)


def _render_page(site, menu, name, overview, page):
    """Render one page by pandoc."""
    up = "../" * page.count("/")
    variables = {"up": up, "site": html.escape(name), "overview": overview and up + overview}
    for key, inner in (("pages", False), ("notebooks", True)):
        others = [other for other in menu if ("/" in other) == inner]
        variables[key] = [{"name": one, "text": menu[one], "here": one == page} for one in others]
    settings = {"input-files": [f"{Path(page).name}.qmd"], "output-file": f"{Path(page).name}.html"}
    settings |= {"template": str(TEMPLATES / "plain.html"), "bibliography": f"{up}references.bib"}
    own = site.parent / f"{Path(page).name}.json"
    own.write_text(json.dumps(settings | {"variables": variables}), encoding="utf-8")
    _run([PANDOC, *(f"--defaults={path}" for path in (TEMPLATES / "pandoc.yml", own))], (site / page).parent)


if __name__ == "__main__":
    try:
        print(f"by {write(sys.argv[1])}: output/{sys.argv[1]}/report/index.html")
    except (OSError, ValueError, RuntimeError) as error:
        sys.exit(f"error in report@{sys.argv[1]}: {error}")
