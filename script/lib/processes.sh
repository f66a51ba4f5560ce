# shellcheck shell=bash
# Sourced by script/run: starts the programs of the pods, waits until they are ready, watches them, and ends them.
# shellcheck disable=SC2154 # the folders, pods and namespaces come from script/run and its other parts

# Programs that run for longer after SIGTERM are killed.
readonly grace=5
# By process id, the path of the script that started the program, without .start.
declare -A running=()

# start_programs POD
start_programs() {
  local start
  for start in "$state/pods/$1"/*.start; do
    # In a session of its own: Ctrl-C must reach this script only, and write_start finds a program's processes by session.
    setsid "$start" 9>&- &
    running[$!]=${start%.start}
  done
}

name_of() {
  local path=${1#"$state/pods/"}
  echo "${path#*/} of ${path%%/*}"
}

# report_end STATUS PATH
report_end() {
  local how="ended with status $1"
  [ "$1" -le 128 ] || how="was ended by signal $(kill -l $(($1 - 128)))"
  say "$(name_of "$2") $how; its log, $2.log, ends with:"
  tail -n 5 "$2.log" 2>/dev/null | sed 's/^/    /' >&2 || true
}

# Fails if a program ended before all are ready.
check_running() {
  local pid status
  for pid in "${!running[@]}"; do
    [ ! -d "/proc/$pid" ] || continue
    status=0
    wait "$pid" 2>/dev/null || status=$?
    report_end "$status" "${running[$pid]}"
    die "not ready: $(name_of "${running[$pid]}") ended"
  done
}

# answers URL: with a status below 400.
answers() {
  curl --silent --show-error --fail --noproxy '*' --max-time 5 --output /dev/null "$1" 2>/dev/null
}

# wait_ready POD URL
wait_ready() {
  wait_until "$1" "$2 does not answer" answers "$2"
}

# wait_until POD OTHERWISE COMMAND...: waits until the command succeeds, for all pods together until $deadline.
wait_until() {
  until "${@:3}"; do
    check_running
    if [ "$SECONDS" -ge "$deadline" ]; then
      local log
      for log in "$state/pods/$1"/*.log; do
        say "the last lines of $log:"
        tail -n 5 "$log" | sed 's/^/    /' >&2
      done
      die "$1 is not ready after $timeout s: $2 (--timeout raises the limit)"
    fi
    sleep 0.2
  done
}

# Reports programs that end, and goes on: the app's other pods take over, and PROGRAM.start restarts a program.
watch() {
  local ended status
  while [ "${#running[@]}" -gt 0 ]; do
    status=0
    # Without bash's message about a signal.
    wait -n -p ended "${!running[@]}" 2>/dev/null || status=$?
    report_end "$status" "${running[$ended]}"
    unset "running[$ended]"
  done
  say "all programs have ended; Ctrl-C removes the pods"
  while true; do
    sleep 1
  done
}

# Everything in this script's namespaces but the database, which ends last: a test may have restarted a program.
pod_processes() {
  local namespace
  for namespace in $(namespaces); do
    [ "$namespace" = "${prefix}postgresql" ] || ip netns pids "$namespace"
  done
}

# In the database's namespace: what is left if its server was killed.
database_processes() {
  ip netns pids "${prefix}postgresql" 2>/dev/null || true
}

# pids_of NAME...: of the programs with these names in the namespaces.
pids_of() {
  local pid name
  for pid in $(pod_processes); do
    { read -r name <"/proc/$pid/comm"; } 2>/dev/null || continue
    [[ " $* " != *" $name "* ]] || echo "$pid"
  done
}

# everything: the processes of all pods, and the process group of the forwarder to the ingress, which runs outside of the
# namespaces and has a child for each connection.
everything() {
  pod_processes
  if [ -n "$forwarder" ] && kill -0 -- "-$forwarder" 2>/dev/null; then
    echo "-$forwarder"
  fi
}

# A file of a killed run may name a process id that another process has since.
find_forwarder() {
  forwarder=$(cat "$state/pods/localhost/socat.pid" 2>/dev/null) || return 0
  { tr '\0' ' ' <"/proc/$forwarder/cmdline"; } 2>/dev/null | grep -q "^socat .*TCP:$subnet\." || forwarder=
}

# end_all SIGNAL COMMAND...: ends the processes that the command prints, until it prints none. Those that last until $end are killed.
end_all() {
  local signal=$1 pids
  while pids=$("${@:2}") && [ -n "$pids" ]; do
    # shellcheck disable=SC2086 # a list
    [ -z "$signal" ] || kill -"$signal" -- $pids 2>/dev/null || true
    signal=
    [ "$SECONDS" -lt "$end" ] || signal=KILL
    sleep 0.1
  done
}

# In the order of the calls: a program finishes its calls, for which it needs its own Envoy and the apps behind it.
stop_programs() {
  local forwarder="" end=$((SECONDS + grace))
  find_forwarder
  # Accepts no more; its children handle the open connections.
  [ -z "$forwarder" ] || kill "$forwarder" 2>/dev/null || true
  end_all TERM pids_of frontend
  end_all TERM pids_of user order
  end_all TERM pids_of grpc-fcgi-proxy
  end_all TERM everything
  end=$((SECONDS + grace))
  # Does not wait for clients.
  end_all INT postgresql_server
  end_all TERM database_processes
}
