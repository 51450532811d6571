"""Figures of all samples together and of the tests of the methods; each returns one and saves nothing."""

import re

import numpy as np
import seaborn

from helpers.explain.attributions import METHODS
from helpers.explain.profiles import DECISIONS
from helpers.explain.sample_figures import SIGNED_MAP, TINY, signed_text
from helpers.explain.sanity import BASELINES
from helpers.figures import SEIZURE, SPECTROGRAM_MAP, WIDTH, begin, draw_means, letter
from helpers.study.bands import BANDS

NAMES = {**METHODS, **BASELINES, "random": "random order"}
COLOURS = {"gradcam": "#0072b2", "gradcampp": "#56b4e9", "ig": "#d55e00", "power": "#009e73", "above_mean": "#cc79a7"}
MARKERS = {"gradcam": "s", "gradcampp": "^", "ig": "o", "power": "D", "above_mean": "v"}


def profile_maps(means):
    """Show each method's mean relevance by band and step, one panel a method and decision; from `profiles.means`."""
    methods = [name for name in METHODS if name in set(means["method"])]
    size = (len(methods), len(DECISIONS))
    figure, axes = begin(WIDTH, 1.8 * size[0] + 0.5, *size, sharex=True, sharey=True, squeeze=False)
    counts = means.groupby("decision")["n"].max()
    for row, method in zip(axes, methods, strict=True):
        part = means[means["method"] == method]
        for axis, decision in zip(row, DECISIONS, strict=True):
            if axis in axes[0]:
                axis.set_title(f"{decision}: {counts.get(decision, 0)}".replace(", ", ",\n"), loc="center")
            if decision not in counts:
                axis.annotate("none", (0.5, 0.5), xycoords="axes fraction", ha="center")
                continue
            grid = part[part["decision"] == decision].pivot(index="band", columns="step", values="relevance")
            scale, form = _band_scale(method, part["relevance"]), "+.2f" if method == "ig" else ".2f"
            seaborn.heatmap(
                grid.loc[list(BANDS)], ax=axis, annot=True, fmt=form, annot_kws={"size": 7}, cbar=False, **scale
            )
            axis.set(xlabel="", ylabel="")
        row[0].set_ylabel(_band_label(method))
    axes[0, 0].invert_yaxis()
    return figure


def _band_scale(method, values):
    high = max(float(np.nanmax(np.abs(values))), TINY)
    if method == "ig":
        return {"cmap": SIGNED_MAP, "vmin": -high, "vmax": high}
    return {"cmap": SPECTROGRAM_MAP, "vmin": 0, "vmax": max(2.0, high)}


def _band_label(method):
    return METHODS[method] + ("\nlog-odds" if method == "ig" else "\nrelevance\n(1 = everywhere alike)")


def onset_profiles(found, log_odds):
    """Show each method's mean relevance by band over the time since the onset, from `profiles.onset_relevance`.

    The mean log-odds, from `profiles.onset_log_odds`, are drawn over the panel of Integrated Gradients.
    """
    methods = [name for name in METHODS if name in set(found["method"])]
    figure, axes = begin(WIDTH, 1.6 * len(methods) + 0.4, len(methods), 1, sharex=True, squeeze=False)
    for axis, method in zip(axes[:, 0], methods, strict=True):
        part = found[found["method"] == method]
        grid = part.pivot(index="band", columns="since_s", values="relevance").loc[list(BANDS)]
        first, last = grid.columns[0], grid.columns[-1]
        frame_s = np.diff(grid.columns).min() if len(grid.columns) > 1 else 2.0
        grid.columns = np.round((grid.columns - first) / frame_s).astype(int)
        grid = grid.reindex(columns=range(grid.columns[-1] + 1))  # white where there is no frame
        extent = (first - frame_s / 2, last + frame_s / 2, -0.5, len(BANDS) - 0.5)
        scale = _band_scale(method, grid)
        image = axis.imshow(grid, extent=extent, origin="lower", aspect="auto", interpolation="none", **scale)
        axis.set_yticks(range(len(BANDS)), BANDS)
        figure.colorbar(image, ax=axis, label=_band_label(method), pad=0.1 if method == "ig" else 0.01)
        axis.axvline(0, color=SEIZURE, linestyle="--", linewidth=1.4)
        if method == "ig":
            beside = axis.twinx()
            beside.plot(log_odds.index, log_odds, color="black", marker="o", markersize=3, linewidth=1.2)
            beside.set_ylabel("log-odds (line)")
    axes[-1, 0].set_xlabel("time since the annotated onset (s), of the frame decided on")
    return figure


def _style(name):
    """Return how the line of a map is drawn."""
    return {"color": COLOURS.get(name, "#777777"), "marker": MARKERS.get(name, "x"), "markersize": 4, "linewidth": 1.3}


def truth_scores(truth):
    """Show how well each map separates planted from other cells, AUC with intervals; see `sanity.summary`."""
    panels = ("time × frequency", "frequency", "channel", "channel, where planted")
    figure, axes = begin(WIDTH, 2.9, 1, len(panels), sharex=True, sharey=True)
    names = [name for name in NAMES if name not in ("chance", "random")]
    for axis, along in zip(axes, panels, strict=True):
        found = {name: scores["auc"] for name, scores in truth[along].items() if "auc" in scores}
        for row, name in enumerate(names):
            if name in found:
                draw_means(axis, [row], [found[name]], True, **_style(name))
        if "chance" in found:
            axis.axvline(found["chance"]["value"], color="black", linestyle=":", linewidth=1)
        axis.set(
            title=re.sub("(?<=[×,]) ", "\n", along), xlabel="AUC", xlim=(-0.03, 1.03), ylim=(len(names) - 0.5, -0.5)
        )
        axis.grid(axis="x", linewidth=0.4)
    axes[0].set_yticks(range(len(names)), [NAMES[name].replace(" the training", "\nthe training") for name in names])
    letter(axes)
    return figure


def weight_randomisation(correlations, layers, limit):
    """Show how alike each method's maps stay as weights are lost layer by layer; ``disturbed`` of `sanity.summary`."""
    figure, axis = begin(WIDTH, 3.4)
    tests = {f"weights:{layer}": layer for layer in layers}
    tests |= {"labels": "permuted\nlabels", "retrained": "other\nrecordings", "noise": "a little\nnoise"}
    for number, (method, name) in enumerate(METHODS.items() if correlations else ()):
        found = [correlations[test][method] for test in tests]
        draw_means(axis, np.arange(len(tests)) + 0.13 * (number - 1), found, label=name, **_style(method), linestyle="")
    if correlations:
        size = [correlations[f"magnitude:weights:{layer}"]["ig"] for layer in layers]
        places = np.arange(len(layers)) + 0.26
        draw_means(axis, places, size, label="Integrated Gradients, without signs", **_style("random"), linestyle="")
    axis.axhline(limit, color="black", linestyle="--", linewidth=0.9)
    axis.axhline(0, color="#bbbbbb", linewidth=0.8)
    axis.axvline(len(layers) - 0.35, color="#bbbbbb", linewidth=0.8)
    axis.set_xticks(range(len(tests)), tests.values())
    axis.set(xlabel="weights are random down to this layer, or what else has changed", ylabel="rank correlation")
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    seaborn.despine(figure)
    return figure


def deletion_curves(curves, gain):
    """Show the score as cells are replaced and restored, in each map's order and at random; see `sanity.summary`."""
    figure, axes = begin(WIDTH, 3.9, 1, 2, sharey=True)
    for axis, kind in zip(axes, ("deletion", "insertion"), strict=True):
        for name, values in curves.get(kind, {}).items():
            gains = {other: gain[other].get(name, {}).get("value") for other in curves}
            tail = ", ".join(signed_text(v) for v in gains.values() if v is not None)
            values = np.array(values, float)  # None where no sample has a score
            axis.plot(
                np.linspace(0, 1, len(values)), values, label=f"{NAMES[name]}{tail and f' ({tail})'}", **_style(name)
            )
        axis.set(title=kind.capitalize(), xlabel="share of cells, the most relevant first")
    axes[0].set_ylabel("score (0: other EEG, 1: the sample)")
    keys = axes[0].get_legend_handles_labels()
    figure.legend(*keys, loc="outside lower center", ncols=2, frameon=False)
    letter(axes)
    seaborn.despine(figure)
    return figure
