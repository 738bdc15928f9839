# Everything that is done with this repository. `make help` lists it.
#
# Nothing has to be installed beforehand but make and a Python of 3.11 or newer: each target first installs what it
# needs into $(VENV), once, and again when a lock file changes.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV ?= .venv
PYTHON ?=
PYTEST_ARGS ?=
# One process per core, but no more than eight: each may start its own emulators.
WORKERS ?= auto

BIN := $(VENV)/bin
SHARE := $(VENV)/share
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input

INSTALLED := $(VENV)/.installed
EMULATOR := $(VENV)/.installed-emulator
KINESIS_LOCAL := $(VENV)/.installed-kinesis-local
DATASET := $(VENV)/.installed-dataset
CHECKOV := $(VENV)/.installed-checkov
LOCALSTACK := $(VENV)/.installed-localstack

.PHONY: help install demo dev localstack test soak lint format bench lock clean

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED) $(EMULATOR) $(KINESIS_LOCAL) $(DATASET) $(CHECKOV) $(LOCALSTACK) ## install all that the other targets need

demo: $(INSTALLED) $(EMULATOR) $(DATASET) ## run the whole pipeline over a real data set, and check its sums
	$(BIN)/python -m consumers.flights.demo

dev: $(INSTALLED) $(EMULATOR) ## keep the pipeline running for your own producers and consumers
	$(BIN)/kstream dev consumers/flights

localstack: ## run LocalStack on port 4566 until Ctrl-C: in Docker, or without it where there is none
	@if docker compose version >/dev/null 2>&1 && docker info >/dev/null 2>&1; then \
	    exec docker compose up localstack; \
	else \
	    $(MAKE) --no-print-directory $(EMULATOR) $(LOCALSTACK) && exec $(BIN)/python -m tests.support.localstack; \
	fi

test: $(INSTALLED) $(EMULATOR) $(KINESIS_LOCAL) $(DATASET) $(CHECKOV) $(LOCALSTACK) ## run all tests
	$(BIN)/pytest -n $(WORKERS) --maxprocesses 8 --dist loadgroup $(PYTEST_ARGS)

soak: $(INSTALLED) $(EMULATOR) $(KINESIS_LOCAL) $(DATASET) $(CHECKOV) $(LOCALSTACK) ## run the searching tests for much longer
	$(BIN)/pytest -n $(WORKERS) --maxprocesses 8 --dist loadgroup --soak --timeout 7200 $(PYTEST_ARGS)

lint: $(INSTALLED) ## check style, types, layers and the compose file
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@if docker compose version >/dev/null 2>&1; then \
	    echo "docker compose --profile demo config -q" && docker compose --profile demo config -q; \
	elif command -v docker-compose >/dev/null; then \
	    echo "docker-compose --profile demo config -q" && docker-compose --profile demo config -q; \
	else \
	    echo "docker-compose.yml is NOT checked: there is no 'docker compose' here."; \
	fi

format: $(INSTALLED) ## put the code into its style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(INSTALLED) ## measure against the peers, side by side
	$(BIN)/python -m benchmarks

# The locks are made with uv, which resolves for every platform and Python at once (pip-tools only for the one it runs
# on). They name no index: whoever installs takes the files from where their pip is told to, and the hashes decide.
UV_LOCK = --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --quiet \
    --custom-compile-command "make lock"

# LocalStack is archived: its lock keeps what it is known to run with, and so is not upgraded. Left out of it is what only
# services need that nobody here uses, half of all: CloudFormation linting in moto, DocumentDB, OpenSearch over gRPC,
# JSONata in Step Functions, the KCL, and the AWS command line.
NOT_NEEDED = awscli cfn-lint colorama docutils grpcio jpype1 kclpy-ext mpmath networkx opensearch-protobufs protobuf \
    pymongo regex rsa sympy

# What X-Ray's SDK needs besides, and a function has already: tenacity by the other lock, the rest in Lambda's own runtime.
IN_LAMBDA = botocore jmespath python-dateutil six tenacity urllib3

lock: $(INSTALLED) ## resolve the dependencies anew, and write the lock files
	test -x $(SHARE)/uv/bin/uv || { $(BIN)/python -m venv $(SHARE)/uv && $(SHARE)/uv/bin/pip install --quiet uv; }
	$(SHARE)/uv/bin/uv pip compile $(UV_LOCK) --upgrade --extra dev -o requirements/dev.lock pyproject.toml
	$(SHARE)/uv/bin/uv pip compile $(UV_LOCK) --upgrade -o requirements/function.lock pyproject.toml
	$(SHARE)/uv/bin/uv pip compile $(UV_LOCK) --upgrade --extra xray $(IN_LAMBDA:%=--no-emit-package %) \
	    -o requirements/function-xray.lock pyproject.toml
	$(SHARE)/uv/bin/uv pip compile $(UV_LOCK) --upgrade -o requirements/checkov.lock requirements/checkov.in
	$(SHARE)/uv/bin/uv pip compile $(UV_LOCK) --upgrade -o kstream/local/ministack.lock requirements/ministack.in
	cd tests/support/localstack/plugin && $(abspath $(SHARE))/uv/bin/uv pip compile $(UV_LOCK) \
	    $(NOT_NEEDED:%=--no-emit-package %) -o ../localstack.lock pyproject.toml
	$(SHARE)/uv/bin/uv pip compile $(UV_LOCK) --upgrade -o tests/support/localstack/lambda.lock \
	    tests/support/localstack/lambda.in
	cd tests/support/kinesis_local && PATH="$(abspath $(BIN)):$$PATH" npm install --package-lock-only \
	    --omit-lockfile-registry-resolved --no-audit --no-fund

clean: ## remove the environment, caches and what the pipeline stored
	rm -rf $(VENV) dist build .kstream .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# -- what the targets stand on -----------------------------------------------------------------------------------------

# pyenv and the like put names on the path that do not run, so every candidate is tried.
$(BIN)/python:
	@for candidate in $(or $(PYTHON),python3 python3.13 python3.12 python3.11 python3.14 python); do \
	    if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	        echo "Making $(VENV) with $$("$$candidate" --version)"; \
	        "$$candidate" -m venv $(VENV) && exit 0; \
	        rm -rf $(VENV); \
	        echo "This Python cannot make an environment. On Debian and Ubuntu: apt-get install python3-venv" >&2; \
	        exit 1; \
	    fi; \
	done; \
	echo "No Python of 3.11 or newer was found$(if $(PYTHON), at $(PYTHON),). Install one, or name it: make PYTHON=/path/to/python3.12 ..." >&2; \
	exit 1

$(INSTALLED): requirements/dev.lock pyproject.toml | $(BIN)/python
	$(PIP) install --quiet --require-hashes -r requirements/dev.lock
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(EMULATOR): kstream/local/ministack.lock | $(INSTALLED)
	$(BIN)/python -c 'from kstream.local.emulator import install; install(print)'
	@touch $@

$(KINESIS_LOCAL): tests/support/kinesis_local/package-lock.json | $(INSTALLED)
	mkdir -p $(SHARE)/kinesis-local
	cp tests/support/kinesis_local/package.json tests/support/kinesis_local/package-lock.json $(SHARE)/kinesis-local
	cd $(SHARE)/kinesis-local && PATH="$(abspath $(BIN)):$$PATH" npm ci --ignore-scripts --no-audit --no-fund --silent
	@touch $@

$(LOCALSTACK): $(addprefix tests/support/localstack/,backport.py environment.py localstack.lock lambda.lock \
    plugin/pyproject.toml) | $(INSTALLED) $(KINESIS_LOCAL)
	$(BIN)/python -m tests.support.localstack --install
	@touch $@

$(CHECKOV): requirements/checkov.lock | $(INSTALLED)
	$(BIN)/python -m venv --clear $(SHARE)/checkov
	$(SHARE)/checkov/bin/python -m pip --disable-pip-version-check --no-input install --quiet --require-hashes \
	    -r requirements/checkov.lock
	@touch $@

# pip reads the metadata of a source distribution by running its setup.py, once the hash has been found right.
# Without isolation it does so with the setuptools of our own lock instead of fetching one.
$(DATASET): requirements/dataset.lock | $(INSTALLED)
	$(PIP) download --quiet --no-deps --no-binary :all: --no-build-isolation --require-hashes \
	    -r requirements/dataset.lock --dest $(SHARE)/datasets
	@touch $@
