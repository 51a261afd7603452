# One command each for what a contributor does. Needs make and Python 3.10 or newer, nothing else.
#   PYTHON=python3.12   the interpreter that builds the environments (default: the first good one on PATH)
#   VENV=.venv-3.12     where the environment lives (default: .venv)
#   ARGS="-k breaker"   more arguments for pytest

VENV           ?= .venv
LOWEST         ?= .venv-lowest
PYTHON         ?=
ARGS           ?=
PYTHONS        ?= python3.10 python3.11 python3.13
CASSETTE_TESTS ?= tests/cassettes

BIN    := $(VENV)/bin
PYTEST := -m pytest -rs
BENCHED = provider litellm pydantic-ai langchain
BUILD   = python=$$(PYTHON="$(PYTHON)" sh .ci/find-python) && "$$python" .ci/venv.py
INPUTS := pyproject.toml constraints.txt .ci/venv.py

.DEFAULT_GOAL := help
.PHONY: help setup demo test integration frameworks lint style types check sdk-range cassettes fidelity faults reliability soak bench bench-quick constraints clean force

force:

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile | while IFS='|' read -r name text; do printf '%-12s %s\n' "$$name" "$$text"; done

# A PYTHON given on the command line is always looked at: an environment of another version is rebuilt, not reused.
ifneq ($(strip $(PYTHON)),)
$(VENV)/.ready $(LOWEST)/.ready: force
endif

$(VENV)/.ready: $(INPUTS)
	@$(BUILD) "$(VENV)" constraints.txt

$(LOWEST)/.ready: $(INPUTS) constraints-lowest.txt
	@$(BUILD) "$(LOWEST)" constraints.txt constraints-lowest.txt

# Frameworks and what they pin, apart from the development environment and from each other.
.venv-%/.ready: $(INPUTS) tests/integration/requirements-%.txt
	@$(BUILD) .venv-$* constraints.txt --requirement tests/integration/requirements-$*.txt

# What the benchmark measures beside this library: each peer alone, as its users would install it; its own pins win.
.venv-bench-%/.ready: benchmarks/bench/requirements-%.txt constraints.txt
	@echo "setting up .venv-bench-$*" >&2
	@python=$$(PYTHON="$(PYTHON)" sh .ci/find-python) && "$$python" -m venv --clear .venv-bench-$*
	@awk -F '[[=]' 'NR == FNR { own[$$1]; next } !($$1 in own)' $^ >.venv-bench-$*/constraints.txt
	@.venv-bench-$*/bin/python -m pip --disable-pip-version-check install --quiet \
		--constraint .venv-bench-$*/constraints.txt --requirement $<
	@touch $@

setup: $(VENV)/.ready ## create or refresh the environment
	@:

demo: $(VENV)/.ready ## run the demo: no keys, providers on loopback
	@$(BIN)/chatsheet-llm demo

test: $(VENV)/.ready ## run the tests that need no other program
	@$(BIN)/python $(PYTEST) -m "not integration" $(ARGS)

integration: $(VENV)/.ready ## run the tests against the real LiteLLM proxy, Redis and frameworks (the first time installs them)
	@$(BIN)/python $(PYTEST) -m integration tests/integration --ignore-glob "*/test_framework*.py" $(ARGS)
	@$(MAKE) --no-print-directory frameworks ARGS=

frameworks: .venv-frameworks/.ready .venv-instructor/.ready ## run the tests with frameworks alone
	@.venv-frameworks/bin/python $(PYTEST) -m integration tests/integration/test_frameworks.py $(ARGS)
	@.venv-instructor/bin/python $(PYTEST) -m integration tests/integration/test_framework_instructor.py $(ARGS)

lint: style types ## ruff check, ruff format --check, mypy --strict

style: $(VENV)/.ready
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/.ready
	@$(BIN)/mypy

check: lint test demo sdk-range integration ## lint, test, demo, sdk-range and integration

sdk-range: $(VENV)/.ready $(LOWEST)/.ready ## the contract tests on the lowest and the newest SDKs allowed
	@$(LOWEST)/bin/python .ci/sdk_versions.py --lowest
	@$(LOWEST)/bin/python $(PYTEST) tests/contract $(ARGS)
	@$(BIN)/python .ci/sdk_versions.py
	@$(BIN)/python $(PYTEST) tests/contract $(ARGS)

cassettes: $(VENV)/.ready ## record the cassettes anew, against the sandbox and the LiteLLM proxy before it
	@$(BIN)/python $(PYTEST) $(CASSETTE_TESTS) --record-mode=rewrite $(ARGS)

fidelity: $(VENV)/.ready ## write docs/fidelity.md; needs recordings that are no part of the project (CHATSHEET_SHARED)
	@$(BIN)/python tests/fidelity.py $(ARGS)

faults: $(VENV)/.ready ## the same faults against the bare SDKs and the chain; ARGS=--write writes docs/faults.md
	@$(BIN)/python benchmarks/faults.py $(ARGS)

reliability: $(VENV)/.ready ## write docs/reliability.md from the vectors
	@$(BIN)/python tests/reliability.py $(ARGS)

soak: $(VENV)/.ready ## 10,000 calls under faults that change every second: what is lost, late or kept (ARGS="--calls 3000")
	@$(BIN)/python benchmarks/soak.py $(ARGS)

bench: $(VENV)/.ready $(BENCHED:%=.venv-bench-%/.ready) ## what a call costs beside the bare SDK and others; writes docs/performance.md
	@PYTHONPATH=benchmarks $(BIN)/python -m bench --write $(ARGS)

bench-quick: $(VENV)/.ready ## fewer cases in under two minutes, with what is installed; writes nothing
	@PYTHONPATH=benchmarks $(BIN)/python -m bench --quick $(ARGS)

constraints: ## pin the newest versions that resolve today, for PYTHONS
	@python=$$(PYTHON="$(PYTHON)" sh .ci/find-python) && "$$python" .ci/constraints.py $(PYTHONS)

clean: ## remove the environments, caches and builds
	@rm -rf .venv .venv-lowest .venv-litellm .venv-redis .venv-frameworks .venv-instructor .venv-bench-* .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
