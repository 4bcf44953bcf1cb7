# Two commands on a fresh machine with python3.11 and g++: `make demo` and `make test`.
PYTHON ?= python3.11
TORCH ?= torch==2.13.0
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: setup models demo test test-all lint sample cuda gpu-check clean

setup: $(READY)

$(READY): setup.cfg pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check $(TORCH)
	$(BIN)/pip install --quiet --disable-pip-version-check -e ".[test,lint]"
	touch $(READY)

models: setup
	$(BIN)/facecodec model install --all

demo: models
	$(BIN)/python samples/demo.py

test: models
	$(BIN)/pytest

test-all: models
	$(BIN)/pytest -m ""

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

sample: models
	$(BIN)/python samples/make_sample.py

# Compiles the CUDA kernels with nvcc, which needs no GPU.
cuda: setup
	$(BIN)/python -c "from cuda_ops import build; from cuda_ops.cuda.library import recipe; print(build.build(recipe()))"

# Correctness and speed on this machine's GPU, in one table.
gpu-check: setup
	PYTHONPATH=. $(BIN)/python benchmarks/gpu_check.py

clean:
	rm -rf $(VENV) .demo build *.egg-info
