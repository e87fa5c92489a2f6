# Two commands do all the set-up: `make demo` and `make test`. Both start from nothing.
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint bench gallery clean

demo: $(VENV)/.installed  ## profile the shipped CTR workload and show the verdict
	$(BIN)/perfkit profile -m perfkit.workloads.ctr

test: $(VENV)/.installed-test  ## everything, a real browser and a real TensorBoard included
	scripts/chromium
	$(BIN)/python -m pytest -n auto --dist loadfile

lint: $(VENV)/.installed-test  ## the quick half of the house rules
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

bench: $(VENV)/.installed-test  ## what the numbers in the README come from
	$(BIN)/python benchmarks/patterns.py
	$(BIN)/python benchmarks/overhead.py

gallery: $(VENV)/.installed-test  ## the committed pages of reports/ and the command reference, anew
	$(BIN)/python -m scripts.gallery
	$(BIN)/perfkit docs --commands --out docs/commands.md

$(VENV)/.installed: setup.cfg pyproject.toml constraints.txt
	scripts/venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[test,integrations]'
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info
