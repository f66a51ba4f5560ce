# shellcheck shell=bash
# Sourced after setup.sh: remembers on this machine which inputs a heavy part has passed with, so that it can be left out.
# shellcheck disable=SC2154 # root and cache come from setup.sh

# inputs_hash PATH...: a hash of the files below these paths that git does not ignore, as they are now.
inputs_hash() {
  (
    cd "$root" || exit
    # A file that git knows may have been deleted.
    # shellcheck disable=SC2016 # for the inner shell
    as_caller git ls-files -z --cached --others --exclude-standard -- "$@" | LC_ALL=C sort -zu \
      | xargs -0 sh -c 'for file; do [ ! -f "$file" ] || printf "%s\0" "$file"; done' sh \
      | xargs -0 sha256sum | sha256sum | cut -c1-12
  )
}

# has_passed PART HASH
has_passed() {
  [ -e "$cache/passed/$1-$2" ]
}

# has_ever_passed PART: with whatever inputs.
has_ever_passed() {
  compgen -G "$cache/passed/$1-*" >/dev/null
}

# note_passed PART HASH: the cache may belong to root.
note_passed() {
  if ! { rm -f "$cache/passed/$1"-* && install -D -m 644 /dev/null "$cache/passed/$1-$2"; } 2>/dev/null; then
    say "cannot note in $cache that $1 has passed, so the next run does not leave it out"
  fi
}
