# shellcheck shell=bash
# Sourced by script/cluster and script/test-cluster: starts and ends a Kubernetes of one node, in namespaces of its own.
#
# /var/lib/grpc-fcgi-proxy-cluster ($state) contains:
#   kubeconfig   the administrator's, with the context grpc-fcgi-proxy
#   bin/kubectl  of the cluster's version
#   logs/        of the node's programs
#   pod-logs/    of the containers
#   node.pid     the process whose end ends the cluster
# shellcheck disable=SC2154 # root, cache and the programs come from setup.sh and cluster-programs.sh

readonly state=/var/lib/grpc-fcgi-proxy-cluster
readonly node=node host_address=198.18.0.1 node_address=198.18.0.2
readonly pod_network=198.18.1.0/24 service_network=198.18.2.0/24
readonly context=grpc-fcgi-proxy
readonly pki=$state/pki
readonly cable=gfp-cluster
readonly cgroup=grpc-fcgi-proxy-cluster

# In the order in which the kernel lists them.
readonly controllers=(cpu cpuacct cpuset memory devices freezer blkio pids systemd)

need_cgroups() {
  local controller
  for controller in "${controllers[@]}"; do
    [ -e "/sys/fs/cgroup/$controller/cgroup.procs" ] \
      || die "needs control groups of version 1, each controller mounted below /sys/fs/cgroup; $controller is not"
  done
}

run_alone() {
  install -d -m 755 "$state"
  take_lock "$state/lock" || die "another script/cluster or script/test-cluster is running; wait until it ends"
}

kubectl() {
  "$state/bin/kubectl" --kubeconfig "$state/kubeconfig" "$@"
}

# node_processes: all processes of the cluster, also of one whose script was killed.
node_processes() {
  find /sys/fs/cgroup/*/"$cgroup" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -un | grep -vx 0 || true
}

# The first process in the namespaces.
node_init() {
  pgrep --parent "$(cat "$state/node.pid")"
}

make_keys() {
  install -d -m 700 "$pki"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$pki/authority.key" -out "$pki/authority.crt" \
    -days 30 -subj /CN=cluster -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null
  make_key apiserver /CN=kube-apiserver "IP:$node_address,IP:${service_network%.*}.1,DNS:kubernetes.default.svc"
  make_key node "/O=system:nodes/CN=system:node:$node" "IP:$node_address,DNS:$node"
  make_key front-proxy /CN=front-proxy
  make_key admin /O=system:masters/CN=admin
  make_key controllers /CN=system:kube-controller-manager
  make_key scheduler /CN=system:kube-scheduler
  make_key proxy /CN=system:kube-proxy
  openssl genpkey -algorithm RSA -out "$pki/accounts.key" 2>/dev/null
  make_kubeconfig admin "$state/kubeconfig"
  make_kubeconfig node "$pki/node.conf"
  make_kubeconfig controllers "$pki/controllers.conf"
  make_kubeconfig scheduler "$pki/scheduler.conf"
  make_kubeconfig proxy "$pki/proxy.conf"
}

# make_key NAME SUBJECT [SAN]
make_key() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$pki/$1.key" -subj "$2" 2>/dev/null \
    | openssl x509 -req -days 30 -CA "$pki/authority.crt" -CAkey "$pki/authority.key" -CAcreateserial -out "$pki/$1.crt" \
      -extfile <(printf '%s\n' "extendedKeyUsage=clientAuth,serverAuth" ${3:+"subjectAltName=$3"}) 2>/dev/null
}

# make_kubeconfig NAME FILE
make_kubeconfig() {
  (
    umask 077
    cat >"$2" <<END_OF_FILE
apiVersion: v1
kind: Config
clusters:
- name: $context
  cluster: {server: "https://$node_address:6443", certificate-authority-data: $(openssl base64 -A -in "$pki/authority.crt")}
users:
- name: $1
  user: {client-certificate-data: $(openssl base64 -A -in "$pki/$1.crt"), client-key-data: $(openssl base64 -A -in "$pki/$1.key")}
contexts:
- name: $context
  context: {cluster: $context, user: $1}
current-context: $context
END_OF_FILE
  )
}

make_kubectl() {
  install -d -m 755 "$state/bin"
  printf '#!/bin/sh\nexec %s kubectl "$@"\n' "$kubernetes" >"$state/bin/kubectl"
  chmod 755 "$state/bin/kubectl"
}

make_cgroups() {
  local controller
  for controller in "${controllers[@]}"; do
    mkdir -p "/sys/fs/cgroup/$controller/$cgroup"
  done
  # A process may join only if these are set.
  for controller in cpus mems; do
    cat "/sys/fs/cgroup/cpuset/cpuset.$controller" >"/sys/fs/cgroup/cpuset/$cgroup/cpuset.$controller"
  done
}

# The namespaces, with cluster-node.sh in them.
start_node() {
  install -d -m 700 "$state/logs"
  make_cgroups
  (
    for controller in "${controllers[@]}"; do
      echo "$BASHPID" >"/sys/fs/cgroup/$controller/$cgroup/cgroup.procs"
    done
    export state root etcd kubernetes kube_router metrics_server node node_address host_address pod_network service_network
    exec setsid unshare --mount --net --pid --cgroup --fork --kill-child --mount-proc "$root/script/lib/cluster-node.sh"
  ) </dev/null >"$state/logs/node.log" 2>&1 9>&- &
  echo $! >"$state/node.pid"
  until node_init >/dev/null; do
    kill -0 "$(cat "$state/node.pid")" 2>/dev/null || die "cannot make namespaces: $(tail -n 3 "$state/logs/node.log")"
    sleep 0.1
  done
  ip link add "$cable" type veth peer name "$node" netns "$(node_init)"
  ip address add "$host_address/30" dev "$cable"
  ip link set "$cable" up
}

# await_node WHAT COMMAND...: waits until the command succeeds.
await_node() {
  local end=$((SECONDS + 180))
  until "${@:2}" >/dev/null 2>&1; do
    kill -0 "$(cat "$state/node.pid")" 2>/dev/null || die "the cluster has ended: $(tail -n 6 "$state/logs/node.log")"
    [ "$SECONDS" -lt "$end" ] || die "$1: not within 180 s; the logs are in $state/logs"
    sleep 0.3
  done
}

# A volume for each claim that comes, since nothing provides them. The folders belong to everyone, as minikube's do.
make_volumes() {
  local number
  for number in 1 2 3; do
    install -d -m 777 "$state/volumes/$number"
    kubectl apply --filename - >/dev/null <<END_OF_FILE
apiVersion: v1
kind: PersistentVolume
metadata: {name: volume-$number}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  storageClassName: standard
  hostPath: {path: $state/volumes/$number}
END_OF_FILE
  done
}

# cluster_up: fails if it is not ready within some minutes.
cluster_up() {
  say "starting the cluster"
  make_keys
  make_kubectl
  start_node
  await_node "the API answers" kubectl get --raw /readyz
  await_node "containerd answers" ctr --address "$state/containerd.sock" version
  import_images
  kubectl apply --filename "$root/deploy/tests/cluster/addons.yaml" >/dev/null
  make_volumes
  await_node "the node is ready" kubectl wait --for condition=Ready "node/$node" --timeout 1s
  await_node "DNS is ready" kubectl --namespace kube-system rollout status deployment/coredns --timeout 1s
  await_node "default has an account" kubectl get serviceaccount default
  await_node "metrics are served" kubectl get --raw /apis/metrics.k8s.io/v1beta1/nodes
}

# cluster_down: ends the cluster, if there is one, and removes what is left of it.
cluster_down() {
  local process end=$((SECONDS + 30)) group
  process=$(cat "$state/node.pid" 2>/dev/null) || process=
  # Another process may have that id since.
  if [ -n "$process" ] && node_processes | grep -qx "$process"; then
    kill -KILL "$process" 2>/dev/null || true
    # Without bash's message about the signal, if this script has started it.
    wait "$process" 2>/dev/null || true
  fi
  while [ -n "$(node_processes)" ]; do
    if [ "$SECONDS" -ge "$end" ]; then
      die "processes of the cluster do not end: $(node_processes | paste -sd ' ')"
    fi
    # Whatever has outlived its first process.
    node_processes | xargs --no-run-if-empty kill -KILL 2>/dev/null || true
    sleep 0.2
  done
  for group in /sys/fs/cgroup/*/"$cgroup"; do
    [ ! -d "$group" ] || find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
  done
  ip link delete "$cable" 2>/dev/null || true
  find "$state" -mindepth 1 -maxdepth 1 ! -name lock -exec rm -rf --one-file-system {} +
}
