# Two commands: `make report` and `make test`. Both set up what they need on a fresh machine.
PRESET ?= digits
CORES ?= all
OPTIONS ?=
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help report test lint format lock clean

help:  ## say what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-8s %s\n", $$1, $$2}'

report: $(VENV)/run.stamp  ## run PRESET (digits unless named) and render its report
	@$(BIN)/snakemake --cores $(CORES) --config preset=$(PRESET) $(OPTIONS)
	@$(BIN)/python scripts/where.py --preset $(PRESET)

test: $(VENV)/dev.stamp  ## run all tests
	@$(BIN)/python -m pytest -n auto $(OPTIONS)

lint: $(VENV)/dev.stamp  ## check style and workflow
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

format: $(VENV)/dev.stamp  ## put code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

lock:  ## resolve envs/*.in anew into the hash-locked envs/*.txt (needs uv)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	    --no-emit-index-url --upgrade envs/requirements.in -o envs/requirements.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	    --no-emit-index-url -c envs/requirements.txt envs/dev.in -o envs/dev.txt

clean:  ## remove the environment; results stay
	rm -rf $(VENV)

$(VENV)/run.stamp: envs/requirements.txt
	@sh envs/install.sh $(VENV) envs/requirements.txt
	@touch $@

$(VENV)/dev.stamp: envs/dev.txt
	@sh envs/install.sh $(VENV) envs/dev.txt
	@touch $@ $(VENV)/run.stamp
