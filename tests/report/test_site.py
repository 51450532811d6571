"""The site: faults of a page are found, notebooks become pages, all patients stand beside each other, tables sort."""

import json
import shutil
import subprocess

import nbformat
import pytest
from test_report import METRICS, SURE, UNSURE

from helpers.report import links, overview, pages, site
from helpers.study import files

GOOD = '<h1 id="a b">A</h1><img src="p.png" alt="A line."><a href="b.html#here">b</a> <a href="#a%20b">up</a>'
OTHER = '<p id="here">B</p><a href="https://example.org">clicked</a><a href="../metrics.json">file</a>'


def write_site(folder, page=GOOD, style=""):
    """A site of two pages beside a file of results: every link of it leads somewhere."""
    pages = {"index.html": page, "b.html": OTHER, "p.png": "x", "x.css": style, "../metrics.json": ""}
    for name, text in pages.items():
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
        ("<p>see ?@fig-lost</p>", "the cross-reference ?@fig-lost leads nowhere"),
    ],
)
def test_each_fault_is_found(tmp_path, page, fault):
    with pytest.raises(ValueError, match="1 fault in the site") as error:
        links.check(write_site(tmp_path / "site", page))
    assert fault in str(error.value)


@pytest.mark.parametrize(
    "style", ["@import 'https://fonts.example.org/a';", "a { background: url( //example.org/a.png) }"]
)
def test_a_style_that_loads_from_elsewhere_is_found(tmp_path, style):
    with pytest.raises(ValueError, match="x.css loads from elsewhere"):
        links.check(write_site(tmp_path / "site", style=style))


def test_what_is_no_fault(tmp_path):
    """Words in a script, a link that is a button, the libraries' own pages, a file that a later stage makes."""
    page = GOOD + '<script>"?@fig-x"</script><a href="#">menu</a><a href="../later.html">later</a><a href="./">top</a>'
    folder = write_site(tmp_path / "site", page)
    files.write_text(folder / "site_libs" / "demo.html", '<img src="none.png">')
    links.check(folder, later=("../later.html",))
    with pytest.raises(ValueError, match="later.html leads to no file"):
        links.check(folder)


def test_links_out_of_the_site_are_followed_from_its_home(tmp_path):
    """Rendered apart, it lies later beside the results to which it links."""
    folder = write_site(tmp_path / "scratch" / "site")
    (tmp_path / "scratch" / "metrics.json").unlink()
    with pytest.raises(ValueError, match=r"b.html: \.\./metrics.json leads to no file"):
        links.check(folder)
    files.write_text(tmp_path / "output" / "metrics.json", "")
    links.check(folder, home=tmp_path / "output" / "report")


def notebook(*cells):
    """A notebook with a title; each cell is (source, number of pictures), or (source, outputs)."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# 9 · Test\n\n**Why?**")])
    for source, shown in cells:
        cell = nbformat.v4.new_code_cell(source)
        many = [picture(n) for n in range(shown)] if isinstance(shown, int) else shown
        cell.outputs = [nbformat.from_dict(output) for output in many]
        book.cells.append(cell)
    return book


def picture(number):
    # "AAAA" and so on: the pictures' bytes in base64
    return nbformat.v4.new_output("display_data", {"image/png": "ABCD"[number] * 4, "text/plain": "<Figure>"})


STREAM = nbformat.v4.new_output("stream", name="stdout", text="x\n")
SAID = '#| label: fig-a\n#| fig-cap: "Cap: a."\n#| fig-alt: "Alt a."\ndraw()'


def test_options_are_the_first_lines_alone():
    assert pages.options(SAID) == {"label": "fig-a", "fig-cap": "Cap: a.", "fig-alt": "Alt a."}
    assert pages.options("x = 1\n#| label: fig-a") == {} == pages.options("")


def test_figures_by_label():
    """The labelled one with its words; none of a cell that showed nothing, or whose label is no figure's."""
    others = (SAID.replace("fig-a", "fig-b"), 0), ('#| label: many\n#| fig-alt: "x"', 2)
    found = pages.figures({"09_test": notebook((SAID, [STREAM, picture(1)]), *others)})
    words = {"notebook": "09_test", "title": "9 · Test", "caption": "Cap: a.", "alt": "Alt a."}
    assert found == {"fig-a": words | {"png": b"\x04\x10A"}}


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([(SAID, 1), (SAID, 1)], "both have a figure labelled fig-a"),
        ([(SAID.replace("fig-cap", "cap"), 1)], "the figure labelled fig-a has no fig-cap"),
        ([(SAID.replace("fig-alt", "alt"), 1)], "the figure labelled fig-a has no fig-alt"),
        ([(SAID, 2)], "the cell labelled fig-a shows 2 figures; split it"),
    ],
)
def test_figures_that_cannot_be_embedded(cells, message):
    with pytest.raises(ValueError, match=message):
        pages.figures({"09_test": notebook(*cells)})


def test_each_picture_of_a_page_has_its_alt_text():
    """One picture: the cell's own words. Two after a line of text: Quarto counts outputs, so three, the first empty."""
    page = pages.page(notebook((SAID, 1), ('#| fig-alt: "A sample."\nx', [STREAM, picture(0), picture(1)])), "sim99")
    assert page.cells[1].source == SAID
    assert pages.options(page.cells[2].source)["fig-alt"] == ["", "A sample, 1 of 2.", "A sample, 2 of 2."]
    assert page.cells[2].source.endswith("\nx")
    with pytest.raises(ValueError, match=r"9 · Test: a cell shows a picture without alt text: 'draw\(\)'"):
        pages.page(notebook(("draw()", 1)), "sim99")


def test_parameters_are_called_so():
    """The two cells that papermill knows; the defaults' and the run's."""
    book = notebook(("x = 1", 0), ("x = 2", 0), ("x", [STREAM]))
    book.cells[1].metadata["tags"], book.cells[2].metadata["tags"] = ["parameters"], ["injected-parameters"]
    said = [pages.options(cell.source).get("code-summary") for cell in pages.page(book, "sim99").cells[1:]]
    assert said == ["Parameters and their defaults", "Parameters of this run", None]


def test_a_page_follows_nothing_that_a_cell_printed():
    """A model's Markdown, and a name in printed text that is a shortcode to Quarto."""
    shown = nbformat.v4.new_output("display_data", {"text/markdown": "## A\n<script>x</script> [l](javascript:x)"})
    printed = nbformat.v4.new_output("stream", name="stdout", text="{{< include /etc/passwd >}}")
    page = pages.page(notebook(("display(Markdown(text))", [shown, printed])), "sim99")
    text = page.cells[1].outputs[0].data["text/markdown"]
    assert "\\<script" in text and "\\[l" in text and text.startswith("### A")
    assert "{{<" not in page.cells[1].outputs[1].text and "include /etc/passwd" in page.cells[1].outputs[1].text


def test_a_notebook_without_results_says_so():
    """As the report's own, which makes the page; one that has run says nothing of the kind. Neither changes itself."""
    bare, ran = notebook(("x", 0)), notebook(("x", [STREAM]))
    assert "output/sim99/notebooks/" in pages.page(bare, "sim99").cells[0].source
    assert pages.page(ran, "sim99").cells[0].source == ran.cells[0].source == bare.cells[0].source
    with pytest.raises(ValueError, match=r"begins with 'Test'; it must begin with a heading"):
        pages.title(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("Test")]))


def test_the_new_site_takes_the_old_one_s_place(tmp_path):
    """Files of the last site that this one lacks go, with the folders that held them; all others are this one's."""
    new, old = tmp_path / "new", tmp_path / "old"
    for folder, names in ((new, ("a.html", "n/b.html")), (old, ("a.html", "m/c.html", "d.png"))):
        for name in names:
            files.write_text(folder / name, f"{folder.name} {name}")
    site._replace(old, new)
    found = {path.relative_to(old).as_posix(): path.read_text() for path in old.rglob("*") if path.is_file()}
    assert found == {"a.html": "new a.html", "n/b.html": "new n/b.html"} and not (old / "m").exists()


def context(patient, simulated=True):
    """What the overview needs of `article.compose`: three recordings of ten minutes in all."""
    return {
        "patient": patient,
        "source": {"simulated": simulated, "description": "d"},
        "recordings": [{"duration_s": "240.0"}, {"duration_s": "240.0"}, {"duration_s": "120.0"}],
        "metrics": METRICS,
    }


@pytest.fixture
def two_patients(tmp_path, monkeypatch):
    """Two finished patients, one of whom was recorded, whose studies have a page each."""
    monkeypatch.setattr(files, "ROOT", tmp_path)
    monkeypatch.setattr(site, "quarto_version", lambda: None)
    for name, simulated in (("sim99", True), ("anna_b", False)):
        files.write_json(tmp_path / "output" / "studies" / f"{name}.json", overview.summary(context(name, simulated)))
        files.write_text(tmp_path / "output" / name / "report" / "index.html", "<p>a study</p>")
    return tmp_path / "output" / "overview"


def test_all_patients_stand_beside_each_other(two_patients):
    """In the order of the study, each with its scores and a link; the one that is not finished is named as such."""
    assert overview.write(["sim99", "chb08", "anna_b"], two_patients) == "pandoc"
    page = links.Page((two_patients / "index.html").read_text("utf-8"))
    words = " ".join(" ".join(page.words).split())
    assert page.links.index("../sim99/report/index.html") < page.links.index("../anna_b/report/index.html")
    assert "simulated 3 0.2 2 of 2 2 0.8 (0.7 to 0.9) 0.812 (0.700 to 0.900)" in words and "recorded 3" in words
    assert "but not finished: chb08." in words and "make study PATIENT=chb08" in words
    assert [one["src"] for one in page.pictures] == ["scores.png"]
    assert (two_patients / "scores.png").read_bytes().startswith(b"\x89PNG")
    overview.write(["chb08"], two_patients)
    page = links.Page((two_patients / "index.html").read_text("utf-8"))
    assert "No patient's study is finished yet" in " ".join(page.words).replace("’", "'") and not page.pictures


def test_the_overview_s_picture_has_each_patient_s_interval():
    """One row each, from 0.7001 to 0.9002 around 0.8123; a score that is undefined has neither line nor point."""
    found = [overview.summary(context(name)) for name in ("a", "b")]
    found[1]["intervals"] = METRICS["intervals"] | {"events": dict.fromkeys(("f1", "fp_per_24h"), UNSURE)}
    axes = overview.figure(found).axes
    assert [axis.get_xlabel() for axis in axes] == [label for label, _ in overview.PANELS.values()]
    assert [text.get_text() for text in axes[0].get_yticklabels()] == ["a", "b"]
    assert [len(axis.lines) for axis in axes] == [4, 4, 2, 2]
    for row in (0, 1):
        assert list(axes[0].lines[2 * row].get_xdata()) == [SURE["low"], SURE["high"]]
        assert list(axes[0].lines[2 * row + 1].get_data()) == [[SURE["value"]], [row]]


NUMBERS = {
    "94.83%": 0.9483, "0.792 (0.654–0.911)": 0.792, "12 of 40": 12, "−0.03": -0.03, "1,325.5": 1325.5, "10^47": 1e47,
    "1.5e-3": 0.0015, "< 0.0001 in size": 0.0001, ".5": 0.5, "−": None, "": None, "sim08_01": None, "10:04:07": None,
}  # fmt: skip


def node(script, **values):
    """Run a piece of JavaScript with `page`, what page.js exports; return what it gives as JSON."""
    if not shutil.which("node"):
        pytest.skip("node is not on PATH: the script of the pages is not tested")
    before = f"const page = require({json.dumps(str(site.TEMPLATES / 'page.js'))});"
    before += "".join(f"const {key} = {json.dumps(value)};" for key, value in values.items())
    code = f"{before} console.log(JSON.stringify({script}))"
    done = subprocess.run(["node", "-e", code], capture_output=True, text=True, encoding="utf-8", check=True)
    return json.loads(done.stdout)


def test_numbers_in_cells():
    found = node("texts.map(page.number)", texts=list(NUMBERS))
    assert dict(zip(NUMBERS, found, strict=True)) == pytest.approx(NUMBERS)


@pytest.mark.parametrize(
    ("cells", "way", "wanted"),
    [
        (["10", "–", "9", "−1"], -1, ["10", "9", "−1", "–"]),
        (["0.5", "", "off", "94.83%", "0.9"], -1, ["94.83%", "0.9", "0.5", "off", ""]),
        (["r10", "r9", "Éa", "eb", "–"], 1, ["Éa", "eb", "r9", "r10", "–"]),
        (["1", "2", "1.0", "2"], 1, ["1", "1.0", "2", "2"]),
    ],
)
def test_columns_sort_numbers_as_numbers_and_dashes_last(cells, way, wanted):
    assert [cells[place] for place in node("page.order(cells, way, 'en')", cells=cells, way=way)] == wanted
