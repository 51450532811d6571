"""Links: what a rendered site needs is there, and nothing of it comes from elsewhere."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LIBRARIES = "site_libs"  # the renderer's own
LOADED = {
    "script": "src",
    "img": "src",
    "link": "href",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "object": "data",
}
# What a <link> may name without loading it.
NAMED = {"canonical", "next", "prev", "alternate"}
ELSEWHERE = r"(https?:)?//"


class Page(HTMLParser):
    """A page's anchors, the links that a person clicks, what it loads, its pictures, and its words."""

    def __init__(self, text):
        super().__init__()
        self.anchors, self.links, self.loads, self.pictures, self.words = set(), [], [], [], []
        self.silent = False  # within what no reader sees
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes, self.silent = dict(attributes), tag in ("script", "style")
        self.anchors |= {attributes["id"]} if attributes.get("id") else set()
        if tag == "a" and "href" in attributes:
            self.links.append(attributes["href"] or "")
        if tag == "img":
            self.pictures.append(attributes)
        if attributes.get(LOADED.get(tag)) and not (tag == "link" and attributes.get("rel") in NAMED):
            self.loads.append(attributes[LOADED[tag]])

    def handle_endtag(self, tag):
        self.silent = False

    def handle_data(self, data):
        self.words += [] if self.silent else [data]


def check(folder, home=None, later=()):
    """Check the pages in a folder.

    Every link leads to a file, and to an anchor in it, every picture is there and has alt text, nothing is loaded
    from another place, and no cross-reference was left unresolved (Quarto prints those as ``?@label``).

    Parameters
    ----------
    folder : Path
        Where the pages lie.
    home : Path, optional
        Where they will lie, from which links out of the folder are followed; default: where they are.
    later : tuple of str
        Links, as they stand in a page at the top of the folder, to files that are made later.

    Raises
    ------
    ValueError
        With every fault of every page.
    """
    folder = Path(folder).resolve()
    home = Path(home or folder).resolve()
    paths = [path for path in sorted(folder.rglob("*.html")) if LIBRARIES not in path.relative_to(folder).parts]
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in paths}
    expected = {(home / link).resolve() for link in later}
    faults = []
    for path, page in pages.items():
        found = [*_words(page), *_pictures(page), *_loads(page), *_targets(path, pages, folder, home, expected)]
        faults += [f"{path.relative_to(folder).as_posix()}: {fault}" for fault in found]
    for path in sorted(folder.rglob("*.css")):
        if re.search(rf"(url\(\s*['\"]?|@import\s+['\"]){ELSEWHERE}", path.read_text(encoding="utf-8")):
            faults.append(f"{path.relative_to(folder).as_posix()} loads from elsewhere")
    if faults:
        raise ValueError(f"{len(faults)} fault{'s' if len(faults) > 1 else ''} in the site:\n" + "\n".join(faults))


def _words(page):
    lost = sorted(set(re.findall(r"\?@[\w-]+", " ".join(page.words))))
    return [f"the cross-reference {label} leads nowhere" for label in lost]


def _pictures(page):
    bare = [picture.get("src") or "" for picture in page.pictures if not (picture.get("alt") or "").strip()]
    return [f"the picture {source[:80]} has no alt text" for source in bare]


def _loads(page):
    return [f"{link} is loaded from elsewhere" for link in dict.fromkeys(page.loads) if re.match(ELSEWHERE, link)]


def _targets(path, pages, folder, home, expected):
    """Return what is wrong with the links of a page and with what it loads: no such file, no such place in it."""
    faults = []
    for link in dict.fromkeys(pages[path].loads + pages[path].links):
        parts = urlsplit(link)
        if parts.scheme or parts.netloc or link in ("", "#"):  # "#": a button that is drawn as a link
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if not target.is_relative_to(folder):  # to the stages' files
            target = (home / path.parent.relative_to(folder) / unquote(parts.path)).resolve()
        if not target.is_file() and target not in expected:
            faults.append(f"{link} leads to no file")
        elif target in pages and parts.fragment and unquote(parts.fragment) not in pages[target].anchors:
            faults.append(f"{link} leads to no place in its page")
    return faults
