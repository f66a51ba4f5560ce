# shellcheck shell=bash
# Sourced after setup.sh: runs the commands of a chapter of the proxy's manual, and compares their output with the text.
# shellcheck disable=SC2154 # root comes from setup.sh

# Runs a command as the reader of the manual.
reader=()
ran=0

# chapter HEADING: the text of the manual below it, up to the next heading of its level or above.
chapter() {
  local level=${1%%[^#]*}
  awk -v heading="$1" -v level="${#level}" '
    /^```/ { block = !block }
    /^#+ / && !block && inside && index($0, " ") <= level + 1 { exit }
    inside { print }
    $0 == heading { inside = 1 }
  ' "$root/grpc-fcgi-proxy/README.md"
}

# run_commands BLOCK: a command begins with "$ ", and goes on behind a backslash; the rest is its output.
run_commands() {
  local line command='' expected=''
  while IFS= read -r line; do
    if [[ $line == '$ '* ]]; then
      run_command "$command" "$expected"
      command=${line#'$ '} expected=
    elif [[ -z $expected && $command == *\\ ]]; then
      command+=$'\n'$line
    else
      expected+=$line$'\n'
    fi
  done <<<"${1%$'\n'}"
  run_command "$command" "$expected"
}

# run_command COMMAND EXPECTED: a call that fails has output, too.
run_command() {
  local output status=0
  [ -n "$1" ] || return 0
  output=$("${reader[@]}" bash -c "$1" </dev/null 2>&1) || status=$?
  if [ -n "$2" ]; then
    compare "$1" "$2" "$output"
  else
    [ "$status" -eq 0 ] || die "$1 failed: $output"
    ran=$((ran + 1))
  fi
}

# compare WHAT EXPECTED ACTUAL
compare() {
  diff --label "the manual" --label "$1" --unified <(echo "${2%$'\n'}") <(echo "${3%$'\n'}") >&2 \
    || die "the manual is wrong about $1"
  ran=$((ran + 1))
}
