# Two commands do it all on a fresh machine: `make run` (the main job on embedded data) and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
EXTRAS ?= .venv-extras
SITE ?= .venv-site
# Three on two cores: many tests wait for the processes that they start.
WORKERS ?= 3
QUICK_WORKERS ?= 2
# Where this is set, as in many containers, each of the hundreds of processes of a test run would compile hpo anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run check test test-slow test-hydra test-extras lint reliability perf site release-check clean

$(VENV)/.installed: pyproject.toml sweeper/pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[torch,dev]' --editable ./sweeper
	touch $@

run: $(VENV)/.installed ## ASHA on an MLP for scikit-learn's digits, two workers on the CPU
	$(BIN)/python -m hpo benchmark=mlp_digits method=ASHA experiment_tag=quickstart max_num_trials=40

check: lint ## what to run meanwhile: lint, types, and the tests that start no process and take no seconds
	$(BIN)/python -m pytest -n $(QUICK_WORKERS) --quick

test: $(VENV)/.installed ## the suite, a bounded share of the reliability tests included
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m "not slow"

test-slow: $(VENV)/.installed ## what the suite leaves out: variations of one thing, long scenarios of SageMaker, Slurm and Ray
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m slow

test-hydra: $(VENV)/.installed ## configuration, command line and sweeper with the next Hydra, on this Python and the newest; COLUMNS="same --all"
	$(BIN)/python -m release.hydra_matrix --workers $(QUICK_WORKERS) $(COLUMNS)

$(EXTRAS)/.installed: pyproject.toml
	test -x $(EXTRAS)/bin/python || $(PYTHON) -m venv $(EXTRAS)
	$(EXTRAS)/bin/python -m pip install --quiet --editable '.[test-extras]'
	touch $@

test-extras: $(EXTRAS)/.installed ## what the suite skips: training libraries, trackers and the SDK of SageMaker, in an environment of their own
	HPO_TEST_EXTRAS=1 $(EXTRAS)/bin/python -m pytest -n $(WORKERS) tests/integrations tests/trackers \
		tests/training_scripts/test_recorded_scripts.py \
		tests/sagemaker/test_request.py::test_images_are_those_of_the_sdk

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

reliability: $(VENV)/.installed ## every scenario as often as docs/how-it-is-measured.md says
	HPO_RELIABILITY_RUNS=20 $(BIN)/python -m pytest tests/reliability

perf: $(VENV)/.installed ## the figures of docs/how-it-is-measured.md
	$(BIN)/python perf/overhead.py
	$(BIN)/python perf/overhead.py --torch --methods ASHA
	$(BIN)/python perf/latency.py
	$(BIN)/python perf/idle.py
	$(BIN)/python perf/scale.py
	$(BIN)/python perf/startup.py
	$(BIN)/python perf/command_line.py
	$(BIN)/python perf/sweeper.py
	$(BIN)/python perf/sweep.py
	$(BIN)/python perf/own_script.py
	$(BIN)/python perf/function.py
	$(BIN)/python perf/simulation.py
	$(BIN)/python perf/watch.py
	$(BIN)/python -m perf.serve
	$(BIN)/python -m perf.serve_soak
	$(BIN)/python -m perf.steering
	$(BIN)/python -m perf.sagemaker_trials
	$(BIN)/python -m perf.slurm_trials
	OMP_NUM_THREADS=1 $(BIN)/python perf/simulated_against_real.py
	$(BIN)/python perf/known_order.py
	$(BIN)/python perf/suggestion.py
	$(BIN)/python perf/deciding.py
	$(BIN)/python perf/model_search.py
	$(BIN)/python perf/smooth.py
	$(BIN)/python -m perf.report

$(SITE)/.installed: pyproject.toml
	test -x $(SITE)/bin/python || $(PYTHON) -m venv $(SITE)
	$(SITE)/bin/python -m pip install --quiet --editable '.[site]'
	touch $@

site: $(SITE)/.installed ## the documentation as build/site/index.html; what does not fit together is an error
	$(SITE)/bin/python -m release.pages
	$(SITE)/bin/zensical build --clean --strict

release-check: ## of what is committed: packages, environments without the clone, every Python that is here, both builders of the site
	$(PYTHON) -m release.check

clean:
	rm -rf $(VENV) $(EXTRAS) $(SITE) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
