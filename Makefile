# make demo       a small worked example; writes demo/report.html
# make test       ruff and the quick tests
# make test-all   ruff and all tests
# make lint       ruff, its format, and mypy
# make venv       .venv with the exact versions of requirements.lock (the other targets make it when it is missing)
# make clean      remove .venv, caches and demo/
#
# Another Python than python3:  make PYTHON=python3.12 test

PYTHON ?= python3
PY := .venv/bin/python
PIP := $(PY) -m pip install --disable-pip-version-check -qq

# Compiled programs are kept from run to run (a second run compiles in a quarter of the time), apart for each kind of
# processor, since they use its instructions.
CPU := $(shell grep -m 1 ^flags /proc/cpuinfo 2>/dev/null | cksum | cut -d ' ' -f 1)
export JAX_COMPILATION_CACHE_DIR ?= $(CURDIR)/.jax_cache/$(CPU)
export JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS ?= 0.2

.PHONY: demo test test-all lint venv clean

demo: venv
	@$(PY) -m experiments.demo

test: venv
	@$(PY) -m ruff check --quiet --output-format concise .
	@$(PY) -m pytest -q -n auto --dist loadfile -m "not slow"

test-all: venv
	@$(PY) -m ruff check --quiet --output-format concise .
	@$(PY) -m pytest -q -n auto --dist loadfile

lint: venv
	@$(PY) -m ruff check --output-format concise .
	@$(PY) -m ruff format --check --quiet .
	@$(PY) -m mypy

venv: .venv/lensjax.stamp
	@:

NEW_ENOUGH = $(shell $(PYTHON) -c 'import sys; print(sys.version_info >= (3, 11) or "")' 2>/dev/null)
VERSION = $(shell $(PYTHON) -V 2>&1 | tail -n 1)

.venv/packages.stamp: requirements.lock
	$(if $(NEW_ENOUGH),,$(error LensJAX needs Python 3.11 or newer, and $(PYTHON) is "$(VERSION)"; try make PYTHON=python3.12))
	@echo "making .venv (about 1 minute) ..."
	@$(PYTHON) -m venv --clear .venv
	@$(PIP) -r requirements.lock
	@touch $@

# Editable, without build isolation: hatchling is in the lock file too, so nothing outside it is fetched.
.venv/lensjax.stamp: .venv/packages.stamp pyproject.toml
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

clean:
	rm -rf .venv .jax_cache demo build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
