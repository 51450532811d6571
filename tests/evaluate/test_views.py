"""DVC's own views: short tables of scores, plots, experiments that run no more than they must, and a remote."""

import csv
import io
import json
import os
import re
import shlex
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT, copy_study, environment, notebook_code
from sklearn import metrics

from helpers.evaluate import ranking, views
from helpers.study import files, stage

PLOTS = {
    path.rsplit("/", 1)[1].removesuffix(".csv"): (path, options)
    for entry in yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]["evaluate"]["plots"]
    for path, options in entry.items()
}
EXPERIMENTS = ROOT / "output" / "benchmark" / "experiments.csv"
KEEP, DROP = "f1|auprc|seizures_found|fp_per_24h", "accuracy|auroc|threshold|sensitivity|specificity|weighted_f1"
TABLE = (  # the README's command, until it has one
    f"dvc exp show --only-changed --hide-workspace --precision 3 --keep '.*\\b({KEEP})' "
    f"--drop 'Created|.*\\b({DROP})$|(src|notebooks|output)/[^:]*$' --csv"
)


def made_up(n=30_000, seed=0):
    """Return predictions of `n` samples, a tenth of them seizure, and curves and folds of two networks."""
    generator = np.random.default_rng(seed)
    label = (generator.random(n) < 0.1).astype(int)
    p = 1 / (1 + np.exp(-generator.normal(2 * label - 2, 1)))
    names = np.repeat(["a", "b", "c"], -(-n // 3))[:n]
    table = pd.DataFrame({"recording": names, "label": label, "p_seizure": p, "p_smooth": p**2})
    rows = [
        (network, epoch, 1 / epoch, recording, epoch + number)
        for number, network in enumerate(("0-1", "0-2"))
        for epoch in (1, 2, 3)
        for recording in ("b", "c")
    ]
    curves = pd.DataFrame(rows, columns=["network", "epoch", "train_loss", "recording", "loss"])
    return table, curves, [{"fold": 0, "networks": ["0-1", "0-2"], "inner": ["b"]}]


def sure():
    """Return the intervals of sim08, as its run wrote them."""
    return files.read_json(ROOT / "output" / "sim08" / "evaluate" / "metrics.json")["intervals"]


def numbers(value):
    """Yield every number in nested dicts and lists."""
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, (dict, list)):
            yield from numbers(item)
        elif isinstance(item, (int, float)):
            yield item


def test_headline_is_short_and_repeats_the_scores():
    """A dozen numbers at most, each of them in metrics.json, the README's six among them."""
    found = files.read_json(ROOT / "output" / "sim08" / "evaluate" / "metrics.json")
    headline = views.headline(found["samples"], found["events"], found["intervals"])
    assert len(headline) <= 12 and set(headline.values()) <= set(numbers(found))
    for name in ("accuracy", "sensitivity", "specificity", "f1", "weighted_f1", "threshold"):
        assert headline[name] == found["samples"][name]
    assert headline["f1_low"] <= headline["f1"] <= headline["f1_high"]
    assert headline["seizures_found"] == found["events"]["detected"] and headline["auprc"] == found["samples"]["auprc"]


def test_curves_have_few_points_and_the_same_areas():
    """30,000 samples are a thousand points at most, under which lie the AUROC and the average precision."""
    table, curves, folds = made_up()
    found = views.tables(table, sure(), (5, 3, 2, 90), curves, folds)
    assert all(len(view) <= 1000 for view in found.values())
    for name in ("p_seizure", "p_smooth"):
        roc = found["roc"].query("line == @name")
        area = metrics.auc(roc["false_positive_rate"], roc["sensitivity"])
        assert area == pytest.approx(ranking.auroc(table["label"], table[name]), abs=1e-3)
        steps = found["precision_recall"].query("line == @name")
        under = -(steps["recall"].diff() * steps["precision"]).sum()  # each step's precision is that of its left end
        assert under == pytest.approx(ranking.auprc(table["label"], table[name]), abs=5e-3)
        assert (steps[["recall", "precision"]].diff().iloc[1:] == 0).any(axis=1).all()  # level or upright, no slope
    chance = found["precision_recall"].query("line == 'chance'")
    assert chance["precision"].tolist() == [table["label"].mean()] * 2


def test_few_samples_are_drawn_without_loss():
    """Where there are few points, all are kept: the curves' areas are exact."""
    table, _, _ = made_up(60, seed=3)
    label, p = table["label"], table["p_seizure"]
    roc = views.roc(table).query("line == 'p_seizure'")
    area = metrics.auc(roc["false_positive_rate"], roc["sensitivity"])
    assert area == pytest.approx(ranking.auroc(label, p), abs=1e-12)
    steps = views.precision_recall(table).query("line == 'p_seizure'")
    under = -(steps["recall"].diff() * steps["precision"]).sum()
    assert under == pytest.approx(ranking.auprc(label, p), abs=1e-12)


def test_without_a_seizure_there_is_chance_alone():
    """No curve is drawn that is not defined, and no error raised."""
    table = made_up(50)[0].assign(label=0)
    assert set(views.roc(table)["line"]) == set(views.precision_recall(table)["line"]) == {"chance"}


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
    table, curves, folds = made_up(100)
    found = views.tables(table, sure(), (5, 3, 2, 90), curves, folds)
    assert list(found) == list(PLOTS)
    for name, (path, options) in PLOTS.items():
        assert path == f"output/${{item.patient}}/evaluate/views/{name}.csv"
        assert options["title"].startswith("${item.patient}: ") and {"x_label", "y_label"} <= set(options)
        template = (ROOT / ".dvc" / "plots" / f"{options['template']}.json").read_text(encoding="utf-8")
        json.loads(template)
        read = set(re.findall(r'"field": "(\w+)"', template)) - {"rev", "p", "said"}
        read |= set(re.findall(r"datum\.(\w+)", template))
        assert {options["x"], options["y"]} | read <= set(found[name].columns), name
    assert 'out / "views" / f"{name}.csv"' in notebook_code(stage.notebook("evaluate"))


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


def test_readme_experiments_come_from_the_runs():
    """The README's table of experiments is experiments.csv, row by row, or there is neither."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    heads = [number for number, line in enumerate(rows) if line.startswith("| Experiment |")]
    if not EXPERIMENTS.exists():
        assert not heads, (
            "README.md has a table of experiments, of which output/benchmark/experiments.csv knows nothing"
        )
        return
    with EXPERIMENTS.open(encoding="utf-8", newline="") as file:
        table = [{key: row[key] for key in row if key not in ("rev", "typ")} for row in csv.DictReader(file)]
    lines = [list(table[0]), *([row["Experiment"] or "as it is", *list(row.values())[1:]] for row in table)]
    assert len(heads) == 1
    shown = rows[heads[0] : heads[0] + len(lines)]
    assert shown == [f"| {' | '.join(line)} |" for line in lines]


@pytest.fixture(scope="module")
def project(made_study, tmp_path_factory):
    """A copy of the study as a Git repository, evaluated by DVC and committed, without what comes after."""
    root = copy_study(made_study, tmp_path_factory.mktemp("views") / "project")
    shutil.copy(ROOT / ".gitignore", root / ".gitignore")
    pipeline = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    stages = {name: pipeline["stages"][name] for name in stage.STAGES[:4]}  # test_study.py has them all
    (root / "dvc.yaml").write_text(yaml.safe_dump(pipeline | {"stages": stages}, sort_keys=False), encoding="utf-8")
    (root / ".dvc" / "config").write_text("[core]\n    analytics = false\n")
    kept = {f"output/sim08/{name}" for name in ("recordings", "notebooks", *stage.STAGES[:4])}
    for path in [*(root / "output").glob("*"), *(root / "output" / "sim08").glob("*")]:
        name = path.relative_to(root).as_posix()
        if path.is_symlink() or path.is_file():
            path.unlink()
        elif name != "output/sim08" and name not in kept:
            shutil.rmtree(path)
    for name in stage.STAGES[4:]:
        (root / "output" / "sim08" / "notebooks" / stage.notebook(name).name).unlink()
    run = runner(root)
    run("git init --quiet -b main")
    run("git config user.name tester")
    run("git config user.email tester@example.org")
    assert not running(run("dvc repro evaluate@sim08"))
    run("git add --all")
    run("git commit --quiet -m study")
    return root


def runner(root):
    """Return a function that runs a command in `root` by its own helpers and returns what it printed."""
    variables = environment(root) | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}

    def run(command):
        done = subprocess.run(shlex.split(command), cwd=root, env=variables, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
        return done.stdout

    return run


def running(said):
    """Return the stages that DVC says it runs."""
    return re.findall(r"^Running stage '(\w+)@sim08'", said, re.M)


def headline(root):
    """Return the headline scores that lie in the workspace."""
    return files.read_json(root / "output" / "sim08" / "evaluate" / "headline.json")


@pytest.fixture(scope="module")
def experiment(project):
    """An experiment of one epoch more, by the README's steps: what it printed, its scores, and the workspace before."""
    run, before = runner(project), headline(project)
    said = run("dvc exp run --name epochs-3 --set-param params/train.yaml:epochs=3 evaluate@sim08")
    scores, changed = headline(project), run("git status --porcelain").split("\n")
    run("git restore .")
    run("dvc checkout --quiet")
    return said, before, scores, changed


def test_experiment_runs_training_and_what_follows_it(experiment):
    """Neither acquisition nor preprocessing runs for a parameter of the training."""
    assert running(experiment[0]) == ["train", "evaluate"]


def test_workspace_is_as_before_when_the_experiment_is_put_away(project, experiment):
    """The two commands bring back files, scores and results; nothing would run, and Git sees no change."""
    _, before, scores, changed = experiment
    assert {line[3:] for line in changed if line} >= {"params/train.yaml", "dvc.lock"} and scores != before
    run = runner(project)
    assert headline(project) == before and run("git status --porcelain") == ""
    assert not running(run("dvc repro --dry evaluate@sim08"))


def test_metrics_show_and_diff_show_the_headline_alone(project, experiment):
    """A row a score that changed, old and new as the runs wrote them; nothing of the folds or the intervals."""
    run, (_, before, after, _) = runner(project), experiment
    shown = json.loads(run("dvc metrics show --json"))[""]["data"]
    assert [(path, entry["data"]) for path, entry in shown.items()] == [
        ("output/sim08/evaluate/headline.json", {key: value for key, value in before.items() if value is not None})
    ]
    diff = json.loads(run("dvc metrics diff --json HEAD epochs-3"))["output/sim08/evaluate/headline.json"]
    defined = {key for key in before if before[key] is not None and after[key] is not None}
    assert {key for key in defined if before[key] != after[key]} == set(diff) & defined
    assert diff["threshold"]["old"] == before["threshold"] and diff["threshold"]["new"] == after["threshold"]


def test_table_of_experiments_says_what_changed(project, experiment):
    """The README's command gives a row a run: its name, the parameter changed, the scores; and no hash of a file."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    written = re.findall(r"^(dvc exp show .+ --csv) > output/benchmark/experiments.csv$", text, re.M)
    rows = list(csv.DictReader(io.StringIO(runner(project)(written[0] if written else TABLE))))
    assert [(row["Experiment"], row["epochs"]) for row in rows] == [("", "2"), ("epochs-3", "3")]
    assert {"f1", "f1_low", "f1_high", "auprc", "seizures_found", "fp_per_24h"} <= set(rows[0]) and len(rows[0]) <= 10


def test_plots_of_two_runs_lie_over_each_other(project, experiment):
    """`dvc plots diff` fills each template for both runs, and the page asks for nothing but Vega."""
    runner(project)("dvc plots diff HEAD epochs-3 --html-template .dvc/plots/page.html --out drawn")
    page = (project / "drawn" / "index.html").read_text(encoding="utf-8")
    shutil.rmtree(project / "drawn")
    specs = [json.loads(text) for text in re.findall(r"var spec = (\{.*\});", page)]
    assert "DVC_METRIC" not in page and len(specs) == len(PLOTS)
    for spec, (name, (_, options)) in zip(specs, PLOTS.items(), strict=True):
        title = spec["title"]["text"] if isinstance(spec["title"], dict) else spec["title"]
        assert title == options["title"].replace("${item.patient}", "sim08")
        assert {row["rev"] for row in spec["data"]["values"]} == {"HEAD", "epochs-3"}, name
        assert options["x_label"] in json.dumps(spec, ensure_ascii=False)
    assert set(re.findall(r"https?://[\w.]+", page)) <= {"https://cdn.jsdelivr.net", "https://vega.github.io"}


@pytest.mark.parametrize("helper", ["score_figures", "views"])
def test_other_curves_and_figures_never_retrain(project, experiment, helper):
    """An edit of what draws or tabulates scores runs the evaluation alone."""
    path = project / "src" / "helpers" / f"{helper}.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(text + "\n# another colour\n", encoding="utf-8")
    try:
        assert running(runner(project)("dvc repro --dry evaluate@sim08")) == ["evaluate"]
    finally:
        path.write_text(text, encoding="utf-8")


def test_clone_pulls_the_study_and_runs_nothing(project, experiment, tmp_path):
    """Pushed to a folder, cloned and pulled, the study is up to date without its recordings, and has every result."""
    run = runner(project)
    remote = f"dvc remote add --local --default store '{tmp_path / 'store'}'"
    run(remote)
    run("dvc push --quiet")
    run(f"git clone --quiet . '{tmp_path / 'clone'}'")
    clone = runner(tmp_path / "clone")
    clone(remote)
    clone("dvc pull --quiet")
    assert not running(clone("dvc repro")) and clone("git status --porcelain") == ""
    assert headline(tmp_path / "clone") == headline(project)
    missing = {path.relative_to(project / "output") for path in (project / "output").rglob("*.*") if path.is_file()} - {
        path.relative_to(tmp_path / "clone" / "output") for path in (tmp_path / "clone" / "output").rglob("*.*")
    }
    assert {path.parts[1] for path in missing if path.suffix != ".lock"} == {"recordings"}
