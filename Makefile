# Every target does the set-up it needs. PYTHON is the interpreter that the virtual environment is made with.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Hundreds of processes of the tests import the same modules: the first one compiles them for the others.
export PYTHONDONTWRITEBYTECODE :=
# How many processes run the tests. Most of them wait most of the time.
TEST_WORKERS ?= 2
PYTEST := $(BIN)/pytest -n $(TEST_WORKERS) --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help install demo dev test test-fast check format bench clean

help:  ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP)  ## Make .venv with powerloop and everything it is developed with.

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "powerloop needs Python 3.11 or newer; $(PYTHON) is older. Say which: make PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(STAMP)

demo: $(STAMP)  ## Run the main job on the embedded stack: Postgres, Redis, two workers, a crowd of sessions.
	$(BIN)/powerloop demo

dev: $(STAMP)  ## Run the whole system in this terminal until Ctrl-C, with the example agents.
	$(BIN)/powerloop dev --app examples.support

test: $(STAMP)  ## Run every test.
	$(PYTEST)

test-fast: $(STAMP)  ## Run the tests that start nothing.
	$(PYTEST) tests/unit tests/architecture

check: $(STAMP)  ## Format, lint, types, import contracts, sizes.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/pytest -q tests/architecture

format: $(STAMP)  ## Format the code and mend what can be mended by machine.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)  ## Measure sends, fan-outs and timers, Celery's no-ops and chords, and the CPU of model calls.
	$(BIN)/powerloop bench sends --sessions 50 --sends 500 --workers 2 --json
	$(BIN)/python tests/benchmarks/celery_noop.py --tasks 500 --workers 2
	$(BIN)/powerloop bench fanout --leaves 1000 --workers 2 --json
	$(BIN)/python tests/benchmarks/celery_chord.py --members 1000 --workers 2
	$(BIN)/powerloop bench timers --due 10000 --beats 2 --json
	$(BIN)/pytest tests/benchmarks

clean:  ## Remove what was made here, the embedded stack's data included.
	rm -rf $(VENV) .powerloop build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
