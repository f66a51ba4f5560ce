# shellcheck shell=bash
# Sourced by script/deploy: why pods are not ready.
# shellcheck disable=SC2154 # ours comes from script/deploy

# A line for each pod that is not ready, but is not being deleted, and one for each of its containers that is not ready:
#   pod|POD|why it is not scheduled
#   container|CONTAINER|IMAGE|state|reason|exit status of the last run|message
# shellcheck disable=SC2016 # the template's own variables
readonly states_template='
{{- define "container"}}{{if not .ready}}container|{{.name}}|{{.image}}|
{{- with .state.waiting}}waiting|{{.reason}}|{{end -}}
{{- with .state.running}}running||{{end -}}
{{- with .state.terminated}}terminated|{{.reason}}|{{end -}}
{{- if .state.terminated}}{{.state.terminated.exitCode}}{{else}}{{with .lastState.terminated}}{{.exitCode}}{{end}}{{end -}}
|{{with .state.waiting}}{{with .message}}{{printf "%q" .}}{{end}}{{end}}
{{end}}{{end -}}
{{- range .items}}{{$ready := false}}{{$unscheduled := ""}}
{{- range .status.conditions}}
{{- if and (eq .type "Ready") (eq .status "True")}}{{$ready = true}}{{end}}
{{- if and (eq .type "PodScheduled") (eq .status "False")}}{{$unscheduled = printf "%q" .message}}{{end}}
{{- end}}
{{- if not (or $ready .metadata.deletionTimestamp (eq .status.phase "Failed" "Succeeded"))}}pod|{{.metadata.name}}|{{$unscheduled}}
{{range .status.initContainerStatuses}}{{template "container" .}}{{end}}
{{- range .status.containerStatuses}}{{template "container" .}}{{end}}
{{- end}}{{end}}'

pod_states() {
  kube get pods --selector "$ours" --output go-template="$states_template" | grep -E '^(pod|container)\|' || true
}

# plain QUOTED: on one line, as the template has quoted it.
plain() {
  local text=$1
  [ -z "$text" ] || text=${text:1:-1}
  text=${text//\\\"/\"}
  echo "${text//\\n/ }"
}

# what_is_wrong POD CONTAINER IMAGE STATE REASON STATUS MESSAGE: $weight is the larger the closer to the cause: the containers
# behind one that does not start only wait for it.
what_is_wrong() {
  local message
  message=${7:+: $(plain "$7")}
  case $4/$5 in
    */ErrImageNeverPull) weight=5 line="image $3 of pod $1 is missing in the cluster: run script/build" ;;
    */ErrImagePull | */ImagePullBackOff | */*Image*) weight=5 line="image $3 of pod $1 cannot be pulled$message" ;;
    */CreateContainer*Error | */RunContainerError) weight=4 line="container $2 of pod $1 cannot be started$message" ;;
    */CrashLoopBackOff | terminated/*) weight=3 line="container $2 of pod $1 ends with status ${6:-0}, again and again" ;;
    running/*) weight=2 line="container $2 of pod $1 runs, but is not ready" ;;
    *) weight=1 line="container $2 of pod $1 has not been started yet" ;;
  esac
}

# summary: prints a line for each pod of the states on stdin.
summary() {
  local kind name image state reason status message pod="" best=0 worst="" weight line
  while IFS='|' read -r kind name image state reason status message; do
    if [ "$kind" = pod ]; then
      [ -z "$pod" ] || echo "$worst"
      pod=$name best=0 worst="pod $name has not been started yet"
      [ -z "$image" ] || worst="pod $name is not scheduled: $(plain "$image")"
      continue
    fi
    what_is_wrong "$pod" "$name" "$image" "$state" "$reason" "$status" "$message"
    [ "$weight" -le "$best" ] || best=$weight worst=$line
  done
  [ -z "$pod" ] || echo "$worst"
}

# images_missing: whether a pod waits for an image that nothing will pull.
images_missing() {
  grep -q '^container|.*|ErrImageNeverPull|' <<<"$(pod_states)"
}

# log_of POD CONTAINER [--previous]
log_of() {
  say "the end of the log of $2 of $1${3:+, of its run before}:"
  kube logs "$1" --container "$2" --tail 8 "${@:3}" 2>&1 | sed 's/^/    /' >&2 || true
}

# Prints a line for each pod that is not ready, and behind them the events, and the logs of the containers that have run.
report() {
  local states kind name image state reason status message pod=
  states=$(pod_states)
  say
  summary <<<"$states" >&2
  while IFS='|' read -r kind name image state reason status message; do
    if [ "$kind" = pod ]; then
      pod=$name
      say
      say "events of $pod:"
      kube get events --field-selector "involvedObject.name=$pod" --sort-by .metadata.creationTimestamp 2>&1 | tail -n 5 >&2
    elif [ "$kind" = container ] && { [ "$state" != waiting ] || [ -n "$status" ]; }; then
      log_of "$pod" "$name"
      [ "$state" != running ] || [ -z "$status" ] || log_of "$pod" "$name" --previous
    fi
  done <<<"$states"
}
