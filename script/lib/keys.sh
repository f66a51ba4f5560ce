# shellcheck shell=bash
# Sourced after setup.sh: the key with which clients of the ingress may write.

# new_key: prints one.
new_key() {
  openssl rand -hex 32
}

# keys_file KEY: prints the file from which the ingress' Envoy takes its keys. Each has a name, which is in its log.
keys_file() {
  cat <<END_OF_FILE
resources:
- "@type": type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig
  name: envoy.filters.http.api_key_auth
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth
    credentials:
    - {client: first, key: "$1"}
END_OF_FILE
}

# key_example KEY URL: prints a request with the key, to the ingress at the URL.
key_example() {
  echo "curl -H 'x-api-key: $1' -d '{\"name\": \"User Four\"}' $2/v1/users"
}
