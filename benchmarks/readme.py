"""Copy sim08's picture and rounded scores, and the costs last measured, into README.md: ``make benchmark-readme``."""

import re
import shutil

from helpers.study import files

SCORES = {"accuracy": "Accuracy", "sensitivity": "Sensitivity", "specificity": "Specificity", "f1": "F1"}


def score_table(metrics):
    """Return the Markdown table of a patient's scores, with two digits, which hold on most machines."""
    samples, events = metrics["intervals"]["samples"], metrics["events"]
    minutes = round(24 * 60 * events["false_alarms"] / events["fp_per_24h"]) if events["fp_per_24h"] else None
    rows = [
        f"| {label} | {samples[key]['value']:.2f} | {samples[key]['low']:.2f} to {samples[key]['high']:.2f} |"
        for key, label in SCORES.items()
    ]
    head = ["| sim08, simulated, all held-out samples | value | 95 % interval over recordings |", "|---|---|---|"]
    found = f"| Seizures found | {events['detected']} of {events['seizures']} | |"
    alarms = f"| False alarms{f' in {minutes} minutes' if minutes else ''} | {events['false_alarms']} | |"
    return "\n".join([*head, *rows, found, alarms])


def replace(text, name, table):
    """Return the README with the table between the markers of `name` replaced."""
    pattern = rf"(<!-- {name}: [^\n]*-->\n).*?(\n<!-- end -->)"
    found, count = re.subn(pattern, lambda match: match[1] + table + match[2], text, flags=re.S)
    if count != 1:
        raise ValueError(f"README.md has {count} places for '{name}'; wanted is one, '<!-- {name}: … -->'.")
    return found


def main():
    """Write README.md and output/readme.png."""
    metrics = files.read_json(files.stage_output("sim08", "evaluate", "metrics.json"))
    shutil.copyfile(files.stage_output("sim08", "evaluate", "probability.png"), files.ROOT / "output" / "readme.png")
    path = files.ROOT / "README.md"
    files.write_text(path, replace(path.read_text(encoding="utf-8"), "scores", score_table(metrics)))


if __name__ == "__main__":
    main()
