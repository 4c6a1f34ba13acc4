# Two commands do all the set-up: `make run` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run demo stack test again test-full lint format generate reliability bench soak clean

run: $(VENV)/run  ## Serve metrics of this machine, and of a mesh or store on it
	$(BIN)/rollcall serve $(ARGS)

demo: $(VENV)/run  ## A simulated fleet, and an exporter that polls it
	$(BIN)/python -m exporter.demo $(ARGS)

stack: $(VENV)/run  ## The same with Debian's Prometheus and Alertmanager, as plain processes (no container engine)
	$(BIN)/python -m exporter.demo.stack $(ARGS)

test: $(VENV)/test tests/.set-up  ## Everything: lint, generated files, unit, golden, browser, real Prometheus, Alertmanager, store
	$(MAKE) lint
	$(BIN)/python -m pytest -n 2 tests/fuzz tests/golden tests/unit $(ARGS)
	$(BIN)/python -m pytest -n 3 --dist loadfile tests/browser tests/real $(ARGS) || $(MAKE) again

# Real processes on a machine that is busy with others may take longer than any test expects.
again:  ## What has failed beside other tests has to pass alone; a second failure is one
	@echo "=== Some tests with real processes failed beside others: these again, alone ==="
	$(BIN)/python -m pytest --last-failed --last-failed-no-failures none tests/browser tests/real $(ARGS)

test-full: $(VENV)/test tests/.set-up  ## The same with full counts and full-length scenarios
	ROLLCALL_FULL=1 ROLLCALL_EXAMPLES=$${ROLLCALL_EXAMPLES:-3000} $(BIN)/python -m pytest --timeout=1200 $(ARGS)

lint: $(VENV)/test  ## Formatter, linter, types, stale generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m exporter.catalogue --check
	$(BIN)/python -m exporter.config.reference --check
	$(BIN)/python -m exporter.rules --check
	$(BIN)/python -m grafana.build --check
	$(BIN)/python -m tests.promises --check
	$(BIN)/python -m tests.soak.document --check
	$(BIN)/python -m tests.bench.scaling --check

format: $(VENV)/test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

generate: $(VENV)/test  ## Files that are made from code
	$(BIN)/python -m exporter.catalogue
	$(BIN)/python -m exporter.config.reference
	$(BIN)/python -m exporter.rules
	$(BIN)/python -m grafana.build
	$(BIN)/python -m tests.bench.scaling
	$(BIN)/python -m tests.promises
	$(BIN)/python -m tests.soak.document

reliability: $(VENV)/test tests/.set-up  ## Every promise put to the test again, and what was measured, in docs/RELIABILITY.md
	$(BIN)/python -m pytest tests -m promise --record=docs/reliability.json $(ARGS)
	$(BIN)/python -m tests.promises

bench: $(VENV)/test tests/.set-up  ## CPU, memory and latency up to 100,000 workers, beside others (ARGS=--quick: 10,000)
	-sh tests/set_up.sh peers
	$(BIN)/python -m tests.bench --json docs/bench/latest.json $(ARGS)
	$(BIN)/python -m tests.bench.registry

soak: $(VENV)/test tests/.set-up  ## Half an hour of faults between two Prometheuses (ARGS="--minutes 1"), in docs/RELIABILITY.md
	$(BIN)/python -m tests.soak --json docs/soak.json $(ARGS)
	$(BIN)/python -m tests.soak.document

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

tests/.set-up: tests/set_up.sh tests/grafana/package-lock.json tests/browser/package-lock.json
	PYTHON="$(PYTHON)" sh tests/set_up.sh components .cache
	@touch $@
