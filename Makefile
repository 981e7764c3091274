# Tongda. `make demo` shows it, `make run` lets you work at it, `make test` proves it.
# Needs make and Python 3.11, 3.12 or 3.13; everything else goes into .venv from the hashed locks.

.POSIX:
SHELL := /bin/sh
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && { echo $$p; break; }; done)

# A venv without a pip of its own is filled by the system's.
PIP = $$(test -x $(BIN)/pip && echo $(BIN)/python -m pip || echo $(PYTHON) -m pip --python $(BIN)/python)
PIP_FLAGS := -qq --no-input --disable-pip-version-check --root-user-action=ignore --only-binary :all: --require-hashes

# A moved clone has scripts and paths that point to where it was: make its venv anew.
ifneq ($(shell cat $(VENV)/.place 2>/dev/null),$(CURDIR))
.PHONY: $(VENV)/.place
endif

.PHONY: help install demo run up test lint format bench lock audit sbom docs screenshots clean

help:
	@echo "make demo [CAP=file | FEED=path] [AREA=code] [REPORT=en]   one warning, all the way through"
	@echo "make run [PORT=8080]               the demo's desk stays up with its console, until Ctrl-C"
	@echo "make up                            your own gateway, as the settings say, until Ctrl-C"
	@echo "make test                          lint, types, import rules, all tests"
	@echo "make lint | format | bench [COUNT=n] | lock | audit | sbom | docs | screenshots | clean"

install: $(VENV)/.run

demo: $(VENV)/.run
	@$(BIN)/tongda demo $(if $(CAP),--cap "$(CAP)") $(if $(FEED),--feed "$(FEED)") $(if $(AREA),--area "$(AREA)") $(if $(REPORT),--lang "$(REPORT)")

run: $(VENV)/.run
	@$(BIN)/tongda demo --stay $(if $(PORT),--port "$(PORT)")

up: $(VENV)/.run
	@$(BIN)/tongda up

bench: $(VENV)/.run
	@$(BIN)/tongda bench sms --count $(or $(COUNT),100000)

lint: $(VENV)/.dev
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

test: lint
	$(BIN)/pytest -q -n 2 -m "not benchmark" --ignore tests/browser
	$(BIN)/pytest -q tests/browser
	@echo "make test: lint, types, import rules and tests are good"

format: $(VENV)/.dev
	$(BIN)/ruff check --quiet --fix .
	$(BIN)/ruff format --quiet .

screenshots: $(VENV)/.dev
	$(BIN)/python -m tests.browser.screenshots

docs: $(VENV)/.run
	$(BIN)/python -m gateway.ops.settings_page > docs/settings.md

# The build backend is locked too, so that installing the checkout itself fetches nothing.
lock:
	printf 'hatchling\neditables\n' | uv pip compile $(UV_FLAGS) pyproject.toml - -o requirements.lock
	printf 'hatchling\neditables\n' | uv pip compile $(UV_FLAGS) --group dev -c requirements.lock pyproject.toml - -o requirements-dev.lock

# Asks the vulnerability service of PyPI, so it takes the internet; what could not be looked up fails too.
audit: sbom
	@build/audit/bin/pip -q --disable-pip-version-check install pip-audit
	@build/audit/bin/pip-audit --requirement requirements.lock --require-hashes --disable-pip --strict

# A CycloneDX list of what Tongda is made of: the packages of the lock, and what is vendored for the pages.
sbom:
	@$(PYTHON) -m venv build/audit && build/audit/bin/pip -q --disable-pip-version-check install cyclonedx-bom
	@build/audit/bin/python -W ignore -m cyclonedx_py requirements --pyproject pyproject.toml --output-file build/sbom.json requirements.lock
	@build/audit/bin/python -m gateway.ops.vendor_assets --sbom build/sbom.json
	@echo "build/sbom.json"

UV_FLAGS := --quiet --upgrade --universal --python-version 3.11 --only-binary :all: \
	--generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache coverage.html coverage.csv

$(VENV)/.place:
	@test -n "$(PYTHON)" || { echo "Tongda needs Python 3.11, 3.12 or 3.13: apt-get install python3" >&2; exit 1; }
	@rm -rf $(VENV)
	@echo "making $(VENV) ..."
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 \
	|| { rm -rf $(VENV); $(PYTHON) -m pip --version >/dev/null 2>&1 && $(PYTHON) -m venv --without-pip $(VENV); } \
	|| { test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
	  && echo "installing the Debian package python3-venv ..." && export DEBIAN_FRONTEND=noninteractive \
	  && { apt-get -qq update || true; } && apt-get -qq -y install python3-venv >/dev/null \
	  && rm -rf $(VENV) && $(PYTHON) -m venv $(VENV); } \
	|| { rm -rf $(VENV); echo "$(PYTHON) cannot make a virtual environment: apt-get install python3-venv, then again" >&2; exit 1; }
	@echo "$(CURDIR)" > $@

$(VENV)/.run: requirements.lock pyproject.toml $(VENV)/.place
	@echo "installing from requirements.lock ..."
	@$(PIP) install $(PIP_FLAGS) -r requirements.lock
	@$(PIP) install -qq --no-input --disable-pip-version-check --root-user-action=ignore --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	@echo "installing from requirements-dev.lock ..."
	@$(PIP) install $(PIP_FLAGS) -r requirements-dev.lock
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null \
	|| { test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
	  && echo "installing the Debian package chromium ..." && export DEBIAN_FRONTEND=noninteractive \
	  && { apt-get -qq update || true; } && apt-get -qq -y install --no-install-recommends chromium >/dev/null; } \
	|| echo "NO CHROMIUM: the tests in a browser will be skipped; apt-get install chromium" >&2
	@touch $@
