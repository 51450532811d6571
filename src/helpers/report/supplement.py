"""The supplement: what the notebooks show, the simulator beside real EEG, the narrative with its proofs, the cards."""

import itertools
import re

from IPython.display import Markdown

from helpers.report import pages, results
from helpers.study import files, markdown

MARK = "\ue000"  # a private sign that stands for a proof's number while the text is escaped


def write(found, notebooks):
    """Return the pages of the supplement by name: (title, Markdown, pictures by their path in the site).

    Raises ValueError if the narrative does not fit its claims and facts.
    """
    texts, pictures, known = _read("texts"), {}, values(found)
    *stages, article = notebooks
    details, elsewhere = [texts["details"]], pages.labelled(notebooks[article], article)
    for name in stages:
        title, _ = pages.split_title(notebooks[name].cells[0].source, name)
        shown = [text for label, text in pages.labelled(notebooks[name], name).items() if label not in elsewhere]
        details += [f"## {title}\n\nFrom [notebook {title}](notebooks/{name}.html).", *shown] if shown else []
    details += compare_with_real(found, texts["simulated"], pictures)
    details += ["## Reproducibility", texts["reproducibility"].format_map(known)]
    written = {
        "supplement": ("Supplement", "\n\n".join(details)),
        "narrative": ("The narrative", f"{texts['narrative'].format_map(known)}\n\n{prove(found)}"),
        "cards": ("Cards and checklist", fill_cards(found, known)),
    }
    return {name: (title, markdown.number_labels(text, name), pictures) for name, (title, text) in written.items()}


def _read(name):
    return files.read_yaml(files.ROOT / "params" / "supplement" / f"{name}.yaml")


def compare_with_real(found, text, pictures):
    """Return the section that sets simulated beside real EEG; nothing where that benchmark was not run."""
    measured, drawn = results.read_benchmark("simulated"), files.ROOT / "output" / "benchmark" / "simulated.svg"
    if not (found.source["simulated"] and measured):
        return []
    parts = [text["heading"], text["text"].format_map(measured)]
    if drawn.exists():
        pictures["media/simulated.svg"] = drawn
        parts.append(markdown.figure("media/simulated.svg", text["caption"], text["alt"], "fig-simulated"))
    return parts


def prove(found):
    """Return the narrative as Markdown: each sentence that carries facts has a number, which leads to them.

    Raises ValueError if a sentence of ``claims.csv`` is not in the narrative, in order.
    """
    marked, rest, rows = "", found.narrative, []
    for row in found.claims.itertuples():
        before, sentence, rest = rest.partition(row.sentence)
        if not sentence:
            raise ValueError(f"narrative.md lacks {row.sentence!r}. Run `dvc repro -s -f narrate@{found.patient}`.")
        marked += (before + sentence).replace(MARK, "\ufffd")
        if row.facts:
            rows.append(_proof(row, found, len(rows) + 1))
            marked += MARK
    numbers, escaped = itertools.count(1), markdown.escape_prose(marked + rest.replace(MARK, "\ufffd"), lower="")
    text = re.sub(MARK, lambda _: "^[{0}](#proof-{0})^".format(next(numbers)), escaped)
    return f"{text}\n\n## Proofs\n\n{markdown.scroll(markdown.table(rows).data, 'Proofs')}"


def _proof(row, found, number):
    """Return a row of the table of proofs: the facts of a sentence, and links to the files that they come from."""
    words, links = [], {}
    for fact in (found.facts["values"][key] for key in row.facts.split("; ")):
        span = " ({low} to {high})".format_map(fact["interval"]) if fact["interval"] else ""
        words.append(f"{fact['name']}: {fact['printed'] or 'undefined'}{span}")
        path = fact["file"].removeprefix(f"output/{found.patient}/")
        links[f"[{markdown.escape(path)}](../{path})"] = None
    proof = {"": Markdown(f"[{number}]{{#proof-{number}}}"), "Facts": "; ".join(words)}
    return proof | {"From": Markdown(", ".join(links))}


def fill_cards(found, known):
    """Return model card, datasheet and checklist as Markdown: ``params/supplement/``, filled with values."""
    parts = []

    def fill(entry):  # one text, or one for each source of recordings
        return (entry[found.source["source"]] if isinstance(entry, dict) else entry).format_map(known)

    for name in ("model_card", "datasheet"):
        for heading, entries in _read(name).items():
            parts.append(f"## {heading}")
            for topic, entry in entries.items():
                parts.append(f"**{topic}.** " + " ".join(map(fill, entry if isinstance(entry, list) else [entry])))
    rows = [
        {"Item": item, "Asks": f"{topic}: {asks}", "Answer": Markdown(fill(answer))}
        for topic, items in _read("tripod").items()
        for item, (asks, answer) in items.items()
    ]
    guide = "TRIPOD+AI [@collins2024], abridged; its own wording is authoritative. D: development, E: evaluation."
    table = markdown.labelled_table(markdown.table(rows).data, guide, "tbl-tripod")
    return "\n\n".join([*parts, f"## TRIPOD+AI checklist\n\n{table}", "## References\n\n::: {#refs}\n:::"])


def values(found):
    """Return what the texts are filled with: the results by their names, and what follows from them; names escaped."""
    return vars(found) | {
        "patient": markdown.escape(found.patient),
        "who": results.describe_patients(found),
        "model": {key: markdown.escape(value) for key, value in found.model.items()},
        "number": {name: len(table) for name, table in vars(found).items() if hasattr(table, "columns")},
        "version": files.read_yaml(files.ROOT / "CITATION.cff")["version"],
        "proven": int((found.claims["facts"] != "").sum()),
        "minutes": f"{found.recordings['duration_s'].sum() / 60:.0f}",
    }
