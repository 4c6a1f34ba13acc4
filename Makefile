# Two commands do all the set-up: `make run` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TOOLS := .cache/tools
# What is installed is what a lock names, and pip checks that it has the lock's hash.
INSTALL = -m pip install -qq --disable-pip-version-check --require-hashes
ITSELF = -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable .
PREFIX ?= /opt/rollcall
COMPILE := $(TOOLS)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras \
	--custom-compile-command 'make lock' $(ARGS)

.PHONY: run install demo stack test again test-full lint format generate reliability fuzz bench soak first-hour lock audit sbom clean

run: $(VENV)/run  ## Serve metrics of this machine, and of a mesh or store on it
	$(BIN)/rollcall serve $(ARGS)

install:  ## Rollcall in an environment of its own, PREFIX=/opt/rollcall, by its locks, and nothing of the checkout
	PYTHON="$(PYTHON)" sh tests/set_up.sh venv $(PREFIX)
	$(PREFIX)/bin/python $(INSTALL) --requirement requirements/build.lock --requirement requirements/run.lock
	$(PREFIX)/bin/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation .

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
	$(BIN)/python -m exporter.rules.manifests --check
	$(BIN)/python -m tests.promises --check
	$(BIN)/python -m tests.soak.document --check
	$(BIN)/python -m tests.first_hour.document --check
	$(BIN)/python -m tests.bench.scaling --check

format: $(VENV)/test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

generate: $(VENV)/test  ## Files that are made from code
	$(BIN)/python -m exporter.catalogue
	$(BIN)/python -m exporter.config.reference
	$(BIN)/python -m exporter.rules
	$(BIN)/python -m grafana.build
	$(BIN)/python -m exporter.rules.manifests
	$(BIN)/python -m tests.bench.scaling
	$(BIN)/python -m tests.promises
	$(BIN)/python -m tests.soak.document
	$(BIN)/python -m tests.first_hour.document

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

soak: $(VENV)/test tests/.set-up  ## Half an hour of faults between two Prometheuses (ARGS="--minutes 1"), in docs/RELIABILITY.md
	$(BIN)/python -m tests.soak --json docs/soak.json $(ARGS)
	$(BIN)/python -m tests.soak.document

first-hour: $(VENV)/test  ## docs/FIRST_HOUR.md as it stands, timed, in a bare Debian; as root, with Debian's debootstrap
	$(BIN)/python -m tests.first_hour

lock: $(TOOLS)/.set-up  ## Locks of pyproject.toml's dependencies; what is locked stays (ARGS=--upgrade: the newest)
	$(COMPILE) --group build --output-file requirements/build.lock >/dev/null
	$(COMPILE) --output-file requirements/run.lock pyproject.toml >/dev/null
	$(COMPILE) --extra test --output-file requirements/test.lock pyproject.toml >/dev/null
	$(COMPILE) --group lightning --output-file requirements/lightning.lock >/dev/null
	$(COMPILE) --group node --output-file requirements/node.lock >/dev/null
	$(COMPILE) --group tools --output-file requirements/tools.lock >/dev/null

audit: $(TOOLS)/.set-up  ## Known vulnerabilities of what runs, builds and tests; fails where something could not be asked about
	for lock in run build test tools; do \
		$(TOOLS)/bin/pip-audit --strict --progress-spinner off --disable-pip --require-hashes $(ARGS) \
			--requirement requirements/$$lock.lock || \
			{ echo "audit: $$lock.lock is not known to be free of vulnerabilities: see above" >&2; exit 1; }; \
	done

sbom: $(TOOLS)/.set-up  ## Bill of what runs, in CycloneDX's JSON, with hashes: build/rollcall.cdx.json
	mkdir -p build
	$(TOOLS)/bin/cyclonedx-py requirements requirements/run.lock --pyproject pyproject.toml --output-reproducible \
		--output-format JSON --output-file build/rollcall.cdx.json

clean:
	rm -rf $(VENV) .cache build tests/.set-up *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/run: pyproject.toml requirements/build.lock requirements/run.lock
	PYTHON="$(PYTHON)" sh tests/set_up.sh venv $(VENV)
	$(BIN)/python $(INSTALL) --requirement requirements/build.lock --requirement requirements/run.lock
	$(BIN)/python $(ITSELF)
	@touch $@

$(VENV)/test: pyproject.toml requirements/build.lock requirements/test.lock
	PYTHON="$(PYTHON)" sh tests/set_up.sh venv $(VENV)
	$(BIN)/python $(INSTALL) --requirement requirements/build.lock --requirement requirements/test.lock
	$(BIN)/python $(ITSELF)
	@touch $@ $(VENV)/run

$(TOOLS)/.set-up: requirements/tools.lock
	PYTHON="$(PYTHON)" sh tests/set_up.sh venv $(TOOLS)
	$(TOOLS)/bin/python $(INSTALL) --requirement requirements/tools.lock
	@touch $@

tests/.set-up: tests/set_up.sh tests/grafana/package-lock.json tests/browser/package-lock.json \
		requirements/lightning.lock requirements/node.lock
	PYTHON="$(PYTHON)" sh tests/set_up.sh components .cache
	@touch $@
