"""The notebooks in a real JupyterLab, driven by a real browser. Off unless asked for, as it takes minutes:

    STUDY_BROWSER=1 python -m pytest tests/test_lab.py -s

It needs the Python package playwright (`pip install --target <folder> playwright`, with that folder in PYTHONPATH,
keeps it out of the study's environment), chromium or google-chrome on the PATH, and a finished study of sim08.
JupyterLab runs on a copy of the project, so that nothing of the study changes. STUDY_BROWSER_NOTEBOOKS names other
notebooks than the default ones (`03_train 04_evaluate`); STUDY_BROWSER_SHOTS names a folder for pictures of the screen.
"""

import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from conftest import ROOT

DEFAULT = "explore 01_acquire 02_preprocess 06_narrate 07_report"  # 03 trains for minutes
NOTEBOOKS = os.environ.get("STUDY_BROWSER_NOTEBOOKS", DEFAULT).split()
SHOTS = os.environ.get("STUDY_BROWSER_SHOTS")
MINUTES = 15  # the longest that a notebook may take
SIZES = ((1280, 900), (1920, 1080))
PRESSES = 20

# The notebook that is open: its kernel's state, whether each code cell has run, and the errors among the outputs.
STATE = """() => {
  const panel = window.jupyterapp?.shell.currentWidget;
  const kernel = panel?.sessionContext?.session?.kernel;
  if (!kernel || !panel.content?.model) return null;
  const cells = panel.content.model.toJSON().cells.filter(cell => cell.cell_type === "code");
  const errors = cells.flatMap(cell => cell.outputs).filter(output => output.output_type === "error");
  return {status: kernel.status, cells: cells.length, ran: cells.filter(cell => cell.execution_count).length,
          errors: errors.map(error => error.ename + ": " + error.evalue)};
}"""

# The explorer's controls and picture at the top of the window; a cell out of sight may not be in the document at all.
SCROLL = """async () => {
  const book = window.jupyterapp.shell.currentWidget.content;
  await book.scrollToItem(book.model.toJSON().cells.findIndex(cell => cell.id === "panel"), "start");
  document.querySelector(".widget-vbox")?.scrollIntoView({block: "start"});
}"""

# When a key went down, and when the picture after it had been decoded.
WATCH = """() => {
  const image = document.querySelector("img.widget-image");
  window.seen = {pressed: null, loaded: null};
  document.addEventListener("keydown", () => { window.seen.pressed = performance.now(); }, {capture: true, once: true});
  image.addEventListener("load", () => { window.seen.loaded = performance.now(); }, {once: true});
}"""
TOOK = "() => window.seen.loaded && window.seen.pressed ? window.seen.loaded - window.seen.pressed : null"
PICTURE = """async () => {
  const image = document.querySelector("img.widget-image");
  const bytes = await (await fetch(image.src)).arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return {digest: digest.join(" "), width: image.naturalWidth, shown: image.getBoundingClientRect().width,
          title: image.title};
}"""


@pytest.fixture(scope="module")
def chromium():
    """The path of a browser and playwright's module; or a skip that says what is missing."""
    if os.environ.get("STUDY_BROWSER") != "1":
        pytest.skip("takes minutes and a browser: STUDY_BROWSER=1 asks for it (see the top of this file)")
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright (see this file's top)")
    path = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), None)
    if path is None:
        pytest.skip("needs chromium or google-chrome on the PATH")
    if not (ROOT / "output" / "sim08" / "explain" / "attributions.npz").exists():
        pytest.skip("needs a finished study of sim08: `make study`")
    return path, playwright


@pytest.fixture(scope="module")
def lab(chromium, tmp_path_factory):
    """The address of a JupyterLab on a copy of the project."""
    root = tmp_path_factory.mktemp("lab")
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info", ".ipynb_checkpoints")
    for name in ("notebooks", "src", "params", "output/sim08", "output/benchmark"):
        shutil.copytree(ROOT / name, root / name, ignore=ignore)
    for path in (
        *ROOT.glob("dvc.*"),
        *ROOT.glob("*.md"),
        *ROOT.glob("*.toml"),
        *ROOT.glob("*.lock"),
        *ROOT.glob("*.cff"),
    ):
        shutil.copy(path, root / path.name)
    if (ROOT / "output" / "models").exists():
        (root / "output" / "models").symlink_to(ROOT / "output" / "models", target_is_directory=True)
    news = root / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    news.parent.mkdir(parents=True)
    news.write_text('{"fetchNews": "false"}')  # a question about news would lie over what is tested
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {"PYTHONPATH": str(root / "src"), "PYTHONDONTWRITEBYTECODE": "1", "JUPYTER_CONFIG_DIR": str(root / "config")}
    own |= {"JUPYTERLAB_SETTINGS_DIR": str(root / "settings"), "JUPYTERLAB_WORKSPACES_DIR": str(root / "workspaces")}
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        f"--port={port}",
        "--expose-app-in-browser",
    ]
    command += [
        "--ServerApp.token=",
        "--ServerApp.password=",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.root_dir={root}",
    ]
    with open(root / "lab.log", "w") as log:
        server = subprocess.Popen(command, cwd=root, env=os.environ | own, stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait(lambda: _answers(port), 60, lambda: (root / "lab.log").read_text()[-2000:])
        yield f"http://127.0.0.1:{port}/lab"
    finally:
        server.terminate()
        server.wait(30)


def _answers(port):
    try:
        return urllib.request.urlopen(f"http://127.0.0.1:{port}/api/status", timeout=2).status == 200
    except (urllib.error.URLError, OSError):
        return False


def _wait(ready, seconds, otherwise):
    """Return what `ready` returns as soon as it is true; fail with the text of `otherwise` after so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := ready():
            return found
        time.sleep(0.2)
    pytest.fail(f"nothing after {seconds} s: {otherwise()}")


@pytest.fixture(scope="module")
def browser(chromium):
    """A browser without a window; a container's root needs --no-sandbox."""
    path, playwright = chromium
    arguments = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    page = browser.new_page(viewport={"width": SIZES[0][0], "height": SIZES[0][1]})
    yield page
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / "last.png")
    page.close()


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_runs_in_jupyterlab(lab, page, name):
    """Run > Run All Cells: every code cell runs, none with an error; the explorer then answers to keys."""
    page.goto(f"{lab}/tree/notebooks/{name}.ipynb?reset")
    _wait(lambda: (page.evaluate(STATE) or {}).get("status") == "idle", 120, lambda: f"{name} has no kernel")
    page.locator("#jp-MainMenu >> text=Run").first.click()
    page.locator("li[data-command='runmenu:run-all']").click()
    begun = time.monotonic()

    def done():
        state = page.evaluate(STATE)
        return state if state["errors"] or (state["ran"] == state["cells"] and state["status"] == "idle") else None

    state = _wait(done, MINUTES * 60, lambda: page.evaluate(STATE))
    print(f"\n{name}: {state['ran']} of {state['cells']} cells ran in {time.monotonic() - begun:.1f} s")
    assert not state["errors"], state["errors"]
    assert state["ran"] == state["cells"] > 5
    if name == "explore":
        _explore(page)


def _explore(page):
    """Move the explorer's slider by keyboard: each key brings another picture; how long it takes is printed."""
    page.evaluate(SCROLL)
    page.locator("img.widget-image").wait_for()
    assert page.evaluate(PICTURE)["title"], "the picture has no name for those who do not see it"
    _shots(page)
    handle = page.locator(".widget-slider .noUi-handle").first
    assert handle.get_attribute("role") == "slider" and handle.get_attribute("tabindex") == "0"
    handle.focus()
    times, digests = [], [page.evaluate(PICTURE)["digest"]]
    for key in ["ArrowRight"] * PRESSES + ["ArrowLeft", "PageUp", "PageDown", "Home", "End"]:
        page.evaluate(WATCH)
        page.keyboard.press(key)
        times.append(_wait(lambda: page.evaluate(TOOK), 20, lambda key=key: f"no new picture after {key}"))
        digests.append(page.evaluate(PICTURE)["digest"])
        assert digests[-1] != digests[-2], f"{key} brought the same picture"
    rows = sorted(times)
    print(f"from key to picture, {len(rows)} keys: median {statistics.median(rows):.0f} ms, ", end="")
    print(f"95 % {rows[int(0.95 * len(rows))]:.0f} ms, longest {rows[-1]:.0f} ms")
    assert handle.get_attribute("aria-valuenow") == handle.get_attribute("aria-valuemax"), "End goes to the end"
    _hurry(page, handle)


def _hurry(page, handle):
    """Keys that come faster than pictures are not queued: the last one is shown soon after it was pressed."""
    for _ in range(PRESSES):
        page.keyboard.press("ArrowLeft")
    pressed, last = time.monotonic(), f" {float(handle.get_attribute('aria-valuenow')):g}–"
    said = page.locator(".widget-vbox .widget-html-content").first
    _wait(lambda: last in said.inner_text(), 20, lambda: f"'{last}' is not shown, but {said.inner_text()}")
    after = 1000 * (time.monotonic() - pressed)
    print(f"{PRESSES} keys at once: the last moment is shown {after:.0f} ms after the last key")


def _shots(page):
    if SHOTS:
        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            page.wait_for_timeout(500)
            page.evaluate(SCROLL)
            page.wait_for_timeout(1000)
            page.screenshot(path=Path(SHOTS) / f"explore_{width}x{height}.png")
        page.set_viewport_size({"width": SIZES[0][0], "height": SIZES[0][1]})
        page.wait_for_timeout(500)
