# shellcheck shell=bash
# Sourced by script/bench: how long /index takes through the whole mesh, and how long with one call after the other.
# shellcheck disable=SC2154 # the folder, the arguments and what runs come from script/bench

readonly state=/var/lib/grpc-fcgi-proxy
# Turns that both take, and requests of each in a turn: what else the machine does then falls on both.
readonly index_turns=5
readonly index_requests=100

measure_mesh() {
  local url turn now sequential
  start_mesh
  url=$(cat "$state/ready")
  # To warm up.
  times_now "$url" >/dev/null
  times_sequential >/dev/null
  for ((turn = 0; turn < index_turns; turn++)); do
    times_now "$url" >>"$folder/now"
    times_sequential >>"$folder/sequential"
  done
  stop_mesh
  now=$(median "$folder/now")
  sequential=$(median "$folder/sequential")
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

# times_now URL: of requests of the report, in seconds, on one connection; each must be answered.
times_now() {
  local times=$folder/times
  curl --silent --noproxy '*' --max-time 60 --output /dev/null --write-out '%{http_code} %{time_total}\n' \
    "$1?[1-$index_requests]" >"$times" || true
  ! grep -qv '^200 ' "$times" || die "/index was not answered: $(grep -v '^200 ' "$times" | head -n 1)"
  cut -d' ' -f2 "$times"
}

# The same calls, made one after the other in the place of frontend: the users, the orders, each order with its items.
# The way through ingress to frontend is left out, so the time is too short rather than too long.
times_sequential() {
  ip netns exec gfp-frontend-1 "${CARGO_TARGET_DIR:-$root/target}/release/bench" sequential 127.0.0.1:7070 \
    --reports "$index_requests" || die "one call after the other failed"
}

median() {
  sort -n "$1" | sed -n "$((index_turns * index_requests / 2))p"
}
