# shellcheck shell=bash
# Sourced by script/cluster after setup.sh: the programs of a Kubernetes cluster, built from Go modules or taken from Debian.
# shellcheck disable=SC2034,SC2154 # the programs are for the scripts that source this; root, cache and go come from setup.sh

readonly kubernetes_version=v1.34.4

# need_go_main NAME MODULE VERSION FLAG...: $built is deploy/tests/cluster/NAME, built as a program of this Go module, with the
# versions that the module locks.
need_go_main() {
  local name=$1 fresh
  built=$cache/$name-$3/$name
  [ ! -x "$built" ] || return 0
  need_root "installing $name into $cache"
  need_packages jq
  find_go || die "building $name requires Go, which is not available"
  say "building $name $3"
  fresh=$(as_caller mktemp -d)
  at_exit rm -rf "$fresh"
  # Kubernetes' module requires modules from folders that it does not contain; each is also published by itself.
  # shellcheck disable=SC2016 # for the inner shell
  patiently as_caller bash -euo pipefail -c '
    go=$1 source=$2/source module=$3 version=$4
    cd "$2"
    cp -R "$("$go" mod download -json "$module@$version" | jq --raw-output .Dir)" "$source"
    chmod -R u+w "$source"
    cp -R "$5" "$source/main"
    for replaced in $(sed -n "s#^\t\(k8s.io/.*\) v0\.0\.0\$#\1#p" "$source/go.mod"); do
      folder=$("$go" mod download -json "$replaced@v0.${version#v1.}" | jq --raw-output .Dir)
      "$go" mod edit -replace "$replaced=$folder" "$source/go.mod"
    done
    cd "$source"
    GOWORK=off GOFLAGS=-mod=mod CGO_ENABLED=0 "$go" build -trimpath -buildvcs=false -o ../program "${@:6}" ./main
  ' build "$go" "$fresh" "$2" "$3" "$root/deploy/tests/cluster/$name" "${@:4}" >&2 || die "cannot build $name; Go's messages are above"
  install -D -m 755 "$fresh/program" "$built"
  rm -rf "$fresh"
}

# need_etcd: $etcd is Debian's.
need_etcd() {
  local fresh
  etcd=$cache/etcd/etcd
  [ ! -x "$etcd" ] || return 0
  unpack_package etcd-server
  install -D -m 755 "$fresh/usr/bin/etcd" "$etcd"
}

# need_cluster_programs: installs or builds them all; once, this takes 20 minutes of CPU time.
need_cluster_programs() {
  local small=(-ldflags "-s -w") version=k8s.io/component-base/version
  need_packages catatonit conntrack containerd containernetworking-plugins ipset iproute2 iptables jq kmod openssl runc
  need_etcd
  need_go_main coredns github.com/coredns/coredns v1.13.1 "${small[@]}"
  coredns=$built
  need_go_main kubernetes k8s.io/kubernetes "$kubernetes_version" \
    -ldflags "-s -w -X $version.gitVersion=$kubernetes_version -X $version.gitMajor=1 -X $version.gitMinor=34"
  kubernetes=$built
  need_go kube-router github.com/cloudnativelabs/kube-router/v2 v2.1.0 ./cmd/kube-router "${small[@]}"
  kube_router=$built
  need_go metrics-server sigs.k8s.io/metrics-server v0.8.0 ./cmd/metrics-server "${small[@]}"
  metrics_server=$built
}
