#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# test_peers.sh - times and payload hashes of every log of the field, by sluice and by readers of
# other people: python3-rosbag and the sqlite3 shell. Then what sluice writes, read by them.
#
# Usage: tests/rosbag_compat/test_peers.sh SLUICE
set -euo pipefail
sluice=$1
python=/usr/bin/python3 # Debian's, which has Debian's modules
here=$(cd "$(dirname "$0")" && pwd)
bags=${SLUICE_TEST_DATA:-$SLUICE_SOURCE/../shared/data}/bags

if [ ! -e "$bags/MANIFEST.json" ]; then
    echo "SKIP: $bags is absent (SLUICE_TEST_DATA names the folder of test data)"
    exit 77
fi
if ! $python -c 'import rosbag' 2>/dev/null || ! command -v sqlite3 >/dev/null; then
    echo "SKIP: python3-rosbag or sqlite3 is not installed"
    exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
compared=0

by_sluice() { "$sluice" cat --hash "$1" | LC_ALL=C sort; }
by_rosbag() { $python "$here/peer.py" bag "$1" | LC_ALL=C sort; }
by_sqlite() {
    sqlite3 "file:$1?immutable=1" "SELECT m.timestamp, hex(m.data), t.name FROM messages m
        JOIN topics t ON t.id = m.topic_id" | $python "$here/peer.py" rows | LC_ALL=C sort
}
compare() { # reader, file
    "$1" "$2" >"$folder/theirs"
    by_sluice "$2" >"$folder/ours"
    if ! cmp "$folder/ours" "$folder/theirs"; then
        echo "$2: other messages than $1 sees"
        exit 1
    fi
    compared=$((compared + $(wc -l <"$folder/ours")))
}

while read -r file; do
    compare by_rosbag "$file"
done < <(find "$bags" -name '*.bag' -size +0 | LC_ALL=C sort)
while read -r file; do
    compare by_sqlite "$file"
done < <(find "$bags" -name '*.db3' | LC_ALL=C sort)

# What sluice writes: every bag once more in each compression, and as a database.
for file in "$bags"/foxglove+rosbag/fixtures/example-lz4.bag "$bags"/PlotJuggler+PlotJuggler/datasamples/tilt_laser.bag; do
    by_rosbag "$file" >"$folder/wanted"
    for compression in none lz4 bz2; do
        "$sluice" convert "$file" "$folder/$compression.bag" --compression $compression >"$folder/said"
        by_rosbag "$folder/$compression.bag" | cmp - "$folder/wanted"
    done
    "$sluice" convert "$file" "$folder/rows" --format rosbag2-sqlite >"$folder/said"
    by_sqlite "$folder/rows/rows_0.db3" | cmp - "$folder/wanted"
    [ "$(sqlite3 "$folder/rows/rows_0.db3" 'PRAGMA integrity_check')" = ok ]
    rm -rf "$folder"/*.bag "$folder/rows"
done
echo "$compared messages are the same"
