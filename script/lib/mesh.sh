# shellcheck shell=bash
# Sourced after setup.sh: starts and stops script/run, and runs the tests of the mesh.
# shellcheck disable=SC2154 # root comes from setup.sh

# script/run keeps its files there.
readonly mesh_state=/var/lib/grpc-fcgi-proxy
mesh=
mesh_log=

# start_mesh [FLAG]...: runs in the background until stop_mesh, or until the exit. $mesh is its process id.
start_mesh() {
  local folder
  new_folder folder
  mesh_log=$folder/script-run.log
  # A run that was killed leaves it behind.
  rm -f "$mesh_state/ready"
  start "$root/script/run" --port "$(free_port 18080)" "$@" >"$mesh_log" 2>&1
  mesh=$started
  await "$mesh" "$mesh_log" test -e "$mesh_state/ready"
}

# stop_mesh: fails if anything is left of it.
stop_mesh() {
  stop "$mesh" || die "script/run failed when it was stopped: $(tail -n 20 "$mesh_log")"
  [ -z "$(ip netns list | grep '^gfp-' || true)" ] || die "script/run left network namespaces behind"
}

# test_mesh STATE PATIENCE FILTER...: runs the tests in deploy/tests/mesh that match the filter, in the pods that the folder
# STATE describes (see script/run). PATIENCE is the time, in seconds, that a test waits for a condition. The tests are built as
# the caller and run as root, one by one, since some end programs that others need.
test_mesh() {
  local test
  test=$(as_caller cargo test --locked --workspace --test mesh --no-run --message-format json --quiet \
    | jq --raw-output 'select(.executable != null and .target.name == "mesh") | .executable')
  # libtest succeeds if no test matches.
  "$test" --list --ignored "${@:3}" | grep ': test$' >/dev/null || die "no test of the mesh matches ${*:3}"
  MESH_STATE=$1 MESH_PATIENCE=$2 "$test" --ignored --test-threads 1 "${@:3}"
}
