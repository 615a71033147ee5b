PYTHON ?= python3.11
BIN := .venv/bin
WORKERS ?= 2
CODE := toolkit tests benchmarks
IMAGE ?= toolkit
BASE ?= python:3.11-slim
DATA ?= $(CURDIR)/data
MOUNTED := experiments submissions
PEER ?=
# A worker has one core: more threads would only wait for each other.
PYTEST := OPENBLAS_NUM_THREADS=1 $(BIN)/pytest --numprocesses $(WORKERS)

# Compiling all tests takes longer than running most of them, so what is compiled is kept.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test fast real-data faults lint format docs benchmarks build run clean

demo: .venv/installed            ## the whole job on a generated competition
	$(BIN)/tk demo

test: lint                       ## lint, then all tests except those on real data
	$(PYTEST) --dist loadfile --no-loadscope-reorder -m "not realdata"

fast: .venv/installed-dev        ## only the tests that do not build, compile or train networks
	$(PYTEST) --dist worksteal -m "not realdata and not train"

real-data: .venv/installed-dev   ## a short run on the real images in ../shared/data
	$(BIN)/pytest -m realdata

faults: .venv/installed-dev      ## every change of the disk fails, is torn, or is the last: an hour and more
	FAULTS=all $(PYTEST) --dist worksteal tests/faults

lint: .venv/installed-dev        ## ruff and mypy; changes nothing
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy

format: .venv/installed-dev      ## ruff: lay the code out, fix what can be fixed safely
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

docs: .venv/installed-dev        ## docs/configuration.md, generated from the code
	$(BIN)/python -c "from toolkit.config.reference import reference; print(reference(), end='')" > docs/configuration.md

benchmarks: .venv/installed-dev  ## speed, appended to benchmarks/RESULTS.md; beside PyTorch: PEER=torch-env/bin/python
	for name in training inference job; do \
		$(BIN)/python -m benchmarks.$$name $(if $(PEER),--peer $(PEER)) || exit 1; done
	$(BIN)/python -m benchmarks.reading

build:                           ## a Docker image; for a GPU: make build BASE=tensorflow/tensorflow:2.21.0-gpu
	docker build --build-arg BASE=$(BASE) --tag $(IMAGE) .

run:                             ## tk in the image: make run ARGS="fit exp042"; for a GPU: GPUS="--gpus all"
	mkdir -p $(MOUNTED) $(DATA) $(HOME)/.keras
	docker run --rm --interactive $(GPUS) --user "$$(id -u):$$(id -g)" \
		$(foreach folder,$(MOUNTED),--volume "$(CURDIR)/$(folder):/workspace/$(folder)") \
		--volume "$(DATA):/workspace/data" --volume "$(HOME)/.keras:/workspace/.keras" $(IMAGE) $(ARGS)

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[lite]'
	touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv demo build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
