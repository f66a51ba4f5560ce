# shellcheck shell=bash
# Sourced by script/test-pods: the tests of the pods.
# shellcheck disable=SC2154 # state comes from script/test-pods

# Prometheus scrapes every 10 s here, and a rate needs two scrapes.
readonly patience=90
load=()
requests=0

# The tests of the mesh that concern the manifests, too: they find the right certificates, configuration and targets in pods.
check_everything() {
  local test
  check_privileges
  eventually "the ingress returns the report" index
  for test in report::both_paths identity:: observability::one_request_is_one_trace; do
    test_mesh "$state" "$patience" "$test"
  done
  check_database_restart
  check_rolling_restart
  test_mesh "$state" "$patience" observability::the_four_queries
}

fetch() {
  curl --silent --show-error --fail --noproxy '*' --max-time 10 "$@"
}

check_privileges() {
  local container is
  for container in $(podman ps --format '{{.Names}}' | grep -v -- '-infra$'); do
    is=$(podman inspect --format '{{.HostConfig.ReadonlyRootfs}} {{.EffectiveCaps}} {{.HostConfig.Privileged}}' "$container")
    [ "$is" = "true [] false" ] || die "$container has a writable root file system, or a capability: $is"
  done
  say "ok: every container has a read-only root file system, and none has a capability"
}

# serves ADDRESS:PORT SERVICE: calls grpc.health.v1.Health/Check as the kubelet does; 08 01 is SERVING.
serves() {
  local service
  service=$(printf %s "$2" | xxd -plain -cols 0)
  printf '00%08x0a%02x%s' "$((${#2} + 2))" "${#2}" "$service" | xxd -revert -plain \
    | fetch --http2-prior-knowledge --header 'content-type: application/grpc' --header 'te: trailers' --data-binary @- \
      "http://$1/grpc.health.v1.Health/Check" | xxd -plain | grep -qx 00000000020801
}

# eventually CONDITION COMMAND...: waits until the command succeeds.
eventually() {
  local condition=$1 end=$((SECONDS + patience))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || die "$condition: not within $patience s"
    sleep 1
  done
  say "ok: $condition"
}

index() {
  fetch --output /dev/null "$(cat "$state/ready")" 2>/dev/null
}

# Four clients that send one request at a time, until stop_load.
start_load() {
  local client url
  url=$(cat "$state/ready")
  rm -f "$state"/load.*
  for client in 1 2 3 4; do
    start send_requests "$url" "$state/load.$client"
    load+=("$started")
  done
}

# send_requests URL FILE: appends the status of each response to the file.
send_requests() {
  while :; do
    curl --silent --output /dev/null --noproxy '*' --max-time 20 --write-out '%{http_code}\n' "$1" >>"$2" || true
    sleep 0.05
  done
}

stop_load() {
  local client
  for client in "${load[@]}"; do
    stop "$client" || true
  done
  load=()
}

# need_success WHAT: fails if a request of the load failed, or there were too few; $requests is their number.
need_success() {
  local failed
  requests=$(cat "$state"/load.* | wc -l)
  failed=$(cat "$state"/load.* | grep -cvx 200 || true)
  [ "$requests" -gt 20 ] || die "the load was too low: $requests requests"
  [ "$failed" -eq 0 ] || die "$failed of $requests requests failed $1: $(sort "$state"/load.* | uniq -c | paste -sd ';')"
}

# It breaks the connections that the programs keep: those of item's resident workers, too.
check_database_restart() {
  # As after a crash: its server ends all connections, and begins anew. (podman ends a pod whose only container restarts.)
  # shellcheck disable=SC2016 # for the shell in the container
  podman exec postgresql-1-postgresql bash -euc 'kill -QUIT "$(grep -l "^postgres: checkpointer" /proc/[0-9]*/cmdline | cut -d/ -f3)"'
  eventually "the ingress returns the report after a restart of PostgreSQL" index
  start_load
  sleep 3
  stop_load
  need_success "after a restart of PostgreSQL"
}

# As the Deployment does it: a second pod must be ready for minReadySeconds before the first one is terminated.
check_rolling_restart() {
  say "a rolling restart of item, under load"
  start_load
  play item 2
  make_ready item-2
  write_targets
  sleep "$(of item-2 .min_ready)"
  withdraw item-1
  terminate item-1
  write_targets
  # Calls to the pod that is gone would fail now.
  sleep 10
  stop_load
  need_success "during the rolling restart"
  say "ok: a rolling restart of item fails none of $requests requests"
}
