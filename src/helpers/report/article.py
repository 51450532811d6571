"""The article: the templates filled in, and the sources of a study's site: article, reference's form, notebooks."""

import json
import re

import jinja2
import nbformat

from helpers.report import checklist, pages, proofs, site, tables
from helpers.report.proofs import escape
from helpers.report.site import TEMPLATES
from helpers.report.tables import SCORES
from helpers.study import files

# What a page looks like and does, in either rendering; and what a study's site has besides, as it is in the templates.
STYLES = ("claims.css", "widgets.css", "study.scss", "light.scss", "dark.scss", "widths.lua", "page.js")
KEPT = (*STYLES, "probability.js", "references.bib")
REPORT = "07_report"  # makes the site, so it is shown as it is written
# What the pictures of the reference's form show, for who does not see them.
FORM_ALTS = {
    "confusion_matrix": "Confusion matrix over all samples: true class by row, predicted class by column.",
    "legend_spectrogram": "Color bar from dark to bright: low to high power.",
    "legend_gradcam": "Color bar from blue to red: low to high importance.",
    "spec_triptych": "Spectrograms of the three frames",
    "gradcam": "Grad-CAM over the three spectrograms",
    "gradcampp": "Grad-CAM++ over the three spectrograms",
    "ig_triptych": "Integrated gradients of the three frames",
}


def form(context):
    """Return the reference study's report, `report.md`, from what `report.compose` returns."""
    return fill("report.md.j2", context)


def sources(context):
    """Return what a study's site is made of.

    Parameters
    ----------
    context : dict
        What `report.compose` returns.

    Returns
    -------
    titles : dict
        The site's pages in order, by source (``index.qmd``, ``report.qmd``, ``notebooks/….ipynb``), with their names.
    sources : dict
        Its files by path: text, or a path to copy from; its pictures excepted, which the context has.

    Raises
    ------
    ValueError
        If the narrative, its claims and its facts do not fit together, or a notebook lacks a figure that is shown.
    """
    _check_figures(context)
    told = proofs.narrated(context["narrative"], context["claims"], context["facts"], _anchors(context))
    titles = {"index.qmd": "The study", "report.qmd": "In the reference's form", "benchmarks.qmd": "Benchmarks"}
    found = {"probability-data.js": context["curves"], **kept(*KEPT)}
    own = nbformat.read(files.ROOT / "notebooks" / f"{REPORT}.ipynb", as_version=4)
    for name, book in {**context["books"], REPORT: own}.items():
        titles[f"notebooks/{name}.ipynb"] = pages.title(book)
        found[f"notebooks/{name}.ipynb"] = nbformat.writes(pages.page(book, context["patient"]))
    context = context | {"told": told, "titles": titles, "overview": site.OVERVIEW}
    found |= {name: fill(f"{name}.j2", context) for name in ("_quarto.yml", "index.qmd", "benchmarks.qmd")}
    if context["costs"]["picture"]:
        found["figures/growth.png"] = context["costs"]["picture"]
    text = form(context)
    found |= {"report.md": text, "report.qmd": _page_of_form(text, context["digest"])}
    return titles, found | {f"figures/{label}.png": figure["png"] for label, figure in context["embedded"].items()}


def kept(*names):
    """Return files that a site has as the templates have them, by name."""
    return {name: TEMPLATES / name for name in names}


def _check_figures(context):
    """Raise ValueError if a notebook lacks a figure that the article shows."""
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(TEMPLATES.rglob("*.j2")))
    wanted = set(re.findall(r'embed\("(fig-[\w-]+)"', text)) - (set() if context["sanity"]["truth"] else {"fig-truth"})
    if missing := sorted(wanted - set(context["embedded"])):
        raise ValueError(
            f"The executed notebooks in output/{context['patient']}/notebooks show no figure labelled "
            f"{', '.join(missing)}, which the article takes from them. Run `dvc repro report@{context['patient']}`."
        )


def _page_of_form(text, digest):
    """Return `report.md` as a page of the site: the same text, with its title apart and alt texts for its pictures."""
    samples = {sample["sample"]: sample for sample in digest["samples"]}

    def described(match):
        name = match[1]
        if number := re.match(r"sample(\d+)_(\w+)\.png", name):
            sample = samples[int(number[1])]
            kind = FORM_ALTS[number[2]]
            alt = (
                f"{kind} of sample {number[1]}, {sample['recording']}, {sample['start_s']:g} to {sample['end_s']:g} s."
            )
        else:
            alt = FORM_ALTS[name.removesuffix(".png")]
        return f'![]({name}){{fig-alt="{_quoted(alt)}"}}'

    title, _, body = text.partition("\n")
    body = re.sub(r"!\[\]\(([\w.]+)\)", described, body)
    head = f"title: {json.dumps(title.removeprefix('# '), ensure_ascii=False)}\nlang: en\nengine: markdown"
    return f"---\n{head}\n---\n{body}"


def _anchors(context):
    """Return the figures and tables that the article will have: which, depends on the study."""
    return set(re.findall(r"\{#((?:fig|tbl)-[\w-]+)", fill("index.qmd.j2", context | {"told": ""})))


def fill(template, context):
    """Return a template filled in; a name that it uses and the context lacks is an error."""
    # An undefined name raises: a hole in a report must not look like a short sentence.
    world = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        comment_start_string="{##",  # Jinja's own, "{#", is how Quarto writes a label
        comment_end_string="##}",
    )
    # Jinja's own float filter makes 0.0 of what is no number; Python's raises.
    world.filters.update(
        md=escape,
        quoted=_quoted,
        tame=proofs.tame,
        power=_power,
        float=float,
        spanned=tables.spanned,
        spread=tables.spread,
    )
    labels = {
        "labels": SCORES,
        "checklist": checklist.ITEMS,
        "area_labels": tables.AREAS,
        "event_labels": tables.EVENTS,
        "own_mark": proofs.OWN,
    }
    return world.get_template(template).render(context, **labels)


def _quoted(text):
    return re.sub(r'(["\\&])', r"\\\1", text)


def _power(text):
    """Return a power as Markdown: "10^47" with its exponent raised."""
    return re.sub(r"\^(\d+)$", r"^\1^", text) if re.fullmatch(r"\d+(\^\d+)?", text) else escape(text)
