"""The report in the reference study's form: ``report.md``, its pictures, and its page."""

from functools import partial
from pathlib import Path

import jinja2

from helpers.study import files, markdown

PICTURES = {"confusion_matrix": "evaluate", "legend_spectrogram": "explain", "legend_gradcam": "explain"}
SAMPLE_PICTURES = ("spec_triptych", "gradcam", "gradcampp", "ig_triptych", "ig_t0", "ig_t1", "ig_t2")
FORM = Path(__file__).parent / "templates" / "report.md"  # with the reference's words


def text(found, page=False):
    """Return ``report.md``, line by line in the reference's form; as a `page` of the site, with alt texts."""
    environment = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(FORM.read_text(encoding="utf-8")).render(
        found=found,
        page=page,
        score=partial(_print_score, found.metrics),
        name_pictures=_name_pictures,
        markdown=markdown,
    )


def _print_score(metrics, key, form):
    value, reason = metrics["samples"][key], metrics["undefined"].get(key, "no fold has one")
    return f"undefined ({reason})" if value is None else form.format(value)


def _name_pictures(sample):
    return [f"sample{sample['sample']}_{picture}.png" for picture in SAMPLE_PICTURES]


def pictures(found):
    """Return the pictures of ``report.md`` by name, as paths."""
    paths = {f"{name}.png": files.stage_output(found.patient, stage, f"{name}.png") for name, stage in PICTURES.items()}
    names = [name for sample in found.digest["samples"] for name in _name_pictures(sample)]
    return paths | {name: files.stage_output(found.patient, "explain", f"samples/{name}") for name in names}


def page(found):
    """Return ``report.md`` as a page of the site: its title, its text, and its files."""
    title, _, body = text(found, page=True).partition("\n")
    return title.removeprefix("# "), body, pictures(found) | {"report.md": text(found)}
