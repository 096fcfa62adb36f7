# Each target makes .venv and installs the pinned, hashed dependencies by itself;
# python3 (3.11 or newer) and make are all a machine needs.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help run test check docs bench soak pair partial lock clean
help:  ## what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

.venv/.ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

run: .venv/.ready  ## a whole story, watched live: policy, rules, alert, incident, pages, resolve (Ctrl-C ends it)
	$(BIN)/tocsin demo

# make check runs tests/docs; the table of partial failures wants the machine for itself.
APART := --ignore tests/docs --ignore tests/partial
test: .venv/.ready  ## every promise but the documents' and what is run apart, against the real tools
	@tests/install-tools
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal $(APART) $(PYTEST)

check: .venv/.ready  ## format, lint, types, layers, declared dependencies, the commands in the documents
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry receiver rules templates
	$(BIN)/deptry --ignore DEP002,DEP004 bench manual tests
	$(BIN)/python -m pytest tests/docs

docs: .venv/.ready  ## the made pages written anew, and the site in build/site
	$(BIN)/python -m manual
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --site-dir build/site

bench: .venv/.ready  ## the table of ratios; BENCH=name runs one
	$(BIN)/python -m bench $(BENCH)

soak: .venv/.ready  ## load, with kills every few seconds, on SQLite and PostgreSQL; DURATION=600 (seconds)
	$(BIN)/python -m bench.soak

pair: .venv/.ready  ## an emergency behind a real pair of Alertmanagers, ten times in real time; CYCLES=10
	@tests/install-tools
	$(BIN)/python -m bench.pair

PACE ?= 1
ROWS ?=
partial: .venv/.ready  ## the whole table of partial failures (docs/operating.md) in real time, seven minutes; PACE=5 ROWS="disk full,DNS gone"
	@tests/install-tools
	PACE=$(PACE) ROWS="$(ROWS)" $(BIN)/python -m pytest -rP -o faulthandler_timeout=1800 tests/partial

# What the image installs, and what builds it: the versions of the whole lock, without the developers' tools.
IMAGE_EXTRAS := --extra apprise --extra demo --extra oidc --extra postgresql --extra traces
lock: .venv/.ready  ## resolve the dependencies anew; no index address is written
	$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 \
		--generate-hashes --no-header --upgrade --quiet -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml $(IMAGE_EXTRAS) --group build --universal --python-version 3.11 \
		--generate-hashes --no-header --quiet --constraint requirements.lock -o requirements-image.lock

clean:  ## forget everything that was built
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
