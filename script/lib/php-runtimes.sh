# shellcheck shell=bash
# Sourced by script/php-runtimes after setup.sh: a Debian 13 with PHP 8.4, the protobuf runtimes in PHP, and the C extension
# for both versions of PHP. All of it is made once, in the machine's cache.
# shellcheck disable=SC2154 # cache comes from setup.sh

# shellcheck disable=SC2034 # used by the script that sources this
readonly runtimes=$cache/php-runtimes debian13=$cache/php-runtimes/debian-13
# By version of the runtime in PHP: the crate contains the sources of protobuf 27.1, and so those of 4.27 for PHP.
readonly protobuf_crate=protobuf-src protobuf_crate_version=2.1.1+27.1

# in_debian13 COMMAND...: with the checkout, read-only, as /src. Its own process namespace: nothing that it starts outlives it.
in_debian13() {
  # shellcheck disable=SC2016 # for the inner shell
  unshare --mount --pid --fork --kill-child --propagation private bash -euc '
    mount -o bind,ro "$1" "$2/src"
    mount -t proc proc "$2/proc"
    exec chroot "$2" "${@:3}"
  ' in_debian13 "$root" "$debian13" "$@"
}

need_debian13() {
  local fresh hash
  hash=$(declare -f need_debian13 | sha256sum | cut -c1-12)
  [ "$(cat "$debian13/recipe" 2>/dev/null)" != "$hash" ] || return 0
  need_packages debootstrap
  say "making $debian13: Debian 13 with PHP 8.4 and PHPUnit (some minutes, 0.7 GB)"
  new_folder fresh "$runtimes/new.XXXXXX"
  chmod 755 "$fresh"
  debootstrap --variant=minbase --include=ca-certificates trixie "$fresh" >"$fresh.log" 2>&1 \
    || die "debootstrap failed; the end of $fresh.log: $(tail -n 5 "$fresh.log")"
  cp -r /etc/apt/apt.conf.d/. "$fresh/etc/apt/apt.conf.d/"
  local mirror
  read -r _ mirror _ <"$fresh/etc/apt/sources.list"
  printf '%s\n' "deb-src $mirror trixie main" "deb $mirror experimental main" >"$fresh/etc/apt/sources.list.d/more.list"
  mkdir "$fresh/src"
  chroot "$fresh" env DEBIAN_FRONTEND=noninteractive sh -euc '
    apt-get update
    apt-get install -y --no-install-recommends gcc libc6-dev make php-google-protobuf php8.4-cli php8.4-dev php8.4-fpm \
      php8.4-mbstring php8.4-opcache php8.4-pgsql php8.4-sqlite3 phpunit protobuf-compiler protobuf-compiler-grpc
  ' >>"$fresh.log" 2>&1 || die "cannot install PHP 8.4; the end of $fresh.log: $(tail -n 5 "$fresh.log")"
  echo "$hash" >"$fresh/recipe"
  rm -rf "$debian13" "$fresh.log"
  mv "$fresh" "$debian13"
}

# need_sources: the runtimes in PHP in $runtimes/VERSION/php, the source of the extension in $runtimes/VERSION/ext. False for
# one that cannot be had, and says so.
need_sources() {
  need_source 3.21 fetch_3_21
  need_source 4.27 fetch_4_27
  need_source 5 fetch_5
}

# need_source VERSION FUNCTION: the function fills the folder that it gets.
need_source() {
  local fresh
  [ ! -d "$runtimes/$1" ] || return 0
  say "fetching the protobuf runtime $1 for PHP"
  new_folder fresh "$runtimes/new.XXXXXX"
  chmod 755 "$fresh"
  if "$2" "$fresh" >"$runtimes/fetch-$1.log" 2>&1; then
    mv "$fresh" "$runtimes/$1"
  else
    say "the protobuf runtime $1 cannot be had; the end of $runtimes/fetch-$1.log: $(tail -n 3 "$runtimes/fetch-$1.log")"
  fi
}

# Debian's source package. The runtime in PHP is installed as php-google-protobuf.
fetch_3_21() {
  # shellcheck disable=SC2016 # for the inner shell
  in_debian13 sh -euc 'apt-get update; cd "$(mktemp -d)"; apt-get source --tar-only --download-only protobuf
    rm -rf /tmp/protobuf; mkdir /tmp/protobuf; tar --extract --gzip --file protobuf_*.orig.tar.gz --directory /tmp/protobuf --strip-components=1' \
    && copy_extension "$debian13/tmp/protobuf" "$1"
}

fetch_4_27() {
  local folder manifest
  need_rust
  folder=$(as_caller mktemp -d)
  at_exit rm -rf "$folder"
  as_caller mkdir "$folder/src"
  as_caller touch "$folder/src/lib.rs"
  as_caller tee "$folder/Cargo.toml" >/dev/null <<END_OF_MANIFEST
[package]
name = "sources"
version = "0.0.0"
edition = "2021"
[dependencies]
$protobuf_crate = "=$protobuf_crate_version"
END_OF_MANIFEST
  manifest=$(as_caller cargo metadata --manifest-path "$folder/Cargo.toml" --format-version 1 \
    | jq --exit-status --raw-output --arg name "$protobuf_crate" '.packages[] | select(.name == $name).manifest_path') || return
  copy_extension "$(dirname "$manifest")/protobuf" "$1" && cp -r "$(dirname "$manifest")/protobuf/php/src" "$1/php"
}

# The newest that Debian has.
fetch_5() {
  # shellcheck disable=SC2016 # for the inner shell
  in_debian13 sh -euc 'apt-get update; cd "$(mktemp -d)"; apt-get download php-google-protobuf/experimental
    rm -rf /tmp/runtime; dpkg-deb --extract php-google-protobuf_5*.deb /tmp/runtime' \
    && cp -r "$debian13/tmp/runtime/usr/share/php" "$1/php"
}

# copy_extension PROTOBUF FOLDER
copy_extension() {
  cp -r "$1/php/ext/google/protobuf" "$2/ext" && mkdir -p "$2/ext/third_party" && cp -r "$1/third_party/utf8_range" "$2/ext/third_party/"
}

# need_extension PHP VERSION: builds $runtimes/ext-PHP-VERSION.so.
need_extension() {
  local folder built=$runtimes/ext-$1-$2.so
  [ -d "$runtimes/$2/ext" ] && [ ! -e "$built" ] || return 0
  say "building the C extension $2 for PHP $1"
  # shellcheck disable=SC2016 # for the inner shell
  local build='cd "$1"; phpize"$2"; ./configure --with-php-config="$(command -v "php-config$2")"; make'
  if [ "$1" = 8.2 ]; then
    need_packages build-essential php8.2-dev
    new_folder folder
    cp -r "$runtimes/$2/ext" "$folder/ext"
    bash -euc "$build" build "$folder/ext" "$1" >"$runtimes/build.log" 2>&1
  else
    folder=$debian13/tmp
    rm -rf "$folder/ext"
    cp -r "$runtimes/$2/ext" "$folder/ext"
    in_debian13 bash -euc "$build" build /tmp/ext "$1" >"$runtimes/build.log" 2>&1
  fi || die "cannot build the C extension $2 for PHP $1; the end of $runtimes/build.log: $(tail -n 20 "$runtimes/build.log")"
  install -m 644 "$folder/ext/modules/protobuf.so" "$built"
}
