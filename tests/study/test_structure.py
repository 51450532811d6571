"""The house: one name in five places, imports that point one way, dependencies that are true, thin files."""

import ast
import re

import nbformat
import pytest
import yaml
from conftest import ROOT, notebook_code

from helpers.narrate import facts
from helpers.study import files, parameters, patients

HELPERS = ROOT / "src" / "helpers"
PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
STAGES = tuple(parameters.STAGES)
OWN = "output/${item.patient}"


def notebook(stage):
    """Return the path of a stage's notebook."""
    return ROOT / "notebooks" / f"{STAGES.index(stage) + 1:02d}_{stage}.ipynb"


def imports(code):
    """Return (folder, module) of each helper that a piece of Python imports; the folder is "" at the top."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "helpers":
            for alias in node.names:
                path = f"{node.module}.{alias.name}".split(".")[1:]
                while path and not (HELPERS.joinpath(*path).with_suffix(".py")).exists():
                    path.pop()  # a name in a module
                found.add(("/".join(path[:-1]), path[-1]))
    return found


def needed(code):
    """Return the helpers that a piece of Python needs, directly or through others: folders, and modules at the top."""
    todo, done = imports(code), set()
    while todo:
        folder, module = todo.pop()
        done.add((folder, module))
        path = HELPERS / folder / f"{module}.py"
        todo |= imports(path.read_text(encoding="utf-8")) - done
    return {f"src/helpers/{folder.split('/')[0] if folder else f'{module}.py'}" for folder, module in done}


def paths(entries):
    """Return the paths of a list of outputs, with or without options."""
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def test_one_name_in_five_places():
    """Notebook = stage = params file = helpers folder = output folder = executed notebook, in the order of the flow."""
    assert tuple(PIPELINE) == (*STAGES, "overview")
    assert sorted(path.name for path in (ROOT / "notebooks").glob("0*")) == [notebook(stage).name for stage in STAGES]
    for stage in STAGES:
        entry, name = PIPELINE[stage], notebook(stage).name
        first, *then = entry["cmd"] if isinstance(entry["cmd"], list) else [entry["cmd"]]
        assert then == (["python -m helpers.report.site ${item.patient}"] if stage == "report" else [])
        assert first == (
            f"papermill notebooks/{name} {OWN}/notebooks/{name} --engine study --log-level WARNING "
            f"-f params/{stage}.yaml -r patient ${{item.patient}}"
        )
        assert entry["matrix"] == {"patient": "${patients}"} and (HELPERS / stage).is_dir()
        assert f"notebooks/{name}" in entry["deps"] and f"params/{stage}.yaml" in paths(entry["params"])
        outs = [path for kind in ("outs", "metrics", "plots") for path in paths(entry.get(kind, []))]
        others = [out for out in outs if out != f"{OWN}/notebooks/{name}" and not out.startswith("output/studies/")]
        assert others and all(out.startswith(f"{OWN}/{stage}") for out in others)


@pytest.mark.parametrize("stage", STAGES)
def test_parameters_are_declared_alike(stage):
    """The notebook's cell of parameters, params/<stage>.yaml and the types have the same keys; the cell's defaults are
    the file's values."""
    [cell] = [one for one in nbformat.read(notebook(stage), 4).cells if "parameters" in one.metadata.get("tags", [])]
    defaults = {node.target.id: ast.literal_eval(node.value) for node in ast.parse(cell.source).body}
    assert defaults.pop("patient") == "sim08"
    assert defaults == files.read_yaml(ROOT / "params" / f"{stage}.yaml")
    assert set(defaults) == set(parameters.STAGES[stage].model_fields)


@pytest.mark.parametrize("stage", STAGES)
def test_dependencies_are_what_the_notebook_imports(stage):
    """A stage depends on the folders of helpers that its notebook imports, directly or not, and on no other; on the
    files of earlier stages that it reads; and nothing about figures makes it train again."""
    entry = PIPELINE[stage]
    declared = {dep for dep in entry["deps"] if dep.startswith("src/")}
    assert declared == needed(notebook_code(notebook(stage)))
    read = re.findall(r"stage_output\(patient, \"(\w+)\", f?\"([^\"]+)\"\)", notebook_code(notebook(stage)))
    read += facts.SOURCES.values() if stage == "narrate" else []
    for other, file in read:
        path = f"{OWN}/{other}/{file}"
        assert any(path == dep or path.startswith(f"{dep}/") for dep in entry["deps"]), f"{stage} reads {path}"
    if stage == "train":
        assert "src/helpers/figures.py" not in declared and not [dep for dep in entry["deps"] if dep.endswith(".png")]


def test_the_overview_depends_on_what_it_imports():
    """It runs once for all patients, on what each report leaves for it."""
    entry = PIPELINE["overview"]
    code = (HELPERS / "report" / "overview.py").read_text(encoding="utf-8")
    declared = {dep for dep in entry["deps"] if dep.startswith("src/")}
    assert declared == needed(code) | {"src/helpers/report"} and "output/studies" in entry["deps"]
    assert "output/studies/${item.patient}.json" in PIPELINE["report"]["outs"]


def test_imports_point_one_way():
    """A folder imports the ground and folders of stages before it; narrate reads facts, not other stages' code; nothing
    imports report and predict, but for the renderer of pages, which predict uses."""
    for path in HELPERS.rglob("*.py"):
        place = path.relative_to(HELPERS).parts
        own = place[0] if len(place) > 1 else ""
        for folder, module in imports(path.read_text(encoding="utf-8")):
            other = folder.split("/")[0]
            where = f"{'/'.join(place)} imports {other}/{module}"
            if own == other or other == "study":
                continue
            if own == "study" or own == "narrate":
                raise AssertionError(where)
            if own in STAGES:
                assert module == "figures" or STAGES.index(other) < STAGES.index(own), where
            else:
                assert other not in ("report", "predict") or (own == "predict" and module in ("pages", "site")), where


def test_raw_recordings_are_in_no_cache():
    """Where they lie is not a stage's output, so that DVC stores no second copy of them."""
    outs = [out for item in PIPELINE.values() for out in paths(item["outs"])]
    folder = patients.recordings_folder("sim08")
    assert folder == files.ROOT / "output" / "sim08" / "recordings"
    assert not [out for out in outs if folder.is_relative_to(files.ROOT / out.replace("${item.patient}", "sim08"))]


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_no_variable_of_a_notebook_has_a_function_s_name(path):
    """A cell that is run on some data alone would take the function from those after it."""
    nodes = list(ast.walk(ast.parse(notebook_code(path))))
    functions = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    targets = [target for node in nodes if isinstance(node, ast.Assign) for target in node.targets]
    targets += [node.target for node in nodes if isinstance(node, ast.For)]
    assert not functions & {node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)}


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebooks_are_stripped_and_readable(path):
    """Source notebooks hold no outputs (their hash would change), no class, short cells, and prose beside the code."""
    book = nbformat.read(path, as_version=4)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)
    assert "papermill" not in book.metadata and "version" not in book.metadata.get("language_info", {})
    assert not re.search(r"^\s*class ", notebook_code(path), re.M)
    assert max(len(cell.source.splitlines()) for cell in code) <= 25
    assert len(book.cells) - len(code) >= len(code) / 2
    assert re.search(r"^\*\*.+\?\*\*$", book.cells[0].source, re.M), "the question, in one bold sentence"


def test_the_house_is_thin():
    """The limits of files, lines and commands that the project has set itself."""
    modules = list(HELPERS.rglob("*.py"))
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in modules}
    assert len(modules) <= 71 and sum(lines.values()) <= 11_000
    for name, most in {"dvc.yaml": 230, "Makefile": 70, "README.md": 150}.items():
        assert len((ROOT / name).read_text(encoding="utf-8").splitlines()) <= most, name
    assert not (HELPERS / "__init__.py").read_text()


def test_readme_commands_exist():
    """Every `make` target, stage and path that the README names is there."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z%-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    named = {re.sub("^benchmark-.*", "benchmark-%", name) for name in re.findall(r"\bmake ([a-z-]+)", text)}
    assert {"study", "test"} <= named <= set(targets), named - set(targets)
    assert set(re.findall(r"dvc repro (?:-f )?(\w+)@", text)) <= set(STAGES)
    for path in re.findall(r"\]\((?!https?:|#)([^)]+)\)", text):
        assert (ROOT / path).exists(), path


def test_no_machine_path():
    """Nothing in the project names a folder of one machine."""
    # not params/patients: a user's own declarations say where the recordings lie
    for path in [*ROOT.glob("*"), *(ROOT / "src").rglob("*"), *(ROOT / "params").glob("*")]:
        if (
            path.is_file()
            and path.name != ".git"
            and path.suffix in {".py", ".yaml", ".yml", ".md", ".toml", ".j2", ""}
        ):
            assert not re.search(r"(?<![\w.])/(home|root|work|Users)/", path.read_text(encoding="utf-8")), path
