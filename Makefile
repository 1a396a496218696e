# SPDX-License-Identifier: Apache-2.0
# `make demo` and `make test` set up all they need in .venv; nothing outside this folder is changed, except that
# root (a container, CI) gets a missing compiler or python3-venv from apt.

DURATION ?= 20
DEMO_ARGS ?=
PYTEST_ARGS ?=
PYTHON ?=
BIN := .venv/bin
export PYTHON

.DEFAULT_GOAL := help
.PHONY: help setup-demo setup-test demo test lint types borders pytest clean

help:  ## say what can be made
	@grep -E '^[a-z-]+:.*  ## ' $(MAKEFILE_LIST) | sed -E 's/:.*  ## /\t/' | expand -t 14
	@echo 'PYTHON=python3.12 picks the interpreter; DURATION=0 lets the demo run on; PYTEST_ARGS="-k thermal" goes to pytest.'

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
	@scripts/with_ros.sh $(BIN)/python -m pytest --cov --cov-report=term $(PYTEST_ARGS)

clean:  ## remove .venv and everything built
	rm -rf .venv build dist *.egg-info ros2_ws/build ros2_ws/install ros2_ws/log .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage*
