# shellcheck shell=bash
# Sourced after setup.sh: the packages for tests in a browser.
# shellcheck disable=SC2154 # root comes from setup.sh
# shellcheck disable=SC2034 # used by the scripts

readonly playwright_version=1.60.0
readonly axe_version=4.14.1
# The oldest that the packages for browsers support; Debian 12's is 18.
readonly browser_node_minimum=20

# need_playwright: $playwright is a folder node_modules with playwright-core, which drives Debian's Chromium, and axe-core, which
# audits a page's accessibility.
need_playwright() {
  local tools=$root/target/tools/playwright-$playwright_version-axe-$axe_version
  playwright=$tools/node_modules
  [ ! -d "$playwright" ] || return 0
  say "installing playwright-core $playwright_version and axe-core $axe_version into target/tools"
  rm -rf "$tools.new"
  as_caller mkdir -p "$tools.new"
  as_caller env PATH="$PATH" npm install --silent --no-save --prefix "$tools.new" \
    "playwright-core@$playwright_version" "axe-core@$axe_version"
  mv "$tools.new" "$tools"
}
