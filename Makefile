# Two commands on a fresh machine with Python 3.11 or later: make demo, make test.
# Continuous integration also runs make check and make test-slow.

PYTHON ?= python3
VENV := .venv
BENCH := .venv-bench
PERCEPTION := .venv-perception
TX := .venv-tx
BIN := $(VENV)/bin
BENCH_BIN := $(BENCH)/bin
TX_BIN := $(TX)/bin
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
BENCH_BIN := $(BENCH)/Scripts
TX_BIN := $(TX)/Scripts
endif
NAME ?= scan

.PHONY: demo test test-slow test-postgresql test-tx check bench install docs clean

# Tests and modules are compiled once, and not by each of the hundreds of processes that tests start, also where Python
# is told to keep no bytecode, as images of containers do.
test test-slow test-postgresql test-tx: export PYTHONDONTWRITEBYTECODE :=

demo: $(VENV)/installed
	$(BIN)/imgmatch demo demo-world

# The parallel part comes last: its last line says what could not be tested here. The others name their files, because
# to look for a mark in all of them takes longer than the tests that have it.
test: $(VENV)/developed
	$(BIN)/python -m pytest -m "serial and not slow" $$(grep -rl --include='test_*.py' mark.serial tests)
	$(BIN)/python -m pytest -m "not serial and not slow" -n auto --dist worksteal

test-slow: $(VENV)/developed
	$(BIN)/python -m pytest -m "slow and serial" $$(grep -rl --include='test_*.py' mark.serial tests)
	$(BIN)/python -m pytest -m "slow and not serial" -n auto --dist worksteal $$(grep -rl --include='test_*.py' mark.slow tests)

# Tests of what stands above the catalog once more, with every catalog in PostgreSQL.
test-postgresql: $(VENV)/developed
	$(BIN)/python -m pytest -p over_postgresql -m "not serial" -n auto --dist worksteal \
	  tests/catalog tests/clustering tests/matching tests/actions

# threatexchange builds two of its parts with a C++ compiler: whoever has none runs all the other tests without it.
test-tx: $(TX)/installed
	IMGMATCH_REQUIRE_TX=1 $(TX_BIN)/python -m pytest tests/exchange/test_tx*.py

check: $(VENV)/developed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tests/docs.py --check

docs: $(VENV)/developed
	$(BIN)/python tests/docs.py --write

# The peers want other versions of what the checks need: they live apart.
bench: $(BENCH)/installed $(if $(filter edits,$(NAME)),$(PERCEPTION)/installed)
	$(BENCH_BIN)/python tests/bench/bench_$(NAME).py $(ARGS)

# This one wants an older OpenCV than imgmatch.
$(PERCEPTION)/installed:
	$(PYTHON) -m venv $(PERCEPTION)
	$(PERCEPTION)/bin/python -m pip install --quiet "perception[approximate-deduplication]"
	touch $@

$(VENV)/created:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	touch $@

$(VENV)/installed: $(VENV)/created pyproject.toml
	$(BIN)/python -m pip install --quiet --editable ".[serve]"
	touch $@

$(VENV)/developed: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable ".[gs,heic,parquet,postgresql,ray,s3,serve,sharing]" --group dev
	touch $@

$(BENCH)/installed: pyproject.toml
	$(PYTHON) -m venv $(BENCH)
	$(BENCH_BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BENCH_BIN)/python -m pip install --quiet --editable ".[parquet,postgresql,ray,serve]" --group bench
	touch $@

$(TX)/installed: pyproject.toml
	$(PYTHON) -m venv $(TX)
	$(TX_BIN)/python -m pip install --quiet --editable . hypothesis pytest threatexchange
	touch $@

clean:
	rm -rf $(VENV) $(BENCH) $(PERCEPTION) $(TX) .bench-answers demo-world build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
