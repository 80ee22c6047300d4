#!/bin/sh
# Makes .venv, installs what requirements.lock names, and builds the generated code.
# Safe to repeat; does nothing when nothing changed. PYTHON chooses the interpreter.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "Aval needs Python 3.11 or newer; $python is $("$python" --version). Set PYTHON to a newer one." >&2
    exit 1
}
[ -x .venv/bin/python ] || "$python" -m venv .venv
want=$(cat requirements.lock pyproject.toml scripts/setup.sh | sha256sum)
if [ "$(cat .venv/installed 2>/dev/null)" != "$want" ]; then
    echo "Installing into .venv (once; a minute or two)"
    if command -v uv >/dev/null 2>&1; then
        uv pip install --quiet --python .venv/bin/python --require-hashes -r requirements.lock
        uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation -e .
    else
        .venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
        .venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
    fi
    printf '%s' "$want" > .venv/installed
fi
.venv/bin/python scripts/generate.py
