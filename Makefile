# Two commands do all the set-up: `make run` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run demo test test-full lint format generate reliability fuzz bench clean

run: $(VENV)/run  ## Serve metrics of this machine, and of a mesh or store on it
	$(BIN)/rollcall serve $(ARGS)

demo: $(VENV)/run  ## A simulated fleet, and an exporter that polls it
	$(BIN)/python -m exporter.demo $(ARGS)

test: $(VENV)/test tests/.set-up  ## Everything: lint, generated files, unit, golden, real Prometheus, Alertmanager, store
	$(MAKE) lint
	$(BIN)/python -m pytest -n 2 tests/fuzz tests/golden tests/unit $(ARGS)
	$(BIN)/python -m pytest -n 3 --dist loadfile tests/real $(ARGS)

test-full: $(VENV)/test tests/.set-up  ## The same with full counts and full-length scenarios
	ROLLCALL_FULL=1 ROLLCALL_EXAMPLES=$${ROLLCALL_EXAMPLES:-3000} $(BIN)/python -m pytest --timeout=1200 $(ARGS)

lint: $(VENV)/test  ## Formatter, linter, types, stale generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m exporter.catalogue --check
	$(BIN)/python -m exporter.rules --check
	$(BIN)/python -m grafana.build --check
	$(BIN)/python -m tests.promises --check
	$(BIN)/python -m tests.bench.scaling --check

format: $(VENV)/test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

generate: $(VENV)/test  ## Files that are made from code
	$(BIN)/python -m exporter.catalogue
	$(BIN)/python -m exporter.rules
	$(BIN)/python -m grafana.build
	$(BIN)/python -m tests.bench.scaling
	$(BIN)/python -m tests.promises

reliability: $(VENV)/test tests/.set-up  ## Every promise put to the test again, and what was measured, in docs/RELIABILITY.md
	$(BIN)/python -m pytest tests -m promise --ignore=tests/fuzz --record=docs/reliability.json $(ARGS)
	$(BIN)/python -m tests.promises

fuzz: $(VENV)/test tests/.set-up  ## 100,000 broken payloads, files, headers and requests, and how many of each there were
	ROLLCALL_FULL=1 ROLLCALL_EXAMPLES=$${ROLLCALL_EXAMPLES:-2700} $(BIN)/python -m pytest -n 2 tests/fuzz -m promise \
		--timeout=3600 --record=docs/reliability.json $(ARGS)
	$(BIN)/python -m tests.promises
	$(BIN)/python -m tests.fuzz

bench: $(VENV)/test tests/.set-up  ## CPU, memory and latency up to 100,000 workers, beside others (ARGS=--quick: 10,000)
	-sh tests/set_up.sh peers
	$(BIN)/python -m tests.bench --json docs/bench/latest.json $(ARGS)
	$(BIN)/python -m tests.bench.registry

clean:
	rm -rf $(VENV) .cache build tests/.set-up *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/run: pyproject.toml
	PYTHON="$(PYTHON)" sh tests/set_up.sh venv $(VENV)
	$(BIN)/python -m pip install -qq --disable-pip-version-check --editable .
	@touch $@

$(VENV)/test: pyproject.toml
	PYTHON="$(PYTHON)" sh tests/set_up.sh venv $(VENV)
	$(BIN)/python -m pip install -qq --disable-pip-version-check --editable '.[test]'
	@touch $@ $(VENV)/run

tests/.set-up: tests/set_up.sh tests/grafana/package-lock.json
	PYTHON="$(PYTHON)" sh tests/set_up.sh components .cache
	@touch $@
