# shellcheck shell=bash
# Sourced after podman.sh and cluster.sh: the images of the cluster, made by podman, and their import.
# shellcheck disable=SC2034,SC2154 # prometheus is for podman.sh; root, state and the programs come from others

readonly dns_image=docker.io/coredns/coredns:1.13.1
readonly sandbox_image=docker.io/library/pause:1

# need_images: makes those that are missing. $tag is that of the project's own.
need_images() {
  local name
  need_podman
  need_envoy
  # Debian's Prometheus lacks Kubernetes' service discovery.
  if ! need_statsd_exporter || ! need_jaeger \
    || ! need_go prometheus github.com/prometheus/prometheus v0.316.0 ./cmd/prometheus -tags remove_all_sd,enable_kubernetes_sd; then
    die "building statsd_exporter, Jaeger and Prometheus requires Go, which is not available"
  fi
  prometheus=$(dirname "$built")
  make_stand_ins
  make_cluster_images
  tag=$(content_tag)
  for name in "${rust_images[@]}" item; do
    podman image exists "$image_prefix/$name:$tag" || {
      patiently "$root/script/build" --engine podman >"$state/build.log" 2>&1 \
        || die "script/build failed: $(tail -n 30 "$state/build.log")"
      break
    }
  done
  say "the images have the tag $tag"
}

make_cluster_images() {
  stand_in "$dns_image" "$coredns" <<END
FROM scratch
COPY coredns /
ENTRYPOINT ["/coredns"]
END
  # The process that holds a pod's namespaces.
  stand_in "$sandbox_image" /usr/bin/catatonit <<END
FROM scratch
COPY catatonit /
ENTRYPOINT ["/catatonit", "-P"]
END
}

images() {
  local name
  echo "$dns_image"
  echo "$sandbox_image"
  for name in envoy statsd-exporter prometheus jaeger grafana postgres; do
    image_of "$name"
  done
  for name in "${rust_images[@]}" item; do
    echo "$image_prefix/$name:$tag"
  done
}

containers() {
  ctr --address "$state/containerd.sock" --namespace k8s.io "$@"
}

# import_images: from podman, unless containerd has the same one.
import_images() {
  local image id
  for image in $(images); do
    id=$(podman image inspect --format '{{.Id}}' "$image")
    [ -z "$(containers images list --quiet "name==$image,labels.podman==$id")" ] || continue
    say "importing $image"
    podman save --quiet --format docker-archive "$image" | containers images import - >/dev/null || die "cannot import $image"
    containers images label "$image" "podman=$id" >/dev/null
  done
  remove_old_images
}

remove_old_images() {
  local image
  for image in $(containers images list --quiet | grep "^$image_prefix/" | grep -v ":$tag\$"); do
    containers images remove "$image" >/dev/null
  done
}
