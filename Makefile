# `make` alone lists what there is. Everything runs as root and as an ordinary user, with a Postgres installed and with
# none (the program then brings its own).

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

# Reference data that the repository does not hold: vectors, real feedback, acceptance scripts.
AFTERWORD_SHARED ?= $(abspath ../shared)
PYTHON ?= python3
VENV := .venv
TRAINERS_VENV := .venv-trainers
OLD_TRAINERS_VENV := .venv-trainers-old
PEERS_VENV := .venv-peers
EXPORT_PEERS_VENV := .venv-export-peers
ADAPTERS_VENV := .venv-adapters
TRAINER_CHECKS := $(AFTERWORD_SHARED)/trainer_check
NEW_TRAINERS := $(CURDIR)/$(TRAINERS_VENV)/bin/python
AFTERWORD_PYTHON := $(CURDIR)/$(VENV)/bin/python
CARGO := cargo
export AFTERWORD_SHARED AFTERWORD_PYTHON

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: tools ## Build, start everything, play simulated users, export, compare: ARGS="--exit --reset"
	$(CARGO) build --locked --bin afterword
	$(CARGO) run --locked --quiet --bin afterword -- demo $(ARGS)

.PHONY: test
test: tools-of-tests venv ## Run every check, as CI does
	$(MAKE) fmt-check
	$(MAKE) lint
	$(MAKE) licences
	$(MAKE) deny
	$(MAKE) doc
	$(MAKE) cargo-test
	$(MAKE) browser
	$(MAKE) test-sdk

.PHONY: cargo-test
cargo-test: venv
	$(CARGO) test --locked

.PHONY: browser
browser: ## Look at the reports that the tests kept, use the demo's chat and answer links, in Chromium: widths, colours, keyboard, paper, axe
	scripts/browser-check.sh $(or $(PAGES),target/tmp/report)

.PHONY: test-sdk
test-sdk: ## Check the browser SDK: lint, types, units, properties, sizes; Chromium before the real service
	$(CARGO) build --locked --bin afterword
	scripts/test-sdk.sh

.PHONY: bench-sdk
bench-sdk: ## Play the browser tests' faults on other clients, too, and write docs/sdk-rivals.md: ARGS="posthog segment"
	cd sdk/browser && npm ci --ignore-scripts --no-progress --loglevel=error && npm run --silent build
	cd sdk/peers && npm ci --ignore-scripts --no-progress --loglevel=error \
		&& node run.mjs $(or $(ARGS),--write ../../docs/sdk-rivals.md)

.PHONY: sdk-asset
sdk-asset: ## Write the script that the service serves anew, after the browser SDK has changed
	cd sdk/browser && npm ci --ignore-scripts --no-progress --loglevel=error && npm run --silent build && npm run --silent served

.PHONY: test-adapters
test-adapters: tools-of-tests $(ADAPTERS_VENV)/.installed ## Have LiteLLM, OpenTelemetry and Langfuse's client send to the service (200 MB of downloads)
	@# A filter that matches no test is no success.
	AFTERWORD_ADAPTERS_PYTHON=$(CURDIR)/$(ADAPTERS_VENV)/bin/python $(CARGO) test --locked --test it \
		routes::adapters::the_real -- --nocapture | tee /dev/stderr | grep -q 'test result: ok. [1-9]'

.PHONY: schemathesis
schemathesis: tools-of-tests venv ## Send generated requests by the OpenAPI document to a running service, all checks on
	@# A filter that matches no test is no success.
	$(CARGO) test --locked --test it routes::openapi::the_running -- --nocapture \
		| tee /dev/stderr | grep -q 'test result: ok. [1-9]'

.PHONY: openapi
openapi: tools ## Write docs/openapi.json anew, after an address or a bound has changed
	AFTERWORD_WRITE_OPENAPI=1 $(CARGO) test --locked --test it routes::openapi::the_committed

.PHONY: replay
replay: tools-of-tests venv ## Feed the real preferences of AFTERWORD_SHARED/data through the API and check what comes out
	@# A filter that matches no test is no success.
	AFTERWORD_REPLAY_DIR=$(CURDIR)/target/replay $(CARGO) test --locked --test it replay:: -- --nocapture --test-threads 1 \
		| tee /dev/stderr | grep -q 'test result: ok. [1-9]'
	@echo 'The exports and reports are in target/replay.'

.PHONY: test-faults
test-faults: tools-of-tests venv ## Run every campaign of faults in full; a full disk needs root: SEED=n repeats one
	@# A filter that matches no test is no success.
	AFTERWORD_CAMPAIGN=full $(if $(SEED),AFTERWORD_CAMPAIGN_SEED=$(SEED)) \
		$(CARGO) test --locked --test it -- --nocapture --test-threads 1 faults:: model:: bad_bodies:: \
		| tee /dev/stderr | grep -q 'test result: ok. [1-9]'

.PHONY: test-verdicts
test-verdicts: tools-of-tests venv ## Compare simulated traffic of known truth, preset by preset: SEEDS=20 SEED0=1
	@# A filter that matches no test is no success.
	AFTERWORD_VERDICT_SEEDS=$(or $(SEEDS),20) AFTERWORD_VERDICT_SEED0=$(or $(SEED0),1) \
		$(CARGO) test --locked --test it compare::simulator::the_table -- --nocapture \
		| tee /dev/stderr | grep -q 'test result: ok. [1-9]'

.PHONY: bench
bench: tools ## Measure starts, and exports beside a limit taken in the same run (release build)
	$(CARGO) bench --locked --bench throughput

.PHONY: bench-ingest
bench-ingest: tools ## Measure ingest beside its limits: ROUNDS=3 SCALE=100 ONLY=singles|batches|completions|otlp
	AFTERWORD_BENCH_ROUNDS=$(or $(ROUNDS),3) AFTERWORD_BENCH_SCALE=$(or $(SCALE),100) \
		$(if $(ONLY),AFTERWORD_BENCH_ONLY=$(ONLY)) $(CARGO) bench --locked --bench ingest

.PHONY: soak
soak: tools ## Load the service at an even pace and watch its memory: MINUTES=60 RATE=2000 items a second
	AFTERWORD_BENCH_ONLY=soak AFTERWORD_SOAK_MINUTES=$(or $(MINUTES),60) AFTERWORD_SOAK_RATE=$(or $(RATE),2000) \
		$(CARGO) bench --locked --bench ingest

.PHONY: bench-peers
bench-peers: $(PEERS_VENV)/.installed ## Beside Arize Phoenix and MLflow from PyPI (1 GB): ARGS="--write docs/peers.md"
	$(PEERS_VENV)/bin/python benches/peers/run.py $(ARGS)

.PHONY: bench-export
bench-export: tools $(EXPORT_PEERS_VENV)/.installed ## Measure an export beside COPY, ADBC and psycopg: ROWS=1000000 ROUNDS=3 KEEP=dir
	$(CARGO) build --locked --release --bin afterword
	$(EXPORT_PEERS_VENV)/bin/python benches/peers/export.py --rows $(or $(ROWS),1000000) --rounds $(or $(ROUNDS),3) \
		$(if $(KEEP),--keep $(KEEP))

.PHONY: bench-compare
bench-compare: tools $(EXPORT_PEERS_VENV)/.installed ## Measure a comparison beside one grouped SELECT of the same rows: ROWS=2000000 ROUNDS=3 KEEP=dir
	$(CARGO) build --locked --release --bin afterword
	$(EXPORT_PEERS_VENV)/bin/python benches/peers/compare.py --rows $(or $(ROWS),2000000) --rounds $(or $(ROUNDS),3) \
		$(if $(KEEP),--keep $(KEEP))

.PHONY: bench-report
bench-report: tools ## Measure how long a finished comparison takes to be rendered
	$(CARGO) bench --locked --bench report

.PHONY: bench-storage
bench-storage: tools ## Measure the alternatives behind the tables' shape: ONLY=ways|texts|keys SCALE=100
	AFTERWORD_BENCH_SCALE=$(or $(SCALE),100) $(if $(ONLY),AFTERWORD_BENCH_ONLY=$(ONLY)) $(CARGO) bench --locked --bench storage

.PHONY: check
check: ## Type-check everything, the fastest answer
	$(CARGO) check --locked --all-targets

.PHONY: lint
lint: ## Clippy on everything, warnings are errors
	$(CARGO) clippy --locked --all-targets -- -D warnings

.PHONY: fmt
fmt: ## Format the sources
	$(CARGO) fmt

.PHONY: fmt-check
fmt-check:
	$(CARGO) fmt --check

.PHONY: doc
doc: ## Build the reference of the library; a link that leads nowhere is an error
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --lib

.PHONY: licences
licences: ## Check licences, bans and sources of the dependencies against deny.toml
	$(PYTHON) scripts/check-licences.py

.PHONY: deny
deny: ## Run cargo-deny on deny.toml where it is installed: ADVISORIES=1 asks for advisories, too
	@if cargo deny --version >/dev/null 2>&1; then \
		cargo deny --locked check $(if $(ADVISORIES),advisories) bans licenses sources; \
	else \
		echo 'NOT RUN: cargo-deny is not installed (`cargo install cargo-deny --locked` takes minutes).'; \
		echo '         `make licences` has checked licences, bans and sources; advisories are unchecked.'; \
	fi

.PHONY: export-check
export-check: venv ## Check an export against the trainers' schemas: DIR=path
	@test -n "$(DIR)" || { echo 'which export? make export-check DIR=path/to/export'; exit 2; }
	$(AFTERWORD_PYTHON) $(AFTERWORD_SHARED)/trainer_check/check_schema.py $(DIR)

.PHONY: trainers
trainers: ## Train two steps on exports with the stock trainers: DIR="dpo-export sft-export" (3 GB of downloads)
	@test -n "$(DIR)" || { echo 'which exports? make trainers DIR="path/to/dpo path/to/sft"'; exit 2; }
	@$(MAKE) $(TRAINERS_VENV)/.installed
	scripts/train-check.sh $(TRAINER_CHECKS) $(NEW_TRAINERS) $(DIR)
	scripts/train-check.sh --streaming $(TRAINER_CHECKS) $(NEW_TRAINERS) $(DIR)

.PHONY: test-trainers
test-trainers: replay $(TRAINERS_VENV)/.installed $(OLD_TRAINERS_VENV)/.installed ## Train on every config of real data with two stacks of trainers (6 GB of downloads)
	bash $(TRAINER_CHECKS)/run_all.sh target/replay/all $(NEW_TRAINERS)
	scripts/train-check.sh --streaming $(TRAINER_CHECKS) $(NEW_TRAINERS) target/replay/all
	scripts/train-check.sh --without prompts $(TRAINER_CHECKS) $(CURDIR)/$(OLD_TRAINERS_VENV)/bin/python target/replay/all

.PHONY: clean
clean: ## Remove what was built; recorded feedback and exports stay
	$(CARGO) clean
	rm -rf $(VENV) $(TRAINERS_VENV) $(OLD_TRAINERS_VENV) $(PEERS_VENV) $(EXPORT_PEERS_VENV) $(ADAPTERS_VENV)

.PHONY: tools
tools:
	@scripts/check-tools.sh

.PHONY: tools-of-tests
tools-of-tests:
	@scripts/check-tools.sh $(PYTHON)

.PHONY: venv
venv: $(VENV)/.installed

$(VENV)/.installed: tests/requirements.txt
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement tests/requirements.txt
	touch $@

$(TRAINERS_VENV)/.installed: $(AFTERWORD_SHARED)/trainer_check/requirements-py311.txt
	$(PYTHON) -m venv --clear $(TRAINERS_VENV)
	$(TRAINERS_VENV)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

$(OLD_TRAINERS_VENV)/.installed: $(AFTERWORD_SHARED)/trainer_check/requirements-py311-old.txt
	$(PYTHON) -m venv --clear $(OLD_TRAINERS_VENV)
	$(OLD_TRAINERS_VENV)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

$(ADAPTERS_VENV)/.installed: tests/adapters/requirements.txt
	$(PYTHON) -m venv --clear $(ADAPTERS_VENV)
	$(ADAPTERS_VENV)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

$(EXPORT_PEERS_VENV)/.installed: benches/peers/requirements-export.txt
	$(PYTHON) -m venv --clear $(EXPORT_PEERS_VENV)
	$(EXPORT_PEERS_VENV)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

$(PEERS_VENV)/.installed: benches/peers/requirements.txt
	$(PYTHON) -m venv --clear $(PEERS_VENV)
	$(PEERS_VENV)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	touch $@
