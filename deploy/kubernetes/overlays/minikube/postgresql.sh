#!/bin/bash
# Starts PostgreSQL with these arguments. The first time, creates a role and a database for user, order and item, each with that name.
set -euo pipefail

# Creates everything or nothing: after an interrupted start it begins again.
if [ ! -e "$PGDATA/PG_VERSION" ]; then
  fresh=$PGDATA.new
  rm -rf "$fresh"
  initdb --pgdata "$fresh" --username postgres --encoding UTF8 --auth-local peer --auth-host scram-sha-256
  echo "host all all all scram-sha-256" >>"$fresh/pg_hba.conf"
  for app in user order item; do
    password=${app^^}_PASSWORD
    printf 'CREATE ROLE "%s" LOGIN PASSWORD '\''%s'\'';\n' "$app" "${!password}"
    printf 'CREATE DATABASE "%s" OWNER "%s";\n' "$app" "$app"
    printf 'REVOKE ALL ON DATABASE "%s" FROM PUBLIC;\n' "$app"
  done | postgres --single -D "$fresh" postgres >/dev/null
  mv "$fresh" "$PGDATA"
fi

exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/tmp "$@"
