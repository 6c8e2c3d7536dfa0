# A target that needs packages makes or repairs a virtual environment first: you need only make and Python 3.11 to 3.13.
ifeq ($(OS),Windows_NT)
  PYTHON ?= python
else
  PYTHON ?= python3
endif
DATASET ?= $(or $(VAE_COURSE_DATASET),auto)
PROFILE ?= quick
DEPS    ?= locked

VENV = $(if $(filter locked,$(DEPS)),.venv,.venv-$(DEPS))
ifeq ($(OS),Windows_NT)
  SCRIPTS = Scripts
else
  SCRIPTS = bin
endif
BIN   = $(VENV)/$(SCRIPTS)
BENCH = .venv-bench/$(SCRIPTS)
# Tests run on two cores. What one process takes in one go, and in which order, conftest.py decides.
# Each process has one thread, because threads of two processes that wait for each other take many times as long.
PYTEST = OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

ifeq ($(wildcard make_venv.py),)
  $(error Run make in the course's folder, or name it: make -C FOLDER ...)
endif

# This is what `auto` means in the lessons, in JupyterLab and in the tests.
export VAE_COURSE_DATASET := $(DATASET)
export VAE_COURSE_STRICT := $(STRICT)
export PYTHONUTF8 := 1
# Use only the environment's own packages and kernel, whatever else is installed or activated.
export PYTHONNOUSERSITE := 1
export JUPYTER_PREFER_ENV_PATH := 1
export PIP_USER := 0
unexport PYTHONHOME PYTHONPATH JUPYTER_PATH PIP_TARGET PIP_PREFIX PIP_ROOT

.DEFAULT_GOAL := help
.PHONY: help venv run site slides wheel data lab check test test-notebooks test-jupyterlab browsers student hub lint format tidy refresh checkpoints bench lock clean

help:  ## list all targets
	@echo "make TARGET [DATASET=auto|mnist|digits] [PROFILE=quick|full] [DEPS=locked|newest|lowest] [PYTHON=python3.12]"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv:  ## create the virtual environment with the pinned packages
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 6))" || (echo "PYTHON=$(PYTHON) does not run, or is too old. Install Python 3.11, 3.12 or 3.13, or name it: make PYTHON=python3.12 ..." && exit 1)
	@$(PYTHON) make_venv.py $(VENV) $(DEPS)

run: venv  ## execute the lessons, and make a site of them in build/course [LESSONS="01 05"] [STRICT=1: fail if a number differs]
	@$(BIN)/vae-course run --profile $(PROFILE) $(if $(STRICT),--strict) $(LESSONS)

site: venv  ## make a web site of the lessons as they were last executed, in build/site [LESSONS="01 05"] [NOTEBOOKS=build/course]
	@$(BIN)/vae-course site --notebooks $(or $(NOTEBOOKS),notebooks) $(LESSONS)

slides: venv  ## make decks and PDFs of the lessons in build/slides, which need no network [LESSONS="01 05"] [NOTEBOOKS=build/course]
	@$(BIN)/vae-course slides --notebooks $(or $(NOTEBOOKS),notebooks) $(LESSONS)

wheel: venv  ## build the course with its lessons as one file for pip, in build
	@$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --no-index --wheel-dir build .
	@echo "Install it anywhere: python -m pip install build/$$(ls -t build | grep -m1 whl)"

data: venv  ## download MNIST (11 MB) ahead of class, and say where it is
	@$(BIN)/vae-course data

lab: venv  ## open JupyterLab on the lessons (localhost only, with a token)
	$(BIN)/jupyter lab --ip=localhost --KernelManager.transport_encryption=auto --notebook-dir=notebooks

check: lint  ## check the style, run the unit tests and one lesson (a minute and a half)
	$(PYTEST) -m "not slow" tests

test: venv  ## run all tests that this machine allows: units, lessons, browsers, hub, cage [STRICT=1: fail if a number differs]
	$(PYTEST) --nbval-lax --nbval-current-env tests notebooks

test-notebooks: venv  ## run only what executes notebooks on DATASET: nbval, and JupyterLab in Chromium
	$(PYTEST) --nbval-lax --nbval-current-env tests/browser/test_jupyterlab.py notebooks

test-jupyterlab: venv  ## run only the lessons in JupyterLab in Chromium, on DATASET
	$(PYTEST) tests/browser/test_jupyterlab.py

browsers:  ## fetch what the tests drive Firefox and judge accessibility with, into build/node_modules (needs npm)
	mkdir -p build && cp tests/browser/package.json tests/browser/package-lock.json build
	npm ci --silent --no-audit --no-fund --prefix build

student: venv  ## release the exercises without solutions, as a zip for students and a folder for grading
	$(BIN)/vae-course student

hub: venv  ## start JupyterHub on this machine, to try out how a class works with the exercises [PORT=8000]
	@$(BIN)/python $(or $(wildcard hub/start.py),$(error make hub needs the course's repository, not a copy for students)) $(if $(PORT),--port $(PORT))

lint: venv  ## check the style of package, tests and notebooks, and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

format: venv  ## put package, tests and notebooks into that style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

tidy: venv  ## remove execution noise from the notebooks, but keep their outputs
	$(BIN)/vae-course tidy $(wildcard notebooks/*.ipynb notebooks/*/ex*.ipynb)

refresh: venv  ## execute the lessons and store their outputs and numbers [LESSONS="01 05"]
	$(BIN)/vae-course refresh $(LESSONS)

checkpoints: venv  ## retrain every shipped checkpoint and sweep (a few hours)
	$(BIN)/python -m vae_course.runs.ship

# The packages to compare with must not change any of the locked versions.
bench:  ## measure how fast it trains and decodes, in 10 minutes [FULL=1: in 35, writing benchmarks/RESULTS.md]
	@$(PYTHON) make_venv.py .venv-bench
	@echo "Adding legacy Keras and PyTorch to .venv-bench (up to 5 GB, only once)."
	@$(BENCH)/python -m pip freeze --all --exclude-editable > .venv-bench/pins.txt
	@$(BENCH)/python -m pip install --quiet --no-build-isolation -c .venv-bench/pins.txt -e ".[bench]"
	$(BENCH)/python -m benchmarks.bench $(if $(FULL),--full)

lock: venv  ## pin the newest allowed versions in requirements.lock and environment.yml
	$(BIN)/python -m pip install --quiet "uv>=0.9,<1"
	$(BIN)/uv pip compile --upgrade --universal --python-version 3.11 --extra test --generate-hashes \
	  --no-header --no-annotate --no-emit-index-url --no-emit-find-links --output-file requirements.lock pyproject.toml
	$(BIN)/python tests/pins.py

clean:  ## delete the virtual environments and all of build, including grades and trained models
	$(PYTHON) -c "import glob, os, shutil; [os.remove(f) for f in glob.glob('.venv*.lock')]; [shutil.rmtree(d, ignore_errors=True) for d in ('.venv', '.venv-newest', '.venv-lowest', '.venv-bench', 'build', '.pytest_cache', '.ruff_cache')]"
