# shellcheck shell=bash
# Sourced by setup.sh: the processes and folders of a script, and their end.
#
# A script registers each process and folder as soon as it exists. At exit, whatever the reason, finish stops and removes
# them, the newest first, and keeps the exit status: after a signal 128 + its number, or $signal_status.

exit_actions=()
# What a signal exits with, if not with 128 + its number: a server that is stopped by Ctrl-C has not failed.
signal_status=
# The process that start started last.
started=

# at_exit COMMAND...: runs it at exit. Not in a subshell.
at_exit() {
  exit_actions+=("${*@Q}")
  trap finish EXIT
  trap 'on_signal 1' HUP
  trap 'on_signal 2' INT
  trap 'on_signal 15' TERM
}

# not_at_exit COMMAND...: it has been done already.
not_at_exit() {
  local action kept=()
  for action in "${exit_actions[@]}"; do
    [ "$action" = "${*@Q}" ] || kept+=("$action")
  done
  exit_actions=("${kept[@]}")
}

on_signal() {
  exit "${signal_status:-$((128 + $1))}"
}

finish() {
  local status=$? last
  # A child has the traps until bash has reset them, so a signal right after its start arrives here.
  [ "$BASHPID" -eq $$ ] || exit "$status"
  trap '' HUP INT TERM
  while [ "${#exit_actions[@]}" -gt 0 ]; do
    last=${exit_actions[-1]}
    unset 'exit_actions[-1]'
    eval "$last" || true
  done
  exit "$status"
}

# new_folder VARIABLE [TEMPLATE]: a temporary folder, removed at exit; the variable names it. The template's folder is made too.
new_folder() {
  local -n new_folder_name=$1
  [ -z "${2-}" ] || install -d -m 755 "$(dirname "$2")"
  new_folder_name=$(mktemp -d ${2:+"$2"})
  at_exit rm -rf "$new_folder_name"
}

# take_lock FILE: false if another process holds it. File descriptor 9 holds the lock until the script exits, so a process
# that may outlive the script is started with 9>&-.
take_lock() {
  exec 9>>"$1"
  flock --nonblock 9
}

# start COMMAND...: in the background, stopped at exit; $started is its process id. It gets a process group of its own, so
# that Ctrl-C reaches the script only, which stops everything in order, and so that stop reaches the command's own children.
start() {
  set -m
  "$@" </dev/null 9>&- &
  set +m
  started=$!
  at_exit stop "$started"
}

# stop PROCESS [SIGNAL]: ends what start has started, waits for it, and returns its status.
stop() {
  local status=0
  kill -"${2:-TERM}" -- "-$1" 2>/dev/null || true
  # Without bash's message about the signal.
  wait "$1" 2>/dev/null || status=$?
  not_at_exit stop "$1"
  return "$status"
}

# patiently COMMAND...: runs a long command so that a signal stops it at once: bash handles no signal while it waits for a
# command in the foreground.
patiently() {
  local status=0 process
  start "$@"
  process=$started
  wait "$process" || status=$?
  not_at_exit stop "$process"
  return "$status"
}

# await PROCESS LOG COMMAND...: waits until the command succeeds; fails if the process ends before.
await() {
  until "${@:3}" 2>/dev/null; do
    kill -0 "$1" 2>/dev/null || die "$(basename "$2" .log) ended before it was ready; the end of its log: $(tail -n 20 "$2")"
    sleep 0.1
  done
}
