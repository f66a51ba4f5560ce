# shellcheck shell=bash
# Sourced after setup.sh: the names of the images.
# shellcheck disable=SC2154 # root comes from setup.sh

# The manifests name them IMAGE_PREFIX/NAME:dev. Without a host, docker.io would be meant, where the name belongs to others; podman
# says localhost/ of what it has built, and docker can.
# shellcheck disable=SC2034 # used by the scripts that source this
readonly image_prefix=localhost/grpc-fcgi-proxy
# shellcheck disable=SC2034 # used by the scripts that source this
readonly rust_images=(grpc-fcgi-proxy frontend user order load)

# content_tag: a hash of the images' sources, so that only a change of these rolls the pods.
content_tag() {
  (
    cd "$root" || exit
    find .dockerignore Cargo.toml Cargo.lock deploy/docker deploy/tests/Cargo.toml grpc-fcgi-proxy php proto services -type f \
      -not -name '*.sqlite*' -not -path '*/vendor/*' -not -path '*/target/*' -not -name '.phpunit*' -print0 \
      | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -c1-12
  )
}

# need_tag TAG: fails if it is not a valid tag.
need_tag() {
  [[ $1 =~ ^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$ ]] || die "--tag requires letters, digits, '.', '_' and '-', not '$1'"
}

# need_registry REGISTRY: fails if it is not one, such as registry.example.org/shop.
need_registry() {
  [[ $1 =~ ^[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)*$ ]] || die "expected a registry such as registry.example.org/shop, not '$1'"
}
