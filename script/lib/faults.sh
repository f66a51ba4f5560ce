# shellcheck shell=bash
# Sourced by script/demo: the faults. Each has a function that begins it, and one that ends it, both as root beside script/run;
# what they do not start or change is as it was.
# shellcheck disable=SC2154 # root, state and prefix come from script/demo, url too

# For clients that do not read: how many, each with one stream of items and one connection full of requests.
readonly readers=20
# More than Envoy and the kernel hold for a client that does not read.
readonly unread_requests=200
unread=()
pipelines=()
# As a container ends and starts.
readonly item_programs=(envoy php-fpm grpc-fcgi-proxy)

# What to see, and where.
see_nothing() {
  echo "the application without a fault, for comparison: $url/shop/mesh shows the calls of each app"
}

see_pod() {
  echo "the programs of item-2 are killed, and started again: $url/shop/mesh loses the pod, and item-1 gets all calls until it is back"
}

see_slow() {
  echo "each call of item takes 0.3 s longer, by the fault filter of its Envoys: at $url/shop/mesh the p95 of item and of its callers rises"
}

see_reload() {
  echo "php-fpm starts anew with its PHP files in both pods of item: calls of item wait for part of a second, and the streams that watch the stock end and begin again"
}

see_certificates() {
  echo "every pod gets a new certificate, without a restart: 'openssl s_client' shows another serial number, and nobody else notices"
}

see_postgresql() {
  echo "PostgreSQL restarts: $url/shop shows that the service is down, and recovers by itself"
}

see_reader() {
  echo "$readers clients watch the stock and $readers others ask for much, and none reads an answer: the p99 of all others stays as it was"
}

begin_nothing() { :; }
end_nothing() { :; }

begin_pod() {
  local program
  for program in "${item_programs[@]}"; do
    kill -KILL "$(pid_of item-2 "$program")"
  done
}

end_pod() {
  local program
  for program in "${item_programs[@]}"; do
    start_program item-2 "$program"
  done
}

begin_slow() {
  set_delay 'fault.http.delay.fixed_delay_percent=100&fault.http.delay.fixed_duration_ms=300'
}

end_slow() {
  set_delay 'fault.http.delay.fixed_delay_percent=&fault.http.delay.fixed_duration_ms='
}

# set_delay KEYS: of the runtime of item's Envoys. Only a program in the pod can set them.
set_delay() {
  local pod
  for pod in item-1 item-2; do
    ip netns exec "$prefix$pod" curl --silent --show-error --fail --max-time 5 --output /dev/null --request POST \
      "127.0.0.1:8001/runtime_modify?$1"
  done
}

begin_reload() {
  local pod
  for pod in item-1 item-2; do
    kill -USR2 "$(pid_of "$pod" php-fpm)"
  done
}

end_reload() { :; }

# By the same authority, so that old and new ones are valid meanwhile.
begin_certificates() {
  local pod app
  rm -f "$state"/certs/{ingress,frontend,user,order,item}/tls.crt
  "$root/script/certs" --dir "$state/certs" 2>/dev/null
  while IFS=$'\t' read -r pod app _; do
    [ ! -d "$state/certs/$app" ] || mount_secret "$state/certs/$app" "$state/pods/$pod/etc/certs"
  done <"$state/pods.tsv"
}

end_certificates() { :; }

begin_postgresql() {
  local pid
  pid=$(pid_of postgresql postgresql)
  # Does not wait for its clients.
  kill -INT "$pid"
  while [ -d "/proc/$pid" ]; do
    sleep 0.1
  done
  start_program postgresql postgresql
}

end_postgresql() { :; }

# Straight to the ingress: the forwarder of script/run would read for them.
begin_reader() {
  local address descriptor number
  address=$(awk '$1 == "ingress-1" { print $4 }' "$state/pods.tsv")
  for ((number = 0; number < readers; number++)); do
    exec {descriptor}<>"/dev/tcp/$address/8080"
    unread+=("$descriptor")
    request /v1/items:watch >&"$descriptor"
    exec {descriptor}<>"/dev/tcp/$address/8080"
    unread+=("$descriptor")
    # Envoy takes no more of them when nobody reads the answers, so this may wait until the end.
    pipeline >&"$descriptor" &
    pipelines+=("$!")
  done
}

end_reader() {
  local descriptor
  for descriptor in "${unread[@]}"; do
    exec {descriptor}>&-
  done
  kill "${pipelines[@]}" 2>/dev/null || true
  wait "${pipelines[@]}" 2>/dev/null || true
  unread=()
  pipelines=()
}

pipeline() {
  local number
  for ((number = 0; number < unread_requests; number++)); do
    request /openapi.json
  done
}

# request PATH: prints it as HTTP/1.1.
request() {
  printf 'GET %s HTTP/1.1\r\nHost: shop\r\nAccept: text/event-stream, application/json\r\n\r\n' "$1"
}

pid_of() {
  cat "$state/pods/$1/$2.pid"
}

start_program() {
  setsid --fork "$state/pods/$1/$2.start"
}
