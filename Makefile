# make reproduce | test | book | bench. Each sets up .venv first and again only when
# requirements.txt or pyproject.toml changed or an earlier set-up was interrupted.
PYTHON ?= python3.11
JOBS   ?= 2
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
# Files in their order, not by their number of tests: the browser's few are the slowest.
PYTEST := $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder \
          --nbval-lax --nbval-sanitize-with tests/nbval_sanitize.cfg

# One thread a process, and as many processes as jobs: two two-threaded ones are slower.
export OMP_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
# Debian's and other registries' settings stay as the user has them; prompts never.
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

.PHONY: help reproduce test book bench setup clean
.DEFAULT_GOAL := help

help:
	@echo "make reproduce   run every notebook at book scale, then scoreboard and HTML"
	@echo "make test        all tests, every committed notebook executed again among them"
	@echo "make book        HTML from the committed outputs"
	@echo "make bench       our speed beside the peers', as ratios"

setup: $(READY)

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
	  { echo "$(PYTHON): Python 3.11 is needed. Try: make PYTHON=/path/to/python3.11"; \
	    exit 1; }
	@rm -f $@
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || \
	  $(PYTHON) -m venv --clear $(VENV) || \
	  { echo "The venv module does not work. On Debian: apt-get install python3.11-venv"; \
	    exit 1; }
	$(BIN)/python -m pip install -q -r requirements.txt
	$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	@$(BIN)/python -m pip check
	@touch $@

# The verdicts decide the exit status; the book is built from the fresh run all the same.
reproduce: $(READY)
	@$(BIN)/econlib reproduce --jobs $(JOBS) --out _build/reproduce; status=$$?; \
	  $(BIN)/econlib scoreboard --root _build/reproduce && \
	  $(BIN)/python -m econlib.book.html _build/reproduce && \
	  exit $$status

book: $(READY)
	@$(BIN)/python -m econlib.book.html .

test: $(READY)
	$(PYTEST) chapters tests econlib
	@echo "Tests: the line above. Slowest first: make test PYTEST_ADDOPTS=--durations=20"

bench: $(READY)
	$(BIN)/python -m benchmarks
	@echo "Benchmarks: benchmarks/results/*.json"

clean:
	rm -rf _build .pytest_cache .ruff_cache .hypothesis
