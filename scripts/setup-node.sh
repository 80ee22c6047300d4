#!/bin/sh
# Installs the Node example's packages, which also bring the proto linter; does nothing when they are there.
set -eu
cd "$(dirname "$0")/../examples/node"
[ node_modules/.installed -nt package.json ] && exit
npm install --no-package-lock --no-audit --no-fund --loglevel=error >/dev/null
touch node_modules/.installed
