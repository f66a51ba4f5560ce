# shellcheck shell=bash
# Sourced by script/bench: how long /index takes through the whole mesh, and how long with one call after the other.
# shellcheck disable=SC2154 # the folder, the arguments and what runs come from script/bench

readonly state=/var/lib/grpc-fcgi-proxy
# Requests of each median.
readonly index_requests=300

# The services ask for several things at once; with --concurrency 1 they do not.
measure_mesh() {
  local url now sequential
  start_mesh
  url=$(cat "$state/ready")
  now=$(median_time "$url")
  start_sequential frontend
  start_sequential order
  sequential=$(median_time "$url")
  stop_mesh
  say "/index: $now s, and $sequential s with one call after the other"
  arguments+=(--index "$now" "$sequential")
}

start_mesh() {
  local log=$folder/mesh.log
  say "starting the mesh"
  # One that was killed has left it behind.
  rm -f "$state/ready"
  script/run --port 18080 >"$log" 2>&1 &
  running=("$!")
  until [ -e "$state/ready" ]; do
    kill -0 "$!" 2>/dev/null || die "script/run did not get ready: $(tail -n 20 "$log")"
    sleep 0.5
  done
}

stop_mesh() {
  kill -TERM "${running[0]}"
  wait "${running[0]}" || die "script/run did not end well"
  running=()
}

# start_sequential APP: ends its program, and starts it with one call at a time.
start_sequential() {
  local home=$state/pods/$1-1 start=$folder/$1.start last
  last=$(cat "$home/$1.pid")
  sed '$ s/$/ --concurrency 1/' "$home/$1.start" >"$start"
  chmod 755 "$start"
  kill -TERM "$last"
  while kill -0 "$last" 2>/dev/null; do
    sleep 0.1
  done
  setsid --fork "$start"
}

# median_time URL: in seconds, on one connection, after as many requests to warm up; each must be answered.
median_time() {
  local times=$folder/times
  until curl --silent --fail --noproxy '*' --output /dev/null "$1"; do
    sleep 0.2
  done
  requests "$1" >/dev/null
  requests "$1" >"$times"
  ! grep -qv '^200 ' "$times" || die "/index was not answered: $(grep -v '^200 ' "$times" | head -n 1)"
  cut -d' ' -f2 "$times" | sort -n | sed -n "$((index_requests / 2))p"
}

requests() {
  curl --silent --noproxy '*' --max-time 60 --output /dev/null --write-out '%{http_code} %{time_total}\n' "$1?[1-$index_requests]"
}
