#!/usr/bin/env bash
# Tests functions of faults.sh, with stand-ins for the pods. Each case that ends its script runs in one of its own.
# shellcheck disable=SC2317 # faults.sh calls the stand-ins
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
# shellcheck source-path=SCRIPTDIR source=faults.sh
source "$root/script/lib/faults.sh"

readonly state=${2:-/nonexistent}

# make_program POD PROGRAM PROCESS: starting it again writes the signals that it ignores.
make_program() {
  install -d "$state/pods/$1"
  echo "$3" >"$state/pods/$1/$2.pid"
  printf '#!/bin/sh\nsed -n "s/^SigIgn:[[:space:]]*//p" /proc/self/status >%s/started\n' "$state" >"$state/pods/$1/$2.start"
  chmod 755 "$state/pods/$1/$2.start"
}

# Its parent never waits for it.
case_zombie() {
  local parent
  # shellcheck disable=SC2016 # for the inner shell
  start sh -c 'env --default-signal=INT sleep 600 & echo $! >"$1.new" && mv "$1.new" "$1" && exec sleep 600' sh "$state/pid"
  parent=$started
  await "$parent" sh test -e "$state/pid"
  make_program postgresql postgresql "$(cat "$state/pid")"
  begin_postgresql
  [ -d "/proc/$(cat "$state/pid")" ] || die "someone has waited for the process"
  in_time "PostgreSQL is not started again" test -s "$state/started"
}

case_stuck() {
  # shellcheck disable=SC2034 # for faults.sh
  patience=0
  start env --ignore-signal=INT sleep 600
  make_program postgresql postgresql "$started"
  begin_postgresql
}

# The interruption comes while PostgreSQL is to end.
case_interrupted() {
  start env --default-signal=INT sleep 600
  make_program postgresql postgresql "$started"
  kill() {
    unset -f kill
    kill "$@"
    kill -TERM $$
  }
  during postgresql true
}

case_certificates() {
  touch "$state/certs"
  begin_certificates
}

# A key that nothing reads.
case_slow() {
  # shellcheck disable=SC2034 # for faults.sh
  prefix=gfp- url=http://shop patience=0
  ip() { echo "http.inbound.fault.delays_injected: 7"; }
  curl() { :; }
  begin_slow
}

# expect CASE STATUS MESSAGE
expect() {
  local folder output status=0
  new_folder folder
  output=$(timeout 60 "${BASH_SOURCE[0]}" "$1" "$folder" 2>&1) || status=$?
  [[ $status -eq $2 && $output == *"$3"* ]] || die "the case $1 ended with $status and '$output', not with $2 and '$3'"
}

# PostgreSQL is started again at exit, when signals are ignored, and ignores none of them.
expect_restart() {
  local folder status=0
  new_folder folder
  timeout 60 "${BASH_SOURCE[0]}" interrupted "$folder" || status=$?
  [ "$status" -eq 143 ] || die "an interrupted fault ended with $status"
  in_time "PostgreSQL is not started again at exit" test -s "$folder/started"
  # SIGHUP, SIGINT and SIGTERM.
  (((16#$(cat "$folder/started") & 0x4003) == 0)) || die "PostgreSQL ignores the signals $(cat "$folder/started")"
}

if [ $# -gt 0 ]; then
  "case_$1"
  exit
fi
expect zombie 0 ""
expect stuck 1 "PostgreSQL has not ended"
expect certificates 1 "cannot renew the certificates: mkdir: "
expect slow 1 "item-1 has delayed no call"
expect_restart
