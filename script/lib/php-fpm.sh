# shellcheck shell=bash
# Sourced after setup.sh and programs.sh: starts the php-fpm of a script that serves a service for tests.
# shellcheck disable=SC2154 # workers and scratch come from the script

# start_php_fpm POOL [DIRECTIVE]...: with $workers workers, at $scratch/fpm.sock. $php_fpm is its process.
start_php_fpm() {
  cat >"$scratch/php-fpm.conf" <<END
[global]
error_log = $scratch/php-fpm.log
[$1]
user = $(id -un)
listen = $scratch/fpm.sock
pm = static
pm.max_children = $workers
catch_workers_output = no
php_admin_flag[display_errors] = off
php_admin_flag[log_errors] = on
$(printf '%s\n' "${@:2}")
END
  start php-fpm8.2 --nodaemonize --allow-to-run-as-root --fpm-config "$scratch/php-fpm.conf"
  php_fpm=$started
  await "$php_fpm" "$scratch/php-fpm.log" grep -q 'ready to handle connections' "$scratch/php-fpm.log"
}
