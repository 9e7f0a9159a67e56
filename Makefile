# Two commands do everything: `make demo` and `make test`. They need Python 3.11 or newer, and nothing else.
PYTHON ?= python3
PY := .venv/bin/python

.PHONY: help demo test attacks lint fix coverage mutants release lock lock-run install sbom clean

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/ready models/weights/ready ## set up, and run the main job on sample media
	$(PY) -m examples.demo $(if $(WATCH),--watch)

test: .venv/ready models/weights/ready lint ## set up, and pass linters, types, contracts and tests
	$(PY) -m pytest -n 3 --dist loadfile

# Kills, full disks, hostile files, leaks and restores, on whole installations: some minutes more.
attacks: .venv/ready models/weights/ready ## kills, full disks, hostile files, leaks and restores
	$(PY) -m pytest -n 3 --dist loadfile -m attack

coverage: .venv/ready models/weights/ready ## which lines the tests reach (in this process)
	$(PY) -m coverage run -m pytest -n 0
	$(PY) -m coverage report --skip-covered --skip-empty

mutants: .venv/ready models/weights/ready ## change what decides in 300 places; which changes do unit tests notice?
	$(PY) -m bench.mutants --count 300 --seed 1

fix: .venv/ready ## format, and mend what can be mended by itself
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

lint: .venv/ready ## ruff, mypy, import-linter
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

# Every package is pinned with its hashes in requirements.lock; pip refuses anything else. The project's own modules are
# compiled as well: where bytecode may not be written, every command and every reader of media would do so at its start.
.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.12 ..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(PY) -m compileall -q models consent_sync pipeline
	@touch $@

models/weights/ready: .venv/ready models/downloads/weights.toml models/downloads/known.toml pipeline/console/assets.toml
	.venv/bin/beeldwacht models fetch
	@touch $@

release: .venv/ready models/weights/ready sbom ## the wheel, its SBOM and their hashes in dist/
	rm -rf dist
	$(PY) -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	cp sbom.cdx.json dist/
	cd dist && sha256sum * > SHA256SUMS

# For developers: resolve the dependencies again and pin what comes out.
lock: ## resolve the dependencies anew
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --output-file requirements.lock --upgrade
	$(MAKE) lock-run

# What a school installs: the same versions and hashes without the tools of developers.
lock-run:
	uv pip compile pyproject.toml --extra postgres --extra install --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --constraint requirements.lock --output-file requirements-run.lock

# An installation without the tools of developers, as deploy/ and docs/operator/operation.md use it.
install: ## without the tools of developers, as deploy/ uses it
	$(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-run.lock
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(PY) -m compileall -q models consent_sync pipeline
	.venv/bin/beeldwacht models fetch

# What is installed, as CycloneDX: packages, weights, and the libraries inside packages.
sbom: .venv/ready models/weights/ready ## what is installed, as CycloneDX
	$(PY) -m bench.supply sbom sbom.cdx.json

clean: ## remove what was made
	rm -rf .venv models/weights demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
