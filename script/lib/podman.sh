# shellcheck shell=bash
# Sourced by script/cluster, script/test-cluster and script/test-images: a podman that is separate from the machine's containers and settings, and
# stand-ins for the images that it would pull from a registry, made of the same programs from Debian and elsewhere. Its settings
# are in $state.
# shellcheck disable=SC2154 # root, cache and the programs that need_* set come from setup.sh

need_podman() {
  need_packages buildah ca-certificates catatonit containernetworking-plugins curl debootstrap fuse-overlayfs iptables jq netavark openssl \
    podman runc uidmap
  install -d -m 755 "$state"
  cat >"$state/containers.conf" <<'END'
[engine]
# crun refuses a hybrid cgroup hierarchy, and systemd may not be running.
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=8192:8192"]
log_driver = "k8s-file"
[network]
network_backend = "netavark"
default_subnet = "198.19.252.0/24"
END
  cat >"$state/storage.conf" <<END
[storage]
driver = "overlay"
graphroot = "$cache/containers"
runroot = "$state/run"
END
  # Pulls nothing: a missing image is a bug of this script.
  echo 'unqualified-search-registries = []' >"$state/registries.conf"
  export CONTAINERS_CONF=$state/containers.conf CONTAINERS_STORAGE_CONF=$state/storage.conf
  export CONTAINERS_REGISTRIES_CONF=$state/registries.conf BUILDAH_ISOLATION=chroot
}

# stand_in NAME FILE...: builds an image from the Dockerfile on stdin and the files, unless the same image exists.
stand_in() {
  local name=$1 folder recipe hash file
  shift
  recipe=$(cat)
  hash=$({ cat "$@" /dev/null && echo "$recipe" && base_id; } | sha256sum | cut -c1-12)
  [ "$(label "$name")" != "$hash" ] || return 0
  say "making a stand-in for $name"
  new_folder folder
  for file in "$@"; do
    cp "$file" "$folder/"
  done
  podman build --quiet --label "stand-in=$hash" --tag "$name" --file - "$folder" <<<"$recipe" >"$state/build.log" 2>&1 \
    || die "cannot make $name: $(tail -n 20 "$state/build.log")"
  rm -rf "$folder"
}

base_id() {
  podman image inspect --format '{{.Id}}' "$base" 2>/dev/null || true
}

# image_of NAME: the image's full name and tag in the manifests and Dockerfiles.
image_of() {
  grep -rhoE "docker\.io/[a-z-]+/$1:[A-Za-z0-9.-]+" "$root/deploy/kubernetes" "$root/deploy/docker" | sort -u | head -n 1
}

# label NAME: the hash of the image's recipe, if the image exists.
label() {
  podman image inspect --format '{{index .Labels "stand-in"}}' "$1" 2>/dev/null || true
}

make_base() {
  local folder hash mirror
  base=$(image_of debian)
  hash=$(declare -f make_base | sha256sum | cut -c1-12)
  [ "$(label "$base")" != "$hash" ] || return 0
  say "making a stand-in for $base"
  new_folder folder "$cache/new.XXXXXX"
  debootstrap --variant=minbase bookworm "$folder" >"$state/build.log" 2>&1 \
    || die "debootstrap failed: $(tail -n 5 "$state/build.log")"
  rm -rf "$folder"/var/cache/apt/archives/*.deb "$folder"/var/lib/apt/lists/*
  # Security updates are in a folder beside the mirror's.
  read -r _ mirror _ <"$folder/etc/apt/sources.list"
  printf 'deb %s main\n' "$mirror bookworm" "${mirror%/}-security bookworm-security" >"$folder/etc/apt/sources.list"
  # An imported image has no environment, and without PATH finds no program.
  tar --create --directory "$folder" . \
    | podman import --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
      --change "LABEL stand-in=$hash" - "$base" >/dev/null 2>&1
  rm -rf "$folder"
}

make_rust() {
  # With this machine's certificate authorities: its proxy to crates.io may have its own.
  stand_in "$(image_of rust)" /etc/ssl/certs/ca-certificates.crt <<END
FROM $base
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates cargo-web gcc libc6-dev rustc-web
COPY ca-certificates.crt /etc/ssl/certs/
END
}

make_stand_ins() {
  make_base
  make_rust
  stand_in "$(image_of envoy)" "$envoy" <<END
FROM $base
COPY envoy /usr/local/bin/
END
  stand_in "$(image_of statsd-exporter)" "$statsd_exporter" <<END
FROM $base
COPY statsd_exporter /bin/
ENTRYPOINT ["/bin/statsd_exporter"]
END
  stand_in "$(image_of jaeger)" "$jaeger" <<END
FROM $base
COPY jaeger /bin/
ENTRYPOINT ["/bin/jaeger"]
END
  stand_in "$(image_of prometheus)" "$prometheus/prometheus" <<END
FROM $base
COPY prometheus /bin/
ENTRYPOINT ["/bin/prometheus"]
END
  # Only its health check.
  stand_in "$(image_of grafana)" <<END
FROM $base
RUN apt-get update && apt-get install -y --no-install-recommends busybox && mkdir -p /www/api && echo ok >/www/api/health
ENTRYPOINT ["busybox", "httpd", "-f", "-p", "3000", "-h", "/www"]
END
  stand_in "$(image_of postgres)" <<END
FROM $base
RUN groupadd --system --gid 999 postgres && useradd --system --uid 999 --gid 999 postgres \
    && mkdir /etc/postgresql-common && echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf \
    && apt-get update && apt-get install -y --no-install-recommends postgresql-15
ENV PATH=/usr/lib/postgresql/15/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
STOPSIGNAL SIGINT
END
}
