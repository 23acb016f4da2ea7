# make serve and make test need nothing but Python 3.11 or newer and make: the first call builds .venv from the lock.
PYTHON  ?= python3
UV      ?= uv
PORT    ?= 6566
WORKERS ?= 1

VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Stamps: an environment is redone when its lock or pyproject.toml is newer.
SERVING     := $(VENV)/.serving
DEVELOPMENT := $(VENV)/.development
# Airflow wants other versions than the service, so it has an environment of its own; the tasks' work is done in .venv.
AIRFLOW     := .venv-airflow/.installed
# .venv with pyspark (half a gigabyte) on top of it: made and tested where there is a JVM.
SPARK       := .venv-spark/.installed

COMPILE := $(UV) pip compile -q pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate

.DEFAULT_GOAL := help
.PHONY: help serve test lint bench lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

serve: $(SERVING) ## sample data, Redis, feast apply, materialize, and the service on PORT (6566) with WORKERS (1)
	@exec $(BIN)/python -m pipelines.local serve --port $(PORT) --workers $(WORKERS)

test: $(DEVELOPMENT) $(AIRFLOW) $(if $(shell command -v java),$(SPARK)) ## all tests
	@exec $(BIN)/python -m pytest

lint: $(DEVELOPMENT) ## ruff, mypy and the layering contract
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(DEVELOPMENT) ## this service beside stock Feast, on this machine
	@exec $(BIN)/python -m loadtest

lock: ## pin both environments anew (needs uv)
	@command -v $(UV) >/dev/null || { echo "make lock needs uv: pip install uv, or make lock UV=path/to/uv" >&2; exit 1; }
	$(COMPILE) --extra local -o requirements.lock
	$(COMPILE) --extra dev -c requirements.lock -o requirements-dev.lock
	$(subst pyproject.toml,airflow/requirements.in,$(COMPILE)) -o requirements-airflow.lock
	sed -n 's/^spark = \["\(.*\)"\]$$/\1/p' pyproject.toml | $(subst pyproject.toml,-,$(COMPILE)) -o requirements-spark.lock

clean: ## remove everything that make made: .venv and its kin, .local, caches
	rm -rf $(VENV) .venv-* .local build *.egg-info client/build client/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || \
		{ echo "Python 3.11 or newer is needed and $(PYTHON) is not found (Debian: apt install python3 python3-venv)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed, this is $$($(PYTHON) -V): make $(MAKECMDGOALS) PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) can't make virtual environments (Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

# --no-deps: the lock names every package, so there is nothing to resolve.
define install
	@echo "Installing $(1) into $(VENV) ..."
	@$(PIP) install --no-deps --require-hashes -r $(1)
	@$(PIP) install --no-deps --no-build-isolation -e . -e ./client
endef

$(SERVING): requirements.lock pyproject.toml client/pyproject.toml | $(BIN)/python
	$(call install,requirements.lock)
	@touch $@

# The second lock holds everything that the first one does, in the same versions.
$(DEVELOPMENT): requirements-dev.lock requirements.lock pyproject.toml client/pyproject.toml | $(BIN)/python
	$(call install,requirements-dev.lock)
	@touch $(SERVING) $@

$(AIRFLOW): requirements-airflow.lock | $(BIN)/python
	@echo "Installing $< into $(@D) ..."
	@$(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --require-hashes -r $<
	@touch $@

$(SPARK): requirements-spark.lock | $(DEVELOPMENT)
	@echo "Installing $< into $(@D) ..."
	@$(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip --disable-pip-version-check --quiet install --no-deps --require-hashes -r $<
	@$(@D)/bin/python -c 'import sysconfig, pathlib; pathlib.Path(sysconfig.get_path("purelib"), "beside.pth").write_text( \
		"import site; site.addsitedir(\"" + "$(CURDIR)/$(VENV)" + sysconfig.get_path("purelib").removeprefix("$(CURDIR)/$(@D)") + "\")\n")'
	@touch $@
