# The one door. `make help` lists what there is; everything it makes lives in .venv/, .vm/ and .cache/.
#
# Needs Linux, git, make and Python 3.11 or newer (with venv); finds or fetches the rest.
#   N=20          how many nodes (demo)
#   SEEDS=100     how many seeds (tests and simulations that are seeded)
#   PYTHON=...    which Python makes .venv
#   ARGS=...      more words for pytest, for example ARGS='-k backlog -x', and for compare and deploy

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

PYTHON ?= $(shell for python in python3 python3.11 python3.12 python3.13 python3.14; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$python && break; done)
BIN := .venv/bin
STAMP := .venv/.made-from-pyproject
TYPINGS := typings/.made-by-port
N ?=
SEEDS ?=
ARGS ?=
export SEEDS

.PHONY: help demo test check lint types floors coverage vm size bench compare sim interop vectors package firmware deploy format typings clean

help: ## this list
	@sed -nE 's/^([a-z]+):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

demo: vm ## real MicroPython nodes find each other, one is killed, it comes back (N=5)
	@PYTHONPATH=lib $(PYTHON) tools/demo.py $(if $(N),-n $(N))

test: $(STAMP) $(TYPINGS) vm lint types ## everything: lint, types, all tests on every interpreter, coverage
	@mkdir -p .cache/coverage
	@$(BIN)/python -m pytest --cov --cov-report= $(ARGS)
	@$(MAKE) --no-print-directory coverage

check: lint types floors ## quick: lint, types, floors (under a minute)

lint: $(STAMP)
	@$(BIN)/ruff format --check --quiet . || { echo 'not formatted: run make format'; exit 1; }
	@$(BIN)/ruff check --quiet .

types: $(STAMP)
	@mkdir -p .cache/coverage
	@$(BIN)/mypy --no-error-summary

floors: $(STAMP)
	@$(BIN)/python -m pytest -q host_tests/host/test_floors.py

# The list of files that must be covered whole is in tools/floors.py. Says nothing when all is well, so that pytest's
# summary is the last thing on the screen.
coverage: $(STAMP)
	@files="$$($(BIN)/python tools/floors.py --covered)"; \
	if [ -n "$$files" ] && [ -e .cache/coverage/data ]; then \
		$(BIN)/coverage report --include="$$files" --fail-under=100 > .cache/not-covered \
		|| { cat .cache/not-covered; exit 1; }; \
	fi

vm: ## find MicroPython, or fetch the distribution's own into .vm/
	@test -n "$(PYTHON)" || { echo 'Python 3.11 or newer is needed: none found, or set PYTHON='; exit 1; }
	@$(PYTHON) tools/find_micropython.py --install || true

size: $(STAMP) vm ## bytes and lines per file, RAM on the 32-bit VM, against the budgets
	@$(BIN)/python tools/size.py --check

bench: $(STAMP) vm ## microseconds and heap bytes per event, on every interpreter
	@$(BIN)/python tools/bench.py

compare: $(STAMP) vm ## serf, the Rust agent and ours side by side: an hour (ARGS=--quick: four minutes; docs/BENCHMARK.md)
	@$(BIN)/python tools/compare.py $(ARGS)

# Without SEEDS what CI can afford; with SEEDS results are kept, and a stopped run goes on where it was.
sim: $(STAMP) vm ## whole clusters on a virtual clock, each seed twice (SEEDS=10000)
	@$(BIN)/python tools/simulate.py swarm $(ARGS) $(if $(SEEDS),--seeds $(SEEDS) --results .cache/simulation/swarm.jsonl \
		,--seeds 300 --budget 45)

interop: $(STAMP) vm ## the same scripts and live clusters with the reference itself (needs cargo; SEEDS=100)
	@$(BIN)/python host_tests/interop/differential.py --seeds $(or $(SEEDS),100)
	@$(BIN)/python -m pytest host_tests/interop $(ARGS)

vectors: $(STAMP) ## write the reference's own bytes anew (needs cargo), and hold both codecs to them
	@$(BIN)/python host_tests/interop/vectors.py
	@$(BIN)/python -m pytest host_tests/conformance $(ARGS)

package: $(STAMP) ## the library as .mpy files for mip, with checksums, into dist/
	@$(BIN)/python tools/package.py

firmware: ## an image with the library frozen in: make firmware BOARD=RPI_PICO_W PORT_DIR=.../micropython/ports/rp2
	@test -d "$(PORT_DIR)" -a -f "boards/$(BOARD)/manifest.py" || { \
		echo "say which: make firmware BOARD=RPI_PICO_W PORT_DIR=/where/micropython/ports/rp2 (boards: $$(cd boards; echo */))"; exit 2; }
	$(MAKE) -C "$(PORT_DIR)" BOARD=$(or $(MICROPYTHON_BOARD),$(BOARD)) FROZEN_MANIFEST="$(CURDIR)/boards/$(BOARD)/manifest.py"

deploy: $(STAMP) ## put it on a board and watch it join: make deploy ARGS='--board RPI_PICO_W --ssid NAME'
	@$(BIN)/python tools/deploy.py $(ARGS)

format: $(STAMP) ## format every Python file
	@$(BIN)/ruff check --quiet --fix-only . ; $(BIN)/ruff format --quiet .

typings: $(TYPINGS) ## the boards' own modules for your editor, in typings/esp32 and typings/rp2

# Each port by itself: both have a machine.pyi, and one folder would hold only the last one's.
$(TYPINGS): pyproject.toml $(STAMP)
	@rm -rf typings
	@$(BIN)/python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['stubs'], sep='\n')" \
	| while read stubs; do port=$${stubs#micropython-}; \
		$(BIN)/python -m pip install --quiet --upgrade --target "typings/$${port%%-*}" "$$stubs" || exit 1; done
	@touch $@

clean: ## remove everything that make has made
	rm -rf .venv .vm .cache .hypothesis .pytest_cache .ruff_cache build dist typings *.egg-info

$(STAMP): pyproject.toml
	@test -n "$(PYTHON)" || { echo 'Python 3.11 or newer is needed: none found, or set PYTHON='; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo 'installing the development tools into .venv'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,plot]'
	@touch $@
