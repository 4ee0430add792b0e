# planhub: `make plan` has the simulated models answer a prompt; `make test` checks everything.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
BENCH  := $(VENV)/.bench-installed

PROMPT ?= Design a REST API for a task management app
MODE   ?= vote
SEEDS  ?= 1000

.PHONY: plan test lint types tests simulate bench bench-guard bench-flame bench-peers setup clean

plan: $(STAMP)
	@$(BIN)/planhub plan "$(PROMPT)" --mode $(MODE)

test: lint types tests

setup: $(STAMP)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

tests: $(STAMP)
	$(BIN)/pytest -q

simulate: $(STAMP)
	@$(BIN)/python -m runtime.testing.simulation --seeds $(SEEDS)

bench: $(BENCH)
	@$(BIN)/python -m bench.targets --json bench/results/latest.json --picture bench/results/votes.svg

bench-guard: $(BENCH)
	@$(BIN)/python -m bench.guard

bench-flame: $(BENCH)
	@$(BIN)/python -m bench.flame

bench-peers: $(BENCH)
	@$(BIN)/python -m bench.peers --json bench/results/peers.json --picture bench/results/peers.svg

$(BENCH): $(STAMP)
	@echo "installing what the benchmarks need into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,bench]'
	@touch $(BENCH)

$(STAMP): pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "planhub needs Python 3.11 or later: no '$(PYTHON)' found"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "planhub needs Python 3.11 or later: this is $$($(PYTHON) --version)"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Python's venv module is missing; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing what planhub needs into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $(STAMP)

clean:
	rm -rf $(VENV) build dist *.egg-info
