# SPDX-License-Identifier: Apache-2.0
# `make demo` and `make test` set up all they need in .venv; nothing outside this folder is changed, except that
# root (a container, CI) gets a missing compiler or python3-venv from apt.

DURATION ?= 20
DEMO_ARGS ?=
PYTEST_ARGS ?=
PARITY_ARGS ?=
PARITY_PYTHON ?=
PYTHON ?=
BIN := .venv/bin
export PYTHON

.DEFAULT_GOAL := help
.PHONY: help setup-demo setup-test demo test parity lint types borders pytest clean

help:  ## say what can be made
	@grep -E '^[a-z-]+:.*  ## ' $(MAKEFILE_LIST) | sed -E 's/:.*  ## /\t/' | expand -t 14
	@echo 'PYTHON=python3.12 picks the interpreter; DURATION=0 lets the demo run on; PYTEST_ARGS="-k thermal" goes to pytest.'
	@echo 'PARITY_ARGS="--set full-depth", "--only image", "--store"; PARITY_PYTHON=python3.11, its reference runs on 3.10 and 3.11.'

demo: setup-demo  ## node and replayed sensors on the embedded bundle, labels live in the terminal (DURATION=20 seconds)
	@scripts/demo.sh $(BIN)/python --duration $(DURATION) $(DEMO_ARGS)

test: lint types borders pytest  ## lint, types, borders, all tests with coverage

setup-demo:
	@python=$$(scripts/find_python.sh) && scripts/system_packages.sh "$$python" && "$$python" scripts/setup_env.py demo

setup-test:
	@python=$$(scripts/find_python.sh) && scripts/system_packages.sh "$$python" && "$$python" scripts/setup_env.py test

lint: setup-test
	@echo '==> ruff'
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: setup-test
	@echo '==> mypy --strict'
	@$(BIN)/mypy

borders: setup-test
	@echo '==> lint-imports'
	@$(BIN)/lint-imports

pytest: setup-test
	@echo '==> pytest'
	@OMP_NUM_THREADS=1 scripts/with_ros.sh $(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 --dist loadfile \
		--cov --cov-report=term $(PYTEST_ARGS)

parity: setup-test  ## LanguageBind's encoders and preprocessing against the reference implementation (PyPI's, 5 GB)
	@python=$$(PYTHON='$(PARITY_PYTHON)' ROS_DISTRO= scripts/find_python.sh 11) && "$$python" scripts/setup_parity.py
	@$(BIN)/python tests/parity/compare.py $(PARITY_ARGS)

clean:  ## remove .venv and everything built
	rm -rf .venv .venv-parity build dist *.egg-info ros2_ws/build ros2_ws/install ros2_ws/log .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage*
