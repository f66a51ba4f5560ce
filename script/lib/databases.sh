# shellcheck shell=bash
# Sourced by the scripts that give user, order and item a database each in one PostgreSQL, by the name postgresql. The role of
# an app and its database have the app's name.

# shellcheck disable=SC2034 # used by the scripts that source this
readonly database_apps=(user order item)

# database_url APP PASSWORD: for user and order.
database_url() {
  echo "postgres://$1:$2@postgresql:5432/$1"
}

# database_dsn APP: for PHP. The timeouts limit what a call waits for; php-fpm limits only its CPU time.
database_dsn() {
  echo "pgsql:host=postgresql;dbname=$1;tcp_user_timeout=10000;options=-cstatement_timeout=10s"
}
