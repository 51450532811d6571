"""Copy sim08's picture and rounded scores, and the costs last measured, into README.md: ``make benchmark-readme``."""

import re
import shutil

from benchmarks import growth, stages
from helpers.study import files, patients

SCORES = {"accuracy": "Accuracy", "sensitivity": "Sensitivity", "specificity": "Specificity", "f1": "F1"}


def score_table(metrics, minutes):
    """Return the Markdown table of a patient's scores, with two digits, which hold on most machines."""
    samples, events = metrics["intervals"]["samples"], metrics["events"]
    rows = [
        f"| {label} | {samples[key]['value']:.2f} | {samples[key]['low']:.2f} to {samples[key]['high']:.2f} |"
        for key, label in SCORES.items()
    ]
    head = ["| sim08, simulated, all held-out samples | value | 95 % interval over recordings |", "|---|---|---|"]
    found = f"| Seizures found | {events['detected']} of {events['seizures']} | |"
    return "\n".join([*head, *rows, found, f"| False alarms in {minutes} minutes | {events['false_alarms']} | |"])


def cost_table(study, runs, minutes):
    """Return the Markdown table of what a study costs, so rounded that it holds on similar machines.

    `study` is as in ``stages.json``, `runs` are those of ``growth.json``, by hours.
    """
    hours, longest = max(runs.items(), key=lambda run: float(run[0]))
    memory_mb = max(growth.total(part["stages"], "memory_mb") for part in (study, *runs.values()))
    cores = re.search(r"(\d+) cores", study["machine"])[1]
    rows = {
        f"The study of sim08, {minutes} minutes of EEG": f"{study['seconds'] / 60:.0f} min",
        f"A study of {hours} hours of EEG": f"{growth.total(longest['stages'], 'seconds') / 60:.0f} min",
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
    metrics = files.read_json(files.stage_output("sim08", "evaluate", "metrics.json"))
    study, runs = files.read_json(stages.TARGET), files.read_json(growth.TARGET)["runs"]
    shutil.copyfile(files.stage_output("sim08", "evaluate", "probability.svg"), files.ROOT / "output" / "readme.svg")
    path = files.ROOT / "README.md"
    text = replace(path.read_text(encoding="utf-8"), "scores", score_table(metrics, minutes))
    files.write_text(path, replace(text, "costs", cost_table(study, runs, minutes)))


if __name__ == "__main__":
    main()
