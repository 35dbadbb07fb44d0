# `make help` lists the targets.  Everything runs in a virtual environment in the checkout.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/installed
VECTORS := $(VENV)/vectors

SECONDS ?= 60
SPEED   ?= 1
SEED    ?= 1
MINUTES ?= 10

.DEFAULT_GOAL := help
.PHONY: help install run test test-units test-python test-systems vectors fuzz check format docs bench chaos soak clean

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

install: $(STAMP) ## make the virtual environment and install the pinned packages

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt \
		-e '.[exchange,top,web,test,check,bench]' --config-settings editable_mode=compat
	@touch $@

run: $(STAMP) ## exchange and engine: SECONDS=60 (0: until Ctrl-C) REPORT=FILE VENUE=bybit CONFIG=FILE CAPTURE=FILE SYMBOL=BTCUSDT REFERENCE=FILE SPEED=1 SEED=1 TLS=1 NO_DASHBOARD=1
	@$(BIN)/python -m procs.demo $(if $(VENUE),--config configs/demo_$(VENUE).toml --exchange-config configs/exchange_$(VENUE).toml) \
		$(if $(CONFIG),--config $(CONFIG)) --seconds $(SECONDS) --seed $(SEED) \
		$(if $(REPORT),--report $(REPORT)) $(if $(CAPTURE),--capture $(CAPTURE) --speed $(SPEED)) \
		$(if $(SYMBOL),--symbol $(SYMBOL)) $(if $(REFERENCE),--reference $(REFERENCE)) $(if $(TLS),--tls) $(if $(NO_DASHBOARD),--no-dashboard)

check: $(STAMP) ## style, types, floors, generated documents
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/tidy
	$(BIN)/python -m tools.documents --check

test: $(STAMP) vectors ## all tests: those without an engine, as machine code and as plain Python, in parallel with those that start one
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target test-systems test-units test-python

test-units: $(STAMP)
	$(BIN)/python -m pytest -q tests/tidy tests/ipc tests/vortex tests/conformance tests/procs/exchange

# The compiled functions as they are written: each access checked, each line counted.
test-python: export NUMBA_DISABLE_JIT = 1
test-python: export VORTEX_CHECK_BOUNDS = 1
test-python: $(STAMP) ## ipc and vortex as plain Python with bounds checked, and what of it was run
	$(BIN)/python -m coverage run -m pytest -q tests/ipc tests/vortex
	$(BIN)/python -m coverage report

test-systems: $(STAMP)
	$(BIN)/python -m pytest -q tests/procs tests/tools --ignore=tests/procs/exchange

vectors: $(VECTORS) ## fetch the published sources that tests read (tests/vectors.txt)

$(VECTORS): tests/vectors.txt | $(STAMP)
	@$(BIN)/pip download --quiet --disable-pip-version-check --retries 1 --timeout 15 \
		--no-deps --no-binary msgspec --require-hashes \
		--dest $@ -r tests/vectors.txt && touch $@ \
		|| { rm -rf $@; echo "not fetched: the tests that read them are skipped"; }

bench: $(STAMP) ## benchmarks beside their references: ONLY=NAME JSON=FILE; or beside a commit: BASE=COMMIT ONLY="NAME ..." SECONDS=60 BOUND=RATIO
ifdef BASE
	@$(BIN)/python -m tools.bench.against $(BASE) $(addprefix --only ,$(ONLY)) --seconds $(SECONDS) \
		$(if $(BOUND),--bound $(BOUND)) $(if $(JSON),--json $(JSON))
else
	@$(BIN)/python -c "import iceoryx2" 2>/dev/null \
		|| $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt \
		-e '.[peers]' --config-settings editable_mode=compat 2>/dev/null \
		|| echo "iceoryx2 is not available for this machine: measuring without it"
	@$(BIN)/python -m tools.bench $(if $(ONLY),--only $(ONLY)) $(if $(JSON),--json $(JSON))
endif

fuzz: $(STAMP) ## framing, scanner and market decoder against slow readers: SECONDS=60 SEED=1
	@$(BIN)/python -c "import atheris" 2>/dev/null \
		|| $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt \
		-e '.[fuzz]' --config-settings editable_mode=compat 2>/dev/null \
		|| { echo "atheris is not available for $$($(BIN)/python --version): no fuzzing"; exit 1; }
	@$(BIN)/python -m tools.fuzz --seconds $(SECONDS) --seed $(SEED)

chaos: $(STAMP) ## kill and stop every part under load, audited by the exchange: SECONDS=120 SEED=1
	@$(BIN)/python -m tools.chaos --seconds $(if $(filter file,$(origin SECONDS)),120,$(SECONDS)) --seed $(SEED)

soak: $(STAMP) ## trade for long at ten times the normal rate, and look for growth: MINUTES=10 SEED=1 JSON=FILE
	@$(BIN)/python -m tools.soak --minutes $(MINUTES) --seed $(SEED) $(if $(JSON),--json $(JSON))

format: $(STAMP) ## format the sources
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(STAMP) ## write the generated documents
	$(BIN)/python -m tools.documents

clean: ## remove the virtual environment, caches and runs
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis runs *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
