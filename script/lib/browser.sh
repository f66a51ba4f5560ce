# shellcheck shell=bash
# Sourced after setup.sh: programs that drive Debian's Chromium, and the shop that they open.
# shellcheck disable=SC2154 # root comes from setup.sh

readonly playwright_version=1.60.0
readonly axe_version=4.14.1
# A folder with the programs of deploy/tests/shop, beside the packages that they import.
browser_folder=

# need_playwright: Chromium, Node.js, and $playwright: a folder node_modules with playwright-core, which drives Chromium, and
# axe-core, which audits the accessibility of a page.
need_playwright() {
  local tools=$root/target/tools/playwright-$playwright_version-axe-$axe_version
  need_packages ca-certificates chromium
  # The oldest that the packages support; Debian 12's is 18.
  need_node 20
  playwright=$tools/node_modules
  [ ! -d "$playwright" ] || return 0
  say "installing playwright-core $playwright_version and axe-core $axe_version into target/tools"
  rm -rf "$tools.new"
  as_caller mkdir -p "$tools.new"
  as_caller env PATH="$PATH" npm install --silent --no-save --prefix "$tools.new" \
    "playwright-core@$playwright_version" "axe-core@$axe_version"
  mv "$tools.new" "$tools"
}

# need_shop: a running script/run, and what run_browser needs.
need_shop() {
  shop_state=/var/lib/grpc-fcgi-proxy
  [ -e "$shop_state/ready" ] || die "the application is not running; start it: script/run"
  need_playwright
  new_folder browser_folder
  cp "$root"/deploy/tests/shop/*.mjs "$browser_folder/"
  ln -s "$playwright" "$browser_folder/node_modules"
}

# run_browser ARGUMENT...: runs Node.js in that folder, with the URL, the key and the folder of script/run in its environment.
run_browser() {
  local url
  url=$(cat "$shop_state/ready")
  (cd "$browser_folder" && SHOP_URL=${url%/index} SHOP_KEY=$(cat "$shop_state/key") MESH_STATE=$shop_state node "$@")
}
