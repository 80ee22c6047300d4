#!/bin/sh
# Lints the built descriptor image with buf, and finds changes that break clients.
# Without Node it says so; with CI=true that is a failure.
set -eu
cd "$(dirname "$0")/.."
if ! command -v npm >/dev/null 2>&1; then
    echo "buf lint and buf breaking skipped: npm is not installed" >&2
    [ "${CI:-}" != true ]
    exit
fi
sh scripts/setup-node.sh
examples/node/node_modules/.bin/buf lint build/aval.binpb --config buf.yaml
.venv/bin/python scripts/contract_breaks.py
