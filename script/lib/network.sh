# shellcheck shell=bash
# Sourced by script/run: a network namespace for each pod, connected by a bridge.

# 198.18.0.0/15 is reserved for tests between devices (RFC 2544), so no LAN, VPN or container network uses it. Proxies with
# made-up DNS answers use its lower end, so this is its upper end.
readonly subnet=198.19.255
readonly machine_address=$subnet.1
# Every namespace and interface of script/run has a name with this prefix.
readonly prefix=gfp-
# The bridge is in a namespace of its own, where the machine's firewall (Docker's, say) does not filter what it forwards.
readonly switch=${prefix}switch
readonly uplink=${prefix}uplink

# Without ip, which may not be installed yet.
namespaces() {
  find /run/netns -maxdepth 1 -name "$prefix*" -printf '%f\n' 2>/dev/null || true
}

network_up() {
  ip netns add "$switch" || die "cannot create a network namespace: root in a container may lack the capabilities"
  ip -n "$switch" link add bridge0 type bridge
  ip -n "$switch" link set bridge0 up
  # Connects the machine to the bridge, for curl and the tests.
  ip link add "$uplink" type veth peer name machine netns "$switch"
  ip -n "$switch" link set machine master bridge0 up
  ip address add "$machine_address/24" dev "$uplink"
  ip link set "$uplink" up
}

# add_namespace POD ADDRESS
add_namespace() {
  local namespace=$prefix$1
  ip netns add "$namespace"
  ip -n "$namespace" link add eth0 type veth peer name "$1" netns "$switch"
  ip -n "$switch" link set "$1" master bridge0 up
  ip -n "$namespace" address add "$2/24" dev eth0
  ip -n "$namespace" link set eth0 up
  ip -n "$namespace" link set lo up
}

# After the programs in them have ended: a namespace exists until then.
network_down() {
  local namespace
  ip link delete "$uplink" 2>/dev/null || true
  for namespace in $(namespaces); do
    ip netns delete "$namespace" || true
  done
}
