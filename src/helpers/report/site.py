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

NOTEBOOKS = ("01_acquire", "02_preprocess", "03_train", "04_evaluate", "05_explain", "06_narrate", "07_report")
QUARTO = (1, 7)  # the oldest version that renders the site as intended
# A page's source is Markdown alone: no HTML and no TeX in it is followed.
READER = "markdown-raw_html-raw_tex-raw_attribute-tex_math_dollars"
TEMPLATES = Path(__file__).parent / "templates"
SHORT = {"index": "Article", "report": "The reference's form"}  # names of pages in the menu, where not their titles
OVERVIEW = "../../overview/index.html"  # of all patients, from the top of a patient's site; made after it


def write(patient):
    """Write a patient's site; return and raise as `render`, or as what its pages are made by."""
    found, executed = results.read(patient), {}
    for name in NOTEBOOKS:
        path = files.stage_output(patient, name.partition("_")[2], f"../notebooks/{name}.ipynb")
        executed[name] = nbformat.read(path, as_version=4)
    written = {"index": pages.read(executed[NOTEBOOKS[-1]], NOTEBOOKS[-1], article=True)}
    written |= supplement.write(found, executed) | {"report": (*form.page(found), form.pictures(found))}
    written |= {f"notebooks/{name}": pages.read(notebook, name) for name, notebook in executed.items()}
    sources = {"report.md": form.text(found)}
    for *_, pictures in written.values():
        sources |= pictures
    name = f"Patient {patient}{', simulated' if found.source['simulated'] else ''}"
    texts = {page: (title, text) for page, (title, text, _) in written.items()}
    return render(texts, sources, files.stage_folder(patient, "report"), name, OVERVIEW)


def render(texts, sources, folder, name, overview=None):
    """Render a site and write it with its sources to `folder`, in place of what was there.

    `texts` has (title, Markdown) of each page by its path without ending, in order; ``index`` is the first. `sources`
    has the other files by path: a path to copy from, text, or bytes. `name` is the site's; `overview` links, from its
    top, to the page of all patients. Files in `folder` that are no longer of the site go, after all else went well.

    Returns ``"Quarto <version>"``, or ``"pandoc"`` where no Quarto of 1.7 or newer is on PATH. Raises RuntimeError if
    the renderer fails or warns, ValueError if a page has a fault (`links.check`).
    """
    version = _run(["quarto", "--version"]).strip() if shutil.which("quarto") else ""
    with_quarto = tuple(map(int, re.findall(r"\d+", version)[:2])) >= QUARTO
    styles = ("study.css", "references.bib", *(("study.scss", "dark.scss") if with_quarto else ("plain.css",)))
    sources = sources | {file: TEMPLATES / file for file in styles}
    for page, (title, text) in texts.items():
        header = json.dumps({"title": title, "lang": "en"}, ensure_ascii=False)
        sources[f"{page}.qmd"] = f"---\n{header}\n---\n\n{text}\n"
    # Apart from the project, so that no _quarto.yml above it counts and no incomplete page is left behind.
    with tempfile.TemporaryDirectory() as scratch:
        site = Path(scratch, "site")
        for file, content in sources.items():
            (site / file).parent.mkdir(parents=True, exist_ok=True)
            content = content.read_bytes() if isinstance(content, Path) else content
            (site / file).write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        menu = {page: html.escape(SHORT.get(page, title), quote=False) for page, (title, _) in texts.items()}
        (_render_by_quarto if with_quarto else _render_by_pandoc)(site, menu, name, overview)
        links.check(site, folder, later=filter(None, (overview,)))
        _replace(Path(folder), site)
    return f"Quarto {version}" if with_quarto else "pandoc"


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
    """Render each page by pandoc. A warning is an error: pandoc only warns of a missing picture or work."""
    shutil.copyfile(TEMPLATES / "plain.html", site.parent / "plain.html")
    for page in menu:
        up, entries = "../" * page.count("/"), {True: "", False: ""}
        for other, text in menu.items():
            here = ' aria-current="page"' if other == page else ""
            entries["/" in other] += f'<li><a href="{up}{other}.html"{here}>{text}</a></li>\n'
        variables = {"up": up, "site": html.escape(name), "pages": entries[False], "notebooks": entries[True]}
        variables |= {"overview": up + overview} if overview else {}
        command = [f"{Path(pypandoc.__file__).parent}/files/pandoc", f"{Path(page).name}.qmd", f"--from={READER}"]
        command += [f"--output={Path(page).name}.html", "--to=html5", f"--template={up}../plain.html", "--standalone"]
        command += ["--toc", "--toc-depth=2", "--citeproc", f"--bibliography={up}references.bib", "--fail-if-warnings"]
        # A table's columns are as wide as what is in them, however long its lines are.
        command += ["--metadata=link-citations", "--wrap=none", "--columns=9999"]
        # In whatever locale: ASCII alone.
        ascii_only = {
            key: text.encode("ascii", "xmlcharrefreplace").decode() for key, text in variables.items() if text
        }
        _run([*command, *(f"--variable={key}:{text}" for key, text in ascii_only.items())], (site / page).parent)


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


if __name__ == "__main__":
    try:
        print(f"by {write(sys.argv[1])}: output/{sys.argv[1]}/report/index.html")
    except (OSError, ValueError, RuntimeError) as error:
        sys.exit(f"error in report@{sys.argv[1]}: {error}")
