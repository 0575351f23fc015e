# Two commands: `make report` and `make test`. Both set up what they need on a fresh machine.
PRESET ?= digits
CORES ?= all
OPTIONS ?=
BENCH ?=
BUNDLE ?= results/$(PRESET)/bundle.zip
TO ?= tensorboard
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help report bundle audit compare export plan verify status test test-slurm bench lint format lock clean

help:  ## say what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-11s %s\n", $$1, $$2}'

report: $(VENV)/run.stamp  ## run PRESET (digits unless named) and render its report
	@$(BIN)/snakemake --cores $(CORES) --config preset=$(PRESET) $(OPTIONS)
	@$(BIN)/python scripts/where.py --preset $(PRESET)

plan: $(VENV)/run.stamp  ## say what a run of PRESET would train, why, and for how long
	@$(BIN)/python scripts/plan.py --preset $(PRESET) $(OPTIONS)

verify: $(VENV)/run.stamp  ## compare the results of PRESET with its specification, code and data
	@$(BIN)/python scripts/verify.py --preset $(PRESET) $(OPTIONS)

status: $(VENV)/run.stamp  ## say where every cell of PRESET stands, also while it runs
	@$(BIN)/python scripts/status.py --preset $(PRESET) $(OPTIONS)

bundle: $(VENV)/run.stamp  ## run PRESET and pack report, numbers and provenance: bundle.zip
	@$(BIN)/snakemake --cores $(CORES) --config preset=$(PRESET) $(OPTIONS) -- bundle
	@echo "Bundle: results/$(PRESET)/bundle.zip"

audit: $(VENV)/run.stamp  ## check BUNDLE: checksums, and all that its raw curves determine
	@$(BIN)/python scripts/audit.py $(BUNDLE) $(OPTIONS)

compare: $(VENV)/run.stamp  ## say in what the runs A and B, bundles or results folders, differ
	@$(BIN)/python scripts/compare.py $(A) $(B) $(OPTIONS)

export: $(VENV)/run.stamp  ## write the learning curves of PRESET for TO: tensorboard or mlflow
	@$(BIN)/python scripts/export.py --preset $(PRESET) --to $(TO) $(OPTIONS)

test: $(VENV)/dev.stamp  ## run all tests but the cluster's
	@$(BIN)/python -m pytest -n auto --dist loadscope $(OPTIONS)

test-slurm: $(VENV)/dev.stamp  ## run the workflow on a real SLURM of one node (needs root)
	@$(BIN)/python -m pytest -rs tests/cluster $(OPTIONS)

bench: $(VENV)/dev.stamp  ## run the benchmarks, or BENCH=scale alone; they print tables, assert nothing
	@$(BIN)/python tests/benchmarks/run.py $(BENCH) $(if $(OPTIONS),-- $(OPTIONS))

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
