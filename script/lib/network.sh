# shellcheck shell=bash
# Sourced by script/run: a network namespace for each pod, joined by a bridge.

# 198.18.0.0/15 is set aside for tests between devices (RFC 2544): no LAN, VPN or container network has it. Its upper
# end, since proxies with made-up DNS answers take the lower one.
readonly subnet=198.19.255
readonly machine_address=$subnet.1
# Begins the name of every namespace and interface that is ours.
readonly prefix=gfp-
# The bridge lives in a namespace of its own, where the machine's firewall (Docker's, say) does not see what it forwards.
readonly switch=${prefix}switch
readonly uplink=${prefix}uplink

# Asked before ip is installed, too.
namespaces() {
  find /run/netns -maxdepth 1 -name "$prefix*" -printf '%f\n' 2>/dev/null || true
}

network_up() {
  ip netns add "$switch" || die "cannot make a network namespace; it takes root with all its rights, which a container may lack"
  ip -n "$switch" link add bridge0 type bridge
  ip -n "$switch" link set bridge0 up
  # The machine is on the bridge too: curl and the tests come in from there.
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

# Only after the programs in them have ended: a namespace lives as long as they do.
network_down() {
  local namespace
  ip link delete "$uplink" 2>/dev/null || true
  for namespace in $(namespaces); do
    ip netns delete "$namespace" || true
  done
}
