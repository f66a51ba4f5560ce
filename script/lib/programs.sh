# shellcheck shell=bash
# Sourced after setup.sh: builds the programs of this checkout.
# shellcheck disable=SC2154 # root comes from setup.sh

# cargo puts programs into its folders release and debug.
# shellcheck disable=SC2034 # used by the scripts that source this
readonly target=${CARGO_TARGET_DIR:-$root/target}

# build_release PACKAGE...: in one build, so with the features that any of them asks for.
build_release() {
  local package flags=()
  for package in "$@"; do
    flags+=(--package "$package")
  done
  say "building $*"
  cd "$root" || return
  patiently as_caller cargo build --release --locked "${flags[@]}" || die "the build failed; cargo's messages are above"
}

# build_tests: and, with them, the programs in debug, which tests use: a release build would take as long again.
build_tests() {
  cd "$root" || return
  patiently as_caller cargo test --locked --workspace --no-run --quiet || die "the build failed; cargo's messages are above"
}
