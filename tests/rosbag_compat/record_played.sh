#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# record_played.sh - plays a log and records every message of it anew.
#
# Usage: tests/rosbag_compat/record_played.sh SLUICE LOG OUTPUT [OPTION...]
set -euo pipefail
sluice=$1
log=$2
SLUICE_ROOT=$(mktemp -d)
export SLUICE_ROOT
trap 'kill $! 2>/dev/null || true; wait; rm -rf "$SLUICE_ROOT"' EXIT
mapfile -t topics < <("$sluice" cat --hash "$log" | cut -d' ' -f4- | LC_ALL=C sort -u)
count=$("$sluice" cat --hash "$log" | wc -l)
timeout 60 "$sluice" play "$log" --rate 0 --lossless --wait-for-subscribers 1 --log-level error \
    "${topics[@]/#/--topic=}" &
timeout 60 "$sluice" record "${topics[@]}" --lossless --max-messages "$count" --log-level error -o "${@:3}"
wait $!
