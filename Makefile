# make demo       a small worked example; writes demo/report.html
# make test       style, types and the quick tests: what .ci/run runs
# make test-all   the same with all tests
# make test-slurm the jobs of slurm/ under a SLURM on this machine (root, and Debian's slurm-wlm and munge; about 10 minutes)
# make lint       style, types and spelling alone: ruff, its format, mypy and codespell
# make test-matrix  the quick tests on Python 3.11 to 3.14 (those that pyenv or the PATH has), each in a virtual environment of its own
# make test-lowest  the quick tests with the lowest versions of all dependencies that pyproject.toml names
# make docs       the site, in site/html/; warnings and broken links are errors
# make docs-all   the same with every tutorial executed anew, all Python on the pages, and links to other sites (needs a network, and comes last)
# make figures    docs/lens.gif and docs/conventions.png
# make api        docs/api.md and tests/public_api.txt, from the code
# make venv       .venv with the exact versions of requirements.lock (the other targets make it when it is missing)
# make help       this list
# make clean      remove .venv, caches and demo/
#
# Another Python than python3:  make PYTHON=python3.12 test

PYTHON ?= python3
VENV ?= .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --disable-pip-version-check -qq

# Compiled programs are kept from run to run (a second run compiles in a quarter of the time), apart for each kind of
# processor, since they use its instructions.
CPU := $(shell grep -m 1 ^flags /proc/cpuinfo 2>/dev/null | cksum | cut -d ' ' -f 1)
export JAX_COMPILATION_CACHE_DIR ?= $(CURDIR)/.jax_cache/$(CPU)
export JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS ?= 0.2

# Quick tests compile quickly too, see tests/conftest.py.
test quick: export LENSJAX_TEST_QUICK_COMPILE = 1

.PHONY: demo test test-all test-slurm test-matrix test-lowest quick lint api docs docs-all figures venv clean help

demo: venv
	@$(PY) -m experiments.demo

test: venv
	@$(MAKE) --no-print-directory -j 2 lint quick

test-all: lint
	@$(PY) -m pytest -q -n auto --dist loadfile

test-slurm: venv
	@$(PY) -m pytest -q slurm/test

MATRIX := 3.11 3.12 3.13 3.14
test-matrix: $(MATRIX:%=test-on-%)
test-on-%:
	@version=$$(pyenv latest $* 2>/dev/null) && python=$$(PYENV_VERSION=$$version pyenv which python) || python=$$(command -v python$*); \
	$${python:-false} -c 'import ensurepip, venv' 2>/dev/null || \
	{ echo "Python $*: not tested; neither pyenv nor the PATH has it with its module venv"; exit 0; }; \
	$(MAKE) --no-print-directory VENV=.venv-$* PYTHON=$$python quick

# uv resolves each direct dependency to the lowest version that pyproject.toml admits.
LOWEST := .venv-lowest
test-lowest:
	@$(PYTHON) -m venv --clear $(LOWEST)
	@$(LOWEST)/bin/python -m pip install --disable-pip-version-check -qq uv
	@$(LOWEST)/bin/uv pip install -q --python $(LOWEST)/bin/python --resolution lowest-direct -r pyproject.toml --extra dev
	@$(LOWEST)/bin/uv pip install -q --python $(LOWEST)/bin/python --no-deps -e .
	@touch $(LOWEST)/packages.stamp && touch $(LOWEST)/lensjax.stamp
	@$(MAKE) --no-print-directory VENV=$(LOWEST) quick

quick: venv
	@$(PY) -c 'import jax, sys; print("Python", sys.version.split()[0], "with jax", jax.__version__)'
	@$(PY) -m pytest -q -n auto --dist loadfile -m "not slow"

lint: venv
	@$(PY) -m ruff check --quiet --output-format concise .
	@$(PY) -m ruff format --check --quiet .
	@$(PY) -m mypy
	@$(PY) -m codespell_lib

api: venv
	@$(PY) scripts/api_page.py

docs: venv $(VENV)/docs.stamp
	@JAX_PLATFORMS=cpu $(PY) -m sphinx --fail-on-warning --keep-going --quiet -j 2 docs site/html
	@echo "site/html/index.html"

docs-all: export JAX_PLATFORMS = cpu
docs-all: venv $(VENV)/docs.stamp
	@$(PY) -m sphinx --fail-on-warning --keep-going --quiet -E -j 2 -D nb_execution_mode=force docs site/html
	@$(PY) -m pytest -q tests/test_readme.py
	@$(PY) -m sphinx --quiet -D nb_execution_mode=off -D suppress_warnings=myst-nb.lexer,misc.highlighting_failure -b linkcheck docs site/links

figures: venv
	@$(PY) docs/figures/lens.py
	@$(PY) docs/figures/conventions.py

$(VENV)/docs.stamp: $(VENV)/lensjax.stamp
	@$(VENV)/bin/uv pip install -q --python $(PY) -e '.[docs]' 2>/dev/null || $(PIP) -e '.[docs]'
	@touch $@

venv: $(VENV)/lensjax.stamp
	@:

NEW_ENOUGH = $(shell $(PYTHON) -c 'import sys; print(sys.version_info >= (3, 11) or "")' 2>/dev/null)
VERSION = $(shell $(PYTHON) -V 2>&1 | tail -n 1)

# uv takes seconds where pip takes minutes. It does not read pip's settings (another index, for instance): where it fails, pip does the same.
$(VENV)/packages.stamp: requirements.lock
	$(if $(NEW_ENOUGH),,$(error LensJAX needs Python 3.11 or newer, and $(PYTHON) is "$(VERSION)"; try make PYTHON=python3.12))
	@echo "making $(VENV) ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@{ $(PIP) uv && $(VENV)/bin/uv pip install -q --python $(PY) -r requirements.lock; } 2>/dev/null || $(PIP) -r requirements.lock
	@touch $@

# Editable, without build isolation: hatchling is in the lock file too, so nothing outside it is fetched.
$(VENV)/lensjax.stamp: $(VENV)/packages.stamp pyproject.toml
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

help:
	@sed -n 's/^# \{0,1\}//p;/^$$/q' $(firstword $(MAKEFILE_LIST))

clean:
	rm -rf .venv .venv-* .jax_cache demo site build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
