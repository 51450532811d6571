"""Versions: of Python and of the packages that notebooks and modules import."""

import ast
import contextlib
import json
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

# Packages whose modules have another name.
PACKAGES = {"IPython": "ipython", "PIL": "pillow", "pypandoc": "pypandoc-binary", "sklearn": "scikit-learn"}
PACKAGES |= {"yaml": "PyYAML"}


def read(paths):
    """Return the version of Python and of each package that is imported, by package.

    Parameters
    ----------
    paths : iterable of Path
        Notebooks and modules; only what they import themselves counts. What is not installed, as a package that is
        imported only where it is wanted, has computed nothing and is left out.
    """
    names = {name for path in paths for name in imported(code(path))} - set(sys.stdlib_module_names) - {"helpers"}
    found = {"python": platform.python_version()}
    for name in sorted({PACKAGES.get(name, name) for name in names}, key=str.lower):
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def code(path):
    """Return the Python of a module, or of a notebook's code cells."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    return "\n".join("".join(cell["source"]) for cell in cells)


def imported(code):
    """Return the top-level modules that a piece of Python imports, wherever in it; those of its own package aside."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module.split(".")[0])
    return found
