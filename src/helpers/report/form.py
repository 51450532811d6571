"""The report in the reference study's form: ``report.md``, its pictures, and its page."""

import re
from pathlib import Path

from helpers.report import results
from helpers.study import files, markdown

PICTURES = {"confusion_matrix": "evaluate", "legend_spectrogram": "explain", "legend_gradcam": "explain"}
SAMPLE_PICTURES = ("spec_triptych", "gradcam", "gradcampp", "ig_triptych", "ig_t0", "ig_t1", "ig_t2")
ALTS = {  # alt texts of the pictures on its page
    "confusion_matrix": "Confusion matrix over all samples: true class by row, predicted class by column.",
    "legend_spectrogram": "Color bar from dark to bright: low to high power.",
    "legend_gradcam": "Color bar from blue to red: low to high importance.",
    "spec_triptych": "Spectrograms of the three frames",
    "gradcam": "Grad-CAM over the three spectrograms",
    "gradcampp": "Grad-CAM++ over the three spectrograms",
    "ig_triptych": "Integrated gradients of the three frames",
}
SIMULATED = "_Simulated: this patient and these recordings are computed, not measured; "
SIMULATED += "nothing here is a finding about a person._\n"
FORM = Path(__file__).parent / "templates" / "report.md"  # with the reference's words


def text(found):
    """Return ``report.md``, line by line in the reference's form."""
    whole, sample = FORM.read_text(encoding="utf-8").split("=====\n")
    metrics, samples = found.metrics, found.digest["samples"]
    scores = results.print_scores(metrics["samples"], metrics["undefined"])
    return whole.format(
        patient=markdown.escape(found.patient),
        simulated=SIMULATED if found.source["simulated"] else "",
        scores="\n".join(f"| {label} | {scores[key]} |" for key, (label, _) in results.SCORES.items()),
        folds=len(metrics["folds"]),
        samples="\n\n\n".join(sample.rstrip("\n").format_map(one) for one in samples),
        narrative=markdown.escape_prose_lightly(found.narrative.strip()),
        notes="\n".join(
            f"- sample {one['sample']}: true={one['true']}, pred={one['pred']}, p_seizure={one['p_seizure']:.3f}, "
            f"files=[{', '.join(one['files'])}]"
            for one in samples
        ),
    )


def pictures(found):
    """Return the pictures of ``report.md`` by name, as paths; ValueError if the digest names others."""
    paths = {f"{name}.png": files.stage_output(found.patient, stage, f"{name}.png") for name, stage in PICTURES.items()}
    for sample in found.digest["samples"]:
        expected = [f"sample{sample['sample']}_{picture}.png" for picture in SAMPLE_PICTURES]
        if sample["files"] != expected:
            raise ValueError(f"digest.json lists for sample {sample['sample']} {sample['files']}, expected {expected}")
        paths |= {name: files.stage_output(found.patient, "explain", f"samples/{name}") for name in expected}
    return paths


def page(found):
    """Return ``report.md`` as a page of the site: its title, and its text with alt texts for the pictures."""
    samples = {sample["sample"]: sample for sample in found.digest["samples"]}

    def describe(match):
        alt = ALTS.get(match[1])
        if number := re.match(r"sample(\d+)_(\w+)", match[1]):
            sample = samples[int(number[1])]
            span = f"{sample['recording']}, {sample['start_s']:g} to {sample['end_s']:g} s"
            alt = f"{ALTS[number[2]]} of sample {number[1]}, {span}."
        return f'![]({match[1]}.png){{alt="{markdown.escape_attribute(alt)}" loading=lazy}}'

    title, _, body = text(found).partition("\n")
    return title.removeprefix("# "), re.sub(r"!\[\]\((\w+)\.png\)", describe, body)
