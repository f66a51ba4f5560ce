# shellcheck shell=bash
# Sourced by script/demo: the faults. Each has a function that begins it, and fails unless it then has an effect, and one that ends
# it, both as root beside script/run; what they do not start or change is as it was.
# shellcheck disable=SC2154 # root, state and prefix come from script/demo, url too

# Seconds within which a fault must have an effect.
patience=30

# For clients that do not read: how many, each with one stream of items and one connection full of requests.
readonly readers=20
# More than Envoy and the kernel hold for a client that does not read.
readonly unread_requests=200
unread=()
pipelines=()
# The PostgreSQL that is to end, until another one is started.
stopped=
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

# during FAULT COMMAND...: runs the command while the fault is on. An interruption ends it, too.
during() {
  at_exit "end_$1"
  "begin_$1"
  "${@:2}"
  "end_$1"
  not_at_exit "end_$1"
}

# in_time FAILURE COMMAND...: waits until the command succeeds; prints the failure and is false if it does not in time.
in_time() {
  local end=$((SECONDS + patience))
  until "${@:2}"; do
    [ "$SECONDS" -lt "$end" ] || { say "after $patience s, $1" && return 1; }
    sleep 0.1
  done
}

begin_nothing() { :; }
end_nothing() { :; }

begin_pod() {
  local program pid pids=()
  for program in "${item_programs[@]}"; do
    pid=$(pid_of item-2 "$program")
    kill -KILL "$pid"
    pids+=("$pid")
  done
  in_time "a program of item-2 has not ended" have_ended "${pids[@]}"
}

# A program that has not been killed, since the beginning was interrupted, is ended by the script that starts it.
end_pod() {
  local program
  for program in "${item_programs[@]}"; do
    start_program item-2 "$program"
  done
}

begin_slow() {
  local pod before
  set_delay 'fault.http.delay.fixed_delay_percent=100&fault.http.delay.fixed_duration_ms=300'
  # Envoy also accepts keys that nothing reads.
  for pod in item-1 item-2; do
    before=$(delays "$pod")
    in_time "$pod has delayed no call" delays_calls "$pod" "$before"
  done
}

end_slow() {
  set_delay 'fault.http.delay.fixed_delay_percent=&fault.http.delay.fixed_duration_ms='
}

# set_delay KEYS: of the runtime of item's Envoys.
set_delay() {
  local pod
  for pod in item-1 item-2; do
    admin "$pod" "runtime_modify?$1" --request POST --output /dev/null
  done
}

# delays POD: prints how many calls its Envoy has delayed.
delays() {
  admin "$1" 'stats?filter=fault.delays_injected' | awk '{ count += $2 } END { print count + 0 }'
}

# delays_calls POD BEFORE: whether its Envoy has delayed more calls than before. Makes one, which may be another pod's.
delays_calls() {
  curl --silent --max-time 5 --output /dev/null --noproxy '*' "$url/v1/items?page_size=1" || true
  [ "$(delays "$1")" -gt "$2" ]
}

# admin POD PATH [OPTION]...: requests a path of the administration of the pod's Envoy, which only a program in the pod reaches.
admin() {
  ip netns exec "$prefix$1" curl --silent --show-error --fail --max-time 5 "${@:3}" "127.0.0.1:8001/$2"
}

begin_reload() {
  local pod pid workers=()
  for pod in item-1 item-2; do
    pid=$(pid_of "$pod" php-fpm)
    mapfile -t -O "${#workers[@]}" workers < <(children "$pid")
    kill -USR2 "$pid"
  done
  [ "${#workers[@]}" -gt 0 ] || die "php-fpm had no workers"
  in_time "a worker of php-fpm has not ended" have_ended "${workers[@]}"
}

# children PROCESS: prints their process ids.
children() {
  tr ' ' '\n' <"/proc/$1/task/$1/children"
}

end_reload() { :; }

# By the same authority, so that old and new ones are valid meanwhile.
begin_certificates() {
  local pod app address output
  rm -f "$state"/certs/{ingress,frontend,user,order,item}/tls.crt
  output=$("$root/script/certs" --dir "$state/certs" 2>&1) || die "cannot renew the certificates: $output"
  while IFS=$'\t' read -r pod app _ address; do
    [ -d "$state/certs/$app" ] || continue
    # The ingress is no server of the mesh.
    [ "$app" = ingress ] || ! presents "$app" "$address" || die "the certificate of $app is not a new one"
    mount_secret "$state/certs/$app" "$state/pods/$pod/etc/certs"
    [ "$app" = ingress ] || in_time "$pod does not present its new certificate" presents "$app" "$address"
  done <"$state/pods.tsv"
}

end_certificates() { :; }

# presents APP ADDRESS: whether the pod with this address presents the certificate that the app has now. Every app answers the ingress.
presents() {
  local own=$state/certs/ingress presented
  presented=$(timeout 5 openssl s_client -connect "$2:8080" -servername "$1" -cert "$own/tls.crt" -key "$own/tls.key" \
    -CAfile "$own/ca.crt" </dev/null 2>/dev/null | openssl x509 -noout -serial 2>/dev/null) || return
  [ "$presented" = "$(openssl x509 -noout -serial -in "$state/certs/$1/tls.crt")" ]
}

begin_postgresql() {
  stopped=$(pid_of postgresql postgresql)
  # Does not wait for its clients.
  kill -INT "$stopped"
  end_postgresql
}

# Begins with the end of the old one, unless another one has been started.
end_postgresql() {
  [ -n "$stopped" ] || return 0
  in_time "PostgreSQL has not ended" have_ended "$stopped"
  start_program postgresql postgresql
  stopped=
}

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
    pipeline >&"$descriptor" &
    pipelines+=("$!")
  done
  in_time "not all of the clients that do not read keep the ingress waiting" readers_are_waited_for
}

# Whether the ingress has responses for that many clients who do not take them.
readers_are_waited_for() {
  [ "$(ip netns exec "${prefix}ingress-1" ss --no-header --tcp --numeric 'sport = :8080' | awk '$3 > 0' | wc -l)" -ge "$readers" ]
}

end_reader() {
  local descriptor
  for descriptor in "${unread[@]}"; do
    exec {descriptor}>&-
  done
  unread=()
  [ "${#pipelines[@]}" -gt 0 ] || return 0
  kill "${pipelines[@]}" 2>/dev/null || true
  wait "${pipelines[@]}" 2>/dev/null || true
  pipelines=()
}

# At once they would end the connection: Envoy closes it at the third request that waits for the answers before it.
pipeline() {
  local number
  for ((number = 0; number < unread_requests; number++)); do
    request /openapi.json
    sleep 0.2
  done
}

# request PATH: prints it as HTTP/1.1.
request() {
  printf 'GET %s HTTP/1.1\r\nHost: shop\r\nAccept: text/event-stream, application/json\r\n\r\n' "$1"
}

pid_of() {
  cat "$state/pods/$1/$2.pid"
}

# have_ended PROCESS...: a process that nobody has waited for has ended, too, and has no program any more.
have_ended() {
  local pid
  for pid in "$@"; do
    [ ! -e "/proc/$pid/exe" ] || return
  done
}

# At exit, signals are ignored, which a program would inherit.
start_program() {
  env --default-signal=HUP,INT,TERM setsid --fork "$state/pods/$1/$2.start"
}
