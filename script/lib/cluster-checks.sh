# shellcheck shell=bash
# Sourced by script/test-cluster: the tests in the cluster. Those in deploy/tests/mesh are run by test_mesh.
# shellcheck disable=SC2154 # root, state and context come from setup.sh and cluster.sh

readonly mesh_files=$state/mesh
# Prometheus scrapes every 10 s, and a rate needs two scrapes; the kubelet updates a Secret within a minute.
readonly patience=120
readonly production=grpc-fcgi-proxy
readonly balancer=198.18.3.1

check_everything() {
  install -d -m 700 "$mesh_files"
  # As docs/operations.md advises.
  kubectl label namespace default pod-security.kubernetes.io/enforce=restricted >/dev/null
  check_deploy
  start_stranger
  describe_pods
  # From outside, by the NodePorts.
  test_mesh "$mesh_files" "$patience" report::both_paths
  test_mesh "$mesh_files" "$patience" rest::users rest::items rest::orders keys::every_operation keys::a_key_that
  enter_node
  test_mesh "$mesh_files" "$patience" identity:: metrics:: cluster::network report::the_report_includes
  check_observability
  check_renewal
  test_mesh "$mesh_files" "$patience" cluster::a_crash cluster::a_rollout cluster::deleting
  check_load
  check_key
  check_broken_image
  check_production
  check_removal
}

fetch() {
  curl --silent --show-error --fail --noproxy '*' --max-time 10 "$@"
}

# eventually CONDITION COMMAND...: waits until the command succeeds.
eventually() {
  local condition=$1 end=$((SECONDS + patience))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || die "$condition: not within $patience s"
    sleep 1
  done
  say "ok: $condition"
}

deploy() {
  "$root/script/deploy" --context "$context" --certs "$state/certs" "$@"
}

# The tests then run in the node's network, from which pods can be reached whatever the policies say.
enter_node() {
  mesh_enter=(nsenter --target "$(node_init)" --net)
}

check_deploy() {
  local start=$SECONDS
  say "deploying the overlay minikube"
  deploy >"$mesh_files/urls" 2>"$mesh_files/deploy.log" || die "script/deploy failed: $(cat "$mesh_files/deploy.log")"
  ! grep -i warning "$mesh_files/deploy.log" >&2 || die "script/deploy warns"
  sed -nE 's#^ingress +(http://[^ ]+).*#\1/index#p' "$mesh_files/urls" >"$mesh_files/ready"
  sed -nE 's#^(prometheus|jaeger)[a-z-]* +(http://[^ ]+).*#\1\t\2#p' "$mesh_files/urls" >"$mesh_files/observers.tsv"
  ln -sfn "$state/certs" "$mesh_files/certs"
  kubectl get secret ingress-key --output 'jsonpath={.data.key}' | base64 --decode >"$mesh_files/key"
  grep -qF "$(cat "$mesh_files/key")" "$mesh_files/deploy.log" || die "script/deploy does not print the key"
  say "ok: ready after $((SECONDS - start)) s"
  need_unchanged
}

# need_unchanged [FLAG]...: another deployment changes nothing. Its output is in urls.
need_unchanged() {
  local changed
  deploy "$@" >"$mesh_files/urls" 2>"$mesh_files/deploy.log" || die "the second script/deploy failed: $(cat "$mesh_files/deploy.log")"
  changed=$(grep -E ' (created|configured|deleted|serverside-applied)$' "$mesh_files/deploy.log" || true)
  [ -z "$changed" ] || die "a second script/deploy changes objects: $changed"
  ! grep -q 'a key for clients' "$mesh_files/deploy.log" || die "a second script/deploy makes a key again"
  grep -q ' unchanged$' "$mesh_files/deploy.log" || die "a second script/deploy applies nothing"
  say "ok: a second script/deploy changes nothing"
}

# A pod that no policy selects.
start_stranger() {
  kubectl apply --filename - >/dev/null <<END
apiVersion: v1
kind: Pod
metadata: {name: stranger, labels: {app: stranger}}
spec:
  automountServiceAccountToken: false
  securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: stranger
    image: $sandbox_image
    imagePullPolicy: Never
    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
END
  kubectl wait --for condition=Ready pod/stranger --timeout 60s >/dev/null
}

# For the tests of the mesh: the pods as they are now.
describe_pods() {
  local app uid address number process
  local -A numbers=()
  while IFS=$'\t' read -r app uid address; do
    number=$((${numbers[$app]:-0} + 1))
    numbers[$app]=$number
    process=$(find "/sys/fs/cgroup/memory/$cgroup" -path "*pod$uid*" -name cgroup.procs -exec sort -n {} + | sed -n 1p)
    printf '%s\t%s\t%s\t%s\n' "$app-$number" "$app" "/proc/$process/ns/net" "$address"
  done < <(kubectl get pods --output json | jq --raw-output \
    '.items[] | select(.metadata.deletionTimestamp == null) | [.metadata.labels.app, .metadata.uid, .status.podIP] | @tsv') \
    >"$mesh_files/pods.tsv"
}

check_observability() {
  local program app logs=()
  test_mesh "$mesh_files" "$patience" observability:: cluster::every_panel --skip dashboard_has_data
  for program in ingress/envoy frontend/frontend user/user order/order item/grpc-fcgi-proxy; do
    app=${program%/*}
    install -d "$mesh_files/pods/$app-1"
    start kubectl logs --follow --since 1s "deployment/$app" --container "${program#*/}" >"$mesh_files/pods/$app-1/${program#*/}.log"
    logs+=("$started")
  done
  test_mesh "$mesh_files" "$patience" logs::
  for program in "${logs[@]}"; do
    stop "$program" || true
  done
}

serial() {
  openssl x509 -noout -serial
}

# The serial number of the certificate that item's Envoy presents to order.
presented_serial() {
  local certs=$state/certs/order
  "${mesh_enter[@]}" openssl s_client -connect "$(item '{.items[0].status.podIP}'):8080" -servername item \
    -cert "$certs/tls.crt" -key "$certs/tls.key" -CAfile "$certs/ca.crt" </dev/null 2>/dev/null | serial
}

# item TEMPLATE: of its pods.
item() {
  kubectl get pods --selector app=item --output "jsonpath=$1"
}

presents_renewed() {
  [ "$(presented_serial)" = "$(serial <"$state/certs/item/tls.crt")" ]
}

check_renewal() {
  local template='{.items[*].metadata.uid} {.items[*].status.initContainerStatuses[*].restartCount}' before old
  before=$(item "$template")
  old=$(presented_serial)
  presents_renewed || die "item presents another certificate than its own"
  rm "$state/certs/item/tls.crt"
  deploy >/dev/null 2>"$mesh_files/deploy.log" || die "script/deploy failed: $(cat "$mesh_files/deploy.log")"
  eventually "item presents its renewed certificate" presents_renewed
  [ "$(presented_serial)" != "$old" ] || die "the certificate is not new"
  [ "$(item "$template")" = "$before" ] || die "item's pod or its Envoy was restarted: $(item "$template"), before: $before"
}

report() {
  fetch "$(cat "$mesh_files/ready")"
}

is_expected() {
  diff <(jq --sort-keys . "$root/deploy/tests/mesh/report.json") <(report | jq --sort-keys .) >/dev/null 2>&1
}

# As docs/sample-application.md says. Off again, so that it changes nothing for the checks that follow.
check_load() {
  local log=$mesh_files/load.log follower
  say "loading the shop"
  kubectl scale deployment load --replicas 1 >/dev/null
  kubectl rollout status deployment load --timeout "${patience}s" >/dev/null || die "the load is not ready: $(kubectl logs deployment/load 2>&1)"
  start kubectl logs --follow deployment/load >"$log" 2>&1
  follower=$started
  eventually "the load makes calls" has_loaded "$log"
  kubectl scale deployment load --replicas 0 >/dev/null
  kubectl wait pod --selector app=load --for delete --timeout "${patience}s" >/dev/null || die "the load does not end"
  # It ends with the pod.
  eventually "the load removes what it has created" grep -qE '^removed [1-9][0-9]* users and orders of the load$' "$log"
  stop "$follower" || true
  ! grep -E '^failed: |^warning: ' "$log" >&2 || die "requests of the load failed: $(cat "$log")"
  eventually "the report is as it was" is_expected
}

# has_loaded LOG: whether its line of a minute counts a request.
has_loaded() {
  grep -qE '^ *[0-9]+ s  .*  ok [1-9]' "$1"
}

# The commands of docs/operations.md, in the namespace that it has a placeholder for.
check_key() {
  local folder key
  new_folder folder
  sed -n '/^    umask 077$/,/^    rm keys.yaml patch.json$/s/^    //p' "$root/docs/operations.md" >"$folder/commands"
  grep -q '^kubectl ' "$folder/commands" || die "docs/operations.md has no commands that add a key"
  sed -i -e 's/NAMESPACE/default/' -e "s/^rm keys.yaml/cp keys.yaml kept.yaml\n&/" "$folder/commands"
  (cd "$folder" && bash -e commands >/dev/null) || die "the commands of docs/operations.md do not add a key"
  key=$(sed -nE 's/^ *- \{client: second, key: "([0-9a-f]{64})"\}$/\1/p' "$folder/kept.yaml")
  [ -n "$key" ] || die "the commands of docs/operations.md write another list: $(sed -E 's/[0-9a-f]{64}/KEY/' "$folder/kept.yaml")"
  eventually "the ingress accepts the second key" accepts "$key"
  accepts "$(cat "$mesh_files/key")" || die "the ingress accepts the first key no longer"
}

# accepts KEY: by a write that changes nothing.
accepts() {
  [ "$(fetch_status --request DELETE --header "x-api-key: $1" "$(sed 's#/index$##' "$mesh_files/ready")/v1/users/nobody")" = 404 ]
}

fetch_status() {
  curl --silent --output /dev/null --write-out '%{http_code}' --noproxy '*' --max-time 10 "$@"
}

check_broken_image() {
  say "deploying images that do not exist"
  if deploy --tag broken --timeout 20 >/dev/null 2>"$mesh_files/deploy.log"; then
    die "script/deploy accepts an image that does not exist"
  fi
  # First of all, before the events of the pods.
  sed '/^events of/,$d' "$mesh_files/deploy.log" | grep -qE "^image $image_prefix/[a-z-]+:broken of pod [a-z0-9-]+ is missing in the cluster" \
    || die "script/deploy does not say that an image is missing: $(cat "$mesh_files/deploy.log")"
  is_expected || die "a missing image stops the old pods"
  deploy >/dev/null 2>"$mesh_files/deploy.log" || die "script/deploy does not mend it: $(cat "$mesh_files/deploy.log")"
  say "ok: a missing image ends script/deploy, and not the application"
}

check_production() {
  say "deploying the overlay production"
  prepare_production
  deploy --overlay production >"$mesh_files/urls" 2>"$mesh_files/deploy.log" \
    || die "script/deploy failed: $(cat "$mesh_files/deploy.log")"
  if [ -s "$mesh_files/urls" ] || ! grep -q 'no address yet' "$mesh_files/deploy.log"; then
    die "script/deploy does not say that the load balancer has no address: $(cat "$mesh_files/urls")"
  fi
  # As a cloud does.
  kubectl --namespace "$production" patch service ingress --subresource status --type merge \
    --patch "{\"status\": {\"loadBalancer\": {\"ingress\": [{\"ip\": \"$balancer\"}]}}}" >/dev/null
  need_unchanged --overlay production
  [ "$(cat "$mesh_files/urls")" = "ingress: http://$balancer:8080/index" ] \
    || die "script/deploy does not print the load balancer's address: $(cat "$mesh_files/urls")"
  echo "http://$balancer:8080/index" >"$mesh_files/ready"
  ip route replace "$balancer/32" via "$node_address"
  eventually "the load balancer returns the report" is_expected
  kubectl config set-context --current --namespace "$production" >/dev/null
  test_mesh "$mesh_files" "$patience" cluster::of_two_pods
  test_mesh "$mesh_files" "$patience" cluster::autoscalers
  kubectl config set-context --current --namespace default >/dev/null
  deploy --overlay production --delete >"$mesh_files/deploy.log" 2>&1 || die "script/deploy failed: $(cat "$mesh_files/deploy.log")"
  need_removed "$production"
}

# The namespace, and Secrets with the databases of the other overlay, whose policy must allow it.
prepare_production() {
  local app key
  kubectl create namespace "$production" >/dev/null
  kubectl label namespace "$production" pod-security.kubernetes.io/enforce=restricted >/dev/null
  for app in user order item; do
    install -d "$mesh_files/databases/$app"
    for key in url dsn user password; do
      kubectl get secret "$app-database" --output "jsonpath={.data.$key}" | base64 --decode \
        | sed 's/@postgresql:/@postgresql.default:/; s/host=postgresql;/host=postgresql.default;/' >"$mesh_files/databases/$app/$key"
    done
    kubectl --namespace "$production" create secret generic "$app-database" --from-file "$mesh_files/databases/$app" >/dev/null
  done
  kubectl apply --filename - >/dev/null <<END
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: production}
spec:
  podSelector: {matchLabels: {app: postgresql}}
  ingress:
  - from:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: $production}}
END
}

# need_removed NAMESPACE: nothing of the application is left there, no pod that ends either.
need_removed() {
  local left
  left=$(kubectl --namespace "$1" get all,networkpolicy,poddisruptionbudget,horizontalpodautoscaler,configmap,secret,serviceaccount,role,rolebinding,persistentvolumeclaim \
    --selector app.kubernetes.io/part-of=grpc-fcgi-proxy --output name)
  [ -z "$left" ] || die "script/deploy --delete leaves in $1: $left"
  say "ok: script/deploy --delete leaves nothing in $1"
}

check_removal() {
  deploy --delete >"$mesh_files/deploy.log" 2>&1 || die "script/deploy failed: $(cat "$mesh_files/deploy.log")"
  need_removed default
}
