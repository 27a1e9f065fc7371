# Short ways to the commands that are used most; `make help` lists them.
#
# All of them use the environment in .venv, which is made on first use from requirements.lock: exact versions, each file
# checked against its hash. It needs Python 3.11 or newer and pip, nothing else. uv, which installs with a fraction of
# pip's work, comes from there too; where it finds no packages (a registry that pip alone is told of), pip takes over.

PYTHON ?= python3
CORES  ?= $(shell nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
STUDY  ?= paper

BIN        := .venv/bin
# With the folder's name in it: an environment does not work from a folder of another name, so it is then made anew.
STAMP      := .venv/installed-$(shell pwd | cksum | cut -d ' ' -f 1)
SNAKEMAKE  := $(BIN)/snakemake
PIP        := $(BIN)/python -m pip install --disable-pip-version-check --quiet
# The study `paper` is config.yaml itself, every other one an overlay of its own. It stands last on each line, because
# Snakemake would take a target after it for one more file.
OVERLAY    = $(if $(filter paper,$(STUDY)),,--configfile config/$(STUDY).yaml)
STUDIES    := paper $(patsubst config/%.yaml,%,$(wildcard config/*.yaml))
# At once, not after the environment is made.
$(if $(filter $(STUDIES),$(STUDY)),,$(error there is no config/$(STUDY).yaml: STUDY is one of $(STUDIES)))

# Rules and tests start `python`: it must be the one of .venv.
export PATH := $(CURDIR)/$(BIN):$(PATH)
# They start it a hundred times: each process would compile the libraries' sources anew, which takes longer than its work.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup quick paper study figures report audit readme benchmark test lint format lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "CORES=$(CORES) STUDY=$(STUDY) PYTHON=$(PYTHON) can be set, as in: make figures STUDY=quick"

setup: $(STAMP) ## make the environment .venv

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed as $(PYTHON): install it, or name it: make PYTHON=python3.12 setup" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "$(PYTHON) cannot make environments: install its module venv (Debian, Ubuntu: python3-venv)." >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > .venv/uv.lock
	$(PIP) --require-hashes -r .venv/uv.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock \
	  || $(PIP) --no-compile --require-hashes -r requirements.lock
	$(PIP) --no-build-isolation --no-deps -e .
	@touch $@

# Also where the command line names another study.
quick: override STUDY = quick
quick: $(STAMP) ## the whole workflow, small, on a laptop's CPU: config/quick.yaml
	@$(SNAKEMAKE) --cores $(CORES) --resources gpu=1 --logger iwae $(OVERLAY)
	@$(SNAKEMAKE) --report results/quick/report.html --quiet all $(OVERLAY)
	@echo "Table 1: results/quick/table1.md. On one page: results/quick/report.html"

paper: override STUDY = paper
paper: ## the full replication, for a GPU: config.yaml
study: ## any study: make study STUDY=efficient, as config/efficient.yaml describes it
paper study: $(STAMP)
	$(SNAKEMAKE) --cores $(CORES) --resources gpu=1 $(OVERLAY)

figures: $(STAMP) ## tables and figures of STUDY from its results; never trains
	$(SNAKEMAKE) figures --cores $(CORES) $(OVERLAY)

report: $(STAMP) ## one page, results/STUDY/report.html, with all tables and figures of STUDY
	$(SNAKEMAKE) --report results/$(STUDY)/report.html $(OVERLAY)

audit: $(STAMP) ## does each claim of the paper hold in STUDY, and is every file what it was: results/STUDY/audit.html
	$(SNAKEMAKE) audit --cores 1 $(OVERLAY)

readme: $(STAMP) ## maintainers: put the results of STUDY, and what all studies decide, into README.md
	$(BIN)/python -m iwae readme --results results/$(STUDY)

benchmark: $(STAMP) ## measure the speed on this machine: benchmarks/results/
	$(BIN)/python -m iwae benchmark

test: $(STAMP) ## run the tests; the first time fetches MNIST into data/
	$(BIN)/python -m pytest -m "not slow"

lint: $(STAMP) ## check style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy

format: $(STAMP) ## format the code
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

lock: $(STAMP) ## maintainers: write requirements.lock anew from pyproject.toml
	echo hatchling | $(BIN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  --python-version 3.11 --extra dev --extra slurm pyproject.toml - --output-file requirements.lock >/dev/null

clean: ## remove the quick study, logs and caches; data, .venv and the paper's results stay
	rm -rf results/quick figures/quick checkpoints/quick logs/quick .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find src tests workflow -name __pycache__ -type d -prune -exec rm -rf {} +
