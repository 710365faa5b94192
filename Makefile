# Two commands for a fresh machine: `make run` and `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
TESTS := not long

.PHONY: run test test-all format pages pictures tour docs dist clean

run: $(VENV)/.installed
	$(BIN)/cnn-tui run digits --headless

test: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=core:tui $(BIN)/lint-imports
	$(BIN)/pytest -n auto --dist worksteal -m "$(TESTS)"

# With the long tests too: before a release, or where what they try was changed.
test-all: TESTS :=
test-all: test

format: $(VENV)/.installed-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Each docs/NAME_reference.py prints docs/NAME.md.
pages: $(VENV)/.installed
	for script in docs/*_reference.py; do \
	    $(BIN)/python $$script > $(VENV)/page.md && mv $(VENV)/page.md $${script%_reference.py}.md || exit 1; \
	done

pictures: $(VENV)/.installed
	$(BIN)/python docs/make_pictures.py

tour: $(VENV)/.installed-docs
	$(BIN)/python docs/make_recording.py

# Always all of it: a page that did not change may have a link that died.
docs: $(VENV)/.installed-docs
	$(BIN)/sphinx-build -c docs -n -W --keep-going -E -a -d $(VENV)/doctrees . site

dist: $(VENV)/.installed-test
	rm -rf dist
	$(BIN)/python -m hatchling build

clean:
	rm -rf $(VENV) site dist

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	@touch $@
