"""Copy sim08's picture and rounded scores, and the costs last measured, into README.md: ``make benchmark-readme``."""

import math
import re
import shutil

from benchmarks import growth, stages
from helpers.study import files, patients

SCORES = {
    ("events", "sensitivity"): ("Seizures found", "{:.0%}"),
    ("events", "fp_per_24h"): ("False alarms per 24 hours", "{:.0f}"),
    ("events", "f1"): ("Event F1", "{:.2f}"),
    ("smoothed", "auprc"): ("AUPRC, log-odds averaged over five frames", "{:.2f}"),
    ("samples", "sensitivity"): ("Sensitivity, single samples", "{:.2f}"),
    ("samples", "specificity"): ("Specificity, single samples", "{:.2f}"),
}


def score_table(metrics, compared, hours):
    """Return the Markdown table of a patient's scores, with two digits, which hold on most machines.

    The control of an event score is an alarm that is always on, that of the others the best simple detector.
    """
    always = next(row for row in compared["controls"] if row["control"] == "always on")
    simple = max(
        (row for row in compared["rows"] if row["method"] != "ours"), key=lambda row: row["auprc_smoothed"]["value"]
    )
    rows = [
        f"| sim08, simulated, {hours:g} hours, all held out | value | 95 % interval | control |",
        "|---|---|---|---|",
    ]
    for (kind, key), (label, form) in SCORES.items():
        value, low, high = (form.format(metrics["intervals"][kind][key][end]) for end in ("value", "low", "high"))
        control = f"{form.format(always[key])}, always on" if kind == "events" else ""
        if kind == "smoothed":
            control = f"{form.format(simple['auprc_smoothed']['value'])}, {simple['name']}"
        rows.append(f"| {label} | {value} | {low} to {high} | {control} |")
    return "\n".join(rows)


def cost_table(study, runs):
    """Return the Markdown table of what a study costs, so rounded that it holds on similar machines.

    `study` is as in ``stages.json``, `runs` are those of ``growth.json``, by hours.
    """
    hours, longest = max(runs.items(), key=lambda run: float(run[0]))
    memory_mb = max(growth.total(part["stages"], "memory_mb") for part in (study, *runs.values()))
    cores = re.search(r"(\d+) cores", study["machine"])[1]
    rows = {
        # rounded up, as DVC takes some seconds beside the stages
        "The study of sim08, 4 hours of EEG": f"{math.ceil(study['seconds'] / 60)} min",
        f"A study of {hours} hours of EEG": f"{math.ceil(growth.total(longest['stages'], 'seconds') / 60)} min",
        "Peak memory": f"{memory_mb / 1000:.1f} GB",
        "The environment in `.venv`": f"{study['environment_mb'] / 1000:.1f} GB",
    }
    head = [f"| What to expect | on {cores} cores, without a GPU |", "|---|---|"]
    return "\n".join([*head, *(f"| {label} | {value} |" for label, value in rows.items())])


def replace(text, name, table):
    """Return the README with the table between the markers of `name` replaced."""
    pattern = rf"(<!-- {name}: [^\n]*-->\n).*?(\n<!-- end -->)"
    found, count = re.subn(pattern, lambda match: match[1] + table + match[2], text, flags=re.S)
    if count != 1:
        raise ValueError(f"README.md has {count} places for '{name}'; wanted is one, '<!-- {name}: … -->'.")
    return found


def main():
    """Write README.md and output/readme.svg."""
    minutes = sum(one["duration_s"] for one in patients.load("sim08")["recordings"].values()) // 60
    metrics, compared = (
        files.read_json(files.stage_output("sim08", "evaluate", f"{name}.json")) for name in ("metrics", "comparison")
    )
    study, runs = files.read_json(stages.TARGET), files.read_json(growth.TARGET)["runs"]
    shutil.copyfile(files.stage_output("sim08", "evaluate", "probability.svg"), files.ROOT / "output" / "readme.svg")
    path = files.ROOT / "README.md"
    text = replace(path.read_text(encoding="utf-8"), "scores", score_table(metrics, compared, minutes / 60))
    files.write_text(path, replace(text, "costs", cost_table(study, runs)))


if __name__ == "__main__":
    main()
