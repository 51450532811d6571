"""Links: a rendered site has everything that its pages need, and loads nothing from elsewhere."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LIBRARIES = "site_libs"  # Quarto's own
LOADED = dict.fromkeys(("script", "img", "iframe", "source", "video"), "src") | {"link": "href", "object": "data"}
ELSEWHERE = r"(https?:)?//"


class Page(HTMLParser):
    """A page's anchors, the links that a person clicks, what it loads, and its pictures' attributes."""

    def __init__(self, text):
        super().__init__()
        self.anchors, self.links, self.loads, self.pictures = set(), [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.anchors |= {attributes["id"]} if attributes.get("id") else set()
        self.links += [attributes["href"] or ""] if tag == "a" and "href" in attributes else []
        self.pictures += [attributes] if tag == "img" else []
        if attributes.get(LOADED.get(tag)):
            self.loads.append(attributes[LOADED[tag]])


def check(folder, home=None, later=()):
    """Raise ValueError, with every fault of every page in a folder.

    A fault is a link to no file or to no anchor in it, a picture that is missing or has no alt text, and something that
    is loaded from elsewhere. Links out of the folder are followed from `home`, where its pages will lie; `later` are
    links from its top to files that are made later.
    """
    folder, home = Path(folder).resolve(), Path(home or folder).resolve()
    paths = [path for path in sorted(folder.rglob("*.html")) if LIBRARIES not in path.relative_to(folder).parts]
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in paths}
    expected, faults = {(home / link).resolve() for link in later}, []
    for path in pages:
        faults += [f"{path.relative_to(folder)}: {fault}" for fault in _faults(path, pages, folder, home, expected)]
    for path in sorted(folder.rglob("*.css")):
        if re.search(rf"(url\(\s*['\"]?|@import\s+['\"]){ELSEWHERE}", path.read_text(encoding="utf-8")):
            faults.append(f"{path.relative_to(folder)} loads from elsewhere")
    if faults:
        raise ValueError(f"{len(faults)} fault{'s' if len(faults) > 1 else ''} in the site:\n" + "\n".join(faults))


def _faults(path, pages, folder, home, expected):
    """Yield what is wrong with the pictures of a page, with its links and with what it loads."""
    for image in pages[path].pictures:
        if not (image.get("alt") or "").strip():
            yield f"the picture {(image.get('src') or '')[:80]} has no alt text"
    for link in dict.fromkeys(pages[path].loads + pages[path].links):
        if link in pages[path].loads and re.match(ELSEWHERE, link):
            yield f"{link} is loaded from elsewhere"
        parts = urlsplit(link)
        if parts.scheme or parts.netloc or link in ("", "#"):  # "#": a button that looks like a link
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if not target.is_relative_to(folder):  # a file of another stage
            target = (home / path.parent.relative_to(folder) / unquote(parts.path)).resolve()
        target = target / "index.html" if target.is_dir() else target
        if not target.is_file() and target not in expected:
            yield f"{link} leads to no file"
        elif target in pages and parts.fragment and unquote(parts.fragment) not in pages[target].anchors:
            yield f"{link} leads to no place in its page"
