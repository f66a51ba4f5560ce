# shellcheck shell=bash
# Sourced by script/bench: measures how long the report takes through the whole mesh, and with its calls made one by one.
# shellcheck disable=SC2154 # scratch, arguments and target come from script/bench, mesh_state from mesh.sh

# In turns, so that other load on the machine affects both alike.
readonly index_turns=5
readonly index_requests=100

measure_mesh() {
  local url turn now sequential
  say "starting the mesh"
  start_mesh
  url=$(cat "$mesh_state/ready")
  # Warms up.
  times_now "$url" >/dev/null
  times_sequential >/dev/null
  for ((turn = 0; turn < index_turns; turn++)); do
    times_now "$url" >>"$scratch/now"
    times_sequential >>"$scratch/sequential"
  done
  stop_mesh
  now=$(median "$scratch/now")
  sequential=$(median "$scratch/sequential")
  say "/index: $now s; with its calls one by one: $sequential s"
  arguments+=(--index "$now" "$sequential")
}

# times_now URL: the times of requests for the report, in seconds, on one connection; fails if one is not answered.
times_now() {
  local times=$scratch/times
  curl --silent --noproxy '*' --max-time 60 --output /dev/null --write-out '%{http_code} %{time_total}\n' \
    "$1?[1-$index_requests]" >"$times" || true
  ! grep -qv '^200 ' "$times" || die "/index was not answered: $(grep -v '^200 ' "$times" | head -n 1)"
  cut -d' ' -f2 "$times"
}

# The same calls, made one by one from frontend's pod: the users, the orders, each order with its items. This skips the
# ingress and frontend, so it is too fast rather than too slow.
times_sequential() {
  ip netns exec gfp-frontend-1 "$target/release/bench" sequential 127.0.0.1:7070 \
    --reports "$index_requests" || die "the calls one by one failed"
}

median() {
  sort -n "$1" | sed -n "$((index_turns * index_requests / 2))p"
}
