# shellcheck shell=bash
# Sourced by script/run: copies everything that the pods need to a folder that their user can read, as an image would. The
# checkout itself may be in a home folder that is closed to others.
# shellcheck disable=SC2154 # root, state and program_folder come from script/run and setup.sh

readonly image=$state/image
readonly programs=(grpc-fcgi-proxy user order frontend)

fill_image() {
  local program
  rm -rf "$image"
  install -d -m 755 "$image/bin" "$image/php"
  for program in "${programs[@]}"; do
    install -m 755 "$program_folder/$program" "$image/bin/"
  done
  cp -R "$root/php/." "$image/php/"
  cp -R "$root/deploy/envoy" "$image/"
  chmod -R u=rwX,go=rX "$image/php" "$image/envoy"
  install -m 644 "$root/deploy/statsd/statsd.yaml" "$image/"
}
