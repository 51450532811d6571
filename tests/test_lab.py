"""The notebooks in a real JupyterLab, driven by a real browser. Skipped unless asked for, as it takes minutes:

    STUDY_BROWSER=1 python -m pytest tests/test_lab.py -s

Needs playwright (`make test-browser` installs it), chromium or google-chrome, and a finished study of sim08; runs on a
copy of the project. STUDY_BROWSER_NOTEBOOKS names other notebooks than the default ones.
"""

import os
import shutil
import socket
import subprocess
import sys
import time

import pytest
from conftest import ROOT

NOTEBOOKS = os.environ.get("STUDY_BROWSER_NOTEBOOKS", "explore 01_acquire 02_preprocess 06_narrate 07_report").split()

# The notebook that is open: its kernel's state, how many code cells have run, and the errors among the outputs.
STATE = """() => {
  const panel = window.jupyterapp?.shell.currentWidget;
  const kernel = panel?.sessionContext?.session?.kernel;
  if (!kernel || !panel.content?.model) return null;
  const cells = panel.content.model.toJSON().cells.filter(cell => cell.cell_type === "code");
  const errors = cells.flatMap(cell => cell.outputs).filter(output => output.output_type === "error");
  return {status: kernel.status, cells: cells.length, ran: cells.filter(cell => cell.execution_count).length,
          errors: errors.map(error => error.ename + ": " + error.evalue)};
}"""
SCROLL = """async () => {
  const book = window.jupyterapp.shell.currentWidget.content;  // a cell out of sight may not be in the document
  await book.scrollToItem(book.model.toJSON().cells.findIndex(cell => cell.id === "panel"), "start");
}"""
FIGURE = "() => [...document.querySelectorAll('img.widget-image')].at(-1)?.src"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The address of a JupyterLab on a copy of the project; or a skip that says what is missing."""
    if os.environ.get("STUDY_BROWSER") != "1":
        pytest.skip("takes minutes and a browser: STUDY_BROWSER=1 asks for it")
    if not (ROOT / "output" / "sim08" / "explain" / "attributions.npz").exists():
        pytest.skip("needs a finished study of sim08: `make study`")
    root = tmp_path_factory.mktemp("lab")
    for name in ("notebooks", "src", "params", "output/sim08"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for path in (path for kind in ("dvc.*", "*.md", "*.toml", "*.lock", "*.cff") for path in ROOT.glob(kind)):
        shutil.copy(path, root / path.name)
    (root / "output" / "models").symlink_to(ROOT / "output" / "models", target_is_directory=True)
    news = root / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    news.parent.mkdir(parents=True)
    news.write_text('{"fetchNews": "false"}')  # a question about news would cover the notebook
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {f"JUPYTERLAB_{name.upper()}_DIR": str(root / name) for name in ("settings", "workspaces")}
    own |= {"PYTHONPATH": str(root / "src"), "JUPYTER_CONFIG_DIR": str(root / "config")}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
    command += ["--expose-app-in-browser", "--ServerApp.token=", "--ServerApp.password=", "--ServerApp.ip=127.0.0.1"]
    command.append(f"--ServerApp.root_dir={root}")
    with open(root / "lab.log", "w") as log:
        server = subprocess.Popen(command, cwd=root, env=os.environ | own, stdout=log, stderr=log)
    try:
        wait(lambda: answers(port), 60, lambda: (root / "lab.log").read_text()[-2000:])
        yield f"http://127.0.0.1:{port}/lab"
    finally:
        server.terminate()
        server.wait(30)


def answers(port):
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def wait(ready, seconds, otherwise):
    """Return what `ready` returns as soon as it is true; fail with the text of `otherwise` after so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := ready():
            return found
        time.sleep(0.2)
    pytest.fail(f"nothing after {seconds} s: {otherwise()}")


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_runs_in_jupyterlab(lab, name):
    """Run All Cells runs every cell without an error; a key, and a click in the probability, bring other figures."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
    path = shutil.which("chromium") or shutil.which("google-chrome") or pytest.skip("needs chromium or google-chrome")
    with playwright.sync_playwright() as running:
        page = running.chromium.launch(executable_path=path, args=["--no-sandbox"]).new_page()
        page.goto(f"{lab}/tree/notebooks/{name}.ipynb?reset")
        wait(lambda: (page.evaluate(STATE) or {}).get("status") == "idle", 120, lambda: f"{name} has no kernel")
        page.locator("#jp-MainMenu >> text=Run").first.click()
        page.locator("li[data-command='runmenu:run-all']").click()

        def done():
            state = page.evaluate(STATE)
            return state if state["errors"] or (state["ran"] == state["cells"] and state["status"] == "idle") else None

        state = wait(done, 900, lambda: page.evaluate(STATE))
        assert not state["errors"] and state["ran"] == state["cells"] > 5, state
        if name == "explore":
            page.evaluate(SCROLL)
            before = wait(lambda: page.evaluate(FIGURE), 60, lambda: "no figure")
            page.locator(".widget-slider .noUi-handle").first.focus()
            page.keyboard.press("ArrowRight")
            wait(lambda: page.evaluate(FIGURE) != before, 60, lambda: "the same figure after a key")
            before = page.evaluate(FIGURE)
            page.locator(".noUi-target").first.click()
            wait(lambda: page.evaluate(FIGURE) != before, 60, lambda: "the same figure after a click")
