# Everything a developer does. Needs Python 3.11 or newer and make; the rest is installed into .venv.
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
UV ?= uv
LANGUAGES ?= nl hr
BENCH := .venv-bench
# Of Bytewax there is nothing to install for Python 3.13.
BENCH_PYTHON ?= $(shell for python in $(PYTHON) python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info >= (3, 13))' 2>/dev/null && echo $$python && break; done)
ARGS ?=

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo serve docker up down test coverage test-long bench bench-quick check format messages lock
.DEFAULT_GOAL := help

# A file of tests stays on one worker, so that what its tests share is made once; in the order of the folders, so that the
# long ones of few tests do not come last, when one worker has nothing left to do.
WORKERS = --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

help: ## say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.runtime ## import real purchase history and serve the pages
	$(BIN)/python -m services.demo $(ARGS)

serve: $(VENV)/.runtime ## serve your own data folder: make serve ARGS="--data FOLDER"
	$(BIN)/rapport up $(ARGS)

up: docker .env ## one process per service, with their servers, in containers
	docker compose up --detach --build --wait
	@echo "http://$$(docker compose port gateway 8080)/"
	@echo "The administrator's password was printed once, by the first start: docker compose logs database"

down: docker ## stop those containers; their data stays
	docker compose down

docker:
	@docker compose version >/dev/null 2>&1 || { echo "This needs Docker with its Compose plugin (docker compose)." >&2; exit 1; }

# Hexadecimal, because it becomes part of an address.
.env: | docker
	@(umask 077 && printf 'POSTGRES_PASSWORD=%s\n' "$$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')" >$@)

test: check ## check, then all tests with reduced counts: make test ARGS="-k kafka"
	$(BIN)/python -m pytest $(WORKERS) $(ARGS)

coverage: $(VENV)/.dev ## the same tests, and which lines they reach (tracing slows them down)
	$(BIN)/python -m pytest $(WORKERS) --cov --cov-report=term:skip-covered $(ARGS)

test-long: check ## check, then all tests with full counts (hours)
	RAPPORT_LONG=1 $(BIN)/python -m pytest $(ARGS)

bench: $(VENV)/.dev $(BENCH)/.peers ## compare speeds with peers (an hour): make bench ARGS="--only A1,B4 --report build/bench.md"
	$(BIN)/python tests/bench $(ARGS)

bench-quick: $(VENV)/.dev ## compare speeds with the plain versions in tests/bench (3 minutes)
	$(BIN)/python tests/bench --quick $(ARGS)

check: $(VENV)/.dev ## lint, format, types, rules of the house
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev ## rewrite the code as the linter and formatter want it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

messages: $(VENV)/.dev ## collect the words of the pages for translators: make messages LANGUAGES=nl
	@mkdir -p build
	$(BIN)/pybabel --quiet extract --mapping pyproject.toml --keyword N_ --no-location --sort-output --project Rapport --output build/messages.pot shared services
	for language in $(LANGUAGES); do $(BIN)/pybabel --quiet update --locale $$language --init-missing --no-fuzzy-matching --no-wrap \
		--ignore-pot-creation-date --input-file build/messages.pot --output-dir shared/web/locale || exit 1; done

# setuptools is no dependency, but builds the package itself: in the lock, so that the build needs no other download.
COMPILE = UV_CUSTOM_COMPILE_COMMAND='make lock' $(UV) pip compile --quiet --universal \
	--python-version 3.11 --generate-hashes --no-emit-index-url $(ARGS)
LOCK = printf 'setuptools>=77\n' | $(COMPILE) pyproject.toml -

lock: ## pin all dependencies anew (needs uv): make lock ARGS=--upgrade
	$(LOCK) --extra demo --output-file requirements.lock >/dev/null
	$(LOCK) --all-extras --constraint requirements.lock --output-file requirements-dev.lock >/dev/null
	$(COMPILE) tests/bench/peers/requirements.in --output-file tests/bench/peers/requirements.lock >/dev/null

$(BIN)/pip:
	@test -n "$(PYTHON)" || { echo "Rapport needs Python 3.11 or newer; name one: make PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.lock pyproject.toml | $(BIN)/pip
	@echo "Installing what Rapport needs into $(VENV)"
	@$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml | $(BIN)/pip
	@echo "Installing what Rapport and its tests need into $(VENV)"
	@$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(BENCH)/.peers: tests/bench/peers/requirements.lock
	@test -n "$(BENCH_PYTHON)" || { echo "The peers need Python 3.11 or 3.12; name one: make BENCH_PYTHON=/path/to/python" >&2; exit 1; }
	@echo "Installing what the benchmark compares with into $(BENCH)"
	@test -x $(BENCH)/bin/python || $(BENCH_PYTHON) -m venv $(BENCH)
	@$(BENCH)/bin/python -m pip install --quiet --require-hashes --requirement $<
	@touch $@
