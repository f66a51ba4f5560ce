# shellcheck shell=bash
# Sourced after setup.sh: Python with grpcio.
# shellcheck disable=SC2154 # root comes from setup.sh

readonly grpcio_version=1.85.1

# need_grpcio: $python is a Python with grpcio and grpcio-tools.
need_grpcio() {
  local tools=$root/target/tools/grpcio-$grpcio_version
  python=$tools/bin/python
  [ ! -x "$python" ] || return 0
  need_packages python3-venv
  say "installing grpcio $grpcio_version into target/tools"
  rm -rf "$tools.new"
  as_caller mkdir -p "$root/target/tools"
  as_caller /usr/bin/python3 -m venv "$tools.new"
  as_caller "$tools.new/bin/python" -m pip install --quiet --disable-pip-version-check \
    "grpcio==$grpcio_version" "grpcio-tools==$grpcio_version"
  mv "$tools.new" "$tools"
}
