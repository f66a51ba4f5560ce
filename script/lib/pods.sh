# shellcheck shell=bash
# Sourced by script/run: the pods, and the files of each: those that Kubernetes would mount, and a script for each program
# that starts it.
# shellcheck disable=SC2154 # the folders, subnet, prefix, replicas, resident_workers and envoy come from script/run and its other
# parts

# In the order in which they become ready.
readonly apps=(item user order frontend ingress)
# No user of the machine has this id; it is that of Google's distroless images.
readonly pod_user=65532
# pm.max_children in php/item/php-fpm.conf.
readonly item_workers=8
pods=()
declare -A app_of=() address_of=()

plan_pods() {
  local app number pod next=10
  for app in "${apps[@]}"; do
    for ((number = 1; number <= ${replicas[$app]}; number++)); do
      pod=$app-$number
      pods+=("$pod")
      app_of[$pod]=$app
      address_of[$pod]=$subnet.$((next++))
    done
  done
  rm -rf "$state/pods"
  install -d -m 755 "$state/pods"
  for pod in "${pods[@]}"; do
    printf '%s\t%s\t%s\t%s\n' "$pod" "${app_of[$pod]}" "$prefix$pod" "${address_of[$pod]}"
  done >"$state/pods.tsv"
}

# hosts APP: as a headless Service in the DNS, an app's name resolves to the addresses of all its pods.
hosts() {
  local pod
  echo 127.0.0.1 localhost
  [ -z "${address_of[jaeger]:-}" ] || echo "${address_of[jaeger]} jaeger-collector"
  [ -z "${address_of[prometheus]:-}" ] || echo "${address_of[prometheus]} prometheus"
  [ -z "${password_of[$1]:-}" ] || echo "${address_of[postgresql]} postgresql"
  for pod in "${pods[@]}"; do
    echo "${address_of[$pod]} ${app_of[$pod]} $pod"
  done
}

# ip netns exec mounts the files and folders in /etc/netns/NAMESPACE over those of /etc, which must exist, for the program that
# it starts.
make_mount_points() {
  local point
  for point in /etc/envoy /etc/certs /etc/keys; do
    [ -d "$point" ] || { mkdir "$point" && echo "$point" >>"$state/mount-points"; }
  done
  mkdir -p /etc/netns
}

remove_mounts() {
  local link point
  for link in /etc/netns/"$prefix"*; do
    [ ! -L "$link" ] || rm -f "$link"
  done
  rmdir /etc/netns 2>/dev/null || true
  [ -e "$state/mount-points" ] || return 0
  while read -r point; do
    rmdir "$point" 2>/dev/null || true
  done <"$state/mount-points"
  rm -f "$state/mount-points"
}

# make_pod POD: its folder, with etc/ as its programs see it.
make_pod() {
  local pod=$1 app=${app_of[$1]} home=$state/pods/$1
  install -d -m 755 "$home" "$home/etc" "$home/etc/envoy"
  hosts "$app" >"$home/etc/hosts"
  install -m 644 "$image/envoy/$app"/* "$image"/envoy/{certificate,authority}.yaml "$home/etc/envoy/"
  mount_secret "$state/certs/$app" "$home/etc/certs"
  ln -sfn "$home/etc" "/etc/netns/$prefix$pod"
  add_namespace "$pod" "${address_of[$pod]}"
  "programs_of_$app" "$pod"
  # One thread: the sidecars of all pods share this machine.
  write_start "$pod" envoy "$prefix$pod" "$envoy" -c /etc/envoy/envoy.yaml --concurrency 1 --use-dynamic-base-id --log-level warning
}

# mount_secret FOLDER PLACE: as Kubernetes mounts a Secret: all files change at once, by a rename of ..data. Envoy requires
# this: it rejects a certificate whose key has not changed yet.
mount_secret() {
  local version file
  install -d -m 755 "$2"
  version=$(mktemp -d "$2/..XXXXXX")
  chmod 755 "$version"
  install -m 400 -o "$pod_user" "$1"/* "$version/"
  ln -s "$(basename "$version")" "$2/..new"
  mv -T "$2/..new" "$2/..data"
  for file in "$1"/*; do
    ln -sf "..data/$(basename "$file")" "$2/"
  done
}

# None but Envoy, which has the clients' keys.
programs_of_ingress() {
  mount_secret "$state/keys" "$state/pods/$1/etc/keys"
}

programs_of_frontend() {
  write_start "$1" frontend "$prefix$1" "$image/bin/frontend" --address 127.0.0.1:9090 --endpoint 127.0.0.1:7070
}

programs_of_user() {
  database_environment user | write_environment "$1" user
  write_start "$1" user "$prefix$1" "$image/bin/user" --address 127.0.0.1:9090 --aux-address 127.0.0.1:11111 --sample-data
}

programs_of_order() {
  database_environment order | write_environment "$1" order
  write_start "$1" order "$prefix$1" "$image/bin/order" --address 127.0.0.1:9090 --aux-address 127.0.0.1:11111 \
    --sample-data --endpoint 127.0.0.1:7070
}

# The flags of deploy/kubernetes/base/item.yaml, which explains them; the volume that the proxy and php-fpm share is a folder
# of the pod. Lookups are short streaming calls: they may wait for a worker, though not as long as Envoy waits for the response
# to begin.
programs_of_item() {
  local workers
  workers_of_item "$1"
  { database_environment item && echo ITEM_CALL_LOG=1; } | write_environment "$1" php-fpm
  write_start "$1" php-fpm "$prefix$1" php-fpm8.2 --nodaemonize --force-stderr --fpm-config "$image/php/item/php-fpm.conf" \
    --define "opcache.preload=$image/php/item/preload.php"
  write_start "$1" grpc-fcgi-proxy "$prefix$1" "$image/bin/grpc-fcgi-proxy" --address 127.0.0.1:9090 \
    --aux-address 127.0.0.1:11111 --fastcgi tcp://127.0.0.1:9000 "${workers[@]}" --max-stream-wait 1s --connection-share 100 \
    --max-calls 4096 --rest \
    --status-path /status --status-fastcgi tcp://127.0.0.1:9001 \
    --aux-path "/healthz=$image/php/item/healthz.php" --descriptor-set "$image/php/generated/descriptor-set.binpb" \
    "$image/php/item/index.php"
}

# workers_of_item POD: sets $workers to the proxy's flags that share out php-fpm's workers. Each flag with its value is one word,
# so that a test can leave out a flag.
workers_of_item() {
  local folder=$state/pods/$1/run
  if [ "$resident_workers" -eq 0 ]; then
    # Streaming calls may use all workers but one, which is reserved for unary calls.
    workers=(--max-exchanges="$item_workers" --max-streams="$((item_workers - 1))")
    return
  fi
  install -d -m 755 -o "$pod_user" "$folder"
  # One more is left for the successor of a resident worker.
  workers=(--resident-workers="$resident_workers" --resident-address="unix://$folder/workers.sock"
    --resident-max-memory=67108864 --resident-max-calls=100000 --max-exchanges="$((item_workers - resident_workers - 1))")
}

# Forwards the machine's localhost:PORT to the ingress.
make_localhost() {
  install -d -m 755 "$state/pods/localhost"
  write_start localhost socat "" socat "TCP-LISTEN:$port,bind=127.0.0.1,reuseaddr,fork,backlog=1024,max-children=2000" \
    "TCP:${address_of[ingress-1]}:8080,nodelay"
}

# write_environment POD PROGRAM: from stdin, the variables with which write_start starts the program, a NAME=VALUE in each line. They
# may be secrets, which a command line would show to every user.
write_environment() {
  local name value
  while IFS='=' read -r name value; do
    printf 'export %s=%q\n' "$name" "$value"
  done | write_secret "$state/pods/$1/$2.environment"
}

# write_secret FILE: from stdin, for root only. Replaces what the file is, even a symbolic link.
write_secret() {
  local fresh
  fresh=$(mktemp "$1.XXXXXX")
  cat >"$fresh"
  mv -T "$fresh" "$1"
}

# write_start POD PROGRAM NAMESPACE COMMAND...: the script that starts the program in the foreground, without the caller's
# environment. The script's process becomes the program's, so its id is known in advance.
write_start() {
  local home=$state/pods/$1 program=$2 enter=()
  [ -z "$3" ] || enter=(ip netns exec "$3")
  cat >"$home/$program.start" <<END
#!/usr/bin/env -S -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 /bin/bash
# Starts $program of $1 in the foreground. Its process id is written to $program.pid, its output to $program.log.
cd $home || exit
exec >>$program.log 2>&1 </dev/null
# Leftovers of its last start, such as the workers of a killed master, end as they would with their container. Each process of
# PostgreSQL has a session of its own.
last=\$(cat $program.pid 2>/dev/null)
for pid in \$(${3:+ip netns pids $3}); do
  read -r _ name _ _ _ session _ <"/proc/\$pid/stat" && [[ \$session = "\$last" || \$name = "(postgres)" ]] && kill -KILL "\$pid"
done
echo \$\$ >$program.pid
[ ! -e $program.environment ] || . ./$program.environment
cd /
exec $(printf '%q ' "${enter[@]}" \
    setpriv --reuid "$pod_user" --regid "$pod_user" --clear-groups --no-new-privs --bounding-set=-all "${@:4}")
END
  chmod 755 "$home/$program.start"
}
