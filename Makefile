# `make help` lists what there is.  Everything runs in a virtual environment in the checkout.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/installed

SECONDS ?= 60
SPEED   ?= 1
SEED    ?= 1

.DEFAULT_GOAL := help
.PHONY: help install run test test-units test-systems check format docs bench clean

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

install: $(STAMP) ## make the virtual environment and install everything that is pinned

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt \
		-e '.[exchange,test,check,bench]' --config-settings editable_mode=compat
	@touch $@

run: $(STAMP) ## exchange and engine: SECONDS=60 (0: until Ctrl-C) REPORT=FILE CAPTURE=FILE SPEED=1 SEED=1
	@$(BIN)/python -m procs.demo --seconds $(SECONDS) --seed $(SEED) \
		$(if $(REPORT),--report $(REPORT)) $(if $(CAPTURE),--capture $(CAPTURE) --speed $(SPEED))

check: $(STAMP) ## style, types, floors, generated documents
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/tidy
	$(BIN)/python -m tools.records --check

test: $(STAMP) ## all tests: what starts no engine, beside what does
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target test-units test-systems

test-units: $(STAMP)
	$(BIN)/python -m pytest -q tests --ignore=tests/procs --ignore=tests/tools

test-systems: $(STAMP)
	$(BIN)/python -m pytest -q tests/procs tests/tools

bench: $(STAMP) ## benchmarks beside their references: ONLY=NAME JSON=FILE
	@$(BIN)/python -m tools.bench $(if $(ONLY),--only $(ONLY)) $(if $(JSON),--json $(JSON))

format: $(STAMP) ## put the sources into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(STAMP) ## write the generated documents
	$(BIN)/python -m tools.records

clean: ## remove the virtual environment, caches and runs
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis runs *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
