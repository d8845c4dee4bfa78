# make demo   the whole job on a real PC/SC reader, from a clean clone
# make test   every test
# Both prepare the machine and the virtual environment first; a second run skips that.

SHELL := /bin/bash
BIN   := .venv/bin
READY := .venv/.ready
TESTS := .venv/.ready-for-tests

# Pass options on: make test PYTEST_ARGS="-k stkm"; make demo DEMO_ARGS="--csim"
PYTEST_ARGS ?= -n auto --maxschedchunk 16
DEMO_ARGS   ?=

export PYTHON

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint types contracts docs bench compiled test-compiled coverage constraints clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(READY): pyproject.toml constraints.txt tools/setup.sh
	tools/setup.sh

$(TESTS): pyproject.toml constraints.txt tools/setup.sh
	tools/setup.sh test

setup: $(READY)  ## system packages where missing, then .venv

demo: $(READY)  ## provision a card, derive keys, replay a broadcast, check the result
	$(BIN)/bcast-uicc demo $(DEMO_ARGS)

test: $(TESTS)  ## every test but hardware, nightly and bench
	$(BIN)/pytest $(PYTEST_ARGS)

lint: $(TESTS)  ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(TESTS)  ## mypy --strict
	$(BIN)/mypy

contracts: $(TESTS)  ## import directions between the packages
	$(BIN)/lint-imports

docs: $(TESTS)  ## HTML in docs/_build, warnings are errors
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html
	@echo "docs: docs/_build/html/index.html"

bench: $(TESTS)  ## the speed measurements (tests/bench)
	$(BIN)/pytest tests/bench -m bench $(PYTEST_ARGS)

compiled: $(TESTS)  ## the card with its hot modules as machine code, in build/compiled (needs gcc)
	$(BIN)/python -m tools.compiled

test-compiled: $(TESTS)  ## build the compiled card, and run every test of `make test` against it
	$(BIN)/python -m tools.compiled --test $(PYTEST_ARGS)

coverage: $(TESTS)  ## branch coverage of the tests, as a table
	$(BIN)/coverage run -m pytest $(PYTEST_ARGS)
	$(BIN)/coverage report

constraints: $(TESTS)  ## write the installed versions to constraints.txt (use the oldest Python)
	@{ sed -n '/^#/p' constraints.txt; \
	   $(BIN)/pip freeze --exclude-editable 2>/dev/null | grep == | sort -f; } > constraints.new
	@mv constraints.new constraints.txt

clean:  ## remove what make created, except .venv
	rm -rf docs/_build build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	rm -rf .import_linter_cache .coverage bcast-demo
	find . -path ./.venv -prune -o \( -name __pycache__ -o -name '*.egg-info' \) -type d -print0 | xargs -0 rm -rf
