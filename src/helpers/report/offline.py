"""Offline: Quarto's pages opened from a disk, where a browser lets no script fetch a file or import a module."""

import json
import re
from pathlib import Path

from helpers.report import links
from helpers.study import files

SEARCH = "search-data.js"
LOADER = """<script>
if (location.protocol === "file:") {{
  const script = document.createElement("script");
  script.src = "{up}{name}";
  document.body.append(script);
}}
</script>
</body>"""


def complete(site):
    """Make the pages that Quarto rendered work from a disk, too.

    Its search fetches an index, which is written once more as a script; its own script is a module, which is joined
    with the one that it imports; and its link to the top leads to a folder, where a browser would list files.
    What a version of Quarto does in another way is left as it is.

    Parameters
    ----------
    site : Path
        The rendered site, in which pages are changed in place.
    """
    index = site / "search.json"
    if index.exists():
        # As JSON in a script: no tag can end it.
        found = json.dumps(files.read_json(index), ensure_ascii=True).replace("</", "<\\/")
        files.write_text(site / SEARCH, f"fuseIndex = new Fuse({found}, kFuseIndexOptions);\n")
    joined = _join(site / links.LIBRARIES / "quarto-html")
    for path in sorted(site.rglob("*.html")):
        up = "../" * (len(path.relative_to(site).parts) - 1)
        page = path.read_text(encoding="utf-8")
        page = re.sub(r'href="((?:\.\./)+|\./)"', r'href="\1index.html"', page)
        if index.exists() and "quarto-search.js" in page:
            page = page.replace("</body>", LOADER.format(up=up, name=SEARCH), 1)
        if joined:
            page = page.replace('quarto-html/quarto.js" type="module"', 'quarto-html/quarto.js" defer')
            page = re.sub(r'<script src="[^"]*quarto-html/tabsets/tabsets\.js" type="module"></script>\n?', "", page)
        files.write_text(path, page)


def _join(folder: Path):
    """Join Quarto's script with the one module that it imports, as a script that is none; say if that was it."""
    main, part = folder / "quarto.js", folder / "tabsets" / "tabsets.js"
    if not (main.exists() and part.exists()):
        return False
    text, count = re.subn(
        r'import \* as tabsets from "\./tabsets/tabsets\.js";\n', "", main.read_text(encoding="utf-8")
    )
    inner = re.sub(r"^export function init", "function init", part.read_text(encoding="utf-8"), flags=re.M)
    if count != 1 or re.search(r"^(import|export)\b", text + inner, re.M):
        return False
    files.write_text(
        main, f"(() => {{\nconst tabsets = (() => {{\n{inner}\nreturn {{ init }};\n}})();\n{text}\n}})();\n"
    )
    return True
