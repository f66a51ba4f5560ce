# shellcheck shell=bash
# Sourced after setup.sh and passed.sh: builds the clients of script/clients, once for each version of their files, into
# target/tools.
# shellcheck disable=SC2154 # root and go come from setup.sh
# shellcheck disable=SC2034 # client and lacking are used by the script

readonly tests=$root/grpc-fcgi-proxy/tests/clients
# connect-node needs it.
readonly client_node_minimum=22
# By need_..._client: the command of the client, or why it cannot be built.
client=()
lacking=

# can_install REASON...: whether this user could install a toolchain; otherwise the reason is why it is lacking.
can_install() {
  [ "$(id -u)" -ne 0 ] || return 0
  lacking="$*, and only root can install it"
  return 1
}

# build_client NAME: sets $built, a folder that "make_NAME_client FOLDER" has made.
build_client() {
  local folder
  folder=$root/target/tools/clients-$1
  built=$folder-$(inputs_hash "$tests/$1" proto/grpc proto/google/rpc)
  [ ! -d "$built" ] || return 0
  say "building the clients in $1"
  rm -rf "$folder"-*
  as_caller mkdir -p "$root/target/tools"
  as_caller cp -R "$tests/$1" "$folder-new"
  "make_$1_client" "$folder-new" >"$folder.log" 2>&1 || die "cannot build it: $(tail -n 20 "$folder.log")"
  mv "$folder-new" "$built"
}

need_go_client() {
  as_caller bash -c 'command -v go' >/dev/null || can_install "there is no Go" || return
  find_go || { lacking="there is no Go" && return 1; }
  build_client go
  client=("$built/client")
}

make_go_client() {
  local package
  for package in google.golang.org/protobuf/cmd/protoc-gen-go google.golang.org/grpc/cmd/protoc-gen-go-grpc; do
    go_build "$1" "$1/bin/" "$package" || return
  done
  as_caller env PATH="$1/bin:$PATH" protoc --proto_path="$root/proto" \
    --go_out="$1" --go_opt=module=clients,Mgrpc/testing/test.proto=clients/testing \
    --go-grpc_out="$1" --go-grpc_opt=module=clients,Mgrpc/testing/test.proto=clients/testing grpc/testing/test.proto || return
  go_build "$1" "$1/client" .
}

# go_build FOLDER OUTPUT PACKAGE
go_build() {
  as_caller env --chdir="$1" GOWORK=off CGO_ENABLED=0 GOFLAGS=-mod=readonly "$go" build -trimpath -buildvcs=false -o "$2" "$3"
}

need_java_client() {
  if ! as_caller bash -c 'command -v mvn && command -v javac' >/dev/null; then
    can_install "there is no Maven with a JDK" || return
    need_packages default-jdk-headless maven
  fi
  build_client java
  client=(java -cp "$built/build/classes:$built/build/libraries/*" Client)
}

make_java_client() {
  as_caller env --chdir="$1" mvn --batch-mode --quiet -Dcontracts="$root/proto" compile
}

need_node_client() {
  local version
  if ! { command -v npm >/dev/null && version=$(node --version) && at_least "$client_node_minimum" "${version#v}"; }; then
    can_install "there is no Node.js $client_node_minimum" || return
  fi
  need_node "$client_node_minimum"
  build_client node
  client=(node "$built/client.mjs")
}

make_node_client() {
  as_caller env PATH="$PATH" npm ci --silent --ignore-scripts --prefix "$1" || return
  as_caller mkdir "$1/generated"
  as_caller env PATH="$PATH" protoc --proto_path="$root/proto" --proto_path=/usr/include --es_out="$1/generated" --es_opt=target=js \
    --plugin="$1/node_modules/.bin/protoc-gen-es" grpc/testing/test.proto google/rpc/status.proto || return
  # grpc-js reads it as it is.
  as_caller cp proto/grpc/testing/test.proto "$1/generated/grpc/testing/"
}
