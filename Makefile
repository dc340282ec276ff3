# What a user needs: `make demo`, `make test`. Everything is installed into .venv, from a lock with hashes.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: install bytecode encoder demo test check bench lock browser clean

install: $(STAMP)

$(STAMP): requirements-dev.lock requirements-tools.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name one with make PYTHON=python3.12"; exit 1; }
	@test -x $(RUN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) …"
	@$(RUN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-tools.lock
	@$(RUN)/uv pip sync -q --compile-bytecode --require-hashes --python $(RUN)/python requirements-tools.lock requirements-dev.lock \
	  || $(RUN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(RUN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# Some machines tell Python to write no bytecode; there every process would compile all that it imports, each time anew.
bytecode: install
	@$(RUN)/python -m compileall -q services shared deploy tests

encoder: install ## for `fengqiao classify … --encoder`: PyTorch, and the pretrained encoder
	@$(RUN)/uv pip install -q --require-hashes --python $(RUN)/python -r requirements-encoder.lock
	@$(RUN)/fengqiao classify encoder

demo: bytecode ## a living district: Kafka, MongoDB, four services, warnings in the terminal, the console's address
	@$(RUN)/fengqiao demo

# What needs a broker or a browser waits most of the time, so the rest runs beside it; its report comes at the end.
test: bytecode browser ## the whole suite against a real Kafka and a real MongoDB
	@$(RUN)/python -m pytest -p no:cacheprovider tests/unit tests/contract >.pytest-beside.log 2>&1 & beside=$$!; trap "kill $$beside" INT TERM; \
	$(RUN)/python -m pytest tests/e2e tests/integration tests/store; first=$$?; \
	wait $$beside; second=$$?; cat .pytest-beside.log; exit $$((first || second))

check: install ## lint, types, import rules
	@$(RUN)/ruff check .
	@$(RUN)/ruff format --check .
	@$(RUN)/mypy
	@$(RUN)/lint-imports

bench: bytecode ## every benchmark that needs no browser, with tables and JSON in bench-results/
	@mkdir -p bench-results
	@for name in consumer pipeline linking backtest stream chaos; do $(RUN)/fengqiao bench $$name --json bench-results/$$name.json || exit 1; done

browser: install ## a Chromium for the browser tests, if the machine lets us have one
	@$(RUN)/python -m tests.support.chromium

lock: ## pin everything anew
	@$(RUN)/uv pip compile -q pyproject.toml --generate-hashes --no-annotate --no-header --python-version 3.11 -o requirements.lock
	@$(RUN)/uv pip compile -q pyproject.toml --extra local --group dev -c requirements.lock --generate-hashes --no-annotate --no-header --python-version 3.11 -o requirements-dev.lock
	@$(RUN)/uv pip compile -q pyproject.toml --extra encoder -c requirements-dev.lock --generate-hashes --no-annotate --no-header --python-version 3.11 -o requirements-encoder.lock
	@printf 'uv\nhatchling\neditables\npip\n' | $(RUN)/uv pip compile -q - -c requirements-dev.lock --generate-hashes --no-annotate --no-header --python-version 3.11 -o requirements-tools.lock

clean: ## remove what install, demo and test made here
	@rm -rf $(VENV) .fengqiao bench-results .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .pytest-beside.log
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
