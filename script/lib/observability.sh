# shellcheck shell=bash
# Sourced by script/run, for --observability: statsd_exporter in each pod, Prometheus and Jaeger in pods of their own. A
# program that is not available is skipped, and reported.
# shellcheck disable=SC2154 # the folders, pods and addresses come from script/run and its other parts

readonly prometheus_address=$subnet.2
readonly jaeger_address=$subnet.3
skipped=()
observers=()
statsd_exporter=
jaeger=

need_observability() {
  need_prometheus
  if ! need_statsd_exporter || ! need_jaeger; then
    skipped+=("statsd_exporter and Jaeger, so Envoy's metrics and all traces: building them requires Go, which is not available")
  fi
  skipped+=("Grafana: Debian does not package it, and Go's registry has no module that builds it; its dashboards are in deploy/grafana")
}

# Before the pods, whose hosts file names Jaeger.
plan_observers() {
  observers=(prometheus)
  address_of[prometheus]=$prometheus_address
  [ -z "$jaeger" ] || { observers+=(jaeger) && address_of[jaeger]=$jaeger_address; }
}

make_observers() {
  local pod
  for pod in "${observers[@]}"; do
    install -d -m 755 "$state/pods/$pod"
    add_namespace "$pod" "${address_of[$pod]}"
    "make_$pod"
  done
  [ -n "$statsd_exporter" ] || return 0
  for pod in "${pods[@]}"; do
    write_start "$pod" statsd_exporter "$prefix$pod" "$statsd_exporter" --statsd.mapping-config "$image/statsd.yaml" \
      --statsd.listen-udp 127.0.0.1:9125 --statsd.listen-tcp= --web.listen-address :9102 --log.level warn
  done
}

make_prometheus() {
  local home=$state/pods/prometheus
  install -m 644 "$root"/deploy/prometheus/{static,recording,alerts}.yaml "$home/"
  targets >"$home/targets.json"
  install -d -m 700 -o "$pod_user" "$home/tsdb"
  write_start prometheus prometheus "${prefix}prometheus" "$prometheus/prometheus" --config.file "$home/static.yaml" \
    --storage.tsdb.path "$home/tsdb" --web.listen-address :9090 --log.level warn
}

# Two targets for each pod: its program's metrics and its Envoy's.
targets() {
  local pod ports
  for pod in "${pods[@]}"; do
    ports=(6060)
    [ "${app_of[$pod]}" != ingress ] || ports=()
    [ -z "$statsd_exporter" ] || ports+=(9102)
    jq --null-input --arg app "${app_of[$pod]}" --arg pod "$pod" --arg address "${address_of[$pod]}" \
      '{labels: {$app, $pod}, targets: [$ARGS.positional[] | "\($address):\(.)"]}' --args "${ports[@]}"
  done | jq --slurp 'map(select(.targets != []))'
}

make_jaeger() {
  install -m 644 "$root/deploy/jaeger/jaeger.yaml" "$state/pods/jaeger/"
  write_start jaeger jaeger "${prefix}jaeger" "$jaeger" --config "$state/pods/jaeger/jaeger.yaml"
}

# Before the pods, so that Prometheus and Jaeger see the first request.
start_observers() {
  local pod
  say "starting ${observers[*]}"
  for pod in "${observers[@]}"; do
    start_programs "$pod"
  done
  wait_ready prometheus "$(observer_url prometheus)/-/ready"
  [ -z "$jaeger" ] || wait_ready jaeger "http://$jaeger_address:13133/status"
  write_urls >"$state/observers.tsv"
}

observer_url() {
  case $1 in
    prometheus) echo "http://$prometheus_address:9090" ;;
    jaeger) echo "http://$jaeger_address:16686" ;;
  esac
}

write_urls() {
  local pod
  for pod in "${observers[@]}"; do
    printf '%s\t%s\n' "$pod" "$(observer_url "$pod")"
  done
}

report_observers() {
  local program
  sed 's/\t/: /' "$state/observers.tsv" >&2
  for program in "${skipped[@]}"; do
    say "skipped $program"
  done
}
