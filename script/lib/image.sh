# shellcheck shell=bash
# Sourced by script/run: builds the programs and puts all that the pods need where their user can read it, as an image
# would. The checkout itself may be in a home folder that is closed to others.
# shellcheck disable=SC2154 # root, state, envoy and program_folder come from script/run and setup.sh

readonly image=$state/image
readonly programs=(grpc-fcgi-proxy user order frontend)
# The id of a process group that a signal must end before it ends the script.
busy=

# patiently COMMAND...: so that a signal is heeded at once, not when a long command has ended.
patiently() {
  set -m
  "$@" {lock}>&- &
  busy=$!
  set +m
  local status=0
  wait "$busy" || status=$?
  busy=
  return "$status"
}

build_programs() {
  local packages=() program
  for program in "${programs[@]}"; do
    packages+=(--package "$program")
  done
  say "building ${programs[*]}"
  cd "$root" || return
  patiently as_caller cargo build --release --locked "${packages[@]}" || die "the build failed; cargo's messages are above"
  program_folder=${CARGO_TARGET_DIR:-$root/target}/release
}

fill_image() {
  local program
  rm -rf "$image"
  install -d -m 755 "$image/bin" "$image/php" "$image/envoy"
  for program in "${programs[@]}"; do
    install -m 755 "$program_folder/$program" "$image/bin/"
  done
  cp -R "$root/php/." "$image/php/"
  chmod -R u=rwX,go=rX "$image/php"
  install -m 644 "$root"/deploy/envoy/*.yaml "$image/envoy/"
  install -m 644 "$root/deploy/statsd/statsd.yaml" "$image/"
}
