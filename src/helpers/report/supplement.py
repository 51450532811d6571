"""The supplement: what the notebooks show, samples and errors, the narrative with its proofs, and the cards."""

import itertools
import os
import platform
import re
from importlib import metadata

from IPython.display import Markdown

from helpers.report import pages, results
from helpers.study import files, markdown

PACKAGES = ("captum", "dvc", "mne", "numpy", "pandas", "scikit-learn", "scipy", "timescoring", "torch", "transformers")
CLASSES = {0: "non-seizure", 1: "seizure"}
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
    details += ["## Reproducibility", texts["reproducibility"].format_map(known)]
    written = {
        "supplement": ("Supplement", "\n\n".join(details)),
        "samples": ("Samples and errors", show_samples(found, pictures)),
        "narrative": ("The narrative", f"{texts['narrative'].format_map(known)}\n\n{prove(found)}"),
        "cards": ("Cards and checklist", fill_cards(found, known)),
    }
    return {name: (title, markdown.number_labels(text, name), pictures) for name, (title, text) in written.items()}


def _read(name):
    return files.read_yaml(files.ROOT / "params" / "supplement" / f"{name}.yaml")


def show_samples(found, pictures):
    """Return the explained samples, the errors of the alarms and, where there are many, all recordings as Markdown."""

    def show(stage, name, caption, alt):
        path = results.find_picture(found.patient, stage, name)
        pictures[f"media/{path.name}"] = path
        return markdown.figure(f"media/{path.name}", caption, alt, f"fig-{path.stem.replace('_', '-')}")

    parts = [f"## Samples\n\n{markdown.escape(found.digest['rule'])} The clearest error of each kind is added."]
    for one in found.digest["samples"] + found.digest["errors"]:
        name, true, pred = f"sample{one['sample']}", CLASSES[one["true"]], CLASSES[one["pred"]]
        caption = (
            f"Sample {one['sample']}: {markdown.escape(one['recording'])}, {one['start_s']:g} to {one['end_s']:g} s. "
            f"{true.capitalize()}, decided as {pred}: p = {one['p_seizure']:.3f}, threshold {one['threshold']:.3f}."
        )
        alt = f"EEG, spectrogram and attribution of sample {one['sample']}, {true}."
        parts.append(show("explain", f"samples/{name}", caption, alt))
    parts.append("## Errors")
    for row in found.errors.itertuples():
        caption = (
            f"{row.kind.capitalize()}: {markdown.escape(row.recording)}, {row.start_s:g} to {row.end_s:g} s. "
            f"The smoothed probability reaches {row.p_peak:.2g}; an alarm takes {row.threshold:.2g}."
        )
        alt = f"EEG and probability around a {row.kind}."
        parts.append(show("evaluate", f"pages/{row.file.rpartition('.')[0]}", caption, alt))
    paths = files.stage_output(found.patient, "evaluate", "pages").glob("probability_*")
    for page in sorted(paths, key=lambda path: int(re.search(r"\d+", path.stem)[0])):
        caption = "The probability of seizure in all recordings, in order, as in the article's first figure."
        parts.append(show("evaluate", f"pages/{page.stem}", caption, "The probability of seizure over time."))
    return "\n\n".join(parts)


def prove(found):
    """Return the narrative as Markdown: each sentence that carries facts has a number, which leads to them.

    Raises ValueError if a sentence of ``claims.csv`` is not in the narrative, in order.
    """
    marked, rest, rows = "", found.narrative, []
    for row in found.claims.itertuples():
        before, sentence, rest = rest.partition(row.sentence)
        if not sentence:
            again = f"Run `dvc repro -s -f narrate@{found.patient}`."
            raise ValueError(f"narrative.md does not have there what claims.csv has: {row.sentence!r}. {again}")
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
        path = os.path.relpath(fact["file"], f"output/{found.patient}/report")
        links[f"[{markdown.escape(path.removeprefix('../'))}]({path})"] = None
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
    verdicts, methods = found.sanity["verdicts"], found.sanity["methods"]
    failing = ", ".join(name for key, name in methods.items() if False in verdicts[key].values())
    numbers = {"Python": platform.python_version()} | {name: metadata.version(name) for name in PACKAGES}
    return vars(found) | {
        "patient": markdown.escape(found.patient),
        "model": {key: markdown.escape(value) for key, value in found.model.items()},
        "number": {name: len(table) for name, table in vars(found).items() if hasattr(table, "columns")},
        "version": markdown.escape(", ".join(results.version())),
        "packages": ", ".join(f"{name} {number}" for name, number in numbers.items()),
        "failing": f"{failing} failed at least one test" if failing else "none failed a test that applied",
        "proven": int((found.claims["facts"] != "").sum()),
        "minutes": f"{found.recordings['duration_s'].sum() / 60:.0f}",
    }
