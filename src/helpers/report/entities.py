"""Entities: what an RO-Crate says of one thing: a file, a package, an author, the recordings, a language model."""

import json
import mimetypes
from pathlib import Path
from urllib.parse import quote

# What Python's own table has not; the system's is not asked, as it differs between machines.
FORMATS = {
    ".bib": "application/x-bibtex", ".ipynb": "application/x-ipynb+json", ".j2": "text/plain", ".lock": "text/plain",
    ".lua": "text/x-lua", ".md": "text/markdown", ".qmd": "text/markdown", ".scss": "text/x-scss",
    ".svg": "image/svg+xml", ".woff": "font/woff", ".woff2": "font/woff2", ".yaml": "application/yaml",
    ".yml": "application/yaml", ".cff": "application/yaml",
}  # fmt: skip
KNOWN = mimetypes.MimeTypes(filenames=())
SPDX = "https://spdx.org/licenses/"


def reference(identifier):
    """Return what stands for an entity where another one names it."""
    return {"@id": identifier}


def local(path):
    """Return the identifier of a file in the crate: its path, written as in a URL."""
    return quote(path)


def inner(name):
    """Return the identifier of something that is described in the crate and is no file of it."""
    return "#" + quote(name)


def file(path, sha256, size, **more):
    """Return a file of the crate, `size` in bytes; what has no better known format is ``application/octet-stream``."""
    kind = FORMATS.get(Path(path).suffix) or KNOWN.guess_type(path)[0] or "application/octet-stream"
    about = {"name": Path(path).name, "contentSize": str(size), "encodingFormat": kind, "sha256": sha256}
    return {"@id": local(path), "@type": "File", **about, **more}


def folder(path, name, description, parts):
    """Return a folder of the crate, with references to `parts`, identifiers of what is in it."""
    about = {"name": name, "description": description, "hasPart": [reference(part) for part in sorted(parts)]}
    return {"@id": local(f"{path}/"), "@type": "Dataset", **about}


def package(name, version):
    """Return a package, or Python itself, in one version; its identifier is its page, which knows no local builds."""
    public = version.split("+")[0]
    page = f"https://pypi.org/project/{name}/{public}/"
    if name == "python":
        page = f"https://www.python.org/downloads/release/python-{public.replace('.', '')}/"
    return {"@id": page, "@type": "SoftwareApplication", "name": name, "softwareVersion": version, "url": page}


def parameter(stage, path, name, value):
    """Return a parameter of a stage, set in the file at `path`; what is neither number nor text is written as JSON."""
    value = value if isinstance(value, (int, float, str)) else json.dumps(value, ensure_ascii=False)
    about = {"name": name, "value": value, "description": f"As set in {path}."}
    return {"@id": inner(f"{stage}/{path}/{name}"), "@type": "PropertyValue", **about}


def author(number, entry):
    """Return an author of ``CITATION.cff``: a person, or whoever has one name only."""
    person = "family-names" in entry or "given-names" in entry
    name = " ".join(filter(None, (entry.get("given-names"), entry.get("family-names")))) or entry.get("name")
    kind = "Person" if person else "Organization"
    return {"@id": entry.get("orcid") or inner(f"author-{number}"), "@type": kind, "name": name}


def licence(name):
    """Return a licence by its SPDX identifier."""
    return {"@id": SPDX + name, "@type": "CreativeWork", "name": name, "identifier": name}


def recordings(source, digests, database):
    """Return the recordings, and each of them: they are no files of the crate, and need not travel with it.

    Parameters
    ----------
    source : dict
        The stage acquire's ``source.json``.
    digests : dict of str → str
        SHA-256 by name.
    database : dict or None
        The reference in ``CITATION.cff`` that a patient of a public database was fetched from.
    """
    each = [
        {"@id": inner(f"recordings/{name}"), "@type": "CreativeWork", "name": name, "sha256": sha256}
        for name, sha256 in digests.items()
    ]
    whole = {
        "@id": inner("recordings"), "@type": "CreativeWork", "name": f"EEG recordings of {source['patient']}",
        "description": source["description"], "hasPart": [reference(one["@id"]) for one in each],
    }  # fmt: skip
    if not database:
        return [whole, *each]
    place = f"https://doi.org/{database['doi']}"
    terms = licence(database["license"])
    published = {"name": database["title"], "version": database["version"], "identifier": place}
    published |= {"license": reference(terms["@id"])}
    whole |= {"isPartOf": reference(place), "license": reference(terms["@id"])}
    return [whole, *each, {"@id": place, "@type": "Dataset", **published}, terms]


def language_model(card):
    """Return the language model that worded the narrative, from the stage narrate's ``model.json``."""
    about = {"name": card["name"], "version": card["revision"], "license": card["licence"]}
    return {"@id": inner("language-model"), "@type": "CreativeWork", **about}


def commit(found, citation):
    """Return the code as a whole, by the commit that `revisions.find` found, named as Software Heritage does."""
    about = {"name": citation["title"], "license": reference(SPDX + citation["license"])}
    if found and found["commit"]:
        about |= {"version": found["commit"], "dateModified": found["date"], "description": "The code, as committed."}
        return {"@id": f"swh:1:rev:{found['commit']}", "@type": "SoftwareSourceCode", **about}
    why = "under no version control" if found is None else f"changed, not committed: {', '.join(found['changed'])}"
    about |= {"version": citation["version"], "description": f"The code, {why}."}
    return {"@id": inner("code"), "@type": "SoftwareSourceCode", **about}
