# shellcheck shell=bash
# Sourced after setup.sh: the manifests of deploy/kubernetes.
# shellcheck disable=SC2034,SC2154 # python is for the scripts that source this; root, cache and built come from setup.sh

# shellcheck source-path=SCRIPTDIR source-path=SCRIPTDIR/lib source=databases.sh
source "$root/script/lib/databases.sh"

readonly kustomize_version=v5.7.1
readonly kubernetes_validate_version=1.37.0
# kubernetes-validate contains the schemas of these.
# shellcheck disable=SC2034 # used by the scripts that source this
readonly kubernetes_versions=(1.37 1.36 1.35)
kustomize=()

# need_kustomize: kubectl's if that is new enough; Debian's kubectl is far too old.
need_kustomize() {
  local version
  if version=$(kubectl version --client 2>/dev/null | sed -n 's/^Kustomize Version: v//p') && [ -n "$version" ] \
    && at_least 5.4 "$version"; then
    kustomize=("$(command -v kubectl)" kustomize)
  else
    need_go kustomize sigs.k8s.io/kustomize/kustomize/v5 "$kustomize_version" . || die "needs kubectl 1.31 or newer, or Go to build kustomize; neither is available"
    kustomize=("$built" build)
  fi
}

# render OVERLAY: prints its manifests.
render() {
  "${kustomize[@]}" "$root/deploy/kubernetes/overlays/$1"
}

# with_images PREFIX TAG: prints the manifests from stdin, with the project's images as PREFIX/NAME:TAG. Only the images of
# script/build without --push have no registry to be pulled from.
with_images() {
  local pull=()
  [[ $1 == localhost/* ]] || pull=(-e '/^ *imagePullPolicy: Never$/d')
  sed -E "${pull[@]}" -e "s#^( *(- )?image: )localhost/grpc-fcgi-proxy/([a-z-]+):dev\$#\1$1/\3:$2#"
}

# budgets: prints the PodDisruptionBudgets of the manifests from stdin.
budgets() {
  awk 'BEGIN { RS = "\n---\n"; ORS = RS } /(^|\n)kind: PodDisruptionBudget(\n|$)/'
}

# without_budgets: prints the others.
without_budgets() {
  awk 'BEGIN { RS = "\n---\n"; ORS = RS } !/(^|\n)kind: PodDisruptionBudget(\n|$)/'
}

# unwrapped: prints the manifests from stdin, with each binary file in one line, as the API returns it. kustomize wraps its base64,
# and kubectl takes that for a change each time.
unwrapped() {
  awk '
    file && /^    / { printf "%s", substr($0, 5); next }
    file { print "\""; file = 0 }
    /^[^ ]/ { binary = /^binaryData:$/ }
    binary && sub(/: \|$/, ": \"") { printf "%s", $0; file = 1; next }
    { print }
    END { if (file) print "\"" }
  '
}

# database_secret APP PASSWORD: prints the Secret of the app's database in the overlay minikube.
database_secret() {
  cat <<END
apiVersion: v1
kind: Secret
metadata:
  name: $1-database
  labels: {app: $1, app.kubernetes.io/part-of: grpc-fcgi-proxy}
stringData:
  url: $(database_url "$1" "$2")
  dsn: $(database_dsn "$1")
  user: $1
  password: $2
END
}

# key_secret KEY: prints the Secret of the key with which clients of the ingress may write: for Envoy, and by itself.
key_secret() {
  cat <<END
apiVersion: v1
kind: Secret
metadata:
  name: ingress-key
  labels: {app: ingress, app.kubernetes.io/part-of: grpc-fcgi-proxy}
stringData:
  key: $1
  keys.yaml: |
$(keys_file "$1" | sed 's/^/    /')
END
}

# need_kubernetes_validate: $python is a Python with kubernetes-validate and PyYAML.
need_kubernetes_validate() {
  local home=$cache/kubernetes-validate-$kubernetes_validate_version
  python=$home/bin/python
  [ ! -x "$python" ] || return 0
  need_root "installing kubernetes-validate into $home"
  need_packages python3-venv
  say "installing kubernetes-validate $kubernetes_validate_version into $home"
  install -d -m 755 "$cache"
  rm -rf "$home" "$home.new"
  /usr/bin/python3 -m venv "$home.new"
  "$home.new/bin/python" -m pip install --quiet --disable-pip-version-check \
    "kubernetes-validate==$kubernetes_validate_version"
  mv "$home.new" "$home"
}
