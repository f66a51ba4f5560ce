# shellcheck shell=bash
# Sourced after setup.sh: starts and stops script/run, and runs the tests of the mesh.
# shellcheck disable=SC2154 # root comes from setup.sh

# script/run keeps its files there.
readonly mesh_state=/var/lib/grpc-fcgi-proxy
mesh=
mesh_log=
# What runs the tests, if they do not run in this script's own namespaces.
mesh_enter=()

# start_mesh [FLAG]...: runs in the background until stop_mesh, or until the exit. $mesh is its process id.
start_mesh() {
  local folder
  new_folder folder
  mesh_log=$folder/script-run.log
  start "$root/script/run" --port "$(free_port 18080)" "$@" >"$mesh_log" 2>&1
  mesh=$started
  await "$mesh" "$mesh_log" mesh_is_ready
}

# That of another script/run is not meant, which refuses this one.
mesh_is_ready() {
  [ "$(cat "$mesh_state/run.pid")" = "$mesh" ] && [ -e "$mesh_state/ready" ]
}

# stop_mesh: fails if anything is left of it.
stop_mesh() {
  stop "$mesh" || die "script/run failed when it was stopped: $(tail -n 20 "$mesh_log")"
  [ -z "$(ip netns list | grep '^gfp-' || true)" ] || die "script/run left network namespaces behind"
}

# request_until_refused URL: prints the status of each response and curl's, until the port is closed.
request_until_refused() {
  local status=0
  until [ "$status" -eq 7 ]; do
    status=0
    curl --silent --output /dev/null --noproxy '*' --max-time 20 --write-out '%{http_code} ' "$1" || status=$?
    echo "$status"
  done
}

# stop_mesh_under_load: fails if a request that was running failed. A connection that nothing had accepted yet may be reset
# (curl's status 56).
stop_mesh_under_load() {
  local caller callers=() url folder
  new_folder folder
  url=$(cat "$mesh_state/ready")
  for caller in 1 2 3 4 5 6; do
    start request_until_refused "$url" >"$folder/$caller"
    callers+=("$started")
  done
  until [ "$(cat "$folder"/* | wc -l)" -ge 30 ]; do
    sleep 0.1
  done
  stop_mesh
  for caller in "${callers[@]}"; do
    wait "$caller"
    not_at_exit stop "$caller"
  done
  ! grep -hvxE '200 0|000 (7|56)' "$folder"/* >&2 || die "script/run failed requests when it was stopped"
}

# test_mesh STATE PATIENCE FILTER...: runs the tests in deploy/tests/mesh that match the filter, in the pods that the folder
# STATE describes (see script/run). PATIENCE is the time, in seconds, that a test waits for a condition. The tests are built as
# the caller and run as root, one by one, since some end programs that others need.
test_mesh() {
  local test
  test=$(as_caller cargo test --locked --workspace --test mesh --no-run --message-format json --quiet \
    | jq --raw-output 'select(.executable != null and .target.name == "mesh") | .executable')
  need_matches "$test" "${@:3}"
  MESH_STATE=$1 MESH_PATIENCE=$2 "${mesh_enter[@]}" "$test" --ignored --test-threads 1 "${@:3}"
}

# need_matches TEST FILTER...: each filter matches a test, as does the name after each --skip. libtest succeeds if none does.
need_matches() {
  local filter
  for filter in "${@:2}"; do
    [ "$filter" != --skip ] || continue
    "$1" --list --ignored "$filter" | grep ': test$' >/dev/null || die "no test of the mesh matches $filter"
  done
}
