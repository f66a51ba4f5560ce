#!/usr/bin/env bash
# Tests functions of mesh.sh.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
# shellcheck source-path=SCRIPTDIR source=mesh.sh
source "$root/script/lib/mesh.sh"

# In place of the program: --list --ignored FILTER.
program() {
  printf '%s: test\n' stock::items watchers::events | grep -F -- "$3" || true
}

for filters in stock:: "stock:: watchers::" "--skip stock::" "watchers:: --skip items"; do
  # shellcheck disable=SC2086 # a list
  need_matches program $filters
done
for filters in other:: "stock:: other::" "--skip other::" "other:: --skip stock::"; do
  # shellcheck disable=SC2086 # a list
  ! (need_matches program $filters 2>/dev/null) || die "the filters '$filters' count as matching"
done
