# The entry points. Each works from a fresh clone; `make setup` is part of all of them.
.PHONY: setup run test conformance check bench sim races volume months lock sbom clean

setup:
	@sh scripts/setup.sh

run: setup
	.venv/bin/aval up --demo

test: setup
	.venv/bin/python -m pytest

# What others published, tried against ours: vectors of day counts and rates, schemas, the rules of the contracts.
conformance: setup
	.venv/bin/python -m pytest tests/conformance

check: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	sh scripts/lint-protos.sh

bench: setup
	.venv/bin/aval bench all

sim: setup
	.venv/bin/aval simulate --seed 1 --steps 20000

# 64 institutions, one declaration, 100,000 attempts each way on both databases: about half an hour.
races: setup
	PYTHONPATH=.:build/gen .venv/bin/python -m tests.races

# 100,000 lists in one pool, on both databases: minutes.
volume: setup
	.venv/bin/python -m pytest -m volume --log-cli-level=INFO

# Two months of business dates on a running demo, each verified, on both databases: minutes.
months: setup
	.venv/bin/python -m pytest -m volume --log-cli-level=INFO tests/system/test_closing.py

# Renews requirements.lock from pyproject.toml; needs uv.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --extra dev --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-annotate --no-header \
	  pyproject.toml -o requirements.lock

# Writes the bill of materials of all locked packages, build/sbom.cdx.json (CycloneDX).
sbom: setup
	.venv/bin/python scripts/make_sbom.py

clean:
	rm -rf build .venv var
