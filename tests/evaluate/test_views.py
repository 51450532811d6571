"""DVC's own views: short tables of scores and curves, declared as DVC draws them."""

import json
import re

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT
from sklearn import metrics

from helpers.evaluate import scores, views
from helpers.study import files

PLOTS = {
    path.rsplit("/", 1)[1].removesuffix(".csv"): (path, options)
    for entry in yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]["evaluate"]["plots"]
    for path, options in entry.items()
}


def made_up(n=30_000, seed=0):
    """Return predictions of `n` samples, a tenth of them seizure, and curves and folds of two networks."""
    generator = np.random.default_rng(seed)
    label = (generator.random(n) < 0.1).astype(int)
    log_odds = generator.normal(2 * label - 2, 1)
    names = np.repeat(["a", "b", "c"], -(-n // 3))[:n]
    table = pd.DataFrame({"recording": names, "label": label, "log_odds": log_odds, "log_odds_smooth": log_odds**3})
    table["p_seizure"] = 1 / (1 + np.exp(-log_odds))
    rows = [
        (network, epoch, 1 / epoch, recording, epoch + number)
        for number, network in enumerate(("0-1", "0-2"))
        for epoch in (1, 2, 3)
        for recording in ("b", "c")
    ]
    curves = pd.DataFrame(rows, columns=["network", "epoch", "train_loss", "recording", "loss"])
    return table, curves, [{"fold": 0, "networks": ["0-1", "0-2"], "inner": ["b"]}]


@pytest.mark.parametrize(("n", "accuracy"), [(30_000, 5e-3), (60, 1e-12)])
def test_curves_have_few_points_and_the_same_areas(n, accuracy):
    """A thousand points at most, under which lie the AUROC and the average precision: exactly where there are fewer."""
    table, _, _ = made_up(n)
    every_roc, every_step = views.roc(table), views.precision_recall(table)
    assert len(every_roc) <= 1000 and len(every_step) <= 1000
    for name in views.COLUMNS:
        roc, steps = (view[view["line"] == name] for view in (every_roc, every_step))
        area = metrics.auc(roc["false_positive_rate"], roc["sensitivity"])
        under = -(steps["recall"].diff() * steps["precision"]).sum()  # each step's precision is that of its left end
        assert area == pytest.approx(scores.auroc(table["label"], table[name]), abs=accuracy)
        assert under == pytest.approx(scores.auprc(table["label"], table[name]), abs=accuracy)
        assert (steps[["recall", "precision"]].diff().iloc[1:] == 0).any(axis=1).all()  # level or upright, no slope
    chance = every_step[every_step["line"] == "chance"]
    assert chance["precision"].tolist() == [table["label"].mean()] * 2


def test_confusion_shares_are_of_the_true_class():
    """Rows of the matrix sum to one, and an absent class divides by nothing."""
    found = views.confusion(3, 1, 2, 8).set_index(["true", "decided"])
    assert found.loc[("seizure", "non-seizure")].tolist() == [1, 0.25]
    assert found.loc[("non-seizure", "seizure")].tolist() == [2, 0.2]
    assert views.confusion(0, 0, 2, 8)["share"].tolist() == [0, 0, 0.2, 0.8]


def test_learning_is_the_mean_of_the_folds_networks_on_inner_recordings():
    """Recording c is held out: its loss is not shown."""
    _, curves, folds = made_up(10)
    curves.loc[curves["recording"] == "c", "loss"] = 1000
    found = views.learning(curves, folds)
    assert found.query("line == 'inner recordings'")["loss"].tolist() == [1.5, 2.5, 3.5]
    assert found.query("line == 'training'")["loss"].tolist() == [1, 1 / 2, 1 / 3]


def test_every_view_is_declared_with_the_columns_it_has():
    """DVC draws every table by a template in the project, which reads columns that are there; each says whose it is."""
    (table, curves, folds), sure = made_up(100), files.read_json(ROOT / "tests" / "metrics.json")["intervals"]
    found = {
        "scores": views.scores(sure), "roc": views.roc(table), "precision_recall": views.precision_recall(table),
        "reliability": views.reliability(table), "confusion": views.confusion(5, 3, 2, 90),
        "learning": views.learning(curves, folds),
    }  # fmt: skip
    assert list(found) == list(PLOTS)
    for name, (path, options) in PLOTS.items():
        assert path == f"output/${{item.patient}}/evaluate/views/{name}.csv"
        assert options["title"].startswith("${item.patient}: ") and {"x_label", "y_label"} <= set(options)
        template = (ROOT / ".dvc" / "plots" / f"{options['template']}.json").read_text(encoding="utf-8")
        json.loads(template)
        read = set(re.findall(r'"field": "(\w+)"', template)) - {"rev", "p", "said"}
        read |= set(re.findall(r"datum\.(\w+)", template))
        assert {options["x"], options["y"]} | read <= set(found[name].columns), name


def test_page_names_one_version_of_vega():
    """The page loads from beside itself what its own npm command installs, and asks the network for the same."""
    page = (ROOT / ".dvc" / "plots" / "page.html").read_text(encoding="utf-8")
    commands = re.findall(r"npm install --prefix dvc_plots ([^\n<]+)", page)
    assert len(commands) == 2 and len({" ".join(command.split()) for command in commands}) == 1
    packages = commands[0].split()
    assert re.findall(r'"(vega[\w-]*@[\d.]+)"', page) == packages and "{plot_divs}" in page
    assert "{scripts}" not in page  # DVC would put its own addresses there
    for name in (package.split("@")[0] for package in packages):
        assert f'src="node_modules/{name}/build/{name}.min.js"' in page
