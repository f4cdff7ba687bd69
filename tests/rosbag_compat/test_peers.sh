#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# test_peers.sh - times and payload hashes of every log of the field, by sluice and by readers of
# other people: python3-rosbag and the sqlite3 shell. Then what sluice writes, and what it records,
# read by them; metadata.yaml by PyYAML, which python3-rosbag needs.
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
check_metadata() { $python "$here/metadata.py" "$1/metadata.yaml" "$2"; } # folder, messages

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

# metadata.yaml: that of others first, by which the check is checked; then ours, of each version.
resources=$bags/ros2+rosbag2/rosbag2_tests/resources
for recorder in mcap/cdr_test sqlite3/cdr_test sqlite3/bag_with_topics_and_service_events; do
    check_metadata "$resources/$recorder" "$(sed -n 's/^  message_count: //p' "$resources/$recorder/metadata.yaml")"
done
events=$resources/sqlite3/bag_with_topics_and_service_events
messages=$(by_sluice "$events" | wc -l)
for version in 1 2 3 4 5 6 7 8 9; do
    "$sluice" convert "$events" "$folder/rows" --format rosbag2 --metadata-version $version >"$folder/said"
    check_metadata "$folder/rows" "$messages"
    rm -rf "$folder/rows"
done
for packing in message file; do
    "$sluice" convert "$events" "$folder/rows" --format rosbag2-sqlite --pack $packing >"$folder/said"
    check_metadata "$folder/rows" "$messages"
    rm -rf "$folder/rows"
done

# What sluice records: a database that is played, into another one.
played=$bags/PlotJuggler+PlotJuggler/datasamples/rosbag2_test/rosbag2_test_0.db3
"$here/record_played.sh" "$sluice" "$played" "$folder/recorded" --format rosbag2-sqlite
recorded=$folder/recorded/recorded_0.db3
check_metadata "$folder/recorded" "$(by_sluice "$folder/recorded" | wc -l)"
"$here/record_played.sh" "$sluice" "$played" "$folder/split" --format rosbag2 --split-size 100k
[ "$(find "$folder/split" -name '*.mcap' | wc -l)" -gt 1 ]
check_metadata "$folder/split" "$(by_sluice "$folder/split" | wc -l)"
ask() { sqlite3 "file:$1?immutable=1" "$2" | LC_ALL=C sort; }
for query in "SELECT name, type, serialization_format FROM topics WHERE id IN (SELECT topic_id FROM messages)" \
    "SELECT hex(m.data), t.name FROM messages m JOIN topics t ON t.id = m.topic_id"; do
    ask "$played" "$query" >"$folder/wanted"
    [ -s "$folder/wanted" ]
    if ! ask "$recorded" "$query" | cmp - "$folder/wanted"; then
        echo "recorded from $played: another answer to $query"
        exit 1
    fi
done
[ "$(sqlite3 "$recorded" 'PRAGMA integrity_check')" = ok ]
# Its definitions, read by ROS 1's parser: the fields are those of ROS 2.
sqlite3 -json "$recorded" 'SELECT * FROM message_definitions' | $python -c '
import json, sys
import genpy.dynamic

fields = {"sensor_msgs/msg/Imu": "header orientation orientation_covariance angular_velocity "
          "angular_velocity_covariance linear_acceleration linear_acceleration_covariance",
          "geometry_msgs/msg/PoseStamped": "header pose",
          "sensor_msgs/msg/BatteryState": "header voltage temperature current charge capacity "
          "design_capacity percentage power_supply_status power_supply_health "
          "power_supply_technology present cell_voltage cell_temperature location serial_number"}
rows = json.load(sys.stdin)
assert sorted(r["topic_type"] for r in rows) == sorted(fields), rows
for row in rows:
    assert row["encoding"] == "ros2msg", row
    name = row["topic_type"].replace("/msg/", "/")
    made = genpy.dynamic.generate_dynamic(name, row["encoded_message_definition"])
    assert made[name].__slots__ == fields[row["topic_type"]].split(), (name, made[name].__slots__)
    assert made["std_msgs/Header"].__slots__ == ["stamp", "frame_id"], made["std_msgs/Header"].__slots__
'
echo "$compared messages are the same"
