"""The site: notebooks become pages, faults of a page are found, both renderers say the same, all patients on a page."""

import re
import shutil
import stat
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pandas as pd
import pytest

from helpers.report import links, overview, pages, site
from helpers.study import files, markdown

GOOD = '<h1 id="a b">A</h1><img src="p.png" alt="A line."><a href="b.html#here">b</a> <a href="#a%20b">up</a>'
OTHER = '<p id="here">B</p><a href="https://example.org">clicked</a><a href="../metrics.json">file</a>'
NASTY = "x_[y](javascript:z) <b>*1* @fig-none {{< env HOME >}} $x$"


def write_site(folder, page=GOOD, style=""):
    """A site of two pages beside a file of results: every link of it leads somewhere."""
    found = {"index.html": page, "b.html": OTHER, "p.png": "x", "x.css": style, "../metrics.json": ""}
    for name, text in found.items():
        files.write_text(folder / name, text)
    return folder


@pytest.mark.parametrize(
    ("page", "fault"),
    [
        ('<img src="p.png">', "index.html: the picture p.png has no alt text"),
        ('<img src="p.png" alt=" ">', "the picture p.png has no alt text"),
        ('<img src="q.png" alt="A">', "q.png leads to no file"),
        ('<a href="c.html">c</a>', "c.html leads to no file"),
        ('<a href="b.html#there">c</a>', "b.html#there leads to no place in its page"),
        ('<a href="#there">c</a>', "#there leads to no place in its page"),
        ('<a href="../other.json">c</a>', "../other.json leads to no file"),
        ('<a href="..">a folder without a page</a>', ".. leads to no file"),
        ('<script src="https://example.org/x.js"></script>', "https://example.org/x.js is loaded from elsewhere"),
        ('<link rel="stylesheet" href="//example.org/x.css">', "//example.org/x.css is loaded from elsewhere"),
        ('<iframe src="http://example.org"></iframe>', "http://example.org is loaded from elsewhere"),
    ],
)
def test_each_fault_is_found(tmp_path, page, fault):
    with pytest.raises(ValueError, match="1 fault in the site") as error:
        links.check(write_site(tmp_path / "site", page))
    assert fault in str(error.value)


def test_a_style_that_loads_from_elsewhere_is_found(tmp_path):
    for style in ("@import 'https://fonts.example.org/a';", "a { background: url( //example.org/a.png) }"):
        with pytest.raises(ValueError, match="x.css loads from elsewhere"):
            links.check(write_site(tmp_path / "site", style=style))


def test_what_is_no_fault(tmp_path):
    """A link that is a button, the libraries' own pages, a file that a later stage makes, results beside the home."""
    page = GOOD + '<a href="#">menu</a><a href="../later.html">later</a><a href="./">top</a>'
    folder = write_site(tmp_path / "site", page)
    files.write_text(folder / "site_libs" / "demo.html", '<img src="none.png">')
    links.check(folder, later=("../later.html",))
    with pytest.raises(ValueError, match="later.html leads to no file"):
        links.check(folder)
    (tmp_path / "metrics.json").unlink()
    files.write_text(tmp_path / "output" / "metrics.json", "")
    links.check(folder, home=tmp_path / "output" / "report", later=("../later.html",))


def notebook(*cells):
    """A notebook with a title; each cell is text, (source, outputs) or (source, outputs, tag)."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# 9 · Test\n\n**Why?**")])
    for cell in cells:
        made = nbformat.v4.new_markdown_cell(cell) if isinstance(cell, str) else nbformat.v4.new_code_cell(cell[0])
        if not isinstance(cell, str):
            made.outputs = [nbformat.from_dict(output) for output in cell[1]]
            made.metadata["tags"] = list(cell[2:])
        book.cells.append(made)
    return book


def shows(kind, data):
    return nbformat.v4.new_output("display_data", {kind: data, "text/plain": "<a>"})


PNG, SVG = shows("image/png", "AAAA"), shows("image/svg+xml", "<svg/>")
STREAM = nbformat.v4.new_output("stream", text="x\n")
SAID = '#| label: fig-a\n#| fig-cap: "Cap: a."\n#| fig-alt: "Alt a."\ndraw()'
TABLE = '#| label: tbl-b\n#| tbl-cap: "Tab."\n#| echo: false\nshow()'


def test_a_notebook_as_a_page():
    """Code, what it prints and its figures, numbered; `echo: false` hides code; a link leads one folder up."""
    said = "See @fig-a and [all](report.html)."
    book = notebook(said, (SAID, [STREAM, SVG]), (TABLE, [shows("text/markdown", "| x |")]))
    title, text, pictures = pages.read(book, "09_test")
    assert title == "9 · Test" and pictures == {"media/09_test-3-1.svg": "<svg/>"}
    for part in ("**Why?**", "[Figure 1](#figure-a)", "(../report.html)", "``` python\ndraw()", "{.output}\nx\n"):
        assert part in text
    assert "(../media/09_test-3-1.svg)" in text and 'alt="Alt a."' in text and "show()" not in text
    assert "**Table 1.** Tab." in text


def test_a_notebook_as_the_article():
    """The title is the first heading that is left; no code, no printed text, no cell with the tag."""
    intro, hidden = nbformat.v4.new_markdown_cell("x", metadata={"tags": ["remove_cell"]}), ("1", [PNG], "remove_cell")
    book = notebook(("t", [STREAM, shows("text/markdown", "# The title\n\nBy us.")]), "# Part", (SAID, [PNG]), hidden)
    book.cells[0] = intro
    title, text, pictures = pages.read(book, "09_test", article=True)
    assert title == "The title" and "By us." in text and "## Part" in text
    assert list(pictures) == ["media/09_test-4-0.png"]
    assert "draw()" not in text and "{.output}" not in text and "(media/09_test-4-0.png)" in text


def test_several_pictures_of_a_cell():
    """Each has the cell's alt text, and none has a caption."""
    _, text, pictures = pages.read(notebook((SAID, [STREAM, PNG, SVG])), "09_test")
    assert len(pictures) == 2 and "Cap" not in text.partition("draw")[2] and text.count('alt="Alt a."') == 2


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([("draw()", [PNG])], r"09_test: cell 2 shows a picture without alt text"),
        ([(SAID, [PNG]), (SAID, [PNG])], "two figures or tables labelled fig-a"),
        (["@fig-lost"], "refers to @fig-lost"),
    ],
)
def test_a_broken_notebook_is_refused(cells, message):
    with pytest.raises(ValueError, match=message):
        pages.read(notebook(*cells), "09_test")


def test_the_supplement_takes_what_is_labelled():
    """Figures and tables of a notebook, by their labels."""
    book = notebook((SAID, [PNG]), ("x", [STREAM]), (TABLE, [shows("text/markdown", "| x |")]))
    shown = pages.labelled(book, "09_test")
    assert list(shown) == ["fig-a", "tbl-b"] and "«tbl-b»" in shown["tbl-b"] and "09_test-2-0.png" in shown["fig-a"]


NAME = markdown.escape(NASTY)
INDEX = f"{NAME} [b](notebooks/b.html#here) [@adebayo2018]\n\n{markdown.figure('a.svg', 'Cap.', NASTY)}"
INDEX += "\n\n::: {#refs}\n:::"
INNER = "## Here\n\n<script>alert(1)</script> `<b>`{=html} $x$\n\n" + markdown.fence(NASTY, "{.output}")
OTHERS = {"a.svg": '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', "report.md": "# A"}
PAGES = {"index": (NAME, INDEX, OTHERS), "notebooks/b": ("4 · Ä", INNER, {})}
QUARTO = pytest.param("Quarto", marks=pytest.mark.skipif(not shutil.which("quarto"), reason="no quarto on PATH"))


def read_all(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def make(folder, monkeypatch, renderer="pandoc", written=PAGES):
    if renderer == "pandoc":
        monkeypatch.setenv("PATH", "/nowhere")
    assert site.render(written, folder, NASTY).startswith(renderer)
    return read_all(folder)


@pytest.mark.slow
@pytest.mark.parametrize("renderer", ["pandoc", QUARTO])
def test_a_site(tmp_path, monkeypatch, renderer):
    """Names are shown, no markup in them works; twice the same bytes, without a path of this machine."""
    found = make(tmp_path / "site", monkeypatch, renderer)
    index, inner = (found[name].decode() for name in ("index.html", "notebooks/b.html"))
    for text in (index, inner):
        page = links.Page(text)
        assert not [link for link in page.links if link.startswith("javascript:z")]
        assert "<b>*1*" not in re.sub(r'"[^"]*"', "", text)  # in an attribute it is text
        assert "{{&lt; env HOME &gt;}}" in text.replace("\u200b", "") and str(Path.home()) not in text
    assert "<script>alert(1)" not in inner and "<math" not in inner and "Adebayo" in index
    page = links.Page(index)
    assert [(picture["src"], bool(picture["alt"])) for picture in page.pictures] == [("a.svg", True)]
    assert "notebooks/b.html#here" in page.links
    assert "notebooks/b.html" in [link.removeprefix("./") for link in page.links]
    assert all(make(tmp_path / name, monkeypatch, renderer) == found for name in ("site", "ü"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("was", "becomes", "error", "message"),
    [
        ("(a.svg)", "(b.svg)", ValueError, "b.svg leads to no file"),
        ("b.html#here", "b.html#there", ValueError, "#there leads to no place"),
        ("@adebayo2018", "@nobody2018", RuntimeError, "nobody2018"),
    ],
)
def test_a_broken_site_leaves_the_old_one(tmp_path, monkeypatch, was, becomes, error, message):
    before = make(tmp_path, monkeypatch)
    with pytest.raises(error, match=message):
        make(tmp_path, monkeypatch, written=PAGES | {"index": (NAME, INDEX.replace(was, becomes), OTHERS)})
    assert read_all(tmp_path) == before


def fake_quarto(folder, monkeypatch, script):
    path = folder / "quarto"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def test_an_old_quarto_is_not_used(tmp_path, monkeypatch):
    fake_quarto(tmp_path, monkeypatch, "echo 1.4.557")
    assert site.render(PAGES, tmp_path / "site", "A site") == "pandoc"
    assert "Rendered without" in (tmp_path / "site" / "index.html").read_text("utf-8")


def test_a_failing_quarto_leaves_nothing(tmp_path, monkeypatch):
    script = '[ "$1" = --version ] && echo 1.10.2 && exit 0; echo "no such theme" >&2; exit 3'
    fake_quarto(tmp_path, monkeypatch, script)
    with pytest.raises(RuntimeError, match="quarto failed with exit code 3:\nno such theme"):
        site.render(PAGES, tmp_path / "site", "A site")
    assert not (tmp_path / "site").exists()


def test_the_new_site_takes_the_old_one_s_place(tmp_path, monkeypatch):
    """Files of the last site that this one lacks go. What the disk refuses takes nothing of the last one."""
    before = make(tmp_path, monkeypatch)
    assert "notebooks/b.html" in before

    def fill_the_disk(path, data, write=files.write_bytes):
        if tmp_path in path.parents:
            raise files.DiskError("No space left on device")
        write(path, data)

    with monkeypatch.context() as patched, pytest.raises(files.DiskError, match="No space"):
        patched.setattr(files, "write_bytes", fill_the_disk)
        make(tmp_path, patched, written={"index": ("A", "Text.", {})})
    assert read_all(tmp_path) == before
    assert "notebooks/b.html" not in make(tmp_path, monkeypatch, written={"index": ("A", "Text.", {})})


SURE = {"value": 0.8123, "low": 0.7001, "high": 0.9002, "reason": None}
SCORES = dict.fromkeys(("events", "samples", "smoothed"), dict.fromkeys(("fp_per_24h", "f1", "auprc"), SURE))
METRICS = {"events": {"detected": 2, "seizures": 2, "false_alarms": 1}, "intervals": SCORES}


@pytest.mark.slow
def test_all_patients_are_on_one_page(tmp_path, monkeypatch):
    """In the order of the study, each with its scores and a link; the one that is not finished is named as such."""
    monkeypatch.setattr(files, "ROOT", tmp_path)
    for name, simulated in (("sim99", True), ("anna_b", False)):
        recordings = pd.DataFrame({"duration_s": [200.0] * 3})
        found = SimpleNamespace(source={"simulated": simulated}, recordings=recordings, metrics=METRICS)
        files.write_json(tmp_path / "output" / "studies" / f"{name}.json", overview.summary(found))
        files.write_text(tmp_path / "output" / name / "report" / "index.html", "<p>a study</p>")
    text = overview.text(["sim99", "chb08", "anna_b"])
    assert "| simulated | 3 | 0.2 | 2 of 2 | 1 | 0.8 (0.7 to 0.9) | 0.812 (0.700 to 0.900) |" in text
    assert "| recorded |" in text and "Not finished: chb08. `make study PATIENT=chb08`" in text
    site.render({"index": ("All", text, {})}, tmp_path / "output" / "overview", "All")
    page = links.Page((tmp_path / "output" / "overview" / "index.html").read_text("utf-8"))
    assert page.links.index("../sim99/report/index.html") < page.links.index("../anna_b/report/index.html")
    with pytest.raises(ValueError, match="'../x', which cannot name a patient"):
        overview.text(["../x"])
