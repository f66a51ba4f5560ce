# shellcheck shell=bash
# Sourced after setup.sh: the crates that a program contains, and their licences.
# shellcheck disable=SC2154 # root comes from setup.sh

# crates PACKAGE EDGES: a line for each crate of a registry that the program needs by these edges of cargo tree: name, version,
# licence, repository and folder, separated by tabs.
crates() {
  local linked
  cd "$root" || return
  linked=$(as_caller cargo tree --locked --quiet --package "$1" --edges "$2" --prefix none --no-dedupe --format '{p}') || return
  as_caller cargo metadata --locked --quiet --format-version 1 | jq --raw-output --rawfile linked <(sort -u <<<"$linked") '
    ($linked | split("\n") | map(split(" ")[:2] | join(" "))) as $linked
    | .packages[]
    | select(.source and ("\(.name) v\(.version)" | IN($linked[])))
    | [.name, .version, .license // "-", .repository // "-", (.manifest_path | rtrimstr("/Cargo.toml"))]
    | @tsv'
}

# licence_files FOLDER: those in the source of a crate, and of what is copied into it. Of zstd's two licences, BSD's is chosen.
licence_files() {
  find "$1" -type f -iregex '.*/\(un\)?\(licen[cs]e\|copying\|copyright\|notice\)[^/]*' \
    -not -path "$1/.*" -not -path '*/zstd/COPYING' | LC_ALL=C sort
}

# third_party_licences PACKAGE: prints what the program contains of others, and each text of a licence once. A crate without
# a text has that of its repository's other crates, or Debian's if it names nobody, as Apache-2.0 does.
third_party_licences() {
  local crates name version licence repository folder texts file
  declare -A of_text of_repository
  crates=$(crates "$1" normal,no-proc-macro) || die "cannot find the crates that $1 contains"
  printf 'The program %s contains the standard library of Rust (MIT OR Apache-2.0,\nhttps://github.com/rust-lang/rust) and these crates of https://crates.io:\n\n' "$1"
  while IFS=$'\t' read -r name version licence repository folder; do
    printf '%s %s: %s\n' "$name" "$version" "$licence"
    texts=$(licence_files "$folder")
    [ -z "$texts" ] || of_repository[$repository]=$texts
  done <<<"$crates"
  while IFS=$'\t' read -r name version licence repository folder; do
    texts=$(licence_files "$folder")
    texts=${texts:-${of_repository[$repository]-}}
    [ -n "$texts" ] || [ "$licence" != Apache-2.0 ] || texts=/usr/share/common-licenses/Apache-2.0
    [ -n "$texts" ] || die "$name $version contains no text of its licence, $licence; neither do other crates of $repository"
    while read -r file; do
      of_text[$(sha256sum <"$file" | cut -d' ' -f1)]+="$name $version: $file"$'\n'
    done <<<"$texts"
  done <<<"$crates"
  print_licence_texts
}

# Sorted by the crates that have them. $of_text is that of third_party_licences.
print_licence_texts() {
  local hash
  for hash in "${!of_text[@]}"; do
    printf '%s\t%s\n' "${of_text[$hash]%%$'\n'*}" "$hash"
  done | LC_ALL=C sort | while IFS=$'\t' read -r file hash; do
    printf '\n%s\n\n' "----------------------------------------------------------------------"
    cut -d: -f1 <<<"${of_text[$hash]%$'\n'}" | LC_ALL=C sort -u | paste -sd, | sed 's/,/, /g' | fold -s -w 78
    printf '\n'
    cat "${file#*: }"
  done
}
