# shellcheck shell=bash
# Sourced by script/run: where user, order and item keep their data. With --postgresql in a PostgreSQL, in a pod of its own that
# runs what the overlay minikube runs, else in a file each.
# shellcheck disable=SC2034,SC2154 # the folders, subnet, prefix and postgresql come from script/run and its other parts, which use
# address_of and database_pods

# shellcheck source-path=SCRIPTDIR source-path=SCRIPTDIR/lib source=databases.sh
source "$root/script/lib/databases.sh"

readonly postgresql_address=$subnet.4
# Enough for nine pods of each app.
readonly postgresql_connections=500
database_pods=()
declare -A password_of=()

# Before the pods, whose environment contains the passwords.
plan_postgresql() {
  database_pods=(postgresql)
  address_of[postgresql]=$postgresql_address
  printf 'postgresql\tpostgresql\t%s\t%s\n' "${prefix}postgresql" "$postgresql_address" >>"$state/pods.tsv"
  need_passwords
}

# The roles of a database that is kept have the passwords of its first run. The programs' user can replace files in the folder
# of the databases, so what is in the file is only read.
need_passwords() {
  local app password kept=$data/postgresql.passwords
  if [ ! -e "$data/postgresql" ]; then
    for app in "${database_apps[@]}"; do
      echo "$app $(openssl rand -hex 16)"
    done | write_secret "$kept"
  fi
  while read -r app password; do
    [[ $app =~ ^(user|order|item)$ && $password =~ ^[0-9a-f]{32}$ ]] || die "$kept has a line that is not an app and its password"
    password_of[$app]=$password
  done <"$kept"
  [ "${#password_of[@]}" -eq "${#database_apps[@]}" ] \
    || die "$kept lacks passwords of ${database_apps[*]}; without them the databases in $data/postgresql cannot be used"
}

make_postgresql() {
  local app home=$state/pods/postgresql
  install -d -m 755 "$home" "$home/etc"
  # Its programs want a name for their user, whom the machine does not know.
  echo "postgres:x:$pod_user:$pod_user::/:/usr/sbin/nologin" >"$home/etc/passwd"
  ln -sfn "$home/etc" "/etc/netns/${prefix}postgresql"
  add_namespace postgresql "$postgresql_address"
  install -m 644 "$root/deploy/kubernetes/overlays/minikube/postgresql.sh" "$home/start.sh"
  {
    printf '%s\n' "PGDATA=$data/postgresql" "PATH=$postgresql:/usr/bin:/bin"
    for app in "${database_apps[@]}"; do
      echo "${app^^}_PASSWORD=${password_of[$app]}"
    done
  } | write_environment postgresql postgresql
  write_start postgresql postgresql "${prefix}postgresql" bash "$home/start.sh" \
    -c "max_connections=$postgresql_connections" -c unix_socket_directories=
}

start_postgresql() {
  say "starting postgresql"
  start_programs postgresql
  wait_until postgresql "it does not accept connections" postgresql_is_ready
}

# A port that accepts connections may belong to a server that still recovers.
postgresql_is_ready() {
  grep -qF 'database system is ready to accept connections' "$state/pods/postgresql/postgresql.log" 2>/dev/null
}

# The first process that postgresql.start has started: its children end in the order that it decides.
postgresql_server() {
  local pid
  pid=$(cat "$state/pods/postgresql/postgresql.pid" 2>/dev/null) || return 0
  ip netns pids "${prefix}postgresql" 2>/dev/null | grep -x "$pid" || true
}

# database_environment APP: prints what the app's program needs of it, a variable in each line.
database_environment() {
  local app=$1 password=${password_of[$1]:-}
  if [ "$app" != item ]; then
    echo "${app^^}_DATABASE_URL=$([ -n "$password" ] && database_url "$app" "$password" || echo "sqlite:$data/$app.sqlite")"
  elif [ -n "$password" ]; then
    printf '%s\n' "ITEM_DSN=$(database_dsn item)" ITEM_DB_USER=item "ITEM_DB_PASSWORD=$password"
  else
    printf '%s\n' "ITEM_DSN=sqlite:$data/item.sqlite" ITEM_DB_USER= ITEM_DB_PASSWORD=
  fi
}
