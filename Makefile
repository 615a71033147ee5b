PYTHON ?= python3.11
BIN := .venv/bin
WORKERS ?= 2
CODE := toolkit tests benchmarks
# A worker has one core: more threads would only wait for each other.
PYTEST := OPENBLAS_NUM_THREADS=1 $(BIN)/pytest --numprocesses $(WORKERS)

# Compiling all tests takes longer than running most of them, so what is compiled is kept.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test fast real-data lint format docs clean

demo: .venv/installed            ## the whole job on a generated competition
	$(BIN)/tk demo

test: lint                       ## lint, then all tests except those on real data
	$(PYTEST) --dist loadfile -m "not realdata"

fast: .venv/installed-dev        ## only the tests that do not build, compile or train networks
	$(PYTEST) --dist worksteal -m "not realdata and not train"

real-data: .venv/installed-dev   ## a short run on the real images in ../shared/data
	$(BIN)/pytest -m realdata

lint: .venv/installed-dev        ## ruff and mypy; changes nothing
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy

format: .venv/installed-dev      ## ruff: lay the code out, fix what can be fixed safely
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

docs: .venv/installed-dev        ## docs/configuration.md, generated from the code
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
