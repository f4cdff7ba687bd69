#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# test_peers_npm.sh - times and payload hashes of every bag and MCAP file of the field, by sluice and
# by readers of other people from npm: @foxglove/rosbag and @mcap/core. Then what sluice writes of
# them in each format and compression, read by those: messages, topics, types and definitions are
# what they see in the file that it was made of.
#
# Usage: tests/rosbag_compat/test_peers_npm.sh SLUICE
#
# The readers are installed into the current folder, which is the build's, when they are not there.
set -euo pipefail
sluice=$1
here=$(cd "$(dirname "$0")" && pwd)
bags=${SLUICE_TEST_DATA:-$SLUICE_SOURCE/../shared/data}/bags
peers=$PWD/peers

skip() {
    echo "SKIP: $1"
    exit 77
}
[ -e "$bags/MANIFEST.json" ] || skip "$bags is absent (SLUICE_TEST_DATA names the folder of test data)"
command -v node >/dev/null && command -v npm >/dev/null || skip "node and npm are not installed"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

install_peers() {
    mkdir -p "$peers"
    cp "$here/peers/peer.js" "$peers"
    cmp -s "$here/peers/package.json" "$peers/installed" && return
    cp "$here/peers/package.json" "$peers"
    (cd "$peers" && timeout 120 npm install --no-package-lock --no-audit --no-fund --ignore-scripts) \
        >"$folder/npm" 2>&1 || skip "npm cannot install the readers: $(grep -m1 . "$folder/npm")"
    cp "$here/peers/package.json" "$peers/installed"
}
install_peers

fail() {
    echo "$1"
    exit 1
}
look() { # folder, logs: what the readers see
    mkdir -p "$1"
    node "$peers/peer.js" "$@" || fail "a log that they do not read"
}
same() { # file, their lines of it
    "$sluice" cat --hash "$1" | LC_ALL=C sort >"$folder/ours"
    LC_ALL=C sort "$2" | cmp - "$folder/ours" || fail "$1: other messages than they see"
}

mapfile -t logs < <(find "$bags" -size +0 \( -name '*.bag' -o -name '*.mcap' \) | LC_ALL=C sort)
look "$folder/field" "${logs[@]}"
for n in "${!logs[@]}"; do
    same "${logs[n]}" "$folder/field/$n.messages"
done

# What sluice writes.
written=() wanted=()
write() { # number of the log, path without folder, options
    local path=$folder/$1-$2
    "$sluice" convert "${logs[$1]}" "$path" "${@:3}" >"$folder/said" || fail "$path is not written"
    [ ! -d "$path" ] || path=$path/$1-$2_0.mcap
    written+=("$path") wanted+=("$1")
}
for n in "${!logs[@]}"; do
    for compression in none lz4 zstd; do
        write "$n" "$compression.mcap" --compression $compression
    done
    for compression in none lz4 bz2; do
        write "$n" "$compression.bag" --compression $compression --chunk-size 64k
    done
    write "$n" folder --format rosbag2 --compression zstd
done
look "$folder/ours_of_theirs" "${written[@]}"
for n in "${!written[@]}"; do
    cmp "$folder/field/${wanted[n]}.messages" "$folder/ours_of_theirs/$n.messages" ||
        fail "${written[n]}: other messages than in ${logs[wanted[n]]}"
    once=cat
    case ${written[n]} in
    *.bag) [[ ${logs[wanted[n]]} == *.bag ]] || continue ;; # it has no place for encodings
    */*_0.mcap) once=uniq ;;                                # rosbag2 has a topic once
    esac
    "$once" "$folder/field/${wanted[n]}.topics" | cmp - "$folder/ours_of_theirs/$n.topics" ||
        fail "${written[n]}: other topics than in ${logs[wanted[n]]}"
done

# What sluice records of a database that is played: the same bodies, types, and a definition of each.
played=$bags/PlotJuggler+PlotJuggler/datasamples/rosbag2_test/rosbag2_test_0.db3
record() { "$here/record_played.sh" "$sluice" "$played" "$@" || fail "$1 is not recorded"; }
if "$sluice" info "$played" >/dev/null; then
    record "$folder/plain.mcap"
    record "$folder/packed.mcap" --compression zstd --crc
    record "$folder/rec" --format rosbag2
    look "$folder/recorded" "$folder/plain.mcap" "$folder/packed.mcap" "$folder/rec/rec_0.mcap"
    "$sluice" cat --hash "$played" | cut -d' ' -f2- | LC_ALL=C sort >"$folder/bodies"
    cat >"$folder/types" <<'END'
/battery sensor_msgs/msg/BatteryState cdr ros2msg
/imu sensor_msgs/msg/Imu cdr ros2msg
/pose geometry_msgs/msg/PoseStamped cdr ros2msg
END
    nothing=$(sha256sum </dev/null | cut -d' ' -f1)
    for n in 0 1 2; do
        cut -d' ' -f2- "$folder/recorded/$n.messages" | LC_ALL=C sort | cmp - "$folder/bodies" ||
            fail "recorded, log $n has other bodies"
        cut -d' ' -f1-4 "$folder/recorded/$n.topics" | LC_ALL=C sort | cmp - "$folder/types" ||
            fail "recorded, log $n has other topics"
        ! grep -q "$nothing" "$folder/recorded/$n.topics" || fail "recorded, log $n lacks a definition"
    done
fi
echo "$(cat "$folder"/field/*.messages | wc -l) messages are the same, and in ${#written[@]} logs made of them"
