# shellcheck shell=bash
# Sourced by script/test-pods: what has to be so in the pods.
# shellcheck disable=SC2154 # state and root come from script/test-pods

load=()

check_everything() {
  check_privileges
  check_report
  check_identity
  check_trace
  check_rolling_restart
  check_queries
}

fetch() {
  curl --silent --show-error --fail --noproxy '*' --max-time 10 "$@"
}

check_privileges() {
  local container is
  for container in $(podman ps --format '{{.Names}}' | grep -v -- '-infra$'); do
    is=$(podman inspect --format '{{.HostConfig.ReadonlyRootfs}} {{.EffectiveCaps}} {{.HostConfig.Privileged}}' "$container")
    [ "$is" = "true [] false" ] || die "$container has a root that it can write to, or a capability: $is"
  done
  say "ok: no container can write to its root, and none has a capability"
}

# serves ADDRESS:PORT SERVICE: what the kubelet asks by grpc.health.v1.Health/Check: 08 01 is SERVING.
serves() {
  local service
  service=$(printf %s "$2" | xxd -plain -cols 0)
  printf '00%08x0a%02x%s' "$((${#2} + 2))" "${#2}" "$service" | xxd -revert -plain \
    | fetch --http2-prior-knowledge --header 'content-type: application/grpc' --header 'te: trailers' --data-binary @- \
      "http://$1/grpc.health.v1.Health/Check" | xxd -plain | grep -qx 00000000020801
}

# eventually WHAT COMMAND...
eventually() {
  local what=$1 end=$((SECONDS + 90))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || die "$what: not within 90 s"
    sleep 1
  done
  say "ok: $what"
}

index() {
  fetch "http://$(address ingress-1):8080/index" "$@"
}

is_expected() {
  diff <(jq -S . "$root/deploy/tests/mesh/report.json") <(index 2>/dev/null | jq -S .) >"$state/difference"
}

check_report() {
  eventually "the ingress gives the report that the sample data must give" is_expected
}

# calls CALLER CALLEE: whether the callee's Envoy lets the caller's certificate in.
calls() {
  local certificate=()
  [ "$1" = nobody ] || certificate=(--cert "$state/certs/$1/tls.crt" --key "$state/certs/$1/tls.key")
  fetch "${certificate[@]}" --cacert "$state/certs/ca/ca.crt" --resolve "$2:8080:$(address "$2-1")" "https://$2:8080/healthz" \
    >/dev/null 2>&1
}

check_identity() {
  local caller callee let_in permitted=" ingress-frontend frontend-user frontend-order order-item "
  for callee in frontend user order item; do
    for caller in ingress frontend user order item nobody; do
      let_in=no
      ! calls "$caller" "$callee" || let_in=yes
      case $permitted in
        *" $caller-$callee "*) [ "$let_in" = yes ] || die "$caller may call $callee, and was refused" ;;
        *) [ "$let_in" = no ] || die "$caller may not call $callee, and was let in" ;;
      esac
    done
  done
  say "ok: only the permitted caller's certificate is let in"
}

traced_services() {
  fetch "http://$(address jaeger-1):16686/api/traces/$1" 2>/dev/null \
    | jq --raw-output '[.data[0].processes[].serviceName] | unique | join(" ")' 2>/dev/null
}

has_all_envoys() {
  [ "$(traced_services "$1")" = "frontend ingress item order user" ]
}

check_trace() {
  local id
  id=$(openssl rand -hex 16)
  index --header "traceparent: 00-$id-$(openssl rand -hex 8)-01" >/dev/null
  eventually "one request is one trace through the five Envoys" has_all_envoys "$id"
}

# Four clients, one request after the other, until stop_load.
start_load() {
  local client url
  url=http://$(address ingress-1):8080/index
  rm -f "$state"/load.*
  for client in 1 2 3 4; do
    while :; do
      curl --silent --output /dev/null --noproxy '*' --max-time 20 --write-out '%{http_code}\n' "$url" >>"$state/load.$client" || true
      sleep 0.05
    done {lock}>&- &
    load+=($!)
  done
}

stop_load() {
  [ "${#load[@]}" -gt 0 ] || return 0
  kill "${load[@]}" 2>/dev/null || true
  wait "${load[@]}" 2>/dev/null || true
  load=()
}

# As the Deployment has it done: a second pod, ready for as long as minReadySeconds says, and then the first one is ended.
check_rolling_restart() {
  local failed all
  say "a rolling restart of item, under load"
  start_load
  play item 2
  make_ready item-2
  write_targets
  sleep "$(of item-2 .min_ready)"
  withdraw item-1
  terminate item-1
  write_targets
  # What was kept for the pod that is gone would show now.
  sleep 10
  stop_load
  all=$(cat "$state"/load.* | wc -l)
  failed=$(cat "$state"/load.* | grep -cvx 200 || true)
  [ "$all" -gt 100 ] || die "there was no load: $all requests"
  [ "$failed" -eq 0 ] || die "$failed of $all requests failed during the rolling restart: $(sort "$state"/load.* | uniq -c | paste -sd ';')"
  say "ok: a rolling restart of item fails none of $all requests"
}

# has_data QUERY: whether the answer has a number.
has_data() {
  fetch --get --data-urlencode "query=$1" "http://$(address prometheus-1):9090/api/v1/query" >"$state/answer.json" \
    && jq --exit-status '[.data.result[] | select(.value[1] != "NaN")] | length > 0' "$state/answer.json" >/dev/null
}

check_queries() {
  local query
  while read -r query; do
    eventually "Prometheus has data for $query" has_data "$query"
  done <<'END'
histogram_quantile(0.95, sum(rate(envoy_upstream_rq_time_bucket{cluster!="local_service"}[5m])) by (le,app, cluster))
sum(rate(envoy_upstream_rq_time_count{cluster!="local_service"}[5m])) by (app, cluster)
sum(envoy_health_check_healthy) by (app,cluster)
sum(envoy_upstream_cx_total) by (app,cluster)
END
}
