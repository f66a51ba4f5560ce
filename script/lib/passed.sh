# shellcheck shell=bash
# Sourced after setup.sh: remembers on this machine which inputs a heavy part has passed with, so that it can be left out.
# shellcheck disable=SC2154 # root and cache come from setup.sh

# inputs_hash PATH...: a hash of the files below these paths that git does not ignore, as they are now.
inputs_hash() {
  (
    cd "$root" || exit
    # A file that git knows may have been deleted.
    git ls-files -z --cached --others --exclude-standard -- "$@" | LC_ALL=C sort -zu \
      | xargs -0 sha256sum 2>/dev/null | sha256sum | cut -c1-12
  )
}

# has_passed PART HASH
has_passed() {
  [ -e "$cache/passed/$1-$2" ]
}

# note_passed PART HASH
note_passed() {
  rm -f "$cache/passed/$1"-*
  install -D -m 644 /dev/null "$cache/passed/$1-$2"
}
