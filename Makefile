# Every target bootstraps its own virtual environment: Python 3.11 to 3.13 and make are enough.
ifeq ($(OS),Windows_NT)
  PYTHON ?= python
else
  PYTHON ?= python3
endif
DATASET ?= $(or $(VAE_COURSE_DATASET),auto)
PROFILE ?= quick
DEPS    ?= locked

ifeq ($(OS),Windows_NT)
  BIN     = $(VENV)/Scripts
else
  BIN     = $(VENV)/bin
endif
ifeq ($(DEPS),newest)
  VENV    = .venv-newest
  INSTALL = $(BIN)/python -m pip install --quiet --upgrade -e ".[test]"
else
  VENV    = .venv
  INSTALL = $(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock \
            && $(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
endif
READY   = $(VENV)/.ready
BENCH   = $(subst $(VENV),.venv-bench,$(BIN))

# What `auto` means everywhere: in the lessons, in JupyterLab and in the tests.
export VAE_COURSE_DATASET := $(DATASET)
export PYTHONUTF8 := 1

.DEFAULT_GOAL := help
.PHONY: help venv run slides data lab test test-notebooks student lint format tidy refresh checkpoints bench lock clean

help:  ## list the targets
	@echo "make TARGET [DATASET=auto|mnist|digits] [PROFILE=quick|full] [DEPS=locked|newest]"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(READY)  ## create the virtual environment with the pinned packages

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c "import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else f'Python {v[0]}.{v[1]} found, but the course needs 3.11, 3.12 or 3.13. Name one: make PYTHON=python3.12 ...')"
	@echo "Installing the course's packages into $(VENV), about 2 GB: this takes a few minutes, once."
	@$(PYTHON) -m venv $(VENV)
	@$(INSTALL)
	@$(BIN)/python -c "open('$(READY)', 'w').close()"

run: $(READY)  ## execute every lesson; pages and a table of numbers in build/course
	@$(BIN)/vae-course run --profile $(PROFILE)

slides: $(READY)  ## decks of the lessons and their PDFs, for a room without network, in build/slides [LESSONS="01 05"]
	@$(BIN)/vae-course slides --notebooks $(or $(NOTEBOOKS),notebooks) $(LESSONS)

data: $(READY)  ## fetch MNIST ahead of class (11 MB), and say where it is
	@$(BIN)/vae-course data

lab: $(READY)  ## open JupyterLab on the lessons (localhost only, with a token)
	$(BIN)/jupyter lab --ip=localhost --KernelManager.transport_encryption=auto --notebook-dir=notebooks

test: $(READY)  ## unit tests, style of the notebooks, papermill, nbval, JupyterLab in Chromium: everything
	$(BIN)/python -m pytest --nbval-lax --nbval-current-env tests notebooks

test-notebooks: $(READY)  ## only what executes notebooks: papermill, nbval and JupyterLab
	$(BIN)/python -m pytest --nbval-lax --nbval-current-env tests/test_lessons.py tests/browser notebooks

student: $(READY)  ## release the exercises without solutions: one zip for students, a folder for grading
	$(BIN)/vae-course student

lint: $(READY)  ## check the style of package, tests and notebooks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(READY)  ## put package, tests and notebooks into that style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

tidy: $(READY)  ## remove execution noise from the notebooks, and keep their outputs
	$(BIN)/vae-course tidy $(wildcard notebooks/*.ipynb notebooks/*/ex*.ipynb)

refresh: $(READY)  ## execute the lessons on MNIST and store their clean outputs [LESSONS="01 05"]
	$(BIN)/vae-course refresh $(LESSONS)

checkpoints: $(READY)  ## train every shipped checkpoint anew (about 90 minutes)
	$(BIN)/python -m vae_course.runs.ship

bench: .venv-bench/.ready  ## how fast it trains and decodes; 10 minutes, or FULL=1: 35, and written to benchmarks/RESULTS.md
	$(BENCH)/python -m benchmarks.bench $(if $(FULL),--full)

# The locked versions first; then what is measured against, which may not change any of them.
.venv-bench/.ready: requirements.lock pyproject.toml
	@echo "Installing the course, legacy Keras and PyTorch into .venv-bench, up to 8 GB: once."
	@$(PYTHON) -m venv .venv-bench
	@$(BENCH)/python -m pip install --quiet --require-hashes -r requirements.lock
	@$(BENCH)/python -m pip freeze --all --exclude-editable > .venv-bench/pins.txt
	@$(BENCH)/python -m pip install --quiet --no-build-isolation -c .venv-bench/pins.txt -e ".[bench]"
	@$(BENCH)/python -c "open('.venv-bench/.ready', 'w').close()"

lock: $(READY)  ## pin the newest allowed versions in requirements.lock and environment.yml
	$(BIN)/python -m pip install --quiet "uv>=0.9,<1"
	$(BIN)/uv pip compile --upgrade --universal --python-version 3.11 --extra test --generate-hashes \
	  --no-header --no-annotate --no-emit-index-url --no-emit-find-links --output-file requirements.lock pyproject.toml
	$(BIN)/python tests/pins.py

clean:  ## delete the virtual environments and everything that was built
	$(PYTHON) -c "import shutil; [shutil.rmtree(d, ignore_errors=True) for d in ('.venv', '.venv-newest', '.venv-bench', 'build', '.pytest_cache', '.ruff_cache')]"
