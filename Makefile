# `make help` lists the targets. Everything runs from .venv, made from the lock files.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help install install-test demo run test check bench lock clean

PORT ?= 8000
RESET ?=
ONLY ?=
ARGS ?=
export PYTHON

PY := .venv/bin/python
SOURCES := malva.py core channels pos portal $(wildcard examples/*/malva_*) $(if $(wildcard bench/*.py),bench)

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /make \1\t/' | expand -t 20

install: ## .venv/bin/malva, ready to run
	@.ci/install runtime

install-test: ## the same, with what the tests and checks need
	@.ci/install test

demo: install ## a sample chain of cafes on http://127.0.0.1:8000 (PORT=8001 moves it, RESET=1 starts afresh)
	@exec .venv/bin/malva demo --port $(PORT) $(if $(filter-out 0,$(RESET)),--reset)

run: install ## serve with your own plugins.toml and settings
	@exec .venv/bin/malva serve

# Three at once on two cores: much of it waits, for a commit, a retry, a browser.
test: install-test ## the whole suite (ARGS="-k card" narrows it)
	@.ci/browser
	$(PY) -m pytest -n 3 $(ARGS)

# What thinks without waiting: the rules of the tree, words, money, codes, the conversation.
QUICK := repository catalogs i18n phrases notices settings logs codes money earning splitting \
	conversation pictures rewards

check: install-test ## format, lint, types, import rules, catalogs, the quick tests
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy $(SOURCES)
	.venv/bin/lint-imports --no-cache
	$(PY) -m pytest -n 2 -m "not slow and not browser and not postgres" $(ARGS) \
		$(addprefix tests/test_,$(addsuffix .py,$(QUICK)))

bench: install-test ## the benchmarks, each as a ratio against its floor (ONLY=name runs one)
	$(PY) -m bench $(ONLY)

lock: ## the newest releases that pyproject.toml allows, pinned with their hashes (needs uv)
	@.ci/lock

clean: ## away with what was built; settings and databases stay
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis tests/.shots
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
