"""Costs: what the study takes and how that grows with hours of EEG, as its benchmarks last found it."""

import io

from matplotlib.ticker import FuncFormatter, LogLocator
from seaborn import despine

from helpers.figures import begin
from helpers.report import peers
from helpers.study import files

# The benchmarks' files in output/benchmark, and the command that makes each.
COMMANDS = {
    "stages": "make benchmark-stages",
    "growth": "make benchmark-growth",
    "data": "make benchmark-data",
    "explain": "make benchmark-explain",
    "narrate": "make benchmark-narrate",
    "baselines": "make baselines",
    "bytes": "make verify-bytes",
    "verify": "make benchmark-verify",
}
WASTES = "wastes"  # {"wastes": [{"what", "where", "before": {...}, "after": {...}, "unit", "how"}]}
# A stage's line in the figure: colours of Okabe and Ito (2008), and marks that tell them apart in grey.
LINES = {
    "acquire": ("#0072b2", "o"),
    "preprocess": ("#56b4e9", "s"),
    "train": ("#d55e00", "^"),
    "evaluate": ("#009e73", "v"),
    "explain": ("#cc79a7", "D"),
    "narrate": ("#7f7f7f", "P"),
    "report": ("#e69f00", "X"),
    "whole": ("#000000", "*"),
}
DRAWN = {"cpu_s": "CPU seconds", "memory_mb": "peak memory (MB)"}


def read():
    """Return what the page of benchmarks says, from the files in ``output/benchmark`` that are there.

    Returns
    -------
    dict
        ``stages``, ``growth``, ``wastes``: what their files hold, None where there is none, or where it was written
        before runs were repeated; ``growth_rows``: see there; ``peers`` and ``checks``: see `peers`;
        ``origins``: date, commit and machine by file; ``missing``: by file that is not there, the command that makes
        it; ``picture``: the figure of growth as PNG, None for fewer than two lengths.
    """
    folder = files.ROOT / "output" / "benchmark"
    found = {name: files.read_json(folder / f"{name}.json") for name in COMMANDS if (folder / f"{name}.json").exists()}
    if "rounds" not in found.get("stages", {}):
        found.pop("stages", None)
    growth = found.get("growth", {"runs": {}, "growth": {}})
    wastes = folder / f"{WASTES}.json"
    return {
        "stages": found.get("stages"),
        "growth": found.get("growth"),
        "growth_rows": growth_rows(growth),
        "wastes": files.read_json(wastes)["wastes"] if wastes.exists() else [],
        "peers": peers.rows(found),
        "checks": peers.checks(found),
        "origins": {name: peers.origin(one) for name, one in found.items()},
        "missing": {name: command for name, command in COMMANDS.items() if name not in found},
        "picture": _png(figure(growth["runs"])) if len(growth["runs"]) > 1 else None,
    }


def growth_rows(growth):
    """Return rows of the table of growth: a stage's ``values``, CPU seconds by hours, and how they and memory grow."""
    rows = []
    for name, one in growth["growth"].items():
        costs = [_cost(run["stages"], name, "cpu_s") for run in growth["runs"].values()]
        rows.append({"stage": name, "values": costs, "cpu_s": one["cpu_s"], "memory_mb": one["memory_mb"]})
    return rows


def _cost(stages, name, kind):
    """Return a stage's cost, or that of the whole: memory is the most at any time, the rest adds up."""
    if name != "whole":
        return stages[name][kind]
    return (max if kind == "memory_mb" else sum)(stage[kind] for stage in stages.values())


def figure(runs):
    """Show CPU seconds and memory of each stage over hours of EEG, both on logarithmic axes."""
    hours = [float(key) for key in runs]
    drawing, axes = begin(9, 4, 1, len(DRAWN))
    for axis, (kind, label) in zip(axes, DRAWN.items(), strict=True):
        for name, (colour, mark) in LINES.items():
            values = [_cost(run["stages"], name, kind) for run in runs.values()]
            axis.plot(hours, values, color=colour, marker=mark, ms=5, lw=2 if name == "whole" else 1.2, label=name)
        axis.set(xscale="log", yscale="log", xlabel="hours of EEG", ylabel=label)
        for side in (axis.xaxis, axis.yaxis):
            side.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_xticks(hours)
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    low, high = axes[0].get_ylim()
    start = low * (high / low) ** 0.05
    axes[0].plot(
        [hours[0], hours[-1]], [start, start * hours[-1] / hours[0]], ":", color="#444444", label="as the hours"
    )
    axes[0].set_ylim(low, high)
    drawing.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    despine(drawing)
    return drawing


def _png(drawing):
    """Return a figure as PNG."""
    picture = io.BytesIO()
    drawing.savefig(picture, format="png")
    return picture.getvalue()
