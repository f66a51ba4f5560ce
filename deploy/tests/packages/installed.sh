#!/usr/bin/env bash
# The steps of script/test-packages inside the container, in their order there: each is a function.
set -euo pipefail

readonly package=grpc-fcgi-proxy
readonly unit=$package.service
readonly defaults=/etc/default/$package
# Tenths, of 10: systemd's OK ends at 5.
readonly most_exposed=12

fail() {
  printf 'failed: %s\n' "$*" >&2
  exit 1
}

# has TEXT COMMAND...: whether the command prints the text. All of it is read, so that the command does not end by SIGPIPE.
has() {
  "${@:2}" 2>&1 | grep -F -- "$1" >/dev/null || fail "'${*:2}' does not print '$1'"
}

# await COMMAND...: until it succeeds, for up to 30 s.
await() {
  local end=$((SECONDS + 30))
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || fail "'$*' has not succeeded for 30 s"
    sleep 0.1
  done
}

property() {
  systemctl show --property="$1" --value "$unit"
}

is_active() {
  systemctl is-active --quiet "$unit" || fail "the service is $(property ActiveState)"
}

installs() {
  local begin end
  begin=$(date +%s%N)
  # The container has no network: the package needs nothing that a bare Debian 12 lacks.
  apt-get install -y "/packages/${package}_0.0.1_$(dpkg --print-architecture).deb" >/tmp/apt.log 2>&1 || fail "$(tail /tmp/apt.log)"
  end=$(date +%s%N)
  echo "installed in $(((end - begin) / 1000000)) ms, $(dpkg-query -W -f '${Installed-Size}' "$package") KiB"
  dpkg --verify "$package"
  has "grpc-fcgi-proxy 0." grpc-fcgi-proxy --version
  # shellcheck disable=SC2016 # for dpkg-query
  has "$defaults" dpkg-query -W -f '${Conffiles}' "$package"
  has "$package" getent passwd "$package"
  [ "$(systemctl is-enabled "$unit" 2>&1)" = disabled ] || fail "the service is $(systemctl is-enabled "$unit" 2>&1)"
  [ "$(property ActiveState)" = inactive ] || fail "the service runs without configuration"
}

is_documented() {
  local score
  has GRPC_FCGI_PROXY_DRAIN_TIMEOUT man "$package"
  has "grpc-fcgi-proxy(1)" man "$package-check"
  has "grpc-fcgi-proxy(1)" man "$package-health"
  # A crate, and the texts of two licences.
  has "tokio 1." zcat "/usr/share/doc/$package/third-party-licenses.txt.gz"
  has "Permission is hereby granted" zcat "/usr/share/doc/$package/third-party-licenses.txt.gz"
  has "Apache License" zcat "/usr/share/doc/$package/third-party-licenses.txt.gz"
  completes
  zsh -n /usr/share/zsh/vendor-completions/_grpc-fcgi-proxy
  fish --no-execute /usr/share/fish/vendor_completions.d/grpc-fcgi-proxy.fish
  systemd-analyze verify "/lib/systemd/system/$unit"
  systemd-analyze security --threshold="$most_exposed" --offline=true "/lib/systemd/system/$unit" >/tmp/security \
    || fail "$(cat /tmp/security)"
  score=$(sed -n 's/.*exposure level.*: \([0-9.]*\) .*/\1/p' /tmp/security)
  echo "systemd-analyze security: $score"
}

# The function that the shell calls on Tab.
completes() {
  # shellcheck disable=SC1090 # the package's
  source "/usr/share/bash-completion/completions/$package"
  COMP_WORDS=("$package" --drain) COMP_CWORD=1
  "$(complete -p "$package" | sed -E 's/.*-F ([^ ]+).*/\1/')" "$package" --drain "$package" 2>/dev/null || true
  [ "${COMPREPLY[*]}" = --drain-timeout ] || fail "bash completes --drain to '${COMPREPLY[*]}'"
}

refuses_to_serve_without_an_entry_script() {
  ! systemctl start "$unit" 2>/dev/null || fail "the service starts without an entry script"
  has "<ENTRY_SCRIPT>" journalctl --unit "$unit"
  # It must not be started again and again.
  [ "$(property ActiveState)" = failed ] || fail "the service is $(property ActiveState)"
}

serves() {
  cp "/usr/share/doc/$package/examples/php-fpm-pool.conf" /etc/php/8.2/fpm/pool.d/grpc.conf
  sed -i 's/^;process_control_timeout = 0$/;&\nprocess_control_timeout = 20s/' /etc/php/8.2/fpm/php-fpm.conf
  systemctl reload php8.2-fpm
  await test -S /run/php/grpc.sock
  cat >>"$defaults" <<'END'
GRPC_FCGI_PROXY_ENTRY_SCRIPT=/srv/php/parcels/index.php
GRPC_FCGI_PROXY_FASTCGI=unix:///run/php/grpc.sock
GRPC_FCGI_PROXY_PING_PATH=/ping
GRPC_FCGI_PROXY_STATUS_PATH=/status
GRPC_FCGI_PROXY_REQUIRE_STATUS=true
END
  systemctl enable --now "$unit" 2>/dev/null
  # systemctl returns once the service is ready, so both ports are bound.
  is_active
  has OK php /tests/healthz.php
  # With the service's flags, as its user.
  set -a
  # shellcheck disable=SC1090 # the package's
  source "$defaults"
  runuser --user "$package" -- "$package" check >/tmp/check || fail "check: $(cat /tmp/check)"
}

reloads() {
  local process
  process=$(property MainPID)
  systemctl reload "$unit"
  is_active
  [ "$(property MainPID)" = "$process" ] || fail "a reload has replaced the process"
}

restarts_when_it_hangs() {
  local drop_in=/run/systemd/system/$unit.d
  mkdir -p "$drop_in"
  printf '[Service]\nWatchdogSec=2s\n' >"$drop_in/watchdog.conf"
  systemctl daemon-reload
  systemctl restart "$unit"
  # Twice the watchdog's time: the proxy feeds it.
  sleep 4
  [ "$(property NRestarts)" = 0 ] || fail "the watchdog has ended a healthy proxy"
  kill -STOP "$(property MainPID)"
  await has_restarted
  await systemctl is-active --quiet "$unit"
  rm -r "$drop_in"
  systemctl daemon-reload
  systemctl restart "$unit"
}

has_restarted() {
  [ "$(property NRestarts)" = 1 ]
}

# The manual's lines for one.
serves_on_a_low_port() {
  local drop_in=/run/systemd/system/$unit.d
  mkdir -p "$drop_in"
  cat >"$drop_in/port.conf" <<'END'
[Service]
AmbientCapabilities=CAP_NET_BIND_SERVICE
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
PrivateUsers=no
Environment=GRPC_FCGI_PROXY_AUX_ADDRESS=127.0.0.1:443
END
  systemctl daemon-reload
  systemctl restart "$unit"
  has OK php /tests/healthz.php 443
  rm -r "$drop_in"
  systemctl daemon-reload
  systemctl restart "$unit"
}

serves_with_resident_workers() {
  echo GRPC_FCGI_PROXY_RESIDENT_WORKERS=2 >>"$defaults"
  echo GRPC_FCGI_PROXY_DESCRIPTOR_SET=/packages/parcel.binpb >>"$defaults"
  systemctl restart "$unit"
  await resident_workers_are_ready
}

resident_workers_are_ready() {
  php /tests/healthz.php 2>/dev/null | grep '^resident_workers{.*state="ready".* 2$' >/dev/null
}

updates() {
  local process
  process=$(property MainPID)
  apt-get install -y "/packages/${package}_0.0.2_$(dpkg --print-architecture).deb" >/tmp/apt.log 2>&1 || fail "$(tail /tmp/apt.log)"
  is_active
  [ "$(property MainPID)" != "$process" ] || fail "the update has not restarted the service"
  has ENTRY_SCRIPT=/srv/php grep -v '^#' "$defaults"
  [ ! -e "$defaults.dpkg-dist" ] || fail "the update asks about $defaults though it is the same in both versions"
}

is_removed() {
  apt-get remove -y "$package" >/dev/null 2>&1
  ! command -v "$package" >/dev/null || fail "the program is still there"
  ! systemctl is-active --quiet "$unit" || fail "the service still runs"
  [ -e "$defaults" ] || fail "remove has deleted the configuration"
  apt-get purge -y "$package" >/dev/null 2>&1
  [ ! -e "$defaults" ] || fail "purge has left the configuration"
  [ -z "$(find /etc /var/lib /run /usr /lib -xdev -path '*grpc-fcgi-proxy*' -not -path /var/lib/private)" ] \
    || fail "purge has left $(find /etc /var/lib /run /usr /lib -xdev -path '*grpc-fcgi-proxy*')"
}

"$1"
