# shellcheck shell=bash
# Sourced by script/test: starts a PostgreSQL server in a temporary folder.

postgresql_folder=
postgresql_port=

# start_postgresql: on 127.0.0.1:$postgresql_port, with the superuser postgres, until the exit.
start_postgresql() {
  local bin
  postgresql_port=$(free_port 54320)
  bin=$(find /usr/lib/postgresql -maxdepth 2 -name bin | sort -V | tail -n 1)
  new_folder postgresql_folder
  chmod 755 "$postgresql_folder"
  as_postgres_owns "$postgresql_folder"
  as_postgres "$bin/initdb" --pgdata "$postgresql_folder/data" --username postgres --auth trust --no-sync \
    --no-instructions >"$postgresql_folder/initdb.log" 2>&1 || die "initdb failed: $(tail -n 5 "$postgresql_folder/initdb.log")"
  as_postgres "$bin/pg_ctl" --pgdata "$postgresql_folder/data" --log "$postgresql_folder/data/log" --wait --silent \
    --options "-c listen_addresses=127.0.0.1 -c port=$postgresql_port -c unix_socket_directories= -c fsync=off -c max_connections=200" start \
    || die "PostgreSQL did not start: $(tail -n 5 "$postgresql_folder/data/log")"
  at_exit as_postgres "$bin/pg_ctl" --pgdata "$postgresql_folder/data" --mode immediate --silent stop
}

# PostgreSQL refuses to run as root.
as_postgres() {
  if [ "$(id -u)" -eq 0 ]; then
    (cd / && setpriv --reuid postgres --regid postgres --clear-groups "$@")
  else
    "$@"
  fi
}

as_postgres_owns() {
  [ "$(id -u)" -ne 0 ] || chown postgres: "$1"
}
