# shellcheck shell=bash
# Sourced by script/run: starts the programs, waits until they answer, watches them, and ends them.
# shellcheck disable=SC2154 # the folders, pods and namespaces come from script/run and its other parts

# How long programs may take to end on their own.
readonly grace=5
# Of the programs that were started here, by process id: the path of the script that started it, without .start.
declare -A running=()

# start_programs POD
start_programs() {
  local start
  for start in "$state/pods/$1"/*.start; do
    # A session of its own: Ctrl-C is for this script, which then ends the programs. The lock is not theirs to keep.
    setsid "$start" {lock}>&- &
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

# Nothing that has to be there may have ended before all is ready.
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

# wait_ready POD URL: until it answers; $deadline is for all of them together.
wait_ready() {
  until answers "$2"; do
    check_running
    if [ "$SECONDS" -ge "$deadline" ]; then
      local log
      for log in "$state/pods/$1"/*.log; do
        say "the last lines of $log:"
        tail -n 5 "$log" | sed 's/^/    /' >&2
      done
      die "$1 was not ready after $timeout s: no answer from $2 (--timeout gives it longer)"
    fi
    sleep 0.2
  done
}

# Reports what ends, and goes on: the other pods stand in for it, and $program.start starts it again.
watch() {
  local ended status
  while [ "${#running[@]}" -gt 0 ]; do
    status=0
    # Without bash's own words on a signal.
    wait -n -p ended "${!running[@]}" 2>/dev/null || status=$?
    report_end "$status" "${running[$ended]}"
    unset "running[$ended]"
  done
  say "no program that was started here is left; Ctrl-C removes the pods"
  while true; do
    sleep 1
  done
}

# Everything in our namespaces, whoever started it: a test may have started a program again.
pod_processes() {
  local namespace
  for namespace in $(namespaces); do
    ip netns pids "$namespace"
  done
}

# signal_all SIGNAL: false when there was nothing left to signal.
signal_all() {
  local pids
  pids=$(pod_processes)
  if [ -n "$way_in" ] && kill -"$1" -- "-$way_in" 2>/dev/null; then
    pids+=" $way_in"
  fi
  # shellcheck disable=SC2086 # a list
  [ -z "$pids" ] || kill -"$1" $pids 2>/dev/null || true
  [ -n "$pids" ]
}

# The way in is in no namespace of ours. Its id may have become another's since it was written down.
find_way_in() {
  way_in=$(cat "$state/pods/way-in/socat.pid" 2>/dev/null) || return 0
  { tr '\0' ' ' <"/proc/$way_in/cmdline"; } 2>/dev/null | grep -q "^socat .*TCP:$subnet\." || way_in=
}

stop_programs() {
  local way_in="" end=$((SECONDS + grace))
  find_way_in
  signal_all TERM || return 0
  while signal_all 0; do
    if [ "$SECONDS" -ge "$end" ]; then
      signal_all KILL || true
    fi
    sleep 0.1
  done
}
