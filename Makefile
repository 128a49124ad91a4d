# What a developer types. `make` alone lists the words.

PYTHON ?= python3
PORT ?= 8000
ARGS ?=
JOBS ?= 3
SEED ?= 1
MINUTES ?= 10
STORE ?= redis
OUT ?=

PIP = .venv/bin/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help run test lint types format fuzz two-instances rolling parity faults torture torture-mutants screenshots frames dist clean chromium

help: ## this list
	@echo "make run PORT=8000 ARGS='--store memory:' starts the chat; all words:"; echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/.run ## start the chat on http://127.0.0.1:8000/chat/ (PORT=, ARGS=)
	@exec .venv/bin/chat-aiohttp --port $(PORT) $(ARGS)

test: lint types chromium ## lint, types, and every test with coverage: what CI runs
	@.venv/bin/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder --cov --cov-report=term

lint: .venv/.test ## style and common mistakes, nothing is changed
	@.venv/bin/ruff check --quiet .
	@.venv/bin/ruff format --check --quiet . || { echo "Not formatted: make format"; exit 1; }

types: .venv/.test ## the type checker, strict
	@.venv/bin/mypy

format: .venv/.test ## put the style right
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .

fuzz: .venv/.test ## hostile frames against a real server (FRAMES=1000000 SEED=1)
	@.venv/bin/python -m tests.fuzz --frames $(or $(FRAMES),1000000) --seed $(or $(SEED),1)

two-instances: .venv/.test ## 2 x 500 members, 10,000 messages over one Valkey: all of them, once, in one order
	@TWO_INSTANCES_MEMBERS=500 TWO_INSTANCES_MESSAGES=10000 .venv/bin/python -m pytest -q -s \
	  -o faulthandler_timeout=800 tests/integration/test_two_instances.py -k everyone

rolling: .venv/.test ## 4 instances restarted in turn, 3 times, under 200 clients: nothing lost, doubled or reordered
	@ROLLING_INSTANCES=4 ROLLING_CLIENTS=200 ROLLING_ROUNDS=3 .venv/bin/python -m pytest -q -s \
	  -o faulthandler_timeout=600 tests/integration/test_rolling_restart.py

parity: .venv/.test ## SQLite and Valkey do what the memory store does: 1,000 random conversations each, some minutes
	@PARITY_EXAMPLES=1000 .venv/bin/python -m pytest -q -o faulthandler_timeout=0 tests/store/test_parity.py

torture: .venv/.test ## faults under load for MINUTES= (10), from SEED= (1), on STORE= (redis, valkey, sqlite); a certificate
	@.venv/bin/python -m tests.torture --seed $(SEED) --minutes $(MINUTES) --store $(STORE) $(if $(OUT),--out $(OUT))

torture-mutants: .venv/.test ## servers broken on purpose: the torture run must convict every one
	@.venv/bin/python -m tests.torture.mutants

faults: .venv/.test ## servers and Redis killed 100 times; Redis cut off, trimmed, flushed, frozen, at full size: some 15 minutes
	@FAULTS_KILLS=100 FAULTS_PUBLISHES=10000 FAULTS_GAPS=1000 FAULTS_RESUMES=100000 FAULTS_FROZEN_S=30 \
	  .venv/bin/python -m pytest -q -s -o faulthandler_timeout=1500 tests/store/test_redis_proofs.py tests/integration/test_kill.py
	@FAULTS_KINDS=both .venv/bin/python -m pytest -q tests/store/test_redis_faults.py tests/store/test_redis_failover.py

screenshots: .venv/.test chromium ## draw docs/screenshots anew
	@.venv/bin/python -m tests.browser.screenshots

frames: .venv/.test chromium ## how soon a room is live, how late a key is answered in a busy one, how smoothly a long one scrolls
	@.venv/bin/python -m tests.browser.frames

dist: .venv/.test ## build the sdist and the wheel into dist/
	@rm -rf build dist *.egg-info
	@.venv/bin/python -m build --outdir dist .

clean: ## remove what the words above made
	rm -rf .venv build dist *.egg-info .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find chat_aiohttp tests -name __pycache__ -prune -exec rm -rf {} +

-include bench/bench.mk

# Stamps: what is installed stays until what it depends on changes, so that a second `make run` starts at once.

.venv/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; $(PYTHON) is not. Name one: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -m venv .venv
	@touch $@

.venv/.run: .venv/.python setup.cfg pyproject.toml
	@echo "Installing the server into .venv …"
	@$(PIP) install --editable .
	@touch $@

.venv/.test: .venv/.python setup.cfg pyproject.toml
	@echo "Installing the server and what its tests need into .venv …"
	@$(PIP) install --editable '.[test]'
	@touch $@ .venv/.run

# Debian's Chromium, and a font for the Chinese pages. Without it the browser tests are skipped, or fail where CI is set.
chromium:
	@[ -n "$$CHROMIUM" ] || command -v chromium >/dev/null || \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "Installing Chromium for the browser tests …"; \
	  apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends \
	    chromium fonts-noto-cjk fonts-noto-color-emoji >/dev/null || echo "Chromium could not be installed."; \
	else \
	  echo "No Chromium, so no browser tests: apt install chromium fonts-noto-cjk fonts-noto-color-emoji, or set CHROMIUM=/its/path"; \
	fi
