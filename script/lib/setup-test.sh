#!/usr/bin/env bash
# Tests functions of setup.sh.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

# In place of the program: the package's name says what it would print.
dpkg-query() {
  local states=${*: -1}
  [ "$states" != unknown ] || return 1
  printf '%s\n' "${states//,/$'\n'}"
}

for states in installed triggers-pending triggers-awaited installed,installed not-installed,installed; do
  is_installed "$states" || die "a package in the states $states counts as missing"
done
for states in unknown not-installed config-files unpacked half-configured half-installed; do
  ! is_installed "$states" || die "a package in the states $states counts as installed"
done

scratch='' made=''
new_folder scratch
new_folder made "$scratch/missing/new.XXXXXX"
[ -d "$made" ] || die "a temporary folder is not made in a folder that is missing"
