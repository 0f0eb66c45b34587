# Two commands: `make run` serves, `make test` runs every test. Each needs nothing but Python 3.11 or newer, make and a package index.
SHELL   = /bin/sh
PYTHON ?= python3
VENV   ?= .venv
JOBS   ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
ARGS   ?=
PY      = $(VENV)/bin/python
UV      = UV_PYTHON_DOWNLOADS=never $(VENV)/bin/uv --system-certs
READY   = $(VENV)/.ready
COMPILE = $(UV) pip compile -q --universal --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links \
          --custom-compile-command 'make lock' --group demo --group dev --output-file
unexport PYTHONDONTWRITEBYTECODE  # or every start would compile every library anew
.DEFAULT_GOAL = help
.NOTPARALLEL:
.PHONY: run test check lint types imports schema schema-check lock lock-check bench soak clean help install

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile
	@echo 'PYTHON=… chooses the interpreter, VENV=… the environment, ARGS=… is handed to the command, as in: make test ARGS="-k coupon"'

run: $(READY) ## Serve on http://127.0.0.1:8000 with embedded PostgreSQL and Valkey (PORT HOST WORKERS DEMO DATA_DIR DATABASE_URL REDIS_URL)
	@LAUREL_DIE_WITH_PARENT=1 exec $(PY) -m app serve $(ARGS)

test: $(READY) ## Run every test
	@exec $(PY) -m pytest -n $(JOBS) $(ARGS)

check: lint types imports schema-check lock-check test ## All that CI runs

lint: $(READY) ## ruff: style, mistakes, format
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .

types: $(READY) ## mypy --strict
	@$(VENV)/bin/mypy

imports: $(READY) ## Who may import whom
	@$(VENV)/bin/lint-imports

schema: $(READY) ## Print the schema into schema/schema.graphql
	@$(PY) -m app print-schema > $(VENV)/schema.graphql
	@cp $(VENV)/schema.graphql schema/schema.graphql

schema-check: $(READY) ## The printed schema is the committed one
	@$(PY) -m app print-schema > $(VENV)/schema.graphql
	@diff -u schema/schema.graphql $(VENV)/schema.graphql || { echo 'schema/schema.graphql is not what the code says: make schema'; exit 1; }

lock: $(VENV)/bin/uv ## Bring requirements.lock up to pyproject.toml (ARGS=--upgrade: to the newest versions)
	@$(COMPILE) requirements.lock $(ARGS) pyproject.toml

lock-check: $(READY) ## requirements.lock is what pyproject.toml asks for
	@cp requirements.lock $(VENV)/requirements.lock
	@$(COMPILE) $(VENV)/requirements.lock pyproject.toml
	@grep -v -e '--hash' requirements.lock > $(VENV)/lock.committed; grep -v -e '--hash' $(VENV)/requirements.lock > $(VENV)/lock.wanted
	@diff -u $(VENV)/lock.committed $(VENV)/lock.wanted || { echo 'requirements.lock does not fit pyproject.toml: make lock'; exit 1; }

bench: $(READY) ## The measured claims
	@$(PY) -m benchmarks $(ARGS)

soak: $(READY) ## The races in full and 200 kills of everything; about a quarter of an hour (ARGS="--only crashes --kills 40 --seed 1")
	@exec $(PY) -m tests.soak $(ARGS)

clean: ## Remove the environment and every cache; the data in .laurel stays
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Set-up. One at a time, should two commands start together; the second finds it done. (.lock in an environment is uv's own.)
UNDER_LOCK = import fcntl, os, sys; f = open(sys.argv[1], "a"); fcntl.flock(f, fcntl.LOCK_EX); os.set_inheritable(f.fileno(), True); os.execvp(sys.argv[2], sys.argv[2:])
$(READY): requirements.lock
	@command -v $(PYTHON) >/dev/null || { echo 'No $(PYTHON) here: Python 3.11 or newer is needed, as in make PYTHON=python3.12'; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, as in make PYTHON=python3.12")'
	@mkdir -p $(VENV)
	@$(PYTHON) -c '$(UNDER_LOCK)' $(VENV)/.set-up $(MAKE) --no-print-directory install

install: $(VENV)/bin/uv
	@[ $(READY) -nt requirements.lock ] || { \
	  echo 'Laurel: installing what requirements.lock names (a minute when nothing is cached) …' && \
	  $(UV) pip sync -q --require-hashes --python $(PY) requirements.lock && touch $(READY); }

# Its own pip, or the system's where Python comes without ensurepip, or a uv that is here already.
$(VENV)/bin/uv: | $(PY)
	@echo 'Laurel: fetching uv, the installer …'
	@awk '/^uv==/ { inside = 1 } inside { print } inside && !/\\$$/ { exit }' requirements.lock > $(VENV)/uv.txt
	@if $(PY) -m pip --version >/dev/null 2>&1; then $(PY) -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r $(VENV)/uv.txt; \
	 elif $(PYTHON) -m pip --version >/dev/null 2>&1; then $(PYTHON) -m pip --python $(PY) install -q --disable-pip-version-check --no-deps --require-hashes -r $(VENV)/uv.txt; \
	 elif command -v uv >/dev/null; then ln -sf "$$(command -v uv)" $@; \
	 else echo 'This Python has neither pip nor ensurepip: install python3-venv or python3-pip, or put uv on the PATH'; exit 1; fi

$(PY):
	@echo 'Laurel: making $(VENV) …'
	@rm -f $(VENV)/bin/python*
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || $(PYTHON) -m venv --without-pip $(VENV)
