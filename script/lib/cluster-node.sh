#!/usr/bin/env bash
# The first process in the namespaces of script/cluster: it makes the file systems that are the node's own, starts the programs
# of Kubernetes, and ends when one of them ends. The kernel then ends all other processes in the namespaces.
set -euo pipefail

# From script/lib/cluster.sh:
# shellcheck disable=SC2154
: "$state $root $etcd $kubernetes $kube_router $metrics_server $node $node_address $host_address $pod_network $service_network"
readonly pki=$state/pki
declare -A names=()

# So that nothing of what the programs write remains on the machine.
make_file_systems() {
  local controller
  # The kubelet passes mounts on to containers.
  mount --make-rshared /
  mount -t sysfs sysfs /sys
  mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
  for controller in cpu cpuacct cpuset memory devices freezer blkio pids name=systemd; do
    mkdir "/sys/fs/cgroup/${controller#name=}"
    mount -t cgroup -o "$controller" cgroup "/sys/fs/cgroup/${controller#name=}"
  done
  mount -t tmpfs -o mode=755 tmpfs /run
  mount -t tmpfs -o mode=755 tmpfs /var/log
  # Of /var/lib, only $state is the machine's.
  mkdir -p /run/lib/upper /run/lib/work /run/lib/state
  mount --bind "$state" /run/lib/state
  mount -t overlay -o lowerdir=/var/lib,upperdir=/run/lib/upper,workdir=/run/lib/work overlay /var/lib
  mount --bind /run/lib/state "$state"
  echo 'nameserver 127.0.0.1' >/run/resolv.conf
  mount --bind /run/resolv.conf "$(realpath /etc/resolv.conf)"
  install -D -m 644 "$root/deploy/tests/cluster/pods.conflist" /run/cni/10-pods.conflist
}

# The kubelet insists on these settings of the kernel, which are the whole machine's: it reads files that have them.
pretend_settings() {
  local setting file=/run/setting
  for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
    kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
    echo "${setting#*=}" >"$file"
    mount --bind "$file" "/proc/sys/${setting%=*}"
    file+=x
  done
}

# script/cluster moves the end of a cable into this namespace.
make_network() {
  ip link set lo up
  until ip link show node >/dev/null 2>&1; do
    sleep 0.1
  done
  ip address add "$node_address/30" dev node
  ip link set node up
  ip route add default via "$host_address"
  echo 1 >/proc/sys/net/ipv4/ip_forward
  # NetworkPolicies are rules of iptables, for what crosses a bridge, too.
  echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables
}

# run NAME COMMAND...
run() {
  "${@:2}" >>"$state/logs/$1.log" 2>&1 &
  names[$!]=$1
}

# shellcheck disable=SC2317 # await calls it
kubectl() {
  "$kubernetes" kubectl --kubeconfig "$state/kubeconfig" "$@"
}

# await COMMAND...: until it succeeds.
await() {
  until "$@" >/dev/null 2>&1; do
    check_running
    sleep 0.2
  done
}

run_control_plane() {
  # In memory, since etcd waits for the disk at each write.
  run etcd "$etcd" --data-dir /run/etcd --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380 --logger zap --log-level warn
  run kube-apiserver "$kubernetes" kube-apiserver --advertise-address "$node_address" --bind-address "$node_address" --secure-port 6443 \
    --etcd-servers http://127.0.0.1:2379 --service-cluster-ip-range "$service_network" --authorization-mode Node,RBAC \
    --enable-admission-plugins NodeRestriction --allow-privileged --profiling=false \
    --client-ca-file "$pki/authority.crt" --tls-cert-file "$pki/apiserver.crt" --tls-private-key-file "$pki/apiserver.key" \
    --service-account-issuer https://kubernetes.default.svc.cluster.local \
    --service-account-key-file "$pki/accounts.key" --service-account-signing-key-file "$pki/accounts.key" \
    --kubelet-client-certificate "$pki/admin.crt" --kubelet-client-key "$pki/admin.key" --kubelet-preferred-address-types InternalIP \
    --requestheader-client-ca-file "$pki/authority.crt" --requestheader-allowed-names front-proxy \
    --requestheader-username-headers X-Remote-User --requestheader-group-headers X-Remote-Group \
    --requestheader-extra-headers-prefix X-Remote-Extra- \
    --proxy-client-cert-file "$pki/front-proxy.crt" --proxy-client-key-file "$pki/front-proxy.key"
  await kubectl get --raw /readyz
  run kube-controller-manager "$kubernetes" kube-controller-manager --kubeconfig "$pki/controllers.conf" --leader-elect=false \
    --bind-address 127.0.0.1 --use-service-account-credentials --service-account-private-key-file "$pki/accounts.key" \
    --root-ca-file "$pki/authority.crt" --allocate-node-cidrs --cluster-cidr "$pod_network" --node-cidr-mask-size 24 \
    --service-cluster-ip-range "$service_network" --flex-volume-plugin-dir /run/volume-plugins
  run kube-scheduler "$kubernetes" kube-scheduler --kubeconfig "$pki/scheduler.conf" --leader-elect=false --bind-address 127.0.0.1
}

run_node() {
  run containerd containerd --config "$root/deploy/tests/cluster/containerd.toml"
  await ctr --address "$state/containerd.sock" version
  # Those of a cluster that has ended.
  ctr --address "$state/containerd.sock" --namespace k8s.io containers list --quiet \
    | xargs --no-run-if-empty ctr --address "$state/containerd.sock" --namespace k8s.io containers delete || true
  run kubelet "$kubernetes" kubelet --config "$root/deploy/tests/cluster/kubelet.yaml" --kubeconfig "$pki/node.conf" \
    --hostname-override "$node" --node-ip "$node_address" --root-dir "$state/kubelet"
  # Its settings for connection tracking are the whole machine's.
  run kube-proxy "$kubernetes" kube-proxy --kubeconfig "$pki/proxy.conf" --hostname-override "$node" --cluster-cidr "$pod_network" \
    --proxy-mode iptables --conntrack-max-per-core 0 --conntrack-tcp-timeout-established 0 --conntrack-tcp-timeout-close-wait 0
  # It wants to find its node.
  await kubectl get node "$node"
  # Of its three tasks only one: it enforces NetworkPolicies.
  run kube-router "$kube_router" --run-firewall=true --run-router=false --run-service-proxy=false --enable-ipv6=false \
    --kubeconfig "$state/kubeconfig" --hostname-override "$node" --service-cluster-ip-range "$service_network"
  run metrics-server "$metrics_server" --kubeconfig "$state/kubeconfig" --authentication-kubeconfig "$state/kubeconfig" \
    --authorization-kubeconfig "$state/kubeconfig" --secure-port 4443 --cert-dir /run/metrics-server \
    --kubelet-preferred-address-types InternalIP --kubelet-certificate-authority "$pki/authority.crt" --metric-resolution 15s
}

check_running() {
  local process
  for process in "${!names[@]}"; do
    [ -d "/proc/$process" ] || ended "${names[$process]}"
  done
}

ended() {
  echo "$1 has ended; its log, $state/logs/$1.log, ends with:"
  tail -n 5 "$state/logs/$1.log"
  exit 1
}

make_file_systems
pretend_settings
make_network
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
run_control_plane
run_node
# It also reaps the processes that containers leave to it.
wait -n -p process "${!names[@]}" || true
ended "${names[$process]}"
