# Two commands on a fresh machine with Python and g++: `make demo` and `make test`.
# The version that is tested, or else the first of those that are known to work.
PYTHON ?= $(firstword $(foreach minor,11 12 13 14,$(shell command -v python3.$(minor))) python3)
TORCH ?= torch==2.13.0
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup models demo test test-all lint api live-demo sample moving-sample tables sanitize cuda gpu-check clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: models  ## encode and decode the sample, and say what came of it
	$(BIN)/python samples/demo.py

# The tests of one file stay in one process, so that they share what its fixtures make.
IN_PARALLEL := -n auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder

test: models  ## the tests, without the slow ones
	$(BIN)/pytest $(IN_PARALLEL)

test-all: models  ## all tests
	$(BIN)/pytest $(IN_PARALLEL) -m ""

lint: setup  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run -Werror cuda_ops/*/*.h cuda_ops/*/*.cpp cuda_ops/*/*.cu \
	  facecodec/*/*.cpp facecodec/bitstream/coding/*.cpp
	$(BIN)/mypy
	$(BIN)/mypy benchmarks/*.py samples/*.py examples/*.py docs/*.py

api: setup  ## the API reference: build/api/index.html
	$(BIN)/python docs/make_api.py

setup: $(READY)  ## .venv with everything tests and lint need

$(READY): setup.cfg pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check $(TORCH)
	$(BIN)/pip install --quiet --disable-pip-version-check -e ".[test,lint,docs]"
	touch $(READY)

models: setup  ## the default generator and dlib's models, 160 MB
	$(BIN)/facecodec model install --all

live-demo: models .demo/sample.fci  ## a call over UDP through a relay that loses 5 %: motion alone, then with pictures
	PYTHONPATH=. $(BIN)/python benchmarks/live_demo.py
	PYTHONPATH=. $(BIN)/python benchmarks/live_demo.py --clip samples/sample.mp4 --person .demo/sample.fci --out .demo/live.mkv

.demo/sample.fci: samples/sample.mp4
	mkdir -p .demo
	$(BIN)/facecodec identity enrol samples/sample.mp4 .demo/sample.fci --preset fast -f

sample: models  ## make samples/sample.mp4 again
	$(BIN)/python samples/make_sample.py

moving-sample: models  ## make the README's moving picture again
	$(BIN)/python samples/make_moving.py

tables: setup  ## write benchmarks/results into the documents' tables
	$(BIN)/python benchmarks/tables.py README.md docs/*.md

# The C++ stops at the first bad access or undefined operation. Python itself leaks by design, and
# tests that start processes of their own or take minutes this way stay out. What the C++ says as it
# stops is not captured: nobody would be there to show it.
sanitize: setup  ## the kernels' tests under address and undefined-behaviour sanitizers
	FACECODEC_SANITIZE=1 ASAN_OPTIONS=detect_leaks=0 \
	LD_PRELOAD="$$(g++ -print-file-name=libasan.so) $$(g++ -print-file-name=libubsan.so)" \
	$(BIN)/pytest --capture=sys tests/kernels/test_gradients.py tests/kernels/test_cuda.py \
	  tests/kernels/test_cpu_mobilestylegan.py tests/kernels/test_cpu_stylegan2.py \
	  tests/kernels/test_octaves.py tests/kernels/test_differences.py \
	  tests/bitstream/test_compiled.py tests/compositing/test_painting.py tests/video/test_planes.py \
	  -k "not gradcheck and not whole_frames and not previews and not without_a_gpu"

cuda: setup  ## compile the CUDA kernels with nvcc, which needs no GPU
	$(BIN)/python -c "from cuda_ops import build; from cuda_ops.cuda.library import recipe; print(build.build(recipe()))"

gpu-check: setup  ## correctness and speed of the kernels on this machine's GPU
	PYTHONPATH=. $(BIN)/python benchmarks/gpu_check.py

clean:  ## remove .venv, .demo and build
	rm -rf $(VENV) .demo build *.egg-info
