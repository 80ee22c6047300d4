#!/bin/sh
# Makes .venv, installs what requirements.lock names, and builds the generated code.
# Safe to repeat; does and says nothing when nothing changed. PYTHON chooses the interpreter.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
begun=$(date +%s)

steps=0

elapsed() {
    echo "$(($(date +%s) - begun)) s"
}

# Says which step begins, and when.
step() {
    steps=$((steps + 1))
    echo "[$1/4] $2 ($(elapsed))"
}

# Reads what pip says, and says how many packages it has come to.
tell_packages() {
    reached=0
    while read -r first second _; do
        case "$first $second" in
            Collecting* | Processing* | Requirement* | Ignoring*)
                reached=$((reached + 1))
                [ $((reached % 10)) -ne 0 ] || echo "      $reached of $1 packages ($(elapsed))"
                ;;
            "Installing collected") echo "      unpacking ($(elapsed))" ;;
        esac
    done
}

# Runs pip with its progress told. Its errors go by as they are, and so does its exit status.
pip_install() {
    exec 4>&1
    status=$({
        {
            PYTHONUNBUFFERED=1 .venv/bin/pip install --disable-pip-version-check --progress-bar off "$@" 3>&- && code=0 ||
                code=$?
            echo "$code" >&3
        } | tell_packages "$packages" >&4
    } 3>&1)
    return "$status"
}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "Aval needs Python 3.11 or newer; $python is $("$python" --version). Set PYTHON to a newer one." >&2
    exit 1
}
if ! [ -x .venv/bin/python ]; then
    step 1 "Making .venv"
    "$python" -m venv .venv
fi
want=$(cat requirements.lock pyproject.toml scripts/setup.sh | sha256sum)
if [ "$(cat .venv/installed 2>/dev/null)" != "$want" ]; then
    packages=$(grep -c '^[A-Za-z0-9]' requirements.lock)
    step 2 "Installing $packages packages into .venv, once; a minute or two"
    if command -v uv >/dev/null 2>&1; then
        uv pip install --python .venv/bin/python --require-hashes -r requirements.lock
        step 3 "Installing Aval"
        uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation -e .
    else
        pip_install --require-hashes -r requirements.lock
        step 3 "Installing Aval"
        .venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
    fi
    printf '%s' "$want" > .venv/installed
fi
if ! .venv/bin/python scripts/generate.py --check; then
    step 4 "Building the code of the protos"
    .venv/bin/python scripts/generate.py
fi
[ "$steps" -eq 0 ] || echo "Ready after $(elapsed)"
