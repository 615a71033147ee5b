PYTHON ?= python3.11
BIN := .venv/bin
WORKERS ?= 2
PYTEST := $(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile

.PHONY: demo test fast real-data lint docs clean

demo: .venv/installed            ## the whole job on a competition that it generates
	$(BIN)/tk demo

test: .venv/installed-dev        ## all tests but those on real data
	$(BIN)/ruff check toolkit tests benchmarks
	$(BIN)/ruff format --check toolkit tests benchmarks
	$(BIN)/mypy
	$(PYTEST) -m "not realdata"

fast: .venv/installed-dev        ## the tests that do not train
	$(PYTEST) -m "not realdata and not train"

real-data: .venv/installed-dev   ## a short run on ../shared/data, where it exists
	$(BIN)/pytest -m realdata

docs: .venv/installed-dev        ## the configuration reference, from the program
	$(BIN)/python -c "from toolkit.config.reference import reference; print(reference(), end='')" > docs/configuration.md

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv demo build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
