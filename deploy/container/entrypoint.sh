#!/bin/sh
# The entry point of the container (docs/deploying-replicas.md):
#   serve <what> [options]   models by themselves, as `tidemill serve`
#   pool [options]           what a control plane deploys to a pool: TIDEMILL_CONTROL_URL, TIDEMILL_POOL_TOKEN
# All that is written goes to TIDEMILL_HOME. Options that are given come after those here, and win.
set -eu
program=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
home=${TIDEMILL_HOME:-/var/lib/tidemill}
host=${TIDEMILL_SERVING_HOST:-0.0.0.0}
port=${TIDEMILL_SERVING_PORT:-7879}
grpc_port=${TIDEMILL_GRPC_PORT:-7880}
flags=$(cat "$program/bin/data-plane-flags") # as `tidemill up` starts it
export TMPDIR="${TMPDIR:-$home}"

mode=${1:-help}
[ $# -eq 0 ] || shift
case "$mode" in
  serve)
    # shellcheck disable=SC2086 # a word each
    exec node $flags "$program/bin/tidemill" serve --home "$home" --host "$host" \
      --serving-port "$port" --grpc-port "$grpc_port" "$@"
    ;;
  pool)
    # shellcheck disable=SC2086
    exec node $flags "$program/dist/program/serving.js" --home "$home" --host "$host" --port "$port" --grpc-port "$grpc_port" "$@"
    ;;
  *)
    echo "usage: serve <file, folder or model:name@alias> [options], or pool [options]; this was \"$mode\"" >&2
    exit 2
    ;;
esac
