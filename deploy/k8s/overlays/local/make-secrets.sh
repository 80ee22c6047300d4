#!/bin/sh
# Makes the development authority, the processes' certificates and the database's password in secrets/, once.
# The authority's own key stays there too: it goes into no Secret.
set -eu
cd "$(dirname "$0")"
[ -e secrets/database.env ] && exit
umask 077
../../../../.venv/bin/aval ca --folder secrets/made >/dev/null
mv secrets/made/certificates/* secrets/
rm -r secrets/made
password=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
printf 'password=%s\nurl=postgresql://aval:%s@postgresql:5432/aval\n' "$password" "$password" > secrets/database.env
