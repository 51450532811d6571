"""The rendered site in a real browser. Off unless asked for, as it takes minutes: `make test-browser`.

It needs the packages playwright and axe-playwright-python, chromium or google-chrome on the PATH, and a finished study
of sim08. STUDY_BROWSER_SHOTS names a folder for pictures of the first screens.
"""

import functools
import http.server
import os
import shutil
import threading
from pathlib import Path

import pytest
from conftest import ROOT

OUTPUT = Path(os.environ.get("STUDY_BROWSER_OUTPUT", ROOT / "output"))
SITE = OUTPUT / "sim08" / "report"
SHOTS = os.environ.get("STUDY_BROWSER_SHOTS")
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
NAMES = ["index", "report", "notebooks/01_acquire", "notebooks/02_preprocess", "notebooks/03_train"]
NAMES += ["notebooks/04_evaluate", "notebooks/05_explain", "notebooks/06_narrate", "notebooks/07_report"]
PAGES = [f"sim08/report/{name}.html" for name in NAMES] + ["overview/index.html"]
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
def server():
    """Serve the output folder on this machine, as a web server would."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=OUTPUT)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright: `make test-browser` installs it")
    with api.sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=BROWSER, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def tab(browser):
    """Return a function that opens an address in a new window, and collects what goes wrong in it."""
    contexts = []

    def open_tab(address, width=1280, scheme="light"):
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme))
        page = contexts[-1].new_page()
        page.faults, page.asked = [], []
        page.on("console", lambda line: page.faults.append(line.text) if line.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(address, wait_until="load")
        page.wait_for_load_state("networkidle")
        return page

    yield open_tab
    for context in contexts:
        context.close()


@pytest.mark.parametrize("way", ["file", "http"])
@pytest.mark.parametrize("name", PAGES)
def test_nothing_fails_and_nothing_leaves_the_machine(tab, server, way, name):
    """No error in the console, no request to elsewhere, every picture shown; from a disk and from a server."""
    if way == "file" and (SITE / "site_libs").is_dir():
        pytest.skip("Quarto's own scripts need a server")
    page = tab((OUTPUT.as_uri() + "/" if way == "file" else server) + name)
    assert [url for url in page.asked if not url.startswith(("file:", "data:", "blob:", server))] == []
    # A server without a favicon answers 404: no fault of the page.
    assert [fault for fault in page.faults if "404" not in fault or way == "file"] == []
    assert page.evaluate(BROKEN) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280, 1920])
@pytest.mark.parametrize("name", PAGES)
def test_pages_fit_the_screen_and_are_accessible(tab, server, width, scheme, name):
    """No page scrolls sideways; axe-core, which tests against WCAG, finds nothing serious or critical."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = tab(server + name, width, scheme)
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name.replace('/', '-')[:-5]}-{width}-{scheme}.png")
    assert page.evaluate(WIDER) <= 0
    violations = [one for one in axe.run(page).response["violations"] if one["impact"] in ("serious", "critical")]
    assert [(one["id"], one["nodes"][0]["html"][:150]) for one in violations] == []


def test_a_table_sorts_by_a_click_and_goes_back(tab, server):
    """By its numbers, up and down, and at the third click as it was."""
    page = tab(f"{server}sim08/report/index.html")
    cells = "() => [...document.querySelectorAll('#tbl-folds tbody tr')].map(row => Number(row.cells[4].innerText))"
    before, button = page.evaluate(cells), page.locator("#tbl-folds thead th").nth(4).locator("button")
    for expected in (sorted(before), sorted(before, reverse=True), before):
        button.click()
        assert page.evaluate(cells) == expected


def test_a_fact_is_shown_by_keyboard(tab, server):
    """A proven sentence that has the focus shows what proves it."""
    claim = tab(f"{server}sim08/report/index.html").locator(".claim").first
    claim.focus()
    assert claim.locator(".claim-facts").is_visible()


def test_a_figure_opens_large_and_closes(tab, server):
    """Its picture opens by itself, and Escape brings back the page."""
    page = tab(f"{server}sim08/report/index.html")
    page.locator("#fig-timeline img").click()
    page.wait_for_timeout(700)
    large = page.locator("dialog[open] img, .glightbox-container img")
    assert large.first.is_visible()
    page.keyboard.press("Escape")
    page.wait_for_timeout(700)
    assert large.count() == 0 or not large.first.is_visible()


def test_the_page_prints(tab, server):
    """Neither contents nor banner are on paper, nor the facts of the narrative."""
    page = tab(f"{server}sim08/report/index.html")
    page.emulate_media(media="print")
    shown = "() => [...document.querySelectorAll('nav, .banner, .claim-facts')].filter(e => e.offsetHeight).length"
    assert page.evaluate(shown) == 0
