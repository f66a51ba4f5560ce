#!/usr/bin/env bash
# Tests passed.sh in a repository of its own.
set -euo pipefail

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
cache=$root/cache
as_caller() {
  "$@"
}
die() {
  printf '%s\n' "$*" >&2
  exit 1
}
# shellcheck source-path=SCRIPTDIR source=passed.sh
source "$(dirname "${BASH_SOURCE[0]}")/passed.sh"

git -C "$root" init --quiet
echo '/ignored' >"$root/.gitignore"
mkdir "$root/part"
echo one >"$root/part/file"
git -C "$root" add part

# differs WHAT: the hash is another one than before.
differs() {
  local before=$hash
  hash=$(inputs_hash part ignored)
  [ "$hash" != "$before" ] || die "the hash is the same after $1"
}

hash=$(inputs_hash part ignored)
! has_passed part "$hash" || die "a part has passed that never ran"
note_passed other "$hash"
! has_ever_passed part || die "a part has passed because another did"
note_passed part "$hash"
has_passed part "$hash" || die "a part that has passed is not known"
echo ignored >"$root/ignored"
echo other >"$root/other"
[ "$(inputs_hash part ignored)" = "$hash" ] || die "a file that is not an input changes the hash"
echo two >"$root/part/file"
differs "a change"
! has_passed part "$hash" || die "a part with other inputs counts as passed"
has_ever_passed part || die "a part with other inputs has never passed"
echo new >"$root/part/new"
differs "a new file"
mv "$root/part/new" "$root/part/renamed"
differs "a new name"
rm "$root/part/file"
differs "a deletion"
