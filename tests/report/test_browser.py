"""The rendered site in a real browser. Off unless asked for, as it takes minutes: `make test-browser`.

It needs the packages playwright and axe-playwright-python, chromium or google-chrome on the PATH, and a finished study
of sim08. STUDY_BROWSER_SHOTS names a folder for pictures of the screen.
"""

import functools
import http.server
import os
import shutil
import threading
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from conftest import ROOT

OUTPUT = Path(os.environ.get("STUDY_BROWSER_OUTPUT", ROOT / "output"))
SITE = OUTPUT / "sim08" / "report"
SHOTS = os.environ.get("STUDY_BROWSER_SHOTS")
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
WIDTHS = (390, 1280, 1920)
SCHEMES = ("light", "dark")
NAMES = ["index", "report", "notebooks/01_acquire", "notebooks/02_preprocess", "notebooks/03_train"]
NAMES += ["notebooks/04_evaluate", "notebooks/05_explain", "notebooks/06_narrate", "notebooks/07_report"]
PAGES = [f"sim08/report/{name}.html" for name in NAMES] + ["overview/index.html"]
PIECE = 4000  # px
SERIOUS = ("serious", "critical")
BROKEN = """() => [...document.images].filter(image => image.getAttribute("src"))
    .filter(image => !image.complete || image.naturalWidth === 0).map(image => image.src)"""
WIDER = "() => document.scrollingElement.scrollWidth - window.innerWidth"

pytestmark = [
    pytest.mark.skipif(os.environ.get("STUDY_BROWSER") != "1", reason="takes minutes: `make test-browser` runs it"),
    pytest.mark.skipif(not BROWSER, reason="no chromium or google-chrome on the PATH"),
    pytest.mark.skipif(not SITE.is_dir(), reason="needs the study of sim08: `make study`"),
]


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def served():
    """Serve the output folder on this machine, as a web server would."""
    handler = functools.partial(Quiet, directory=OUTPUT)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright: `make test-browser` installs it")
    with api.sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        opened = playwright.chromium.launch(executable_path=BROWSER, args=arguments)
        yield opened
        opened.close()


@pytest.fixture
def tab(browser):
    """Return a function that opens an address in a new window, and collects what goes wrong in it."""
    contexts = []

    def open_tab(address, width=1280, scheme="light", **options):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **options)
        contexts.append(context)
        page = context.new_page()
        page.faults, page.asked = [], []
        page.on("console", lambda said: page.faults.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("dialog", lambda dialog: (page.faults.append(dialog.message), dialog.dismiss()))
        page.goto(address, wait_until="load")
        page.wait_for_load_state("networkidle")
        return page

    yield open_tab
    for context in contexts:
        context.close()


@pytest.mark.parametrize("way", ["file", "http"])
@pytest.mark.parametrize("name", PAGES)
def test_nothing_fails_and_nothing_leaves_the_machine(tab, served, way, name):
    """No error in the console, no request to elsewhere, every picture shown; from a disk and from a server."""
    page = tab((OUTPUT.as_uri() + "/" if way == "file" else served) + name)
    elsewhere = [url for url in page.asked if not url.startswith(("file:", "data:", "blob:", served))]
    # A server without a favicon answers 404: no fault of the page.
    faults = [fault for fault in page.faults if "favicon" not in fault and "404" not in fault or way == "file"]
    assert faults == [] and elsewhere == []
    assert page.evaluate(BROKEN) == []
    missing = [url for url in page.asked if url.startswith("file:") and not Path(unquoted(url)).exists()]
    assert missing == []


def unquoted(url):
    return unquote(urlsplit(url).path)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", PAGES)
def test_no_serious_fault_of_accessibility(tab, scheme, name):
    """By axe-core, which tests against WCAG: nothing serious or critical, light and dark."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = tab(f"{OUTPUT.as_uri()}/{name}", scheme=scheme)
    found = axe.run(page).response["violations"]
    serious = [
        (one["id"], len(one["nodes"]), one["nodes"][0]["html"][:150], one["nodes"][0]["failureSummary"][:220])
        for one in found
        if one["impact"] in SERIOUS
    ]
    assert serious == []


def shoot(page, name, width):
    """Take pictures of a whole page, in pieces that a browser can take."""
    Path(SHOTS).mkdir(parents=True, exist_ok=True)
    height = page.evaluate("() => document.scrollingElement.scrollHeight")
    for number, top in enumerate(range(0, height, PIECE)):
        clip = {"x": 0, "y": top, "width": width, "height": min(PIECE, height - top)}
        page.screenshot(path=f"{SHOTS}/{name}-{number}.png", full_page=True, clip=clip)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_pages_fit_the_screen(tab, width, scheme, name):
    """No page scrolls sideways, on a phone, a laptop or a large screen; a wide table scrolls by itself."""
    page = tab(f"{OUTPUT.as_uri()}/{name}", width, scheme)
    if SHOTS:
        shoot(page, f"{name.replace('/', '-')[:-5]}-{width}-{scheme}", width)
    assert page.evaluate(WIDER) <= 0


def test_the_probability_is_explored_by_keyboard(tab):
    """The chart stands for the picture; keys move its cursor and lead to the next event, and it says what is there."""
    page = tab(f"{SITE.as_uri()}/index.html")
    chart = page.locator("#fig-probability .prob")
    assert chart.is_visible() and not page.locator("#fig-probability img").first.is_visible()
    page.locator("#fig-probability .prob [tabindex='0']").last.focus()
    said = [chart.inner_text()]
    for key in ("ArrowRight", "n", "n"):
        page.keyboard.press(key)
        page.wait_for_timeout(300)
        said.append(chart.inner_text())
    assert len(set(said)) == len(said)


def test_without_scripts_the_picture_is_there(tab):
    page = tab(f"{SITE.as_uri()}/index.html", java_script_enabled=False)
    assert page.locator("#fig-probability img").first.is_visible() and not page.locator(".prob").count()


def test_a_table_sorts_by_a_click_and_goes_back(tab):
    """By its numbers, down and up, and at the third click as it was."""
    page = tab(f"{SITE.as_uri()}/index.html")
    cells = "() => [...document.querySelectorAll('#tbl-folds tbody tr')].map(row => row.cells[4].innerText.trim())"
    was = page.evaluate(cells)
    button = page.locator("#tbl-folds thead th").nth(4).locator("button")
    orders = []
    for _ in range(3):
        button.click()
        orders.append([float(value) for value in page.evaluate(cells)])
    numbers = sorted(float(value) for value in was)
    assert sorted((orders[0], orders[1])) == sorted((numbers, numbers[::-1]))
    assert orders[2] == [float(value) for value in was]


def test_a_fact_is_shown_by_keyboard(tab):
    """A proven sentence that has the focus shows what proves it."""
    page = tab(f"{SITE.as_uri()}/index.html")
    claim = page.locator(".claim").first
    claim.focus()
    assert claim.locator(".claim-facts").is_visible()


def test_a_figure_opens_large_and_closes(tab):
    """The picture of a figure opens by itself, and Escape brings back the page and the focus."""
    page = tab(f"{SITE.as_uri()}/index.html")
    page.locator("#fig-timeline img").click()
    page.wait_for_timeout(700)
    large = page.locator("dialog[open] img, .glightbox-container img")
    assert large.first.is_visible()
    page.keyboard.press("Escape")
    page.wait_for_timeout(700)
    assert large.count() == 0 or not large.first.is_visible()


@pytest.mark.parametrize("way", ["file", "http"])
def test_search_finds_where_quarto_rendered(tab, served, way):
    page = tab((OUTPUT.as_uri() + "/" if way == "file" else served) + "sim08/report/notebooks/02_preprocess.html")
    box = page.locator("#quarto-search input")
    if not box.count():
        pytest.skip("the plain rendering has no search")
    box.first.fill("leakage audit")
    page.wait_for_timeout(800)
    assert page.locator(".aa-Item a, .search-result-link").count() > 0 and page.faults == []


def test_the_page_prints(tab, tmp_path):
    """As PDF: the article's contents and banner are not on paper, its figures are."""
    page = tab(f"{SITE.as_uri()}/index.html")
    page.emulate_media(media="print")
    seen = (
        "() => [...document.querySelectorAll('nav, .banner, .prob')].filter(e => e.offsetHeight).map(e => e.className)"
    )
    assert page.evaluate(seen) == []
    target = Path(SHOTS or tmp_path) / "print.pdf"
    page.pdf(path=target, format="A4")
    assert target.stat().st_size > 100_000
