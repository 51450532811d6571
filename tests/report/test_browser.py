"""The rendered site in a real browser. Off unless asked for, as it takes minutes: `make test-browser`.

It needs the packages playwright and axe-playwright-python, chromium or google-chrome on the PATH, and a finished study
of sim08. STUDY_BROWSER_SHOTS names a folder for pictures of the pages and for the article as it prints.
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
PATIENT = os.environ.get("STUDY_BROWSER_PATIENT", "sim08")
SITE = OUTPUT / PATIENT / "report"
SHOTS = os.environ.get("STUDY_BROWSER_SHOTS")
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
PAGES = [path.relative_to(OUTPUT).as_posix() for path in sorted(SITE.rglob("*.html")) if "libs" not in str(path)]
ARTICLE = f"{PATIENT}/report/index.html"
BROKEN = """() => [...document.images].filter(image => image.getAttribute("src"))
    .filter(image => !image.complete || image.naturalWidth === 0).map(image => image.src)"""
WIDER = "() => document.scrollingElement.scrollWidth - window.innerWidth"
# What the tabulator key reaches before the text.
STOPS = """() => [...document.querySelectorAll("a[href], button, input, summary, [tabindex='0']")]
    .filter(one => one.compareDocumentPosition(document.querySelector("main")) & Node.DOCUMENT_POSITION_FOLLOWING)
    .filter(one => one.checkVisibility()).map(one => one.innerText)"""

pytestmark = [
    pytest.mark.skipif(os.environ.get("STUDY_BROWSER") != "1", reason="takes minutes: `make test-browser` runs it"),
    pytest.mark.skipif(not BROWSER, reason="no chromium or google-chrome on the PATH"),
    pytest.mark.skipif(not SITE.is_dir(), reason="needs the study of sim08: `make study`"),
]


@pytest.fixture(scope="module")
def server():
    """Serve the output folder on this machine, as a web server would."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=OUTPUT)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
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
        page.evaluate("() => document.querySelectorAll('img').forEach(image => image.loading = 'eager')")
        page.wait_for_load_state("networkidle")  # which a busy machine may say before the pictures are asked for
        page.wait_for_function("() => [...document.images].every(image => image.complete)")
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
        page.screenshot(path=f"{SHOTS}/{name.replace('/', '-')[:-5]}-{width}-{scheme}.png", full_page=True)
    assert page.evaluate(WIDER) <= 0
    violations = [one for one in axe.run(page).response["violations"] if one["impact"] in ("serious", "critical")]
    assert [(one["id"], one["nodes"][0]["html"][:150]) for one in violations] == []


def test_the_keyboard_comes_to_the_text_soon(tab, server):
    """The first stop skips to the text; without it there are at most ten."""
    page = tab(server + ARTICLE)
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.innerText").startswith("Skip to the text")
    assert len(page.evaluate(STOPS)) <= 10, page.evaluate(STOPS)


def test_the_page_prints(tab, server):
    """No contents and no menu on paper."""
    page = tab(server + ARTICLE)
    page.emulate_media(media="print")
    if SHOTS:
        page.pdf(path=f"{SHOTS}/article.pdf", format="A4")
    assert page.evaluate("() => [...document.querySelectorAll('nav')].filter(e => e.offsetHeight).length") == 0
