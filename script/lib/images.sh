# shellcheck shell=bash
# Sourced after setup.sh: the names of our images.
# shellcheck disable=SC2154 # root comes from setup.sh

# What the manifests call them: IMAGE_PREFIX/NAME:dev.
# shellcheck disable=SC2034 # used by those who source this
readonly image_prefix=grpc-fcgi-proxy
# shellcheck disable=SC2034 # used by those who source this
readonly rust_images=(grpc-fcgi-proxy frontend user order)

# content_tag: the same for the same files, another for others, so that a change rolls the pods and nothing else does.
content_tag() {
  (
    cd "$root" || exit
    find .dockerignore Cargo.toml Cargo.lock deploy/docker deploy/tests/Cargo.toml grpc-fcgi-proxy php proto services -type f \
      -not -name '*.sqlite*' -not -path '*/vendor/*' -not -path '*/target/*' -not -name '.phpunit*' -print0 \
      | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -c1-12
  )
}

# need_tag TAG: refuses what cannot be one.
need_tag() {
  [[ $1 =~ ^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$ ]] || die "--tag takes letters, digits, '.', '_' and '-', not '$1'"
}

# need_registry REGISTRY: such as registry.example.org/shop.
need_registry() {
  [[ $1 =~ ^[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)*$ ]] || die "a registry is such as registry.example.org/shop, not '$1'"
}
